/* fetch_client.h - the data role's end of the socket to the outbound role: asks for a document, and hears of it in the loop.
 *
 * A fetch always ends, with an outcome: when the outbound role dies under it or breaks the protocol, with FETCH_GONE; past the
 * deadline, with FETCH_TIMEOUT. While there is no outbound role a fetch waits for one, until the deadline: then FETCH_GONE. It is tried
 * once. When to try again is the caller's to decide, who knows how badly it is needed:
 * with a pause that grows, and some jitter, so that replicas do not knock together. */
#ifndef DATA_FETCH_CLIENT_H
#define DATA_FETCH_CLIENT_H

#include "core/effect_wire.h"

struct fetch_client;
struct loop;

struct fetch_result {
    enum fetch_outcome outcome;
    uint32_t status; /* of HTTP; 0 when there was none */
    limen_str body;  /* FETCH_OK: a stranger's bytes, up to LIMIT_FETCH_BODY_BYTES, valid until on_done returns */
};
typedef void fetch_done(void *context, const struct fetch_result *result);

/* `on_breach` (may be NULL) is called when the outbound role broke the protocol and was cut off: strangers may have taken it over, and
 * another one should take its place. NULL when memory is out. */
struct fetch_client *fetch_client_new(struct loop *loop, void (*on_breach)(void));
/* Drops what is under way: no on_done is called any more. Accepts NULL. */
void fetch_client_free(struct fetch_client *client);
/* Takes a connected SOCK_SEQPACKET socket and closes the one before, whose fetches end with FETCH_GONE. False, and `fd` is closed, when
 * the kernel refuses. */
bool fetch_client_attach(struct fetch_client *client, int fd) LIMEN_MUST_CHECK;

/* Asks for a target once. `on_done` is called once, from the loop, never from inside this function; it may ask again. False when there
 * is no such target or a fetch of it is under way: callers who want the same document share one. */
bool fetch_client_get(struct fetch_client *client, uint32_t target, fetch_done *on_done,
                      void *context) LIMEN_MUST_CHECK;

/* Hands over an effect, at a place below LIMIT_EFFECTS_AT_ONCE; `request` is filled in but for its head and stays where it is until
 * `on_done`. With FETCH_OK the body is a sound struct effect_answer; any other outcome tells nothing of whether it was done. False: an effect
 * is under way at this place. */
bool fetch_client_effect(struct fetch_client *client, uint32_t place, struct effect_request *request,
                         fetch_done *on_done, void *context) LIMEN_MUST_CHECK;

#endif
