/* format.c - the table of formats, and those that are short: times, addresses, names.
 *
 * Each is the grammar of its RFC and nothing looser; a format bounds what a string can hold, so that handlers need not look again. */
#include "contract/format.h"

#include "contract/pattern.h"
#include "contract/schema.h"
#include "core/clock.h"
#include "core/str.h"

#include <float.h>
#include <string.h>

/* ---- digits ---------------------------------------------------------------------------------------------------- */
static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}
static bool is_alnum(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Exactly `count` digits at `at` of the text, as a number; -1 when there are fewer. */
static int digits_at(limen_str text, size_t at, size_t count)
{
    if (text.len < at + count)
        return -1;
    int value = 0;
    for (size_t i = at; i < at + count; i++) {
        if (!is_digit(text.ptr[i]))
            return -1;
        value = value * 10 + (text.ptr[i] - '0');
    }
    return value;
}

static bool char_is(limen_str text, size_t at, char c)
{
    return at < text.len && text.ptr[at] == c;
}

/* ---- RFC 3339 -------------------------------------------------------------------------------------------------- */
bool format_is_date(limen_str text)
{
    static const uint8_t lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    const int year = digits_at(text, 0, 4), month = digits_at(text, 5, 2), day = digits_at(text, 8, 2);
    if (text.len != 10 || !char_is(text, 4, '-') || !char_is(text, 7, '-'))
        return false;
    if (year < 0 || month < 1 || month > 12 || day < 1)
        return false;
    const bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return day <= lengths[month - 1] + (month == 2 && is_leap ? 1 : 0);
}

bool format_is_time(limen_str text)
{
    const int hour = digits_at(text, 0, 2), minute = digits_at(text, 3, 2), second = digits_at(text, 6, 2);
    if (!char_is(text, 2, ':') || !char_is(text, 5, ':'))
        return false;
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60)
        return false;
    size_t at = 8;
    if (char_is(text, at, '.')) {
        const size_t from = ++at;
        while (at < text.len && is_digit(text.ptr[at]))
            at++;
        if (at == from)
            return false;
    }
    int offset = 0;
    if (char_is(text, at, 'Z') || char_is(text, at, 'z')) {
        at++;
    } else if (char_is(text, at, '+') || char_is(text, at, '-')) {
        const int hours = digits_at(text, at + 1, 2), minutes = digits_at(text, at + 4, 2);
        if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59 || !char_is(text, at + 3, ':'))
            return false;
        offset = (hours * 60 + minutes) * (text.ptr[at] == '+' ? 1 : -1);
        at += 6;
    } else {
        return false;
    }
    /* A leap second is the last of a day in UTC. */
    const int utc = ((hour * 60 + minute - offset) % 1440 + 1440) % 1440;
    return at == text.len && (second < 60 || utc == 1439);
}

/* What passes here is bound as a time, so it is a time that the clock can read: a leap second stands where UTC could have one, and
 * in UTC the year has four digits. */
bool format_is_date_time(limen_str text)
{
    limen_time ignored;
    return clock_parse_rfc3339(text, &ignored);
}

/* Takes "<digits><unit>" for each of `units`, in their order and without gaps once begun. False when nothing was taken. */
static bool take_durations(limen_str text, size_t *at, const char *units)
{
    const char *next = units;
    bool has_any = false;
    while (*at < text.len && is_digit(text.ptr[*at])) {
        while (*at < text.len && is_digit(text.ptr[*at]))
            (*at)++;
        const char *unit = *at < text.len && text.ptr[*at] != '\0' ? strchr(next, text.ptr[*at]) : NULL;
        if (unit == NULL || (has_any && unit != next))
            return false;
        next = unit + 1;
        has_any = true;
        (*at)++;
    }
    return has_any;
}

/* RFC 3339 appendix A. */
bool format_is_duration(limen_str text)
{
    size_t at = 1;
    if (text.len < 3 || text.ptr[0] != 'P')
        return false;
    if (text.ptr[text.len - 1] == 'W')
        return take_durations(text, &at, "W") && at == text.len;
    if (text.ptr[at] != 'T' && !take_durations(text, &at, "YMD"))
        return false;
    if (at == text.len)
        return true;
    at++;
    return text.ptr[at - 1] == 'T' && take_durations(text, &at, "HMS") && at == text.len;
}

/* ---- addresses ------------------------------------------------------------------------------------------------- */
/* RFC 4122, in either case. */
bool format_is_uuid(limen_str text)
{
    if (text.len != 36)
        return false;
    for (size_t i = 0; i < 36; i++) {
        const bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (is_dash ? text.ptr[i] != '-' : !is_hex(text.ptr[i]))
            return false;
    }
    return true;
}

/* Dotted quad without leading zeros (RFC 2673 3.2, RFC 3986 dec-octet). */
bool format_is_ipv4(limen_str text)
{
    size_t at = 0;
    for (int octet = 0; octet < 4; octet++) {
        if (octet > 0 && !char_is(text, at++, '.'))
            return false;
        const size_t from = at;
        int value = 0;
        while (at < text.len && is_digit(text.ptr[at]) && at - from < 3)
            value = value * 10 + (text.ptr[at++] - '0');
        if (at == from || value > 255 || (text.ptr[from] == '0' && at - from > 1))
            return false;
    }
    return at == text.len;
}

/* RFC 4291 2.2: eight groups, of which one run may be "::" and the last two an IPv4 address. No zone. */
bool format_is_ipv6(limen_str text)
{
    size_t at = 0;
    int groups = 0;
    bool has_gap = false;
    if (text.len >= 2 && text.ptr[0] == ':') {
        if (text.ptr[1] != ':')
            return false;
        has_gap = true;
        at = 2;
    }
    while (at < text.len) {
        const size_t from = at;
        while (at < text.len && is_hex(text.ptr[at]) && at - from < 5)
            at++;
        if (char_is(text, at, '.')) {
            groups += 2;
            if (!format_is_ipv4(str_make(text.ptr + from, text.len - from)))
                return false;
            break;
        }
        if (at == from || at - from > 4)
            return false;
        groups++;
        if (at == text.len)
            break;
        if (text.ptr[at++] != ':' || at == text.len)
            return false;
        if (text.ptr[at] == ':') {
            if (has_gap)
                return false;
            has_gap = true;
            at++;
        }
    }
    return has_gap ? groups <= 7 : groups == 8;
}

static bool is_label(limen_str label)
{
    if (label.len == 0 || label.len > 63 || label.ptr[0] == '-' || label.ptr[label.len - 1] == '-')
        return false;
    for (size_t i = 0; i < label.len; i++) {
        if (!is_alnum(label.ptr[i]) && label.ptr[i] != '-')
            return false;
    }
    return !str_equal_nocase(str_slice(label, 0, 4), LIMEN_STR("xn--")) || format_is_a_label(label);
}

/* RFC 1123: letters, digits and inner hyphens, labels of 1 to 63, at most 253 in all; what stands behind xn-- must be a name too. */
bool format_is_hostname(limen_str text)
{
    if (text.len > 253)
        return false;
    for (limen_str rest = text;;) {
        const bool is_last = str_find_char(rest, '.', 0) == SIZE_MAX;
        if (!is_label(str_cut(&rest, '.')))
            return false;
        if (is_last)
            return true;
    }
}

/* Of text that is UTF-8: what may stand unquoted in a local part. RFC 6531 adds all letters of other scripts. */
static bool is_atext(char c, bool is_international)
{
    return is_alnum(c) || (is_international && (uint8_t)c >= 0x80)
        || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static bool is_dot_string(limen_str local, bool is_international)
{
    for (size_t i = 0; i < local.len; i++) {
        const char c = local.ptr[i];
        const bool is_inner = i > 0 && i + 1 < local.len && local.ptr[i - 1] != '.';
        if (c == '.' ? !is_inner : !is_atext(c, is_international))
            return false;
    }
    return true;
}

/* RFC 5321 4.1.2 Local-part: a dot-string, or a quoted string. */
static bool is_local_part(limen_str local, bool is_international)
{
    if (local.len == 0 || local.len > 64)
        return false;
    if (local.ptr[0] != '"')
        return is_dot_string(local, is_international);
    for (size_t i = 1; i < local.len; i++) {
        if (local.ptr[i] == '"')
            return i + 1 == local.len;
        if (local.ptr[i] == '\\')
            i++;
        const bool is_printable = i < local.len && local.ptr[i] >= 0x20 && local.ptr[i] <= 0x7E;
        if (!is_printable && !(is_international && i < local.len && (uint8_t)local.ptr[i] >= 0x80))
            return false;
    }
    return false;
}

static bool is_address_literal(limen_str domain)
{
    const limen_str inner = str_slice(domain, 1, domain.len - 1);
    if (inner.len > 5 && str_equal_nocase(str_slice(inner, 0, 5), LIMEN_STR("IPv6:")))
        return format_is_ipv6(str_slice(inner, 5, inner.len));
    return format_is_ipv4(inner);
}

/* RFC 5321 Mailbox, at most 254 bytes (4.5.3.1.3 and its angle brackets); RFC 6531 when it is international. */
static bool is_mailbox(limen_str text, bool is_international)
{
    size_t at = text.len;
    if (text.len > 254 || !str_is_utf8(text))
        return false;
    while (at > 0 && text.ptr[at - 1] != '@')
        at--;
    if (at == 0)
        return false;
    const limen_str domain = str_slice(text, at, text.len);
    if (!is_local_part(str_slice(text, 0, at - 1), is_international))
        return false;
    if (domain.len > 2 && domain.ptr[0] == '[' && domain.ptr[domain.len - 1] == ']')
        return is_address_literal(domain);
    return is_international ? format_is_idn_domain(domain) : format_is_hostname(domain);
}

bool format_is_email(limen_str text)
{
    return is_mailbox(text, /* is_international= */ false);
}

bool format_is_idn_email(limen_str text)
{
    return is_mailbox(text, /* is_international= */ true);
}

/* Of ECMA-262, as `pattern` has it. */
static bool is_regex(limen_str text)
{
    return pattern_fault(text) == NULL;
}

/* ---- the table ------------------------------------------------------------------------------------------------- */
#define TEXT_FORMAT(text, function, words)                                                                    \
    {                                                                                                         \
        .name = LIMEN_STR_INIT(text), .noun = LIMEN_STR_INIT(words), .kind = FORMAT_TEXT, .check = (function) \
    }

#define NAME_FORMAT(text, function, words)                                                                     \
    {                                                                                                          \
        .name = LIMEN_STR_INIT(text), .noun = LIMEN_STR_INIT(words), .kind = FORMAT_TEXT, .check = (function), \
        .holds_host_name = true                                                                                \
    }

static const struct format formats[] = {
    TEXT_FORMAT("date-time", format_is_date_time, "a date and time of RFC 3339, such as 2026-01-31T09:30:00Z"),
    TEXT_FORMAT("date", format_is_date, "a date, such as 2026-01-31"),
    TEXT_FORMAT("time", format_is_time, "a time with its offset, such as 09:30:00Z"),
    TEXT_FORMAT("duration", format_is_duration, "a duration, such as P1DT2H"),
    NAME_FORMAT("email", format_is_email, "an email address"),
    TEXT_FORMAT("uuid", format_is_uuid, "a UUID"),
    TEXT_FORMAT("uri", format_is_uri, "a URI with its scheme"),
    TEXT_FORMAT("uri-reference", format_is_uri_reference, "a URI reference"),
    TEXT_FORMAT("iri", format_is_iri, "an IRI with its scheme"),
    TEXT_FORMAT("iri-reference", format_is_iri_reference, "an IRI reference"),
    TEXT_FORMAT("uri-template", format_is_uri_template, "a URI template"),
    TEXT_FORMAT("json-pointer", format_is_json_pointer, "a JSON Pointer"),
    TEXT_FORMAT("relative-json-pointer", format_is_relative_json_pointer, "a relative JSON Pointer"),
    NAME_FORMAT("idn-email", format_is_idn_email, "an email address"),
    NAME_FORMAT("idn-hostname", format_is_idn_hostname, "a host name"),
    TEXT_FORMAT("regex", is_regex, "a regular expression"),
    NAME_FORMAT("hostname", format_is_hostname, "a host name"),
    TEXT_FORMAT("ipv4", format_is_ipv4, "an IPv4 address"),
    TEXT_FORMAT("ipv6", format_is_ipv6, "an IPv6 address"),
    { .name = LIMEN_STR_INIT("int32"),
      .noun = LIMEN_STR_INIT("an integer of 32 bits"),
      .kind = FORMAT_INTEGER,
      .least = INT32_MIN,
      .most = INT32_MAX },
    { .name = LIMEN_STR_INIT("int64"),
      .noun = LIMEN_STR_INIT("an integer of 64 bits"),
      .kind = FORMAT_INTEGER,
      .least = INT64_MIN,
      .most = INT64_MAX },
    { .name = LIMEN_STR_INIT("float"),
      .noun = LIMEN_STR_INIT("a number of single precision"),
      .kind = FORMAT_FLOAT,
      .magnitude = (double)FLT_MAX },
    { .name = LIMEN_STR_INIT("double"),
      .noun = LIMEN_STR_INIT("a number of double precision"),
      .kind = FORMAT_FLOAT,
      .magnitude = DBL_MAX },
    { .name = LIMEN_STR_INIT("password"), .kind = FORMAT_ANNOTATION },
};

const struct format *format_find(limen_str name)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (str_equal(formats[i].name, name))
            return &formats[i];
    }
    return NULL;
}

bool schema_knows_format(limen_str format)
{
    return format_find(format) != NULL;
}

bool schema_check_format(limen_str format, limen_str text)
{
    const struct format *found = format_find(format);
    return found != NULL && (found->kind != FORMAT_TEXT || found->check(text));
}
