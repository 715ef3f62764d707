/* schema_validate_quick.c - the walk of good values: no places, no faults, only yes or no.
 *
 * Objects and arrays whose schemas are of the quick kinds are walked here, and decided; single values are accepted here, and what is
 * not accepted is left to walk_check, as is every schema of another kind. */
#include "contract/schema_program.h"

#include "core/limits.h"

/* A member or an item; most are single values, and cost no call. */
static inline bool accept_child(struct walk *walk, const struct schema *schema, uint32_t at)
{
    return quick_accepts(&schema->quick, &walk->tape[at]) || walk_quickly(walk, schema, at);
}

/* True when the object has members that satisfy the rules: names, values, and none is missing. */
static bool accept_members(struct walk *walk, const struct object_rules *rules, uint32_t at)
{
    const struct json_value *tape = walk->tape;
    uint32_t name_at = at + 1, likely = 0;
    uint64_t seen = 0;
    for (uint32_t i = 0; i < tape[at].length; i++) {
        const struct schema *schema = rules->additional;
        const uint32_t found = name_find_near(&rules->names, likely, tape[name_at].as.text, tape[name_at].length);
        if (found != NAME_NONE) {
            schema = rules->properties[found];
            seen |= UINT64_C(1) << found;
        }
        if (schema != NULL && !accept_child(walk, schema, name_at + 1))
            return false;
        name_at = tape[name_at + 1].next;
        likely = found + 1; /* NAME_NONE: the first */
    }
    return rules->words == 0 || (rules->required[walk->use][0] & ~seen) == 0;
}

static bool accept_items(struct walk *walk, const struct schema *items, uint32_t at)
{
    const struct json_value *tape = walk->tape;
    uint32_t item = at + 1;
    for (uint32_t i = 0; items != NULL && i < tape[at].length; i++) {
        if (!accept_child(walk, items, item))
            return false;
        item = tape[item].next;
    }
    return true;
}

/* As walk_check counts depth and steps; the children are counted here, because single values are not. */
static bool enter(struct walk *walk, uint32_t children)
{
    if (walk->depth == LIMIT_SCHEMA_DEPTH)
        return walk_give_up(walk, "is nested too deep to be checked");
    if (walk->steps <= children)
        return walk_give_up(walk, "takes too much work to be checked");
    walk->steps -= children + 1;
    walk->depth++;
    return true;
}

static bool accept_object(struct walk *walk, const struct schema *schema, uint32_t at)
{
    const struct object_rules *rules = schema->object;
    const uint32_t members = walk->tape[at].length;
    if (members < rules->min_properties || members > rules->max_properties || !enter(walk, members))
        return false;
    const bool ok = accept_members(walk, rules, at);
    walk->depth--;
    return ok;
}

static bool accept_array(struct walk *walk, const struct schema *schema, uint32_t at)
{
    const struct array_rules *rules = schema->array;
    const uint32_t items = walk->tape[at].length;
    if (items < rules->min_items || items > rules->max_items || !enter(walk, items))
        return false;
    const bool ok = accept_items(walk, rules->items, at);
    walk->depth--;
    return ok;
}

bool walk_quickly(struct walk *walk, const struct schema *schema, uint32_t at)
{
    const struct json_value *value = &walk->tape[at];
    if (value->type == JSON_OBJECT && schema->quick.kind == QUICK_OBJECT)
        return accept_object(walk, schema, at);
    if (value->type == JSON_ARRAY && schema->quick.kind == QUICK_ARRAY)
        return accept_array(walk, schema, at);
    return quick_accepts(&schema->quick, value) || walk_check(walk, schema, at, NULL);
}
