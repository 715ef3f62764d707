/* pg_value.c - values in PostgreSQL's binary form: numbers in network order, texts and bytes as they are, arrays with a head. */
#include "data/pg_pool.h"
#include "data/wire.h"

#include <endian.h>
#include <string.h>

/* ---- parameters ----------------------------------------------------------------------------------------------------------- */

static void put(struct pg_values *values, const char *bytes, size_t count)
{
    values->bytes[values->count] = bytes;
    values->lengths[values->count] = (int)count; /* below LIMIT_FRAME_BYTES */
    values->count++;
}

void pg_put_text(struct pg_values *values, limen_str text)
{
    put(values, text.len == 0 ? "" : text.ptr, text.len);
}

void pg_put_bytes(struct pg_values *values, const void *bytes, size_t count)
{
    put(values, count == 0 ? "" : bytes, count);
}

void pg_put_int(struct pg_values *values, int64_t value)
{
    int64_t *wide = &values->wide[values->count];
    *wide = (int64_t)htobe64((uint64_t)value);
    put(values, (const char *)wide, sizeof *wide);
}

void pg_put_null(struct pg_values *values)
{
    put(values, NULL, 0);
}

static void put_float(struct pg_values *values, double number)
{
    int64_t bits;
    memcpy(&bits, &number, sizeof bits);
    pg_put_int(values, bits);
}

static void add_u32(struct buf *out, uint32_t value)
{
    uint32_t wide = htobe32(value);
    buf_add(out, str_make((const char *)&wide, sizeof wide));
}

/* Dimensions, whether there are NULLs, the type; then size and first index of the one dimension. An empty array has none. */
void pg_put_array_head(struct buf *out, enum pg_type element, size_t count)
{
    add_u32(out, count > 0);
    add_u32(out, 0);
    add_u32(out, element);
    if (count == 0)
        return;
    add_u32(out, (uint32_t)count);
    add_u32(out, 1);
}

void pg_put_array_bytes(struct buf *out, limen_str bytes)
{
    add_u32(out, (uint32_t)bytes.len);
    buf_add(out, bytes);
}

void pg_put_array_int(struct buf *out, int64_t value)
{
    uint64_t wide = htobe64((uint64_t)value);
    pg_put_array_bytes(out, str_make((const char *)&wide, sizeof wide));
}

static bool put_list(struct pg_values *values, const limen_value *value, struct arena *arena)
{
    struct buf out;
    bool is_text = value->type == LIMEN_TYPE_TEXT;
    buf_init(&out, arena, 20 + value->count * 12);
    pg_put_array_head(&out, is_text ? PG_TEXT : PG_INT8, value->count);
    for (size_t i = 0; i < value->count; i++) {
        if (is_text)
            pg_put_array_bytes(&out, value->as.texts[i]);
        else
            pg_put_array_int(&out, value->as.integers[i]);
    }
    if (out.failed)
        return false;
    put(values, out.ptr, out.len);
    return true;
}

static bool put_param(struct pg_values *values, const limen_value *value, struct arena *arena)
{
    if (value->is_list)
        return put_list(values, value, arena);
    if (value->is_null) {
        pg_put_null(values);
        return true;
    }
    switch (value->type) {
    case LIMEN_TYPE_TEXT:
    case LIMEN_TYPE_JSON:
    case LIMEN_TYPE_BYTES:
        pg_put_text(values, value->as.text);
        return true;
    case LIMEN_TYPE_FLOAT:
        put_float(values, value->as.number);
        return true;
    default:
        pg_put_int(values, value->as.integer);
        return true;
    }
}

static void put_caller(struct pg_values *values, limen_str caller)
{
    if (caller.ptr == NULL)
        pg_put_null(values);
    else
        pg_put_text(values, caller);
}

bool pg_put_params(struct pg_values *values, const struct pg_sql *sql, const limen_value *params, limen_str caller,
                   limen_time now, const struct pg_effect *effect, struct arena *arena)
{
    for (uint32_t i = 0; i < sql->slot_count; i++) {
        const struct pg_slot *slot = &sql->slots[i];
        switch (slot->source) {
        case PG_SLOT_PARAM:
            if (!put_param(values, &params[slot->param], arena))
                return false;
            break;
        case PG_SLOT_CALLER:
            put_caller(values, caller);
            break;
        case PG_SLOT_NOW:
            pg_put_int(values, now);
            break;
        case PG_SLOT_EFFECT_ID:
            pg_put_text(values, effect->id);
            break;
        case PG_SLOT_EFFECT_KEY:
            pg_put_text(values, effect->key);
            break;
        case PG_SLOT_EFFECT_PARAMS:
            pg_put_text(values, effect->params);
            break;
        case PG_SLOT_EFFECT_PRINCIPAL:
            pg_put_text(values, effect->principal);
            break;
        }
    }
    return true;
}

/* ---- results -------------------------------------------------------------------------------------------------------------- */

limen_str pg_get_text(const PGresult *result, int row, int column)
{
    return str_make(PQgetvalue(result, row, column), (size_t)PQgetlength(result, row, column));
}

/* int2, int4, int8 or bool, by its width: false for anything else. */
static bool read_int(const PGresult *result, int row, int column, int64_t *ret_value)
{
    const char *bytes = PQgetvalue(result, row, column);
    uint64_t wide;
    uint32_t middle;
    uint16_t narrow;
    switch (PQftype(result, column)) {
    case PG_INT8:
        memcpy(&wide, bytes, sizeof wide);
        *ret_value = (int64_t)be64toh(wide);
        return true;
    case PG_INT4:
        memcpy(&middle, bytes, sizeof middle);
        *ret_value = (int32_t)be32toh(middle);
        return true;
    case PG_INT2:
        memcpy(&narrow, bytes, sizeof narrow);
        *ret_value = (int16_t)be16toh(narrow);
        return true;
    case PG_BOOL:
        *ret_value = bytes[0] != 0;
        return true;
    default:
        return false;
    }
}

int64_t pg_get_int(const PGresult *result, int row, int column)
{
    int64_t value = 0;
    return read_int(result, row, column, &value) ? value : 0;
}

static bool read_float(const PGresult *result, int row, int column, double *ret_value)
{
    const char *bytes = PQgetvalue(result, row, column);
    int64_t whole;
    if (PQftype(result, column) == PG_FLOAT8) {
        uint64_t wide;
        memcpy(&wide, bytes, sizeof wide);
        wide = be64toh(wide);
        memcpy(ret_value, &wide, sizeof wide);
        return true;
    }
    if (PQftype(result, column) == PG_FLOAT4) {
        uint32_t wide;
        float narrow;
        memcpy(&wide, bytes, sizeof wide);
        wide = be32toh(wide);
        memcpy(&narrow, &wide, sizeof narrow);
        *ret_value = (double)narrow;
        return true;
    }
    bool is_whole = read_int(result, row, column, &whole);
    *ret_value = is_whole ? (double)whole : 0;
    return is_whole;
}

static bool put_column(const struct statement_column *column, const PGresult *result, int row, int at, struct buf *out)
{
    Oid type = PQftype(result, at);
    int64_t integer;
    double number;
    if (PQgetisnull(result, row, at) != 0) {
        wire_put_null(out);
        return column->is_nullable;
    }
    switch (column->type) {
    case LIMEN_TYPE_TEXT:
    case LIMEN_TYPE_JSON:
        wire_put_column_text(out, pg_get_text(result, row, at));
        return type == PG_TEXT;
    case LIMEN_TYPE_BYTES:
        wire_put_column_text(out, pg_get_text(result, row, at));
        return type == PG_BYTEA;
    case LIMEN_TYPE_FLOAT:
        if (!read_float(result, row, at, &number))
            return false;
        wire_put_column_float(out, number);
        return true;
    default:
        if (!read_int(result, row, at, &integer))
            return false;
        wire_put_column_int(out, column->type == LIMEN_TYPE_BOOL ? integer != 0 : integer);
        return true;
    }
}

bool pg_put_row(const struct statement *statement, const PGresult *result, int row, struct buf *out)
{
    if (PQnfields(result) != (int)statement->column_count)
        return false;
    for (uint32_t i = 0; i < statement->column_count; i++) {
        if (!put_column(&statement->columns[i], result, row, (int)i, out))
            return false;
    }
    return true;
}
