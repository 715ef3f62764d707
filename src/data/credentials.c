/* credentials.c - passwords and tokens.
 *
 * A token is 256 random bits; only its SHA-256 is kept, so that a stolen database opens no session. It needs no salt
 * and no slow hash: nobody can guess 256 bits. A password can be guessed, so it gets argon2id, and memory for it is
 * bounded by the pool's threads. */
#include "data/credentials.h"

#include "core/base64url.h"
#include "core/log.h"
#include "core/sha256.h"
#include "core/str.h"

#include <argon2.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define SALT_BYTES 16U
#define HASH_BYTES 32U

static void random_fill(void *ret, size_t bytes)
{
    if (getrandom(ret, bytes, 0) != (ssize_t)bytes)
        BUG("the kernel gives no random bytes");
}

/* ---- passwords --------------------------------------------------------------------------------------------------- */
bool password_hash(limen_str password, char ret_encoded[HASH_TEXT_BYTES])
{
    uint8_t salt[SALT_BYTES];
    random_fill(salt, sizeof(salt));
    return argon2id_hash_encoded(ARGON_PASSES, ARGON_MEMORY_KIB, ARGON_LANES, password.ptr, password.len, salt,
                                 sizeof(salt), HASH_BYTES, ret_encoded, HASH_TEXT_BYTES)
        == ARGON2_OK;
}

enum hash_outcome password_verify(const char *encoded, limen_str password)
{
    switch (argon2id_verify(encoded, password.ptr, password.len)) {
    case ARGON2_OK:
        return HASH_OK;
    case ARGON2_MEMORY_ALLOCATION_ERROR:
    case ARGON2_THREAD_FAIL:
        return HASH_FAILED;
    default:
        return HASH_WRONG;
    }
}

bool password_hash_is_old(const char *encoded)
{
    char start[64];
    int len = snprintf(start, sizeof(start), "$argon2id$v=%d$m=%u,t=%u,p=%u$", (int)ARGON2_VERSION_NUMBER,
                       ARGON_MEMORY_KIB, ARGON_PASSES, ARGON_LANES);
    return strncmp(encoded, start, (size_t)len) != 0;
}

void password_generate(char ret_password[GENERATED_PASSWORD_BYTES])
{
    static const char alphabet[] = "23456789abcdefghijkmnpqrstuvwxyz";
    _Static_assert(sizeof(alphabet) == 32 + 1, "five bits a character");
    uint8_t random[24];
    random_fill(random, sizeof(random));
    size_t len = 0;
    for (size_t i = 0; i < sizeof(random); i++) {
        if (i > 0 && i % 6 == 0)
            ret_password[len++] = '-';
        ret_password[len++] = alphabet[random[i] & 31];
    }
    ret_password[len] = '\0';
    explicit_bzero(random, sizeof(random));
}

/* ---- tokens ------------------------------------------------------------------------------------------------------ */
void token_make(char ret_text[TOKEN_TEXT_BYTES], uint8_t ret_hash[TOKEN_HASH_BYTES])
{
    uint8_t token[TOKEN_BYTES];
    random_fill(token, sizeof(token));
    base64url_encode(token, sizeof(token), ret_text);
    sha256(str_make((const char *)token, sizeof(token)), ret_hash);
    explicit_bzero(token, sizeof(token));
}

bool token_read(limen_str text, uint8_t ret_hash[TOKEN_HASH_BYTES])
{
    uint8_t token[TOKEN_BYTES];
    bool is_sound = text.len == TOKEN_TEXT_BYTES && base64url_decode(text, token);
    if (is_sound)
        sha256(str_make((const char *)token, sizeof(token)), ret_hash);
    explicit_bzero(token, sizeof(token));
    return is_sound;
}
