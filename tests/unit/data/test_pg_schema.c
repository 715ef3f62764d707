/* test_pg_schema.c - on a real PostgreSQL: migrations are applied once, rows have owners, columns are decided, and what is not as it was
 * described is found. */
#include "postgres_fixture.h"

#include <dirent.h>
#include <sys/wait.h>

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

static struct files shop_files(void)
{
    return (struct files){
        { { LIMEN_STR("0001_tables.sql"), str_of(TABLES) }, { LIMEN_STR("0002_rows.sql"), str_of(ROWS) } }, 2
    };
}

static bool migrate_as(struct postgres_env *env, const char *url, const struct files *files, bool apply,
                       limen_str *ret_out)
{
    struct buf out;
    env->diags.count = 0;
    buf_init(&out, &env->arena, 256);
    bool good = pg_store_migrate(str_of(url), files->items, files->count, apply, &out, &env->arena, &env->diags);
    *ret_out = buf_str(&out);
    return good;
}

static bool migrate(struct postgres_env *env, const struct files *files, bool apply, limen_str *ret_out)
{
    return migrate_as(env, env->url, files, apply, ret_out);
}

/* What a start of the server does. */
static bool open_as(struct postgres_env *env, const char *url, const struct files *files, const char *queries, int how)
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
static PGconn *serve(struct postgres_env *env)
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

static void enter(PGconn *pg, const char *caller, const char *scope)
{
    const char *params[] = { caller, scope, "1000" };
    postgres_run(pg, "BEGIN");
    PGresult *result = PQexecParams(pg, PG_ENTER_SQL, 3, NULL, params, NULL, NULL, 0);
    assert_int_equal(PQresultStatus(result), PGRES_TUPLES_OK);
    PQclear(result);
}

/* ---- migrations --------------------------------------------------------------------------------------------------------------- */

static void test_migrations_are_shown_and_applied_once(void **state)
{
    struct postgres_env *env = *state;
    struct files files = shop_files();
    limen_str out;
    assert_true(migrate(env, &files, false, &out));
    assert_text(out, "pending 0001_tables.sql\npending 0002_rows.sql\n");
    assert_true(migrate(env, &files, true, &out));
    assert_text(out, "applied now 0001_tables.sql\napplied now 0002_rows.sql\n");
    assert_true(migrate(env, &files, true, &out));
    assert_text(out, "applied 0001_tables.sql\napplied 0002_rows.sql\n");
    assert_string_equal(postgres_ask(env, env->pg, "SELECT count(*) FROM items"), "2");
}

static void test_copies_that_start_together_apply_once(void **state)
{
    struct postgres_env *env = *state;
    pid_t copies[5];
    for (size_t i = 0; i < 5; i++) {
        copies[i] = fork();
        assert_true(copies[i] >= 0);
        if (copies[i] == 0) {
            struct files files = shop_files();
            _exit(open_as(env, env->url, &files, QUERIES, STORE_MIGRATE_AUTO) ? 0 : 1);
        }
    }
    for (size_t i = 0; i < 5; i++) {
        int status = -1;
        assert_int_equal(waitpid(copies[i], &status, 0), copies[i]);
        assert_int_equal(status, 0);
    }
    assert_string_equal(postgres_ask(env, env->pg, "SELECT count(*) FROM items"), "2");
    assert_string_equal(postgres_ask(env, env->pg, "SELECT count(*) FROM limen.limen_migrations"), "2");
    assert_string_equal(postgres_ask(env, env->pg, "SELECT count(*) FROM limen.limen_guards"), "1");
}

static void test_one_waits_until_another_has_migrated(void **state)
{
    struct postgres_env *env = *state;
    struct files files = shop_files();
    limen_str out;
    pid_t waiting = fork();
    assert_true(waiting >= 0);
    if (waiting == 0)
        _exit(open_as(env, env->url, &files, QUERIES, STORE_MIGRATE_WAIT) ? 0 : 1);
    int status = -1;
    usleep(300000);
    assert_int_equal(waitpid(waiting, &status, WNOHANG), 0);
    assert_true(migrate(env, &files, true, &out));
    assert_int_equal(waitpid(waiting, &status, 0), waiting);
    assert_int_equal(status, 0);
}

/* The schema is there before it is opened to the roles: whoever looks then is not turned away for good. */
static void test_one_that_may_not_look_yet_waits(void **state)
{
    struct postgres_env *env = *state;
    struct files files = shop_files();
    limen_str out;
    char url[256], sql[128];
    const char *name = postgres_ask(env, env->pg, "SELECT current_database()");
    postgres_run(env->pg, "CREATE ROLE patient LOGIN PASSWORD 'x'; CREATE SCHEMA limen");
    snprintf(url, sizeof url, "postgresql://patient:x%s", strchr(env->url + strlen("postgresql://"), '@'));
    pid_t waiting = fork();
    assert_true(waiting >= 0);
    if (waiting == 0)
        _exit(open_as(env, url, &files, QUERIES, STORE_MIGRATE_WAIT) ? 0 : 1);
    int status = -1;
    usleep(300000);
    assert_int_equal(waitpid(waiting, &status, WNOHANG), 0);
    assert_true(migrate(env, &files, true, &out));
    snprintf(sql, sizeof sql, "GRANT limen_%s, limen_%s_all TO patient", name, name);
    postgres_run(env->pg, sql);
    assert_int_equal(waitpid(waiting, &status, 0), waiting);
    assert_int_equal(status, 0);
}

static void test_pending_is_refused_when_off(void **state)
{
    struct postgres_env *env = *state;
    struct files files = shop_files();
    assert_false(open_as(env, env->url, &files, QUERIES, STORE_MIGRATE_OFF));
    postgres_assert_fault(env, NULL, 0, "migrations are pending");
}

static void test_changed_migration_is_refused(void **state)
{
    struct postgres_env *env = *state;
    struct files files = shop_files();
    limen_str out;
    assert_true(migrate(env, &files, true, &out));
    files.items[0].bytes = arena_printf(&env->arena, "%s-- more\n", TABLES);
    assert_false(migrate(env, &files, true, &out));
    postgres_assert_fault(env, "0001_tables.sql", 1, "changed after it was applied");
}

static void test_failed_migration_leaves_nothing_and_names_its_line(void **state)
{
    struct postgres_env *env = *state;
    struct files files = shop_files();
    limen_str out;
    files.items[2] = (struct limen_file){ LIMEN_STR("0003_more.sql"),
                                          LIMEN_STR("CREATE TABLE more (id TEXT NOT NULL PRIMARY KEY) STRICT;\n"
                                                    "INSERT INTO more (id)\n  VALUES (nothing());\n") };
    files.count = 3;
    assert_false(migrate(env, &files, true, &out));
    postgres_assert_fault(env, "0003_more.sql", 3, "function nothing() does not exist");
    assert_int_equal(env->diags.items[0].column, 11);
    assert_string_equal(postgres_ask(env, env->pg, "SELECT to_regclass('public.more') IS NULL"), "t");
    assert_string_equal(postgres_ask(env, env->pg, "SELECT count(*) FROM limen.limen_migrations"), "2");
}

static void test_older_version_starts_on_a_database_that_is_ahead(void **state)
{
    struct postgres_env *env = *state;
    struct files files = shop_files();
    limen_str out;
    files.items[2] = (struct limen_file){ LIMEN_STR("0003_more.sql"),
                                          LIMEN_STR("ALTER TABLE items ADD COLUMN note TEXT;\n") };
    files.count = 3;
    assert_true(migrate(env, &files, true, &out));
    struct files older = shop_files();
    assert_true(open_as(env, env->url, &older, QUERIES, STORE_MIGRATE_AUTO));
    assert_string_equal(postgres_ask(env, env->pg, "SELECT count(*) FROM limen.limen_migrations"), "3");
    postgres_run(env->pg, "ALTER TABLE orders NO FORCE ROW LEVEL SECURITY");
    assert_false(open_as(env, env->url, &older, QUERIES, STORE_MIGRATE_AUTO));
    postgres_assert_fault(env, "0001_tables.sql", 2, "no owner there");
}

static void test_migration_that_changes_rows_sees_all_owners(void **state)
{
    struct postgres_env *env = *state;
    struct files files = shop_files();
    limen_str out;
    char url[256];
    postgres_run(env->pg,
                 "CREATE ROLE an_owner LOGIN CREATEROLE PASSWORD 'x'; "
                 "DO $$ BEGIN EXECUTE format('GRANT ALL ON DATABASE %I TO an_owner', current_database()); END $$;"
                 "GRANT ALL ON SCHEMA public TO an_owner");
    snprintf(url, sizeof url, "%s", env->url);
    limen_str rest = str_of(strchr(strchr(env->url, '/') + 2, '@'));
    snprintf(url, sizeof url, "postgresql://an_owner:x%.*s", LIMEN_STR_ARG(rest));
    assert_true(migrate_as(env, url, &files, true, &out));
    files.items[2] = (struct limen_file){ LIMEN_STR("0003_more.sql"),
                                          LIMEN_STR("UPDATE orders SET customer_id = customer_id || '_';\n") };
    files.count = 3;
    assert_true(migrate_as(env, url, &files, true, &out));
    assert_string_equal(postgres_ask(env, env->pg, "SELECT string_agg(customer_id, ' ' ORDER BY id) FROM orders"),
                        "ann_ bob_");
    assert_true(open_as(env, url, &files, QUERIES, STORE_MIGRATE_AUTO));
}

static void test_numbers_count_on_from_the_largest(void **state)
{
    struct postgres_env *env = *state;
    struct files files = { { { LIMEN_STR("0001.sql"),
                               LIMEN_STR("CREATE TABLE a (id INTEGER PRIMARY KEY, note TEXT) STRICT;\n"
                                         "CREATE TABLE b (id INTEGER PRIMARY KEY, note TEXT) STRICT;\n"
                                         "INSERT INTO a (id, note) VALUES (7, 'x');\n") } },
                           1 };
    limen_str out;
    assert_true(migrate(env, &files, true, &out));
    assert_string_equal(postgres_ask(env, env->pg, "INSERT INTO a (note) VALUES ('y') RETURNING id"), "8");
    assert_string_equal(postgres_ask(env, env->pg, "INSERT INTO b (note) VALUES ('y') RETURNING id"), "1");
}

static void test_variant_may_make_functions_and_triggers(void **state)
{
    struct postgres_env *env = *state;
    struct files files = {
        { { LIMEN_STR("0001.sql"),
            LIMEN_STR("CREATE TABLE a (id TEXT NOT NULL PRIMARY KEY, n INTEGER NOT NULL) STRICT;\n"
                      "-- on: sqlite\n"
                      "CREATE TRIGGER t AFTER INSERT ON a BEGIN UPDATE a SET n = n + 1 WHERE id = NEW.id; END;\n"
                      "-- on: postgresql\n"
                      "CREATE FUNCTION more() RETURNS trigger LANGUAGE plpgsql AS $$\n"
                      "BEGIN NEW.n = NEW.n + 1; RETURN NEW; END; $$;\n"
                      "-- on: postgresql\n"
                      "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION more();\n") } },
        1
    };
    limen_str out;
    assert_true(migrate(env, &files, true, &out));
    assert_string_equal(postgres_ask(env, env->pg, "INSERT INTO a (id, n) VALUES ('x', 1) RETURNING n"), "2");
}

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

/* ---- drift -------------------------------------------------------------------------------------------------------------------------- */

static bool check(struct postgres_env *env, const struct files *files, const char *queries)
{
    struct query_set set;
    env->diags.count = 0;
    assert_true(queries_parse(str_of(queries), LIMEN_STR("queries.sql"), LIMEN_STR("postgresql"), &env->arena, &set,
                              &env->diags));
    assert_true(store_describe(&set, files->items, files->count, &env->arena, &env->diags));
    return pg_check(str_of(env->url), &set, files->items, files->count, &env->arena, &env->diags);
}

static void test_check_finds_what_is_not_as_described(void **state)
{
    struct postgres_env *env = *state;
    struct files files = shop_files();
    static const struct {
        const char *change, *undo;
        uint32_t line;
        const char *message;
    } CASES[] = {
        { "ALTER TABLE items RENAME COLUMN price TO cost", "ALTER TABLE items RENAME COLUMN cost TO price", 4,
          "column \"price\" does not exist" },
        { "ALTER TABLE items ALTER COLUMN price TYPE numeric", "ALTER TABLE items ALTER COLUMN price TYPE bigint", 6,
          "column 'price' is of another type in PostgreSQL: numeric" },
        { "ALTER TABLE items ALTER COLUMN price DROP NOT NULL", "ALTER TABLE items ALTER COLUMN price SET NOT NULL", 6,
          "column 'price' may be null in PostgreSQL" },
    };
    limen_str out;
    assert_false(check(env, &files, QUERIES));
    postgres_assert_fault(env, NULL, 0, "migrations are pending");
    assert_true(migrate(env, &files, true, &out));
    assert_true(check(env, &files, QUERIES));
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        postgres_run(env->pg, CASES[i].change);
        assert_false(check(env, &files, QUERIES));
        postgres_assert_fault(env, "queries.sql", CASES[i].line, CASES[i].message);
        postgres_run(env->pg, CASES[i].undo);
    }
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

/* ---- who may ------------------------------------------------------------------------------------------------------------------------ */

static void test_stranger_is_told_which_grants_are_missing(void **state)
{
    struct postgres_env *env = *state;
    struct files files = shop_files();
    limen_str out;
    char url[256], sql[128];
    assert_true(migrate(env, &files, true, &out));
    postgres_run(env->pg, "CREATE ROLE stranger LOGIN PASSWORD 'x'");
    snprintf(url, sizeof url, "postgresql://stranger:x%s", strchr(env->url + strlen("postgresql://"), '@'));
    assert_false(open_as(env, url, &files, QUERIES, STORE_MIGRATE_AUTO));
    assert_true(str_find(env->diags.items[0].mend, LIMEN_STR("GRANT \"limen_"), 0) != SIZE_MAX);
    assert_true(str_find(env->diags.items[0].file, LIMEN_STR(":x@"), 0) == SIZE_MAX);
    const char *name = postgres_ask(env, env->pg, "SELECT current_database()");
    snprintf(sql, sizeof sql, "GRANT limen_%s, limen_%s_all TO stranger", name, name);
    postgres_run(env->pg, sql);
    assert_true(open_as(env, url, &files, QUERIES, STORE_MIGRATE_AUTO));
}

static void test_database_in_another_encoding_is_refused(void **state)
{
    struct postgres_env *env = *state;
    struct files files = shop_files();
    limen_str out;
    char url[256];
    postgres_run(env->pg, "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' LOCALE_PROVIDER libc TEMPLATE template0");
    postgres_url(url, sizeof url, NULL, "latin");
    assert_false(migrate_as(env, url, &files, true, &out));
    postgres_assert_fault(env, NULL, 0, "not in UTF-8");
}

static void test_text_is_sorted_by_its_bytes(void **state)
{
    struct postgres_env *env = *state;
    struct files files = shop_files();
    limen_str out;
    assert_true(migrate(env, &files, true, &out));
    assert_string_equal(postgres_ask(env, env->pg, "SELECT 'apple' < 'Pear'"), "t"); /* the database's own order */
    assert_string_equal(postgres_ask(env, env->pg, "SELECT string_agg(id, ' ' ORDER BY id) FROM items"), "Pear apple");
}

static void test_key_is_made_listed_and_revoked(void **state)
{
    struct postgres_env *env = *state;
    struct files files = shop_files();
    struct store_keys_config config = { .url = str_of(env->url) };
    char text[API_KEY_TEXT_BYTES];
    struct buf out;
    limen_str shown;
    assert_false(pg_key_add(&config, LIMEN_STR("till"), 0, text, &env->arena, &env->diags));
    postgres_assert_fault(env, NULL, 0, "cannot be kept there yet");
    assert_true(migrate(env, &files, true, &shown));
    assert_true(pg_key_add(&config, LIMEN_STR("till"), 0, text, &env->arena, &env->diags));
    limen_str id = str_of(postgres_ask(env, env->pg, "SELECT id FROM limen.limen_api_keys"));
    buf_init(&out, &env->arena, 256);
    assert_true(pg_key_list(&config, &out, &env->arena, &env->diags));
    assert_true(str_starts(buf_str(&out), id) && str_find(buf_str(&out), LIMEN_STR("active  : till"), 0) != SIZE_MAX);
    assert_true(pg_key_revoke(&config, id, &env->arena, &env->diags));
    assert_false(pg_key_revoke(&config, id, &env->arena, &env->diags));
    assert_string_equal(postgres_ask(env, env->pg, "SELECT count(revoked_at) FROM limen.limen_api_keys"), "1");
}

static void test_first_account_is_made_once(void **state)
{
    struct postgres_env *env = *state;
    struct files files = shop_files();
    limen_str out;
    assert_true(migrate(env, &files, true, &out));
    assert_true(pg_first_account(env->pg, NULL, LIMEN_STR("acc"), LIMEN_STR("A@x.example"), LIMEN_STR("hash"), 0));
    assert_false(pg_first_account(env->pg, NULL, LIMEN_STR("two"), LIMEN_STR("b@x.example"), LIMEN_STR("hash"), 0));
    assert_string_equal(postgres_ask(env, env->pg, "SELECT email FROM limen.limen_credentials"), "a@x.example");
}

/* ---- the reference app --------------------------------------------------------------------------------------------------------------- */

static limen_str read_source(struct postgres_env *env, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/apps/shop/%s", getenv("LIMEN_SOURCE_DIR"), name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    struct buf text;
    buf_init(&text, &env->arena, 64U * 1024);
    for (size_t count = 1; count > 0;) {
        char *room = buf_reserve(&text, 4096);
        assert_non_null(room);
        count = fread(room, 1, 4096, file);
        text.len += count;
    }
    fclose(file);
    return buf_str(&text);
}

static struct files read_migrations(struct postgres_env *env)
{
    struct files files = { 0 };
    char folder[512], name[300];
    snprintf(folder, sizeof folder, "%s/apps/shop/migrations", getenv("LIMEN_SOURCE_DIR"));
    DIR *listing = opendir(folder);
    assert_non_null(listing);
    for (const struct dirent *entry; (entry = readdir(listing)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        assert_true(files.count < sizeof files.items / sizeof files.items[0]);
        snprintf(name, sizeof name, "migrations/%s", entry->d_name);
        files.items[files.count++] = (struct limen_file){ arena_copy(&env->arena, str_of(entry->d_name)),
                                                          read_source(env, name) };
    }
    closedir(listing);
    return files;
}

static void test_shop_needs_no_word_of_its_own(void **state)
{
    struct postgres_env *env = *state;
    struct files files = read_migrations(env);
    limen_str queries = read_source(env, "queries.sql");
    const char *text = arena_copy(&env->arena, queries).ptr;
    if (!open_as(env, env->url, &files, text, STORE_MIGRATE_AUTO))
        postgres_assert_fault(env, "", 0, "");
    assert_true(check(env, &files, text));
    assert_string_equal(postgres_ask(env, env->pg, "SELECT count(*) FROM items"), "24");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, postgres_setup, postgres_teardown)

int main(void)
{
    if (getenv("LIMEN_TEST_POSTGRES") == NULL)
        return 77; /* skipped: tests/lib/with_postgres has no PostgreSQL to start */
    const struct CMUnitTest tests[] = {
        CASE(test_migrations_are_shown_and_applied_once),
        CASE(test_copies_that_start_together_apply_once),
        CASE(test_one_waits_until_another_has_migrated),
        CASE(test_one_that_may_not_look_yet_waits),
        CASE(test_pending_is_refused_when_off),
        CASE(test_changed_migration_is_refused),
        CASE(test_failed_migration_leaves_nothing_and_names_its_line),
        CASE(test_older_version_starts_on_a_database_that_is_ahead),
        CASE(test_migration_that_changes_rows_sees_all_owners),
        CASE(test_numbers_count_on_from_the_largest),
        CASE(test_variant_may_make_functions_and_triggers),
        CASE(test_filter_of_an_owner_is_answered_by_an_index),
        CASE(test_statement_sees_the_rows_of_its_caller_alone),
        CASE(test_rows_of_others_cannot_be_written),
        CASE(test_scope_lifts_the_filter_for_one_transaction),
        CASE(test_role_of_the_server_bypasses_nothing),
        CASE(test_role_that_passes_policies_by_is_refused),
        CASE(test_decided_column_takes_no_other_value),
        CASE(test_decision_reads_an_owned_table_past_its_owner),
        CASE(test_check_finds_what_is_not_as_described),
        CASE(test_guard_that_was_altered_is_found_and_put_back),
        CASE(test_stranger_is_told_which_grants_are_missing),
        CASE(test_database_in_another_encoding_is_refused),
        CASE(test_text_is_sorted_by_its_bytes),
        CASE(test_key_is_made_listed_and_revoked),
        CASE(test_first_account_is_made_once),
        CASE(test_shop_needs_no_word_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
