/* fetch_wire.h - what the data role and the outbound role say to each other: "fetch this target", and what came of it.
 *
 * One message of a SOCK_SEQPACKET socket each. A target is a number that both know from their settings, so whoever takes over the
 * data role can name no address. Both ends are the same binary, so a message is a struct as it lies in memory; neither believes
 * the other: whoever receives checks sizes and numbers. */
#ifndef CORE_FETCH_WIRE_H
#define CORE_FETCH_WIRE_H

#include "core/limits.h"
#include "limen/base.h"

/* What came of a fetch. */
enum fetch_outcome {
    FETCH_OK,         /* status 200, and the whole body is there */
    FETCH_UNRESOLVED, /* the host's name leads to no address */
    FETCH_ADDRESS, /* it leads to loopback, link-local, private or reserved addresses only, which the target may not use */
    FETCH_UNREACHABLE, /* nobody accepts the connection */
    FETCH_TLS,         /* no TLS comes about */
    FETCH_CERTIFICATE, /* the certificate is expired, not yet valid, or not issued by anybody whom we trust */
    FETCH_HOST_NAME,   /* the certificate is another host's */
    FETCH_REDIRECT,    /* status 3xx: never followed */
    FETCH_STATUS,      /* any other status */
    FETCH_TOO_LARGE,   /* head or body are past their ceilings */
    FETCH_TIMEOUT,     /* the time was over */
    FETCH_BROKEN,      /* the connection ended early, or what came is no HTTP */
    FETCH_FAILED,      /* on our side: no memory, no descriptor */
    FETCH_GONE,        /* there is no outbound role, or it went away. Never on the wire */
};
#define FETCH_OUTCOMES_ON_WIRE ((uint32_t)FETCH_GONE)

/* For logs and counters: "host_name". */
const char *fetch_outcome_name(enum fetch_outcome outcome);

/* Targets and, behind them, the effects under way (core/effect_wire.h). */
#define FETCH_PLACES (LIMIT_FETCH_TARGETS + LIMIT_EFFECTS_AT_ONCE)

/* data -> outbound. A newer request for a target takes the place of the one under way. */
struct fetch_request {
    uint32_t target;
    uint32_t sequence; /* comes back in the answer, by which a late one is known */
};

/* outbound -> data: the head, and `body_bytes` of the body, which is empty unless the outcome is FETCH_OK. */
struct fetch_answer {
    uint32_t target, sequence;
    uint32_t outcome;
    uint32_t status; /* of HTTP; 0 when there was none */
    uint32_t body_bytes;
    char body[LIMIT_FETCH_BODY_BYTES];
};
#define FETCH_ANSWER_HEAD_BYTES offsetof(struct fetch_answer, body)

/* True when a message of `received` bytes is one that an outbound role may send. */
bool fetch_answer_is_sound(const struct fetch_answer *answer, size_t received) LIMEN_MUST_CHECK;

#endif
