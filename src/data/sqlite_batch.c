/* sqlite_batch.c - one task of the writer, in a savepoint of its own or in none.
 *
 * The key comes first: whoever committed it before us has done all of the batch. Then the effect whose result it is, then a sign-up's
 * credential and session, then the statements in the order in which they were queued. What fails undoes this batch and no other. */
#include "data/sqlite_store.h"

#include "core/arena.h"

#define FIRST_ROWS_BYTES 256U
#define ROLES_BYTES 2048U

static struct attempt came_to(enum store_outcome outcome)
{
    return (struct attempt){ .outcome = outcome };
}

static enum store_outcome failed(struct writer *writer, const struct statement *statement, int code)
{
    if (writer->db.was_stopped)
        return STORE_TIMEOUT;
    store_log(statement, "a write failed", statement == NULL ? writer->db.denied : sqlite3_errmsg(writer->db.handle));
    return (code & 0xff) == SQLITE_BUSY ? STORE_BUSY : STORE_ERROR;
}

/* ---- the key ------------------------------------------------------------------------------------------------------------- */

static struct attempt read_key(struct writer *writer, struct store_task *task)
{
    sqlite3_stmt *stmt = writer->own[OWN_KEY_FIND];
    struct attempt attempt = came_to(STORE_NONE);
    db_bind_text(stmt, 1, principal_id(&task->principal));
    db_bind_text(stmt, 2, task->key);
    int code = db_step_own(&writer->db, stmt);
    if (code == SQLITE_ROW) {
        bool is_same = sqlite3_column_bytes(stmt, 0) == (int)sizeof task->fingerprint
            && memcmp(sqlite3_column_blob(stmt, 0), task->fingerprint, sizeof task->fingerprint) == 0;
        const char *reply = sqlite3_column_blob(stmt, 2);
        attempt.status = sqlite3_column_int(stmt, 1);
        attempt.reply = arena_copy(task->arena,
                                   str_make(reply, reply == NULL ? 0 : (size_t)sqlite3_column_bytes(stmt, 2)));
        attempt.outcome = !is_same ? STORE_KEY_REUSED : attempt.reply.ptr != NULL ? STORE_REPLAY : STORE_ERROR;
    }
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        attempt.outcome = failed(writer, NULL, code);
    db_reset_own(&writer->db, stmt);
    return attempt;
}

static struct attempt take_key(struct writer *writer, struct store_task *task)
{
    sqlite3_stmt *stmt = writer->own[OWN_KEY_INSERT];
    if (task->principal.id_len == 0) /* strangers would share keys */
        return came_to(STORE_ERROR);
    db_bind_text(stmt, 1, principal_id(&task->principal));
    db_bind_text(stmt, 2, task->key);
    db_bind_blob(stmt, 3, task->fingerprint, sizeof task->fingerprint);
    (void)sqlite3_bind_int(stmt, 4, task->status);
    db_bind_blob(stmt, 5, task->reply.ptr, task->reply.len);
    (void)sqlite3_bind_int64(stmt, 6, task->now);
    int code = writer_own(writer, OWN_KEY_INSERT);
    if (code != SQLITE_DONE)
        return came_to(failed(writer, NULL, code));
    if (sqlite3_changes64(writer->db.handle) == 1)
        return came_to(STORE_OK);
    struct attempt attempt = read_key(writer, task);
    if (attempt.outcome == STORE_NONE)
        attempt.outcome = STORE_ERROR; /* the insert has just met it */
    return attempt;
}

/* ---- sessions and credentials --------------------------------------------------------------------------------------------- */

static enum store_outcome insert_session(struct writer *writer, const struct store_task *task,
                                         const uint8_t *token_hash)
{
    sqlite3_stmt *stmt = writer->own[OWN_SESSION_INSERT];
    db_bind_blob(stmt, 1, token_hash, TOKEN_HASH_BYTES);
    db_bind_text(stmt, 2, principal_id(&task->principal));
    (void)sqlite3_bind_int64(stmt, 3, task->now);
    int code = writer_own(writer, OWN_SESSION_INSERT);
    return code == SQLITE_DONE ? STORE_OK : failed(writer, NULL, code);
}

static enum store_outcome sign_up(struct writer *writer, const struct store_task *task)
{
    sqlite3_stmt *stmt = writer->own[OWN_CREDENTIAL_INSERT];
    char memory[ROLES_BYTES];
    struct buf roles;
    buf_init_fixed(&roles, memory, sizeof memory);
    roles_write(writer->store->contract, task->principal.roles, &roles);
    if (roles.failed || task->principal.id_len == 0)
        return STORE_ERROR;
    db_bind_text(stmt, 1, principal_id(&task->principal));
    db_bind_text(stmt, 2, task->sign_up->email);
    db_bind_text(stmt, 3, task->sign_up->password_hash);
    db_bind_text(stmt, 4, buf_str(&roles));
    (void)sqlite3_bind_int64(stmt, 5, task->now);
    int code = writer_own(writer, OWN_CREDENTIAL_INSERT);
    if (code != SQLITE_DONE)
        return failed(writer, NULL, code);
    if (sqlite3_changes64(writer->db.handle) == 0)
        return STORE_TAKEN;
    return task->sign_up->session_is_elsewhere ? STORE_OK : insert_session(writer, task, task->sign_up->token_hash);
}

static enum store_outcome end_session(struct writer *writer, const struct store_task *task)
{
    db_bind_blob(writer->own[OWN_SESSION_DELETE], 1, task->token_hash, TOKEN_HASH_BYTES);
    int code = writer_own(writer, OWN_SESSION_DELETE);
    if (code != SQLITE_DONE)
        return failed(writer, NULL, code);
    return sqlite3_changes64(writer->db.handle) == 0 ? STORE_NONE : STORE_OK;
}

static enum store_outcome rehash(struct writer *writer, const struct store_task *task)
{
    db_bind_text(writer->own[OWN_CREDENTIAL_REHASH], 1, principal_id(&task->principal));
    db_bind_text(writer->own[OWN_CREDENTIAL_REHASH], 2, task->password_hash);
    int code = writer_own(writer, OWN_CREDENTIAL_REHASH);
    if (code != SQLITE_DONE)
        return failed(writer, NULL, code);
    return sqlite3_changes64(writer->db.handle) == 0 ? STORE_NONE : STORE_OK;
}

/* ---- the app's statements ------------------------------------------------------------------------------------------------- */

static enum store_outcome check_changes(struct writer *writer, const struct statement *statement, uint32_t rows)
{
    if (statement->kind == STATEMENT_MUST)
        return sqlite3_changes64(writer->db.handle) == 1 ? STORE_OK : STORE_REFUSED;
    if (statement->kind != STATEMENT_RETURNING || rows == 1)
        return STORE_OK;
    if (statement_has_else(statement))
        return STORE_REFUSED;
    store_log(statement, "a :returning gave no row, or several", "");
    return STORE_ERROR;
}

static enum store_outcome step_all(struct writer *writer, const struct statement *statement, struct store_task *task,
                                   sqlite3_stmt *stmt)
{
    uint32_t rows = 0;
    int code;
    while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
        if (rows++ == 0
            && (!statement_put_row(statement, stmt, &task->returned) || task->returned.failed
                || task->returned.len > LIMIT_ROWS_BYTES)) {
            store_log(statement, "a returned row is too large, or holds a value of another type than its column's", "");
            return STORE_ERROR;
        }
    }
    if (code == SQLITE_DONE)
        return check_changes(writer, statement, rows);
    if ((code & 0xff) == SQLITE_CONSTRAINT && statement_has_else(statement) && !writer->db.was_stopped)
        return STORE_REFUSED;
    return failed(writer, statement, code);
}

static enum store_outcome run_item(struct writer *writer, struct store_task *task, const struct store_item *item)
{
    const struct statement *statement = item->statement;
    if (!store_has_statement(writer->store->queries, statement) || statement_is_read(statement))
        return STORE_ERROR;
    const struct prepared *prepared = &writer->prepared[statement->number];
    enum store_outcome outcome = STORE_ERROR;
    store_enter(&writer->db, task, statement);
    if (statement_bind(&writer->db, prepared, statement, item->params, item->param_count, task->now))
        outcome = statement->kind == STATEMENT_EFFECT ? outbox_put(writer, task, item, prepared->stmt)
                                                      : step_all(writer, statement, task, prepared->stmt);
    else
        store_log(statement, "parameters do not fit the prototype", "");
    (void)sqlite3_reset(prepared->stmt);
    (void)sqlite3_clear_bindings(prepared->stmt);
    store_leave(&writer->db);
    return outcome;
}

/* Foreign keys that were deferred must hold at the end of each batch, not of the group. The last :must gives its reply to a miss. */
static struct attempt check_deferred(struct writer *writer, const struct store_task *task)
{
    int current = 0, highest = 0;
    (void)sqlite3_db_status(writer->db.handle, SQLITE_DBSTATUS_DEFERRED_FKS, &current, &highest, 0);
    if (current == 0)
        return came_to(STORE_OK);
    for (uint32_t i = task->item_count; i > 0; i--) {
        if (statement_has_else(task->items[i - 1].statement))
            return (struct attempt){ .outcome = STORE_REFUSED, .refused_by = i - 1 };
    }
    store_log(task->item_count > 0 ? task->items[task->item_count - 1].statement : NULL,
              "a deferred foreign key does not hold at the end of its batch", "");
    return came_to(STORE_ERROR);
}

static struct attempt run_queue(struct writer *writer, struct store_task *task)
{
    struct attempt attempt = came_to(STORE_OK);
    if (task->sign_up != NULL)
        attempt.outcome = sign_up(writer, task);
    for (uint32_t i = 0; i < task->item_count && attempt.outcome == STORE_OK; i++) {
        attempt.outcome = run_item(writer, task, &task->items[i]);
        attempt.refused_by = i;
    }
    return attempt;
}

static struct attempt run_batch(struct writer *writer, struct store_task *task)
{
    struct attempt attempt = task->has_key ? take_key(writer, task) : came_to(STORE_OK);
    if (attempt.outcome == STORE_OK && task->settlement != NULL)
        attempt.outcome = outbox_settle(writer, task->settlement);
    if (attempt.outcome == STORE_OK)
        attempt = run_queue(writer, task);
    return attempt.outcome == STORE_OK ? check_deferred(writer, task) : attempt;
}

/* The key is looked up only: its reply is not there yet, and nobody else can take it while we hold the writer. */
static struct attempt run_step(struct writer *writer, struct store_task *task)
{
    const struct statement *statement = task->statement;
    if (statement == NULL || !store_has_statement(writer->store->queries, statement) || !statement_is_read(statement))
        return came_to(STORE_ERROR);
    struct attempt attempt = task->has_key ? read_key(writer, task) : came_to(STORE_NONE);
    if (attempt.outcome == STORE_NONE)
        attempt = run_queue(writer, task);
    if (attempt.outcome == STORE_OK)
        attempt.outcome = read_rows(&writer->db, &writer->prepared[statement->number], task);
    return attempt;
}

static struct attempt run_task(struct writer *writer, struct store_task *task)
{
    switch (task->kind) {
    case STORE_BATCH:
        return run_batch(writer, task);
    case STORE_STEP:
        return run_step(writer, task);
    case STORE_SESSION_START:
        return came_to(insert_session(writer, task, task->token_hash));
    case STORE_SESSION_END:
        return came_to(end_session(writer, task));
    case STORE_CREDENTIAL_REHASH:
        return came_to(rehash(writer, task));
    case STORE_EFFECT_LEASE:
        return came_to(outbox_lease(writer, task));
    case STORE_EFFECT_SETTLE:
        return came_to(outbox_settle(writer, task->settlement));
    case STORE_EFFECT_ASK:
        return came_to(outbox_ask(writer, task));
    case STORE_EFFECT_COUNT:
        return came_to(outbox_count(writer, task));
    default:
        return came_to(STORE_ERROR);
    }
}

/* False when it is too late to begin. */
static bool begin(struct writer *writer, struct store_task *task, struct attempt *ret_attempt)
{
    *ret_attempt = came_to(STORE_TIMEOUT);
    buf_init(&task->returned, task->arena, task->item_count > 0 ? FIRST_ROWS_BYTES : 0);
    writer->db.was_stopped = false;
    return !task_is_late(task);
}

bool batch_try(struct writer *writer, struct store_task *task, struct attempt *ret_attempt)
{
    int64_t before = sqlite3_total_changes64(writer->db.handle);
    if (!begin(writer, task, ret_attempt))
        return true;
    *ret_attempt = run_task(writer, task);
    return ret_attempt->outcome == STORE_OK || sqlite3_total_changes64(writer->db.handle) == before;
}

void batch_run(struct writer *writer, struct store_task *task, struct attempt *ret_attempt)
{
    if (!begin(writer, task, ret_attempt))
        return;
    if (writer_own(writer, OWN_SAVEPOINT) != SQLITE_DONE) {
        *ret_attempt = came_to(failed(writer, NULL, SQLITE_ERROR));
        return;
    }
    *ret_attempt = run_task(writer, task);
    if (sqlite3_get_autocommit(writer->db.handle) != 0)
        return;
    bool good = ret_attempt->outcome == STORE_OK || writer_own(writer, OWN_ROLLBACK_TO) == SQLITE_DONE;
    if (writer_own(writer, OWN_RELEASE) != SQLITE_DONE || !good) {
        store_log(NULL, "a savepoint could not be ended", writer->db.denied);
        db_rollback(&writer->db); /* the writer sees that the transaction is gone */
    }
}
