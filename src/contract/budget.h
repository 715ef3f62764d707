/* budget.h - what an operation can cost at the worst: bytes in, memory, rows out, bytes out.
 *
 * A contract bounds every value, so the largest one can be computed: how long its text is, how many values a tape must hold,
 * how large the struct is that it becomes. A schema inside itself has no such bound; the bytes of the body then are it. */
#ifndef CONTRACT_BUDGET_H
#define CONTRACT_BUDGET_H

#include "contract/schema.h"

struct arena;
struct operation;

/* More than anything: there is no bound. All sums end here instead of wrapping round. */
#define BUDGET_UNBOUNDED SIZE_MAX

/* The largest value that a schema admits. */
struct schema_cost {
    size_t text_bytes;   /* as JSON without white space, numbers at their shortest, strings escaped at their longest */
    size_t values;       /* on the tape: values and names of members */
    size_t rows;         /* items of all its arrays */
    size_t struct_bytes; /* as a C value with all that it points to; text stays where it is */
    size_t inline_bytes; /* of that: the value itself, as it lies in a struct or an array */
    size_t item_bytes;   /* the largest item of its arrays, itself */
};

/* A client may escape every character (12 bytes for a code point past U+FFFF); replies are written by us, who escape what RFC 8259 asks
 * for (6 bytes for a control character). Members that are refused in this use do not count. `arena` is for the walk alone. */
struct schema_cost budget_schema(const struct schema *schema, enum schema_use use, struct arena *arena);

/* Of one call of an operation, at its worst. */
struct budget {
    size_t schema_bytes; /* the largest valid body; BUDGET_UNBOUNDED when its schema is inside itself */
    uint32_t
        most_values; /* on the tape of a body: those of a valid one, and some more, so that faults are told by name */
    size_t in_bytes; /* of memory: a body, its tape and its struct */
    size_t out_rows;
    size_t out_bytes;    /* the largest body of a reply */
    size_t memory_bytes; /* of all of the call but its stack */
};

/* The ceiling of a body where the contract names none: twice the largest valid body, for white space. */
size_t budget_body_ceiling(size_t schema_bytes);
/* Reads the operation's schemas and its body_ceiling. */
struct budget budget_operation(const struct operation *operation, struct arena *arena);

#endif
