/* Tests of the report of a contract (contract/report.c). */
#include "contract_check.h"

static void test_the_report_has_a_line_for_each_operation(void **state)
{
    (void)state;
    struct fixture f;
    load(&f, str_of(whole));
    assert_true(f.is_loaded);
    static const struct {
        enum report_format format;
        const char *holds;
    } cases[] = {
        { REPORT_TABLE, "makeThing" },
        { REPORT_MARKDOWN, "| makeThing |" },
        { REPORT_HTML, "<td>" },
        { REPORT_JSON, "\"makeThing\"" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out;
        buf_init(&out, &f.arena, 1024);
        contract_report(&f.contract, cases[i].format, /* colour= */ false, &out);
        assert_false(out.failed);
        if (str_find(buf_str(&out), str_of(cases[i].holds), 0) == SIZE_MAX)
            fail_msg("%.*s", LIMEN_STR_ARG(buf_str(&out)));
        assert_true(str_find(buf_str(&out), LIMEN_STR("customer"), 0) != SIZE_MAX);
        assert_true(str_find(buf_str(&out), LIMEN_STR("\x1b"), 0) == SIZE_MAX);
    }
    unload(&f);
}

static void test_the_page_of_a_report_is_escaped(void **state)
{
    (void)state;
    struct fixture f;
    struct buf out;
    char text[8192];
    load(&f, changed(text, sizeof text, "title: Test", "title: '<script>alert(\"&amp;\")</script>'"));
    assert_true(f.is_loaded);
    buf_init(&out, &f.arena, 1024);
    contract_report(&f.contract, REPORT_HTML, /* colour= */ false, &out);
    assert_true(str_find(buf_str(&out), LIMEN_STR("<script"), 0) == SIZE_MAX);
    assert_true(str_find(buf_str(&out), LIMEN_STR("&lt;script&gt;alert(&quot;&amp;amp;&quot;)&lt;"), 0) != SIZE_MAX);
    unload(&f);
}

static void test_the_report_says_who_and_what_in_words(void **state)
{
    (void)state;
    struct fixture f;
    struct buf out;
    char text[8192];
    load(&f,
         changed(text, sizeof text, "[{ session: [customer] }]",
                 "[{ session: [customer, admin] }, { session: [admin] }]"));
    assert_true(f.is_loaded);
    buf_init(&out, &f.arena, 1024);
    contract_report(&f.contract, REPORT_MARKDOWN, /* colour= */ false, &out);
    assert_true(str_find(buf_str(&out), LIMEN_STR("session: customer and admin or session: admin"), 0) != SIZE_MAX);
    buf_init(&out, &f.arena, 1024);
    contract_report(&f.contract, REPORT_TABLE, /* colour= */ true, &out);
    assert_true(str_find(buf_str(&out), LIMEN_STR("\x1b[1m"), 0) != SIZE_MAX);
    assert_true(str_find(buf_str(&out), LIMEN_STR("\x1b[0m\n"), 0) != SIZE_MAX);
    unload(&f);
    load(&f,
         changed(text, sizeof text, "{ application/json: { schema: { $ref: '#/components/schemas/Thing' } } }\n",
                 "{ application/json: { schema: { type: array, maxItems: 3, items: { type: string, maxLength: 80 } } } "
                 "}\n"));
    assert_true(f.is_loaded);
    buf_init(&out, &f.arena, 1024);
    contract_report(&f.contract, REPORT_MARKDOWN, /* colour= */ false, &out);
    assert_true(str_find(buf_str(&out), LIMEN_STR("array"), 0) != SIZE_MAX);
    unload(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_report_has_a_line_for_each_operation),
        cmocka_unit_test(test_the_page_of_a_report_is_escaped),
        cmocka_unit_test(test_the_report_says_who_and_what_in_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
