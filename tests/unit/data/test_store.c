/* test_store.c - store.h on both databases: batches, groups, keys, sessions, deadlines, and values that a hostile worker might send. */
#include "store_fixture.h"

#define ALL_IN(group) for (size_t i = 0; i < sizeof(group) / sizeof((group)[0]); i++)

/* ---- batches -------------------------------------------------------------------------------------------------------------- */

static void test_batch_is_all_or_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct job *job = job_new(fixture, STORE_BATCH, "acc_a");
    job_add(job, "insert_order", "ss", "ord_1", "acc_a");
    job_add(job, "take_stock", "si", "mug", 2);
    job_add(job, "take_stock", "si", "mug", 2);
    assert_int_equal(job_run(job), STORE_REFUSED);
    assert_int_equal(job->task.refused_by, 2);
    job_free(job);
    assert_reads(fixture, NULL, "3", "get_stock", "s", "mug");
    assert_reads(fixture, "acc_a", "ord_a", "all_orders", "");
}

static void test_failing_batch_in_a_group_hurts_no_other(void **state)
{
    struct fixture *fixture = *state;
    struct job *jobs[30];
    for (size_t i = 0; i < 30; i++) {
        jobs[i] = job_new(fixture, STORE_BATCH, "acc_a");
        job_add(jobs[i], "count_up", "");
        if (i % 3 == 1)
            job_add(jobs[i], "take_stock", "si", "tea", 1000); /* refused */
        if (i % 3 == 2)
            job_add(jobs[i], "take_blindly", "si", "tea", 1000); /* an error: CHECK, and no else */
        job_submit(jobs[i]);
    }
    fixture_wait(fixture);
    for (size_t i = 0; i < 30; i++) {
        static const enum store_outcome WANTED[] = { STORE_OK, STORE_REFUSED, STORE_ERROR };
        assert_int_equal(jobs[i]->task.outcome, WANTED[i % 3]);
        job_free(jobs[i]);
    }
    assert_reads(fixture, NULL, "10", "get_count", "");
    assert_reads(fixture, NULL, "10", "get_stock", "s", "tea");
}

/* A statement that is stopped in the middle takes SQLite's whole transaction along: the others of its group run again. */
static void test_group_that_is_lost_runs_again_one_by_one(void **state)
{
    struct fixture *fixture = *state;
    struct job *jobs[12];
    for (size_t i = 0; i < 12; i++) {
        jobs[i] = job_new(fixture, STORE_BATCH, "acc_a");
        job_add(jobs[i], i == 5 ? "write_for_ever" : "count_up", "");
        if (i == 5)
            jobs[i]->task.deadline_us = clock_mono_us() + 150000;
        job_submit(jobs[i]);
    }
    fixture_wait(fixture);
    ALL_IN(jobs)
    {
        assert_int_equal(jobs[i]->task.outcome, i == 5 ? STORE_TIMEOUT : STORE_OK);
        job_free(jobs[i]);
    }
    assert_reads(fixture, NULL, "11", "get_count", "");
}

static uint32_t commits(const char *path)
{
    /* Every transaction adds at least one frame with its number of pages in bytes 4 to 7; read the WAL's file. */
    char name[160];
    unsigned char head[32], frame[24];
    uint32_t count = 0;
    snprintf(name, sizeof name, "%s-wal", path);
    FILE *file = fopen(name, "rb");
    assert_non_null(file);
    assert_int_equal(fread(head, 1, sizeof head, file), sizeof head);
    while (fread(frame, 1, sizeof frame, file) == sizeof frame) {
        count += (frame[4] | frame[5] | frame[6] | frame[7]) != 0;
        assert_int_equal(fseek(file, 4096, SEEK_CUR), 0);
    }
    fclose(file);
    return count;
}

static void test_what_waits_is_committed_together(void **state)
{
    struct fixture *fixture = *state;
    struct job *jobs[200];
    uint32_t before = commits(fixture->url + sizeof "sqlite:" - 1);
    ALL_IN(jobs)
    {
        jobs[i] = job_new(fixture, STORE_BATCH, "acc_a");
        job_add(jobs[i], "count_up", "");
        job_submit(jobs[i]);
    }
    fixture_wait(fixture);
    ALL_IN(jobs)
    {
        assert_int_equal(jobs[i]->task.outcome, STORE_OK);
        job_free(jobs[i]);
    }
    assert_reads(fixture, NULL, "200", "get_count", "");
    uint32_t made = commits(fixture->url + sizeof "sqlite:" - 1) - before;
    assert_in_range(made, 1, 100);
}

static void test_stock_never_goes_below_zero(void **state)
{
    struct fixture *fixture = *state;
    struct job *jobs[40];
    uint32_t sold = 0;
    ALL_IN(jobs)
    {
        jobs[i] = job_new(fixture, STORE_BATCH, "acc_a");
        job_add(jobs[i], "take_stock", "si", "tea", 3);
        job_submit(jobs[i]);
    }
    fixture_wait(fixture);
    ALL_IN(jobs)
    {
        sold += jobs[i]->task.outcome == STORE_OK;
        assert_true(jobs[i]->task.outcome == STORE_OK || jobs[i]->task.outcome == STORE_REFUSED);
        job_free(jobs[i]);
    }
    assert_int_equal(sold, 3);
    assert_reads(fixture, NULL, "1", "get_stock", "s", "tea");
    assert_int_equal(WRITE(fixture, NULL, "take_blindly", "si", "tea", 2), STORE_ERROR);
    assert_reads(fixture, NULL, "1", "get_stock", "s", "tea");
}

static void test_deferred_foreign_keys_hold_at_the_end_of_each_batch(void **state)
{
    struct fixture *fixture = *state;
    struct job *orphan = job_new(fixture, STORE_BATCH, NULL), *family = job_new(fixture, STORE_BATCH, NULL),
               *parent = job_new(fixture, STORE_BATCH, NULL);
    job_add(orphan, "insert_child", "ss", "kid", "late");
    job_add(family, "insert_child", "ss", "kid2", "mum");
    job_add(family, "insert_parent", "s", "mum");
    job_add(parent, "insert_parent", "s", "late");
    job_submit(orphan);
    if (postgres_server != NULL) /* which runs them beside each other: the parent might be there in time */
        fixture_wait(fixture);
    job_submit(family);
    job_submit(parent);
    fixture_wait(fixture);
    assert_int_equal(orphan->task.outcome, STORE_REFUSED);
    assert_int_equal(orphan->task.refused_by, 0);
    assert_int_equal(family->task.outcome, STORE_OK);
    assert_int_equal(parent->task.outcome, STORE_OK);
    job_free(orphan);
    job_free(family);
    job_free(parent);
}

static void test_late_batch_is_not_committed(void **state)
{
    struct fixture *fixture = *state;
    struct job *late = job_new(fixture, STORE_BATCH, NULL), *left = job_new(fixture, STORE_BATCH, NULL);
    job_add(late, "count_up", "");
    late->task.deadline_us = clock_mono_us() - 1;
    assert_int_equal(job_run(late), STORE_TIMEOUT);
    job_add(left, "count_up", "");
    left->task.is_cancelled = true;
    assert_int_equal(job_run(left), STORE_TIMEOUT);
    assert_reads(fixture, NULL, "0", "get_count", "");
    job_free(late);
    job_free(left);
}

/* ---- keys ------------------------------------------------------------------------------------------------------------------- */

static struct job *keyed(struct fixture *fixture, const char *caller, const char *key, uint8_t fingerprint,
                         const char *reply)
{
    struct job *job = job_new(fixture, STORE_BATCH, caller);
    job_key(job, key, fingerprint, 201, reply);
    job_add(job, "count_up", "");
    return job;
}

static void test_key_commits_once_and_replays_its_reply(void **state)
{
    struct fixture *fixture = *state;
    struct job *first = keyed(fixture, "acc_a", "k1", 7, "{\"a\":1}"),
               *second = keyed(fixture, "acc_a", "k1", 7, "{\"a\":2}");
    struct job *other = keyed(fixture, "acc_a", "k1", 8, "{}"),
               *stranger = keyed(fixture, "acc_b", "k1", 7, "{\"b\":1}");
    job_submit(first);
    if (postgres_server != NULL) /* which runs them beside each other */
        fixture_wait(fixture);
    job_submit(second); /* perhaps in the same group */
    job_submit(other);
    job_submit(stranger);
    fixture_wait(fixture);
    assert_int_equal(first->task.outcome, STORE_OK);
    assert_int_equal(second->task.outcome, STORE_REPLAY);
    assert_int_equal(second->task.status, 201);
    assert_text(second->task.reply, "{\"a\":1}");
    assert_int_equal(other->task.outcome, STORE_KEY_REUSED);
    assert_int_equal(stranger->task.outcome, STORE_OK);
    assert_reads(fixture, NULL, "2", "get_count", "");
    struct job *nobody = keyed(fixture, NULL, "k1", 7, "{}");
    assert_int_equal(job_run(nobody), STORE_ERROR);
    job_free(first);
    job_free(second);
    job_free(other);
    job_free(stranger);
    job_free(nobody);
}

static void test_attempts_at_the_same_time_commit_one_key_once(void **state)
{
    struct fixture *fixture = *state;
    static const char *const REPLIES[] = { "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11" };
    struct job *jobs[12];
    limen_str reply = LIMEN_STR("");
    uint32_t committed = 0;
    ALL_IN(jobs)
    {
        jobs[i] = keyed(fixture, "acc_a", "k", 7, REPLIES[i]);
        job_submit(jobs[i]);
    }
    fixture_wait(fixture);
    ALL_IN(jobs)
    {
        committed += jobs[i]->task.outcome == STORE_OK;
        if (jobs[i]->task.outcome == STORE_OK)
            reply = str_of(REPLIES[i]);
    }
    assert_int_equal(committed, 1);
    ALL_IN(jobs)
    {
        bool is_replay = jobs[i]->task.outcome == STORE_REPLAY && str_equal(jobs[i]->task.reply, reply);
        assert_true(is_replay || jobs[i]->task.outcome == STORE_OK);
        job_free(jobs[i]);
    }
    assert_reads(fixture, NULL, "1", "get_count", "");
}

static void test_refused_batch_leaves_its_key_free(void **state)
{
    struct fixture *fixture = *state;
    struct job *job = keyed(fixture, "acc_a", "k2", 7, "{}");
    job_add(job, "take_stock", "si", "mug", 100);
    assert_int_equal(job_run(job), STORE_REFUSED);
    assert_int_equal(job->task.refused_by, 1);
    job_free(job);
    job = keyed(fixture, "acc_a", "k2", 7, "{}");
    assert_int_equal(job_run(job), STORE_OK);
    job_free(job);
    job = job_new(fixture, STORE_KEY_FIND, "acc_a");
    job_key(job, "k2", 7, 0, "");
    assert_int_equal(job_run(job), STORE_REPLAY);
    assert_text(job->task.reply, "{}");
    job_key(job, "k2", 9, 0, "");
    assert_int_equal(job_run(job), STORE_KEY_REUSED);
    job_key(job, "k3", 7, 0, "");
    assert_int_equal(job_run(job), STORE_NONE);
    job_free(job);
}

/* ---- accounts and sessions ---------------------------------------------------------------------------------------------------- */

static enum store_outcome sign_up(struct fixture *fixture, const char *id, const char *email, uint8_t token)
{
    struct job *job = job_new(fixture, STORE_BATCH, id);
    struct store_sign_up sign_up = { .email = str_of(email), .password_hash = LIMEN_STR("$argon2id$x") };
    memset(sign_up.token_hash, token, sizeof sign_up.token_hash);
    job->task.sign_up = &sign_up;
    job->task.principal.roles = 1;
    job_add(job, "insert_order", "ss", id, id); /* :caller is the new account already */
    enum store_outcome outcome = job_run(job);
    job_free(job);
    return outcome;
}

static enum store_outcome find_session(struct fixture *fixture, uint8_t token, int64_t later_us,
                                       struct principal *ret_principal)
{
    struct job *job = job_new(fixture, STORE_SESSION_FIND, NULL);
    memset(job->task.token_hash, token, sizeof job->task.token_hash);
    job->task.now += later_us;
    enum store_outcome outcome = job_run(job);
    *ret_principal = job->task.principal;
    job_free(job);
    return outcome;
}

static void test_sign_up_is_committed_with_its_batch(void **state)
{
    struct fixture *fixture = *state;
    struct principal principal;
    assert_int_equal(sign_up(fixture, "acc_new", "Ann@Example.org", 5), STORE_OK);
    assert_int_equal(sign_up(fixture, "acc_two", "ann@example.ORG", 6), STORE_TAKEN);
    assert_int_equal(find_session(fixture, 6, 0, &principal), STORE_NONE);
    assert_int_equal(find_session(fixture, 5, 0, &principal), STORE_OK);
    assert_text(principal_id(&principal), "acc_new");
    assert_text(principal_email(&principal), "ann@example.org");
    assert_int_equal(principal.roles, 1);
    assert_reads(fixture, "acc_new", "acc_new", "all_orders", "");
    assert_reads(fixture, "acc_two", "", "all_orders", "");
    struct job *job = job_new(fixture, STORE_CREDENTIAL_FIND, NULL);
    job->task.email = LIMEN_STR("ANN@example.org");
    assert_int_equal(job_run(job), STORE_OK);
    assert_text(job->task.password_hash, "$argon2id$x");
    assert_text(principal_id(&job->task.principal), "acc_new");
    job->task.kind = STORE_CREDENTIAL_REHASH;
    job->task.password_hash = LIMEN_STR("$argon2id$y");
    assert_int_equal(job_run(job), STORE_OK);
    job->task.kind = STORE_CREDENTIAL_FIND;
    assert_int_equal(job_run(job), STORE_OK);
    assert_text(job->task.password_hash, "$argon2id$y");
    job->task.email = LIMEN_STR("bob@example.org");
    assert_int_equal(job_run(job), STORE_NONE);
    job_free(job);
}

static void test_session_expires_and_ends(void **state)
{
    struct fixture *fixture = *state;
    struct principal principal;
    assert_int_equal(sign_up(fixture, "acc_new", "ann@example.org", 5), STORE_OK);
    assert_int_equal(find_session(fixture, 5, LIMIT_SESSION_IDLE_US - 60000000, &principal), STORE_OK);
    assert_int_equal(find_session(fixture, 5, LIMIT_SESSION_IDLE_US + 60000000, &principal), STORE_NONE);
    /* The first of these is noted, with the next write or within a second, and slides the idle limit. */
    assert_int_equal(WRITE(fixture, NULL, "count_up", ""), STORE_OK);
    enum store_outcome outcome = STORE_NONE;
    for (int tries = 0; tries < 100 && outcome != STORE_OK; tries++) {
        outcome = find_session(fixture, 5, LIMIT_SESSION_IDLE_US + 60000000, &principal);
        loop_turn(fixture->loop, 100000);
    }
    assert_int_equal(outcome, STORE_OK);
    assert_int_equal(find_session(fixture, 5, LIMIT_SESSION_ABSOLUTE_US + 60000000, &principal), STORE_NONE);
    struct job *job = job_new(fixture, STORE_SESSION_START, "acc_new");
    memset(job->task.token_hash, 9, sizeof job->task.token_hash);
    assert_int_equal(job_run(job), STORE_OK);
    assert_int_equal(find_session(fixture, 9, 0, &principal), STORE_OK);
    job->task.kind = STORE_SESSION_END;
    assert_int_equal(job_run(job), STORE_OK);
    assert_int_equal(find_session(fixture, 9, 0, &principal), STORE_NONE);
    assert_int_equal(job_run(job), STORE_NONE);
    assert_int_equal(find_session(fixture, 5, 0, &principal), STORE_OK);
    job_free(job);
}

static void test_first_account_is_made_once(void **state)
{
    struct fixture *fixture = *state;
    assert_true(store_first_account(fixture->store, LIMEN_STR("acc_admin"), LIMEN_STR("Admin@example.org"),
                                    LIMEN_STR("$h"), 3));
    assert_false(store_first_account(fixture->store, LIMEN_STR("acc_admin2"), LIMEN_STR("admin2@example.org"),
                                     LIMEN_STR("$h"), 3));
    struct job *job = job_new(fixture, STORE_CREDENTIAL_FIND, NULL);
    job->task.email = LIMEN_STR("admin@example.org");
    assert_int_equal(job_run(job), STORE_OK);
    assert_int_equal(job->task.principal.roles, 3);
    job_free(job);
}

/* ---- reads -------------------------------------------------------------------------------------------------------------------- */

static void test_lists_are_bound_as_values(void **state)
{
    struct fixture *fixture = *state;
    static const limen_str IDS[] = { LIMEN_STR_INIT("tea"), LIMEN_STR_INIT("\"]\\\n\x01'"), LIMEN_STR_INIT("mug") };
    struct job *job = job_new(fixture, STORE_READ, NULL);
    char memory[64];
    job_add(job, "find_items", "s", "");
    job->values[0][0] = (limen_value){ .type = LIMEN_TYPE_TEXT, .is_list = true, .count = 3, .as.texts = IDS };
    assert_int_equal(job_run(job), STORE_OK);
    assert_string_equal(job_values(job, memory, sizeof memory), "mug,900,tea,500");
    job->values[0][0].count = 0;
    assert_int_equal(job_run(job), STORE_OK);
    assert_int_equal(job->task.row_count, 0);
    job_free(job);
}

static void test_values_that_do_not_fit_are_refused(void **state)
{
    struct fixture *fixture = *state;
    struct job *job = job_new(fixture, STORE_READ, NULL);
    static const limen_value BAD[] = {
        { .type = LIMEN_TYPE_INT, .as.integer = 1 },
        { .type = LIMEN_TYPE_TEXT, .is_null = true },
        { .type = LIMEN_TYPE_TEXT, .is_list = true },
        { .type = LIMEN_TYPE_TEXT, .as.text = LIMEN_STR_INIT("\xff\xfe") },
        { .type = LIMEN_TYPE_TEXT, .as.text = LIMEN_STR_INIT("a\0b") },
        { .type = 200, .as.integer = 1 },
    };
    job_add(job, "get_stock", "s", "tea");
    ALL_IN(BAD)
    {
        job->values[0][0] = BAD[i];
        assert_int_equal(job_run(job), STORE_ERROR);
    }
    job->values[0][0] = text_value("tea");
    assert_int_equal(job_run(job), STORE_OK);
    job->task.param_count = 0;
    assert_int_equal(job_run(job), STORE_ERROR);
    job->task.param_count = 2;
    assert_int_equal(job_run(job), STORE_ERROR);
    job->task.statement = queries_find(&fixture->queries, LIMEN_STR("count_up"));
    assert_int_equal(job_run(job), STORE_ERROR);
    job_free(job);
    assert_reads(fixture, NULL, "0", "get_count", "");
}

static void test_one_is_at_most_one(void **state)
{
    struct fixture *fixture = *state;
    struct job *job = job_new(fixture, STORE_READ, NULL);
    job_add(job, "two_rows", "");
    assert_int_equal(job_run(job), STORE_ERROR);
    assert_int_equal(job->task.rows.len, 0);
    job_free(job);
    assert_reads(fixture, NULL, "", "get_stock", "s", "nothing");
}

static void test_reads_have_a_deadline_and_can_be_cancelled(void **state)
{
    struct fixture *fixture = *state;
    struct job *late = job_new(fixture, STORE_READ, NULL), *left = job_new(fixture, STORE_READ, NULL);
    job_add(late, "for_ever", "");
    job_add(left, "for_ever", "");
    late->task.deadline_us = clock_mono_us() + 100000;
    job_submit(late);
    job_submit(left);
    usleep(50000);
    __atomic_store_n(&left->task.is_cancelled, true, __ATOMIC_RELAXED);
    int64_t from = clock_mono_us();
    fixture_wait(fixture);
    assert_in_range(clock_mono_us() - from, 0, 5000000);
    assert_int_equal(late->task.outcome, STORE_TIMEOUT);
    assert_int_equal(left->task.outcome, STORE_TIMEOUT);
    job_free(late);
    job_free(left);
    assert_reads(fixture, NULL, "0", "get_count", ""); /* the connection works on */
}

static void test_queue_that_is_full_says_busy(void **state)
{
    struct fixture *fixture = *state;
    struct job *blockers[LIMIT_DATA_READERS], *job = job_new(fixture, STORE_READ, NULL);
    struct store_task *tasks = calloc(LIMIT_READ_QUEUE, sizeof *tasks);
    ALL_IN(blockers)
    {
        blockers[i] = job_new(fixture, STORE_READ, NULL);
        job_add(blockers[i], "for_ever", "");
        job_submit(blockers[i]);
    }
    usleep(100000); /* each reader has one now */
    job_add(job, "get_count", "");
    for (size_t i = 0; i < LIMIT_READ_QUEUE; i++) {
        tasks[i] = job->task;
        tasks[i].is_cancelled = true;
        fixture->waiting++;
        store_submit(fixture->store, &tasks[i]);
    }
    job_submit(job);
    while (!job->is_done)
        loop_turn(fixture->loop, 100000);
    assert_int_equal(job->task.outcome, STORE_BUSY);
    ALL_IN(blockers)
    __atomic_store_n(&blockers[i]->task.is_cancelled, true, __ATOMIC_RELAXED);
    fixture_wait(fixture);
    ALL_IN(blockers)
    job_free(blockers[i]);
    free(tasks);
    job_free(job);
}

static void test_slow_reads_that_wait_leave_room_for_others(void **state)
{
    struct fixture *fixture = *state;
    struct job *blockers[LIMIT_DATA_READERS], *slow = job_new(fixture, STORE_READ, NULL);
    struct job *plain = job_new(fixture, STORE_READ, NULL);
    struct store_task *tasks = calloc(LIMIT_READ_QUEUE, sizeof *tasks);
    uint32_t refused = 0;
    ALL_IN(blockers)
    {
        blockers[i] = job_new(fixture, STORE_READ, NULL);
        job_add(blockers[i], "slow_for_ever", "");
        job_submit(blockers[i]);
    }
    usleep(100000); /* what runs slow statements has one now */
    job_add(slow, "slow_for_ever", "");
    for (size_t i = 0; i < LIMIT_READ_QUEUE; i++) {
        tasks[i] = slow->task;
        tasks[i].is_cancelled = true;
        fixture->waiting++;
        store_submit(fixture->store, &tasks[i]);
    }
    job_add(plain, "get_count", "");
    job_submit(plain);
    while (!plain->is_done)
        loop_turn(fixture->loop, 100000);
    assert_int_equal(plain->task.outcome, STORE_OK);
    ALL_IN(blockers)
    __atomic_store_n(&blockers[i]->task.is_cancelled, true, __ATOMIC_RELAXED);
    fixture_wait(fixture);
    for (size_t i = 0; i < LIMIT_READ_QUEUE; i++)
        refused += tasks[i].outcome == STORE_BUSY;
    assert_in_range(refused, LIMIT_READ_QUEUE - LIMIT_SLOW_QUEUE,
                    LIMIT_READ_QUEUE - LIMIT_SLOW_QUEUE + LIMIT_DATA_READERS);
    ALL_IN(blockers)
    job_free(blockers[i]);
    free(tasks);
    job_free(plain);
    job_free(slow);
}

/* ---- opening -------------------------------------------------------------------------------------------------------------------- */

static void test_close_finishes_what_is_queued(void **state)
{
    struct fixture *fixture = *state;
    struct job *jobs[50];
    ALL_IN(jobs)
    {
        jobs[i] = job_new(fixture, STORE_BATCH, NULL);
        job_add(jobs[i], "count_up", "");
        job_submit(jobs[i]);
    }
    store_close(fixture->store);
    assert_int_equal(fixture->waiting, 0);
    ALL_IN(jobs)
    {
        assert_int_equal(jobs[i]->task.outcome, STORE_OK);
        job_free(jobs[i]);
    }
    fixture_open(fixture);
    assert_reads(fixture, NULL, "50", "get_count", "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
#define ON_BOTH                                                                                                      \
    TEST(test_batch_is_all_or_nothing), TEST(test_failing_batch_in_a_group_hurts_no_other),                          \
        TEST(test_group_that_is_lost_runs_again_one_by_one), TEST(test_stock_never_goes_below_zero),                 \
        TEST(test_deferred_foreign_keys_hold_at_the_end_of_each_batch), TEST(test_late_batch_is_not_committed),      \
        TEST(test_key_commits_once_and_replays_its_reply), TEST(test_attempts_at_the_same_time_commit_one_key_once), \
        TEST(test_refused_batch_leaves_its_key_free), TEST(test_sign_up_is_committed_with_its_batch),                \
        TEST(test_session_expires_and_ends), TEST(test_first_account_is_made_once),                                  \
        TEST(test_lists_are_bound_as_values), TEST(test_values_that_do_not_fit_are_refused),                         \
        TEST(test_one_is_at_most_one), TEST(test_reads_have_a_deadline_and_can_be_cancelled),                        \
        TEST(test_queue_that_is_full_says_busy), TEST(test_slow_reads_that_wait_leave_room_for_others),              \
        TEST(test_close_finishes_what_is_queued)

int main(void)
{
    const struct CMUnitTest on_sqlite[] = { ON_BOTH, TEST(test_what_waits_is_committed_together) };
    const struct CMUnitTest on_postgres[] = { ON_BOTH };
    return RUN_ON_BOTH(on_sqlite, on_postgres);
}
