/* Tests of core/memory.h. */
#include "check.h"

#include "core/limits.h"
#include "core/memory.h"

static void test_a_newcomer_gets_a_share_of_what_is_left(void **state)
{
    (void)state;
    struct memory memory = { .ceiling_bytes = 1000 };
    assert_false(memory_reserve(&memory, 1000 / LIMIT_MEMORY_SHARE + 1));
    assert_true(memory_reserve(&memory, 1000 / LIMIT_MEMORY_SHARE));
    assert_int_equal(memory.used_bytes, 125);
    assert_false(memory_reserve(&memory, 110));
    assert_true(memory_reserve(&memory, 109));
    memory_give(&memory, 234);
    assert_int_equal(memory.used_bytes, 0);
}

static void test_small_ones_find_room_when_large_ones_no_longer_do(void **state)
{
    (void)state;
    struct memory memory = { .ceiling_bytes = 100000 };
    unsigned large = 0, small = 0;
    while (memory_reserve(&memory, 5000))
        large++;
    while (memory_reserve(&memory, 50))
        small++;
    assert_int_equal(large, 13);
    assert_in_range(small, 600, 700);
}

static void test_what_is_under_way_gets_all_that_is_left(void **state)
{
    (void)state;
    struct memory memory = { .ceiling_bytes = 1000, .used_bytes = 100 };
    assert_false(memory_take(&memory, 901));
    assert_true(memory_take(&memory, 900));
    assert_false(memory_take(&memory, 1));
    assert_true(memory_take(&memory, 0));
    assert_false(memory_reserve(&memory, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_newcomer_gets_a_share_of_what_is_left),
        cmocka_unit_test(test_small_ones_find_room_when_large_ones_no_longer_do),
        cmocka_unit_test(test_what_is_under_way_gets_all_that_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
