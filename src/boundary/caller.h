/* caller.h - who calls, and may they? OpenAPI's `security`: one of the alternatives, all credentials of it. */
#ifndef BOUNDARY_CALLER_H
#define BOUNDARY_CALLER_H

#include "boundary/admit.h"

/* Finds an alternative of the operation that the request satisfies, and makes its first credential's principal the one who acts. Waits
 * for the data role where it must. False after a refusal: 401, 403, 503. */
bool caller_is_admitted(struct admission *admission) LIMEN_MUST_CHECK;
/* The same for an operation that takes a provider's signature, once its body has been read; caller_is_admitted has seen that there is one.
 * True on all other operations. */
bool caller_has_signed(struct admission *admission) LIMEN_MUST_CHECK;
/* Binds a slot that has just been taken to what was shown without asking. */
void caller_bind_slot(struct admission *admission);
/* The session's token that was shown; empty when the caller has none. */
limen_str caller_session(const struct admission *admission);

#endif
