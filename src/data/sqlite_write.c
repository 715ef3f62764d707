/* sqlite_write.c - the writer: one thread, and one commit for whatever is waiting.
 *
 * While a commit waits for the disk, new batches gather; the next group takes them all. Nobody is answered before the commit has
 * returned. When a group fails as a whole its tasks run again, one by one, so that each fails for its own reasons only. */
#include "data/sqlite_store.h"

#include "core/arena.h"
#include "core/log.h"

#include <signal.h>
#include <time.h>

#define IDLE_WAIT_S 5
#define GUARDED_GROUPS 64U

/* The first of those in a state that are due: each from its end of the index, so that it makes no difference how many wait. */
#define DUE(state, where)                                                                                           \
    "SELECT * FROM (SELECT id, due_at FROM limen_outbox WHERE state = '" state "' AND due_at <= ?1 AND lease_until" \
    " <= ?1 AND effect IN (SELECT value FROM json_each(?5))" where " ORDER BY due_at LIMIT ?3)"
#define DUE_WAITING DUE("sent", " AND ?4") " UNION ALL " DUE("pending", " AND ?4")
#define DUE_FIRST "SELECT id FROM (" DUE("answered", "") " UNION ALL " DUE_WAITING ") ORDER BY due_at LIMIT ?3"

static const char *const OWN_SQL[OWN_COUNT] = {
    [OWN_BEGIN] = "BEGIN IMMEDIATE",
    [OWN_COMMIT] = "COMMIT",
    [OWN_SAVEPOINT] = "SAVEPOINT limen_batch",
    [OWN_RELEASE] = "RELEASE limen_batch",
    [OWN_ROLLBACK_TO] = "ROLLBACK TO limen_batch",
    [OWN_KEY_INSERT] = "INSERT INTO limen_keys (principal, key, fingerprint, status, reply, created_at) VALUES (?1, "
                       "?2, ?3, ?4, ?5, ?6)"
                       " ON CONFLICT (principal, key) DO NOTHING",
    [OWN_KEY_FIND] = "SELECT fingerprint, status, reply FROM limen_keys WHERE principal = ?1 AND key = ?2",
    [OWN_CREDENTIAL_INSERT] = "INSERT INTO limen_credentials (account_id, email, password_hash, roles, created_at) "
                              "VALUES (?1, lower(?2), ?3, ?4, ?5)"
                              " ON CONFLICT (email) DO NOTHING",
    [OWN_CREDENTIAL_REHASH] = "UPDATE limen_credentials SET password_hash = ?2 WHERE account_id = ?1",
    [OWN_SESSION_INSERT] =
        "INSERT INTO limen_sessions (token_hash, account_id, created_at, seen_at) VALUES (?1, ?2, ?3, ?3)",
    [OWN_SESSION_DELETE] = "DELETE FROM limen_sessions WHERE token_hash = ?1",
    [OWN_SESSION_TOUCH] = "UPDATE limen_sessions SET seen_at = ?2 WHERE token_hash = ?1 AND seen_at < ?2",
    [OWN_PURGE_KEYS] = "DELETE FROM limen_keys WHERE (principal, key) IN (SELECT principal, key FROM limen_keys WHERE "
                       "created_at < ?1 LIMIT ?2)",
    [OWN_PURGE_SESSIONS] = "DELETE FROM limen_sessions WHERE token_hash IN (SELECT token_hash FROM limen_sessions "
                           "WHERE seen_at < ?1 LIMIT ?2)",
    [OWN_PURGE_EFFECTS] = "DELETE FROM limen_outbox WHERE id IN (SELECT id FROM limen_outbox WHERE state = 'done' AND "
                          "due_at < ?1 LIMIT ?2)",
    [OWN_EFFECT_INSERT] = "INSERT INTO limen_outbox (id, effect, key, params, payload, principal, created_at, state, "
                          "due_at, lease_until, fence, attempts, sent_at, outcome, object_id, provider_state, code, "
                          "note) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'pending', ?7, 0, 0, 0, 0, 0, '', '', '', '')"
                          " ON CONFLICT (key) DO NOTHING",
    [OWN_EFFECT_LEASE] =
        "UPDATE limen_outbox SET lease_until = ?2, fence = fence + 1,"
        " sent_at = CASE WHEN state = 'pending' AND sent_at = 0 THEN ?1 ELSE sent_at END,"
        " state = CASE state WHEN 'pending' THEN 'sent' ELSE state END"
        " WHERE id IN (" DUE_FIRST ")"
        " RETURNING id, effect, key, params, payload, state, fence, attempts, sent_at, created_at, outcome, object_id,"
        " provider_state, code, note",
    [OWN_EFFECT_SETTLE] =
        "UPDATE limen_outbox SET state = ?3, due_at = ?4, lease_until = ?5, attempts = ?6, sent_at = ?7, outcome = ?8,"
        " object_id = ?9, provider_state = ?10, code = ?11, note = ?12"
        " WHERE id = ?1 AND fence = ?2 AND state IN ('pending', 'sent', 'answered')",
    [OWN_EFFECT_ASK] = "UPDATE limen_outbox SET due_at = ?2 WHERE (object_id = ?1 OR key = ?1) AND ?1 <> '' AND state "
                       "= 'sent' AND due_at > ?2",
    [OWN_EFFECT_COUNT] = "SELECT count(*) FILTER (WHERE state <> 'dead'), count(*) FILTER (WHERE state = 'dead'),"
                         " COALESCE(min(created_at) FILTER (WHERE state <> 'dead'), 0) FROM limen_outbox"
                         " WHERE state IN ('pending', 'sent', 'answered', 'dead')",
};

int writer_own(struct writer *writer, enum own_statement which)
{
    int code = db_step_own(&writer->db, writer->own[which]);
    db_reset_own(&writer->db, writer->own[which]);
    return code;
}

static bool is_lost(const struct writer *writer)
{
    return sqlite3_get_autocommit(writer->db.handle) != 0;
}

/* ---- groups --------------------------------------------------------------------------------------------------------------- */

struct group {
    struct store_task *tasks[LIMIT_GROUP_BATCHES];
    struct attempt attempts[LIMIT_GROUP_BATCHES];
    struct touch touches[LIMIT_TOUCH_QUEUE];
    uint32_t count, touch_count;
    struct task_list late; /* continues an interactive transaction whose lease is over */
};

static void write_touches(struct writer *writer, const struct group *group)
{
    for (uint32_t i = 0; i < group->touch_count && !is_lost(writer); i++) {
        sqlite3_stmt *stmt = writer->own[OWN_SESSION_TOUCH];
        db_bind_blob(stmt, 1, group->touches[i].token_hash, TOKEN_HASH_BYTES);
        (void)sqlite3_bind_int64(stmt, 2, group->touches[i].seen_at);
        if (writer_own(writer, OWN_SESSION_TOUCH) != SQLITE_DONE)
            store_log(NULL, "a session's time could not be noted", writer->db.denied);
    }
}

static bool begin(struct writer *writer, struct attempt *attempts, uint32_t count)
{
    int code = writer_own(writer, OWN_BEGIN);
    if (code == SQLITE_DONE)
        return true;
    store_log(NULL, "no transaction could be begun", writer->db.denied);
    for (uint32_t i = 0; i < count; i++)
        attempts[i] = (struct attempt){ .outcome = (code & 0xff) == SQLITE_BUSY ? STORE_BUSY : STORE_ERROR };
    return false;
}

bool writer_begin(struct writer *writer, struct attempt *ret_attempt)
{
    return begin(writer, ret_attempt, 1);
}

void writer_commit(struct writer *writer, struct attempt *attempt)
{
    if (is_lost(writer)) {
        if (attempt->outcome == STORE_OK)
            attempt->outcome = STORE_ERROR;
        return;
    }
    if (writer_own(writer, OWN_COMMIT) == SQLITE_DONE)
        return;
    store_log(NULL, "a commit failed", writer->db.denied);
    db_rollback(&writer->db);
    if (attempt->outcome == STORE_OK)
        attempt->outcome = STORE_UNKNOWN;
}

/* One task in a transaction of its own. */
static void run_alone(struct writer *writer, struct store_task *task, struct attempt *attempt)
{
    if (!begin(writer, attempt, 1))
        return;
    batch_run(writer, task, attempt);
    writer_commit(writer, attempt);
}

/* All tasks of the group in one transaction. False when it had to be rolled back: then nothing of it is there. */
static bool run_guarded(struct writer *writer, struct group *group)
{
    if (!begin(writer, group->attempts, group->count))
        return true;
    write_touches(writer, group);
    for (uint32_t i = 0; i < group->count && !is_lost(writer); i++)
        batch_run(writer, group->tasks[i], &group->attempts[i]);
    if (!is_lost(writer) && writer_own(writer, OWN_COMMIT) == SQLITE_DONE)
        return true;
    store_log(NULL, "a group of batches was rolled back and runs again one by one", writer->db.denied);
    db_rollback(&writer->db);
    return false;
}

/* The same without savepoints, which take an eighth of a group's time and are of use only when one of its batches comes to nothing. */
static bool run_trusting(struct writer *writer, struct group *group)
{
    bool good = true;
    if (!begin(writer, group->attempts, group->count))
        return true;
    write_touches(writer, group);
    for (uint32_t i = 0; i < group->count && good; i++)
        good = batch_try(writer, group->tasks[i], &group->attempts[i]) && !is_lost(writer);
    if (good && writer_own(writer, OWN_COMMIT) == SQLITE_DONE)
        return true;
    db_rollback(&writer->db);
    return false;
}

/* Refusals come together - an item is sold out - so after one the next groups have savepoints. */
static bool run_together(struct writer *writer, struct group *group)
{
    if (writer->guarded_groups > 0)
        writer->guarded_groups--;
    else if (run_trusting(writer, group))
        return true;
    else
        writer->guarded_groups = GUARDED_GROUPS;
    return run_guarded(writer, group);
}

void attempt_settle(const struct attempt *attempt, struct store_task *task)
{
    task->outcome = attempt->outcome;
    task->refused_by = attempt->refused_by;
    if (attempt->outcome == STORE_REPLAY) {
        task->status = attempt->status;
        task->reply = attempt->reply;
    }
    if (attempt->outcome != STORE_OK)
        task->returned.len = 0;
}

static void run_group(struct writer *writer, struct group *group)
{
    for (uint32_t i = 0; i < group->count; i++)
        group->attempts[i] = (struct attempt){ .outcome = STORE_ERROR };
    if (!run_together(writer, group)) {
        for (uint32_t i = 0; i < group->count; i++)
            run_alone(writer, group->tasks[i], &group->attempts[i]);
    }
    struct task_list done = { 0 };
    for (uint32_t i = 0; i < group->count; i++) {
        attempt_settle(&group->attempts[i], group->tasks[i]);
        task_list_push(&done, group->tasks[i]);
    }
    sqlite_hand_back(writer->store, &done);
}

/* ---- what has grown old ------------------------------------------------------------------------------------------------------ */

static bool purge_step(struct writer *writer, enum own_statement which, limen_time before)
{
    sqlite3_stmt *stmt = writer->own[which];
    (void)sqlite3_bind_int64(stmt, 1, before);
    (void)sqlite3_bind_int(stmt, 2, PURGE_ROWS);
    return writer_own(writer, which) == SQLITE_DONE && sqlite3_changes64(writer->db.handle) == PURGE_ROWS;
}

/* Keys and sessions that have had their time go in small steps, between groups. */
static void purge(struct writer *writer)
{
    int64_t now_us = clock_mono_us();
    if (now_us < writer->purge_at_us)
        return;
    limen_time now = clock_wall_us();
    bool has_more = purge_step(writer, OWN_PURGE_KEYS, now - KEYS_KEPT_US);
    has_more = purge_step(writer, OWN_PURGE_SESSIONS, now - LIMIT_SESSION_IDLE_US) || has_more;
    has_more = purge_step(writer, OWN_PURGE_EFFECTS, now - LIMIT_EFFECT_KEPT_US) || has_more;
    writer->purge_at_us = now_us + (has_more ? PURGE_AGAIN_US : PURGE_EVERY_US);
}

/* ---- the thread -------------------------------------------------------------------------------------------------------------- */

bool writer_submit(struct writer *writer, struct store_task *task)
{
    pthread_mutex_lock(&writer->lock);
    bool is_taken = !writer->is_closing && writer->tasks.count < LIMIT_WRITE_QUEUE;
    if (is_taken)
        task_list_push(task->continues ? &writer->continued : &writer->tasks, task);
    bool must_wake = is_taken && writer->is_idle;
    pthread_mutex_unlock(&writer->lock);
    if (must_wake)
        pthread_cond_signal(&writer->wake);
    return is_taken;
}

/* No wake-up: the writer looks every few seconds, and before that with its next group. */
void writer_touch(struct writer *writer, const uint8_t *token_hash, limen_time seen_at)
{
    pthread_mutex_lock(&writer->lock);
    uint32_t at = 0;
    while (at < writer->touch_count && memcmp(writer->touches[at].token_hash, token_hash, TOKEN_HASH_BYTES) != 0)
        at++;
    if (at < LIMIT_TOUCH_QUEUE) {
        memcpy(writer->touches[at].token_hash, token_hash, TOKEN_HASH_BYTES);
        writer->touches[at].seen_at = seen_at;
        writer->touch_count += at == writer->touch_count;
    }
    pthread_mutex_unlock(&writer->lock);
}

/* An interactive transaction runs by itself. Called with the lock held. */
static void take_tasks(struct writer *writer, struct group *group)
{
    struct task_list *tasks = &writer->tasks;
    group->count = 0;
    while (group->count < LIMIT_GROUP_BATCHES && tasks->first != NULL) {
        bool is_step = tasks->first->kind == STORE_STEP;
        if (is_step && group->count > 0)
            return;
        group->tasks[group->count++] = task_list_take(tasks);
        if (is_step)
            return;
    }
}

/* Takes what is waiting. False when the queue is closed and empty. */
static bool take_group(struct writer *writer, struct group *group)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += IDLE_WAIT_S;
    pthread_mutex_lock(&writer->lock);
    writer->is_idle = true;
    int waited = 0;
    while (writer->tasks.first == NULL && writer->continued.first == NULL && !writer->is_closing && waited == 0)
        waited = pthread_cond_timedwait(&writer->wake, &writer->lock, &until);
    writer->is_idle = false;
    take_tasks(writer, group);
    group->late = writer->continued;
    writer->continued = (struct task_list){ 0 };
    group->touch_count = writer->touch_count;
    memcpy(group->touches, writer->touches, writer->touch_count * sizeof writer->touches[0]);
    writer->touch_count = 0;
    bool goes_on = group->count > 0 || group->touch_count > 0 || group->late.first != NULL || !writer->is_closing;
    pthread_mutex_unlock(&writer->lock);
    return goes_on;
}

static void *writer_main(void *context)
{
    struct writer *writer = context;
    struct group group;
    (void)pthread_setname_np(pthread_self(), "limen-writer"); /* its own: another's takes a file in /proc */
    while (take_group(writer, &group)) {
        for (struct store_task *task = group.late.first; task != NULL; task = task->next)
            task->outcome = STORE_TIMEOUT;
        sqlite_hand_back(writer->store, &group.late);
        bool is_step = group.count == 1 && group.tasks[0]->kind == STORE_STEP;
        group.count -= is_step;
        if (group.count > 0 || group.touch_count > 0)
            run_group(writer, &group);
        if (is_step)
            held_run(writer, group.tasks[0]);
        purge(writer);
    }
    return NULL;
}

/* ---- opening and closing -------------------------------------------------------------------------------------------------------- */

bool writer_prepare(struct writer *writer, struct sqlite_store *store, struct arena *arena, struct diags *diags)
{
    const struct query_set *queries = store->queries;
    writer->store = store;
    writer->prepared = ARENA_NEW_ARRAY(arena, struct prepared, queries->count);
    if (writer->prepared == NULL || !outbox_name_effects(store, arena))
        return false;
    for (int i = 0; i < OWN_COUNT; i++) {
        if (!db_prepare_own(&writer->db, OWN_SQL[i], &writer->own[i])) {
            diags_add_at(diags, LIMEN_STR("database"), 0, 0, LIMEN_STR("is it a database of another program?"), "%s",
                         writer->db.denied);
            return false;
        }
    }
    for (uint32_t i = 0; i < queries->count; i++) {
        const struct statement *statement = &queries->statements[i];
        if (!statement_prepare(&writer->db, queries, statement, arena, &writer->prepared[i], diags))
            return false;
    }
    return true;
}

bool writer_start(struct writer *writer)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the loop's */
    writer->is_running = pthread_create(&writer->thread, NULL, writer_main, writer) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return writer->is_running;
}

void writer_close(struct writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    writer->is_closing = true;
    pthread_cond_signal(&writer->wake);
    pthread_mutex_unlock(&writer->lock);
    if (writer->is_running)
        pthread_join(writer->thread, NULL);
    for (int i = 0; i < OWN_COUNT; i++)
        sqlite3_finalize(writer->own[i]);
    for (uint32_t i = 0; writer->prepared != NULL && i < writer->store->queries->count; i++)
        sqlite3_finalize(writer->prepared[i].stmt);
    db_close(&writer->db);
}
