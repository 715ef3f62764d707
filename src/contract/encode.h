/* encode.h - from a C struct to JSON: declared members only. */
#ifndef CONTRACT_ENCODE_H
#define CONTRACT_ENCODE_H

#include "core/str.h"
#include "limen/shape.h"

/* Appends the struct as a JSON object. False when a value cannot be encoded (an enum out of range, text that is not UTF-8, NaN) or
 * the buffer failed; `ret_why` then names the member. */
bool encode_object(const struct limen_shape *shape, const void *value, struct buf *out,
                   const char **ret_why) LIMEN_MUST_CHECK;

#endif
