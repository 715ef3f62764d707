/* edge.c - the listener: which sockets are accepted from, and when.
 *
 * All workers share the listening sockets; each takes a few connections a wake-up, so that none takes them all. When there
 * is no room or no descriptor, nothing is accepted and clients wait in the kernel's backlog. */
#include "edge/internal.h"

#include "core/log.h"
#include "core/sandbox.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>

struct edge_options edge_default_options(void)
{
    return (struct edge_options){
        .head_us = LIMIT_TIMEOUT_HEAD_US,
        .body_us = LIMIT_TIMEOUT_BODY_US,
        .idle_us = LIMIT_TIMEOUT_IDLE_US,
        .write_us = LIMIT_TIMEOUT_WRITE_US,
        .linger_us = LIMIT_TIMEOUT_LINGER_US,
        .quiet_us = LIMIT_DRAIN_QUIET_US,
        .max_connections = LIMIT_CONNECTIONS_PER_WORKER,
        .max_per_address = LIMIT_CONNECTIONS_PER_ADDRESS,
        .least_rate = LIMIT_LEAST_RATE,
        .max_buffer_bytes = SIZE_MAX,
    };
}

static bool find_timers(struct edge *edge)
{
    const struct edge_options *options = &edge->options;
    edge->head_timers = loop_timers(edge->loop, options->head_us);
    edge->body_timers = loop_timers(edge->loop, options->body_us / LIMIT_PACE_CHECKS);
    edge->idle_timers = loop_timers(edge->loop, options->idle_us);
    edge->write_timers = loop_timers(edge->loop, options->write_us);
    edge->linger_timers = loop_timers(edge->loop, options->linger_us);
    edge->quiet_timers = loop_timers(edge->loop, options->quiet_us);
    edge->backoff_timers = loop_timers(edge->loop, LIMIT_ACCEPT_BACKOFF_US);
    return edge->head_timers != NULL && edge->body_timers != NULL && edge->idle_timers != NULL
        && edge->write_timers != NULL && edge->linger_timers != NULL && edge->quiet_timers != NULL
        && edge->backoff_timers != NULL;
}

struct edge *edge_new_with(struct loop *loop, const struct edge_hooks *hooks, const struct edge_options *options)
{
    struct edge *edge = calloc(1, sizeof *edge);
    if (edge == NULL)
        return NULL;
    edge->loop = loop;
    edge->hooks = *hooks;
    edge->options = options != NULL ? *options : edge_default_options();
    hash_key_random(&edge->peers.key);
    if (!find_timers(edge)) {
        free(edge);
        return NULL;
    }
    return edge;
}

struct edge *edge_new(struct loop *loop, const struct edge_hooks *hooks)
{
    return edge_new_with(loop, hooks, NULL);
}

void edge_free(struct edge *edge)
{
    if (edge == NULL)
        return;
    edge->is_draining = true;
    loop_timer_stop(&edge->backoff);
    for (size_t i = 0; i < edge->listener_count; i++)
        loop_remove(edge->loop, &edge->listeners[i].source);
    while (edge->connections != NULL)
        connection_close(edge->connections);
    peers_release(&edge->peers);
    pools_release(edge);
    free(edge);
}

/* ---- accepting ------------------------------------------------------------------------------------------------------ */

static void want_connections(struct edge *edge, bool wanted)
{
    edge->is_paused = !wanted;
    for (size_t i = 0; i < edge->listener_count; i++)
        loop_want(edge->loop, &edge->listeners[i].source, wanted ? EPOLLIN : 0);
}

void edge_balance(struct edge *edge)
{
    if (edge->is_draining)
        return;
    bool wanted = edge->connection_count < edge->options.max_connections && edge->backoff.list == NULL;
    if (wanted == edge->is_paused)
        want_connections(edge, wanted);
}

static void on_backoff(struct loop_timer *timer)
{
    edge_balance((struct edge *)(void *)((char *)timer - offsetof(struct edge, backoff)));
}

/* One connection. False: there is none, or none can be taken now. */
static bool accept_one(struct listener *listener)
{
    struct edge *edge = listener->edge;
    struct sockaddr_storage from;
    socklen_t bytes = sizeof(from);
    from.ss_family = AF_UNSPEC;
    int fd = accept4(listener->fd, (struct sockaddr *)&from, &bytes, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        struct edge_address peer;
        address_of(&from, &peer);
        connection_open(edge, fd, &peer);
        if (edge->connection_count >= edge->options.max_connections)
            (void)pace_close_idle(edge);
        edge_balance(edge);
        return !edge->is_paused;
    }
    if (errno == EMFILE && pace_close_idle(edge))
        return true;
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        LOG_WARN("no descriptor for a new connection; new clients wait", log_int("errno", errno),
                 log_int("connections", (int64_t)edge->connection_count));
        loop_timer_start(edge->backoff_timers, &edge->backoff, on_backoff);
        edge_balance(edge);
        return false;
    }
    return errno == EINTR || errno == ECONNABORTED; /* else EAGAIN: another worker was first */
}

static void on_acceptable(struct loop_source *source, uint32_t events)
{
    (void)events;
    struct listener *listener = (struct listener *)(void *)source;
    for (unsigned i = 0; i < LIMIT_ACCEPTS_PER_WAKE; i++)
        if (!accept_one(listener))
            return;
}

bool edge_listen(struct edge *edge, int fd)
{
    if (edge->listener_count == LIMIT_LISTENERS)
        return false;
    int on = 1; /* accepted sockets inherit the options; a UNIX socket has none of them */
    int unsent =
        LIMIT_UNSENT_BYTES; /* so that a client that does not read is seen soon, and keeps little in the kernel */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
    struct listener *listener = &edge->listeners[edge->listener_count];
    listener->edge = edge;
    listener->fd = fd;
    if (!loop_add(edge->loop, &listener->source, fd, EPOLLIN, /* exclusive= */ true, on_acceptable))
        return false;
    edge->listener_count++;
    return true;
}

/* ---- draining ------------------------------------------------------------------------------------------------------- */

/* Whoever is connected already would wait for nobody. The kernel may have woken this worker alone for them (EPOLLEXCLUSIVE), so they are
 * taken after it has been told to wake others. */
static void stop_accepting(struct listener *listener)
{
    loop_remove(listener->edge->loop, &listener->source);
    for (uint32_t i = 0; i < LIMIT_CONNECTIONS_PER_WORKER && accept_one(listener); i++) {
    }
}

void edge_drain(struct edge *edge)
{
    if (edge->is_draining)
        return;
    edge->is_draining = true;
    loop_timer_stop(&edge->backoff);
    for (size_t i = 0; i < edge->listener_count; i++)
        stop_accepting(&edge->listeners[i]);
    for (struct connection *connection = edge->connections; connection != NULL; connection = connection->next)
        if (connection->state == CONNECTION_IDLE)
            connection_wake(connection); /* settles */
}

size_t edge_connection_count(const struct edge *edge)
{
    return edge->connection_count;
}

size_t edge_buffer_bytes(const struct edge *edge)
{
    return edge->lent_blocks * sizeof(struct block);
}

/* Sockets that others made: nothing here makes one, or connects one. That takes more than to leave out connect: MSG_FASTOPEN connects,
 * on a listening socket that was shut down for reading. */
static const int numbers[] = { SYS_accept4, SYS_recvfrom };
static const struct syscall_rule rules[] = {
    SYSCALL_UNLESS(SYS_sendto, 3, ~(unsigned)(MSG_NOSIGNAL | MSG_DONTWAIT)),
    SYSCALL_UNLESS(SYS_sendmsg, 2, ~(unsigned)MSG_NOSIGNAL),
    SYSCALL_WHEN(SYS_shutdown, 1, SHUT_WR),
};
const struct syscall_list edge_syscalls = { numbers, sizeof(numbers) / sizeof(numbers[0]), rules,
                                            sizeof(rules) / sizeof(rules[0]) };
