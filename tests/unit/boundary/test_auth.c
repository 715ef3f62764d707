/* Tests of boundary/auth.h: cookies and other credentials, the cross-site rule. */
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

static const struct security_scheme bearer = { .kind = SCHEME_BEARER },
                                    key = { .kind = SCHEME_API_KEY, .field = LIMEN_STR_INIT("X-API-Key") },
                                    session = { .kind = SCHEME_SESSION, .field = LIMEN_STR_INIT("__Host-session") };

static void test_credentials_are_found_where_they_belong(void **state)
{
    (void)state;
    static const struct {
        const struct security_scheme *scheme;
        const char *fields;
        enum shown_outcome outcome;
        const char *credential;
    } cases[] = {
        { &bearer, "Authorization: Bearer abc.def-_~+/==\r\n", SHOWN, "abc.def-_~+/==" },
        { &bearer, "authorization: bEARER abc\r\n", SHOWN, "abc" },
        { &bearer, "Authorization: Bearer   abc\r\n", SHOWN, "abc" },
        { &bearer, "Authorization: Basic YTpi\r\n", SHOWN_NOT, "" },
        { &bearer, "X-Authorization: Bearer abc\r\n", SHOWN_NOT, "" },
        { &bearer, "Cookie: Authorization=abc\r\n", SHOWN_NOT, "" },
        { &bearer, "Authorization: Bearer\r\n", SHOWN_BADLY, "" },
        { &bearer, "Authorization: Bearer a b\r\n", SHOWN_BADLY, "" },
        { &bearer, "Authorization: Bearer a,b\r\n", SHOWN_BADLY, "" },
        { &bearer, "Authorization: Bearer ===\r\n", SHOWN_BADLY, "" },
        { &bearer, "Authorization: Bearer a=b\r\n", SHOWN_BADLY, "" },
        { &bearer, "Authorization: Bearer \"abc\"\r\n", SHOWN_BADLY, "" },
        { &key, "X-API-Key: lmk_a\r\n", SHOWN, "lmk_a" },
        { &key, "x-api-key: lmk_a\r\n", SHOWN, "lmk_a" },
        { &key, "X-API-Key: a\r\nx-api-key: a\r\n", SHOWN_BADLY, "" },
        { &key, "X-API-Key:\r\n", SHOWN_BADLY, "" },
        { &key, "Authorization: Bearer lmk_a\r\n", SHOWN_NOT, "" },
        { &session, "Cookie: a=b; __Host-session=t\r\n", SHOWN, "t" },
        { &session, "Cookie: __Host-session=t; __Host-session=t\r\n", SHOWN_BADLY, "" },
        { &session, "Cookie: session=t\r\n", SHOWN_NOT, "" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http_request request;
        char text[512];
        limen_str credential = { 0 };
        parse_request(cases[i].fields, text, sizeof text, &request);
        enum shown_outcome outcome = auth_credential(&request, cases[i].scheme, &credential);
        if (outcome != cases[i].outcome)
            print_error("%s\n", cases[i].fields);
        assert_int_equal(outcome, cases[i].outcome);
        if (outcome == SHOWN)
            assert_true(str_equal(credential, str_of(cases[i].credential)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_cookie_is_found_by_its_whole_name_and_once),
        cmocka_unit_test(test_cross_site_requests_are_known),
        cmocka_unit_test(test_credentials_are_found_where_they_belong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
