/* Tests of data/token_cache.h. */
#include "data/token_cache.h"

#include "check.h"

#include <stdio.h>

static struct token_cache *cache;

static int set_up_with(bool may_evict)
{
    cache = token_cache_new(64, /* grace_us= */ 50, may_evict);
    return cache == NULL;
}
static int set_up(void **state)
{
    (void)state;
    return set_up_with(false);
}
static int set_up_evicting(void **state)
{
    (void)state;
    return set_up_with(true);
}
static int tear_down(void **state)
{
    (void)state;
    token_cache_free(cache);
    return 0;
}

static struct token_mark mark_of_number(int number)
{
    char text[32];
    int len = snprintf(text, sizeof(text), "token %d", number);
    return token_cache_mark(cache, str_make(text, (size_t)len));
}

static void test_token_is_found_until_it_expires(void **state)
{
    (void)state;
    struct token_mark mark = token_cache_mark(cache, LIMEN_STR("a token"));
    assert_null(token_cache_find(cache, 1, mark, 100));
    struct token_entry *entry = token_cache_add(cache, 1, mark, 100, 200);
    entry->principal.roles = 7;
    const struct token_entry *found = token_cache_find(cache, 1, token_cache_mark(cache, LIMEN_STR("a token")), 199);
    assert_ptr_equal(found, entry);
    assert_int_equal(found->principal.roles, 7);
    assert_null(token_cache_find(cache, 2, mark, 199)); /* another scheme's token is another token */
    assert_null(token_cache_find(cache, 1, token_cache_mark(cache, LIMEN_STR("a tokem")), 199));
    assert_null(token_cache_find(cache, 1, mark, 200));
}

static void test_handle_outlives_its_token_by_the_grace_only(void **state)
{
    (void)state;
    struct token_handle handle = token_cache_add(cache, 1, mark_of_number(1), 100, 200)->handle;
    assert_non_null(token_cache_at(cache, handle, 249));
    assert_null(token_cache_at(cache, handle, 250));
    assert_null(token_cache_at(cache, (struct token_handle){ handle.place, handle.tenant + 1 }, 100));
    assert_null(token_cache_at(cache, (struct token_handle){ 64, 1 }, 100));
    assert_null(token_cache_at(cache, (struct token_handle){ (handle.place + 1) % 64, 1 }, 100));
}

static void test_place_goes_to_another_with_another_number(void **state)
{
    (void)state;
    struct token_mark mark = mark_of_number(1);
    struct token_handle first = token_cache_add(cache, 1, mark, 100, 200)->handle;
    for (int i = 2; i < 500; i++) /* long after: every place is free again */
        (void)token_cache_add(cache, 1, mark_of_number(i), 1000 + i * 100, 1010 + i * 100);
    assert_null(token_cache_at(cache, first, 210));
}

static void test_full_window_keeps_whoever_holds_a_handle(void **state)
{
    (void)state;
    int kept = 0;
    for (int i = 0; i < 500; i++)
        kept += token_cache_add(cache, 1, mark_of_number(i), 100, 200) != NULL;
    assert_true(kept > 32 && kept <= 64);
    int found = 0;
    for (int i = 0; i < 500; i++)
        found += token_cache_find(cache, 1, mark_of_number(i), 150) != NULL;
    assert_int_equal(found, kept);
}

static void test_full_window_gives_way_where_it_may(void **state)
{
    (void)state;
    for (int i = 0; i < 500; i++) {
        assert_non_null(token_cache_add(cache, 1, mark_of_number(i), 100, 200 + i));
        assert_non_null(token_cache_find(cache, 1, mark_of_number(i), 150));
    }
    token_cache_clear(cache);
    for (int i = 0; i < 500; i++)
        assert_null(token_cache_find(cache, 1, mark_of_number(i), 150));
}

#define CACHE_TEST(name, set_up) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CACHE_TEST(test_token_is_found_until_it_expires, set_up),
        CACHE_TEST(test_handle_outlives_its_token_by_the_grace_only, set_up),
        CACHE_TEST(test_place_goes_to_another_with_another_number, set_up),
        CACHE_TEST(test_full_window_keeps_whoever_holds_a_handle, set_up),
        CACHE_TEST(test_full_window_gives_way_where_it_may, set_up_evicting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
