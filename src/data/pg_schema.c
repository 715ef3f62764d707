/* pg_schema.c - what a start asks of the database's schema, and the command `check --database`. */
#include "data/pg_schema.h"

#include "core/arena.h"
#include "core/log.h"

#include <unistd.h>

#define POLL_US 200000

/* ---- migrations as the configuration wants them --------------------------------------------------------------------------------- */

/* Compares, and leaves neither memory nor words behind: whoever waits looks often. */
static enum migration_stand peek(const struct pg_admin *admin, const struct migration_set *set, uint32_t *ret_pending)
{
    struct arena scratch;
    struct diags unheard;
    arena_init(&scratch, NULL, SIZE_MAX);
    diags_init(&unheard, &scratch);
    struct pg_admin once = *admin;
    once.arena = &scratch;
    once.diags = &unheard;
    enum migration_stand stand = pg_compare(&once, set, ret_pending);
    arena_release(&scratch);
    return stand;
}

/* Waits until another has applied what is pending. */
static enum migration_stand wait_until_ready(const struct pg_admin *admin, const struct migration_set *set)
{
    uint32_t pending = 0, last = UINT32_MAX;
    for (;;) {
        enum migration_stand stand = peek(admin, set, &pending);
        if (stand == STAND_FAULT)
            stand = pg_compare(admin, set, &pending);
        if (stand == STAND_READY || stand == STAND_AHEAD || stand == STAND_FAULT)
            return stand;
        if (pending != last)
            LOG_INFO("waiting for migrations to be applied", log_int("pending", pending),
                     log_text("because",
                              stand == STAND_CLOSED      ? "this user may not look yet"
                                  : stand == STAND_LOOSE ? "the guards are not those of the annotations"
                                                         : "they are pending"));
        last = pending;
        usleep(POLL_US);
    }
}

static bool settle(const struct pg_admin *admin, const struct migration_set *set, enum store_migrate how)
{
    uint32_t pending = 0;
    enum migration_stand stand = how == STORE_MIGRATE_WAIT ? wait_until_ready(admin, set)
                                                           : pg_compare(admin, set, &pending);
    if (stand == STAND_AHEAD)
        LOG_INFO(MIGRATIONS_AHEAD, log_int("known", set->count));
    if (stand == STAND_CLOSED)
        return pg_refuse_stranger(admin);
    if (stand != STAND_PENDING && stand != STAND_LOOSE)
        return stand != STAND_FAULT;
    if (how == STORE_MIGRATE_AUTO)
        return pg_apply(admin, set);
    return pg_refuse(admin, LIMEN_STR("run `migrate --apply` first, or start with `--migrate auto`"),
                     stand == STAND_PENDING ? "migrations are pending"
                                            : "the database's guards are not those of the annotations");
}

/* ---- the running server's role --------------------------------------------------------------------------------------------------- */

static bool take_role(const struct pg_admin *admin)
{
    limen_str sql = arena_printf(admin->arena, "SET ROLE %.*s", LIMEN_STR_ARG(admin->caller_role));
    PGresult *result = PQexec(admin->pg, sql.ptr);
    bool good = PQresultStatus(result) == PGRES_COMMAND_OK;
    if (!good)
        (void)pg_refuse_stranger(admin);
    PQclear(result);
    return good;
}

static bool prepare_all(const struct pg_admin *admin, const struct query_set *queries, const struct migration_set *set,
                        struct pg_schema *ret_schema)
{
    limen_str session = arena_printf(admin->arena,
                                     "SET ROLE %.*s; SET search_path = public, limen; SET client_encoding = 'UTF8';"
                                     " SET standard_conforming_strings = on",
                                     LIMEN_STR_ARG(admin->caller_role));
    struct pg_schema schema = { .session_sql = session.ptr,
                                .statements = ARENA_NEW_ARRAY(admin->arena, struct pg_sql, queries->count) };
    if (schema.session_sql == NULL || schema.statements == NULL)
        return false;
    if (!take_role(admin) || !pg_describe(admin, queries, set, schema.statements))
        return false;
    *ret_schema = schema;
    return true;
}

bool pg_schema_open(PGconn *pg, const struct store_config *config, struct arena *arena, struct pg_schema *ret_schema,
                    struct diags *diags)
{
    struct migration_set set;
    struct pg_admin admin;
    return store_describe(config->queries, config->migrations, config->migration_count, arena, diags)
        && migrations_parse(config->migrations, config->migration_count, LIMEN_STR("postgresql"), arena, &set, diags)
        && pg_admin_init(&admin, pg, pg_shown_url(config->url, arena), arena, diags)
        && settle(&admin, &set, config->migrate) && prepare_all(&admin, config->queries, &set, ret_schema);
}

/* ---- check --database -------------------------------------------------------------------------------------------------------------- */

static bool check(const struct pg_admin *admin, const struct query_set *queries, const struct migration_set *set,
                  struct diags *warnings)
{
    struct pg_schema schema;
    uint32_t pending = 0;
    switch (pg_compare(admin, set, &pending)) {
    case STAND_PENDING:
        return pg_refuse(admin, LIMEN_STR("run `migrate --apply` first"), "migrations are pending");
    case STAND_LOOSE:
        return pg_refuse(admin, LIMEN_STR("run `migrate --apply`: it puts them on"),
                         "the database's guards are not those of the annotations");
    case STAND_CLOSED:
        return pg_refuse_stranger(admin);
    case STAND_FAULT:
        return false;
    case STAND_AHEAD:
        diags_add_at(warnings, admin->shown, 0, 0, LIMEN_STR(MIGRATIONS_AHEAD_MEND), "%s", MIGRATIONS_AHEAD);
        break;
    case STAND_READY:
        break;
    }
    return prepare_all(admin, queries, set, &schema);
}

bool pg_check(limen_str url, const struct query_set *queries, const struct limen_file *migrations, size_t count,
              struct arena *arena, struct diags *diags, struct diags *warnings)
{
    struct migration_set set;
    struct pg_admin admin;
    if (!migrations_parse(migrations, count, LIMEN_STR("postgresql"), arena, &set, diags))
        return false;
    PGconn *pg = pg_connect(url, arena, diags);
    bool good = pg != NULL && pg_admin_init(&admin, pg, pg_shown_url(url, arena), arena, diags)
        && check(&admin, queries, &set, warnings);
    PQfinish(pg);
    return good;
}
