/* format_uri.c - URIs and what is built like them: RFC 3986, 3987, 6570 and 6901.
 *
 * A URI is cut at its first ':', '?' and '#' and each part is checked against the bytes that it may hold; an IRI may hold
 * the letters of other scripts too. */
#include "contract/format.h"

#include "core/str.h"

#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}
static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
static bool is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}
static bool is_unreserved(char c)
{
    return is_alpha(c) || is_digit(c) || is_one_of(c, "-._~");
}

/* The code point at `at`, which moves behind it; 0xFFFFFFFF when there is none. */
static uint32_t take_point(limen_str text, size_t *at)
{
    const limen_str rest = str_slice(text, *at, text.len);
    const size_t length = str_utf8_step(rest);
    if (length == 0)
        return UINT32_MAX;
    *at += length;
    return str_code_point(rest);
}

/* ucschar of RFC 3987; `with_private` admits iprivate, which stands in queries only. */
static bool is_iri_point(uint32_t point, bool with_private)
{
    const bool is_private = (point >= 0xE000 && point <= 0xF8FF) || (point >= 0xF0000 && point <= 0xFFFFD)
        || (point >= 0x100000 && point <= 0x10FFFD);
    if (is_private)
        return with_private;
    if (point < 0x10000)
        return (point >= 0xA0 && point <= 0xD7FF) || (point >= 0xF900 && point <= 0xFDCF)
            || (point >= 0xFDF0 && point <= 0xFFEF);
    return point <= 0xEFFFD && (point & 0xFFFF) <= 0xFFFD && (point < 0xE0000 || point >= 0xE1000);
}

enum letters { ASCII_ONLY, ALL_LETTERS, ALL_AND_PRIVATE };

/* True when all is unreserved, sub-delims, one of `others`, or percent-encoded. */
static bool is_made_of(limen_str text, const char *others, enum letters letters)
{
    for (size_t i = 0; i < text.len;) {
        const char c = text.ptr[i];
        if (c == '%') {
            if (text.len - i < 3 || !is_hex(text.ptr[i + 1]) || !is_hex(text.ptr[i + 2]))
                return false;
            i += 3;
        } else if ((uint8_t)c >= 0x80) {
            if (letters == ASCII_ONLY || !is_iri_point(take_point(text, &i), letters == ALL_AND_PRIVATE))
                return false;
        } else if (is_unreserved(c) || is_one_of(c, "!$&'()*+,;=") || is_one_of(c, others)) {
            i++;
        } else {
            return false;
        }
    }
    return true;
}

static bool is_scheme(limen_str text)
{
    if (text.len == 0 || !is_alpha(text.ptr[0]))
        return false;
    for (size_t i = 1; i < text.len; i++) {
        if (!is_alpha(text.ptr[i]) && !is_digit(text.ptr[i]) && !is_one_of(text.ptr[i], "+-."))
            return false;
    }
    return true;
}

/* IPvFuture of RFC 3986: "v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" ). */
static bool is_ip_future(limen_str text)
{
    size_t at = 1;
    if (text.len < 4 || (text.ptr[0] | 0x20) != 'v')
        return false;
    while (at < text.len && is_hex(text.ptr[at]))
        at++;
    if (at == 1 || at + 1 >= text.len || text.ptr[at] != '.')
        return false;
    const limen_str rest = str_slice(text, at + 1, text.len);
    return memchr(rest.ptr, '%', rest.len) == NULL && is_made_of(rest, ":", ASCII_ONLY);
}

/* [ userinfo "@" ] host [ ":" port ] */
static bool is_authority(limen_str text, enum letters letters)
{
    const size_t sign = str_find_char(text, '@', 0);
    if (sign != SIZE_MAX) {
        if (!is_made_of(str_slice(text, 0, sign), ":", letters))
            return false;
        text = str_slice(text, sign + 1, text.len);
    }
    size_t host_end = 0;
    if (text.len > 0 && text.ptr[0] == '[') {
        host_end = str_find_char(text, ']', 0);
        if (host_end == SIZE_MAX)
            return false;
        const limen_str literal = str_slice(text, 1, host_end++);
        if (!format_is_ipv6(literal) && !is_ip_future(literal))
            return false;
    } else {
        host_end = str_find_char(text, ':', 0);
        if (host_end == SIZE_MAX)
            host_end = text.len;
        if (!is_made_of(str_slice(text, 0, host_end), "", letters))
            return false;
    }
    if (host_end == text.len)
        return true;
    if (text.ptr[host_end] != ':')
        return false;
    for (size_t i = host_end + 1; i < text.len; i++) {
        if (!is_digit(text.ptr[i]))
            return false;
    }
    return true;
}

static size_t find_or_end(limen_str text, char c)
{
    const size_t at = str_find_char(text, c, 0);
    return at == SIZE_MAX ? text.len : at;
}

static bool is_reference(limen_str text, bool needs_scheme, bool is_international)
{
    const enum letters letters = is_international ? ALL_LETTERS : ASCII_ONLY;
    const size_t hash = find_or_end(text, '#');
    if (hash < text.len && !is_made_of(str_slice(text, hash + 1, text.len), ":@/?", letters))
        return false;
    text = str_slice(text, 0, hash);
    const size_t mark = find_or_end(text, '?');
    if (mark < text.len
        && !is_made_of(str_slice(text, mark + 1, text.len), ":@/?", is_international ? ALL_AND_PRIVATE : ASCII_ONLY))
        return false;
    text = str_slice(text, 0, mark);

    const size_t colon = find_or_end(text, ':'), slash = find_or_end(text, '/');
    const bool has_scheme = colon < slash; /* a relative path has no colon in its first segment */
    if (has_scheme) {
        if (!is_scheme(str_slice(text, 0, colon)))
            return false;
        text = str_slice(text, colon + 1, text.len);
    } else if (needs_scheme) {
        return false;
    }
    if (str_starts(text, LIMEN_STR("//"))) {
        text = str_slice(text, 2, text.len);
        const size_t path = find_or_end(text, '/');
        if (!is_authority(str_slice(text, 0, path), letters))
            return false;
        text = str_slice(text, path, text.len);
    }
    return is_made_of(text, ":@/", letters);
}

bool format_is_uri(limen_str text)
{
    return is_reference(text, true, false);
}
bool format_is_uri_reference(limen_str text)
{
    return is_reference(text, false, false);
}
bool format_is_iri(limen_str text)
{
    return is_reference(text, true, true);
}
bool format_is_iri_reference(limen_str text)
{
    return is_reference(text, false, true);
}

/* ---- RFC 6570 -------------------------------------------------------------------------------------------------- */
/* varspec: a name of varchars and single inner dots, then ":" 1 to 9999, or "*". */
static bool is_varspec(limen_str text)
{
    size_t at = 0;
    bool may_end = false;
    for (; at < text.len; at++) {
        const char c = text.ptr[at];
        if (c == '%') {
            if (text.len - at < 3 || !is_hex(text.ptr[at + 1]) || !is_hex(text.ptr[at + 2]))
                return false;
            at += 2;
            may_end = true;
        } else if (is_alpha(c) || is_digit(c) || c == '_') {
            may_end = true;
        } else if (c == '.' && may_end) {
            may_end = false;
        } else {
            break;
        }
    }
    if (!may_end)
        return false;
    if (at == text.len || (text.ptr[at] == '*' && at + 1 == text.len))
        return true;
    const limen_str length = str_slice(text, at + 1, text.len);
    int64_t value;
    return text.ptr[at] == ':' && length.len <= 4 && str_to_int64(length, &value) && value > 0;
}

static bool is_expression(limen_str text)
{
    if (text.len > 0 && is_one_of(text.ptr[0], "+#./;?&=,!@|"))
        text = str_slice(text, 1, text.len);
    if (text.len == 0)
        return false;
    for (;;) {
        const size_t comma = find_or_end(text, ',');
        if (!is_varspec(str_slice(text, 0, comma)))
            return false;
        if (comma == text.len)
            return true;
        text = str_slice(text, comma + 1, text.len);
    }
}

bool format_is_uri_template(limen_str text)
{
    for (size_t i = 0; i < text.len;) {
        const char c = text.ptr[i];
        if (c == '{') {
            const size_t end = str_find_char(text, '}', i);
            if (end == SIZE_MAX || !is_expression(str_slice(text, i + 1, end)))
                return false;
            i = end + 1;
        } else if (c == '%') {
            if (text.len - i < 3 || !is_hex(text.ptr[i + 1]) || !is_hex(text.ptr[i + 2]))
                return false;
            i += 3;
        } else if ((uint8_t)c >= 0x80) {
            if (!is_iri_point(take_point(text, &i), true))
                return false;
        } else if (c <= ' ' || c == 0x7F || is_one_of(c, "\"<>\\^`|}")) {
            return false;
        } else {
            i++;
        }
    }
    return true;
}

/* ---- RFC 6901 -------------------------------------------------------------------------------------------------- */
bool format_is_json_pointer(limen_str text)
{
    if (text.len > 0 && text.ptr[0] != '/')
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '~' && (i + 1 == text.len || (text.ptr[i + 1] != '0' && text.ptr[i + 1] != '1')))
            return false;
    }
    return true;
}

bool format_is_relative_json_pointer(limen_str text)
{
    size_t at = 0;
    while (at < text.len && is_digit(text.ptr[at]))
        at++;
    if (at == 0 || (at > 1 && text.ptr[0] == '0'))
        return false;
    const limen_str rest = str_slice(text, at, text.len);
    return str_equal(rest, LIMEN_STR("#")) || format_is_json_pointer(rest);
}
