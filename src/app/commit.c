/* commit.c - how a call's queue becomes a transaction, and what its outcome means for the reply.
 *
 * A keyed batch may be sent as often as needed: its key decides. So when the data role goes away, the call waits for the next
 * one, shows its credentials again and sends the same batch. An unkeyed batch is sent once, and an unknown outcome is told. */
#include "app/call.h"

#include "core/log.h"
#include "core/str.h"

const struct data_key *call_key(const struct limen_call *call)
{
    return call->admission.operation->needs_key ? &call->admission.key : NULL;
}

static void prepare(struct limen_call *call)
{
    call->admission.request.timeout_us = admission_time_left(&call->admission);
}

/* Waits until there is a data role again, and makes it know who calls. Who has signed in or up on the way cannot be shown again: what was
 * shown is another's. */
static void come_back(struct limen_call *call)
{
    struct app *app = call->app;
    struct data_request *request = &call->admission.request;
    if (call->sets_cookie)
        call_abandon(call, DATA_UNKNOWN);
    do {
        if (!data_client_is_attached(app->boundary->data)) {
            call->is_waiting_for_data = true;
            call->next_waiting = app->waiting;
            app->waiting = call;
            call_wait(call);
        }
        for (uint32_t i = 0; i < call->admission.shown_count; i++) {
            const struct shown_credential *shown = &call->admission.shown[i];
            prepare(call);
            data_show(app->boundary->data, request, shown->scheme, shown->text, /* is_more= */ i > 0);
            call_wait(call);
            if (request->outcome != DATA_OK)
                break;
        }
    } while (request->outcome == DATA_GONE);
    if (request->outcome != DATA_OK)
        call_abandon(call, DATA_UNKNOWN);
}

/* An interactive transaction cannot be sent again: what it has read may be otherwise now. Its key tells when it was committed; a key that
 * is not there tells nothing: the database may still be at it. */
LIMEN_NORETURN
static void find_out(struct limen_call *call)
{
    limen_reply none = { .status = 0 };
    limen_reply reply = call_lookup_key(call, none);
    if (reply.status == none.status)
        call_abandon(call, DATA_UNKNOWN);
    call_end(call, reply);
}

/* Nothing was heard of what was sent. */
static bool is_lost(enum data_outcome outcome)
{
    return outcome == DATA_GONE || outcome == DATA_UNKNOWN;
}

/* It tells of the key, that it was free or what it holds, and thereby of every batch that was sent with it before. */
static bool tells_of_key(enum data_outcome outcome)
{
    return outcome == DATA_OK || outcome == DATA_REPLAY || outcome == DATA_KEY_REUSED || outcome == DATA_REFUSED
        || outcome == DATA_TAKEN;
}

/* Asks until there is an answer, as often as the data role goes away in between. That the batch was refused a place, or the time, is none
 * once it was lost: it was not done then, but may have been before. */
static void commit_keyed(struct limen_call *call, limen_reply reply)
{
    struct data_request *request = &call->admission.request;
    for (bool was_lost = false;; was_lost = true) {
        prepare(call);
        data_commit(call->app->boundary->data, request, &call->batch, call_key(call), reply.status, reply.body);
        call->is_batch_sent = true;
        call_wait(call);
        if (!is_lost(request->outcome)) {
            if (was_lost && !tells_of_key(request->outcome))
                call_abandon(call, DATA_UNKNOWN);
            return;
        }
        come_back(call);
        if (call->is_interactive)
            find_out(call);
    }
}

static void commit_once(struct limen_call *call, limen_reply reply)
{
    prepare(call);
    data_commit(call->app->boundary->data, &call->admission.request, &call->batch, NULL, reply.status,
                (limen_str){ 0 });
    call->is_batch_sent = true;
    call_wait(call);
}

/* The reply that the statement which changed nothing has named. */
static limen_reply refused_reply(struct limen_call *call)
{
    uint32_t at = call->admission.request.refused_by;
    const limen_statement *statement = at < call->batch.count ? call->queued[at] : NULL;
    if (statement == NULL || statement->else_status == 0)
        call_abandon(call, DATA_ERROR);
    return limen_reply_problem(call, statement->else_status, statement->else_text);
}

limen_reply call_lookup_key(struct limen_call *call, limen_reply refusal)
{
    struct data_request *request = &call->admission.request;
    if (!admission_take_slot(&call->admission))
        call_abandon(call, DATA_BUSY);
    prepare(call);
    data_key_find(call->app->boundary->data, request, call_key(call));
    call_wait(call);
    switch (request->outcome) {
    case DATA_NONE:
        return refusal;
    case DATA_REPLAY:
        return (limen_reply){ .status = request->status, .body = request->reply };
    case DATA_KEY_REUSED:
        return call_problem(call, 422, NULL, LIMEN_STR("this Idempotency-Key has been used for another request"));
    default: /* of what was sent nothing is known without the key */
        call_abandon(call, call->is_batch_sent ? DATA_UNKNOWN : request->outcome);
    }
}

void call_fill_returning(struct limen_call *call)
{
    limen_str returned = call->admission.request.returned;
    struct wire_reader reader = { .at = returned.ptr, .end = returned.ptr + returned.len };
    for (uint32_t i = 0; i < call->batch.count; i++) {
        if (call->returning[i] == NULL)
            continue;
        if (!wire_get_row(&reader, call->queued[i]->row, &call->arena, call->returning[i]))
            call_abandon(call, DATA_ERROR);
    }
}

limen_reply call_settle(struct limen_call *call)
{
    struct data_request *request = &call->admission.request;
    limen_reply reply;
    switch (request->outcome) {
    case DATA_REPLAY:
        return (limen_reply){ .status = request->status, .body = request->reply };
    case DATA_REFUSED:
        reply = refused_reply(call);
        return call_key(call) == NULL ? reply : call_lookup_key(call, reply);
    case DATA_KEY_REUSED:
        return call_problem(call, 422, NULL, LIMEN_STR("this Idempotency-Key has been used for another request"));
    case DATA_TAKEN:
        return limen_reply_problem(call, 409, "this email has an account already");
    default:
        call_abandon(call, request->outcome);
    }
}

limen_reply call_commit(struct limen_call *call, limen_reply reply)
{
    bool has_work = call->batch.count > 0 || call->is_interactive || call->has_signed_up || call_key(call) != NULL
        || call->job != NULL;
    if (!has_work || call->is_committed)
        return reply;
    if (call->batch.items.failed)
        call_abandon(call, DATA_BUSY);
    if (!admission_take_slot(&call->admission))
        call_abandon(call, DATA_BUSY);
    if (call_key(call) != NULL)
        commit_keyed(call, reply);
    else
        commit_once(call, reply);
    if (call->admission.request.outcome != DATA_OK)
        return call_settle(call);
    call->is_done = true;
    call_fill_returning(call);
    return reply;
}

void limen_commit(limen_call *call)
{
    if (call_key(call) != NULL) {
        LOG_ERROR("limen_commit in a keyed operation: its reply is part of the transaction",
                  log_str("operation", call->admission.operation->id));
        call_abandon(call, DATA_ERROR);
    }
    limen_reply none = { .status = 200 };
    limen_reply reply = call_commit(call, none);
    call->is_committed = true;
    call->is_batch_sent = false; /* its outcome is known */
    if (reply.status != none.status || reply.body.len > 0)
        call_end(call, reply);
}
