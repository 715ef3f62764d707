/* fuzz_stripe.c - what a provider answers, whoever that is by now: an outcome that the data role may believe to be ours.
 *
 * Input: a byte for the question, a byte for the status, then the body. */
#include "core/arena.h"
#include "core/str.h"
#include "outbound/stripe.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t statuses[] = { 200, 302, 400, 402, 404, 409, 500 };
    static struct effect_request request;
    struct effect_answer answer;
    struct arena arena;
    if (size < 2)
        return 0;
    request.kind = data[0] / EFFECT_QUESTIONS % EFFECT_KINDS;
    request.question = data[0] % EFFECT_QUESTIONS;
    if (!effect_request_fill(&request, LIMEN_STR("charge/x"), LIMEN_STR("pi_1"),
                             LIMEN_STR("{\"amount\":4200,\"currency\":\"EUR\",\"payment\":\"pi_1\"}")))
        abort();
    uint32_t status = statuses[data[1] % (sizeof(statuses) / sizeof(statuses[0]))];
    limen_str body = str_make((const char *)data + 2, size - 2);
    arena_init(&arena, NULL, LIMIT_EFFECT_SCRATCH_BYTES);
    stripe_read(&request, status, str_slice(body, 0, 3), body, &arena, &answer);
    bool is_final = answer.outcome == EFFECT_SUCCEEDED || answer.outcome == EFFECT_PROCESSING;
    if (!effect_answer_is_sound(&answer, sizeof(answer)) || (is_final && (status != 200 || answer.object_bytes == 0)))
        abort();
    arena_release(&arena);
    return 0;
}
