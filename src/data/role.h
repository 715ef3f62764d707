/* role.h - the data role: the only process with database credentials.
 *
 * Serves any number of workers over their sockets; runs named statements for principals whose credential was shown on
 * that slot, verifies passwords on a bounded pool, and trusts no frame. The server layer owns the loop and the
 * process. */
#ifndef DATA_ROLE_H
#define DATA_ROLE_H

#include "data/redis.h"
#include "data/store.h"

struct data_role;

/* System calls of the workers' sockets and of the hash pool; its threads and the store have lists of their own. */
extern const struct syscall_list data_role_syscalls;

/* The keys of a bearer scheme: a text, or a target of the outbound role. */
struct data_jwks {
    limen_str source; /* for messages; empty: there are none */
    limen_str json;
    bool is_fetched;
    uint32_t target;
};

struct data_role_config {
    struct store_config store;
    struct fetch_client *fetches;             /* for jwks that are fetched; freed after the role */
    struct data_jwks jwks[LIMIT_SCHEMES];     /* by the scheme's index in the contract */
    limen_str webhook_secrets[LIMIT_SCHEMES]; /* the same; empty: there is none, and calls get 503 */
    bool sends_effects;                       /* `fetches` leads to a target for them */
    /* Every few seconds, where the app has effects; may be NULL. */
    void (*on_effect_counts)(void *context, const struct store_effect_counts *counts);
    void *context;
    /* Sessions and shared limits; NULL: sessions are the store's, limits are the worker's. */
    const struct redis_url *redis;
    limen_str app_name;                                            /* what the keys there begin with */
    uint32_t limit_scale;                                          /* multiplies the quotas of shared limits */
    uint32_t hash_threads;                                         /* argon2 at once */
    void (*on_first_account)(limen_str email, limen_str password); /* called once, at first start */
    /* A worker that broke the protocol is cut off: it may have been taken over; may be NULL. */
    void (*on_breach)(uint32_t worker);
};

/* Opens the store, makes the first account. NULL after adding to `diags`. */
struct data_role *data_role_new(struct loop *loop, const struct data_role_config *config, struct arena *arena,
                                struct diags *diags);
/* A worker's socket; an earlier one of the same number is closed. */
bool data_role_add_worker(struct data_role *role, uint32_t number, int fd) LIMEN_MUST_CHECK;
/* Nothing new is begun that no worker has asked for. */
void data_role_drain(struct data_role *role);
/* True when nothing is queued or under way. */
bool data_role_is_idle(const struct data_role *role);
/* False while it is not known yet whether Redis is there. */
bool data_role_is_settled(const struct data_role *role);
/* What needs the database is refused at once. */
bool data_role_has_lost_database(const struct data_role *role);
/* Zeros when none is configured. */
struct redis_status data_role_redis(const struct data_role *role);
void data_role_free(struct data_role *role);

#endif
