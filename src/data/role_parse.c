/* role_parse.c - a worker's frame becomes a task of the store, or is refused.
 *
 * This is the data role's boundary: statement, kind, parameters, scope and lengths are checked here and nowhere behind.
 * What only our own bug or a worker that was taken over can send is a breach and ends the connection; what a client
 * could bring about is an outcome of the request. */
#include "data/api_key.h"
#include "data/role_internal.h"

#define BREACH_MALFORMED "malformed payload"
#define BREACH_SCHEME "unknown security scheme"

/* ---- who may run what -------------------------------------------------------------------------------------------- */
/* True when every way to be admitted to the operation demands the role. */
static bool operation_demands(const struct operation *operation, uint32_t role_bit)
{
    if (operation->is_public || operation->requirement_count == 0)
        return false;
    for (uint32_t i = 0; i < operation->requirement_count; i++) {
        const struct requirement *requirement = &operation->requirements[i];
        uint32_t roles = 0;
        for (uint32_t j = 0; j < requirement->demand_count; j++)
            roles |= requirement->demands[j].roles;
        if ((roles & role_bit) == 0)
            return false;
    }
    return true;
}

static enum data_outcome scope_allows(const struct role_request *request, const struct store_item *item)
{
    const struct data_role *role = request->role;
    uint32_t scope = role->scopes[item->statement->number];
    if (scope == ROLE_SCOPE_NONE)
        return DATA_OK;
    if (scope == ROLE_SCOPE_SYSTEM)
        return role_job_allows(request, item->statement, item->params, item->param_count);
    const struct principal *principal = &request->task.principal;
    bool is_allowed = principal->id_len > 0 && (principal->roles & scope) != 0
        && operation_demands(&role->contract->operations[request->operation], scope);
    return is_allowed ? DATA_OK : DATA_FORBIDDEN;
}

/* ---- statements -------------------------------------------------------------------------------------------------- */
static const char *check_params(const struct statement *statement, const limen_value *params, uint32_t count)
{
    if (count != statement->param_count)
        return "wrong number of parameters";
    for (uint32_t i = 0; i < count; i++) {
        const struct statement_param *param = &statement->params[i];
        if (params[i].type != (uint8_t)param->type || params[i].is_list != param->is_list)
            return "parameter of another type";
        if (params[i].is_null && !param->is_nullable)
            return "null for a parameter that is not nullable";
    }
    return NULL;
}

/* Reads number and parameters of one statement. */
static const char *read_statement(struct role_request *request, struct wire_reader *reader, bool is_read,
                                  struct store_item *ret_item, enum data_outcome *ret_outcome)
{
    uint16_t number = wire_get_u16(reader);
    if (reader->failed)
        return BREACH_MALFORMED;
    if (number >= request->role->queries->count)
        return "unknown statement";
    const struct statement *statement = &request->role->queries->statements[number];
    if ((statement->kind == STATEMENT_ONE || statement->kind == STATEMENT_MANY) != is_read)
        return "statement of another kind";
    limen_value *params;
    if (!wire_get_values(reader, &request->arena, &params, &ret_item->param_count)) {
        *ret_outcome = DATA_BUSY;
        return reader->failed ? BREACH_MALFORMED : NULL;
    }
    ret_item->statement = statement;
    ret_item->params = params;
    const char *breach = check_params(statement, params, ret_item->param_count);
    enum data_outcome allowed = breach == NULL ? scope_allows(request, ret_item) : DATA_OK;
    if (allowed != DATA_OK)
        *ret_outcome = allowed;
    return breach;
}

static const char *read_question(struct role_request *request, struct wire_reader *reader,
                                 enum data_outcome *ret_outcome)
{
    struct store_item item = { 0 };
    const char *breach = read_statement(request, reader, /* is_read= */ true, &item, ret_outcome);
    request->task.statement = item.statement;
    request->task.params = item.params;
    request->task.param_count = item.param_count;
    return breach;
}

static const char *parse_call(struct role_request *request, struct wire_reader *reader, enum data_outcome *ret_outcome)
{
    request->task.kind = STORE_READ;
    return read_question(request, reader, ret_outcome);
}

static void read_key(struct role_request *request, struct wire_reader *reader, enum data_outcome *ret_outcome)
{
    struct store_task *task = &request->task;
    task->has_key = true;
    task->key = wire_get_str(reader);
    wire_get_bytes(reader, task->fingerprint, sizeof(task->fingerprint));
    if (task->key.len == 0 || task->key.len > LIMIT_IDEMPOTENCY_KEY_BYTES)
        *ret_outcome = DATA_ERROR;
    if (task->principal.id_len == 0) /* strangers would share keys */
        *ret_outcome = DATA_FORBIDDEN;
}

/* The sign-up that this batch commits; copied, because the slot may be released before the store has done. */
static bool adopt_sign_up(struct role_request *request, const struct role_slot *slot)
{
    struct store_sign_up *sign_up = ARENA_NEW(&request->arena, struct store_sign_up);
    if (sign_up == NULL)
        return false;
    sign_up->email = arena_copy(&request->arena, str_make(slot->sign_up.email, slot->sign_up.email_len));
    sign_up->password_hash = arena_copy(&request->arena, str_of(slot->sign_up.hash));
    sign_up->session_is_elsewhere = request->role->redis != NULL;
    memcpy(sign_up->token_hash, slot->sign_up.token_hash, sizeof(sign_up->token_hash));
    request->task.sign_up = sign_up;
    return sign_up->email.ptr != NULL && sign_up->password_hash.ptr != NULL;
}

static const char *read_items(struct role_request *request, struct wire_reader *reader, enum data_outcome *ret_outcome)
{
    uint32_t count = wire_get_u32(reader);
    if (reader->failed || count > LIMIT_BATCH_STATEMENTS)
        return "too many statements";
    struct store_item *items = ARENA_NEW_ARRAY(&request->arena, struct store_item, count);
    if (items == NULL) {
        *ret_outcome = DATA_BUSY;
        return NULL;
    }
    for (uint32_t i = 0; i < count; i++) {
        enum data_outcome outcome = DATA_OK;
        const char *breach = read_statement(request, reader, /* is_read= */ false, &items[i], &outcome);
        if (breach != NULL)
            return breach;
        if (outcome != DATA_OK)
            *ret_outcome = outcome;
        if (outcome == DATA_BUSY) /* what follows cannot be read */
            break;
        if (items[i].statement->kind == STATEMENT_RETURNING && request->task.has_key)
            return "a keyed batch returns rows";
    }
    request->task.items = items;
    request->task.item_count = count;
    return NULL;
}

static const char *read_reply(struct role_request *request, struct wire_reader *reader)
{
    uint32_t status = wire_get_u32(reader);
    request->task.reply = wire_get_str(reader);
    request->task.status = (int)status;
    return status < 100 || status > 599 ? "a reply's status out of range" : NULL;
}

/* A queue with the key that it is done under, if any, and, where it is the call's last one, the reply to keep; a new account goes first. */
static const char *read_writes(struct role_request *request, const struct role_slot *slot, struct wire_reader *reader,
                               enum data_outcome *ret_outcome)
{
    uint8_t has_key = wire_get_u8(reader);
    if (has_key > 1)
        return BREACH_MALFORMED;
    if (has_key)
        read_key(request, reader, ret_outcome);
    const char *breach = has_key && request->task.kind == STORE_BATCH ? read_reply(request, reader) : NULL;
    if (breach != NULL)
        return breach;
    if (slot->has_sign_up && !adopt_sign_up(request, slot))
        *ret_outcome = DATA_BUSY;
    if (request->task.kind == STORE_BATCH && slot->job != 0 && !role_job_settles(request, slot))
        *ret_outcome = DATA_BUSY;
    return read_items(request, reader, ret_outcome);
}

static const char *parse_batch(struct role_request *request, const struct role_slot *slot, struct wire_reader *reader,
                               enum data_outcome *ret_outcome)
{
    request->task.kind = STORE_BATCH;
    return read_writes(request, slot, reader, ret_outcome);
}

static const char *parse_step(struct role_request *request, const struct role_slot *slot, struct wire_reader *reader,
                              enum data_outcome *ret_outcome)
{
    request->task.kind = STORE_STEP;
    const char *breach = read_writes(request, slot, reader, ret_outcome);
    return breach != NULL || *ret_outcome == DATA_BUSY ? breach : read_question(request, reader, ret_outcome);
}

/* ---- credentials ------------------------------------------------------------------------------------------------- */
static const char *parse_show(struct role_request *request, struct wire_reader *reader, enum data_outcome *ret_outcome)
{
    struct store_task *task = &request->task;
    request->scheme = wire_get_u32(reader);
    uint8_t is_more = wire_get_u8(reader);
    limen_str credential = wire_get_str(reader);
    if (reader->failed || is_more > 1)
        return BREACH_MALFORMED;
    if (request->scheme >= request->role->contract->scheme_count)
        return BREACH_SCHEME;
    request->is_more = is_more != 0;
    bool is_sound = true;
    switch (request->role->contract->schemes[request->scheme].kind) {
    case SCHEME_SESSION:
        task->kind = STORE_SESSION_FIND;
        is_sound = token_read(credential, task->token_hash);
        break;
    case SCHEME_API_KEY:
        task->kind = STORE_API_KEY_FIND;
        is_sound = api_key_read(credential, &task->key_id, task->token_hash);
        break;
    case SCHEME_BEARER:
        request->credential = credential;
        break;
    case SCHEME_WEBHOOK:
        return BREACH_SCHEME;
    }
    if (!is_sound)
        *ret_outcome = DATA_NONE;
    return NULL;
}

static const char *parse_show_signed(struct role_request *request, struct wire_reader *reader)
{
    request->scheme = wire_get_u32(reader);
    uint8_t is_more = wire_get_u8(reader);
    request->credential = wire_get_str(reader);
    request->signed_body = wire_get_str(reader);
    if (reader->failed || is_more > 1)
        return BREACH_MALFORMED;
    request->is_more = is_more != 0;
    const struct contract *contract = request->role->contract;
    bool is_signed = request->scheme < contract->scheme_count
        && contract->schemes[request->scheme].kind == SCHEME_WEBHOOK;
    return is_signed ? NULL : BREACH_SCHEME;
}

static const char *parse_sign_out(struct role_request *request, struct wire_reader *reader,
                                  enum data_outcome *ret_outcome)
{
    request->task.kind = STORE_SESSION_END;
    if (!token_read(wire_get_str(reader), request->task.token_hash))
        *ret_outcome = DATA_NONE;
    return NULL;
}

static const char *parse_credential(struct role_request *request, struct wire_reader *reader,
                                    enum data_outcome *ret_outcome)
{
    bool is_sign_up = request->type == WIRE_SIGN_UP;
    if (is_sign_up) {
        request->scheme = wire_get_u32(reader);
        if (request->scheme >= request->role->contract->scheme_count
            || request->role->contract->schemes[request->scheme].kind != SCHEME_SESSION)
            return BREACH_SCHEME;
    }
    request->task.kind = STORE_CREDENTIAL_FIND;
    request->task.email = wire_get_str(reader);
    request->password = wire_get_str(reader);
    if (reader->failed)
        return BREACH_MALFORMED;
    /* Addresses are compared without case, in ASCII; the payload is our own copy. */
    request->task.email = str_lower(request->task.email, (char *)(uintptr_t)request->task.email.ptr);
    if (request->task.email.len == 0 || request->task.email.len > PRINCIPAL_EMAIL_BYTES || request->password.len == 0
        || request->password.len > LIMIT_PASSWORD_BYTES)
        *ret_outcome = is_sign_up ? DATA_ERROR : DATA_NONE;
    return NULL;
}

/* ---- effects ----------------------------------------------------------------------------------------------------- */
static const char *parse_effect_ask(struct role_request *request, struct wire_reader *reader,
                                    enum data_outcome *ret_outcome)
{
    request->task.kind = STORE_EFFECT_ASK;
    request->task.news_of = wire_get_str(reader);
    if (request->task.news_of.len == 0 || request->task.news_of.len > LIMIT_EFFECT_KEY_BYTES)
        *ret_outcome = DATA_NONE;
    return NULL;
}

/* ---- the frame --------------------------------------------------------------------------------------------------- */
static const char *parse_payload(struct role_request *request, const struct role_slot *slot, struct wire_reader *reader,
                                 enum data_outcome *ret_outcome)
{
    switch (request->type) {
    case WIRE_CALL:
        return parse_call(request, reader, ret_outcome);
    case WIRE_BATCH:
        return parse_batch(request, slot, reader, ret_outcome);
    case WIRE_STEP:
        return parse_step(request, slot, reader, ret_outcome);
    case WIRE_KEY_FIND:
        request->task.kind = STORE_KEY_FIND;
        read_key(request, reader, ret_outcome);
        return NULL;
    case WIRE_SHOW:
        return parse_show(request, reader, ret_outcome);
    case WIRE_SHOW_SIGNED:
        return parse_show_signed(request, reader);
    case WIRE_EFFECT_ASK:
        return parse_effect_ask(request, reader, ret_outcome);
    case WIRE_SIGN_OUT:
        return parse_sign_out(request, reader, ret_outcome);
    case WIRE_LIMIT:
        return role_limit_parse(request, reader, ret_outcome);
    case WIRE_SIGN_UP:
    case WIRE_SIGN_IN:
        return parse_credential(request, reader, ret_outcome);
    default:
        return "unknown type of frame";
    }
}

const char *role_parse(struct role_request *request, const struct role_slot *slot, enum data_outcome *ret_outcome)
{
    *ret_outcome = DATA_OK;
    struct wire_reader reader = { request->payload, request->payload + request->payload_bytes, false };
    const struct clock *now = loop_clock(request->role->loop);
    uint32_t timeout_us = wire_get_u32(&reader);
    if (timeout_us > LIMIT_DATA_TIMEOUT_US)
        timeout_us = LIMIT_DATA_TIMEOUT_US;
    request->task.now = now->wall_us;
    request->task.deadline_us = now->mono_us + timeout_us;
    if (request->operation >= request->role->contract->operation_count)
        return "unknown operation";
    const char *breach = parse_payload(request, slot, &reader, ret_outcome);
    if (breach != NULL)
        return breach;
    if (reader.failed)
        return BREACH_MALFORMED;
    return reader.at != reader.end && *ret_outcome != DATA_BUSY ? "bytes behind the payload" : NULL;
}
