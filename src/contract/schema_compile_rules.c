/* schema_compile_rules.c - the keywords, one function each, and the table of them.
 *
 * A keyword checks the form of its own value and writes it into the part of the schema that will use it. */
#include "contract/schema_compile.h"

#include "core/arena.h"
#include "core/limits.h"
#include "core/str.h"

#include <math.h>

/* ---- the parts, made when first needed ------------------------------------------------------------------------- */
static struct number_rules *number_of(struct compiler *c)
{
    if (c->number == NULL)
        c->number = compiler_take(c, 1, sizeof(*c->number));
    return c->number;
}

static struct string_rules *string_of(struct compiler *c)
{
    if (c->string == NULL) {
        c->string = compiler_take(c, 1, sizeof(*c->string));
        if (c->string != NULL)
            c->string->max_length = SIZE_MAX;
    }
    return c->string;
}

static struct array_rules *array_of(struct compiler *c)
{
    if (c->array == NULL) {
        c->array = compiler_take(c, 1, sizeof(*c->array));
        if (c->array != NULL) {
            c->array->max_items = c->array->max_contains = SIZE_MAX;
            c->array->min_contains = 1;
        }
    }
    return c->array;
}

static struct object_rules *object_of(struct compiler *c)
{
    if (c->object == NULL) {
        c->object = compiler_take(c, 1, sizeof(*c->object));
        if (c->object != NULL)
            c->object->max_properties = SIZE_MAX;
    }
    return c->object;
}

static struct value_rules *values_of(struct compiler *c)
{
    if (c->values == NULL)
        c->values = compiler_take(c, 1, sizeof(*c->values));
    return c->values;
}

struct logic_rules *compiler_logic(struct compiler *c)
{
    if (c->logic == NULL)
        c->logic = compiler_take(c, 1, sizeof(*c->logic));
    return c->logic;
}

/* ---- the forms of values --------------------------------------------------------------------------------------- */
static bool fault_form(struct compiler *c, const struct doc_node *value, const char *form)
{
    compiler_fault(c, value, LIMEN_STR(""), "%.*s must be %s", LIMEN_STR_ARG(value->key), form);
    return false;
}

static bool is_kind(struct compiler *c, const struct doc_node *value, enum doc_kind kind, const char *form)
{
    return value->kind == kind || fault_form(c, value, form);
}

/* A count: an integer that is not negative; 2.0 is one. */
static void read_count(struct compiler *c, const struct doc_node *value, size_t *ret_count)
{
    if (value->kind == DOC_INT && value->integer >= 0)
        *ret_count = (size_t)value->integer;
    else if (value->kind == DOC_DOUBLE && value->number >= 0 && value->number < 9e15
             && value->number == trunc(value->number))
        *ret_count = (size_t)value->number;
    else
        fault_form(c, value, "an integer that is not negative");
}

/* The number as JSON text: YAML has other ways to write it. */
static limen_str number_text(struct compiler *c, const struct doc_node *value)
{
    struct json_value ignored;
    if (value->kind == DOC_INT)
        return arena_printf(c->set->arena, "%lld", (long long)value->integer);
    if (json_parse_number(value->text, &ignored) == JSON_OK)
        return value->text;
    struct buf text;
    buf_init(&text, c->set->arena, 32);
    json_write_double(&text, value->number);
    return text.failed ? LIMEN_STR("") : buf_str(&text);
}

static void read_bound(struct compiler *c, const struct doc_node *value, struct bound *bound)
{
    if (value->kind != DOC_INT && value->kind != DOC_DOUBLE) {
        fault_form(c, value, "a number");
        return;
    }
    bound->text = number_text(c, value);
    bound->is_set = json_parse_number(bound->text, &bound->value) == JSON_OK;
    if (!bound->is_set)
        fault_form(c, value, "a finite number");
}

/* The node as a parsed copy of its JSON. */
static bool read_json(struct compiler *c, const struct doc_node *value, struct json_doc *ret_doc)
{
    struct buf text;
    struct json_error error;
    buf_init(&text, c->set->arena, 64);
    doc_write_json(value, &text);
    if (!text.failed && json_parse(buf_str(&text), c->set->arena, ret_doc, &error) == JSON_OK)
        return true;
    return fault_form(c, value, "a JSON value");
}

/* An array of schemas; NULL after a fault. */
static const struct schema **read_schemas(struct compiler *c, const struct doc_node *value, uint32_t *ret_count)
{
    if (!is_kind(c, value, DOC_ARRAY, "an array of schemas"))
        return NULL;
    if (value->count == 0) {
        fault_form(c, value, "an array of at least one schema");
        return NULL;
    }
    const struct schema **schemas = compiler_take(c, value->count, sizeof(*schemas));
    for (size_t i = 0; schemas != NULL && i < value->count; i++)
        schemas[i] = compiler_schema(c, value->items[i]);
    *ret_count = schemas != NULL ? (uint32_t)value->count : 0;
    return schemas;
}

/* ---- any value ------------------------------------------------------------------------------------------------- */
static uint8_t type_of(limen_str name)
{
    static const struct {
        limen_str name;
        uint8_t bits;
    } types[] = {
        { LIMEN_STR_INIT("null"), TYPE_NULL },       { LIMEN_STR_INIT("boolean"), TYPE_BOOLEAN },
        { LIMEN_STR_INIT("integer"), TYPE_INTEGER }, { LIMEN_STR_INIT("number"), TYPE_NUMBER },
        { LIMEN_STR_INIT("string"), TYPE_STRING },   { LIMEN_STR_INIT("array"), TYPE_ARRAY },
        { LIMEN_STR_INIT("object"), TYPE_OBJECT },
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (str_equal(types[i].name, name))
            return types[i].bits;
    }
    return 0;
}

static uint8_t read_type_name(struct compiler *c, const struct doc_node *name)
{
    const uint8_t bits = name->kind == DOC_STRING ? type_of(name->text) : 0;
    if (bits == 0)
        compiler_fault(c, name, name->kind == DOC_NULL ? LIMEN_STR("write 'null' in quotes") : LIMEN_STR(""),
                       "type must be null, boolean, integer, number, string, array or object");
    return bits;
}

static void on_type(struct compiler *c, const struct doc_node *value)
{
    uint8_t types = 0;
    if (value->kind == DOC_ARRAY) {
        for (size_t i = 0; i < value->count; i++)
            types |= read_type_name(c, value->items[i]);
        if (value->count == 0)
            fault_form(c, value, "a type or an array of at least one");
    } else {
        types = read_type_name(c, value);
    }
    c->schema->types = types;
}

static bool build_names(struct compiler *c, struct name_table *table, uint32_t most)
{
    uint32_t slots = 4;
    while (slots < most * 2)
        slots *= 2;
    table->entries = compiler_take(c, most, sizeof(*table->entries));
    table->slots = compiler_take(c, slots, sizeof(*table->slots));
    table->mask = slots - 1;
    return table->entries != NULL && table->slots != NULL;
}

/* The place of the name, which is added when it is new. */
static uint32_t add_name(struct name_table *table, limen_str name)
{
    const uint32_t found = name_find(table, name.ptr, name.len);
    if (found != NAME_NONE)
        return found;
    const struct name_mark mark = name_mark_of(name.ptr, name.len);
    uint32_t slot = name_slot(mark, name.len) & table->mask;
    while (table->slots[slot] != 0)
        slot = (slot + 1) & table->mask;
    table->entries[table->count] = (struct name_entry){ .mark = mark, .name = name };
    table->slots[slot] = (uint16_t)++table->count;
    return table->count - 1;
}

static void on_enum(struct compiler *c, const struct doc_node *value)
{
    struct value_rules *values = values_of(c);
    if (!is_kind(c, value, DOC_ARRAY, "an array") || values == NULL || !read_json(c, value, &values->enumeration))
        return;
    values->has_enum = true;
    values->has_only_strings = value->count > 0 && value->count < UINT16_MAX;
    for (size_t i = 0; i < value->count; i++)
        values->has_only_strings = values->has_only_strings && value->items[i]->kind == DOC_STRING;
    if (!values->has_only_strings || !build_names(c, &values->strings, (uint32_t)value->count))
        return;
    for (uint32_t at = 1; at < values->enumeration.count; at++)
        add_name(&values->strings, json_text(&values->enumeration.tape[at]));
}

static void on_const(struct compiler *c, const struct doc_node *value)
{
    struct value_rules *values = values_of(c);
    if (values != NULL)
        values->has_const = read_json(c, value, &values->constant);
}

static void on_read_only(struct compiler *c, const struct doc_node *value)
{
    if (is_kind(c, value, DOC_BOOL, "true or false") && value->boolean && !c->set->is_standard)
        c->schema->refused_in |= 1U << SCHEMA_REQUEST;
}

static void on_write_only(struct compiler *c, const struct doc_node *value)
{
    if (is_kind(c, value, DOC_BOOL, "true or false") && value->boolean && !c->set->is_standard)
        c->schema->refused_in |= 1U << SCHEMA_REPLY;
}

/* ---- numbers --------------------------------------------------------------------------------------------------- */
#define ON_BOUND(function, member)                                         \
    static void function(struct compiler *c, const struct doc_node *value) \
    {                                                                      \
        struct number_rules *number = number_of(c);                        \
        if (number != NULL)                                                \
            read_bound(c, value, &number->member);                         \
    }
ON_BOUND(on_minimum, minimum)
ON_BOUND(on_maximum, maximum)
ON_BOUND(on_exclusive_minimum, above)
ON_BOUND(on_exclusive_maximum, below)

static void on_multiple_of(struct compiler *c, const struct doc_node *value)
{
    struct number_rules *number = number_of(c);
    if (number == NULL)
        return;
    read_bound(c, value, &number->multiple);
    if (number->multiple.is_set && value->number <= 0)
        fault_form(c, value, "greater than 0");
}

/* ---- strings --------------------------------------------------------------------------------------------------- */
static void on_min_length(struct compiler *c, const struct doc_node *value)
{
    struct string_rules *string = string_of(c);
    if (string != NULL)
        read_count(c, value, &string->min_length);
}

static void on_max_length(struct compiler *c, const struct doc_node *value)
{
    struct string_rules *string = string_of(c);
    if (string != NULL)
        read_count(c, value, &string->max_length);
}

/* `text` as a pattern; NULL after a fault at `node`. */
static const struct pattern *read_pattern(struct compiler *c, const struct doc_node *node, limen_str text)
{
    limen_str why = LIMEN_STR("");
    if (c->set->patterns == NULL)
        c->set->patterns = pattern_engine_new();
    if (c->set->patterns == NULL) {
        c->set->is_out_of_memory = true;
        return NULL;
    }
    const struct pattern *pattern = pattern_compile(c->set->patterns, c->set->arena, text, &why);
    if (pattern == NULL)
        compiler_fault(c, node, LIMEN_STR(""), "'%.*s' is not a regular expression: %.*s", LIMEN_STR_ARG(text),
                       LIMEN_STR_ARG(why));
    return pattern;
}

static void on_pattern(struct compiler *c, const struct doc_node *value)
{
    struct string_rules *string = string_of(c);
    if (string != NULL && is_kind(c, value, DOC_STRING, "a regular expression"))
        string->pattern = read_pattern(c, value, value->text);
}

static void on_format(struct compiler *c, const struct doc_node *value)
{
    if (!is_kind(c, value, DOC_STRING, "the name of a format"))
        return;
    const struct format *format = format_find(value->text);
    const bool asserts = !c->set->formats_are_annotations || (c->vocabularies & VOCABULARY_FORMAT_ASSERTION) != 0;
    if (!asserts || (format == NULL && c->set->is_standard))
        return;
    if (format == NULL) {
        compiler_fault(c, value,
                       LIMEN_STR("use one of date-time, date, email, uuid, uri, hostname, ipv4, ipv6, or `pattern`"),
                       "format '%.*s' is not known", LIMEN_STR_ARG(value->text));
    } else if (format->kind == FORMAT_TEXT) {
        if (string_of(c) != NULL)
            c->string->format = format;
    } else if (format->kind != FORMAT_ANNOTATION && number_of(c) != NULL) {
        c->number->format = format;
    }
}

/* ---- arrays ---------------------------------------------------------------------------------------------------- */
/* A name that becomes a member or a type cannot stand in parentheses. NOLINTBEGIN(bugprone-macro-parentheses) */
#define ON_COUNT(function, part, part_of, member)                          \
    static void function(struct compiler *c, const struct doc_node *value) \
    {                                                                      \
        struct part##_rules *part = part_of(c);                            \
        if (part != NULL)                                                  \
            read_count(c, value, &part->member);                           \
    }
ON_COUNT(on_min_items, array, array_of, min_items)
ON_COUNT(on_max_items, array, array_of, max_items)
ON_COUNT(on_min_contains, array, array_of, min_contains)
ON_COUNT(on_max_contains, array, array_of, max_contains)
ON_COUNT(on_min_properties, object, object_of, min_properties)
ON_COUNT(on_max_properties, object, object_of, max_properties)

#define ON_SCHEMA(function, part, part_of, member)                         \
    static void function(struct compiler *c, const struct doc_node *value) \
    {                                                                      \
        struct part##_rules *part = part_of(c);                            \
        if (part != NULL)                                                  \
            part->member = compiler_schema(c, value);                      \
    }
ON_SCHEMA(on_items, array, array_of, items)
ON_SCHEMA(on_contains, array, array_of, contains)
ON_SCHEMA(on_additional_properties, object, object_of, additional)
ON_SCHEMA(on_property_names, object, object_of, property_names)
ON_SCHEMA(on_not, logic, compiler_logic, negated)
ON_SCHEMA(on_if, logic, compiler_logic, condition)
ON_SCHEMA(on_then, logic, compiler_logic, consequence)
ON_SCHEMA(on_else, logic, compiler_logic, alternative)
/* NOLINTEND(bugprone-macro-parentheses) */

static void on_prefix_items(struct compiler *c, const struct doc_node *value)
{
    struct array_rules *array = array_of(c);
    if (array != NULL)
        array->prefix = read_schemas(c, value, &array->prefix_count);
}

static void on_unique_items(struct compiler *c, const struct doc_node *value)
{
    struct array_rules *array = array_of(c);
    if (array == NULL || !is_kind(c, value, DOC_BOOL, "true or false"))
        return;
    array->is_unique = value->boolean;
    if (value->boolean)
        compiler_need_scratch(c);
}

static void on_unevaluated_items(struct compiler *c, const struct doc_node *value)
{
    struct logic_rules *logic = compiler_logic(c);
    if (logic == NULL)
        return;
    logic->unevaluated_items = compiler_schema(c, value);
    compiler_need_scratch(c);
}

/* ---- objects --------------------------------------------------------------------------------------------------- */
static void on_properties(struct compiler *c, const struct doc_node *value)
{
    if (is_kind(c, value, DOC_OBJECT, "an object of schemas"))
        c->properties = value;
}

static bool is_names(struct compiler *c, const struct doc_node *value)
{
    bool ok = value->kind == DOC_ARRAY;
    for (size_t i = 0; ok && i < value->count; i++)
        ok = value->items[i]->kind == DOC_STRING;
    return ok || fault_form(c, value, "an array of member names");
}

static void on_required(struct compiler *c, const struct doc_node *value)
{
    if (is_names(c, value))
        c->required = value;
}

static void on_pattern_properties(struct compiler *c, const struct doc_node *value)
{
    struct object_rules *object = object_of(c);
    if (object == NULL || !is_kind(c, value, DOC_OBJECT, "an object of schemas"))
        return;
    object->patterns = compiler_take(c, value->count, sizeof(*object->patterns));
    if (object->patterns == NULL)
        return;
    for (size_t i = 0; i < value->count; i++) {
        const struct pattern *pattern = read_pattern(c, value->items[i], value->items[i]->key);
        if (pattern == NULL)
            return;
        object->patterns[i] = (struct pattern_property){ .pattern = pattern,
                                                         .schema = compiler_schema(c, value->items[i]) };
        object->pattern_count++;
    }
}

static void on_unevaluated_properties(struct compiler *c, const struct doc_node *value)
{
    struct logic_rules *logic = compiler_logic(c);
    if (logic == NULL)
        return;
    logic->unevaluated_properties = compiler_schema(c, value);
    compiler_need_scratch(c);
}

/* Room for `count` more; the entries behind dependent_count. */
static struct dependent *more_dependents(struct compiler *c, size_t count)
{
    struct object_rules *object = object_of(c);
    if (object == NULL)
        return NULL;
    struct dependent *larger = compiler_take(c, object->dependent_count + count, sizeof(*larger));
    if (larger == NULL)
        return NULL;
    if (object->dependent_count > 0)
        memcpy(larger, object->dependents, object->dependent_count * sizeof(*larger));
    object->dependents = larger;
    return larger + object->dependent_count;
}

static void on_dependent_schemas(struct compiler *c, const struct doc_node *value)
{
    if (!is_kind(c, value, DOC_OBJECT, "an object of schemas"))
        return;
    struct dependent *next = more_dependents(c, value->count);
    for (size_t i = 0; next != NULL && i < value->count; i++)
        next[i] = (struct dependent){ .name = value->items[i]->key, .schema = compiler_schema(c, value->items[i]) };
    c->object->dependent_count += next != NULL ? (uint32_t)value->count : 0;
}

static void on_dependent_required(struct compiler *c, const struct doc_node *value)
{
    if (!is_kind(c, value, DOC_OBJECT, "an object of arrays of member names"))
        return;
    struct dependent *next = more_dependents(c, value->count);
    for (size_t i = 0; next != NULL && i < value->count; i++) {
        const struct doc_node *names = value->items[i];
        limen_str *required = compiler_take(c, names->count, sizeof(*required));
        if (!is_names(c, names) || required == NULL)
            return;
        for (size_t j = 0; j < names->count; j++)
            required[j] = names->items[j]->text;
        next[i] = (struct dependent){ .name = names->key, .required = required, .required_count = names->count };
        c->object->dependent_count++;
    }
}

/* One bit set for each use; settle() takes away what is readOnly or writeOnly. */
static bool make_required_sets(struct compiler *c, struct object_rules *object, size_t names)
{
    object->words = (uint32_t)((names + 63) / 64);
    for (int use = SCHEMA_ANY; use <= SCHEMA_REPLY; use++) {
        object->required[use] = compiler_take(c, object->words, sizeof(*object->required[use]));
        if (object->required[use] == NULL)
            return false;
    }
    if (object->words > 1)
        compiler_need_scratch(c);
    return true;
}

void compiler_finish_object(struct compiler *c)
{
    const size_t properties = c->properties != NULL ? c->properties->count : 0;
    const size_t names = properties + (c->required != NULL ? c->required->count : 0);
    if (names == 0)
        return;
    struct object_rules *object = object_of(c);
    if (names > LIMIT_SCHEMA_TRACKED_NAMES) {
        compiler_fault(c, c->node, LIMEN_STR(""), "an object may declare and require at most %u names",
                       LIMIT_SCHEMA_TRACKED_NAMES);
        return;
    }
    if (object == NULL || !build_names(c, &object->names, (uint32_t)names) || !make_required_sets(c, object, names))
        return;
    object->properties = compiler_take(c, names, sizeof(*object->properties));
    if (object->properties == NULL)
        return;
    for (size_t i = 0; i < properties; i++)
        object->properties[add_name(&object->names, c->properties->items[i]->key)] = compiler_schema(
            c, c->properties->items[i]);
    for (size_t i = 0; i < names - properties; i++) {
        const uint32_t place = add_name(&object->names, c->required->items[i]->text);
        for (int use = SCHEMA_ANY; use <= SCHEMA_REPLY; use++)
            object->required[use][place / 64] |= UINT64_C(1) << place % 64;
    }
}

/* ---- the same value -------------------------------------------------------------------------------------------- */
#define ON_SCHEMAS(function, member)                                        \
    static void function(struct compiler *c, const struct doc_node *value)  \
    {                                                                       \
        struct logic_rules *logic = compiler_logic(c);                      \
        if (logic != NULL)                                                  \
            logic->member = read_schemas(c, value, &logic->member##_count); \
    }
ON_SCHEMAS(on_all_of, all)
ON_SCHEMAS(on_any_of, any)
ON_SCHEMAS(on_one_of, one)

/* ---- the table ------------------------------------------------------------------------------------------------- */
#define KEYWORD(name, vocabulary, function)                     \
    {                                                           \
        LIMEN_STR_INIT(name), VOCABULARY_##vocabulary, function \
    }
#define SAYS_NOTHING NULL /* an annotation */

const struct keyword schema_keywords[] = {
    KEYWORD("type", VALIDATION, on_type),
    KEYWORD("enum", VALIDATION, on_enum),
    KEYWORD("const", VALIDATION, on_const),
    KEYWORD("readOnly", ANNOTATION, on_read_only),
    KEYWORD("writeOnly", ANNOTATION, on_write_only),
    KEYWORD("minimum", VALIDATION, on_minimum),
    KEYWORD("maximum", VALIDATION, on_maximum),
    KEYWORD("multipleOf", VALIDATION, on_multiple_of),
    KEYWORD("exclusiveMinimum", VALIDATION, on_exclusive_minimum),
    KEYWORD("exclusiveMaximum", VALIDATION, on_exclusive_maximum),
    KEYWORD("minLength", VALIDATION, on_min_length),
    KEYWORD("maxLength", VALIDATION, on_max_length),
    KEYWORD("pattern", VALIDATION, on_pattern),
    { LIMEN_STR_INIT("format"), VOCABULARY_FORMAT | VOCABULARY_FORMAT_ASSERTION, on_format },
    KEYWORD("items", APPLICATOR, on_items),
    KEYWORD("prefixItems", APPLICATOR, on_prefix_items),
    KEYWORD("minItems", VALIDATION, on_min_items),
    KEYWORD("maxItems", VALIDATION, on_max_items),
    KEYWORD("uniqueItems", VALIDATION, on_unique_items),
    KEYWORD("contains", APPLICATOR, on_contains),
    KEYWORD("minContains", VALIDATION, on_min_contains),
    KEYWORD("maxContains", VALIDATION, on_max_contains),
    KEYWORD("unevaluatedItems", UNEVALUATED, on_unevaluated_items),
    KEYWORD("properties", APPLICATOR, on_properties),
    KEYWORD("required", VALIDATION, on_required),
    KEYWORD("additionalProperties", APPLICATOR, on_additional_properties),
    KEYWORD("patternProperties", APPLICATOR, on_pattern_properties),
    KEYWORD("propertyNames", APPLICATOR, on_property_names),
    KEYWORD("minProperties", VALIDATION, on_min_properties),
    KEYWORD("maxProperties", VALIDATION, on_max_properties),
    KEYWORD("dependentRequired", VALIDATION, on_dependent_required),
    KEYWORD("dependentSchemas", APPLICATOR, on_dependent_schemas),
    KEYWORD("unevaluatedProperties", UNEVALUATED, on_unevaluated_properties),
    KEYWORD("$id", CORE, on_id),
    KEYWORD("$anchor", CORE, on_anchor),
    KEYWORD("$dynamicAnchor", CORE, on_anchor),
    KEYWORD("$ref", CORE, on_ref),
    KEYWORD("$dynamicRef", CORE, on_dynamic_ref),
    KEYWORD("$defs", CORE, on_defs),
    KEYWORD("$schema", CORE, on_schema),
    KEYWORD("$vocabulary", CORE, SAYS_NOTHING),
    KEYWORD("allOf", APPLICATOR, on_all_of),
    KEYWORD("anyOf", APPLICATOR, on_any_of),
    KEYWORD("oneOf", APPLICATOR, on_one_of),
    KEYWORD("not", APPLICATOR, on_not),
    KEYWORD("if", APPLICATOR, on_if),
    KEYWORD("then", APPLICATOR, on_then),
    KEYWORD("else", APPLICATOR, on_else),
    KEYWORD("title", ANNOTATION, SAYS_NOTHING),
    KEYWORD("description", ANNOTATION, SAYS_NOTHING),
    KEYWORD("default", ANNOTATION, SAYS_NOTHING),
    KEYWORD("examples", ANNOTATION, SAYS_NOTHING),
    KEYWORD("example", OPENAPI, SAYS_NOTHING),
    KEYWORD("deprecated", ANNOTATION, SAYS_NOTHING),
    KEYWORD("$comment", CORE, SAYS_NOTHING),
    KEYWORD("discriminator", OPENAPI, SAYS_NOTHING),
    KEYWORD("xml", OPENAPI, SAYS_NOTHING),
    KEYWORD("externalDocs", OPENAPI, SAYS_NOTHING),
};
const size_t schema_keyword_count = sizeof schema_keywords / sizeof *schema_keywords;
