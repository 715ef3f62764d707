/* Tests of contract/uri.h, with the examples of RFC 3986 section 5.4. */
#include "check.h"

#include "contract/uri.h"

static void check_resolved(const char *base, const char *reference, const char *uri, const char *fragment)
{
    struct arena arena;
    limen_str have, have_fragment;
    arena_init(&arena, NULL, 1024U * 1024);
    assert_true(uri_resolve(str_of(base), str_of(reference), &arena, &have, &have_fragment));
    if (!str_equal(have, str_of(uri)) || !str_equal(have_fragment, str_of(fragment)))
        fail_msg("%s in %s is %.*s # %.*s", reference, base, LIMEN_STR_ARG(have), LIMEN_STR_ARG(have_fragment));
    arena_release(&arena);
}

static void test_references_of_the_rfc(void **state)
{
    (void)state;
    static const struct {
        const char *reference, *uri, *fragment;
    } cases[] = {
        { "g:h", "g:h", "" },
        { "g", "http://a/b/c/g", "" },
        { "./g", "http://a/b/c/g", "" },
        { "g/", "http://a/b/c/g/", "" },
        { "/g", "http://a/g", "" },
        { "//g", "http://g", "" },
        { "?y", "http://a/b/c/d;p?y", "" },
        { "g?y", "http://a/b/c/g?y", "" },
        { "#s", "http://a/b/c/d;p?q", "s" },
        { "g#s", "http://a/b/c/g", "s" },
        { "g?y#s", "http://a/b/c/g?y", "s" },
        { ";x", "http://a/b/c/;x", "" },
        { "g;x?y#s", "http://a/b/c/g;x?y", "s" },
        { "", "http://a/b/c/d;p?q", "" },
        { ".", "http://a/b/c/", "" },
        { "./", "http://a/b/c/", "" },
        { "..", "http://a/b/", "" },
        { "../g", "http://a/b/g", "" },
        { "../..", "http://a/", "" },
        { "../../g", "http://a/g", "" },
        { "../../../g", "http://a/g", "" },
        { "/./g", "http://a/g", "" },
        { "/../g", "http://a/g", "" },
        { "g.", "http://a/b/c/g.", "" },
        { "..g", "http://a/b/c/..g", "" },
        { "./../g", "http://a/b/g", "" },
        { "./g/.", "http://a/b/c/g/", "" },
        { "g/../h", "http://a/b/c/h", "" },
        { "g;x=1/../y", "http://a/b/c/y", "" },
        { "g?y/../x", "http://a/b/c/g?y/../x", "" },
        { "g#s/../x", "http://a/b/c/g", "s/../x" },
        { "http:g", "http:g", "" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_resolved("http://a/b/c/d;p?q", cases[i].reference, cases[i].uri, cases[i].fragment);
}

static void test_bases_of_other_kinds(void **state)
{
    (void)state;
    check_resolved("urn:example:a?=q", "#/x", "urn:example:a?=q", "/x");
    check_resolved("urn:example:a", "b", "urn:b", "");
    check_resolved("http://a", "b", "http://a/b", "");
    check_resolved("file:///", "../common/money.yaml#Cents", "file:///common/money.yaml", "Cents");
    check_resolved("", "http://a/./b", "http://a/b", "");
    check_resolved("", "1a:b", "1a:b", ""); /* no scheme starts with a digit: a path */
}

static void test_percent_encoding(void **state)
{
    (void)state;
    struct arena arena;
    limen_str text;
    arena_init(&arena, NULL, 1024U * 1024);
    assert_true(uri_decode(LIMEN_STR("/a%25b%2Fc%c3%A4"), &arena, &text));
    assert_text(text, "/a%b/c\xc3\xa4");
    assert_true(uri_decode(LIMEN_STR(""), &arena, &text));
    assert_text(text, "");
    static const char *const malformed[] = { "%", "%2", "a%zz", "%2g", "%%25" };
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++)
        assert_false(uri_decode(str_of(malformed[i]), &arena, &text));
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_references_of_the_rfc),
        cmocka_unit_test(test_bases_of_other_kinds),
        cmocka_unit_test(test_percent_encoding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
