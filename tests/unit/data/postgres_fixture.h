/* postgres_fixture.h - a database of the test's own, on the server that tests/lib/with_postgres has started. */
#ifndef TEST_POSTGRES_FIXTURE_H
#define TEST_POSTGRES_FIXTURE_H

#include "check.h"
#include "core/arena.h"
#include "data/api_key.h"
#include "data/pg_schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct postgres_env {
    struct arena arena;
    struct diags diags;
    char url[256];
    PGconn *pg; /* the superuser's, in the test's database */
};

/* The URL of the server with another database, and another user. */
static inline void postgres_url(char *out, size_t bytes, const char *user, const char *database)
{
    limen_str rest = str_of(getenv("LIMEN_TEST_POSTGRES"));
    rest = str_slice(rest, str_find(rest, LIMEN_STR("://"), 0) + 3, rest.len);
    limen_str name = str_cut(&rest, ':'), place = str_cut(&rest, '/');
    limen_str chosen = user == NULL ? name : str_of(user);
    snprintf(out, bytes, "postgresql://%.*s:%.*s/%s", LIMEN_STR_ARG(chosen), LIMEN_STR_ARG(place), database);
}

static inline void postgres_run(PGconn *pg, const char *sql)
{
    PGresult *result = PQexec(pg, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(pg));
    PQclear(result);
}

/* The statement fails with this SQLSTATE. */
static inline void postgres_fails(PGconn *pg, const char *sql, const char *sqlstate)
{
    PGresult *result = PQexec(pg, sql);
    const char *found = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    assert_non_null(found);
    assert_string_equal(found, sqlstate);
    PQclear(result);
}

/* The first value that it gives, or "" for none. Valid until the next call with this environment's arena is released. */
static inline const char *postgres_ask(struct postgres_env *env, PGconn *pg, const char *sql)
{
    PGresult *result = PQexec(pg, sql);
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(pg));
    const char *value = PQntuples(result) == 0 ? "" : arena_copy(&env->arena, str_of(PQgetvalue(result, 0, 0))).ptr;
    PQclear(result);
    return value;
}

static inline int postgres_setup(void **state)
{
    static unsigned number;
    struct postgres_env *env = test_calloc(1, sizeof *env);
    char sql[64], name[32];
    arena_init(&env->arena, NULL, 64U * 1024 * 1024);
    diags_init(&env->diags, &env->arena);
    snprintf(name, sizeof name, "t%d_%u", getpid(), number++);
    snprintf(sql, sizeof sql, "CREATE DATABASE %s", name);
    PGconn *pg = PQconnectdb(getenv("LIMEN_TEST_POSTGRES"));
    assert_int_equal(PQstatus(pg), CONNECTION_OK);
    postgres_run(pg, sql);
    PQfinish(pg);
    postgres_url(env->url, sizeof env->url, NULL, name);
    env->pg = PQconnectdb(env->url);
    assert_int_equal(PQstatus(env->pg), CONNECTION_OK);
    *state = env;
    return 0;
}

static inline int postgres_teardown(void **state)
{
    struct postgres_env *env = *state;
    PQfinish(env->pg);
    arena_release(&env->arena);
    test_free(env);
    return 0;
}

static inline void postgres_assert_fault(const struct postgres_env *env, const char *file, uint32_t line,
                                         const char *message)
{
    assert_true(env->diags.count > 0);
    const struct diag *got = &env->diags.items[0];
    bool is_it = (file == NULL || str_equal(got->file, str_of(file))) && got->line == line
        && str_find(got->message, str_of(message), 0) != SIZE_MAX;
    if (!is_it)
        fail_msg("%.*s:%u: %.*s", LIMEN_STR_ARG(got->file), got->line, LIMEN_STR_ARG(got->message));
}

/* ---- a little shop ------------------------------------------------------------------------------------------------------------- */

static const char TABLES[] = "CREATE TABLE items (id TEXT NOT NULL PRIMARY KEY, price INTEGER NOT NULL) STRICT;\n"
                             "-- owner: customer_id\n"
                             "CREATE TABLE orders (id TEXT NOT NULL PRIMARY KEY, customer_id TEXT NOT NULL) STRICT;\n"
                             "-- owner: via orders.order_id\n"
                             "CREATE TABLE lines (\n"
                             "  order_id TEXT NOT NULL REFERENCES orders (id),\n"
                             "  item_id TEXT NOT NULL REFERENCES items (id),\n"
                             "  price INTEGER NOT NULL, -- decided-by: items.price via item_id\n"
                             "  PRIMARY KEY (order_id, item_id)) STRICT;\n";
static const char ROWS[] =
    "INSERT INTO items (id, price) VALUES ('apple', 3), ('Pear', 4);\n"
    "INSERT INTO orders (id, customer_id) VALUES ('o1', 'ann'), ('o2', 'bob');\n"
    "INSERT INTO lines (order_id, item_id, price) VALUES ('o1', 'apple', 3), ('o2', 'Pear', 4);\n";
static const char QUERIES[] = "-- name: all_orders() :many\n"
                              "SELECT id FROM orders ORDER BY id;\n"
                              "-- name: take(id text) :must else 409 \"gone\"\n"
                              "UPDATE items SET price = price - 1 WHERE id = :id;\n"
                              "-- name: prices() :many\n"
                              "SELECT price FROM items;\n";

struct files {
    struct limen_file items[16];
    size_t count;
};

static inline struct files shop_files(void)
{
    return (struct files){
        { { LIMEN_STR("0001_tables.sql"), str_of(TABLES) }, { LIMEN_STR("0002_rows.sql"), str_of(ROWS) } }, 2
    };
}

static inline bool migrate_as(struct postgres_env *env, const char *url, const struct files *files, bool apply,
                              limen_str *ret_out)
{
    struct buf out;
    env->diags.count = 0;
    buf_init(&out, &env->arena, 256);
    bool good = pg_store_migrate(str_of(url), files->items, files->count, apply, &out, &env->arena, &env->diags);
    *ret_out = buf_str(&out);
    return good;
}

static inline bool migrate(struct postgres_env *env, const struct files *files, bool apply, limen_str *ret_out)
{
    return migrate_as(env, env->url, files, apply, ret_out);
}

/* What a start of the server does. */
static inline bool open_as(struct postgres_env *env, const char *url, const struct files *files, const char *queries,
                           enum store_migrate how)
{
    struct query_set set;
    struct pg_schema schema;
    env->diags.count = 0;
    assert_true(queries_parse(str_of(queries), LIMEN_STR("queries.sql"), LIMEN_STR("postgresql"), &env->arena, &set,
                              &env->diags));
    struct store_config config = {
        .url = str_of(url), .queries = &set, .migrations = files->items, .migration_count = files->count
    };
    config.migrate = how;
    PGconn *pg = PQconnectdb(url);
    assert_int_equal(PQstatus(pg), CONNECTION_OK);
    bool good = pg_schema_open(pg, &config, &env->arena, &schema, &env->diags);
    PQfinish(pg);
    return good;
}

/* A session as the running server's. */
static inline PGconn *serve(struct postgres_env *env)
{
    struct pg_admin admin;
    char sql[128];
    PGconn *pg = PQconnectdb(env->url);
    assert_int_equal(PQstatus(pg), CONNECTION_OK);
    assert_true(pg_admin_init(&admin, pg, str_of(env->url), &env->arena, &env->diags));
    snprintf(sql, sizeof sql, "SET ROLE %.*s", LIMEN_STR_ARG(admin.caller_role));
    postgres_run(pg, sql);
    return pg;
}

static inline void enter(PGconn *pg, const char *caller, const char *scope)
{
    const char *params[] = { caller, scope, "1000" };
    postgres_run(pg, "BEGIN");
    PGresult *result = PQexecParams(pg, PG_ENTER_SQL, 3, NULL, params, NULL, NULL, 0);
    assert_int_equal(PQresultStatus(result), PGRES_TUPLES_OK);
    PQclear(result);
}

static inline bool check(struct postgres_env *env, const struct files *files, const char *queries)
{
    struct query_set set;
    env->diags.count = 0;
    assert_true(queries_parse(str_of(queries), LIMEN_STR("queries.sql"), LIMEN_STR("postgresql"), &env->arena, &set,
                              &env->diags));
    assert_true(store_describe(&set, files->items, files->count, &env->arena, &env->diags));
    struct diags warnings;
    diags_init(&warnings, &env->arena);
    return pg_check(str_of(env->url), &set, files->items, files->count, &env->arena, &env->diags, &warnings);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, postgres_setup, postgres_teardown)

#endif
