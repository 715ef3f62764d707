/* lookup.h - the addresses of a host's name, found beside the loop.
 *
 * The C library's resolver waits for name servers, for half a minute when they are silent. So each lookup has a thread, which ends by itself.
 * Its owner looks now and then whether it is over, or leaves it alone. */
#ifndef CORE_LOOKUP_H
#define CORE_LOOKUP_H

#include "core/sandbox.h"

struct lookup;

/* True of a name that is to be looked up; false of an address in digits, of a path and of nothing. */
bool lookup_is_name(const char *host);
/* Begins; `name` is copied. NULL when memory or the kernel refuses. */
struct lookup *lookup_start(const char *name);
/* What follows may be asked once this is true. */
bool lookup_is_over(const struct lookup *lookup);
/* By clock_mono_us(). */
int64_t lookup_over_at_us(const struct lookup *lookup);
/* NULL, or why there is no address. */
const char *lookup_fault(const struct lookup *lookup);
/* How many addresses were found, in the order in which they are to be tried (RFC 6724); of them LIMIT_LOOKUP_ADDRESSES at the most. */
uint32_t lookup_count(const struct lookup *lookup);
/* One of them in digits. Lives as long as the lookup. */
const char *lookup_address(const struct lookup *lookup, uint32_t at);
/* Also before it is over. Accepts NULL. */
void lookup_free(struct lookup *lookup);

/* What the C library's resolver needs of the kernel, beside thread_syscalls and openat(2): how files may be opened is the store's to say. */
extern const struct syscall_list lookup_syscalls;
/* Files that it reads, each time anew. */
#define LOOKUP_PATHS 5U
extern const struct sandbox_path lookup_paths[LOOKUP_PATHS];
#define LOOKUP_PORT 53U /* of name servers; over TCP, when an answer is too long for a datagram */

#endif
