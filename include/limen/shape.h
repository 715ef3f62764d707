/* shape.h - how a C struct mirrors a schema: written by `limen gen`, read by the library.
 *
 * Generated code holds these tables and nothing clever; binding a request and encoding a reply walk them. */
#ifndef LIMEN_SHAPE_H
#define LIMEN_SHAPE_H

#include "limen/base.h"

enum limen_kind {
    LIMEN_BOOL,   /* bool */
    LIMEN_INT,    /* int64_t */
    LIMEN_FLOAT,  /* double */
    LIMEN_STRING, /* limen_str */
    LIMEN_TIME,   /* limen_time; `format: date-time` */
    LIMEN_ENUM,   /* a C enum (int); `enum` of strings: value i+1 is names[i], 0 is "not set" */
    LIMEN_OBJECT, /* a struct, inline */
    LIMEN_ARRAY,  /* struct { T *items; size_t count; } */
    LIMEN_UNION, /* struct { int kind; union { … } as; }; `oneOf` with a discriminator; fields are the alternatives */
    LIMEN_JSON   /* limen_str: a checked slice of JSON text, for what has no C shape */
};

struct limen_shape;

/* One member of a struct, or one alternative of a union. */
struct limen_field {
    limen_str name;                /* as in the schema */
    uint8_t kind;                  /* enum limen_kind */
    bool is_optional;              /* `presence_at` holds a bool: the member is there */
    bool is_nullable;              /* `null_at` holds a bool: it is null */
    bool is_write_only;            /* it never leaves, whatever the struct holds */
    uint32_t offset;               /* of the value in its struct */
    uint32_t presence_at, null_at; /* offsets of bools in the same struct */
    const struct limen_shape
        *shape; /* OBJECT, UNION: of the value; ARRAY: of one item, a shape with one field at offset 0 named "" */
    const limen_str *names; /* ENUM */
    uint32_t name_count;
};

struct limen_shape {
    const char *name; /* of the C struct */
    uint32_t bytes;   /* sizeof */
    uint32_t count;
    const struct limen_field *fields; /* in the order of the schema */
    limen_str discriminator;          /* UNION: the member that tells which alternative */
    bool is_open;                     /* members that are no fields are passed over */
    bool holds_json; /* a JSON field, here or inside: a reply of this shape is held against its schema */
};

#endif
