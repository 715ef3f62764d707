/* Tests of contract/schema.h: recursion, and the ceilings of depth and work. */
#include "schema_check.h"

#include <time.h>

static void test_a_long_enumeration_is_not_told_in_full(void **state)
{
    (void)state;
    struct fixture f;
    char schema[2048] = "enum: [first";
    for (int i = 0; i < 100; i++)
        strncat(schema, ", another value", sizeof schema - strlen(schema) - 1);
    strncat(schema, "]", sizeof schema - strlen(schema) - 1);
    open_schema(&f, schema);
    assert_non_null(f.schema);
    assert_true(validate(&f, "\"first\""));
    assert_false(validate(&f, "\"last\""));
    assert_int_equal(f.faults.count, 1);
    assert_text(f.faults.items[0].detail, "is not one of the values that are allowed");
    close_schema(&f);
}

static void test_recursive_schemas(void **state)
{
    (void)state;
    struct fixture f;
    open_schema(&f,
                "$defs:\n  node:\n    type: object\n    additionalProperties: false\n    properties:\n"
                "      next: { $ref: '#/$defs/node' }\n      value: { type: integer }\n$ref: '#/$defs/node'\n");
    assert_true(validate(&f, "{\"next\":{\"next\":{\"value\":1}}}"));
    assert_false(validate(&f, "{\"next\":{\"next\":{\"value\":\"\"}}}"));
    check_fault(&f, 0, "/next/next/value", "type", "must be an integer");
    close_schema(&f);
}

/* Each level of the value tries both alternatives: twice the work with every level, and a ceiling. */
static void test_work_has_a_ceiling_even_below_not(void **state)
{
    (void)state;
    struct fixture f;
    char text[600];
    size_t len = 0;
    open_schema(&f,
                "not: { $ref: '#/$defs/node' }\n$defs:\n  node:\n    anyOf:\n"
                "      - { type: object, properties: { a: { $ref: '#/$defs/node' } }, required: [x] }\n"
                "      - { type: object, properties: { a: { $ref: '#/$defs/node' } }, required: [y] }\n");
    for (int i = 0; i < 60; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "{\"a\":");
    text[len++] = '1';
    memset(text + len, '}', 60);
    assert_false(validate_text(&f, str_make(text, len + 60), SCHEMA_ANY));
    check_fault(&f, 0, "", "limit", "takes too much work to be checked");
    close_schema(&f);
}

static void test_depth_has_a_ceiling(void **state)
{
    (void)state;
    struct fixture f;
    char text[600];
    size_t len = 0;
    /* three schemas for each level of the value */
    open_schema(&f,
                "$ref: '#/$defs/node'\n$defs:\n  node:\n    allOf: [ { allOf: [ { properties: { a: { $ref: "
                "'#/$defs/node' } } } ] } ]\n");
    for (int i = 0; i < 60; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "{\"a\":");
    text[len++] = '1';
    memset(text + len, '}', 60);
    assert_false(validate_text(&f, str_make(text, len + 60), SCHEMA_ANY));
    check_fault(&f, 0, "", "limit", "is nested too deep to be checked");
    assert_true(validate(&f, "{\"a\":{\"a\":{\"a\":{}}}}"));
    close_schema(&f);
}

static void test_a_pattern_past_its_limit_refuses_even_below_not(void **state)
{
    (void)state;
    struct fixture f;
    open_schema(&f, "not: { pattern: '^(a|aa)+$' }");
    assert_false(validate(&f, "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\""));
    check_fault(&f, 0, "", "limit", "takes too much work to be matched with its pattern");
    assert_true(validate(&f, "\"!\""));
    close_schema(&f);
}

/* Each text takes less work than one match may, and there are many of them. */
static void test_the_patterns_of_one_value_share_a_limit(void **state)
{
    (void)state;
    struct fixture f;
    open_schema(&f, "items: { pattern: '^((a+)+|a+!)$' }");
    struct buf text;
    buf_init(&text, &f.arena, 4096);
    BUF_ADD(&text, "[\"aaaaaaaaaaaa!\"");
    assert_true(validate(&f, "[\"aaaaaaaaaaaa!\"]"));
    for (int i = 0; i < 20000; i++)
        BUF_ADD(&text, ",\"aaaaaaaaaaaa!\"");
    BUF_ADD(&text, "]");
    assert_false(validate_text(&f, buf_str(&text), SCHEMA_ANY));
    check_fault(&f, 0, "", "limit", "takes too much work to be matched with its pattern");
    close_schema(&f);
}

/* Names in other scripts go through libidn2, which takes a microsecond where others take nanoseconds. */
static void test_host_names_in_other_scripts_are_work(void **state)
{
    (void)state;
    static const struct {
        const char *format, *item;
        bool is_too_much;
    } cases[] = {
        { "email", "a@xn--4ca.xn--4ca", true },          { "hostname", "XN--4ca.xn--4ca", true },
        { "idn-email", "a@\xc3\xa4.\xc3\xa4", true },    { "idn-hostname", "\xc3\xa4.\xc3\xa4.example", true },
        { "email", "somebody@mail.example.com", false }, { "uri", "http://a/--/b", false },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f;
        char schema[64];
        snprintf(schema, sizeof(schema), "items: { format: %s }", cases[i].format);
        open_schema(&f, schema);
        struct buf text;
        buf_init(&text, &f.arena, 4096);
        buf_printf(&text, "[\"%s\"", cases[i].item);
        for (int j = 0; j < 40000; j++)
            buf_printf(&text, ",\"%s\"", cases[i].item);
        buf_add_char(&text, ']');
        assert_int_equal(validate_text(&f, buf_str(&text), SCHEMA_ANY), !cases[i].is_too_much);
        if (cases[i].is_too_much)
            check_fault(&f, 0, "", "limit", "takes too much work to be checked");
        close_schema(&f);
    }
}

static void add_large_object(struct buf *out, int members, bool is_backwards)
{
    buf_add_char(out, '{');
    for (int i = 0; i < members; i++)
        buf_printf(out, "%s\"%d\":1", i > 0 ? "," : "", is_backwards ? members - 1 - i : i);
    buf_add_char(out, '}');
}

/* Members have no order: compared pair by pair, these two would take the square of their number. */
static void test_two_large_objects_are_compared_without_their_square(void **state)
{
    (void)state;
    struct fixture f;
    open_schema(&f, "uniqueItems: true");
    struct buf text;
    buf_init(&text, &f.arena, 4096);
    buf_add_char(&text, '[');
    add_large_object(&text, 60000, /* is_backwards= */ false);
    buf_add_char(&text, ',');
    add_large_object(&text, 60000, /* is_backwards= */ true);
    buf_add_char(&text, ']');
    const clock_t before = clock();
    assert_false(validate_text(&f, buf_str(&text), SCHEMA_ANY));
    assert_true(clock() - before < 20 * CLOCKS_PER_SEC); /* minutes, if it were the square */
    check_fault(&f, 0, "", "uniqueItems", "must not hold the same item twice (items 0 and 1)");
    close_schema(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_long_enumeration_is_not_told_in_full),
        cmocka_unit_test(test_recursive_schemas),
        cmocka_unit_test(test_work_has_a_ceiling_even_below_not),
        cmocka_unit_test(test_depth_has_a_ceiling),
        cmocka_unit_test(test_a_pattern_past_its_limit_refuses_even_below_not),
        cmocka_unit_test(test_the_patterns_of_one_value_share_a_limit),
        cmocka_unit_test(test_host_names_in_other_scripts_are_work),
        cmocka_unit_test(test_two_large_objects_are_compared_without_their_square),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
