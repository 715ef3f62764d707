/* user.h - a process that root has started becomes a user of its own, for good. */
#ifndef CORE_USER_H
#define CORE_USER_H

#include "limen/base.h"

/* Becomes user and group `id` (not 0), which need no account, without any other group; every capability goes with it. One thread only.
 * False with errno. The kernel forgets PR_SET_PDEATHSIG here. */
bool user_become(uint32_t id) LIMEN_MUST_CHECK;
/* Gives up every capability, those that a service manager handed down included. False with errno. */
bool user_drop_capabilities(void) LIMEN_MUST_CHECK;

#endif
