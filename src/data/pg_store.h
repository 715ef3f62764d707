/* pg_store.h - what the parts of the PostgreSQL back end share. Shared by the pg_*.c files only.
 *
 * The schema's side (pg_schema_open and what it calls) works on one blocking connection, at start; the running side (pg_conn.c, pg_pool.c,
 * pg_task.c) drives its connections in the loop and knows of the schema only what struct pg_schema says. */
#ifndef DATA_PG_STORE_H
#define DATA_PG_STORE_H

#include "data/migrate.h"
#include "data/pg_statement.h"
#include "data/store_internal.h"

#include <libpq-fe.h>

/* Runs before each statement of the app whose caller or scope differs from the one before it, in the same transaction:
 * $1 the caller, "" for nobody; $2 'all' for a statement with a `-- scope:`, else ''; $3 milliseconds as text, for what follows.
 * Row-level security reads current_setting('limen.caller', true); a scope is a role of its own (pg_guard.c). */
#define PG_ENTER_SQL                                                                                    \
    "SELECT set_config('limen.caller', $1, true), set_config('role', 'limen_' || current_database() ||" \
    " CASE $2 WHEN 'all' THEN '_all' ELSE '' END, true), set_config('statement_timeout', $3, true)"

/* ---- the schema: pg_migrate.c, pg_guard.c, pg_describe.c ------------------------------------------------------------------- */

struct pg_schema {
    const char *session_sql;   /* run on each new connection: which role it takes; NULL: none */
    struct pg_sql *statements; /* by number */
};

/* Migrates as config->migrate says, puts the guards on, translates and prepares every statement, and fills in their columns. What is wrong
 * with a statement is told at its place in queries.sql. */
bool pg_schema_open(PGconn *pg, const struct store_config *config, struct arena *arena, struct pg_schema *ret_schema,
                    struct diags *diags) LIMEN_MUST_CHECK;

/* store.h's, for pg_ops: pg_keys.c, pg_effects.c, pg_migrate.c. */
bool pg_first_account(PGconn *pg, const struct contract *contract, limen_str id, limen_str email,
                      limen_str password_hash, uint32_t roles);
bool pg_key_add(const struct store_keys_config *config, limen_str name, uint32_t roles, char *ret_text,
                struct arena *arena, struct diags *diags);
bool pg_key_revoke(const struct store_keys_config *config, limen_str id, struct arena *arena, struct diags *diags);
bool pg_key_list(const struct store_keys_config *config, struct buf *out, struct arena *arena, struct diags *diags);
bool pg_effect_list(limen_str url, struct store_effect_page *page, struct buf *out, struct arena *arena,
                    struct diags *diags);
bool pg_effect_show(limen_str url, limen_str id, struct buf *out, struct arena *arena, struct diags *diags);
bool pg_effect_retry(limen_str url, limen_str id, struct arena *arena, struct diags *diags);
bool pg_effect_drop(limen_str url, limen_str id, bool although_sent, struct arena *arena, struct diags *diags);
bool pg_store_migrate(limen_str url, const struct limen_file *migrations, size_t count, bool apply, struct buf *out,
                      struct arena *arena, struct diags *diags);

/* `check --database`: what is prepared there, and does it give what was described? `queries` are PostgreSQL's, described. */
bool pg_check(limen_str url, const struct query_set *queries, const struct limen_file *migrations, size_t count,
              struct arena *arena, struct diags *diags, struct diags *warnings) LIMEN_MUST_CHECK;

/* ---- connections: pg_connect.c ---------------------------------------------------------------------------------------------- */

/* The URL without its password, for messages. */
limen_str pg_shown_url(limen_str url, struct arena *arena);
/* Connects and waits for it: for migrations and the operator's commands. NULL after adding to `diags`. PQfinish it. */
PGconn *pg_connect(limen_str url, struct arena *arena, struct diags *diags) LIMEN_MUST_CHECK;
/* The same, but waits for a server that is not there yet, or only starts. */
PGconn *pg_connect_patiently(limen_str url, struct arena *arena, struct diags *diags) LIMEN_MUST_CHECK;

#endif
