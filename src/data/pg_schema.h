/* pg_schema.h - the schema's side of the PostgreSQL back end: migrations, guards, descriptions, keys. Shared by pg_schema.c, pg_ask.c,
 * pg_migrate.c, pg_guard.c, pg_describe.c and pg_keys.c only.
 *
 * It works on one blocking connection, as whoever the URL names; the running server works as one of two roles that own nothing. The app's
 * tables are in `public`, Limen's own in `limen`. */
#ifndef DATA_PG_SCHEMA_H
#define DATA_PG_SCHEMA_H

#include "data/pg_ddl.h"
#include "data/pg_store.h"

struct pg_admin {
    PGconn *pg;
    limen_str shown; /* what messages call the database: its URL without a password */
    struct arena *arena;
    struct diags *diags;
    limen_str caller_role, scope_role; /* of this database, quoted: rows of the caller, rows of everybody */
    limen_str user;                    /* whom the URL names, quoted */
};

/* ---- pg_ask.c ------------------------------------------------------------------------------------------------------------ */

/* Looks at the server, names the roles and sets the session up. */
bool pg_admin_init(struct pg_admin *admin, PGconn *pg, limen_str shown, struct arena *arena,
                   struct diags *diags) LIMEN_MUST_CHECK;
/* Adds what PostgreSQL says of a failure; `mend` may be empty. Always false. */
bool pg_fault(const struct pg_admin *admin, const PGresult *result, limen_str mend);
/* Adds a fault of the database as a whole. Always false. */
bool pg_refuse(const struct pg_admin *admin, limen_str mend, const char *message);
/* Runs one or more statements without parameters. */
bool pg_run(const struct pg_admin *admin, const char *sql) LIMEN_MUST_CHECK;
/* Runs one statement with parameters in text; NULL after a fault. PQclear it. */
PGresult *pg_ask(const struct pg_admin *admin, const char *sql, int count, const char *const *params) LIMEN_MUST_CHECK;
/* One value as text, in the arena; ptr NULL after a fault, or when there is none. */
limen_str pg_ask_one(const struct pg_admin *admin, const char *sql, int count,
                     const char *const *params) LIMEN_MUST_CHECK;
/* PG_DIAG_STATEMENT_POSITION, 0 when there is none. */
uint32_t pg_position(const PGresult *result);
/* Value of a result; empty for null. */
limen_str pg_text(const PGresult *result, int row, int column);

/* ---- pg_migrate.c ---------------------------------------------------------------------------------------------------------- */

/* Compares; `ret_pending` counts migrations. */
enum migration_stand pg_compare(const struct pg_admin *admin, const struct migration_set *set,
                                uint32_t *ret_pending) LIMEN_MUST_CHECK;
/* Tells which grants are missing. Always false. */
bool pg_refuse_stranger(const struct pg_admin *admin);
/* Applies what is pending and puts the guards on, while nobody else does. */
bool pg_apply(const struct pg_admin *admin, const struct migration_set *set) LIMEN_MUST_CHECK;

/* ---- pg_guard.c ------------------------------------------------------------------------------------------------------------ */

/* Grows with every change of what is put on, or of how it is compared: an older Limen that meets a larger one goes on with it, as it does
 * with migrations, instead of taking it for an altered one. */
#define PG_GUARDS_VERSION 1U
/* Limen's own schema, tables, functions and roles: makes what is missing. */
bool pg_guards_prepare(const struct pg_admin *admin) LIMEN_MUST_CHECK;
/* READY: the guards in the database are those that the annotations want, unaltered. AHEAD: a newer Limen's, which writes them otherwise.
 * LOOSE: an older one's, or altered. */
enum migration_stand pg_guards_compare(const struct pg_admin *admin, const struct migration_set *set) LIMEN_MUST_CHECK;
/* Makes them so, in one transaction. */
bool pg_guards_put_on(const struct pg_admin *admin, const struct migration_set *set) LIMEN_MUST_CHECK;
/* Every owned table is closed to who does not tell its caller: whatever else a newer version has changed. */
bool pg_guards_are_closed(const struct pg_admin *admin, const struct migration_set *set) LIMEN_MUST_CHECK;

/* ---- pg_describe.c --------------------------------------------------------------------------------------------------------- */

/* Translates every statement, prepares it as the running server will, and compares its columns with what SQLite has described. */
bool pg_describe(const struct pg_admin *admin, const struct query_set *queries, const struct migration_set *set,
                 struct pg_sql *ret_statements) LIMEN_MUST_CHECK;

#endif
