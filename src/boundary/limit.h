/* limit.h - how often a caller may come.
 *
 * GCRA: one "theoretical arrival time" per (policy, caller), in a table that all workers of the host share. A full table
 * evicts the caller who has been away the longest, never a caller who is being limited. */
#ifndef BOUNDARY_LIMIT_H
#define BOUNDARY_LIMIT_H

#include "contract/contract.h"
#include "core/hash.h"

#define LIMIT_FIELD_BYTES 128U

struct limit_table;

/* Bytes of shared memory that a table needs. */
size_t limit_table_bytes(void);
/* In zeroed memory of that size; done once, by the supervisor. */
void limit_table_init(void *memory);
/* Notes whose policies, and at which scale, the table counts. */
void limit_table_dedicate(void *memory, const struct contract *contract, uint32_t scale);
/* May this contract go on with the table of an earlier server? Only when every policy is the same: an entry knows nothing but a number. */
bool limit_table_suits(const void *memory, const struct contract *contract, uint32_t scale);

/* The fields' view of one limit after a request was counted. */
struct limit_state {
    const struct rate_limit *limit;
    uint32_t remaining; /* requests that would pass right now */
    uint32_t reset_s;   /* until the whole quota is there again */
    uint32_t retry_s;   /* when refused: until the next one would pass; at least 1 */
};

/* Counts one request of `caller` (an address's bytes, a principal's id) against `limit`; true when it may pass. `now_us` is monotonic; `scale` multiplies the
 * quota. A refused request does not count. Lock-free: a worker that is killed here leaves at most one entry unused. */
bool limit_take(void *memory, const struct rate_limit *limit, uint32_t scale, limen_str caller, int64_t now_us,
                struct limit_state *ret_state) LIMEN_MUST_CHECK;

/* The same without counting: false when a request would be refused. */
bool limit_look(void *memory, const struct rate_limit *limit, uint32_t scale, limen_str caller, int64_t now_us,
                struct limit_state *ret_state) LIMEN_MUST_CHECK;

/* How far a caller has run ahead, as it was counted for all hosts. */
struct limit_debt {
    int64_t us;      /* at least 0 */
    bool is_refused; /* the request that asked was too early, and did not count */
};
/* Takes over what was counted elsewhere: from now on this table refuses whom that would refuse, and can go on counting from there. */
void limit_learn(void *memory, const struct rate_limit *limit, uint32_t scale, limen_str caller, int64_t now_us,
                 struct limit_debt debt, struct limit_state *ret_state);

/* The values of RateLimit-Policy, which never changes, and of RateLimit (IETF draft-ietf-httpapi-ratelimit-headers), into `memory` of
 * LIMIT_FIELD_BYTES each. */
limen_str limit_write_policy(const struct rate_limit *limit, uint32_t scale, char *memory);
limen_str limit_write_state(const struct limit_state *state, char *memory);

#endif
