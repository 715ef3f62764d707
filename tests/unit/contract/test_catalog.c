/* Tests of contract/catalog.h: what a URI names in one document and between several, and what is refused. */
#include "check.h"

#include "contract/catalog.h"
#include "contract/schema.h"
#include "core/limits.h"

/* Documents that know each other, and the first of them compiled. */
struct fixture {
    struct arena arena;
    struct doc docs[3];
    struct diags diags;
    struct catalog *catalog;
    struct schema_set *set;
    const struct schema *schema;
};

static void open_documents(struct fixture *f, const char *first, const char *second, const char *third)
{
    static const char *const uris[] = { "api.yaml", "common/second.yaml", "https://example.com/third" };
    const char *const texts[] = { first, second, third };
    *f = (struct fixture){ 0 };
    arena_init(&f->arena, NULL, 256U * 1024 * 1024);
    diags_init(&f->diags, &f->arena);
    f->catalog = catalog_new(&f->arena);
    f->set = schema_set_new(f->catalog, &f->arena);
    bool ok = true;
    for (size_t i = 0; i < 3 && texts[i] != NULL; i++) {
        assert_true(doc_parse(str_of(texts[i]), str_of(uris[i]), &f->arena, &f->docs[i], &f->diags));
        ok = catalog_add(f->catalog, &f->docs[i], str_of(uris[i]), &f->diags) && ok;
    }
    f->schema = ok ? schema_compile(f->set, f->docs[0].root, &f->diags) : NULL;
}

static void close_documents(struct fixture *f)
{
    schema_set_free(f->set);
    catalog_free(f->catalog);
    arena_release(&f->arena);
}

static bool accepts(struct fixture *f, const char *text)
{
    struct json_doc value;
    struct json_error error;
    if (f->schema == NULL)
        fail_msg("refused: %.*s", LIMEN_STR_ARG(f->diags.items[0].message));
    assert_int_equal(json_parse(str_of(text), &f->arena, &value, &error), JSON_OK);
    return schema_validate(f->schema, &value, 0, SCHEMA_REQUEST, NULL);
}

/* ---- names ----------------------------------------------------------------------------------------------------- */
static void test_each_way_to_name_a_schema(void **state)
{
    (void)state;
    static const char *const references[] = {
        "'#/$defs/n'",                                  /* a pointer */
        "'#number'",                                    /* an anchor */
        "'api.yaml#number'",                            /* with the document's own name */
        "'./common/../api.yaml#/%24defs/n'",            /* encoded, and with dots */
        "'urn:example:n'",                              /* an $id in this document */
        "'common/second.yaml#/$defs/n'",                /* in another */
        "'common/second.yaml#number'",                  /* by its anchor */
        "'common/second.yaml#/$defs/through'",          /* to which it refers on: from its own folder */
        "'https://example.com/third'",                  /* by the URI that it was given with */
        "'https://example.com/its/own/name'",           /* by its own */
        "'https://example.com/its/own/name#/$defs/up'", /* and resolved against that */
    };
    for (size_t i = 0; i < sizeof references / sizeof *references; i++) {
        struct fixture f;
        char text[512];
        snprintf(text, sizeof text,
                 "properties: { a: { $ref: %s } }\n"
                 "$defs: { n: { $anchor: number, type: integer }, u: { $id: 'urn:example:n', type: integer } }\n",
                 references[i]);
        open_documents(&f, text,
                       "$defs:\n  n: { $anchor: number, type: integer }\n"
                       "  through: { $ref: '../api.yaml#/$defs/n' }\n",
                       "$id: its/own/name\ntype: integer\n$defs: { up: { $ref: '../../third' } }\n");
        if (!accepts(&f, "{\"a\":1}") || accepts(&f, "{\"a\":\"1\"}"))
            fail_msg("%s", references[i]);
        close_documents(&f);
    }
}

static void test_an_id_is_the_base_of_what_is_inside(void **state)
{
    (void)state;
    struct fixture f;
    open_documents(&f,
                   "properties: { a: { $ref: 'inner#/$defs/n' }, b: { $ref: '#/$defs/n' } }\n"
                   "$defs:\n  n: { type: string }\n"
                   "  other:\n    $id: inner\n    $defs: { n: { $ref: '#x' }, y: { $anchor: x, type: integer } }\n",
                   NULL, NULL);
    assert_true(accepts(&f, "{\"a\":1,\"b\":\"1\"}"));
    assert_false(accepts(&f, "{\"a\":\"1\"}"));
    assert_false(accepts(&f, "{\"b\":1}"));
    close_documents(&f);
}

static void test_names_in_values_are_no_names(void **state)
{
    (void)state;
    struct fixture f;
    open_documents(&f,
                   "enum: [ { $id: api.yaml, $anchor: a }, 1 ]\nexamples: [ { $anchor: '1' } ]\n"
                   "const: { $id: 'x#y' }\ndefault: { $dynamicAnchor: a }\n",
                   NULL, NULL);
    assert_non_null(f.schema);
    close_documents(&f);
}

static void test_the_metaschema_is_there(void **state)
{
    (void)state;
    struct fixture f;
    open_documents(&f, "$ref: https://json-schema.org/draft/2020-12/schema\n", NULL, NULL);
    assert_true(accepts(&f, "{\"type\":\"object\",\"properties\":{\"a\":{\"minLength\":1}},\"items\":false}"));
    assert_false(accepts(&f, "{\"properties\":{\"a\":{\"minLength\":-1}}}")); /* all the way down */
    assert_false(accepts(&f, "{\"type\":\"text\"}"));
    assert_false(accepts(&f, "{\"allOf\":[]}"));
    assert_false(accepts(&f, "[]"));
    close_documents(&f);
}

/* ---- what is refused ------------------------------------------------------------------------------------------- */
static void test_what_is_refused_and_where(void **state)
{
    (void)state;
    static const struct {
        const char *schema, *second;
        uint32_t line, column;
        const char *message, *mend;
    } cases[] = {
        { "title: t\n$ref: elsewhere.yaml#/a", NULL, 2, 1,
          "$ref 'elsewhere.yaml#/a' leads to a document that is not here", "--with FILE" },
        { "$ref: common/second.yaml#b", "type: string", 1, 1, "$ref 'common/second.yaml#b' leads nowhere", "correct" },
        { "$ref: 'common/second.yaml#/%2'", "type: string", 1, 1, "leads nowhere", "correct" },
        { "$dynamicRef: '#b'", NULL, 1, 1, "$dynamicRef '#b' leads nowhere", "correct" },
        { "$defs: { a: { $id: b, $ref: '#/$defs/a' } }", NULL, 1, 23, "leads nowhere", "`$id` here" },
        { "$ref: 1", NULL, 1, 1, "$ref must be a string", "" },
        { "$id: 1", NULL, 1, 1, "$id must be a string", "URI" },
        { "$id: 'a#b'", NULL, 1, 1, "$id must not have a fragment", "$anchor" },
        { "$defs: { a: { $id: x }, b: { $id: ./x } }", NULL, 1, 30, "stands for two schemas", "its own" },
        { "$anchor: '1'", NULL, 1, 1, "this is no name of an anchor", "letters" },
        { "$anchor: ''", NULL, 1, 1, "this is no name of an anchor", "letters" },
        { "$anchor: a\n$defs: { b: { $anchor: a } }", NULL, 2, 15, "stands twice", "its own" },
        { "$anchor: a\n$defs: { b: { $dynamicAnchor: a } }", NULL, 2, 15, "stands twice", "its own" },
        { "$ref: '#/x-schemas/a'\nx-schemas: { a: { $id: a } }", NULL, 2, 19, "$id names nothing here", "$defs" },
        { "$ref: '#/x-schemas/a'\nx-schemas: { a: { $anchor: a } }", NULL, 2, 19, "$anchor names nothing", "$defs" },
        { "$schema: https://json-schema.org/draft/2019-09/schema", NULL, 1, 1,
          "this dialect of JSON Schema is not known", "draft/2020-12/schema" },
        { "$schema: 1", NULL, 1, 1, "$schema must be the URI of a dialect", "" },
        { "$schema: common/second.yaml\nminimum: 1", "$vocabulary: { 'https://example.com/units': true }", 1, 1,
          "requires the vocabulary 'https://example.com/units', which is not known", "without it" },
        { "$schema: common/second.yaml\nminimum: 1",
          "$vocabulary: { 'https://json-schema.org/draft/2020-12/vocab/applicator': true }", 2, 1,
          "this dialect has no keyword 'minimum'", "$vocabulary" },
        { "$defs: { a: { $schema: common/second.yaml } }", "$vocabulary: {}", 1, 15,
          "only a schema resource can have a dialect", "$id" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f;
        open_documents(&f, cases[i].schema, cases[i].second, NULL);
        if (f.schema != NULL || f.diags.count != 1)
            fail_msg("%s has %zu faults", cases[i].schema, f.diags.count);
        const struct diag *diag = &f.diags.items[0];
        if (str_find(diag->message, str_of(cases[i].message), 0) == SIZE_MAX
            || (cases[i].mend[0] != '\0' && str_find(diag->mend, str_of(cases[i].mend), 0) == SIZE_MAX))
            fail_msg("%s: %.*s (%.*s)", cases[i].schema, LIMEN_STR_ARG(diag->message), LIMEN_STR_ARG(diag->mend));
        if (diag->line != cases[i].line || diag->column != cases[i].column)
            fail_msg("%s: at %u:%u", cases[i].schema, diag->line, diag->column);
        assert_text(diag->file, "api.yaml");
        close_documents(&f);
    }
}

static void test_a_fault_in_another_document_names_that(void **state)
{
    (void)state;
    struct fixture f;
    open_documents(&f, "$ref: common/second.yaml#/$defs/a", "$defs:\n  a:\n    maxLenght: 3\n", NULL);
    assert_null(f.schema);
    assert_int_equal(f.diags.count, 1);
    assert_text(f.diags.items[0].file, "common/second.yaml");
    assert_int_equal(f.diags.items[0].line, 3);
    close_documents(&f);
}

/* ---- dialects -------------------------------------------------------------------------------------------------- */
static void test_a_metaschema_that_was_given_is_honoured(void **state)
{
    (void)state;
    struct fixture f;
    open_documents(
        &f,
        "$schema: https://example.com/third\nproperties: { a: { type: string } }\n"
        "$defs: { own: { $id: own, $schema: 'https://json-schema.org/draft/2020-12/schema', minimum: 1 } }\n",
        "type: string", /* of no matter */
        "$vocabulary:\n"
        "  https://json-schema.org/draft/2020-12/vocab/core: true\n"
        "  https://json-schema.org/draft/2020-12/vocab/applicator: true\n"
        "  https://json-schema.org/draft/2020-12/vocab/validation: true\n"
        "  https://example.com/units: false\n");
    assert_true(accepts(&f, "{\"a\":\"x\"}"));
    assert_false(accepts(&f, "{\"a\":1}"));
    close_documents(&f);
}

/* ---- $dynamicRef ----------------------------------------------------------------------------------------------- */
#define LIST                                                    \
    "$id: list\ntype: array\nitems: { $dynamicRef: '#item' }\n" \
    "$defs: { any: { $dynamicAnchor: item, type: boolean } }\n"

static void test_the_outermost_anchor_decides(void **state)
{
    (void)state;
    struct fixture f;
    open_documents(&f,
                   "properties: { plain: { $ref: common/list }, numbers: { $ref: numbers }, texts: { $ref: texts } }\n"
                   "$defs:\n"
                   "  n: { $id: numbers, $ref: common/list, $defs: { i: { $dynamicAnchor: item, type: integer } } }\n"
                   "  t: { $id: texts, $ref: common/list, $defs: { i: { $dynamicAnchor: item, type: string } } }\n",
                   LIST, NULL);
    assert_true(accepts(&f, "{\"plain\":[true],\"numbers\":[1],\"texts\":[\"a\"]}"));
    assert_false(accepts(&f, "{\"plain\":[1]}"));
    assert_false(accepts(&f, "{\"numbers\":[true]}"));
    assert_false(accepts(&f, "{\"texts\":[1]}"));
    close_documents(&f);
}

static void test_a_recursive_schema_can_be_extended(void **state)
{
    (void)state;
    struct fixture f;
    open_documents(&f, "$id: strict\n$dynamicAnchor: node\n$ref: common/second.yaml\nunevaluatedProperties: false\n",
                   "$dynamicAnchor: node\ntype: object\nproperties:\n  value: true\n"
                   "  kids: { type: array, items: { $dynamicRef: '#node' } }\n",
                   NULL);
    assert_true(accepts(&f, "{\"value\":1,\"kids\":[{\"kids\":[{\"value\":2}]}]}"));
    assert_false(accepts(&f, "{\"kids\":[{\"kids\":[{\"valeu\":2}]}]}"));
    close_documents(&f);
}

/* Each member can be there or not on the way to the last, and each way is a scope of its own. */
static void test_scopes_have_a_ceiling(void **state)
{
    (void)state;
    struct fixture f;
    char text[8192] = "$ref: s0\n$defs:\n";
    for (int i = 0; i < 12; i++) {
        const size_t len = strlen(text);
        snprintf(text + len, sizeof text - len,
                 "  a%d: { $id: s%d, $dynamicAnchor: x%d, properties: { a: { $ref: s%d }, b: { $ref: s%d } } }\n", i, i,
                 i, (i + 1) % 12, (i + 2) % 12);
    }
    open_documents(&f, text, NULL, NULL);
    assert_null(f.schema);
    char message[128];
    snprintf(message, sizeof message, "$dynamicRef can mean more than %u different things", LIMIT_SCHEMA_SCOPES);
    assert_text(f.diags.items[0].message, message);
    close_documents(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_way_to_name_a_schema),
        cmocka_unit_test(test_an_id_is_the_base_of_what_is_inside),
        cmocka_unit_test(test_names_in_values_are_no_names),
        cmocka_unit_test(test_the_metaschema_is_there),
        cmocka_unit_test(test_what_is_refused_and_where),
        cmocka_unit_test(test_a_fault_in_another_document_names_that),
        cmocka_unit_test(test_a_metaschema_that_was_given_is_honoured),
        cmocka_unit_test(test_the_outermost_anchor_decides),
        cmocka_unit_test(test_a_recursive_schema_can_be_extended),
        cmocka_unit_test(test_scopes_have_a_ceiling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
