/* call.h - one request from admission to reply, as the app layer's own files see it.
 *
 * A call owns an arena (it lies in its own first block), a fiber and, once it has asked the data role something, a slot. It
 * ends in exactly one of three ways: its fiber returns, it is abandoned from inside (call_end), or from outside (the client
 * left, the deadline passed). A job's call has no exchange, and an operation that stands in for one. */
#ifndef APP_CALL_H
#define APP_CALL_H

#include "app/app.h"
#include "limen/limen.h"

struct call_undo {
    void (*undo)(void *context);
    void *context;
    struct call_undo *next;
};

/* What a call does that no request has asked for. */
struct call_job {
    uint32_t number;
    const struct limen_effect *effect;
    const limen_value *params;
    limen_effect_result result;
};

struct limen_call {
    struct app *app;
    struct arena arena;
    struct fiber *fiber;
    struct admission admission;
    limen_time now;
    limen_principal caller;
    bool has_caller;
    struct call_job *job; /* NULL: a request's call */

    struct data_batch batch;
    bool is_interactive; /* a transaction is open: reads see what was queued */
    bool is_committed;   /* by limen_commit */
    bool is_done;        /* something is committed: no end of the call can undo it */
    bool is_batch_sent;  /* from here on an end is "outcome unknown" */

    bool has_signed_up;
    char cookie_text[TOKEN_TEXT_BYTES]; /* of a new session */
    bool sets_cookie, clears_cookie;

    bool is_running; /* on its fiber, right now */
    bool is_over;    /* call_end was called: the fiber will not be resumed */
    limen_reply over_reply;
    bool is_waiting_for_data;
    struct limen_call *next_waiting;
    struct loop_timer deadline;
    struct call_undo *undos;

    /* Not zeroed when a call begins: by place in the batch, as far as batch.count. */
    const limen_statement *queued[LIMIT_BATCH_STATEMENTS];
    void *returning[LIMIT_BATCH_STATEMENTS]; /* where a :returning row goes, or NULL */
};

/* A call whose fiber begins with `run`; NULL when there is no room for it. */
struct limen_call *call_new(struct app *app, void (*run)(void *context)) LIMEN_MUST_CHECK;
/* Ends a call that has not run. */
void call_drop(struct limen_call *call);
/* Suspends the fiber of the call `context` until it is woken; the data client takes it as its callback. */
void call_wait(void *context);
/* Resumes it, from the loop. */
void call_wake(void *call);
/* Inside the fiber: ends the call with this reply; the handler is not returned to. */
LIMEN_NORETURN
void call_end(struct limen_call *call, limen_reply reply);
/* The same for what is not the handler's fault: 503 or 504 or 500, by what the data role said. */
LIMEN_NORETURN
void call_abandon(struct limen_call *call, enum data_outcome outcome);
/* A reply made by the library: problem+json. Falls back to an empty body when memory is out. */
limen_reply call_problem(struct limen_call *call, int status, const char *type, limen_str detail);

/* Commits the batch with key and reply where the operation has one; returns the reply to send (its own, or a stored one). */
limen_reply call_commit(struct limen_call *call, limen_reply reply);
/* What a call without DATA_OK has come to: a stored reply, or the refusal that a statement names. Abandons the call where neither is. */
limen_reply call_settle(struct limen_call *call);
/* The key of a keyed operation, or NULL. */
const struct data_key *call_key(const struct limen_call *call);
/* Rows of the :returning statements of the queue that was sent, into the structs that the handler holds. */
void call_fill_returning(struct limen_call *call);
/* A refusal of a keyed call: when an earlier attempt was committed, its reply. */
limen_reply call_lookup_key(struct limen_call *call, limen_reply refusal);

/* A job has come to this. */
void call_end_job(struct limen_call *call, limen_reply reply);
/* Sends the reply and counts it; a job's goes nowhere. */
void call_send(struct limen_call *call, limen_reply reply);
/* What admission has refused, as a reply; counted. */
limen_reply call_refusal(struct limen_call *call);
/* Sends it. */
void call_send_refusal(struct limen_call *call);

#endif
