/* uri.h - references to URIs, made absolute as RFC 3986 section 5.2 has it. */
#ifndef CONTRACT_URI_H
#define CONTRACT_URI_H

#include "limen/base.h"

struct arena;

/* Resolves `reference` against `base`, which is absolute (or empty: then `reference` should be). The result has no fragment;
 * the reference's own is written to `ret_fragment`, still percent-encoded, and is empty when there is none. Nothing is
 * normalised but dot segments. False when memory is out. */
bool uri_resolve(limen_str base, limen_str reference, struct arena *arena, limen_str *ret_uri,
                 limen_str *ret_fragment) LIMEN_MUST_CHECK;
/* "%25" and the like, decoded. False: malformed, or memory is out. */
bool uri_decode(limen_str text, struct arena *arena, limen_str *ret_text) LIMEN_MUST_CHECK;

#endif
