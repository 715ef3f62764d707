/* test_pg_schema.c - on a real PostgreSQL: migrations are applied once, and what is not as it was described is found. */
#include "postgres_fixture.h"

#include <dirent.h>
#include <sys/wait.h>

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

/* ---- drift -------------------------------------------------------------------------------------------------------------------------- */

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

static void test_owner_that_may_not_make_roles_is_told_what_to_run(void **state)
{
    struct postgres_env *env = *state;
    struct files files = shop_files();
    limen_str out;
    char url[256];
    postgres_run(env->pg,
                 "CREATE ROLE plain_owner LOGIN PASSWORD 'x'; DO $$ BEGIN EXECUTE format('GRANT ALL ON DATABASE %I TO "
                 "plain_owner', current_database()); END $$; GRANT ALL ON SCHEMA public TO plain_owner");
    snprintf(url, sizeof url, "postgresql://plain_owner:x%s", strchr(env->url + strlen("postgresql://"), '@'));
    assert_false(migrate_as(env, url, &files, true, &out));
    limen_str mend = env->diags.items[0].mend;
    size_t lines = str_find(mend, LIMEN_STR("CREATE ROLE"), 0);
    assert_true(lines != SIZE_MAX);
    postgres_run(env->pg, arena_copy(&env->arena, str_slice(mend, lines, mend.len)).ptr);
    assert_true(migrate_as(env, url, &files, true, &out));
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
        CASE(test_check_finds_what_is_not_as_described),
        CASE(test_stranger_is_told_which_grants_are_missing),
        CASE(test_owner_that_may_not_make_roles_is_told_what_to_run),
        CASE(test_database_in_another_encoding_is_refused),
        CASE(test_text_is_sorted_by_its_bytes),
        CASE(test_key_is_made_listed_and_revoked),
        CASE(test_first_account_is_made_once),
        CASE(test_shop_needs_no_word_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
