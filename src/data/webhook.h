/* webhook.h - a provider's signature over the body that it has sent, in Stripe's form: `t=TIME,v1=HEX`, with as many v1 as the provider
 * has secrets at the moment.
 *
 * A mark is HMAC-SHA256 of "TIME.BODY" under a secret that both sides hold. The time is a part of what is signed, so that a request
 * that somebody has kept is of no use later. */
#ifndef DATA_WEBHOOK_H
#define DATA_WEBHOOK_H

#include "core/limits.h"
#include "limen/base.h"

struct arena;

#define WEBHOOK_MARK_BYTES 32U

/* Slices of the field's value. */
struct webhook_signature {
    limen_str time_text; /* as it was signed */
    int64_t signed_at_s; /* seconds since 1970 */
    uint8_t marks[LIMIT_WEBHOOK_MARKS][WEBHOOK_MARK_BYTES];
    uint32_t mark_count; /* at least 1 */
};

/* Strict: members `name=value` with commas between them and nothing else; one `t`, of digits; each `v1` 64 lower-case hex digits. Members of
 * other names (the provider's `v0` of test events) are passed over. False: it is no such field, or longer than our ceilings. */
bool webhook_parse(limen_str field, struct webhook_signature *ret_signature) LIMEN_MUST_CHECK;

enum webhook_outcome {
    WEBHOOK_OK,
    WEBHOOK_FORGED, /* no mark is of this secret and this body */
    WEBHOOK_STALE,  /* one is, but its time is further from `now` than LIMIT_WEBHOOK_TOLERANCE_US */
    WEBHOOK_NO_MEMORY
};

/* Takes the same time whichever mark is right, and whichever of its bytes is wrong. `arena` is for scratch. */
enum webhook_outcome webhook_verify(const struct webhook_signature *signature, limen_str secret, limen_str body,
                                    limen_time now, struct arena *arena) LIMEN_MUST_CHECK;

#endif
