/* Tests of the formats. */
#include "check.h"

#include "contract/schema.h"

struct format_case {
    const char *format;
    bool want;
    const char *text;
};

/* Every text is read from a block of exactly its size, and so is each of its prefixes: none may read past the end. */
static void check_cases(const struct format_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const limen_str text = str_of(cases[i].text), format = str_of(cases[i].format);
        for (size_t len = 0; len <= text.len; len++) {
            const limen_str tight = tight_copy(str_slice(text, 0, len));
            const bool have = schema_check_format(format, tight);
            free((char *)tight.ptr);
            if (len == text.len && have != cases[i].want)
                fail_msg("%s is %s%s", cases[i].text, have ? "" : "not ", cases[i].format);
        }
    }
}
#define CHECK(cases) check_cases((cases), sizeof(cases) / sizeof *(cases))

static void test_dates_and_times(void **state)
{
    (void)state;
    static const struct format_case cases[] = {
        { "date", true, "2024-02-29" },
        { "date", false, "2023-02-29" },
        { "date", false, "1900-02-29" },
        { "date", true, "2000-02-29" },
        { "date", false, "2024-04-31" },
        { "date", false, "2024-13-01" },
        { "date", false, "2024-00-10" },
        { "date", false, "2024-1-01" },
        { "date", false, "2024-01-01 " },
        { "date", false, "20240101" },
        { "date", false, "-024-01-01" },
        { "date", true, "0000-01-01" },
        { "time", true, "23:59:60Z" },
        { "time", false, "23:58:60Z" },
        { "time", true, "08:59:60+09:00" },
        { "date-time", true, "2016-12-31T23:59:60Z" },
        { "date-time", true, "2017-01-01t08:59:60.5+09:00" },
        { "date-time", false, "2016-12-30T23:59:60Z" },
        { "date-time", true, "9999-12-31T23:59:59Z" },
        { "date-time", false, "9999-12-31T23:59:59-00:01" },
        { "date-time", true, "0000-01-01T00:00:00Z" },
        { "date-time", false, "0000-01-01T00:00:00+00:01" },
        { "time", false, "12:00:00" },
        { "time", false, "12:00:00.Z" },
        { "time", true, "12:00:00.000000001z" },
        { "time", false, "24:00:00Z" },
        { "date-time", true, "2026-01-31T09:30:00Z" },
        { "date-time", true, "2026-01-31t09:30:00.5+05:30" },
        { "date-time", false, "2026-01-31 09:30:00Z" },
        { "date-time", false, "2026-01-31T09:30:00" },
        { "date-time", false, "2026-01-31T09:30Z" },
        { "date-time", false, "2026-02-30T09:30:00Z" },
        { "date-time", false, "2026-01-31" },
        { "duration", true, "P1DT2H" },
        { "duration", true, "P3W" },
        { "duration", false, "P" },
        { "duration", false, "PT" },
        { "duration", false, "P1D2H" },
        { "duration", false, "P1Y2D" },
        { "duration", false, "P1W2D" },
        { "duration", true, "PT36H" },
    };
    CHECK(cases);
}

static void test_addresses(void **state)
{
    (void)state;
    static const struct format_case cases[] = {
        { "ipv4", true, "127.0.0.1" },
        { "ipv4", false, "127.0.0.256" },
        { "ipv4", false, "127.0.0.01" },
        { "ipv4", false, "127.0.0" },
        { "ipv4", false, "127.0.0.1." },
        { "ipv4", false, "1e1.0.0.1" },
        { "ipv4", false, "2130706433" },
        { "ipv4", false, "" },
        { "ipv6", true, "::" },
        { "ipv6", true, "::1" },
        { "ipv6", true, "fe80::1:2" },
        { "ipv6", true, "::ffff:10.0.0.1" },
        { "ipv6", true, "1:2:3:4:5:6:7:8" },
        { "ipv6", true, "1:2:3:4:5:6:7::" },
        { "ipv6", false, "1:2:3:4:5:6:7:8::" },
        { "ipv6", false, "1::2::3" },
        { "ipv6", false, ":1" },
        { "ipv6", false, "1:" },
        { "ipv6", false, "::1%eth0" },
        { "ipv6", false, "12345::" },
        { "ipv6", false, "1:2:3:4:5:6:7" },
        { "ipv6", false, ":::" },
        { "ipv6", false, "[::1]" },
        { "hostname", true, "www.example.com" },
        { "hostname", true, "a" },
        { "hostname", false, "a_b" },
        { "hostname", false, "-a" },
        { "hostname", false, "a-" },
        { "hostname", false, "a..b" },
        { "hostname", false, "a." },
        { "hostname", false, "a-.b" },
        { "hostname", false, "m\xc3\xbcller.de" },
        { "hostname", false, "" },
        { "hostname", false, "a b" },
        { "uuid", true, "2EB8AA08-aa98-11ea-b4aa-73b441d16380" },
        { "uuid", false, "2eb8aa08-aa98-11ea-b4aa-73b441d1638" },
        { "uuid", false, "2eb8aa08aa9811eab4aa73b441d16380" },
        { "uuid", false, "2eb8aa08-aa98-11ea-b4aa-73b441d1638g" },
    };
    CHECK(cases);
}

static void test_emails(void **state)
{
    (void)state;
    static const struct format_case cases[] = {
        { "email", true, "joe.bloggs+shop@example.com" },
        { "email", true, "\"joe @ bloggs\\\"\"@example.com" },
        { "email", true, "a@[127.0.0.1]" },
        { "email", true, "a@[IPv6:::1]" },
        { "email", false, "a@[::1]" },
        { "email", false, "a" },
        { "email", false, "@example.com" },
        { "email", false, "a@" },
        { "email", false, ".a@example.com" },
        { "email", false, "a..b@example.com" },
        { "email", false, "a.@example.com" },
        { "email", false, "a b@example.com" },
        { "email", false, "a@b@example.com" },
        { "email", false, "a@example.com\r\nBcc: x" },
        { "email", false, "\"a@example.com" },
        { "email", false, "\"a\"b@example.com" },
        { "email", false, "m\xc3\xbc@example.com" },
        { "email", true, "0123456789012345678901234567890123456789012345678901234567890123@example.com" },
        { "email", false, "01234567890123456789012345678901234567890123456789012345678901234@example.com" },
    };
    CHECK(cases);
}

static void test_uris(void **state)
{
    (void)state;
    static const struct format_case cases[] = {
        { "uri", true, "https://user:pw@example.com:8080/a/b;c?d=e#f" },
        { "uri", true, "mailto:a@example.com" },
        { "uri", true, "http://[::1]:80/" },
        { "uri", true, "urn:isbn:0451450523" },
        { "uri", false, "/a/b" },
        { "uri", false, "a" },
        { "uri", false, "http://example.com/a b" },
        { "uri", false, "http://example.com/%zz" },
        { "uri", false, "http://[::1" },
        { "uri", false, "http://a:b/" },
        { "uri", false, "1http://a" },
        { "uri", false, "http://a\\b" },
        { "uri", false, "" },
        { "uri", false, "http://ex\xc3\xa4mple.com" },
        { "iri", true, "http://ex\xc3\xa4mple.com" },
        { "iri", false, "//a" },
        { "uri-reference", true, "//a/b?c" },
        { "uri-reference", true, "" },
        { "uri-reference", false, "\\\\a" },
        { "uri-reference", true, "./a:b" },
        { "uri-reference", false, "a{b}" },
        { "iri-reference", true, "\xc3\xa4" },
        { "uri-template", true, "/a/{b}{?c*,d:3}" },
        { "uri-template", false, "/a/{b" },
        { "uri-template", false, "/a/{}" },
        { "uri-template", false, "/a/{b:0}" },
        { "uri-template", false, "a}" },
        { "json-pointer", true, "/a/~0~1" },
        { "json-pointer", false, "/a/~2" },
        { "json-pointer", false, "a" },
        { "json-pointer", true, "" },
        { "relative-json-pointer", true, "0#" },
        { "relative-json-pointer", true, "12/a" },
        { "relative-json-pointer", false, "01/a" },
        { "relative-json-pointer", false, "/a" },
    };
    CHECK(cases);
}

/* ---- names in all scripts --------------------------------------------------------------------------------------- */
#define HEBREW_A "\xd7\x90"

static void test_international_host_names(void **state)
{
    (void)state;
    static const struct format_case cases[] = {
        { "idn-hostname", true,
          "b\xc3\xbc"
          "cher.example" },
        { "idn-hostname", false,
          "B\xc3\xbc"
          "CHER" }, /* IDNA 2008 has no capitals */
        { "idn-hostname", true, "example.com" },
        { "idn-hostname", true, "xn--bcher-kva.example" },
        { "idn-hostname", true, "XN--BCHER-KVA.example" }, /* the case of an A-label is of no matter */
        { "idn-hostname", true,
          "a\xe3\x80\x82"
          "b" }, /* U+3002 separates too */
        { "idn-hostname", false, "" },
        { "idn-hostname", false, "a..b" },
        { "idn-hostname", false, "a." },
        { "idn-hostname", false, "a_b" },
        { "idn-hostname", false, "ab--c" },
        { "idn-hostname", false, "-\xc3\xbc" },
        { "idn-hostname", false, "u\xcc\x88" }, /* not in NFC */
        { "idn-hostname", false, "xn--u-ccb" }, /* and so encoded */
        { "idn-hostname", false,
          "\xe2\x98\x83"
          "a" }, /* a snowman */
        { "idn-hostname", false, "xn--" },
        { "idn-hostname", false, "\xc3" }, /* not UTF-8 */
        { "idn-hostname", true, HEBREW_A ".a" },
        { "idn-hostname", false, HEBREW_A ".1a" }, /* a digit first, beside right to left */
        { "idn-hostname", true, "1a.b" },
        { "idn-hostname", false, HEBREW_A "1\xd9\xa1" }, /* two kinds of digits */
        { "hostname", true, "xn--bcher-kva.example" },
        { "hostname", false,
          "b\xc3\xbc"
          "cher.example" },
        { "hostname", false, "xn--u-ccb.example" },
        { "hostname", false, "a.xn--x" },
        { "email", true, "a@xn--bcher-kva.example" },
        { "email", false, "a@xn--u-ccb.example" },
        { "email", false, "\xc3\xbc@example.com" },
        { "idn-email", true,
          "\xc3\xbc@b\xc3\xbc"
          "cher.example" },
        { "idn-email", true,
          "a@bu\xcc\x88"
          "cher.example" }, /* normalised before it is looked up */
        { "idn-email", true, "\"\xc3\xbc b\"@example.com" },
        { "idn-email", true, "a@[192.0.2.1]" },
        { "idn-email", false, "\xc3\xbc@" },
        { "idn-email", false, "\xc3@example.com" },
        { "idn-email", false, "a b@example.com" },
        { "idn-email", false, "a@\xe2\x98\x83.example" },
        { "regex", true, "^\\p{L}(?<n>[^\\]a-z]|x{2,3}?)\\k<n>(?<!b+)$" },
        { "regex", false, "(" },
        { "regex", false, "a{2,1}" },
        { "regex", false, "\\a" },
    };
    CHECK(cases);
}

/* A name of 253 bytes in A-labels is the longest; its text may be longer. */
static void test_the_length_of_an_international_name(void **state)
{
    (void)state;
    char text[1024];
    const char *label =
        "\xe5\xa4\xa9\xe5\xa4\xa9\xe5\xa4\xa9\xe5\xa4\xa9\xe5\xa4\xa9."; /* xn--rss + 4, in all 11 or so */
    size_t len = 0;
    bool was_true = false, is_true = true;
    for (int i = 0; i < 60; i++) {
        len += (size_t)snprintf(text + len, sizeof text - len, "%s", label);
        is_true = schema_check_format(LIMEN_STR("idn-hostname"), str_make(text, len - 1));
        was_true = was_true || is_true;
    }
    assert_true(was_true);
    assert_false(is_true);
}

static void test_names_of_formats(void **state)
{
    (void)state;
    assert_true(schema_knows_format(LIMEN_STR("date-time")));
    assert_true(schema_knows_format(LIMEN_STR("int64")));
    assert_true(schema_knows_format(LIMEN_STR("password")));
    assert_false(schema_knows_format(LIMEN_STR("byte")));
    assert_false(schema_knows_format(LIMEN_STR("datetime")));
    assert_false(schema_knows_format(LIMEN_STR("")));
    assert_false(schema_check_format(LIMEN_STR("datetime"), LIMEN_STR("x")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dates_and_times),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_emails),
        cmocka_unit_test(test_uris),
        cmocka_unit_test(test_international_host_names),
        cmocka_unit_test(test_the_length_of_an_international_name),
        cmocka_unit_test(test_names_of_formats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
