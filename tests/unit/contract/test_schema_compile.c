/* Tests of contract/schema.h: what is refused, and what is shared, when schemas are compiled. */
#include "schema_check.h"

static void test_faults_of_schemas(void **state)
{
    (void)state;
    static const struct {
        const char *schema;
        uint32_t line, column;
        const char *message;
    } cases[] = {
        { "type: string\nnullable: true", 2, 1, "schema keyword 'nullable' is not supported" },
        { "properties:\n  a: { maxLenght: 3 }", 2, 8, "schema keyword 'maxLenght' is not supported" },
        { "contentEncoding: base64", 1, 1, "schema keyword 'contentEncoding' is not supported" },
        { "format: datetime", 1, 0, "format 'datetime' is not known" },
        { "type: text", 1, 0, "type must be null, boolean, integer, number, string, array or object" },
        { "type: [string, null]", 1, 0, "type must be null, boolean, integer, number, string, array or object" },
        { "minLength: -1", 1, 0, "minLength must be an integer that is not negative" },
        { "maxItems: many", 1, 0, "maxItems must be an integer that is not negative" },
        { "minimum: '1'", 1, 0, "minimum must be a number" },
        { "exclusiveMinimum: true", 1, 0, "exclusiveMinimum must be a number" },
        { "multipleOf: 0", 1, 0, "multipleOf must be greater than 0" },
        { "required: a", 1, 0, "required must be an array of member names" },
        { "properties: []", 1, 0, "properties must be an object of schemas" },
        { "properties: { a: 1 }", 1, 0, "a schema must be an object, true or false" },
        { "allOf: []", 1, 0, "allOf must be an array of at least one schema" },
        { "allOf: { type: string }", 1, 0, "allOf must be an array of schemas" },
        { "anyOf: []", 1, 0, "anyOf must be an array of at least one schema" },
        { "type: []", 1, 0, "type must be a type or an array of at least one" },
        { "type: 5", 1, 0, "type must be null, boolean, integer, number, string, array or object" },
        { "enum: a", 1, 0, "enum must be an array" },
        { "minLength: 1.5", 1, 0, "minLength must be an integer that is not negative" },
        { "pattern: 5", 1, 0, "pattern must be a regular expression" },
        { "format: 5", 1, 0, "format must be the name of a format" },
        { "uniqueItems: 1", 1, 0, "uniqueItems must be true or false" },
        { "$defs: 5", 1, 0, "$defs must be an object of schemas" },
        { "required: [a, 5]", 1, 0, "required must be an array of member names" },
        { "patternProperties: 5", 1, 0, "patternProperties must be an object of schemas" },
        { "patternProperties: { '(': true }", 1, 0, NULL },
        { "dependentSchemas: 5", 1, 0, "dependentSchemas must be an object of schemas" },
        { "dependentRequired: 5", 1, 0, "dependentRequired must be an object of arrays of member names" },
        { "dependentRequired: { a: b }", 1, 0, "a must be an array of member names" },
        { "pattern: '('", 1, 0, NULL },
        { "pattern: 'a++'", 1, 0, "'a++' is not a regular expression: there is nothing to repeat" },
        { "$ref: '#/nowhere'", 1, 0, "$ref '#/nowhere' leads nowhere" },
        { "readOnly: yes please", 1, 0, "readOnly must be true or false" },
        { "$defs: { unused: { typo: 1 } }", 1, 0, "schema keyword 'typo' is not supported" },
        { "$ref: '#/$defs/a'\n$defs: { a: { $ref: '#/$defs/b' }, b: { $ref: '#/$defs/a' } }", 0, 0,
          "this schema refers to itself without going deeper into the value" },
        { "allOf: [ { $ref: '#' } ]", 0, 0, "this schema refers to itself without going deeper into the value" },
        { "properties: { a: { anyOf: [ { type: string }, { $ref: '#/properties/a' } ] } }", 0, 0,
          "this schema refers to itself without going deeper into the value" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f;
        open_schema(&f, cases[i].schema);
        if (f.schema != NULL)
            fail_msg("%s is taken", cases[i].schema);
        const struct diag *diag = &f.diags.items[0];
        if (cases[i].message != NULL)
            assert_text(diag->message, cases[i].message);
        if (f.diags.count != 1)
            fail_msg("%s has %zu faults", cases[i].schema, f.diags.count);
        assert_text(diag->file, "api.yaml");
        if (cases[i].line != 0)
            assert_int_equal(diag->line, cases[i].line);
        close_schema(&f);
    }
}

static void test_annotations_say_nothing(void **state)
{
    (void)state;
    struct fixture f;
    open_schema(
        &f,
        "title: t\ndescription: d\ndefault: 1\nexamples: [1]\nexample: 1\ndeprecated: true\n$comment: c\nxml: {}\n"
        "externalDocs: {}\ndiscriminator: { propertyName: kind }\nx-anything: [ { maxLenght: 1 } ]\nformat: "
        "password\n");
    assert_true(validate(&f, "\"anything\""));
    close_schema(&f);
}

static void test_one_schema_for_one_node(void **state)
{
    (void)state;
    struct fixture f;
    open_schema(&f, "$defs: { a: { type: string }, b: { $ref: '#/$defs/a' } }");
    const struct schema *a = schema_compile(f.set, doc_at(f.doc.root, LIMEN_STR("/$defs/a")), &f.diags);
    const struct schema *b = schema_compile(f.set, doc_at(f.doc.root, LIMEN_STR("/$defs/b")), &f.diags);
    assert_non_null(a);
    assert_ptr_equal(a, b);
    close_schema(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_faults_of_schemas),
        cmocka_unit_test(test_annotations_say_nothing),
        cmocka_unit_test(test_one_schema_for_one_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
