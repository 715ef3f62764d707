/* Tests of contract/schema.h: what each keyword refuses, with which pointer and words; what is refused when a contract is read. */
#include "schema_check.h"

/* ---- one keyword at a time ------------------------------------------------------------------------------------- */
static void test_each_keyword_and_its_words(void **state)
{
    (void)state;
    static const struct {
        const char *schema, *good, *bad, *pointer, *rule, *detail;
    } cases[] = {
        { "type: string", "\"a\"", "1", "", "type", "must be a string" },
        { "type: integer", "1.0", "1.5", "", "type", "must be an integer" },
        { "type: number", "-1.5", "\"1\"", "", "type", "must be a number" },
        { "type: [object, 'null']", "null", "[]", "", "type", "must be an object or null" },
        { "type: [array, boolean]", "true", "{}", "", "type", "must be an array or true or false" },
        { "enum: [red, green]", "\"red\"", "\"RED\"", "", "enum", "must be one of \"red\", \"green\"" },
        { "enum: [1, [2], {a: 3}, null]", "{\"a\":3.0}", "2", "", "enum", "must be one of 1, [2], {\"a\":3}, null" },
        { "const: {a: [1]}", "{\"a\":[1e0]}", "{\"a\":[2]}", "", "const", "must be {\"a\":[1]}" },
        { "minimum: 1", "1", "0.999", "", "minimum", "must be at least 1" },
        { "maximum: 99", "99.0", "100", "", "maximum", "must be at most 99" },
        { "exclusiveMinimum: 0", "1e-300", "0", "", "exclusiveMinimum", "must be greater than 0" },
        { "exclusiveMaximum: 1.5", "1.25", "1.5", "", "exclusiveMaximum", "must be less than 1.5" },
        { "maximum: 9223372036854775806", "9223372036854775806", "9223372036854775807", "", "maximum",
          "must be at most 9223372036854775806" },
        { "minimum: -9223372036854775807", "-9223372036854775807", "-9223372036854775808", "", "minimum",
          "must be at least -9223372036854775807" },
        { "maximum: 9007199254740993", "9007199254740993", "9007199254740994.0", "", "maximum",
          "must be at most 9007199254740993" },
        { "multipleOf: 0.01", "19.99", "19.999", "", "multipleOf", "must be a multiple of 0.01" },
        { "multipleOf: 3", "9e0", "10", "", "multipleOf", "must be a multiple of 3" },
        { "multipleOf: 100", "-12e2", "50", "", "multipleOf", "must be a multiple of 100" },
        { "multipleOf: 2", "100000000000000000000000000000000", "3e0", "", "multipleOf", "must be a multiple of 2" },
        { "multipleOf: 4", "158456325028528675187087900672", "6", "", "multipleOf", "must be a multiple of 4" },
        { "multipleOf: 10", "1000000000000000000000000000000000000010", "100000000000000000001", "", "multipleOf",
          "must be a multiple of 10" },
        { "multipleOf: 0.1", "123456789012345678901234567890.1", "0.10000000000000000000000001", "", "multipleOf",
          "must be a multiple of 0.1" },
        { "multipleOf: 7", "70000000000000000000000000000000000", "70000000000000000000000000000000001", "",
          "multipleOf", "must be a multiple of 7" },
        { "multipleOf: 1e25", "2e25", "1", "", "multipleOf", "must be a multiple of 1e25" },
        { "multipleOf: 1e30", "0", "1e5", "", "multipleOf", "must be a multiple of 1e30" },
        { "multipleOf: 0.5", "1.10000000000000000000000000000000e1", "0.75", "", "multipleOf",
          "must be a multiple of 0.5" },
        { "minLength: 2", "\"\xf0\x9f\x98\x80\xc3\xa4\"", "\"\xf0\x9f\x98\x80\"", "", "minLength",
          "must have at least 2 characters" },
        { "maxLength: 1", "\"\xf0\x9f\x98\x80\"", "\"ab\"", "", "maxLength", "must have at most 1 character" },
        { "pattern: '^sku_[a-z0-9]{1,32}$'", "\"sku_abc\"", "\"sku_\"", "", "pattern",
          "must match the pattern ^sku_[a-z0-9]{1,32}$" },
        { "format: uuid", "\"2eb8aa08-aa98-11ea-b4aa-73b441d16380\"", "\"x\"", "", "format", "must be a UUID" },
        { "format: int32", "2147483647", "2147483648", "", "format", "must be an integer of 32 bits" },
        { "format: int64", "9223372036854775807", "9223372036854775808", "", "format",
          "must be an integer of 64 bits" },
        { "format: float", "3e38", "1e39", "", "format", "must be a number of single precision" },
        { "required: [a, b]", "{\"a\":1,\"b\":2}", "{\"a\":1}", "", "required", "must have the member \"b\"" },
        { "properties: {a: {type: string}}", "{\"b\":1}", "{\"a\":1}", "/a", "type", "must be a string" },
        { "additionalProperties: false", "{}", "{\"price\":1}", "/price", "additionalProperties", "is not declared" },
        { "additionalProperties: {type: integer}", "{\"a\":1}", "{\"a\":\"\"}", "/a", "type", "must be an integer" },
        { "patternProperties: {'^n': {type: integer}}", "{\"m\":\"\"}", "{\"n\":\"\"}", "/n", "type",
          "must be an integer" },
        { "propertyNames: {maxLength: 2}", "{\"ab\":1}", "{\"abc\":1}", "/abc", "maxLength",
          "must have at most 2 characters" },
        { "minProperties: 1", "{\"a\":1}", "{}", "", "minProperties", "must have at least 1 member" },
        { "maxProperties: 1", "{\"a\":1}", "{\"a\":1,\"b\":1}", "", "maxProperties", "must have at most 1 member" },
        { "dependentRequired: {a: [b]}", "{\"b\":1}", "{\"a\":1}", "", "dependentRequired",
          "must have the member \"b\" when it has \"a\"" },
        { "dependentSchemas: {a: {maxProperties: 1}}", "{\"b\":1,\"c\":1}", "{\"a\":1,\"b\":1}", "", "maxProperties",
          "must have at most 1 member" },
        { "items: {type: integer}", "[1,2]", "[1,\"2\"]", "/1", "type", "must be an integer" },
        { "prefixItems: [{type: integer}]\nitems: false", "[1]", "[1,2]", "/1", "items", "must not be here" },
        { "minItems: 1", "[1]", "[]", "", "minItems", "must have at least 1 item" },
        { "maxItems: 2", "[1,2]", "[1,2,3]", "", "maxItems", "must have at most 2 items" },
        { "uniqueItems: true", "[1,\"1\",[1],{\"a\":1}]", "[1,2,1.0]", "", "uniqueItems",
          "must not hold the same item twice (items 0 and 2)" },
        { "contains: {type: integer}", "[\"\",1]", "[\"\"]", "", "contains",
          "must have at least 1 item of the kind that `contains` describes" },
        { "contains: {type: integer}\nmaxContains: 1", "[1]", "[1,2]", "", "maxContains",
          "must have at most 1 item of the kind that `contains` describes" },
        { "anyOf: [{type: string}, {minimum: 3}]", "3", "2", "", "anyOf", "matches none of the alternatives" },
        { "oneOf: [{type: integer}, {minimum: 3}]", "2", "3", "", "oneOf",
          "matches more than one of the alternatives" },
        { "oneOf: [{type: string}, {minimum: 3}]", "3", "2", "", "oneOf", "matches none of the alternatives" },
        { "not: {type: string}", "1", "\"\"", "", "not", "must not be of the kind that `not` describes" },
        { "allOf: [{minimum: 1}, {maximum: 2}]", "2", "3", "", "maximum", "must be at most 2" },
        { "if: {type: string}\nthen: {minLength: 1}\nelse: {minimum: 1}", "\"a\"", "0", "", "minimum",
          "must be at least 1" },
        { "allOf: [{properties: {a: true}}]\nunevaluatedProperties: false", "{\"a\":1}", "{\"b\":1}", "/b",
          "unevaluatedProperties", "is not declared" },
        { "prefixItems: [true]\nunevaluatedItems: false", "[1]", "[1,2]", "/1", "unevaluatedItems", "is not declared" },
        { "properties: {a: false}", "{}", "{\"a\":1}", "/a", "false", "must not be here" },
        { "$ref: '#/$defs/a'\n$defs: {a: {type: string}}", "\"\"", "1", "", "type", "must be a string" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f;
        open_schema(&f, cases[i].schema);
        if (!validate(&f, cases[i].good))
            fail_msg("%s: %s is refused: %.*s", cases[i].schema, cases[i].good,
                     LIMEN_STR_ARG(f.faults.items[0].detail));
        if (validate(&f, cases[i].bad))
            fail_msg("%s: %s is taken", cases[i].schema, cases[i].bad);
        assert_int_equal(f.faults.count, 1);
        check_fault(&f, 0, cases[i].pointer, cases[i].rule, cases[i].detail);
        close_schema(&f);
    }
}

/* ---- the whole of a body --------------------------------------------------------------------------------------- */
static const char checkout[] = "type: object\n"
                               "additionalProperties: false\n"
                               "required: [lines]\n"
                               "properties:\n"
                               "  lines:\n"
                               "    type: array\n"
                               "    minItems: 1\n"
                               "    maxItems: 50\n"
                               "    items:\n"
                               "      type: object\n"
                               "      additionalProperties: false\n"
                               "      required: [itemId, quantity]\n"
                               "      properties:\n"
                               "        itemId: { type: string, maxLength: 36, pattern: '^sku_[a-z0-9]{1,32}$' }\n"
                               "        quantity: { type: integer, minimum: 1, maximum: 99 }\n"
                               "        unitPrice: { type: integer, minimum: 1, maximum: 100, readOnly: true }\n";

static void test_all_faults_of_a_body_are_collected(void **state)
{
    (void)state;
    struct fixture f;
    open_schema(&f, checkout);
    assert_true(validate(&f, "{\"lines\":[{\"itemId\":\"sku_abc\",\"quantity\":2}]}"));
    assert_false(
        validate(&f,
                 "{\"lines\":[{\"itemId\":\"sku_ABC\",\"quantity\":1.5,\"price\":1},{\"quantity\":100,\"a/b~c\":[1]},"
                 "{\"itemId\":\"sku_a\",\"quantity\":1,\"unitPrice\":1}],\"total\":1}"));
    assert_int_equal(f.faults.count, 8);
    check_fault(&f, 0, "/lines/0/itemId", "pattern", "must match the pattern ^sku_[a-z0-9]{1,32}$");
    check_fault(&f, 1, "/lines/0/quantity", "type", "must be an integer");
    check_fault(&f, 2, "/lines/0/price", "additionalProperties", "is not declared");
    check_fault(&f, 3, "/lines/1/quantity", "maximum", "must be at most 99");
    check_fault(&f, 4, "/lines/1/a~1b~0c", "additionalProperties", "is not declared");
    check_fault(&f, 5, "/lines/1", "required", "must have the member \"itemId\"");
    check_fault(&f, 6, "/lines/2/unitPrice", "readOnly", "is decided by the server and must not be sent");
    check_fault(&f, 7, "/total", "additionalProperties", "is not declared");
    assert_false(f.faults.is_cut);
    close_schema(&f);
}

static void test_faults_have_a_ceiling(void **state)
{
    (void)state;
    struct fixture f;
    char text[8 * (LIMIT_SCHEMA_FAULTS + 5)];
    open_schema(&f, "type: array\nitems: {type: string}");
    for (uint32_t faults = LIMIT_SCHEMA_FAULTS; faults <= LIMIT_SCHEMA_FAULTS + 2; faults++) {
        size_t len = 0;
        for (uint32_t i = 0; i < faults; i++)
            len += (size_t)snprintf(text + len, sizeof text - len, "%s%u", i == 0 ? "[" : ",", i);
        text[len++] = ']';
        assert_false(validate_text(&f, str_make(text, len), SCHEMA_REQUEST));
        assert_int_equal(f.faults.count, LIMIT_SCHEMA_FAULTS);
        assert_int_equal(f.faults.is_cut, faults > LIMIT_SCHEMA_FAULTS);
    }
    close_schema(&f);
}

static void test_long_names_are_cut_in_pointers(void **state)
{
    (void)state;
    struct fixture f;
    char text[300] = "{\"";
    open_schema(&f, "additionalProperties: false");
    for (size_t i = 2; i < 202; i += 2)
        memcpy(text + i, "\xc3\xa4", 2);
    memcpy(text + 202, "\":1}", 5);
    assert_false(validate(&f, text));
    assert_int_equal(f.faults.items[0].pointer.len, 1 + 64 + 3);
    assert_true(str_is_utf8(f.faults.items[0].pointer));
    close_schema(&f);
}

/* ---- readOnly and writeOnly ------------------------------------------------------------------------------------ */
static void test_read_only_members(void **state)
{
    (void)state;
    struct fixture f;
    open_schema(
        &f,
        "type: object\nrequired: [id, name, password]\nadditionalProperties: false\nproperties:\n"
        "  id: { $ref: '#/$defs/id' }\n  name: { type: string }\n  password: { type: string, writeOnly: true }\n"
        "$defs: { id: { allOf: [ { type: string, readOnly: true } ] } }\n");
    const limen_str request = LIMEN_STR("{\"name\":\"n\",\"password\":\"p\"}"),
                    reply = LIMEN_STR("{\"id\":\"1\",\"name\":\"n\"}");
    assert_true(validate_text(&f, request, SCHEMA_REQUEST));
    assert_true(validate_text(&f, reply, SCHEMA_REPLY));
    assert_false(validate_text(&f, request, SCHEMA_ANY)); /* both are required where nobody said what it is for */
    check_fault(&f, 0, "", "required", "must have the member \"id\"");
    assert_false(validate_text(&f, LIMEN_STR("{\"id\":\"1\",\"name\":\"n\",\"password\":\"p\"}"), SCHEMA_REQUEST));
    check_fault(&f, 0, "/id", "readOnly", "is decided by the server and must not be sent");
    assert_false(validate_text(&f, LIMEN_STR("{\"id\":\"1\",\"name\":\"n\",\"password\":\"p\"}"), SCHEMA_REPLY));
    check_fault(&f, 0, "/password", "writeOnly", "must not be in a reply");
    close_schema(&f);
}

/* ---- large values ---------------------------------------------------------------------------------------------- */
/* "[prefix0suffix,prefix1suffix,…]" with `twice` instead of the last. */
static limen_str make_array(struct fixture *f, const char *prefix, const char *suffix, int count, int twice)
{
    struct buf text;
    buf_init(&text, &f->arena, 1024);
    for (int i = 0; i < count; i++) {
        buf_printf(&text, "%s%s", i == 0 ? "[" : ",", prefix);
        buf_printf(&text, "%d%s", i + 1 == count && twice >= 0 ? twice : i, suffix);
    }
    buf_add_char(&text, ']');
    return buf_str(&text);
}

static void test_unique_items_in_large_arrays(void **state)
{
    (void)state;
    static const struct {
        const char *prefix, *suffix;
    } kinds[] = {
        { "", "" }, { "\"x", "\"" }, { "", ".5" }, { "[1,", "]" }, { "{\"a\":{\"b\":", "},\"c\":[]}" },
    };
    struct fixture f;
    open_schema(&f, "uniqueItems: true");
    for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++) {
        for (int count = 11; count <= 20011; count = count < 15 ? count + 1 : count + 19996) {
            assert_true(
                validate_text(&f, make_array(&f, kinds[kind].prefix, kinds[kind].suffix, count, -1), SCHEMA_ANY));
            assert_false(validate_text(&f, make_array(&f, kinds[kind].prefix, kinds[kind].suffix, count, count / 3),
                                       SCHEMA_ANY));
        }
    }
    assert_false(validate(&f, "[0,1,2,3,4,5,6,7,8,9,10,11,12,{\"a\":1,\"b\":[2.0]},14,{\"b\":[2],\"a\":1.0}]"));
    check_fault(&f, 0, "", "uniqueItems", "must not hold the same item twice (items 13 and 15)");
    assert_true(validate(&f,
                         "[0,1,2,3,4,5,6,7,8,9,10,11,12,{\"a\":1,\"b\":2},14,{\"a\":2,\"b\":1},[1,2],[2,1],true,false,"
                         "null,\"\",[],{}]"));
    close_schema(&f);
}

static void test_objects_with_many_declared_names(void **state)
{
    (void)state;
    struct fixture f;
    arena_init(&f.arena, NULL, 16U * 1024 * 1024);
    struct buf schema, good, bad;
    buf_init(&schema, &f.arena, 4096);
    buf_init(&good, &f.arena, 4096);
    buf_init(&bad, &f.arena, 4096);
    BUF_ADD(&schema,
            "{\"additionalProperties\":false,\"required\":[\"a rather long name, number 199\",\"a rather long name, "
            "number 3\"],"
            "\"properties\":{");
    for (int i = 0; i < 200; i++) {
        buf_printf(&schema, "%s\"a rather long name, number %d\":{\"const\":%d}", i > 0 ? "," : "", i, i);
        buf_printf(&good, "%s\"a rather long name, number %d\":%d", i > 0 ? "," : "{", i, i);
        buf_printf(&bad, "%s\"a rather long name, number %d\":%d", i > 0 ? "," : "{", i, i == 150 ? 0 : i);
        if (i == 198)
            BUF_ADD(&bad, "}"), bad.failed = true; /* without the last */
    }
    bad.failed = false;
    BUF_ADD(&schema, "}}");
    BUF_ADD(&good, "}");
    buf_add_char(&schema, '\0');
    struct fixture g;
    open_schema(&g, schema.ptr);
    assert_true(validate_text(&g, buf_str(&good), SCHEMA_REQUEST));
    assert_false(validate_text(&g, buf_str(&bad), SCHEMA_REQUEST));
    assert_int_equal(g.faults.count, 2);
    check_fault(&g, 0, "/a rather long name, number 150", "const", "must be 150");
    check_fault(&g, 1, "", "required", "must have the member \"a rather long name, number 199\"");
    close_schema(&g);
    arena_release(&f.arena);
}

/* What a quick test looks at, at and around its bounds; validate_text compares it with the walk that collects faults. */
static void test_quick_tests_agree_with_the_whole_walk(void **state)
{
    (void)state;
    static const struct {
        const char *schema, *good[8], *bad[8];
    } cases[] = {
        { "{type: integer, minimum: 1, maximum: 99}",
          { "1", "99", "1.0", "9.9e1" },
          { "0", "100", "1.5", "\"1\"", "null" } },
        { "{type: integer, exclusiveMinimum: 1, exclusiveMaximum: 4}", { "2", "3", "2.0" }, { "1", "4", "1.5" } },
        { "{type: integer, exclusiveMaximum: -9223372036854775808}", { "-1e19" }, { "-9223372036854775808" } },
        { "{type: integer, minimum: 0.5, maximum: 1e3}", { "1", "1000" }, { "0", "1001" } },
        { "{type: integer, multipleOf: 3}", { "0", "9" }, { "4" } },
        { "{type: integer, format: int32}", { "2147483647" }, { "2147483648" } },
        { "{type: integer, enum: [1, 2]}", { "1", "2.0" }, { "3" } },
        { "{type: [integer, string], maxLength: 1}", { "123", "\"a\"" }, { "\"ab\"", "1.5" } },
        { "{type: number, minimum: 1}", { "1", "1.5" }, { "0.5" } },
        { "{type: string, minLength: 2, maxLength: 3}",
          { "\"ab\"", "\"abc\"", "\"\\u00e4\\u00e4\"", "\"\\ud83d\\ude00\\ud83d\\ude00\\ud83d\\ude00\"" },
          { "\"\"", "\"a\"", "\"\\ud83d\\ude00\"", "\"abcd\"" } },
        { "{type: string, pattern: '^a[bc]{2,3}$', maxLength: 3}", { "\"abc\"" }, { "\"ab\"", "\"abcb\"", "1" } },
        { "{type: string, pattern: 'b', maxLength: 3}", { "\"abc\"" }, { "\"ac\"" } },
        { "{type: string, format: date, maxLength: 10}", { "\"2026-01-31\"" }, { "\"2026-02-31\"" } },
        { "{type: string, enum: [red, green]}", { "\"red\"" }, { "\"re\"", "1" } },
        { "{type: string, enum: [red, green], maxLength: 3}", { "\"red\"" }, { "\"green\"" } },
        { "{type: string, enum: [red], const: red}", { "\"red\"" }, { "\"green\"" } },
        { "{type: array, minItems: 1, maxItems: 2, items: {type: integer}}",
          { "[1]", "[1,2]" },
          { "[]", "[1,2,3]", "[\"\"]" } },
        { "{type: array, uniqueItems: true}", { "[1,2]" }, { "[1,1]" } },
        { "{type: array, contains: {const: 1}}", { "[1,2]" }, { "[2]" } },
        { "{type: array, prefixItems: [{type: string}], items: {type: integer}}",
          { "[\"\",1]" },
          { "[1]", "[\"\",\"\"]" } },
        { "{type: array, items: false}", { "[]" }, { "[1]" } },
        { "{type: object, required: [a], properties: {a: {}, b: {type: integer}}}",
          { "{\"a\":1}", "{\"b\":1,\"a\":{}}", "{\"c\":1,\"a\":1}" },
          { "{}", "{\"b\":1}", "{\"a\":1,\"b\":\"\"}", "[]" } },
        { "{type: object, additionalProperties: false, required: [b], properties: {a: {}}}",
          { NULL },
          { "{\"b\":1}", "{\"a\":1}" } },
        { "{type: object, additionalProperties: {type: integer}, properties: {a: {type: string}}}",
          { "{\"a\":\"\",\"b\":1}" },
          { "{\"b\":\"\"}", "{\"a\":1}" } },
        { "{type: object, minProperties: 1, maxProperties: 2}",
          { "{\"a\":1}" },
          { "{}", "{\"a\":1,\"b\":1,\"c\":1}" } },
        { "{type: object, patternProperties: {'^a': {type: integer}}}", { "{\"a\":1}" }, { "{\"a\":\"\"}" } },
        { "{type: object, propertyNames: {maxLength: 1}}", { "{\"a\":1}" }, { "{\"ab\":1}" } },
        { "{type: object, dependentRequired: {a: [b]}}", { "{\"b\":1}" }, { "{\"a\":1}" } },
        { "{type: object, properties: {a: {not: {type: object, required: [x], properties: {x: {type: integer}}}}}}",
          { "{\"a\":{\"x\":\"\"}}" },
          { "{\"a\":{\"x\":1}}" } },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f;
        open_schema(&f, cases[i].schema);
        for (size_t j = 0; j < 8 && cases[i].good[j] != NULL; j++) {
            if (!validate(&f, cases[i].good[j]))
                fail_msg("%s refuses %s", cases[i].schema, cases[i].good[j]);
        }
        for (size_t j = 0; j < 8 && cases[i].bad[j] != NULL; j++) {
            if (validate(&f, cases[i].bad[j]))
                fail_msg("%s accepts %s", cases[i].schema, cases[i].bad[j]);
        }
        close_schema(&f);
    }
}

/* ---- parameters ------------------------------------------------------------------------------------------------ */
static void test_parameters_are_read_as_their_schema_says(void **state)
{
    (void)state;
    static const struct {
        const char *schema, *raw;
        enum json_type type;
        const char *rule;
    } cases[] = {
        { "type: integer\nminimum: 1\nmaximum: 100", "20", JSON_INT, NULL },
        { "type: integer\nminimum: 1\nmaximum: 100", "101", JSON_INT, "maximum" },
        { "type: integer\nminimum: 1", "+1", JSON_INT, "type" },
        { "type: integer\nminimum: 1", "01", JSON_INT, "type" },
        { "type: integer\nminimum: 1", "", JSON_INT, "type" },
        { "type: integer\nminimum: 1", "1.5", JSON_INT, "type" },
        { "type: integer\nminimum: 1", "1 ", JSON_INT, "type" },
        { "type: integer", "1e400", JSON_INT, "type" },
        { "type: number\nmultipleOf: 0.1", "0.3", JSON_DOUBLE, NULL },
        { "type: number\nmultipleOf: 0.1", "0.35", JSON_DOUBLE, "multipleOf" },
        { "type: boolean", "true", JSON_TRUE, NULL },
        { "type: boolean", "false", JSON_FALSE, NULL },
        { "type: boolean", "True", JSON_TRUE, "type" },
        { "type: string\nmaxLength: 3", "123", JSON_STRING, NULL },
        { "type: string\nmaxLength: 3", "1234", JSON_STRING, "maxLength" },
        { "type: string\nminLength: 1", "", JSON_STRING, "minLength" },
        { "type: string", "\xff", JSON_STRING, "type" },
        { "type: [integer, string]\nminimum: 3\nmaxLength: 2", "ab", JSON_STRING, NULL },
        { "type: [integer, string]\nminimum: 3\nmaxLength: 2", "2", JSON_INT, "minimum" },
        { "enum: [asc, desc]", "asc", JSON_STRING, NULL },
        { "enum: [asc, desc]", "ASC", JSON_STRING, "enum" },
        { "enum: [1, 2]", "2", JSON_INT, NULL },
        { "allOf: [ { $ref: '#/$defs/n' } ]\n$defs: { n: { type: integer } }", "7", JSON_INT, NULL },
        { "type: array", "a", JSON_ARRAY, "type" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f;
        open_schema(&f, cases[i].schema);
        assert_non_null(f.schema);
        const limen_str raw = tight_copy(str_of(cases[i].raw));
        struct json_value value = { 0 };
        faults_init(&f.faults, &f.arena);
        const bool ok = schema_validate_param(f.schema, raw, LIMEN_STR("/query/limit"), &f.arena, &value, &f.faults);
        if (ok != (cases[i].rule == NULL))
            fail_msg("%s: '%s' is %s", cases[i].schema, cases[i].raw, ok ? "taken" : "refused");
        if (ok) {
            assert_int_equal(value.type, cases[i].type);
            assert_int_equal(value.next, 1);
        } else {
            assert_text(f.faults.items[0].pointer, "/query/limit");
            assert_text(f.faults.items[0].rule, cases[i].rule);
        }
        free((char *)raw.ptr);
        close_schema(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_keyword_and_its_words),
        cmocka_unit_test(test_all_faults_of_a_body_are_collected),
        cmocka_unit_test(test_faults_have_a_ceiling),
        cmocka_unit_test(test_long_names_are_cut_in_pointers),
        cmocka_unit_test(test_read_only_members),
        cmocka_unit_test(test_unique_items_in_large_arrays),
        cmocka_unit_test(test_objects_with_many_declared_names),
        cmocka_unit_test(test_quick_tests_agree_with_the_whole_walk),
        cmocka_unit_test(test_parameters_are_read_as_their_schema_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
