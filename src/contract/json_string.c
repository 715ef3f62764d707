/* json_string.c - the strings of JSON that are more than plain ASCII: escapes, and UTF-8 that has to be checked.
 *
 * A string is checked to its end first. Only if it held an escape is it decoded, into the arena. */
#include "contract/json_internal.h"

#include "core/arena.h"
#include "core/str.h"

/* The four hexadecimal digits at `at`, or -1. */
static int32_t hex4(const uint8_t *at, const uint8_t *end)
{
    if (end - at < 4)
        return -1;
    int32_t value = 0;
    for (int i = 0; i < 4; i++) {
        const uint8_t c = at[i], lower = c | 0x20;
        if (c >= '0' && c <= '9')
            value = value << 4 | (c - '0');
        else if (lower >= 'a' && lower <= 'f')
            value = value << 4 | (lower - 'a' + 10);
        else
            return -1;
    }
    return value;
}

static bool is_high_surrogate(int32_t unit)
{
    return unit >= 0xD800 && unit <= 0xDBFF;
}
static bool is_low_surrogate(int32_t unit)
{
    return unit >= 0xDC00 && unit <= 0xDFFF;
}

/* Length of the escape at `at`, which is a backslash and not the last byte; 0 when it is wrong, and `ret_what` then says how. */
static size_t check_escape(const uint8_t *at, const uint8_t *end, const char **ret_what)
{
    *ret_what = "an escape in a string is not one of JSON's";
    if (at[1] != 'u')
        return at[1] != 0 && strchr("\"\\/bfnrt", at[1]) != NULL ? 2 : 0;
    const int32_t unit = hex4(at + 2, end);
    *ret_what = "\\u is not followed by four hexadecimal digits";
    if (unit < 0)
        return 0;
    if (!is_high_surrogate(unit) && !is_low_surrogate(unit))
        return 6;
    *ret_what = "an escape names half of a surrogate pair";
    const bool is_pair = is_high_surrogate(unit) && end - at >= 12 && at[6] == '\\' && at[7] == 'u'
        && is_low_surrogate(hex4(at + 8, end));
    return is_pair ? 12 : 0;
}

static char *put_utf8(char *out, uint32_t point)
{
    if (point < 0x80) {
        *out++ = (char)point;
    } else if (point < 0x800) {
        *out++ = (char)(0xC0 | point >> 6);
        *out++ = (char)(0x80 | (point & 0x3F));
    } else if (point < 0x10000) {
        *out++ = (char)(0xE0 | point >> 12);
        *out++ = (char)(0x80 | (point >> 6 & 0x3F));
        *out++ = (char)(0x80 | (point & 0x3F));
    } else {
        *out++ = (char)(0xF0 | point >> 18);
        *out++ = (char)(0x80 | (point >> 12 & 0x3F));
        *out++ = (char)(0x80 | (point >> 6 & 0x3F));
        *out++ = (char)(0x80 | (point & 0x3F));
    }
    return out;
}

/* Decodes one escape that check_escape has passed; moves `*at` behind it. */
static char *decode_escape(char *out, const uint8_t **at, const uint8_t *end)
{
    const uint8_t *escape = *at;
    *at += 2;
    switch (escape[1]) {
    case 'b':
        *out = '\b';
        return out + 1;
    case 'f':
        *out = '\f';
        return out + 1;
    case 'n':
        *out = '\n';
        return out + 1;
    case 'r':
        *out = '\r';
        return out + 1;
    case 't':
        *out = '\t';
        return out + 1;
    case 'u':
        break;
    default:
        *out = (char)escape[1];
        return out + 1;
    }
    const int32_t unit = hex4(escape + 2, end);
    *at += 4;
    if (!is_high_surrogate(unit))
        return put_utf8(out, (uint32_t)unit);
    const int32_t low = hex4(escape + 8, end);
    *at += 6;
    return put_utf8(out, 0x10000 + (((uint32_t)unit - 0xD800) << 10) + ((uint32_t)low - 0xDC00));
}

/* The decoded form of a checked string into `text`, where there is room for `end - at` bytes: an escape is never shorter than what it
 * stands for. Returns its length. */
static size_t decode_string(const uint8_t *at, const uint8_t *end, char *text)
{
    char *out = text;
    while (at < end) {
        const uint8_t *escape = memchr(at, '\\', (size_t)(end - at));
        const size_t plain = (size_t)((escape != NULL ? escape : end) - at);
        memcpy(out, at, plain);
        out += plain;
        at += plain;
        if (escape != NULL)
            out = decode_escape(out, &at, end);
    }
    return (size_t)(out - text);
}

/* Steps over everything up to the closing quote. False: `ret_behind` is where it went wrong. */
static enum json_outcome check_string(const uint8_t *at, const uint8_t *end, bool *ret_has_escape,
                                      const uint8_t **ret_behind, const char **ret_what)
{
    *ret_has_escape = false;
    for (;;) {
        size_t length = 0;
        const bool is_open = at == end || (*at == '\\' && end - at == 1);
        *ret_behind = is_open ? end : at;
        *ret_what = "a string is not closed";
        if (is_open)
            return JSON_MALFORMED;
        if (*at == '"')
            return JSON_OK;
        if (*at < 0x20) {
            *ret_what = "a control character in a string is not escaped";
            return JSON_MALFORMED;
        }
        if (*at == '\\') {
            *ret_has_escape = true;
            length = check_escape(at, end, ret_what);
            if (length == 0)
                return JSON_MALFORMED;
        } else {
            length = str_utf8_step(str_make((const char *)at, (size_t)(end - at)));
            *ret_what = "a string is not UTF-8";
            if (length == 0)
                return JSON_BAD_UTF8;
        }
        at += length;
        if (at < end && json_is_plain(*at))
            at = json_skip_plain(at, at, end);
    }
}

enum json_outcome json_string_read(const uint8_t *from, const uint8_t *special, const uint8_t *end, struct arena *arena,
                                   struct json_value *value, const uint8_t **ret_behind, const char **ret_what)
{
    bool has_escape;
    const uint8_t *quote;
    const enum json_outcome outcome = check_string(special, end, &has_escape, &quote, ret_what);
    *ret_behind = quote;
    if (outcome != JSON_OK)
        return outcome;
    value->as.text = (const char *)from;
    value->length = (uint32_t)(quote - from);
    if (has_escape) {
        char *text = arena_alloc(arena, value->length);
        *ret_what = "out of memory";
        if (text == NULL)
            return JSON_NO_MEMORY;
        value->length = (uint32_t)decode_string(from, quote, text);
        value->as.text = text;
    }
    *ret_behind = quote + 1;
    return JSON_OK;
}
