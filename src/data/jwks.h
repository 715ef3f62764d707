/* jwks.h - the keys of one issuer, kept fresh: from a file once, from a URL again and again.
 *
 * Keys that are here stay until newer ones have come: an issuer who cannot be reached locks nobody out. A token that names an
 * unknown key may ask for newer ones, but only now and then: strangers write tokens, too. */
#ifndef DATA_JWKS_H
#define DATA_JWKS_H

#include "data/jwk.h"

struct fetch_client;
struct jwks;
struct loop;

/* Somebody who waits for the fetch under way; embedded in the caller's own. */
struct jwks_waiter {
    void (*on_done)(struct jwks_waiter *waiter); /* from the loop; may wait again */
    struct jwks_waiter *next;                    /* private */
};

/* Keys that never change; takes the set. NULL when memory is out: the set is then freed. */
struct jwks *jwks_of_set(struct jwk_set *keys);
/* Fetches the target at once and then regularly. `name` is for the log, and outlives it. NULL when memory is out. */
struct jwks *jwks_of_target(struct loop *loop, struct fetch_client *fetches, uint32_t target, limen_str name);
/* Nobody who waits is called any more. The fetch client must be freed before the loop turns again: it may hold a fetch of ours. Accepts
 * NULL. */
void jwks_free(struct jwks *jwks);

/* The keys, until the loop turns again; NULL: none have come yet. */
const struct jwk_set *jwks_keys(const struct jwks *jwks);
/* Waits for newer keys: a fetch that is under way, or one that is begun now, when the last is long enough ago. False when neither: what
 * is here is all there is. */
bool jwks_wait(struct jwks *jwks, struct jwks_waiter *waiter) LIMEN_MUST_CHECK;
/* Until when (monotonic) the keys stay what they are, whatever is asked. */
int64_t jwks_settled_until(const struct jwks *jwks);

#endif
