/* sqlite_keys.c - API keys, as the operator makes and revokes them: straight in the database, beside a server that runs. */
#include "data/sqlite_store.h"

#include "core/arena.h"
#include "core/clock.h"
#include "data/api_key.h"

struct keys {
    struct db db;
    sqlite3_stmt *stmt;
};

/* Opens the database and prepares the one statement; `keys` is zeroed. */
static bool keys_open(struct keys *keys, const struct store_keys_config *config, const char *sql, struct arena *arena,
                      struct diags *diags)
{
    const char *path = sqlite_path(config->url, arena, diags);
    if (path == NULL)
        return false;
    if (db_open(&keys->db, DB_PLAIN, path, /* is_read_only= */ false) && db_prepare_own(&keys->db, sql, &keys->stmt))
        return true;
    diags_add_at(diags, config->url, 0, 0, LIMEN_STR("start the app once, or run its `migrate --apply`"),
                 "API keys cannot be kept there: %s", keys->db.denied);
    return false;
}

static void keys_close(struct keys *keys)
{
    sqlite3_finalize(keys->stmt);
    db_close(&keys->db);
}

/* Steps the statement, which must change one row. */
static bool change(struct keys *keys, limen_str url, const char *otherwise, struct diags *diags)
{
    int code = db_step_own(&keys->db, keys->stmt);
    if (code == SQLITE_DONE && sqlite3_changes(keys->db.handle) == 1)
        return true;
    diags_add_at(diags, url, 0, 0, LIMEN_STR(""), "%s", code == SQLITE_DONE ? otherwise : keys->db.denied);
    return false;
}

bool sqlite_key_add(const struct store_keys_config *config, limen_str name, uint32_t roles, char *ret_text,
                    struct arena *arena, struct diags *diags)
{
    struct keys keys = { 0 };
    struct buf role_names;
    uint8_t hash[TOKEN_HASH_BYTES];
    limen_str id;
    buf_init(&role_names, arena, 64);
    roles_write(config->contract, roles, &role_names);
    api_key_make(ret_text, hash);
    bool good = api_key_read(str_make(ret_text, API_KEY_TEXT_BYTES), &id, hash)
        && keys_open(
                    &keys, config,
                    "INSERT INTO limen_api_keys (id, secret_hash, name, roles, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
                    arena, diags);
    if (good) {
        db_bind_text(keys.stmt, 1, id);
        db_bind_blob(keys.stmt, 2, hash, sizeof hash);
        db_bind_text(keys.stmt, 3, name);
        db_bind_text(keys.stmt, 4, role_names.len == 0 ? LIMEN_STR("") : buf_str(&role_names));
        (void)sqlite3_bind_int64(keys.stmt, 5, clock_wall_us());
        good = change(&keys, config->url, "the key was not written", diags);
    }
    keys_close(&keys);
    return good;
}

bool sqlite_key_revoke(const struct store_keys_config *config, limen_str id, struct arena *arena, struct diags *diags)
{
    struct keys keys = { 0 };
    bool good = keys_open(
        &keys, config, "UPDATE limen_api_keys SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL", arena, diags);
    if (good) {
        db_bind_text(keys.stmt, 1, id);
        (void)sqlite3_bind_int64(keys.stmt, 2, clock_wall_us());
        good = change(&keys, config->url, "there is no such key, or it is revoked already", diags);
    }
    keys_close(&keys);
    return good;
}

bool sqlite_key_list(const struct store_keys_config *config, struct buf *out, struct arena *arena, struct diags *diags)
{
    struct keys keys = { 0 };
    bool good = keys_open(&keys, config,
                          "SELECT id, created_at, revoked_at IS NOT NULL, roles, name FROM limen_api_keys ORDER BY "
                          "created_at",
                          arena, diags);
    while (good && db_step_own(&keys.db, keys.stmt) == SQLITE_ROW) {
        buf_add(out, db_text(keys.stmt, 0));
        buf_add_char(out, ' ');
        clock_write_rfc3339(out, sqlite3_column_int64(keys.stmt, 1) / 1000000 * 1000000);
        buf_printf(out, " %s %.*s: %.*s\n", sqlite3_column_int(keys.stmt, 2) != 0 ? "revoked" : "active ",
                   LIMEN_STR_ARG(db_text(keys.stmt, 3)), LIMEN_STR_ARG(db_text(keys.stmt, 4)));
    }
    keys_close(&keys);
    return good;
}
