/* pg_pool.c - which work goes to which connection, and when.
 *
 * In front of the connections stand queues with a ceiling. A connection takes a few works at a time, so that the server never waits for a
 * trip; what is slow has connections of its own; an interactive transaction has one to itself for as long as its lease. Everything that was
 * asked for in a turn of the loop leaves at its end. */
#include "data/pg_pool.h"

#include "core/log.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define TICK_US 50000
#define SECOND_US 1000000
#define SCRATCH_BLOCKS 64U
#define SLOW_CREDIT 1U
#define SLOW_SHARE 8U /* of the connections, one at least */
#define CLOSE_WAIT_US 10000000

/* ---- lists ------------------------------------------------------------------------------------------------------------------------ */

static void push(struct pg_work_list *list, struct pg_work *work)
{
    work->next = NULL;
    if (list->last == NULL)
        list->first = work;
    else
        list->last->next = work;
    list->last = work;
    list->count++;
}

static struct pg_work *take(struct pg_work_list *list)
{
    struct pg_work *work = list->first;
    if (work == NULL)
        return NULL;
    list->first = work->next;
    if (list->first == NULL)
        list->last = NULL;
    list->count--;
    work->next = NULL;
    return work;
}

int64_t pg_jitter(struct pg_pool *pool, int64_t us)
{
    pool->random = pool->random * 6364136223846793005ULL + 1442695040888963407ULL;
    return us / 2 + (int64_t)((pool->random >> 33) % (uint64_t)(us / 2 + 1));
}

/* ---- the way back ------------------------------------------------------------------------------------------------------------------ */

void pg_pool_wake(struct pg_pool *pool)
{
    loop_at_end(pool->loop, &pool->at_end);
}

static void end_chore(struct pg_pool *pool, struct pg_work *work)
{
    if (work == &pool->cancel)
        pool->cancelled = NULL;
    if (work == &pool->touch || work == &pool->purge)
        pool->tended = NULL;
    if (work == &pool->touch)
        pool->touch_count = 0;
    if (work == &pool->purge) {
        pool->purge_at_us = clock_mono_us() + (pool->must_purge_on ? PURGE_AGAIN_US : PURGE_EVERY_US);
        pool->must_purge_on = false;
    }
    work->chore = PG_CHORE_NONE;
}

void pg_pool_done(struct pg_pool *pool, struct pg_work *work)
{
    if (work->task == NULL) {
        end_chore(pool, work);
        return;
    }
    pool->busy--;
    task_list_push(&pool->done, work->task);
    pg_pool_wake(pool);
}

static struct pg_work_list *list_of(struct pg_pool *pool, const struct pg_work *work)
{
    const struct store_task *task = work->task;
    if (work->resolves)
        return &pool->waiting;
    if (task->kind == STORE_STEP)
        return &pool->steps;
    return pg_task_is_slow(task) ? &pool->slow : &pool->waiting;
}

void pg_pool_again(struct pg_pool *pool, struct pg_work *work)
{
    push(work->not_before_us > 0 ? &pool->later : list_of(pool, work), work);
    pg_pool_wake(pool);
}

static void refuse(struct pg_pool *pool, struct pg_work *work, enum store_outcome outcome)
{
    work->task->outcome = pg_work_told(work, outcome);
    pg_pool_done(pool, work);
}

/* ---- the way there ------------------------------------------------------------------------------------------------------------------ */

static uint32_t pinned(const struct pg_pool *pool)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < pool->conn_count; i++)
        count += pool->conns[i].transaction != 0;
    return count;
}

/* The connection with the least to do that takes one more; NULL when there is none. */
static struct pg_conn *find_conn(struct pg_pool *pool, bool is_slow, uint32_t credit)
{
    struct pg_conn *best = NULL;
    for (uint32_t i = 0; i < pool->conn_count; i++) {
        struct pg_conn *conn = &pool->conns[i];
        if (conn->state == PG_CONN_READY && conn->is_slow == is_slow && conn->transaction == 0 && !conn->must_renew
            && conn != pool->cancelled && conn != pool->kept && conn != pool->tended && conn->count < credit
            && (best == NULL || conn->count < best->count))
            best = conn;
    }
    return best;
}

static bool is_any_ready(const struct pg_pool *pool)
{
    for (uint32_t i = 0; i < pool->conn_count; i++) {
        if (pool->conns[i].state == PG_CONN_READY)
            return true;
    }
    return false;
}

/* A database that cannot be reached is no deadline that was too short. */
static enum store_outcome lateness(const struct pg_pool *pool)
{
    return is_any_ready(pool) ? STORE_TIMEOUT : STORE_BUSY;
}

static void dispatch_list(struct pg_pool *pool, struct pg_work_list *list, bool is_slow, uint32_t credit)
{
    pool->is_crowded = list->count > pool->conn_count - pool->slow_count;
    while (list->first != NULL) {
        if (task_is_late(list->first->task)) {
            refuse(pool, take(list), lateness(pool));
            continue;
        }
        struct pg_conn *conn = find_conn(pool, is_slow, credit);
        if (conn == NULL)
            return;
        pg_conn_send(conn, take(list));
    }
}

static void keep_within(struct store_task *task, int64_t until_us)
{
    if (task->deadline_us == 0 || task->deadline_us > until_us)
        task->deadline_us = until_us;
}

/* Interactive transactions hold half of the connections at the most; each is begun on an idle one. Under load none becomes idle by itself:
 * what has the least to do gets nothing more until it is. */
static void dispatch_steps(struct pg_pool *pool)
{
    uint32_t most = (pool->conn_count - pool->slow_count) / 2;
    pool->kept = NULL;
    while (pool->steps.first != NULL) {
        if (task_is_late(pool->steps.first->task)) {
            refuse(pool, take(&pool->steps), lateness(pool));
            continue;
        }
        struct pg_conn *conn = pinned(pool) < most ? find_conn(pool, /* is_slow= */ false, LIMIT_PG_CREDIT + 1) : NULL;
        if (conn == NULL || conn->count > 0) {
            pool->kept = conn;
            return;
        }
        struct pg_work *work = take(&pool->steps);
        keep_within(work->task, clock_mono_us() + LIMIT_PG_LEASE_US);
        pg_conn_send(conn, work);
    }
}

static bool has_work(const struct pg_pool *pool)
{
    return pool->busy > 0 || pool->cancelled != NULL;
}

static void on_tick(struct loop_timer *timer);

static void keep_ticking(struct pg_pool *pool)
{
    bool is_wanted = has_work(pool);
    for (uint32_t i = 0; i < pool->conn_count && !is_wanted; i++)
        is_wanted = pool->conns[i].state != PG_CONN_READY || pool->conns[i].transaction != 0;
    if (is_wanted && pool->tick.list == NULL)
        loop_timer_start(loop_timers(pool->loop, TICK_US), &pool->tick, on_tick);
}

static void work_off(struct pg_pool *pool)
{
    task_list_finish(&pool->done); /* whoever hears it may ask for more, which then leaves with this turn */
    dispatch_steps(pool);
    dispatch_list(pool, &pool->waiting, /* is_slow= */ false, LIMIT_PG_CREDIT);
    dispatch_list(pool, &pool->slow, /* is_slow= */ true, SLOW_CREDIT);
    for (uint32_t i = 0; i < pool->conn_count; i++)
        pg_conn_flush(&pool->conns[i]);
    keep_ticking(pool);
    if (pool->done.first != NULL)
        pg_pool_wake(pool);
}

static void on_end_of_turn(struct loop_task *task)
{
    work_off((struct pg_pool *)((char *)task - offsetof(struct pg_pool, at_end)));
}

/* ---- from outside -------------------------------------------------------------------------------------------------------------------- */

static struct pg_conn *conn_of(struct pg_pool *pool, uint64_t transaction)
{
    for (uint32_t i = 0; i < pool->conn_count; i++) {
        if (pool->conns[i].transaction == transaction)
            return &pool->conns[i];
    }
    return NULL;
}

static void answer(struct pg_pool *pool, struct store_task *task, enum store_outcome outcome)
{
    task->outcome = outcome;
    task_list_push(&pool->done, task);
    pg_pool_wake(pool);
}

static void submit_continued(struct pg_pool *pool, struct pg_work *work)
{
    struct pg_conn *conn = conn_of(pool, work->task->transaction);
    if (conn == NULL) {
        refuse(pool, work, STORE_TIMEOUT);
        return;
    }
    keep_within(work->task, conn->lease_until_us);
    pg_conn_send(conn, work);
}

void pg_pool_abandon(struct pg_pool *pool, uint64_t transaction)
{
    struct pg_conn *conn = transaction == 0 ? NULL : conn_of(pool, transaction);
    if (conn == NULL)
        return;
    if (conn->count > 0)
        conn->is_abandoned = true;
    else
        pg_conn_roll_back(conn);
    pg_pool_wake(pool);
}

/* An interactive transaction does not wait among the slow ones, whatever it does. */
static bool is_full(const struct pg_pool *pool, const struct store_task *task)
{
    uint32_t waiting = pool->waiting.count + pool->slow.count + pool->steps.count + pool->later.count;
    bool is_slow = task->transaction == 0 && pg_task_is_slow(task);
    return waiting >= LIMIT_PG_QUEUE || (is_slow && pool->slow.count >= LIMIT_SLOW_QUEUE);
}

void pg_pool_submit(struct pg_pool *pool, struct store_task *task)
{
    struct pg_work *work = pool->is_closing || is_full(pool, task) ? NULL : pg_work_new(task);
    task->next = NULL;
    if (work == NULL) {
        if (task->continues)
            pg_pool_abandon(pool, task->transaction);
        answer(pool, task, STORE_BUSY);
        return;
    }
    pool->busy++;
    pg_pool_wake(pool);
    if (task->transaction != 0 && task->continues)
        submit_continued(pool, work);
    else
        push(list_of(pool, work), work);
}

void pg_pool_touch(struct pg_pool *pool, const uint8_t *token_hash, limen_time seen_at)
{
    if (pool->touch.chore != PG_CHORE_NONE) /* they are being written: a later request notes it */
        return;
    uint32_t at = 0;
    while (at < pool->touch_count && memcmp(pool->touched[at], token_hash, TOKEN_HASH_BYTES) != 0)
        at++;
    if (at == LIMIT_TOUCH_QUEUE)
        return;
    memcpy(pool->touched[at], token_hash, TOKEN_HASH_BYTES);
    pool->seen_at[at] = seen_at;
    pool->touch_count += at == pool->touch_count;
}

/* ---- chores ---------------------------------------------------------------------------------------------------------------------------- */

/* On a connection that has less than `credit` to do. */
static void send_chore(struct pg_pool *pool, struct pg_work *work, enum pg_chore chore, struct pg_step *steps,
                       uint32_t credit)
{
    struct pg_conn *conn = find_conn(pool, /* is_slow= */ false, credit);
    if (conn == NULL)
        conn = find_conn(pool, /* is_slow= */ true, credit);
    if (conn == NULL || work->chore != PG_CHORE_NONE)
        return;
    if (work != &pool->cancel)
        pool->tended = conn;
    *work = (struct pg_work){ .chore = chore, .steps = steps, .step_room = PG_FIXED_STEPS };
    pg_conn_send(conn, work);
    pg_pool_wake(pool);
}

/* One at a time: a lock that holds it up takes one connection. */
static void on_second(struct loop_timer *timer)
{
    struct pg_pool *pool = (struct pg_pool *)((char *)timer - offsetof(struct pg_pool, second));
    if (pool->tended == NULL && clock_mono_us() >= pool->purge_at_us)
        send_chore(pool, &pool->purge, PG_CHORE_PURGE, pool->purge_steps, LIMIT_PG_CREDIT);
    if (pool->tended == NULL && pool->touch_count > 0)
        send_chore(pool, &pool->touch, PG_CHORE_TOUCH, pool->touch_steps, LIMIT_PG_CREDIT);
    loop_timer_start(loop_timers(pool->loop, SECOND_US), &pool->second, on_second);
}

/* ---- what is late ------------------------------------------------------------------------------------------------------------------------ */

/* A cancel hits whatever the server is at when it arrives. A commit that waits for a standby would then be told as done though the
 * standby has nothing of it; so only a read is cancelled, and only where nothing stands behind it. */
static bool may_be_cancelled(const struct pg_conn *conn)
{
    const struct store_task *task = conn->first->task;
    return conn->count == 1 && task != NULL && task->kind == STORE_READ && task->transaction == 0;
}

/* The server is asked to stop what nobody waits for any more. It has its own timeout as well; this is for who has left before, and
 * happens when a connection is idle: behind others it would wait for what it is to end. */
static void ask_to_cancel(struct pg_pool *pool, struct pg_conn *conn)
{
    struct pg_work *work = conn->first;
    if (!may_be_cancelled(conn) || work->is_cancel_asked || pool->cancelled != NULL || !task_is_late(work->task))
        return;
    pool->cancelled = conn;
    send_chore(pool, &pool->cancel, PG_CHORE_CANCEL, pool->cancel_steps, /* credit= */ 1);
    work->is_cancel_asked = pool->cancel.chore != PG_CHORE_NONE;
    if (!work->is_cancel_asked)
        pool->cancelled = NULL;
}

/* The server is silent past the deadline of what it works on: it stands still, or the network does. */
static bool is_silent(const struct pg_conn *conn, int64_t now_us)
{
    const struct pg_work *work = conn->first;
    while (work != NULL && work->task == NULL) /* a chore has no deadline */
        work = work->next;
    return work != NULL && work->task->deadline_us != 0 && now_us > work->task->deadline_us + LIMIT_PG_GRACE_US;
}

static bool is_on_its_way(const struct pg_conn *conn)
{
    return conn->state > PG_CONN_DOWN && conn->state < PG_CONN_READY;
}

static void go_on_connecting(struct pg_conn *conn, int64_t now_us)
{
    if (conn->state == PG_CONN_RESOLVING)
        pg_conn_dial(conn);
    else if (now_us >= conn->until_us)
        pg_conn_fail_late(conn);
}

static void look_at(struct pg_conn *conn, int64_t now_us)
{
    if (conn->state == PG_CONN_DOWN && now_us >= conn->until_us && !conn->pool->is_closing)
        pg_conn_start(conn);
    else if (is_on_its_way(conn))
        go_on_connecting(conn, now_us);
    else if (conn->state == PG_CONN_OWING && now_us >= conn->until_us)
        pg_conn_fail(conn, "it has not answered at all");
    else if (conn->state == PG_CONN_READY && is_silent(conn, now_us))
        pg_conn_give_up(conn);
    else if (conn->state == PG_CONN_READY && conn->first != NULL)
        ask_to_cancel(conn->pool, conn);
    else if (conn->state == PG_CONN_READY && conn->transaction != 0 && now_us >= conn->lease_until_us) {
        LOG_WARN("an interactive transaction held a connection for too long and is undone",
                 log_int("milliseconds", LIMIT_PG_LEASE_US / 1000));
        pg_conn_roll_back(conn);
    }
}

static void note_away(struct pg_pool *pool, int64_t now_us)
{
    if (is_any_ready(pool))
        pool->away_since_us = 0;
    else if (pool->away_since_us == 0)
        pool->away_since_us = now_us;
}

/* Nobody is kept waiting for a database that is gone: an outage that a client notices as slowness is repeated at once, and adds up. */
bool pg_pool_is_away(const struct pg_pool *pool)
{
    return pool->away_since_us != 0 && clock_mono_us() - pool->away_since_us >= LIMIT_PG_AWAY_US;
}

/* Refuses what has waited for too long, wherever it stands in the queue. */
static void sweep(struct pg_pool *pool, struct pg_work_list *list, bool everything)
{
    struct pg_work_list all = *list;
    *list = (struct pg_work_list){ 0 };
    for (struct pg_work *work; (work = take(&all)) != NULL;) {
        if (everything || task_is_late(work->task))
            refuse(pool, work, lateness(pool));
        else
            push(list, work);
    }
}

static void wake_later(struct pg_pool *pool, int64_t now_us)
{
    struct pg_work_list all = pool->later;
    pool->later = (struct pg_work_list){ 0 };
    for (struct pg_work *work; (work = take(&all)) != NULL;) {
        if (now_us >= work->not_before_us || task_is_late(work->task))
            work->not_before_us = 0;
        pg_pool_again(pool, work);
    }
}

static void look_at_all(struct pg_pool *pool)
{
    int64_t now_us = clock_mono_us();
    for (uint32_t i = 0; i < pool->conn_count; i++)
        look_at(&pool->conns[i], now_us);
    wake_later(pool, now_us);
    note_away(pool, now_us);
    bool everything = pg_pool_is_away(pool);
    sweep(pool, &pool->waiting, everything);
    sweep(pool, &pool->slow, everything);
    sweep(pool, &pool->steps, everything);
}

static void on_tick(struct loop_timer *timer)
{
    struct pg_pool *pool = (struct pg_pool *)((char *)timer - offsetof(struct pg_pool, tick));
    look_at_all(pool);
    pg_pool_wake(pool); /* which starts the timer anew when it is wanted */
}

/* ---- opening and closing ------------------------------------------------------------------------------------------------------------------ */

/* Before the loop has begun, and after it has ended: waits for the connections by itself. */
static void wait_for_conns(struct pg_pool *pool)
{
    struct pollfd fds[LIMIT_PG_CONNECTIONS];
    struct pg_conn *conns[LIMIT_PG_CONNECTIONS];
    nfds_t count = 0;
    for (uint32_t i = 0; i < pool->conn_count; i++) {
        struct pg_conn *conn = &pool->conns[i];
        if (!conn->source.is_added)
            continue;
        conns[count] = conn;
        fds[count++] = (struct pollfd){ .fd = conn->source.fd, .events = (short)conn->source.want };
    }
    (void)poll(fds, count, TICK_US / 1000);
    for (nfds_t i = 0; i < count; i++) {
        if (fds[i].revents != 0 && conns[i]->source.is_added)
            conns[i]->source.on_ready(&conns[i]->source, (uint32_t)fds[i].revents); /* EPOLLIN is POLLIN, and so on */
    }
}

static void wait_until_tried(struct pg_pool *pool)
{
    for (bool is_waiting = true; is_waiting;) {
        int64_t now_us = clock_mono_us();
        is_waiting = false;
        for (uint32_t i = 0; i < pool->conn_count; i++) {
            struct pg_conn *conn = &pool->conns[i];
            if (is_on_its_way(conn))
                go_on_connecting(conn, now_us);
            pg_conn_flush(conn);
            is_waiting = is_waiting || is_on_its_way(conn);
        }
        if (is_waiting)
            wait_for_conns(pool);
    }
}

bool pg_pool_open(struct pg_pool *pool, uint32_t connections)
{
    pool->conns = calloc(connections, sizeof *pool->conns);
    pool->blocks = arena_pool_new(SCRATCH_BLOCKS);
    if (pool->conns == NULL || pool->blocks == NULL
        || getrandom(&pool->random, sizeof pool->random, 0) != (ssize_t)sizeof pool->random)
        return false;
    arena_init(&pool->scratch, pool->blocks, LIMIT_TASK_ARENA_BYTES);
    pool->at_end.run = on_end_of_turn;
    pool->conn_count = connections;
    pool->slow_count = connections / SLOW_SHARE > 0 ? connections / SLOW_SHARE : 1;
    for (uint32_t i = 0; i < connections; i++) {
        pool->conns[i].pool = pool;
        pool->conns[i].is_slow = i < pool->slow_count;
        pg_conn_start(&pool->conns[i]);
    }
    wait_until_tried(pool);
    on_second(&pool->second);
    pg_pool_wake(pool);
    return true;
}

static bool is_any_alive(const struct pg_pool *pool)
{
    bool is_alive = false;
    for (uint32_t i = 0; i < pool->conn_count; i++)
        is_alive = is_alive || pool->conns[i].state != PG_CONN_DOWN;
    return is_alive;
}

void pg_pool_close(struct pg_pool *pool)
{
    int64_t until_us = clock_mono_us() + CLOSE_WAIT_US;
    pool->is_closing = true;
    work_off(pool);
    while (pool->busy > 0 && is_any_alive(pool) && clock_mono_us() < until_us) {
        wait_for_conns(pool);
        look_at_all(pool);
        work_off(pool);
    }
    for (uint32_t i = 0; i < pool->conn_count; i++)
        pg_conn_close(&pool->conns[i]);
    struct pg_work_list *const lists[] = { &pool->waiting, &pool->slow, &pool->steps, &pool->later };
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        for (struct pg_work *work; (work = take(lists[i])) != NULL;)
            refuse(pool, work, STORE_BUSY);
    }
    task_list_finish(&pool->done);
    loop_forget(pool->loop, &pool->at_end);
    loop_timer_stop(&pool->tick);
    loop_timer_stop(&pool->second);
    pg_hosts_release(&pool->hosts);
    arena_release(&pool->scratch);
    arena_pool_free(pool->blocks);
    free(pool->conns);
}
