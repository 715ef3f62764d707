/* hash.c - SipHash-2-4 and an open-addressing map from strings. */
#include "core/hash.h"

#include "core/log.h"
#include "core/str.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#define FIRST_CAPACITY 16U

void hash_key_random(struct hash_key *ret_key)
{
    struct hash_key key;
    ssize_t got;
    do
        got = getrandom(&key, sizeof key, 0); /* up to 256 bytes come whole */
    while (got < 0 && errno == EINTR);
    if (got != (ssize_t)sizeof key)
        BUG("getrandom has no random bytes");
    *ret_key = key;
}

/* ---- SipHash ---------------------------------------------------------------------------------------------------- */

struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate(uint64_t word, unsigned by)
{
    return word << by | word >> (64 - by);
}

static inline void sip_round(struct sip *sip)
{
    sip->v0 += sip->v1;
    sip->v1 = rotate(sip->v1, 13) ^ sip->v0;
    sip->v0 = rotate(sip->v0, 32);
    sip->v2 += sip->v3;
    sip->v3 = rotate(sip->v3, 16) ^ sip->v2;
    sip->v0 += sip->v3;
    sip->v3 = rotate(sip->v3, 21) ^ sip->v0;
    sip->v2 += sip->v1;
    sip->v1 = rotate(sip->v1, 17) ^ sip->v2;
    sip->v2 = rotate(sip->v2, 32);
}

static inline void sip_word(struct sip *sip, uint64_t word)
{
    sip->v3 ^= word;
    sip_round(sip);
    sip_round(sip);
    sip->v0 ^= word;
}

static inline struct sip sip_begin(const struct hash_key *key)
{
    return (struct sip){ key->k0 ^ UINT64_C(0x736f6d6570736575), key->k1 ^ UINT64_C(0x646f72616e646f6d),
                         key->k0 ^ UINT64_C(0x6c7967656e657261), key->k1 ^ UINT64_C(0x7465646279746573) };
}

static inline void sip_add(struct sip *sip, const void *bytes, size_t count)
{
    const uint8_t *next = bytes;
    size_t left = count;
    for (; left >= 8; left -= 8, next += 8) {
        uint64_t word;
        memcpy(&word, next, sizeof word);
        sip_word(sip, le64toh(word));
    }
    uint64_t last = (uint64_t)count << 56; /* the length's low byte on top of the last bytes */
    for (size_t i = 0; i < left; i++)
        last |= (uint64_t)next[i] << (8 * i);
    sip_word(sip, last);
}

static inline uint64_t sip_end(struct sip *sip)
{
    for (int i = 0; i < 4; i++)
        sip_round(sip);
    return sip->v0 ^ sip->v1 ^ sip->v2 ^ sip->v3;
}

uint64_t hash_bytes(const struct hash_key *key, const void *bytes, size_t count)
{
    struct sip sip = sip_begin(key);
    sip_add(&sip, bytes, count);
    sip.v2 ^= 0xff;
    return sip_end(&sip);
}

struct hash_wide hash_bytes_wide(const struct hash_key *key, const void *bytes, size_t count)
{
    struct sip sip = sip_begin(key);
    struct hash_wide hash;
    sip.v1 ^= 0xee;
    sip_add(&sip, bytes, count);
    sip.v2 ^= 0xee;
    hash.first = sip_end(&sip);
    sip.v1 ^= 0xdd;
    hash.second = sip_end(&sip);
    return hash;
}

/* ---- map -------------------------------------------------------------------------------------------------------- */

void map_init(struct map *map)
{
    *map = (struct map){ .capacity = 0 };
    hash_key_random(&map->key);
}

void map_release(struct map *map)
{
    free(map->entries);
    *map = (struct map){ .key = map->key };
}

/* The entry of the key, or the free one where it belongs. Needs a free entry. */
static struct map_entry *find_entry(struct map_entry *entries, size_t capacity, limen_str key, uint64_t hash)
{
    size_t at = (size_t)hash & (capacity - 1);
    while (entries[at].value != NULL && !(entries[at].hash == hash && str_equal(entries[at].key, key)))
        at = (at + 1) & (capacity - 1);
    return &entries[at];
}

static bool map_grow(struct map *map)
{
    size_t capacity = FIRST_CAPACITY;
    if (map->capacity != 0 && __builtin_mul_overflow(map->capacity, (size_t)2, &capacity))
        return false;
    struct map_entry *entries = calloc(capacity, sizeof *entries);
    if (entries == NULL)
        return false;
    for (size_t i = 0; i < map->capacity; i++) {
        const struct map_entry *old = &map->entries[i];
        if (old->value != NULL)
            *find_entry(entries, capacity, old->key, old->hash) = *old;
    }
    free(map->entries);
    map->entries = entries;
    map->capacity = capacity;
    return true;
}

bool map_put(struct map *map, limen_str key, void *value, void **ret_old)
{
    if (value == NULL)
        return false;
    if (map->count >= map->capacity / 4 * 3 && !map_grow(map))
        return false;
    uint64_t hash = hash_bytes(&map->key, key.ptr, key.len);
    struct map_entry *entry = find_entry(map->entries, map->capacity, key, hash);
    if (ret_old != NULL)
        *ret_old = entry->value;
    if (entry->value == NULL)
        map->count++;
    *entry = (struct map_entry){ .key = key, .hash = hash, .value = value };
    return true;
}

void *map_get(const struct map *map, limen_str key)
{
    if (map->count == 0)
        return NULL;
    return find_entry(map->entries, map->capacity, key, hash_bytes(&map->key, key.ptr, key.len))->value;
}
