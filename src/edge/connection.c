/* connection.c - what happens on one socket.
 *
 * An event, a timer or a reply makes the connection run: it takes in bytes, serves all requests that are complete, sends all
 * replies with one call, and settles: from what it holds follows its state, and from the state what it waits for
 * and how long. One exchange at a time; the next request is parsed when the reply to the last one stands in the output.
 * No step calls itself through a hook, however many requests are answered at once. */
#include "edge/internal.h"

#include "core/str.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

/* Hears only of errors and hang-ups, and once: the kernel would repeat a half-close for ever. */
#define WANT_HANGUP ((uint32_t)EPOLLET)

static void on_ready(struct loop_source *source, uint32_t events);
static void on_due(struct loop_timer *timer);
static void on_task(struct loop_task *task);

static struct connection *connection_of(const struct loop_timer *timer)
{
    return (struct connection *)(uintptr_t)((const char *)timer - offsetof(struct connection, timer));
}

static void set_state(struct connection *connection, enum connection_state state)
{
    connection->edge->head_count -= connection->state == CONNECTION_HEAD;
    connection->edge->head_count += state == CONNECTION_HEAD;
    connection->state = (uint8_t)state;
}

/* ---- life ---------------------------------------------------------------------------------------------------------- */

void connection_open(struct edge *edge, int fd, const struct edge_address *peer)
{
    bool is_trusted = address_is_trusted(edge, peer); /* a proxy stands for many clients */
    if (!is_trusted && !peers_enter(&edge->peers, peer, edge->options.max_per_address)) {
        close(fd);
        return;
    }
    struct connection *connection = connection_take(edge);
    if (connection == NULL
        || !loop_add(edge->loop, &connection->source, fd, EPOLLIN, /* exclusive= */ false, on_ready)) {
        if (!is_trusted)
            peers_leave(&edge->peers, peer);
        if (connection != NULL)
            connection_put(edge, connection);
        close(fd);
        return;
    }
    connection->edge = edge;
    connection->peer = *peer;
    connection->is_trusted = is_trusted;
    connection->task.run = on_task;
    connection->state = CONNECTION_IDLE;
    connection->next = edge->connections;
    if (edge->connections != NULL)
        edge->connections->prev = connection;
    edge->connections = connection;
    edge->connection_count++;
    loop_timer_start(edge->idle_timers, &connection->timer, on_due);
}

static void unlink_connection(struct connection *connection)
{
    struct edge *edge = connection->edge;
    if (connection->prev != NULL)
        connection->prev->next = connection->next;
    else
        edge->connections = connection->next;
    if (connection->next != NULL)
        connection->next->prev = connection->prev;
    edge->connection_count--;
}

/* Frees the struct when neither our own functions nor the loop can still look at it. */
static void forget_if_unused(struct connection *connection)
{
    if (connection->state == CONNECTION_CLOSED && !connection->is_running && !connection->task.is_queued)
        connection_put(connection->edge, connection);
}

void connection_close(struct connection *connection)
{
    struct edge *edge = connection->edge;
    if (connection->state == CONNECTION_CLOSED)
        return;
    set_state(connection, CONNECTION_CLOSED);
    loop_timer_stop(&connection->timer);
    loop_remove(edge->loop, &connection->source);
    close(connection->source.fd);
    unlink_connection(connection);
    if (!connection->is_trusted)
        peers_leave(&edge->peers, &connection->peer);
    struct exchange *exchange = connection->exchange;
    if (exchange != NULL) {
        edge->hooks.on_gone(edge->hooks.context, exchange);
        connection->exchange = NULL;
        block_put(edge, exchange->held);
        exchange_put(edge, exchange);
    }
    block_put(edge, connection->in);
    connection->in = NULL;
    output_release(connection);
    edge_balance(edge);
    forget_if_unused(connection);
}

/* ---- states -------------------------------------------------------------------------------------------------------- */

static void enter(struct connection *connection, enum connection_state state, uint32_t want,
                  struct loop_timer_list *timers)
{
    set_state(connection, state);
    connection->moved = 0;
    connection->checks = 0;
    loop_want(connection->edge->loop, &connection->source, want);
    if (timers == NULL)
        loop_timer_stop(&connection->timer);
    else
        loop_timer_start(timers, &connection->timer, on_due);
}

/* All is sent: closes, in the way that lets the client read it (RFC 9112 9.6). */
static void finish(struct connection *connection)
{
    if (!connection->lingers || connection->peer_closed || shutdown(connection->source.fd, SHUT_WR) != 0) {
        connection_close(connection);
        return;
    }
    connection->discard_left = LIMIT_LINGER_BYTES;
    enter(connection, CONNECTION_LINGER, EPOLLIN, connection->edge->linger_timers);
}

static void give_back_input(struct connection *connection)
{
    if (connection->is_last)
        connection->in_start = connection->in_end;
    if (connection->exchange != NULL || connection->in_start < connection->in_end)
        return;
    block_put(connection->edge, connection->in);
    connection->in = NULL;
    connection->in_start = connection->in_end = 0;
}

/* Has it been idle since long before the drain? */
static bool is_quiet(const struct connection *connection)
{
    const struct edge *edge = connection->edge;
    const struct loop_timer *timer = &connection->timer;
    return connection->state == CONNECTION_IDLE && timer->list == edge->idle_timers
        && timer->due_us - edge->options.idle_us + edge->options.quiet_us <= loop_clock(edge->loop)->mono_us;
}

/* From what the connection holds follows what it waits for. A deadline goes on running while the connection stays in the
 * state; only idleness begins anew. */
static void settle(struct connection *connection)
{
    struct edge *edge = connection->edge;
    enum connection_state before = connection->state;
    if (connection->out_first != NULL) {
        if (before != CONNECTION_WRITING)
            enter(connection, CONNECTION_WRITING, EPOLLOUT, edge->write_timers);
    } else if (connection->is_last) {
        finish(connection);
    } else if (connection->exchange != NULL && connection->exchange->wants_body) {
        if (before != CONNECTION_BODY)
            enter(connection, CONNECTION_BODY, EPOLLIN, edge->body_timers);
    } else if (connection->exchange != NULL) {
        if (before != CONNECTION_BUSY) /* EPOLLIN until something comes: most clients wait for the reply */
            enter(connection, CONNECTION_BUSY, connection->peer_closed ? WANT_HANGUP : EPOLLIN, NULL);
    } else if (connection->peer_closed) { /* all complete requests have been answered */
        connection_close(connection);
    } else if (connection->discard_left > 0) {
        if (before != CONNECTION_DISCARD)
            enter(connection, CONNECTION_DISCARD, EPOLLIN, edge->body_timers);
    } else if (connection->in_start < connection->in_end) {
        if (before != CONNECTION_HEAD)
            enter(connection, CONNECTION_HEAD, EPOLLIN, edge->head_timers);
    } else if (edge->is_draining && is_quiet(connection)) {
        connection->is_last = connection->lingers = true;
        finish(connection);
    } else {
        enter(connection, CONNECTION_IDLE, EPOLLIN, edge->is_draining ? edge->quiet_timers : edge->idle_timers);
    }
}

/* ---- serving ------------------------------------------------------------------------------------------------------- */

static void begin_exchange(struct connection *connection, struct exchange *exchange)
{
    struct edge *edge = connection->edge;
    exchange->connection = connection;
    exchange->user = NULL;
    exchange->body_bytes = 0;
    exchange->held = NULL;
    exchange->wants_body = exchange->body_asked = exchange->body_done = exchange->in_arena = exchange->must_close =
        false;
    exchange->chunks = (struct http1_chunks){ 0 };
    exchange->peer = &connection->peer;
    if (connection->is_trusted)
        exchange_find_peer(exchange);
    connection->exchange = exchange;
    set_state(connection, CONNECTION_SERVING); /* whatever follows begins a time of its own */
    connection->in_start += (uint32_t)exchange->request.head_bytes;
    edge->hooks.on_request(edge->hooks.context, exchange);
}

/* The block is full, with a head in it that began behind others: it moves to the front. */
static void make_room(struct connection *connection)
{
    struct block *in = connection->in;
    if (connection->in_end < sizeof(in->data) || connection->in_start == 0)
        return;
    memmove(in->data, in->data + connection->in_start, connection->in_end - connection->in_start);
    connection->in_end -= connection->in_start;
    connection->in_start = 0;
}

static bool can_serve(const struct connection *connection)
{
    return connection->exchange == NULL && !connection->is_last && !connection->wants_bytes && !connection->is_broken
        && connection->in_start < connection->in_end && connection->discard_left == 0;
}

/* Parses one head and hands it up, or refuses. */
static void serve_one(struct connection *connection)
{
    struct exchange *exchange = exchange_take(connection->edge);
    if (exchange == NULL) {
        connection->is_broken = true;
        return;
    }
    int status = 0;
    const char *why = NULL;
    limen_str bytes = str_make(connection->in->data + connection->in_start, connection->in_end - connection->in_start);
    enum http1_outcome outcome = http1_parse_head(bytes, &connection->scanned, &exchange->request, &status, &why);
    if (outcome == HTTP1_OK) {
        begin_exchange(connection, exchange);
        return;
    }
    exchange_put(connection->edge, exchange);
    if (outcome == HTTP1_REFUSED) {
        reply_refuse(connection, status, why);
    } else {
        connection->wants_bytes = true;
        make_room(connection);
    }
}

/* Serves what is here and sends the replies: all of up to LIMIT_PIPELINE_DEPTH requests with one call. When the client
 * doesn't read, nothing more is served. */
static void run(struct connection *connection)
{
    bool again = true;
    if (connection->state == CONNECTION_WRITING) {
        if (!output_flush(connection)) {
            connection_close(connection);
            return;
        }
        again = connection->out_first == NULL;
    }
    while (again) {
        for (unsigned i = 0; i < LIMIT_PIPELINE_DEPTH && can_serve(connection); i++) {
            serve_one(connection);
            if (connection->out_bytes > LIMIT_REPLY_BUFFER_BYTES)
                break;
        }
        give_back_input(connection); /* before the output needs blocks of its own */
        if (connection->is_broken || !output_flush(connection)) {
            connection_close(connection);
            return;
        }
        again = connection->out_first == NULL && can_serve(connection);
    }
    settle(connection);
    pace_make_room(connection->edge);
}

static void run_and_leave(struct connection *connection)
{
    if (connection->state != CONNECTION_CLOSED)
        run(connection);
    connection->is_running = false;
    forget_if_unused(connection);
}

void connection_wake(struct connection *connection)
{
    if (!connection->is_running)
        loop_at_end(connection->edge->loop, &connection->task);
}

static void on_task(struct loop_task *task)
{
    struct connection *connection = (struct connection *)(void *)((char *)task - offsetof(struct connection, task));
    connection->is_running = true;
    run_and_leave(connection);
}

/* ---- events -------------------------------------------------------------------------------------------------------- */

/* Takes in bytes of heads. False: the connection is dead. */
static bool receive_head(struct connection *connection)
{
    if (connection->in == NULL) {
        connection->in = block_take(connection->edge);
        if (connection->in == NULL)
            return false;
        connection->in_start = connection->in_end = 0;
    }
    ssize_t count = recv(connection->source.fd, connection->in->data + connection->in_end,
                         sizeof(connection->in->data) - connection->in_end, 0);
    if (count < 0)
        return errno == EAGAIN || errno == EINTR;
    if (count == 0)
        connection->peer_closed = true;
    connection->in_end += (uint32_t)count;
    connection->wants_bytes = count == 0;
    return true;
}

/* Reads over bytes that belong to nobody. False: the connection is dead. */
static bool discard(struct connection *connection)
{
    struct block *block = block_take(connection->edge);
    if (block == NULL)
        return false;
    size_t wanted = connection->discard_left < sizeof(block->data) ? (size_t)connection->discard_left
                                                                   : sizeof(block->data);
    ssize_t count = recv(connection->source.fd, block->data, wanted, 0);
    bool is_waiting = count < 0 && (errno == EAGAIN || errno == EINTR);
    block_put(connection->edge, block);
    if (count > 0) {
        connection->discard_left -= (uint64_t)count;
        connection->moved += (uint64_t)count;
    }
    bool is_spent = connection->state == CONNECTION_LINGER && connection->discard_left == 0;
    return is_waiting || (count > 0 && !is_spent);
}

static bool on_readable(struct connection *connection)
{
    switch ((enum connection_state)connection->state) {
    case CONNECTION_IDLE:
    case CONNECTION_HEAD:
        return receive_head(connection);
    case CONNECTION_BODY:
        return body_receive(connection);
    case CONNECTION_DISCARD:
    case CONNECTION_LINGER:
        return discard(connection);
    case CONNECTION_BUSY: /* the next request, or the end: it waits in the socket */
        loop_want(connection->edge->loop, &connection->source, WANT_HANGUP);
        return true;
    default:
        return true;
    }
}

static void on_ready(struct loop_source *source, uint32_t events)
{
    struct connection *connection = (struct connection *)(void *)source;
    connection->is_running = true;
    bool is_alive = (events & (uint32_t)(EPOLLERR | EPOLLHUP)) == 0;
    if (is_alive && (events & EPOLLIN) != 0)
        is_alive = on_readable(connection);
    if (!is_alive)
        connection_close(connection);
    if (connection->state == CONNECTION_LINGER || connection->state == CONNECTION_BUSY) {
        connection->is_running = false; /* nothing to serve */
        return;
    }
    run_and_leave(connection);
}

/* Is the client fast enough to be given another period? */
static bool may_go_on(struct connection *connection)
{
    const struct edge_options *options = &connection->edge->options;
    switch ((enum connection_state)connection->state) {
    case CONNECTION_BODY:
    case CONNECTION_DISCARD:
        return pace_is_kept(connection, options->body_us / LIMIT_PACE_CHECKS)
            && ++connection->checks < LIMIT_PACE_CHECKS;
    case CONNECTION_WRITING:
        return pace_is_kept(connection, options->write_us);
    default:
        return false;
    }
}

static void on_due(struct loop_timer *timer)
{
    struct connection *connection = connection_of(timer);
    struct edge *edge = connection->edge;
    /* Whoever had the exchange has ended it in this very turn: the connection goes on when the turn ends. */
    if (connection->state == CONNECTION_BODY && connection->exchange == NULL)
        return;
    if (may_go_on(connection)) {
        connection->moved = 0;
        loop_timer_start(connection->state == CONNECTION_WRITING ? edge->write_timers : edge->body_timers, timer,
                         on_due);
        return;
    }
    connection->is_running = true;
    if (connection->state == CONNECTION_HEAD)
        reply_refuse(connection, 408, "the head did not come in time");
    else if (connection->state == CONNECTION_BODY)
        body_fail(connection->exchange, BODY_TIMEOUT);
    else
        connection_close(connection);
    run_and_leave(connection);
}

/* ---- the oldest of a kind ------------------------------------------------------------------------------------------- */

static bool is_in(const struct loop_timer *timer, enum connection_state state)
{
    return timer->on_due == on_due && connection_of(timer)->state == state;
}
static bool is_idle(const struct loop_timer *timer)
{
    return is_in(timer, CONNECTION_IDLE);
}
static bool is_in_head(const struct loop_timer *timer)
{
    return is_in(timer, CONNECTION_HEAD);
}
static bool is_writing(const struct loop_timer *timer)
{
    return is_in(timer, CONNECTION_WRITING);
}

struct connection *connection_oldest(const struct edge *edge, enum connection_state state)
{
    const struct loop_timer *timer = state == CONNECTION_IDLE ? loop_timer_first(edge->idle_timers, is_idle)
        : state == CONNECTION_HEAD                            ? loop_timer_first(edge->head_timers, is_in_head)
                                                              : loop_timer_first(edge->write_timers, is_writing);
    return timer == NULL ? NULL : connection_of(timer);
}
