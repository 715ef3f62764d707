/* client_internal.h - what the files of the worker's end share (client*.c); nobody else includes it. */
#ifndef DATA_CLIENT_INTERNAL_H
#define DATA_CLIENT_INTERNAL_H

#include "core/limits.h"
#include "core/loop.h"
#include "data/client.h"
#include "data/token_cache.h"
#include "data/wire_pipe.h"

struct client_slot {
    struct data_request *current; /* NULL: nothing under way. The memory is the call's: never touched after release */
    uint32_t sequence;
    uint32_t next_free, next_ending;
    enum data_outcome
        local; /* how the request ends when it is on the list of the ending ones; DATA_OK: it is not ending */
    enum data_outcome rows; /* not DATA_OK: the rows could not be kept */
    bool is_taken;
    bool is_read;   /* `current` may be sent rows */
    bool is_ending; /* on the list; stays true when released meanwhile */
    bool is_known;  /* the data role may hold something for it: a release must be told */
    bool is_bound;  /* a credential was shown, on the connection of that number: another one knows nothing of it */
    uint32_t bound_on;
};

struct data_client {
    struct loop_source source; /* first: the loop hands us its address */
    struct loop_task at_end;
    struct loop_timer again;
    struct loop_timer_list *again_list;
    struct loop *loop;
    struct wire_pipe pipe;
    void (*on_attach)(void *context);
    void *attach_context;
    void (*on_job)(void *context, const struct data_job *job);
    void *job_context;
    uint32_t credit; /* slots that the data role grants; kept over a re-attachment */
    bool has_credit; /* of this connection */
    bool is_ending_now;
    uint32_t fresh;              /* slots from here on have never been used */
    uint32_t connection;         /* counts the sockets */
    struct token_cache *tokens;  /* shown on this connection; NULL: the contract has none */
    struct token_cache *no_good; /* the same, of those that were refused; apart, so that they push out no other */
    uint32_t free_head, ending_head;
    struct client_slot slots[LIMIT_CALLS_PER_WORKER];
};

/* The slot's request will be answered with `outcome` at the end of the turn. */
void client_end_locally(struct data_client *client, uint32_t number, enum data_outcome outcome);

#endif
