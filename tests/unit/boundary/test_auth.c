/* Tests of boundary/auth.h: cookies, the cross-site rule, roles. */
#include "request.h"

#include "boundary/auth.h"

static void test_a_cookie_is_found_by_its_whole_name_and_once(void **state)
{
    (void)state;
    static const struct {
        const char *fields;
        enum cookie_outcome outcome;
        const char *value;
    } cases[] = {
        { "", COOKIE_ABSENT, "" },
        { "Cookie: __Host-session=abc\r\n", COOKIE_FOUND, "abc" },
        { "Cookie: a=b; __Host-session=abc; c=d\r\n", COOKIE_FOUND, "abc" },
        { "Cookie: a=b;__Host-session=abc;c=d\r\n", COOKIE_FOUND, "abc" },
        { "Cookie: __Host-session=a=b=c\r\n", COOKIE_FOUND, "a=b=c" },
        { "Cookie: __Host-session=\r\n", COOKIE_FOUND, "" },
        { "Cookie: __Host-session\r\n", COOKIE_ABSENT, "" },
        { "Cookie: __host-session=abc\r\n", COOKIE_ABSENT, "" },
        { "Cookie: x__Host-session=abc\r\n", COOKIE_ABSENT, "" },
        { "Cookie: __Host-sessions=abc\r\n", COOKIE_ABSENT, "" },
        { "Cookie: a=__Host-session=abc\r\n", COOKIE_ABSENT, "" },
        { "Cookie: ;;; =; ==;\r\n", COOKIE_ABSENT, "" },
        { "Cookie: __Host-session=abc; __Host-session=abc\r\n", COOKIE_AMBIGUOUS, "abc" },
        { "Cookie: __Host-session=1; __Host-session=2; __Host-session=3\r\n", COOKIE_AMBIGUOUS, "3" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_request request;
        char text[512];
        limen_str value = LIMEN_STR("");
        parse_request(cases[i].fields, text, sizeof text, &request);
        print_message("%s", cases[i].fields);
        assert_int_equal(auth_cookie(&request, LIMEN_STR("__Host-session"), &value), cases[i].outcome);
        assert_text(value, cases[i].value);
    }
}

static void test_cross_site_requests_are_known(void **state)
{
    (void)state;
    static const struct {
        const char *fields;
        bool is_cross_site;
    } cases[] = {
        { "", false },
        { "Sec-Fetch-Site: same-origin\r\n", false },
        { "Sec-Fetch-Site: none\r\n", false },
        { "Sec-Fetch-Site: same-site\r\n", true },
        { "Sec-Fetch-Site: cross-site\r\n", true },
        { "Sec-Fetch-Site: \r\n", true },
        { "Sec-Fetch-Site: Same-Origin\r\n", true },
        { "Sec-Fetch-Site: same-origin, none\r\n", true },
        { "Sec-Fetch-Site: cross-site\r\nOrigin: https://shop.example:8443\r\n", true },
        { "Sec-Fetch-Site: same-origin\r\nOrigin: https://evil.example\r\n", false },
        { "Origin: https://shop.example:8443\r\n", false },
        { "Origin: http://SHOP.example:8443\r\n", false },
        { "Origin: https://shop.example\r\n", true },
        { "Origin: https://shop.example:84430\r\n", true },
        { "Origin: https://evil.example\r\n", true },
        { "Origin: https://shop.example:8443.evil.example\r\n", true },
        { "Origin: https://evil.example/://shop.example:8443\r\n", true },
        { "Origin: shop.example:8443\r\n", true },
        { "Origin: null\r\n", true },
        { "Origin: \r\n", true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_request request;
        char text[512];
        parse_request(cases[i].fields, text, sizeof text, &request);
        print_message("%s", cases[i].fields);
        assert_int_equal(auth_is_cross_site(&request), cases[i].is_cross_site);
    }
}

static void test_roles_are_an_or_of_ands(void **state)
{
    (void)state;
    enum { CUSTOMER = 1, ADMIN = 2, CLERK = 4 };
    struct requirement wanted[] = { { 0, CUSTOMER | CLERK }, { 0, ADMIN } };
    const struct operation operation = { .requirements = wanted, .requirement_count = 2 };
    assert_false(auth_is_allowed(&operation, 0));
    assert_false(auth_is_allowed(&operation, CUSTOMER));
    assert_false(auth_is_allowed(&operation, CLERK));
    assert_true(auth_is_allowed(&operation, CUSTOMER | CLERK));
    assert_true(auth_is_allowed(&operation, ADMIN));
    assert_true(auth_is_allowed(&operation, ADMIN | CUSTOMER));

    struct requirement anyone[] = { { 0, 0 } };
    const struct operation open = { .requirements = anyone, .requirement_count = 1 };
    assert_true(auth_is_allowed(&open, 0));
    const struct operation shut = { .requirement_count = 0 };
    assert_false(auth_is_allowed(&shut, CUSTOMER | ADMIN | CLERK));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_cookie_is_found_by_its_whole_name_and_once),
        cmocka_unit_test(test_cross_site_requests_are_known),
        cmocka_unit_test(test_roles_are_an_or_of_ands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
