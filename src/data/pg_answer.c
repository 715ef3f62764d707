/* pg_answer.c - what the answers to a work mean.
 *
 * An outcome stands only when the work's Sync has been answered. An error that another's work has caused (a serialization failure, a
 * deadlock, a cancel that hit the wrong one) is no outcome: nothing of the work is there, and it is run again. What was lost with its
 * connection may be there: a key tells, a batch without one stays unknown. */
#include "data/pg_pool.h"

#include "core/log.h"

#include <stdio.h>
#include <string.h>

#define ATTEMPTS 6U          /* of one work; past them: 503 */
#define RETRY_AFTER_US 10000 /* of what met another in the database; twice as much each time */
#define NEARLY_US 5000       /* the server's timeout is in whole milliseconds, and a little earlier than the deadline */

/* ---- rows ------------------------------------------------------------------------------------------------------------------- */

static enum store_outcome take_rows(struct store_task *task, const PGresult *result)
{
    const struct statement *statement = task->statement;
    int count = PQntuples(result);
    if (statement->kind == STATEMENT_ONE && count > 1) {
        store_log(statement, "a :one found more than one row", "");
        return STORE_ERROR;
    }
    if ((uint32_t)count > LIMIT_ROWS) {
        store_log(statement, "a :many found too many rows", "");
        return STORE_ERROR;
    }
    for (int i = 0; i < count; i++) {
        if (!pg_put_row(statement, result, i, &task->rows)) {
            store_log(statement, "a row holds a value of another type than its column's", "");
            return STORE_ERROR;
        }
        if (task->rows.failed || task->rows.len > LIMIT_ROWS_BYTES) {
            store_log(statement, "the rows are too large", "");
            return STORE_ERROR;
        }
    }
    task->row_count = (uint32_t)count;
    return STORE_OK;
}

/* A statement that did not return exactly one row has raised an error. */
static enum store_outcome take_returned(struct store_task *task, const struct statement *statement,
                                        const PGresult *result)
{
    if (statement->kind != STATEMENT_RETURNING)
        return STORE_OK;
    if (PQntuples(result) == 1 && pg_put_row(statement, result, 0, &task->returned) && !task->returned.failed
        && task->returned.len <= LIMIT_ROWS_BYTES)
        return STORE_OK;
    store_log(statement, "a returned row is too large, or holds a value of another type than its column's", "");
    return STORE_ERROR;
}

/* Columns 0 to 2: id, email, roles. */
static bool take_principal(const struct pg_pool *pool, const PGresult *result, struct principal *ret_principal)
{
    limen_str id = pg_get_text(result, 0, 0), email = pg_get_text(result, 0, 1);
    if (id.len == 0 || id.len > PRINCIPAL_ID_BYTES || email.len > PRINCIPAL_EMAIL_BYTES)
        return false;
    struct principal principal = { .id_len = (uint8_t)id.len, .email_len = (uint8_t)email.len };
    memcpy(principal.id, id.ptr, id.len);
    if (email.len > 0)
        memcpy(principal.email, email.ptr, email.len);
    principal.roles = roles_read(pool->contract, pg_get_text(result, 0, 2));
    *ret_principal = principal;
    return true;
}

/* ---- what is found by a key --------------------------------------------------------------------------------------------------- */

static enum store_outcome take_session(struct pg_pool *pool, struct store_task *task, const PGresult *result)
{
    if (PQntuples(result) == 0)
        return STORE_NONE;
    limen_time created_at = pg_get_int(result, 0, 3), seen_at = pg_get_int(result, 0, 4);
    if (task->now - created_at >= LIMIT_SESSION_ABSOLUTE_US || task->now - seen_at >= LIMIT_SESSION_IDLE_US)
        return STORE_NONE;
    if (!take_principal(pool, result, &task->principal))
        return STORE_ERROR;
    if (task->now - seen_at >= SESSION_TOUCH_AFTER_US)
        pg_pool_touch(pool, task->token_hash, task->now);
    return STORE_OK;
}

static enum store_outcome take_api_key(struct pg_pool *pool, struct store_task *task, const PGresult *result)
{
    if (PQntuples(result) == 0)
        return STORE_NONE;
    limen_str wanted = str_make((const char *)task->token_hash, sizeof task->token_hash);
    if (!str_equal_secret(pg_get_text(result, 0, 3), wanted))
        return STORE_NONE;
    return take_principal(pool, result, &task->principal) ? STORE_OK : STORE_ERROR;
}

static enum store_outcome take_credential(struct pg_pool *pool, struct store_task *task, const PGresult *result)
{
    if (PQntuples(result) == 0)
        return STORE_NONE;
    task->password_hash = arena_copy(task->arena, pg_get_text(result, 0, 3));
    return task->password_hash.ptr != NULL && take_principal(pool, result, &task->principal) ? STORE_OK : STORE_ERROR;
}

static enum store_outcome take_key(struct store_task *task, const PGresult *result)
{
    if (PQntuples(result) == 0)
        return STORE_NONE;
    if (!str_equal(pg_get_text(result, 0, 0), str_make((const char *)task->fingerprint, sizeof task->fingerprint)))
        return STORE_KEY_REUSED;
    limen_str reply = arena_copy(task->arena, pg_get_text(result, 0, 2));
    if (reply.ptr == NULL)
        return STORE_ERROR;
    task->status = (int)pg_get_int(result, 0, 1);
    task->reply = reply;
    return STORE_REPLAY;
}

/* An interactive STEP looks its key up and goes on when there is none. */
static enum store_outcome take_key_of(const struct pg_work *work, const PGresult *result)
{
    enum store_outcome outcome = take_key(work->task, result);
    bool goes_on = work->task->kind == STORE_STEP && !work->resolves;
    return goes_on && outcome == STORE_NONE ? STORE_OK : outcome;
}

static bool has_changed_a_row(PGresult *result)
{
    const char *count = PQcmdTuples(result);
    return strcmp(count, "0") != 0;
}

static enum store_outcome take_own(struct pg_work *work, enum pg_own own, struct pg_pool *pool, PGresult *result)
{
    struct store_task *task = work->task;
    switch (own) {
    case PG_OWN_KEY_FIND:
    case PG_OWN_KEY_CONFIRM:
        return take_key_of(work, result);
    case PG_OWN_SESSION_FIND:
        return take_session(pool, task, result);
    case PG_OWN_API_KEY_FIND:
        return take_api_key(pool, task, result);
    case PG_OWN_CREDENTIAL_FIND:
        return take_credential(pool, task, result);
    case PG_OWN_SESSION_DELETE: /* an attempt that was lost may have done it */
    case PG_OWN_CREDENTIAL_REHASH:
        return has_changed_a_row(result) || work->may_be_done ? STORE_OK : STORE_NONE;
    case PG_OWN_EFFECT_LEASE:
        return pg_take_effects(pool->queries, task, result);
    case PG_OWN_EFFECT_ASK:
        return has_changed_a_row(result) ? STORE_OK : STORE_NONE;
    case PG_OWN_EFFECT_COUNT:
        task->counts = (struct store_effect_counts){ .open = (uint64_t)pg_get_int(result, 0, 0),
                                                     .dead = (uint64_t)pg_get_int(result, 0, 1),
                                                     .oldest = pg_get_int(result, 0, 2) };
        return STORE_OK;
    case PG_OWN_PURGE_KEYS:
    case PG_OWN_PURGE_EFFECTS:
    case PG_OWN_PURGE_SESSIONS: {
        int64_t rows = 0;
        if (str_to_int64(str_of(PQcmdTuples(result)), &rows) && rows >= PURGE_ROWS)
            pool->must_purge_on = true;
        return STORE_OK;
    }
    default:
        return STORE_OK;
    }
}

/* ---- errors ------------------------------------------------------------------------------------------------------------------- */

static bool is_state(const struct pg_work *work, const char *state)
{
    return strncmp(work->sqlstate, state, strlen(state)) == 0;
}

static bool is_late_soon(const struct store_task *task)
{
    return task_is_late(task) || (task->deadline_us != 0 && clock_mono_us() + NEARLY_US >= task->deadline_us);
}

/* Nothing of it is there, and an interactive transaction that it continues is not gone with it. */
static bool may_run_again(const struct pg_work *work)
{
    return work->attempts < ATTEMPTS && !work->task->continues && !task_is_late(work->task);
}

/* What is said in the log names what failed, and no value: a detail of PostgreSQL's shows the row. */
static void log_failure(const struct statement *statement, const PGresult *result, const char *state)
{
    const char *constraint = PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
    bool shows_values = state[0] == '2';
    LOG_ERROR("a statement failed", log_str("statement", statement == NULL ? LIMEN_STR("") : statement->name),
              log_text("sqlstate", state), log_text("constraint", constraint),
              log_text("detail", shows_values ? "" : PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY)));
}

/* The database's refusals of a row, beside a miss: constraints, triggers of `-- decided-by:`, row-level security. */
static bool is_refusal(const struct pg_work *work)
{
    return is_state(work, "23") || is_state(work, "42501") || is_state(work, PG_SQLSTATE_MISS)
        || is_state(work, PG_SQLSTATE_DECIDED);
}

static enum store_outcome refuse_item(struct pg_work *work, uint32_t item, const PGresult *result)
{
    const struct statement *statement = work->task->items[item].statement;
    work->refused_by = item;
    if (is_refusal(work) && statement_has_else(statement))
        return STORE_REFUSED;
    if (is_state(work, PG_SQLSTATE_MISS))
        store_log(statement, "a :returning gave no row, or several", "");
    else
        log_failure(statement, result, work->sqlstate);
    return STORE_ERROR;
}

/* A deferred constraint does not hold at the end of the batch. The last :must gives its reply to it. */
static enum store_outcome refuse_end(struct pg_work *work, const PGresult *result)
{
    const struct store_task *task = work->task;
    for (uint32_t i = is_state(work, "23") ? task->item_count : 0; i > 0; i--) {
        if (!statement_has_else(task->items[i - 1].statement))
            continue;
        work->refused_by = i - 1;
        return STORE_REFUSED;
    }
    log_failure(NULL, result, work->sqlstate);
    return STORE_ERROR;
}

static enum store_outcome refuse_own(struct pg_work *work, enum pg_own own, const PGresult *result)
{
    if (own == PG_OWN_KEY_INSERT && is_state(work, "23505")) {
        work->resolves = true; /* somebody has committed it: what came of it is asked for next */
        return STORE_REPLAY;
    }
    if (own == PG_OWN_CREDENTIAL_INSERT && is_state(work, "23505"))
        return STORE_TAKEN;
    if (own == PG_OWN_EFFECT_SETTLE && is_state(work, PG_SQLSTATE_MISS))
        return STORE_NONE; /* another has taken it over */
    if (own == PG_OWN_COMMIT)
        return refuse_end(work, result);
    log_failure(NULL, result, work->sqlstate);
    return STORE_ERROR;
}

/* A look-up has no more than the session's time; a cancel that came earlier was meant for another. */
static bool has_had_its_time(const struct pg_work *work)
{
    return pg_work_is_lookup(work) && is_state(work, "57014")
        && clock_mono_us() - work->sent_at_us + NEARLY_US >= LIMIT_PG_LOOKUP_US;
}

/* Errors that are nobody's answer: of the server's state, or of what else is under way. False when it is another. */
static bool take_passing_error(struct pg_work *work)
{
    work->again_after_us = 0;
    if (is_state(work, "40001") || is_state(work, "40P01"))
        work->again_after_us = (int64_t)RETRY_AFTER_US << work->attempts;
    else if (is_state(work, "0A000") || is_state(work, "26000") || is_state(work, "25006") || is_state(work, "25P02"))
        work->must_renew =
            true; /* a plan that no longer fits; no statement; a standby; a transaction that is no more */
    else if (!is_state(work, "57014") && !is_state(work, "55P03") && !is_state(work, "53") && !is_state(work, "57P"))
        return false;
    work->outcome = is_state(work, "57014") && is_late_soon(work->task) ? STORE_TIMEOUT : STORE_BUSY;
    bool is_full = is_state(work, "53") || is_state(work, "55P03");
    work->runs_again = work->outcome == STORE_BUSY && !is_full && !has_had_its_time(work) && may_run_again(work);
    return true;
}

static void take_error(struct pg_work *work, const struct pg_step *step, const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    work->has_failed = true;
    work->is_fatal = severity != NULL && strcmp(severity, "ERROR") != 0;
    (void)snprintf(work->sqlstate, sizeof work->sqlstate, "%s", state == NULL ? "" : state);
    if (state == NULL) /* libpq's own: the connection is gone */
        return;
    if (work->task == NULL) {
        log_failure(NULL, result, work->sqlstate);
        work->must_renew = work->chore == PG_CHORE_ROLLBACK;
        return;
    }
    if (take_passing_error(work))
        return;
    if (step->kind == PG_STEP_ITEM)
        work->outcome = refuse_item(work, step->number, result);
    else if (step->kind == PG_STEP_OWN)
        work->outcome = refuse_own(work, (enum pg_own)step->number, result);
    else if (step->kind == PG_STEP_SYNC)
        work->outcome = refuse_end(work, result);
    else {
        log_failure(work->task->statement, result, work->sqlstate);
        work->outcome = STORE_ERROR;
    }
}

/* ---- a result, the end, a loss ------------------------------------------------------------------------------------------------- */

static enum store_outcome take_rows_of(struct pg_work *work, const struct pg_step *step, struct pg_pool *pool,
                                       PGresult *result)
{
    struct store_task *task = work->task;
    if (step->kind == PG_STEP_ITEM)
        return take_returned(task, task->items[step->number].statement, result);
    if (step->kind == PG_STEP_READ)
        return take_rows(task, result);
    return take_own(work, (enum pg_own)step->number, pool, result);
}

void pg_work_take(struct pg_work *work, struct pg_pool *pool, PGresult *result)
{
    const struct pg_step *step = &work->steps[work->at];
    ExecStatusType status = PQresultStatus(result);
    bool is_error = status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && status != PGRES_PIPELINE_SYNC
        && status != PGRES_PIPELINE_ABORTED;
    if (is_error && !work->has_failed)
        take_error(work, step, result);
    bool counts = (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) && work->outcome == STORE_OK;
    if (counts)
        work->outcome = take_rows_of(work, step, pool, result);
    if (step->kind != PG_STEP_SYNC
        || status == PGRES_PIPELINE_SYNC) /* an error at the Sync is followed by the Sync's own result */
        work->at++;
}

/* Of an attempt that was lost, and is perhaps still to come behind another on its connection, tells only what is committed and stops it: its
 * key, another's account, a fence that was raised. That nothing was there yet, and a row refused, tells nothing. */
static bool is_definite(enum store_outcome outcome)
{
    switch (outcome) {
    case STORE_OK:
    case STORE_REPLAY:
    case STORE_KEY_REUSED:
    case STORE_TAKEN:
    case STORE_NONE:
        return true;
    default:
        return false;
    }
}

enum store_outcome pg_work_told(const struct pg_work *work, enum store_outcome outcome)
{
    bool is_batch = work->task->kind == STORE_BATCH;
    bool may_be_committed = work->may_be_done || work->resolves;
    if (is_batch && may_be_committed && !is_definite(outcome)) /* this attempt was not; an earlier one may have been */
        return STORE_UNKNOWN;
    /* A failover may take away what only one server has: nobody is told that it is done. */
    return work->is_here_only && (is_batch || outcome == STORE_REPLAY) ? STORE_UNKNOWN : outcome;
}

static enum pg_fate finish(struct pg_work *work, enum store_outcome outcome)
{
    struct store_task *task = work->task;
    outcome = pg_work_told(work, outcome);
    task->outcome = outcome;
    task->refused_by = work->refused_by;
    if (outcome == STORE_OK)
        return PG_FATE_DONE;
    task->returned.len = 0;
    task->rows.len = 0;
    task->row_count = 0;
    return PG_FATE_DONE;
}

static enum pg_fate run_again(struct pg_work *work, int64_t after_us)
{
    work->not_before_us = after_us == 0 ? 0 : clock_mono_us() + after_us;
    return PG_FATE_AGAIN;
}

/* It was asked whether the key has been committed, and reached the standby. */
static enum pg_fate end_resolving(struct pg_work *work)
{
    if (work->outcome != STORE_NONE)
        return finish(work, work->outcome);
    work->resolves = false;
    if (work->task->continues) /* its transaction is gone, and perhaps the server is still at it */
        return finish(work, work->may_be_done ? STORE_UNKNOWN : STORE_BUSY);
    return work->attempts < ATTEMPTS ? run_again(work, 0) : finish(work, STORE_BUSY);
}

enum pg_fate pg_work_end(struct pg_work *work, struct pg_pool *pool)
{
    if (work->task == NULL)
        return PG_FATE_DONE;
    if (work->runs_again)
        return run_again(work, work->again_after_us == 0 ? 0 : pg_jitter(pool, work->again_after_us));
    if (work->resolves && work->has_failed && is_state(work, "23505"))
        return run_again(work, 0);
    if (work->resolves)
        return end_resolving(work);
    work->resolves = work->outcome == STORE_REPLAY; /* found, and perhaps nowhere else yet */
    return work->resolves ? run_again(work, 0) : finish(work, work->outcome);
}

/* A batch is re-run when it has a key, or an effect's fence, which then decides; or when the server has said before its end that it stops
 * there. */
static enum pg_fate lose_batch(struct pg_work *work, bool is_over)
{
    bool has_key = work->task->has_key || work->task->settlement != NULL;
    work->may_be_done = work->may_be_done || !is_over;
    if (work->task->continues) {
        work->resolves = work->task->has_key && !is_over;
        return work->resolves ? run_again(work, 0) : finish(work, is_over ? STORE_BUSY : STORE_UNKNOWN);
    }
    if (work->attempts >= ATTEMPTS || task_is_late(work->task))
        return finish(work, work->may_be_done ? STORE_UNKNOWN : STORE_BUSY);
    return has_key || !work->may_be_done ? run_again(work, 0) : finish(work, STORE_UNKNOWN);
}

/* The server has said that it went no further: an error, or, before the end, that an operator shuts it down. Any other end of a session
 * may have come while it committed. */
static bool has_stopped(const struct pg_work *work)
{
    bool is_at_end = work->steps[work->at].kind == PG_STEP_SYNC;
    if (!work->has_failed || work->sqlstate[0] == '\0')
        return false;
    return !work->is_fatal || (is_state(work, "57P01") && !is_at_end);
}

enum pg_fate pg_work_lose(struct pg_work *work, bool is_over)
{
    if (work->task == NULL)
        return PG_FATE_DONE;
    is_over = is_over || has_stopped(work);
    if (work->resolves)
        return run_again(work, 0);
    if (work->task->kind == STORE_BATCH)
        return lose_batch(work, is_over);
    work->may_be_done = true;
    if (work->task->kind == STORE_STEP && work->task->continues)
        return finish(work, STORE_BUSY);
    if (work->attempts >= ATTEMPTS || task_is_late(work->task))
        return finish(work, task_is_late(work->task) ? STORE_TIMEOUT : STORE_BUSY);
    return run_again(work, 0);
}
