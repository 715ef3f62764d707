/* str.h - what one does with a limen_str, and the buffer that one writes into. */
#ifndef CORE_STR_H
#define CORE_STR_H

#include "core/limits.h"
#include "limen/base.h"

#include <string.h>

struct arena;

static inline limen_str str_make(const char *ptr, size_t len)
{
    return (limen_str){ ptr, len };
}
/* Of a NUL-terminated string that is our own (an argument, an environment variable); NULL gives the empty string. */
limen_str str_of(const char *text);

static inline bool str_equal(limen_str a, limen_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}
bool str_equal_nocase(limen_str a, limen_str b); /* ASCII case only */
/* `s` with its ASCII letters in lower case, into `memory` of as many bytes; `memory` may be where `s` is. */
limen_str str_lower(limen_str s, char *memory);
int str_compare(limen_str a, limen_str b); /* bytewise, as qsort wants it */
bool str_starts(limen_str s, limen_str prefix);
bool str_ends(limen_str s, limen_str suffix);
/* Index of the first `c` / `needle` at or after `from`, or SIZE_MAX. */
size_t str_find_char(limen_str s, char c, size_t from);
size_t str_find(limen_str s, limen_str needle, size_t from);
/* `from` and `to` are clamped to the length. */
limen_str str_slice(limen_str s, size_t from, size_t to);
limen_str str_trim(limen_str s); /* spaces, tabs, CR, LF at both ends */
/* Splits at the first `c`: what stands before it is returned and `*rest` moves behind it (empty when there is none). */
limen_str str_cut(limen_str *rest, char c);
/* True when all of `s` is one decimal number that fits; "-5" is fine, "+5", "", "05", "-0" and " 5" are not. */
bool str_to_int64(limen_str s, int64_t *ret_value) LIMEN_MUST_CHECK;
/* "4096", "64KiB", "2MiB" or "1GiB", at least 1. */
bool str_to_bytes(limen_str s, size_t *ret_bytes) LIMEN_MUST_CHECK;
/* True when `s` is well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool str_is_utf8(limen_str s);
/* Bytes of the well-formed UTF-8 sequence that `s` begins with, 1 to 4; 0 when it begins with none. */
size_t str_utf8_step(limen_str s);
/* The first code point of `s`, which is not empty and well-formed. */
static inline uint32_t str_code_point(limen_str s)
{
    const uint8_t lead = (uint8_t)s.ptr[0];
    const size_t length = str_utf8_step(s);
    uint32_t point = length == 1 ? lead : lead & (0xFFU >> (length + 1));
    for (size_t i = 1; i < length; i++)
        point = point << 6 | ((uint8_t)s.ptr[i] & 0x3FU);
    return point;
}
/* Number of code points of well-formed UTF-8. */
size_t str_code_points(limen_str s);
/* The first `bytes` of well-formed UTF-8, or as many less as keep its last character whole. */
limen_str str_shorten(limen_str s, size_t bytes);
/* Equal in time that depends on the lengths only: for tokens and hashes. */
bool str_equal_secret(limen_str a, limen_str b);

/* A buffer that grows in an arena. A failed append sets `failed` and makes all later ones do nothing, so that the writer
 * looks once, at the end. */
struct buf {
    char *ptr;
    size_t len, cap;
    struct arena *arena;
    bool failed;
};

/* `first_bytes` may be 0: memory is then taken with the first append. */
void buf_init(struct buf *buf, struct arena *arena, size_t first_bytes);
/* Over fixed memory that belongs to the caller; an append past the end fails. */
void buf_init_fixed(struct buf *buf, char *memory, size_t bytes);
/* How much room a full buffer asks for: twice as much, and a fourth more once it is so large that its pages are moved and not its
 * bytes (arena_grow). */
static inline size_t buf_next_room(size_t cap)
{
    return cap < LIMIT_MALLOC_MAPPED_BYTES ? cap * 2 : cap + cap / 4;
}
/* Makes room for `bytes` more, moving the text when it must. False when failed. */
bool buf_grow(struct buf *buf, size_t bytes);

/* Room for `bytes` more at the end; NULL when failed. The caller adds what it wrote to `len`. */
static inline char *buf_reserve(struct buf *buf, size_t bytes)
{
    if ((buf->failed || bytes > buf->cap - buf->len || buf->ptr == NULL) && !buf_grow(buf, bytes))
        return NULL;
    return buf->ptr + buf->len;
}
static inline void buf_add(struct buf *buf, limen_str s)
{
    char *room = buf_reserve(buf, s.len);
    if (room == NULL || s.len == 0)
        return;
    memcpy(room, s.ptr, s.len);
    buf->len += s.len;
}
static inline void buf_add_char(struct buf *buf, char c)
{
    char *room = buf_reserve(buf, 1);
    if (room == NULL)
        return;
    *room = c;
    buf->len++;
}
void buf_add_int(struct buf *buf, int64_t value);
void buf_add_hex(struct buf *buf, const uint8_t *bytes, size_t count); /* lower case */
/* For a terminal: '?' in place of each control character (C0, DEL, C1), so that a stranger's text neither makes lines nor moves anything. */
void buf_add_shown(struct buf *buf, limen_str s);
void buf_printf(struct buf *buf, const char *format, ...) LIMEN_PRINTF(2, 3);
#define BUF_ADD(buf, literal) buf_add((buf), LIMEN_STR(literal))
static inline limen_str buf_str(const struct buf *buf)
{
    return (limen_str){ buf->ptr, buf->len };
}

#endif
