/* json_internal.h - what the files of the JSON parser share with each other and with nobody else. */
#ifndef CONTRACT_JSON_INTERNAL_H
#define CONTRACT_JSON_INTERNAL_H

#include "contract/json.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Reads the string whose bytes begin at `from`; all before `special` are plain. On JSON_OK `ret_behind` is the byte behind the closing
 * quote and text and length are set; otherwise `ret_behind` is where it went wrong and `ret_what` says how. */
enum json_outcome json_string_read(const uint8_t *from, const uint8_t *special, const uint8_t *end, struct arena *arena,
                                   struct json_value *value, const uint8_t **ret_behind,
                                   const char **ret_what) LIMEN_MUST_CHECK;
/* Reads the number that starts at `at` (a digit or '-'). On JSON_OK `ret_behind` is the byte behind it and type, is_integer and the
 * value are set; otherwise `ret_behind` is where it went wrong and `ret_what` says how. */
enum json_outcome json_number_read(const uint8_t *at, const uint8_t *end, struct json_value *value,
                                   const uint8_t **ret_behind, const char **ret_what) LIMEN_MUST_CHECK;

/* True when the byte stands for itself inside a string: no quote, no backslash, no control, ASCII. */
static inline bool json_is_plain(uint8_t c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* The first byte that is not plain, or `end`, eight bytes at a time. */
static inline const uint8_t *json_skip_plain_by_words(const uint8_t *at, const uint8_t *end)
{
    const uint64_t ones = 0x0101010101010101U, highs = 0x8080808080808080U;
    while (end - at >= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        const uint64_t quote = word ^ (ones * '"'), backslash = word ^ (ones * '\\');
        /* Each term has a high bit where its byte is zero (or below 0x20); borrows can only add a false one behind a true one. */
        if ((((word - ones * 0x20) | (quote - ones) | (backslash - ones) | word) & highs) != 0)
            break;
        at += 8;
    }
    while (at < end && json_is_plain(*at))
        at++;
    return at;
}

#ifdef __SSE2__
/* A bit for each of the 16 bytes at `at` that is not plain. */
static inline unsigned json_special_bits(const uint8_t *at)
{
    const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
    const __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
    const __m128i backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
    /* As signed bytes, controls and everything from 0x80 up are both less than a space. */
    const __m128i other = _mm_cmplt_epi8(bytes, _mm_set1_epi8(' '));
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, backslash), other));
}
#endif

/* The first byte at or behind `at` that is not plain, or `end`. The text that both are in begins at `start`. */
static inline const uint8_t *json_skip_plain(const uint8_t *start, const uint8_t *at, const uint8_t *end)
{
#ifdef __SSE2__
    while (end - at >= 16) {
        const unsigned bits = json_special_bits(at);
        if (bits != 0)
            return at + __builtin_ctz(bits);
        at += 16;
    }
    if (end - start >= 16) { /* the last 16 bytes of the text, less those before `at` */
        const unsigned bits = json_special_bits(end - 16) >> (16 - (end - at));
        return bits != 0 ? at + __builtin_ctz(bits) : end;
    }
#else
    (void)start;
#endif
    return json_skip_plain_by_words(at, end);
}

#endif
