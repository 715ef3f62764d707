/* quota.h - how often: which limits a request is counted against, and as whose. */
#ifndef BOUNDARY_QUOTA_H
#define BOUNDARY_QUOTA_H

#include "boundary/admit.h"

/* Each counts the request, and returns false after recording a refusal: 429, or 503 where hosts cannot count together now. The address is
 * counted on this host alone, so that a flood costs nothing beyond it; what follows waits for the data role where hosts count together. */
bool address_is_within_limit(struct admission *admission) LIMEN_MUST_CHECK;
bool caller_is_within_limits(struct admission *admission) LIMEN_MUST_CHECK;

#endif
