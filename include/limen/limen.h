/* limen.h - what a handler sees.
 *
 * A handler is straight-line code in a fiber. What it asks of the data layer either answers the business question (found or
 * not, changed or not) or never returns: when the database is gone, the deadline has passed or the client has left, the call is
 * abandoned and everything that belongs to it is freed. So there is no error to pass on, and none to forget. */
#ifndef LIMEN_LIMEN_H
#define LIMEN_LIMEN_H

#include "limen/app.h"
#include "limen/base.h"
#include "limen/shape.h"

typedef struct limen_call limen_call;

/* What a handler returns; made by the generated reply functions (checkout_201, …) only. */
typedef struct limen_reply {
    int status;     /* 0: the handler made no reply (an error: 500) */
    limen_str body; /* encoded, in the call's arena */
    bool is_problem;
} limen_reply;

/* ---- the call -------------------------------------------------------------------------------------------------- */
/* Zeroed memory that lives as long as the call. Never NULL: past the call's ceiling the call is abandoned (503). */
void *limen_alloc(limen_call *call, size_t bytes);
#define LIMEN_NEW(call, type) ((type *)limen_alloc((call), sizeof(type)))
#define LIMEN_NEW_ARRAY(call, type, count) ((type *)limen_alloc_array((call), (count), sizeof(type)))
void *limen_alloc_array(limen_call *call, size_t count, size_t bytes);
limen_str limen_printf(limen_call *call, const char *format, ...) LIMEN_PRINTF(2, 3);
bool limen_str_equal(limen_str a, limen_str b);

/* The call's time: one value for the whole call. */
limen_time limen_now(const limen_call *call);
/* "<prefix>_" and 27 characters: 48 bits of milliseconds, then at least 74 random bits, base-62-like text that sorts by time. */
limen_str limen_new_id(limen_call *call, const char *prefix);

/* Who calls. On a public operation without a credential `id` is empty. */
typedef struct limen_principal {
    limen_str id; /* "acc_…" */
    limen_str email;
    const limen_str *roles;
    size_t role_count;
} limen_principal;
const limen_principal *limen_caller(limen_call *call);

/* Runs `undo(context)` when the call ends, however it ends (also when abandoned): for what does not belong to the call's
 * memory, such as a FILE or a lock. Runs in reverse order. It must not use the call. */
void limen_defer(limen_call *call, void (*undo)(void *context), void *context);

/* A line in the log, with the operation's id. Never log what identifies a person. */
void limen_log(const limen_call *call, const char *format, ...) LIMEN_PRINTF(2, 3);

/* ---- signing in ------------------------------------------------------------------------------------------------ */
/* Makes an account with the roles of the scheme's x-sign-up-roles and signs it in; it is committed together with the
 * call's batch, and `:caller` in that batch is the new account. False: the email is taken (compared without case). */
bool limen_sign_up(limen_call *call, limen_str email, limen_str password, limen_str *ret_account_id) LIMEN_MUST_CHECK;
/* True: the call is now this principal, the reply sets the cookie, and the session that the call came with has ended. False: unknown or
 * wrong, after the same time. */
bool limen_sign_in(limen_call *call, limen_str email, limen_str password) LIMEN_MUST_CHECK;
/* Ends the session that this call came with, at once in all workers; the reply clears the cookie. */
void limen_sign_out(limen_call *call);

/* ---- statements (called by the generated queries.h) --------------------------------------------------------------- */
enum limen_type {
    LIMEN_TYPE_TEXT,
    LIMEN_TYPE_INT,
    LIMEN_TYPE_FLOAT,
    LIMEN_TYPE_BOOL,
    LIMEN_TYPE_BYTES,
    LIMEN_TYPE_TIME,
    LIMEN_TYPE_JSON
};

/* Lists, as parameters. */
typedef struct limen_strs {
    const limen_str *items;
    size_t count;
} limen_strs;
typedef struct limen_ints {
    const int64_t *items;
    size_t count;
} limen_ints;
typedef struct limen_opt_str {
    bool has;
    limen_str value;
} limen_opt_str; /* text? bytes? json? */
typedef struct limen_opt_int {
    bool has;
    int64_t value;
} limen_opt_int; /* int? time? */
typedef struct limen_opt_float {
    bool has;
    double value;
} limen_opt_float;
typedef struct limen_opt_bool {
    bool has;
    bool value;
} limen_opt_bool;

/* One parameter. */
typedef struct limen_value {
    uint8_t type; /* enum limen_type */
    bool is_null, is_list;
    size_t count; /* of a list */
    union {
        int64_t integer;         /* INT, BOOL, TIME */
        double number;           /* FLOAT */
        limen_str text;          /* TEXT, BYTES, JSON */
        const limen_str *texts;  /* list of TEXT */
        const int64_t *integers; /* list of INT */
    } as;
} limen_value;

/* One result column, and where it goes in the row's struct. */
typedef struct limen_column {
    limen_str name;
    uint8_t type;     /* enum limen_type; C types: limen_str, int64_t, double, bool, limen_str, limen_time, limen_str */
    bool is_nullable; /* then the member is a limen_opt_… */
    uint32_t offset;
} limen_column;
typedef struct limen_row_shape {
    uint32_t bytes, count;
    const limen_column *columns;
} limen_row_shape;

/* A statement, as the generated code names it. */
typedef struct limen_statement {
    uint16_t number; /* in the order of queries.sql */
    const char *name;
    const limen_row_shape *row; /* NULL for :exec and :must */
    int else_status;            /* :must, an effect - the reply when no row changed; 0 otherwise */
    const char *else_text;
} limen_statement;

/* :one - true and one row in `ret_row`, or false: there is none. */
bool limen_query_one(limen_call *call, const limen_statement *statement, const limen_value *params, size_t count,
                     void *ret_row) LIMEN_MUST_CHECK;
/* :many - the rows, in the call's memory; `*ret_rows` points to the first. Returns how many. */
size_t limen_query_many(limen_call *call, const limen_statement *statement, const limen_value *params, size_t count,
                        void **ret_rows);
/* :exec, :must and effects - appended to the call's batch. */
void limen_queue(limen_call *call, const limen_statement *statement, const limen_value *params, size_t count);
/* :returning - appended to the batch; the row that is returned is filled in by limen_commit. Not in keyed operations. */
void *limen_queue_returning(limen_call *call, const limen_statement *statement, const limen_value *params,
                            size_t count);
/* Commits the batch now and waits; afterwards nothing more may be queued. Only needed to read :returning rows before the reply. */
void limen_commit(limen_call *call);

/* ---- effects ------------------------------------------------------------------------------------------------------- */
enum limen_effect_outcome {
    LIMEN_EFFECT_SUCCEEDED,
    LIMEN_EFFECT_DECLINED, /* by the bank or the provider, for a reason of the customer's: `code` */
    LIMEN_EFFECT_FAILED    /* an operator has given it up: `effects drop` */
};

/* What came of an effect in the end. An app writes `void <effect>_result(call, <parameters of the effect>, result)`; it runs in a call
 * of the system's own: there is no caller, and its statements say `-- scope: system for <effect>`. What it queues is committed together with the
 * note that the result was taken, exactly once. When it cannot be committed, it is called again later; so it must have no other
 * consequence. */
typedef struct limen_effect_result {
    enum limen_effect_outcome outcome;
    limen_str object_id; /* the provider's own: "pi_…"; empty when it made none */
    limen_str state;     /* the provider's own word: "succeeded", "requires_payment_method" */
    limen_str code;      /* why it was declined: "card_declined"; else empty */
} limen_effect_result;

/* Something has been heard of the object of this id (or of the effect with this key, "charge/ord_…"), such as by a webhook: the provider is
 * asked for its state soon. False: no effect waits for news of it. Safe to call with whatever a stranger has sent. */
bool limen_effect_ask(limen_call *call, limen_str id_or_key);

/* ---- replies (called by the generated api.h) ------------------------------------------------------------------------ */
limen_reply limen_reply_object(limen_call *call, int status, const struct limen_shape *shape, const void *value);
limen_reply limen_reply_empty(limen_call *call, int status);
/* application/problem+json with this detail (our own text; NULL: none). */
limen_reply limen_reply_problem(limen_call *call, int status, const char *detail);

#endif
