/* fetch_wire.c - names, and the one check of a message whose size varies. */
#include "core/fetch_wire.h"

const char *fetch_outcome_name(enum fetch_outcome outcome)
{
    static const char *const names[] = {
        "ok",       "unresolved", "address",   "unreachable", "tls",    "certificate", "host_name",
        "redirect", "status",     "too_large", "timeout",     "broken", "failed",      "gone",
    };
    return (size_t)outcome < sizeof(names) / sizeof(names[0]) ? names[outcome] : "unknown";
}

bool fetch_answer_is_sound(const struct fetch_answer *answer, size_t received)
{
    if (received < FETCH_ANSWER_HEAD_BYTES || received > sizeof(*answer))
        return false;
    return answer->target < FETCH_PLACES && answer->outcome < FETCH_OUTCOMES_ON_WIRE
        && answer->body_bytes == received - FETCH_ANSWER_HEAD_BYTES
        && (answer->outcome == FETCH_OK || answer->body_bytes == 0);
}
