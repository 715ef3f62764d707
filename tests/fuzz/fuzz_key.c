/* fuzz_key.c - the Idempotency-Key field: a key is 1 to 255 printable characters, and quoting it again gives the same key. */
#include "boundary/idempotency.h"
#include "core/str.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static enum key_outcome read_key(limen_str value, char *memory, limen_str *ret_key)
{
    struct http_request request = { .field_count = 1 };
    request.fields[0] = (struct http_field){ .name = LIMEN_STR("Idempotency-Key"),
                                             .value = value,
                                             .id = HEADER_IDEMPOTENCY_KEY };
    request.first[HEADER_IDEMPOTENCY_KEY] = 1;
    return idempotency_key(&request, memory, ret_key);
}

static limen_str quote(limen_str key, char *memory)
{
    size_t len = 0;
    memory[len++] = '"';
    for (size_t i = 0; i < key.len; i++) {
        if (key.ptr[i] == '"' || key.ptr[i] == '\\')
            memory[len++] = '\\';
        memory[len++] = key.ptr[i];
    }
    memory[len++] = '"';
    return str_make(memory, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char memory[LIMIT_IDEMPOTENCY_KEY_BYTES], again_memory[LIMIT_IDEMPOTENCY_KEY_BYTES];
    char quoted[2 * LIMIT_IDEMPOTENCY_KEY_BYTES + 2];
    limen_str key, again;
    if (read_key(str_make((const char *)data, size), memory, &key) != KEY_OK)
        return 0;
    must(key.len >= 1 && key.len <= LIMIT_IDEMPOTENCY_KEY_BYTES);
    for (size_t i = 0; i < key.len; i++)
        must(key.ptr[i] >= ' ' && key.ptr[i] < 0x7f);
    must(read_key(quote(key, quoted), again_memory, &again) == KEY_OK && str_equal(key, again));
    return 0;
}
