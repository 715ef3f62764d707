/* Tests of boundary/limit.h: what passes, what is told, and that nobody gets away from a full table. */
#include "contract/check.h"

#include "boundary/limit.h"
#include "core/limits.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECOND INT64_C(1000000)

static void *table_new(void)
{
    void *memory = mmap(NULL, limit_table_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    limit_table_init(memory);
    return memory;
}

static void table_free(void *table)
{
    munmap(table, limit_table_bytes());
}

static const struct rate_limit ten_a_minute = {
    .quota = 10, .window_us = 60 * SECOND, .name = LIMEN_STR_INIT("ten"), .policy = 1
};

static void test_the_whole_quota_passes_at_once_and_then_one_at_a_time(void **state)
{
    (void)state;
    void *table = table_new();
    struct limit_state told;
    int64_t now = 1000 * SECOND;
    for (uint32_t i = 0; i < 10; i++) {
        assert_true(limit_take(table, &ten_a_minute, 1, LIMEN_STR("ada"), now, &told));
        assert_int_equal(told.remaining, 9 - i);
    }
    assert_int_equal(told.reset_s, 60);
    assert_false(limit_take(table, &ten_a_minute, 1, LIMEN_STR("ada"), now, &told));
    assert_int_equal(told.remaining, 0);
    assert_int_equal(told.retry_s, 6);
    assert_true(told.retry_s >= told.reset_s);
    assert_false(limit_take(table, &ten_a_minute, 1, LIMEN_STR("ada"), now + 6 * SECOND - 1, &told));
    assert_int_equal(told.retry_s, 1);
    assert_true(limit_take(table, &ten_a_minute, 1, LIMEN_STR("ada"), now + 6 * SECOND, &told));
    assert_false(limit_take(table, &ten_a_minute, 1, LIMEN_STR("ada"), now + 6 * SECOND, &told));
    now += 3600 * SECOND; /* all of it is there again, and no more than that */
    for (int i = 0; i < 10; i++)
        assert_true(limit_take(table, &ten_a_minute, 1, LIMEN_STR("ada"), now, &told));
    assert_false(limit_take(table, &ten_a_minute, 1, LIMEN_STR("ada"), now, &told));
    table_free(table);
}

static void test_a_refused_request_does_not_count(void **state)
{
    (void)state;
    void *table = table_new();
    struct limit_state told;
    for (int i = 0; i < 10; i++)
        assert_true(limit_take(table, &ten_a_minute, 1, LIMEN_STR("ada"), SECOND, &told));
    for (int i = 0; i < 1000; i++)
        assert_false(limit_take(table, &ten_a_minute, 1, LIMEN_STR("ada"), SECOND, &told));
    assert_true(limit_take(table, &ten_a_minute, 1, LIMEN_STR("ada"), 7 * SECOND, &told));
    table_free(table);
}

static void test_callers_and_policies_are_apart(void **state)
{
    (void)state;
    void *table = table_new();
    struct limit_state told;
    struct rate_limit one = { .quota = 1, .window_us = SECOND, .name = LIMEN_STR("one"), .policy = 2 }, other = one;
    other.policy = 3;
    assert_true(limit_take(table, &one, 1, LIMEN_STR("ada"), SECOND, &told));
    assert_false(limit_take(table, &one, 1, LIMEN_STR("ada"), SECOND, &told));
    assert_true(limit_take(table, &one, 1, LIMEN_STR("bob"), SECOND, &told));
    assert_true(limit_take(table, &other, 1, LIMEN_STR("ada"), SECOND, &told));
    assert_true(limit_take(table, &one, 1, LIMEN_STR(""), SECOND, &told));
    table_free(table);
}

static void test_the_scale_multiplies_the_quota(void **state)
{
    (void)state;
    void *table = table_new();
    struct limit_state told;
    uint32_t passed = 0;
    while (limit_take(table, &ten_a_minute, 7, LIMEN_STR("ada"), SECOND, &told))
        passed++;
    assert_int_equal(passed, 70);
    assert_true(limit_take(table, &ten_a_minute, UINT32_MAX, LIMEN_STR("bob"), SECOND, &told));
    table_free(table);
}

/* A flood of callers, each once, tries to push the limited one out. */
static void test_a_full_table_never_lets_a_limited_caller_go(void **state)
{
    (void)state;
    void *table = table_new();
    struct limit_state told;
    struct rate_limit one = { .quota = 1, .window_us = 3600 * SECOND, .name = LIMEN_STR("one"), .policy = 2 };
    assert_true(limit_take(table, &one, 1, LIMEN_STR("mallory"), SECOND, &told));
    for (uint32_t i = 0; i < 4 * LIMIT_GCRA_ENTRIES; i++)
        (void)!limit_take(table, &ten_a_minute, 1, str_make((const char *)&i, sizeof i), 2 * SECOND, &told);
    assert_false(limit_take(table, &one, 1, LIMEN_STR("mallory"), 3 * SECOND, &told));
    table_free(table);
}

/* When every entry that a newcomer could have is a limited caller's, the newcomer waits. */
static void test_a_table_full_of_limited_callers_refuses_newcomers(void **state)
{
    (void)state;
    void *table = table_new();
    struct limit_state told;
    struct rate_limit one = { .quota = 1, .window_us = 3600 * SECOND, .name = LIMEN_STR("one"), .policy = 2 };
    uint32_t limited = 0, refused = 0;
    for (uint32_t i = 0; i < 3 * LIMIT_GCRA_ENTRIES; i++) {
        if (limit_take(table, &one, 1, str_make((const char *)&i, sizeof i), SECOND, &told))
            limited++;
        else
            refused++;
    }
    assert_true(limited <= LIMIT_GCRA_ENTRIES);
    assert_true(limited > LIMIT_GCRA_ENTRIES * 9 / 10);
    assert_int_equal(limited + refused, 3 * LIMIT_GCRA_ENTRIES);
    for (uint32_t i = 0; i < 3 * LIMIT_GCRA_ENTRIES; i++) /* nobody gets a second one */
        assert_false(limit_take(table, &one, 1, str_make((const char *)&i, sizeof i), 2 * SECOND, &told));
    assert_true(told.retry_s >= 1);
    /* An hour later the places are free again. */
    assert_true(limit_take(table, &one, 1, LIMEN_STR("newcomer"), 3700 * SECOND, &told));
    table_free(table);
}

static void test_more_debt_than_a_window_holds_is_learned_as_a_full_one(void **state)
{
    (void)state;
    void *table = table_new();
    struct limit_state told;
    const int64_t now = 1000 * SECOND;
    limit_learn(table, &ten_a_minute, 1, LIMEN_STR("ada"), now, (struct limit_debt){ INT64_MAX, true }, &told);
    assert_int_equal(told.retry_s, 6);
    assert_false(limit_look(table, &ten_a_minute, 1, LIMEN_STR("ada"), now, &told));
    assert_true(limit_look(table, &ten_a_minute, 1, LIMEN_STR("ada"), now + 6 * SECOND, &told));
    table_free(table);
}

static void test_processes_count_together(void **state)
{
    (void)state;
    enum { PROCESSES = 4, EACH = 5000 };
    void *table = table_new();
    struct rate_limit some = { .quota = 7777, .window_us = 3600 * SECOND, .name = LIMEN_STR("some"), .policy = 2 };
    pid_t pids[PROCESSES];
    uint32_t *passed = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(passed != MAP_FAILED);
    for (int p = 0; p < PROCESSES; p++) {
        pids[p] = fork();
        assert_true(pids[p] >= 0);
        if (pids[p] == 0) {
            struct limit_state told;
            for (int i = 0; i < EACH; i++)
                passed[p] += limit_take(table, &some, 1, LIMEN_STR("ada"), SECOND, &told);
            _exit(0);
        }
    }
    uint32_t sum = 0;
    for (int p = 0; p < PROCESSES; p++) {
        int status;
        assert_int_equal(waitpid(pids[p], &status, 0), pids[p]);
        sum += passed[p];
    }
    assert_int_equal(sum, 7777);
    munmap(passed, 4096);
    table_free(table);
}

/* A table is handed on from one server to the next: only as long as its entries mean the same. */
static void test_a_table_suits_the_policies_that_it_was_made_for(void **state)
{
    (void)state;
    void *table = table_new();
    struct rate_limit limits[] = { ten_a_minute, ten_a_minute };
    struct operation operation = { .limits = limits, .limit_count = 2 };
    const struct contract contract = { .address_limit = ten_a_minute, .operations = &operation, .operation_count = 1 };
    limit_table_dedicate(table, &contract, 1);
    assert_true(limit_table_suits(table, &contract, 1));
    assert_false(limit_table_suits(table, &contract, 2));
    limits[1].quota = 11;
    assert_false(limit_table_suits(table, &contract, 1));
    limits[1] = ten_a_minute;
    limits[1].name = LIMEN_STR("eleven");
    assert_false(limit_table_suits(table, &contract, 1));
    limits[1] = ten_a_minute;
    operation.limit_count = 1;
    assert_false(limit_table_suits(table, &contract, 1));
    operation.limit_count = 2;
    assert_true(limit_table_suits(table, &contract, 1));
    table_free(table);
}

static void test_the_fields_as_text(void **state)
{
    (void)state;
    char memory[LIMIT_FIELD_BYTES];
    const struct limit_state told = { .limit = &ten_a_minute, .remaining = 3, .reset_s = 42 };
    assert_text(limit_write_policy(&ten_a_minute, /* scale= */ 7, memory), "\"ten\";q=70;w=60");
    assert_text(limit_write_state(&told, memory), "\"ten\";r=3;t=42");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_whole_quota_passes_at_once_and_then_one_at_a_time),
        cmocka_unit_test(test_a_refused_request_does_not_count),
        cmocka_unit_test(test_callers_and_policies_are_apart),
        cmocka_unit_test(test_the_scale_multiplies_the_quota),
        cmocka_unit_test(test_a_full_table_never_lets_a_limited_caller_go),
        cmocka_unit_test(test_a_table_full_of_limited_callers_refuses_newcomers),
        cmocka_unit_test(test_more_debt_than_a_window_holds_is_learned_as_a_full_one),
        cmocka_unit_test(test_processes_count_together),
        cmocka_unit_test(test_a_table_suits_the_policies_that_it_was_made_for),
        cmocka_unit_test(test_the_fields_as_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
