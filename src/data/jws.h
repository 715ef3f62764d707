/* jws.h - verifies a JSON Web Signature in its compact form (RFC 7515), as RFC 8725 wants it done.
 *
 * Which algorithms are accepted and which keys there are is the server's word; of the header only `alg`, `kid` and `typ` are
 * looked at, and a key that the header brings or points to (`jwk`, `jku`, `x5c`, `x5u`) is never looked at. */
#ifndef DATA_JWS_H
#define DATA_JWS_H

#include "data/jwk.h"

struct arena;

enum jws_outcome {
    JWS_OK,
    JWS_MALFORMED,   /* not three parts of strict base64url, a header that is no JSON object, twice the same member */
    JWS_REFUSED,     /* an algorithm that is not accepted, an extension that must be understood (`crit`, `b64`) */
    JWS_UNKNOWN_KEY, /* no key, or more than one, has the algorithm and the `kid` */
    JWS_BAD_SIGNATURE,
    JWS_NO_MEMORY
};

struct jws {
    enum jws_algorithm algorithm;
    limen_str type;    /* `typ`; empty when absent */
    limen_str payload; /* decoded */
};

/* `algorithms` is a mask over enum jws_algorithm. What `ret_jws` refers to is in the arena; it is written only on JWS_OK. */
enum jws_outcome jws_verify(limen_str token, const struct jwk_set *keys, uint32_t algorithms, struct arena *arena,
                            struct jws *ret_jws) LIMEN_MUST_CHECK;

#endif
