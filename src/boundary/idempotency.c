/* idempotency.c - keys and fingerprints. Whether a key was used before is known to the database alone.
 *
 * EVP of OpenSSL 3.0 allocates a context for every digest, and a request allocates nothing: so the older calls, which don't. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "boundary/idempotency.h"

#include "core/log.h"
#include "core/str.h"

#include <openssl/sha.h>

static bool is_printable(limen_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < 0x21 || text.ptr[i] > 0x7e)
            return false;
    }
    return true;
}

/* The content of a quoted string whose quotes are at both ends; only \" and \\ are escapes. */
static bool unquote(limen_str quoted, char *memory, limen_str *ret_text)
{
    size_t len = 0;
    for (size_t i = 1; i + 1 < quoted.len; i++) {
        char c = quoted.ptr[i];
        if (c == '"')
            return false;
        if (c == '\\') {
            i++;
            if (i + 1 >= quoted.len || (quoted.ptr[i] != '"' && quoted.ptr[i] != '\\'))
                return false;
            c = quoted.ptr[i];
        }
        if (c < 0x20 || c > 0x7e || len == LIMIT_IDEMPOTENCY_KEY_BYTES)
            return false;
        memory[len++] = c;
    }
    *ret_text = str_make(memory, len);
    return true;
}

enum key_outcome idempotency_key(const struct http_request *request, char memory[LIMIT_IDEMPOTENCY_KEY_BYTES],
                                 limen_str *ret_key)
{
    uint32_t first = request->first[HEADER_IDEMPOTENCY_KEY];
    if (first == 0)
        return KEY_MISSING;
    for (uint32_t i = first; i < request->field_count; i++) {
        if (request->fields[i].id == HEADER_IDEMPOTENCY_KEY)
            return KEY_MALFORMED;
    }
    limen_str value = request->fields[first - 1].value;
    if (value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"') {
        if (!unquote(value, memory, &value))
            return KEY_MALFORMED;
    } else if (!is_printable(value) || str_find_char(value, '"', 0) != SIZE_MAX) {
        return KEY_MALFORMED;
    }
    if (value.len == 0 || value.len > LIMIT_IDEMPOTENCY_KEY_BYTES)
        return KEY_MALFORMED;
    *ret_key = value;
    return KEY_OK;
}

static bool add_part(SHA256_CTX *hash, limen_str part)
{
    uint64_t len = part.len;
    return SHA256_Update(hash, &len, sizeof(len)) == 1 && SHA256_Update(hash, part.ptr, part.len) == 1;
}

void fingerprint_take(const struct http_request *request, limen_str body, uint8_t ret_fingerprint[32])
{
    SHA256_CTX hash;
    bool ok = SHA256_Init(&hash) == 1 && add_part(&hash, request->method_text) && add_part(&hash, request->path)
        && add_part(&hash, request->query) && add_part(&hash, body) && SHA256_Final(ret_fingerprint, &hash) == 1;
    if (!ok)
        BUG("SHA-256 failed");
}
