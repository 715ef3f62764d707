/* test_migrate.c - migrations: in order, once, unchanged, all or nothing; and annotations, which are never read over. */
#include "check.h"
#include "core/arena.h"
#include "core/loop.h"
#include "data/store.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct env {
    struct arena arena;
    struct diags diags;
    char path[64], url[80];
};

static int setup(void **state)
{
    struct env *env = test_calloc(1, sizeof *env);
    arena_init(&env->arena, NULL, 16U * 1024 * 1024);
    diags_init(&env->diags, &env->arena);
    snprintf(env->path, sizeof env->path, "/tmp/limen-migrate-XXXXXX");
    int fd = mkstemp(env->path);
    assert_true(fd >= 0);
    close(fd);
    snprintf(env->url, sizeof env->url, "sqlite:%s", env->path);
    *state = env;
    return 0;
}

static int teardown(void **state)
{
    struct env *env = *state;
    static const char *const TAILS[] = { "", "-wal", "-shm" };
    for (size_t i = 0; i < 3; i++) {
        char path[80];
        snprintf(path, sizeof path, "%s%s", env->path, TAILS[i]);
        (void)unlink(path);
    }
    arena_release(&env->arena);
    test_free(env);
    return 0;
}

static struct limen_file file_of(const char *name, const char *text)
{
    return (struct limen_file){ str_of(name), str_of(text) };
}

/* store_migrate, with what it prints. */
static bool migrate(struct env *env, const struct limen_file *files, size_t count, bool apply, limen_str *ret_out)
{
    struct buf out;
    env->diags.count = 0;
    buf_init(&out, &env->arena, 256);
    bool good = store_migrate(str_of(env->url), files, count, apply, &out, &env->arena, &env->diags);
    *ret_out = buf_str(&out);
    return good;
}

static int64_t ask(struct env *env, const char *sql)
{
    sqlite3 *handle = NULL;
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(sqlite3_open(env->path, &handle), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(handle, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(handle);
    return value;
}

static void assert_fault(const struct env *env, limen_str file, uint32_t line, const char *message)
{
    assert_true(env->diags.count > 0);
    const struct diag *got = &env->diags.items[0];
    bool is_it = str_equal(got->file, file) && got->line == line
        && str_find(got->message, str_of(message), 0) != SIZE_MAX;
    if (!is_it)
        print_error("%.*s:%u: %.*s is not %u: %s\n", LIMEN_STR_ARG(got->file), got->line, LIMEN_STR_ARG(got->message),
                    line, message);
    assert_true(is_it);
}

static void test_migrations_are_applied_in_order_and_once(void **state)
{
    struct env *env = *state;
    struct limen_file files[] = { file_of("0002_b.sql", "INSERT INTO t (n) VALUES (2);"),
                                  file_of("0001_a.sql",
                                          "CREATE TABLE t (n INTEGER) STRICT;\nINSERT INTO t (n) VALUES (1);") };
    limen_str out;
    assert_true(migrate(env, files, 2, /* apply= */ false, &out));
    assert_text(out, "pending 0001_a.sql\npending 0002_b.sql\n");
    assert_true(migrate(env, &files[1], 1, /* apply= */ true, &out));
    assert_text(out, "applied now 0001_a.sql\n");
    assert_true(migrate(env, files, 2, /* apply= */ false, &out));
    assert_text(out, "applied 0001_a.sql\npending 0002_b.sql\n");
    assert_true(migrate(env, files, 2, /* apply= */ true, &out));
    assert_true(migrate(env, files, 2, /* apply= */ true, &out));
    assert_text(out, "applied 0001_a.sql\napplied 0002_b.sql\n");
    assert_int_equal(ask(env, "SELECT count(*) * 100 + sum(n) FROM t"), 203);
}

static void test_changed_missing_and_late_migrations_are_refused(void **state)
{
    struct env *env = *state;
    struct limen_file files[] = { file_of("0002_a.sql", "CREATE TABLE t (n INTEGER) STRICT;"),
                                  file_of("0003_b.sql", "CREATE TABLE u (n INTEGER) STRICT;") };
    limen_str out;
    assert_true(migrate(env, files, 2, /* apply= */ true, &out));
    struct limen_file changed[] = { file_of("0002_a.sql", "CREATE TABLE t (n INTEGER) STRICT; "), files[1] };
    assert_false(migrate(env, changed, 2, /* apply= */ true, &out));
    assert_fault(env, LIMEN_STR("0002_a.sql"), 1, "changed after it was applied");
    assert_false(migrate(env, files, 1, /* apply= */ true, &out));
    assert_fault(env, str_of(env->url), 0, "the database is ahead");
    assert_false(migrate(env, &files[1], 1, /* apply= */ true, &out));
    assert_fault(env, LIMEN_STR("0002_a.sql"), 0, "not here");
    struct limen_file late[] = { file_of("0001_late.sql", "CREATE TABLE v (n INTEGER) STRICT;"), files[0], files[1] };
    assert_false(migrate(env, late, 3, /* apply= */ true, &out));
    assert_fault(env, LIMEN_STR("0001_late.sql"), 1, "stands before one that has been applied");
    assert_int_equal(ask(env, "SELECT count(*) FROM sqlite_schema WHERE name = 'v'"), 0);
}

static void test_migration_that_fails_leaves_nothing(void **state)
{
    struct env *env = *state;
    struct limen_file files[] = { file_of("0001_a.sql", "CREATE TABLE t (n INTEGER) STRICT;"),
                                  file_of("0002_b.sql",
                                          "INSERT INTO t (n) VALUES (1);\n\nINSERT INTO t (n) VALUES ('x');") };
    limen_str out;
    assert_false(migrate(env, files, 2, /* apply= */ true, &out));
    assert_fault(env, LIMEN_STR("0002_b.sql"), 3, "cannot store TEXT value");
    assert_int_equal(ask(env, "SELECT count(*) FROM t"), 0);
    assert_true(migrate(env, files, 2, /* apply= */ false, &out));
    assert_text(out, "applied 0001_a.sql\npending 0002_b.sql\n");
}

static void test_statements_are_split_around_triggers_strings_and_comments(void **state)
{
    struct env *env = *state;
    struct limen_file file = file_of(
        "0001_a.sql",
        "/* one; */ CREATE TABLE t (n INTEGER, s TEXT DEFAULT ';') STRICT; -- two;\n"
        "CREATE TRIGGER up AFTER INSERT ON t WHEN CASE WHEN NEW.n > 1 THEN 1 ELSE 0 END BEGIN UPDATE t SET n = CASE n "
        "WHEN 2 THEN 20 END WHERE n = 2; DELETE FROM t WHERE n = 5; END;\n"
        "-- on: postgresql\nINSERT INTO t (n) VALUES (nextval('x'));\n-- on: sqlite\nINSERT INTO t (n) VALUES "
        "(2);\nINSERT INTO t (n, s) VALUES (1, 'it''s; fine');");
    limen_str out;
    assert_true(migrate(env, &file, 1, /* apply= */ true, &out));
    assert_int_equal(ask(env, "SELECT count(*) * 100 + sum(n) FROM t"), 221);
}

/* What is refused, with the line. */
static void test_what_would_not_be_kept_is_refused(void **state)
{
    static const char ITEMS[] =
        "CREATE TABLE items (id TEXT PRIMARY KEY, price INTEGER NOT NULL, maybe INTEGER) STRICT;\n";
    static const struct {
        const char *text;
        uint32_t line;
        const char *message;
    } CASES[] = {
        { "CREATE TABLE t (n INTEGER);", 2, "not STRICT" },
        { "PRAGMA foreign_keys = OFF;", 2, "starts with" },
        { "BEGIN;", 2, "starts with" },
        { "CREATE TEMP TABLE t (n INTEGER);", 2, "temporary" },
        { "CREATE TABLE limen_x (n INTEGER) STRICT;", 2, "Limen's own" },
        { "CREATE TABLE main.t (n INTEGER) STRICT;", 2, "names no schema" },
        { "CREATE TABLE t (n INTEGER UNIQUE ON CONFLICT REPLACE) STRICT;", 2, "conflict clause" },
        { "CREATE TABLE t (n INTEGER) STRICT", 2, "no end" },
        { "-- owner: who\nCREATE TABLE t (n INTEGER) STRICT;", 2, "no column 'who'" },
        { "-- owner: who\nCREATE TABLE t (who TEXT) STRICT;", 2, "may be null" },
        { "-- owner: who what\nCREATE TABLE t (who TEXT NOT NULL) STRICT;", 2, "cannot be read" },
        { "-- owner: who\nCREATE INDEX i ON items (price);", 2, "no CREATE TABLE" },
        { "CREATE TABLE t (\n-- owner: who\nwho TEXT NOT NULL) STRICT;", 3, "inside a statement" },
        { "-- owner: via items.item_id\nCREATE TABLE t (item_id TEXT NOT NULL REFERENCES items) STRICT;", 2,
          "which has none" },
        { "-- owner: who\nCREATE TABLE o (id TEXT PRIMARY KEY, who TEXT NOT NULL) STRICT;\n-- owner: via "
          "o.o_id\nCREATE TABLE t (o_id TEXT NOT NULL) STRICT;",
          4, "does not refer" },
        { "-- owner: who\nCREATE TABLE o (who TEXT NOT NULL) STRICT;\nCREATE VIEW v AS SELECT count(*) AS n FROM o;", 4,
          "all owners' rows" },
        { "-- owner: who\nCREATE TABLE o (who TEXT NOT NULL) STRICT;\nALTER TABLE o RENAME COLUMN who TO whom;\nALTER "
          "TABLE o RENAME TO p;\n-- owner: who\nCREATE TABLE o (n INTEGER) STRICT;",
          6, "no column" },
        { "CREATE TABLE t (\n  item_id TEXT NOT NULL REFERENCES items,\n  p INTEGER -- decided-by: items.price via "
          "item_id\n) STRICT;",
          4, "may be null" },
        { "CREATE TABLE t (\n  item_id TEXT REFERENCES items,\n  p INTEGER NOT NULL -- decided-by: items.price via "
          "item_id\n) STRICT;",
          4, "may be null" },
        { "CREATE TABLE t (\n  item_id TEXT NOT NULL,\n  p INTEGER NOT NULL -- decided-by: items.price via item_id\n) "
          "STRICT;",
          4, "does not refer" },
        { "CREATE TABLE t (\n  item_id TEXT NOT NULL REFERENCES items,\n  p INTEGER NOT NULL -- decided-by: items.cost "
          "via item_id\n) STRICT;",
          4, "no column 'cost'" },
        { "CREATE TABLE t (\n  item_id TEXT NOT NULL REFERENCES items,\n  p INTEGER NOT NULL -- decided-by: "
          "items.maybe via item_id\n) STRICT;",
          4, "may be null" },
        { "CREATE TABLE t (\n  -- decided-by: items.price via item_id\n  item_id TEXT NOT NULL REFERENCES items) "
          "STRICT;",
          3, "beside no column" },
        { "CREATE TABLE t (p INTEGER NOT NULL -- decided-by: items.price\n) STRICT;", 2, "cannot be read" },
        { "-- decided-by: items.price via item_id\nCREATE TABLE t (p INTEGER NOT NULL) STRICT;", 2, "above no column" },
        { "ALTER TABLE items ADD COLUMN p INTEGER; -- decided-by: items.price via item_id\n", 2, "no CREATE TABLE" },
    };
    struct env *env = *state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        char text[1024];
        snprintf(text, sizeof text, "%s%s", ITEMS, CASES[i].text);
        struct limen_file file = file_of("0001_a.sql", text);
        struct query_set none = { .file = LIMEN_STR("queries.sql") };
        env->diags.count = 0;
        bool good = store_describe(&none, &file, 1, &env->arena, &env->diags);
        if (good)
            print_error("accepted: %s\n", CASES[i].text);
        assert_false(good);
        assert_fault(env, LIMEN_STR("0001_a.sql"), CASES[i].line, CASES[i].message);
    }
}

static void test_annotations_follow_renames_and_drops(void **state)
{
    struct env *env = *state;
    struct limen_file files[] = {
        file_of("0001_a.sql",
                "CREATE TABLE items (id TEXT PRIMARY KEY, price INTEGER NOT NULL) STRICT;\n-- owner: who\nCREATE TABLE "
                "o (id TEXT PRIMARY KEY, who TEXT NOT NULL) STRICT;\n"
                "-- owner: who\nCREATE TABLE gone (who TEXT NOT NULL) STRICT;\n"
                "CREATE TABLE l (item_id TEXT NOT NULL REFERENCES items, p INTEGER NOT NULL -- decided-by: items.price "
                "via item_id\n) STRICT;"),
        file_of("0002_b.sql",
                "ALTER TABLE o RENAME TO orders;\nALTER TABLE orders RENAME who TO customer;\nDROP TABLE gone;\nALTER "
                "TABLE items RENAME COLUMN price TO cost;\n"),
    };
    limen_str out;
    assert_true(migrate(env, &files[0], 1, /* apply= */ true, &out));
    assert_true(migrate(env, files, 2, /* apply= */ true, &out));
    assert_int_equal(ask(env, "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND sql LIKE '%\"cost\"%'"),
                     2);
    struct query_set set;
    assert_true(queries_parse(
        LIMEN_STR("-- name: a() :exec\nUPDATE orders SET id = 'x';\n-- name: b() :many\nSELECT customer FROM orders;"),
        LIMEN_STR("q"), LIMEN_STR("sqlite"), &env->arena, &set, &env->diags));
    assert_true(store_describe(&set, files, 2, &env->arena, &env->diags));
}

/* What a start of the server does. */
static bool starts(struct env *env, const struct limen_file *files, size_t count, enum store_migrate how)
{
    struct query_set none = { .file = LIMEN_STR("queries.sql") };
    struct store_config config = {
        .url = str_of(env->url), .queries = &none, .migrations = files, .migration_count = count, .migrate = how
    };
    struct loop *loop = loop_new();
    env->diags.count = 0;
    struct store *store = store_open(&config, loop, &env->arena, &env->diags);
    store_close(store);
    loop_free(loop);
    return store != NULL;
}

/* Newer versions have added, then dropped what the old one still names, but does not use. Their triggers stay as they are. */
static void test_older_version_starts_on_a_database_that_is_ahead(void **state)
{
    struct env *env = *state;
    static const char TRIGGERS[] = "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'";
    struct limen_file files[] = {
        file_of("0001_a.sql",
                "CREATE TABLE items (id TEXT PRIMARY KEY, price INTEGER NOT NULL) STRICT;\n"
                "-- owner: who\nCREATE TABLE orders (id TEXT PRIMARY KEY, who TEXT NOT NULL) STRICT;\n"
                "-- owner: who\nCREATE TABLE unused (who TEXT NOT NULL, item_id TEXT NOT NULL REFERENCES items,\n"
                "price INTEGER NOT NULL -- decided-by: items.price via item_id\n) STRICT;"),
        file_of("0002_b.sql",
                "ALTER TABLE orders ADD COLUMN note TEXT;\n"
                "CREATE TABLE lines (item_id TEXT NOT NULL REFERENCES items,\n"
                "price INTEGER NOT NULL -- decided-by: items.price via item_id\n) STRICT;"),
        file_of("0003_c.sql", "DROP TABLE unused;"),
    };
    limen_str out;
    for (size_t known = 2; known <= 3; known++) {
        assert_true(migrate(env, files, known, /* apply= */ true, &out));
        int64_t triggers = ask(env, TRIGGERS);
        for (int how = STORE_MIGRATE_AUTO; how <= STORE_MIGRATE_OFF; how++)
            assert_true(starts(env, files, 1, (enum store_migrate)how));
        assert_int_equal(ask(env, TRIGGERS), triggers);
    }
    files[0] = file_of("0001_a.sql", "");
    assert_false(starts(env, files, 1, STORE_MIGRATE_AUTO));
    assert_fault(env, LIMEN_STR("0001_a.sql"), 1, "changed after it was applied");
}

static void test_owned_table_of_a_database_that_is_ahead_still_names_its_owner(void **state)
{
    struct env *env = *state;
    struct limen_file file = file_of("0001_a.sql",
                                     "-- owner: who\nCREATE TABLE o (id TEXT, who TEXT NOT NULL) STRICT;");
    limen_str out;
    assert_true(migrate(env, &file, 1, /* apply= */ true, &out));
    sqlite3 *handle = NULL;
    assert_int_equal(sqlite3_open(env->path, &handle), SQLITE_OK);
    assert_int_equal(sqlite3_exec(handle,
                                  "ALTER TABLE o RENAME COLUMN who TO whom; INSERT INTO limen_migrations (name, "
                                  "checksum, applied_at) VALUES ('0002_b.sql', x'00', 0)",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(handle);
    assert_false(starts(env, &file, 1, STORE_MIGRATE_AUTO));
    assert_fault(env, LIMEN_STR("0001_a.sql"), 1, "no column 'who'");
}

static void test_off_refuses_what_is_pending(void **state)
{
    struct env *env = *state;
    struct limen_file file = file_of("0001_a.sql", "CREATE TABLE t (n INTEGER) STRICT;");
    struct query_set none = { .file = LIMEN_STR("queries.sql") };
    struct store_config config = { .url = str_of(env->url),
                                   .queries = &none,
                                   .migrations = &file,
                                   .migration_count = 1,
                                   .migrate = STORE_MIGRATE_OFF };
    struct loop *loop = loop_new();
    assert_null(store_open(&config, loop, &env->arena, &env->diags));
    assert_fault(env, str_of(env->url), 0, "pending");
    limen_str out;
    assert_true(migrate(env, &file, 1, /* apply= */ true, &out));
    struct store *store = store_open(&config, loop, &env->arena, &env->diags);
    assert_non_null(store);
    store_close(store);
    config.url = LIMEN_STR("mysql://x");
    assert_null(store_open(&config, loop, &env->arena, &env->diags));
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(test_migrations_are_applied_in_order_and_once),
        TEST(test_changed_missing_and_late_migrations_are_refused),
        TEST(test_migration_that_fails_leaves_nothing),
        TEST(test_statements_are_split_around_triggers_strings_and_comments),
        TEST(test_what_would_not_be_kept_is_refused),
        TEST(test_annotations_follow_renames_and_drops),
        TEST(test_off_refuses_what_is_pending),
        TEST(test_older_version_starts_on_a_database_that_is_ahead),
        TEST(test_owned_table_of_a_database_that_is_ahead_still_names_its_owner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
