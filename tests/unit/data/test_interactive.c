/* test_interactive.c - interactive transactions on both databases: what was written is seen by its writer alone, and others wait for a moment only.
 *
 * On a busy machine the lease may be over before a test has taken its next step: it then begins again, and a test that never
 * gets through fails. */
#include "core/limits.h"
#include "store_fixture.h"

#define TRIES 50

static struct job *step_new(struct fixture *fixture, const char *caller, uint64_t transaction, bool continues)
{
    struct job *job = job_new(fixture, STORE_STEP, caller);
    job->task.transaction = transaction;
    job->task.continues = continues;
    return job;
}

static struct job *end_new(struct fixture *fixture, const char *caller, uint64_t transaction)
{
    struct job *job = job_new(fixture, STORE_BATCH, caller);
    job->task.transaction = transaction;
    job->task.continues = true;
    return job;
}

static enum store_outcome run_and_free(struct job *job)
{
    enum store_outcome outcome = job_run(job);
    job_free(job);
    return outcome;
}

/* Begins: counts up and reads the count. */
static enum store_outcome count_and_look(struct fixture *fixture, uint64_t transaction, bool continues,
                                         const char *wanted)
{
    struct job *job = step_new(fixture, "acc_a", transaction, continues);
    char memory[64];
    job_add(job, "count_up", "");
    job_add(job, "get_count", "");
    enum store_outcome outcome = job_run(job);
    if (outcome == STORE_OK)
        assert_string_equal(job_values(job, memory, sizeof memory), wanted);
    job_free(job);
    return outcome;
}

static void test_a_step_sees_what_was_queued_and_others_do_not(void **state)
{
    struct fixture *fixture = *state;
    for (uint64_t at = 1; at <= TRIES; at++) {
        assert_int_equal(count_and_look(fixture, at, /* continues= */ false, "1"), STORE_OK);
        assert_reads(fixture, NULL, "0", "get_count", "");
        enum store_outcome second = count_and_look(fixture, at, /* continues= */ true, "2");
        if (second == STORE_OK && run_and_free(end_new(fixture, "acc_a", at)) == STORE_OK) {
            assert_reads(fixture, NULL, "2", "get_count", "");
            return;
        }
        assert_reads(fixture, NULL, "0", "get_count", "");
    }
    fail_msg("no transaction got through within its lease");
}

static void test_a_lease_that_is_over_undoes_everything_and_lets_others_write(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(count_and_look(fixture, 1, /* continues= */ false, "1"), STORE_OK);
    assert_int_equal(WRITE(fixture, "acc_a", "count_up", ""), STORE_OK); /* waits for the lease */
    assert_reads(fixture, NULL, "1", "get_count", "");
    assert_int_equal(count_and_look(fixture, 1, /* continues= */ true, "?"), STORE_TIMEOUT);
    assert_int_equal(run_and_free(end_new(fixture, "acc_a", 1)), STORE_TIMEOUT);
    assert_reads(fixture, NULL, "1", "get_count", "");
}

static void test_a_must_that_misses_undoes_the_steps_before_it(void **state)
{
    struct fixture *fixture = *state;
    for (uint64_t at = 1; at <= TRIES; at++) {
        assert_int_equal(count_and_look(fixture, at, /* continues= */ false, "1"), STORE_OK);
        struct job *end = end_new(fixture, "acc_a", at);
        job_add(end, "take_stock", "si", "tea", 1);
        job_add(end, "take_stock", "si", "mug", 1000);
        enum store_outcome outcome = job_run(end);
        uint32_t refused_by = end->task.refused_by;
        job_free(end);
        assert_reads(fixture, NULL, "0", "get_count", "");
        assert_reads(fixture, NULL, "10", "get_stock", "s", "tea");
        if (outcome == STORE_TIMEOUT)
            continue;
        assert_int_equal(outcome, STORE_REFUSED);
        assert_int_equal(refused_by, 1);
        return;
    }
    fail_msg("no transaction got through within its lease");
}

/* What does not fit its prototype ends the transaction like any other error: what was queued before is not committed by what comes later. */
static void test_a_step_that_does_not_fit_undoes_the_steps_before_it(void **state)
{
    struct fixture *fixture = *state;
    for (uint64_t at = 1; at <= TRIES; at++) {
        assert_int_equal(count_and_look(fixture, at, /* continues= */ false, "1"), STORE_OK);
        struct job *step = step_new(fixture, "acc_a", at, /* continues= */ true);
        job_add(step, "insert_parent", "s", "\xff"); /* no UTF-8 */
        job_add(step, "get_count", "");
        enum store_outcome outcome = run_and_free(step);
        assert_int_equal(run_and_free(end_new(fixture, "acc_a", at)), STORE_TIMEOUT);
        assert_reads(fixture, NULL, "0", "get_count", "");
        if (outcome == STORE_TIMEOUT)
            continue;
        assert_int_equal(outcome, STORE_ERROR);
        return;
    }
    fail_msg("no transaction got through within its lease");
}

static void test_an_abandoned_transaction_is_undone_before_its_lease_is_over(void **state)
{
    struct fixture *fixture = *state;
    for (uint64_t at = 1; at <= TRIES; at++) {
        int64_t begun_us = clock_mono_us();
        assert_int_equal(count_and_look(fixture, at, /* continues= */ false, "1"), STORE_OK);
        store_abandon(fixture->store, at - 1); /* another's: nothing happens */
        store_abandon(fixture->store, at);
        assert_int_equal(WRITE(fixture, "acc_a", "set_price", "si", "tea", 501), STORE_OK);
        assert_reads(fixture, NULL, "0", "get_count", "");
        if (clock_mono_us() - begun_us < LIMIT_LEASE_US)
            return;
    }
    fail_msg("the writer was never free before the lease was over");
}

static void test_steps_see_the_callers_rows_only(void **state)
{
    struct fixture *fixture = *state;
    struct job *job = step_new(fixture, "acc_a", 1, /* continues= */ false);
    char memory[64];
    job_add(job, "set_all", "s", "held");
    job_add(job, "all_orders", "");
    assert_int_equal(job_run(job), STORE_OK);
    assert_string_equal(job_values(job, memory, sizeof memory), "ord_a");
    job_free(job);
    store_abandon(fixture->store, 1);
    struct job *other = step_new(fixture, "acc_b", 2, /* continues= */ false);
    job_add(other, "insert_order", "ss", "ord_x", "acc_a"); /* another's row */
    job_add(other, "all_orders", "");
    assert_int_equal(job_run(other), STORE_REFUSED);
    job_free(other);
    assert_reads(fixture, NULL, "placed,placed", "admin_states", "");
}

static void test_a_step_with_a_committed_key_is_a_replay(void **state)
{
    struct fixture *fixture = *state;
    struct job *batch = job_new(fixture, STORE_BATCH, "acc_a");
    job_add(batch, "count_up", "");
    job_key(batch, "k", 7, 201, "done");
    assert_int_equal(run_and_free(batch), STORE_OK);

    struct job *step = step_new(fixture, "acc_a", 1, /* continues= */ false);
    job_add(step, "count_up", "");
    job_add(step, "get_count", "");
    job_key(step, "k", 7, 0, "");
    assert_int_equal(job_run(step), STORE_REPLAY);
    assert_int_equal(step->task.status, 201);
    assert_true(str_equal(step->task.reply, LIMEN_STR("done")));
    job_free(step);
    assert_reads(fixture, NULL, "1", "get_count", "");
}

static void test_a_key_is_committed_with_its_transaction(void **state)
{
    struct fixture *fixture = *state;
    for (uint64_t at = 1; at <= TRIES; at++) {
        struct job *step = step_new(fixture, "acc_a", at, /* continues= */ false);
        job_add(step, "count_up", "");
        job_add(step, "get_count", "");
        job_key(step, "k", 7, 0, "");
        assert_int_equal(run_and_free(step), STORE_OK);
        struct job *end = end_new(fixture, "acc_a", at);
        job_key(end, "k", 7, 201, "done");
        if (run_and_free(end) != STORE_OK)
            continue;
        struct job *find = job_new(fixture, STORE_KEY_FIND, "acc_a");
        job_key(find, "k", 7, 0, "");
        assert_int_equal(run_and_free(find), STORE_REPLAY);
        assert_reads(fixture, NULL, "1", "get_count", "");
        return;
    }
    fail_msg("no transaction got through within its lease");
}

static void test_returned_rows_come_with_the_step(void **state)
{
    struct fixture *fixture = *state;
    struct job *job = step_new(fixture, "acc_a", 1, /* continues= */ false);
    job_add(job, "set_returning", "ss", "ord_a", "held");
    job_add(job, "count_orders", "");
    assert_int_equal(job_run(job), STORE_OK);
    struct wire_reader reader = { job->task.returned.ptr, job->task.returned.ptr + job->task.returned.len, false };
    assert_int_equal(wire_get_u8(&reader), 0);
    assert_true(str_equal(wire_get_str(&reader), LIMEN_STR("ord_a")));
    job_free(job);
    store_abandon(fixture->store, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
        TEST(test_a_step_sees_what_was_queued_and_others_do_not),
        TEST(test_a_lease_that_is_over_undoes_everything_and_lets_others_write),
        TEST(test_a_must_that_misses_undoes_the_steps_before_it),
        TEST(test_a_step_that_does_not_fit_undoes_the_steps_before_it),
        TEST(test_an_abandoned_transaction_is_undone_before_its_lease_is_over),
        TEST(test_steps_see_the_callers_rows_only),
        TEST(test_a_step_with_a_committed_key_is_a_replay),
        TEST(test_a_key_is_committed_with_its_transaction),
        TEST(test_returned_rows_come_with_the_step),
    };
    return RUN_ON_BOTH(tests, tests);
}
