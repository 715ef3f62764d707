/* wire.c - the frames between a worker and the data role.
 *
 * A frame is 16 bytes of header and a payload. Writing appends to a buffer whose `failed` flag is looked at once, at
 * the end; reading moves a cursor that fails once and for all and then yields zeros, so that a parser needs one check
 * only. */
#include "data/wire.h"

#include "core/arena.h"
#include "core/limits.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "frames are copied as they lie in memory");

/* Header: u32 length of the whole frame, u8 type, u8 zero, u16 operation, u32 slot, u32 sequence. */
enum { AT_LENGTH = 0, AT_TYPE = 4, AT_ZERO = 5, AT_OPERATION = 6, AT_SLOT = 8, AT_SEQUENCE = 12 };

/* A parameter's first byte: enum limen_type, and two flags. */
enum { VALUE_TYPE = 0x0f, VALUE_NULL = 0x40, VALUE_LIST = 0x80 };

/* ---- frames ------------------------------------------------------------------------------------------------------ */
size_t wire_take(limen_str bytes, struct wire_frame *ret_frame)
{
    uint32_t length;
    if (bytes.len < sizeof(length))
        return 0;
    memcpy(&length, bytes.ptr + AT_LENGTH, sizeof(length));
    if (length < WIRE_HEADER_BYTES || length > LIMIT_FRAME_BYTES)
        return SIZE_MAX;
    if (bytes.len < length)
        return 0;
    if (bytes.ptr[AT_ZERO] != 0)
        return SIZE_MAX;
    ret_frame->type = (uint8_t)bytes.ptr[AT_TYPE];
    memcpy(&ret_frame->operation, bytes.ptr + AT_OPERATION, sizeof(ret_frame->operation));
    memcpy(&ret_frame->slot, bytes.ptr + AT_SLOT, sizeof(ret_frame->slot));
    memcpy(&ret_frame->sequence, bytes.ptr + AT_SEQUENCE, sizeof(ret_frame->sequence));
    ret_frame->payload = str_make(bytes.ptr + WIRE_HEADER_BYTES, length - WIRE_HEADER_BYTES);
    return length;
}

size_t wire_wanted(limen_str bytes)
{
    uint32_t length;
    if (bytes.len < sizeof(length))
        return WIRE_HEADER_BYTES;
    memcpy(&length, bytes.ptr + AT_LENGTH, sizeof(length));
    return length < WIRE_HEADER_BYTES || length > LIMIT_FRAME_BYTES ? WIRE_HEADER_BYTES : length;
}

size_t wire_begin(struct buf *out, enum wire_type type, uint16_t operation, uint32_t slot, uint32_t sequence)
{
    size_t begin = out->len;
    char *header = buf_reserve(out, WIRE_HEADER_BYTES);
    if (header == NULL)
        return begin;
    memset(header, 0, WIRE_HEADER_BYTES);
    header[AT_TYPE] = (char)type;
    memcpy(header + AT_OPERATION, &operation, sizeof(operation));
    memcpy(header + AT_SLOT, &slot, sizeof(slot));
    memcpy(header + AT_SEQUENCE, &sequence, sizeof(sequence));
    out->len += WIRE_HEADER_BYTES;
    return begin;
}

void wire_end(struct buf *out, size_t begin)
{
    if (out->failed)
        return;
    size_t length = out->len - begin;
    if (length > LIMIT_FRAME_BYTES) {
        out->failed = true;
        return;
    }
    uint32_t length32 = (uint32_t)length;
    memcpy(out->ptr + begin + AT_LENGTH, &length32, sizeof(length32));
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */
/* Copies `bytes` from the cursor, or zeros once the reader has failed. */
void wire_get_bytes(struct wire_reader *reader, void *ret, size_t bytes)
{
    if (reader->failed || (size_t)(reader->end - reader->at) < bytes) {
        reader->failed = true;
        memset(ret, 0, bytes);
        return;
    }
    memcpy(ret, reader->at, bytes);
    reader->at += bytes;
}

uint8_t wire_get_u8(struct wire_reader *reader)
{
    uint8_t value;
    wire_get_bytes(reader, &value, sizeof(value));
    return value;
}

uint16_t wire_get_u16(struct wire_reader *reader)
{
    uint16_t value;
    wire_get_bytes(reader, &value, sizeof(value));
    return value;
}

uint32_t wire_get_u32(struct wire_reader *reader)
{
    uint32_t value;
    wire_get_bytes(reader, &value, sizeof(value));
    return value;
}

int64_t wire_get_i64(struct wire_reader *reader)
{
    int64_t value;
    wire_get_bytes(reader, &value, sizeof(value));
    return value;
}

double wire_get_f64(struct wire_reader *reader)
{
    double value;
    wire_get_bytes(reader, &value, sizeof(value));
    return value;
}

limen_str wire_get_str(struct wire_reader *reader)
{
    uint32_t length = wire_get_u32(reader);
    if (reader->failed || (size_t)(reader->end - reader->at) < length) {
        reader->failed = true;
        return str_make(NULL, 0);
    }
    limen_str value = str_make(reader->at, length);
    reader->at += length;
    return value;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */
void wire_put_bytes(struct buf *out, const void *value, size_t bytes)
{
    char *at = buf_reserve(out, bytes);
    if (at == NULL)
        return;
    memcpy(at, value, bytes);
    out->len += bytes;
}

void wire_put_u8(struct buf *out, uint8_t value)
{
    wire_put_bytes(out, &value, sizeof(value));
}

void wire_put_u16(struct buf *out, uint16_t value)
{
    wire_put_bytes(out, &value, sizeof(value));
}

void wire_put_u32(struct buf *out, uint32_t value)
{
    wire_put_bytes(out, &value, sizeof(value));
}

void wire_put_i64(struct buf *out, int64_t value)
{
    wire_put_bytes(out, &value, sizeof(value));
}

void wire_put_f64(struct buf *out, double value)
{
    wire_put_bytes(out, &value, sizeof(value));
}

void wire_put_str(struct buf *out, limen_str value)
{
    if (value.len > LIMIT_FRAME_BYTES) {
        out->failed = true;
        return;
    }
    wire_put_u32(out, (uint32_t)value.len);
    if (value.len > 0)
        wire_put_bytes(out, value.ptr, value.len);
}

/* ---- parameters -------------------------------------------------------------------------------------------------- */
static bool type_is_text(uint8_t type)
{
    return type == LIMEN_TYPE_TEXT || type == LIMEN_TYPE_BYTES || type == LIMEN_TYPE_JSON;
}

static bool value_is_sound(const limen_value *value)
{
    if (value->type > LIMEN_TYPE_JSON || (value->is_list && value->is_null))
        return false;
    if (!value->is_list)
        return true;
    return (value->type == LIMEN_TYPE_TEXT || value->type == LIMEN_TYPE_INT) && value->count <= LIMIT_LIST_ITEMS;
}

static void put_list(struct buf *out, const limen_value *value)
{
    wire_put_u16(out, (uint16_t)value->count);
    for (size_t i = 0; i < value->count; i++) {
        if (value->type == LIMEN_TYPE_TEXT)
            wire_put_str(out, value->as.texts[i]);
        else
            wire_put_i64(out, value->as.integers[i]);
    }
}

static void put_value(struct buf *out, const limen_value *value)
{
    wire_put_u8(out, (uint8_t)(value->type | (value->is_null ? VALUE_NULL : 0) | (value->is_list ? VALUE_LIST : 0)));
    if (value->is_null)
        return;
    if (value->is_list)
        put_list(out, value);
    else if (type_is_text(value->type))
        wire_put_str(out, value->as.text);
    else if (value->type == LIMEN_TYPE_FLOAT)
        wire_put_f64(out, value->as.number);
    else
        wire_put_i64(out, value->as.integer);
}

void wire_put_values(struct buf *out, const limen_value *values, size_t count)
{
    if (count > LIMIT_STATEMENT_PARAMS) {
        out->failed = true;
        return;
    }
    wire_put_u16(out, (uint16_t)count);
    for (size_t i = 0; i < count; i++) {
        if (!value_is_sound(&values[i])) {
            out->failed = true;
            return;
        }
        put_value(out, &values[i]);
    }
}

/* Adds the bytes of one string; false past what a frame can hold. */
static bool count_str(size_t *total, limen_str value)
{
    if (value.len > LIMIT_FRAME_BYTES)
        return false;
    *total += sizeof(uint32_t) + value.len;
    return *total <= LIMIT_FRAME_BYTES;
}

static bool count_value(size_t *total, const limen_value *value)
{
    *total += 1;
    if (value->is_null)
        return true;
    if (!value->is_list) {
        if (type_is_text(value->type))
            return count_str(total, value->as.text);
        *total += sizeof(int64_t);
        return true;
    }
    *total += sizeof(uint16_t);
    if (value->type == LIMEN_TYPE_INT) {
        *total += value->count * sizeof(int64_t);
        return true;
    }
    for (size_t i = 0; i < value->count; i++)
        if (!count_str(total, value->as.texts[i]))
            return false;
    return true;
}

size_t wire_values_bytes(const limen_value *values, size_t count)
{
    if (count > LIMIT_STATEMENT_PARAMS)
        return SIZE_MAX;
    size_t total = sizeof(uint16_t);
    for (size_t i = 0; i < count; i++)
        if (!value_is_sound(&values[i]) || !count_value(&total, &values[i]))
            return SIZE_MAX;
    return total;
}

/* Reads a list's items into the arena. False when malformed or out of memory. */
static bool get_list(struct wire_reader *reader, struct arena *arena, limen_value *value)
{
    value->count = wire_get_u16(reader);
    /* An item takes at least 4 bytes: a short payload cannot make us allocate much. */
    if (value->count > LIMIT_LIST_ITEMS || value->count * sizeof(uint32_t) > (size_t)(reader->end - reader->at)) {
        reader->failed = true;
        return false;
    }
    if (value->type == LIMEN_TYPE_TEXT) {
        limen_str *texts = ARENA_NEW_ARRAY(arena, limen_str, value->count);
        value->as.texts = texts;
        for (size_t i = 0; texts != NULL && i < value->count; i++)
            texts[i] = wire_get_str(reader);
        return texts != NULL && !reader->failed;
    }
    int64_t *integers = ARENA_NEW_ARRAY(arena, int64_t, value->count);
    value->as.integers = integers;
    for (size_t i = 0; integers != NULL && i < value->count; i++)
        integers[i] = wire_get_i64(reader);
    return integers != NULL && !reader->failed;
}

static bool get_value(struct wire_reader *reader, struct arena *arena, limen_value *value)
{
    uint8_t first = wire_get_u8(reader);
    value->type = first & VALUE_TYPE;
    value->is_null = (first & VALUE_NULL) != 0;
    value->is_list = (first & VALUE_LIST) != 0;
    if ((first & ~(VALUE_TYPE | VALUE_NULL | VALUE_LIST)) != 0 || !value_is_sound(value))
        reader->failed = true;
    if (reader->failed || value->is_null)
        return !reader->failed;
    if (value->is_list)
        return get_list(reader, arena, value);
    if (type_is_text(value->type))
        value->as.text = wire_get_str(reader);
    else if (value->type == LIMEN_TYPE_FLOAT)
        value->as.number = wire_get_f64(reader);
    else
        value->as.integer = wire_get_i64(reader);
    if (value->type == LIMEN_TYPE_BOOL && (uint64_t)value->as.integer > 1)
        reader->failed = true;
    return !reader->failed;
}

bool wire_get_values(struct wire_reader *reader, struct arena *arena, limen_value **ret_values, uint32_t *ret_count)
{
    uint16_t count = wire_get_u16(reader);
    if (count > LIMIT_STATEMENT_PARAMS)
        reader->failed = true;
    if (reader->failed)
        return false;
    limen_value *values = ARENA_NEW_ARRAY(arena, limen_value, count);
    if (values == NULL)
        return false;
    for (uint16_t i = 0; i < count; i++)
        if (!get_value(reader, arena, &values[i]))
            return false;
    *ret_values = values;
    *ret_count = count;
    return true;
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */
void wire_put_null(struct buf *out)
{
    wire_put_u8(out, 1);
}

void wire_put_column_int(struct buf *out, int64_t value)
{
    wire_put_u8(out, 0);
    wire_put_i64(out, value);
}

void wire_put_column_float(struct buf *out, double value)
{
    wire_put_u8(out, 0);
    wire_put_f64(out, value);
}

void wire_put_column_text(struct buf *out, limen_str value)
{
    wire_put_u8(out, 0);
    wire_put_str(out, value);
}

/* Where a nullable column's value lies in its limen_opt_…; all of them begin with `has`. */
static size_t value_offset(uint8_t type)
{
    _Static_assert(offsetof(limen_opt_str, has) == 0 && offsetof(limen_opt_int, has) == 0
                       && offsetof(limen_opt_float, has) == 0 && offsetof(limen_opt_bool, has) == 0,
                   "the presence flag comes first");
    switch (type) {
    case LIMEN_TYPE_INT:
    case LIMEN_TYPE_TIME:
        return offsetof(limen_opt_int, value);
    case LIMEN_TYPE_FLOAT:
        return offsetof(limen_opt_float, value);
    case LIMEN_TYPE_BOOL:
        return offsetof(limen_opt_bool, value);
    default:
        return offsetof(limen_opt_str, value);
    }
}

/* Reads a column that is not null to `at`. False when malformed or out of memory. */
static bool get_column(struct wire_reader *reader, uint8_t type, struct arena *arena, char *at)
{
    if (type_is_text(type)) {
        limen_str slice = wire_get_str(reader);
        if (reader->failed)
            return false;
        limen_str copy = arena_copy(arena, slice);
        memcpy(at, &copy, sizeof(copy));
        return copy.ptr != NULL;
    }
    if (type == LIMEN_TYPE_FLOAT) {
        double number = wire_get_f64(reader);
        memcpy(at, &number, sizeof(number));
    } else {
        int64_t integer = wire_get_i64(reader);
        if (type != LIMEN_TYPE_BOOL) {
            memcpy(at, &integer, sizeof(integer));
        } else {
            bool boolean = integer == 1;
            reader->failed |= (uint64_t)integer > 1;
            memcpy(at, &boolean, sizeof(boolean));
        }
    }
    return !reader->failed;
}

bool wire_get_row(struct wire_reader *reader, const limen_row_shape *shape, struct arena *arena, void *ret_row)
{
    memset(ret_row, 0, shape->bytes);
    for (uint32_t i = 0; i < shape->count; i++) {
        const limen_column *column = &shape->columns[i];
        char *at = (char *)ret_row + column->offset;
        uint8_t is_null = wire_get_u8(reader);
        if (is_null > 1 || (is_null == 1 && !column->is_nullable))
            reader->failed = true;
        if (reader->failed)
            return false;
        if (is_null == 1)
            continue;
        if (column->is_nullable) {
            const bool has = true;
            memcpy(at, &has, sizeof(has));
            at += value_offset(column->type);
        }
        if (!get_column(reader, column->type, arena, at))
            return false;
    }
    return true;
}
