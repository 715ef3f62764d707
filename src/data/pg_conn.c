/* pg_conn.c - one connection to PostgreSQL, driven by the loop: connects, prepares every statement, carries works, comes back when lost.
 *
 * libpq's calls never wait here. What they have to send leaves once a turn; what comes is matched with the oldest work in flight. */
#include "data/pg_pool.h"

#include "core/log.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static void on_ready(struct loop_source *source, uint32_t events);

static struct pg_conn *conn_of(struct loop_source *source)
{
    return (struct pg_conn *)source;
}

/* ---- lost --------------------------------------------------------------------------------------------------------------------- */

/* A lost connection is looked for again at once, and then ever more rarely, each at its own time. Between two attempts lies the pause: one
 * that took long has had it. */
static int64_t retry_at(struct pg_conn *conn)
{
    uint32_t doublings = conn->failures < 8 ? conn->failures : 8;
    int64_t pause = LIMIT_PG_RETRY_LEAST_US << doublings;
    pause = pause > LIMIT_PG_RETRY_MOST_US ? LIMIT_PG_RETRY_MOST_US : pause;
    int64_t at_us = conn->started_us + pg_jitter(conn->pool, pause);
    int64_t soonest_us = clock_mono_us() + pg_jitter(conn->pool, LIMIT_PG_RETRY_LEAST_US);
    conn->failures++;
    return at_us > soonest_us ? at_us : soonest_us;
}

static void shut(struct pg_conn *conn)
{
    if (conn->source.is_added)
        loop_remove(conn->pool->loop, &conn->source);
    PQfinish(conn->pg);
    conn->pg = NULL;
    conn->state = PG_CONN_DOWN;
    conn->transaction = 0;
    conn->must_flush = conn->must_renew = conn->expects_null = conn->is_corked = false;
}

/* Behind a work at which the server has ended the session nothing was run. */
static void lose_works(struct pg_conn *conn)
{
    struct pg_work *work = conn->first;
    bool is_over = false;
    conn->first = conn->last = NULL;
    conn->count = 0;
    while (work != NULL) {
        struct pg_work *next = work->next;
        enum pg_fate fate = pg_work_lose(work, is_over);
        is_over = is_over || work->is_fatal;
        if (fate == PG_FATE_AGAIN)
            pg_pool_again(conn->pool, work);
        else
            pg_pool_done(conn->pool, work);
        work = next;
    }
}

void pg_conn_fail(struct pg_conn *conn, const char *why)
{
    limen_str words = str_trim(str_of(why));
    LOG_WARN("a connection to the database is lost", log_str("database", conn->pool->shown), log_str("error", words),
             log_int("works", conn->count));
    shut(conn);
    conn->until_us = retry_at(conn);
    lose_works(conn);
    pg_pool_wake(conn->pool);
}

void pg_conn_fail_late(struct pg_conn *conn)
{
    conn->skipped++;
    pg_conn_fail(conn, "it does not answer");
}

void pg_conn_give_up(struct pg_conn *conn)
{
    LOG_WARN("a connection to the database does not answer in time", log_str("database", conn->pool->shown),
             log_int("works", conn->count));
    conn->state = PG_CONN_OWING;
    conn->owed = conn->count;
    conn->until_us = clock_mono_us() + LIMIT_PG_OWED_US;
    conn->transaction = 0;
    lose_works(conn);
    pg_pool_wake(conn->pool);
}

void pg_conn_close(struct pg_conn *conn)
{
    shut(conn);
    lose_works(conn);
}

/* ---- connecting ----------------------------------------------------------------------------------------------------------------- */

static bool watch(struct pg_conn *conn, uint32_t want)
{
    int fd = PQsocket(conn->pg);
    if (conn->source.is_added)
        loop_remove(conn->pool->loop, &conn->source);
    memset(&conn->source, 0, sizeof conn->source);
    return fd >= 0 && loop_add(conn->pool->loop, &conn->source, fd, want, /* exclusive= */ false, on_ready);
}

/* Of all that the server remarks one thing counts: that somebody has ended a commit's wait for its standby. It is then committed here and
 * perhaps nowhere else. The words are in the server's language; the place in its source is not. What is remarked on comes after the work's
 * own answers, and before its Sync: it is the oldest in flight. */
static void on_notice(void *context, const PGresult *notice)
{
    const struct pg_conn *conn = context;
    const char *place = PQresultErrorField(notice, PG_DIAG_SOURCE_FUNCTION);
    if (place == NULL || strcmp(place, "SyncRepWaitForLSN") != 0 || conn->first == NULL)
        return;
    conn->first->is_here_only = true;
    LOG_WARN("a commit's wait for its standby was ended by somebody", log_str("database", conn->pool->shown));
}

static bool prepare(struct pg_conn *conn, char kind, uint32_t number, const char *text, int count, const Oid *types)
{
    char name[16];
    (void)snprintf(name, sizeof name, "%c%u", kind, number);
    return PQsendPrepare(conn->pg, name, text, count, types) == 1;
}

/* Which role the session takes, and what it may do. */
static bool begin_session(struct pg_conn *conn)
{
    conn->state = PG_CONN_SESSION;
    conn->must_flush = true;
    return PQsetnonblocking(conn->pg, 1) == 0 && PQsendQuery(conn->pg, conn->pool->session_sql) == 1
        && watch(conn, EPOLLIN);
}

static bool set(struct pg_conn *conn, const char *sql)
{
    return PQsendQueryParams(conn->pg, sql, 0, NULL, NULL, NULL, NULL, /* resultFormat= */ 0) == 1;
}

/* From here on a statement for which nothing else is said is a look-up. What is prepared before shares one time, the session's first. */
static bool limit_lookups(struct pg_conn *conn)
{
    char sql[64];
    (void)snprintf(sql, sizeof sql, "SET statement_timeout = %d", LIMIT_PG_LOOKUP_US / 1000);
    return set(conn, sql);
}

/* One plan for each statement. Otherwise, when the server has counted its rows anew, it may find that planning each time is worth it, which
 * doubled what an order costs. What is slow may gain more by a plan for its values. */
static bool plan_once(struct pg_conn *conn)
{
    return conn->is_slow || set(conn, "SET plan_cache_mode = force_generic_plan");
}

/* One trip for all of them. */
static bool begin_preparing(struct pg_conn *conn)
{
    const struct pg_pool *pool = conn->pool;
    conn->state = PG_CONN_PREPARING;
    conn->must_flush = true;
    bool good = PQenterPipelineMode(conn->pg) == 1;
    for (uint32_t i = 0; i < PG_OWN_COUNT && good; i++)
        good = prepare(conn, 'l', i, PG_OWN_SQL[i].text, PG_OWN_SQL[i].count, PG_OWN_SQL[i].types);
    for (uint32_t i = 0; i < pool->queries->count && good; i++) {
        const struct pg_sql *sql = &pool->schema.statements[i];
        good = prepare(conn, 's', i, sql->text, (int)sql->slot_count, sql->types);
    }
    return good && plan_once(conn) && limit_lookups(conn) && PQpipelineSync(conn->pg) == 1;
}

/* An address of which the host is gone may swallow everything: while libpq waits there it comes to no other. A server that has accepted may
 * be slow. */
static void set_deadline(struct pg_conn *conn)
{
    int64_t dial_us = clock_mono_us() + LIMIT_PG_DIAL_US;
    conn->until_us = conn->started_us + LIMIT_PG_CONNECT_US;
    if (PQstatus(conn->pg) == CONNECTION_STARTED && dial_us < conn->until_us)
        conn->until_us = dial_us;
}

/* The socket may be another one after each step: of the next address, or of the same one after TLS was refused. */
static void connect_further(struct pg_conn *conn)
{
    if (conn->source.is_added)
        loop_remove(conn->pool->loop, &conn->source);
    PostgresPollingStatusType status = PQconnectPoll(conn->pg);
    set_deadline(conn);
    bool good = status == PGRES_POLLING_OK ? begin_session(conn)
        : status == PGRES_POLLING_READING  ? watch(conn, EPOLLIN)
        : status == PGRES_POLLING_WRITING  ? watch(conn, EPOLLOUT)
                                           : false;
    if (!good)
        pg_conn_fail(conn, PQerrorMessage(conn->pg));
    else
        pg_pool_wake(conn->pool);
}

static void connect_to(struct pg_conn *conn, const struct pg_places *places)
{
    /* Before the URL, which may say otherwise: a host that is gone is noticed within a quarter of a minute, by idle connections too. */
    const char *const names[] = {
        "tcp_user_timeout",
        "keepalives_idle",
        "keepalives_interval",
        "dbname",
        "fallback_application_name",
        "client_encoding",
        "host",
        "hostaddr",
        "port",
        NULL,
    };
    const char *const values[] = { "10000",       "10",   "5",           conn->pool->conninfo,
                                   "limen",       "UTF8", places->names, places->addresses,
                                   places->ports, NULL };
    conn->pg = PQconnectStartParams(names, values, /* expand_dbname= */ 1);
    conn->state = PG_CONN_CONNECTING;
    conn->started_us = clock_mono_us();
    set_deadline(conn);
    if (conn->pg == NULL || PQstatus(conn->pg) == CONNECTION_BAD) {
        pg_conn_fail(conn, conn->pg == NULL ? "memory is out" : PQerrorMessage(conn->pg));
        return;
    }
    (void)PQsetNoticeReceiver(conn->pg, on_notice, conn);
    if (!watch(conn, EPOLLOUT)) /* as if PGRES_POLLING_WRITING had been said */
        pg_conn_fail(conn, "its socket cannot be watched");
}

void pg_conn_dial(struct pg_conn *conn)
{
    struct pg_pool *pool = conn->pool;
    struct arena arena;
    struct pg_places places;
    bool is_known = pg_hosts_are_known(&pool->hosts);
    if (!is_known && clock_mono_us() < conn->until_us)
        return;
    arena_init(&arena, pool->blocks, LIMIT_TASK_ARENA_BYTES);
    const char *fault = pg_hosts_list(&pool->hosts, conn->skipped, &arena, &places);
    if (fault == NULL)
        connect_to(conn, &places);
    else if (is_known) /* else none of its names is known yet */
        pg_conn_fail(conn, fault);
    arena_release(&arena);
}

void pg_conn_start(struct pg_conn *conn)
{
    conn->state = PG_CONN_RESOLVING;
    conn->started_us = clock_mono_us();
    conn->until_us = conn->started_us + LIMIT_PG_DIAL_US;
    pg_hosts_look_up(&conn->pool->hosts);
    pg_conn_dial(conn); /* at once where there are no names */
}

/* ---- sending -------------------------------------------------------------------------------------------------------------------- */

static void append(struct pg_conn *conn, struct pg_work *work)
{
    work->next = NULL;
    if (conn->last == NULL)
        conn->first = work;
    else
        conn->last->next = work;
    conn->last = work;
    conn->count++;
}

/* libpq before 17 pushes what it has with each Sync. The kernel keeps it until the turn's end: works of one turn leave together, and wake
 * the server once. A socket that is no TCP has no cork, and does without. */
static void cork(struct pg_conn *conn, bool is_corked)
{
    int value = is_corked;
    if (conn->is_corked != is_corked)
        conn->is_corked = setsockopt(PQsocket(conn->pg), IPPROTO_TCP, TCP_CORK, &value, sizeof value) == 0 && is_corked;
}

void pg_conn_send(struct pg_conn *conn, struct pg_work *work)
{
    const struct store_task *task = work->task;
    if (conn->pool->is_crowded)
        cork(conn, true);
    enum pg_sent sent = pg_work_send(work, conn->pool, conn->pg);
    if (sent == PG_NOT_SENT) {
        if (task != NULL && task->continues)
            pg_conn_roll_back(conn);
        pg_pool_done(conn->pool, work);
        return;
    }
    if (task != NULL && task->transaction != 0 && !task->continues && task->kind == STORE_STEP && !work->resolves) {
        conn->transaction = task->transaction;
        conn->lease_until_us = clock_mono_us() + LIMIT_PG_LEASE_US;
        conn->is_abandoned = false;
    }
    append(conn, work);
    conn->must_flush = true;
    if (sent == PG_SEND_FAILED)
        pg_conn_fail(conn, PQerrorMessage(conn->pg));
}

void pg_conn_flush(struct pg_conn *conn)
{
    if (!conn->must_flush)
        return;
    conn->must_flush = false;
    int left = PQflush(conn->pg);
    if (left < 0) {
        pg_conn_fail(conn, PQerrorMessage(conn->pg));
        return;
    }
    cork(conn, false);
    loop_want(conn->pool->loop, &conn->source, left == 0 ? EPOLLIN : EPOLLIN | EPOLLOUT);
}

void pg_conn_roll_back(struct pg_conn *conn)
{
    conn->transaction = 0;
    conn->is_abandoned = false;
    conn->rollback = (struct pg_work){
        .chore = PG_CHORE_ROLLBACK,
        .steps = conn->rollback_steps,
        .step_room = sizeof conn->rollback_steps / sizeof conn->rollback_steps[0],
    };
    pg_conn_send(conn, &conn->rollback);
}

/* ---- receiving ------------------------------------------------------------------------------------------------------------------ */

/* An interactive transaction goes on after a STEP that went well, and after nothing else. */
static void end_transaction(struct pg_conn *conn, const struct store_task *task)
{
    bool is_committed = task->kind == STORE_BATCH && task->outcome == STORE_OK;
    if (is_committed)
        conn->transaction = 0;
    else if (task->outcome != STORE_OK || conn->is_abandoned)
        pg_conn_roll_back(conn);
}

static void end_work(struct pg_conn *conn)
{
    struct pg_work *work = conn->first;
    conn->first = work->next;
    if (conn->first == NULL)
        conn->last = NULL;
    conn->count--;
    conn->must_renew = conn->must_renew || work->must_renew;
    const struct store_task *task = work->task;
    bool is_of_transaction = task != NULL && task->transaction != 0 && task->transaction == conn->transaction;
    enum pg_fate fate = pg_work_end(work, conn->pool);
    if (is_of_transaction && fate == PG_FATE_AGAIN)
        pg_conn_roll_back(conn);
    else if (is_of_transaction)
        end_transaction(conn, task);
    if (fate == PG_FATE_AGAIN)
        pg_pool_again(conn->pool, work);
    else
        pg_pool_done(conn->pool, work);
}

static void take_result(struct pg_conn *conn, PGresult *result)
{
    struct pg_work *work = conn->first;
    conn->expects_null = PQresultStatus(result) != PGRES_PIPELINE_SYNC;
    pg_work_take(work, conn->pool, result);
    if (work->at == work->step_count)
        end_work(conn);
}

/* NULL behind the last of its results. */
static bool take_session(struct pg_conn *conn, const PGresult *result)
{
    ExecStatusType status = result == NULL ? PGRES_COMMAND_OK : PQresultStatus(result);
    bool good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
    if (good && (result != NULL || begin_preparing(conn)))
        return true;
    pg_conn_fail(conn, PQerrorMessage(conn->pg));
    return false;
}

/* A statement that cannot be prepared: the schema is not what this program knows, or not yet. */
static bool take_prepared(struct pg_conn *conn, const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    conn->expects_null = status != PGRES_PIPELINE_SYNC;
    if (status == PGRES_PIPELINE_SYNC) {
        if (conn->failures > 0)
            LOG_INFO("a connection to the database is there again", log_str("database", conn->pool->shown),
                     log_int("failures", conn->failures));
        conn->state = PG_CONN_READY;
        conn->failures = 0;
        pg_pool_wake(conn->pool);
        return true;
    }
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
        return true;
    pg_conn_fail(conn, PQresultErrorMessage(result));
    return false;
}

/* Nobody waits for it any more: it is counted, until nothing is owed. */
static bool take_owed(struct pg_conn *conn, const PGresult *result)
{
    bool is_sync = PQresultStatus(result) == PGRES_PIPELINE_SYNC;
    conn->expects_null = !is_sync;
    conn->owed -= is_sync;
    if (conn->owed > 0)
        return true;
    pg_conn_fail(conn, "it has answered too late");
    return false;
}

static bool expects_more(const struct pg_conn *conn)
{
    return conn->state == PG_CONN_SESSION || conn->state == PG_CONN_PREPARING || conn->state == PG_CONN_OWING
        || (conn->state == PG_CONN_READY && conn->first != NULL) || conn->expects_null;
}

static void receive(struct pg_conn *conn)
{
    while (expects_more(conn) && PQisBusy(conn->pg) == 0) {
        PGresult *result = PQgetResult(conn->pg);
        if (conn->state == PG_CONN_SESSION) {
            bool goes_on = take_session(conn, result);
            PQclear(result);
            if (!goes_on)
                return;
            continue;
        }
        if (result == NULL) {
            if (!conn->expects_null) {
                pg_conn_fail(conn, "an answer is missing");
                return;
            }
            conn->expects_null = false;
            continue;
        }
        bool good = true;
        if (conn->state == PG_CONN_PREPARING)
            good = take_prepared(conn, result);
        else if (conn->state == PG_CONN_OWING)
            good = take_owed(conn, result);
        else
            take_result(conn, result);
        PQclear(result);
        if (!good || conn->state == PG_CONN_DOWN)
            return;
        if (PQstatus(conn->pg) == CONNECTION_BAD) {
            pg_conn_fail(conn, PQerrorMessage(conn->pg));
            return;
        }
    }
    if (conn->must_renew && conn->count == 0 && conn->state == PG_CONN_READY)
        pg_conn_fail(conn, "its session is no longer of use");
}

static void on_ready(struct loop_source *source, uint32_t events)
{
    struct pg_conn *conn = conn_of(source);
    if (conn->state == PG_CONN_CONNECTING) {
        connect_further(conn);
        return;
    }
    if ((events & EPOLLOUT) != 0)
        conn->must_flush = true;
    if (PQconsumeInput(conn->pg) != 1) {
        receive(conn); /* what had come before: perhaps the server's last words */
        if (conn->state != PG_CONN_DOWN)
            pg_conn_fail(conn, PQerrorMessage(conn->pg));
        return;
    }
    receive(conn);
    pg_pool_wake(conn->pool);
}
