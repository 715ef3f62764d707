/* arena.h - memory that is given back all at once.
 *
 * A call allocates by moving a pointer and frees by forgetting. Blocks come from a pool that belongs to one thread and
 * keeps a bounded number for reuse, so that a warm worker never asks malloc. Under AddressSanitizer the pool never
 * recycles and unused parts are poisoned. */
#ifndef CORE_ARENA_H
#define CORE_ARENA_H

#include "limen/base.h"

#include <stdarg.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_IS_POISONED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_IS_POISONED 1
#endif
#endif
#ifndef ARENA_IS_POISONED
#define ARENA_IS_POISONED 0
#endif

struct arena_pool;
struct arena_block;
struct memory;

/* Makes a pool that keeps at most `max_blocks` free blocks. NULL when memory is out. Owner: the caller. */
struct arena_pool *arena_pool_new(size_t max_blocks);
/* Frees the pool and its free blocks; accepts NULL. Every arena of the pool must have been released. */
void arena_pool_free(struct arena_pool *pool);

/* Invariant: `next <= end`, both multiples of 16 and inside one of `blocks`, or both NULL. */
struct arena {
    struct arena_pool *pool; /* NULL: blocks come from malloc (start-up code) */
    struct arena_block *blocks;
    char *next, *end;
    size_t total_bytes;    /* of all blocks */
    size_t ceiling_bytes;  /* of whole blocks (LIMIT_ARENA_BLOCK_BYTES); past it arena_alloc answers NULL */
    struct memory *memory; /* what the blocks are counted against; NULL: nothing */
    size_t reserved_bytes; /* taken from `memory`; at least total_bytes */
};

void arena_init(struct arena *arena, struct arena_pool *pool, size_t ceiling_bytes);
/* Counts the blocks against `memory`: one that does not fit is not given. Before the first allocation. */
void arena_count(struct arena *arena, struct memory *memory);
/* Takes `bytes` more of the arena's memory now, so that later blocks will fit. False: they do not fit. */
bool arena_reserve(struct arena *arena, size_t bytes) LIMEN_MUST_CHECK;
/* Gives all memory back. The arena may be used again. */
void arena_release(struct arena *arena);

/* What arena_alloc does when the present block is too small, and always under AddressSanitizer. */
void *arena_alloc_slowly(struct arena *arena, size_t bytes) LIMEN_MUST_CHECK;

/* `bytes` of memory, aligned to 16; not zeroed. NULL past the ceiling or when memory is out. 0 bytes give a valid pointer. */
LIMEN_MUST_CHECK
static inline void *arena_alloc(struct arena *arena, size_t bytes)
{
    size_t left = (size_t)(arena->end - arena->next);
    if (ARENA_IS_POISONED || bytes - 1 >= left) /* 0 wraps round and goes the slow way */
        return arena_alloc_slowly(arena, bytes);
    void *piece = arena->next;
    arena->next += (bytes + 15) & ~(size_t)15; /* `left` is a multiple of 16, so this fits */
    return piece;
}
/* Makes the newest piece longer where it stands. False, and nothing changes, when it is not the newest or room is short. */
bool arena_extend(struct arena *arena, const void *piece, size_t old_bytes, size_t new_bytes) LIMEN_MUST_CHECK;
/* Makes a piece longer, where it stands or elsewhere; a large one leaves nothing behind when it moves. NULL past the ceiling or when
 * memory is out; the old piece is then as it was. `piece` NULL: a new one. */
void *arena_grow(struct arena *arena, void *piece, size_t old_bytes, size_t new_bytes) LIMEN_MUST_CHECK;
/* As arena_alloc for `count` items of `bytes` each, zeroed; NULL on overflow. */
void *arena_zalloc(struct arena *arena, size_t count, size_t bytes) LIMEN_MUST_CHECK;
/* A copy that lives in the arena, followed by a NUL that is not counted. ptr is NULL (and len 0) when memory is out. */
limen_str arena_copy(struct arena *arena, limen_str s) LIMEN_MUST_CHECK;
/* As printf; the text is followed by a NUL. ptr is NULL when memory is out. */
limen_str arena_printf(struct arena *arena, const char *format, ...) LIMEN_PRINTF(2, 3);
limen_str arena_vprintf(struct arena *arena, const char *format, va_list args) LIMEN_PRINTF(2, 0);

/* arena_alloc for a type: ARENA_NEW(arena, struct thing) is zeroed. */
#define ARENA_NEW(arena, type) ((type *)arena_zalloc((arena), 1, sizeof(type)))
#define ARENA_NEW_ARRAY(arena, type, count) ((type *)arena_zalloc((arena), (count), sizeof(type)))

#endif
