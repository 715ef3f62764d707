/* sha256.h - SHA-256 (FIPS 180-4) in one call that cannot fail.
 *
 * OpenSSL's own SHA256() looks its algorithm up and allocates since version 3: without memory it leaves the hash as it was, and
 * what a hash stands for here (a session, a key, a caller) must not then be somebody else's. */
#ifndef CORE_SHA256_H
#define CORE_SHA256_H

#include "limen/base.h"

#define SHA256_BYTES 32U

void sha256(limen_str text, uint8_t ret_hash[SHA256_BYTES]);

#endif
