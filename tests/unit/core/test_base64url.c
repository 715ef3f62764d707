/* Tests of core/base64url.h. */
#include "core/base64url.h"

#include "check.h"

static void test_the_vectors_of_rfc_4648(void **state)
{
    (void)state;
    static const struct {
        limen_str bytes, text;
    } cases[] = {
        { LIMEN_STR_INIT(""), LIMEN_STR_INIT("") },
        { LIMEN_STR_INIT("f"), LIMEN_STR_INIT("Zg") },
        { LIMEN_STR_INIT("fo"), LIMEN_STR_INIT("Zm8") },
        { LIMEN_STR_INIT("foo"), LIMEN_STR_INIT("Zm9v") },
        { LIMEN_STR_INIT("foob"), LIMEN_STR_INIT("Zm9vYg") },
        { LIMEN_STR_INIT("fooba"), LIMEN_STR_INIT("Zm9vYmE") },
        { LIMEN_STR_INIT("foobar"), LIMEN_STR_INIT("Zm9vYmFy") },
        { LIMEN_STR_INIT("\xfb\xff\xbf"), LIMEN_STR_INIT("-_-_") },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[16];
        uint8_t bytes[16];
        base64url_encode((const uint8_t *)cases[i].bytes.ptr, cases[i].bytes.len, text);
        assert_int_equal(BASE64URL_CHARS(cases[i].bytes.len), cases[i].text.len);
        assert_memory_equal(text, cases[i].text.ptr, cases[i].text.len);
        assert_int_equal(base64url_bytes(cases[i].text.len), cases[i].bytes.len);
        assert_true(base64url_decode(cases[i].text, bytes));
        assert_memory_equal(bytes, cases[i].bytes.ptr, cases[i].bytes.len);
    }
}

static void test_bytes_have_one_text(void **state)
{
    (void)state;
    static const limen_str cases[] = {
        LIMEN_STR_INIT("Z"),                               /* a quarter of nothing */
        LIMEN_STR_INIT("Zm9vY"),   LIMEN_STR_INIT("Zg=="), /* padding */
        LIMEN_STR_INIT("Zh"),                              /* stray bits in the last character */
        LIMEN_STR_INIT("Zm9"),     LIMEN_STR_INIT("Zm9v\n"),
        LIMEN_STR_INIT("Zm 9v"),   LIMEN_STR_INIT("+_-_"), /* plain base64 */
        LIMEN_STR_INIT("-/-_"),    LIMEN_STR_INIT("Zm\0v"),
        LIMEN_STR_INIT("Zm9\xff"), LIMEN_STR_INIT("Zm9?"),
    };
    uint8_t bytes[16];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_false(base64url_decode(cases[i], bytes));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_vectors_of_rfc_4648),
        cmocka_unit_test(test_bytes_have_one_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
