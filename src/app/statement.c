/* statement.c - reads answer, writes queue; a read after a write sees it, in an interactive transaction. */
#include "app/call.h"

#include "core/log.h"
#include "core/str.h"

/* A read that must see what the call has queued. It keeps others from writing, so that the contract is to ask for it. */
static void step(struct limen_call *call, const limen_statement *statement, const limen_value *params, size_t count)
{
    struct data_request *request = &call->admission.request;
    const struct operation *operation = call->admission.operation;
    if (!operation->is_interactive && !call->is_interactive) {
        LOG_WARN(
            "a read after a queued write opens an interactive transaction: read first, or say `x-interactive: true`",
            log_str("operation", operation->id), log_text("statement", statement->name));
        if (call->app->checks_replies)
            call_abandon(call, DATA_ERROR);
    }
    call->is_interactive = true;
    data_step(call->app->boundary->data, request, &call->batch, call_key(call), statement->number, params, count);
    call_wait(call);
    if (request->outcome != DATA_OK)
        call_end(call, call_settle(call));
    call_fill_returning(call);
    data_batch_init(&call->batch, &call->arena);
}

static void ask(struct limen_call *call, const limen_statement *statement, const limen_value *params, size_t count)
{
    struct data_request *request = &call->admission.request;
    if (!admission_take_slot(&call->admission))
        call_abandon(call, DATA_BUSY);
    request->timeout_us = admission_time_left(&call->admission);
    request->row = statement->row;
    if (!call->is_committed && (call->batch.count > 0 || call->is_interactive)) {
        step(call, statement, params, count);
        return;
    }
    data_read(call->app->boundary->data, request, statement->number, params, count);
    call_wait(call);
    if (request->outcome != DATA_OK && request->outcome != DATA_NONE)
        call_abandon(call, request->outcome);
}

bool limen_query_one(limen_call *call, const limen_statement *statement, const limen_value *params, size_t count,
                     void *ret_row)
{
    ask(call, statement, params, count);
    const struct data_request *request = &call->admission.request;
    if (request->outcome == DATA_NONE || request->row_count == 0)
        return false;
    memcpy(ret_row, request->rows, statement->row->bytes);
    return true;
}

size_t limen_query_many(limen_call *call, const limen_statement *statement, const limen_value *params, size_t count,
                        void **ret_rows)
{
    ask(call, statement, params, count);
    *ret_rows = call->admission.request.rows;
    return call->admission.request.row_count;
}

static void queue(struct limen_call *call, const limen_statement *statement, const limen_value *params, size_t count,
                  void *row)
{
    if (call->is_committed || call->batch.count == LIMIT_BATCH_STATEMENTS) {
        LOG_ERROR(call->is_committed ? "a write after limen_commit"
                                     : "a call queued more statements than a batch holds",
                  log_str("operation", call->admission.operation->id), log_text("statement", statement->name));
        call_abandon(call, DATA_ERROR);
    }
    call->queued[call->batch.count] = statement;
    call->returning[call->batch.count] = row;
    data_batch_add(&call->batch, statement->number, params, count);
}

void limen_queue(limen_call *call, const limen_statement *statement, const limen_value *params, size_t count)
{
    queue(call, statement, params, count, /* row= */ NULL);
}

void *limen_queue_returning(limen_call *call, const limen_statement *statement, const limen_value *params, size_t count)
{
    if (call->admission.operation->needs_key) {
        LOG_ERROR("a :returning statement in a keyed operation: its reply is stored before the row is known",
                  log_str("operation", call->admission.operation->id), log_text("statement", statement->name));
        call_abandon(call, DATA_ERROR);
    }
    void *row = limen_alloc(call, statement->row->bytes);
    queue(call, statement, params, count, row);
    return row;
}
