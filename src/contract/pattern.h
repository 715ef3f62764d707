/* pattern.h - `pattern` of JSON Schema: regular expressions of ECMA-262 (with its 'u' flag), run by PCRE2 with bounded work.
 *
 * What is not ECMA-262 is refused when the contract is read, so that a pattern means the same here and in a client. */
#ifndef CONTRACT_PATTERN_H
#define CONTRACT_PATTERN_H

#include "limen/base.h"

struct arena;
struct pattern;
/* What all patterns of one process share: limits, the JIT's own stack, memory for matches. Used by one thread at a time. */
struct pattern_engine;

struct pattern_engine *pattern_engine_new(void);         /* NULL when memory is out */
void pattern_engine_free(struct pattern_engine *engine); /* frees the patterns too; accepts NULL */

/* Not anchored, as JSON Schema has it. NULL when `source` is no regular expression: `ret_why` then says so in a clause that lives
 * in the arena. */
struct pattern *pattern_compile(struct pattern_engine *engine, struct arena *arena, limen_str source,
                                limen_str *ret_why);

enum pattern_outcome {
    PATTERN_MATCHES,
    PATTERN_DIFFERS,
    PATTERN_GAVE_UP /* past LIMIT_PATTERN_WORK, what is left of the work, or one of PCRE2's limits */
};
/* `text` must be UTF-8. No text makes it take long: the work of all starts and all ways together is counted. It is taken from `*work_left`,
 * which many matches may share; NULL: this one is alone. */
enum pattern_outcome pattern_match(const struct pattern *pattern, limen_str text, size_t *work_left) LIMEN_MUST_CHECK;
/* The same as a plain one (pattern_plain.h), or NULL when it is none. */
struct plain_pattern;
const struct plain_pattern *pattern_plain(const struct pattern *pattern);
limen_str pattern_source(const struct pattern *pattern);

/* What keeps a text from being a regular expression, in one clause, or NULL. Takes no memory and time by the text's length. Names of
 * properties (\p{…}) are not looked up. */
const char *pattern_fault(limen_str source);

/* Writes the same expression in PCRE2's syntax; NULL on success, else what is wrong in one clause. Where work must be counted, it holds
 * callouts, each of which costs `ret_charge`, and callout 1 as much as the text before it: pattern.c. 0: there are none. */
struct buf;
const char *pattern_translate(limen_str source, struct buf *out, uint32_t *ret_charge);
/* The short name of a general category, which is all that PCRE2 knows; any other name as it is. */
limen_str pattern_category(limen_str name);
#define PATTERN_CALLOUT_CHARGE 16U /* as much as so many characters */

#endif
