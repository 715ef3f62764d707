/* sqlite_db.h - one connection to SQLite, with its guards. Shared by the sqlite_*.c files only. */
#ifndef DATA_SQLITE_DB_H
#define DATA_SQLITE_DB_H

#include "data/migrate.h"
#include "data/store_internal.h"

#include <sqlite3.h>
#include <stdatomic.h>

/* ---- guards ------------------------------------------------------------------------------------------------------- */
/* A trigger in the database file itself. */
struct guard_trigger {
    limen_str name, sql;
};

/* What the annotations became; names are those of the schema, without regard to case. */
struct guards {
    limen_str *tables, *views, *owned;
    uint32_t table_count, view_count, owned_count;
    limen_str scoped_sql; /* temporary views for readers */
    limen_str writer_sql; /* temporary views and triggers for the writer */
    struct guard_trigger *triggers;
    uint32_t trigger_count;
};

/* Reads the migrated schema behind `handle`, checks it (STRICT, annotations) and writes the guards' SQL. */
bool guards_build(sqlite3 *handle, const struct migration_set *set, struct arena *arena, struct guards *ret_guards,
                  struct diags *diags) LIMEN_MUST_CHECK;
bool guards_is_owned(const struct guards *guards, limen_str table);
bool guards_has_table(const struct guards *guards, limen_str table);
bool guards_has_view(const struct guards *guards, limen_str view);

/* ---- a connection ------------------------------------------------------------------------------------------------- */
enum db_kind {
    DB_PLAIN,    /* no app statement ever runs here: migrations, sessions */
    DB_SCOPED,   /* reads, the caller's rows only */
    DB_UNSCOPED, /* reads of statements with a `-- scope:` */
    DB_WRITER
};

/* Used by one thread at a time. `is_own` is true while Limen's own SQL is being prepared or run: the authorizer lets it
 * pass. */
struct db {
    sqlite3 *handle;
    enum db_kind kind;
    const struct guards *guards;
    bool is_own;
    sqlite3_stmt *rollback; /* prepared: it is needed when there is no memory to prepare it */
    char denied[160];       /* why the authorizer refused last, NUL-terminated */
    /* ---- who and until when, of the statement that runs ---- */
    limen_str caller; /* ptr NULL: nobody */
    bool is_unscoped;
    int64_t deadline_us;
    const bool *is_cancelled; /* may be NULL */
    bool was_stopped;         /* by the deadline or by a cancel */
};

/* Opens `path` (":memory:" too). False with SQLite's words in db->denied. db_close accepts a zeroed struct. */
bool db_open(struct db *db, enum db_kind kind, const char *path, bool is_read_only) LIMEN_MUST_CHECK;
/* Puts the guards of its kind on. */
bool db_guard(struct db *db, const struct guards *guards) LIMEN_MUST_CHECK;
void db_close(struct db *db);
/* Runs Limen's own SQL; `sql` is followed by a NUL. False with SQLite's words in db->denied. */
bool db_run(struct db *db, const char *sql) LIMEN_MUST_CHECK;
void db_rollback(struct db *db);
bool db_prepare_own(struct db *db, const char *sql, sqlite3_stmt **ret_stmt) LIMEN_MUST_CHECK;
/* sqlite3_step and sqlite3_reset for Limen's own statements. */
int db_step_own(struct db *db, sqlite3_stmt *stmt);
void db_reset_own(struct db *db, sqlite3_stmt *stmt);
static inline limen_str db_text(sqlite3_stmt *stmt, int column)
{
    const char *text = (const char *)sqlite3_column_text(stmt, column);
    return (limen_str){ text, text == NULL ? 0 : (size_t)sqlite3_column_bytes(stmt, column) };
}
/* Binds a slice that outlives the step. */
void db_bind_text(sqlite3_stmt *stmt, int at, limen_str text);
void db_bind_blob(sqlite3_stmt *stmt, int at, const void *bytes, size_t count);

/* ---- statements ----------------------------------------------------------------------------------------------------- */
struct prepared {
    sqlite3_stmt *stmt;
    int caller_at, now_at; /* 0: not used */
    int param_at[LIMIT_STATEMENT_PARAMS];
};

/* Which connection runs it. */
enum db_kind statement_db(const struct statement *statement);
/* The text that SQLite gets: lists become json_each, and what an owned table is written through is named main.x. */
limen_str statement_rewrite(const struct statement *statement, const struct guards *guards, struct arena *arena);
/* Prepares one statement; a fault of the statement goes to `diags`. */
bool statement_prepare(struct db *db, const struct query_set *queries, const struct statement *statement,
                       struct arena *arena, struct prepared *ret_prepared, struct diags *diags) LIMEN_MUST_CHECK;
/* Checks the values against the prototype and binds them; false when they do not fit (a hostile or broken worker). */
bool statement_bind(const struct db *db, const struct prepared *prepared, const struct statement *statement,
                    const limen_value *params, uint32_t count, limen_time now) LIMEN_MUST_CHECK;
/* Appends the row that the statement stands on. False when a value is not of its column's type. `out->failed`: no room. */
bool statement_put_row(const struct statement *statement, sqlite3_stmt *stmt, struct buf *out) LIMEN_MUST_CHECK;
/* True when the prepared statement still gives the columns that were described. */
bool statement_fits(const struct statement *statement, sqlite3_stmt *stmt);

/* ---- migrations ----------------------------------------------------------------------------------------------------- */
/* Creates Limen's own tables and applies what is pending, each migration in one transaction: READY, AHEAD or FAULT. */
enum migration_stand sqlite_apply(struct db *db, const struct migration_set *set, struct diags *diags) LIMEN_MUST_CHECK;
/* Compares with what has been applied: READY, PENDING, AHEAD or FAULT. `ret_pending` counts what has not. */
enum migration_stand sqlite_compare(struct db *db, const struct migration_set *set, uint32_t *ret_pending,
                                    struct diags *diags) LIMEN_MUST_CHECK;
/* Of a database that is AHEAD: tables that it no longer has need no guard, and the triggers of decisions stay as the newer version has
 * put them into the file. An owned table that is there must still name its owner: guards_build sees to it. */
void sqlite_leave_to_newer(struct db *db, struct migration_set *set);
/* Makes the triggers in the file those that `guards` asks for. */
bool sqlite_sync_triggers(struct db *db, const struct guards *guards, struct diags *diags) LIMEN_MUST_CHECK;
bool sqlite_triggers_are_there(struct db *db, const struct guards *guards);
/* "sqlite:var/shop.db" -> "var/shop.db", NUL-terminated in the arena; NULL after adding to `diags`. */
const char *sqlite_path(limen_str url, struct arena *arena, struct diags *diags);

#endif
