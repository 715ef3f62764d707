/* jwk.h - the keys that signatures are held against (RFC 7517, RFC 7518 section 6, RFC 8037 section 2).
 *
 * Each key has one algorithm, which it brings along or which its type implies; a signature never chooses how it is
 * verified (RFC 8725 section 3.1). A key that is weak or not for verifying is not in the set at all. */
#ifndef DATA_JWK_H
#define DATA_JWK_H

#include "limen/base.h"

#include <openssl/types.h>

enum jws_algorithm {
    JWS_HS256,
    JWS_HS384,
    JWS_HS512,
    JWS_RS256,
    JWS_RS384,
    JWS_RS512,
    JWS_PS256,
    JWS_PS384,
    JWS_PS512,
    JWS_ES256,
    JWS_ES384,
    JWS_ES512,
    JWS_ED25519, /* `Ed25519` (RFC 9864) and `EdDSA` (RFC 8037) */
    JWS_ALGORITHMS
};
#define JWS_ANY_ALGORITHM ((1U << JWS_ALGORITHMS) - 1)

enum jwk_type { JWK_OCT, JWK_RSA, JWK_EC, JWK_OKP };

/* An algorithm of ECDSA has one curve, and a curve one algorithm (RFC 7518 section 3.4). */
struct jws_curve {
    limen_str name;    /* `crv` */
    const char *group; /* as OpenSSL names it */
    size_t bytes;      /* of a coordinate, and of each half of a signature */
};
#define JWS_CURVE_BYTES_MOST 66

struct jws_algorithm_traits {
    enum jwk_type key;
    const char *digest; /* as OpenSSL names it; NULL: the algorithm has its own */
    uint32_t digest_bytes;
    bool is_pss;
    const struct jws_curve *curve; /* of JWK_EC; else NULL */
};
const struct jws_algorithm_traits *jws_algorithm_traits(enum jws_algorithm algorithm);
/* By its name in a header or key, case-exact; false for any other, `none` among them. */
bool jws_algorithm_find(limen_str name, enum jws_algorithm *ret_algorithm) LIMEN_MUST_CHECK;

struct jwk {
    enum jws_algorithm algorithm;
    limen_str kid;         /* empty: it has none */
    EVP_PKEY *public_key;  /* NULL for HMAC */
    const uint8_t *secret; /* HMAC */
    size_t secret_bytes;
};

struct jwk_set;

/* Reads a JWK Set, or one JWK alone. NULL when nothing can be made of it, and `ret_fault` then says why, in one clause: it
 * is no JSON, no key of it can be used, two share a `kid`, or secret and public keys are mixed (who knows the public one
 * could sign with it). Keys of other kinds and purposes are left out, as RFC 7517 section 5 wants it; `ret_left_out` (may be
 * NULL) then names the reason for the last of them, else NULL. */
struct jwk_set *jwk_set_parse(limen_str json, const char **ret_fault, const char **ret_left_out);
void jwk_set_free(struct jwk_set *set); /* accepts NULL; secrets are wiped */
uint32_t jwk_set_count(const struct jwk_set *set);

/* The one key that `kid` (empty: the signature names none) and the algorithm allow; NULL when there is none, or more than one. */
const struct jwk *jwk_set_find(const struct jwk_set *set, limen_str kid, enum jws_algorithm algorithm);

#endif
