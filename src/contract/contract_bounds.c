/* contract_bounds.c - every value that a contract admits has a bound: of length, of number, of members.
 *
 * What is bounded can be read into memory of a known size, and a report can say how large. */
#include "contract/contract_internal.h"

#define TYPED_DEPTH 16U

static bool check_schema(struct loader *loader, const struct doc_node *schema, bool is_part);
static bool check_referred(struct loader *loader, const struct doc_node *schema, uint32_t is_part);

static const struct doc_node *get(const struct doc_node *node, const char *name)
{
    return doc_get(node, str_of(name));
}

/* `false`, and its long forms `not: {}` and `not: true`, admit nothing. */
static bool is_false(const struct doc_node *node)
{
    const struct doc_node *negated = get(node, "not");
    if (node != NULL && node->kind == DOC_BOOL)
        return !node->boolean;
    return negated != NULL
        && (negated->kind == DOC_BOOL ? negated->boolean : negated->kind == DOC_OBJECT && negated->count == 0);
}

static bool has_type(const struct doc_node *schema, const char *name)
{
    const struct doc_node *type = get(schema, "type");
    if (type == NULL)
        return false;
    if (type->kind == DOC_STRING)
        return str_equal(type->text, str_of(name));
    for (size_t i = 0; i < type->count; i++) {
        if (str_equal(type->items[i]->text, str_of(name)))
            return true;
    }
    return false;
}

static bool has_bounded_format(const struct doc_node *schema)
{
    static const char *const bounded[] = { "date-time", "date", "time", "uuid", "email", "ipv4", "ipv6", "hostname" };
    const struct doc_node *format = get(schema, "format");
    for (size_t i = 0; format != NULL && i < sizeof(bounded) / sizeof(bounded[0]); i++) {
        if (str_equal(format->text, str_of(bounded[i])))
            return true;
    }
    return false;
}

/* How a message names the schema: by its member's name, when it has one. */
static limen_str label(const struct doc_node *schema)
{
    return schema->key.len > 0 ? schema->key : LIMEN_STR("this value");
}

static bool check_string(struct loader *loader, const struct doc_node *schema)
{
    return get(schema, "maxLength") != NULL || has_bounded_format(schema)
        || refuse(loader, schema, "add `maxLength`", "the string '%.*s' has no bound", LIMEN_STR_ARG(label(schema)));
}

/* An integer is bound as an int64_t, whatever its text looks like. */
static bool fits_int64(const struct doc_node *number)
{
    return number->kind == DOC_INT || (number->number >= -0x1p63 && number->number < 0x1p63);
}

static bool check_number(struct loader *loader, const struct doc_node *schema)
{
    static const char *const bounds[] = { "minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum" };
    bool has_least = get(schema, bounds[0]) != NULL || get(schema, bounds[1]) != NULL;
    bool has_most = get(schema, bounds[2]) != NULL || get(schema, bounds[3]) != NULL;
    if (!has_least || !has_most)
        return refuse(loader, schema, "add `minimum` and `maximum`", "the number '%.*s' has no bounds",
                      LIMEN_STR_ARG(label(schema)));
    for (size_t i = 0; has_type(schema, "integer") && i < sizeof(bounds) / sizeof(bounds[0]); i++) {
        const struct doc_node *bound = get(schema, bounds[i]);
        if (bound != NULL && !fits_int64(bound))
            return refuse(loader, bound, "stay within -9223372036854775808 and 9223372036854775807",
                          "`%s` of the integer '%.*s' is past 64 bits", bounds[i], LIMEN_STR_ARG(label(schema)));
    }
    return true;
}

static bool check_each(struct loader *loader, const struct doc_node *list, bool is_part)
{
    bool ok = true;
    for (size_t i = 0; list != NULL && i < list->count; i++)
        ok = check_schema(loader, list->items[i], is_part) && ok;
    return ok;
}

static bool check_array(struct loader *loader, const struct doc_node *schema)
{
    const struct doc_node *items = get(schema, "items"), *prefix = get(schema, "prefixItems");
    bool is_tuple = prefix != NULL && is_false(items);
    bool ok = true;
    if (!is_tuple && get(schema, "maxItems") == NULL)
        ok = refuse(loader, schema, "add `maxItems`", "the array '%.*s' has no bound", LIMEN_STR_ARG(label(schema)));
    if (items == NULL)
        ok = refuse(loader, schema, "add `items`", "the array '%.*s' admits any items", LIMEN_STR_ARG(label(schema)));
    return ok;
}

static bool refuse_open(struct loader *loader, const struct doc_node *schema)
{
    return refuse(loader, schema, "add `additionalProperties: false`",
                  "the object '%.*s' admits members that it does not declare", LIMEN_STR_ARG(label(schema)));
}

/* `additionalProperties: true`, where that may be said. */
static bool is_open(const struct loader *loader, const struct doc_node *schema)
{
    const struct doc_node *rest = get(schema, "additionalProperties");
    return loader->admits_undeclared && rest != NULL && rest->kind == DOC_BOOL && rest->boolean;
}

static bool check_object(struct loader *loader, const struct doc_node *schema, bool is_part)
{
    if (is_open(loader, schema))
        return true;
    bool is_closed = is_false(get(schema, "additionalProperties")) || is_false(get(schema, "unevaluatedProperties"));
    return is_closed || is_part || refuse_open(loader, schema);
}

/* A map from names to values is bounded by its count; its values are checked as all are. */
static bool check_pattern_properties(struct loader *loader, const struct doc_node *schema)
{
    const struct doc_node *patterns = get(schema, "patternProperties");
    if (patterns != NULL && get(schema, "maxProperties") == NULL)
        return refuse(loader, patterns, "add `maxProperties`", "the object '%.*s' admits any number of members",
                      LIMEN_STR_ARG(label(schema)));
    return check_each(loader, patterns, /* is_part= */ false);
}

static bool check_one(struct loader *loader, const struct doc_node *schema, bool is_part)
{
    return schema == NULL || check_schema(loader, schema, is_part);
}

/* The members that a condition speaks of count as evaluated where it holds, so `unevaluatedProperties: false` lets them in. */
static bool check_condition(struct loader *loader, const struct doc_node *schema)
{
    const struct doc_node *condition = get(schema, "if");
    bool speaks_of_members = get(condition, "type") == NULL || has_type(condition, "object");
    return !speaks_of_members || is_false(get(schema, "additionalProperties"))
        || check_one(loader, condition, /* is_part= */ true);
}

/* What describes a value inside the value or adds to its description, with or without a `type` beside it: a branch of allOf needs none,
 * and what it declares is admitted all the same. */
static bool check_inside(struct loader *loader, const struct doc_node *schema)
{
    static const char *const rests[] = { "additionalProperties", "unevaluatedProperties" };
    bool ok = check_each(loader, get(schema, "properties"), /* is_part= */ false);
    ok = check_pattern_properties(loader, schema) && ok;
    ok = check_each(loader, get(schema, "prefixItems"), /* is_part= */ false) && ok;
    ok = check_one(loader, get(schema, "items"), /* is_part= */ false) && ok;
    ok = check_one(loader, get(schema, "unevaluatedItems"), /* is_part= */ false) && ok;
    ok = check_condition(loader, schema) && ok;
    ok = check_one(loader, get(schema, "then"), /* is_part= */ true) && ok;
    ok = check_one(loader, get(schema, "else"), /* is_part= */ true) && ok;
    ok = check_each(loader, get(schema, "dependentSchemas"), /* is_part= */ true) && ok;
    for (size_t i = 0; i < sizeof(rests) / sizeof(rests[0]); i++) {
        const struct doc_node *rest = get(schema, rests[i]);
        if (rest != NULL && !is_false(rest) && !is_open(loader, schema))
            ok = refuse_open(loader, schema);
    }
    return ok;
}

static bool check_types(struct loader *loader, const struct doc_node *schema, bool is_part)
{
    bool ok = true;
    if (has_type(schema, "string"))
        ok = check_string(loader, schema) && ok;
    if (has_type(schema, "integer") || has_type(schema, "number"))
        ok = check_number(loader, schema) && ok;
    if (has_type(schema, "array"))
        ok = check_array(loader, schema) && ok;
    if (has_type(schema, "object"))
        ok = check_object(loader, schema, is_part) && ok;
    return ok;
}

/* Has it been checked, at least as strictly as now? Contracts refer in circles. */
static bool is_seen(struct loader *loader, const struct doc_node *schema, bool is_part)
{
    for (const struct seen_node *seen = loader->seen; seen != NULL; seen = seen->next) {
        if (seen->node == schema && (is_part || seen->as_whole))
            return true;
    }
    struct seen_node *seen = ARENA_NEW(loader->arena, struct seen_node);
    if (seen == NULL)
        return true;
    *seen = (struct seen_node){ .node = schema, .as_whole = !is_part, .next = loader->seen };
    loader->seen = seen;
    return false;
}

/* What a rule asks of a schema that is referred to. */
typedef bool (*schema_rule)(struct loader *loader, const struct doc_node *schema, uint32_t argument);

/* Whether the rule holds for all that a $dynamicRef can mean: which of these it does depends on the way there, and one without a
 * bound would be a hole. A reference that leads nowhere has been refused, and no more needs to be said of it. */
static bool holds_for_each(struct loader *loader, const struct doc_node *reference, schema_rule rule, uint32_t argument)
{
    struct catalog *catalog = loader->contract->catalog;
    const struct anchor *anchor = NULL;
    const struct doc_node *target = catalog_target(catalog, reference, loader->errors, &anchor);
    if (target == NULL)
        return true;
    if (anchor == NULL || !anchor->is_dynamic)
        return rule(loader, target, argument);
    bool ok = true;
    const struct anchor *one = NULL;
    while ((one = catalog_next_dynamic(catalog, anchor->name, one)) != NULL)
        ok = rule(loader, one->node, argument) && ok;
    return ok;
}

/* Does every value that it admits have a type that it names? `depth` ends a circle. */
static bool is_typed(struct loader *loader, const struct doc_node *schema, uint32_t depth)
{
    if (schema == NULL || depth == 0)
        return false;
    if (is_false(schema) || get(schema, "type") != NULL || get(schema, "enum") != NULL || get(schema, "const") != NULL)
        return true;
    const struct doc_node *reference = get(schema, "$ref"), *dynamic = get(schema, "$dynamicRef");
    if (reference != NULL && holds_for_each(loader, reference, is_typed, depth - 1))
        return true;
    if (dynamic != NULL && holds_for_each(loader, dynamic, is_typed, depth - 1))
        return true;
    const struct doc_node *all = get(schema, "allOf");
    for (size_t i = 0; all != NULL && i < all->count; i++) {
        if (is_typed(loader, all->items[i], depth - 1))
            return true;
    }
    static const char *const choices[] = { "anyOf", "oneOf" };
    for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
        const struct doc_node *branches = get(schema, choices[i]);
        size_t typed = 0;
        while (branches != NULL && typed < branches->count && is_typed(loader, branches->items[typed], depth - 1))
            typed++;
        if (branches != NULL && typed == branches->count)
            return true;
    }
    return false;
}

/* `is_part`: a branch of allOf, whose members another branch or the whole may close. */
static bool check_schema(struct loader *loader, const struct doc_node *schema, bool is_part)
{
    if (is_false(schema) || is_seen(loader, schema, is_part))
        return true;
    if (schema->kind != DOC_OBJECT)
        return refuse(loader, schema, "describe the value", "this schema admits anything");
    if (get(schema, "enum") != NULL || get(schema, "const") != NULL)
        return true;
    const struct doc_node *reference = get(schema, "$ref"), *dynamic = get(schema, "$dynamicRef");
    const struct doc_node *all = get(schema, "allOf");
    const struct doc_node *any = get(schema, "anyOf"), *one = get(schema, "oneOf");
    if (!is_part && !is_typed(loader, schema, TYPED_DEPTH))
        return refuse(loader, schema, "add `type`", "the schema '%.*s' admits values of any type",
                      LIMEN_STR_ARG(label(schema)));
    bool ok = check_inside(loader, schema);
    if (reference != NULL)
        ok = holds_for_each(loader, reference, check_referred, is_part) && ok;
    if (dynamic != NULL)
        ok = holds_for_each(loader, dynamic, check_referred, is_part) && ok;
    bool is_closed = is_false(get(schema, "unevaluatedProperties"));
    ok = check_each(loader, all, /* is_part= */ true) && ok;
    ok = check_each(loader, any, is_part || is_closed) && ok;
    ok = check_each(loader, one, is_part || is_closed) && ok;
    if (all != NULL && !is_closed && !is_part && !is_false(get(schema, "additionalProperties"))
        && !has_type(schema, "string"))
        ok = refuse(loader, schema, "add `unevaluatedProperties: false`",
                    "the composed object '%.*s' admits members that it does not declare", LIMEN_STR_ARG(label(schema)))
            && ok;
    return check_types(loader, schema, is_part) && ok;
}

static bool check_referred(struct loader *loader, const struct doc_node *schema, uint32_t is_part)
{
    return check_schema(loader, schema, is_part != 0);
}

bool check_bounds(struct loader *loader, const struct doc_node *schema)
{
    return check_schema(loader, schema, /* is_part= */ false);
}

bool check_bounds_of_signed(struct loader *loader, const struct doc_node *schema)
{
    struct seen_node *seen = loader->seen; /* what is good enough here need not be elsewhere */
    loader->seen = NULL;
    loader->admits_undeclared = true;
    bool ok = check_schema(loader, schema, /* is_part= */ false);
    loader->admits_undeclared = false;
    loader->seen = seen;
    return ok;
}
