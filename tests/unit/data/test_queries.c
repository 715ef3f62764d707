/* test_queries.c - queries.sql: what is read, what is refused and where, and what describing finds. */
#include "check.h"
#include "core/arena.h"
#include "data/store.h"

struct env {
    struct arena arena;
    struct diags diags;
    struct query_set set;
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

static bool parse(struct env *env, const char *text)
{
    env->diags.count = 0;
    return queries_parse(str_of(text), LIMEN_STR("queries.sql"), LIMEN_STR("sqlite"), &env->arena, &env->set,
                         &env->diags);
}

static const char SCHEMA[] =
    "CREATE TABLE items (id TEXT PRIMARY KEY, name TEXT NOT NULL, note TEXT, price INTEGER NOT NULL, active INTEGER "
    "NOT NULL, added_at INTEGER NOT NULL, meta TEXT, pic BLOB) STRICT;\n"
    "-- owner: who\nCREATE TABLE secrets (id INTEGER PRIMARY KEY, who TEXT NOT NULL, what TEXT NOT NULL) STRICT;\n"
    "CREATE VIEW cheap AS SELECT id, price FROM items WHERE price < 100;\n";

static bool describe(struct env *env, const char *text)
{
    struct limen_file file = { LIMEN_STR("0001_items.sql"), str_of(SCHEMA) };
    return parse(env, text) && store_describe(&env->set, &file, 1, &env->arena, &env->diags);
}

static void test_prototype_is_read(void **state)
{
    struct env *env = *state;
    assert_true(parse(env,
                      "-- free words\n-- name: take(item_id text, quantity int?, ids text[]) :must  else 409 \"not "
                      "enough; in stock\"\n"
                      "-- scope: admin\n-- slow\nUPDATE items SET s = s - :quantity, t = ';', u = :now\n  WHERE id = "
                      ":item_id AND id IN (:ids); -- tail\n"));
    assert_int_equal(env->set.count, 1);
    const struct statement *it = queries_find(&env->set, LIMEN_STR("take"));
    assert_non_null(it);
    assert_int_equal(it->kind, STATEMENT_MUST);
    assert_int_equal(it->param_count, 3);
    assert_text(it->params[1].name, "quantity");
    assert_int_equal(it->params[1].type, LIMEN_TYPE_INT);
    assert_true(it->params[1].is_nullable && !it->params[0].is_nullable && it->params[2].is_list);
    assert_int_equal(it->else_status, 409);
    assert_text(it->else_text, "not enough; in stock");
    assert_text(it->scope, "admin");
    assert_true(it->is_slow);
    assert_int_equal(it->line, 2);
    assert_int_equal(it->sql_line, 5);
    assert_true(str_starts(it->sql, LIMEN_STR("UPDATE items")) && str_ends(it->sql, LIMEN_STR("(:ids)")));
}

static void test_variant_of_the_back_end_is_chosen(void **state)
{
    struct env *env = *state;
    static const char TEXT[] = "-- name: a(x int) :many\n-- on: postgresql\nSELECT :x::int AS x;\n-- on: "
                               "sqlite\nSELECT :x AS x;\n-- name: b() :many\nSELECT 1;\n";
    assert_true(parse(env, TEXT));
    assert_int_equal(env->set.count, 2);
    assert_text(env->set.statements[0].sql, "SELECT :x AS x");
    assert_int_equal(env->set.statements[1].number, 1);
    assert_true(
        queries_parse(str_of(TEXT), LIMEN_STR("q"), LIMEN_STR("postgresql"), &env->arena, &env->set, &env->diags));
    assert_text(env->set.statements[0].sql, "SELECT :x::int AS x");
}

/* What is refused, and where. */
struct refusal {
    const char *text;
    uint32_t line, column;
    const char *message; /* a part of it */
};

static void assert_refusal(struct env *env, bool was_good, const struct refusal *wanted)
{
    if (was_good || env->diags.count == 0)
        print_error("accepted: %s\n", wanted->text);
    assert_false(was_good);
    assert_true(env->diags.count > 0);
    const struct diag *got = &env->diags.items[0];
    bool is_it = got->line == wanted->line && got->column == wanted->column
        && str_find(got->message, str_of(wanted->message), 0) != SIZE_MAX;
    if (!is_it)
        print_error("%s\n%u:%u: %.*s\n", wanted->text, got->line, got->column, LIMEN_STR_ARG(got->message));
    assert_true(is_it);
}

static void test_text_that_steps_around_the_guards_is_refused(void **state)
{
    static const struct refusal CASES[] = {
        { "-- name: a() :many\nSELECT id FROM main.orders;", 2, 16, "no schema" },
        { "-- name: a() :many\nSELECT id FROM \"main\" . orders;", 2, 16, "no schema" },
        { "-- name: a() :many\nSELECT id FROM [main]/**/.orders;", 2, 16, "no schema" },
        { "-- name: a() :many\nSELECT id FROM 'main'.orders;", 2, 22, "a string is no name" },
        { "-- name: a() :many\nSELECT id FROM TEMP.orders;", 2, 16, "no schema" },
        { "-- name: a() :many\nSELECT * FROM limen_sessions;", 2, 15, "belongs to" },
        { "-- name: a() :many\nSELECT * FROM limen.x;", 2, 15, "no schema" },
        { "-- name: a() :one\nSELECT set_config('role', 'x', false) AS a;", 2, 8, "belongs to" },
        { "-- name: a() :one\nSELECT current_setting('x') AS a;", 2, 8, "belongs to" },
        { "-- name: a() :one\nSELECT query_to_xml('SELECT 1', true, true, '') AS a;", 2, 8, "belongs to" },
        { "-- name: a() :many\nSELECT id FROM t WHERE a = E'\\' OR limen_x = '';", 2, 29, "not one of both" },
        { "-- name: a() :many\nSELECT * FROM U&\"\\006cimen_keys\";", 2, 17, "not one of both" },
        { "-- name: a() :many\nSELECT $$'$$, limen_x, $$'$$ FROM t;", 2, 8, "not one of both" },
        { "-- name: a() :many\nSELECT $q$ limen_x $q$ FROM t;", 2, 8, "not one of both" },
        { "-- name: a() :many\nSELECT * FROM `LIMEN_keys`;", 2, 15, "belongs to" },
        { "-- name: a() :many\nSELECT * FROM sqlite_schema;", 2, 15, "belongs to" },
        { "-- name: a() :many\nSELECT * FROM pragma_table_info('x');", 2, 15, "belongs to" },
        { "-- name: a() :many\nSELECT rowid FROM items;", 2, 8, "belongs to" },
        { "-- name: a() :exec\nINSERT OR REPLACE INTO items VALUES (1);", 2, 11, "OR REPLACE" },
        { "-- name: a() :exec\nUPDATE OR ROLLBACK items SET a = 1;", 2, 11, "OR ROLLBACK" },
        { "-- name: a() :exec\nREPLACE INTO items VALUES (1);", 2, 1, "starts with" },
        { "-- name: a() :exec\nPRAGMA foreign_keys = OFF;", 2, 1, "starts with" },
        { "-- name: a() :exec\nATTACH 'x' AS y;", 2, 1, "starts with" },
        { "-- name: a() :exec\nCREATE TABLE x (a);", 2, 1, "starts with" },
        { "-- name: a() :exec\nDELETE FROM x; DELETE FROM y;", 2, 16, "second statement" },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
        assert_refusal(*state, parse(*state, CASES[i].text), &CASES[i]);
}

static void test_effect_is_read(void **state)
{
    struct env *env = *state;
    assert_true(describe(env,
                         "-- effect: pay(item_id text) to payments  key :item_id\n-- returns: currency text\n"
                         "SELECT price AS amount, 'EUR' AS currency, name, note FROM items WHERE id = :item_id;\n"
                         "-- effect: give_back(item_id text, payment text) to payments.refund key :item_id else 404 "
                         "\"no such item\"\n-- scope: admin\n-- returns: payment text\n"
                         "SELECT :payment AS payment FROM items;\n"));
    const struct statement *it = queries_find(&env->set, LIMEN_STR("pay"));
    assert_int_equal(it->kind, STATEMENT_EFFECT);
    assert_int_equal(it->action->kind, EFFECT_CHARGE);
    assert_int_equal(it->key_param, 0);
    assert_int_equal(it->else_status, 409);
    assert_int_equal(it->column_count, 4);
    it = queries_find(&env->set, LIMEN_STR("give_back"));
    assert_int_equal(it->action->kind, EFFECT_REFUND);
    assert_int_equal(it->else_status, 404);
    assert_text(it->scope, "admin");
}

#define PAY "-- effect: pay(id text, n int) to payments key :id\nSELECT :n AS amount;\n"

static void test_results_of_the_system_are_read(void **state)
{
    struct env *env = *state;
    assert_true(parse(env,
                      "-- name: a(id text) :exec\n-- scope: system for pay succeeded, pay failed , back\nDELETE FROM "
                      "items WHERE id = :id;\n" PAY
                      "-- effect: back(id text) to payments.refund key :id\nSELECT :id AS payment;\n"));
    const struct statement *it = queries_find(&env->set, LIMEN_STR("a"));
    assert_text(it->scope, "system");
    assert_int_equal(it->result_count, 3);
    assert_int_equal(it->results[0].effect, 1);
    assert_int_equal(it->results[0].outcomes, 1U << LIMEN_EFFECT_SUCCEEDED);
    assert_int_equal(it->results[1].effect, 1);
    assert_int_equal(it->results[1].outcomes, 1U << LIMEN_EFFECT_FAILED);
    assert_int_equal(it->results[2].effect, 2);
    assert_int_equal(it->results[2].outcomes, 7);
}

static void test_what_no_result_of_an_effect_is_named_for_is_refused(void **state)
{
    static const struct refusal CASES[] = {
        { PAY "-- name: a() :many\n-- scope: system\nSELECT 1;", 4, 17, "which effects' results" },
        { PAY "-- name: a() :many\n-- scope: system for\nSELECT 1;", 4, 18, "which effects' results" },
        { PAY "-- name: a() :many\n-- scope: system for pay,\nSELECT 1;", 4, 26, "an effect's name" },
        { PAY "-- name: a() :many\n-- scope: system for pay late\nSELECT 1;", 4, 26, "no such outcome" },
        { PAY "-- name: a() :many\n-- scope: system for pay failed late\nSELECT 1;", 4, 33, "nothing more" },
        { PAY "-- name: a(id text) :many\n-- scope: system for a\nSELECT :id;", 4, 22, "no effect 'a'" },
        { PAY "-- name: a(id text) :many\n-- scope: system for pay, who\nSELECT :id;", 4, 27, "no effect 'who'" },
        { PAY "-- name: a(n int) :many\n-- scope: system for pay\nSELECT :n;", 3, 1, "does not take 'id'" },
        { PAY "-- name: a(id int) :many\n-- scope: system for pay\nSELECT :id;", 3, 1, "another type" },
        { PAY "-- name: a(id text[]) :many\n-- scope: system for pay\nSELECT 1 IN (:id);", 3, 1, "another type" },
        { PAY "-- name: a() :many\n-- scope: systems for pay\nSELECT 1;", 4, 11, "one role" },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
        assert_refusal(*state, parse(*state, CASES[i].text), &CASES[i]);
}

static void test_faults_of_form_are_refused(void **state)
{
    static const struct refusal CASES[] = {
        { "SELECT 1;", 1, 1, "without a name" },
        { "-- name: a(x text) :many\nSELECT 1;", 2, 1, "not used" },
        { "-- name: a() :many\nSELECT :x;", 2, 8, "not declared" },
        { "-- name: a() :many\nSELECT ?1;", 2, 8, "named with a colon" },
        { "-- name: a() :many\nSELECT $x;", 2, 8, "named with a colon" },
        { "-- name: a(x text) :many\nSELECT :x", 2, 1, "has no end" },
        { "-- name: a() :many\nSELECT 'x;", 2, 8, "no end" },
        { "-- name: a() :many\n", 1, 1, "no text" },
        { "-- name: a(x txt) :many\nSELECT :x;", 1, 14, "a type" },
        { "-- name: a(x text, x int) :many\nSELECT :x;", 1, 19, "two parameters" },
        { "-- name: a(caller text) :many\nSELECT :caller;", 1, 12, "filled in by the server" },
        { "-- name: a(x float[]) :many\nSELECT 1 IN (:x);", 1, 12, "list is of text or int" },
        { "-- name: a(x int[]) :many\nSELECT :x;", 2, 8, "somewhere else" },
        { "-- name: a :many\nSELECT 1;", 1, 12, "`(` is expected" },
        { "-- name: a() :some\nSELECT 1;", 1, 14, "kind is expected" },
        { "-- name: a() :must\nDELETE FROM x;", 1, 19, "what the reply is" },
        { "-- name: a() :must else 500 \"x\"\nDELETE FROM x;", 1, 25, "400 to 499" },
        { "-- name: a() :must else 409 x\nDELETE FROM x;", 1, 29, "double quotes" },
        { "-- name: a() :exec else 409 \"x\"\nDELETE FROM x;", 1, 24, "only :must" },
        { "-- name: a() :many now\nSELECT 1;", 1, 20, "nothing more" },
        { "-- name: a() :many\n-- returns: a int, a text\nSELECT 1 AS a;", 2, 19, "typed twice" },
        { "-- name: a() :many\n-- on: mysql\nSELECT 1;", 2, 8, "no such back end" },
        { "-- name: limen_a() :many\nSELECT 1;", 1, 10, "Limen's own" },
        { "-- effect: pay(x text) key :x\nSELECT :x;", 1, 24, "says where it goes" },
        { "-- effect: pay(x text) to y key :x\nSELECT :x;", 1, 27, "no such target" },
        { "-- effect: pay(x text) to payments.steal key :x\nSELECT :x;", 1, 27, "no such action" },
        { "-- effect: pay(x text) to payments\nSELECT :x;", 1, 35, "has a key" },
        { "-- effect: pay(x text) to payments key :y\nSELECT :x;", 1, 40, "no parameter" },
        { "-- effect: pay(x text) to payments key x\nSELECT :x;", 1, 40, "no parameter" },
        { "-- effect: pay(x text?) to payments key :x\nSELECT :x;", 1, 41, "never null" },
        { "-- effect: pay(x int) to payments key :x\nSELECT :x;", 1, 39, "never null" },
        { "-- effect: pay(x text, y int[]) to payments key :x\nSELECT :x;", 1, 32, "takes no list" },
        { "-- effect: pay(x text, y int) to payments key :x\nSELECT :x;", 2, 1, "not used" },
        { "-- effect: pay(x text) to payments key :x twice\nSELECT :x;", 1, 43, "nothing more" },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
        assert_refusal(*state, parse(*state, CASES[i].text), &CASES[i]);
    static const struct refusal TWICE = { "-- name: a() :many\nSELECT 1;\n-- name: a() :many\nSELECT 2;", 3, 10,
                                          "two statements" };
    assert_refusal(*state, parse(*state, TWICE.text), &TWICE);
}

static void test_all_faulty_statements_are_named(void **state)
{
    struct env *env = *state;
    assert_false(
        parse(env, "-- name: a() :some\nSELECT 1;\n-- name: b() :many\nSELECT 1;\n-- name: c() :many\nSELECT :x;\n"));
    assert_int_equal(env->diags.count, 2);
    assert_int_equal(env->diags.items[1].line, 6);
}

static void test_columns_are_typed_by_table_or_by_returns(void **state)
{
    struct env *env = *state;
    assert_true(describe(
        env,
        "-- name: a() :many\n-- returns: active bool, added_at time, n int?, meta json?\n"
        "SELECT id, note, price, active, added_at, meta, pic, price * 2 AS n FROM items;\n"
        "-- name: b() :many\nSELECT a.id, b.name FROM items AS a LEFT JOIN items AS b ON b.id = a.note;\n"
        "-- name: c() :many\nSELECT id, price FROM cheap;\n"
        "-- name: d() :many\n-- returns: other text?\nSELECT id, (SELECT name FROM items) AS other FROM items;\n"
        "-- name: e(what text) :returning\nINSERT INTO secrets (who, what) VALUES (:caller, :what) RETURNING id, "
        "what;\n"
        "-- name: f() :many\nSELECT s.id FROM secrets AS s WHERE EXISTS (SELECT 1 FROM items);\n"
        "-- name: g() :one\n-- returns: n int\nSELECT count(*) AS n FROM secrets, items;\n"));
    static const struct {
        enum limen_type type;
        bool is_nullable;
    } WANTED[] = {
        { LIMEN_TYPE_TEXT, false }, { LIMEN_TYPE_TEXT, true }, { LIMEN_TYPE_INT, false },  { LIMEN_TYPE_BOOL, false },
        { LIMEN_TYPE_TIME, false }, { LIMEN_TYPE_JSON, true }, { LIMEN_TYPE_BYTES, true }, { LIMEN_TYPE_INT, true },
    };
    const struct statement *a = &env->set.statements[0], *b = &env->set.statements[1], *e = &env->set.statements[4];
    assert_int_equal(a->column_count, 8);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(a->columns[i].type, WANTED[i].type);
        assert_int_equal(a->columns[i].is_nullable, WANTED[i].is_nullable);
    }
    assert_true(b->columns[0].is_nullable && b->columns[1].is_nullable);
    assert_false(env->set.statements[2].columns[0].is_nullable);
    assert_true(env->set.statements[3].columns[0].is_nullable);
    assert_int_equal(e->column_count, 2);
    assert_int_equal(e->columns[0].type, LIMEN_TYPE_INT);
    assert_false(e->columns[0].is_nullable || e->columns[1].is_nullable);
    assert_false(env->set.statements[5].columns[0].is_nullable);
}

static void test_statement_that_does_not_describe_is_refused(void **state)
{
    static const struct refusal CASES[] = {
        { "-- name: a() :many\nSELECT id,\n  nome FROM items;", 3, 3, "no such column: nome" },
        { "-- name: a(ids text[]) :many\nSELECT id FROM items WHERE id IN (:ids) AND nome = 1;", 2, 45,
          "no such column: nome" },
        { "-- name: a() :exec\nUPDATE secrets SET nome = 1;", 2, 1, "no such column: nome" },
        { "-- name: a() :exec\nUPDATE secrets SET what = nome;", 2, 27, "no such column: nome" },
        { "-- name: a() :many\nSELECT id FROM nowhere;", 2, 1, "no such table" },
        { "-- name: a() :many\nSELECT id \"FROM\" items WHERE;", 2, 18, "syntax error" },
        { "-- name: a() :many\nSELECT name FROM items WHERE name = \"x\";", 2, 37, "no such column" },
        { "-- name: a() :many\nSELECT price + 1 FROM items;", 2, 1, "no plain name" },
        { "-- name: a() :many\nSELECT price + 1 AS total FROM items;", 2, 1, "no table gives a type to 'total'" },
        { "-- name: a() :many\nSELECT id, name AS id FROM items;", 2, 1, "two result columns" },
        { "-- name: a() :many\n-- returns: price text\nSELECT price FROM items;", 3, 1, "does not fit" },
        { "-- name: a() :many\n-- returns: cost int\nSELECT price FROM items;", 3, 1, "no result column" },
        { "-- name: a() :many\nDELETE FROM items RETURNING id;", 2, 1, "writing in a :one or :many, to 'items'" },
        { "-- name: a() :exec\nSELECT id FROM items;", 2, 1, "writes nothing" },
        { "-- name: a() :exec\nDELETE FROM items RETURNING id;", 2, 1, "nobody reads" },
        { "-- name: a() :returning\nDELETE FROM items;", 2, 1, "gives no row" },
        { "-- name: a() :many\n-- returns: x int\nSELECT last_insert_rowid() AS x;", 3, 8, "not allowed" },
        { "-- name: a() :many\n-- returns: x text\nSELECT load_extension('x') AS x;", 3, 8, "not allowed" },
        { "-- name: a() :many\n-- returns: n int\nSELECT count(*) AS n FROM dbstat;", 3, 1, "not allowed" },
        { "-- effect: p(x text) to payments key :x\nUPDATE items SET name = :x;", 2, 1, "it writes" },
        { "-- effect: p(x text) to payments key :x\nSELECT id AS currency FROM items;", 2, 1,
          "must be sent a column 'amount'" },
        { "-- effect: p(x text) to payments key :x\nSELECT price AS amount FROM items;", 2, 1,
          "must be sent a column 'currency'" },
        { "-- effect: p(x text) to payments key :x\nSELECT name AS amount, id AS currency FROM items;", 2, 1,
          "in its type: 'amount'" },
        { "-- effect: p(x text) to payments key :x\nSELECT price AS amount, meta AS currency FROM items;", 2, 1,
          "may be null: 'currency'" },
        { "-- effect: p(x text) to payments key :x\nSELECT price AS amount, name AS currency, pic FROM items;", 2, 1,
          "in its type: 'pic'" },
        { "-- effect: p(x text) to payments key :x\nSELECT price + 1 AS amount, name AS currency FROM items;", 2, 1,
          "no table gives a type" },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
        assert_refusal(*state, describe(*state, CASES[i].text), &CASES[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(test_prototype_is_read),
        TEST(test_variant_of_the_back_end_is_chosen),
        TEST(test_text_that_steps_around_the_guards_is_refused),
        TEST(test_effect_is_read),
        TEST(test_results_of_the_system_are_read),
        TEST(test_what_no_result_of_an_effect_is_named_for_is_refused),
        TEST(test_faults_of_form_are_refused),
        TEST(test_all_faulty_statements_are_named),
        TEST(test_columns_are_typed_by_table_or_by_returns),
        TEST(test_statement_that_does_not_describe_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
