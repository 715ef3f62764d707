/* pg_ask.c - one blocking connection for the schema's side: what is asked of it, and how its refusals are told.
 *
 * What PostgreSQL says of a failure is shown as it is; it names tables and constraints, and the values in it are the operator's own. */
#include "core/arena.h"
#include "data/pg_schema.h"

#define VERSION_LEAST 130000
#define NAME_BYTES_MOST 50 /* of a database: its roles are named after it, and names have 63 bytes */

limen_str pg_text(const PGresult *result, int row, int column)
{
    return str_make(PQgetvalue(result, row, column), (size_t)PQgetlength(result, row, column));
}

uint32_t pg_position(const PGresult *result)
{
    int64_t position = 0;
    const char *text = PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION);
    return text != NULL && str_to_int64(str_of(text), &position) && position > 0 ? (uint32_t)position : 0;
}

bool pg_refuse(const struct pg_admin *admin, limen_str mend, const char *message)
{
    diags_add_at(admin->diags, admin->shown, 0, 0, mend, "%s", message);
    return false;
}

bool pg_fault(const struct pg_admin *admin, const PGresult *result, limen_str mend)
{
    const char *words = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (words == NULL)
        words = PQerrorMessage(admin->pg);
    limen_str text = str_trim(str_of(words));
    diags_add_at(admin->diags, admin->shown, 0, 0, mend, "%.*s", LIMEN_STR_ARG(text));
    return false;
}

static bool is_good(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

bool pg_run(const struct pg_admin *admin, const char *sql)
{
    PGresult *result = PQexec(admin->pg, sql);
    bool good = is_good(result) || pg_fault(admin, result, LIMEN_STR(""));
    PQclear(result);
    return good;
}

PGresult *pg_ask(const struct pg_admin *admin, const char *sql, int count, const char *const *params)
{
    PGresult *result = PQexecParams(admin->pg, sql, count, NULL, params, NULL, NULL, /* resultFormat= */ 0);
    if (is_good(result))
        return result;
    (void)pg_fault(admin, result, LIMEN_STR(""));
    PQclear(result);
    return NULL;
}

limen_str pg_ask_one(const struct pg_admin *admin, const char *sql, int count, const char *const *params)
{
    PGresult *result = pg_ask(admin, sql, count, params);
    limen_str found = { 0 };
    if (result != NULL && PQntuples(result) > 0 && PQgetisnull(result, 0, 0) == 0)
        found = arena_copy(admin->arena, pg_text(result, 0, 0));
    PQclear(result);
    return found;
}

static void be_silent(void *context, const char *message)
{
    (void)context;
    (void)message;
}

/* A name in quotes, in the arena. */
static limen_str quote(const struct pg_admin *admin, limen_str name)
{
    char *quoted = PQescapeIdentifier(admin->pg, name.ptr, name.len);
    limen_str copy = quoted == NULL ? (limen_str){ 0 } : arena_copy(admin->arena, str_of(quoted));
    PQfreemem(quoted);
    return copy;
}

static bool name_roles(struct pg_admin *admin)
{
    limen_str name = str_of(PQdb(admin->pg));
    if (name.len > NAME_BYTES_MOST)
        return pg_refuse(admin, LIMEN_STR("rename it: 50 bytes are the most"),
                         "the database's name is too long to name its roles after it");
    if (str_ends(name, LIMEN_STR("_all")))
        return pg_refuse(admin, LIMEN_STR("rename it: roles belong to the whole server"),
                         "a database named '…_all' would have the role that sees all rows of another one");
    admin->caller_role = quote(admin, arena_printf(admin->arena, "limen_%.*s", LIMEN_STR_ARG(name)));
    admin->scope_role = quote(admin, arena_printf(admin->arena, "limen_%.*s_all", LIMEN_STR_ARG(name)));
    admin->user = quote(admin, str_of(PQuser(admin->pg)));
    return admin->caller_role.ptr != NULL && admin->scope_role.ptr != NULL && admin->user.ptr != NULL;
}

bool pg_admin_init(struct pg_admin *admin, PGconn *pg, limen_str shown, struct arena *arena, struct diags *diags)
{
    *admin = (struct pg_admin){ .pg = pg, .shown = shown, .arena = arena, .diags = diags };
    PQsetNoticeProcessor(pg, be_silent, NULL);
    const char *encoding = PQparameterStatus(pg, "server_encoding");
    if (PQserverVersion(pg) < VERSION_LEAST)
        return pg_refuse(admin, LIMEN_STR("use PostgreSQL 13 or later"), "this PostgreSQL is too old");
    if (encoding == NULL || strcmp(encoding, "UTF8") != 0)
        return pg_refuse(admin, LIMEN_STR("make it with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"),
                         "the database's texts are not in UTF-8");
    return name_roles(admin)
        && pg_run(admin,
                  "SET search_path = public, limen; SET standard_conforming_strings = on; SET lock_timeout = '10s';"
                  " SET client_encoding = 'UTF8'");
}
