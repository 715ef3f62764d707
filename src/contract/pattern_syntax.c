/* pattern_syntax.c - from the regular expressions of ECMA-262 to those of PCRE2.
 *
 * The two agree on most of their syntax and differ in what looks the same: \s, \v and the dot mean other sets, [] is empty, and PCRE2
 * has dozens of constructs that ECMA-262 has not. One pass copies what is common, rewrites what differs and refuses the rest. */
#include "contract/pattern.h"

#include "core/str.h"

#include <string.h>

/* White space and line ends of ECMA-262, and everything else. */
#define SPACES \
    "\\x{9}-\\x{d}\\x{20}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}\\x{feff}"
#define NOT_SPACES                                                                                      \
    "\\x{0}-\\x{8}\\x{e}-\\x{1f}\\x{21}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}" \
    "\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{fefe}\\x{ff00}-\\x{10ffff}"

struct translation {
    const char *at, *end;
    struct buf *out;
    bool in_class;
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
    buf_printf(t->out, "\\x{%x}", (unsigned)point);
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

/* The long names of general categories; PCRE2 knows only the short ones. */
static limen_str category_of(limen_str name)
{
    static const struct {
        limen_str name, category;
    } categories[] = {
        { LIMEN_STR_INIT("Letter"), LIMEN_STR_INIT("L") },
        { LIMEN_STR_INIT("Cased_Letter"), LIMEN_STR_INIT("L&") },
        { LIMEN_STR_INIT("LC"), LIMEN_STR_INIT("L&") },
        { LIMEN_STR_INIT("Uppercase_Letter"), LIMEN_STR_INIT("Lu") },
        { LIMEN_STR_INIT("Lowercase_Letter"), LIMEN_STR_INIT("Ll") },
        { LIMEN_STR_INIT("Titlecase_Letter"), LIMEN_STR_INIT("Lt") },
        { LIMEN_STR_INIT("Modifier_Letter"), LIMEN_STR_INIT("Lm") },
        { LIMEN_STR_INIT("Other_Letter"), LIMEN_STR_INIT("Lo") },
        { LIMEN_STR_INIT("Mark"), LIMEN_STR_INIT("M") },
        { LIMEN_STR_INIT("Combining_Mark"), LIMEN_STR_INIT("M") },
        { LIMEN_STR_INIT("Nonspacing_Mark"), LIMEN_STR_INIT("Mn") },
        { LIMEN_STR_INIT("Spacing_Mark"), LIMEN_STR_INIT("Mc") },
        { LIMEN_STR_INIT("Enclosing_Mark"), LIMEN_STR_INIT("Me") },
        { LIMEN_STR_INIT("Number"), LIMEN_STR_INIT("N") },
        { LIMEN_STR_INIT("Decimal_Number"), LIMEN_STR_INIT("Nd") },
        { LIMEN_STR_INIT("digit"), LIMEN_STR_INIT("Nd") },
        { LIMEN_STR_INIT("Letter_Number"), LIMEN_STR_INIT("Nl") },
        { LIMEN_STR_INIT("Other_Number"), LIMEN_STR_INIT("No") },
        { LIMEN_STR_INIT("Punctuation"), LIMEN_STR_INIT("P") },
        { LIMEN_STR_INIT("punct"), LIMEN_STR_INIT("P") },
        { LIMEN_STR_INIT("Connector_Punctuation"), LIMEN_STR_INIT("Pc") },
        { LIMEN_STR_INIT("Dash_Punctuation"), LIMEN_STR_INIT("Pd") },
        { LIMEN_STR_INIT("Open_Punctuation"), LIMEN_STR_INIT("Ps") },
        { LIMEN_STR_INIT("Close_Punctuation"), LIMEN_STR_INIT("Pe") },
        { LIMEN_STR_INIT("Initial_Punctuation"), LIMEN_STR_INIT("Pi") },
        { LIMEN_STR_INIT("Final_Punctuation"), LIMEN_STR_INIT("Pf") },
        { LIMEN_STR_INIT("Other_Punctuation"), LIMEN_STR_INIT("Po") },
        { LIMEN_STR_INIT("Symbol"), LIMEN_STR_INIT("S") },
        { LIMEN_STR_INIT("Math_Symbol"), LIMEN_STR_INIT("Sm") },
        { LIMEN_STR_INIT("Currency_Symbol"), LIMEN_STR_INIT("Sc") },
        { LIMEN_STR_INIT("Modifier_Symbol"), LIMEN_STR_INIT("Sk") },
        { LIMEN_STR_INIT("Other_Symbol"), LIMEN_STR_INIT("So") },
        { LIMEN_STR_INIT("Separator"), LIMEN_STR_INIT("Z") },
        { LIMEN_STR_INIT("Space_Separator"), LIMEN_STR_INIT("Zs") },
        { LIMEN_STR_INIT("Line_Separator"), LIMEN_STR_INIT("Zl") },
        { LIMEN_STR_INIT("Paragraph_Separator"), LIMEN_STR_INIT("Zp") },
        { LIMEN_STR_INIT("Other"), LIMEN_STR_INIT("C") },
        { LIMEN_STR_INIT("Control"), LIMEN_STR_INIT("Cc") },
        { LIMEN_STR_INIT("cntrl"), LIMEN_STR_INIT("Cc") },
        { LIMEN_STR_INIT("Format"), LIMEN_STR_INIT("Cf") },
        { LIMEN_STR_INIT("Private_Use"), LIMEN_STR_INIT("Co") },
        { LIMEN_STR_INIT("Unassigned"), LIMEN_STR_INIT("Cn") },
    };
    for (size_t i = 0; i < sizeof categories / sizeof *categories; i++) {
        if (str_equal(name, categories[i].name))
            return categories[i].category;
    }
    return name;
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
    value = category_of(value);
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
    buf_printf(t->out, "\\g{%u}", number);
    return NULL;
}

/* Behind "\k". */
static const char *take_named_reference(struct translation *t)
{
    const char *from = t->at;
    if (t->in_class || peek(t, 0) != '<')
        return "\\k must be followed by a group's name in angle brackets";
    while (t->at < t->end && *t->at != '>')
        t->at++;
    if (t->at == t->end)
        return "\\k must be followed by a group's name in angle brackets";
    t->at++;
    BUF_ADD(t->out, "\\k");
    buf_add(t->out, str_make(from, (size_t)(t->at - from)));
    return NULL;
}

/* `t->at` is behind the backslash. */
static const char *take_escape(struct translation *t)
{
    if (t->at == t->end)
        return "it ends in a backslash";
    const char c = *t->at++;
    uint32_t point;
    switch (c) {
    case 'd':
    case 'D':
    case 'w':
    case 'W':
        buf_printf(t->out, "\\%c", c);
        return NULL;
    case 'b':
        buf_add(t->out, t->in_class ? LIMEN_STR("\\x{8}") : LIMEN_STR("\\b"));
        return NULL;
    case 'B':
        BUF_ADD(t->out, "\\B");
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
        return NULL;
    }
    return c == '-' ? "\\- is an escape inside of a class only" : "an escape in it is not one of ECMA-262";
}

/* `t->at` is behind the opening bracket. */
static const char *take_class(struct translation *t)
{
    const bool is_negated = peek(t, 0) == '^';
    t->at += is_negated;
    if (peek(t, 0) == ']' && t->at < t->end) {
        t->at++;
        buf_add(t->out, is_negated ? LIMEN_STR("(?s:.)") : LIMEN_STR("(?!)")); /* everything, nothing */
        return NULL;
    }
    t->in_class = true;
    buf_add(t->out, is_negated ? LIMEN_STR("[^") : LIMEN_STR("["));
    while (t->at < t->end && *t->at != ']') {
        const char c = *t->at++;
        const char *wrong = NULL;
        if (c == '\\')
            wrong = take_escape(t);
        else if (c == '[' || c == '^')
            buf_printf(t->out, "\\%c", c); /* no POSIX classes */
        else
            buf_add_char(t->out, c);
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

/* `t->at` is behind the opening parenthesis. */
static const char *take_group(struct translation *t)
{
    BUF_ADD(t->out, "(");
    if (peek(t, 0) != '?')
        return peek(t, 0) == '*' ? "there is nothing to repeat" : NULL;
    const char kind = peek(t, 1), next = peek(t, 2);
    if (kind == ':' || kind == '=' || kind == '!')
        t->at += 2;
    else if (kind == '<' && (next == '=' || next == '!'))
        t->at += 3;
    else if (kind == '<' && (is_letter(next) || next == '_'))
        t->at += 2;
    else
        return "a group in it is not one of ECMA-262";
    if (kind == '<')
        buf_add(t->out, next == '=' ? LIMEN_STR("?<=") : next == '!' ? LIMEN_STR("?<!") : LIMEN_STR("?<"));
    else
        buf_printf(t->out, "?%c", kind);
    return NULL;
}

/* Length of "{2}", "{2,}" or "{2,5}" at `t->at`; 0 when it is none. */
static ptrdiff_t braces(const struct translation *t)
{
    ptrdiff_t length = 1;
    if (peek(t, 0) != '{' || !is_decimal(peek(t, 1)))
        return 0;
    while (is_decimal(peek(t, length)))
        length++;
    if (peek(t, length) == ',') {
        length++;
        while (is_decimal(peek(t, length)))
            length++;
    }
    return peek(t, length) == '}' ? length + 1 : 0;
}

static bool is_repeat(const struct translation *t)
{
    const char c = peek(t, 0);
    return c == '*' || c == '+' || c == '?' || braces(t) > 0;
}

/* A quantifier, lazy or not; PCRE2's possessive ones would be a second quantifier in ECMA-262. */
static const char *take_repeat(struct translation *t)
{
    const ptrdiff_t length = *t->at == '{' ? braces(t) : 1;
    buf_add(t->out, str_make(t->at, (size_t)length));
    t->at += length;
    if (peek(t, 0) == '?') {
        BUF_ADD(t->out, "?");
        t->at++;
    }
    return is_repeat(t) ? "there is nothing to repeat" : NULL;
}

static const char *take_one(struct translation *t)
{
    if (is_repeat(t))
        return take_repeat(t);
    const char c = *t->at++;
    switch (c) {
    case '\\':
        return take_escape(t);
    case '[':
        return take_class(t);
    case '(':
        return take_group(t);
    case '.':
        BUF_ADD(t->out, "[^\\x{a}\\x{d}\\x{2028}\\x{2029}]");
        return NULL;
    case ']':
    case '{':
    case '}':
        buf_printf(t->out, "\\%c", c);
        return NULL; /* lone: themselves */
    default:
        buf_add_char(t->out, c);
        return NULL;
    }
}

const char *pattern_translate(limen_str source, struct buf *out)
{
    struct translation t = { .at = source.ptr, .end = source.ptr + source.len, .out = out };
    if (source.len > 0 && memchr(source.ptr, 0, source.len) != NULL)
        return "it holds a NUL";
    while (t.at != t.end) {
        const char *wrong = take_one(&t);
        if (wrong != NULL)
            return wrong;
    }
    return out->failed ? "it is too long" : NULL;
}
