/* pattern_plain.c - finds out whether a pattern is plain, and takes it apart.
 *
 * Taking as many characters as come is the same as what a regular expression engine does, if what follows could not have begun
 * with one of them. Whatever is not surely so is left to the engine. */
#include "contract/pattern_plain.h"

#include "core/arena.h"

#include <string.h>

#define SYNTAX "^$\\.*+?()[]{}|"
#define MOST_COUNTED 1000000 /* larger counts are left to the engine */

/* A set of ASCII characters. */
struct char_set {
    uint64_t bits[2];
};

struct reader {
    const char *at, *end;
};

static char peek(const struct reader *r)
{
    return r->at < r->end ? *r->at : '\0';
}

static bool take(struct reader *r, char c)
{
    if (peek(r) != c)
        return false;
    r->at++;
    return true;
}

static bool set_has(const struct char_set *set, uint32_t c)
{
    return (set->bits[c / 64] >> c % 64 & 1) != 0;
}

static void set_add(struct char_set *set, char first, char last)
{
    for (uint32_t c = (uint8_t)first; c <= (uint8_t)last; c++)
        set->bits[c / 64] |= UINT64_C(1) << c % 64;
}

static bool sets_meet(const struct char_set *a, const struct char_set *b)
{
    return ((a->bits[0] & b->bits[0]) | (a->bits[1] & b->bits[1])) != 0;
}

/* ---- the source ------------------------------------------------------------------------------------------------ */
/* A printable ASCII character that stands for itself; `special` are those that do not. */
static bool take_char(struct reader *r, const char *special, char *ret_char)
{
    const char c = peek(r);
    if (c < ' ' || c > '~' || strchr(special, c) != NULL)
        return false;
    *ret_char = c;
    r->at++;
    return true;
}

/* Behind a backslash: \d, \w (then `ret_is_set`), or a character that would be special without it. */
static bool take_escape(struct reader *r, const char *special, struct char_set *set, bool *ret_is_set, char *ret_char)
{
    const char c = peek(r);
    *ret_is_set = c == 'd' || c == 'w';
    *ret_char = c;
    if (*ret_is_set)
        set_add(set, '0', '9');
    if (c == 'w') {
        set_add(set, 'a', 'z');
        set_add(set, 'A', 'Z');
        set_add(set, '_', '_');
    }
    if (c == '\0' || (!*ret_is_set && strchr(special, c) == NULL))
        return false;
    r->at++;
    return true;
}

/* Behind "[". Ranges, characters, \d and \w; nothing negated. */
static bool take_class(struct reader *r, struct char_set *set)
{
    if (peek(r) == '^' || peek(r) == ']')
        return false;
    while (!take(r, ']')) {
        char first, last;
        bool is_set = false, is_escaped = take(r, '\\');
        if (!(is_escaped ? take_escape(r, SYNTAX "/-", set, &is_set, &first) : take_char(r, "\\]", &first)))
            return false;
        last = first;
        const bool is_range = peek(r) == '-' && r->end - r->at > 1 && r->at[1] != ']';
        if (is_range) {
            r->at++;
            if (is_set || !take_char(r, "\\]", &last) || last < first)
                return false;
        }
        if (!is_set)
            set_add(set, first, last);
    }
    return true;
}

static bool take_number(struct reader *r, int64_t *ret_number)
{
    const char *from = r->at;
    int64_t number = 0;
    while (peek(r) >= '0' && peek(r) <= '9' && number <= MOST_COUNTED)
        number = number * 10 + (*r->at++ - '0');
    *ret_number = number;
    return r->at > from && number <= MOST_COUNTED;
}

static bool take_counts(struct reader *r, int64_t *least, int64_t *most)
{
    *least = *most = 1;
    if (take(r, '{')) {
        if (!take_number(r, least))
            return false;
        *most = *least;
        if (take(r, ',')) {
            *most = INT64_MAX;
            if (peek(r) != '}' && !take_number(r, most))
                return false;
        }
        if (!take(r, '}') || *most < *least)
            return false;
    } else if (take(r, '+')) {
        *most = INT64_MAX;
    } else if (take(r, '*')) {
        *least = 0;
        *most = INT64_MAX;
    } else if (take(r, '?')) {
        *least = 0;
    }
    return peek(r) != '?'; /* lazy */
}

static bool take_atom(struct reader *r, struct char_set *set)
{
    char c;
    bool is_set = false;
    if (take(r, '['))
        return take_class(r, set);
    if (take(r, '\\')) {
        if (!take_escape(r, SYNTAX "/", set, &is_set, &c))
            return false;
    } else if (!take_char(r, SYNTAX, &c)) {
        return false;
    }
    if (!is_set)
        set_add(set, c, c);
    return true;
}

/* ---- the pieces ------------------------------------------------------------------------------------------------ */
/* The only character of a set, or '\0'. */
static char only_char(const struct char_set *set)
{
    if (__builtin_popcountll(set->bits[0]) + __builtin_popcountll(set->bits[1]) != 1)
        return '\0';
    return (char)(set->bits[0] != 0 ? __builtin_ctzll(set->bits[0]) : 64 + __builtin_ctzll(set->bits[1]));
}

/* A piece is a literal and then a set; this one has no set yet, so more of the literal may come. */
static bool is_open(const struct plain_piece *piece)
{
    return piece->most == 0 && piece->literal_len < PLAIN_LITERAL_BYTES;
}

static bool add_atom(struct plain_pattern *pattern, const struct char_set *set, int64_t least, int64_t most)
{
    struct plain_piece *piece = pattern->count > 0 ? &pattern->pieces[pattern->count - 1] : NULL;
    const char literal = least == 1 && most == 1 ? only_char(set) : '\0';
    if (piece == NULL || piece->most > 0 || (literal != '\0' && !is_open(piece))) {
        if (pattern->count == PLAIN_PIECES)
            return false;
        piece = &pattern->pieces[pattern->count++];
    }
    if (literal != '\0') {
        piece->literal[piece->literal_len++] = literal;
        return true;
    }
    piece->least = least;
    piece->most = most;
    for (uint32_t c = 0; c < 128; c++) {
        if (set_has(set, c))
            pattern->sets[c] |= (uint8_t)(1U << (pattern->count - 1));
    }
    return true;
}

static bool read_pattern(limen_str source, struct plain_pattern *pattern)
{
    struct reader r = { source.ptr, source.ptr + source.len };
    struct char_set undecided = { { 0, 0 } }; /* what the atoms before might have taken more of */
    if (!take(&r, '^'))
        return false;
    while (!take(&r, '$')) {
        struct char_set set = { { 0, 0 } };
        int64_t least, most;
        if (!take_atom(&r, &set) || !take_counts(&r, &least, &most) || most == 0 || sets_meet(&set, &undecided)
            || !add_atom(pattern, &set, least, most))
            return false;
        if (least > 0)
            undecided = (struct char_set){ { 0, 0 } };
        if (least < most) {
            undecided.bits[0] |= set.bits[0];
            undecided.bits[1] |= set.bits[1];
        }
    }
    return r.at == r.end;
}

const struct plain_pattern *plain_compile(limen_str source, struct arena *arena)
{
    struct plain_pattern pattern = { 0 };
    if (!read_pattern(source, &pattern))
        return NULL;
    struct plain_pattern *kept = arena_alloc(arena, sizeof *kept);
    if (kept != NULL)
        *kept = pattern;
    return kept;
}
