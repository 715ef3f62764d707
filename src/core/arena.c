/* arena.c - memory that is given back all at once.
 *
 * Pieces are cut off the front of a 16 KiB block. The pool is a stack of such blocks; whatever is larger belongs to malloc
 * and is freed with its arena. AddressSanitizer sees every piece with a poisoned gap behind it, and no block twice. */
#include "core/arena.h"

#include "core/limits.h"
#include "core/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if ARENA_IS_POISONED
#include <sanitizer/asan_interface.h>
#define POISON(memory, bytes) __asan_poison_memory_region((memory), (bytes))
#define UNPOISON(memory, bytes) __asan_unpoison_memory_region((memory), (bytes))
#else
#define POISON(memory, bytes) ((void)(memory), (void)(bytes))
#define UNPOISON(memory, bytes) ((void)(memory), (void)(bytes))
#endif

#define ALIGNMENT ((size_t)16)
#define GAP_BYTES (ARENA_IS_POISONED ? ALIGNMENT : (size_t)0) /* between two pieces */

/* The head of a block; the memory for pieces follows it. */
struct arena_block {
    struct arena_block *next;
    size_t bytes; /* with this head; LIMIT_ARENA_BLOCK_BYTES in a block of the pool */
} __attribute__((aligned(16)));

#define LARGEST_POOLED_PIECE ((size_t)LIMIT_ARENA_BLOCK_BYTES - sizeof(struct arena_block) - GAP_BYTES)

struct arena_pool {
    struct arena_block *blocks;
    size_t count;
    size_t max_blocks;
};

static char *block_memory(struct arena_block *block)
{
    return (char *)(block + 1);
}
static char *block_end(struct arena_block *block)
{
    return (char *)block + block->bytes;
}

static void block_free(struct arena_block *block)
{
    UNPOISON(block, block->bytes);
    free(block);
}

struct arena_pool *arena_pool_new(size_t max_blocks)
{
    struct arena_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL)
        return NULL;
    pool->max_blocks = ARENA_IS_POISONED ? 0 : max_blocks;
    return pool;
}

void arena_pool_free(struct arena_pool *pool)
{
    if (pool == NULL)
        return;
    while (pool->blocks != NULL) {
        struct arena_block *block = pool->blocks;
        pool->blocks = block->next;
        block_free(block);
    }
    free(pool);
}

void arena_init(struct arena *arena, struct arena_pool *pool, size_t ceiling_bytes)
{
    *arena = (struct arena){ .pool = pool, .ceiling_bytes = ceiling_bytes };
}

void arena_count(struct arena *arena, struct memory *memory)
{
    arena->memory = memory;
}

bool arena_reserve(struct arena *arena, size_t bytes)
{
    if (arena->memory == NULL)
        return true;
    if (!memory_reserve(arena->memory, bytes))
        return false;
    arena->reserved_bytes += bytes;
    return true;
}

void arena_release(struct arena *arena)
{
    struct arena_pool *pool = arena->pool;
    struct arena_block *next;
    for (struct arena_block *block = arena->blocks; block != NULL; block = next) {
        next = block->next;
        if (pool == NULL || pool->count >= pool->max_blocks || block->bytes != LIMIT_ARENA_BLOCK_BYTES) {
            block_free(block);
            continue;
        }
        block->next = pool->blocks;
        pool->blocks = block;
        pool->count++;
    }
    struct memory *memory = arena->memory;
    if (memory != NULL)
        memory_give(memory, arena->reserved_bytes);
    arena_init(arena, pool, arena->ceiling_bytes);
    arena_count(arena, memory);
}

/* May all blocks together be `bytes` longer? Then what was not reserved is taken. */
static bool may_grow(struct arena *arena, size_t bytes)
{
    if (arena->total_bytes > arena->ceiling_bytes || bytes > arena->ceiling_bytes - arena->total_bytes)
        return false;
    size_t wanted = arena->total_bytes + bytes;
    if (arena->memory == NULL || wanted <= arena->reserved_bytes)
        return true;
    if (!memory_take(arena->memory, wanted - arena->reserved_bytes))
        return false;
    arena->reserved_bytes = wanted;
    return true;
}

/* A block of `bytes` in all, not yet linked; NULL past the ceiling or when memory is out. */
static struct arena_block *take_block(struct arena *arena, size_t bytes)
{
    if (!may_grow(arena, bytes))
        return NULL;

    struct arena_pool *pool = arena->pool;
    struct arena_block *block;
    if (bytes == LIMIT_ARENA_BLOCK_BYTES && pool != NULL && pool->blocks != NULL) {
        block = pool->blocks;
        pool->blocks = block->next;
        pool->count--;
    } else {
        block = malloc(bytes);
        if (block == NULL)
            return NULL;
        block->bytes = bytes;
    }
    arena->total_bytes += bytes;
    block->next = arena->blocks;
    arena->blocks = block;
    POISON(block_memory(block), bytes - sizeof *block);
    return block;
}

/* `span` bytes with a block to themselves; the present block stays in use. */
static void *alloc_alone(struct arena *arena, size_t span)
{
    size_t block_bytes;
    if (__builtin_add_overflow(span, sizeof(struct arena_block), &block_bytes))
        return NULL;
    struct arena_block *block = take_block(arena, block_bytes);
    return block == NULL ? NULL : block_memory(block);
}

/* `span` bytes, a multiple of 16, of this block or of another from the pool. */
static void *alloc_span(struct arena *arena, size_t span)
{
    if (span <= (size_t)(arena->end - arena->next)) {
        void *piece = arena->next;
        arena->next += span;
        return piece;
    }
    struct arena_block *block = take_block(arena, LIMIT_ARENA_BLOCK_BYTES);
    if (block == NULL)
        return NULL;
    char *rest = block_memory(block) + span;
    if (block_end(block) - rest > arena->end - arena->next) { /* go on in the block that has more left */
        arena->next = rest;
        arena->end = block_end(block);
    }
    return block_memory(block);
}

void *arena_alloc_slowly(struct arena *arena, size_t bytes)
{
    size_t span;
    if (bytes == 0)
        bytes = 1;
    if (__builtin_add_overflow(bytes, ALIGNMENT - 1 + GAP_BYTES, &span))
        return NULL;
    span &= ~(ALIGNMENT - 1);
    void *piece = bytes > LARGEST_POOLED_PIECE ? alloc_alone(arena, span) : alloc_span(arena, span);
    if (piece != NULL)
        UNPOISON(piece, bytes);
    return piece;
}

bool arena_extend(struct arena *arena, const void *piece, size_t old_bytes, size_t new_bytes)
{
    if (ARENA_IS_POISONED || piece == NULL || old_bytes == 0 || new_bytes < old_bytes)
        return false;
    size_t old_span = (old_bytes + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
    if ((const char *)piece + old_span != arena->next)
        return false;
    size_t left = (size_t)(arena->end - arena->next);
    if (new_bytes > old_span + left)
        return false;
    arena->next += ((new_bytes + ALIGNMENT - 1) & ~(ALIGNMENT - 1)) - old_span;
    return true;
}

/* The link to the block that this piece has to itself, or NULL. */
static struct arena_block **find_alone(struct arena *arena, const void *piece)
{
    struct arena_block **link = &arena->blocks;
    while (*link != NULL && block_memory(*link) != (const char *)piece)
        link = &(*link)->next;
    return *link != NULL && (*link)->bytes != LIMIT_ARENA_BLOCK_BYTES ? link : NULL;
}

/* The block moves as realloc likes it, mostly by moving pages and not bytes. */
static void *grow_alone(struct arena *arena, struct arena_block **link, size_t new_bytes)
{
    size_t block_bytes, old_block_bytes = (*link)->bytes;
    if (__builtin_add_overflow(new_bytes, ALIGNMENT - 1 + GAP_BYTES + sizeof(struct arena_block), &block_bytes))
        return NULL;
    block_bytes &= ~(ALIGNMENT - 1);
    if (block_bytes <= old_block_bytes || !may_grow(arena, block_bytes - old_block_bytes))
        return NULL;
    UNPOISON(*link, old_block_bytes);
    struct arena_block *block = realloc(*link, block_bytes);
    if (block == NULL)
        return NULL;
    arena->total_bytes += block_bytes - old_block_bytes;
    block->bytes = block_bytes;
    *link = block;
    POISON(block_memory(block), block_bytes - sizeof *block);
    UNPOISON(block_memory(block), new_bytes);
    return block_memory(block);
}

void *arena_grow(struct arena *arena, void *piece, size_t old_bytes, size_t new_bytes)
{
    if (arena_extend(arena, piece, old_bytes, new_bytes))
        return piece;
    struct arena_block **link = piece != NULL && old_bytes > LARGEST_POOLED_PIECE ? find_alone(arena, piece) : NULL;
    if (link != NULL)
        return grow_alone(arena, link, new_bytes);
    void *larger = arena_alloc(arena, new_bytes);
    if (larger != NULL && piece != NULL)
        memcpy(larger, piece, old_bytes);
    return larger;
}

void *arena_zalloc(struct arena *arena, size_t count, size_t bytes)
{
    size_t all;
    if (__builtin_mul_overflow(count, bytes, &all))
        return NULL;
    void *piece = arena_alloc(arena, all);
    if (piece != NULL)
        memset(piece, 0, all);
    return piece;
}

limen_str arena_copy(struct arena *arena, limen_str s)
{
    size_t bytes;
    char *copy = __builtin_add_overflow(s.len, 1, &bytes) ? NULL : arena_alloc(arena, bytes);
    if (copy == NULL)
        return (limen_str){ NULL, 0 };
    if (s.len != 0)
        memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    return (limen_str){ copy, s.len };
}

limen_str arena_vprintf(struct arena *arena, const char *format, va_list args)
{
    char first[256]; /* long enough for most, which are then formatted once */
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(first, sizeof first, format, args);
    limen_str text = { NULL, 0 };
    if (len >= 0 && (size_t)len < sizeof first) {
        text = arena_copy(arena, (limen_str){ first, (size_t)len });
    } else if (len >= 0) {
        char *room = arena_alloc(arena, (size_t)len + 1);
        if (room != NULL && vsnprintf(room, (size_t)len + 1, format, again) == len)
            text = (limen_str){ room, (size_t)len };
    }
    va_end(again);
    return text;
}

limen_str arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    limen_str text = arena_vprintf(arena, format, args);
    va_end(args);
    return text;
}
