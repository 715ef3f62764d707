/* test_owner.c - whose rows, and who decides a column: kept by the database, whatever the statement says. */
#include "store_fixture.h"

#include "data/sqlite_db.h"

static void test_select_without_where_returns_the_callers_rows_only(void **state)
{
    struct fixture *fixture = *state;
    assert_reads(fixture, "acc_a", "ord_a", "all_orders", "");
    assert_reads(fixture, "acc_b", "ord_b", "all_orders", "");
    assert_reads(fixture, "acc_a", "ord_a", "all_lines", "");
    assert_reads(fixture, "acc_b", "ord_b", "joined", "");
    assert_reads(fixture, "acc_a", "1", "count_orders", "");
    assert_reads(fixture, "acc_a", "", "lines_of", "s", "ord_b");
    assert_reads(fixture, "acc_a", "", "order_by_id", "s", "ord_b");
}

static void test_nobody_sees_nothing(void **state)
{
    assert_reads((struct fixture *)*state, NULL, "", "all_orders", "");
    assert_reads((struct fixture *)*state, NULL, "", "all_lines", "");
    assert_reads((struct fixture *)*state, NULL, "0", "count_orders", "");
}

static void test_scope_lifts_the_filter_for_its_statement_alone(void **state)
{
    struct fixture *fixture = *state;
    assert_reads(fixture, "acc_x", "ord_a,ord_b", "admin_orders", "");
    assert_reads(fixture, "acc_x", "", "all_orders", "");
    assert_int_equal(WRITE(fixture, "acc_x", "admin_set_all", "s", "paid"), STORE_OK);
    assert_reads(fixture, "acc_x", "paid,paid", "admin_states", "");
    assert_int_equal(WRITE(fixture, "acc_a", "set_all", "s", "mine"), STORE_OK);
    assert_reads(fixture, "acc_x", "mine,paid", "admin_states", "");
}

static void test_update_of_anothers_row_changes_nothing(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(WRITE(fixture, "acc_a", "set_one", "ss", "ord_b", "robbed"), STORE_REFUSED);
    assert_int_equal(WRITE(fixture, "acc_a", "set_all", "s", "sent"), STORE_OK);
    assert_int_equal(WRITE(fixture, NULL, "set_all", "s", "nobody's"), STORE_OK);
    assert_int_equal(WRITE(fixture, "acc_a", "upsert_order", "s", "ord_b"), STORE_REFUSED);
    assert_reads(fixture, "acc_x", "sent,placed", "admin_states", "");
    assert_int_equal(WRITE(fixture, "acc_a", "set_one", "ss", "ord_a", "paid"), STORE_OK);
    assert_reads(fixture, "acc_x", "paid,placed", "admin_states", "");
}

static void test_returning_gives_no_row_of_another(void **state)
{
    struct fixture *fixture = *state;
    struct job *job = job_new(fixture, STORE_BATCH, "acc_a");
    job_add(job, "set_returning", "ss", "ord_b", "robbed");
    assert_int_equal(job_run(job), STORE_REFUSED);
    assert_int_equal(job->task.returned.len, 0);
    job_free(job);
    job = job_new(fixture, STORE_BATCH, "acc_a");
    job_add(job, "set_returning", "ss", "ord_a", "paid");
    assert_int_equal(job_run(job), STORE_OK);
    struct wire_reader reader = { job->task.returned.ptr, job->task.returned.ptr + job->task.returned.len, false };
    assert_int_equal(wire_get_u8(&reader), 0);
    assert_text(wire_get_str(&reader), "ord_a");
    assert_int_equal(wire_get_u8(&reader), 1);
    assert_ptr_equal(reader.at, reader.end); /* one row */
    job_free(job);
}

static void test_delete_takes_the_callers_rows_only(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(WRITE(fixture, "acc_a", "delete_lines", ""), STORE_OK);
    assert_reads(fixture, "acc_b", "ord_b", "all_lines", "");
    assert_int_equal(WRITE(fixture, "acc_a", "delete_all", ""), STORE_OK);
    assert_reads(fixture, "acc_x", "ord_b", "admin_orders", "");
    /* The lines go with the order, although their guard asks for its owner. */
    assert_int_equal(WRITE(fixture, "acc_b", "delete_all", ""), STORE_OK);
    assert_reads(fixture, "acc_x", "", "admin_orders", "");
}

static void test_no_row_is_made_for_another_or_given_to_another(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(WRITE(fixture, "acc_a", "insert_order", "ss", "ord_new", "acc_b"), STORE_REFUSED);
    assert_int_equal(WRITE(fixture, "acc_a", "give_away", "ss", "ord_a", "acc_b"), STORE_REFUSED);
    assert_int_equal(WRITE(fixture, "acc_a", "insert_line", "ssii", "ord_b", "tea", 500, 1), STORE_REFUSED);
    assert_int_equal(WRITE(fixture, NULL, "insert_order", "ss", "ord_new", "acc_b"), STORE_REFUSED);
    assert_reads(fixture, "acc_x", "ord_a,ord_b", "admin_orders", "");
    assert_int_equal(WRITE(fixture, "acc_a", "insert_order", "ss", "ord_new", "acc_a"), STORE_OK);
    assert_reads(fixture, "acc_a", "ord_a,ord_new", "all_orders", "");
}

static void test_subselects_of_a_write_see_the_callers_rows_only(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(WRITE(fixture, "acc_a", "copy_states", "s", "ord_a"), STORE_OK);
    assert_reads(fixture, "acc_a", "ord_a", "get_note", "s", "ord_a");
}

static void test_line_with_another_price_is_refused_by_the_database(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(WRITE(fixture, "acc_a", "insert_line", "ssii", "ord_a", "mug", 899, 1), STORE_REFUSED);
    assert_int_equal(WRITE(fixture, "acc_a", "insert_line", "ssii", "ord_a", "mug", 900, 1), STORE_OK);
    assert_int_equal(WRITE(fixture, "acc_a", "cheapen", "si", "ord_a", 1), STORE_REFUSED);
    assert_int_equal(WRITE(fixture, "acc_x", "set_price", "si", "mug", 950),
                     STORE_OK); /* the old line stays as it is */
    assert_int_equal(WRITE(fixture, "acc_b", "insert_line", "ssii", "ord_b", "tea", 500, 1), STORE_OK);
    assert_int_equal(WRITE(fixture, "acc_a", "insert_order", "ss", "ord_c", "acc_a"), STORE_OK);
    assert_int_equal(WRITE(fixture, "acc_a", "insert_line", "ssii", "ord_c", "mug", 900, 1), STORE_REFUSED);
    assert_int_equal(WRITE(fixture, "acc_a", "insert_line", "ssii", "ord_c", "mug", 950, 1), STORE_OK);
}

/* Another program that opens the file is held to the price as well. */
static void test_price_is_guarded_in_the_file_itself(void **state)
{
    struct fixture *fixture = *state;
    sqlite3 *handle = NULL;
    char *words = NULL;
    assert_int_equal(sqlite3_open(fixture->url + sizeof "sqlite:" - 1, &handle), SQLITE_OK);
    int code = sqlite3_exec(
        handle, "INSERT INTO order_lines (order_id, item_id, unit_price, quantity) VALUES ('ord_b', 'tea', 1, 1)", NULL,
        NULL, &words);
    assert_int_equal(code & 0xff, SQLITE_CONSTRAINT);
    assert_string_equal(words, "limen: order_lines.unit_price is decided by items.price");
    sqlite3_free(words);
    sqlite3_close(handle);
}

/* The filter must not turn a search by key into a scan. */
static void test_filtered_reads_use_indexes(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *sql, *plan;
    } CASES[] = {
        { "SELECT * FROM orders WHERE id = 'x'", "SEARCH limen_row USING INDEX sqlite_autoindex_orders_1 (id=?)" },
        { "SELECT * FROM orders", "SEARCH limen_row USING INDEX orders_of_customer (customer_id=?)" },
        { "SELECT * FROM order_lines WHERE order_id = 'x'",
          "SEARCH limen_row USING INDEX sqlite_autoindex_order_lines_1 (order_id=?)" },
    };
    static const enum db_kind KINDS[] = { DB_SCOPED, DB_WRITER };
    struct migration_set set;
    assert_true(migrations_parse(fixture->migrations, 1, LIMEN_STR("sqlite"), &fixture->arena, &set, &fixture->diags));
    for (size_t k = 0; k < 2; k++) {
        struct guards guards = { 0 };
        struct db db;
        assert_true(db_open(&db, KINDS[k], fixture->url + sizeof "sqlite:" - 1, /* is_read_only= */ true));
        db.is_own = true;
        assert_true(guards_build(db.handle, &set, &fixture->arena, &guards, &fixture->diags));
        assert_true(db_guard(&db, &guards));
        for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
            char sql[256];
            sqlite3_stmt *stmt = NULL;
            if (KINDS[k] == DB_WRITER && i == 1)
                continue; /* there the filter may be lifted, so it cannot lead the search */
            snprintf(sql, sizeof sql, "EXPLAIN QUERY PLAN %s", CASES[i].sql);
            assert_true(db_prepare_own(&db, sql, &stmt));
            assert_int_equal(db_step_own(&db, stmt), SQLITE_ROW);
            assert_string_equal((const char *)sqlite3_column_text(stmt, 3), CASES[i].plan);
            sqlite3_finalize(stmt);
        }
        db_close(&db);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
#define ON_BOTH                                                                                                       \
    TEST(test_select_without_where_returns_the_callers_rows_only), TEST(test_nobody_sees_nothing),                    \
        TEST(test_scope_lifts_the_filter_for_its_statement_alone), TEST(test_update_of_anothers_row_changes_nothing), \
        TEST(test_returning_gives_no_row_of_another), TEST(test_delete_takes_the_callers_rows_only),                  \
        TEST(test_no_row_is_made_for_another_or_given_to_another),                                                    \
        TEST(test_subselects_of_a_write_see_the_callers_rows_only),                                                   \
        TEST(test_line_with_another_price_is_refused_by_the_database)

int main(void)
{
    const struct CMUnitTest on_sqlite[] = {
        ON_BOTH,
        TEST(test_price_is_guarded_in_the_file_itself),
        TEST(test_filtered_reads_use_indexes),
    };
    const struct CMUnitTest on_postgres[] = { ON_BOTH };
    return RUN_ON_BOTH(on_sqlite, on_postgres);
}
