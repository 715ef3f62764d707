/* credentials.c - passwords and tokens.
 *
 * A token is 256 random bits; only its SHA-256 is kept, so that a stolen database opens no session. It needs no salt
 * and no slow hash: nobody can guess 256 bits. A password can be guessed, so it gets argon2id, and memory for it is
 * bounded by the pool's threads. */
#include "data/credentials.h"

#include "core/log.h"

#include <argon2.h>
#include <openssl/sha.h>
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

bool password_is_right(const char *encoded, limen_str password)
{
    return argon2id_verify(encoded, password.ptr, password.len) == ARGON2_OK;
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
static const char base64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void token_make(char ret_text[TOKEN_TEXT_BYTES], uint8_t ret_hash[TOKEN_HASH_BYTES])
{
    uint8_t token[TOKEN_BYTES];
    random_fill(token, sizeof(token));
    for (size_t i = 0; i < TOKEN_TEXT_BYTES; i++) {
        size_t bit = i * 6, byte = bit / 8;
        unsigned two = (unsigned)token[byte] << 8 | (byte + 1 < TOKEN_BYTES ? token[byte + 1] : 0U);
        ret_text[i] = base64url[two >> (10 - bit % 8) & 63];
    }
    SHA256(token, sizeof(token), ret_hash);
    explicit_bzero(token, sizeof(token));
}

/* The six bits of a character, or -1. */
static int base64url_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

bool token_read(limen_str text, uint8_t ret_hash[TOKEN_HASH_BYTES])
{
    if (text.len != TOKEN_TEXT_BYTES)
        return false;
    uint8_t token[TOKEN_BYTES];
    uint32_t bits = 0;
    size_t bit_count = 0, len = 0;
    for (size_t i = 0; i < text.len; i++) {
        int value = base64url_value(text.ptr[i]);
        if (value < 0)
            return false;
        bits = (bits << 6 | (uint32_t)value) & 0xffff;
        bit_count += 6;
        if (bit_count >= 8) {
            bit_count -= 8;
            token[len++] = (uint8_t)(bits >> bit_count);
        }
    }
    /* 258 bits were written for 256: the last two must be zero, or one token would have four texts. */
    bool is_sound = len == TOKEN_BYTES && (bits & 3) == 0;
    if (is_sound)
        SHA256(token, sizeof(token), ret_hash);
    explicit_bzero(token, sizeof(token));
    return is_sound;
}
