/* token_cache.h - tokens that were verified, by a keyed hash of their text, until they expire.
 *
 * Used at both ends of the wire. The data role remembers whose a token is, so that its signature is checked once; a worker
 * remembers the handle that the data role gave it, so that a token which it has shown need not be sent again. Neither keeps the
 * token. A handle is good only for the worker that has shown the token (data/role_token.c). */
#ifndef DATA_TOKEN_CACHE_H
#define DATA_TOKEN_CACHE_H

#include "core/hash.h"
#include "data/principal.h"

/* 128 bits that nobody without the process's own random key can aim at. */
struct token_mark {
    uint64_t first, second;
};

/* A place in the data role's cache, and which of its tenants. */
struct token_handle {
    uint32_t place, tenant;
};

struct token_entry {
    struct token_mark mark;
    uint32_t scheme;
    int64_t expires_us; /* monotonic; 0: never used */
    struct token_handle handle;
    struct principal principal;
};

struct token_cache;

/* `places` is a power of two. `grace_us`: how long after its expiry an entry keeps its place. With `may_evict` the entry that expires
 * first gives way to a new one; else a new one finds no place. NULL when memory is out. */
struct token_cache *token_cache_new(uint32_t places, int64_t grace_us, bool may_evict);
void token_cache_free(struct token_cache *cache); /* accepts NULL */
void token_cache_clear(struct token_cache *cache);

struct token_mark token_cache_mark(const struct token_cache *cache, limen_str token);
/* The entry that has not expired, or NULL. */
const struct token_entry *token_cache_find(const struct token_cache *cache, uint32_t scheme, struct token_mark mark,
                                           int64_t now_us);
/* A place for a token that was not found: the entry has mark, scheme, expiry and a handle of its own; the principal is the caller's to
 * fill in. NULL when there is none. */
struct token_entry *token_cache_add(struct token_cache *cache, uint32_t scheme, struct token_mark mark, int64_t now_us,
                                    int64_t expires_us);
/* The entry of a handle, when it is still that tenant's and its grace has not run out; else NULL. */
const struct token_entry *token_cache_at(const struct token_cache *cache, struct token_handle handle, int64_t now_us);

#endif
