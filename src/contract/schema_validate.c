/* schema_validate.c - the walk of a schema over a tape.
 *
 * A value is checked by the part of the schema that its type selects. While faults are collected the walk goes on behind each; when
 * it is quiet it stops at the first. Depth and work have ceilings, and meeting one refuses the value, whatever `not` or `anyOf`
 * would make of it. */
#include "contract/schema_program.h"

#include "core/limits.h"
#include "core/str.h"

#include <math.h>

bool walk_give_up(struct walk *walk, const char *why)
{
    if (walk->gave_up == NULL)
        walk->gave_up = why;
    return false;
}

uint64_t *scratch_take(struct walk *walk, size_t words)
{
    struct scratch *scratch = &walk->set->scratch;
    if (words > scratch->capacity - scratch->used) {
        (void)walk_give_up(walk, "is too large to be checked");
        return NULL;
    }
    uint64_t *taken = scratch->words + scratch->used;
    scratch->used += words;
    memset(taken, 0, words * sizeof *taken);
    return taken;
}

enum pattern_outcome walk_pattern(struct walk *walk, const struct pattern *pattern, const struct json_value *string)
{
    const enum pattern_outcome outcome = pattern_match(pattern, json_text(string), &walk->pattern_work);
    if (outcome == PATTERN_GAVE_UP)
        (void)walk_give_up(walk, "takes too much work to be matched with its pattern");
    return outcome;
}

/* ---- numbers --------------------------------------------------------------------------------------------------- */
static bool fits_format(const struct format *format, const struct json_value *value)
{
    if (format->kind == FORMAT_INTEGER) {
        const struct json_value least = { .type = JSON_INT, .as.integer = format->least };
        const struct json_value most = { .type = JSON_INT, .as.integer = format->most };
        return (value->type == JSON_INT || value->is_integer) && json_compare_numbers(value, &least) >= 0
            && json_compare_numbers(value, &most) <= 0;
    }
    return format->kind != FORMAT_FLOAT
        || fabs(value->type == JSON_INT ? (double)value->as.integer : value->as.number) <= format->magnitude;
}

static bool check_number(struct walk *walk, const struct number_rules *rules, const struct json_value *value)
{
    bool ok = true;
    if (rules->minimum.is_set && json_compare_numbers(value, &rules->minimum.value) < 0)
        ok = WALK_FAULT(walk, "minimum", LIMEN_STR("must be at least "), rules->minimum.text);
    if (rules->maximum.is_set && json_compare_numbers(value, &rules->maximum.value) > 0)
        ok = WALK_FAULT(walk, "maximum", LIMEN_STR("must be at most "), rules->maximum.text);
    if (rules->above.is_set && json_compare_numbers(value, &rules->above.value) <= 0)
        ok = WALK_FAULT(walk, "exclusiveMinimum", LIMEN_STR("must be greater than "), rules->above.text);
    if (rules->below.is_set && json_compare_numbers(value, &rules->below.value) >= 0)
        ok = WALK_FAULT(walk, "exclusiveMaximum", LIMEN_STR("must be less than "), rules->below.text);
    if (rules->multiple.is_set
        && !json_is_multiple(str_slice(walk->doc->text, value->from, value->to), rules->multiple.text))
        ok = WALK_FAULT(walk, "multipleOf", LIMEN_STR("must be a multiple of "), rules->multiple.text);
    if (rules->format != NULL && !fits_format(rules->format, value))
        ok = WALK_FAULT(walk, "format", LIMEN_STR("must be "), rules->format->noun);
    return ok;
}

/* ---- strings --------------------------------------------------------------------------------------------------- */
/* Bytes tell most of it: a code point has one to four of them. */
static bool check_length(struct walk *walk, const struct string_rules *rules, const struct json_value *value)
{
    const size_t bytes = value->length;
    if (bytes <= rules->max_length && (bytes + 3) / 4 >= rules->min_length)
        return true;
    const size_t points = str_code_points(json_text(value));
    if (points < rules->min_length)
        return walk_fault_count(walk, LIMEN_STR("minLength"), LIMEN_STR("at least "), rules->min_length,
                                LIMEN_STR("character"), LIMEN_STR(""));
    if (points > rules->max_length)
        return walk_fault_count(walk, LIMEN_STR("maxLength"), LIMEN_STR("at most "), rules->max_length,
                                LIMEN_STR("character"), LIMEN_STR(""));
    return true;
}

/* Steps are taken for what a format costs beyond its reading. */
static bool pay_for_format(struct walk *walk, const struct format *format, limen_str text)
{
    if (!format->holds_host_name || !format_is_costly(text))
        return true;
    const uint64_t cost = (uint64_t)text.len * LIMIT_SCHEMA_NAME_STEPS;
    if (walk->steps < cost)
        return walk_give_up(walk, "takes too much work to be checked");
    walk->steps -= (uint32_t)cost;
    return true;
}

static bool check_format(struct walk *walk, const struct format *format, limen_str text)
{
    if (!pay_for_format(walk, format, text))
        return false;
    return format->check(text) || WALK_FAULT(walk, "format", LIMEN_STR("must be "), format->noun);
}

static bool check_string(struct walk *walk, const struct string_rules *rules, const struct json_value *value)
{
    bool ok = check_length(walk, rules, value);
    if (!ok && !walk_goes_on(walk))
        return false;
    if (rules->pattern != NULL && walk_pattern(walk, rules->pattern, value) == PATTERN_DIFFERS)
        ok = WALK_FAULT(walk, "pattern", LIMEN_STR("must match the pattern "), pattern_source(rules->pattern));
    if (rules->format != NULL)
        ok = check_format(walk, rules->format, json_text(value)) && ok;
    return ok && walk->gave_up == NULL;
}

/* ---- enum, const ----------------------------------------------------------------------------------------------- */
static bool is_enumerated(const struct walk *walk, const struct value_rules *rules, uint32_t at)
{
    const struct json_value *value = &walk->tape[at];
    if (rules->has_only_strings)
        return value->type == JSON_STRING && name_find(&rules->strings, value->as.text, value->length) != NAME_NONE;
    for (uint32_t i = 1; i < rules->enumeration.count; i = rules->enumeration.tape[i].next) {
        if (json_equal(&rules->enumeration, i, walk->doc, at))
            return true;
    }
    return false;
}

static bool check_values(struct walk *walk, const struct value_rules *rules, uint32_t at)
{
    bool ok = true;
    if (rules->has_const && !json_equal(&rules->constant, 0, walk->doc, at))
        ok = WALK_FAULT(walk, "const", LIMEN_STR("must be "), rules->constant.text);
    if (rules->has_enum && !is_enumerated(walk, rules, at))
        ok = walk_fault_values(walk, rules);
    return ok;
}

/* ---- the walk -------------------------------------------------------------------------------------------------- */
static bool check_use(struct walk *walk)
{
    return walk->use == SCHEMA_REQUEST
        ? WALK_FAULT(walk, "readOnly", LIMEN_STR("is decided by the server and must not be sent"))
        : WALK_FAULT(walk, "writeOnly", LIMEN_STR("must not be in a reply"));
}

bool walk_rules(struct walk *walk, const struct schema *schema, uint32_t at, struct marks *marks)
{
    const struct json_value *value = &walk->tape[at];
    bool ok = true;
    if ((schema->types & type_bit_of(value)) == 0)
        return walk_fault_type(walk, schema->types);
    if (schema->values != NULL && !check_values(walk, schema->values, at)) {
        ok = false;
        if (!walk_goes_on(walk))
            return false;
    }
    switch (value->type) {
    case JSON_INT:
    case JSON_DOUBLE:
        ok = (schema->number == NULL || check_number(walk, schema->number, value)) && ok;
        break;
    case JSON_STRING:
        ok = (schema->string == NULL || check_string(walk, schema->string, value)) && ok;
        break;
    case JSON_ARRAY:
        ok = (schema->array == NULL || walk_array(walk, schema->array, at, marks)) && ok;
        break;
    case JSON_OBJECT:
        ok = (schema->object == NULL || walk_object(walk, schema->object, at, marks)) && ok;
        break;
    default:
        break;
    }
    if (schema->logic == NULL || (!ok && !walk_goes_on(walk)))
        return ok;
    return walk_logic(walk, schema->logic, at, marks) && ok;
}

bool walk_check(struct walk *walk, const struct schema *schema, uint32_t at, struct marks *marks)
{
    if (schema->is_always)
        return true;
    if (walk->gave_up != NULL) /* else every branch above would still be tried */
        return false;
    if (schema->is_never)
        return WALK_FAULT(walk, "false", LIMEN_STR("must not be here"));
    if (walk->depth == LIMIT_SCHEMA_DEPTH)
        return walk_give_up(walk, "is nested too deep to be checked");
    if (walk->steps == 0)
        return walk_give_up(walk, "takes too much work to be checked");
    walk->steps--;
    if ((schema->refused_in >> walk->use & 1) != 0)
        return check_use(walk);
    const struct logic_rules *logic = schema->logic;
    const bool has_unevaluated = logic != NULL
        && (logic->unevaluated_items != NULL || logic->unevaluated_properties != NULL);
    walk->depth++;
    const bool ok = has_unevaluated ? walk_unevaluated(walk, schema, at, marks) : walk_rules(walk, schema, at, marks);
    walk->depth--;
    return ok && walk->gave_up == NULL;
}

/* ---- the way in ------------------------------------------------------------------------------------------------ */
/* Most values are good: the first walk only finds that out. One that is not is walked again, for its faults. */
static bool validate(struct walk *walk, const struct schema *schema, uint32_t at)
{
    struct faults *faults = walk->faults;
    walk->tape = walk->doc->tape;
    walk->set = schema->set;
    walk->steps = LIMIT_SCHEMA_STEPS;
    walk->pattern_work = LIMIT_PATTERN_WORK_ALL; /* of both walks */
    walk->set->scratch.used = 0;
    walk->faults = NULL;
    bool ok = walk_quickly(walk, schema, at);
    walk->faults = faults;
    if (!ok && faults != NULL && walk->gave_up == NULL) {
        walk->steps = LIMIT_SCHEMA_STEPS;
        ok = walk_check(walk, schema, at, NULL);
    }
    if (walk->gave_up != NULL) {
        walk->place = NULL;
        ok = WALK_FAULT(walk, "limit", str_of(walk->gave_up));
    }
    return ok;
}

bool schema_validate(const struct schema *schema, const struct json_doc *doc, uint32_t at, enum schema_use use,
                     struct faults *faults)
{
    struct walk walk = { .doc = doc, .faults = faults, .use = use };
    return validate(&walk, schema, at);
}

bool schema_is_refused(const struct schema *schema, enum schema_use use)
{
    return (schema->refused_through >> use & 1U) != 0;
}

/* ---- parameters ------------------------------------------------------------------------------------------------ */
/* Reads the text as the first of the schema's types that it can be. False: as none. */
static bool read_param(uint8_t types, limen_str raw, struct json_value *value)
{
    if ((types & TYPE_NUMBER) != 0 && json_parse_number(raw, value) == JSON_OK)
        return true;
    if ((types & TYPE_BOOLEAN) != 0 && (str_equal(raw, LIMEN_STR("true")) || str_equal(raw, LIMEN_STR("false")))) {
        value->type = raw.len == 4 ? JSON_TRUE : JSON_FALSE;
        return true;
    }
    value->type = JSON_STRING;
    value->length = (uint32_t)raw.len;
    value->as.text = raw.len > 0 ? raw.ptr : "";
    return (types & TYPE_STRING) != 0;
}

bool schema_validate_param(const struct schema *schema, limen_str raw, limen_str pointer, struct arena *arena,
                           struct json_value *ret_value, struct faults *faults)
{
    (void)arena; /* the value is a slice of `raw` */
    struct json_value value = { .next = 1 };
    const struct json_doc doc = { .tape = &value, .count = 1, .text = raw };
    struct walk walk = { .doc = &doc, .tape = &value, .faults = faults, .use = SCHEMA_REQUEST, .base = pointer };
    if (raw.len >= UINT32_MAX || !str_is_utf8(raw))
        return WALK_FAULT(&walk, "type", LIMEN_STR("must be UTF-8"));
    value.to = (uint32_t)raw.len;
    if (!read_param(schema->param_types, raw, &value))
        return walk_fault_type(&walk, schema->param_types);
    if (!validate(&walk, schema, 0))
        return false;
    *ret_value = value;
    return true;
}
