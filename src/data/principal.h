/* principal.h - who acts, as the data role knows it. */
#ifndef DATA_PRINCIPAL_H
#define DATA_PRINCIPAL_H

#include "limen/base.h"

#define PRINCIPAL_ID_BYTES 255U /* a token's `sub` may be that long, with its prefix: 401 past it */
#define PRINCIPAL_EMAIL_BYTES 254U
#define TOKEN_BYTES 32U /* 256 random bits; in the cookie as 43 characters of base64url */
#define TOKEN_TEXT_BYTES 43U
#define TOKEN_HASH_BYTES 32U /* SHA-256 of the 32 bytes: all that is stored */

/* Invariant: `id_len` is 0 when nobody has shown a credential. */
struct principal {
    uint8_t id_len, email_len;
    char id[PRINCIPAL_ID_BYTES];
    char email[PRINCIPAL_EMAIL_BYTES];
    uint32_t roles; /* mask over contract.roles */
};

static inline limen_str principal_id(const struct principal *principal)
{
    return (limen_str){ principal->id, principal->id_len };
}
static inline limen_str principal_email(const struct principal *principal)
{
    return (limen_str){ principal->email, principal->email_len };
}

#endif
