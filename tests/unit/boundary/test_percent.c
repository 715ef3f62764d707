/* Tests of boundary/percent.h. */
#include "contract/check.h"

#include "boundary/percent.h"

static void test_what_is_decoded_and_what_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *raw, *text; /* NULL: refused */
        const char *form;
    } cases[] = {
        { "", "", "" },
        { "abc", "abc", "abc" },
        { "a+b", "a+b", "a b" },
        { "a%2Bb", "a+b", "a+b" },
        { "a%20b", "a b", "a b" },
        { "%41%6a%6A", "Ajj", "Ajj" },
        { "%2541", "%41", "%41" }, /* once, never twice */
        { "%c3%A4", "\xc3\xa4", "\xc3\xa4" },
        { "\xc3\xa4", "\xc3\xa4", "\xc3\xa4" },
        { "%F0%9F%98%80", "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80" },
        { "%", NULL, NULL },
        { "%4", NULL, NULL },
        { "a%", NULL, NULL },
        { "%4g", NULL, NULL },
        { "%g4", NULL, NULL },
        { "% 41", NULL, NULL },
        { "%u0041", NULL, NULL },
        { "%00", NULL, NULL },
        { "a%00b", NULL, NULL },
        { "%ff", NULL, NULL },
        { "%c3", NULL, NULL },
        { "%c0%af", NULL, NULL },       /* overlong */
        { "%ed%a0%80", NULL, NULL },    /* half a surrogate */
        { "%f4%90%80%80", NULL, NULL }, /* past U+10FFFF */
        { "\xff", NULL, NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char memory[64];
        limen_str text;
        const limen_str raw = tight_copy(str_of(cases[i].raw));
        print_message("%s\n", cases[i].raw);
        assert_int_equal(percent_decode(raw, memory, sizeof memory, &text), cases[i].text != NULL);
        if (cases[i].text != NULL)
            assert_text(text, cases[i].text);
        assert_int_equal(percent_decode_form(raw, memory, sizeof memory, &text), cases[i].form != NULL);
        if (cases[i].form != NULL)
            assert_text(text, cases[i].form);
        free((char *)(uintptr_t)raw.ptr);
    }
}

static void test_what_does_not_fit_is_refused(void **state)
{
    (void)state;
    char *memory = malloc(3);
    limen_str text;
    assert_non_null(memory);
    assert_true(percent_decode(LIMEN_STR("a%20b"), memory, 3, &text));
    assert_text(text, "a b");
    assert_false(percent_decode(LIMEN_STR("a%20bc"), memory, 3, &text));
    assert_true(percent_decode(LIMEN_STR(""), memory, 0, &text));
    free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_decoded_and_what_is_refused),
        cmocka_unit_test(test_what_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
