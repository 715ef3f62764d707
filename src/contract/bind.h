/* bind.h - from a validated tape into a C struct, by offset.
 *
 * The value has passed its schema, so what does not fit the shape is our own error (a generated header older than the contract),
 * not the client's. Strings are slices of the text or of the arena, not copies. */
#ifndef CONTRACT_BIND_H
#define CONTRACT_BIND_H

#include "contract/json.h"
#include "limen/shape.h"

struct arena;

enum bind_outcome { BIND_OK, BIND_SHAPE_DIFFERS, BIND_NO_MEMORY };

/* Fills the struct at `ret_struct`, which is zeroed first; arrays go into the arena. */
enum bind_outcome bind_object(const struct limen_shape *shape, const struct json_doc *doc, uint32_t at,
                              struct arena *arena, void *ret_struct) LIMEN_MUST_CHECK;
/* Fills one field of a struct from one value (parameters). The struct was zeroed by the caller. */
enum bind_outcome bind_field(const struct limen_field *field, const struct json_doc *doc, uint32_t at,
                             struct arena *arena, void *ret_struct) LIMEN_MUST_CHECK;

#endif
