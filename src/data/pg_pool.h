/* pg_pool.h - the running side of the PostgreSQL back end. Shared by pg_value.c, pg_own.c, pg_steps.c, pg_answer.c, pg_conn.c, pg_pool.c and pg_store.c.
 *
 * A task becomes a work; a work is a few steps, ended by a Sync, on one connection; what comes back is matched with the steps in their
 * order. Steps between two Syncs are one implicit transaction: an error undoes all of it and skips to the Sync, so that the works behind
 * it on the same connection do not notice. Only an interactive transaction says BEGIN, and has its connection to itself.
 *
 * Everything runs on the loop's thread. */
#ifndef DATA_PG_POOL_H
#define DATA_PG_POOL_H

#include "core/arena.h"
#include "core/limits.h"
#include "core/loop.h"
#include "data/pg_hosts.h"
#include "data/pg_store.h"

struct pg_pool;

/* ---- values: pg_value.c --------------------------------------------------------------------------------------------------- */

#define PG_VALUES PG_SLOTS

/* Parameters of one step, in binary, as libpq takes them; slices of what they were made from, and of the arena. */
struct pg_values {
    int count;
    const char *bytes[PG_VALUES];
    int lengths[PG_VALUES];
    int64_t wide[PG_VALUES]; /* numbers in network order */
};
void pg_put_text(struct pg_values *values, limen_str text);
void pg_put_bytes(struct pg_values *values, const void *bytes, size_t count);
void pg_put_int(struct pg_values *values, int64_t value);
void pg_put_null(struct pg_values *values);
/* An array of texts, bytes or int8 that was begun with its kind and count. */
void pg_put_array_head(struct buf *out, enum pg_type element, size_t count);
void pg_put_array_bytes(struct buf *out, limen_str bytes);
void pg_put_array_int(struct buf *out, int64_t value);
/* What an effect's row in the outbox has beside what is sent. */
struct pg_effect {
    limen_str id, key, params, principal;
};
/* Those of a statement, which fit its prototype. False when memory is out. */
bool pg_put_params(struct pg_values *values, const struct pg_sql *sql, const limen_value *params, limen_str caller,
                   limen_time now, const struct pg_effect *effect, struct arena *arena) LIMEN_MUST_CHECK;
/* Appends one row in the wire's form. False when a value is not of its column's type. `out->failed`: no room. */
bool pg_put_row(const struct statement *statement, const PGresult *result, int row, struct buf *out) LIMEN_MUST_CHECK;
int64_t pg_get_int(const PGresult *result, int row, int column);
limen_str pg_get_text(const PGresult *result, int row, int column);

/* ---- Limen's own statements: pg_own.c --------------------------------------------------------------------------------------- */

enum pg_own {
    PG_OWN_ENTER,
    PG_OWN_WITHIN,
    PG_OWN_BEGIN,
    PG_OWN_COMMIT,
    PG_OWN_ROLLBACK,
    PG_OWN_KEY_INSERT,
    PG_OWN_KEY_FIND,
    PG_OWN_KEY_CONFIRM,
    PG_OWN_CREDENTIAL_INSERT,
    PG_OWN_CREDENTIAL_FIND,
    PG_OWN_CREDENTIAL_REHASH,
    PG_OWN_SESSION_INSERT,
    PG_OWN_SESSION_DELETE,
    PG_OWN_SESSION_FIND,
    PG_OWN_API_KEY_FIND,
    PG_OWN_SESSION_TOUCH,
    PG_OWN_PURGE_KEYS,
    PG_OWN_PURGE_SESSIONS,
    PG_OWN_PURGE_EFFECTS,
    PG_OWN_EFFECT_LEASE,
    PG_OWN_EFFECT_SETTLE,
    PG_OWN_EFFECT_ASK,
    PG_OWN_EFFECT_COUNT,
    PG_OWN_BE_ANYBODY,
    PG_OWN_CANCEL,
    PG_OWN_COUNT
};
struct pg_own_sql {
    const char *text;
    int count;
    Oid types[12];
};
extern const struct pg_own_sql PG_OWN_SQL[PG_OWN_COUNT];

/* ---- effects: pg_outbox.c ----------------------------------------------------------------------------------------------------- */

/* The key that the provider gets is not too long. */
bool pg_effect_fits(const struct store_item *item);
/* Of an effect that a batch asks for. False when memory is out. */
bool pg_effect_make(const struct store_task *task, const struct store_item *item, struct arena *arena,
                    struct pg_effect *ret_effect) LIMEN_MUST_CHECK;
bool pg_put_lease(struct pg_values *values, const struct store_task *task, const struct query_set *queries,
                  struct arena *arena) LIMEN_MUST_CHECK;
void pg_put_settlement(struct pg_values *values, const struct store_settlement *settlement);
enum store_outcome pg_take_effects(const struct query_set *queries, struct store_task *task, const PGresult *result);

/* ---- works: pg_steps.c and pg_answer.c --------------------------------------------------------------------------------------------------------- */

enum pg_step_kind {
    PG_STEP_SYNC, /* the last of each work */
    PG_STEP_OWN,  /* `number`: enum pg_own */
    PG_STEP_ITEM, /* `number`: index in the task's items */
    PG_STEP_READ  /* the task's statement */
};
struct pg_step {
    uint8_t kind;
    uint16_t number;
};

/* What a work of the store's own does; it has no task. */
enum pg_chore { PG_CHORE_NONE, PG_CHORE_ROLLBACK, PG_CHORE_CANCEL, PG_CHORE_TOUCH, PG_CHORE_PURGE };

#define PG_FIXED_STEPS 10U /* of a work, beside two for each item */

struct pg_work {
    struct store_task *task; /* NULL: a chore */
    enum pg_chore chore;
    struct pg_work *next;
    uint32_t attempts;
    int64_t not_before_us;
    bool resolves;     /* only asks whether its key has been committed */
    bool may_be_done;  /* an attempt of it was lost after it had been sent: perhaps it has been committed */
    bool runs_again;   /* what failed was not its own doing */
    bool is_here_only; /* committed, but its standby may not have it */
    bool must_renew;   /* its connection is of no use for others either */
    int64_t again_after_us;
    bool is_cancel_asked; /* of the attempt under way */
    /* ---- the attempt under way ---- */
    int64_t sent_at_us;
    struct pg_step *steps;
    uint32_t step_count, step_room, at;
    bool has_failed;
    bool is_fatal; /* the server has ended the session */
    char sqlstate[6];
    enum store_outcome outcome; /* as far as its steps have gone */
    uint32_t refused_by;
};

/* Makes the work of a task in the task's arena; NULL when memory is out. */
struct pg_work *pg_work_new(struct store_task *task) LIMEN_MUST_CHECK;
bool pg_task_is_slow(const struct store_task *task);
/* It finds something by a key: the only works whose time is the session's, LIMIT_PG_LOOKUP_US. */
bool pg_work_is_lookup(const struct pg_work *work);
/* Lists its steps and sends them to the connection, which is ready. The task's outcome is set where it cannot be sent at all. */
enum pg_sent {
    PG_SENT,
    PG_NOT_SENT /* an error of the task: its outcome is set */,
    PG_SEND_FAILED /* of the connection */
};
enum pg_sent pg_work_send(struct pg_work *work, struct pg_pool *pool, PGconn *pg) LIMEN_MUST_CHECK;
/* Takes the result of the step that it stands on. */
void pg_work_take(struct pg_work *work, struct pg_pool *pool, PGresult *result);
/* After its Sync: what becomes of it. */
enum pg_fate {
    PG_FATE_DONE,  /* task->outcome is set */
    PG_FATE_AGAIN, /* it goes to a connection once more, when not_before_us has come */
};
enum pg_fate pg_work_end(struct pg_work *work, struct pg_pool *pool) LIMEN_MUST_CHECK;
/* What its caller may be told when it comes to nothing more than `outcome`: what may have been committed is STORE_UNKNOWN. */
enum store_outcome pg_work_told(const struct pg_work *work, enum store_outcome outcome);
/* Its connection was lost while it was there. `is_over`: the server has ended the session before it came to this work. */
enum pg_fate pg_work_lose(struct pg_work *work, bool is_over) LIMEN_MUST_CHECK;

/* ---- connections: pg_conn.c ------------------------------------------------------------------------------------------------- */

enum pg_conn_state {
    PG_CONN_DOWN,
    PG_CONN_RESOLVING, /* waits for addresses of its hosts */
    PG_CONN_CONNECTING,
    PG_CONN_SESSION,
    PG_CONN_PREPARING,
    PG_CONN_READY,
    PG_CONN_OWING /* nobody waits for what it has not answered; it is kept while its backend may live, so that they do not pile up */
};

struct pg_conn {
    struct loop_source source; /* first: the loop hands us its address */
    struct pg_pool *pool;
    PGconn *pg;
    enum pg_conn_state state;
    bool is_slow; /* takes works that are slow, and no others */
    bool must_flush;
    bool is_corked;     /* what was sent in this turn is still here */
    bool must_renew;    /* its prepared statements, or the server behind it, are not what they were */
    bool expects_null;  /* behind each result but a Sync's stands a NULL */
    uint32_t failures;  /* since it was last ready */
    uint32_t skipped;   /* addresses that did not answer in time: it begins with those behind them */
    int64_t started_us; /* when it began to connect */
    int64_t
        until_us; /* DOWN: when to try again; RESOLVING: when to take what is known; before READY and OWING: when to give up */
    struct pg_work *first, *last; /* in flight, oldest first */
    uint32_t count, owed;         /* `owed`: OWING, works that the server has not come to the end of */
    /* ---- an interactive transaction ---- */
    uint64_t transaction; /* 0: none */
    int64_t lease_until_us;
    bool is_abandoned;
    struct pg_work rollback;
    struct pg_step rollback_steps[2];
};

void pg_conn_start(struct pg_conn *conn);
/* RESOLVING: goes on once the addresses are known, or has failed. */
void pg_conn_dial(struct pg_conn *conn);
/* Takes the work and sends it. What fails is dealt with: the work comes back through pg_pool_done or pg_pool_again. */
void pg_conn_send(struct pg_conn *conn, struct pg_work *work);
void pg_conn_flush(struct pg_conn *conn);
/* Undoes its interactive transaction, and is free for others. */
void pg_conn_roll_back(struct pg_conn *conn);
/* Closes it and deals with what was in flight; `why` is for the log. It is tried again after a while. */
void pg_conn_fail(struct pg_conn *conn, const char *why);
/* The same, of one that does not answer in time; another address is tried first. */
void pg_conn_fail_late(struct pg_conn *conn);
/* What was in flight is dealt with as if it were lost. The connection is opened anew when the server has come to the end of it, when the
 * network says that nobody is there, or after LIMIT_PG_OWED_US. */
void pg_conn_give_up(struct pg_conn *conn);
void pg_conn_close(struct pg_conn *conn);

/* ---- the pool: pg_pool.c ------------------------------------------------------------------------------------------------------ */

struct pg_work_list {
    struct pg_work *first, *last;
    uint32_t count;
};

struct pg_pool {
    struct loop *loop;
    const char *conninfo; /* the URL, NUL-terminated */
    struct pg_hosts hosts;
    const char *session_sql;
    limen_str shown; /* … without its password */
    const struct contract *contract;
    const struct query_set *queries;
    struct pg_schema schema;
    struct pg_conn *conns;
    uint32_t conn_count, slow_count;
    struct pg_work_list waiting, slow, steps; /* `steps`: first ones of interactive transactions */
    struct pg_work_list later;                /* their not_before_us has not come */
    uint32_t busy;                            /* works of tasks that are not handed back yet */
    struct task_list done;
    struct loop_task at_end;
    struct loop_timer tick, second;
    struct arena_pool *blocks;
    struct arena scratch; /* of the work that is being written */
    uint64_t random;
    int64_t away_since_us; /* no connection is ready; 0: one is */
    bool is_closing;
    bool is_crowded; /* more works are being sent than there are connections for them */
    /* ---- chores ---- */
    struct pg_work cancel, touch, purge;
    struct pg_step cancel_steps[PG_FIXED_STEPS], touch_steps[PG_FIXED_STEPS], purge_steps[PG_FIXED_STEPS];
    const struct pg_conn *kept;      /* gets nothing more until it is idle, for an interactive transaction; or NULL */
    const struct pg_conn *tended;    /* does what no call waits for, and gets nothing behind it; or NULL */
    const struct pg_conn *cancelled; /* whose statement the server is being asked to stop; it gets nothing meanwhile */
    uint8_t touched[LIMIT_TOUCH_QUEUE][TOKEN_HASH_BYTES];
    limen_time seen_at[LIMIT_TOUCH_QUEUE];
    uint32_t touch_count;
    int64_t purge_at_us;
    bool must_purge_on; /* the last step was a full one */
};

/* Connects, and waits until every connection is there or has failed once: it is then tried again. */
bool pg_pool_open(struct pg_pool *pool, uint32_t connections) LIMEN_MUST_CHECK;
/* Finishes what is under way, as far as the database answers, and closes. */
void pg_pool_close(struct pg_pool *pool);
/* No connection has been ready for LIMIT_PG_AWAY_US. */
bool pg_pool_is_away(const struct pg_pool *pool);
void pg_pool_submit(struct pg_pool *pool, struct store_task *task);
void pg_pool_abandon(struct pg_pool *pool, uint64_t transaction);
/* For a connection: a work has ended, or was lost, or cannot be sent. */
void pg_pool_done(struct pg_pool *pool, struct pg_work *work);
void pg_pool_again(struct pg_pool *pool, struct pg_work *work);
/* A session that was seen is noted with others, a little later. */
void pg_pool_touch(struct pg_pool *pool, const uint8_t *token_hash, limen_time seen_at);
/* Something may be sent. */
void pg_pool_wake(struct pg_pool *pool);
/* At random between a half and the whole of it. */
int64_t pg_jitter(struct pg_pool *pool, int64_t us);

#endif
