/* stripe.h - the wire of Stripe's PaymentIntents and Refunds: what is sent, and what an answer means.
 *
 * Form-encoded requests, JSON answers, the version pinned. Both ways are plain functions over bytes; who connects is effects.c. */
#ifndef OUTBOUND_STRIPE_H
#define OUTBOUND_STRIPE_H

#include "contract/effect.h"
#include "core/effect_wire.h"

struct arena;

#define STRIPE_VERSION "2024-06-20"
#define STRIPE_KEY_NOTE \
    "limen_key" /* of an object's metadata: by it the object is found when the key has been forgotten */

/* One request. Texts are NUL-terminated, in the arena. */
struct stripe_call {
    const char *target; /* behind the base URL: "/v1/payment_intents" */
    const char *form;   /* NULL: a GET */
    const char *key;    /* the value of Idempotency-Key; NULL: a GET */
};

/* False, with a note for the operator, when the effect cannot be sent: its payload lacks what the provider must know, or memory is out.
 * `payment_method` is for a charge whose payload names none. */
bool stripe_write(const struct effect_request *request, limen_str payment_method, struct arena *arena,
                  struct stripe_call *ret_call, const char **ret_note) LIMEN_MUST_CHECK;

/* What an answer of HTTP `status` means for the question. `body` is a stranger's; `wait` is its Retry-After, or empty. */
void stripe_read(const struct effect_request *request, uint32_t status, limen_str wait, limen_str body,
                 struct arena *arena, struct effect_answer *ret_answer);

#endif
