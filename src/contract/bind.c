/* bind.c - from the tape into structs.
 *
 * Members mostly come in the order of the schema, so each name is first held against the field behind the last one found. */
#include "contract/bind.h"

#include "core/arena.h"
#include "core/clock.h"
#include "core/str.h"

static enum bind_outcome bind_value(const struct limen_field *field, const struct json_doc *doc, uint32_t at,
                                    struct arena *arena, char *target);

static enum bind_outcome bind_number(const struct json_value *value, double *target)
{
    if (value->type == JSON_INT)
        *target = (double)value->as.integer;
    else if (value->type == JSON_DOUBLE)
        *target = value->as.number;
    else
        return BIND_SHAPE_DIFFERS;
    return BIND_OK;
}

/* 1.0 and 1e3 are integers too, as long as int64 can hold them exactly. */
static enum bind_outcome bind_integer(const struct json_value *value, int64_t *target)
{
    if (value->type == JSON_INT) {
        *target = value->as.integer;
        return BIND_OK;
    }
    bool fits = value->type == JSON_DOUBLE && value->is_integer && value->as.number >= -9223372036854775808.0
        && value->as.number < 9223372036854775808.0;
    if (!fits)
        return BIND_SHAPE_DIFFERS;
    *target = (int64_t)value->as.number;
    return BIND_OK;
}

static enum bind_outcome bind_enum(const struct limen_field *field, limen_str name, int *target)
{
    for (uint32_t i = 0; i < field->name_count; i++) {
        if (str_equal(field->names[i], name)) {
            *target = (int)i + 1;
            return BIND_OK;
        }
    }
    return BIND_SHAPE_DIFFERS;
}

static enum bind_outcome bind_text(const struct limen_field *field, const struct json_value *value, char *target)
{
    limen_str text = json_text(value);
    if (value->type != JSON_STRING)
        return BIND_SHAPE_DIFFERS;
    if (field->kind == LIMEN_ENUM)
        return bind_enum(field, text, (int *)(void *)target);
    if (field->kind == LIMEN_TIME)
        return clock_parse_rfc3339(text, (limen_time *)(void *)target) ? BIND_OK : BIND_SHAPE_DIFFERS;
    memcpy(target, &text, sizeof(text));
    return BIND_OK;
}

/* ---- objects ---------------------------------------------------------------------------------------------------------- */

/* The field of this name; `*hint` is where to look first, and moves on. */
static const struct limen_field *find_field(const struct limen_shape *shape, limen_str name, uint32_t *hint)
{
    for (uint32_t tried = 0; tried < shape->count; tried++) {
        uint32_t i = *hint + tried;
        if (i >= shape->count)
            i -= shape->count;
        if (str_equal(shape->fields[i].name, name)) {
            *hint = i + 1 == shape->count ? 0 : i + 1;
            return &shape->fields[i];
        }
    }
    return NULL;
}

static enum bind_outcome bind_members(const struct limen_shape *shape, const struct json_doc *doc, uint32_t at,
                                      struct arena *arena, char *target)
{
    uint32_t hint = 0, name = at + 1;
    if (doc->tape[at].type != JSON_OBJECT)
        return BIND_SHAPE_DIFFERS;
    for (uint32_t i = 0; i < doc->tape[at].length; i++) {
        const struct limen_field *field = find_field(shape, json_text(&doc->tape[name]), &hint);
        enum bind_outcome outcome = field != NULL ? bind_field(field, doc, name + 1, arena, target)
            : shape->is_open                      ? BIND_OK
                                                  : BIND_SHAPE_DIFFERS;
        if (outcome != BIND_OK)
            return outcome;
        name = doc->tape[name + 1].next;
    }
    return BIND_OK;
}

/* struct { int kind; union { … } as; }: the discriminator's value is an alternative's name. */
static enum bind_outcome bind_union(const struct limen_shape *shape, const struct json_doc *doc, uint32_t at,
                                    struct arena *arena, char *target)
{
    uint32_t hint = 0;
    uint32_t tag = doc->tape[at].type == JSON_OBJECT ? json_member(doc, at, shape->discriminator) : 0;
    if (tag == 0 || doc->tape[tag].type != JSON_STRING)
        return BIND_SHAPE_DIFFERS;
    const struct limen_field *alternative = find_field(shape, json_text(&doc->tape[tag]), &hint);
    if (alternative == NULL)
        return BIND_SHAPE_DIFFERS;
    int kind = (int)(alternative - shape->fields) + 1;
    memcpy(target, &kind, sizeof(kind));
    return bind_value(alternative, doc, at, arena, target + alternative->offset);
}

/* ---- arrays ----------------------------------------------------------------------------------------------------------- */

struct any_array {
    void *items;
    size_t count;
};

static enum bind_outcome bind_array(const struct limen_field *field, const struct json_doc *doc, uint32_t at,
                                    struct arena *arena, char *target)
{
    const struct limen_field *item = &field->shape->fields[0];
    struct any_array array = { .count = doc->tape[at].length };
    if (doc->tape[at].type != JSON_ARRAY)
        return BIND_SHAPE_DIFFERS;
    array.items = arena_zalloc(arena, array.count, field->shape->bytes);
    if (array.items == NULL)
        return BIND_NO_MEMORY;
    uint32_t next = at + 1;
    for (size_t i = 0; i < array.count; i++) {
        enum bind_outcome outcome = bind_value(item, doc, next, arena, (char *)array.items + i * field->shape->bytes);
        if (outcome != BIND_OK)
            return outcome;
        next = doc->tape[next].next;
    }
    memcpy(target, &array, sizeof(array));
    return BIND_OK;
}

/* ---- one value -------------------------------------------------------------------------------------------------------- */

static enum bind_outcome bind_value(const struct limen_field *field, const struct json_doc *doc, uint32_t at,
                                    struct arena *arena, char *target)
{
    const struct json_value *value = &doc->tape[at];
    switch ((enum limen_kind)field->kind) {
    case LIMEN_BOOL: {
        bool is_true = value->type == JSON_TRUE;
        memcpy(target, &is_true, sizeof(is_true));
        return is_true || value->type == JSON_FALSE ? BIND_OK : BIND_SHAPE_DIFFERS;
    }
    case LIMEN_INT:
        return bind_integer(value, (int64_t *)(void *)target);
    case LIMEN_FLOAT:
        return bind_number(value, (double *)(void *)target);
    case LIMEN_STRING:
    case LIMEN_TIME:
    case LIMEN_ENUM:
        return bind_text(field, value, target);
    case LIMEN_OBJECT:
        return bind_members(field->shape, doc, at, arena, target);
    case LIMEN_ARRAY:
        return bind_array(field, doc, at, arena, target);
    case LIMEN_UNION:
        return bind_union(field->shape, doc, at, arena, target);
    case LIMEN_JSON: {
        limen_str slice = str_slice(doc->text, value->from, value->to);
        memcpy(target, &slice, sizeof(slice));
        return BIND_OK;
    }
    }
    return BIND_SHAPE_DIFFERS;
}

enum bind_outcome bind_field(const struct limen_field *field, const struct json_doc *doc, uint32_t at,
                             struct arena *arena, void *ret_struct)
{
    char *base = ret_struct;
    if (field->is_optional)
        base[field->presence_at] = true;
    if (field->is_nullable && doc->tape[at].type == JSON_NULL) {
        base[field->null_at] = true;
        return BIND_OK;
    }
    return bind_value(field, doc, at, arena, base + field->offset);
}

enum bind_outcome bind_object(const struct limen_shape *shape, const struct json_doc *doc, uint32_t at,
                              struct arena *arena, void *ret_struct)
{
    memset(ret_struct, 0, shape->bytes);
    return bind_members(shape, doc, at, arena, ret_struct);
}
