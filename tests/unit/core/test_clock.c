/* Tests of core/clock.h. */
#include "check.h"

#include "core/clock.h"

#include <stdio.h>
#include <time.h>

#define S INT64_C(1000000)

static limen_str written(limen_time time, char *memory, size_t bytes)
{
    struct buf buf;
    buf_init_fixed(&buf, memory, bytes);
    clock_write_rfc3339(&buf, time);
    return buf.failed ? LIMEN_STR("failed") : buf_str(&buf);
}

static void test_writes_as_many_digits_as_needed(void **state)
{
    (void)state;
    char memory[32];
    assert_text(written(0, memory, sizeof memory), "1970-01-01T00:00:00Z");
    assert_text(written(1, memory, sizeof memory), "1970-01-01T00:00:00.000001Z");
    assert_text(written(120000, memory, sizeof memory), "1970-01-01T00:00:00.120Z");
    assert_text(written(-1, memory, sizeof memory), "1969-12-31T23:59:59.999999Z");
    assert_text(written(1709210096 * S, memory, sizeof memory), "2024-02-29T12:34:56Z");
    assert_text(written(253402300799 * S + 999999, memory, sizeof memory), "9999-12-31T23:59:59.999999Z");
    assert_text(written(-62167219200 * S, memory, sizeof memory), "0000-01-01T00:00:00Z");
}

static void test_years_without_a_spelling_fail_the_buffer(void **state)
{
    (void)state;
    char memory[32];
    assert_text(written(253402300800 * S, memory, sizeof memory), "failed");
    assert_text(written(-62167219200 * S - 1, memory, sizeof memory), "failed");
    assert_text(written(INT64_MAX, memory, sizeof memory), "failed");
    assert_text(written(INT64_MIN, memory, sizeof memory), "failed");
    assert_text(written(0, memory, 19), "failed");
}

static void test_dates_agree_with_the_c_library(void **state)
{
    (void)state;
    for (int64_t day = -719528; day <= 2932896; day += 17) { /* 0000-01-01 to 9999-12-31 */
        char memory[32], wanted[64];
        int64_t second = day * 86400 + 3600;
        time_t when = (time_t)second;
        struct tm tm;
        assert_non_null(gmtime_r(&when, &tm));
        int len = snprintf(wanted, sizeof wanted, "%04d-%02d-%02dT01:00:00Z", tm.tm_year + 1900, tm.tm_mon + 1,
                           tm.tm_mday);
        limen_str got = written(second * S, memory, sizeof memory);
        assert_true(str_equal(got, str_make(wanted, (size_t)len)));
        limen_time back;
        assert_true(clock_parse_rfc3339(got, &back));
        assert_true(back == second * S);
    }
}

static void test_reads_rfc3339(void **state)
{
    (void)state;
    static const struct {
        limen_str text;
        limen_time time;
    } cases[] = {
        { LIMEN_STR_INIT("1970-01-01T00:00:00Z"), 0 },
        { LIMEN_STR_INIT("1970-01-01t00:00:00z"), 0 },
        { LIMEN_STR_INIT("1970-01-01T00:00:00-00:00"), 0 },
        { LIMEN_STR_INIT("1970-01-01T01:30:00+01:30"), 0 },
        { LIMEN_STR_INIT("1969-12-31T22:30:00-01:30"), 0 },
        { LIMEN_STR_INIT("1970-01-01T23:59:00+23:59"), 0 },
        { LIMEN_STR_INIT("1970-01-01T00:00:00.5Z"), 500000 },
        { LIMEN_STR_INIT("1970-01-01T00:00:00.1234567891234567890123456789Z"), 123456 },
        { LIMEN_STR_INIT("1969-12-31T23:59:59.999999Z"), -1 },
        { LIMEN_STR_INIT("2000-02-29T00:00:00Z"), 951782400 * S },
        { LIMEN_STR_INIT("2016-12-31T23:59:60Z"), 1483228800 * S },
        { LIMEN_STR_INIT("2016-12-31T15:59:60.25-08:00"), 1483228800 * S + 250000 },
        { LIMEN_STR_INIT("2017-01-01T05:29:60+05:30"), 1483228800 * S },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        limen_time time = 77;
        if (!clock_parse_rfc3339(cases[i].text, &time) || time != cases[i].time)
            fail_msg("%.*s gave %lld", LIMEN_STR_ARG(cases[i].text), (long long)time);
    }
}

static void test_refuses_what_is_not_rfc3339(void **state)
{
    (void)state;
    static const limen_str cases[] = {
        LIMEN_STR_INIT(""),
        LIMEN_STR_INIT("2020-01-01"),
        LIMEN_STR_INIT("2020-01-01T00:00:00"),
        LIMEN_STR_INIT("2020-01-01 00:00:00Z"),
        LIMEN_STR_INIT("2020-01-01T00:00Z"),
        LIMEN_STR_INIT("2020-1-01T00:00:00Z"),
        LIMEN_STR_INIT("2020-00-01T00:00:00Z"),
        LIMEN_STR_INIT("2020-13-01T00:00:00Z"),
        LIMEN_STR_INIT("2020-01-00T00:00:00Z"),
        LIMEN_STR_INIT("2020-04-31T00:00:00Z"),
        LIMEN_STR_INIT("2021-02-29T00:00:00Z"),
        LIMEN_STR_INIT("1900-02-29T00:00:00Z"),
        LIMEN_STR_INIT("2020-01-01T24:00:00Z"),
        LIMEN_STR_INIT("2020-01-01T00:60:00Z"),
        LIMEN_STR_INIT("2020-01-01T00:00:61Z"),
        LIMEN_STR_INIT("2020-01-01T00:00:00.Z"),
        LIMEN_STR_INIT("2020-01-01T00:00:00,5Z"),
        LIMEN_STR_INIT("2020-01-01T00:00:00+24:00"),
        LIMEN_STR_INIT("2020-01-01T00:00:00+00:60"),
        LIMEN_STR_INIT("2020-01-01T00:00:00+0000"),
        LIMEN_STR_INIT("2020-01-01T00:00:00Z+00:00"),
        LIMEN_STR_INIT("2020-01-01T00:00:00Z\n"),
        LIMEN_STR_INIT("2020-01-01T00:00:00Z\0"),
        LIMEN_STR_INIT("12020-01-01T00:00:00Z"),
        LIMEN_STR_INIT("+020-01-01T00:00:00Z"),
        LIMEN_STR_INIT("1963-06-1\xe0\xa7\xaaT00:00:00Z"),
        LIMEN_STR_INIT("2016-12-31T23:58:60Z"), /* not the last second of a day */
        LIMEN_STR_INIT("2016-12-31T22:59:60Z"),
        LIMEN_STR_INIT("2016-12-30T23:59:60Z"),      /* not the last day of a month */
        LIMEN_STR_INIT("2016-12-31T23:59:60+01:00"), /* neither in UTC */
        LIMEN_STR_INIT("9999-12-31T23:59:60Z"),
        LIMEN_STR_INIT("9999-12-31T23:59:59-00:01"),
        LIMEN_STR_INIT("0000-01-01T00:00:00+00:01"),
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        limen_time time = 77;
        if (clock_parse_rfc3339(cases[i], &time))
            fail_msg("%.*s passed", LIMEN_STR_ARG(cases[i]));
        assert_int_equal(time, 77);
    }
}

static void test_every_shorter_prefix_is_refused(void **state)
{
    (void)state;
    limen_str whole = LIMEN_STR("2016-12-31T15:59:60.25-08:00");
    limen_time time;
    for (size_t len = 0; len < whole.len; len++)
        assert_false(clock_parse_rfc3339(str_slice(whole, 0, len), &time));
    assert_true(clock_parse_rfc3339(whole, &time));
}

static void test_refresh_reads_both_clocks_and_renders_the_date(void **state)
{
    (void)state;
    struct clock clock = { .mono_us = 0 };
    clock_refresh(&clock);
    assert_int_equal(strlen(clock.date), 29);
    time_t second = (time_t)clock.date_second;
    char wanted[64];
    struct tm tm;
    strftime(wanted, sizeof wanted, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&second, &tm)); /* the C locale */
    assert_string_equal(clock.date, wanted);
    assert_true(clock.wall_us / S == clock.date_second);
    assert_true(clock_mono_us() >= clock.mono_us && clock_mono_us() - clock.mono_us < 10 * S);
    assert_true(clock_wall_us() / S - second <= 10);
}

static void test_date_is_rendered_once_a_second(void **state)
{
    (void)state;
    struct clock clock = { .mono_us = 0 };
    clock_refresh(&clock);
    for (int tries = 0; tries < 100; tries++) {
        int64_t before = clock.date_second;
        clock.date[0] = '#';
        clock_refresh(&clock);
        if (clock.date_second != before) {
            assert_int_not_equal(clock.date[0], '#');
            continue;
        }
        assert_int_equal(clock.date[0], '#'); /* the same second: left as it is */
        clock.date_second--;
        clock_refresh(&clock);
        assert_int_not_equal(clock.date[0], '#');
        return;
    }
    fail();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writes_as_many_digits_as_needed),
        cmocka_unit_test(test_years_without_a_spelling_fail_the_buffer),
        cmocka_unit_test(test_dates_agree_with_the_c_library),
        cmocka_unit_test(test_reads_rfc3339),
        cmocka_unit_test(test_refuses_what_is_not_rfc3339),
        cmocka_unit_test(test_every_shorter_prefix_is_refused),
        cmocka_unit_test(test_refresh_reads_both_clocks_and_renders_the_date),
        cmocka_unit_test(test_date_is_rendered_once_a_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
