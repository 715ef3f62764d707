/* effects.c - an effect as a transfer, and its answer as an outcome.
 *
 * What leaves towards the data role is an effect_answer of our own making: the provider's bytes end here. The secret is put into the
 * one header that needs it and is in no log line. */
#include "outbound/internal.h"

#include "core/str.h"
#include "outbound/stripe.h"

static bool add_field(struct curl_slist **fields, const char *field)
{
    struct curl_slist *longer = field == NULL ? NULL : curl_slist_append(*fields, field);
    if (longer == NULL)
        return false;
    *fields = longer;
    return true;
}

static bool add_fields(struct effect *effect, const struct stripe_call *call, const struct outbound_effects *config)
{
    struct curl_slist **fields = &effect->transfer.fields;
    struct arena *arena = &effect->arena;
    const char *key = call->key == NULL ? NULL : arena_printf(arena, "Idempotency-Key: %s", call->key).ptr;
    return add_field(fields, "Accept: application/json") && add_field(fields, "User-Agent: limen")
        && add_field(fields, "Stripe-Version: " STRIPE_VERSION) && add_field(fields, "Expect:")
        && add_field(fields, arena_printf(arena, "Authorization: Bearer %.*s", LIMEN_STR_ARG(config->secret)).ptr)
        && (call->key == NULL || add_field(fields, key));
}

/* The answer is what we make of it ourselves. */
static void put_answer(struct transfer *transfer, const struct effect_answer *answer)
{
    memcpy(transfer->answer.body, answer, sizeof(*answer));
    transfer->answer.body_bytes = sizeof(*answer);
    transfer->answer.outcome = FETCH_OK;
}

static void refuse(struct effect *effect, const char *note)
{
    struct effect_answer answer = { .outcome = EFFECT_REFUSED };
    effect_answer_note(&answer, str_of(note));
    effect->transfer.answer.status = 0;
    put_answer(&effect->transfer, &answer);
}

bool effect_prepare(struct effect *effect, const struct outbound_effects *config)
{
    struct stripe_call call;
    const char *note = NULL;
    arena_init(&effect->arena, NULL, LIMIT_EFFECT_SCRATCH_BYTES);
    if (!stripe_write(&effect->request, config->payment_method, &effect->arena, &call, &note)) {
        refuse(effect, note);
        effect_release(effect);
        return false;
    }
    struct transfer *transfer = &effect->transfer;
    transfer->effect = effect;
    transfer->url = arena_printf(&effect->arena, "%.*s%s", LIMEN_STR_ARG(config->url), call.target).ptr;
    transfer->form = call.form;
    transfer->may_be_private = config->may_be_private;
    transfer->is_plain = str_starts(config->url, LIMEN_STR("http://"));
    if (transfer->url != NULL && add_fields(effect, &call, config))
        return true;
    effect_release(effect);
    transfer->answer.outcome = FETCH_FAILED;
    transfer->answer.status = transfer->answer.body_bytes = 0;
    return false;
}

void effect_conclude(struct effect *effect)
{
    struct transfer *transfer = &effect->transfer;
    struct fetch_answer *it = &transfer->answer;
    struct effect_answer answer;
    if (it->outcome == FETCH_OK) {
        stripe_read(&effect->request, it->status, str_make(transfer->wait, transfer->wait_bytes),
                    str_make(it->body, it->body_bytes), &effect->arena, &answer);
        put_answer(transfer, &answer);
    }
    effect_release(effect);
}

void effect_release(struct effect *effect)
{
    curl_slist_free_all(effect->transfer.fields);
    effect->transfer.fields = NULL;
    effect->transfer.url = effect->transfer.form = NULL;
    arena_release(&effect->arena);
}
