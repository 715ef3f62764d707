/* Tests of contract/pattern.h: patterns mean what ECMA-262 says, and their work is bounded. */
#include "check.h"

#include "contract/pattern.h"
#include "contract/pattern_plain.h"
#include "core/limits.h"

#include <time.h>

struct fixture {
    struct arena arena;
    struct pattern_engine *engine;
};

static int setup(void **state)
{
    static struct fixture f;
    arena_init(&f.arena, NULL, 512U * 1024 * 1024);
    f.engine = pattern_engine_new();
    *state = &f;
    return f.engine == NULL;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    pattern_engine_free(f->engine);
    arena_release(&f->arena);
    return 0;
}

static enum pattern_outcome match(struct fixture *f, const char *source, limen_str text)
{
    limen_str why = { NULL, 0 };
    const struct pattern *pattern = pattern_compile(f->engine, &f->arena, str_of(source), &why);
    if (pattern == NULL)
        fail_msg("%s is refused: %.*s", source, LIMEN_STR_ARG(why));
    const limen_str tight = tight_copy(text);
    const enum pattern_outcome outcome = pattern_match(pattern, tight, NULL);
    free((char *)tight.ptr);
    return outcome;
}

static void test_what_matches(void **state)
{
    static const struct {
        const char *source, *text;
        bool want;
    } cases[] = {
        { "^sku_[a-z0-9]{1,32}$", "sku_abc", true },
        { "^sku_[a-z0-9]{1,32}$", "sku_abc\n", false }, /* $ is the very end */
        { "^sku_[a-z0-9]{1,32}$", "xsku_abc", false },
        { "^sku_[a-z0-9]{1,32}$", "sku_", false },
        { "b", "abc", true },                /* not anchored */
        { "^.$", "\xf0\x9f\x98\x80", true }, /* one code point */
        { "^.$", "\xe2\x80\xa8", false },    /* U+2028 ends a line */
        { "^.$", "\v", true },
        { "^\\d$", "\xd9\xa1", false }, /* ASCII digits only */
        { "^\\w$", "\xc3\xa4", false },
        { "^\\s$", "\xc2\xa0", true },
        { "^\\s$", "\xef\xbb\xbf", true },
        { "^[\\s]$", "\xe2\x80\x8a", true },
        { "^\\S$", "\xc2\xa0", false },
        { "^[^\\S]$", "\xc2\xa0", true },
        { "^[\\S]$", "\xe2\x80\x8b", true },
        { "^\\v$", "\x0b", true },
        { "^\\v$", "\n", false }, /* in PCRE2 \v is a set */
        { "^\\t\\n\\f\\r$", "\t\n\f\r", true },
        { "^[\\t-\\r]$", "\v", true },
        { "^\\n$", "\r", false },
        { "^\\p{scx=Greek}\\p{sc=Greek}$", "\xce\xb1\xce\xb2", true },
        { "^(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)\\10$", "abcdefghijj", true },
        { "^\\cA$", "\x01", true },
        { "^\\x41\\u0042\\u{43}\\ud83d\\ude00$", "ABC\xf0\x9f\x98\x80", true },
        { "^[\\ud83d\\ude00-\\ud83d\\ude02]$", "\xf0\x9f\x98\x81", true },
        { "^\\p{Letter}\\p{Lu}\\P{L}\\p{Script=Greek}$",
          "\xc3\xa4"
          "A1\xce\xb1",
          true },
        { "^\\p{gc=Decimal_Number}$", "\xd9\xa1", true },
        { "^[[:alpha:]\\]$", "a]", true }, /* no POSIX classes: this one is followed by a bracket */
        { "^[a[b]$", "[", true },
        { "^[a\\-z]$", "b", false },
        { "^[-a]$", "-", true },
        { "^[a-]$", "-", true },
        { "^[--/]$", ".", true },
        { "^[\\w-]$", "-", true },
        { "^[^\\^]$", "^", false },
        { "^[\xc3\xa4-\xc3\xbc]$", "\xc3\xb6", true },
        { "^[\\b]$", "\b", true },
        { "[]", "a", false },
        { "^[^]$", "\n", true },
        { "^a\\{,3\\}$", "a{,3}", true },
        { "^(?<=^|x)a{2}$", "aa", true },
        { "^(?:a|b){2,}$", "abab", true },
        { "(a)|b", "cb", true },
        { "^\\k<x>(?<x>a)$", "a", true }, /* a group that has not matched is empty */
        { "^(?<a_1>a)(?:\\1|\\k<a_1>)$", "aa", true },
        { "^(?:a|b)+?(?=c)c(?!d)$", "abc", true },
        { "^(?<x>a)\\k<x>\\1$", "aaa", true },
        { "^[\\-]$", "-", true },
        { "", "anything", true },
        { "^$", "", true },
        { "^\\0$", "x", false },
        { "#\\*", "a#*", true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const enum pattern_outcome outcome = match(*state, cases[i].source, str_of(cases[i].text));
        if (outcome != (cases[i].want ? PATTERN_MATCHES : PATTERN_DIFFERS))
            fail_msg("%s on \"%s\": outcome %d", cases[i].source, cases[i].text, (int)outcome);
    }
    assert_int_equal(match(*state, "^\\0$", LIMEN_STR("\0")), PATTERN_MATCHES);
}

static void test_what_is_refused(void **state)
{
    static const char *const sources[] = {
        "(",
        ")",
        "[a",
        "a**",
        "a++",
        "a?+",
        "*a",
        "+",
        "?",
        "(*UTF)",
        "(?i)a",
        "(?>a)",
        "(?P<n>a)",
        "(?#x)",
        "\\A",
        "\\Z",
        "\\z",
        "\\Q",
        "\\E",
        "\\h",
        "\\R",
        "\\K",
        "\\G",
        "\\X",
        "\\N",
        "\\a",
        "\\e",
        "\\-",
        "\\_",
        "\\u12",
        "\\u{110000}",
        "\\ud83d",
        "\\ud83d\\u0041",
        "\\u{}",
        "\\u{41",
        "\\x1",
        "\\c1",
        "\\01",
        "\\p",
        "\\p{",
        "\\p{No_Such=L}",
        "\\p{Nothing_Like_It}",
        "[z-a]",
        "[\\d-z]",
        "[a-\\w]",
        "a{2,1}",
        "a{,3}",
        "a{65536}",
        "a{3,65536}",
        "^*",
        "$+",
        "\\b?",
        "a|*",
        "(?:*)",
        "(?=a)*",
        "(?<=a)+",
        "(?<!a){2}",
        "a{2}{3}",
        "]",
        "a]",
        "}",
        "{",
        "{1}",
        "(a))",
        "((a)",
        "(?<1>a)",
        "(?<>a)",
        "(?<a>b)(?<a>c)",
        "(?<a-b>c)",
        "(?",
        "\\k<x>(?<y>a)",
        "(a)\\2",
        "\\",
        "\\k",
        "\\k<x>",
        "\\2",
        "[\\1]",
        "[\\B]",
        "a\\/\\-",
        "(?<=a*)b",
        "a{99999}",
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        limen_str why = { NULL, 0 };
        if (pattern_compile(f->engine, &f->arena, str_of(sources[i]), &why) != NULL)
            fail_msg("%s is taken", sources[i]);
        assert_true(why.len > 0);
    }
    limen_str why;
    assert_null(pattern_compile(f->engine, &f->arena, LIMEN_STR("a\0b"), &why));
}

/* ---- plain patterns -------------------------------------------------------------------------------------------- */
static void test_which_patterns_are_plain(void **state)
{
    struct fixture *f = *state;
    static const char *const plain[] = {
        "^$",
        "^abc$",
        "^sku_[a-z0-9]{1,32}$",
        "^[A-Z]{3}$",
        "^[0-9A-Za-z_-]+$",
        "^\\d{4}-\\d\\d$",
        "^a?b*c$",
        "^[\\w.-]+@x$",
        "^a\\.b$",
        "^[a\\]]$",
        "^/[a-z]+/\\d+$",
        "^[a-c]*[x-z]+[0-9]?$",
        "^[-a]$",
        "^a{2}a$",
    };
    static const char *const others[] = {
        "abc",
        "^abc",
        "abc$",
        "^a|b$",
        "^(a)$",
        "^a+ab$",
        "^a?a$",
        "^[a-z]*\\d?q$",
        "^.$",
        "^[^a]$",
        "^\\s$",
        "^a+?$",
        "^\\bx$",
        "^\\u0041$",
        "^\xc3\xa4$",
        "^[\xc3\xa4]$",
        "^a$b$",
        "^^a$",
        "^a{,3}$",
        "^[]$",
        "^(?:a)$",
        "^a\\$",
        "^[ab][ab][ab][ab][ab][ab][ab][ab][ab]$",
    };
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        if (plain_compile(str_of(plain[i]), &f->arena) == NULL)
            fail_msg("%s should be plain", plain[i]);
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (plain_compile(str_of(others[i]), &f->arena) != NULL)
            fail_msg("%s should not be plain", others[i]);
    }
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525U + 1013904223U;
    return *seed >> 8;
}

/* The same expression in a group is not plain, so PCRE2 matches it. */
static void test_plain_patterns_match_what_pcre2_matches(void **state)
{
    struct fixture *f = *state;
    static const char *const atoms[] = { "a", "b", "ab", "[ab]", "[a-c]", "\\d", "\\w", "[^a]", "[-.]", "\\." };
    static const char *const counts[] = { "", "", "", "?", "*", "+", "{2}", "{1,2}", "{0,3}", "{2,}" };
    uint32_t seed = 7;
    unsigned compared = 0;
    for (int round = 0; round < 3000; round++) {
        struct buf source;
        limen_str why;
        char text[8];
        buf_init(&source, &f->arena, 64);
        BUF_ADD(&source, "^");
        for (uint32_t i = next_random(&seed) % 5; i > 0; i--) {
            buf_add(&source, str_of(atoms[next_random(&seed) % 10]));
            buf_add(&source, str_of(counts[next_random(&seed) % 10]));
        }
        BUF_ADD(&source, "$");
        const struct plain_pattern *plain = plain_compile(buf_str(&source), &f->arena);
        if (plain == NULL)
            continue;
        const struct pattern *grouped = pattern_compile(
            f->engine, &f->arena, arena_printf(&f->arena, "(?:%.*s)", LIMEN_STR_ARG(buf_str(&source))), &why);
        assert_non_null(grouped);
        for (int i = 0; i < 50; i++, compared++) {
            const size_t len = next_random(&seed) % sizeof text;
            for (size_t j = 0; j < len; j++)
                text[j] = "abc1.-_\n"[next_random(&seed) % 8];
            const bool want = pattern_match(grouped, str_make(text, len), NULL) == PATTERN_MATCHES;
            if (plain_matches(plain, text, len) != want)
                fail_msg("%.*s and \"%.*s\": should be %d", LIMEN_STR_ARG(buf_str(&source)), (int)len, text, want);
        }
    }
    assert_true(compared > 20000);
}

/* A text that is refused by its pattern only at its end, and is long. */
static limen_str long_text(struct fixture *f, size_t bytes)
{
    char *text = arena_alloc(&f->arena, bytes);
    assert_non_null(text);
    memset(text, 'a', bytes);
    text[bytes - 1] = '!';
    return str_make(text, bytes);
}

/* Patterns that are known for taking a power of the text's length, or two to that power. LIMEN_PATTERN_TIMES=1 prints how long each
 * text took. */
static const char *const greedy[] = {
    "^(a+)+$",
    "^(a|aa)+$",
    "^([a-z]+\\d?)+$",
    "^((a*)*)*$",
    "^(\\w+\\s?)*$",
    "(x+x+)+y",
    "^(.*a){20}$",
    "^.*.*.*.*=$",
    "^a*a*a*a*a*[bc]$",
    "a+$",
    "[a-z]+[bc]$",
    "^[a-z]*[a-z]*\\d",
    "(?:a|a){0,14}[xy]",
    "(?:a|a)(?:a|a)(?:a|a)(?:a|a)(?:a|a)(?:a|a)(?:a|a)(?:a|a)[xy]",
    "a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?[xy]",
    "b|a*[xy]",
    "^(?:(?=[a-z]*[0-9!])[a-z])*$",
    "^(?:(?![a-z]*[0-9])[a-z])*$",
    "(?:a{1000}){1,1000}[xy]",
    "[a-z]{20000}[xy]",
    "^([a-z]*)\\1[xy]",
    "(a+)\\1+[xy]",
    "^(?<x>[a-z]*)(?:\\k<x>|b)*[xy]",
    "(?<=a|aa)a*[xy]",
    "(?:.*?,?){30}[xy]",
};

static int64_t cpu_us(void)
{
    struct timespec now;
    assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now), 0);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void test_work_is_bounded(void **state)
{
    static const size_t lengths[] = { 64, 5000, 100000, 4U * 1024 * 1024 };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof greedy / sizeof *greedy; i++) {
        for (size_t j = 0; j < sizeof lengths / sizeof *lengths; j++) {
            const limen_str text = long_text(f, lengths[j]);
            const int64_t before_us = cpu_us();
            const enum pattern_outcome outcome = match(f, greedy[i], text);
            const int64_t took_us = cpu_us() - before_us;
            if (getenv("LIMEN_PATTERN_TIMES") != NULL)
                print_message("%8.3f ms  %zu bytes  outcome %d  %s\n", (double)took_us / 1e3, lengths[j], (int)outcome,
                              greedy[i]);
            assert_true(outcome != PATTERN_MATCHES);
            assert_true(
                took_us
                < 5000000); /* a hundred times what it takes, and nothing beside what it would without a bound */
        }
    }
    assert_int_equal(match(f, "^(a+)+$", long_text(f, 64)), PATTERN_GAVE_UP);
    assert_int_equal(match(f, "a+$", long_text(f, 100000)), PATTERN_GAVE_UP);
    assert_int_equal(match(f, "(?:a|a){0,14}[xy]", long_text(f, 5000)), PATTERN_GAVE_UP);
    /* and the next match is not harmed */
    assert_int_equal(match(f, "^(a)", long_text(f, 64)), PATTERN_MATCHES);
}

/* The bound is for what is more than linear. */
static void test_long_texts_match_where_work_is_linear(void **state)
{
    struct fixture *f = *state;
    const limen_str text = long_text(f, 1024U * 1024);
    assert_int_equal(match(f, "^[a-z]*!$", text), PATTERN_MATCHES);
    assert_int_equal(match(f, "!", text), PATTERN_MATCHES);
    assert_int_equal(match(f, "[A-Z]", text), PATTERN_DIFFERS);
    assert_int_equal(match(f, "^[a-z]+(?:-[a-z]+)*!$", text), PATTERN_MATCHES);
    assert_int_equal(match(f, "^(?:a{10})*a*!$", long_text(f, 50000)), PATTERN_MATCHES);
}

static void test_patterns_have_a_length(void **state)
{
    struct fixture *f = *state;
    char source[LIMIT_PATTERN_BYTES + 1];
    limen_str why;
    memset(source, 'a', sizeof source);
    assert_non_null(pattern_compile(f->engine, &f->arena, str_make(source, LIMIT_PATTERN_BYTES), &why));
    assert_null(pattern_compile(f->engine, &f->arena, str_make(source, LIMIT_PATTERN_BYTES + 1), &why));
    memset(source, '(', sizeof source);
    assert_non_null(pattern_fault(str_make(source, LIMIT_PATTERN_BYTES)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_matches),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_which_patterns_are_plain),
        cmocka_unit_test(test_plain_patterns_match_what_pcre2_matches),
        cmocka_unit_test(test_work_is_bounded),
        cmocka_unit_test(test_long_texts_match_where_work_is_linear),
        cmocka_unit_test(test_patterns_have_a_length),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
