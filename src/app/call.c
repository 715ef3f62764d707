/* call.c - the life of a call: a fiber over an arena, from the edge's hook to the reply. */
#include "app/call.h"

#include "core/log.h"
#include "core/str.h"

#include <stdio.h>

#define PROBLEM_OUTCOME_UNKNOWN "https://limen.dev/problems/outcome-unknown"

/* ---- the end ---------------------------------------------------------------------------------------------------------- */

static void leave_waiting_list(struct limen_call *call)
{
    struct limen_call **at = &call->app->waiting;
    while (*at != NULL && *at != call)
        at = &(*at)->next_waiting;
    if (*at == call)
        *at = call->next_waiting;
}

/* Gives back all that the call holds; the call lies in its own arena, so that goes last. */
static void call_free(struct limen_call *call)
{
    loop_timer_stop(&call->deadline);
    if (call->is_waiting_for_data)
        leave_waiting_list(call);
    for (struct call_undo *undo = call->undos; undo != NULL; undo = undo->next)
        undo->undo(undo->context);
    if (call->admission.has_slot)
        data_slot_release(call->app->boundary->data, call->admission.request.slot);
    call->app->calls--;
    struct arena arena = call->arena;
    arena_release(&arena);
}

/* The fiber is not running and will not run again. */
static void abandon_fiber(struct limen_call *call)
{
    fiber_abandon(call->fiber);
    call_free(call);
}

void call_drop(struct limen_call *call)
{
    abandon_fiber(call);
}

limen_reply call_problem(struct limen_call *call, int status, const char *type, limen_str detail)
{
    struct problem problem = { .status = status, .type = type, .detail = detail };
    struct buf text;
    buf_init(&text, &call->arena, 256);
    problem_write(&problem, &text);
    return (
        limen_reply){ .status = status, .is_problem = true, .body = text.failed ? (limen_str){ 0 } : buf_str(&text) };
}

LIMEN_NORETURN
void call_end(struct limen_call *call, limen_reply reply)
{
    call->is_over = true;
    call->over_reply = reply;
    fiber_yield(call->fiber);
    BUG("a call that has ended was resumed");
}

/* What a client is told when the call cannot go on. An unkeyed batch that was sent may have been committed, one that was
 * answered has been, and the reply says so: nobody shall order twice because they were told that nothing was done. */
static limen_reply abandonment_reply(struct limen_call *call, enum data_outcome outcome)
{
    if (call->is_done)
        return call_problem(call, 503, PROBLEM_OUTCOME_UNKNOWN,
                            LIMEN_STR("it was done, but the server could not make its answer; look before you send the "
                                      "request again"));
    bool is_unknown = call->is_batch_sent && (outcome == DATA_UNKNOWN || outcome == DATA_GONE);
    if (is_unknown && call->admission.operation->needs_key)
        return call_problem(
            call, 503, PROBLEM_OUTCOME_UNKNOWN,
            LIMEN_STR("the outcome is not known yet; send the request again with the same Idempotency-Key"));
    if (is_unknown)
        return call_problem(call, 503, PROBLEM_OUTCOME_UNKNOWN,
                            LIMEN_STR("the outcome is not known; look before you send the request again"));
    if (outcome == DATA_TIMEOUT)
        return call_problem(call, 504, NULL, LIMEN_STR("the operation took longer than it may; nothing was done"));
    if (outcome == DATA_BUSY || outcome == DATA_GONE)
        return call_problem(call, 503, NULL, LIMEN_STR("the server cannot answer right now; nothing was done"));
    return call_problem(call, 500, NULL, LIMEN_STR("the server failed; nothing was done"));
}

static void count_abandonment(struct limen_call *call, enum data_outcome outcome)
{
    enum refusal refusal = outcome == DATA_BUSY ? REFUSAL_OVERLOAD
        : outcome == DATA_TIMEOUT               ? REFUSAL_DEADLINE
                                                : REFUSAL_DATA;
    board_add(&call->app->boundary->board->refusals[refusal], 1);
}

LIMEN_NORETURN
void call_abandon(struct limen_call *call, enum data_outcome outcome)
{
    count_abandonment(call, outcome);
    call_end(call, abandonment_reply(call, outcome));
}

static void on_deadline(struct loop_timer *timer)
{
    struct limen_call *call = (struct limen_call *)((char *)timer - offsetof(struct limen_call, deadline));
    enum data_outcome outcome = call->is_batch_sent ? DATA_UNKNOWN : DATA_TIMEOUT;
    /* Where the body took most of the time it is the client's fault, and the call goes on to say so. */
    if (call->job == NULL && exchange_give_up_body(call->admission.exchange, call->admission.operation->timeout_us / 2))
        return;
    count_abandonment(call, DATA_TIMEOUT);
    LOG_WARN("a call passed its deadline", log_str("operation", call->admission.operation->id));
    call_send(call, abandonment_reply(call, outcome));
    abandon_fiber(call);
}

/* ---- running ---------------------------------------------------------------------------------------------------------- */

static void resume(struct limen_call *call)
{
    struct app *app = call->app;
    struct board_row *board = app->boundary->board;
    const struct operation *operation = call->admission.operation;
    atomic_store_explicit(&board->operation, operation == NULL ? 0 : operation->index + 1, memory_order_relaxed);
    call->is_running = true;
    bool is_done = fiber_resume(call->fiber);
    atomic_store_explicit(&board->operation, 0, memory_order_relaxed);
    if (is_done) {
        call_free(call);
        return;
    }
    call->is_running = false;
    if (call->is_over) {
        call_send(call, call->over_reply);
        abandon_fiber(call);
    }
}

void call_wait(void *context)
{
    struct limen_call *call = context;
    const struct operation *operation = call->admission.operation;
    if (operation != NULL && call->deadline.list == NULL)
        loop_timer_start(loop_timers(call->app->loop, operation->timeout_us), &call->deadline, on_deadline);
    fiber_yield(call->fiber);
}

void call_wake(void *call)
{
    resume(call);
}

static void on_data_reply(struct data_request *request)
{
    resume(request->context);
}

static void run_handler(struct limen_call *call)
{
    const struct admission *admission = &call->admission;
    atomic_store_explicit(&call->app->boundary->board->operation, admission->operation->index + 1,
                          memory_order_relaxed);
    call->now = call->app->boundary->clock->wall_us;
    data_batch_init(&call->batch, &call->arena);
    limen_reply reply = admission->handler->run(call, admission->input);
    if (reply.status >= 200 && reply.status < 300)
        reply = call_commit(call, reply);
    else if (admission->operation->needs_key)
        reply = call_lookup_key(call, reply);
    call_send(call, reply);
}

static void call_main(void *context)
{
    struct limen_call *call = context;
    switch (admit(&call->admission)) {
    case ADMIT_OK:
        run_handler(call);
        return;
    case ADMIT_REFUSED:
        call_send_refusal(call);
        return;
    case ADMIT_ANSWERED:
        board_add(&call->app->boundary->board->replies[0][BOARD_2XX], 1);
        return;
    }
}

/* ---- the edge's hooks ------------------------------------------------------------------------------------------------- */

struct limen_call *call_new(struct app *app, void (*run)(void *context))
{
    struct arena arena;
    arena_init(&arena, app->arenas, LIMIT_CALL_ARENA_BYTES);
    arena_count(&arena, app->memory);
    struct limen_call *call = arena_alloc(&arena, sizeof(*call));
    if (call == NULL)
        return NULL;
    memset(call, 0, offsetof(struct limen_call, queued));
    call->arena = arena;
    call->app = app;
    call->fiber = fiber_new(app->fibers, run, call);
    if (call->fiber == NULL) {
        arena_release(&arena);
        return NULL;
    }
    app->calls++;
    struct admission *admission = &call->admission; /* all else of it is zero */
    admission->boundary = app->boundary;
    admission->arena = &call->arena;
    admission->wait = call_wait;
    admission->wake = call_wake;
    admission->call = call;
    admission->started_us = app->boundary->clock->mono_us;
    admission->request.arena = &call->arena;
    admission->request.on_reply = on_data_reply;
    admission->request.context = call;
    return call;
}

static void refuse_overload(struct app *app, struct exchange *exchange)
{
    static const struct http_header_out retry = { LIMEN_STR_INIT("Retry-After"), LIMEN_STR_INIT("1") };
    struct http_reply reply = {
        .status = 503,
        .content_type = PROBLEM_MEDIA_TYPE,
        .body = LIMEN_STR("{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,"
                          "\"detail\":\"too many calls are under way; nothing was done\"}"),
        .headers = &retry,
        .header_count = 1,
    };
    board_add(&app->boundary->board->refusals[REFUSAL_OVERLOAD], 1);
    board_add(&app->boundary->board->replies[0][BOARD_5XX], 1);
    exchange_reply(exchange, &reply);
}

void app_on_request(void *context, struct exchange *exchange)
{
    struct app *app = context;
    struct limen_call *call = call_new(app, call_main);
    if (call == NULL) {
        refuse_overload(app, exchange);
        return;
    }
    call->admission.exchange = exchange;
    exchange_set_user(exchange, call);
    resume(call);
}

void app_on_gone(void *context, struct exchange *exchange)
{
    struct limen_call *call = exchange_user(exchange);
    (void)context;
    if (call != NULL)
        abandon_fiber(call);
}

void app_on_refused(void *context, int status)
{
    struct app *app = context;
    (void)status;
    board_add(&app->boundary->board->refusals[REFUSAL_HTTP], 1);
    board_add(&app->boundary->board->replies[0][BOARD_4XX], 1);
}

void app_on_attach(void *context)
{
    struct app *app = context;
    /* Each that wakes may wait again, for the next one: take the list first. */
    struct limen_call *call = app->waiting;
    app->waiting = NULL;
    while (call != NULL) {
        struct limen_call *next = call->next_waiting;
        call->is_waiting_for_data = false;
        resume(call);
        call = next;
    }
}
