/* pg_migrate.c - applies migrations to PostgreSQL, forward only, each in one transaction with the note that it was applied.
 *
 * Copies of the server that start together take an advisory lock, and whoever comes second finds the work done. A database that is ahead
 * belongs to a newer version: this one goes on with it, for a migration that breaks running code is one that contracts too early. */
#include "core/arena.h"
#include "core/clock.h"
#include "data/pg_schema.h"

#include <stdio.h>

/* "Lime": one lock of each database. It is the session's, and goes with it. */
#define LOCK_SQL "SET lock_timeout = '10min'; SELECT pg_advisory_lock(1281977701); SET lock_timeout = '10s'"
#define UNLOCK_SQL "SELECT pg_advisory_unlock(1281977701)"

/* ---- what has been applied --------------------------------------------------------------------------------------------------- */

bool pg_refuse_stranger(const struct pg_admin *admin)
{
    limen_str mend = arena_printf(admin->arena, "as the owner of its tables: GRANT %.*s, %.*s TO %.*s",
                                  LIMEN_STR_ARG(admin->caller_role), LIMEN_STR_ARG(admin->scope_role),
                                  LIMEN_STR_ARG(admin->user));
    return pg_refuse(admin, mend, "this user may not work in the database");
}

/* Limen's schema is open to its two roles, and so to their members; whoever migrates opens it last. */
static limen_str ask_open(const struct pg_admin *admin)
{
    return pg_ask_one(admin,
                      "SELECT coalesce(bool_and(has_schema_privilege(oid, 'USAGE')), true) FROM pg_namespace"
                      " WHERE nspname = 'limen'",
                      0, NULL);
}

static bool has_notes(const struct pg_admin *admin)
{
    return str_equal(
        pg_ask_one(admin,
                   "SELECT to_regclass('limen.limen_migrations') IS NOT NULL AND to_regclass('limen.limen_guards') IS "
                   "NOT NULL",
                   0, NULL),
        LIMEN_STR("t"));
}

static enum migration_stand compare_notes(const struct pg_admin *admin, const struct migration_set *set,
                                          uint32_t *ret_pending)
{
    PGresult *notes = pg_ask(admin, "SELECT name, encode(checksum, 'hex') FROM limen.limen_migrations ORDER BY name", 0,
                             NULL);
    enum migration_stand stand = notes == NULL ? STAND_FAULT : STAND_READY;
    int count = notes == NULL ? 0 : PQntuples(notes);
    for (int i = 0; i < count && stand == STAND_READY; i++)
        stand = migrations_compare(set, (uint32_t)i, pg_text(notes, i, 0), pg_text(notes, i, 1), admin->diags);
    PQclear(notes);
    *ret_pending = set->count - ((uint32_t)count < set->count ? (uint32_t)count : set->count);
    return stand == STAND_READY && *ret_pending > 0 ? STAND_PENDING : stand;
}

enum migration_stand pg_compare(const struct pg_admin *admin, const struct migration_set *set, uint32_t *ret_pending)
{
    *ret_pending = set->count;
    size_t faults = admin->diags->count;
    if (str_equal(ask_open(admin), LIMEN_STR("f")))
        return STAND_CLOSED;
    if (!has_notes(admin))
        return admin->diags->count > faults ? STAND_FAULT : STAND_PENDING;
    enum migration_stand stand = compare_notes(admin, set, ret_pending);
    if (stand == STAND_READY)
        stand = pg_guards_compare(admin, set);
    return stand == STAND_AHEAD && !pg_guards_are_closed(admin, set) ? STAND_FAULT : stand;
}

/* ---- applying ------------------------------------------------------------------------------------------------------------------ */

static bool run_statement(const struct pg_admin *admin, const struct migration *migration,
                          const struct migration_statement *statement)
{
    struct pg_ddl ddl;
    if (!pg_ddl_write(statement, migration->name, admin->arena, &ddl, admin->diags))
        return false;
    PGresult *result = PQexec(admin->pg, ddl.text);
    ExecStatusType status = PQresultStatus(result);
    bool good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
    if (!good) {
        struct pg_mark where = pg_marks_find(ddl.marks, ddl.mark_count, str_of(ddl.text), pg_position(result));
        const char *words = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
        diags_add_at(admin->diags, migration->name, where.line, where.column,
                     LIMEN_STR("write it as both databases take it, or a variant of its own: `-- on: postgresql`"),
                     "%s", words == NULL ? PQerrorMessage(admin->pg) : words);
    }
    PQclear(result);
    return good;
}

static bool note_applied(const struct pg_admin *admin, const struct migration *migration)
{
    char memory[2 * MIGRATION_CHECKSUM_BYTES + 1], now[24];
    struct buf hex;
    buf_init_fixed(&hex, memory, sizeof memory);
    buf_add_hex(&hex, migration->checksum, sizeof migration->checksum);
    buf_add_char(&hex, '\0');
    snprintf(now, sizeof now, "%lld", (long long)clock_wall_us());
    const char *params[] = { arena_copy(admin->arena, migration->name).ptr, memory, now };
    PGresult *result = params[0] == NULL
        ? NULL
        : pg_ask(admin,
                 "INSERT INTO limen.limen_migrations (name, checksum, applied_at) VALUES ($1, decode($2, 'hex'), "
                 "$3::bigint)",
                 3, params);
    PQclear(result);
    return result != NULL;
}

/* SQLite counts on from the largest id that is there, whoever wrote it. */
static const char COUNT_ON_SQL[] =
    "DO $$ DECLARE it record; BEGIN FOR it IN SELECT c.oid::regclass AS place, a.attname AS name,"
    " pg_get_serial_sequence(c.oid::regclass::text, a.attname) AS counter FROM pg_attribute AS a JOIN pg_class AS c"
    " ON c.oid = a.attrelid WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attidentity <> ''"
    " AND pg_has_role(c.relowner, 'USAGE') LOOP"
    " EXECUTE format('SELECT setval(%L, largest) FROM (SELECT max(%I) AS largest FROM %s) AS t, %s AS s"
    "  WHERE largest >= s.last_value + s.is_called::int', it.counter, it.name, it.place, it.counter);"
    " END LOOP; END $$";

/* `limen.migrates` opens owned tables to their owner, who is under their guards as well: a migration that changes rows sees all of them. */
static bool apply_one(const struct pg_admin *admin, const struct migration *migration)
{
    bool good = pg_run(admin, "BEGIN; SET LOCAL limen.migrates = 'on'");
    for (uint32_t i = 0; i < migration->count && good; i++)
        good = run_statement(admin, migration, &migration->statements[i]);
    good = good && pg_run(admin, COUNT_ON_SQL) && note_applied(admin, migration) && pg_run(admin, "COMMIT");
    if (!good)
        PQclear(PQexec(admin->pg, "ROLLBACK"));
    return good;
}

static bool apply_locked(const struct pg_admin *admin, const struct migration_set *set)
{
    uint32_t pending = 0;
    enum migration_stand stand = pg_compare(admin, set, &pending); /* another may have been here first */
    if (stand == STAND_READY || stand == STAND_AHEAD)
        return true;
    if (stand == STAND_CLOSED)
        return pg_refuse_stranger(admin);
    if (stand == STAND_FAULT || !pg_guards_prepare(admin))
        return false;
    for (uint32_t i = set->count - pending; i < set->count; i++) {
        if (!apply_one(admin, &set->items[i]))
            return false;
    }
    return pg_guards_put_on(admin, set);
}

bool pg_apply(const struct pg_admin *admin, const struct migration_set *set)
{
    if (!pg_run(admin, LOCK_SQL))
        return false;
    bool good = apply_locked(admin, set);
    PQclear(PQexec(admin->pg, UNLOCK_SQL));
    return good;
}

/* ---- the command --------------------------------------------------------------------------------------------------------------- */

static bool migrate(const struct pg_admin *admin, const struct migration_set *set, bool apply, struct buf *out)
{
    uint32_t pending = 0;
    enum migration_stand stand = pg_compare(admin, set, &pending);
    if (stand == STAND_AHEAD)
        return pg_refuse(admin, LIMEN_STR(MIGRATIONS_AHEAD_MEND), MIGRATIONS_AHEAD);
    if (stand == STAND_CLOSED)
        return pg_refuse_stranger(admin);
    if (stand == STAND_FAULT || (apply && !pg_apply(admin, set)))
        return false;
    migrations_list(set, pending, apply, out);
    if (stand == STAND_LOOSE)
        buf_add(out, apply ? LIMEN_STR("put on now: guards\n") : LIMEN_STR("pending: guards\n"));
    return true;
}

bool pg_store_migrate(limen_str url, const struct limen_file *migrations, size_t count, bool apply, struct buf *out,
                      struct arena *arena, struct diags *diags)
{
    struct migration_set set;
    struct pg_admin admin;
    if (!migrations_parse(migrations, count, LIMEN_STR("postgresql"), arena, &set, diags))
        return false;
    PGconn *pg = pg_connect(url, arena, diags);
    bool good = pg != NULL && pg_admin_init(&admin, pg, pg_shown_url(url, arena), arena, diags)
        && migrate(&admin, &set, apply, out);
    PQfinish(pg);
    return good;
}
