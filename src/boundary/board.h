/* board.h - what workers tell the others: a heartbeat, the operation under way, counters.
 *
 * Lies in memory that the roles share. Each worker writes its own row only, so plain relaxed stores do; the operator adds the
 * rows up, and the supervisor watches the heartbeats. A worker that was taken over can write all of it: so nothing here says how much of
 * it there is, and who reads it believes no number further than to show it. */
#ifndef BOUNDARY_BOARD_H
#define BOUNDARY_BOARD_H

#include "core/limits.h"
#include "limen/base.h"

#include <stdatomic.h>

/* Why a request was refused, in the order of admission. */
enum refusal {
    REFUSAL_NONE,
    REFUSAL_HTTP, /* not HTTP as we read it: 400, 408, 414, 417, 431, 501, 505 */
    REFUSAL_ADDRESS_LIMIT,
    REFUSAL_NO_PATH,
    REFUSAL_NO_METHOD,
    REFUSAL_CROSS_SITE,
    REFUSAL_CREDENTIAL,
    REFUSAL_ROLE,
    REFUSAL_LIMIT,
    REFUSAL_LIMIT_AWAY, /* hosts cannot count together, and the contract says `deny` */
    REFUSAL_MEMORY,     /* the worker's memory is promised to others */
    REFUSAL_PARAMETER,
    REFUSAL_MEDIA_TYPE,
    REFUSAL_BODY_SIZE,
    REFUSAL_BODY_MALFORMED,
    REFUSAL_BODY_SCHEMA,
    REFUSAL_KEY,
    REFUSAL_OVERLOAD, /* no fiber, no slot, a queue is full */
    REFUSAL_DATA,     /* the data role is away or failed */
    REFUSAL_DEADLINE,
    REFUSAL_COUNT
};
/* The label in /metrics: "address_limit". */
const char *refusal_name(enum refusal refusal);

enum board_class { BOARD_2XX, BOARD_3XX, BOARD_4XX, BOARD_5XX, BOARD_CLASSES };

enum board_redis { BOARD_REDIS_NONE, BOARD_REDIS_AWAY, BOARD_REDIS_UP };

/* One worker's row; its own cache lines. */
struct board_row {
    _Alignas(64) _Atomic int64_t beat_us; /* monotonic, at the start of each loop turn; 0: not started */
    _Atomic uint32_t operation;           /* index + 1 of the operation whose handler runs now; 0: none */
    _Atomic uint32_t pid;
    _Atomic uint64_t connections;                 /* open now */
    _Atomic uint64_t is_ready;                    /* it accepts, and its data role answers */
    _Atomic uint64_t memory_used, memory_ceiling; /* of calls: what they have reserved, and may; bytes */
    _Atomic uint64_t buffers;                     /* of connections: bytes on their way in and out */
    _Atomic uint64_t limits_alone,
        limits_open; /* requests for which hosts could not count together: counted here, let pass */
    _Atomic uint64_t refusals[REFUSAL_COUNT];
    _Atomic uint64_t replies[LIMIT_OPERATIONS + 1][BOARD_CLASSES]; /* [0]: what reached no operation */
    _Atomic uint64_t busy_us[LIMIT_OPERATIONS + 1];                /* time from head to reply, summed */
};

struct board {
    _Atomic uint32_t data_ready;    /* the data role has opened its store */
    _Atomic uint32_t is_leaving;    /* the server was told to end: it may still serve, but is not ready */
    _Atomic uint32_t database_away; /* as the data role sees it: what needs the database is refused at once */
    _Atomic uint32_t redis_state;   /* enum board_redis; these three are the data role's */
    _Atomic uint64_t redis_connections, redis_failures;
    _Atomic uint32_t data_restarts, worker_restarts, outbound_restarts;
    _Atomic uint64_t effects_open, effects_dead; /* as the data role has counted them last */
    _Atomic int64_t effects_oldest; /* when the oldest open one was asked for, wall clock; 0: there is none */
    struct board_row rows[];        /* of worker_count */
};

size_t board_bytes(uint32_t worker_count);

/* For the one thread that writes the counter. */
static inline void board_add(_Atomic uint64_t *counter, uint64_t amount)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + amount, memory_order_relaxed);
}

#endif
