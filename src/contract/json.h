/* json.h - JSON text to a tape, strictly.
 *
 * RFC 8259 and nothing else: UTF-8 is checked, duplicate member names are refused as I-JSON asks (RFC 7493 section 2.3), depth and number of values are capped,
 * a lone surrogate escape is refused. The tape is a flat array in document order; every value knows where the next one
 * behind it starts, so that a subtree is skipped in one step. */
#ifndef CONTRACT_JSON_H
#define CONTRACT_JSON_H

#include "limen/base.h"

struct arena;
struct buf;

enum json_type { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_INT, JSON_DOUBLE, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/* A value on the tape. An object is followed by name (JSON_STRING), value, name, value, …; an array by its items. */
struct json_value {
    uint8_t type;      /* enum json_type */
    bool is_integer;   /* JSON_DOUBLE that has no fraction, such as 1.0, 1e3 or 2^70 (JSON Schema: an integer) */
    uint32_t next;     /* index just behind this value and all that it contains */
    uint32_t length;   /* JSON_STRING: bytes; JSON_ARRAY: items; JSON_OBJECT: members */
    uint32_t from, to; /* the value's bytes in the text (a string with its quotes) */
    union {
        int64_t integer;  /* JSON_INT: written without fraction and exponent, and it fits; exact */
        double number;    /* JSON_DOUBLE: correctly rounded */
        const char *text; /* JSON_STRING: unescaped, `length` bytes, in the text itself where nothing was escaped */
    } as;
};

struct json_doc {
    const struct json_value *tape; /* tape[0] is the root */
    uint32_t count;
    limen_str text;
};

enum json_outcome {
    JSON_OK,
    JSON_MALFORMED,
    JSON_TOO_DEEP,
    JSON_TOO_MANY_VALUES,
    JSON_DUPLICATE_NAME, /* otherwise well-formed, within the ceilings, and read to its end */
    JSON_BAD_UTF8,
    JSON_NUMBER_RANGE,
    JSON_NO_MEMORY
};

struct json_error {
    size_t at;        /* byte offset in the text */
    const char *what; /* one clause in English, without what the client sent */
};

/* Parses `text`, which must outlive the tape; tape and unescaped strings are in the arena. A number whose value
 * overflows a double (1e400) is JSON_NUMBER_RANGE. `ret_doc` is written only on JSON_OK, `ret_error` only otherwise. */
enum json_outcome json_parse(limen_str text, struct arena *arena, struct json_doc *ret_doc,
                             struct json_error *ret_error) LIMEN_MUST_CHECK;
/* The same where no more than `most_values` (values and names of members; at most LIMIT_JSON_VALUES) are of interest: a text that has
 * more is JSON_TOO_MANY_VALUES, and the tape needs no room for them. */
enum json_outcome json_parse_within(limen_str text, uint32_t most_values, struct arena *arena, struct json_doc *ret_doc,
                                    struct json_error *ret_error) LIMEN_MUST_CHECK;
/* What json_parse_within takes from the arena for the worst text of so many bytes. */
size_t json_memory_bytes(size_t text_bytes, uint32_t most_values);

static inline limen_str json_text(const struct json_value *value)
{
    return (limen_str){ value->as.text, value->length };
}
/* Index on the tape of the member's value, or 0 (the root is never a member). */
uint32_t json_member(const struct json_doc *doc, uint32_t object, limen_str name);

/* Parses one JSON number alone (for parameters); the tape entry is written to `ret_value`. */
enum json_outcome json_parse_number(limen_str text, struct json_value *ret_value) LIMEN_MUST_CHECK;

/* Writing. Strings are escaped as RFC 8259 section 7 asks, nothing more; `s` must be UTF-8. */
void json_write_string(struct buf *buf, limen_str s);
void json_write_double(struct buf *buf, double number); /* shortest that reads back the same */

#endif
