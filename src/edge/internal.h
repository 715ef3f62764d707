/* internal.h - what the files of edge/ share: connections, exchanges, blocks. Nothing outside edge/ includes it.
 *
 * A connection is small and lives as long as its socket. What a request needs (16 KiB of input, 5 KiB of parsed head,
 * 16 KiB of output) is lent to it by pools while there is a request; the pools are stacks, so that the memory lent
 * next is the memory that was used last and is still in the cache. */
#ifndef EDGE_INTERNAL_H
#define EDGE_INTERNAL_H

#include "core/hash.h"
#include "core/loop.h"
#include "edge/edge.h"

/* A piece of input or output. As output: `data`, then `tail`, which is not ours and is not copied. */
struct block {
    struct block *next;
    const char *tail;
    size_t tail_bytes;
    size_t bytes; /* in data */
    size_t sent;  /* of data and tail together */
    char data[LIMIT_HEAD_BYTES];
};

enum connection_state {
    CONNECTION_IDLE,    /* no byte of a next request is here */
    CONNECTION_HEAD,    /* a part of a head is here */
    CONNECTION_BODY,    /* an exchange waits for its body */
    CONNECTION_SERVING, /* within a run, after a new exchange */
    CONNECTION_BUSY,    /* an exchange is with the layers above */
    CONNECTION_DISCARD, /* the rest of a body that nobody wanted is read over */
    CONNECTION_WRITING, /* the socket is full: nothing is read before all is sent */
    CONNECTION_LINGER,  /* our side is shut; waiting for the client to read and close */
    CONNECTION_CLOSED   /* the socket is gone; the struct goes when nobody looks at it any more */
};

/* Invariants: `in` is not NULL while in_start < in_end or an exchange is held; the bytes of `in` before in_start may be
 * pointed to by the exchange, so the block is moved or given back only when there is none. `out_bytes` is 0 exactly when
 * out_first is NULL. */
struct connection {
    struct loop_source source; /* first: a source is its connection */
    struct loop_timer timer;   /* of the state */
    struct loop_task task;     /* goes on after a reply that came from elsewhere */
    struct edge *edge;
    struct connection *prev, *next;
    struct exchange *exchange;
    struct block *in;
    uint32_t in_start, in_end;
    size_t scanned; /* for http1_parse_head */
    struct block *out_first, *out_last;
    size_t out_bytes;
    uint64_t moved;        /* bytes of a body, or of replies, since the timer was started */
    uint64_t discard_left; /* of an unread body, or what a lingering client may still send */
    uint8_t state;         /* enum connection_state */
    uint8_t checks;        /* of its pace that a body has passed */
    bool is_running;       /* one of our functions is on the stack: it settles and frees */
    bool wants_bytes;      /* the head in `in` is incomplete */
    bool is_last;          /* after what is in `out` the connection closes */
    bool lingers;          /* and not before the client had a chance to read it */
    bool peer_closed;      /* the client will send nothing more */
    bool is_broken;        /* memory was out: close at once */
    bool is_trusted;       /* a proxy of ours */
    struct edge_address peer;
};

struct exchange {
    struct connection *connection; /* as free memory: NULL */
    struct exchange *next_free;
    void *user;
    void (*on_body)(void *context, struct exchange *exchange, enum body_outcome outcome, limen_str body);
    void *body_context;
    struct arena *arena;
    size_t body_ceiling;
    char *body;            /* in the block or in the arena */
    size_t body_bytes;     /* of content, so far */
    size_t body_room;      /* of the arena's piece */
    struct block *held;    /* the head's block, when a chunked body went on in another */
    int64_t body_asked_us; /* monotonic: since when it is waited for */
    bool wants_body;       /* on_body is to be called */
    bool body_asked, body_done;
    bool in_arena;
    bool must_close;
    const struct edge_address *peer;
    struct edge_address forwarded;
    struct http1_chunks chunks;
    struct http_request request;
};

struct listener {
    struct loop_source source; /* first */
    struct edge *edge;
    int fd;
};

/* An address range: the first `bits` of `bytes`. */
struct address_range {
    uint8_t bytes[16];
    unsigned bits;
};

/* How many connections each address has. Open addressing; a free entry has count 0. */
struct peer_count {
    uint8_t key[16];
    uint32_t count;
};
struct peer_counts {
    struct hash_key key;
    struct peer_count *entries;
    size_t capacity; /* a power of two, or 0 */
    size_t used;
};

struct edge {
    struct loop *loop;
    struct edge_hooks hooks;
    struct edge_options options;
    struct loop_timer_list *head_timers, *body_timers, *idle_timers, *write_timers, *linger_timers, *backoff_timers,
        *quiet_timers;
    struct loop_timer backoff;
    struct listener listeners[LIMIT_LISTENERS];
    size_t listener_count;
    bool is_draining, is_paused;
    struct connection *connections;
    size_t connection_count, head_count; /* head_count: in CONNECTION_HEAD */
    size_t lent_blocks;
    struct peer_counts peers;
    struct address_range proxies[LIMIT_TRUSTED_PROXIES];
    size_t proxy_count;
    struct block *free_blocks;
    size_t free_block_count;
    struct exchange *free_exchanges;
    size_t free_exchange_count;
    struct connection *free_connections;
    size_t free_connection_count;
};

/* ---- pools (pool.c); take answers NULL when memory is out, put accepts NULL ------------------------------------------ */
struct block *block_take(struct edge *edge);
void block_put(struct edge *edge, struct block *block);
struct exchange *exchange_take(struct edge *edge);
void exchange_put(struct edge *edge, struct exchange *exchange);
struct connection *connection_take(struct edge *edge); /* zeroed */
void connection_put(struct edge *edge, struct connection *connection);
void pools_release(struct edge *edge);

/* ---- addresses (address.c, peers.c) ------------------------------------------------------------------------------------ */
struct sockaddr_storage;
void address_of(const struct sockaddr_storage *from, struct edge_address *ret_address);
bool address_parse(limen_str text, struct edge_address *ret_address) LIMEN_MUST_CHECK;
bool range_parse(limen_str cidr, struct address_range *ret_range) LIMEN_MUST_CHECK;
bool address_is_trusted(const struct edge *edge, const struct edge_address *address);
/* The client's address behind trusted proxies, into the exchange. */
void exchange_find_peer(struct exchange *exchange);
/* False: the address has `max` connections already, or memory is out. */
bool peers_enter(struct peer_counts *peers, const struct edge_address *address, uint32_t max) LIMEN_MUST_CHECK;
void peers_leave(struct peer_counts *peers, const struct edge_address *address);
void peers_release(struct peer_counts *peers);

/* ---- connections (connection.c) ------------------------------------------------------------------------------------- */
/* Takes over `fd`, which is closed when there is no memory or no room for it. */
void connection_open(struct edge *edge, int fd, const struct edge_address *peer);
void connection_close(struct connection *connection);
/* The exchange was replied to or waits for its body: go on, now or at the end of the turn. */
void connection_wake(struct connection *connection);
/* Of the connections in a state, which has a list of timers, the one that has been in it longest; or NULL. */
struct connection *connection_oldest(const struct edge *edge, enum connection_state state);
/* The number of connections has changed: pauses or resumes the listeners (edge.c). */
void edge_balance(struct edge *edge);

/* ---- who is too slow (pace.c) ---------------------------------------------------------------------------------------- */
/* Since its timer was started `period_us` ago: has the client sent, or read, as much as it must? */
bool pace_is_kept(const struct connection *connection, int64_t period_us);
/* Closes the slowest clients until no more blocks are lent than may be. May close any connection but one that has neither a part of a
 * head nor unsent replies. */
void pace_make_room(struct edge *edge);
/* Closes the connection that has been idle longest. False: all have something to do, but for the newest, which is given time. */
bool pace_close_idle(struct edge *edge);

/* ---- bodies (body.c) ------------------------------------------------------------------------------------------------ */
/* Reads from the socket for the exchange that wants a body. False: the client is gone. */
bool body_receive(struct connection *connection) LIMEN_MUST_CHECK;
/* Ends the wait with an outcome other than BODY_OK. */
void body_fail(struct exchange *exchange, enum body_outcome outcome);

/* ---- output (output.c, reply.c) ------------------------------------------------------------------------------------- */
/* `bytes` of contiguous room at the end of the output; NULL when memory is out (the connection is then broken) or `bytes` are more
 * than a block holds. What was written is told by output_commit. */
char *output_reserve(struct connection *connection, size_t bytes);
void output_commit(struct connection *connection, size_t bytes);
void output_add(struct connection *connection, limen_str bytes);
/* Bytes that live for ever. */
void output_add_static(struct connection *connection, limen_str bytes);
void output_release(struct connection *connection);
/* Sends what the socket takes. False: the connection is dead. */
bool output_flush(struct connection *connection) LIMEN_MUST_CHECK;

/* How a reply is framed; the rest of it is struct http_reply. */
struct reply_frame {
    bool is_head; /* the request's method was HEAD: no body */
    bool close;
    bool says_keep_alive; /* HTTP/1.0 wants to hear it */
};
void reply_write(struct connection *connection, const struct http_reply *reply, struct reply_frame frame);
/* A refusal of our own, as application/problem+json; the connection closes after it. */
void reply_refuse(struct connection *connection, int status, const char *why);

#endif
