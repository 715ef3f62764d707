/* str.c - what one does with a limen_str, and the buffer that one writes into.
 *
 * A slice of length 0 may have no memory behind it, so nothing here hands a pointer to the C library before it has looked
 * at the length. */
#include "core/str.h"

#include "core/arena.h"

#include <stdarg.h>
#include <stdio.h>

limen_str str_of(const char *text)
{
    return text == NULL ? LIMEN_STR("") : str_make(text, strlen(text));
}

static unsigned char lower(char c)
{
    unsigned char byte = (unsigned char)c;
    return (unsigned char)(byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte);
}

bool str_equal_nocase(limen_str a, limen_str b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (a.ptr[i] != b.ptr[i] && lower(a.ptr[i]) != lower(b.ptr[i]))
            return false;
    return true;
}

limen_str str_lower(limen_str s, char *memory)
{
    for (size_t i = 0; i < s.len; i++)
        memory[i] = (char)lower(s.ptr[i]);
    return str_make(memory, s.len);
}

int str_compare(limen_str a, limen_str b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter == 0 ? 0 : memcmp(a.ptr, b.ptr, shorter);
    if (order != 0)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

bool str_starts(limen_str s, limen_str prefix)
{
    return prefix.len <= s.len && str_equal(str_make(s.ptr, prefix.len), prefix);
}

bool str_ends(limen_str s, limen_str suffix)
{
    return suffix.len == 0 || (suffix.len <= s.len && str_equal(str_slice(s, s.len - suffix.len, s.len), suffix));
}

size_t str_find_char(limen_str s, char c, size_t from)
{
    if (from >= s.len)
        return SIZE_MAX;
    const char *hit = memchr(s.ptr + from, c, s.len - from);
    return hit == NULL ? SIZE_MAX : (size_t)(hit - s.ptr);
}

size_t str_find(limen_str s, limen_str needle, size_t from)
{
    if (from > s.len || needle.len > s.len - from)
        return SIZE_MAX;
    if (needle.len == 0)
        return from;
    const char *hit = memmem(s.ptr + from, s.len - from, needle.ptr, needle.len);
    return hit == NULL ? SIZE_MAX : (size_t)(hit - s.ptr);
}

limen_str str_slice(limen_str s, size_t from, size_t to)
{
    if (to > s.len)
        to = s.len;
    if (from > to)
        from = to;
    return s.ptr == NULL ? s : str_make(s.ptr + from, to - from);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

limen_str str_trim(limen_str s)
{
    while (s.len > 0 && is_blank(s.ptr[s.len - 1]))
        s.len--;
    while (s.len > 0 && is_blank(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    return s;
}

limen_str str_cut(limen_str *rest, char c)
{
    limen_str all = *rest;
    size_t at = str_find_char(all, c, 0);
    if (at == SIZE_MAX) {
        *rest = str_slice(all, all.len, all.len);
        return all;
    }
    *rest = str_slice(all, at + 1, all.len);
    return str_slice(all, 0, at);
}

bool str_to_int64(limen_str s, int64_t *ret_value)
{
    bool is_negative = s.len > 0 && s.ptr[0] == '-';
    limen_str digits = str_slice(s, is_negative ? 1 : 0, s.len);
    if (digits.len == 0 || digits.len > 19)
        return false;
    if (digits.ptr[0] == '0' && (digits.len > 1 || is_negative))
        return false;
    uint64_t magnitude = 0; /* 19 digits fit */
    for (size_t i = 0; i < digits.len; i++) {
        unsigned digit = (unsigned)(unsigned char)digits.ptr[i] - '0';
        if (digit > 9)
            return false;
        magnitude = magnitude * 10 + digit;
    }
    if (magnitude > (uint64_t)INT64_MAX + (is_negative ? 1 : 0))
        return false;
    *ret_value = is_negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

bool str_to_bytes(limen_str s, size_t *ret_bytes)
{
    static const struct {
        limen_str name;
        int64_t bytes;
    } units[] = {
        { LIMEN_STR_INIT(""), 1 },
        { LIMEN_STR_INIT("KiB"), 1 << 10 },
        { LIMEN_STR_INIT("MiB"), 1 << 20 },
        { LIMEN_STR_INIT("GiB"), 1 << 30 },
    };
    size_t count = 0;
    int64_t number, bytes;
    while (count < s.len && s.ptr[count] >= '0' && s.ptr[count] <= '9')
        count++;
    limen_str unit = str_slice(s, count, s.len);
    if (!str_to_int64(str_slice(s, 0, count), &number) || number < 1)
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (str_equal(unit, units[i].name) && !__builtin_mul_overflow(number, units[i].bytes, &bytes)) {
            *ret_bytes = (size_t)bytes;
            return true;
        }
    }
    return false;
}

/* ---- UTF-8 ----------------------------------------------------------------------------------------------------- */

static bool is_tail(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* RFC 3629 section 4: the second byte of a long sequence keeps overlong forms, surrogates and what is past U+10FFFF out. */
size_t str_utf8_step(limen_str s)
{
    if (s.len == 0)
        return 0;
    unsigned char first = (unsigned char)s.ptr[0];
    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4 || s.len < 2)
        return 0;
    if (first < 0xe0)
        return is_tail(s.ptr[1]) ? 2 : 0;
    unsigned char second = (unsigned char)s.ptr[1];
    if (first < 0xf0) {
        unsigned char least = first == 0xe0 ? 0xa0 : 0x80, most = first == 0xed ? 0x9f : 0xbf;
        return s.len >= 3 && second >= least && second <= most && is_tail(s.ptr[2]) ? 3 : 0;
    }
    unsigned char least = first == 0xf0 ? 0x90 : 0x80, most = first == 0xf4 ? 0x8f : 0xbf;
    return s.len >= 4 && second >= least && second <= most && is_tail(s.ptr[2]) && is_tail(s.ptr[3]) ? 4 : 0;
}

#define HIGH_BITS UINT64_C(0x8080808080808080)

static uint64_t load_word(const char *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

bool str_is_utf8(limen_str s)
{
    while (s.len > 0) {
        if (s.len >= 8 && (load_word(s.ptr) & HIGH_BITS) == 0) {
            s.ptr += 8;
            s.len -= 8;
            continue;
        }
        size_t step = (unsigned char)s.ptr[0] < 0x80 ? 1 : str_utf8_step(s);
        if (step == 0)
            return false;
        s.ptr += step;
        s.len -= step;
    }
    return true;
}

size_t str_code_points(limen_str s)
{
    size_t count = s.len; /* less the bytes 10xxxxxx */
    size_t i = 0;
    for (; i + 8 <= s.len; i += 8) {
        uint64_t word = load_word(s.ptr + i);
        count -= (size_t)__builtin_popcountll(word & (~word << 1) & HIGH_BITS);
    }
    for (; i < s.len; i++)
        count -= is_tail(s.ptr[i]) ? 1 : 0;
    return count;
}

limen_str str_shorten(limen_str s, size_t bytes)
{
    if (s.len <= bytes)
        return s;
    while (bytes > 0 && is_tail(s.ptr[bytes]))
        bytes--;
    return str_make(s.ptr, bytes);
}

bool str_equal_secret(limen_str a, limen_str b)
{
    if (a.len != b.len)
        return false;
    volatile unsigned char difference = 0; /* volatile: the loop must not end early */
    for (size_t i = 0; i < a.len; i++)
        difference = (unsigned char)(difference | (a.ptr[i] ^ b.ptr[i]));
    return difference == 0;
}

/* ---- buf ------------------------------------------------------------------------------------------------------- */

void buf_init(struct buf *buf, struct arena *arena, size_t first_bytes)
{
    *buf = (struct buf){ .arena = arena };
    if (first_bytes != 0)
        buf_grow(buf, first_bytes);
}

void buf_init_fixed(struct buf *buf, char *memory, size_t bytes)
{
    *buf = (struct buf){ .ptr = memory, .cap = bytes };
}

bool buf_grow(struct buf *buf, size_t bytes)
{
    size_t needed;
    if (buf->failed)
        return false;
    if (buf->arena == NULL || __builtin_add_overflow(buf->len, bytes, &needed)) {
        buf->failed = true;
        return false;
    }
    size_t next = buf_next_room(buf->cap); /* `cap` bytes exist, so this cannot overflow */
    size_t cap = needed > next ? needed : next;
    char *memory = arena_grow(buf->arena, buf->ptr, buf->cap, cap);
    if (memory == NULL) {
        buf->failed = true;
        return false;
    }
    buf->ptr = memory;
    buf->cap = cap;
    return true;
}

/* Two digits at a time, from behind. */
void buf_add_int(struct buf *buf, int64_t value)
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
                                "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
                                "8081828384858687888990919293949596979899";
    char digits[20];
    size_t at = sizeof digits;
    uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    for (; magnitude >= 10; magnitude /= 100) {
        at -= 2;
        memcpy(digits + at, pairs + magnitude % 100 * 2, 2);
    }
    if (magnitude > 0 || at == sizeof digits)
        digits[--at] = (char)('0' + magnitude);
    if (value < 0)
        digits[--at] = '-';
    buf_add(buf, str_make(digits + at, sizeof digits - at));
}

void buf_add_hex(struct buf *buf, const uint8_t *bytes, size_t count)
{
    static const char hex[] = "0123456789abcdef";
    size_t all;
    if (__builtin_mul_overflow(count, (size_t)2, &all)) {
        buf->failed = true;
        return;
    }
    char *room = buf_reserve(buf, all);
    if (room == NULL)
        return;
    for (size_t i = 0; i < count; i++) {
        room[2 * i] = hex[bytes[i] >> 4];
        room[2 * i + 1] = hex[bytes[i] & 15];
    }
    buf->len += all;
}

void buf_add_shown(struct buf *buf, limen_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t byte = (uint8_t)s.ptr[i];
        bool is_c1 = byte == 0xc2 && i + 1 < s.len && (uint8_t)s.ptr[i + 1] >= 0x80 && (uint8_t)s.ptr[i + 1] < 0xa0;
        buf_add_char(buf, byte < 0x20 || byte == 0x7f || is_c1 ? '?' : s.ptr[i]);
        i += is_c1;
    }
}

/* Formats into the room that is left; when that is short, into as much room as it turned out to need (and a NUL). */
void buf_printf(struct buf *buf, const char *format, ...)
{
    if (buf->failed)
        return;
    va_list args;
    size_t room = buf->ptr == NULL ? 0 : buf->cap - buf->len;
    va_start(args, format);
    int len = vsnprintf(room == 0 ? NULL : buf->ptr + buf->len, room, format, args);
    va_end(args);
    if (len < 0) {
        buf->failed = true;
        return;
    }
    if ((size_t)len >= room) {
        char *memory = buf_reserve(buf, (size_t)len + 1);
        if (memory == NULL)
            return;
        va_start(args, format);
        vsnprintf(memory, (size_t)len + 1, format, args);
        va_end(args);
    }
    buf->len += (size_t)len;
}
