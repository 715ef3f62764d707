/* admit.c - the boundary, in the order in which a request meets it.
 *
 * Each step either lets the request pass or records a refusal and says false. A step costs more than the one before it: what
 * can be refused cheaply is refused first. */
#include "boundary/admit.h"

#include "boundary/auth.h"
#include "boundary/caller.h"
#include "boundary/input.h"
#include "boundary/quota.h"
#include "core/clock.h"
#include "core/str.h"

#define PROBLEM_FIRST_BYTES 512U

/* ---- refusing --------------------------------------------------------------------------------------------------------- */

bool admission_refuse(struct admission *admission, enum refusal refusal, struct problem_reply problem)
{
    admission->refusal = refusal;
    admission->problem = problem;
    return false;
}

bool admission_refuse_overload(struct admission *admission, enum refusal refusal)
{
    admission_add_header(admission, LIMEN_STR("Retry-After"), LIMEN_STR("1"));
    return admission_refuse(admission, refusal, PROBLEM(503, "the server cannot answer right now; nothing was done"));
}

/* What was written is the arena's. */
static bool refuse_written(struct admission *admission, enum refusal refusal, int status, const struct buf *text)
{
    limen_str written = text->failed ? (limen_str){ 0 } : buf_str(text);
    return admission_refuse(admission, refusal, (struct problem_reply){ status, written });
}

static bool refuse_with_faults(struct admission *admission, enum refusal refusal)
{
    struct buf text;
    buf_init(&text, admission->arena, PROBLEM_FIRST_BYTES);
    problem_write_faults(PROBLEM(422, "the request does not satisfy the contract"), &admission->faults, &text);
    return refuse_written(admission, refusal, 422, &text);
}

void admission_add_header(struct admission *admission, limen_str name, limen_str value)
{
    if (admission->header_count < ADMISSION_HEADERS)
        admission->headers[admission->header_count++] = (struct http_header_out){ name, value };
}

int64_t admission_time_left(const struct admission *admission)
{
    int64_t due_us = admission->started_us + admission->operation->timeout_us;
    int64_t left = due_us - admission->boundary->clock->mono_us;
    return left > 0 ? left : 0;
}

bool admission_take_slot(struct admission *admission)
{
    if (!admission->has_slot) {
        admission->has_slot = data_slot_take(admission->boundary->data, &admission->request.slot);
        admission->request.operation = (uint16_t)admission->operation->index;
        if (admission->has_slot)
            caller_bind_slot(admission);
    }
    return admission->has_slot;
}

/* ---- what is told ------------------------------------------------------------------------------------------------------ */

static void add_limit_fields(struct admission *admission)
{
    if (!admission->has_limit_state)
        return;
    admission_add_header(admission, LIMEN_STR("RateLimit-Policy"),
                         admission->boundary->policies[admission->limit_state.limit->policy].field);
    admission_add_header(admission, LIMEN_STR("RateLimit"),
                         limit_write_state(&admission->limit_state, admission->state_text));
}

/* ---- which operation, and whose request ------------------------------------------------------------------------------- */

static bool refuse_method(struct admission *admission, limen_str allow)
{
    admission_add_header(admission, LIMEN_STR("Allow"), allow);
    return admission_refuse(admission, REFUSAL_NO_METHOD, PROBLEM(405, "this path has no such method"));
}

/* What is no operation but has an answer all the same: OPTIONS, the contract itself, the app's page. */
static bool is_answered_here(struct admission *admission, enum route_outcome route, limen_str allow)
{
    const struct http_request *request = exchange_request(admission->exchange);
    bool is_read = request->method == METHOD_GET || request->method == METHOD_HEAD;
    struct http_reply reply = { .flavour = REPLY_API };
    struct http_header_out allow_field = { LIMEN_STR("Allow"), allow };
    if (request->method == METHOD_OPTIONS && (route == ROUTE_NO_METHOD || str_equal(request->path, LIMEN_STR("*")))) {
        if (route != ROUTE_NO_METHOD)
            allow_field.value = LIMEN_STR("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
        reply.status = 204;
        reply.headers = &allow_field;
        reply.header_count = 1;
    } else if (is_read && str_equal(request->path, LIMEN_STR("/openapi.json"))) {
        reply.status = 200;
        reply.content_type = LIMEN_STR("application/json");
        reply.body = admission->boundary->contract->json;
        reply.body_is_static = true;
        reply.is_cacheable = true;
    } else {
        return route == ROUTE_NO_PATH && admission->boundary->files != NULL
            && static_files_reply(admission->boundary->files, admission->exchange, admission->arena);
    }
    exchange_reply(admission->exchange, &reply);
    return true;
}

static bool operation_is_found(struct admission *admission, bool *ret_is_answered)
{
    const struct http_request *request = exchange_request(admission->exchange);
    limen_str allow = { 0 };
    enum route_outcome route = router_find(admission->boundary->router, request->method, request->path,
                                           &admission->path_params, &admission->operation, &allow);
    if (route == ROUTE_FOUND)
        return true;
    *ret_is_answered = is_answered_here(admission, route, allow);
    if (*ret_is_answered)
        return false;
    if (route == ROUTE_NO_METHOD)
        return refuse_method(admission, allow);
    return admission_refuse(admission, REFUSAL_NO_PATH, PROBLEM(404, "there is nothing at this path"));
}

bool admission_refuse_cross_site(struct admission *admission)
{
    return admission_refuse(admission, REFUSAL_CROSS_SITE,
                            PROBLEM(403, "a page of another site may not do this with your cookies"));
}

/* Where no credential is asked for, a cookie could still be one to the app: signing in is such a case. Elsewhere the rule is the
 * session's (boundary/caller.c). */
static bool is_not_cross_site(struct admission *admission)
{
    const struct http_request *request = exchange_request(admission->exchange);
    return !admission->operation->is_public || method_is_safe(request->method)
        || http_field_get(request, HEADER_COOKIE) == NULL || !auth_is_cross_site(request)
        || admission_refuse_cross_site(admission);
}

/* ---- memory ----------------------------------------------------------------------------------------------------------- */

/* What the call may need at the worst is its own before its body is read, so a call that has begun does not end for want of it. */
static bool memory_is_reserved(struct admission *admission)
{
    return arena_reserve(admission->arena, admission->operation->budget.memory_bytes)
        || admission_refuse_overload(admission, REFUSAL_MEMORY);
}

/* ---- what it sends ---------------------------------------------------------------------------------------------------- */

static bool parameters_are_valid(struct admission *admission)
{
    const struct bound_operation *bound = &admission->boundary->operations[admission->operation->index];
    admission->handler = bound->handler;
    admission->input = arena_zalloc(admission->arena, 1, bound->handler->input->bytes);
    if (admission->input == NULL)
        return admission_refuse_overload(admission, REFUSAL_OVERLOAD);
    return input_bind_parameters(admission, bound) || refuse_with_faults(admission, REFUSAL_PARAMETER);
}

static void on_body(void *context, struct exchange *exchange, enum body_outcome outcome, limen_str body)
{
    struct admission *admission = context;
    (void)exchange;
    admission->body_outcome = outcome;
    admission->body = body;
    admission->body_is_there = true;
    if (admission->is_waiting_for_body)
        admission->wake(admission->call);
}

static bool refuse_body(struct admission *admission)
{
    switch (admission->body_outcome) {
    case BODY_TOO_LARGE:
        return admission_refuse(admission, REFUSAL_BODY_SIZE,
                                PROBLEM(413, "the body is larger than this operation reads"));
    case BODY_TIMEOUT:
        return admission_refuse(admission, REFUSAL_HTTP, PROBLEM(408, "the body did not arrive in time"));
    case BODY_NO_MEMORY:
        return admission_refuse_overload(admission, REFUSAL_OVERLOAD);
    case BODY_MALFORMED:
    case BODY_OK:
        break;
    }
    return admission_refuse(admission, REFUSAL_HTTP, PROBLEM(400, "the body's chunked coding is malformed"));
}

static bool body_is_read(struct admission *admission)
{
    exchange_read_body(admission->exchange, admission->operation->body_ceiling, admission->arena, on_body, admission);
    if (!admission->body_is_there) {
        admission->is_waiting_for_body = true;
        admission->wait(admission->call);
    }
    return admission->body_outcome == BODY_OK || refuse_body(admission);
}

/* "application/json", perhaps with a charset of utf-8: the media type decides which parser reads the bytes. */
static bool media_type_is(limen_str value, limen_str wanted)
{
    limen_str rest = value;
    if (!str_equal_nocase(str_trim(str_cut(&rest, ';')), wanted))
        return false;
    rest = str_trim(rest);
    return rest.len == 0 || str_equal_nocase(rest, LIMEN_STR("charset=utf-8"))
        || str_equal_nocase(rest, LIMEN_STR("charset=\"utf-8\""));
}

static bool body_is_announced_well(struct admission *admission)
{
    const struct http_request *request = exchange_request(admission->exchange);
    const struct operation *operation = admission->operation;
    const struct http_field *type = http_field_get(request, HEADER_CONTENT_TYPE);
    if (http_field_get(request, HEADER_CONTENT_ENCODING) != NULL)
        return admission_refuse(admission, REFUSAL_MEDIA_TYPE,
                                PROBLEM(415, "send the body without a Content-Encoding"));
    if (type == NULL || !media_type_is(type->value, operation->body_media_type)) {
        admission_add_header(admission, LIMEN_STR("Accept"), operation->body_media_type);
        return admission_refuse(admission, REFUSAL_MEDIA_TYPE,
                                PROBLEM(415, "this operation reads application/json only"));
    }
    if (request->framing == FRAMING_LENGTH && request->content_length > operation->body_ceiling) {
        admission->body_outcome = BODY_TOO_LARGE;
        return refuse_body(admission);
    }
    return true;
}

static bool refuse_json(struct admission *admission, enum json_outcome outcome, const struct json_error *error)
{
    if (outcome == JSON_NO_MEMORY)
        return admission_refuse_overload(admission, REFUSAL_OVERLOAD);
    const char *claim = outcome == JSON_DUPLICATE_NAME ? "the body is JSON, but not I-JSON (RFC 7493)"
                                                       : "the body is not JSON that we read";
    limen_str detail = arena_printf(admission->arena, "%s: %s (at byte %zu)", claim, error->what, error->at);
    struct buf text;
    buf_init(&text, admission->arena, PROBLEM_FIRST_BYTES);
    problem_write(&(struct problem){ .status = 400, .detail = detail }, &text);
    return refuse_written(admission, REFUSAL_BODY_MALFORMED, 400, &text);
}

/* True when a text of the well-formed `json` has U+0000, which is only ever written as an escape. */
static bool has_nul(limen_str json, size_t *ret_at)
{
    static const char nul[] = "\\u0000";
    const char *at = json.ptr, *end = json.ptr + json.len;
    while ((at = memchr(at, '\\', (size_t)(end - at))) != NULL) {
        *ret_at = (size_t)(at - json.ptr);
        if (end - at >= (ptrdiff_t)strlen(nul) && memcmp(at, nul, strlen(nul)) == 0)
            return true;
        at += 2; /* past what is escaped: the second of two backslashes begins nothing */
    }
    return false;
}

/* JSON and its schemas know U+0000 as a character; no text of a database does. */
static bool is_free_of_nul(struct admission *admission)
{
    size_t at;
    if (!has_nul(admission->body, &at))
        return true;
    faults_add(&admission->faults, LIMEN_STR(""), LIMEN_STR("nul"),
               arena_printf(admission->arena, "must not have the character U+0000 (at byte %zu)", at));
    return refuse_with_faults(admission, REFUSAL_BODY_SCHEMA);
}

static bool json_is_valid(struct admission *admission)
{
    const struct operation *operation = admission->operation;
    struct json_doc doc;
    struct json_error error;
    enum json_outcome outcome = json_parse_within(admission->body, operation->budget.most_values, admission->arena,
                                                  &doc, &error);
    if (outcome != JSON_OK)
        return refuse_json(admission, outcome, &error);
    if (!schema_validate(operation->body, &doc, 0, SCHEMA_REQUEST, &admission->faults))
        return refuse_with_faults(admission, REFUSAL_BODY_SCHEMA);
    if (!is_free_of_nul(admission))
        return false;
    if (!input_bind_body(admission, &admission->boundary->operations[operation->index], &doc))
        return admission_refuse(admission, REFUSAL_OVERLOAD, PROBLEM(500, "the server could not take this body in"));
    return true;
}

static bool body_is_valid(struct admission *admission)
{
    const struct http_request *request = exchange_request(admission->exchange);
    const struct operation *operation = admission->operation;
    bool has_body = request->framing == FRAMING_CHUNKED
        || (request->framing == FRAMING_LENGTH && request->content_length > 0);
    if (!operation->has_body)
        return !has_body
            || admission_refuse(admission, REFUSAL_BODY_SIZE, PROBLEM(413, "this operation takes no body"));
    if (!has_body)
        return !operation->body_required
            || admission_refuse(admission, REFUSAL_BODY_MALFORMED, PROBLEM(400, "this operation needs a body"));
    return body_is_announced_well(admission) && body_is_read(admission) && caller_has_signed(admission)
        && json_is_valid(admission);
}

/* A key says "this may come twice, and is done once": balancers repeat what carries one. Whoever sends it where nothing keeps that promise
 * is told so, unless the method makes it. */
static bool key_is_not_in_vain(struct admission *admission)
{
    const struct http_request *request = exchange_request(admission->exchange);
    bool is_repeatable = request->method != METHOD_POST && request->method != METHOD_PATCH;
    return is_repeatable || request->first[HEADER_IDEMPOTENCY_KEY] == 0
        || admission_refuse(
               admission, REFUSAL_KEY,
               PROBLEM(400, "this operation takes no Idempotency-Key: it would be done each time it comes"));
}

static bool key_is_acceptable(struct admission *admission)
{
    const struct http_request *request = exchange_request(admission->exchange);
    if (!admission->operation->needs_key)
        return key_is_not_in_vain(admission);
    switch (idempotency_key(request, admission->key_memory, &admission->key.key)) {
    case KEY_OK:
        fingerprint_take(request, admission->body, admission->key.fingerprint);
        return true;
    case KEY_MISSING:
        return admission_refuse(admission, REFUSAL_KEY, PROBLEM(400, "this operation needs an Idempotency-Key field"));
    case KEY_MALFORMED:
        break;
    }
    return admission_refuse(admission, REFUSAL_KEY,
                            PROBLEM(400, "the Idempotency-Key is not 1 to 255 printable characters, sent once"));
}

/* ---- the boundary ----------------------------------------------------------------------------------------------------- */

enum admit_verdict admit(struct admission *admission)
{
    bool is_answered = false;
    faults_init(&admission->faults, admission->arena);
    bool is_admitted = address_is_within_limit(admission) /* 429 */
        && operation_is_found(admission, &is_answered)    /* 404, 405 */
        && is_not_cross_site(admission)                   /* 403 */
        && caller_is_admitted(admission)                  /* 401, 403 */
        && caller_is_within_limits(admission)             /* 429 */
        && memory_is_reserved(admission)                  /* 503 */
        && parameters_are_valid(admission)                /* 422 */
        && body_is_valid(admission)                       /* 400, 413, 415, 422; 401: a signature over it */
        && key_is_acceptable(admission);                  /* 400 */
    if (is_answered)
        return ADMIT_ANSWERED;
    add_limit_fields(admission);
    return is_admitted ? ADMIT_OK : ADMIT_REFUSED;
}
