/* budget.c - how large the largest value is that a schema admits, and what a call then costs.
 *
 * Keywords that must hold together give the least of their bounds, keywords of which one must hold the largest. What has no
 * bound is BUDGET_UNBOUNDED, and sums stay there. */
#include "contract/budget.h"

#include "contract/contract.h"
#include "contract/schema_program.h"
#include "core/arena.h"
#include "core/str.h"

#include <stdio.h>

#define NUMBER_BYTES 25U /* "-1.7976931348623157e+308", and one to spare */
#define SLICE_BYTES 16U  /* limen_str, or an array's items and count: the largest C value that is no struct */
#define FLAGS_BYTES 8U   /* a member's has_ and is_null, with padding */
#define REPLY_FIRST_BYTES 512U

/* A schema whose cost is known, or being found out. */
struct known_cost {
    const struct schema *schema;
    struct schema_cost cost;
    bool is_open; /* to meet it again now is to meet it inside itself */
    struct known_cost *next;
};

struct measure {
    enum schema_use use;
    size_t point_bytes; /* of a code point, escaped */
    struct arena *arena;
    struct known_cost *known;
};

static const struct schema_cost nothing = { 0 };
static const struct schema_cost boundless = { .text_bytes = BUDGET_UNBOUNDED,
                                              .values = BUDGET_UNBOUNDED,
                                              .rows = BUDGET_UNBOUNDED,
                                              .struct_bytes = SLICE_BYTES, /* has no C shape: a slice of JSON */
                                              .inline_bytes = SLICE_BYTES };

static struct schema_cost cost_of(struct measure *measure, const struct schema *schema);

/* ---- sums that end at BUDGET_UNBOUNDED ---------------------------------------------------------------------------- */

static size_t add(size_t a, size_t b)
{
    size_t sum;
    return __builtin_add_overflow(a, b, &sum) ? BUDGET_UNBOUNDED : sum;
}

static size_t multiply(size_t a, size_t b)
{
    size_t product;
    return __builtin_mul_overflow(a, b, &product) ? BUDGET_UNBOUNDED : product;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* One of the two must hold: a value is as large as the larger one allows. */
static struct schema_cost either(struct schema_cost a, struct schema_cost b)
{
    return (struct schema_cost){
        .text_bytes = most(a.text_bytes, b.text_bytes),
        .values = most(a.values, b.values),
        .rows = most(a.rows, b.rows),
        .struct_bytes = most(a.struct_bytes, b.struct_bytes),
        .inline_bytes = most(a.inline_bytes, b.inline_bytes),
        .item_bytes = most(a.item_bytes, b.item_bytes),
    };
}

/* Both must hold. A struct is no bound but a form, and the larger one is what a handler may get. */
static struct schema_cost both(struct schema_cost a, struct schema_cost b)
{
    struct schema_cost cost = either(a, b);
    cost.text_bytes = least(a.text_bytes, b.text_bytes);
    cost.values = least(a.values, b.values);
    cost.rows = least(a.rows, b.rows);
    return cost;
}

/* ---- values without parts ------------------------------------------------------------------------------------------ */

static struct schema_cost scalar(size_t text_bytes)
{
    return (struct schema_cost){
        .text_bytes = text_bytes, .values = 1, .struct_bytes = SLICE_BYTES, .inline_bytes = SLICE_BYTES
    };
}

static size_t string_bytes(const struct measure *measure, size_t code_points)
{
    return add(2, multiply(code_points, measure->point_bytes));
}

/* What a format admits at the most, all of it ASCII. A time may have any number of digits behind its seconds; nobody's clock has more than
 * these. */
static size_t format_bytes(const struct format *format)
{
    static const struct {
        limen_str name;
        size_t bytes;
    } formats[] = {
        { LIMEN_STR_INIT("date-time"), 40 }, { LIMEN_STR_INIT("date"), 10 },      { LIMEN_STR_INIT("time"), 29 },
        { LIMEN_STR_INIT("uuid"), 36 },      { LIMEN_STR_INIT("ipv4"), 15 },      { LIMEN_STR_INIT("ipv6"), 45 },
        { LIMEN_STR_INIT("email"), 254 },    { LIMEN_STR_INIT("hostname"), 253 },
    };
    for (size_t i = 0; format != NULL && i < sizeof(formats) / sizeof(formats[0]); i++) {
        if (str_equal(format->name, formats[i].name))
            return add(2, formats[i].bytes * 6);
    }
    return BUDGET_UNBOUNDED;
}

static struct schema_cost string_cost(const struct measure *measure, const struct string_rules *rules)
{
    if (rules == NULL)
        return scalar(BUDGET_UNBOUNDED);
    size_t by_length = rules->max_length == SIZE_MAX ? BUDGET_UNBOUNDED : string_bytes(measure, rules->max_length);
    return scalar(least(by_length, format_bytes(rules->format)));
}

static size_t digits(const struct bound *bound)
{
    bool is_known = bound->is_set && bound->value.type == JSON_INT;
    return is_known ? (size_t)snprintf(NULL, 0, "%lld", (long long)bound->value.as.integer) : NUMBER_BYTES;
}

/* An integer between two integers is as long as the longer one of them. */
static struct schema_cost number_cost(uint8_t types, const struct number_rules *rules)
{
    if (rules == NULL || (types & TYPE_FRACTION) != 0)
        return scalar(NUMBER_BYTES);
    size_t low = least(digits(&rules->minimum), digits(&rules->above));
    size_t high = least(digits(&rules->maximum), digits(&rules->below));
    return scalar(least(most(low, high), NUMBER_BYTES));
}

static size_t text_of_value(const struct measure *measure, const struct json_value *value)
{
    if (value->type == JSON_STRING)
        return string_bytes(measure, str_code_points(json_text(value)));
    return value->type == JSON_ARRAY || value->type == JSON_OBJECT ? 2 : value->to - value->from;
}

/* A value that is written down in the contract. */
static struct schema_cost constant_cost(const struct measure *measure, const struct json_doc *doc, uint32_t at)
{
    struct schema_cost cost = scalar(0);
    uint32_t end = doc->tape[at].next;
    cost.values = end - at;
    for (uint32_t i = at; i < end; i++)
        cost.text_bytes = add(cost.text_bytes, text_of_value(measure, &doc->tape[i]) + (i > at)); /* and its comma */
    cost.rows = cost.values - 1;
    return cost;
}

static struct schema_cost values_cost(const struct measure *measure, const struct value_rules *rules)
{
    struct schema_cost cost = nothing;
    if (rules->has_const)
        return constant_cost(measure, &rules->constant, 0);
    for (uint32_t at = 1; at < rules->enumeration.count; at = rules->enumeration.tape[at].next)
        cost = either(cost, constant_cost(measure, &rules->enumeration, at));
    return cost;
}

/* ---- arrays ----------------------------------------------------------------------------------------------------------- */

/* `count` more items of one kind. */
static void add_items(struct schema_cost *cost, size_t count, struct schema_cost item)
{
    size_t itself = (item.inline_bytes + 15) & ~(size_t)15;
    cost->text_bytes = add(cost->text_bytes, multiply(count, add(item.text_bytes, 1)));
    cost->values = add(cost->values, multiply(count, item.values));
    cost->rows = add(cost->rows, multiply(count, add(item.rows, 1)));
    cost->struct_bytes = add(cost->struct_bytes, multiply(count, add(item.struct_bytes, 15)));
    cost->item_bytes = most(cost->item_bytes, most(itself, item.item_bytes));
}

static struct schema_cost array_cost(struct measure *measure, const struct array_rules *rules)
{
    struct schema_cost cost = scalar(2);
    if (rules == NULL)
        return boundless;
    for (uint32_t i = 0; i < rules->prefix_count; i++)
        add_items(&cost, 1, cost_of(measure, rules->prefix[i]));
    bool is_tuple = rules->items != NULL && rules->items->is_never;
    if (is_tuple || rules->max_items <= rules->prefix_count)
        return cost;
    size_t count = rules->max_items == SIZE_MAX ? BUDGET_UNBOUNDED : rules->max_items - rules->prefix_count;
    add_items(&cost, count, rules->items == NULL ? boundless : cost_of(measure, rules->items));
    return cost;
}

/* ---- objects ---------------------------------------------------------------------------------------------------------- */

static void add_member(struct schema_cost *cost, size_t count, size_t name_bytes, struct schema_cost value)
{
    cost->text_bytes = add(cost->text_bytes, multiply(count, add(add(name_bytes, value.text_bytes), 2)));
    cost->values = add(cost->values, multiply(count, add(value.values, 1)));
    cost->rows = add(cost->rows, multiply(count, value.rows));
    cost->struct_bytes = add(cost->struct_bytes, add(value.struct_bytes, FLAGS_BYTES));
    cost->inline_bytes = add(cost->inline_bytes, add(value.inline_bytes, FLAGS_BYTES));
    cost->item_bytes = most(cost->item_bytes, value.item_bytes);
}

/* Members whose names a pattern decides: as many as the object may have, with names as long as propertyNames allows. */
static void add_patterns(struct measure *measure, const struct object_rules *rules, struct schema_cost *cost)
{
    struct schema_cost largest = nothing;
    size_t name_bytes = rules->property_names == NULL ? BUDGET_UNBOUNDED
                                                      : cost_of(measure, rules->property_names).text_bytes;
    for (uint32_t i = 0; i < rules->pattern_count; i++)
        largest = either(largest, cost_of(measure, rules->patterns[i].schema));
    if (rules->pattern_count > 0)
        add_member(cost, rules->max_properties, name_bytes, largest);
}

static void add_members(struct measure *measure, const struct object_rules *rules, struct schema_cost *cost)
{
    for (uint32_t place = 0; place < rules->names.count; place++) {
        const struct schema *property = rules->properties[place];
        size_t name_bytes = string_bytes(measure, str_code_points(rules->names.entries[place].name));
        if (property != NULL && !property->is_never && !schema_is_refused(property, measure->use))
            add_member(cost, 1, name_bytes, cost_of(measure, property));
    }
    add_patterns(measure, rules, cost);
}

static void add_members_in_place(struct measure *measure, const struct schema *schema, struct schema_cost *cost);

static void add_members_of_each(struct measure *measure, const struct schema **schemas, uint32_t count,
                                struct schema_cost *cost)
{
    for (uint32_t i = 0; i < count; i++)
        add_members_in_place(measure, schemas[i], cost);
}

/* What all keywords that speak of the same object declare: `unevaluatedProperties: false` admits all of it. */
static void add_members_in_place(struct measure *measure, const struct schema *schema, struct schema_cost *cost)
{
    const struct logic_rules *logic = schema->logic;
    const struct object_rules *object = schema->object;
    if (object != NULL)
        add_members(measure, object, cost);
    for (uint32_t i = 0; object != NULL && i < object->dependent_count; i++) {
        if (object->dependents[i].schema != NULL)
            add_members_in_place(measure, object->dependents[i].schema, cost);
    }
    if (logic == NULL)
        return;
    const struct schema *const parts[] = { logic->ref, logic->dynamic_ref, logic->condition, logic->consequence,
                                           logic->alternative };
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (parts[i] != NULL)
            add_members_in_place(measure, parts[i], cost);
    }
    add_members_of_each(measure, logic->all, logic->all_count, cost);
    add_members_of_each(measure, logic->any, logic->any_count, cost);
    add_members_of_each(measure, logic->one, logic->one_count, cost);
}

static struct schema_cost object_cost(struct measure *measure, const struct schema *schema)
{
    struct schema_cost cost = { .text_bytes = 2, .values = 1 };
    const struct object_rules *object = schema->object;
    const struct logic_rules *logic = schema->logic;
    if (object != NULL && object->additional != NULL && object->additional->is_never) {
        add_members(measure, object, &cost);
        return cost;
    }
    if (logic == NULL || logic->unevaluated_properties == NULL || !logic->unevaluated_properties->is_never)
        return boundless;
    add_members_in_place(measure, schema, &cost);
    return cost;
}

/* ---- any value -------------------------------------------------------------------------------------------------------- */

/* By the kinds that the schema itself admits. */
static struct schema_cost own_cost(struct measure *measure, const struct schema *schema)
{
    struct schema_cost cost = nothing;
    if ((schema->types & (TYPE_NULL | TYPE_BOOLEAN)) != 0)
        cost = either(cost, scalar((schema->types & TYPE_BOOLEAN) != 0 ? 5 : 4));
    if ((schema->types & TYPE_NUMBER) != 0)
        cost = either(cost, number_cost(schema->types, schema->number));
    if ((schema->types & TYPE_STRING) != 0)
        cost = either(cost, string_cost(measure, schema->string));
    if ((schema->types & TYPE_ARRAY) != 0)
        cost = either(cost, array_cost(measure, schema->array));
    if ((schema->types & TYPE_OBJECT) != 0)
        cost = either(cost, object_cost(measure, schema));
    return cost;
}

static struct schema_cost one_of_many(struct measure *measure, const struct schema **schemas, uint32_t count)
{
    struct schema_cost cost = nothing;
    for (uint32_t i = 0; i < count; i++)
        cost = either(cost, cost_of(measure, schemas[i]));
    return cost;
}

static struct schema_cost find_cost(struct measure *measure, const struct schema *schema)
{
    const struct logic_rules *logic = schema->logic;
    struct schema_cost cost;
    if (schema->is_never)
        return nothing;
    if (schema->is_always)
        return boundless;
    cost = own_cost(measure, schema);
    if (schema->values != NULL)
        cost = both(cost, values_cost(measure, schema->values));
    if (logic == NULL)
        return cost;
    if (logic->ref != NULL)
        cost = both(cost, cost_of(measure, logic->ref));
    if (logic->dynamic_ref != NULL)
        cost = both(cost, cost_of(measure, logic->dynamic_ref));
    for (uint32_t i = 0; i < logic->all_count; i++)
        cost = both(cost, cost_of(measure, logic->all[i]));
    if (logic->any_count > 0)
        cost = both(cost, one_of_many(measure, logic->any, logic->any_count));
    if (logic->one_count > 0)
        cost = both(cost, one_of_many(measure, logic->one, logic->one_count));
    cost.inline_bytes = add(cost.inline_bytes, logic->one_count > 0 ? FLAGS_BYTES : 0); /* a union's kind */
    cost.struct_bytes = add(cost.struct_bytes, logic->one_count > 0 ? FLAGS_BYTES : 0);
    return cost;
}

static struct schema_cost cost_of(struct measure *measure, const struct schema *schema)
{
    struct known_cost *known = measure->known;
    while (known != NULL && known->schema != schema)
        known = known->next;
    if (known != NULL)
        return known->is_open ? boundless : known->cost;
    known = ARENA_NEW(measure->arena, struct known_cost);
    if (known == NULL)
        return boundless;
    *known = (struct known_cost){ .schema = schema, .is_open = true, .next = measure->known };
    measure->known = known;
    known->cost = find_cost(measure, schema);
    known->is_open = false;
    return known->cost;
}

struct schema_cost budget_schema(const struct schema *schema, enum schema_use use, struct arena *arena)
{
    struct measure measure = { .use = use, .point_bytes = use == SCHEMA_REPLY ? 6 : 12, .arena = arena };
    return cost_of(&measure, schema);
}

/* ---- a call ----------------------------------------------------------------------------------------------------------- */

size_t budget_body_ceiling(size_t schema_bytes)
{
    size_t spacious = multiply(schema_bytes, 2);
    if (schema_bytes == BUDGET_UNBOUNDED)
        return LIMIT_BODY_UNBOUNDED_BYTES;
    if (spacious >= LIMIT_BODY_BYTES)
        return LIMIT_BODY_BYTES;
    return spacious <= LIMIT_BODY_SMALL_BYTES ? LIMIT_BODY_SMALL_BYTES : (spacious + 1023) & ~(size_t)1023;
}

static uint32_t most_values(size_t valid)
{
    size_t spacious = add(add(valid, valid / 8), LIMIT_JSON_SPARE_VALUES);
    return spacious < LIMIT_JSON_VALUES ? (uint32_t)spacious : LIMIT_JSON_VALUES;
}

/* However the schema nests its arrays: each item has two bytes of the text at least. */
static size_t struct_within(const struct schema_cost *cost, size_t text_bytes)
{
    return least(cost->struct_bytes, add(cost->inline_bytes, multiply(text_bytes / 2, cost->item_bytes)));
}

/* A text that grows as struct buf does: each small piece stays behind, a large one moves (arena_grow). */
static size_t growing_text(size_t bytes)
{
    size_t room = REPLY_FIRST_BYTES, left_behind = 0;
    while (room < bytes) {
        left_behind += room < LIMIT_ARENA_BLOCK_BYTES ? room : 0;
        room = buf_next_room(room);
    }
    return left_behind + room;
}

struct budget budget_operation(const struct operation *operation, struct arena *arena)
{
    struct budget budget = { .schema_bytes = 0 };
    size_t out_memory = 0;
    if (operation->has_body) {
        struct schema_cost in = budget_schema(operation->body, SCHEMA_REQUEST, arena);
        budget.schema_bytes = in.text_bytes;
        budget.most_values = most_values(in.values);
        budget.in_bytes = operation->body_ceiling + json_memory_bytes(operation->body_ceiling, budget.most_values);
        budget.in_bytes = add(budget.in_bytes, struct_within(&in, operation->body_ceiling));
    }
    for (uint32_t i = 0; i < operation->reply_count; i++) {
        const struct reply_spec *reply = &operation->replies[i];
        if (!reply->has_body || reply->is_problem) /* problems are ours, and small */
            continue;
        struct schema_cost out = budget_schema(reply->schema, SCHEMA_REPLY, arena);
        size_t rows = multiply(out.struct_bytes, 2); /* as they came from the data role, and in the reply */
        size_t text = out.text_bytes == BUDGET_UNBOUNDED ? LIMIT_REPLY_UNBOUNDED_BYTES : out.text_bytes;
        budget.out_rows = most(budget.out_rows, out.rows);
        budget.out_bytes = most(budget.out_bytes, out.text_bytes);
        out_memory = most(out_memory, add(rows, growing_text(text)));
    }
    budget.memory_bytes = add(add(LIMIT_CALL_BASE_BYTES, budget.in_bytes), out_memory);
    return budget;
}
