/* api_key.c - making and reading `lmk_ID_SECRET`. */
#include "data/api_key.h"

#include "core/log.h"
#include "core/str.h"
#include "data/credentials.h"

#include <sys/random.h>

static const char prefix[] = "lmk_";
static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567"; /* 32: five bits a character */

void api_key_make(char ret_text[API_KEY_TEXT_BYTES], uint8_t ret_hash[TOKEN_HASH_BYTES])
{
    uint8_t random[API_KEY_ID_BYTES];
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        BUG("the kernel gives no random bytes");
    memcpy(ret_text, prefix, sizeof(prefix) - 1);
    char *id = ret_text + sizeof(prefix) - 1;
    for (size_t i = 0; i < API_KEY_ID_BYTES; i++)
        id[i] = alphabet[random[i] & 31];
    id[API_KEY_ID_BYTES] = '_';
    token_make(id + API_KEY_ID_BYTES + 1, ret_hash);
}

bool api_key_read(limen_str text, limen_str *ret_id, uint8_t ret_hash[TOKEN_HASH_BYTES])
{
    const size_t id_at = sizeof(prefix) - 1, secret_at = id_at + API_KEY_ID_BYTES + 1;
    if (text.len != API_KEY_TEXT_BYTES || !str_starts(text, str_of(prefix)) || text.ptr[secret_at - 1] != '_')
        return false;
    *ret_id = str_slice(text, id_at, secret_at - 1);
    for (size_t i = 0; i < ret_id->len; i++) {
        if (str_find_char(str_of(alphabet), ret_id->ptr[i], 0) == SIZE_MAX)
            return false;
    }
    return token_read(str_slice(text, secret_at, text.len), ret_hash);
}
