/* contract_bounds.c - every value that a contract admits has a bound: of length, of number, of members.
 *
 * What is bounded can be read into memory of a known size, and a report can say how large. */
#include "contract/contract_internal.h"

static bool check_schema(struct loader *loader, const struct doc_node *schema, bool is_part);

static const struct doc_node *get(const struct doc_node *node, const char *name)
{
    return doc_get(node, str_of(name));
}

static bool is_false(const struct doc_node *node)
{
    return node != NULL && node->kind == DOC_BOOL && !node->boolean;
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

static bool check_number(struct loader *loader, const struct doc_node *schema)
{
    bool has_least = get(schema, "minimum") != NULL || get(schema, "exclusiveMinimum") != NULL;
    bool has_most = get(schema, "maximum") != NULL || get(schema, "exclusiveMaximum") != NULL;
    return (has_least && has_most)
        || refuse(loader, schema, "add `minimum` and `maximum`", "the number '%.*s' has no bounds",
                  LIMEN_STR_ARG(label(schema)));
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
    bool ok = check_each(loader, prefix, /* is_part= */ false);
    if (!is_tuple && get(schema, "maxItems") == NULL)
        ok = refuse(loader, schema, "add `maxItems`", "the array '%.*s' has no bound", LIMEN_STR_ARG(label(schema)));
    if (items == NULL)
        return refuse(loader, schema, "add `items`", "the array '%.*s' admits any items", LIMEN_STR_ARG(label(schema)));
    return (is_tuple || check_schema(loader, items, /* is_part= */ false)) && ok;
}

static bool check_object(struct loader *loader, const struct doc_node *schema, bool is_part)
{
    bool is_closed = is_false(get(schema, "additionalProperties")) || is_false(get(schema, "unevaluatedProperties"));
    bool ok = check_each(loader, get(schema, "properties"), /* is_part= */ false);
    if (!is_closed && !is_part)
        return refuse(loader, schema, "add `additionalProperties: false`",
                      "the object '%.*s' admits members that it does not declare", LIMEN_STR_ARG(label(schema)));
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

static bool is_seen(struct loader *loader, const struct doc_node *schema)
{
    for (const struct seen_node *seen = loader->seen; seen != NULL; seen = seen->next) {
        if (seen->node == schema)
            return true;
    }
    struct seen_node *seen = ARENA_NEW(loader->arena, struct seen_node);
    if (seen == NULL)
        return true;
    *seen = (struct seen_node){ schema, loader->seen };
    loader->seen = seen;
    return false;
}

/* `is_part`: a branch of allOf, whose members another branch or the whole may close. */
static bool check_schema(struct loader *loader, const struct doc_node *schema, bool is_part)
{
    if (is_false(schema) || is_seen(loader, schema))
        return true;
    if (schema->kind != DOC_OBJECT)
        return refuse(loader, schema, "describe the value", "this schema admits anything");
    if (get(schema, "enum") != NULL || get(schema, "const") != NULL)
        return true;
    const struct doc_node *reference = get(schema, "$ref"), *all = get(schema, "allOf");
    const struct doc_node *any = get(schema, "anyOf"), *one = get(schema, "oneOf");
    bool is_composed = reference != NULL || all != NULL || any != NULL || one != NULL;
    if (get(schema, "type") == NULL && !is_composed)
        return is_part
            || refuse(loader, schema, "add `type`", "the schema '%.*s' admits values of any type",
                      LIMEN_STR_ARG(label(schema)));
    bool ok = true;
    if (reference != NULL) {
        const struct doc_node *target = follow(loader, schema);
        ok = target != NULL && check_schema(loader, target, is_part);
    }
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

bool check_bounds(struct loader *loader, const struct doc_node *schema)
{
    return check_schema(loader, schema, /* is_part= */ false);
}
