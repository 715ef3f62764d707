/* encode.c - from structs to JSON, by walking the shape. What the shape does not name cannot leave. */
#include "contract/encode.h"

#include "contract/json.h"
#include "core/clock.h"

#include <math.h>

struct any_array {
    const char *items;
    size_t count;
};

static bool encode_value(const struct limen_field *field, const char *value, struct buf *out, const char **ret_why);

static bool encode_members(const struct limen_shape *shape, const char *base, struct buf *out, const char **ret_why)
{
    bool is_first = true;
    buf_add_char(out, '{');
    for (uint32_t i = 0; i < shape->count; i++) {
        const struct limen_field *field = &shape->fields[i];
        if (field->is_write_only || (field->is_optional && !base[field->presence_at]))
            continue;
        if (!is_first)
            buf_add_char(out, ',');
        is_first = false;
        json_write_string(out, field->name);
        buf_add_char(out, ':');
        if (field->is_nullable && base[field->null_at])
            BUF_ADD(out, "null");
        else if (!encode_value(field, base + field->offset, out, ret_why))
            return false;
    }
    buf_add_char(out, '}');
    return true;
}

static bool encode_array(const struct limen_field *field, const char *value, struct buf *out, const char **ret_why)
{
    struct any_array array;
    memcpy(&array, value, sizeof(array));
    buf_add_char(out, '[');
    for (size_t i = 0; i < array.count; i++) {
        if (i > 0)
            buf_add_char(out, ',');
        if (!encode_value(&field->shape->fields[0], array.items + i * field->shape->bytes, out, ret_why))
            return false;
    }
    buf_add_char(out, ']');
    return true;
}

/* struct { int kind; union { … } as; } */
static bool encode_union(const struct limen_shape *shape, const char *value, struct buf *out, const char **ret_why)
{
    int kind;
    memcpy(&kind, value, sizeof(kind));
    if (kind < 1 || (uint32_t)kind > shape->count)
        return false;
    const struct limen_field *alternative = &shape->fields[kind - 1];
    return encode_value(alternative, value + alternative->offset, out, ret_why);
}

static bool encode_enum(const struct limen_field *field, const char *value, struct buf *out)
{
    int number;
    memcpy(&number, value, sizeof(number));
    if (number < 1 || (uint32_t)number > field->name_count)
        return false;
    json_write_string(out, field->names[number - 1]);
    return true;
}

static bool encode_text(const char *value, struct buf *out)
{
    limen_str text;
    memcpy(&text, value, sizeof(text));
    if (!str_is_utf8(text))
        return false;
    json_write_string(out, text);
    return true;
}

static bool encode_slice(const char *value, struct buf *out)
{
    limen_str text;
    memcpy(&text, value, sizeof(text));
    buf_add(out, text.len == 0 ? LIMEN_STR("null") : text);
    return true;
}

static bool encode_time(const char *value, struct buf *out)
{
    limen_time time;
    memcpy(&time, value, sizeof(time));
    buf_add_char(out, '"');
    clock_write_rfc3339(out, time);
    buf_add_char(out, '"');
    return true;
}

static bool encode_scalar(const struct limen_field *field, const char *value, struct buf *out)
{
    int64_t integer;
    double number;
    switch ((enum limen_kind)field->kind) {
    case LIMEN_BOOL:
        buf_add(out, *value ? LIMEN_STR("true") : LIMEN_STR("false"));
        return true;
    case LIMEN_INT:
        memcpy(&integer, value, sizeof(integer));
        buf_add_int(out, integer);
        return true;
    case LIMEN_FLOAT:
        memcpy(&number, value, sizeof(number));
        if (!isfinite(number))
            return false;
        json_write_double(out, number);
        return true;
    case LIMEN_STRING:
        return encode_text(value, out);
    case LIMEN_TIME:
        return encode_time(value, out);
    case LIMEN_ENUM:
        return encode_enum(field, value, out);
    case LIMEN_JSON:
        return encode_slice(value, out);
    default:
        return false;
    }
}

static bool encode_value(const struct limen_field *field, const char *value, struct buf *out, const char **ret_why)
{
    if (field->kind == LIMEN_OBJECT)
        return encode_members(field->shape, value, out, ret_why);
    if (field->kind == LIMEN_ARRAY)
        return encode_array(field, value, out, ret_why);
    bool ok = field->kind == LIMEN_UNION ? encode_union(field->shape, value, out, ret_why)
                                         : encode_scalar(field, value, out);
    if (!ok && *ret_why == NULL)
        *ret_why = field->name.len > 0 ? field->name.ptr : "an item of an array"; /* names of shapes are literals */
    return ok;
}

bool encode_object(const struct limen_shape *shape, const void *value, struct buf *out, const char **ret_why)
{
    *ret_why = NULL;
    return encode_members(shape, value, out, ret_why) && !out->failed;
}
