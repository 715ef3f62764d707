/* Tests of data/wire.h. */
#include "data/wire.h"

#include "check.h"

#include "core/arena.h"
#include "core/limits.h"

#include <stdlib.h>

static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, NULL, 64U * 1024 * 1024);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

static struct wire_reader reader_over(limen_str bytes)
{
    return (struct wire_reader){ bytes.ptr, bytes.ptr + bytes.len, false };
}

static void test_frame_comes_back_as_it_was_written(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, &arena, 0);
    size_t first = wire_begin(&out, WIRE_CALL, 7, 4095, 0xdeadbeef);
    BUF_ADD(&out, "payload");
    wire_end(&out, first);
    size_t second = wire_begin(&out, WIRE_RELEASE, 0, 1, 2);
    wire_end(&out, second);
    assert_false(out.failed);

    struct wire_frame frame;
    limen_str bytes = buf_str(&out);
    size_t taken = wire_take(bytes, &frame);
    assert_int_equal(taken, WIRE_HEADER_BYTES + 7);
    assert_int_equal(frame.type, WIRE_CALL);
    assert_int_equal(frame.operation, 7);
    assert_int_equal(frame.slot, 4095);
    assert_int_equal(frame.sequence, 0xdeadbeef);
    assert_text(frame.payload, "payload");
    assert_int_equal(wire_take(str_slice(bytes, taken, bytes.len), &frame), WIRE_HEADER_BYTES);
    assert_int_equal(frame.type, WIRE_RELEASE);
    assert_int_equal(frame.payload.len, 0);
}

static void test_frame_is_incomplete_at_every_shorter_length(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, &arena, 0);
    size_t begin = wire_begin(&out, WIRE_DONE, 1, 2, 3);
    BUF_ADD(&out, "0123456789");
    wire_end(&out, begin);
    for (size_t len = 0; len < out.len; len++) {
        char *exact = malloc(len == 0 ? 1 : len); /* so that a sanitizer sees a read past the end */
        memcpy(exact, out.ptr, len);
        struct wire_frame frame;
        assert_int_equal(wire_take(str_make(exact, len), &frame), 0);
        assert_int_equal(wire_wanted(str_make(exact, len)), len < 4 ? WIRE_HEADER_BYTES : out.len);
        free(exact);
    }
}

static void test_frame_of_impossible_length_is_malformed(void **state)
{
    (void)state;
    static const uint32_t lengths[] = { 0, 1, WIRE_HEADER_BYTES - 1, LIMIT_FRAME_BYTES + 1, UINT32_MAX };
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        char header[WIRE_HEADER_BYTES] = { 0 };
        memcpy(header, &lengths[i], sizeof(uint32_t));
        struct wire_frame frame;
        assert_true(wire_take(str_make(header, 4), &frame) == SIZE_MAX);
        assert_int_equal(wire_wanted(str_make(header, 4)), WIRE_HEADER_BYTES);
    }
    char header[WIRE_HEADER_BYTES] = { WIRE_HEADER_BYTES, 0, 0, 0, WIRE_CALL, 1 /* must be zero */ };
    struct wire_frame frame;
    assert_true(wire_take(str_make(header, sizeof(header)), &frame) == SIZE_MAX);
}

static void test_frame_past_the_ceiling_is_not_written(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, &arena, 0);
    size_t begin = wire_begin(&out, WIRE_ROWS, 0, 0, 0);
    char *big = arena_zalloc(&arena, 1, LIMIT_FRAME_BYTES);
    wire_put_bytes(&out, big, LIMIT_FRAME_BYTES);
    assert_false(out.failed);
    wire_end(&out, begin);
    assert_true(out.failed);
}

static void test_reader_fails_once_and_for_all(void **state)
{
    (void)state;
    struct wire_reader reader = reader_over(str_make("\x05\x00\x00\x00"
                                                     "abc",
                                                     7));
    assert_int_equal(wire_get_str(&reader).len, 0);
    assert_true(reader.failed);
    assert_int_equal(wire_get_u8(&reader), 0);
    assert_int_equal(wire_get_i64(&reader), 0);
    assert_int_equal(wire_get_str(&reader).len, 0);
}

/* ---- parameters -------------------------------------------------------------------------------------------------- */
static const limen_str texts[] = { LIMEN_STR_INIT("one"), LIMEN_STR_INIT(""), LIMEN_STR_INIT("three\0three") };
static const int64_t integers[] = { INT64_MIN, 0, INT64_MAX };

static const limen_value samples[] = {
    { .type = LIMEN_TYPE_TEXT, .as.text = LIMEN_STR_INIT("h\xc3\xa9") },
    { .type = LIMEN_TYPE_INT, .as.integer = INT64_MIN },
    { .type = LIMEN_TYPE_FLOAT, .as.number = -0.5 },
    { .type = LIMEN_TYPE_BOOL, .as.integer = 1 },
    { .type = LIMEN_TYPE_BYTES, .as.text = LIMEN_STR_INIT("\0\xff") },
    { .type = LIMEN_TYPE_TIME, .as.integer = 1795000000000000 },
    { .type = LIMEN_TYPE_JSON, .as.text = LIMEN_STR_INIT("{}") },
    { .type = LIMEN_TYPE_JSON, .is_null = true },
    { .type = LIMEN_TYPE_TEXT, .is_list = true, .count = 3, .as.texts = texts },
    { .type = LIMEN_TYPE_INT, .is_list = true, .count = 3, .as.integers = integers },
    { .type = LIMEN_TYPE_INT, .is_list = true, .count = 0 },
};
#define SAMPLES (sizeof(samples) / sizeof(samples[0]))

static limen_str encode_samples(void)
{
    struct buf out;
    buf_init(&out, &arena, 0);
    wire_put_values(&out, samples, SAMPLES);
    assert_false(out.failed);
    assert_int_equal(out.len, wire_values_bytes(samples, SAMPLES));
    return buf_str(&out);
}

static void check_value(const limen_value *got, const limen_value *wanted)
{
    assert_int_equal(got->type, wanted->type);
    assert_int_equal(got->is_null, wanted->is_null);
    assert_int_equal(got->is_list, wanted->is_list);
    if (wanted->is_null)
        return;
    if (wanted->is_list) {
        assert_int_equal(got->count, wanted->count);
        for (size_t i = 0; i < wanted->count; i++) {
            if (wanted->type == LIMEN_TYPE_TEXT)
                assert_same(got->as.texts[i], wanted->as.texts[i]);
            else
                assert_true(got->as.integers[i] == wanted->as.integers[i]);
        }
    } else if (wanted->type == LIMEN_TYPE_TEXT || wanted->type == LIMEN_TYPE_BYTES || wanted->type == LIMEN_TYPE_JSON) {
        assert_same(got->as.text, wanted->as.text);
    } else {
        assert_memory_equal(&got->as, &wanted->as, sizeof(int64_t));
    }
}

static void test_values_of_every_type_come_back(void **state)
{
    (void)state;
    struct wire_reader reader = reader_over(encode_samples());
    limen_value *values;
    uint32_t count;
    assert_true(wire_get_values(&reader, &arena, &values, &count));
    assert_int_equal(count, SAMPLES);
    assert_ptr_equal(reader.at, reader.end);
    for (size_t i = 0; i < SAMPLES; i++)
        check_value(&values[i], &samples[i]);
}

static void test_values_cut_short_anywhere_are_refused(void **state)
{
    (void)state;
    limen_str bytes = encode_samples();
    for (size_t len = 0; len < bytes.len; len++) {
        char *exact = malloc(len == 0 ? 1 : len);
        memcpy(exact, bytes.ptr, len);
        struct wire_reader reader = reader_over(str_make(exact, len));
        limen_value *values;
        uint32_t count;
        assert_false(wire_get_values(&reader, &arena, &values, &count));
        assert_true(reader.failed);
        free(exact);
    }
}

static void test_values_that_no_writer_makes_are_refused(void **state)
{
    (void)state;
    static const limen_str cases[] = {
        LIMEN_STR_INIT("\x01\x00\x07\x00\x00\x00\x00\x00\x00\x00\x00"), /* unknown type */
        LIMEN_STR_INIT("\x01\x00\x11\x00\x00\x00\x00\x00\x00\x00\x00"), /* unknown flag */
        LIMEN_STR_INIT("\x01\x00\xc1\x00\x00"),                         /* a list that is null */
        LIMEN_STR_INIT("\x01\x00\x82\x00\x00"),                         /* a list of floats */
        LIMEN_STR_INIT("\x01\x00\x03\x02\x00\x00\x00\x00\x00\x00\x00"), /* a bool of 2 */
        LIMEN_STR_INIT("\x01\x00\x81\xff\xff"),                         /* more items than bytes, and than allowed */
        LIMEN_STR_INIT("\x21\x00"),                                     /* 33 parameters */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct wire_reader reader = reader_over(cases[i]);
        limen_value *values;
        uint32_t count;
        assert_false(wire_get_values(&reader, &arena, &values, &count));
        assert_true(reader.failed);
    }
}

static void test_values_past_a_ceiling_are_not_written(void **state)
{
    (void)state;
    static int64_t many[LIMIT_LIST_ITEMS + 1];
    limen_value list = { .type = LIMEN_TYPE_INT, .is_list = true, .count = LIMIT_LIST_ITEMS + 1, .as.integers = many };
    limen_value floats = { .type = LIMEN_TYPE_FLOAT, .is_list = true, .count = 1 };
    limen_value params[LIMIT_STATEMENT_PARAMS + 1] = { 0 };
    struct buf out;
    buf_init(&out, &arena, 0);
    wire_put_values(&out, &list, 1);
    assert_true(out.failed);
    assert_true(wire_values_bytes(&list, 1) == SIZE_MAX);
    assert_true(wire_values_bytes(&floats, 1) == SIZE_MAX);
    buf_init(&out, &arena, 0);
    wire_put_values(&out, params, LIMIT_STATEMENT_PARAMS + 1);
    assert_true(out.failed);
    list.count = LIMIT_LIST_ITEMS;
    buf_init(&out, &arena, 0);
    wire_put_values(&out, &list, 1);
    assert_false(out.failed);
    assert_int_equal(out.len, wire_values_bytes(&list, 1));
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */
struct sample_row {
    limen_str id;
    int64_t price;
    double weight;
    bool active;
    limen_time at;
    limen_opt_str note;
    limen_opt_int stock;
    limen_opt_float rating;
    limen_opt_bool seen;
    limen_opt_int gone_at;
};
static const limen_column sample_columns[] = {
    { LIMEN_STR_INIT("id"), LIMEN_TYPE_TEXT, false, offsetof(struct sample_row, id) },
    { LIMEN_STR_INIT("price"), LIMEN_TYPE_INT, false, offsetof(struct sample_row, price) },
    { LIMEN_STR_INIT("weight"), LIMEN_TYPE_FLOAT, false, offsetof(struct sample_row, weight) },
    { LIMEN_STR_INIT("active"), LIMEN_TYPE_BOOL, false, offsetof(struct sample_row, active) },
    { LIMEN_STR_INIT("at"), LIMEN_TYPE_TIME, false, offsetof(struct sample_row, at) },
    { LIMEN_STR_INIT("note"), LIMEN_TYPE_JSON, true, offsetof(struct sample_row, note) },
    { LIMEN_STR_INIT("stock"), LIMEN_TYPE_INT, true, offsetof(struct sample_row, stock) },
    { LIMEN_STR_INIT("rating"), LIMEN_TYPE_FLOAT, true, offsetof(struct sample_row, rating) },
    { LIMEN_STR_INIT("seen"), LIMEN_TYPE_BOOL, true, offsetof(struct sample_row, seen) },
    { LIMEN_STR_INIT("gone_at"), LIMEN_TYPE_TIME, true, offsetof(struct sample_row, gone_at) },
};
static const limen_row_shape sample_shape = { sizeof(struct sample_row), 10, sample_columns };

static limen_str encode_row(bool with_optional)
{
    struct buf out;
    buf_init(&out, &arena, 0);
    wire_put_column_text(&out, LIMEN_STR("sku_1"));
    wire_put_column_int(&out, 1999);
    wire_put_column_float(&out, 2.5);
    wire_put_column_int(&out, 1);
    wire_put_column_int(&out, 42);
    for (int i = 0; !with_optional && i < 5; i++)
        wire_put_null(&out);
    if (with_optional) {
        wire_put_column_text(&out, LIMEN_STR("[1]"));
        wire_put_column_int(&out, -3);
        wire_put_column_float(&out, 4.75);
        wire_put_column_int(&out, 1);
        wire_put_column_int(&out, 77);
    }
    assert_false(out.failed);
    return buf_str(&out);
}

static void test_row_is_read_into_its_struct(void **state)
{
    (void)state;
    struct sample_row row;
    memset(&row, 0xff, sizeof(row));
    limen_str bytes = encode_row(/* with_optional= */ true);
    struct wire_reader reader = reader_over(bytes);
    assert_true(wire_get_row(&reader, &sample_shape, &arena, &row));
    assert_ptr_equal(reader.at, reader.end);
    assert_text(row.id, "sku_1");
    assert_false(row.id.ptr >= bytes.ptr && row.id.ptr < bytes.ptr + bytes.len); /* a copy */
    assert_int_equal(row.price, 1999);
    assert_true(row.weight == 2.5);
    assert_true(row.active);
    assert_int_equal(row.at, 42);
    assert_true(row.note.has && row.stock.has && row.rating.has && row.seen.has && row.gone_at.has);
    assert_text(row.note.value, "[1]");
    assert_int_equal(row.stock.value, -3);
    assert_true(row.rating.value == 4.75);
    assert_true(row.seen.value);
    assert_int_equal(row.gone_at.value, 77);
}

static void test_null_columns_are_zero_and_absent(void **state)
{
    (void)state;
    struct sample_row row;
    memset(&row, 0xff, sizeof(row));
    struct wire_reader reader = reader_over(encode_row(/* with_optional= */ false));
    assert_true(wire_get_row(&reader, &sample_shape, &arena, &row));
    assert_false(row.note.has || row.stock.has || row.rating.has || row.seen.has || row.gone_at.has);
    assert_int_equal(row.note.value.len, 0);
}

static void test_row_cut_short_anywhere_is_refused(void **state)
{
    (void)state;
    limen_str bytes = encode_row(/* with_optional= */ true);
    for (size_t len = 0; len < bytes.len; len++) {
        char *exact = malloc(len == 0 ? 1 : len);
        memcpy(exact, bytes.ptr, len);
        struct wire_reader reader = reader_over(str_make(exact, len));
        struct sample_row row;
        assert_false(wire_get_row(&reader, &sample_shape, &arena, &row));
        assert_true(reader.failed);
        free(exact);
    }
}

static void test_null_where_none_may_be_is_refused(void **state)
{
    (void)state;
    struct sample_row row;
    struct wire_reader reader = reader_over(LIMEN_STR("\x01"));
    assert_false(wire_get_row(&reader, &sample_shape, &arena, &row));
    assert_true(reader.failed);
}

static void test_row_past_the_arenas_ceiling_is_no_fault_of_the_bytes(void **state)
{
    (void)state;
    struct arena small;
    arena_init(&small, NULL, 0);
    struct sample_row row;
    struct wire_reader reader = reader_over(encode_row(/* with_optional= */ true));
    assert_false(wire_get_row(&reader, &sample_shape, &small, &row));
    assert_false(reader.failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frame_comes_back_as_it_was_written),
        cmocka_unit_test(test_frame_is_incomplete_at_every_shorter_length),
        cmocka_unit_test(test_frame_of_impossible_length_is_malformed),
        cmocka_unit_test(test_frame_past_the_ceiling_is_not_written),
        cmocka_unit_test(test_reader_fails_once_and_for_all),
        cmocka_unit_test(test_values_of_every_type_come_back),
        cmocka_unit_test(test_values_cut_short_anywhere_are_refused),
        cmocka_unit_test(test_values_that_no_writer_makes_are_refused),
        cmocka_unit_test(test_values_past_a_ceiling_are_not_written),
        cmocka_unit_test(test_row_is_read_into_its_struct),
        cmocka_unit_test(test_null_columns_are_zero_and_absent),
        cmocka_unit_test(test_row_cut_short_anywhere_is_refused),
        cmocka_unit_test(test_null_where_none_may_be_is_refused),
        cmocka_unit_test(test_row_past_the_arenas_ceiling_is_no_fault_of_the_bytes),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
