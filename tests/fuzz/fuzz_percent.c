/* fuzz_percent.c - percent-decoding: what it lets through is UTF-8 without NUL, and encoding it again decodes to the same. */
#include "boundary/percent.h"
#include "core/str.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void check(limen_str text, bool is_form)
{
    static const char digits[] = "0123456789abcdef";
    must(str_is_utf8(text) && memchr(text.ptr, 0, text.len) == NULL);
    char *encoded = malloc(3 * text.len + 1), *decoded = malloc(text.len + 1);
    must(encoded != NULL && decoded != NULL);
    for (size_t i = 0; i < text.len; i++) {
        encoded[3 * i] = '%';
        encoded[3 * i + 1] = digits[(uint8_t)text.ptr[i] >> 4];
        encoded[3 * i + 2] = digits[(uint8_t)text.ptr[i] & 15];
    }
    limen_str again, raw = str_make(encoded, 3 * text.len);
    must(is_form ? percent_decode_form(raw, decoded, text.len, &again)
                 : percent_decode(raw, decoded, text.len, &again));
    must(str_equal(text, again));
    free(encoded);
    free(decoded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    limen_str raw = str_make((const char *)data, size), text;
    char *memory = malloc(size + 1);
    must(memory != NULL);
    if (percent_decode(raw, memory, size, &text))
        check(text, /* is_form= */ false);
    if (percent_decode_form(raw, memory, size, &text))
        check(text, /* is_form= */ true);
    if (size > 0 && percent_decode(raw, memory, size / 2, &text))
        must(text.len <= size / 2);
    free(memory);
    return 0;
}
