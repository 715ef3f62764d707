/* sqlite_lookup.c - what is found by a key, in the loop's own thread.
 *
 * Sessions, credentials and idempotency keys: one search in a B-tree, on a connection that reads only. In WAL mode it waits for no
 * writer. */
#include "data/sqlite_store.h"

#include "core/arena.h"

bool lookup_open(struct lookup *lookup, const char *path, struct diags *diags)
{
    struct db *db = &lookup->db;
    if (db_open(db, DB_PLAIN, path, /* is_read_only= */ true)
        && db_prepare_own(db,
                          "SELECT s.account_id, c.email, c.roles, s.created_at, s.seen_at FROM limen_sessions AS s "
                          "JOIN limen_credentials AS c"
                          " ON c.account_id = s.account_id WHERE s.token_hash = ?1",
                          &lookup->session)
        && db_prepare_own(
            db,
            "SELECT 'key_' || id, '', roles, secret_hash FROM limen_api_keys WHERE id = ?1 AND revoked_at "
            "IS NULL",
            &lookup->api_key)
        && db_prepare_own(
            db, "SELECT account_id, email, roles, password_hash FROM limen_credentials WHERE email = lower(?1)",
            &lookup->credential)
        && db_prepare_own(db, "SELECT fingerprint, status, reply FROM limen_keys WHERE principal = ?1 AND key = ?2",
                          &lookup->key))
        return true;
    diags_add_at(diags, LIMEN_STR("database"), 0, 0, LIMEN_STR(""), "%s", db->denied);
    return false;
}

void lookup_close(struct lookup *lookup)
{
    sqlite3_finalize(lookup->session);
    sqlite3_finalize(lookup->api_key);
    sqlite3_finalize(lookup->credential);
    sqlite3_finalize(lookup->key);
    db_close(&lookup->db);
}

/* Columns 0 to 2: id, email, roles. */
static bool read_principal(const struct sqlite_store *store, sqlite3_stmt *stmt, struct principal *ret_principal)
{
    limen_str id = db_text(stmt, 0), email = db_text(stmt, 1);
    if (id.len == 0 || id.len > PRINCIPAL_ID_BYTES || email.len > PRINCIPAL_EMAIL_BYTES)
        return false;
    struct principal principal = { .id_len = (uint8_t)id.len, .email_len = (uint8_t)email.len };
    memcpy(principal.id, id.ptr, id.len);
    if (email.len > 0)
        memcpy(principal.email, email.ptr, email.len);
    principal.roles = roles_read(store->contract, db_text(stmt, 2));
    *ret_principal = principal;
    return true;
}

static enum store_outcome failed(const struct db *db, int code)
{
    if (code == SQLITE_DONE)
        return STORE_NONE;
    store_log(NULL, "a lookup failed", db->denied);
    return (code & 0xff) == SQLITE_BUSY ? STORE_BUSY : STORE_ERROR;
}

static enum store_outcome find_session(struct sqlite_store *store, struct store_task *task, sqlite3_stmt *stmt)
{
    db_bind_blob(stmt, 1, task->token_hash, sizeof task->token_hash);
    int code = db_step_own(&store->lookup.db, stmt);
    if (code != SQLITE_ROW)
        return failed(&store->lookup.db, code);
    limen_time created_at = sqlite3_column_int64(stmt, 3), seen_at = sqlite3_column_int64(stmt, 4);
    if (task->now - created_at >= LIMIT_SESSION_ABSOLUTE_US || task->now - seen_at >= LIMIT_SESSION_IDLE_US)
        return STORE_NONE;
    if (!read_principal(store, stmt, &task->principal))
        return STORE_ERROR;
    if (task->now - seen_at >= SESSION_TOUCH_AFTER_US)
        writer_touch(&store->writer, task->token_hash, task->now);
    return STORE_OK;
}

static enum store_outcome find_api_key(struct sqlite_store *store, struct store_task *task, sqlite3_stmt *stmt)
{
    db_bind_text(stmt, 1, task->key_id);
    int code = db_step_own(&store->lookup.db, stmt);
    if (code != SQLITE_ROW)
        return failed(&store->lookup.db, code);
    limen_str stored = str_make(sqlite3_column_blob(stmt, 3), (size_t)sqlite3_column_bytes(stmt, 3));
    if (!str_equal_secret(stored, str_make((const char *)task->token_hash, sizeof task->token_hash)))
        return STORE_NONE;
    return read_principal(store, stmt, &task->principal) ? STORE_OK : STORE_ERROR;
}

static enum store_outcome find_credential(struct sqlite_store *store, struct store_task *task, sqlite3_stmt *stmt)
{
    db_bind_text(stmt, 1, task->email);
    int code = db_step_own(&store->lookup.db, stmt);
    if (code != SQLITE_ROW)
        return failed(&store->lookup.db, code);
    task->password_hash = arena_copy(task->arena, db_text(stmt, 3));
    return task->password_hash.ptr != NULL && read_principal(store, stmt, &task->principal) ? STORE_OK : STORE_ERROR;
}

static enum store_outcome find_key(struct sqlite_store *store, struct store_task *task, sqlite3_stmt *stmt)
{
    if (task->principal.id_len == 0)
        return STORE_ERROR;
    db_bind_text(stmt, 1, principal_id(&task->principal));
    db_bind_text(stmt, 2, task->key);
    int code = db_step_own(&store->lookup.db, stmt);
    if (code != SQLITE_ROW)
        return failed(&store->lookup.db, code);
    if (sqlite3_column_bytes(stmt, 0) != (int)sizeof task->fingerprint
        || memcmp(sqlite3_column_blob(stmt, 0), task->fingerprint, sizeof task->fingerprint) != 0)
        return STORE_KEY_REUSED;
    task->status = sqlite3_column_int(stmt, 1);
    const char *reply = sqlite3_column_blob(stmt, 2);
    task->reply = arena_copy(task->arena, str_make(reply, reply == NULL ? 0 : (size_t)sqlite3_column_bytes(stmt, 2)));
    return task->reply.ptr != NULL ? STORE_REPLAY : STORE_ERROR;
}

void lookup_run(struct sqlite_store *store, struct store_task *task)
{
    struct lookup *lookup = &store->lookup;
    sqlite3_stmt *stmt = lookup->key;
    if (task->kind == STORE_SESSION_FIND)
        task->outcome = find_session(store, task, stmt = lookup->session);
    else if (task->kind == STORE_API_KEY_FIND)
        task->outcome = find_api_key(store, task, stmt = lookup->api_key);
    else if (task->kind == STORE_CREDENTIAL_FIND)
        task->outcome = find_credential(store, task, stmt = lookup->credential);
    else
        task->outcome = find_key(store, task, stmt);
    db_reset_own(&lookup->db, stmt);
}
