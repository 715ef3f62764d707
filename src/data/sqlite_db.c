/* sqlite_db.c - opens a connection and guards it.
 *
 * The authorizer is asked when a statement is prepared, never per row: it allows what the app's schema has and nothing else, and
 * on scoped connections an owned table only from inside the temporary view that filters it. */
#include "data/sqlite_db.h"

#include "core/clock.h"

#include <stdio.h>
#include <time.h>

#define BUSY_POLL_US 1000
#define BUSY_MOST_US 10000000 /* another process has had the lock for so long: STORE_BUSY */
#define PROGRESS_STEPS 2000   /* virtual machine steps between two looks at the clock: some 20 us */
/* 16 MiB: a page that many commits change is written back once for all of them. */
#define WAL_PAGES "4096"
#define TEXT_BYTES_MAX (16 * 1024 * 1024)

static limen_str of(const char *text)
{
    return text == NULL ? LIMEN_STR("") : (limen_str){ text, strlen(text) };
}

/* ---- the authorizer ------------------------------------------------------------------------------------------------- */

static int deny(struct db *db, const char *what, const char *name)
{
    snprintf(db->denied, sizeof db->denied, "%s '%s' is not allowed here", what, name == NULL ? "" : name);
    return SQLITE_DENY;
}

/* Names that belong to Limen or to SQLite; eponymous tables too. */
static bool is_internal(limen_str table)
{
    static const limen_str PREFIXES[] = { LIMEN_STR_INIT("limen_"), LIMEN_STR_INIT("sqlite_"),
                                          LIMEN_STR_INIT("pragma_"), LIMEN_STR_INIT("dbstat") };
    for (size_t i = 0; i < sizeof PREFIXES / sizeof PREFIXES[0]; i++) {
        if (str_equal_nocase(str_slice(table, 0, PREFIXES[i].len), PREFIXES[i]))
            return true;
    }
    return false;
}

/* On a scoped connection an owned table itself may be read by the views that filter it only. The writer also reads the target of an
 * UPDATE or DELETE (queries.sql can name it in no other way) and inside triggers, which are the schema's own rules.
 *
 * A table of which no column is read (count(*)) comes with column "" and, when it was written without a schema, no schema: then it
 * is a CTE, or was found in temp first, where the filtering views are. */
static int authorize_read(struct db *db, const char *table, const char *column, const char *schema, const char *context)
{
    limen_str name = of(table);
    bool is_found_by_name = schema == NULL && (column == NULL || column[0] == '\0');
    if (str_equal_nocase(name, LIMEN_STR("json_each")))
        return SQLITE_OK;
    if (is_internal(name))
        return deny(db, "reading", table);
    if (is_found_by_name)
        return SQLITE_OK;
    if (schema != NULL && str_equal_nocase(of(schema), LIMEN_STR("temp")))
        return guards_is_owned(db->guards, name) ? SQLITE_OK : deny(db, "reading", table);
    if (!guards_has_table(db->guards, name) && !guards_has_view(db->guards, name))
        return deny(db, "reading", table);
    if (db->kind == DB_SCOPED && guards_is_owned(db->guards, name)
        && (context == NULL || !guards_is_owned(db->guards, of(context))))
        return deny(db, "reading all owners' rows of", table);
    return SQLITE_OK;
}

static int authorize_write(struct db *db, const char *table, const char *schema)
{
    bool is_main = schema == NULL || str_equal_nocase(of(schema), LIMEN_STR("main"));
    if (db->kind != DB_WRITER)
        return deny(db, "writing in a :one or :many, to", table);
    if (!is_main || !guards_has_table(db->guards, of(table)))
        return deny(db, "writing", table);
    return SQLITE_OK;
}

static int authorize_function(struct db *db, const char *function, const char *context)
{
    static const limen_str DENIED[] = {
        LIMEN_STR_INIT("load_extension"),
        LIMEN_STR_INIT("fts3_tokenizer"),
        LIMEN_STR_INIT("last_insert_rowid"),
        LIMEN_STR_INIT("changes"),
        LIMEN_STR_INIT("total_changes"),
        LIMEN_STR_INIT("sqlite_version"),
        LIMEN_STR_INIT("sqlite_log"),
        LIMEN_STR_INIT("sqlite_source_id"),
        LIMEN_STR_INIT("sqlite_offset"),
        LIMEN_STR_INIT("zeroblob"),
        LIMEN_STR_INIT("sqlite_compileoption_get"),
        LIMEN_STR_INIT("sqlite_compileoption_used"),
    };
    limen_str name = of(function);
    for (size_t i = 0; i < sizeof DENIED / sizeof DENIED[0]; i++) {
        if (str_equal_nocase(name, DENIED[i]))
            return deny(db, "the function", function);
    }
    if (str_starts(name, LIMEN_STR("limen_")) && context == NULL)
        return deny(db, "the function", function);
    return SQLITE_OK;
}

static int authorize(void *context, int action, const char *a, const char *b, const char *schema, const char *inside)
{
    struct db *db = context;
    if (db->is_own || db->kind == DB_PLAIN)
        return SQLITE_OK;
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_RECURSIVE:
        return SQLITE_OK;
    case SQLITE_READ:
        return authorize_read(db, a, b, schema, inside);
    case SQLITE_INSERT:
    case SQLITE_UPDATE:
    case SQLITE_DELETE:
        return authorize_write(db, a, schema);
    case SQLITE_FUNCTION:
        return authorize_function(db, b, inside);
    default:
        return deny(db, "this kind of statement", "");
    }
}

/* ---- functions and the deadline ------------------------------------------------------------------------------------- */

static void function_caller(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    (void)values;
    const struct db *db = sqlite3_user_data(context);
    if (db->caller.ptr == NULL)
        sqlite3_result_null(context);
    else
        sqlite3_result_text(context, db->caller.ptr, (int)db->caller.len, SQLITE_TRANSIENT);
}

static void function_unscoped(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    (void)values;
    const struct db *db = sqlite3_user_data(context);
    sqlite3_result_int(context, db->is_unscoped);
}

static int on_progress(void *context)
{
    struct db *db = context;
    if (db->deadline_us == 0)
        return 0;
    bool is_cancelled = db->is_cancelled != NULL && __atomic_load_n(db->is_cancelled, __ATOMIC_RELAXED);
    if (!is_cancelled && clock_mono_us() < db->deadline_us)
        return 0;
    db->was_stopped = true;
    return 1;
}

/* Another process has the lock: the server that is being replaced, or the next one. SQLite's own handler would come by ever more seldom,
 * ten times a second in the end, and a writer that commits one group after the other leaves the lock alone for microseconds only. */
static int on_busy(void *context, int tries)
{
    (void)context;
    const struct timespec pause = { .tv_nsec = BUSY_POLL_US * 1000L };
    nanosleep(&pause, NULL);
    return tries < BUSY_MOST_US / BUSY_POLL_US;
}

/* ---- opening ---------------------------------------------------------------------------------------------------------- */

static bool note(struct db *db, int code)
{
    if (code == SQLITE_OK)
        return true;
    snprintf(db->denied, sizeof db->denied, "%s",
             db->handle == NULL ? sqlite3_errstr(code) : sqlite3_errmsg(db->handle));
    return false;
}

static bool configure(struct db *db)
{
    const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
    sqlite3 *handle = db->handle;
    sqlite3_extended_result_codes(handle, 1);
    sqlite3_busy_handler(handle, on_busy, NULL);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, TEXT_BYTES_MAX);
    sqlite3_limit(handle, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_progress_handler(handle, PROGRESS_STEPS, on_progress, db);
    return note(db, sqlite3_create_function_v2(handle, "limen_caller", 0, flags, db, function_caller, NULL, NULL, NULL))
        && note(db,
                sqlite3_create_function_v2(handle, "limen_unscoped", 0, flags, db, function_unscoped, NULL, NULL, NULL))
        && note(db, sqlite3_set_authorizer(handle, authorize, db));
}

/* For the whole process, before its first connection: later calls are refused and change nothing. What SQLite would count of its memory
 * takes a lock at each allocation, which the writer and all readers share, and nobody reads it. What a savepoint has to remember stays
 * in memory: otherwise each takes 64 KiB for it, and makes a file of what is more. */
static void configure_process(void)
{
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    (void)sqlite3_config(SQLITE_CONFIG_STMTJRNL_SPILL, -1);
}

bool db_open(struct db *db, enum db_kind kind, const char *path, bool is_read_only)
{
    *db = (struct db){ .kind = kind, .is_own = false };
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    configure_process();
    flags |= is_read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    if (!note(db, sqlite3_open_v2(path, &db->handle, flags, NULL)) || !configure(db))
        return false;
    /* json_each declares its table when first used: here, so that no app statement needs leave to declare one. */
    if (!db_run(db,
                "PRAGMA temp_store = MEMORY; PRAGMA recursive_triggers = ON; PRAGMA cache_size = -16000;"
                "SELECT value FROM json_each('[]')"))
        return false;
    return (is_read_only
            || db_run(db,
                      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = " WAL_PAGES))
        && db_prepare_own(db, "ROLLBACK", &db->rollback);
}

bool db_guard(struct db *db, const struct guards *guards)
{
    db->guards = guards;
    if (db->kind == DB_WRITER)
        return db_run(db, guards->writer_sql.ptr);
    bool good = db->kind != DB_SCOPED || db_run(db, guards->scoped_sql.ptr);
    return good && (db->kind == DB_PLAIN || db_run(db, "PRAGMA query_only = ON"));
}

void db_close(struct db *db)
{
    sqlite3_finalize(db->rollback);
    sqlite3_close_v2(db->handle);
    *db = (struct db){ 0 };
}

/* ---- Limen's own SQL -------------------------------------------------------------------------------------------------- */

bool db_run(struct db *db, const char *sql)
{
    db->is_own = true;
    bool good = note(db, sqlite3_exec(db->handle, sql, NULL, NULL, NULL));
    db->is_own = false;
    return good;
}

/* Also when there is no transaction any more; keeps the words of what went wrong before it. */
void db_rollback(struct db *db)
{
    db->is_own = true;
    if (sqlite3_get_autocommit(db->handle) == 0)
        (void)sqlite3_step(db->rollback);
    (void)sqlite3_reset(db->rollback);
    db->is_own = false;
}

bool db_prepare_own(struct db *db, const char *sql, sqlite3_stmt **ret_stmt)
{
    db->is_own = true;
    bool good = note(db, sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, ret_stmt, NULL));
    db->is_own = false;
    return good;
}

int db_step_own(struct db *db, sqlite3_stmt *stmt)
{
    db->is_own = true;
    int code = sqlite3_step(stmt);
    db->is_own = false;
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        (void)note(db, code);
    return code;
}

void db_reset_own(struct db *db, sqlite3_stmt *stmt)
{
    db->is_own = true;
    (void)sqlite3_reset(stmt);
    (void)sqlite3_clear_bindings(stmt);
    db->is_own = false;
}

void db_bind_text(sqlite3_stmt *stmt, int at, limen_str text)
{
    (void)sqlite3_bind_text64(stmt, at, text.ptr == NULL ? "" : text.ptr, text.len, SQLITE_STATIC, SQLITE_UTF8);
}

void db_bind_blob(sqlite3_stmt *stmt, int at, const void *bytes, size_t count)
{
    (void)sqlite3_bind_blob64(stmt, at, count == 0 ? "" : bytes, count, SQLITE_STATIC);
}
