/* schema_quick.c - which schemas ask for little enough. A quick test may be narrower than its schema, and never wider. */
#include "contract/schema_quick.h"

#include "contract/schema_program.h"

/* Raises `*least` to what the bound asks for. False when the bound is no int64. */
static bool raise_least(const struct bound *bound, int64_t distance, int64_t *least)
{
    int64_t from;
    if (!bound->is_set)
        return true;
    if (bound->value.type != JSON_INT || __builtin_add_overflow(bound->value.as.integer, distance, &from))
        return false;
    if (from > *least)
        *least = from;
    return true;
}

static bool lower_most(const struct bound *bound, int64_t distance, int64_t *most)
{
    int64_t to;
    if (!bound->is_set)
        return true;
    if (bound->value.type != JSON_INT || __builtin_sub_overflow(bound->value.as.integer, distance, &to))
        return false;
    if (to < *most)
        *most = to;
    return true;
}

static bool quick_integer(const struct schema *schema, struct quick *quick)
{
    const struct number_rules *rules = schema->number;
    quick->kind = QUICK_INTEGER;
    quick->least = INT64_MIN;
    quick->most = INT64_MAX;
    if (schema->values != NULL)
        return false;
    return rules == NULL
        || (!rules->multiple.is_set && rules->format == NULL && raise_least(&rules->minimum, 0, &quick->least)
            && raise_least(&rules->above, 1, &quick->least) && lower_most(&rules->maximum, 0, &quick->most)
            && lower_most(&rules->below, 1, &quick->most));
}

/* Of n bytes a text has at most n and at least n / 4 code points. */
static bool quick_string(const struct schema *schema, struct quick *quick)
{
    const struct string_rules *rules = schema->string;
    quick->kind = QUICK_STRING;
    quick->most = UINT32_MAX;
    if (schema->values != NULL)
        return false;
    if (rules == NULL)
        return true;
    if (rules->format != NULL || rules->min_length > UINT32_MAX)
        return false;
    if (rules->pattern != NULL && (quick->pattern = pattern_plain(rules->pattern)) == NULL)
        return false;
    if (rules->min_length > 0)
        quick->least = (int64_t)rules->min_length * 4 - 3;
    if (rules->max_length < UINT32_MAX)
        quick->most = (int64_t)rules->max_length;
    return true;
}

static bool quick_enum(const struct schema *schema, struct quick *quick)
{
    quick->kind = QUICK_ENUM;
    if (schema->values == NULL || !schema->values->has_only_strings || schema->values->has_const
        || schema->string != NULL)
        return false;
    quick->strings = &schema->values->strings;
    return true;
}

/* Every declared name has a schema, and nothing looks at names or counts them in another way. */
static bool quick_object(const struct schema *schema)
{
    const struct object_rules *rules = schema->object;
    if (rules == NULL || rules->names.count > 64 || rules->pattern_count > 0 || rules->dependent_count > 0
        || rules->property_names != NULL)
        return false;
    for (uint32_t place = 0; place < rules->names.count; place++) {
        if (rules->properties[place] == NULL)
            return false;
    }
    return true;
}

static bool quick_array(const struct schema *schema)
{
    const struct array_rules *rules = schema->array;
    return rules != NULL && rules->prefix_count == 0 && !rules->is_unique && rules->contains == NULL;
}

struct quick quick_of(const struct schema *schema)
{
    const struct quick none = { .kind = QUICK_NONE };
    struct quick quick = none;
    if (schema->is_never || schema->refused_in != 0 || schema->logic != NULL)
        return none;
    if ((schema->types & TYPE_STRING) != 0 && (quick_string(schema, &quick) || quick_enum(schema, &quick)))
        return quick;
    quick = none;
    if ((schema->types & TYPE_INTEGER) != 0 && quick_integer(schema, &quick))
        return quick;
    if (schema->values != NULL)
        return none;
    if ((schema->types & TYPE_OBJECT) != 0 && quick_object(schema))
        return (struct quick){ .kind = QUICK_OBJECT };
    if ((schema->types & TYPE_ARRAY) != 0 && quick_array(schema))
        return (struct quick){ .kind = QUICK_ARRAY };
    return none;
}
