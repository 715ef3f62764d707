/* schema_quick.h - what a schema asks for, where that is little: an integer in a range, a string of a length and a plain pattern, one
 * of a list of strings, or an object or array of further schemas.
 *
 * Most values are good and most schemas are of these kinds, so a walk that collects no faults takes this way first. */
#ifndef CONTRACT_SCHEMA_QUICK_H
#define CONTRACT_SCHEMA_QUICK_H

#include "contract/json.h"
#include "contract/name_table.h"
#include "contract/pattern_plain.h"

enum quick_kind { QUICK_NONE, QUICK_INTEGER, QUICK_STRING, QUICK_ENUM, QUICK_ARRAY, QUICK_OBJECT };

struct quick {
    enum quick_kind kind;
    int64_t least, most;                 /* of an integer; of a string's bytes */
    const struct plain_pattern *pattern; /* of a string; may be NULL */
    const struct name_table *strings;    /* of an enum */
};

struct schema;

/* The quick test of a schema whose keywords have all been read. */
struct quick quick_of(const struct schema *schema);

/* True: the value, which is no array and no object, satisfies the schema. False: it may or may not. */
static inline bool quick_accepts(const struct quick *quick, const struct json_value *value)
{
    switch (quick->kind) {
    case QUICK_INTEGER:
        return value->type == JSON_INT && value->as.integer >= quick->least && value->as.integer <= quick->most;
    case QUICK_STRING:
        return value->type == JSON_STRING && value->length >= quick->least && value->length <= quick->most
            && (quick->pattern == NULL || plain_matches(quick->pattern, value->as.text, value->length));
    case QUICK_ENUM:
        return value->type == JSON_STRING && name_find(quick->strings, value->as.text, value->length) != NAME_NONE;
    default:
        return false;
    }
}

#endif
