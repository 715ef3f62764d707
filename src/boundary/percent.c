/* percent.c - percent-decoding that refuses what it cannot decode. */
#include "boundary/percent.h"

#include "core/str.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool decode(limen_str raw, char *memory, size_t bytes, bool plus_is_space, limen_str *ret_text)
{
    size_t len = 0;
    for (size_t i = 0; i < raw.len; i++) {
        char c = raw.ptr[i];
        if (c == '%') {
            if (raw.len - i < 3)
                return false;
            int high = hex_digit(raw.ptr[i + 1]);
            int low = hex_digit(raw.ptr[i + 2]);
            if (high < 0 || low < 0)
                return false;
            c = (char)(high * 16 + low);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        if (c == '\0' || len == bytes)
            return false;
        memory[len++] = c;
    }
    *ret_text = str_make(memory, len);
    return str_is_utf8(*ret_text);
}

bool percent_decode(limen_str raw, char *memory, size_t bytes, limen_str *ret_text)
{
    return decode(raw, memory, bytes, /* plus_is_space= */ false, ret_text);
}

bool percent_decode_form(limen_str raw, char *memory, size_t bytes, limen_str *ret_text)
{
    return decode(raw, memory, bytes, /* plus_is_space= */ true, ret_text);
}
