/* jwt.h - a bearer token's claims (RFC 7519), behind its signature.
 *
 * What a token says counts only for the issuer and the audience that the contract names; the keys in the set are that
 * issuer's (RFC 8725 sections 3.8, 3.9). */
#ifndef DATA_JWT_H
#define DATA_JWT_H

#include "data/jws.h"

/* What the contract demands of the tokens of one scheme. */
struct jwt_rules {
    uint32_t algorithms; /* a mask over enum jws_algorithm */
    limen_str issuer, audience;
    limen_str type;        /* the one `typ` that is accepted; empty: none, JWT and at+jwt are */
    limen_str roles_claim; /* the member that holds roles or scopes */
};

enum jwt_outcome {
    JWT_OK,
    JWT_REFUSED,
    JWT_UNKNOWN_KEY, /* newer keys may help */
    JWT_EARLY,       /* `nbf`: time will help */
    JWT_NO_MEMORY
};

#define JWT_ROLES_MOST 64U /* names in the roles claim; more: refused */

struct jwt {
    limen_str subject;
    limen_time expires_at; /* `exp`, without leeway */
    limen_str roles[JWT_ROLES_MOST];
    uint32_t role_count;
};

/* `now` is wall time. What `ret_jwt` refers to is in the arena; it is written only on JWT_OK. `ret_why` says in plain words what else it
 * is, for the log: no client is told. */
enum jwt_outcome jwt_verify(limen_str token, const struct jwk_set *keys, const struct jwt_rules *rules, limen_time now,
                            struct arena *arena, struct jwt *ret_jwt, const char **ret_why) LIMEN_MUST_CHECK;

#endif
