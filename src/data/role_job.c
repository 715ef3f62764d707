/* role_job.c - what came of an effect goes to a worker, whose app takes it in a call of the system's own.
 *
 * The batch of that call carries the effect's settlement, under the fence of our lease: what the app does with a result and the note
 * that it has done so are one. Whatever goes wrong before - the handler fails, the worker dies or is too slow - the effect is offered
 * again later, after a pause that grows. Only the slot that took a job may run statements of the system's, only while it is open, and only
 * those that name its effect and what came of it (`-- scope: system for charge succeeded`), for what the effect was asked with. So a
 * worker that is taken over can do with a result what the app does with it, and nothing to another order. */
#include "data/effect_decide.h"
#include "data/role_internal.h"

#include "core/log.h"

static struct role_effect *find_job(struct data_role *role, uint32_t job)
{
    for (uint32_t i = 0; job != 0 && i < LIMIT_EFFECTS_AT_ONCE; i++) {
        struct role_effect *effect = &role->effects.places[i];
        if (effect->step == ROLE_EFFECT_JOB && effect->job == job)
            return effect;
    }
    return NULL;
}

/* ---- offering ------------------------------------------------------------------------------------------------------------ */

/* There is no worker now: whoever has one may take the effect. */
static void give_back(struct role_effect *effect)
{
    limen_time now = loop_clock(effect->role->loop)->wall_us;
    uint32_t attempts = effect->effect.attempts;
    effect_decide_untaken(&effect->effect, effect->effect.result.note, now, &effect->settlement);
    effect->settlement.attempts = attempts; /* nobody has tried */
    effect->settlement.state = STORE_EFFECT_ANSWERED;
    role_effect_settle(effect);
}

static void fail(struct role_effect *effect, const char *why)
{
    limen_time now = loop_clock(effect->role->loop)->wall_us;
    effect->job = 0;
    LOG_WARN("an effect's result could not be taken and is offered again", log_str("effect", effect->effect.id),
             log_str("key", effect->effect.key), log_text("why", why));
    effect_decide_untaken(&effect->effect, str_of(why), now, &effect->settlement);
    role_effect_settle(effect);
}

static void on_late(struct loop_timer *timer)
{
    fail((struct role_effect *)timer, "the app was too slow");
}

/* Workers take turns. */
static struct role_worker *next_worker(struct data_role *role, const struct role_effect *effect)
{
    for (uint32_t i = 0; i < LIMIT_WORKERS; i++) {
        struct role_worker *worker = role->workers[role->effects.next_worker++ % LIMIT_WORKERS];
        if (worker != NULL && worker->breach == NULL && role_worker_tell_job(worker, effect))
            return worker;
    }
    return NULL;
}

static bool read_values(struct role_effect *effect)
{
    struct wire_reader reader = { effect->effect.params.ptr, effect->effect.params.ptr + effect->effect.params.len,
                                  false };
    return effect->values != NULL || wire_get_values(&reader, &effect->arena, &effect->values, &effect->value_count);
}

void role_job_offer(struct role_effect *effect)
{
    struct data_role *role = effect->role;
    effect->step = ROLE_EFFECT_JOB;
    if (!read_values(effect)) {
        fail(effect, "what it was asked with cannot be read");
        return;
    }
    if (++role->effects.last_job == 0)
        role->effects.last_job = 1;
    effect->job = role->effects.last_job;
    const struct role_worker *worker = role->is_draining ? NULL : next_worker(role, effect);
    if (worker == NULL) {
        give_back(effect);
        return;
    }
    effect->worker = worker->number;
    loop_timer_start(loop_timers(role->loop, LIMIT_EFFECT_LEASE_US), &effect->timer, on_late);
}

/* ---- the call ------------------------------------------------------------------------------------------------------------ */

const char *role_job_take(struct role_worker *worker, struct role_slot *slot, limen_str payload)
{
    struct wire_reader reader = { payload.ptr, payload.ptr + payload.len, false };
    uint32_t job = wire_get_u32(&reader);
    if (reader.failed || reader.at != reader.end || job == 0)
        return "malformed payload";
    const struct role_effect *effect = find_job(worker->role, job);
    if (effect != NULL && effect->worker != worker->number)
        return "a job of another worker's";
    role_slot_forget(worker->role, slot);
    if (effect == NULL)
        slot->is_stale = true; /* too late: nothing is done for it */
    else
        slot->job = job;
    return NULL;
}

static bool values_are_equal(const limen_value *a, const limen_value *b)
{
    if (a->type != b->type || a->is_list || b->is_list || a->is_null != b->is_null)
        return false;
    if (a->is_null)
        return true;
    switch ((enum limen_type)a->type) {
    case LIMEN_TYPE_TEXT:
    case LIMEN_TYPE_BYTES:
    case LIMEN_TYPE_JSON:
        return str_equal(a->as.text, b->as.text);
    case LIMEN_TYPE_INT:
    case LIMEN_TYPE_BOOL:
    case LIMEN_TYPE_TIME:
    case LIMEN_TYPE_FLOAT: /* bit for bit */
        return a->as.integer == b->as.integer;
    }
    return false;
}

/* True where the parameter has the name of one of the effect's, or of the result's `object_id`, and another value. */
static bool is_foreign(const struct role_effect *effect, limen_str name, const limen_value *value)
{
    const struct statement *asked = effect->effect.statement;
    const struct statement_param *its = statement_param(asked, name);
    const limen_value object_id = { .type = LIMEN_TYPE_TEXT, .as.text = effect->effect.result.object_id };
    if (its == NULL)
        return str_equal(name, LIMEN_STR("object_id")) && !values_are_equal(value, &object_id);
    size_t at = (size_t)(its - asked->params);
    return at >= effect->value_count || !values_are_equal(value, &effect->values[at]);
}

static bool are_the_effects(const struct role_effect *effect, const struct statement *statement,
                            const limen_value *params, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (is_foreign(effect, statement->params[i].name, &params[i]))
            return false;
    }
    return true;
}

static bool is_named(const struct role_effect *effect, const struct statement *statement)
{
    const struct store_effect *it = &effect->effect;
    for (uint32_t i = 0; i < statement->result_count; i++) {
        const struct statement_result *result = &statement->results[i];
        if (result->effect == it->statement->number && (result->outcomes & 1U << it->result.outcome) != 0)
            return true;
    }
    return false;
}

enum data_outcome role_job_allows(const struct role_request *request, const struct statement *statement,
                                  const limen_value *params, uint32_t count)
{
    if (request->job == 0)
        return DATA_FORBIDDEN;
    const struct role_effect *effect = find_job(request->role, request->job);
    if (effect == NULL)
        return DATA_BUSY;
    bool is_allowed = is_named(effect, statement) && are_the_effects(effect, statement, params, count);
    return is_allowed ? DATA_OK : DATA_FORBIDDEN;
}

bool role_job_settles(struct role_request *request, const struct role_slot *slot)
{
    const struct role_effect *effect = find_job(request->role, slot->job);
    struct store_settlement *settlement = ARENA_NEW(&request->arena, struct store_settlement);
    if (effect == NULL || settlement == NULL)
        return false;
    const struct store_effect *it = &effect->effect;
    struct store_effect_result *result = &settlement->result;
    *settlement = (struct store_settlement){ .id = arena_copy(&request->arena, it->id),
                                             .fence = it->fence,
                                             .state = STORE_EFFECT_DONE,
                                             .due_at = request->task.now,
                                             .sent_at = it->sent_at };
    *result = (struct store_effect_result){ .is_known = true,
                                            .outcome = it->result.outcome,
                                            .object_id = arena_copy(&request->arena, it->result.object_id),
                                            .state = arena_copy(&request->arena, it->result.state),
                                            .code = arena_copy(&request->arena, it->result.code) };
    request->task.settlement = settlement;
    return settlement->id.ptr != NULL && result->object_id.ptr != NULL && result->state.ptr != NULL
        && result->code.ptr != NULL;
}

void role_job_done(struct data_role *role, struct role_slot *slot)
{
    struct role_effect *effect = find_job(role, slot->job);
    slot->job = 0;
    slot->is_stale = true; /* the call has nothing more to do */
    if (effect != NULL)
        role_effect_free(effect);
}

void role_job_forget(struct data_role *role, struct role_slot *slot)
{
    struct role_effect *effect = find_job(role, slot->job);
    slot->job = 0;
    if (effect != NULL && !role->is_closing)
        fail(effect, "the app's function did not succeed");
}

void role_job_worker_gone(struct data_role *role, uint32_t worker)
{
    for (uint32_t i = 0; i < LIMIT_EFFECTS_AT_ONCE && !role->is_closing; i++) {
        struct role_effect *effect = &role->effects.places[i];
        if (effect->step == ROLE_EFFECT_JOB && effect->job != 0 && effect->worker == worker)
            fail(effect, "the worker died");
    }
}
