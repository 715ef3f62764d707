/* outbound.h - the only part that connects to other hosts: it fetches what it was told at start, for the data role.
 *
 * What a host answers is a stranger's; so this part is a process of its own, without a database credential, and it hands on bytes
 * that it has not looked into. Whoever asks names a target by its number: an address cannot be asked for.
 *
 * A target is fetched by https, from a host whose certificate is verified by name, without redirects and without a proxy. The
 * address that is connected to, after the name was resolved, must be public, unless the target may use private ones. One request is
 * one attempt: whoever asks knows when another is worth it (data/fetch_client.h). */
#ifndef OUTBOUND_OUTBOUND_H
#define OUTBOUND_OUTBOUND_H

#include "core/limits.h"
#include "core/sandbox.h"

struct arena;
struct loop;
struct outbound;

struct outbound_target {
    limen_str url;
    bool may_be_private; /* loopback, link-local and private addresses too */
};

/* Where effects are sent. */
struct outbound_effects {
    limen_str
        url; /* empty: nowhere. https://host[:port], or http:// with a host that is private: what follows is the provider's */
    bool may_be_private; /* as above */
    limen_str secret, payment_method;
};

struct outbound_config {
    struct outbound_effects effects;
    struct outbound_target targets[LIMIT_FETCH_TARGETS];
    uint32_t target_count;
    limen_str authorities; /* certificates in PEM: whoever issued none of them, nor one below them, is not believed */
};

/* What a URL says, as the one who will connect reads it. */
struct outbound_address {
    limen_str host; /* of a literal IPv6 address: with its brackets */
    uint16_t port;
};
/* False when `url` is no https URL with a host, or brings along a user's name, a password or a fragment. */
bool outbound_parse_url(limen_str url, struct arena *arena, struct outbound_address *ret_address) LIMEN_MUST_CHECK;
/* The same for a base of effects: it may be http, and has neither path nor query. */
bool outbound_parse_base(limen_str url, struct arena *arena, struct outbound_address *ret_address) LIMEN_MUST_CHECK;

/* Must be called before the sandbox is closed: libraries read their settings. `config` and its texts live as long as the result. NULL
 * when memory is out or a target's URL is not right. */
struct outbound *outbound_new(struct loop *loop, const struct outbound_config *config, struct arena *arena);
void outbound_free(struct outbound *outbound); /* accepts NULL */
/* Takes a connected SOCK_SEQPACKET socket to the data role, and closes the one before; what was asked for there is dropped. False, and
 * `fd` is closed, when the kernel refuses. */
bool outbound_attach(struct outbound *outbound, int fd) LIMEN_MUST_CHECK;

/* Sockets of the internet and what resolving a name needs; threads come beside it (thread_syscalls), and lookup_paths. */
extern const struct syscall_list outbound_syscalls;
#endif
