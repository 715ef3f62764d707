/* pattern_syntax.c - from the regular expressions of ECMA-262 to those of PCRE2.
 *
 * The two agree on most of their syntax and differ in what looks the same: \s, \v and the dot mean other sets, [] is empty, and PCRE2
 * has dozens of constructs that ECMA-262 has not. One pass copies what is common, rewrites what differs and refuses the rest: all that
 * is an early error with the flag 'u', so that the pass alone tells whether a text is a pattern.
 *
 * Where a match can take more than one way or many steps, a callout is written, by which pattern.c counts its work. */
#include "contract/pattern.h"

#include "core/limits.h"
#include "core/str.h"

#include <string.h>

/* White space and line ends of ECMA-262, and everything else. */
#define SPACES \
    "\\x{9}-\\x{d}\\x{20}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}\\x{feff}"
#define NOT_SPACES                                                                                      \
    "\\x{0}-\\x{8}\\x{e}-\\x{1f}\\x{21}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}" \
    "\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{fefe}\\x{ff00}-\\x{10ffff}"

/* Written before a backreference, and wherever else work is counted. */
#define COUNT_REFERENCE LIMEN_STR("(?C1)")
#define COUNT LIMEN_STR("(?C0)")
/* Up to these many bytes a pattern can be simple: see is_simple. */
#define SIMPLE_ANCHORED_BYTES 256U
#define SIMPLE_BYTES 16U

#define NO_POINT UINT32_MAX /* a set, not one character */

struct translation {
    limen_str source;
    const char *at, *end;
    struct buf *out;
    bool in_class, counts_work;
    bool may_repeat; /* what was read last can have a quantifier */
    uint32_t point;  /* what the last escape stands for, or NO_POINT */

    uint32_t depth;                        /* open groups */
    bool repeatable[LIMIT_PATTERN_GROUPS]; /* of these, which may be repeated: not lookarounds */
    limen_str names[LIMIT_PATTERN_GROUPS]; /* of groups, found before anything else is read */
    uint32_t name_count, group_count;

    /* What a match may cost. */
    bool is_anchored;
    uint32_t groups, repeats, fixed; /* all groups; quantifiers whose count varies; characters that must be there */
};

static bool is_decimal(char c)
{
    return c >= '0' && c <= '9';
}
static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int hex_digit(char c)
{
    if (is_decimal(c))
        return c - '0';
    const char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static char peek(const struct translation *t, ptrdiff_t ahead)
{
    return t->end - t->at > ahead ? t->at[ahead] : '\0';
}

static void put_point(struct translation *t, uint32_t point)
{
    t->point = point;
    buf_printf(t->out, "\\x{%x}", (unsigned)point);
}

static void put_count(struct translation *t, limen_str callout)
{
    if (t->counts_work)
        buf_add(t->out, callout);
}

/* `digits` hexadecimal digits at `t->at`; false when there are fewer. */
static bool take_hex(struct translation *t, int digits, uint32_t *ret_value)
{
    uint32_t value = 0;
    for (int i = 0; i < digits; i++) {
        const int digit = hex_digit(peek(t, i));
        if (digit < 0)
            return false;
        value = value << 4 | (uint32_t)digit;
    }
    t->at += digits;
    *ret_value = value;
    return true;
}

/* Behind "\u": four digits, a pair of surrogates, or digits in braces. */
static const char *take_unicode(struct translation *t)
{
    static const char wrong[] = "\\u must be followed by four hexadecimal digits or a code point in braces";
    uint32_t point = 0;
    if (peek(t, 0) == '{') {
        t->at++;
        if (hex_digit(peek(t, 0)) < 0)
            return wrong;
        while (hex_digit(peek(t, 0)) >= 0 && point <= 0x10FFFF)
            point = point << 4 | (uint32_t)hex_digit(*t->at++);
        if (peek(t, 0) != '}' || point > 0x10FFFF)
            return wrong;
        t->at++;
    } else if (!take_hex(t, 4, &point)) {
        return wrong;
    }
    if (point >= 0xD800 && point <= 0xDBFF && peek(t, 0) == '\\' && peek(t, 1) == 'u') {
        uint32_t low;
        t->at += 2;
        if (!take_hex(t, 4, &low) || low < 0xDC00 || low > 0xDFFF)
            return "half of a surrogate pair matches no text";
        point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
    }
    if (point >= 0xD800 && point <= 0xDFFF)
        return "half of a surrogate pair matches no text";
    put_point(t, point);
    return NULL;
}

/* Behind "\p" or "\P". */
static const char *take_property(struct translation *t, char letter)
{
    static const char wrong[] = "\\p must be followed by a property's name in braces";
    if (peek(t, 0) != '{')
        return wrong;
    const char *from = ++t->at;
    while (is_letter(peek(t, 0)) || is_decimal(peek(t, 0)) || peek(t, 0) == '_' || peek(t, 0) == '=')
        t->at++;
    limen_str value = str_make(from, (size_t)(t->at - from));
    if (peek(t, 0) != '}' || value.len == 0)
        return wrong;
    t->at++;
    const char *prefix = "";
    if (str_find_char(value, '=', 0) != SIZE_MAX) {
        const limen_str name = str_cut(&value, '=');
        if (str_equal(name, LIMEN_STR("Script")) || str_equal(name, LIMEN_STR("sc")))
            prefix = "sc:";
        else if (str_equal(name, LIMEN_STR("Script_Extensions")) || str_equal(name, LIMEN_STR("scx")))
            prefix = "scx:";
        else if (!str_equal(name, LIMEN_STR("General_Category")) && !str_equal(name, LIMEN_STR("gc")))
            return "a property in \\p is not known";
    }
    value = pattern_category(value);
    buf_printf(t->out, "\\%c{%s%.*s}", letter, prefix, LIMEN_STR_ARG(value));
    return NULL;
}

/* \s and \S, with ECMA-262's idea of white space. */
static void put_spaces(struct translation *t, bool is_negated)
{
    if (t->in_class) {
        buf_add(t->out, is_negated ? LIMEN_STR(NOT_SPACES) : LIMEN_STR(SPACES));
        return;
    }
    BUF_ADD(t->out, "[");
    buf_add(t->out, is_negated ? LIMEN_STR(NOT_SPACES) : LIMEN_STR(SPACES));
    BUF_ADD(t->out, "]");
}

/* Behind a backslash and the digit `first`: \0 or a backreference. */
static const char *take_reference(struct translation *t, char first)
{
    if (first == '0') {
        if (is_decimal(peek(t, 0)))
            return "octal escapes are not ECMA-262";
        put_point(t, 0);
        return NULL;
    }
    if (t->in_class)
        return "a backreference cannot stand in a class";
    unsigned number = (unsigned)(first - '0');
    while (is_decimal(peek(t, 0)) && number < 10000)
        number = number * 10 + (unsigned)(*t->at++ - '0');
    if (number > t->group_count)
        return "it refers to a group that there is not";
    t->repeats++; /* it takes as many characters as the group did */
    put_count(t, COUNT_REFERENCE);
    buf_printf(t->out, "\\g{%u}", number);
    return NULL;
}

/* A group's name and the bracket behind it; empty when it is none. */
static limen_str take_name(struct translation *t)
{
    const char *from = t->at;
    while (is_letter(peek(t, 0)) || peek(t, 0) == '_' || (t->at > from && is_decimal(peek(t, 0))))
        t->at++;
    const limen_str name = str_make(from, (size_t)(t->at - from));
    if (peek(t, 0) != '>' || name.len > LIMIT_PATTERN_NAME_BYTES)
        return LIMEN_STR("");
    t->at++;
    return name;
}

static bool has_name(const struct translation *t, limen_str name)
{
    for (uint32_t i = 0; i < t->name_count; i++) {
        if (str_equal(t->names[i], name))
            return true;
    }
    return false;
}

/* Behind "\k". */
static const char *take_named_reference(struct translation *t)
{
    if (t->in_class || peek(t, 0) != '<')
        return "\\k must be followed by a group's name in angle brackets";
    t->at++;
    const limen_str name = take_name(t);
    if (!has_name(t, name))
        return "it refers to a group that there is not";
    t->repeats++;
    put_count(t, COUNT_REFERENCE);
    buf_printf(t->out, "\\k<%.*s>", LIMEN_STR_ARG(name));
    return NULL;
}

/* `t->at` is behind the backslash. */
static const char *take_escape(struct translation *t)
{
    if (t->at == t->end)
        return "it ends in a backslash";
    const char c = *t->at++;
    uint32_t point;
    t->point = NO_POINT;
    switch (c) {
    case 'd':
    case 'D':
    case 'w':
    case 'W':
        buf_printf(t->out, "\\%c", c);
        return NULL;
    case 'b':
        if (t->in_class)
            put_point(t, 8);
        else
            BUF_ADD(t->out, "\\b");
        t->may_repeat = t->in_class;
        return NULL;
    case 'B':
        BUF_ADD(t->out, "\\B");
        t->may_repeat = false;
        return t->in_class ? "\\B cannot stand in a class" : NULL;
    case 's':
        put_spaces(t, false);
        return NULL;
    case 'S':
        put_spaces(t, true);
        return NULL;
    case 't':
        put_point(t, 9);
        return NULL;
    case 'n':
        put_point(t, 10);
        return NULL;
    case 'v':
        put_point(t, 11);
        return NULL;
    case 'f':
        put_point(t, 12);
        return NULL;
    case 'r':
        put_point(t, 13);
        return NULL;
    case 'u':
        return take_unicode(t);
    case 'p':
    case 'P':
        return take_property(t, c);
    case 'k':
        return take_named_reference(t);
    case 'x':
        if (!take_hex(t, 2, &point))
            return "\\x must be followed by two hexadecimal digits";
        put_point(t, point);
        return NULL;
    case 'c':
        if (!is_letter(peek(t, 0)))
            return "\\c must be followed by a letter";
        put_point(t, (uint32_t)*t->at++ & 31);
        return NULL;
    default:
        break;
    }
    if (is_decimal(c))
        return take_reference(t, c);
    if (c != '\0' && (strchr("^$\\.*+?()[]{}|/", c) != NULL || (c == '-' && t->in_class))) {
        buf_printf(t->out, "\\%c", c);
        t->point = (uint8_t)c;
        return NULL;
    }
    return c == '-' ? "\\- is an escape inside of a class only" : "an escape in it is not one of ECMA-262";
}

/* One character or set of a class; t->point tells which. */
static const char *take_member(struct translation *t)
{
    const size_t step = str_utf8_step(str_make(t->at, (size_t)(t->end - t->at)));
    const char c = *t->at;
    if (step == 0)
        return "it is not UTF-8";
    if (c == '\\') {
        t->at++;
        return take_escape(t);
    }
    t->point = str_code_point(str_make(t->at, step));
    t->at += step;
    if (c == '[' || c == '^' || c == '-')
        buf_printf(t->out, "\\%c", c); /* no POSIX classes, and a '-' that makes no range */
    else
        buf_add(t->out, str_make(t->at - step, step));
    return NULL;
}

static bool is_range(const struct translation *t)
{
    return peek(t, 0) == '-' && t->end - t->at > 1 && peek(t, 1) != ']';
}

/* `t->at` is behind the opening bracket. */
static const char *take_class(struct translation *t)
{
    const bool is_negated = peek(t, 0) == '^';
    t->at += is_negated;
    if (peek(t, 0) == ']') {
        t->at++;
        buf_add(t->out, is_negated ? LIMEN_STR("(?s:.)") : LIMEN_STR("(?!)")); /* everything, nothing */
        return NULL;
    }
    t->in_class = true;
    buf_add(t->out, is_negated ? LIMEN_STR("[^") : LIMEN_STR("["));
    while (t->at < t->end && *t->at != ']') {
        const char *wrong = take_member(t);
        const uint32_t least = t->point;
        if (wrong == NULL && is_range(t)) {
            t->at++;
            BUF_ADD(t->out, "-");
            wrong = take_member(t);
            if (wrong == NULL && (least == NO_POINT || t->point == NO_POINT))
                wrong = "a set cannot be the end of a range";
            if (wrong == NULL && least > t->point)
                wrong = "a range in a class is out of order";
        }
        if (wrong != NULL)
            return wrong;
    }
    if (t->at == t->end)
        return "a class is not closed";
    t->at++;
    buf_add_char(t->out, ']');
    t->in_class = false;
    return NULL;
}

/* ---- groups ---------------------------------------------------------------------------------------------------- */
/* `t->at` is behind the opening parenthesis. */
static const char *take_group(struct translation *t)
{
    const char kind = peek(t, 1), next = peek(t, 2);
    bool is_lookaround = false;
    if (t->depth == LIMIT_PATTERN_GROUPS)
        return "groups are nested too deep";
    BUF_ADD(t->out, "(");
    if (peek(t, 0) == '*')
        return "there is nothing to repeat";
    if (peek(t, 0) == '?') {
        const bool is_behind = kind == '<' && (next == '=' || next == '!');
        is_lookaround = kind == '=' || kind == '!' || is_behind;
        const ptrdiff_t length = kind == ':' || kind == '<' || is_lookaround ? 2 + is_behind : 0;
        if (length == 0)
            return "a group in it is not one of ECMA-262";
        buf_add(t->out, str_make(t->at, (size_t)length));
        t->at += length;
        if (kind == '<' && !is_behind) {
            const limen_str name = take_name(t);
            if (name.len == 0)
                return "a group's name must be letters, digits and '_', a letter first";
            buf_printf(t->out, "%.*s>", LIMEN_STR_ARG(name));
        }
    }
    t->repeatable[t->depth++] = !is_lookaround;
    t->groups++;
    t->may_repeat = false;
    put_count(t, COUNT);
    return NULL;
}

static const char *take_group_end(struct translation *t)
{
    if (t->depth == 0)
        return "a parenthesis closes nothing";
    t->may_repeat = t->repeatable[--t->depth];
    BUF_ADD(t->out, ")");
    return NULL;
}

/* Counts the groups and collects their names, so that a reference may stand in front of its group. */
static const char *find_groups(struct translation *t)
{
    bool in_class = false;
    for (; t->at < t->end; t->at++) {
        const char c = *t->at;
        if (c == '\\' && t->at + 1 < t->end) {
            t->at++;
        } else if (c == '[' || c == ']') {
            in_class = c == '[';
        } else if (c == '(' && !in_class) {
            const bool is_named = peek(t, 1) == '?' && peek(t, 2) == '<' && peek(t, 3) != '=' && peek(t, 3) != '!';
            t->group_count += is_named || peek(t, 1) != '?';
            if (!is_named)
                continue;
            t->at += 3;
            const limen_str name = take_name(t);
            if (t->name_count == LIMIT_PATTERN_GROUPS || has_name(t, name))
                return t->name_count == LIMIT_PATTERN_GROUPS ? "there are too many groups" : "two groups have one name";
            t->names[t->name_count++] = name;
            t->at--;
        }
    }
    t->at = t->source.ptr;
    return t->group_count > LIMIT_PATTERN_GROUPS ? "there are too many groups" : NULL;
}

/* ---- quantifiers ----------------------------------------------------------------------------------------------- */
/* Decimal digits at `at`, cut off where they are too many for any use. */
static uint32_t read_count(const struct translation *t, ptrdiff_t *at)
{
    uint32_t count = 0;
    for (; is_decimal(peek(t, *at)); (*at)++)
        count = count > UINT16_MAX ? count : count * 10 + (uint32_t)(peek(t, *at) - '0');
    return count;
}

/* Length of "{2}", "{2,}" or "{2,5}" at `t->at`; 0 when it is none. */
static ptrdiff_t read_braces(const struct translation *t, uint32_t *ret_least, uint32_t *ret_most)
{
    ptrdiff_t length = 1;
    if (peek(t, 0) != '{' || !is_decimal(peek(t, 1)))
        return 0;
    *ret_least = *ret_most = read_count(t, &length);
    if (peek(t, length) == ',') {
        length++;
        *ret_most = is_decimal(peek(t, length)) ? read_count(t, &length) : UINT32_MAX;
    }
    return peek(t, length) == '}' ? length + 1 : 0;
}

/* Length of the quantifier at `t->at`; 0 when there is none. */
static ptrdiff_t read_repeat(const struct translation *t, uint32_t *ret_least, uint32_t *ret_most)
{
    const char c = peek(t, 0);
    *ret_least = c == '+' ? 1 : 0;
    *ret_most = c == '?' ? 1 : UINT32_MAX;
    return c == '*' || c == '+' || c == '?' ? 1 : read_braces(t, ret_least, ret_most);
}

/* A quantifier, lazy or not; PCRE2's possessive ones would be a second quantifier in ECMA-262. */
static const char *take_repeat(struct translation *t, ptrdiff_t length, uint32_t least, uint32_t most)
{
    if (!t->may_repeat)
        return "there is nothing to repeat";
    if (least > most)
        return "the numbers of a quantifier are out of order";
    if (least > UINT16_MAX || (most > UINT16_MAX && most != UINT32_MAX))
        return "the number of a quantifier is too large";
    buf_add(t->out, str_make(t->at, (size_t)length));
    t->at += length;
    if (peek(t, 0) == '?') {
        BUF_ADD(t->out, "?");
        t->at++;
    }
    t->repeats += least != most;
    t->fixed += least;
    t->may_repeat = false;
    put_count(t, COUNT);
    return NULL;
}

/* ---- the pattern ----------------------------------------------------------------------------------------------- */
static const char *take_one(struct translation *t)
{
    uint32_t least, most;
    const ptrdiff_t repeat = read_repeat(t, &least, &most);
    if (repeat > 0)
        return take_repeat(t, repeat, least, most);
    const char c = *t->at++;
    t->may_repeat = true;
    switch (c) {
    case '\\':
        return take_escape(t);
    case '[':
        return take_class(t);
    case '(':
        return take_group(t);
    case ')':
        return take_group_end(t);
    case '.':
        BUF_ADD(t->out, "[^\\x{a}\\x{d}\\x{2028}\\x{2029}]");
        return NULL;
    case ']':
    case '{':
    case '}':
        return "a bracket or a brace that stands for itself needs a backslash";
    case '|':
        BUF_ADD(t->out, "|");
        put_count(t, COUNT);
        t->is_anchored = t->is_anchored && t->depth > 0;
        t->may_repeat = false;
        return NULL;
    case '^':
    case '$':
        t->is_anchored = t->is_anchored || (c == '^' && t->at == t->source.ptr + 1);
        t->may_repeat = false;
        break;
    default:
        break;
    }
    buf_add_char(t->out, c);
    return NULL;
}

static const char *translate(struct translation *t)
{
    if (t->source.len > LIMIT_PATTERN_BYTES)
        return "it is too long";
    if (t->source.len > 0 && memchr(t->source.ptr, 0, t->source.len) != NULL)
        return "it holds a NUL";
    const char *wrong = find_groups(t);
    put_count(t, COUNT);
    while (wrong == NULL && t->at != t->end)
        wrong = take_one(t);
    return wrong == NULL && t->depth > 0 ? "a group is not closed" : wrong;
}

static void translation_init(struct translation *t, limen_str source, struct buf *out, bool counts_work)
{
    *t = (struct translation){ .source = source, .out = out, .counts_work = counts_work };
    t->at = source.len > 0 ? source.ptr : "";
    t->source.ptr = t->at;
    t->end = t->at + source.len;
}

/* Work that is linear whatever the text: one start and one quantifier that can give back, or no quantifier at all. */
static bool is_simple(const struct translation *t)
{
    if (t->groups > 0)
        return false;
    return t->is_anchored ? t->repeats <= 1 && t->source.len + t->fixed <= SIMPLE_ANCHORED_BYTES
                          : t->repeats == 0 && t->source.len + t->fixed <= SIMPLE_BYTES;
}

const char *pattern_fault(limen_str source)
{
    struct buf nowhere = { .failed = true };
    struct translation t;
    translation_init(&t, source, &nowhere, /* counts_work= */ false);
    return translate(&t);
}

const char *pattern_translate(limen_str source, struct buf *out, uint32_t *ret_charge)
{
    struct buf nowhere = { .failed = true };
    struct translation t;
    translation_init(&t, source, &nowhere, /* counts_work= */ false);
    const char *wrong = translate(&t);
    if (wrong != NULL)
        return wrong;
    *ret_charge = is_simple(&t) ? 0 : PATTERN_CALLOUT_CHARGE + (uint32_t)source.len + t.fixed;
    translation_init(&t, source, out, *ret_charge > 0);
    wrong = translate(&t);
    return out->failed ? "it is too long" : wrong;
}
