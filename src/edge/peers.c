/* peers.c - how many connections each address has.
 *
 * Open addressing with linear probing; who leaves is closed up behind, so there are no grave markers. Addresses are the
 * clients' choice, so the hash is keyed. An IPv6 client is its /64: whoever has one address there has them all. */
#include "edge/internal.h"

#include "core/str.h"

#include <stdlib.h>

#define FIRST_CAPACITY ((size_t)256)

static void key_of(const struct edge_address *address, uint8_t *ret_key)
{
    static const uint8_t mapped_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
    memcpy(ret_key, address->bytes, 16);
    if (memcmp(ret_key, mapped_prefix, sizeof(mapped_prefix)) != 0)
        memset(ret_key + 8, 0, 8);
}

static size_t home_of(const struct peer_counts *peers, const uint8_t *key)
{
    return (size_t)hash_bytes(&peers->key, key, 16) & (peers->capacity - 1);
}

/* The entry of `key`, or the free one where it would stand. The table is never full. */
static struct peer_count *find(const struct peer_counts *peers, const uint8_t *key)
{
    size_t at = home_of(peers, key);
    while (peers->entries[at].count != 0 && memcmp(peers->entries[at].key, key, 16) != 0)
        at = (at + 1) & (peers->capacity - 1);
    return &peers->entries[at];
}

static bool grow(struct peer_counts *peers)
{
    struct peer_counts larger = *peers;
    larger.capacity = peers->capacity == 0 ? FIRST_CAPACITY : peers->capacity * 2;
    larger.entries = calloc(larger.capacity, sizeof(larger.entries[0]));
    if (larger.entries == NULL)
        return false;
    for (size_t i = 0; i < peers->capacity; i++)
        if (peers->entries[i].count != 0)
            *find(&larger, peers->entries[i].key) = peers->entries[i];
    free(peers->entries);
    *peers = larger;
    return true;
}

bool peers_enter(struct peer_counts *peers, const struct edge_address *address, uint32_t max)
{
    if (peers->used * 4 >= peers->capacity * 3 && !grow(peers))
        return false;
    uint8_t key[16];
    key_of(address, key);
    struct peer_count *entry = find(peers, key);
    if (entry->count >= max)
        return false;
    if (entry->count++ == 0) {
        memcpy(entry->key, key, sizeof(key));
        peers->used++;
    }
    return true;
}

/* Moves later entries of the run into the hole, so that each stays reachable from its home. */
static void close_hole(struct peer_counts *peers, size_t hole)
{
    size_t mask = peers->capacity - 1;
    for (size_t at = (hole + 1) & mask; peers->entries[at].count != 0; at = (at + 1) & mask) {
        size_t home = home_of(peers, peers->entries[at].key);
        if (((at - home) & mask) < ((at - hole) & mask))
            continue;
        peers->entries[hole] = peers->entries[at];
        peers->entries[at].count = 0;
        hole = at;
    }
}

void peers_leave(struct peer_counts *peers, const struct edge_address *address)
{
    uint8_t key[16];
    key_of(address, key);
    struct peer_count *entry = find(peers, key);
    if (entry->count == 0 || --entry->count > 0)
        return;
    peers->used--;
    close_hole(peers, (size_t)(entry - peers->entries));
}

void peers_release(struct peer_counts *peers)
{
    free(peers->entries);
    peers->entries = NULL;
    peers->capacity = peers->used = 0;
}
