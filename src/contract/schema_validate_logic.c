/* schema_validate_logic.c - keywords that apply other schemas to the same value, and what these leave unevaluated.
 *
 * A branch that may fail without harm (anyOf, oneOf, not, if) runs quietly; what it marked as evaluated is taken back when it
 * fails. A schema with unevaluatedProperties or unevaluatedItems gets marks of its own, since it must not see its cousins'. */
#include "contract/schema_program.h"

#include "core/str.h"

bool walk_check_quietly(struct walk *walk, const struct schema *schema, uint32_t at, struct marks *marks)
{
    struct faults *faults = walk->faults;
    const size_t used = walk->set->scratch.used;
    const size_t words = marks != NULL ? marks_words(marks->count) : 0;
    uint64_t *before = NULL;
    if (words > 0) {
        before = scratch_take(walk, words);
        if (before == NULL)
            return false;
        memcpy(before, marks->bits, words * sizeof *before);
    }
    walk->faults = NULL;
    const bool ok = walk_check(walk, schema, at, marks);
    walk->faults = faults;
    if (!ok && words > 0)
        memcpy(marks->bits, before, words * sizeof *before);
    walk->set->scratch.used = used;
    return ok;
}

static bool check_any(struct walk *walk, const struct logic_rules *rules, uint32_t at, struct marks *marks)
{
    bool has_match = false;
    for (uint32_t i = 0; i < rules->any_count; i++) {
        has_match = walk_check_quietly(walk, rules->any[i], at, marks) || has_match;
        if (has_match && marks == NULL)
            return true; /* the others could only mark */
    }
    return has_match || WALK_FAULT(walk, "anyOf", LIMEN_STR("matches none of the alternatives"));
}

static bool check_one(struct walk *walk, const struct logic_rules *rules, uint32_t at, struct marks *marks)
{
    uint32_t matches = 0;
    for (uint32_t i = 0; i < rules->one_count && matches < 2; i++)
        matches += walk_check_quietly(walk, rules->one[i], at, marks);
    if (matches == 1)
        return true;
    return matches == 0 ? WALK_FAULT(walk, "oneOf", LIMEN_STR("matches none of the alternatives"))
                        : WALK_FAULT(walk, "oneOf", LIMEN_STR("matches more than one of the alternatives"));
}

static bool check_condition(struct walk *walk, const struct logic_rules *rules, uint32_t at, struct marks *marks)
{
    const struct schema *then = walk_check_quietly(walk, rules->condition, at, marks) ? rules->consequence
                                                                                      : rules->alternative;
    return then == NULL || walk_check(walk, then, at, marks);
}

bool walk_logic(struct walk *walk, const struct logic_rules *rules, uint32_t at, struct marks *marks)
{
    bool ok = rules->ref == NULL || walk_check(walk, rules->ref, at, marks);
    if (rules->dynamic_ref != NULL && (ok || walk_goes_on(walk)))
        ok = walk_check(walk, rules->dynamic_ref, at, marks) && ok;
    for (uint32_t i = 0; i < rules->all_count && (ok || walk_goes_on(walk)); i++)
        ok = walk_check(walk, rules->all[i], at, marks) && ok;
    if (rules->any_count > 0 && (ok || walk_goes_on(walk)))
        ok = check_any(walk, rules, at, marks) && ok;
    if (rules->one_count > 0 && (ok || walk_goes_on(walk)))
        ok = check_one(walk, rules, at, marks) && ok;
    if (rules->negated != NULL && (ok || walk_goes_on(walk)) && walk_check_quietly(walk, rules->negated, at, NULL))
        ok = WALK_FAULT(walk, "not", LIMEN_STR("must not be of the kind that `not` describes"));
    if (rules->condition != NULL && (ok || walk_goes_on(walk)))
        ok = check_condition(walk, rules, at, marks) && ok;
    return ok;
}

/* ---- unevaluated ----------------------------------------------------------------------------------------------- */
static bool is_marked(const struct marks *marks, uint32_t index)
{
    return (marks->bits[index / 64] >> index % 64 & 1) != 0;
}

/* The members or items that are not marked, against the schema for them. */
static bool check_rest(struct walk *walk, const struct schema *rest, uint32_t at, const struct marks *marks)
{
    const bool is_object = walk->tape[at].type == JSON_OBJECT;
    struct place here = { .up = walk->place };
    uint32_t child = at + 1;
    bool ok = true;
    walk->place = &here;
    for (uint32_t i = 0; i < marks->count && (ok || walk_goes_on(walk)); i++) {
        here.index = i;
        here.name_at = is_object ? child : 0;
        child += is_object;
        if (!is_marked(marks, i)) {
            if (rest->is_never)
                ok = WALK_FAULT_OF(walk, is_object ? LIMEN_STR("unevaluatedProperties") : LIMEN_STR("unevaluatedItems"),
                                   LIMEN_STR("is not declared"));
            else
                ok = walk_check(walk, rest, child, NULL) && ok;
        }
        child = walk->tape[child].next;
    }
    walk->place = here.up;
    return ok;
}

bool walk_unevaluated(struct walk *walk, const struct schema *schema, uint32_t at, struct marks *outer)
{
    const struct json_value *value = &walk->tape[at];
    const struct schema *rest = value->type == JSON_OBJECT ? schema->logic->unevaluated_properties
        : value->type == JSON_ARRAY                        ? schema->logic->unevaluated_items
                                                           : NULL;
    if (rest == NULL)
        return walk_rules(walk, schema, at, outer);
    const size_t used = walk->set->scratch.used;
    struct marks own = { .count = value->length };
    own.bits = scratch_take(walk, marks_words(own.count));
    /* When the schema itself fails, its branches' marks are lost and would make faults of members that are declared. */
    const bool ok = own.bits != NULL && walk_rules(walk, schema, at, &own) && check_rest(walk, rest, at, &own);
    if (outer != NULL) {
        for (uint32_t i = 0; i < own.count; i++)
            marks_set(outer, i); /* whatever was left has been evaluated now */
    }
    walk->set->scratch.used = used;
    return ok;
}
