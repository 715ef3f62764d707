/* json_internal.h - what the files of the JSON parser share with each other and with nobody else. */
#ifndef CONTRACT_JSON_INTERNAL_H
#define CONTRACT_JSON_INTERNAL_H

#include "contract/json.h"

#ifdef __SSE2__
#include <emmintrin.h>
#else
#include <string.h>
#endif

/* Reads the number that starts at `at` (a digit or '-'). On JSON_OK `ret_behind` is the byte behind it and type, is_integer and the
 * value are set; otherwise `ret_behind` is where it went wrong and `ret_what` says how. */
enum json_outcome json_number_read(const uint8_t *at, const uint8_t *end, struct json_value *value,
                                   const uint8_t **ret_behind, const char **ret_what) LIMEN_MUST_CHECK;

/* True when the byte stands for itself inside a string: no quote, no backslash, no control, ASCII. */
static inline bool json_is_plain(uint8_t c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* The first byte that is not plain, or `end`. */
static inline const uint8_t *json_skip_plain(const uint8_t *at, const uint8_t *end)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), space = _mm_set1_epi8(0x20);
    while (end - at >= 16) {
        const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        /* As signed bytes, controls and everything from 0x80 up are both less than a space. */
        const __m128i special = _mm_or_si128(
            _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)), _mm_cmplt_epi8(bytes, space));
        const unsigned mask = (unsigned)_mm_movemask_epi8(special);
        if (mask != 0)
            return at + __builtin_ctz(mask);
        at += 16;
    }
#else
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
#endif
    while (at < end && json_is_plain(*at))
        at++;
    return at;
}

#endif
