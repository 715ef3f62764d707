/* schema_validate_object.c - the members of an object.
 *
 * One pass over the members: each name is looked up in the table of declared names, its bit is set, its value is checked. What is
 * required and has no bit then is missing. Objects with up to 64 declared names need no memory for that. */
#include "contract/schema_program.h"

#include "core/str.h"

#define NAME_SHOWN 64 /* bytes of our own contract's names in a detail */

static bool check_count(struct walk *walk, const struct object_rules *rules, size_t members)
{
    if (members < rules->min_properties)
        return walk_fault_count(walk, LIMEN_STR("minProperties"), LIMEN_STR("at least "), rules->min_properties,
                                LIMEN_STR("member"), LIMEN_STR(""));
    if (members > rules->max_properties)
        return walk_fault_count(walk, LIMEN_STR("maxProperties"), LIMEN_STR("at most "), rules->max_properties,
                                LIMEN_STR("member"), LIMEN_STR(""));
    return true;
}

static bool check_required(struct walk *walk, const struct object_rules *rules, const uint64_t *seen)
{
    const uint64_t *required = rules->required[walk->use];
    bool ok = true;
    for (uint32_t word = 0; word < rules->words; word++) {
        for (uint64_t missing = required[word] & ~seen[word]; missing != 0; missing &= missing - 1) {
            const limen_str name = rules->names.entries[word * 64 + (uint32_t)__builtin_ctzll(missing)].name;
            ok = WALK_FAULT(walk, "required", LIMEN_STR("must have the member \""), str_slice(name, 0, NAME_SHOWN),
                            LIMEN_STR("\""));
            if (!walk_goes_on(walk))
                return false;
        }
    }
    return ok;
}

/* patternProperties of one member; `*is_evaluated` is set when one of them matches its name. */
static bool check_patterns(struct walk *walk, const struct object_rules *rules, uint32_t name_at, bool *is_evaluated)
{
    bool ok = true;
    for (uint32_t i = 0; i < rules->pattern_count; i++) {
        if (walk_pattern(walk, rules->patterns[i].pattern, &walk->tape[name_at]) != PATTERN_MATCHES)
            continue;
        *is_evaluated = true;
        ok = walk_child(walk, rules->patterns[i].schema, name_at + 1) && ok;
    }
    return ok;
}

/* One member, whose name has the place `found` in the table or none. The walk's place is the member. */
static bool check_member(struct walk *walk, const struct object_rules *rules, uint32_t name_at, uint32_t found,
                         bool *ret_is_evaluated)
{
    bool ok = true, is_evaluated = false;
    if (found != NAME_NONE && rules->properties[found] != NULL) {
        is_evaluated = true;
        ok = walk_child(walk, rules->properties[found], name_at + 1);
    }
    if (rules->pattern_count > 0)
        ok = check_patterns(walk, rules, name_at, &is_evaluated) && ok;
    if (!is_evaluated && rules->additional != NULL) {
        is_evaluated = true;
        if (rules->additional->is_never)
            ok = WALK_FAULT(walk, "additionalProperties", LIMEN_STR("is not declared"));
        else
            ok = walk_child(walk, rules->additional, name_at + 1) && ok;
    }
    if (rules->property_names != NULL)
        ok = walk_child(walk, rules->property_names, name_at) && ok;
    *ret_is_evaluated = is_evaluated;
    return ok;
}

static bool check_members(struct walk *walk, const struct object_rules *rules, uint32_t at, uint64_t *seen,
                          struct marks *marks)
{
    const struct json_value *tape = walk->tape;
    struct place here = { .up = walk->place };
    uint32_t name_at = at + 1, likely = 0;
    bool ok = true;
    for (uint32_t i = 0; i < tape[at].length; i++) {
        const uint32_t found = name_find_near(&rules->names, likely, tape[name_at].as.text, tape[name_at].length);
        bool is_evaluated;
        if (found != NAME_NONE)
            seen[found / 64] |= UINT64_C(1) << found % 64;
        here.name_at = name_at;
        walk->place = &here;
        ok = check_member(walk, rules, name_at, found, &is_evaluated) && ok;
        if (is_evaluated)
            marks_set(marks, i);
        if (!ok && !walk_goes_on(walk))
            break;
        name_at = tape[name_at + 1].next;
        likely = found + 1; /* NAME_NONE: the first */
    }
    walk->place = here.up;
    return ok;
}

static bool check_dependents(struct walk *walk, const struct object_rules *rules, uint32_t at, struct marks *marks)
{
    bool ok = true;
    for (uint32_t i = 0; i < rules->dependent_count; i++) {
        const struct dependent *dependent = &rules->dependents[i];
        if (json_member(walk->doc, at, dependent->name) == 0)
            continue;
        for (size_t j = 0; j < dependent->required_count; j++) {
            if (json_member(walk->doc, at, dependent->required[j]) == 0)
                ok = WALK_FAULT(walk, "dependentRequired", LIMEN_STR("must have the member \""),
                                str_slice(dependent->required[j], 0, NAME_SHOWN), LIMEN_STR("\" when it has \""),
                                str_slice(dependent->name, 0, NAME_SHOWN), LIMEN_STR("\""));
        }
        if (dependent->schema != NULL)
            ok = walk_check(walk, dependent->schema, at, marks) && ok;
        if (!ok && !walk_goes_on(walk))
            return false;
    }
    return ok;
}

bool walk_object(struct walk *walk, const struct object_rules *rules, uint32_t at, struct marks *marks)
{
    uint64_t few = 0;
    uint64_t *seen = &few;
    const size_t used = walk->set->scratch.used;
    if (rules->words > 1) {
        seen = scratch_take(walk, rules->words);
        if (seen == NULL)
            return false;
    }
    bool ok = check_count(walk, rules, walk->tape[at].length);
    if (ok || walk_goes_on(walk))
        ok = check_members(walk, rules, at, seen, marks) && ok;
    if (ok || walk_goes_on(walk))
        ok = check_required(walk, rules, seen) && ok;
    if (rules->dependent_count > 0 && (ok || walk_goes_on(walk)))
        ok = check_dependents(walk, rules, at, marks) && ok;
    walk->set->scratch.used = used;
    return ok;
}
