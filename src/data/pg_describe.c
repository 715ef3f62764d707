/* pg_describe.c - every statement is prepared on PostgreSQL as it will be run, and gives back what SQLite has described.
 *
 * The app's generated code was made from what SQLite says; a database that says otherwise is found here, at its line, and not by a client. */
#include "core/arena.h"
#include "data/pg_schema.h"

struct describer {
    const struct pg_admin *admin;
    const struct query_set *queries;
    const struct statement *statement;
    const struct pg_sql *sql;
};

static bool fault(const struct describer *describer, uint32_t position, limen_str mend, limen_str message)
{
    uint32_t line, column;
    pg_sql_locate(describer->sql, describer->statement, position, &line, &column);
    diags_add_at(describer->admin->diags, describer->queries->file, line, column, mend, "statement '%.*s': %.*s",
                 LIMEN_STR_ARG(describer->statement->name), LIMEN_STR_ARG(message));
    return false;
}

/* ---- columns ----------------------------------------------------------------------------------------------------------------- */

/* As the running side reads them. */
static bool type_fits(enum limen_type type, Oid found)
{
    switch (type) {
    case LIMEN_TYPE_TEXT:
    case LIMEN_TYPE_JSON:
        return found == PG_TEXT;
    case LIMEN_TYPE_FLOAT:
        return found == PG_FLOAT8 || found == PG_FLOAT4;
    case LIMEN_TYPE_BYTES:
        return found == PG_BYTEA;
    case LIMEN_TYPE_BOOL:
        return found == PG_BOOL || found == PG_INT8 || found == PG_INT4 || found == PG_INT2;
    default:
        return found == PG_INT8 || found == PG_INT4 || found == PG_INT2;
    }
}

static limen_str type_name(const struct describer *describer, Oid type)
{
    const char *params[] = { arena_printf(describer->admin->arena, "%u", type).ptr };
    return pg_ask_one(describer->admin, "SELECT format_type($1::oid, NULL)", 1, params);
}

/* True when the column's table lets it be null there; an expression says nothing about that. */
static bool may_be_null(const struct describer *describer, const PGresult *result, int at)
{
    Oid table = PQftable(result, at);
    if (table == InvalidOid)
        return false;
    struct arena *arena = describer->admin->arena;
    const char *params[] = { arena_printf(arena, "%u", table).ptr,
                             arena_printf(arena, "%d", PQftablecol(result, at)).ptr };
    return str_equal(
        pg_ask_one(describer->admin,
                   "SELECT NOT attnotnull FROM pg_attribute WHERE attrelid = $1::oid AND attnum = $2::int2", 2, params),
        LIMEN_STR("t"));
}

static bool check_column(const struct describer *describer, const PGresult *result, int at)
{
    struct arena *arena = describer->admin->arena;
    const struct statement_column *column = &describer->statement->columns[at];
    limen_str name = str_of(PQfname(result, at));
    if (!str_equal(name, column->name))
        return fault(describer, 0, LIMEN_STR("name it with AS, in lower case"),
                     arena_printf(arena, "PostgreSQL names the column '%.*s' '%.*s'", LIMEN_STR_ARG(column->name),
                                  LIMEN_STR_ARG(name)));
    if (!type_fits(column->type, PQftype(result, at)))
        return fault(describer, 0, LIMEN_STR("give the column the type of the migration, or add `-- returns:`"),
                     arena_printf(arena, "column '%.*s' is of another type in PostgreSQL: %.*s", LIMEN_STR_ARG(name),
                                  LIMEN_STR_ARG(type_name(describer, PQftype(result, at)))));
    if (!column->is_nullable && may_be_null(describer, result, at))
        return fault(describer, 0, LIMEN_STR("make the column NOT NULL there as well, or say `?` in `-- returns:`"),
                     arena_printf(arena, "column '%.*s' may be null in PostgreSQL", LIMEN_STR_ARG(name)));
    return true;
}

static bool gives_rows(const struct statement *statement)
{
    return statement->kind != STATEMENT_EXEC && statement->kind != STATEMENT_MUST
        && statement->kind != STATEMENT_EFFECT;
}

static bool check_columns(const struct describer *describer, const PGresult *result)
{
    int count = PQnfields(result);
    if (!gives_rows(describer->statement))
        return true;
    if (count != (int)describer->statement->column_count)
        return fault(describer, 0, LIMEN_STR("list the columns instead of `*`"),
                     arena_printf(describer->admin->arena, "PostgreSQL gives %d columns, SQLite %u", count,
                                  describer->statement->column_count));
    for (int i = 0; i < count; i++) {
        if (!check_column(describer, result, i))
            return false;
    }
    return true;
}

/* ---- statements ---------------------------------------------------------------------------------------------------------------- */

static bool refuse_prepare(const struct describer *describer, const PGresult *result)
{
    const char *words = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    limen_str text = str_trim(str_of(words != NULL ? words : PQerrorMessage(describer->admin->pg)));
    return fault(describer, pg_position(result),
                 LIMEN_STR("write it as both databases take it, or a variant of its own: `-- on: postgresql`"), text);
}

static bool prepare(const struct describer *describer)
{
    PGconn *pg = describer->admin->pg;
    const struct pg_sql *sql = describer->sql;
    PGresult *result = PQprepare(pg, "", sql->text, (int)sql->slot_count, sql->types);
    bool good = PQresultStatus(result) == PGRES_COMMAND_OK || refuse_prepare(describer, result);
    PQclear(result);
    if (!good)
        return false;
    result = PQdescribePrepared(pg, "");
    good = PQresultStatus(result) == PGRES_COMMAND_OK ? check_columns(describer, result)
                                                      : refuse_prepare(describer, result);
    PQclear(result);
    return good;
}

bool pg_describe(const struct pg_admin *admin, const struct query_set *queries, const struct migration_set *set,
                 struct pg_sql *ret_statements)
{
    bool good = true;
    for (uint32_t i = 0; i < queries->count; i++) {
        const struct statement *statement = &queries->statements[i];
        struct describer describer = {
            .admin = admin, .queries = queries, .statement = statement, .sql = &ret_statements[i]
        };
        bool is_written = pg_sql_write(statement, queries->file, admin->arena, &ret_statements[i], admin->diags);
        good = is_written && prepare(&describer) && good;
        ret_statements[i].is_owned = pg_sql_is_owned(statement, set);
    }
    return good;
}
