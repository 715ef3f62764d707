/* effect.c - effects, as a handler sees them. One is queued like any other statement; this is for what comes back. */
#include "app/call.h"

#include "core/str.h"

bool limen_effect_ask(limen_call *call, limen_str id_or_key)
{
    struct data_request *request = &call->admission.request;
    if (id_or_key.len == 0 || id_or_key.len > LIMIT_EFFECT_KEY_BYTES || !str_is_utf8(id_or_key)
        || memchr(id_or_key.ptr, '\0', id_or_key.len) != NULL)
        return false;
    if (!admission_take_slot(&call->admission))
        call_abandon(call, DATA_BUSY);
    request->timeout_us = admission_time_left(&call->admission);
    data_effect_ask(call->app->boundary->data, request, id_or_key);
    call_wait(call);
    if (request->outcome != DATA_OK && request->outcome != DATA_NONE)
        call_abandon(call, request->outcome);
    return request->outcome == DATA_OK;
}
