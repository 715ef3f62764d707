/* harness.h - an edge on a loopback socket and clients beside it, in one thread.
 *
 * The clients' sockets are real; between their steps the loop is turned until what is waited for has happened, or the
 * test fails. What the server does with a request follows from its path. */
#ifndef TESTS_EDGE_HARNESS_H
#define TESTS_EDGE_HARNESS_H

#include "check.h"

#include "core/arena.h"
#include "core/loop.h"
#include "core/str.h"
#include "edge/edge.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define BIG_BYTES ((size_t)6 * 1024 * 1024)

struct harness {
    struct loop *loop;
    struct edge *edge;
    struct arena arena; /* of all bodies of a test */
    int listener;
    struct sockaddr_in address;
    struct exchange *waiting; /* of /later */
    unsigned requests, gone, refused;
    int refused_status;
    size_t body_ceiling;
    enum body_outcome last_body;
    char last_peer[46];
    char *big;
};

static inline void reply_plain(struct exchange *exchange, int status, limen_str body)
{
    exchange_reply(exchange,
                   &(struct http_reply){ .status = status, .content_type = LIMEN_STR("text/plain"), .body = body });
}

static inline void harness_on_body(void *context, struct exchange *exchange, enum body_outcome outcome, limen_str body)
{
    static const int statuses[] = { 200, 413, 400, 408, 503 };
    struct harness *h = context;
    h->last_body = outcome;
    reply_plain(exchange, statuses[outcome], body);
}

static inline void harness_on_request(void *context, struct exchange *exchange)
{
    struct harness *h = context;
    const struct http_request *request = exchange_request(exchange);
    h->requests++;
    limen_str peer = edge_address_text(exchange_peer(exchange), h->last_peer);
    assert_int_equal(peer.len, strlen(h->last_peer));
    if (str_equal(request->path, LIMEN_STR("/later"))) {
        assert_null(h->waiting);
        h->waiting = exchange;
    } else if (str_equal(request->path, LIMEN_STR("/body"))) {
        exchange_read_body(exchange, h->body_ceiling, &h->arena, harness_on_body, h);
    } else if (str_equal(request->path, LIMEN_STR("/unread"))) {
        reply_plain(exchange, 401, LIMEN_STR("no"));
    } else if (str_equal(request->path, LIMEN_STR("/big"))) {
        exchange_reply(
            exchange,
            &(struct http_reply){ .status = 200, .body = str_make(h->big, BIG_BYTES), .body_is_static = true });
    } else if (str_equal(request->path, LIMEN_STR("/copied"))) {
        exchange_reply(exchange, &(struct http_reply){ .status = 200, .body = str_make(h->big, BIG_BYTES) });
    } else if (str_equal(request->path, LIMEN_STR("/close"))) {
        exchange_reply(exchange, &(struct http_reply){ .status = 200, .body = LIMEN_STR("bye"), .close = true });
    } else if (str_equal(request->path, LIMEN_STR("/empty"))) {
        reply_plain(exchange, 204, LIMEN_STR(""));
    } else if (str_equal(request->path, LIMEN_STR("/same"))) {
        exchange_reply(exchange, &(struct http_reply){ .status = 304, .has_length = true, .length = 77 });
    } else if (str_equal(request->path, LIMEN_STR("/inject"))) {
        const struct http_header_out headers[] = {
            { LIMEN_STR_INIT("X-Bad"), LIMEN_STR_INIT("a\r\nX-Injected: b") },
            { LIMEN_STR_INIT("X-Nul"), LIMEN_STR_INIT("a\0b") },
            { LIMEN_STR_INIT("X Name"), LIMEN_STR_INIT("a") },
            { LIMEN_STR_INIT("X-Good"), LIMEN_STR_INIT("fine") },
        };
        exchange_reply(exchange, &(struct http_reply){ .status = 200, .headers = headers, .header_count = 4 });
    } else if (str_equal(request->path, LIMEN_STR("/page"))) {
        exchange_reply(exchange,
                       &(struct http_reply){ .status = 200,
                                             .flavour = REPLY_PAGE,
                                             .is_cacheable = true,
                                             .content_type = LIMEN_STR("text/html"),
                                             .body = LIMEN_STR("<p>") });
    } else {
        reply_plain(exchange, 200, LIMEN_STR("ok"));
    }
}

static inline void harness_on_gone(void *context, struct exchange *exchange)
{
    struct harness *h = context;
    h->gone++;
    if (h->waiting == exchange)
        h->waiting = NULL;
}

static inline void harness_on_refused(void *context, int status)
{
    struct harness *h = context;
    h->refused++;
    h->refused_status = status;
}

/* With hooks of the caller's own: what the server does is then theirs. */
static inline void harness_open_with(struct harness *h, const struct edge_hooks *hooks,
                                     const struct edge_options *options)
{
    *h = (struct harness){ .body_ceiling = 1024 * 1024, .big = malloc(BIG_BYTES) };
    assert_non_null(h->big);
    for (size_t i = 0; i < BIG_BYTES; i++)
        h->big[i] = (char)('a' + i % 23);
    arena_init(&h->arena, NULL, 64U << 20);
    h->loop = loop_new();
    assert_non_null(h->loop);
    h->edge = edge_new_with(h->loop, hooks, options);
    assert_non_null(h->edge);
    h->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    h->address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t bytes = sizeof(h->address);
    assert_int_equal(bind(h->listener, (struct sockaddr *)&h->address, bytes), 0);
    assert_int_equal(listen(h->listener, 64), 0);
    assert_int_equal(getsockname(h->listener, (struct sockaddr *)&h->address, &bytes), 0);
    assert_true(edge_listen(h->edge, h->listener));
}

static inline void harness_open(struct harness *h, const struct edge_options *options)
{
    harness_open_with(h, &(struct edge_hooks){ harness_on_request, harness_on_gone, harness_on_refused, h }, options);
}

static inline void harness_close(struct harness *h)
{
    edge_free(h->edge);
    loop_free(h->loop);
    close(h->listener);
    arena_release(&h->arena);
    free(h->big);
}

/* What is waited for happens at once; on a busy machine that may take seconds. */
#define PATIENCE_US INT64_C(30000000)

/* Turns the loop for about `ms`, and a few times though the machine may have been away for longer. */
static inline void turn_for(struct harness *h, int64_t ms)
{
    int64_t end = clock_mono_us() + ms * 1000;
    for (int turns = 0; turns < 3 || clock_mono_us() < end; turns++)
        loop_turn(h->loop, 2000);
}

/* Turns the loop until `condition` holds, or the test fails. */
#define TURN_UNTIL(h, condition)                                                                  \
    do {                                                                                          \
        for (int64_t end = clock_mono_us() + PATIENCE_US; !(condition) && clock_mono_us() < end;) \
            loop_turn((h)->loop, 2000);                                                           \
        assert_true(condition);                                                                   \
    } while (0)

static inline int client_open(struct harness *h)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&h->address, sizeof(h->address)), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

static inline void client_send(int fd, const char *text, size_t len)
{
    assert_int_equal(send(fd, text, len, MSG_NOSIGNAL), len);
}
#define SEND(fd, literal) client_send((fd), (literal), sizeof(literal) - 1)

/* What a client has read. */
struct answer {
    char *text;
    size_t len, room;
    bool closed, reset;
};

/* Reads what is there. False: nothing. */
static inline bool client_read(int fd, struct answer *answer)
{
    if (answer->room - answer->len < 65537) {
        answer->room = answer->room * 2 + 131072;
        answer->text = realloc(answer->text, answer->room);
        assert_non_null(answer->text);
        answer->text[answer->len] = '\0';
    }
    ssize_t count = recv(fd, answer->text + answer->len, 65536, 0);
    if (count < 0 && errno == EAGAIN)
        return false;
    answer->closed = count <= 0;
    answer->reset = count < 0;
    if (count > 0)
        answer->len += (size_t)count;
    answer->text[answer->len] = '\0';
    return count > 0;
}

static inline unsigned answers_in(const struct answer *answer)
{
    unsigned count = 0;
    for (const char *at = answer->text; at != NULL && (at = strstr(at, "HTTP/1.1 ")) != NULL; at++)
        count++;
    return count;
}
static inline void read_bytes(struct harness *h, int fd, struct answer *answer, size_t bytes)
{
    for (int64_t end = clock_mono_us() + PATIENCE_US;
         clock_mono_us() < end && answer->len < bytes && !answer->closed;) {
        loop_turn(h->loop, 1000);
        while (client_read(fd, answer))
            ;
    }
}
/* Turns and reads until the answer holds `count` heads, or the connection ends. */
static inline void read_answers(struct harness *h, int fd, struct answer *answer, unsigned count)
{
    for (int64_t end = clock_mono_us() + PATIENCE_US; clock_mono_us() < end
         && (answers_in(answer) < count || strstr(answer->text, "\r\n\r\n") == NULL) && !answer->closed;) {
        loop_turn(h->loop, 1000);
        while (client_read(fd, answer))
            ;
    }
    assert_true(answers_in(answer) >= count);
}
/* Until the server has closed. */
static inline void read_to_end(struct harness *h, int fd, struct answer *answer)
{
    for (int64_t end = clock_mono_us() + PATIENCE_US; clock_mono_us() < end && !answer->closed;) {
        loop_turn(h->loop, 1000);
        while (client_read(fd, answer))
            ;
    }
}
static inline void answer_release(struct answer *answer)
{
    free(answer->text);
    *answer = (struct answer){ 0 };
}

static inline void assert_has(const struct answer *answer, const char *text)
{
    if (answer->text == NULL || strstr(answer->text, text) == NULL) {
        print_error("missing: %s\nin: %s\n", text, answer->text == NULL ? "(nothing)" : answer->text);
        fail();
    }
}
static inline void assert_lacks(const struct answer *answer, const char *text)
{
    if (answer->text != NULL && strstr(answer->text, text) != NULL) {
        print_error("there: %s\nin: %s\n", text, answer->text);
        fail();
    }
}

#endif
