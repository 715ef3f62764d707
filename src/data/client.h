/* client.h - the worker's end: asks the data role, and hears the answer in the loop.
 *
 * Requests of one loop turn leave together at its end. A call holds a slot; what the slot has shown (a session) is who
 * it is. When the data role dies, every request under way ends with DATA_GONE, and new ones do until the supervisor
 * hands over a new socket. */
#ifndef DATA_CLIENT_H
#define DATA_CLIENT_H

#include "data/principal.h"
#include "data/token_cache.h"
#include "data/wire.h"

struct arena;
struct data_client;
struct loop;

/* One question; embedded in the call, one at a time. Owned by the caller; the client forgets it at on_reply,
 * data_cancel or data_slot_release, whichever comes first. */
struct data_request {
    /* ---- in ---- */
    uint32_t slot;
    uint16_t operation;
    int64_t timeout_us;         /* from now */
    struct arena *arena;        /* results */
    const limen_row_shape *row; /* reads */
    void (*on_reply)(struct data_request *request);
    void *context;
    /* ---- out ---- */
    enum data_outcome outcome;
    struct principal principal;   /* session, sign-up, sign-in */
    char token[TOKEN_TEXT_BYTES]; /* sign-up, sign-in: the cookie's value */
    void *rows;                   /* of row->bytes each, in the arena */
    size_t row_count;
    uint32_t refused_by; /* index in the batch */
    int status;          /* replay */
    limen_str reply;
    limen_str returned;          /* commit, step: rows of the queue's :returning in wire form, in order */
    struct data_counted counted; /* limit */
    /* ---- the client's own ---- */
    uint32_t sequence;
    size_t row_capacity;
    uint32_t scheme; /* of what is shown */
    struct token_mark mark;
};

/* A token that this worker has shown, on one connection. */
struct data_handle {
    struct token_handle token;
    uint32_t connection;
};

struct data_client *data_client_new(struct loop *loop);
/* For a contract with bearer tokens: those that are shown are remembered, good ones while they are valid, others for a moment. False when
 * memory is out. */
bool data_client_remember_tokens(struct data_client *client) LIMEN_MUST_CHECK;
void data_client_free(struct data_client *client);
/* Takes a connected socket (and closes the one before). */
bool data_client_attach(struct data_client *client, int fd) LIMEN_MUST_CHECK;
bool data_client_is_attached(const struct data_client *client);
/* Called whenever a new socket has been attached and its credit has come. May be NULL. */
void data_client_on_attach(struct data_client *client, void (*on_attach)(void *context), void *context);

/* A job: what came of an effect, for the app's function. Valid while on_job runs. */
struct data_job {
    uint32_t number;
    limen_str effect;
    uint8_t outcome; /* enum limen_effect_outcome */
    limen_str object_id, state, code;
    limen_str params; /* for wire_get_values */
};
/* Called for each job that the data role hands over. One that no slot takes is handed to another in its time. */
void data_client_on_job(struct data_client *client, void (*on_job)(void *context, const struct data_job *job),
                        void *context);
/* The slot acts for the system and runs the job; nothing comes back. Its batch ends the job; a release without one has it offered again. */
void data_job_take(struct data_client *client, uint32_t slot, uint32_t job);

/* A slot for a call; false when the credit is used up (503). */
bool data_slot_take(struct data_client *client, uint32_t *ret_slot) LIMEN_MUST_CHECK;
/* Forgets the request under way, if any: on_reply will not be called. A batch may be committed all the same. The slot
 * stays. */
void data_cancel(struct data_client *client, uint32_t slot);
/* Ends the call's part: cancels a request under way (on_reply will not be called) and tells the data role to forget. */
void data_slot_release(struct data_client *client, uint32_t slot);

/* What this worker knows of a token of this scheme without asking. */
enum token_memory {
    TOKEN_GOOD,    /* shown before: `ret_principal`, `ret_handle` */
    TOKEN_NO_GOOD, /* shown a moment ago, and refused */
    TOKEN_UNKNOWN
};
enum token_memory data_token_find(struct data_client *client, uint32_t scheme, limen_str token,
                                  struct principal *ret_principal, struct data_handle *ret_handle) LIMEN_MUST_CHECK;
/* Binds the slot to a good one, as data_show would; nothing comes back. When the data role has been started anew since, what this slot
 * asks ends with DATA_GONE. */
void data_assume(struct data_client *client, uint32_t slot, struct data_handle handle, bool is_more);

/* Each starts one request; on_reply comes later, from the loop, never from inside these. */
/* Shows a credential of the contract's scheme of that index. The slot acts for its principal from then on; with `is_more` it
 * stands beside what the slot has shown already: the first one acts, and the roles add up. DATA_NONE: it is not valid. */
void data_show(struct data_client *client, struct data_request *request, uint32_t scheme, limen_str credential,
               bool is_more);
/* Shows a provider's signature over a body, of the contract's scheme of that index; else as data_show. The slot is the scheme's from
 * then on. */
void data_show_signed(struct data_client *client, struct data_request *request, uint32_t scheme, limen_str signature,
                      limen_str body);
void data_sign_up(struct data_client *client, struct data_request *request, limen_str email, limen_str password,
                  uint32_t scheme);
void data_sign_in(struct data_client *client, struct data_request *request, limen_str email, limen_str password);
void data_sign_out(struct data_client *client, struct data_request *request, limen_str token_text);
void data_read(struct data_client *client, struct data_request *request, uint16_t statement, const limen_value *params,
               size_t count);

/* A call's queue, encoded as it grows. */
struct data_batch {
    struct buf items;
    uint32_t count;
};
void data_batch_init(struct data_batch *batch, struct arena *arena);
void data_batch_add(struct data_batch *batch, uint16_t statement, const limen_value *params, size_t count);
struct data_key {
    limen_str key;
    uint8_t fingerprint[32];
};
/* `key` is NULL for an unkeyed call; `status` and `reply` are what is stored with the key. */
void data_commit(struct data_client *client, struct data_request *request, const struct data_batch *batch,
                 const struct data_key *key, int status, limen_str reply);
/* What is queued so far goes into an interactive transaction of the slot, and the read sees it. The transaction stays open until
 * data_commit, any outcome but DATA_OK, data_cancel or the slot's release. `key` is looked up only. */
void data_step(struct data_client *client, struct data_request *request, const struct data_batch *batch,
               const struct data_key *key, uint16_t statement, const limen_value *params, size_t count);
/* Something has been heard of a provider's object, or of the effect with this key: it is looked at soon. DATA_NONE: no effect waits. */
void data_effect_ask(struct data_client *client, struct data_request *request, limen_str news_of);
void data_key_find(struct data_client *client, struct data_request *request, const struct data_key *key);
/* Counts one more request in limits that hosts share: at most LIMIT_LIMITS_AT_ONCE, by their numbers in the contract. DATA_BUSY: nobody can
 * count them now. */
struct data_limit {
    uint32_t policy;
    limen_str caller;
};
void data_limit(struct data_client *client, struct data_request *request, const struct data_limit *limits,
                size_t count);

/* The system calls of the worker's end, for its sandbox. */
struct syscall_list;
extern const struct syscall_list data_client_syscalls;

#endif
