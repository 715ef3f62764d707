/* percent.h - percent-encoding (RFC 3986 2.1) and query strings. */
#ifndef BOUNDARY_PERCENT_H
#define BOUNDARY_PERCENT_H

#include "limen/base.h"

/* Decodes `raw` into `memory`. False when a '%' is not followed by two hex digits, when it does not fit, or when the result is not UTF-8 or
 * has a NUL: no parameter of ours may carry either. */
bool percent_decode(limen_str raw, char *memory, size_t bytes, limen_str *ret_text) LIMEN_MUST_CHECK;
/* The same for a name or value of a query string, where '+' is a space (the form that browsers' URLSearchParams writes). */
bool percent_decode_form(limen_str raw, char *memory, size_t bytes, limen_str *ret_text) LIMEN_MUST_CHECK;

#endif
