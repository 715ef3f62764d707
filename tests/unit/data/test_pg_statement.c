/* test_pg_statement.c - what a statement of queries.sql becomes for PostgreSQL. Text against text; no server. */
#include "check.h"
#include "core/arena.h"
#include "data/migrate.h"
#include "data/pg_statement.h"
#include "data/store.h"

#include <stdio.h>

static const char MIGRATION[] = "CREATE TABLE items (id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, price INTEGER "
                                "NOT NULL, weight REAL, image BLOB) STRICT;\n"
                                "-- owner: owner_id\n"
                                "CREATE TABLE notes (id TEXT NOT NULL PRIMARY KEY, owner_id TEXT NOT NULL) STRICT;\n";

struct env {
    struct arena arena;
    struct diags diags;
    struct query_set set;
    struct pg_sql pg;
};

static int setup(void **state)
{
    struct env *env = test_calloc(1, sizeof *env);
    arena_init(&env->arena, NULL, 16U * 1024 * 1024);
    diags_init(&env->diags, &env->arena);
    *state = env;
    return 0;
}

static int teardown(void **state)
{
    struct env *env = *state;
    arena_release(&env->arena);
    test_free(env);
    return 0;
}

static struct limen_file migration(void)
{
    return (struct limen_file){ LIMEN_STR("0001.sql"), str_of(MIGRATION) };
}

/* Parses queries.sql, describes it against the tables above and writes its first statement. */
static bool write_first(struct env *env, const char *queries)
{
    struct limen_file file = migration();
    env->diags.count = 0;
    assert_true(queries_parse(str_of(queries), LIMEN_STR("queries.sql"), LIMEN_STR("postgresql"), &env->arena,
                              &env->set, &env->diags));
    assert_true(store_describe(&env->set, &file, 1, &env->arena, &env->diags));
    return pg_sql_write(&env->set.statements[0], env->set.file, &env->arena, &env->pg, &env->diags);
}

static void test_statement_becomes_postgresql(void **state)
{
    struct env *env = *state;
    static const struct {
        const char *queries, *expected;
    } CASES[] = {
        { "-- name: f(item_id text) :one\nSELECT name FROM items WHERE id = :item_id;",
          "SELECT * FROM (SELECT name FROM items WHERE id = ($1::text COLLATE \"C\")) AS limen_row LIMIT 10001" },
        { "-- name: f(after text?, limit int) :many\n"
          "SELECT id FROM items WHERE (:after IS NULL OR id > :after) ORDER BY id LIMIT :limit;",
          "SELECT * FROM (SELECT id FROM items WHERE (($1::text COLLATE \"C\") IS NULL OR id > ($1::text COLLATE "
          "\"C\")) ORDER BY id LIMIT $2::bigint) AS limen_row LIMIT 10001" },
        { "-- name: f(ids text[], prices int[]) :many\n"
          "SELECT id FROM items WHERE id IN (:ids) AND price NOT IN (:prices);",
          "SELECT * FROM (SELECT id FROM items WHERE id = ANY (($1::text[] COLLATE \"C\")) AND price <> ALL "
          "($2::bigint[])) AS limen_row LIMIT 10001" },
        { "-- name: f(w float, i bytes, b bool, t time, j json) :many\n"
          "SELECT id FROM items WHERE weight > :w AND image = :i AND price = :b AND price = :t AND name = :j;",
          "SELECT * FROM (SELECT id FROM items WHERE weight > $1::double precision AND image = $2::bytea AND price = "
          "$3::bigint AND price = $4::bigint AND name = ($5::text COLLATE \"C\")) AS limen_row LIMIT 10001" },
        { "-- name: f() :exec\nINSERT INTO notes (id, owner_id) VALUES (:now, :caller); ",
          "INSERT INTO notes (id, owner_id) VALUES ($1::bigint, ($2::text COLLATE \"C\"))" },
        { "-- name: f(id text) :must else 409 \"gone\"\nUPDATE items SET price = price + 1 WHERE id = :id;",
          "WITH limen_row AS (UPDATE items SET price = price + 1 WHERE id = ($1::text COLLATE \"C\") RETURNING 1) "
          "SELECT "
          "CASE WHEN count(*) = 1 THEN 1 ELSE limen.missed() END FROM limen_row" },
        { "-- name: f() :returning\nUPDATE items SET price = 1 RETURNING id, price;",
          "WITH limen_row AS (UPDATE items SET price = 1 RETURNING id, price) SELECT limen_row.\"id\"::text AS \"id\", "
          "limen_row.\"price\"::bigint AS \"price\" FROM (SELECT CASE WHEN count(*) = 1 THEN 1 ELSE limen.missed() END "
          "AS rows FROM limen_row) AS limen_count LEFT JOIN limen_row ON true WHERE limen_count.rows = 1" },
        { "-- name: f() :one\n-- returns: total int, cheap bool\nSELECT sum(price) AS total, price < 5 AS cheap FROM "
          "items;",
          "SELECT limen_row.\"total\"::bigint AS \"total\", (limen_row.\"cheap\"::text NOT IN ('0', "
          "'false'))::int::bigint AS \"cheap\" FROM (SELECT sum(price) AS total, price < 5 AS cheap FROM items) AS "
          "limen_row LIMIT 10001" },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        assert_true(write_first(env, CASES[i].queries));
        assert_string_equal(env->pg.text, CASES[i].expected);
    }
}

static void test_what_is_written_differently_is_changed(void **state)
{
    struct env *env = *state;
    static const struct {
        const char *condition, *expected;
    } CASES[] = {
        { "name LIKE 'a%'", "name ILIKE 'a%' ESCAPE ''" },
        { "name NOT LIKE lower('a') || '%' AND price > 1", "name NOT ILIKE lower('a') || '%' ESCAPE '' AND price > 1" },
        { "name LIKE 'a!%' ESCAPE '!'", "name ILIKE 'a!%' ESCAPE '!'" },
        { "(name LIKE 'a')", "(name ILIKE 'a' ESCAPE '')" },
        { "image = x'00Ff'", "image = '\\x00Ff'::bytea" },
        { "price = 0x10", "price = 16" },
        { "price == 1", "price = 1" },
        { "name IS 'a'", "name IS NOT DISTINCT FROM 'a'" },
        { "name IS NOT 'a'", "name IS DISTINCT FROM 'a'" },
        { "name IS NOT NULL", "name IS NOT NULL" },
        { "[Name] = `name` AND \"ID\" = 'x'", "\"name\" = \"name\" AND \"id\" = 'x'" },
        { "price = CAST(name AS INTEGER)", "price = CAST(name AS bigint)" },
        { "weight = CAST((SELECT 1 AS text) AS REAL)", "weight = CAST((SELECT 1 AS text) AS double precision)" },
        { "name = ifnull(name, 'like -- x''00''')", "name = coalesce(name, 'like -- x''00''')" },
        { "name COLLATE BINARY > 'a'", "name COLLATE \"C\" > 'a'" },
        { "price /* why */ > -- because\n 1", "price > 1" },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        char queries[256], expected[256];
        snprintf(queries, sizeof queries, "-- name: f() :many\nSELECT id FROM items WHERE %s;", CASES[i].condition);
        snprintf(expected, sizeof expected, "SELECT * FROM (SELECT id FROM items WHERE %s) AS limen_row LIMIT 10001",
                 CASES[i].expected);
        assert_true(write_first(env, queries));
        assert_string_equal(env->pg.text, expected);
    }
}

static void test_what_cannot_be_carried_over_is_refused_where_it_stands(void **state)
{
    struct env *env = *state;
    static const struct {
        const char *queries;
        uint32_t line, column;
        const char *message;
    } CASES[] = {
        { "-- name: f() :exec\nINSERT\n OR IGNORE INTO items (id, name, price) VALUES ('a', 'b', 1);", 3, 2,
          "SQLite's alone" },
        { "-- name: f() :many\nSELECT id FROM items WHERE name = 'a' COLLATE NOCASE;", 2, 39, "no such collation" },
        { "-- name: f() :many\nSELECT id FROM items WHERE image = CAST(name AS BLOB);", 2, 49, "escapes" },
        { "-- name: f(ids int[]) :many\nSELECT id FROM items WHERE price IN (:ids, 1);", 2, 38, "stands alone" },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct limen_file file = migration();
        env->diags.count = 0;
        assert_true(queries_parse(str_of(CASES[i].queries), LIMEN_STR("queries.sql"), LIMEN_STR("postgresql"),
                                  &env->arena, &env->set, &env->diags));
        bool is_described = store_describe(&env->set, &file, 1, &env->arena, &env->diags);
        (void)is_described; /* some are refused there already */
        env->diags.count = 0;
        assert_false(pg_sql_write(&env->set.statements[0], env->set.file, &env->arena, &env->pg, &env->diags));
        assert_int_equal(env->diags.count, 1);
        assert_int_equal(env->diags.items[0].line, CASES[i].line);
        assert_int_equal(env->diags.items[0].column, CASES[i].column);
        assert_true(str_find(env->diags.items[0].message, str_of(CASES[i].message), 0) != SIZE_MAX);
    }
}

static void test_parameters_keep_their_number_and_type(void **state)
{
    struct env *env = *state;
    assert_true(write_first(env,
                            "-- name: f(a text, b int) :exec\nUPDATE items SET price = :b, name = :caller WHERE id "
                            "= :a AND price < :b AND price < :now;"));
    static const struct {
        struct pg_slot slot;
        enum pg_type type;
    } EXPECTED[] = {
        { { PG_SLOT_PARAM, 1 }, PG_INT8 },
        { { PG_SLOT_CALLER, 0 }, PG_TEXT },
        { { PG_SLOT_PARAM, 0 }, PG_TEXT },
        { { PG_SLOT_NOW, 0 }, PG_INT8 },
    };
    assert_int_equal(env->pg.slot_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(env->pg.slots[i].source, EXPECTED[i].slot.source);
        assert_int_equal(env->pg.slots[i].param, EXPECTED[i].slot.param);
        assert_int_equal(env->pg.types[i], EXPECTED[i].type);
    }
}

static void test_position_leads_back_to_the_file(void **state)
{
    struct env *env = *state;
    assert_true(write_first(env,
                            "-- name: f(ids text[]) :many\n-- returns: price int\nSELECT id, price\nFROM items "
                            "WHERE name = 'äöü'\n  AND id IN (:ids) AND weight = 1;"));
    const struct statement *statement = &env->set.statements[0];
    size_t byte = str_find(str_of(env->pg.text), LIMEN_STR("weight"), 0);
    uint32_t position = (uint32_t)str_code_points(str_slice(str_of(env->pg.text), 0, byte)) + 1, line, column;
    pg_sql_locate(&env->pg, statement, position, &line, &column);
    assert_int_equal(line, 5);
    assert_int_equal(column, 24);
    pg_sql_locate(&env->pg, statement, 0, &line, &column);
    assert_int_equal(line, 3);
    assert_int_equal(column, 1);
}

static void test_owned_table_is_seen_in_a_statement(void **state)
{
    struct env *env = *state;
    struct migration_set migrations;
    struct limen_file file = migration();
    assert_true(migrations_parse(&file, 1, LIMEN_STR("postgresql"), &env->arena, &migrations, &env->diags));
    assert_true(write_first(env, "-- name: f() :many\nSELECT id FROM items WHERE name IN (SELECT id FROM \"NOTES\");"));
    assert_true(pg_sql_is_owned(&env->set.statements[0], &migrations));
    assert_true(write_first(env, "-- name: f() :many\nSELECT id FROM items WHERE name = 'notes';"));
    assert_false(pg_sql_is_owned(&env->set.statements[0], &migrations));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_statement_becomes_postgresql, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_written_differently_is_changed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_carried_over_is_refused_where_it_stands, setup, teardown),
        cmocka_unit_test_setup_teardown(test_parameters_keep_their_number_and_type, setup, teardown),
        cmocka_unit_test_setup_teardown(test_position_leads_back_to_the_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_owned_table_is_seen_in_a_statement, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
