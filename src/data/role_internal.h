/* role_internal.h - what the files of the data role share (role*.c); nobody else includes it.
 *
 * A frame becomes a role_request, which goes to the store once or more (and to the hash pool), and then waits in its
 * worker's ring until its rows and its DONE have been written. Whoever asked may leave at any time: the request is then
 * dropped, comes back from the store in its own time and is given back. */
#ifndef DATA_ROLE_INTERNAL_H
#define DATA_ROLE_INTERNAL_H

#include "core/arena.h"
#include "core/limits.h"
#include "core/loop.h"
#include "data/credentials.h"
#include "data/fetch_client.h"
#include "data/jwks.h"
#include "data/jwt.h"
#include "data/role.h"
#include "data/token_cache.h"
#include "data/wire_pipe.h"

struct role_worker;

/* Made by SIGN_UP; goes into the slot's next batch. Invariant: the slot's principal is the account to be made, with the roles that the
 * contract gives to new ones and no others. */
struct role_sign_up {
    char email[PRINCIPAL_EMAIL_BYTES];
    uint8_t email_len;
    char hash[HASH_TEXT_BYTES];
    uint8_t token_hash[TOKEN_HASH_BYTES];
};

#define BREACH_BESIDE_SIGN_UP "a credential beside an account that is not made yet"

/* One call of a worker, as far as the data role knows it. */
struct role_slot {
    struct role_request *current; /* NULL: none under way */
    struct principal principal;   /* whose credential was shown here */
    bool is_stale;                /* it was bound by a handle that has expired: nothing is done for it any more */
    bool has_sign_up;
    struct role_sign_up sign_up;
    uint64_t transaction; /* the interactive one that is open here; 0: none */
    bool has_begun;       /* a STEP of it has been answered */
    bool has_new_account; /* the principal is an account that the transaction will make */
    uint32_t job;         /* not 0: the call runs this job, and acts for the system as far as the job goes */
    bool has_new_session; /* … and its session is in Redis already; ended when the transaction fails */
    uint8_t new_session[TOKEN_HASH_BYTES];
};

enum role_place {
    ROLE_PLACE_NONE, /* with us, for the moment */
    ROLE_PLACE_AWAY, /* with the store, the hash pool or Redis */
    ROLE_PLACE_RING  /* answered; in its worker's ring until the frames are written */
};

struct role_request {
    struct store_task task;
    struct hash_job hash;
    struct data_role *role;
    struct role_worker *worker; /* NULL: the connection has gone */
    struct arena arena;
    struct arena_pool *pool; /* its own: the store's threads allocate from it, one at a time */
    enum role_place place;
    bool is_dropped; /* nobody waits for it any more */
    uint32_t job;    /* not 0: it is of a call that runs this job */
    uint8_t type;    /* enum wire_type */
    uint16_t operation;
    uint32_t slot, sequence;
    char *payload; /* the frame's, copied; slices of the task point into it */
    size_t payload_bytes;
    size_t asked_bytes;             /* counted in worker->asked_bytes */
    limen_str password;             /* SIGN_IN, SIGN_UP */
    uint32_t scheme;                /* SHOW, SIGN_UP */
    bool is_more;                   /* SHOW: beside what the slot has shown already */
    limen_str credential;           /* SHOW: a token; SHOW_SIGNED: a signature, */
    limen_str signed_body;          /* and what it is over */
    struct jwks_waiter keys_waiter; /* SHOW: of a token whose key is not known yet */
    bool has_waited;
    struct redis_call redis;
    bool opens_session; /* BATCH, STEP: its sign-up's session is being made in Redis, before it goes to the store */
    struct data_counted counted; /* LIMIT */
    bool is_unknown;             /* SIGN_IN: no such account; the dummy hash is verified all the same */
    /* ---- the answer ---- */
    enum data_outcome outcome;
    char token[TOKEN_TEXT_BYTES];
    bool has_token;
    bool has_handle; /* of a token that was shown */
    struct token_handle handle;
    int64_t handle_expires_us;
    int64_t until_us;  /* of a token that is no good: the worker need not ask again before; 0: it may */
    size_t held_bytes; /* counted in worker->held_bytes */
    size_t rows_at;    /* rows up to here have been written */
    struct role_request *next_in_ring, *prev_in_ring;
    struct role_request *next_live, *prev_live;
};

struct role_worker {
    struct loop_source source; /* first: the loop hands us its address */
    struct loop_task at_end;
    struct data_role *role; /* NULL: closed, and freed by its own task */
    uint32_t number;
    struct wire_pipe pipe;
    bool is_paused;            /* nothing is read: the worker does not take what it has asked for */
    const char *breach;        /* not NULL: the connection is cut off at the end of the turn, for this reason */
    uint32_t request_count;    /* that are not given back yet */
    size_t asked_bytes;        /* of the payloads of those */
    size_t held_bytes;         /* of answers in the ring */
    struct role_request *ring; /* the next to write a chunk of */
    uint32_t *shown; /* by place in the cache of tokens: the tenant that this worker has shown; NULL: none yet */
    struct role_slot *slots[LIMIT_CALLS_PER_WORKER]; /* made when first used */
};

enum role_effect_step {
    ROLE_EFFECT_FREE,
    ROLE_EFFECT_SENDING,  /* with the outbound role */
    ROLE_EFFECT_SETTLING, /* with the store */
    ROLE_EFFECT_JOB       /* with a worker */
};

/* An effect that this data role has leased. */
struct role_effect {
    struct loop_timer timer; /* JOB: the lease is over; first: the loop hands us its address */
    struct data_role *role;
    enum role_effect_step step;
    struct store_effect effect; /* its texts are in `arena` */
    struct arena arena;
    enum effect_question question;
    struct effect_request request;
    struct effect_answer answer;
    struct store_task task; /* SETTLING */
    struct store_settlement settlement;
    limen_value *values; /* JOB: what the effect was asked with, by its statement's parameters */
    uint32_t value_count;
    uint32_t job;    /* … its number, of ours and never used again */
    uint32_t worker; /* … and whose it is */
};

/* The outbox's side of the role. */
struct role_effects {
    struct loop_timer poll; /* first: the loop hands us its address */
    struct fetch_client *fetches;
    bool is_used;  /* the app has effects */
    bool may_send; /* there is a target for them */
    bool is_leasing, is_counting;
    bool wants_more; /* something became due while a lease was under way */
    struct store_task lease, count;
    struct arena lease_arena, count_arena;
    uint32_t last_job, next_worker, polls;
    void (*on_counts)(void *context, const struct store_effect_counts *counts);
    void *counts_context;
    struct role_effect places[LIMIT_EFFECTS_AT_ONCE];
};

#define ROLE_SCOPE_NONE 0U
#define ROLE_SCOPE_SYSTEM UINT32_MAX

/* Of a bearer scheme: what its tokens must say, and the keys of whoever signs them. */
struct role_issuer {
    struct jwt_rules rules;
    struct jwks *keys;
};

struct data_role {
    struct loop *loop;
    const struct contract *contract;
    const struct query_set *queries;
    uint32_t *scopes; /* of each statement: a role's bit, or ROLE_SCOPE_… */
    struct store *store;
    struct hash_pool *hashes;
    char dummy_hash[HASH_TEXT_BYTES]; /* of a password that nobody knows */
    void (*on_breach)(uint32_t worker);
    struct role_issuer issuers[LIMIT_SCHEMES]; /* by the scheme's index */
    struct token_cache *tokens;                /* NULL: the contract has no bearer scheme */
    limen_str webhook_secrets[LIMIT_SCHEMES];  /* of those that are signed */
    struct role_effects effects;
    bool is_closing, is_draining;
    struct redis *redis;              /* NULL: none is configured */
    struct role_shared_limit *limits; /* by their number in the contract; NULL: hosts share none */
    limen_str app_name;
    uint64_t last_transaction;
    struct role_worker *workers[LIMIT_WORKERS];
    struct role_request *live; /* every request that is not spare */
    struct role_request *spare;
    uint32_t spare_count;
};

/* role_request.c */
/* The store, or Redis in its place, has done. */
void role_task_done(struct store_task *task);
struct role_request *role_request_new(struct role_worker *worker, const struct wire_frame *frame);
/* Gives the request back; it is in no list of anybody else's. */
void role_request_free(struct role_request *request);
/* A parsed request goes its way; it answers in the end, unless it is dropped. */
void role_request_start(struct role_request *request);
/* The worker is answered with `outcome` and what the request has gathered. */
void role_request_answer(struct role_request *request, enum data_outcome outcome);
/* Whom it was with has done with it. False: nobody waits for it any more, and it was given back. */
bool role_request_comes_back(struct role_request *request) LIMEN_MUST_CHECK;
/* Nobody waits for the request any more. It may be gone when this returns. */
void role_request_drop(struct role_request *request);

/* Undoes the slot's interactive transaction, if one is open. */
void role_slot_abandon(struct data_role *role, struct role_slot *slot);
/* The slot is its principal's from now on; with `is_more` the one who acts stays, and the roles add up. */
void role_slot_bind(struct role_slot *slot, const struct principal *principal, bool is_more);
void role_slot_forget(struct data_role *role, struct role_slot *slot);
/* The same for what the request has shown; a credential gives the roles that its scheme knows and no others. */
void role_bind(struct role_request *request);

/* role_token.c: bearer tokens. */
bool role_tokens_open(struct data_role *role, const struct data_role_config *config,
                      struct diags *diags) LIMEN_MUST_CHECK;
void role_tokens_close(struct data_role *role);
/* Answers a SHOW of a token. */
void role_token_show(struct role_request *request);
/* Binds a slot by a handle. Returns NULL, or how the frame breaks the protocol. */
const char *role_token_assume(struct role_worker *worker, struct role_slot *slot, limen_str payload) LIMEN_MUST_CHECK;

/* role_webhook.c: bodies that a provider has signed. */
void role_webhooks_open(struct data_role *role, const struct data_role_config *config);
/* Answers a SHOW_SIGNED. */
void role_webhook_show(struct role_request *request);

/* role_session.c: sessions in Redis; in the store where none is configured. */
bool role_is_of_session(enum store_task_kind kind);
/* Does what a SESSION_… task asks for, and hands the task back as a store would. */
void role_session_submit(struct role_request *request);
/* Makes the session of a new account, before its batch goes to the store: hands the task back with `opens_session` still set. */
void role_session_open(struct role_request *request);
/* Ends the session of an account that was not made. */
void role_session_undo(struct data_role *role, const uint8_t token_hash[TOKEN_HASH_BYTES]);

/* role_limit.c: limits that hosts share. */
struct role_shared_limit {
    limen_str stem;             /* of the keys */
    limen_str interval, window; /* in microseconds, as text */
};
bool role_limits_open(struct data_role *role, uint32_t scale, struct arena *arena) LIMEN_MUST_CHECK;
/* Reads a LIMIT into the request's command. NULL, or how the frame breaks the protocol. */
const char *role_limit_parse(struct role_request *request, struct wire_reader *reader,
                             enum data_outcome *ret_outcome) LIMEN_MUST_CHECK;
void role_limit_start(struct role_request *request);

/* role_parse.c: fills in the task. Returns NULL, or how the frame breaks the protocol; `*ret_outcome` is not DATA_OK
 * when the request is to be answered with it at once. */
const char *role_parse(struct role_request *request, const struct role_slot *slot,
                       enum data_outcome *ret_outcome) LIMEN_MUST_CHECK;

/* role_send.c: writes what the ring holds, as far as the output has room. False when the connection cannot go on. */
bool role_send(struct role_worker *worker) LIMEN_MUST_CHECK;
void role_ring_push(struct role_worker *worker, struct role_request *request);
void role_ring_remove(struct role_worker *worker, struct role_request *request);

/* role_effect.c: leases effects, has them sent, settles what came of it. */
bool role_effects_open(struct data_role *role, const struct data_role_config *config) LIMEN_MUST_CHECK;
/* No lease is begun any more. */
void role_effects_stop(struct data_role *role);
void role_effects_close(struct data_role *role);
/* Something may have become due. */
void role_effects_look(struct data_role *role);
bool role_effects_are_idle(const struct data_role *role);
/* Ends what the role does about an effect with its settlement, which is filled in. */
void role_effect_settle(struct role_effect *effect);
void role_effect_free(struct role_effect *effect);

/* role_job.c: what came of an effect goes to a worker. */
/* Hands the effect's result to a worker, or gives the effect back when there is none. */
void role_job_offer(struct role_effect *effect);
/* A slot takes a job that its worker was given. Returns NULL, or how the frame breaks the protocol. */
const char *role_job_take(struct role_worker *worker, struct role_slot *slot, limen_str payload) LIMEN_MUST_CHECK;
/* What the batch of a job's slot is to settle: in the request's arena. False when memory is out. */
bool role_job_settles(struct role_request *request, const struct role_slot *slot) LIMEN_MUST_CHECK;
/* Whether the request's job may run a statement of the system's, with these parameters: DATA_OK, DATA_FORBIDDEN, or DATA_BUSY when its
 * time is over. */
enum data_outcome role_job_allows(const struct role_request *request, const struct statement *statement,
                                  const limen_value *params, uint32_t count) LIMEN_MUST_CHECK;
/* The slot's batch is committed, or refused because another has taken the effect over. */
void role_job_done(struct data_role *role, struct role_slot *slot);
/* The slot's call has ended; where it has committed nothing the effect is offered again later. */
void role_job_forget(struct data_role *role, struct role_slot *slot);
void role_job_worker_gone(struct data_role *role, uint32_t worker);

/* role_worker.c */
/* Writes a frame that no request asked for; false when the worker takes no more. */
bool role_worker_tell_job(struct role_worker *worker, const struct role_effect *effect) LIMEN_MUST_CHECK;
struct role_worker *role_worker_new(struct data_role *role, uint32_t number, int fd);
void role_worker_close(struct role_worker *worker);

#endif
