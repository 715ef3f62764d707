/* jwks.c - when an issuer's keys are fetched, and what is done with what came.
 *
 * One timer looks once a second whether a fetch is due: after a good one in a quarter of an hour, after a bad one soon, then ever
 * later, with some jitter, so that replicas do not knock together. */
#include "data/jwks.h"

#include "core/limits.h"
#include "core/log.h"
#include "core/loop.h"
#include "data/fetch_client.h"

#include <stdlib.h>
#include <sys/random.h>

#define LOOK_US 1000000
#define RETRY_FIRST_US 1000000

struct jwks {
    struct loop *loop; /* NULL: the keys never change */
    struct fetch_client *fetches;
    uint32_t target;
    limen_str name;
    struct jwk_set *keys; /* NULL: none have come yet */
    struct loop_timer look;
    bool is_fetching;
    int64_t due_us;   /* monotonic: the next fetch */
    int64_t asked_us; /* when the last one was begun */
    int64_t retry_us; /* after the next failure */
    struct jwks_waiter *waiting;
};

/* ---- fetching --------------------------------------------------------------------------------------------------------- */

/* Up to a tenth more. */
static int64_t with_jitter(int64_t duration_us)
{
    uint16_t random = 0;
    if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
        BUG("the kernel gives no random bytes");
    return duration_us + duration_us / 10 * random / UINT16_MAX;
}

static void call_waiters(struct jwks *jwks)
{
    struct jwks_waiter *waiter = jwks->waiting;
    jwks->waiting = NULL; /* who is called may wait again */
    while (waiter != NULL) {
        struct jwks_waiter *next = waiter->next;
        waiter->on_done(waiter);
        waiter = next;
    }
}

/* Newer keys take the place of those that are here, unless nothing can be made of them. */
static bool take_keys(struct jwks *jwks, const struct fetch_result *result)
{
    const char *fault = fetch_outcome_name(result->outcome), *left_out = NULL;
    struct jwk_set *keys = result->outcome == FETCH_OK ? jwk_set_parse(result->body, &fault, &left_out) : NULL;
    if (keys == NULL) {
        LOG_WARN(jwks->keys == NULL ? "there are no keys yet" : "the keys that are here are kept",
                 log_str("scheme", jwks->name), log_text("why", fault));
        return false;
    }
    if (left_out != NULL)
        LOG_DEBUG("a key is left out", log_str("scheme", jwks->name), log_text("why", left_out));
    jwk_set_free(jwks->keys);
    jwks->keys = keys;
    return true;
}

static void on_fetched(void *context, const struct fetch_result *result)
{
    struct jwks *jwks = context;
    int64_t now_us = loop_clock(jwks->loop)->mono_us;
    jwks->is_fetching = false;
    if (take_keys(jwks, result)) {
        jwks->retry_us = RETRY_FIRST_US;
        jwks->due_us = now_us + with_jitter(LIMIT_JWKS_FRESH_US);
    } else {
        jwks->due_us = now_us + with_jitter(jwks->retry_us);
        jwks->retry_us = jwks->retry_us * 2 < LIMIT_JWKS_RETRY_US ? jwks->retry_us * 2 : LIMIT_JWKS_RETRY_US;
    }
    call_waiters(jwks);
}

static void begin_fetch(struct jwks *jwks)
{
    jwks->asked_us = loop_clock(jwks->loop)->mono_us;
    jwks->is_fetching = fetch_client_get(jwks->fetches, jwks->target, on_fetched, jwks);
    if (!jwks->is_fetching)
        jwks->due_us = jwks->asked_us + jwks->retry_us;
}

static void on_look(struct loop_timer *timer)
{
    struct jwks *jwks = (struct jwks *)((char *)timer - offsetof(struct jwks, look));
    if (!jwks->is_fetching && loop_clock(jwks->loop)->mono_us >= jwks->due_us)
        begin_fetch(jwks);
    loop_timer_start(loop_timers(jwks->loop, LOOK_US), timer, on_look);
}

/* ---- life ------------------------------------------------------------------------------------------------------------- */

struct jwks *jwks_of_set(struct jwk_set *keys)
{
    struct jwks *jwks = calloc(1, sizeof(*jwks));
    if (jwks == NULL)
        jwk_set_free(keys);
    else
        jwks->keys = keys;
    return jwks;
}

struct jwks *jwks_of_target(struct loop *loop, struct fetch_client *fetches, uint32_t target, limen_str name)
{
    struct jwks *jwks = calloc(1, sizeof(*jwks));
    struct loop_timer_list *list = loop_timers(loop, LOOK_US);
    if (jwks == NULL || list == NULL) {
        free(jwks);
        return NULL;
    }
    *jwks = (struct jwks){
        .loop = loop, .fetches = fetches, .target = target, .name = name, .retry_us = RETRY_FIRST_US
    };
    loop_timer_start(list, &jwks->look, on_look);
    begin_fetch(jwks);
    return jwks;
}

void jwks_free(struct jwks *jwks)
{
    if (jwks == NULL)
        return;
    loop_timer_stop(&jwks->look);
    jwk_set_free(jwks->keys);
    free(jwks);
}

const struct jwk_set *jwks_keys(const struct jwks *jwks)
{
    return jwks->keys;
}

bool jwks_wait(struct jwks *jwks, struct jwks_waiter *waiter)
{
    if (jwks->loop == NULL)
        return false;
    if (!jwks->is_fetching && loop_clock(jwks->loop)->mono_us - jwks->asked_us >= LIMIT_JWKS_AGAIN_US)
        begin_fetch(jwks);
    if (!jwks->is_fetching)
        return false;
    waiter->next = jwks->waiting;
    jwks->waiting = waiter;
    return true;
}

int64_t jwks_settled_until(const struct jwks *jwks)
{
    if (jwks->loop == NULL)
        return INT64_MAX;
    if (jwks->is_fetching)
        return 0;
    int64_t again_us = jwks->asked_us + LIMIT_JWKS_AGAIN_US;
    return again_us < jwks->due_us ? again_us : jwks->due_us;
}
