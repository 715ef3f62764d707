/* test_store_values.c - every type of a prototype, to the database and back: both give the same rows, or the same refusal. */
#include "store_fixture.h"

#include <math.h>

enum { VALUES = 8 };

/* One row of `kinds`, in the order of its columns. */
struct row {
    limen_value values[VALUES];
};

static limen_value null_of(enum limen_type type)
{
    return (limen_value){ .type = (uint8_t)type, .is_null = true };
}
static limen_value number(enum limen_type type, int64_t value)
{
    return (limen_value){ .type = (uint8_t)type, .as.integer = value };
}
static limen_value real(double value)
{
    return (limen_value){ .type = LIMEN_TYPE_FLOAT, .as.number = value };
}
static limen_value bytes(enum limen_type type, const char *text, size_t len)
{
    return (limen_value){ .type = (uint8_t)type, .as.text = { text, len } };
}

static struct row nothing_but(const char *id)
{
    return (struct row){ { text_value(id), null_of(LIMEN_TYPE_INT), null_of(LIMEN_TYPE_BOOL), null_of(LIMEN_TYPE_FLOAT),
                           null_of(LIMEN_TYPE_BYTES), null_of(LIMEN_TYPE_TIME), null_of(LIMEN_TYPE_JSON),
                           null_of(LIMEN_TYPE_TEXT) } };
}

static enum store_outcome keep(struct fixture *fixture, struct row row)
{
    struct job *job = job_new(fixture, STORE_BATCH, NULL);
    const struct statement *keep = queries_find(&fixture->queries, LIMEN_STR("keep_kind"));
    job->items[job->task.item_count++] = (struct store_item){ keep, row.values, VALUES };
    enum store_outcome outcome = job_run(job);
    job_free(job);
    return outcome;
}

static void put(struct buf *out, enum limen_type type, struct wire_reader *reader)
{
    if (out->len > 0)
        buf_add_char(out, '|');
    if (wire_get_u8(reader) != 0) {
        BUF_ADD(out, "null");
        return;
    }
    switch (type) {
    case LIMEN_TYPE_FLOAT:
        buf_printf(out, "%.17g", wire_get_f64(reader));
        return;
    case LIMEN_TYPE_BYTES:
    case LIMEN_TYPE_JSON:
    case LIMEN_TYPE_TEXT: {
        limen_str text = wire_get_str(reader);
        for (size_t i = 0; i < text.len; i++)
            buf_printf(out, type == LIMEN_TYPE_BYTES ? "%02x" : "%c", (unsigned char)text.ptr[i]);
        return;
    }
    default:
        buf_add_int(out, wire_get_i64(reader));
    }
}

/* The row of this id, and that an answer has nothing behind it. */
static void assert_kept(struct fixture *fixture, const char *id, const char *wanted)
{
    char memory[512];
    struct buf out;
    struct job *job = job_new(fixture, STORE_READ, NULL);
    job_add(job, "kind_by_id", "s", id);
    assert_int_equal(job_run(job), STORE_OK);
    assert_int_equal(job->task.row_count, 1);
    struct wire_reader reader = { job->task.rows.ptr, job->task.rows.ptr + job->task.rows.len, false };
    buf_init_fixed(&out, memory, sizeof memory - 1);
    for (uint32_t i = 0; i < job->task.statement->column_count; i++)
        put(&out, job->task.statement->columns[i].type, &reader);
    assert_false(reader.failed || out.failed || reader.at != reader.end);
    memory[out.len] = '\0';
    assert_string_equal(memory, wanted);
    job_free(job);
}

static void test_null_of_each_type_comes_back(void **state)
{
    assert_int_equal(keep(*state, nothing_but("a")), STORE_OK);
    assert_kept(*state, "a", "a|null|null|null|null|null|null|null");
}

static void test_each_type_comes_back_as_it_was(void **state)
{
    static const char EVERY_BYTE[] = "\0\1\x7f\x80\xff'\\";
    struct row row = { { text_value("b"), number(LIMEN_TYPE_INT, INT64_MIN), number(LIMEN_TYPE_BOOL, 1), real(0.1),
                         bytes(LIMEN_TYPE_BYTES, EVERY_BYTE, 7), number(LIMEN_TYPE_TIME, 253402300799999999),
                         bytes(LIMEN_TYPE_JSON, "{\"b\": 1.0, \"a\":[]}", 18), text_value("\xc3\xa4'\\%\n") } };
    assert_int_equal(keep(*state, row), STORE_OK);
    assert_kept(*state, "b",
                "b|-9223372036854775808|1|0.10000000000000001|00017f80ff275c|253402300799999999|{\"b\": 1.0, \"a\":[]}|"
                "\xc3\xa4'\\%\n");
}

static void test_what_is_empty_is_not_null(void **state)
{
    struct row row = { { text_value("c"), number(LIMEN_TYPE_INT, INT64_MAX), number(LIMEN_TYPE_BOOL, 0), real(0),
                         bytes(LIMEN_TYPE_BYTES, NULL, 0), number(LIMEN_TYPE_TIME, -1),
                         bytes(LIMEN_TYPE_JSON, "null", 4), text_value("") } };
    assert_int_equal(keep(*state, row), STORE_OK);
    assert_kept(*state, "c", "c|9223372036854775807|0|0||-1|null|");
}

static void test_numbers_at_the_ends_of_a_double(void **state)
{
    static const struct {
        double value;
        const char *wanted;
    } CASES[] = { { 1.7976931348623157e308, "1.7976931348623157e+308" },
                  { -1.7976931348623157e308, "-1.7976931348623157e+308" },
                  { 5e-324, "4.9406564584124654e-324" },
                  { 9007199254740993.0, "9007199254740992" },
                  { 1e22, "1e+22" },
                  { -2, "-2" } };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        char id[16], wanted[96];
        struct row row = nothing_but(id);
        snprintf(id, sizeof id, "d%zu", i);
        row.values[0] = text_value(id);
        row.values[3] = real(CASES[i].value);
        snprintf(wanted, sizeof wanted, "%s|null|null|%s|null|null|null|null", id, CASES[i].wanted);
        assert_int_equal(keep(*state, row), STORE_OK);
        assert_kept(*state, id, wanted);
    }
}

static void test_what_no_prototype_allows_is_refused(void **state)
{
    const limen_value REFUSED[] = { real((double)NAN), real((double)INFINITY), number(LIMEN_TYPE_FLOAT, 1),
                                    number(LIMEN_TYPE_INT, 1), text_value("1") };
    for (size_t i = 0; i < sizeof REFUSED / sizeof REFUSED[0]; i++) {
        struct row row = nothing_but("e");
        row.values[i == 2 ? 1 : 3] = REFUSED[i];
        assert_int_equal(keep(*state, row), STORE_ERROR);
    }
    struct row row = nothing_but("e");
    row.values[2] = number(LIMEN_TYPE_BOOL, 2);
    assert_int_equal(keep(*state, row), STORE_ERROR);
    row = nothing_but("e");
    row.values[7] = bytes(LIMEN_TYPE_TEXT, "a\xff", 2);
    assert_int_equal(keep(*state, row), STORE_ERROR);
    row = nothing_but("e");
    row.values[0] = null_of(LIMEN_TYPE_TEXT);
    assert_int_equal(keep(*state, row), STORE_ERROR);
    assert_reads(*state, NULL, "0", "count_kinds", "");
}

static void test_list_of_numbers_finds_its_rows(void **state)
{
    static const int64_t NUMBERS[] = { 3, INT64_MIN, 99 };
    static const int64_t KEPT[] = { 1, 3, INT64_MIN };
    for (size_t i = 0; i < sizeof KEPT / sizeof KEPT[0]; i++) {
        char id[16];
        snprintf(id, sizeof id, "f%zu", i);
        struct row row = nothing_but(id);
        row.values[1] = number(LIMEN_TYPE_INT, KEPT[i]);
        assert_int_equal(keep(*state, row), STORE_OK);
    }
    for (size_t count = 0; count <= 3; count++) {
        static const char *const WANTED[] = { "", "f1", "f1,f2", "f1,f2" };
        char memory[64];
        limen_value list = { .type = LIMEN_TYPE_INT, .is_list = true, .count = count, .as.integers = NUMBERS };
        struct job *job = job_new(*state, STORE_READ, NULL);
        job->task.statement = queries_find(&((struct fixture *)*state)->queries, LIMEN_STR("kinds_numbered"));
        job->task.params = &list;
        job->task.param_count = 1;
        assert_int_equal(job_run(job), STORE_OK);
        assert_string_equal(job_values(job, memory, sizeof memory), WANTED[count]);
        job_free(job);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_null_of_each_type_comes_back),        TEST(test_each_type_comes_back_as_it_was),
        TEST(test_what_is_empty_is_not_null),           TEST(test_numbers_at_the_ends_of_a_double),
        TEST(test_what_no_prototype_allows_is_refused), TEST(test_list_of_numbers_finds_its_rows),
    };
    return RUN_ON_BOTH(tests, tests);
}
