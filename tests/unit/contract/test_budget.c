/* Tests of contract/budget.h: schemas and the largest value of each; operations and what a call of each may cost. */
#include "check.h"

#include "contract/contract.h"

struct fixture {
    struct arena arena;
    struct doc doc;
    struct diags diags;
    struct catalog *catalog;
    struct schema_set *set;
};

static const struct schema *compile(struct fixture *f, const char *schema)
{
    arena_init(&f->arena, NULL, SIZE_MAX);
    diags_init(&f->diags, &f->arena);
    limen_str text = arena_printf(&f->arena, "schema: %s\n", schema);
    assert_true(doc_parse(text, LIMEN_STR("s.yaml"), &f->arena, &f->doc, &f->diags));
    f->catalog = catalog_new(&f->arena);
    f->set = schema_set_new(f->catalog, &f->arena);
    assert_true(catalog_add(f->catalog, &f->doc, LIMEN_STR("s.yaml"), &f->diags));
    const struct schema *compiled = schema_compile(f->set, doc_get(f->doc.root, LIMEN_STR("schema")), &f->diags);
    if (compiled == NULL)
        fail_msg("%s: %.*s", schema, LIMEN_STR_ARG(f->diags.items[0].message));
    return compiled;
}

static void release(struct fixture *f)
{
    schema_set_free(f->set);
    catalog_free(f->catalog);
    arena_release(&f->arena);
}

#define NONE BUDGET_UNBOUNDED

static void test_the_largest_value_of_a_schema(void **state)
{
    (void)state;
    static const struct {
        const char *schema;
        size_t request, reply, values, rows;
    } cases[] = {
        /* scalars: the text itself */
        { "{ type: 'null' }", 4, 4, 1, 0 },
        { "{ type: boolean }", 5, 5, 1, 0 },
        { "{ type: integer, minimum: 0, maximum: 9 }", 1, 1, 1, 0 },
        { "{ type: integer, minimum: -100, maximum: 9 }", 4, 4, 1, 0 },
        { "{ type: integer, exclusiveMinimum: 0, exclusiveMaximum: 1000 }", 4, 4, 1, 0 },
        { "{ type: integer, minimum: 0 }", 25, 25, 1, 0 },
        { "{ type: number, minimum: 0, maximum: 1 }", 25, 25, 1, 0 },
        /* strings: two quotes; 12 bytes for a code point from a client, 6 from us */
        { "{ type: string, maxLength: 0 }", 2, 2, 1, 0 },
        { "{ type: string, maxLength: 10 }", 122, 62, 1, 0 },
        { "{ type: string }", NONE, NONE, 1, 0 },
        { "{ type: string, format: uuid }", 218, 218, 1, 0 },
        { "{ type: string, format: uuid, maxLength: 10 }", 122, 62, 1, 0 },
        { "{ type: string, format: uri, maxLength: 10 }", 122, 62, 1, 0 },
        { "{ enum: [a, bcd, 7] }", 38, 20, 1, 0 },
        { "{ const: [1, 22] }", 7, 7, 3, 2 },
        { "{ type: [string, 'null'], maxLength: 1 }", 14, 8, 1, 0 },
        /* arrays: "[" , "]" and a comma for each item */
        { "{ type: array, maxItems: 3, items: { type: boolean } }", 20, 20, 4, 3 },
        { "{ type: array, items: { type: boolean } }", NONE, NONE, NONE, NONE },
        { "{ type: array, maxItems: 3 }", NONE, NONE, NONE, NONE },
        { "{ type: array, prefixItems: [{ type: boolean }, { type: 'null' }], items: false }", 13, 13, 3, 2 },
        { "{ type: array, maxItems: 4, prefixItems: [{ type: boolean }], items: { type: 'null' } }", 23, 23, 5, 4 },
        { "{ type: array, maxItems: 10, items: { type: array, maxItems: 10, items: { type: 'null' } } }", 532, 532, 111,
          110 },
        /* objects: names are strings, too */
        { "{ type: object, additionalProperties: false }", 2, 2, 1, 0 },
        { "{ type: object, additionalProperties: false, properties: { a: { type: boolean } } }", 23, 17, 3, 0 },
        { "{ type: object, properties: { a: { type: boolean } } }", NONE, NONE, NONE, NONE },
        { "{ type: object, additionalProperties: false, properties: { a: { type: 'null' }, b: { type: 'null' } } }", 42,
          30, 5, 0 },
        /* a map: as many members as maxProperties says; its names need a bound */
        { "{ type: object, additionalProperties: false, maxProperties: 4, propertyNames: { type: string, maxLength: 1 "
          "}, "
          "patternProperties: { '^.$': { type: 'null' } } }",
          82, 58, 9, 0 },
        { "{ type: object, additionalProperties: false, maxProperties: 4, patternProperties: { x: { type: 'null' } } }",
          NONE, NONE, 9, 0 },
        /* all must hold, one must hold */
        { "{ type: string, maxLength: 9, allOf: [{ type: string, maxLength: 2 }] }", 26, 14, 1, 0 },
        { "{ anyOf: [{ type: string, maxLength: 1 }, { type: boolean }] }", 14, 8, 1, 0 },
        { "{ oneOf: [{ type: 'null' }, { type: string, maxLength: 2 }] }", 26, 14, 1, 0 },
        { "{ type: object, unevaluatedProperties: false, allOf: [{ properties: { a: { type: 'null' } } }, { "
          "properties: { "
          "b: { type: 'null' } } }] }",
          42, 30, 5, 0 },
        { "{ type: object, unevaluatedProperties: false, allOf: [{ $dynamicRef: '#/schema/$defs/a' }], $defs: { a: { "
          "properties: { a: { type: 'null' } } } } }",
          22, 16, 3, 0 },
        /* inside itself: the bytes of the body are the only bound */
        { "{ type: array, maxItems: 2, items: { $ref: '#/schema' } }", NONE, NONE, NONE, NONE },
        { "{ type: object, additionalProperties: false, properties: { up: { $ref: '#/schema' }, n: { type: 'null' } } "
          "}",
          NONE, NONE, NONE, NONE },
        /* the same schema twice is no circle */
        { "{ type: array, prefixItems: [{ $ref: '#/schema/$defs/a' }, { $ref: '#/schema/$defs/a' }], items: false, "
          "$defs: { a: { type: 'null' } } }",
          12, 12, 3, 2 },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f;
        const struct schema *schema = compile(&f, cases[i].schema);
        struct schema_cost in = budget_schema(schema, SCHEMA_REQUEST, &f.arena);
        struct schema_cost out = budget_schema(schema, SCHEMA_REPLY, &f.arena);
        if (in.text_bytes != cases[i].request || out.text_bytes != cases[i].reply || in.values != cases[i].values
            || in.rows != cases[i].rows)
            fail_msg("%s: request %zu, reply %zu, values %zu, rows %zu", cases[i].schema, in.text_bytes, out.text_bytes,
                     in.values, in.rows);
        release(&f);
    }
}

static void test_members_that_are_refused_cost_nothing(void **state)
{
    (void)state;
    struct fixture f;
    const struct schema *schema = compile(&f,
                                          "{ type: object, additionalProperties: false, properties: { a: { type: "
                                          "'null' }, id: { type: 'null', readOnly: true }, key: { type: 'null', "
                                          "writeOnly: true } } }");
    assert_int_equal(budget_schema(schema, SCHEMA_REQUEST, &f.arena).values, 5);
    assert_int_equal(budget_schema(schema, SCHEMA_REPLY, &f.arena).values, 5);
    assert_int_equal(budget_schema(schema, SCHEMA_ANY, &f.arena).values, 7);
    release(&f);
}

/* What is said of text and tape holds for the worst text that is valid. */
static void test_the_worst_text_fits_its_budget(void **state)
{
    (void)state;
    struct fixture f;
    const struct schema *schema = compile(&f, "{ type: array, maxItems: 50, items: { type: string, maxLength: 3 } }");
    struct schema_cost cost = budget_schema(schema, SCHEMA_REQUEST, &f.arena);
    struct json_doc doc;
    struct json_error error;
    struct buf text;
    buf_init(&text, &f.arena, 4096);
    BUF_ADD(&text, "[");
    for (int i = 0; i < 50; i++)
        buf_printf(&text, "%s\"\\ud83d\\ude00\\ud83d\\ude00\\ud83d\\ude00\"", i > 0 ? "," : "");
    BUF_ADD(&text, "]");
    assert_in_range(text.len, cost.text_bytes - 2, cost.text_bytes);
    struct arena arena;
    arena_init(&arena, NULL, SIZE_MAX);
    assert_int_equal(json_parse_within(buf_str(&text), (uint32_t)cost.values, &arena, &doc, &error), JSON_OK);
    assert_true(schema_validate(schema, &doc, 0, SCHEMA_REQUEST, NULL));
    assert_int_equal(doc.count, cost.values);
    if (!ARENA_IS_POISONED)
        assert_in_range(arena.total_bytes, 1, json_memory_bytes(text.len, doc.count) + (size_t)16 * 1024);
    arena_release(&arena);
    release(&f);
}

/* Texts that make the parser take as much as it can: no more than json_memory_bytes says, blocks' ends aside. */
static void test_no_text_takes_more_than_the_parser_says(void **state)
{
    (void)state;
    static const struct {
        const char *first, *again, *last;
    } texts[] = {
        { "[1", ",1", "]" },
        { "[\"\\n\"", ",\"\\n\"", "]" },
        { "[\",,,,\"", ",\",,,,,,,\"", "]" },
        { "[{\"a\":1}", ",{\"a\":1}", "]" },
        { "[\"\\u0041\\u0042\\u0043\"", ",\"\\u0041\\u0042\\u0043\"", "]" },
        { "[", "[", "" },
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        for (size_t bytes = 64; bytes <= (size_t)512 * 1024; bytes *= 8) {
            struct arena arena, work;
            struct buf text;
            struct json_doc doc;
            struct json_error error;
            arena_init(&arena, NULL, SIZE_MAX);
            arena_init(&work, NULL, SIZE_MAX);
            buf_init(&text, &arena, bytes + 64);
            buf_add(&text, str_of(texts[i].first));
            while (text.len < bytes)
                buf_add(&text, str_of(texts[i].again));
            buf_add(&text, str_of(texts[i].last));
            size_t most = json_memory_bytes(text.len, LIMIT_JSON_VALUES);
            enum json_outcome outcome = json_parse(buf_str(&text), &work, &doc, &error);
            assert_int_not_equal(outcome, JSON_NO_MEMORY);
            if (!ARENA_IS_POISONED)
                assert_in_range(work.total_bytes, 1, most + (size_t)32 * 1024);
            arena_release(&work);
            arena_release(&arena);
        }
    }
}

static void test_values_past_the_ceiling_are_refused(void **state)
{
    (void)state;
    struct arena arena;
    struct json_doc doc;
    struct json_error error;
    arena_init(&arena, NULL, SIZE_MAX);
    assert_int_equal(json_parse_within(LIMEN_STR("[1,2,3]"), 4, &arena, &doc, &error), JSON_OK);
    assert_int_equal(json_parse_within(LIMEN_STR("[1,2,3]"), 3, &arena, &doc, &error), JSON_TOO_MANY_VALUES);
    arena_release(&arena);
}

static void test_a_body_without_a_ceiling_gets_one_that_suits_its_schema(void **state)
{
    (void)state;
    assert_int_equal(budget_body_ceiling(10), LIMIT_BODY_SMALL_BYTES);
    assert_int_equal(budget_body_ceiling(5000), (size_t)10 * 1024);
    assert_int_equal(budget_body_ceiling(LIMIT_BODY_BYTES), LIMIT_BODY_BYTES);
    assert_int_equal(budget_body_ceiling(BUDGET_UNBOUNDED), LIMIT_BODY_UNBOUNDED_BYTES);
}

/* ---- operations -------------------------------------------------------------------------------------------------------- */

struct loaded {
    struct arena arena;
    struct contract contract;
    struct diags errors, warnings;
};

/* An operation with this x-max-body (or nothing), body and reply. */
static bool load(struct loaded *l, const char *size, const char *body, const char *reply)
{
    *l = (struct loaded){ 0 };
    arena_init(&l->arena, NULL, SIZE_MAX);
    diags_init(&l->errors, &l->arena);
    diags_init(&l->warnings, &l->arena);
    limen_str text = arena_printf(&l->arena,
                                  "openapi: 3.1.0\n"
                                  "info: { title: T, version: '1' }\n"
                                  "x-rate-limit: 1/second per address\n"
                                  "paths:\n"
                                  "  /a:\n"
                                  "    post:\n"
                                  "      operationId: put\n"
                                  "      security: []\n"
                                  "%s"
                                  "      requestBody: { content: { application/json: { schema: %s } } }\n"
                                  "      responses:\n"
                                  "        '200': { description: it, content: { application/json: { schema: %s } } }\n"
                                  "components: { schemas: { Tree: { type: array, maxItems: 9, items: { $ref: "
                                  "'#/components/schemas/Tree' } } } }\n",
                                  size, body, reply);
    const struct limen_app app = { .contract = { LIMEN_STR("api.yaml"), text } };
    return contract_load(&app, &l->arena, &l->contract, &l->errors, &l->warnings);
}

static void unload(struct loaded *l)
{
    contract_release(&l->contract);
    arena_release(&l->arena);
}

#define TEN_TEXTS "{ type: array, maxItems: 10, items: { type: string, maxLength: 100 } }" /* 12032 bytes */
#define NOTHING "{ type: 'null' }"
#define TREE "{ $ref: '#/components/schemas/Tree' }"

static void test_an_operation_has_a_budget(void **state)
{
    (void)state;
    static const struct {
        const char *size, *body, *reply;
        size_t ceiling, in_schema, out_bytes, out_rows;
        const char *warning; /* NULL: none */
    } cases[] = {
        { "", TEN_TEXTS, NOTHING, 24 * 1024, 12032, 4, 0, NULL },
        { "      x-max-body: 16KiB\n", TEN_TEXTS, NOTHING, 16 * 1024, 12032, 4, 0, NULL },
        { "      x-max-body: 8KiB\n", TEN_TEXTS, NOTHING, 8 * 1024, 12032, 4, 0, "a valid one may have 12KiB" },
        { "      x-max-body: 300KiB\n", TEN_TEXTS, NOTHING, 300 * 1024, 12032, 4, 0,
          "no valid one has more than 12KiB" },
        { "", NOTHING, TEN_TEXTS, 4096, 4, 6032, 10, NULL },
        { "", TREE, TREE, 128 * 1024, NONE, NONE, NONE, NULL },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct loaded l;
        assert_true(load(&l, cases[i].size, cases[i].body, cases[i].reply));
        const struct operation *operation = &l.contract.operations[0];
        const struct budget *budget = &operation->budget;
        assert_int_equal(operation->body_ceiling, cases[i].ceiling);
        assert_int_equal(budget->schema_bytes, cases[i].in_schema);
        assert_int_equal(budget->out_bytes, cases[i].out_bytes);
        assert_int_equal(budget->out_rows, cases[i].out_rows);
        assert_in_range(budget->in_bytes, operation->body_ceiling, LIMIT_CALL_ARENA_BYTES);
        assert_in_range(budget->memory_bytes, LIMIT_CALL_BASE_BYTES + budget->in_bytes, LIMIT_CALL_ARENA_BYTES);
        assert_int_equal(l.warnings.count, cases[i].warning == NULL ? 0 : 1);
        if (cases[i].warning != NULL) {
            assert_int_not_equal(str_find(l.warnings.items[0].message, str_of(cases[i].warning), 0), SIZE_MAX);
            assert_int_equal(l.warnings.items[0].line, 9); /* of x-max-body */
        }
        unload(&l);
    }
}

static void test_an_operation_that_no_call_could_hold_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *size, *body, *reply, *message, *mend;
        uint32_t line;
    } cases[] = {
        { "      x-max-body: 4MiB\n", "{ type: array, maxItems: 900000, items: " NOTHING " }", NOTHING,
          "for its request", "lower `x-max-body`", 9 },
        { "", "{ type: array, maxItems: 200000, items: " NOTHING " }", NOTHING, "for its request", "lower `x-max-body`",
          9 },
        { "", NOTHING, "{ type: array, maxItems: 2000, items: { type: string, maxLength: 1000 } }", "for its reply",
          "lower `maxItems`", 10 },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct loaded l;
        if (load(&l, cases[i].size, cases[i].body, cases[i].reply))
            fail_msg("accepted: %s", cases[i].body);
        assert_int_equal(l.errors.count, 1);
        assert_int_not_equal(str_find(l.errors.items[0].message, str_of(cases[i].message), 0), SIZE_MAX);
        assert_int_not_equal(str_find(l.errors.items[0].mend, str_of(cases[i].mend), 0), SIZE_MAX);
        assert_int_equal(l.errors.items[0].line, cases[i].line);
        unload(&l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_largest_value_of_a_schema),
        cmocka_unit_test(test_members_that_are_refused_cost_nothing),
        cmocka_unit_test(test_the_worst_text_fits_its_budget),
        cmocka_unit_test(test_no_text_takes_more_than_the_parser_says),
        cmocka_unit_test(test_values_past_the_ceiling_are_refused),
        cmocka_unit_test(test_a_body_without_a_ceiling_gets_one_that_suits_its_schema),
        cmocka_unit_test(test_an_operation_has_a_budget),
        cmocka_unit_test(test_an_operation_that_no_call_could_hold_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
