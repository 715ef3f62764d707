/* openssl_memory.h - whether OpenSSL has lacked memory.
 *
 * Some of its verifications say "the signature is wrong" when it was memory that failed, with no error beside. A good token must not be
 * refused for that, so its allocations are watched. */
#ifndef DATA_OPENSSL_MEMORY_H
#define DATA_OPENSSL_MEMORY_H

#include "limen/base.h"

/* Once in a process, before OpenSSL has allocated anything: false when it has. */
bool openssl_memory_watch(void) LIMEN_MUST_CHECK;
/* Whether an allocation of this thread has failed since it was asked last. Never so where nobody watches. */
bool openssl_memory_was_out(void);

#endif
