/* base.h - the few words that every part of Limen shares: attributes and the string. */
#ifndef LIMEN_BASE_H
#define LIMEN_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The caller must look at the result. */
#define LIMEN_MUST_CHECK __attribute__((warn_unused_result))
#define LIMEN_PRINTF(format_at, args_at) __attribute__((format(printf, format_at, args_at)))
#define LIMEN_NORETURN __attribute__((noreturn))
#define LIMEN_UNUSED __attribute__((unused))

/* A string: a slice of bytes that somebody else owns, not NUL-terminated.
 * Invariant: `ptr` may be NULL only when `len` is 0. */
typedef struct limen_str {
    const char *ptr;
    size_t len;
} limen_str;

/* A slice of a string literal. */
#define LIMEN_STR(literal) ((limen_str){ "" literal, sizeof(literal) - 1 })
/* The same, for initialisers of static tables. */
#define LIMEN_STR_INIT(literal)         \
    {                                   \
        "" literal, sizeof(literal) - 1 \
    }
/* For printf's "%.*s". */
#define LIMEN_STR_ARG(s) ((int)(s).len), ((s).ptr)

/* A time is int64 microseconds since 1970-01-01T00:00:00Z. */
typedef int64_t limen_time;

#endif
