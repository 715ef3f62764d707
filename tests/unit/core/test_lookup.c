/* Tests of core/lookup.h: which hosts are looked up, and what becomes of one that is left alone. */
#include "check.h"

#include "core/clock.h"
#include "core/lookup.h"

#include <string.h>
#include <unistd.h>

#define ENOUGH_US 60000000

static void wait_for(const struct lookup *lookup)
{
    int64_t until_us = clock_mono_us() + ENOUGH_US;
    while (!lookup_is_over(lookup)) {
        assert_true(clock_mono_us() < until_us);
        usleep(1000);
    }
}

static void test_names_are_looked_up_and_nothing_else(void **state)
{
    (void)state;
    static const char *const names[] = { "localhost", "db.example", "db1", "10.0.0.5.example", "1.2.3.4.5" };
    static const char *const others[] = { "", "/run/postgresql", "@socket", "10.0.0.5", "::1", "fe80::1%eth0" };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_true(lookup_is_name(names[i]));
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_false(lookup_is_name(others[i]));
    assert_false(lookup_is_name(NULL));
}

static void test_a_name_has_addresses_in_digits(void **state)
{
    (void)state;
    int64_t before_us = clock_mono_us();
    struct lookup *lookup = lookup_start("localhost");
    assert_non_null(lookup);
    wait_for(lookup);
    assert_null(lookup_fault(lookup));
    assert_in_range(lookup_count(lookup), 1, 2);
    for (uint32_t i = 0; i < lookup_count(lookup); i++) {
        const char *address = lookup_address(lookup, i);
        assert_true(strcmp(address, "127.0.0.1") == 0 || strcmp(address, "::1") == 0);
    }
    assert_true(lookup_over_at_us(lookup) >= before_us && lookup_over_at_us(lookup) <= clock_mono_us());
    lookup_free(lookup);
}

/* A label has 63 octets at the most (RFC 1035 section 2.3.4): no name server needs to be asked. */
static void test_what_is_no_name_has_none(void **state)
{
    (void)state;
    char name[80] = { 0 };
    memset(name, 'a', sizeof(name) - 1);
    struct lookup *lookup = lookup_start(name);
    assert_non_null(lookup);
    wait_for(lookup);
    assert_non_null(lookup_fault(lookup));
    assert_int_equal(lookup_count(lookup), 0);
    lookup_free(lookup);
}

/* Its thread is at it still; whoever is last frees it. */
static void test_one_that_is_left_alone_ends_by_itself(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        struct lookup *lookup = lookup_start("localhost");
        assert_non_null(lookup);
        lookup_free(lookup);
    }
    usleep(100000);
    lookup_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_are_looked_up_and_nothing_else),
        cmocka_unit_test(test_a_name_has_addresses_in_digits),
        cmocka_unit_test(test_what_is_no_name_has_none),
        cmocka_unit_test(test_one_that_is_left_alone_ends_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
