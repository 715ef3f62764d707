/* Tests of data/redis_url.h: what --redis may say, and that no complaint repeats it. */
#include "contract/check.h"

#include "core/arena.h"
#include "data/redis_url.h"

static struct arena arena;
static struct redis_url url;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, NULL, SIZE_MAX);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

static void test_all_parts_are_read(void **state)
{
    (void)state;
    assert_null(redis_url_parse(LIMEN_STR("redis://ada:p%40ss%3A%2F@cache.example:7000/12"), &arena, &url));
    assert_string_equal(url.host.ptr, "cache.example");
    assert_int_equal(url.port, 7000);
    assert_string_equal(url.user.ptr, "ada");
    assert_string_equal(url.password.ptr, "p@ss:/");
    assert_int_equal(url.database, 12);
}

static void test_what_is_left_out_has_a_default(void **state)
{
    (void)state;
    static const char *const urls[] = { "redis://127.0.0.1", "redis://127.0.0.1/", "redis://127.0.0.1:6379/0",
                                        "redis://127.0.0.1:6379" };
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        assert_null(redis_url_parse(str_of(urls[i]), &arena, &url));
        assert_string_equal(url.host.ptr, "127.0.0.1");
        assert_int_equal(url.port, 6379);
        assert_int_equal(url.database, 0);
        assert_true(url.user.len == 0 && url.password.len == 0);
    }
    assert_null(redis_url_parse(LIMEN_STR("redis://:secret@h"), &arena, &url));
    assert_true(url.user.len == 0);
    assert_string_equal(url.password.ptr, "secret");
}

static void test_addresses_of_ipv6_stand_in_brackets(void **state)
{
    (void)state;
    assert_null(redis_url_parse(LIMEN_STR("redis://[::1]:7000"), &arena, &url));
    assert_string_equal(url.host.ptr, "::1");
    assert_int_equal(url.port, 7000);
    assert_null(redis_url_parse(LIMEN_STR("redis://[fd00::2]"), &arena, &url));
    assert_int_equal(url.port, 6379);
    assert_string_equal(url.host.ptr, "fd00::2");
}

static void test_what_is_no_url_is_refused_and_not_repeated(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "",
        "hidden",
        "redis:/hidden",
        "REDIS://hidden",
        "rediss://hidden",
        "http://hidden",
        "redis://",
        "redis://:hidden@",
        "redis://:6379",
        "redis://hidden@host",
        "redis://:@host",
        "redis://hidden:@host",
        "redis://:hid%zen@host",
        "redis://:hidden%4@host",
        "redis://:hidden%00@host",
        "redis://:hidden@other@host",
        "redis://:hidden@host:0",
        "redis://:hidden@host:65536",
        "redis://:hidden@host:-1",
        "redis://:hidden@host:6379x",
        "redis://:hidden@host/x",
        "redis://:hidden@host/-1",
        "redis://:hidden@host/1/2",
        "redis://:hidden@host/99999999",
        "redis://:hidden@host?ssl=true",
        "redis://:hidden@host#x",
        "redis://:hidden@[::1",
        "redis://:hidden@[::1]6379",
        "redis://:hidden@a,b",
        "redis://:hidden@[fe80::1%25eth0]",
    };
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        const char *fault = redis_url_parse(str_of(urls[i]), &arena, &url);
        if (fault == NULL)
            fail_msg("taken: %s", urls[i]);
        assert_null(strstr(fault, "hid"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_parts_are_read),
        cmocka_unit_test(test_what_is_left_out_has_a_default),
        cmocka_unit_test(test_addresses_of_ipv6_stand_in_brackets),
        cmocka_unit_test(test_what_is_no_url_is_refused_and_not_repeated),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
