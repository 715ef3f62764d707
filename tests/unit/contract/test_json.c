/* Tests of contract/json.h: what is read, what is refused, and that the numbers are right. */
#include "check.h"

#include "contract/json_internal.h"
#include "core/limits.h"

#include <float.h>
#include <math.h>

struct fixture {
    struct arena arena;
    limen_str text; /* freed at the end */
    struct json_doc doc;
    struct json_error error;
};

static enum json_outcome parse(struct fixture *f, limen_str text)
{
    *f = (struct fixture){ .text = tight_copy(text), .error = { SIZE_MAX, NULL } };
    arena_init(&f->arena, NULL, 64U * 1024 * 1024);
    const enum json_outcome outcome = json_parse(f->text, &f->arena, &f->doc, &f->error);
    if (outcome != JSON_OK) {
        assert_non_null(f->error.what);
        assert_true(f->error.at <= text.len);
    }
    return outcome;
}

static void release(struct fixture *f)
{
    arena_release(&f->arena);
    free((char *)f->text.ptr);
}

#define assert_outcome(text, outcome) check_outcome(LIMEN_STR(text), (outcome), __FILE__, __LINE__)
static void check_outcome(limen_str text, enum json_outcome want, const char *file, int line)
{
    struct fixture f;
    const enum json_outcome have = parse(&f, text);
    release(&f);
    if (have == want)
        return;
    print_error("%.*s: outcome %d, want %d\n", LIMEN_STR_ARG(text), (int)have, (int)want);
    _fail(file, line);
}

/* ---- structure ------------------------------------------------------------------------------------------------- */
static void test_tape_of_a_document(void **state)
{
    (void)state;
    struct fixture f;
    assert_int_equal(parse(&f, LIMEN_STR(" {\"a\": [1, \"x\\n\", true], \"bc\" : {} , \"d\":null}\n")), JSON_OK);
    const struct json_value *tape = f.doc.tape;
    assert_int_equal(f.doc.count, 10);
    assert_int_equal(tape[0].type, JSON_OBJECT);
    assert_int_equal(tape[0].length, 3);
    assert_int_equal(tape[0].next, 10);
    assert_int_equal(tape[0].from, 1);
    assert_text(str_slice(f.doc.text, tape[0].from, tape[0].to),
                "{\"a\": [1, \"x\\n\", true], \"bc\" : {} , \"d\":null}");
    assert_int_equal(tape[2].type, JSON_ARRAY);
    assert_int_equal(tape[2].length, 3);
    assert_int_equal(tape[2].next, 6);
    assert_int_equal(tape[3].as.integer, 1);
    assert_text(json_text(&tape[4]), "x\n");
    assert_text(str_slice(f.doc.text, tape[4].from, tape[4].to), "\"x\\n\"");
    assert_int_equal(tape[5].type, JSON_TRUE);
    assert_int_equal(json_member(&f.doc, 0, LIMEN_STR("bc")), 7);
    assert_int_equal(json_member(&f.doc, 0, LIMEN_STR("d")), 9);
    assert_int_equal(json_member(&f.doc, 0, LIMEN_STR("x")), 0);
    assert_int_equal(json_member(&f.doc, 2, LIMEN_STR("x")), 0);
    release(&f);
}

static void test_text_without_escapes_is_a_slice(void **state)
{
    (void)state;
    struct fixture f;
    assert_int_equal(parse(&f, LIMEN_STR("\"plain \xc3\xa4 text\"")), JSON_OK);
    assert_ptr_equal(f.doc.tape[0].as.text, f.text.ptr + 1);
    release(&f);
}

static void test_malformed_text_is_refused_at_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t at;
    } cases[] = {
        { "", 0 },
        { " ", 1 },
        { "{", 1 },
        { "[1,]", 3 },
        { "[1 2]", 3 },
        { "{\"a\" 1}", 5 },
        { "{\"a\":1,}", 7 },
        { "{a:1}", 1 },
        { "[1}", 2 },
        { "1 1", 2 },
        { "tru", 0 },
        { "nulL", 0 },
        { "'a'", 0 },
        { "\"a", 2 },
        { "\"a\nb\"", 2 },
        { "\"\\x\"", 1 },
        { "\"\\u12g4\"", 1 },
        { "\"\\", 2 },
        { "\xef\xbb\xbf{}", 0 },
        { "[[", 2 },
        { "{\"a\":1}}", 7 },
        { "01", 0 },
        { "-", 1 },
        { "1.", 2 },
        { ".5", 0 },
        { "1e", 2 },
        { "+1", 0 },
        { "0x1", 1 },
        { "NaN", 0 },
        { "Infinity", 0 },
        { "1e+", 2 },
        { "-a", 1 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f;
        const enum json_outcome outcome = parse(&f, str_of(cases[i].text));
        if (outcome != JSON_MALFORMED || f.error.at != cases[i].at)
            fail_msg("%s: outcome %d at %zu (%s)", cases[i].text, (int)outcome, f.error.at, f.error.what);
        release(&f);
    }
    assert_outcome("1\0", JSON_MALFORMED);
    assert_outcome("\"\0\"", JSON_MALFORMED);
}

static void test_every_prefix_is_refused(void **state)
{
    (void)state;
    const limen_str text = LIMEN_STR("{\"a\":[1.5e3,\"\\ud83d\\ude00\xf0\x9f\x98\x80\",true,null],\"b\":{\"c\":-12}}");
    for (size_t len = 0; len < text.len; len++) {
        struct fixture f;
        if (parse(&f, str_slice(text, 0, len)) == JSON_OK)
            fail_msg("a prefix of %zu bytes was read", len);
        release(&f);
    }
}

static void test_depth_has_a_ceiling(void **state)
{
    (void)state;
    char text[2 * LIMIT_JSON_DEPTH + 4];
    for (uint32_t depth = LIMIT_JSON_DEPTH; depth <= LIMIT_JSON_DEPTH + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        struct fixture f;
        assert_int_equal(parse(&f, str_make(text, 2 * depth)), depth <= LIMIT_JSON_DEPTH ? JSON_OK : JSON_TOO_DEEP);
        release(&f);
    }
}

static void test_values_have_a_ceiling(void **state)
{
    (void)state;
    const size_t items = LIMIT_JSON_VALUES; /* and the array itself: one too many */
    char *text = malloc(items * 2 + 2);
    assert_non_null(text);
    for (size_t i = 0; i < items; i++) {
        text[2 * i] = i == 0 ? '[' : ',';
        text[2 * i + 1] = '1';
    }
    text[2 * items] = ']';
    struct fixture f;
    assert_int_equal(parse(&f, str_make(text, 2 * items + 1)), JSON_TOO_MANY_VALUES);
    release(&f);
    text[2 * items - 2] = ']';
    assert_int_equal(parse(&f, str_make(text, 2 * items - 1)), JSON_OK);
    assert_int_equal(f.doc.tape[0].length, items - 1);
    release(&f);
    free(text);
}

/* The tape of a short text is made once, as long as any text of that length could need. */
static void test_short_texts_have_room_for_all_their_values(void **state)
{
    (void)state;
    char text[1200];
    for (size_t len = 1; len <= 1100; len += 2) {
        for (size_t i = 0; i < len; i++)
            text[i] = i % 2 == 0 ? ',' : '1';
        text[0] = '[';
        text[len - 1] = len == 1 ? '1' : ']';
        check_outcome(str_make(text, len), JSON_OK, __FILE__, __LINE__);
        const size_t depth = len < LIMIT_JSON_DEPTH ? len : LIMIT_JSON_DEPTH;
        memset(text, '[', depth);
        for (size_t i = depth; i < len; i++)
            text[i] = (i - depth) % 2 == 0 ? '1' : ',';
        check_outcome(str_make(text, len), JSON_MALFORMED, __FILE__, __LINE__);
    }
}

static void test_text_full_of_commas_in_strings(void **state)
{
    (void)state;
    char text[6000];
    memset(text, ',', sizeof text);
    memcpy(text, "[\"", 2);
    memcpy(text + sizeof text - 2, "\"]", 2);
    struct fixture f;
    assert_int_equal(parse(&f, str_make(text, sizeof text)), JSON_OK);
    assert_int_equal(f.doc.count, 2);
    release(&f);
    for (size_t i = 1; i < sizeof text - 1; i++) /* and the tape grows when there are really so many */
        text[i] = i % 2 == 1 ? '7' : ',';
    text[sizeof text - 2] = '7';
    text[sizeof text - 3] = ' ';
    text[sizeof text - 4] = ',';
    assert_int_equal(parse(&f, str_make(text, sizeof text)), JSON_OK);
    assert_int_equal(f.doc.tape[1].as.integer, 7);
    assert_int_equal(f.doc.tape[f.doc.count - 1].as.integer, 7);
    release(&f);
}

/* ---- names ----------------------------------------------------------------------------------------------------- */
static void test_duplicate_names_are_refused(void **state)
{
    (void)state;
    assert_outcome("{\"a\":1,\"a\":1", JSON_MALFORMED); /* what is no JSON is called that first */
    assert_outcome("{\"a\":1,\"a\":01}", JSON_MALFORMED);
    assert_outcome("[{\"a\":1,\"a\":1},]", JSON_MALFORMED);
    assert_outcome("{\"a\":1,\"a\":1} x", JSON_MALFORMED);
    assert_outcome("[{\"a\":1,\"a\":1},\"\xff\"]", JSON_BAD_UTF8);
    assert_outcome("[{\"a\":1,\"a\":1},1e400]", JSON_NUMBER_RANGE);
    assert_outcome("{\"a\":1,\"a\":1}", JSON_DUPLICATE_NAME);
    assert_outcome("{\"a\":1,\"\\u0061\":2}", JSON_DUPLICATE_NAME);
    assert_outcome("{\"\":1,\"\":2}", JSON_DUPLICATE_NAME);
    assert_outcome("[{\"x\":{\"price\":1,\"quantity\":2,\"price\":1}}]", JSON_DUPLICATE_NAME);
    assert_outcome("{\"a name that is longer than sixteen bytes\":1,\"a name that is longer than sixteen bytes\":2}",
                   JSON_DUPLICATE_NAME);
    assert_outcome("{\"a name that is longer than sixteen bytes\":1,\"a name that is longer THAN sixteen bytes\":2}",
                   JSON_OK);
    assert_outcome("{\"a\":1,\"b\":{\"a\":1},\"A\":1,\"aa\":1,\"aaa\":1,\"aba\":1}", JSON_OK);
}

/* One object with `count` members; the last is named as the one at `same`. */
static void check_large_object(size_t count, size_t same, enum json_outcome want)
{
    char *text = malloc(count * 16 + 3);
    assert_non_null(text);
    size_t len = 0;
    text[len++] = '{';
    for (size_t i = 0; i < count; i++)
        len += (size_t)snprintf(text + len, 17, "%s\"n%zx\":%zu", i > 0 ? "," : "", i + 1 == count ? same : i, i % 10);
    text[len++] = '}';
    struct fixture f;
    assert_int_equal(parse(&f, str_make(text, len)), want);
    release(&f);
    free(text);
}

static void test_duplicates_in_objects_of_every_size(void **state)
{
    (void)state;
    static const size_t counts[] = { 2, 3, 15, 16, 17, 18, 31, 33, 64, 65, 1000, 60000 };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        check_large_object(counts[i], counts[i] - 1, JSON_OK);
        check_large_object(counts[i], 0, JSON_DUPLICATE_NAME);
        check_large_object(counts[i], counts[i] / 2 - (counts[i] == 2), JSON_DUPLICATE_NAME);
    }
}

/* ---- strings --------------------------------------------------------------------------------------------------- */
static void test_escapes(void **state)
{
    (void)state;
    struct fixture f;
    assert_int_equal(parse(&f, LIMEN_STR("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e4\\u20ac\\ud83d\\ude00 \\u0000.\"")),
                     JSON_OK);
    const limen_str want = LIMEN_STR("\"\\/\b\f\n\r\tA\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80 \0.");
    assert_true(str_equal(json_text(&f.doc.tape[0]), want));
    release(&f);
    assert_outcome("\"\\ud83d\"", JSON_MALFORMED);
    assert_outcome("\"\\ude00\"", JSON_MALFORMED);
    assert_outcome("\"\\ud83d\\u0041\"", JSON_MALFORMED);
    assert_outcome("\"\\ud83dxxxxxx\"", JSON_MALFORMED);
}

static void test_utf8_is_checked(void **state)
{
    (void)state;
    static const char *const good[] = { "\"\xc2\x80\"",         "\"\xdf\xbf\"",
                                        "\"\xe0\xa0\x80\"",     "\"\xed\x9f\xbf\"",
                                        "\"\xef\xbf\xbf\"",     "\"\xf0\x90\x80\x80\"",
                                        "\"\xf4\x8f\xbf\xbf\"", "\"0123456789abcdef\xc3\xa4\"" };
    static const char *const bad[] = { "\"\x80\"",
                                       "\"\xc0\x80\"",
                                       "\"\xc1\xbf\"",
                                       "\"\xc3\"",
                                       "\"\xe0\x9f\xbf\"",
                                       "\"\xed\xa0\x80\"",
                                       "\"\xe2\x82\"",
                                       "\"\xf0\x8f\xbf\xbf\"",
                                       "\"\xf4\x90\x80\x80\"",
                                       "\"\xf5\x80\x80\x80\"",
                                       "\"\xff\"",
                                       "\"\xf0\x90\x80\"",
                                       "\"0123456789abcdef\xc3\"",
                                       "\"\xe2\x28\xa1\"" };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        check_outcome(str_of(good[i]), JSON_OK, __FILE__, __LINE__);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        check_outcome(str_of(bad[i]), JSON_BAD_UTF8, __FILE__, __LINE__);
}

/* Special bytes at every distance from the start and from the end of the text. */
static void test_string_ends_are_found_at_every_offset(void **state)
{
    (void)state;
    char text[80];
    for (size_t len = 0; len < 70; len++) {
        text[0] = '"';
        memset(text + 1, 'x', len);
        text[len + 1] = '"';
        struct fixture f;
        assert_int_equal(parse(&f, str_make(text, len + 2)), JSON_OK);
        assert_int_equal(f.doc.tape[0].length, len);
        release(&f);
        for (size_t i = 0; i < len; i++) {
            text[1 + i] = 0x1f;
            check_outcome(str_make(text, len + 2), JSON_MALFORMED, __FILE__, __LINE__);
            text[1 + i] = (char)0xff;
            check_outcome(str_make(text, len + 2), JSON_BAD_UTF8, __FILE__, __LINE__);
            text[1 + i] = 0x7f;
            check_outcome(str_make(text, len + 2), JSON_OK, __FILE__, __LINE__);
            text[1 + i] = 'x';
        }
    }
}

/* The scanner for machines without SSE2 finds the same ends as the other. */
static void test_plain_bytes_are_skipped_alike_everywhere(void **state)
{
    (void)state;
    static const uint8_t specials[] = { '"', '\\', 0, 0x1f, 0x80, 0xff };
    uint8_t text[64];
    for (size_t from = 0; from <= sizeof text; from++) {
        for (size_t at = from; at <= sizeof text; at++) {
            for (size_t i = 0; i < sizeof specials; i++) {
                memset(text, i % 2 == 0 ? '"' : 0xc3, sizeof text); /* what stands before must not matter */
                memset(text + from, i % 2 == 0 ? ' ' : 0x7f, sizeof text - from);
                if (at < sizeof text)
                    text[at] = specials[i];
                const uint8_t *end = text + sizeof text;
                assert_ptr_equal(json_skip_plain(text, text + from, end), text + at);
                assert_ptr_equal(json_skip_plain_by_words(text + from, end), text + at);
            }
        }
    }
}

/* ---- numbers --------------------------------------------------------------------------------------------------- */
static struct json_value number(const char *text)
{
    struct json_value value = { 0 };
    if (json_parse_number(str_of(text), &value) != JSON_OK)
        fail_msg("%s is refused", text);
    return value;
}

static void test_integers_are_exact(void **state)
{
    (void)state;
    assert_true(number("9223372036854775807").as.integer == INT64_MAX);
    assert_true(number("-9223372036854775808").as.integer == INT64_MIN);
    assert_int_equal(number("9223372036854775808").type, JSON_DOUBLE);
    assert_true(number("9223372036854775808").is_integer);
    assert_int_equal(number("-9223372036854775809").type, JSON_DOUBLE);
    assert_int_equal(number("-0").type, JSON_INT);
    assert_int_equal(number("-0").as.integer, 0);
    assert_int_equal(number("999999999999999999").as.integer, 999999999999999999);
    assert_int_equal(number("1000000000000000000").as.integer, 1000000000000000000);
    assert_int_equal(number("100000000000000000000").type, JSON_DOUBLE);
}

static void test_doubles_know_whether_they_are_integers(void **state)
{
    (void)state;
    static const char *const integers[] = { "1.0",
                                            "1e3",
                                            "1.5e1",
                                            "-0.0",
                                            "0e99999999999999999999",
                                            "120e-1",
                                            "1180591620717411303424",
                                            "0.000000000000000000001e21",
                                            "0.0e-5" };
    static const char *const fractions[] = {
        "0.5", "1e-1", "15e-1", "1.0000000000000000000000000000000000001", "1e-400", "125e-1", "123.456e-789"
    };
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++)
        assert_true(number(integers[i]).is_integer && number(integers[i]).type == JSON_DOUBLE);
    for (size_t i = 0; i < sizeof fractions / sizeof *fractions; i++)
        assert_false(number(fractions[i]).is_integer);
}

static void test_doubles_are_rounded_correctly(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "0.1",
        "0.3",
        "1e23",
        "8.41e21",
        "9.109e-31",
        "2.2250738585072011e-308",
        "2.2250738585072014e-308",
        "4.9e-324",
        "5e-324",
        "2.4703282292062327e-324",
        "2.4703282292062328e-324",
        "1.7976931348623157e308",
        "9007199254740993.0",
        "9007199254740991.5",
        "123456789012345678901234567890",
        "0.000001e-300",
        "6.0221407600000000000001e23",
        "-1.5",
        "1.00000000000000011102230246251565",
        "1.00000000000000011102230246251565404",
        "1.00000000000000011102230246251566",
        "10000000000000000000000000.0e-25",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const struct json_value value = number(texts[i]);
        assert_int_equal(value.type, JSON_DOUBLE);
        if (value.as.number != strtod(texts[i], NULL))
            fail_msg("%s is read as %.17g", texts[i], value.as.number);
    }
    assert_true(signbit(number("-0.0").as.number));
    assert_true(number("1e-400").as.number == 0.0);
}

static void test_random_doubles_are_rounded_correctly(void **state)
{
    (void)state;
    uint64_t random = 88172645463325252;
    for (int i = 0; i < 200000; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        double want;
        char text[64];
        memcpy(&want, &random, sizeof want);
        if (!isfinite(want))
            continue;
        snprintf(text, sizeof text, "%.*e", (int)(random % 20), want);
        struct json_value value;
        const enum json_outcome outcome = json_parse_number(str_of(text), &value);
        if (isinf(strtod(text, NULL)))
            assert_int_equal(outcome, JSON_NUMBER_RANGE);
        else if (outcome != JSON_OK || value.as.number != strtod(text, NULL))
            fail_msg("%s is read as %.17g", text, value.as.number);
    }
}

static void test_too_large_numbers_are_refused(void **state)
{
    (void)state;
    assert_outcome("1e400", JSON_NUMBER_RANGE);
    assert_outcome("[-1e309]", JSON_NUMBER_RANGE);
    assert_outcome("1.7976931348623159e308", JSON_NUMBER_RANGE);
    assert_outcome("1e99999999999999999999999999", JSON_NUMBER_RANGE);
    assert_outcome("1e-99999999999999999999999999", JSON_OK);
    assert_outcome("0e99999999999999999999999999", JSON_OK);
}

/* Half-way between 1 and the next double needs all its digits, and a last one far behind them decides. */
static void test_very_long_numbers(void **state)
{
    (void)state;
    static const char half[] = "1.00000000000000011102230246251565404236316680908203125";
    const size_t bytes = 1000000;
    char *text = malloc(bytes + 1);
    assert_non_null(text);
    memset(text, '0', bytes);
    memcpy(text, half, sizeof half - 1);
    text[bytes] = '\0';
    assert_true(number(text).as.number == 1.0); /* ties to even */
    text[bytes - 1] = '1';
    assert_true(number(text).as.number == 1.0 + DBL_EPSILON);
    memset(text, '9', bytes);
    struct json_value value;
    assert_int_equal(json_parse_number(str_make(text, bytes), &value), JSON_NUMBER_RANGE);
    memset(text, '0', bytes);
    memcpy(text, "0.", 2);
    memcpy(text + bytes - 8, "1e999990", 8);
    assert_true(number(text).as.number == 1e0 * strtod(text, NULL));
    free(text);
}

static void test_numbers_alone(void **state)
{
    (void)state;
    static const char *const bad[] = { "", " 1", "1 ", "+1", "05", "1,0", "0x10", "1e", "-", "١", "--1", "1.", "12a" };
    struct json_value value;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(json_parse_number(str_of(bad[i]), &value), JSON_MALFORMED);
    assert_int_equal(number("-12").as.integer, -12);
    assert_int_equal(number("-12").to, 3);
    assert_int_equal(number("-12").next, 1);
}

/* ---- writing --------------------------------------------------------------------------------------------------- */
static void test_strings_are_written_with_the_escapes_that_must_be(void **state)
{
    (void)state;
    char memory[200];
    struct buf buf;
    buf_init_fixed(&buf, memory, sizeof memory);
    json_write_string(&buf, LIMEN_STR("a\"b\\c/\b\f\n\r\t\x01\x1f\x7f \xc3\xa4\xf0\x9f\x98\x80 and some more text"));
    assert_text(buf_str(&buf),
                "\"a\\\"b\\\\c/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f \xc3\xa4\xf0\x9f\x98\x80 and some more text\"");
    buf_init_fixed(&buf, memory, sizeof memory);
    json_write_string(&buf, (limen_str){ NULL, 0 });
    assert_text(buf_str(&buf), "\"\"");
}

static void test_doubles_are_written_short_and_read_back_the_same(void **state)
{
    (void)state;
    static const struct {
        double number;
        const char *text;
    } cases[] = {
        { 0.1, "0.1" },
        { 100.0, "100" },
        { -5.0, "-5" },
        { 0.0, "0" },
        { -0.0, "-0" },
        { 1e21, "1e+21" },
        { 5e-324, "5e-324" },
        { 1.0 / 3, "0.3333333333333333" },
        { 0.1 + 0.2, "0.30000000000000004" },
        { 9007199254740991.0, "9007199254740991" },
        { DBL_MAX, "1.7976931348623157e+308" },
        { 123456.789, "123456.789" },
    };
    char memory[64];
    struct buf buf;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf_init_fixed(&buf, memory, sizeof memory);
        json_write_double(&buf, cases[i].number);
        assert_text(buf_str(&buf), cases[i].text);
    }
    buf_init_fixed(&buf, memory, sizeof memory);
    json_write_double(&buf, (double)NAN);
    assert_true(buf.failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tape_of_a_document),
        cmocka_unit_test(test_text_without_escapes_is_a_slice),
        cmocka_unit_test(test_malformed_text_is_refused_at_its_place),
        cmocka_unit_test(test_every_prefix_is_refused),
        cmocka_unit_test(test_depth_has_a_ceiling),
        cmocka_unit_test(test_values_have_a_ceiling),
        cmocka_unit_test(test_short_texts_have_room_for_all_their_values),
        cmocka_unit_test(test_text_full_of_commas_in_strings),
        cmocka_unit_test(test_duplicate_names_are_refused),
        cmocka_unit_test(test_duplicates_in_objects_of_every_size),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_utf8_is_checked),
        cmocka_unit_test(test_string_ends_are_found_at_every_offset),
        cmocka_unit_test(test_plain_bytes_are_skipped_alike_everywhere),
        cmocka_unit_test(test_integers_are_exact),
        cmocka_unit_test(test_doubles_know_whether_they_are_integers),
        cmocka_unit_test(test_doubles_are_rounded_correctly),
        cmocka_unit_test(test_random_doubles_are_rounded_correctly),
        cmocka_unit_test(test_too_large_numbers_are_refused),
        cmocka_unit_test(test_very_long_numbers),
        cmocka_unit_test(test_numbers_alone),
        cmocka_unit_test(test_strings_are_written_with_the_escapes_that_must_be),
        cmocka_unit_test(test_doubles_are_written_short_and_read_back_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
