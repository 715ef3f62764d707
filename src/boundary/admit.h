/* admit.h - the boundary: what a request must pass before a handler sees it.
 *
 * admit() is the table "The way of a request" of the design, in its order. It runs in the call's fiber, so a step that waits (for the
 * session, for the body) reads like one that does not. */
#ifndef BOUNDARY_ADMIT_H
#define BOUNDARY_ADMIT_H

#include "boundary/board.h"
#include "boundary/idempotency.h"
#include "boundary/limit.h"
#include "boundary/problem.h"
#include "boundary/router.h"
#include "core/arena.h"
#include "data/client.h"
#include "edge/edge.h"
#include "edge/static.h"
#include "limen/app.h"

struct bound_operation;

/* What is always said of a limit. */
struct policy_text {
    limen_str field;   /* RateLimit-Policy */
    limen_str problem; /* of its 429 */
};

/* All that admission needs, once a worker. Borrowed pointers outlive it. */
struct boundary {
    const struct contract *contract;
    const struct limen_app *app;
    const struct router *router;
    const struct static_files *files; /* NULL: the app has no page */
    struct data_client *data;
    void *limits;       /* the table that the workers of this host share */
    bool shares_limits; /* hosts count together, through the data role */
    uint32_t limit_scale;
    const struct policy_text *policies; /* of each limit, by its number; made by boundary_bind */
    const struct clock *clock;
    struct board_row *board;
    const struct bound_operation *operations; /* by index */
};

/* Resolves every operation's input shape against its handler, so that a request compares no names, and writes what is said of each
 * limit. `boundary` is otherwise complete. False after adding to `diags`: an
 * operation without a handler, a handler without an operation, a generated header older than the contract. */
bool boundary_bind(struct boundary *boundary, struct arena *arena, struct diags *diags) LIMEN_MUST_CHECK;

enum admit_verdict {
    ADMIT_OK,      /* `operation`, `input`, `principal` … are there: run the handler */
    ADMIT_REFUSED, /* `problem`, `refusal` and the fields tell what to answer */
    ADMIT_ANSWERED /* a file, the contract, OPTIONS: the exchange has its reply */
};

#define ADMISSION_HEADERS 16U

/* A credential of the request, as it was shown to the data role. */
struct shown_credential {
    uint32_t scheme; /* index in the contract */
    limen_str text;  /* in the request's head */
    bool has_handle; /* a token that had been shown before */
    struct data_handle handle;
};

struct admission {
    /* ---- in ---- */
    const struct boundary *boundary;
    struct exchange *exchange;
    struct arena *arena;
    void (*wait)(void *call); /* suspends the fiber until something wakes it */
    void (*wake)(void *call); /* resumes it; called from the loop */
    void *call;
    int64_t started_us; /* monotonic */

    /* ---- out ---- */
    const struct operation *operation; /* NULL before routing */
    const struct limen_handler *handler;
    void *input;
    struct principal principal;                   /* id_len 0 on a public operation */
    struct shown_credential shown[LIMIT_DEMANDS]; /* of the alternative that admits; the first one's principal acts */
    uint32_t shown_count;
    bool has_slot;
    struct data_request request; /* the call's one request at a time */
    struct data_key key;         /* of a keyed operation */
    char key_memory[LIMIT_IDEMPOTENCY_KEY_BYTES];

    /* ---- a refusal ---- */
    enum refusal refusal;
    struct problem_reply problem;
    struct faults faults;

    /* Fields of the reply, also of a good one. */
    struct http_header_out headers[ADMISSION_HEADERS];
    uint32_t header_count;

    /* ---- private ---- */
    struct path_params path_params;
    struct limit_state limit_state;
    bool has_limit_state;
    enum body_outcome body_outcome;
    limen_str body;
    bool is_waiting_for_body, body_is_there;
    char state_text[LIMIT_FIELD_BYTES], retry_text[16];
};

enum admit_verdict admit(struct admission *admission) LIMEN_MUST_CHECK;

/* Counts an attempt to sign in to the account of this email, whether there is one or not (the contract's x-sign-in-limit). False after
 * recording a 429. What is left of such a quota is told to nobody: it would show whether others use the account. */
bool admission_may_sign_in(struct admission *admission, limen_str email) LIMEN_MUST_CHECK;
/* Takes the call's slot at the data role when it has none yet; false: no credit is left (503). */
bool admission_take_slot(struct admission *admission) LIMEN_MUST_CHECK;
/* Adds a field to the reply. */
void admission_add_header(struct admission *admission, limen_str name, limen_str value);
/* What is left of the operation's time, in microseconds; at least 0. */
int64_t admission_time_left(const struct admission *admission);
/* Records a refusal; always false, so that a step can return it. */
bool admission_refuse(struct admission *admission, enum refusal refusal, struct problem_reply problem);
bool admission_refuse_overload(struct admission *admission, enum refusal refusal);
bool admission_refuse_cross_site(struct admission *admission);

#endif
