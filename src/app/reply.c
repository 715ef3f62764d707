/* reply.c - from what the handler returned to what leaves: declared statuses, declared members, and the fields around them. */
#include "app/call.h"

#include "contract/encode.h"
#include "core/log.h"
#include "core/str.h"

#define REPLY_FIRST_BYTES 512U
#define SESSION_COOKIE_BYTES 256U

/* ---- made by handlers ------------------------------------------------------------------------------------------------- */

/* Holds a reply against its own schema. What is built from the schema's shape needs it only where configured. */
static bool satisfies_schema(struct limen_call *call, const struct reply_spec *spec, limen_str body)
{
    struct json_doc doc;
    struct json_error error;
    struct faults faults;
    faults_init(&faults, &call->arena);
    if (json_parse(body, &call->arena, &doc, &error) != JSON_OK) {
        LOG_ERROR("a reply is no JSON", log_str("operation", call->admission.operation->id),
                  log_text("why", error.what));
        return false;
    }
    if (schema_validate(spec->schema, &doc, 0, SCHEMA_REPLY, &faults))
        return true;
    for (size_t i = 0; i < faults.count; i++)
        LOG_ERROR("a reply breaks its schema", log_str("operation", call->admission.operation->id),
                  log_str("pointer", faults.items[i].pointer), log_str("rule", faults.items[i].rule));
    return false;
}

/* A slice of JSON says what its writer said: it may leave when the schema has all of it. Asked before anything is committed. */
static bool slices_are_declared(struct limen_call *call, int status, limen_str body)
{
    const struct operation *operation = call->admission.operation;
    const struct reply_spec *spec = operation != NULL ? operation_reply(operation, status) : NULL;
    return spec == NULL || !spec->has_body || satisfies_schema(call, spec, body);
}

limen_reply limen_reply_object(limen_call *call, int status, const struct limen_shape *shape, const void *value)
{
    struct buf text;
    const char *why = NULL;
    buf_init(&text, &call->arena, REPLY_FIRST_BYTES);
    bool is_made = encode_object(shape, value, &text, &why) && !text.failed;
    if (is_made && (!shape->holds_json || slices_are_declared(call, status, buf_str(&text))))
        return (limen_reply){ .status = status, .body = buf_str(&text) };
    LOG_ERROR("a reply cannot be encoded", log_str("operation", call->admission.operation->id), log_text("member", why),
              log_int("status", status));
    call_abandon(call, DATA_ERROR);
}

limen_reply limen_reply_empty(limen_call *call, int status)
{
    (void)call;
    return (limen_reply){ .status = status };
}

limen_reply limen_reply_problem(limen_call *call, int status, const char *detail)
{
    return call_problem(call, status, NULL, str_of(detail));
}

/* ---- sent ------------------------------------------------------------------------------------------------------------- */

/* A reply that the library made itself (503, 500, a stored one) is not the handler's to declare. */
static bool is_declared(struct limen_call *call, limen_reply reply)
{
    const struct reply_spec *spec = operation_reply(call->admission.operation, reply.status);
    if (spec == NULL || spec->has_body != (reply.body.len > 0))
        return false;
    return !call->app->checks_replies || !spec->has_body || satisfies_schema(call, spec, reply.body);
}

static bool is_own_status(int status)
{
    return status == 422 || status == 500 || status == 503 || status == 504;
}

static limen_reply insist_on_contract(struct limen_call *call, limen_reply reply)
{
    if (is_declared(call, reply) || (reply.is_problem && is_own_status(reply.status)))
        return reply;
    LOG_ERROR("the handler's reply is not the contract's", log_str("operation", call->admission.operation->id),
              log_int("status", reply.status));
    return call_problem(call, 500, NULL, LIMEN_STR("the server failed"));
}

static void add_session_fields(struct limen_call *call)
{
    const struct contract *contract = call->app->boundary->contract;
    struct admission *admission = &call->admission;
    if (contract->session == NULL)
        return;
    limen_str name = contract->session->field;
    if (call->sets_cookie)
        admission_add_header(admission, LIMEN_STR("Set-Cookie"),
                             arena_printf(&call->arena,
                                          "%.*s=%.*s; Path=/; Max-Age=%lld; Secure; HttpOnly; SameSite=Lax",
                                          LIMEN_STR_ARG(name), (int)TOKEN_TEXT_BYTES, call->cookie_text,
                                          LIMIT_SESSION_ABSOLUTE_US / 1000000));
    if (!call->clears_cookie)
        return;
    admission_add_header(
        admission, LIMEN_STR("Set-Cookie"),
        arena_printf(&call->arena, "%.*s=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax", LIMEN_STR_ARG(name)));
    admission_add_header(admission, LIMEN_STR("Clear-Site-Data"), LIMEN_STR("\"cache\", \"cookies\""));
}

static void count_reply(struct limen_call *call, int status)
{
    struct board_row *board = call->app->boundary->board;
    const struct operation *operation = call->admission.operation;
    uint32_t row = operation == NULL ? 0 : operation->index + 1;
    int64_t spent_us = call->app->boundary->clock->mono_us - call->admission.started_us;
    board_add(&board->replies[row][status / 100 - 2], 1);
    board_add(&board->busy_us[row], (uint64_t)(spent_us > 0 ? spent_us : 0));
}

static void answer(struct limen_call *call, int status, bool is_problem, limen_str body)
{
    struct admission *admission = &call->admission;
    struct http_reply reply = {
        .status = status,
        .flavour = REPLY_API,
        .body = body,
        .headers = admission->headers,
        .header_count = admission->header_count,
    };
    if (body.len > 0)
        reply.content_type = is_problem ? PROBLEM_MEDIA_TYPE : LIMEN_STR("application/json");
    count_reply(call, status);
    exchange_reply(admission->exchange, &reply);
}

void call_send(struct limen_call *call, limen_reply reply)
{
    if (call->job != NULL) {
        call_end_job(call, reply);
        return;
    }
    if (!call->is_over && call->admission.operation != NULL)
        reply = insist_on_contract(call, reply);
    if (reply.status == 503)
        admission_add_header(&call->admission, LIMEN_STR("Retry-After"), LIMEN_STR("1"));
    if (reply.status >= 200 && reply.status < 300)
        add_session_fields(call);
    answer(call, reply.status, reply.is_problem, reply.body);
}

limen_reply call_refusal(struct limen_call *call)
{
    const struct admission *admission = &call->admission;
    board_add(&call->app->boundary->board->refusals[admission->refusal], 1);
    return (limen_reply){ .status = admission->problem.status, .is_problem = true, .body = admission->problem.text };
}

void call_send_refusal(struct limen_call *call)
{
    limen_reply reply = call_refusal(call);
    answer(call, reply.status, reply.is_problem, reply.body);
}
