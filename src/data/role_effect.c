/* role_effect.c - leases effects that are due, has them sent, settles what came of it.
 *
 * A lease is noted before anything leaves, and what came of it before anybody hears: so whoever takes over after a death knows what may
 * have been done, and asks with the same key. All that is kept here is a place in a small table; the database knows the rest. */
#include "data/effect_decide.h"
#include "data/role_internal.h"

#include "core/log.h"

#define STORE_WAIT_US 10000000 /* for a task of our own */
#define COUNT_EVERY 4U         /* polls */

static void on_poll(struct loop_timer *timer);

static struct role_effect *free_place(struct role_effects *effects)
{
    for (uint32_t i = 0; i < LIMIT_EFFECTS_AT_ONCE; i++) {
        if (effects->places[i].step == ROLE_EFFECT_FREE)
            return &effects->places[i];
    }
    return NULL;
}

static uint32_t count_free(const struct role_effects *effects)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < LIMIT_EFFECTS_AT_ONCE; i++)
        count += effects->places[i].step == ROLE_EFFECT_FREE;
    return count;
}

static void submit(struct data_role *role, struct store_task *task, enum store_task_kind kind)
{
    const struct clock *now = loop_clock(role->loop);
    task->kind = kind;
    task->outcome = STORE_OK;
    task->now = now->wall_us;
    task->deadline_us = now->mono_us + STORE_WAIT_US;
    store_submit(role->store, task);
}

void role_effect_free(struct role_effect *effect)
{
    struct data_role *role = effect->role;
    loop_timer_stop(&effect->timer);
    arena_release(&effect->arena);
    effect->step = ROLE_EFFECT_FREE;
    effect->values = NULL;
    effect->job = 0;
    if (role->effects.wants_more)
        role_effects_look(role);
}

/* ---- settling ------------------------------------------------------------------------------------------------------------ */

static void report(const struct role_effect *effect)
{
    const struct store_settlement *it = &effect->settlement;
    if (it->state == STORE_EFFECT_DEAD)
        LOG_ERROR("an effect is given up: see `effects`", log_str("effect", it->id), log_str("key", effect->effect.key),
                  log_str("why", it->result.note));
}

static void on_settled(struct store_task *task)
{
    struct role_effect *effect = task->context;
    const struct store_settlement *it = &effect->settlement;
    if (task->outcome == STORE_NONE)
        LOG_WARN("an effect was taken over by another, or by an operator", log_str("effect", it->id));
    if (task->outcome == STORE_OK)
        report(effect);
    bool goes_on = task->outcome == STORE_OK && it->lease_until != 0 && !effect->role->is_closing;
    if (!goes_on) { /* also when the store had no time for it: the lease runs out, and the effect is asked about again */
        role_effect_free(effect);
        return;
    }
    effect->effect.state = it->state;
    effect->effect.attempts = it->attempts;
    effect->effect.result = it->result;
    role_job_offer(effect);
}

void role_effect_settle(struct role_effect *effect)
{
    effect->step = ROLE_EFFECT_SETTLING;
    loop_timer_stop(&effect->timer);
    effect->task = (struct store_task){
        .arena = &effect->arena, .settlement = &effect->settlement, .on_done = on_settled, .context = effect
    };
    submit(effect->role, &effect->task, STORE_EFFECT_SETTLE);
}

/* ---- sending ------------------------------------------------------------------------------------------------------------- */

static void on_answer(void *context, const struct fetch_result *result)
{
    struct role_effect *effect = context;
    limen_time now = loop_clock(effect->role->loop)->wall_us;
    bool has_answer = result->outcome == FETCH_OK;
    if (has_answer)
        memcpy(&effect->answer, result->body.ptr, sizeof(effect->answer));
    effect_decide(&effect->effect, effect->question, has_answer ? &effect->answer : NULL,
                  str_of(fetch_outcome_name(result->outcome)), now, &effect->settlement);
    if (effect->settlement.state == STORE_EFFECT_ANSWERED)
        effect->settlement.lease_until = now + LIMIT_EFFECT_LEASE_US; /* the app is to hear of it now */
    role_effect_settle(effect);
}

static void send(struct role_effect *effect)
{
    struct role_effects *effects = &effect->role->effects;
    const struct store_effect *it = &effect->effect;
    uint32_t place = (uint32_t)(effect - effects->places);
    limen_time now = loop_clock(effect->role->loop)->wall_us;
    effect->step = ROLE_EFFECT_SENDING;
    effect->question = effect_next_question(it, now);
    effect->request.kind = it->statement->action->kind;
    effect->request.question = effect->question;
    if (effect_request_fill(&effect->request, it->key, it->result.object_id, it->payload)
        && fetch_client_effect(effects->fetches, place, &effect->request, on_answer, effect))
        return;
    effect_decide(it, effect->question, NULL, LIMEN_STR("it cannot be sent: too long"), now, &effect->settlement);
    effect->settlement.state = STORE_EFFECT_DEAD;
    role_effect_settle(effect);
}

/* ---- leasing ------------------------------------------------------------------------------------------------------------- */

static bool keep(struct arena *arena, limen_str *text)
{
    *text = arena_copy(arena, *text);
    return text->ptr != NULL;
}

/* Copies what was leased: the task's memory is used again. */
static bool take(struct role_effect *effect, const struct store_effect *leased)
{
    struct store_effect *it = &effect->effect;
    struct store_effect_result *result = &it->result;
    *it = *leased;
    arena_init(&effect->arena, NULL, LIMIT_TASK_ARENA_BYTES);
    return keep(&effect->arena, &it->id) && keep(&effect->arena, &it->key) && keep(&effect->arena, &it->params)
        && keep(&effect->arena, &it->payload) && keep(&effect->arena, &result->object_id)
        && keep(&effect->arena, &result->state) && keep(&effect->arena, &result->code)
        && keep(&effect->arena, &result->note);
}

static void begin(struct data_role *role, const struct store_effect *leased)
{
    struct role_effect *effect = free_place(&role->effects);
    if (effect == NULL)
        BUG("more effects were leased than there are places");
    if (!take(effect, leased)) {
        arena_release(&effect->arena); /* the lease runs out */
        return;
    }
    if (effect->effect.state == STORE_EFFECT_ANSWERED)
        role_job_offer(effect);
    else
        send(effect);
}

static void on_leased(struct store_task *task)
{
    struct data_role *role = task->context;
    struct role_effects *effects = &role->effects;
    bool is_over = loop_clock(role->loop)->wall_us >= task->lease_until; /* we slept: another may have them by now */
    effects->is_leasing = false;
    for (uint32_t i = 0; task->outcome == STORE_OK && i < task->effect_count && !is_over && !role->is_closing; i++)
        begin(role, &task->effects[i]);
    bool is_full = task->outcome == STORE_OK && task->effect_count == task->lease_most;
    arena_release(&effects->lease_arena);
    if (is_full)
        effects->wants_more = true;
    if (effects->wants_more)
        role_effects_look(role);
}

void role_effects_look(struct data_role *role)
{
    struct role_effects *effects = &role->effects;
    uint32_t most = count_free(effects);
    effects->wants_more = true;
    if (!effects->is_used || role->is_closing || role->is_draining || effects->is_leasing || most == 0)
        return;
    effects->wants_more = false;
    effects->is_leasing = true;
    arena_init(&effects->lease_arena, NULL, LIMIT_TASK_ARENA_BYTES);
    effects->lease = (struct store_task){
        .arena = &effects->lease_arena,
        .lease_most = most,
        .lease_until = loop_clock(role->loop)->wall_us + LIMIT_EFFECT_LEASE_US,
        .may_send = effects->may_send,
        .on_done = on_leased,
        .context = role,
    };
    submit(role, &effects->lease, STORE_EFFECT_LEASE);
}

/* ---- counting ------------------------------------------------------------------------------------------------------------ */

static void on_counted(struct store_task *task)
{
    struct data_role *role = task->context;
    role->effects.is_counting = false;
    arena_release(&role->effects.count_arena);
    if (task->outcome == STORE_OK && role->effects.on_counts != NULL)
        role->effects.on_counts(role->effects.counts_context, &task->counts);
}

static void count(struct data_role *role)
{
    struct role_effects *effects = &role->effects;
    if (effects->is_counting)
        return;
    effects->is_counting = true;
    arena_init(&effects->count_arena, NULL, LIMIT_TASK_ARENA_BYTES);
    effects->count = (struct store_task){ .arena = &effects->count_arena, .on_done = on_counted, .context = role };
    submit(role, &effects->count, STORE_EFFECT_COUNT);
}

/* ---- the role ------------------------------------------------------------------------------------------------------------ */

static void on_poll(struct loop_timer *timer)
{
    struct role_effects *effects = (struct role_effects *)timer;
    struct data_role *role = (struct data_role *)((char *)effects - offsetof(struct data_role, effects));
    loop_timer_start(loop_timers(role->loop, LIMIT_EFFECT_POLL_US), &effects->poll, on_poll);
    role_effects_look(role);
    if (effects->polls++ % COUNT_EVERY == 0)
        count(role);
}

bool role_effects_open(struct data_role *role, const struct data_role_config *config)
{
    struct role_effects *effects = &role->effects;
    effects->fetches = config->fetches;
    effects->may_send = config->sends_effects && config->fetches != NULL;
    effects->on_counts = config->on_effect_counts;
    effects->counts_context = config->context;
    for (uint32_t i = 0; i < LIMIT_EFFECTS_AT_ONCE; i++)
        effects->places[i].role = role;
    for (uint32_t i = 0; i < role->queries->count; i++)
        effects->is_used |= role->queries->statements[i].kind == STATEMENT_EFFECT;
    if (!effects->is_used)
        return true;
    if (!effects->may_send)
        LOG_WARN("effects wait: no --effect-target tells where they are sent",
                 log_int("statements", role->queries->count));
    struct loop_timer_list *polls = loop_timers(role->loop, LIMIT_EFFECT_POLL_US);
    if (polls == NULL || loop_timers(role->loop, LIMIT_EFFECT_LEASE_US) == NULL)
        return false;
    loop_timer_start(polls, &effects->poll, on_poll);
    return true;
}

bool role_effects_are_idle(const struct data_role *role)
{
    return count_free(&role->effects) == LIMIT_EFFECTS_AT_ONCE && !role->effects.is_leasing;
}

void role_effects_stop(struct data_role *role)
{
    loop_timer_stop(&role->effects.poll);
}

void role_effects_close(struct data_role *role)
{
    role_effects_stop(role);
    for (uint32_t i = 0; i < LIMIT_EFFECTS_AT_ONCE; i++) {
        struct role_effect *effect = &role->effects.places[i];
        loop_timer_stop(&effect->timer);
        if (effect->step != ROLE_EFFECT_FREE)
            arena_release(&effect->arena);
    }
    if (role->effects.is_leasing)
        arena_release(&role->effects.lease_arena);
    if (role->effects.is_counting)
        arena_release(&role->effects.count_arena);
}
