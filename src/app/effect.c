/* effect.c - what comes back of effects: the app's function runs in a call that no request has asked for.
 *
 * The data role has the result and the worker has the app, so the one asks the other. The call's slot acts for the system; its batch ends
 * the job, and when there is none - the function failed, the call was abandoned - the slot's release tells the data role so. */
#include "app/call.h"

#include "core/log.h"
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

/* ---- jobs -------------------------------------------------------------------------------------------------------------- */

void call_end_job(struct limen_call *call, limen_reply reply)
{
    if (reply.status != 200)
        LOG_WARN("what came of an effect was not taken; it comes again", log_str("effect", call->job->effect->name),
                 log_int("status", reply.status));
}

static void job_main(void *context)
{
    struct limen_call *call = context;
    const struct call_job *job = call->job;
    call->now = call->app->boundary->clock->wall_us;
    data_batch_init(&call->batch, &call->arena);
    if (!admission_take_slot(&call->admission))
        return;                            /* the data role sees that nobody took it */
    call->admission.request.operation = 0; /* a job is no operation's, and every contract has one */
    data_job_take(call->app->boundary->data, call->admission.request.slot, job->number);
    job->effect->run(call, job->params, &job->result);
    call_end_job(call, call_commit(call, (limen_reply){ .status = 200 }));
}

static bool read_job(struct limen_call *call, const struct limen_effect *effect, const struct data_job *job)
{
    struct call_job *it = ARENA_NEW(&call->arena, struct call_job);
    limen_str params = arena_copy(&call->arena, job->params);
    struct wire_reader reader = { params.ptr, params.ptr + params.len, false };
    limen_value *values = NULL;
    uint32_t count = 0;
    if (it == NULL || params.ptr == NULL || !wire_get_values(&reader, &call->arena, &values, &count))
        return false;
    *it = (struct call_job){
        .number = job->number,
        .effect = effect,
        .params = values,
        .result = { .outcome = (enum limen_effect_outcome)job->outcome,
                    .object_id = arena_copy(&call->arena, job->object_id),
                    .state = arena_copy(&call->arena, job->state),
                    .code = arena_copy(&call->arena, job->code) },
    };
    call->job = it;
    return it->result.object_id.ptr != NULL && it->result.state.ptr != NULL && it->result.code.ptr != NULL;
}

/* Nobody is there for the job: the data role hears of it at once. */
static void decline(struct app *app, const struct data_job *job)
{
    uint32_t slot;
    if (!data_slot_take(app->boundary->data, &slot))
        return;
    data_job_take(app->boundary->data, slot, job->number);
    data_slot_release(app->boundary->data, slot);
}

void app_on_job(void *context, const struct data_job *job)
{
    struct app *app = context;
    const struct limen_app *it = app->boundary->app;
    size_t at = 0;
    while (at < it->effect_count && !str_equal(it->effects[at].name, job->effect))
        at++;
    struct limen_call *call = at == it->effect_count ? NULL : call_new(app, job_main);
    if (call == NULL) {
        decline(app, job);
        return;
    }
    call->admission.operation = &app->jobs[at];
    if (read_job(call, &it->effects[at], job)) {
        call_wake(call);
        return;
    }
    decline(app, job);
    call_drop(call);
}

bool app_bind_effects(struct app *app, struct arena *arena)
{
    const struct limen_app *it = app->boundary->app;
    struct operation *jobs = ARENA_NEW_ARRAY(arena, struct operation, it->effect_count);
    for (size_t i = 0; jobs != NULL && i < it->effect_count; i++)
        jobs[i] = (struct operation){
            .id = it->effects[i].name,
            .index = UINT32_MAX, /* no row of the board */
            .timeout_us = LIMIT_EFFECT_JOB_US,
            .is_interactive = true,
        };
    app->jobs = jobs;
    return jobs != NULL;
}
