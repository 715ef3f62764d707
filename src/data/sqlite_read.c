/* sqlite_read.c - the readers: a bounded number of threads, each with its own two connections.
 *
 * One connection shows the caller's rows of owned tables only, the other is for statements with a `-- scope:`. A read sees what was
 * committed before it began, and has a deadline. */
#include "data/sqlite_store.h"

#include "core/arena.h"

#include <signal.h>

#define SLOW_READERS (LIMIT_DATA_READERS / 2)
#define FIRST_ROWS_BYTES 1024U

/* ---- one read ----------------------------------------------------------------------------------------------------------- */

static enum store_outcome take_row(struct store_task *task, sqlite3_stmt *stmt)
{
    const struct statement *statement = task->statement;
    if (statement->kind == STATEMENT_ONE && task->row_count == 1) {
        store_log(statement, "a :one found more than one row", "");
        return STORE_ERROR;
    }
    if (task->row_count == LIMIT_ROWS) {
        store_log(statement, "a :many found too many rows", "");
        return STORE_ERROR;
    }
    if (!statement_put_row(statement, stmt, &task->rows)) {
        store_log(statement, "a row holds a value of another type than its column's", "");
        return STORE_ERROR;
    }
    if (task->rows.failed || task->rows.len > LIMIT_ROWS_BYTES) {
        store_log(statement, "the rows are too large", "");
        return STORE_ERROR;
    }
    task->row_count++;
    return STORE_OK;
}

static enum store_outcome take_rows(struct db *db, struct store_task *task, sqlite3_stmt *stmt)
{
    for (;;) {
        int code = sqlite3_step(stmt);
        if (code == SQLITE_DONE)
            return STORE_OK;
        if (code != SQLITE_ROW) {
            if (db->was_stopped)
                return STORE_TIMEOUT;
            store_log(task->statement, "a read failed", sqlite3_errmsg(db->handle));
            return (code & 0xff) == SQLITE_BUSY ? STORE_BUSY : STORE_ERROR;
        }
        enum store_outcome outcome = take_row(task, stmt);
        if (outcome != STORE_OK)
            return outcome;
    }
}

enum store_outcome read_rows(struct db *db, const struct prepared *prepared, struct store_task *task)
{
    const struct statement *statement = task->statement;
    enum store_outcome outcome = STORE_ERROR;
    store_enter(db, task, statement);
    buf_init(&task->rows, task->arena, FIRST_ROWS_BYTES);
    task->row_count = 0;
    if (statement_bind(db, prepared, statement, task->params, task->param_count, task->now))
        outcome = take_rows(db, task, prepared->stmt);
    else
        store_log(statement, "parameters do not fit the prototype", "");
    (void)sqlite3_reset(prepared->stmt);
    (void)sqlite3_clear_bindings(prepared->stmt);
    store_leave(db);
    if (outcome != STORE_OK) {
        task->rows.len = 0;
        task->row_count = 0;
    }
    return outcome;
}

static enum store_outcome run_read(struct reader *reader, struct store_task *task)
{
    const struct statement *statement = task->statement;
    if (statement == NULL || !store_has_statement(reader->store->queries, statement) || !statement_is_read(statement))
        return STORE_ERROR;
    if (task_is_late(task))
        return STORE_TIMEOUT;
    struct db *db = statement_db(statement) == DB_SCOPED ? &reader->scoped : &reader->unscoped;
    return read_rows(db, &reader->prepared[statement->number], task);
}

/* ---- the queue ---------------------------------------------------------------------------------------------------------- */

bool readers_submit(struct sqlite_store *store, struct store_task *task)
{
    struct read_queue *queue = &store->reads;
    pthread_mutex_lock(&queue->lock);
    bool is_slow = task->statement != NULL && task->statement->is_slow;
    bool is_taken = !queue->is_closing && queue->tasks.count + queue->slow.count < LIMIT_READ_QUEUE
        && (!is_slow || queue->slow.count < LIMIT_SLOW_QUEUE);
    if (is_taken)
        task_list_push(is_slow ? &queue->slow : &queue->tasks, task);
    bool must_wake = is_taken && queue->idle > 0;
    pthread_mutex_unlock(&queue->lock);
    if (must_wake)
        pthread_cond_signal(&queue->wake);
    return is_taken;
}

/* The next task, or NULL when the queue is closed and empty. Called with the lock held. */
static struct store_task *take_task(struct read_queue *queue)
{
    for (;;) {
        struct store_task *task = task_list_take(&queue->tasks);
        if (task != NULL)
            return task;
        if (queue->slow_running < SLOW_READERS && (task = task_list_take(&queue->slow)) != NULL) {
            queue->slow_running++;
            return task;
        }
        if (queue->is_closing && queue->slow.count == 0)
            return NULL;
        queue->idle++;
        pthread_cond_wait(&queue->wake, &queue->lock);
        queue->idle--;
    }
}

/* Another reader may have been waiting for this one to be done with a slow statement. */
static void end_slow(struct read_queue *queue)
{
    queue->slow_running--;
    if (queue->slow.count > 0 || queue->is_closing)
        pthread_cond_broadcast(&queue->wake);
}

static void *reader_main(void *context)
{
    struct reader *reader = context;
    struct read_queue *queue = &reader->store->reads;
    struct store_task *task;
    (void)pthread_setname_np(pthread_self(), "limen-reader"); /* its own: another's takes a file in /proc */
    pthread_mutex_lock(&queue->lock);
    while ((task = take_task(queue)) != NULL) {
        bool is_slow = task->statement != NULL && task->statement->is_slow;
        pthread_mutex_unlock(&queue->lock);
        struct task_list done = { 0 };
        task->outcome = run_read(reader, task);
        task_list_push(&done, task);
        sqlite_hand_back(reader->store, &done);
        pthread_mutex_lock(&queue->lock);
        if (is_slow)
            end_slow(queue);
    }
    pthread_mutex_unlock(&queue->lock);
    return NULL;
}

/* ---- opening and closing -------------------------------------------------------------------------------------------------- */

static bool open_db(struct db *db, enum db_kind kind, const struct sqlite_store *store, const char *path,
                    struct diags *diags)
{
    if (db_open(db, kind, path, /* is_read_only= */ true) && db_guard(db, &store->guards))
        return true;
    diags_add_at(diags, LIMEN_STR("database"), 0, 0, LIMEN_STR(""), "a reader cannot be opened: %s", db->denied);
    return false;
}

bool reader_open(struct reader *reader, struct sqlite_store *store, const char *path, struct arena *arena,
                 struct diags *diags)
{
    const struct query_set *queries = store->queries;
    reader->store = store;
    reader->prepared = ARENA_NEW_ARRAY(arena, struct prepared, queries->count);
    if (reader->prepared == NULL || !open_db(&reader->scoped, DB_SCOPED, store, path, diags)
        || !open_db(&reader->unscoped, DB_UNSCOPED, store, path, diags))
        return false;
    for (uint32_t i = 0; i < queries->count; i++) {
        const struct statement *statement = &queries->statements[i];
        if (!statement_is_read(statement))
            continue;
        struct db *db = statement_db(statement) == DB_SCOPED ? &reader->scoped : &reader->unscoped;
        if (!statement_prepare(db, queries, statement, arena, &reader->prepared[i], diags))
            return false;
        if (statement_fits(statement, reader->prepared[i].stmt))
            continue;
        diags_add_at(diags, queries->file, statement->sql_line, statement->sql_column,
                     LIMEN_STR("bring its schema back to what the migrations make"),
                     "statement '%.*s' gives other columns in this database than in a fresh one",
                     LIMEN_STR_ARG(statement->name));
        return false;
    }
    return true;
}

bool reader_start(struct reader *reader)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the loop's */
    reader->is_running = pthread_create(&reader->thread, NULL, reader_main, reader) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return reader->is_running;
}

void readers_close(struct sqlite_store *store)
{
    pthread_mutex_lock(&store->reads.lock);
    store->reads.is_closing = true;
    pthread_cond_broadcast(&store->reads.wake);
    pthread_mutex_unlock(&store->reads.lock);
    for (size_t i = 0; i < LIMIT_DATA_READERS; i++) {
        struct reader *reader = &store->readers[i];
        if (reader->is_running)
            pthread_join(reader->thread, NULL);
        for (uint32_t j = 0; reader->prepared != NULL && j < store->queries->count; j++)
            sqlite3_finalize(reader->prepared[j].stmt);
        db_close(&reader->scoped);
        db_close(&reader->unscoped);
    }
}
