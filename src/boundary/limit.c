/* limit.c - GCRA in shared memory.
 *
 * The table is set-associative: a keyed hash picks two buckets of eight entries, so that nobody outside can aim at a
 * bucket. An entry is claimed by a compare-and-swap of its tag, and counted by one of its arrival time; no worker ever holds
 * a lock that its death could keep. When all sixteen entries belong to callers who are being limited, a newcomer waits. */
#include "boundary/limit.h"

#include "core/str.h"

#include <stdatomic.h>

#define WAYS 8U
#define BUCKETS (LIMIT_GCRA_ENTRIES / WAYS)
#define LAYOUT 1U /* of the table; another one when an entry comes to mean something else */
#define TAG_FREE 0U
#define TAG_CLAIMED 1U /* being written; real tags are larger */

struct limit_entry {
    _Atomic uint64_t tag;
    _Atomic int64_t arrival_us; /* theoretical arrival time */
    _Atomic int64_t full_us;    /* window - interval: with more debt than this the caller is being limited */
};

/* Key and policies stand first in every version of the table. */
struct limit_table {
    struct hash_key key;
    struct hash_wide policies; /* hashed with that key */
    struct limit_entry entries[BUCKETS][WAYS];
};

size_t limit_table_bytes(void)
{
    return sizeof(struct limit_table);
}

void limit_table_init(void *memory)
{
    struct limit_table *table = memory;
    hash_key_random(&table->key);
}

/* ---- whose table it is -------------------------------------------------------------------------------------------------- */

/* One policy, and by `before` all in front of it. */
static struct hash_wide add_policy(const struct limit_table *table, struct hash_wide before,
                                   const struct rate_limit *limit, uint32_t scale)
{
    const uint64_t words[] = {
        before.first,
        before.second,
        limit->policy,
        limit->per,
        limit->quota,
        scale,
        (uint64_t)limit->window_us,
        hash_bytes(&table->key, limit->name.ptr, limit->name.len),
    };
    return hash_bytes_wide(&table->key, words, sizeof(words));
}

static struct hash_wide hash_policies(const struct limit_table *table, const struct contract *contract, uint32_t scale)
{
    struct hash_wide hash = { LAYOUT, sizeof(struct limit_table) };
    hash = add_policy(table, hash, &contract->address_limit, scale);
    for (uint32_t i = 0; i < contract->sign_in_limit_count; i++)
        hash = add_policy(table, hash, &contract->sign_in_limits[i], scale);
    for (uint32_t i = 0; i < contract->operation_count; i++) {
        const struct operation *operation = &contract->operations[i];
        for (uint32_t j = 0; j < operation->limit_count; j++)
            hash = add_policy(table, hash, &operation->limits[j], scale);
    }
    return hash;
}

void limit_table_dedicate(void *memory, const struct contract *contract, uint32_t scale)
{
    struct limit_table *table = memory;
    table->policies = hash_policies(table, contract, scale);
}

bool limit_table_suits(const void *memory, const struct contract *contract, uint32_t scale)
{
    const struct limit_table *table = memory;
    struct hash_wide hash = hash_policies(table, contract, scale);
    return hash.first == table->policies.first && hash.second == table->policies.second;
}

/* ---- counting --------------------------------------------------------------------------------------------------------- */

static uint64_t tag_of(const struct limit_table *table, const struct rate_limit *limit, limen_str caller)
{
    char bytes[4 + LIMIT_CALLER_BYTES];
    size_t len = caller.len < LIMIT_CALLER_BYTES ? caller.len : LIMIT_CALLER_BYTES;
    memcpy(bytes, &limit->policy, 4);
    memcpy(bytes + 4, caller.ptr, len);
    uint64_t hash = hash_bytes(&table->key, bytes, len + 4);
    return hash > TAG_CLAIMED ? hash : hash + 2;
}

static struct limit_entry *bucket_of(struct limit_table *table, uint64_t tag, int choice)
{
    return table->entries[(choice == 0 ? tag : tag >> 32) % BUCKETS];
}

static struct limit_entry *find_entry(struct limit_table *table, uint64_t tag)
{
    for (int choice = 0; choice < 2; choice++) {
        struct limit_entry *bucket = bucket_of(table, tag, choice);
        for (uint32_t way = 0; way < WAYS; way++) {
            if (atomic_load_explicit(&bucket[way].tag, memory_order_acquire) == tag)
                return &bucket[way];
        }
    }
    return NULL;
}

/* The entry that is missed least: a free one, else the one whose owner has been away the longest and is not limited. */
static struct limit_entry *find_victim(struct limit_table *table, uint64_t tag, int64_t now_us, uint64_t *ret_tag)
{
    struct limit_entry *best = NULL;
    int64_t best_arrival = INT64_MAX;
    for (int choice = 0; choice < 2; choice++) {
        struct limit_entry *bucket = bucket_of(table, tag, choice);
        for (uint32_t way = 0; way < WAYS; way++) {
            struct limit_entry *entry = &bucket[way];
            uint64_t old = atomic_load_explicit(&entry->tag, memory_order_acquire);
            int64_t arrival = old == TAG_FREE ? INT64_MIN
                                              : atomic_load_explicit(&entry->arrival_us, memory_order_relaxed);
            bool is_limited = old != TAG_FREE
                && arrival - now_us > atomic_load_explicit(&entry->full_us, memory_order_relaxed);
            if (old == TAG_CLAIMED || is_limited || arrival >= best_arrival)
                continue;
            best = entry;
            best_arrival = arrival;
            *ret_tag = old;
        }
    }
    return best;
}

/* An entry for this tag, NULL when every candidate is being limited. */
static struct limit_entry *take_entry(struct limit_table *table, uint64_t tag, int64_t full_us, int64_t now_us)
{
    for (int attempt = 0; attempt < 8; attempt++) {
        struct limit_entry *entry = find_entry(table, tag);
        if (entry != NULL)
            return entry;
        uint64_t old;
        entry = find_victim(table, tag, now_us, &old);
        if (entry == NULL)
            return NULL;
        if (!atomic_compare_exchange_strong(&entry->tag, &old, TAG_CLAIMED))
            continue;
        atomic_store_explicit(&entry->arrival_us, now_us, memory_order_relaxed);
        atomic_store_explicit(&entry->full_us, full_us, memory_order_relaxed);
        atomic_store_explicit(&entry->tag, tag, memory_order_release);
        return entry;
    }
    return NULL;
}

static uint32_t seconds_up(int64_t us)
{
    return us <= 0 ? 0 : (uint32_t)((us + 999999) / 1000000);
}

/* The time that one request takes, and the debt from which on a caller is limited. */
struct pace {
    int64_t interval_us, full_us;
};

static struct pace pace_of(const struct rate_limit *limit, uint32_t scale)
{
    int64_t interval_us = rate_limit_interval_us(limit, scale);
    return (struct pace){ interval_us, limit->window_us - interval_us };
}

/* A caller who may come again after so much debt. */
static void describe(struct limit_state *state, int64_t debt_us, struct pace pace)
{
    int64_t room = state->limit->window_us - debt_us;
    state->remaining = room <= 0 ? 0 : (uint32_t)(room / pace.interval_us);
    state->reset_s = seconds_up(debt_us);
}

/* One who comes too early. */
static void describe_refused(struct limit_state *state, int64_t debt_us, struct pace pace)
{
    describe(state, debt_us, pace);
    state->retry_s = seconds_up(debt_us - pace.full_us);
    state->reset_s = state->retry_s; /* Retry-After is not earlier than RateLimit's t */
}

bool limit_take(void *memory, const struct rate_limit *limit, uint32_t scale, limen_str caller, int64_t now_us,
                struct limit_state *ret_state)
{
    struct limit_table *table = memory;
    const struct pace pace = pace_of(limit, scale);
    *ret_state = (struct limit_state){ .limit = limit, .retry_s = 1, .reset_s = 1 };
    struct limit_entry *entry = take_entry(table, tag_of(table, limit, caller), pace.full_us, now_us);
    if (entry == NULL)
        return false;

    int64_t arrival = atomic_load_explicit(&entry->arrival_us, memory_order_relaxed);
    for (;;) {
        int64_t start = arrival > now_us ? arrival : now_us;
        if (start - now_us > pace.full_us) {
            describe_refused(ret_state, start - now_us, pace);
            return false;
        }
        if (atomic_compare_exchange_weak_explicit(&entry->arrival_us, &arrival, start + pace.interval_us,
                                                  memory_order_relaxed, memory_order_relaxed)) {
            describe(ret_state, start + pace.interval_us - now_us, pace);
            return true;
        }
    }
}

bool limit_look(void *memory, const struct rate_limit *limit, uint32_t scale, limen_str caller, int64_t now_us,
                struct limit_state *ret_state)
{
    struct limit_table *table = memory;
    const struct pace pace = pace_of(limit, scale);
    *ret_state = (struct limit_state){ .limit = limit };
    const struct limit_entry *entry = find_entry(table, tag_of(table, limit, caller));
    int64_t debt_us = entry == NULL ? 0 : atomic_load_explicit(&entry->arrival_us, memory_order_relaxed) - now_us;
    if (debt_us <= pace.full_us)
        return true;
    describe_refused(ret_state, debt_us, pace);
    return false;
}

void limit_learn(void *memory, const struct rate_limit *limit, uint32_t scale, limen_str caller, int64_t now_us,
                 struct limit_debt debt, struct limit_state *ret_state)
{
    struct limit_table *table = memory;
    const struct pace pace = pace_of(limit, scale);
    const int64_t debt_us = debt.us < limit->window_us ? debt.us : limit->window_us; /* nobody counts more than that */
    *ret_state = (struct limit_state){ .limit = limit };
    if (debt.is_refused)
        describe_refused(ret_state, debt_us, pace);
    else
        describe(ret_state, debt_us, pace);
    struct limit_entry *entry = take_entry(table, tag_of(table, limit, caller), pace.full_us, now_us);
    int64_t arrival = entry == NULL ? INT64_MAX : atomic_load_explicit(&entry->arrival_us, memory_order_relaxed);
    while (arrival < now_us + debt_us
           && !atomic_compare_exchange_weak_explicit(&entry->arrival_us, &arrival, now_us + debt_us,
                                                     memory_order_relaxed, memory_order_relaxed)) {
    }
}

#define NAME_SHOWN 64U /* bytes of a policy's name */

/* `"name";first=1;second=2` */
static limen_str write_field(const struct rate_limit *limit, char *memory, limen_str first, uint32_t first_value,
                             limen_str second, uint32_t second_value)
{
    struct buf field;
    buf_init_fixed(&field, memory, LIMIT_FIELD_BYTES);
    buf_add_char(&field, '"');
    buf_add(&field, str_slice(limit->name, 0, NAME_SHOWN));
    buf_add(&field, first);
    buf_add_int(&field, first_value);
    buf_add(&field, second);
    buf_add_int(&field, second_value);
    return buf_str(&field);
}

limen_str limit_write_policy(const struct rate_limit *limit, uint32_t scale, char *memory)
{
    return write_field(limit, memory, LIMEN_STR("\";q="), rate_limit_quota(limit, scale), LIMEN_STR(";w="),
                       seconds_up(limit->window_us));
}

limen_str limit_write_state(const struct limit_state *state, char *memory)
{
    return write_field(state->limit, memory, LIMEN_STR("\";r="), state->remaining, LIMEN_STR(";t="), state->reset_s);
}
