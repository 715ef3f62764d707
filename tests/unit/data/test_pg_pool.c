/* test_pg_pool.c - what works on PostgreSQL do to each other: conflicts that are nobody's fault are tried again, and nobody waits longer than
 * for what is before it on its own connection. */
#include "core/limits.h"
#include "store_fixture.h"

#include <netinet/in.h>
#include <sys/socket.h>

#define ALL_IN(group) for (size_t i = 0; i < sizeof(group) / sizeof((group)[0]); i++)

#define ENOUGH_US 20000000

/* A session beside the server's, which holds what a test wants held. */
static PGconn *outsider(const struct fixture *fixture, const char *sql)
{
    PGconn *pg = postgres_connect(fixture->url);
    PQclear(PQexec(pg, "SET deadlock_timeout = '1h'; BEGIN"));
    PGresult *result = PQexec(pg, sql);
    assert_int_equal(PQresultStatus(result), PGRES_COMMAND_OK);
    PQclear(result);
    return pg;
}

static void commit(PGconn *pg)
{
    PGresult *result;
    while ((result = PQgetResult(pg)) != NULL) /* of what was only sent */
        PQclear(result);
    PQclear(PQexec(pg, "COMMIT"));
    PQfinish(pg);
}

static int count_of(const struct fixture *fixture, const char *condition)
{
    char sql[256], value[32];
    (void)snprintf(sql, sizeof sql,
                   "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                   " AND application_name = 'limen' AND %s",
                   condition);
    postgres_run(fixture->url, sql, value, sizeof value);
    return atoi(value);
}

/* Lets the store work until so many of its sessions are in that state. */
static void wait_until(const struct fixture *fixture, const char *condition, int wanted)
{
    int64_t until = clock_mono_us() + ENOUGH_US;
    while (count_of(fixture, condition) != wanted) {
        assert_true(clock_mono_us() < until);
        loop_turn(fixture->loop, 10000);
    }
}
#define WAITS_FOR_A_LOCK "wait_event_type = 'Lock'"
#define RUNS "state = 'active'"

static void reopen(struct fixture *fixture, const char *setting, uint32_t connections)
{
    char sql[160];
    store_close(fixture->store);
    (void)snprintf(sql, sizeof sql, "ALTER DATABASE %s SET %s", strrchr(fixture->url, '/') + 1, setting);
    postgres_run(fixture->url, sql, NULL, 0);
    fixture->config.connections = connections;
    fixture_open(fixture);
}

static struct job *batch_new(struct fixture *fixture, const char *first, const char *second)
{
    struct job *job = job_new(fixture, STORE_BATCH, "acc_a");
    job_add(job, "set_price", "si", first, 700);
    if (second != NULL)
        job_add(job, "set_price", "si", second, 701);
    return job;
}

static void test_a_batch_that_dies_of_a_deadlock_is_run_again(void **state)
{
    struct fixture *fixture = *state;
    reopen(fixture, "deadlock_timeout = '2s'", 0);
    PGconn *pg = outsider(fixture, "UPDATE items SET price = 1 WHERE id = 'mug'");
    struct job *job = batch_new(fixture, "tea", "mug");
    job_submit(job);
    wait_until(fixture, WAITS_FOR_A_LOCK, 1);
    assert_int_equal(PQsendQuery(pg, "UPDATE items SET price = 1 WHERE id = 'tea'"), 1);
    while (PQisBusy(pg) != 0 && !job->is_done) { /* until the batch has let go of the tea */
        loop_turn(fixture->loop, 10000);
        assert_int_equal(PQconsumeInput(pg), 1);
    }
    assert_false(job->is_done);
    commit(pg);
    fixture_wait(fixture);
    assert_int_equal(job->task.outcome, STORE_OK);
    job_free(job);
    assert_reads(fixture, NULL, "mug,701,tea,700", "all_prices", "");
}

/* A trigger of the test's own tells how the session that writes plans. */
static void test_statements_are_planned_once_unless_they_are_slow(void **state)
{
    struct fixture *fixture = *state;
    char modes[64];
    postgres_run(fixture->url,
                 "CREATE TABLE public.modes (mode text); CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql"
                 " SECURITY DEFINER AS 'BEGIN INSERT INTO public.modes VALUES (current_setting(''plan_cache_mode''));"
                 " RETURN NULL; END'; CREATE TRIGGER note AFTER UPDATE ON public.counters EXECUTE FUNCTION"
                 " public.note()",
                 NULL, 0);
    assert_int_equal(WRITE(fixture, NULL, "count_up", ""), STORE_OK);
    assert_int_equal(WRITE(fixture, NULL, "slow_count_up", ""), STORE_OK);
    postgres_run(fixture->url, "SELECT string_agg(mode, ',') FROM public.modes", modes, sizeof modes);
    assert_string_equal(modes, "force_generic_plan,auto");
}

static void test_a_batch_that_cannot_be_serialized_is_run_again(void **state)
{
    struct fixture *fixture = *state;
    reopen(fixture, "default_transaction_isolation = 'repeatable read'", 0);
    PGconn *pg = outsider(fixture, "UPDATE items SET price = 1 WHERE id = 'tea'");
    struct job *job = batch_new(fixture, "tea", NULL);
    job_submit(job);
    wait_until(fixture, WAITS_FOR_A_LOCK, 1);
    assert_false(job->is_done);
    commit(pg);
    fixture_wait(fixture);
    assert_int_equal(job->task.outcome, STORE_OK);
    job_free(job);
    assert_reads(fixture, NULL, "mug,900,tea,700", "all_prices", "");
}

/* Nobody waits for them any more. */
static void give_up(struct job **jobs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        __atomic_store_n(&jobs[i]->task.is_cancelled, true, __ATOMIC_RELAXED);
    fixture_wait(jobs[0]->fixture);
    for (size_t i = 0; i < count; i++)
        job_free(jobs[i]);
}

/* Waits for one read while others are under way. */
static enum store_outcome look(struct fixture *fixture)
{
    struct job *job = job_new(fixture, STORE_READ, NULL);
    job_add(job, "get_count", "");
    job_submit(job);
    int64_t until = clock_mono_us() + ENOUGH_US;
    while (!job->is_done && clock_mono_us() < until)
        loop_turn(fixture->loop, 10000);
    assert_true(job->is_done);
    enum store_outcome outcome = job->task.outcome;
    job_free(job);
    return outcome;
}

static void test_slow_statements_hold_up_slow_ones_only(void **state)
{
    struct fixture *fixture = *state;
    struct job *slow[20];
    ALL_IN(slow)
    {
        slow[i] = job_new(fixture, STORE_READ, NULL);
        job_add(slow[i], "slow_for_ever", "");
        job_submit(slow[i]);
    }
    wait_until(fixture, RUNS, 1); /* eight connections have one for what is slow */
    for (int i = 0; i < 50; i++)
        assert_int_equal(look(fixture), STORE_OK);
    ALL_IN(slow)
    assert_false(slow[i]->is_done);
    give_up(slow, sizeof(slow) / sizeof(slow[0]));
}

static void test_a_connection_that_is_held_up_holds_up_no_more_than_its_credit(void **state)
{
    struct fixture *fixture = *state;
    struct job *reads[50];
    size_t done = 0, most = sizeof(reads) / sizeof(reads[0]);
    reopen(fixture, "deadlock_timeout = '2s'", 3); /* two for what is not slow */
    PGconn *pg = outsider(fixture, "UPDATE items SET price = 1 WHERE id = 'tea'");
    struct job *held_up = batch_new(fixture, "tea", NULL);
    job_submit(held_up);
    wait_until(fixture, WAITS_FOR_A_LOCK, 1);
    ALL_IN(reads)
    {
        reads[i] = job_new(fixture, STORE_READ, NULL);
        job_add(reads[i], "get_count", "");
        job_submit(reads[i]);
    }
    int64_t until = clock_mono_us() + ENOUGH_US;
    while (done < most - (LIMIT_PG_CREDIT - 1) && clock_mono_us() < until) {
        loop_turn(fixture->loop, 10000);
        done = 0;
        ALL_IN(reads)
        done += reads[i]->is_done;
    }
    assert_int_equal(done, most - (LIMIT_PG_CREDIT - 1)); /* the others stand behind the batch */
    assert_false(held_up->is_done);
    commit(pg);
    fixture_wait(fixture);
    ALL_IN(reads)
    job_free(reads[i]);
    job_free(held_up);
}

/* Every connection is at a statement that nobody waits for any more: a cancel would stand behind one of them. It waits until one is idle. */
static void test_who_is_given_up_while_all_are_busy_is_cancelled_when_one_is_idle(void **state)
{
    struct fixture *fixture = *state;
    struct job *jobs[3], *soon;
    reopen(fixture, "deadlock_timeout = '2s'", 3);
    for (size_t i = 0; i < 3; i++) {
        jobs[i] = job_new(fixture, STORE_READ, NULL);
        job_add(jobs[i], i == 0 ? "slow_for_ever" : "for_ever", "");
        job_submit(jobs[i]);
    }
    soon = jobs[2];
    wait_until(fixture, RUNS, 3);
    for (size_t i = 0; i < 2; i++)
        __atomic_store_n(&jobs[i]->task.is_cancelled, true, __ATOMIC_RELAXED);
    for (int i = 0; i < 20; i++)
        loop_turn(fixture->loop, 20000);
    assert_int_equal(count_of(fixture, RUNS), 3);
    postgres_run(fixture->url,
                 "SELECT pg_cancel_backend(min(pid)) FROM pg_stat_activity WHERE datname = current_database()"
                 " AND state = 'active' AND application_name = 'limen'",
                 NULL, 0);
    int64_t from = clock_mono_us();
    while ((!jobs[0]->is_done || !jobs[1]->is_done) && clock_mono_us() - from < ENOUGH_US / 4)
        loop_turn(fixture->loop, 10000);
    assert_true(jobs[0]->is_done && jobs[1]->is_done);
    __atomic_store_n(&soon->task.is_cancelled, true, __ATOMIC_RELAXED);
    fixture_wait(fixture);
    for (size_t i = 0; i < 3; i++)
        job_free(jobs[i]);
}

/* A policy of the test's own counts the rows that are looked at. */
static void test_no_more_rows_are_fetched_than_a_read_may_give(void **state)
{
    struct fixture *fixture = *state;
    char seen[16];
    postgres_run(fixture->url,
                 "INSERT INTO orders SELECT 'o' || n, 'acc_a', 'placed' FROM generate_series(1, 50000) AS n;"
                 "CREATE SEQUENCE public.seen; GRANT USAGE ON SEQUENCE public.seen TO PUBLIC;"
                 "ALTER POLICY limen_caller ON orders USING (nextval('public.seen') > 0)",
                 NULL, 0);
    struct job *job = job_new(fixture, STORE_READ, "acc_a");
    job_add(job, "all_orders", "");
    assert_int_equal(job_run(job), STORE_ERROR);
    job_free(job);
    postgres_run(fixture->url, "SELECT last_value FROM public.seen", seen, sizeof seen);
    assert_int_equal(atoi(seen), LIMIT_ROWS + 1);
}

/* ---- Limen's own tables are locked ------------------------------------------------------------------------------------------------------ */

static void test_a_look_up_has_a_second_whatever_its_call_has(void **state)
{
    struct fixture *fixture = *state;
    enum store_task_kind kinds[] = { STORE_SESSION_FIND, STORE_KEY_FIND, STORE_API_KEY_FIND, STORE_CREDENTIAL_FIND };
    PGconn *pg = outsider(fixture,
                          "LOCK TABLE limen.limen_sessions, limen.limen_keys, limen.limen_api_keys,"
                          " limen.limen_credentials IN ACCESS EXCLUSIVE MODE");
    ALL_IN(kinds)
    {
        struct job *job = job_new(fixture, kinds[i], "acc_a");
        job->task.key = job->task.key_id = job->task.email = LIMEN_STR("it");
        assert_int_equal(job_run(job), STORE_BUSY);
        assert_true(clock_mono_us() < job->task.deadline_us);
        job_free(job);
    }
    assert_int_equal(count_of(fixture, WAITS_FOR_A_LOCK), 0); /* the server has given them up as well */
    commit(pg);
}

static void test_what_else_is_our_own_has_what_is_left_of_its_call(void **state)
{
    struct fixture *fixture = *state;
    enum store_task_kind kinds[] = { STORE_SESSION_START, STORE_SESSION_END, STORE_EFFECT_LEASE, STORE_EFFECT_ASK,
                                     STORE_EFFECT_COUNT };
    PGconn *pg = outsider(fixture, "LOCK TABLE limen.limen_sessions, limen.limen_outbox IN ACCESS EXCLUSIVE MODE");
    ALL_IN(kinds)
    {
        struct job *job = job_new(fixture, kinds[i], "acc_a");
        job->task.deadline_us = clock_mono_us() + 200000;
        job->task.news_of = LIMEN_STR("it");
        job->task.lease_most = 1;
        assert_int_equal(job_run(job), STORE_TIMEOUT);
        job_free(job);
    }
    wait_until(fixture, WAITS_FOR_A_LOCK, 0);
    commit(pg);
}

static void test_a_statement_of_the_apps_has_more_than_a_look_up(void **state)
{
    struct fixture *fixture = *state;
    PGconn *pg = outsider(fixture, "UPDATE items SET price = 1 WHERE id = 'tea'");
    struct job *job = batch_new(fixture, "tea", NULL);
    job_submit(job);
    wait_until(fixture, WAITS_FOR_A_LOCK, 1);
    for (int64_t until = clock_mono_us() + LIMIT_PG_LOOKUP_US * 3 / 2; clock_mono_us() < until;)
        loop_turn(fixture->loop, 10000);
    assert_int_equal(count_of(fixture, WAITS_FOR_A_LOCK), 1);
    commit(pg);
    fixture_wait(fixture);
    assert_int_equal(job->task.outcome, STORE_OK);
    job_free(job);
}

/* Two sessions that were last seen an hour ago: of 32 zeros and of 32 ones. */
static void make_sessions(const struct fixture *fixture)
{
    postgres_run(fixture->url,
                 "INSERT INTO limen.limen_credentials VALUES ('acc_a', 'a@b.c', 'hash', '', 0);"
                 "INSERT INTO limen.limen_sessions SELECT decode(repeat(byte, 32), 'hex'), 'acc_a', t, t"
                 " FROM (SELECT (extract(epoch FROM now()) - 3600)::bigint * 1000000) AS past (t),"
                 " unnest(ARRAY['00', '01']) AS byte",
                 NULL, 0);
}

/* Which is noted a little later. */
static void see_session(struct fixture *fixture, uint8_t byte)
{
    struct job *job = job_new(fixture, STORE_SESSION_FIND, NULL);
    memset(job->task.token_hash, byte, sizeof job->task.token_hash);
    assert_int_equal(job_run(job), STORE_OK);
    job_free(job);
}

/* What nobody waits for is done on a connection by itself: a lock that holds it up (an index is being made, say) holds up no call that could
 * do without. */
static void test_a_session_that_is_noted_holds_up_nobody(void **state)
{
    struct fixture *fixture = *state;
    struct job *reads[20];
    reopen(fixture, "deadlock_timeout = '2s'", 3); /* two for what is not slow */
    make_sessions(fixture);
    PGconn *pg = outsider(fixture, "LOCK TABLE limen.limen_sessions IN SHARE MODE");
    see_session(fixture, 0);
    wait_until(fixture, WAITS_FOR_A_LOCK, 1);
    ALL_IN(reads)
    {
        reads[i] = job_new(fixture, STORE_READ, NULL);
        job_add(reads[i], "get_count", "");
        job_submit(reads[i]);
    }
    fixture_wait(fixture);
    assert_int_equal(count_of(fixture, WAITS_FOR_A_LOCK), 1);
    ALL_IN(reads)
    {
        assert_int_equal(reads[i]->task.outcome, STORE_OK);
        job_free(reads[i]);
    }
    commit(pg);
}

/* Copies of the server note the same sessions in the same second, each in its own order. */
static void test_a_session_that_another_is_at_is_left_to_it(void **state)
{
    struct fixture *fixture = *state;
    char noted[8] = "";
    make_sessions(fixture);
    PGconn *pg = postgres_connect(fixture->url);
    PQclear(PQexec(pg, "BEGIN"));
    PQclear(
        PQexec(pg, "SELECT 1 FROM limen.limen_sessions WHERE token_hash = decode(repeat('00', 32), 'hex') FOR UPDATE"));
    see_session(fixture, 0);
    see_session(fixture, 1);
    for (int64_t until = clock_mono_us() + ENOUGH_US; strcmp(noted, "01") != 0; loop_turn(fixture->loop, 10000)) {
        assert_true(clock_mono_us() < until);
        postgres_run(fixture->url,
                     "SELECT left(encode(token_hash, 'hex'), 2) FROM limen.limen_sessions WHERE seen_at > created_at",
                     noted, sizeof noted);
    }
    commit(pg);
}

/* ---- lost on the way --------------------------------------------------------------------------------------------------------------- */

/* All of this process to the server but one. A session of the server's that waits for a lock does not notice. */
static void lose_connections(const PGconn *but)
{
    for (int fd = 3; fd < 256; fd++) {
        struct sockaddr_storage peer;
        socklen_t bytes = sizeof peer;
        if (fd != PQsocket(but) && getpeername(fd, (struct sockaddr *)&peer, &bytes) == 0 && peer.ss_family != AF_UNIX)
            (void)shutdown(fd, SHUT_RDWR);
    }
}

/* The one whose session waits for a lock. */
static void lose_who_waits(const struct fixture *fixture)
{
    char port[16];
    postgres_run(fixture->url,
                 "SELECT client_port FROM pg_stat_activity WHERE datname = current_database()"
                 " AND application_name = 'limen' AND " WAITS_FOR_A_LOCK,
                 port, sizeof port);
    for (int fd = 3; fd < 256; fd++) {
        struct sockaddr_in here;
        socklen_t bytes = sizeof here;
        if (getsockname(fd, (struct sockaddr *)&here, &bytes) == 0 && here.sin_family == AF_INET
            && ntohs(here.sin_port) == atoi(port))
            (void)shutdown(fd, SHUT_RDWR);
    }
}

static struct job *keyed_new(struct fixture *fixture, int64_t time_us)
{
    struct job *job = batch_new(fixture, "tea", NULL);
    job_key(job, "key", 1, 201, "{}");
    job->task.deadline_us = clock_mono_us() + time_us;
    return job;
}

/* A batch waits for a row when its connection is lost. It is run again, and meets what `sql` has made of the database, whose name stands
 * for its %s. */
static void lose_a_batch(struct fixture *fixture, const char *sql, int64_t time_us)
{
    char change[160];
    PGconn *pg = outsider(fixture, "UPDATE items SET price = 1 WHERE id = 'tea'");
    struct job *job = keyed_new(fixture, time_us);
    job_submit(job);
    wait_until(fixture, WAITS_FOR_A_LOCK, 1);
    (void)snprintf(change, sizeof change, sql, strrchr(fixture->url, '/') + 1);
    postgres_run(fixture->url, change, NULL, 0);
    lose_connections(pg);
    fixture_wait(fixture);
    assert_int_equal(job->task.outcome, STORE_UNKNOWN);
    job_free(job);
    commit(pg);
}

/* It was done after all, by the session that nobody heard of any more. */
static void assert_is_done(const struct fixture *fixture)
{
    char count[8] = "";
    for (int64_t until = clock_mono_us() + ENOUGH_US; strcmp(count, "1") != 0; usleep(10000)) {
        assert_true(clock_mono_us() < until);
        postgres_run(fixture->url, "SELECT count(*) FROM limen.limen_keys", count, sizeof count);
    }
}

static void test_a_server_that_does_not_write_tells_nothing_of_a_batch_that_was_lost(void **state)
{
    lose_a_batch(*state, "ALTER DATABASE %s SET default_transaction_read_only = on", ENOUGH_US);
    assert_is_done(*state);
}

static void test_an_error_before_the_key_tells_nothing_of_a_batch_that_was_lost(void **state)
{
    lose_a_batch(*state, "REVOKE INSERT ON limen.limen_keys FROM limen_%s", ENOUGH_US);
    assert_is_done(*state);
}

static void test_time_that_ends_before_the_key_tells_nothing_of_a_batch_that_was_lost(void **state)
{
    lose_a_batch(*state, "SELECT '%s'", 2000000); /* it waits for the key of the first, until there is no time left */
}

/* Behind another work on a connection that is lost it may still be to come: that its key was free tells nothing. */
static void test_a_refusal_tells_nothing_of_a_batch_that_was_lost(void **state)
{
    struct fixture *fixture = *state;
    struct job *before[2];
    reopen(fixture, "deadlock_timeout = '2s'", 3); /* two for what is not slow */
    PGconn *pg = outsider(fixture, "UPDATE items SET price = 1 WHERE id = 'tea'");
    ALL_IN(before)
    {
        before[i] = batch_new(fixture, "tea", NULL);
        job_submit(before[i]);
    }
    wait_until(fixture, WAITS_FOR_A_LOCK, 2);
    struct job *job = job_new(fixture, STORE_BATCH, "acc_a");
    job_add(job, "take_stock", "si", "mug", 1);
    job_key(job, "key", 1, 201, "{}");
    job_submit(job);
    loop_turn(fixture->loop, 10000);
    postgres_run(fixture->url, "UPDATE items SET stock = 0 WHERE id = 'mug'", NULL, 0);
    lose_connections(pg);
    fixture_wait(fixture);
    postgres_run(fixture->url, "UPDATE items SET stock = 1 WHERE id = 'mug'", NULL, 0);
    commit(pg);
    assert_is_done(fixture);
    assert_int_equal(job->task.outcome, STORE_UNKNOWN);
    job_free(job);
    ALL_IN(before)
    job_free(before[i]);
}

static void test_the_key_tells_what_came_of_a_batch_that_was_lost(void **state)
{
    struct fixture *fixture = *state;
    PGconn *pg = outsider(fixture, "UPDATE items SET price = 1 WHERE id = 'tea'");
    struct job *job = keyed_new(fixture, ENOUGH_US);
    job_submit(job);
    wait_until(fixture, WAITS_FOR_A_LOCK, 1);
    lose_who_waits(fixture);
    wait_until(fixture, WAITS_FOR_A_LOCK, 2); /* the second attempt for the key of the first */
    commit(pg);
    fixture_wait(fixture);
    assert_int_equal(job->task.outcome, STORE_REPLAY);
    job_free(job);
}

/* ---- an interactive transaction under load -------------------------------------------------------------------------------------------- */

#define READS \
    100U /* at any time: more than the credit of all connections, so that one that waits follows each that ends */
#define READS_MOST 600U /* that end before the load is over */

static struct job *read_new(struct fixture *fixture)
{
    struct job *job = job_new(fixture, STORE_READ, "acc_b");
    job_add(job, "all_orders", "");
    job_submit(job);
    return job;
}

/* Ends those that are done and begins as many. Returns how many. */
static uint32_t replace_done(struct fixture *fixture, struct job **reads)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < READS; i++) {
        if (!reads[i]->is_done)
            continue;
        assert_int_equal(reads[i]->task.outcome, STORE_OK);
        job_free(reads[i]);
        reads[i] = read_new(fixture);
        count++;
    }
    return count;
}

static void test_an_interactive_transaction_gets_its_connection_under_load(void **state)
{
    struct fixture *fixture = *state;
    struct job *reads[READS], *step;
    uint32_t ended = 0;
    postgres_run(fixture->url, "ALTER POLICY limen_caller ON orders USING (true AND pg_sleep(0.02)::text = '')", NULL,
                 0);
    ALL_IN(reads)
    reads[i] = read_new(fixture);
    while (ended < READS) { /* every connection has all that it takes */
        loop_turn(fixture->loop, 10000);
        ended += replace_done(fixture, reads);
    }
    step = job_new(fixture, STORE_STEP, "acc_a");
    step->task.transaction = 1;
    job_add(step, "get_count", "");
    job_submit(step);
    while (!step->is_done && ended < READS_MOST) {
        loop_turn(fixture->loop, 10000);
        ended += replace_done(fixture, reads);
    }
    assert_true(step->is_done);
    assert_int_equal(step->task.outcome, STORE_OK);
    store_abandon(fixture->store, 1);
    job_free(step);
    give_up(reads, READS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
        TEST(test_statements_are_planned_once_unless_they_are_slow),
        TEST(test_a_batch_that_dies_of_a_deadlock_is_run_again),
        TEST(test_a_batch_that_cannot_be_serialized_is_run_again),
        TEST(test_slow_statements_hold_up_slow_ones_only),
        TEST(test_a_connection_that_is_held_up_holds_up_no_more_than_its_credit),
        TEST(test_who_is_given_up_while_all_are_busy_is_cancelled_when_one_is_idle),
        TEST(test_no_more_rows_are_fetched_than_a_read_may_give),
        TEST(test_a_look_up_has_a_second_whatever_its_call_has),
        TEST(test_what_else_is_our_own_has_what_is_left_of_its_call),
        TEST(test_a_statement_of_the_apps_has_more_than_a_look_up),
        TEST(test_a_session_that_is_noted_holds_up_nobody),
        TEST(test_a_session_that_another_is_at_is_left_to_it),
        TEST(test_a_server_that_does_not_write_tells_nothing_of_a_batch_that_was_lost),
        TEST(test_an_error_before_the_key_tells_nothing_of_a_batch_that_was_lost),
        TEST(test_time_that_ends_before_the_key_tells_nothing_of_a_batch_that_was_lost),
        TEST(test_a_refusal_tells_nothing_of_a_batch_that_was_lost),
        TEST(test_the_key_tells_what_came_of_a_batch_that_was_lost),
        TEST(test_an_interactive_transaction_gets_its_connection_under_load),
    };
    postgres_server = getenv("LIMEN_TEST_POSTGRES");
    if (postgres_server == NULL) {
        print_message("# not run: start it with tests/lib/with_postgres\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
