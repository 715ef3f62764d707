/* hash.h - SipHash-2-4 and an open-addressing map from strings.
 *
 * Clients choose many of our keys, so every table is keyed with 128 random bits of its own process. */
#ifndef CORE_HASH_H
#define CORE_HASH_H

#include "limen/base.h"

struct hash_key {
    uint64_t k0, k1;
};

/* Fills the key from getrandom(2). Aborts when the kernel has none: nothing safe can follow. */
void hash_key_random(struct hash_key *ret_key);
/* SipHash-2-4 (Aumasson and Bernstein, 2012). */
uint64_t hash_bytes(const struct hash_key *key, const void *bytes, size_t count);
/* Its form with 128 bits, for what must not be found by its hash alone unless it is the same. */
struct hash_wide {
    uint64_t first, second;
};
struct hash_wide hash_bytes_wide(const struct hash_key *key, const void *bytes, size_t count);

/* A map from string to pointer, built at start and read afterwards; linear probing, at most 3/4 full. The keys are
 * slices that must outlive the map. */
struct map_entry {
    limen_str key;
    uint64_t hash;
    void *value; /* never NULL in a used entry */
};
struct map {
    struct hash_key key;
    struct map_entry *entries; /* malloc: the map owns it */
    size_t capacity;           /* a power of two, or 0 */
    size_t count;
};

void map_init(struct map *map);
void map_release(struct map *map);
/* False when memory is out or `value` is NULL. An equal key is replaced; `ret_old` (may be NULL) gets its value or NULL. */
bool map_put(struct map *map, limen_str key, void *value, void **ret_old) LIMEN_MUST_CHECK;
/* The value, or NULL. */
void *map_get(const struct map *map, limen_str key);

#endif
