/* sqlite_migrate.c - applies migrations, forward only, each in one transaction with the note that it was applied.
 *
 * What was applied is known by name and checksum; a file that has changed since is refused, because nobody can tell what the database
 * has of it. */
#include "data/sqlite_store.h"

#include "core/arena.h"
#include "core/clock.h"

/* Keys lie in the order of their time, as a stored reply is long: in the order of who sent them, each keyed call changed
 * three pages of the table, and now it changes one of an index. */
static const char LIMEN_TABLES[] =
    "CREATE TABLE IF NOT EXISTS limen_migrations (name TEXT PRIMARY KEY, checksum BLOB NOT NULL, applied_at INTEGER "
    "NOT NULL) STRICT;"
    "CREATE TABLE IF NOT EXISTS limen_credentials (account_id TEXT PRIMARY KEY, email TEXT NOT NULL UNIQUE, "
    "password_hash TEXT NOT NULL,"
    " roles TEXT NOT NULL, created_at INTEGER NOT NULL) STRICT;"
    "CREATE TABLE IF NOT EXISTS limen_sessions (token_hash BLOB PRIMARY KEY, account_id TEXT NOT NULL, created_at "
    "INTEGER NOT NULL,"
    " seen_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS limen_sessions_seen ON limen_sessions (seen_at);"
    "CREATE TABLE IF NOT EXISTS limen_api_keys (id TEXT PRIMARY KEY, secret_hash BLOB NOT NULL, name TEXT NOT NULL, "
    "roles TEXT NOT NULL, created_at INTEGER NOT NULL, revoked_at INTEGER) STRICT;"
    "CREATE TABLE IF NOT EXISTS limen_keys (principal TEXT NOT NULL, key TEXT NOT NULL, fingerprint BLOB NOT NULL, "
    "status INTEGER NOT NULL,"
    " reply BLOB NOT NULL, created_at INTEGER NOT NULL, PRIMARY KEY (principal, key)) STRICT;"
    "CREATE INDEX IF NOT EXISTS limen_keys_created ON limen_keys (created_at);"
    "CREATE TABLE IF NOT EXISTS limen_outbox (id TEXT PRIMARY KEY, effect TEXT NOT NULL, key TEXT NOT NULL UNIQUE,"
    " params BLOB NOT NULL, payload TEXT NOT NULL, principal TEXT NOT NULL, created_at INTEGER NOT NULL,"
    " state TEXT NOT NULL CHECK (state IN ('pending', 'sent', 'answered', 'done', 'dead')), due_at INTEGER NOT NULL,"
    " lease_until INTEGER NOT NULL, fence INTEGER NOT NULL, attempts INTEGER NOT NULL, sent_at INTEGER NOT NULL,"
    " outcome INTEGER NOT NULL, object_id TEXT NOT NULL, provider_state TEXT NOT NULL, code TEXT NOT NULL,"
    " note TEXT NOT NULL) STRICT;"
    "CREATE INDEX IF NOT EXISTS limen_outbox_due ON limen_outbox (state, due_at);"
    "CREATE INDEX IF NOT EXISTS limen_outbox_object ON limen_outbox (object_id) WHERE object_id <> '';";

const char *sqlite_path(limen_str url, struct arena *arena, struct diags *diags)
{
    limen_str scheme = LIMEN_STR("sqlite:");
    limen_str path = str_starts(url, scheme) ? arena_copy(arena, str_slice(url, scheme.len, url.len)) : LIMEN_STR("");
    if (path.len > 0 && memchr(path.ptr, '\0', path.len) == NULL)
        return path.ptr;
    diags_add_at(diags, LIMEN_STR("--database"), 0, 0, LIMEN_STR("write sqlite:var/app.db"),
                 "'%.*s' is not a database that this version knows", LIMEN_STR_ARG(url));
    return NULL;
}

static bool fault(const struct db *db, struct diags *diags, limen_str file, limen_str mend)
{
    diags_add_at(diags, file, 0, 0, mend, "%s", db->denied);
    return false;
}

/* ---- what has been applied ------------------------------------------------------------------------------------------------ */

static bool has_notes(struct db *db)
{
    sqlite3_stmt *stmt = NULL;
    bool found = db_prepare_own(db, "SELECT 1 FROM sqlite_schema WHERE name = 'limen_migrations'", &stmt)
        && db_step_own(db, stmt) == SQLITE_ROW;
    sqlite3_finalize(stmt);
    return found;
}

enum migration_stand sqlite_compare(struct db *db, const struct migration_set *set, uint32_t *ret_pending,
                                    struct diags *diags)
{
    sqlite3_stmt *stmt = NULL;
    *ret_pending = set->count;
    if (!has_notes(db))
        return set->count > 0 ? STAND_PENDING : STAND_READY;
    if (!db_prepare_own(db, "SELECT name, lower(hex(checksum)) FROM limen_migrations ORDER BY name", &stmt)) {
        (void)fault(db, diags, LIMEN_STR("limen_migrations"), LIMEN_STR(""));
        return STAND_FAULT;
    }
    enum migration_stand stand = STAND_READY;
    uint32_t applied = 0;
    int code;
    while ((code = db_step_own(db, stmt)) == SQLITE_ROW && stand == STAND_READY)
        stand = migrations_compare(set, applied++, db_text(stmt, 0), db_text(stmt, 1), diags);
    if (code != SQLITE_ROW && code != SQLITE_DONE) {
        (void)fault(db, diags, LIMEN_STR("limen_migrations"), LIMEN_STR(""));
        stand = STAND_FAULT;
    }
    sqlite3_finalize(stmt);
    *ret_pending = set->count - (applied < set->count ? applied : set->count);
    return stand == STAND_READY && *ret_pending > 0 ? STAND_PENDING : stand;
}

/* ---- applying --------------------------------------------------------------------------------------------------------------- */

static bool note_applied(struct db *db, const struct migration *migration)
{
    sqlite3_stmt *stmt = NULL;
    if (!db_prepare_own(db, "INSERT INTO limen_migrations (name, checksum, applied_at) VALUES (?1, ?2, ?3)", &stmt))
        return false;
    db_bind_text(stmt, 1, migration->name);
    db_bind_blob(stmt, 2, migration->checksum, MIGRATION_CHECKSUM_BYTES);
    (void)sqlite3_bind_int64(stmt, 3, clock_wall_us());
    bool good = db_step_own(db, stmt) == SQLITE_DONE;
    sqlite3_finalize(stmt);
    return good;
}

static bool run_statement(struct db *db, const struct migration *migration, const struct migration_statement *statement,
                          struct diags *diags)
{
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_prepare_v2(db->handle, statement->sql.ptr, (int)statement->sql.len, &stmt, NULL);
    while (code == SQLITE_OK || code == SQLITE_ROW)
        code = sqlite3_step(stmt);
    bool good = code == SQLITE_DONE;
    if (!good)
        diags_add_at(diags, migration->name, statement->line, statement->column, LIMEN_STR(""), "%s",
                     sqlite3_errmsg(db->handle));
    sqlite3_finalize(stmt);
    return good;
}

static bool apply_one(struct db *db, const struct migration *migration, struct diags *diags)
{
    if (!db_run(db, "BEGIN IMMEDIATE"))
        return fault(db, diags, migration->name, LIMEN_STR(""));
    bool good = true;
    for (uint32_t i = 0; i < migration->count && good; i++)
        good = run_statement(db, migration, &migration->statements[i], diags);
    if (good && (!note_applied(db, migration) || !db_run(db, "COMMIT")))
        good = fault(db, diags, migration->name, LIMEN_STR(""));
    if (!good)
        db_rollback(db);
    return good;
}

enum migration_stand sqlite_apply(struct db *db, const struct migration_set *set, struct diags *diags)
{
    uint32_t pending = 0;
    enum migration_stand stand = sqlite_compare(db, set, &pending, diags);
    if (stand == STAND_FAULT)
        return stand;
    if (!db_run(db, LIMEN_TABLES)) {
        (void)fault(db, diags, LIMEN_STR("limen_migrations"), LIMEN_STR("check that the folder can be written"));
        return STAND_FAULT;
    }
    for (uint32_t i = set->count - pending; i < set->count; i++) {
        if (!apply_one(db, &set->items[i], diags))
            return STAND_FAULT;
    }
    return stand == STAND_AHEAD ? stand : STAND_READY;
}

/* ---- a database that is ahead ------------------------------------------------------------------------------------------------ */

static bool has_table(struct db *db, limen_str table)
{
    sqlite3_stmt *stmt = NULL;
    if (!db_prepare_own(db, "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE", &stmt))
        return true; /* whoever guards it will say what is wrong */
    db_bind_text(stmt, 1, table);
    bool found = db_step_own(db, stmt) != SQLITE_DONE;
    sqlite3_finalize(stmt);
    return found;
}

void sqlite_leave_to_newer(struct db *db, struct migration_set *set)
{
    for (uint32_t i = 0; i < set->annotation_count; i++) {
        struct annotation *it = &set->annotations[i];
        it->is_gone |= it->kind == ANNOTATION_DECIDED || !has_table(db, it->table);
    }
}

/* ---- the triggers that stay in the file ------------------------------------------------------------------------------------- */

bool sqlite_triggers_are_there(struct db *db, const struct guards *guards)
{
    sqlite3_stmt *stmt = NULL;
    if (!db_prepare_own(db,
                        "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND name LIKE "
                        "'limen\\_decided\\_%' ESCAPE '\\'",
                        &stmt))
        return false;
    uint32_t same = 0, others = 0;
    while (db_step_own(db, stmt) == SQLITE_ROW) {
        bool is_same = false;
        for (uint32_t i = 0; i < guards->trigger_count; i++)
            is_same |= str_equal(guards->triggers[i].name, db_text(stmt, 0))
                && str_equal(guards->triggers[i].sql, db_text(stmt, 1));
        same += is_same;
        others += !is_same;
    }
    sqlite3_finalize(stmt);
    return same == guards->trigger_count && others == 0;
}

/* Names of triggers that are there now; they are dropped afterwards, for a schema must not change under a running query. */
static bool drop_triggers(struct db *db)
{
    sqlite3_stmt *stmt = NULL;
    if (!db_prepare_own(db,
                        "SELECT 'DROP TRIGGER \"' || name || '\"' FROM sqlite_schema WHERE type = 'trigger' AND name "
                        "LIKE 'limen\\_decided\\_%' ESCAPE '\\' LIMIT 1",
                        &stmt))
        return false;
    bool good = true;
    char sql[512];
    while (good && db_step_own(db, stmt) == SQLITE_ROW) {
        sqlite3_snprintf(sizeof sql, sql, "%s", sqlite3_column_text(stmt, 0));
        db_reset_own(db, stmt);
        good = db_run(db, sql);
    }
    sqlite3_finalize(stmt);
    return good;
}

bool sqlite_sync_triggers(struct db *db, const struct guards *guards, struct diags *diags)
{
    if (sqlite_triggers_are_there(db, guards))
        return true;
    bool good = db_run(db, "BEGIN IMMEDIATE") && drop_triggers(db);
    for (uint32_t i = 0; i < guards->trigger_count && good; i++)
        good = db_run(db, guards->triggers[i].sql.ptr);
    if (good && db_run(db, "COMMIT"))
        return true;
    diags_add_at(diags, LIMEN_STR("migrations"), 0, 0, LIMEN_STR(""),
                 "the triggers of `-- decided-by:` cannot be made: %s", db->denied);
    db_rollback(db);
    return false;
}

/* ---- the command ------------------------------------------------------------------------------------------------------------ */

static bool apply_all(struct db *db, const struct migration_set *set, struct arena *arena, struct diags *diags)
{
    struct guards guards = { 0 };
    return sqlite_apply(db, set, diags) == STAND_READY && guards_build(db->handle, set, arena, &guards, diags)
        && sqlite_sync_triggers(db, &guards, diags);
}

static bool migrate(struct db *db, limen_str url, const struct migration_set *set, bool apply, struct buf *out,
                    struct arena *arena, struct diags *diags)
{
    uint32_t pending = 0;
    enum migration_stand stand = sqlite_compare(db, set, &pending, diags);
    if (stand == STAND_AHEAD)
        diags_add_at(diags, url, 0, 0, LIMEN_STR(MIGRATIONS_AHEAD_MEND), "%s", MIGRATIONS_AHEAD);
    if (stand == STAND_AHEAD || stand == STAND_FAULT || (apply && !apply_all(db, set, arena, diags)))
        return false;
    migrations_list(set, pending, apply, out);
    return true;
}

bool sqlite_migrate(limen_str url, const struct limen_file *migrations, size_t count, bool apply, struct buf *out,
                    struct arena *arena, struct diags *diags)
{
    struct migration_set set;
    struct db db = { 0 };
    const char *path = sqlite_path(url, arena, diags);
    if (path == NULL || !migrations_parse(migrations, count, LIMEN_STR("sqlite"), arena, &set, diags))
        return false;
    bool good = db_open(&db, DB_PLAIN, path, /* is_read_only= */ false);
    if (!good)
        diags_add_at(diags, url, 0, 0, LIMEN_STR("check the folder, and who may write there"), "%s", db.denied);
    good = good && migrate(&db, url, &set, apply, out, arena, diags);
    db_close(&db);
    return good;
}
