/* test_pg_guard.c - on a real PostgreSQL: rows have owners, columns are decided, and a guard that was altered is put back. */
#include "postgres_fixture.h"

/* ---- whose rows ------------------------------------------------------------------------------------------------------------------ */

static void test_statement_sees_the_rows_of_its_caller_alone(void **state)
{
    struct postgres_env *env = *state;
    struct files files = shop_files();
    limen_str out;
    assert_true(migrate(env, &files, true, &out));
    PGconn *pg = serve(env);
    assert_string_equal(postgres_ask(env, pg, "SELECT count(*) FROM orders"), "0");
    enter(pg, "ann", "");
    assert_string_equal(postgres_ask(env, pg, "SELECT string_agg(id, ' ') FROM orders"), "o1");
    assert_string_equal(postgres_ask(env, pg, "SELECT string_agg(order_id, ' ') FROM lines"), "o1");
    assert_string_equal(postgres_ask(env, pg, "SELECT count(*) FROM items"), "2");
    assert_string_equal(postgres_ask(env, pg, "UPDATE orders SET id = id WHERE id = 'o2' RETURNING id"), "");
    assert_string_equal(postgres_ask(env, pg, "DELETE FROM lines WHERE order_id = 'o2' RETURNING 1"), "");
    postgres_run(pg, "COMMIT");
    assert_string_equal(postgres_ask(env, pg, "SELECT count(*) FROM orders"), "0"); /* nobody's transaction */
    enter(pg, "", "");
    assert_string_equal(postgres_ask(env, pg, "SELECT count(*) FROM orders"), "0");
    postgres_run(pg, "COMMIT");
    PQfinish(pg);
}

static void test_rows_of_others_cannot_be_written(void **state)
{
    struct postgres_env *env = *state;
    struct files files = shop_files();
    static const char *const WRITES[] = { "INSERT INTO orders (id, customer_id) VALUES ('o3', 'bob')",
                                          "UPDATE orders SET customer_id = 'bob' WHERE id = 'o1'",
                                          "INSERT INTO lines (order_id, item_id, price) VALUES ('o2', 'apple', 3)" };
    limen_str out;
    assert_true(migrate(env, &files, true, &out));
    PGconn *pg = serve(env);
    for (size_t i = 0; i < sizeof WRITES / sizeof WRITES[0]; i++) {
        enter(pg, "ann", "");
        postgres_fails(pg, WRITES[i], "42501");
        postgres_run(pg, "ROLLBACK");
    }
    PQfinish(pg);
}

static void test_scope_lifts_the_filter_for_one_transaction(void **state)
{
    struct postgres_env *env = *state;
    struct files files = shop_files();
    limen_str out;
    assert_true(migrate(env, &files, true, &out));
    PGconn *pg = serve(env);
    enter(pg, "ann", "all");
    assert_string_equal(postgres_ask(env, pg, "SELECT count(*) FROM orders"), "2");
    postgres_run(pg, "INSERT INTO orders (id, customer_id) VALUES ('o3', 'bob')");
    postgres_run(pg, "COMMIT");
    enter(pg, "ann", "");
    assert_string_equal(postgres_ask(env, pg, "SELECT count(*) FROM orders"), "1");
    postgres_run(pg, "COMMIT");
    PQfinish(pg);
}

static void test_role_of_the_server_bypasses_nothing(void **state)
{
    struct postgres_env *env = *state;
    struct files files = shop_files();
    limen_str out;
    assert_true(migrate(env, &files, true, &out));
    PGconn *pg = serve(env);
    postgres_fails(pg, "SET row_security = off; SELECT count(*) FROM orders", "42501");
    postgres_run(pg, "RESET row_security");
    postgres_fails(pg, "ALTER TABLE orders DISABLE ROW LEVEL SECURITY", "42501");
    postgres_fails(pg, "DROP POLICY limen_caller ON orders", "42501");
    postgres_fails(pg, "TRUNCATE orders", "42501");
    postgres_fails(pg, "CREATE TABLE limen.x (a int)", "42501");
    postgres_fails(pg, "DELETE FROM limen.limen_migrations", "42501");
    assert_string_equal(postgres_ask(env, pg, "SET limen.migrates = 'on'; SELECT count(*) FROM orders"), "0");
    PQfinish(pg);
}

static void test_role_that_passes_policies_by_is_refused(void **state)
{
    struct postgres_env *env = *state;
    struct files files = shop_files();
    limen_str out;
    char sql[128];
    assert_true(migrate(env, &files, true, &out));
    const char *name = postgres_ask(env, env->pg, "SELECT current_database()");
    snprintf(sql, sizeof sql, "ALTER ROLE limen_%s BYPASSRLS", name);
    postgres_run(env->pg, sql);
    assert_false(open_as(env, env->url, &files, QUERIES, STORE_MIGRATE_AUTO));
    postgres_assert_fault(env, NULL, 0, "pass row-level security by");
}

static void test_filter_of_an_owner_is_answered_by_an_index(void **state)
{
    struct postgres_env *env = *state;
    struct files files = shop_files();
    limen_str out;
    files.items[2] = (struct limen_file){ LIMEN_STR("0003_index.sql"),
                                          LIMEN_STR("CREATE INDEX orders_of ON orders (customer_id, id);\n") };
    files.count = 3;
    assert_true(migrate(env, &files, true, &out));
    PGconn *pg = serve(env);
    postgres_run(pg, "SET enable_seqscan = off");
    enter(pg, "ann", "");
    const char *plan = postgres_ask(env, pg, "EXPLAIN (FORMAT json) SELECT id FROM orders ORDER BY id DESC LIMIT 1");
    assert_true(str_find(str_of(plan), LIMEN_STR("\"Index Cond\": \"(customer_id = NULLIF("), 0) != SIZE_MAX);
    postgres_run(pg, "COMMIT");
    PQfinish(pg);
}

/* ---- who decides ------------------------------------------------------------------------------------------------------------------- */

static void test_decided_column_takes_no_other_value(void **state)
{
    struct postgres_env *env = *state;
    struct files files = shop_files();
    limen_str out;
    assert_true(migrate(env, &files, true, &out));
    postgres_fails(env->pg, "INSERT INTO lines (order_id, item_id, price) VALUES ('o1', 'Pear', 1)",
                   PG_SQLSTATE_DECIDED);
    postgres_fails(env->pg, "UPDATE lines SET price = 1", PG_SQLSTATE_DECIDED);
    postgres_run(env->pg, "INSERT INTO lines (order_id, item_id, price) VALUES ('o1', 'Pear', 4)");
    postgres_run(env->pg, "UPDATE items SET price = 9"); /* a line keeps the price that it was sold for */
}

static void test_decision_reads_an_owned_table_past_its_owner(void **state)
{
    struct postgres_env *env = *state;
    limen_str out;
    struct files files = {
        { { LIMEN_STR("0001.sql"),
            LIMEN_STR("-- owner: seller\n"
                      "CREATE TABLE offers (id TEXT NOT NULL PRIMARY KEY, seller TEXT NOT NULL, price "
                      "INTEGER NOT NULL) STRICT;\n"
                      "CREATE TABLE sales (id TEXT NOT NULL PRIMARY KEY, offer_id TEXT NOT NULL "
                      "REFERENCES offers (id),\n"
                      "price INTEGER NOT NULL -- decided-by: offers.price via offer_id\n"
                      ") STRICT;\n"
                      "INSERT INTO offers (id, seller, price) VALUES ('f', 'bob', 5);\n") } },
        1
    };
    assert_true(migrate(env, &files, true, &out));
    PGconn *pg = serve(env);
    enter(pg, "ann", "");
    assert_string_equal(postgres_ask(env, pg, "SELECT count(*) FROM offers"), "0");
    postgres_run(pg, "INSERT INTO sales (id, offer_id, price) VALUES ('s', 'f', 5)");
    postgres_fails(pg, "INSERT INTO sales (id, offer_id, price) VALUES ('t', 'f', 4)", PG_SQLSTATE_DECIDED);
    postgres_run(pg, "ROLLBACK");
    PQfinish(pg);
}

static void test_guard_that_was_altered_is_found_and_put_back(void **state)
{
    struct postgres_env *env = *state;
    struct files files = shop_files();
    static const char *const CHANGES[] = {
        "ALTER TABLE orders DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE orders NO FORCE ROW LEVEL SECURITY",
        "ALTER POLICY limen_caller ON orders USING (true)",
        "DROP POLICY limen_caller ON lines",
        "CREATE POLICY more ON orders USING (true)",
        "ALTER TABLE lines DISABLE TRIGGER USER",
        "DO $$ BEGIN EXECUTE format('REVOKE SELECT ON items FROM limen_%s', current_database()); END $$",
    };
    limen_str out;
    assert_true(migrate(env, &files, true, &out));
    for (size_t i = 0; i < sizeof CHANGES / sizeof CHANGES[0]; i++) {
        postgres_run(env->pg, CHANGES[i]);
        assert_false(check(env, &files, QUERIES));
        postgres_assert_fault(env, NULL, 0, "guards are not those of the annotations");
        assert_false(open_as(env, env->url, &files, QUERIES, STORE_MIGRATE_OFF));
        assert_true(open_as(env, env->url, &files, QUERIES, STORE_MIGRATE_AUTO));
        assert_true(check(env, &files, QUERIES));
    }
}

/* What somebody keeps beside the app's tables is nobody's guard: it stops no start, and is not opened. */
static void test_table_that_no_migration_made_is_left_alone(void **state)
{
    struct postgres_env *env = *state;
    struct files files = shop_files();
    limen_str out;
    assert_true(migrate(env, &files, true, &out));
    postgres_run(env->pg,
                 "CREATE TABLE scratch (who text); ALTER TABLE scratch ENABLE ROW LEVEL SECURITY;"
                 "CREATE POLICY mine ON scratch USING (who = current_user); GRANT SELECT ON scratch TO PUBLIC");
    assert_true(check(env, &files, QUERIES));
    assert_true(open_as(env, env->url, &files, QUERIES, STORE_MIGRATE_OFF));
    postgres_run(env->pg, "ALTER TABLE orders NO FORCE ROW LEVEL SECURITY");
    assert_true(open_as(env, env->url, &files, QUERIES, STORE_MIGRATE_AUTO));
    assert_string_equal(postgres_ask(env, env->pg, "SELECT relrowsecurity FROM pg_class WHERE relname = 'scratch'"),
                        "t");
    postgres_run(env->pg, "DROP TABLE scratch");
    assert_true(open_as(env, env->url, &files, QUERIES, STORE_MIGRATE_OFF));
}

/* An older Limen on the guards of a newer one, which writes them otherwise. */
static void test_guards_of_a_newer_limen_are_gone_on_with(void **state)
{
    struct postgres_env *env = *state;
    struct files files = shop_files();
    limen_str out;
    assert_true(migrate(env, &files, true, &out));
    postgres_run(env->pg, "UPDATE limen.limen_guards SET wanted = '1000000 newer', found = 'newer'");
    for (int how = STORE_MIGRATE_AUTO; how <= STORE_MIGRATE_OFF; how++)
        assert_true(open_as(env, env->url, &files, QUERIES, (enum store_migrate)how));
    assert_string_equal(postgres_ask(env, env->pg, "SELECT found FROM limen.limen_guards"), "newer");
    assert_true(check(env, &files, QUERIES));
    assert_false(migrate(env, &files, true, &out));
    postgres_assert_fault(env, NULL, 0, "the database is ahead");
    postgres_run(env->pg, "ALTER TABLE orders NO FORCE ROW LEVEL SECURITY");
    assert_false(open_as(env, env->url, &files, QUERIES, STORE_MIGRATE_WAIT));
    postgres_assert_fault(env, "0001_tables.sql", 2, "no owner there");
    static const char *const OLDER[] = { "0 older", "older", "1000000x newer", "" };
    for (size_t i = 0; i < sizeof OLDER / sizeof OLDER[0]; i++) {
        char sql[128];
        snprintf(sql, sizeof sql, "UPDATE limen.limen_guards SET wanted = '%s'", OLDER[i]);
        postgres_run(env->pg, sql);
        assert_false(open_as(env, env->url, &files, QUERIES, STORE_MIGRATE_OFF));
        postgres_assert_fault(env, NULL, 0, "guards are not those of the annotations");
    }
    assert_true(open_as(env, env->url, &files, QUERIES, STORE_MIGRATE_AUTO));
}

/* Of a database with a name of its own, because its roles are named after it. */
static void test_guards_of_another_text_are_of_another_version(void **state)
{
    struct postgres_env *env = *state;
    struct files files = shop_files();
    limen_str out;
    char url[256];
    postgres_run(env->pg, "CREATE DATABASE limen_pinned");
    postgres_url(url, sizeof url, NULL, "limen_pinned");
    assert_true(migrate_as(env, url, &files, true, &out));
    PGconn *pg = PQconnectdb(url);
    const char *noted = postgres_ask(env, pg, "SELECT wanted FROM limen.limen_guards");
    PQfinish(pg);
    postgres_run(env->pg, "DROP DATABASE limen_pinned");
    postgres_run(env->pg, "DROP ROLE limen_limen_pinned, limen_limen_pinned_all");
    assert_string_equal(
        noted,
        "1 2c41f8259b21a1688aeb74f7cc66b8dab5834dc1ba62e650a75690dfe538334e"); /* it differs: raise PG_GUARDS_VERSION, and write both here */
}

int main(void)
{
    if (getenv("LIMEN_TEST_POSTGRES") == NULL)
        return 77; /* skipped: tests/lib/with_postgres has no PostgreSQL to start */
    const struct CMUnitTest tests[] = {
        CASE(test_statement_sees_the_rows_of_its_caller_alone),
        CASE(test_rows_of_others_cannot_be_written),
        CASE(test_scope_lifts_the_filter_for_one_transaction),
        CASE(test_role_of_the_server_bypasses_nothing),
        CASE(test_role_that_passes_policies_by_is_refused),
        CASE(test_filter_of_an_owner_is_answered_by_an_index),
        CASE(test_decided_column_takes_no_other_value),
        CASE(test_decision_reads_an_owned_table_past_its_owner),
        CASE(test_guard_that_was_altered_is_found_and_put_back),
        CASE(test_table_that_no_migration_made_is_left_alone),
        CASE(test_guards_of_a_newer_limen_are_gone_on_with),
        CASE(test_guards_of_another_text_are_of_another_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
