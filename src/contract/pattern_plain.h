/* pattern_plain.h - patterns that need no regular expression engine, which are most: ^sku_[a-z0-9]{1,32}$ and its like.
 *
 * Bound to both ends, a row of ASCII characters and sets, each with a count, and never a choice to come back to: one pass over the
 * bytes decides. */
#ifndef CONTRACT_PATTERN_PLAIN_H
#define CONTRACT_PATTERN_PLAIN_H

#include "limen/base.h"

struct arena;

#define PLAIN_PIECES 8U
#define PLAIN_LITERAL_BYTES 24U

/* A literal, which may be empty, and behind it characters of one set: as many as come, at least `least`, at most `most`. */
struct plain_piece {
    int64_t least, most;
    uint32_t literal_len;
    char literal[PLAIN_LITERAL_BYTES];
};

struct plain_pattern {
    uint32_t count;
    struct plain_piece pieces[PLAIN_PIECES];
    uint8_t sets[256]; /* for each byte, a bit for each piece whose set it is in */
};

/* NULL when `source`, which PCRE2 has accepted, is not of this kind, or when memory is out. */
const struct plain_pattern *plain_compile(limen_str source, struct arena *arena);

/* The first byte from `at` on that is not in the set of the piece `number`, or `stop`. */
static inline const char *plain_skip(const struct plain_pattern *pattern, uint32_t number, const char *at,
                                     const char *stop)
{
    const uint8_t *sets = pattern->sets, bit = (uint8_t)(1U << number);
    while (stop - at >= 4
           && (sets[(uint8_t)at[0]] & sets[(uint8_t)at[1]] & sets[(uint8_t)at[2]] & sets[(uint8_t)at[3]] & bit) != 0)
        at += 4;
    while (at < stop && (sets[(uint8_t)*at] & bit) != 0)
        at++;
    return at;
}

static inline bool plain_matches(const struct plain_pattern *pattern, const char *text, size_t len)
{
    const char *at = text, *end = text + len;
    for (uint32_t i = 0; i < pattern->count; i++) {
        const struct plain_piece *piece = &pattern->pieces[i];
        if (piece->literal_len > end - at)
            return false;
        for (uint32_t j = 0; j < piece->literal_len; j++) {
            if (*at++ != piece->literal[j])
                return false;
        }
        const char *from = at, *stop = piece->most < end - at ? at + piece->most : end;
        at = plain_skip(pattern, i, from, stop);
        if (at - from < piece->least)
            return false;
    }
    return at == end;
}

#endif
