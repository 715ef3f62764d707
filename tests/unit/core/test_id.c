/* Tests of core/id.h. */
#include "core/id.h"

#include "check.h"

#define MS 1000
static const uint8_t zeros[ID_RANDOM_BYTES];
static const uint8_t ones[ID_RANDOM_BYTES] = { 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255 };

static void test_id_has_its_form(void **state)
{
    (void)state;
    char id[ID_BYTES];
    limen_str text = id_make(id, LIMEN_STR("ord"), 1795000000123456, zeros);
    assert_int_equal(text.len, 4 + ID_TEXT_BYTES);
    assert_int_equal(id[text.len], '\0');
    assert_true(str_starts(text, LIMEN_STR("ord_")));
    for (size_t i = 4; i < text.len; i++)
        assert_true((id[i] >= '0' && id[i] <= '9') || (id[i] >= 'A' && id[i] <= 'Z') || (id[i] >= 'a' && id[i] <= 'z'));
}

static void test_least_and_greatest_number_fit(void **state)
{
    (void)state;
    char id[ID_BYTES];
    assert_text(id_make(id, LIMEN_STR("a"), 0, zeros), "a_000000000000000000000000000");
    /* 2^160 - 1 in base 62. */
    assert_text(id_make(id, LIMEN_STR("a"), (limen_time)((1LL << 48) - 1) * MS, ones), "a_aWgEPTl1tmebfsQzFP4bxwgy80V");
    assert_text(id_make(id, LIMEN_STR("a"), -1, zeros), "a_000000000000000000000000000");
}

static void test_ids_sort_by_time(void **state)
{
    (void)state;
    static const limen_time times[] = {
        0, 1 * MS, 61 * MS, 62 * MS, 1795000000123456, 1795000000124456, 9999999999999999
    };
    char before[ID_BYTES], after[ID_BYTES];
    for (size_t i = 1; i < sizeof(times) / sizeof(times[0]); i++) {
        limen_str first = id_make(before, LIMEN_STR("ord"), times[i - 1], ones);
        limen_str second = id_make(after, LIMEN_STR("ord"), times[i], zeros);
        assert_true(str_compare(first, second) < 0);
    }
}

static void test_long_prefix_is_cut(void **state)
{
    (void)state;
    char id[ID_BYTES];
    limen_str text = id_make(id, LIMEN_STR("a-prefix-that-is-much-longer-than-any-ought-to-be"), 0, zeros);
    assert_int_equal(text.len, ID_BYTES - 1);
}

static void test_two_new_ids_differ(void **state)
{
    (void)state;
    char first[ID_BYTES], second[ID_BYTES];
    assert_false(str_equal(id_new(first, LIMEN_STR("x"), 0), id_new(second, LIMEN_STR("x"), 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_id_has_its_form),    cmocka_unit_test(test_least_and_greatest_number_fit),
        cmocka_unit_test(test_ids_sort_by_time),   cmocka_unit_test(test_long_prefix_is_cut),
        cmocka_unit_test(test_two_new_ids_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
