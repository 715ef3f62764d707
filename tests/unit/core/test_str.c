/* Tests of core/str.h. */
#include "check.h"

#include "core/arena.h"

#include <stdio.h>
#include <stdlib.h>

static const limen_str none = { NULL, 0 };

static void test_equality_and_order(void **state)
{
    (void)state;
    assert_true(str_equal(none, LIMEN_STR("")));
    assert_false(str_equal(LIMEN_STR("a"), LIMEN_STR("ab")));
    assert_true(str_equal_nocase(LIMEN_STR("Content-TYPE"), LIMEN_STR("content-type")));
    assert_false(str_equal_nocase(LIMEN_STR("@["), LIMEN_STR("`{"))); /* one bit apart, and no letters */
    assert_false(str_equal_nocase(LIMEN_STR("\xc4"), LIMEN_STR("\xe4")));
    assert_int_equal(str_compare(none, none), 0);
    assert_true(str_compare(LIMEN_STR("a"), LIMEN_STR("ab")) < 0);
    assert_true(str_compare(LIMEN_STR("\xff"), LIMEN_STR("a")) > 0);
    assert_true(str_compare(LIMEN_STR("b"), none) > 0);
}

static void test_prefixes_and_suffixes(void **state)
{
    (void)state;
    assert_true(str_starts(LIMEN_STR("/api/x"), LIMEN_STR("/api/")));
    assert_false(str_starts(LIMEN_STR("/ap"), LIMEN_STR("/api/")));
    assert_true(str_starts(none, none));
    assert_true(str_ends(LIMEN_STR("a.json"), LIMEN_STR(".json")));
    assert_false(str_ends(LIMEN_STR("json"), LIMEN_STR(".json")));
    assert_true(str_ends(none, LIMEN_STR("")));
}

static void test_find_within_bounds(void **state)
{
    (void)state;
    limen_str s = LIMEN_STR("abcabc");
    assert_int_equal(str_find_char(s, 'c', 0), 2);
    assert_int_equal(str_find_char(s, 'c', 3), 5);
    assert_true(str_find_char(s, 'c', 6) == SIZE_MAX);
    assert_true(str_find_char(s, 'c', SIZE_MAX) == SIZE_MAX);
    assert_true(str_find_char(str_make(s.ptr, 2), 'c', 0) == SIZE_MAX);
    assert_int_equal(str_find(s, LIMEN_STR("bc"), 2), 4);
    assert_true(str_find(s, LIMEN_STR("bc"), 5) == SIZE_MAX);
    assert_true(str_find(s, LIMEN_STR("abcabcd"), 0) == SIZE_MAX);
    assert_int_equal(str_find(s, none, 6), 6);
    assert_true(str_find(s, none, 7) == SIZE_MAX);
    assert_true(str_find(none, LIMEN_STR("a"), 0) == SIZE_MAX);
}

static void test_slice_clamps(void **state)
{
    (void)state;
    limen_str s = LIMEN_STR("hello");
    assert_text(str_slice(s, 1, 3), "el");
    assert_text(str_slice(s, 3, 99), "lo");
    assert_text(str_slice(s, 4, 2), "");
    assert_text(str_slice(s, 99, SIZE_MAX), "");
    assert_int_equal(str_slice(none, 3, 9).len, 0);
}

static void test_trim_both_ends(void **state)
{
    (void)state;
    assert_text(str_trim(LIMEN_STR(" \t\r\na b\v \n")), "a b\v");
    assert_text(str_trim(LIMEN_STR(" \t ")), "");
    assert_text(str_trim(none), "");
}

static void test_cut_walks_a_list(void **state)
{
    (void)state;
    limen_str rest = LIMEN_STR("a,,b");
    assert_text(str_cut(&rest, ','), "a");
    assert_text(str_cut(&rest, ','), "");
    assert_text(str_cut(&rest, ','), "b");
    assert_text(rest, "");
    assert_text(str_cut(&rest, ','), "");
}

static void test_int64_takes_one_spelling_only(void **state)
{
    (void)state;
    static const struct {
        limen_str text;
        bool is_good;
        int64_t value;
    } cases[] = {
        { LIMEN_STR_INIT("0"), true, 0 },
        { LIMEN_STR_INIT("-5"), true, -5 },
        { LIMEN_STR_INIT("9223372036854775807"), true, INT64_MAX },
        { LIMEN_STR_INIT("-9223372036854775808"), true, INT64_MIN },
        { LIMEN_STR_INIT("9223372036854775808"), false, 0 },
        { LIMEN_STR_INIT("-9223372036854775809"), false, 0 },
        { LIMEN_STR_INIT("9999999999999999999"), false, 0 },
        { LIMEN_STR_INIT("18446744073709551617"), false, 0 },
        { LIMEN_STR_INIT(""), false, 0 },
        { LIMEN_STR_INIT("-"), false, 0 },
        { LIMEN_STR_INIT("-0"), false, 0 },
        { LIMEN_STR_INIT("05"), false, 0 },
        { LIMEN_STR_INIT("-05"), false, 0 },
        { LIMEN_STR_INIT("+5"), false, 0 },
        { LIMEN_STR_INIT(" 5"), false, 0 },
        { LIMEN_STR_INIT("5 "), false, 0 },
        { LIMEN_STR_INIT("5\0"), false, 0 },
        { LIMEN_STR_INIT("--5"), false, 0 },
        { LIMEN_STR_INIT("1e3"), false, 0 },
        { LIMEN_STR_INIT("0x10"), false, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t value = 77;
        if (str_to_int64(cases[i].text, &value) != cases[i].is_good)
            fail_msg("\"%.*s\"", LIMEN_STR_ARG(cases[i].text));
        assert_int_equal(value, cases[i].is_good ? cases[i].value : 77);
    }
}

static void test_sizes_have_units(void **state)
{
    (void)state;
    static const struct {
        limen_str text;
        size_t bytes; /* 0: none */
    } cases[] = {
        { LIMEN_STR_INIT("1"), 1 },
        { LIMEN_STR_INIT("64KiB"), (size_t)64 * 1024 },
        { LIMEN_STR_INIT("2MiB"), (size_t)2 * 1024 * 1024 },
        { LIMEN_STR_INIT("3GiB"), (size_t)3 * 1024 * 1024 * 1024 },
        { LIMEN_STR_INIT("0"), 0 },
        { LIMEN_STR_INIT(""), 0 },
        { LIMEN_STR_INIT("KiB"), 0 },
        { LIMEN_STR_INIT("1 KiB"), 0 },
        { LIMEN_STR_INIT("1kb"), 0 },
        { LIMEN_STR_INIT("-1KiB"), 0 },
        { LIMEN_STR_INIT("9223372036854775807KiB"), 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t bytes = 0;
        if (str_to_bytes(cases[i].text, &bytes) != (cases[i].bytes > 0) || bytes != cases[i].bytes)
            fail_msg("\"%.*s\"", LIMEN_STR_ARG(cases[i].text));
    }
}

/* What str_is_utf8 says of `s` behind 0 to 9 ASCII bytes, and before as many, so that it falls on every place of a word. */
static bool is_utf8_anywhere(limen_str s)
{
    char bytes[64];
    bool first = str_is_utf8(s);
    for (size_t before = 0; before < 10; before++)
        for (size_t after = 0; after < 10; after++) {
            memset(bytes, 'x', sizeof bytes);
            memcpy(bytes + before, s.ptr, s.len);
            assert_int_equal(str_is_utf8(str_make(bytes, before + s.len + after)), first);
        }
    return first;
}

static void test_utf8_as_rfc_3629_has_it(void **state)
{
    (void)state;
    static const limen_str good[] = {
        LIMEN_STR_INIT("plain"),
        LIMEN_STR_INIT("\x7f"),
        LIMEN_STR_INIT("\xc2\x80"),
        LIMEN_STR_INIT("\xdf\xbf"),
        LIMEN_STR_INIT("\xe0\xa0\x80"),
        LIMEN_STR_INIT("\xed\x9f\xbf"),
        LIMEN_STR_INIT("\xee\x80\x80"),
        LIMEN_STR_INIT("\xef\xbf\xbf"),
        LIMEN_STR_INIT("\xf0\x90\x80\x80"),
        LIMEN_STR_INIT("\xf4\x8f\xbf\xbf"),
        LIMEN_STR_INIT("\0"),
    };
    static const limen_str bad[] = {
        LIMEN_STR_INIT("\x80"),
        LIMEN_STR_INIT("\xbf"),
        LIMEN_STR_INIT("\xc0\x80"),
        LIMEN_STR_INIT("\xc1\xbf"),
        LIMEN_STR_INIT("\xc2"),
        LIMEN_STR_INIT("\xc2\x41"),
        LIMEN_STR_INIT("\xe0\x9f\xbf"),
        LIMEN_STR_INIT("\xe1\x80"),
        LIMEN_STR_INIT("\xed\xa0\x80"),
        LIMEN_STR_INIT("\xed\xbf\xbf"),
        LIMEN_STR_INIT("\xf0\x8f\xbf\xbf"),
        LIMEN_STR_INIT("\xf0\x90\x80"),
        LIMEN_STR_INIT("\xf4\x90\x80\x80"),
        LIMEN_STR_INIT("\xf5\x80\x80\x80"),
        LIMEN_STR_INIT("\xff"),
        LIMEN_STR_INIT("\xe2\x82\x28"),
        LIMEN_STR_INIT("\xf0\x9f\x98\xc0"),
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(is_utf8_anywhere(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(is_utf8_anywhere(bad[i]));
    assert_true(str_is_utf8(none));
}

/* Every sequence of up to three bytes and its decoding by the definition. */
static bool is_utf8_by_definition(const unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count;) {
        size_t len = bytes[i] < 0x80 ? 1 : (bytes[i] & 0xe0) == 0xc0 ? 2 : (bytes[i] & 0xf0) == 0xe0 ? 3 : 0;
        if (len == 0 || i + len > count)
            return false;
        static const unsigned mask[] = { 0, 0x7f, 0x1f, 0x0f }, least[] = { 0, 0, 0x80, 0x800 };
        unsigned point = bytes[i] & mask[len];
        for (size_t k = 1; k < len; k++) {
            if ((bytes[i + k] & 0xc0) != 0x80)
                return false;
            point = point << 6 | (bytes[i + k] & 0x3f);
        }
        if (point < least[len] || (point >= 0xd800 && point <= 0xdfff))
            return false;
        i += len;
    }
    return true;
}

static void test_utf8_of_all_three_byte_strings(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 1U << 24; n++) {
        unsigned char bytes[3] = { (unsigned char)(n >> 16), (unsigned char)(n >> 8), (unsigned char)n };
        if (str_is_utf8(str_make((char *)bytes, 3)) != is_utf8_by_definition(bytes, 3))
            fail_msg("%06x", n);
    }
}

static void test_code_points_are_counted_once(void **state)
{
    (void)state;
    assert_int_equal(str_code_points(none), 0);
    assert_int_equal(str_code_points(LIMEN_STR("abc")), 3);
    assert_int_equal(str_code_points(LIMEN_STR("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z")), 5);
    char bytes[40];
    for (size_t at = 0; at < 36; at++) {
        memset(bytes, 'x', sizeof bytes);
        memcpy(bytes + at, "\xf0\x9f\x98\x80", 4);
        assert_int_equal(str_code_points(str_make(bytes, sizeof bytes)), 37);
    }
}

static void test_text_is_shortened_between_characters(void **state)
{
    (void)state;
    static const size_t lengths[] = { 0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11 }; /* by the bytes asked for */
    limen_str text = LIMEN_STR("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z");
    for (size_t bytes = 0; bytes < sizeof lengths / sizeof lengths[0]; bytes++)
        assert_int_equal(str_shorten(text, bytes).len, lengths[bytes]);
    assert_int_equal(str_shorten((limen_str){ 0 }, 3).len, 0);
}

static void test_secret_comparison_is_right(void **state)
{
    (void)state;
    char a[64], b[64];
    memset(a, 'k', sizeof a);
    memset(b, 'k', sizeof b);
    assert_true(str_equal_secret(str_make(a, 64), str_make(b, 64)));
    assert_false(str_equal_secret(str_make(a, 64), str_make(b, 63)));
    for (size_t i = 0; i < sizeof b; i++) {
        b[i] = (char)(b[i] ^ 0x80);
        assert_false(str_equal_secret(str_make(a, 64), str_make(b, 64)));
        b[i] = 'k';
    }
    assert_true(str_equal_secret(none, none));
}

static void test_buf_grows_and_keeps_its_text(void **state)
{
    (void)state;
    struct arena arena;
    struct buf buf;
    arena_init(&arena, NULL, 1U << 22);
    buf_init(&buf, &arena, 0);
    for (int i = 0; i < 20000; i++) {
        buf_add_int(&buf, i);
        buf_add_char(&buf, ',');
        if (i % 50 == 0)
            assert_non_null(arena_alloc(&arena, 8)); /* somebody else's: the buffer cannot always grow in place */
    }
    assert_false(buf.failed);
    limen_str rest = buf_str(&buf);
    for (int i = 0; i < 20000; i++) {
        int64_t value;
        assert_true(str_to_int64(str_cut(&rest, ','), &value));
        assert_int_equal(value, i);
    }
    assert_int_equal(rest.len, 0);
    arena_release(&arena);
}

static void test_buf_fails_once_and_stays_failed(void **state)
{
    (void)state;
    char memory[4];
    struct buf buf;
    buf_init_fixed(&buf, memory, sizeof memory);
    BUF_ADD(&buf, "abc");
    BUF_ADD(&buf, "de");
    assert_true(buf.failed);
    buf_add_char(&buf, 'x'); /* would fit */
    assert_null(buf_reserve(&buf, 0));
    assert_text(buf_str(&buf), "abc");

    struct arena arena;
    arena_init(&arena, NULL, 40000);
    buf_init(&buf, &arena, 10);
    assert_non_null(buf_reserve(&buf, 15000));
    assert_null(buf_reserve(&buf, 50000));
    BUF_ADD(&buf, "a");
    assert_true(buf.failed);
    assert_int_equal(buf.len, 0);
    arena_release(&arena);

    arena_init(&arena, NULL, SIZE_MAX);
    buf_init(&buf, &arena, 10);
    BUF_ADD(&buf, "a");
    assert_null(buf_reserve(&buf, SIZE_MAX));
    arena_release(&arena);
}

static void test_buf_shows_no_control_characters(void **state)
{
    static const struct {
        limen_str text;
        const char *shown;
    } cases[] = {
        { LIMEN_STR_INIT("plain, \xc3\xa9, \xc2\xa0"), "plain, \xc3\xa9, \xc2\xa0" },
        { LIMEN_STR_INIT("a\nb\rc\td\x1b[2J\x7f"), "a?b?c?d?[2J?" },
        { LIMEN_STR_INIT("\xc2\x80\xc2\x9b\xc2\x9f"), "???" },
        { LIMEN_STR_INIT("\xc2"), "\xc2" },
        { LIMEN_STR_INIT(""), "" },
    };
    char memory[64];
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf buf;
        buf_init_fixed(&buf, memory, sizeof(memory));
        buf_add_shown(&buf, cases[i].text);
        assert_true(str_equal(buf_str(&buf), str_of(cases[i].shown)));
    }
}

static void test_buf_writes_numbers_hex_and_formats(void **state)
{
    (void)state;
    struct arena arena;
    struct buf buf;
    arena_init(&arena, NULL, 1U << 20);
    buf_init(&buf, &arena, 8);
    buf_add_int(&buf, INT64_MIN);
    buf_add_char(&buf, ' ');
    buf_add_int(&buf, INT64_MAX);
    buf_add_char(&buf, ' ');
    buf_add_int(&buf, 0);
    buf_add_char(&buf, ' ');
    buf_add_hex(&buf, (const uint8_t *)"\x00\x9f\xff", 3);
    buf_printf(&buf, " %s %d", "formatted", -1);
    assert_text(buf_str(&buf), "-9223372036854775808 9223372036854775807 0 009fff formatted -1");
    buf_add_hex(&buf, NULL, 0);
    assert_false(buf.failed);
    arena_release(&arena);
}

static void test_printf_fills_fixed_memory_to_the_last_byte_but_one(void **state)
{
    (void)state;
    char memory[6];
    struct buf buf;
    buf_init_fixed(&buf, memory, sizeof memory);
    buf_printf(&buf, "%s", "abcde"); /* and the NUL of vsnprintf */
    assert_false(buf.failed);
    assert_text(buf_str(&buf), "abcde");
    buf_printf(&buf, "%s", "f");
    assert_true(buf.failed);
    assert_text(buf_str(&buf), "abcde");
}

static void test_lower_case_in_place_and_elsewhere(void **state)
{
    (void)state;
    char memory[] = "Ada@EXAMPLE.com \xc3\x84[`{@Z";
    char copy[sizeof(memory)];
    limen_str text = str_of(memory);
    limen_str lower = str_lower(text, copy);
    assert_true(str_equal(lower, LIMEN_STR("ada@example.com \xc3\x84[`{@z")));
    assert_true(str_starts(text, LIMEN_STR("Ada")));
    assert_true(str_equal(str_lower(text, memory), lower) && memory[0] == 'a');
    assert_int_equal(str_lower(LIMEN_STR(""), copy).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equality_and_order),
        cmocka_unit_test(test_prefixes_and_suffixes),
        cmocka_unit_test(test_lower_case_in_place_and_elsewhere),
        cmocka_unit_test(test_find_within_bounds),
        cmocka_unit_test(test_slice_clamps),
        cmocka_unit_test(test_trim_both_ends),
        cmocka_unit_test(test_cut_walks_a_list),
        cmocka_unit_test(test_int64_takes_one_spelling_only),
        cmocka_unit_test(test_sizes_have_units),
        cmocka_unit_test(test_utf8_as_rfc_3629_has_it),
        cmocka_unit_test(test_utf8_of_all_three_byte_strings),
        cmocka_unit_test(test_code_points_are_counted_once),
        cmocka_unit_test(test_text_is_shortened_between_characters),
        cmocka_unit_test(test_secret_comparison_is_right),
        cmocka_unit_test(test_buf_grows_and_keeps_its_text),
        cmocka_unit_test(test_buf_fails_once_and_stays_failed),
        cmocka_unit_test(test_buf_shows_no_control_characters),
        cmocka_unit_test(test_buf_writes_numbers_hex_and_formats),
        cmocka_unit_test(test_printf_fills_fixed_memory_to_the_last_byte_but_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
