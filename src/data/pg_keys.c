/* pg_keys.c - API keys, as the operator makes and revokes them, and the contract's first account: straight in the database. */
#include "core/arena.h"
#include "core/clock.h"
#include "data/api_key.h"
#include "data/pg_schema.h"

#include <stdio.h>

struct keys {
    struct pg_admin admin;
    PGconn *pg;
};

static bool keys_open(struct keys *keys, limen_str url, struct arena *arena, struct diags *diags)
{
    keys->pg = pg_connect(url, arena, diags);
    if (keys->pg == NULL || !pg_admin_init(&keys->admin, keys->pg, pg_shown_url(url, arena), arena, diags))
        return false;
    return str_equal(pg_ask_one(&keys->admin, "SELECT to_regclass('limen.limen_api_keys') IS NOT NULL", 0, NULL),
                     LIMEN_STR("t"))
        || pg_refuse(&keys->admin, LIMEN_STR("start the app once, or run its `migrate --apply`"),
                     "API keys cannot be kept there yet");
}

/* Runs the statement, which must change one row. */
static bool change(const struct keys *keys, const char *sql, int count, const char *const *params,
                   const char *otherwise)
{
    PGresult *result = pg_ask(&keys->admin, sql, count, params);
    if (result == NULL)
        return false;
    bool is_changed = str_equal(str_of(PQcmdTuples(result)), LIMEN_STR("1"));
    PQclear(result);
    return is_changed || pg_refuse(&keys->admin, LIMEN_STR(""), otherwise);
}

static const char *now_text(struct arena *arena)
{
    return arena_printf(arena, "%lld", (long long)clock_wall_us()).ptr;
}

static const char *hex_of(const uint8_t *bytes, size_t count, struct arena *arena)
{
    struct buf hex;
    buf_init(&hex, arena, 2 * count + 1);
    buf_add_hex(&hex, bytes, count);
    buf_add_char(&hex, '\0');
    return hex.failed ? NULL : hex.ptr;
}

static const char *role_names(const struct contract *contract, uint32_t roles, struct arena *arena)
{
    struct buf names;
    buf_init(&names, arena, 64);
    roles_write(contract, roles, &names);
    buf_add_char(&names, '\0');
    return names.failed ? NULL : names.ptr;
}

bool pg_key_add(const struct store_keys_config *config, limen_str name, uint32_t roles, char *ret_text,
                struct arena *arena, struct diags *diags)
{
    struct keys keys = { 0 };
    uint8_t hash[TOKEN_HASH_BYTES];
    limen_str id;
    api_key_make(ret_text, hash);
    bool good = api_key_read(str_make(ret_text, API_KEY_TEXT_BYTES), &id, hash)
        && keys_open(&keys, config->url, arena, diags);
    if (good) {
        const char *params[] = { arena_copy(arena, id).ptr, hex_of(hash, sizeof hash, arena),
                                 arena_copy(arena, name).ptr, role_names(config->contract, roles, arena),
                                 now_text(arena) };
        good = change(&keys,
                      "INSERT INTO limen.limen_api_keys (id, secret_hash, name, roles, created_at)"
                      " VALUES ($1, decode($2, 'hex'), $3, $4, $5::bigint)",
                      5, params, "the key was not written");
    }
    PQfinish(keys.pg);
    return good;
}

bool pg_key_revoke(const struct store_keys_config *config, limen_str id, struct arena *arena, struct diags *diags)
{
    struct keys keys = { 0 };
    bool good = keys_open(&keys, config->url, arena, diags);
    if (good) {
        const char *params[] = { arena_copy(arena, id).ptr, now_text(arena) };
        good = change(&keys,
                      "UPDATE limen.limen_api_keys SET revoked_at = $2::bigint WHERE id = $1 AND revoked_at IS NULL", 2,
                      params, "there is no such key, or it is revoked already");
    }
    PQfinish(keys.pg);
    return good;
}

static void write_key(const PGresult *result, int row, struct buf *out)
{
    int64_t created_at = 0;
    if (!str_to_int64(pg_text(result, row, 1), &created_at))
        return;
    buf_add(out, pg_text(result, row, 0));
    buf_add_char(out, ' ');
    clock_write_rfc3339(out, created_at / 1000000 * 1000000);
    buf_printf(out, " %s %.*s: %.*s\n", str_equal(pg_text(result, row, 2), LIMEN_STR("t")) ? "revoked" : "active ",
               LIMEN_STR_ARG(pg_text(result, row, 3)), LIMEN_STR_ARG(pg_text(result, row, 4)));
}

bool pg_key_list(const struct store_keys_config *config, struct buf *out, struct arena *arena, struct diags *diags)
{
    struct keys keys = { 0 };
    PGresult *result = !keys_open(&keys, config->url, arena, diags)
        ? NULL
        : pg_ask(&keys.admin,
                 "SELECT id, created_at, revoked_at IS NOT NULL, roles, name FROM limen.limen_api_keys"
                 " ORDER BY created_at",
                 0, NULL);
    for (int row = 0; result != NULL && row < PQntuples(result); row++)
        write_key(result, row, out);
    bool good = result != NULL;
    PQclear(result);
    PQfinish(keys.pg);
    return good;
}

/* Two copies that start together both may find no credential: the row that they would add is the same one, and its key is taken once. */
bool pg_first_account(PGconn *pg, const struct contract *contract, limen_str id, limen_str email,
                      limen_str password_hash, uint32_t roles)
{
    struct arena arena;
    arena_init(&arena, NULL, 64U * 1024);
    const char *params[] = { arena_copy(&arena, id).ptr, arena_copy(&arena, email).ptr,
                             arena_copy(&arena, password_hash).ptr, role_names(contract, roles, &arena),
                             now_text(&arena) };
    PGresult *result = PQexecParams(
        pg,
        "INSERT INTO limen.limen_credentials (account_id, email, password_hash, roles, created_at)"
        " SELECT $1, lower($2 COLLATE \"C\"), $3, $4, $5::bigint"
        " WHERE NOT EXISTS (SELECT 1 FROM limen.limen_credentials) ON CONFLICT DO NOTHING",
        5, NULL, params, NULL, NULL, /* resultFormat= */ 0);
    bool is_made = PQresultStatus(result) == PGRES_COMMAND_OK && str_equal(str_of(PQcmdTuples(result)), LIMEN_STR("1"));
    PQclear(result);
    arena_release(&arena);
    return is_made;
}
