/* Tests of data/pg_pool.h: what becomes of a connection as time passes. No server is needed: it is one that says nothing. */
#include "check.h"

#include "core/limits.h"
#include "core/log.h"
#include "data/pg_pool.h"

#include <stdlib.h>
#include <string.h>

#define SOME_TURNS 40

static struct pg_pool pool;
static struct pg_conn *conn;
static struct arena arena;

/* A pool of one connection, which is as if it were there. */
static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, NULL, 65536);
    pool = (struct pg_pool){ .loop = loop_new(), .conninfo = "postgresql:///?host=/nowhere" };
    assert_true(pg_hosts_read(&pool.hosts, pool.conninfo, &arena));
    assert_true(pg_pool_open(&pool, 1));
    conn = &pool.conns[0];
    assert_int_equal(conn->state, PG_CONN_DOWN);
    conn->state = PG_CONN_READY;
    conn->failures = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    struct loop *loop = pool.loop;
    pg_pool_close(&pool);
    loop_free(loop);
    arena_release(&arena);
    return 0;
}

static void turn(void)
{
    for (int i = 0; i < SOME_TURNS; i++)
        loop_turn(pool.loop, 10000);
}

/* Though its host lives, or somebody in between acknowledges in its place. */
static void test_what_owes_for_too_long_is_closed(void **state)
{
    (void)state;
    int64_t before_us = clock_mono_us();
    pg_conn_give_up(conn);
    assert_int_equal(conn->state, PG_CONN_OWING);
    assert_true(conn->until_us >= before_us + LIMIT_PG_OWED_US);
    assert_true(conn->until_us <= clock_mono_us() + LIMIT_PG_OWED_US);
    turn();
    assert_int_equal(conn->state, PG_CONN_OWING);

    conn->until_us = clock_mono_us(); /* as if so long had passed */
    turn();
    assert_int_not_equal(conn->state, PG_CONN_OWING);
    assert_true(conn->failures > 0); /* it is tried anew */
}

static void test_a_pause_counts_from_when_the_last_attempt_began(void **state)
{
    (void)state;
    int64_t before_us = clock_mono_us();
    conn->failures = 20;
    conn->started_us = before_us;
    pg_conn_fail(conn, "refused at once");
    assert_true(conn->until_us >= before_us + LIMIT_PG_RETRY_MOST_US / 2);
    assert_true(conn->until_us <= before_us + LIMIT_PG_RETRY_MOST_US);

    conn->started_us = before_us - LIMIT_PG_CONNECT_US;
    pg_conn_fail_late(conn);
    assert_true(conn->until_us <= clock_mono_us() + LIMIT_PG_RETRY_LEAST_US);
    assert_true(conn->until_us >= before_us + LIMIT_PG_RETRY_LEAST_US / 2);
    assert_int_equal(conn->skipped, 1); /* and it begins elsewhere */
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    log_init(LOG_FORMAT_TEXT, LOG_LEVEL_ERROR, "test", -1);
    const struct CMUnitTest tests[] = {
        CASE(test_what_owes_for_too_long_is_closed),
        CASE(test_a_pause_counts_from_when_the_last_attempt_began),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
