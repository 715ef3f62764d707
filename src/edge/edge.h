/* edge.h - the listener: connections in, requests up, replies out.
 *
 * An exchange is one request and its reply. The edge hands it up when its head is complete, reads the body only when asked,
 * and writes all replies of a loop turn with one call. Connections are indexed by descriptor; an idle one holds no buffer. */
#ifndef EDGE_EDGE_H
#define EDGE_EDGE_H

#include "edge/http1.h"

#include <sys/socket.h>

struct arena;
struct edge;
struct exchange;
struct loop;

/* The peer, as 16 bytes: IPv4 is mapped (::ffff:a.b.c.d). */
struct edge_address {
    uint8_t bytes[16];
    uint16_t port;
};
/* As text into 46 bytes. */
limen_str edge_address_text(const struct edge_address *address, char *ret_text);

enum body_outcome {
    BODY_OK,
    BODY_TOO_LARGE, /* 413 */
    BODY_MALFORMED, /* 400: bad chunked coding */
    BODY_TIMEOUT,   /* 408 */
    BODY_NO_MEMORY  /* 503: the arena is used up */
};

/* What the layers above do with exchanges. */
struct edge_hooks {
    /* A head is complete. The hook, or something it starts, must call exchange_reply in the end, unless on_gone comes first. */
    void (*on_request)(void *context, struct exchange *exchange);
    /* The client has left (or a write timed out) before exchange_reply; the exchange must not be touched afterwards. */
    void (*on_gone)(void *context, struct exchange *exchange);
    /* A connection was refused at parse level with this status before any request was handed up (for counters). May be NULL. */
    void (*on_refused)(void *context, int status);
    void *context;
    /* The problem+json body of a refusal that the edge itself makes is written by the edge: {"type":"about:blank","title":…,"status":…,"detail":…}. */
};

struct http_header_out {
    limen_str name, value; /* a CR, LF or NUL in a value makes the edge drop the field and log: never sent */
};

enum reply_flavour { REPLY_API, REPLY_PAGE }; /* which set of security headers */

struct http_reply {
    int status;
    enum reply_flavour flavour;
    limen_str content_type; /* empty: none */
    limen_str body;
    bool body_is_static; /* lives for ever: sent without a copy */
    bool has_length;     /* HEAD, 304: `length` is what Content-Length says though no body follows */
    uint64_t length;
    const struct http_header_out *headers; /* further fields */
    uint32_t header_count;
    bool close;        /* Connection: close, and close after it (with linger when a body is unread) */
    bool is_cacheable; /* false: Cache-Control: no-store is added */
};

/* What tests shorten; the server uses the ceilings of core/limits.h. */
struct edge_options {
    int64_t head_us, body_us, idle_us, write_us, linger_us;
    int64_t quiet_us; /* of draining */
    uint32_t max_connections, max_per_address;
    uint32_t least_rate;     /* bytes a second of a body, and of what a client reads */
    size_t max_buffer_bytes; /* of requests and replies on their way; past it the slowest client is cut off */
};
struct edge_options edge_default_options(void);

/* NULL when memory is out. `hooks` are copied; `options` NULL: the defaults. */
struct edge *edge_new(struct loop *loop, const struct edge_hooks *hooks);
struct edge *edge_new_with(struct loop *loop, const struct edge_hooks *hooks, const struct edge_options *options);
/* Closes what is open (on_gone for exchanges in flight). Called between turns of the loop, before loop_free. */
void edge_free(struct edge *edge);
/* The listening sockets are the caller's (bound, listening, non-blocking); all workers share them (EPOLLEXCLUSIVE). The
 * caller closes them after edge_free or edge_drain. */
bool edge_listen(struct edge *edge, int fd) LIMEN_MUST_CHECK;
/* SIGTERM: takes what clients have connected already, accepts nothing more, and says Connection: close on every reply. An idle
 * connection is closed once it has been quiet for `quiet_us`: a client that has just been answered may be sending its next request. */
void edge_drain(struct edge *edge);
/* Open connections, lingering ones too; 0 after a drain means that all is done. */
size_t edge_connection_count(const struct edge *edge);
/* Bytes that connections hold: heads and bodies on their way in, replies on their way out. */
size_t edge_buffer_bytes(const struct edge *edge);
/* A proxy whose X-Forwarded-For is believed (its right-most address that is no trusted proxy is the client). `cidr` is an address or
 * address/bits. False: malformed, or too many. */
bool edge_trust_proxy(struct edge *edge, limen_str cidr) LIMEN_MUST_CHECK;
/* Is it an address or address/bits? For whoever reads it long before there is an edge. */
bool edge_is_cidr(limen_str cidr) LIMEN_MUST_CHECK;

/* The system calls of the edge, for the worker's sandbox. */
struct syscall_list;
extern const struct syscall_list edge_syscalls;

/* ---- one exchange ---------------------------------------------------------------------------------------------- */
const struct http_request *exchange_request(const struct exchange *exchange);
const struct edge_address *exchange_peer(const struct exchange *exchange); /* the client, behind trusted proxies */
/* A pointer for the layer above; NULL at first. */
void exchange_set_user(struct exchange *exchange, void *user);
void *exchange_user(const struct exchange *exchange);
/* After any outcome but BODY_OK the exchange must be ended with a refusal (413, 400, 408, 503); the connection closes after it where
 * the rest of the body cannot be read over. Reads the whole body (at most `ceiling` bytes), sends 100 Continue first where it is expected, then calls `on_body` - at once, from
 * inside this function, when all of it is there already. The slice points into the connection's buffer or the arena and is
 * valid until exchange_reply. Called at most once, and only when framing is not FRAMING_NONE. */
void exchange_read_body(struct exchange *exchange, size_t ceiling, struct arena *arena,
                        void (*on_body)(void *context, struct exchange *exchange, enum body_outcome outcome,
                                        limen_str body),
                        void *context);
/* The layer above waits no longer for the body: `on_body` is called with BODY_TIMEOUT. False: no body is waited for, or not for
 * `waited_us` yet, so it is not the client who took the time. */
bool exchange_give_up_body(struct exchange *exchange, int64_t waited_us) LIMEN_MUST_CHECK;
/* Ends the exchange: the reply is copied into the connection's output (but a static body is not copied), sent at the end of the
 * turn. The exchange and the request's slices are invalid afterwards. Adds Date, Content-Length, the security headers, Connection. */
void exchange_reply(struct exchange *exchange, const struct http_reply *reply);

#endif
