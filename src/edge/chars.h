/* chars.h - what each byte may be part of, as one table of bits (RFC 9110 5.6.2, RFC 3986). Private to edge/. */
#ifndef EDGE_CHARS_H
#define EDGE_CHARS_H

#include "limen/base.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum {
    CHAR_TOKEN = 1, /* tchar: methods, field names */
    CHAR_PATH = 2,  /* pchar and '/' */
    CHAR_QUERY = 4, /* pchar, '/', '?' and what browsers leave unescaped there: [ ] { } | \ ^ ` */
    CHAR_HOST = 8,  /* of a registered name or an IPv4 address; narrower than RFC 3986: no escapes, no sub-delims */
    CHAR_HEX = 16,
    CHAR_DIGIT = 32,
    CHAR_TEXT = 64 /* in a field's value: all but controls and DEL; HTAB is one */
};

extern const uint8_t http1_chars[256];

static inline bool char_is(char c, unsigned kinds)
{
    return (http1_chars[(unsigned char)c] & kinds) != 0;
}

/* True when all of `s` is of one of these kinds. */
static inline bool chars_are(limen_str s, unsigned kind)
{
    unsigned all = kind;
    size_t i = 0;
    for (; i + 4 <= s.len; i += 4)
        all &= http1_chars[(unsigned char)s.ptr[i]] & http1_chars[(unsigned char)s.ptr[i + 1]]
            & http1_chars[(unsigned char)s.ptr[i + 2]] & http1_chars[(unsigned char)s.ptr[i + 3]];
    for (; i < s.len; i++)
        all &= http1_chars[(unsigned char)s.ptr[i]];
    return all != 0;
}

#ifdef __SSE2__
/* A bit for each of the 16 bytes at `bytes` that is a control (but HTAB) or DEL. */
static inline unsigned chars_control_bits(const char *bytes)
{
    const __m128i last_control = _mm_set1_epi8(0x1f), tab = _mm_set1_epi8('\t'), del = _mm_set1_epi8(0x7f);
    const __m128i x = _mm_loadu_si128((const __m128i *)(const void *)bytes);
    const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(x, last_control), x);
    const __m128i bad = _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(x, tab), control), _mm_cmpeq_epi8(x, del));
    return (unsigned)_mm_movemask_epi8(bad);
}
#endif

/* Index of the first control byte (but HTAB) or DEL at or after `at`, or `len`. */
static inline size_t chars_find_control(const char *bytes, size_t at, size_t len)
{
#ifdef __SSE2__
    for (; at + 16 <= len; at += 16) {
        unsigned bits = chars_control_bits(bytes + at);
        if (bits != 0)
            return at + (size_t)__builtin_ctz(bits);
    }
    if (at < len && len >= 16) { /* the last 16 bytes, less those before `at` */
        unsigned bits = chars_control_bits(bytes + len - 16) >> (16 - (len - at));
        return bits != 0 ? at + (size_t)__builtin_ctz(bits) : len;
    }
#else
    /* Eight bytes at once: a byte below 0x20 or equal to 0x7f sets its top bit. HTAB stops too and is looked at below. */
    for (; at + 8 <= len; at += 8) {
        const uint64_t ones = 0x0101010101010101ULL, tops = 0x8080808080808080ULL;
        uint64_t x;
        memcpy(&x, bytes + at, 8);
        uint64_t del = x ^ (ones * 0x7f);
        if (((((x - ones * 0x20) & ~x) | ((del - ones) & ~del)) & tops) != 0)
            for (size_t i = at; i < at + 8; i++)
                if (!char_is(bytes[i], CHAR_TEXT))
                    return i;
    }
#endif
    while (at < len && char_is(bytes[at], CHAR_TEXT))
        at++;
    return at;
}

#endif
