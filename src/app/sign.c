/* sign.c - signing up, in and out. Passwords pass through here on their way to the data role and nowhere else. */
#include "app/call.h"

#include "boundary/caller.h"
#include "core/log.h"
#include "core/str.h"

/* The roles of a mask, as names, in the call's memory. */
static void set_caller(struct limen_call *call)
{
    const struct contract *contract = call->app->boundary->contract;
    const struct principal *principal = &call->admission.principal;
    limen_str *roles = LIMEN_NEW_ARRAY(call, limen_str, LIMIT_ROLES);
    size_t count = 0;
    for (uint32_t i = 0; i < contract->role_count; i++) {
        if ((principal->roles >> i & 1U) != 0)
            roles[count++] = contract->roles[i];
    }
    call->caller = (limen_principal){
        .id = principal_id(principal),
        .email = principal_email(principal),
        .roles = roles,
        .role_count = count,
    };
    call->has_caller = true;
}

const limen_principal *limen_caller(limen_call *call)
{
    if (!call->has_caller)
        set_caller(call);
    return &call->caller;
}

static void become(struct limen_call *call)
{
    const struct data_request *request = &call->admission.request;
    call->admission.principal = request->principal;
    call->has_caller = false;
    memcpy(call->cookie_text, request->token, TOKEN_TEXT_BYTES);
    call->sets_cookie = true;
}

/* The data role ends an interactive transaction with whom it was begun as: its writes would be undone, and nobody told. */
static void insist_on_no_transaction(struct limen_call *call)
{
    if (!call->is_interactive || call->is_committed)
        return;
    LOG_ERROR("signing in or up would undo what was written and read: do it first",
              log_str("operation", call->admission.operation->id));
    call_abandon(call, DATA_ERROR);
}

/* Readies the call's one request. */
static struct data_request *start(struct limen_call *call)
{
    if (!admission_take_slot(&call->admission))
        call_abandon(call, DATA_BUSY);
    call->admission.request.timeout_us = admission_time_left(&call->admission);
    return &call->admission.request;
}

/* The scheme whose accounts and cookies there are. */
static uint32_t session_scheme(struct limen_call *call)
{
    const struct contract *contract = call->app->boundary->contract;
    if (contract->session == NULL) {
        LOG_ERROR("signing up needs a session scheme: `type: apiKey, in: cookie`",
                  log_str("operation", call->admission.operation->id));
        call_abandon(call, DATA_ERROR);
    }
    return (uint32_t)(contract->session - contract->schemes);
}

bool limen_sign_up(limen_call *call, limen_str email, limen_str password, limen_str *ret_account_id)
{
    uint32_t scheme = session_scheme(call);
    insist_on_no_transaction(call);
    struct data_request *request = start(call);
    data_sign_up(call->app->boundary->data, request, email, password, scheme);
    call_wait(call);
    if (request->outcome == DATA_TAKEN)
        return false;
    if (request->outcome != DATA_OK)
        call_abandon(call, request->outcome);
    become(call);
    call->has_signed_up = true;
    *ret_account_id = limen_caller(call)->id;
    return true;
}

/* Ends the session that the call came with, if any. */
static void end_session(struct limen_call *call)
{
    limen_str token = caller_session(&call->admission);
    if (token.len == 0)
        return;
    struct data_request *request = start(call);
    data_sign_out(call->app->boundary->data, request, token);
    call_wait(call);
    if (request->outcome != DATA_OK && request->outcome != DATA_NONE)
        call_abandon(call, request->outcome);
}

bool limen_sign_in(limen_call *call, limen_str email, limen_str password)
{
    insist_on_no_transaction(call);
    if (!admission_may_sign_in(&call->admission, email))
        call_end(call, call_refusal(call));
    struct data_request *request = start(call);
    data_sign_in(call->app->boundary->data, request, email, password);
    call_wait(call);
    if (request->outcome == DATA_NONE)
        return false;
    if (request->outcome != DATA_OK)
        call_abandon(call, request->outcome);
    become(call);
    end_session(call);
    return true;
}

void limen_sign_out(limen_call *call)
{
    end_session(call);
    call->clears_cookie = true;
}
