/* sha256.c - OpenSSL's compression function, without what is built around it.
 *
 * These three calls are what OpenSSL 3 wants replaced by EVP; they work in memory of their caller's and return nothing but 1. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "core/sha256.h"

#include <openssl/sha.h>
#include <string.h>

_Static_assert(SHA256_BYTES == SHA256_DIGEST_LENGTH, "the hash has OpenSSL's size");

void sha256(limen_str text, uint8_t ret_hash[SHA256_BYTES])
{
    SHA256_CTX state;
    (void)SHA256_Init(&state);
    (void)SHA256_Update(&state, text.ptr, text.len);
    (void)SHA256_Final(ret_hash, &state);
    explicit_bzero(&state, sizeof(state)); /* it may have seen a secret */
}
