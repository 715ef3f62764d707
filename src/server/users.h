/* users.h - which user each role runs as when root starts the server. */
#ifndef SERVER_USERS_H
#define SERVER_USERS_H

#include "server/role.h"

/* From here on, numbers that need no account: below 65536, so that they exist in a container's user namespace too, and between those
 * that Debian (60000 to 64999, sparsely) and systemd (60001 to 60705, 61184 to 65519) give out. */
#define USERS_BASE "60800"

/* A number with room for every role above it, or "off". */
bool users_is_base(limen_str base);
#define USERS_WANTED "give a number from 1000 to 2000000000, or off"
/* The user and group of a role; 0: whoever started the server. */
uint32_t users_of(limen_str base, enum role_kind kind, uint32_t number);
/* Says it in the log, in one line. */
void users_say(limen_str base);

#endif
