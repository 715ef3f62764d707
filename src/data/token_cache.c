/* token_cache.c - a table with open addressing over a short window; marks lie apart, so that a search reads two cache lines. */
#include "data/token_cache.h"

#include <stdlib.h>
#include <string.h>

#define WINDOW 16U

struct token_cache {
    struct hash_key key;
    uint32_t mask; /* places - 1 */
    int64_t grace_us;
    bool may_evict;
    uint64_t *marks; /* the first half of each mark; 0: never used */
    struct token_entry *entries;
};

struct token_cache *token_cache_new(uint32_t places, int64_t grace_us, bool may_evict)
{
    struct token_cache *cache = calloc(1, sizeof(*cache));
    if (cache == NULL)
        return NULL;
    cache->marks = calloc(places, sizeof(*cache->marks));
    cache->entries = calloc(places, sizeof(*cache->entries)); /* pages that nobody touches cost nothing */
    if (cache->marks == NULL || cache->entries == NULL) {
        token_cache_free(cache);
        return NULL;
    }
    hash_key_random(&cache->key);
    cache->mask = places - 1;
    cache->grace_us = grace_us;
    cache->may_evict = may_evict;
    return cache;
}

void token_cache_free(struct token_cache *cache)
{
    if (cache == NULL)
        return;
    free(cache->marks);
    free(cache->entries);
    free(cache);
}

void token_cache_clear(struct token_cache *cache)
{
    memset(cache->marks, 0, ((size_t)cache->mask + 1) * sizeof(*cache->marks));
    for (uint32_t i = 0; i <= cache->mask; i++) {
        if (cache->entries[i].expires_us != 0)
            cache->entries[i].expires_us = 0;
    }
}

struct token_mark token_cache_mark(const struct token_cache *cache, limen_str token)
{
    const struct hash_wide hash = hash_bytes_wide(&cache->key, token.ptr, token.len);
    return (struct token_mark){ hash.first == 0 ? 1 : hash.first, hash.second };
}

const struct token_entry *token_cache_find(const struct token_cache *cache, uint32_t scheme, struct token_mark mark,
                                           int64_t now_us)
{
    for (uint32_t i = 0; i < WINDOW; i++) {
        uint32_t at = (uint32_t)(mark.second + i) & cache->mask;
        const struct token_entry *entry = &cache->entries[at];
        if (cache->marks[at] == mark.first && entry->mark.second == mark.second && entry->scheme == scheme
            && now_us < entry->expires_us)
            return entry;
    }
    return NULL;
}

/* The place in the window that expires first: one never used before all others. */
static uint32_t first_to_expire(const struct token_cache *cache, struct token_mark mark)
{
    uint32_t best = (uint32_t)mark.second & cache->mask;
    for (uint32_t i = 1; i < WINDOW; i++) {
        uint32_t at = (uint32_t)(mark.second + i) & cache->mask;
        if (cache->entries[at].expires_us < cache->entries[best].expires_us)
            best = at;
    }
    return best;
}

struct token_entry *token_cache_add(struct token_cache *cache, uint32_t scheme, struct token_mark mark, int64_t now_us,
                                    int64_t expires_us)
{
    uint32_t at = first_to_expire(cache, mark);
    struct token_entry *entry = &cache->entries[at];
    bool is_held = entry->expires_us != 0 && now_us < entry->expires_us + cache->grace_us;
    if (is_held && !cache->may_evict)
        return NULL;
    cache->marks[at] = mark.first;
    *entry = (struct token_entry){
        .mark = mark,
        .scheme = scheme,
        .expires_us = expires_us,
        .handle = { at, entry->handle.tenant + 1 },
    };
    return entry;
}

const struct token_entry *token_cache_at(const struct token_cache *cache, struct token_handle handle, int64_t now_us)
{
    if (handle.place > cache->mask)
        return NULL;
    const struct token_entry *entry = &cache->entries[handle.place];
    bool is_held = entry->expires_us != 0 && now_us < entry->expires_us + cache->grace_us;
    return is_held && entry->handle.tenant == handle.tenant ? entry : NULL;
}
