/* edge_echo.c - a server on the edge alone: GET answers 200, POST, PUT and PATCH answer with their body.
 *
 * For what judges the edge from outside: the conformance suite, load generators. `edge_echo PORT`; with `edge_echo PORT files`
 * the page of static.c is served, too; with `edge_echo PORT frames` every answer tells in a field how its request was read:
 * X-Seen is method, target and body in hexadecimal, with dots between. */
#include "core/arena.h"
#include "core/limits.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/str.h"
#include "edge/edge.h"
#include "edge/static.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct echo {
    struct loop_source signals; /* first */
    struct loop *loop;
    struct edge *edge;
    struct arena_pool *pool;
    struct arena arena; /* of the one body that is being read; a real server has one a call */
    struct static_files *files;
    bool tells_frames;
};

static void reply_text(struct exchange *exchange, int status, limen_str body)
{
    exchange_reply(exchange,
                   &(struct http_reply){ .status = status, .content_type = LIMEN_STR("text/plain"), .body = body });
}

static void add_hex(struct buf *out, limen_str bytes)
{
    buf_add_hex(out, (const uint8_t *)bytes.ptr, bytes.len);
}

static void reply_frame(struct exchange *exchange, limen_str body, struct arena *arena)
{
    const struct http_request *request = exchange_request(exchange);
    struct buf seen;
    buf_init(&seen, arena, 1024);
    add_hex(&seen, request->method_text);
    buf_add_char(&seen, '.');
    add_hex(&seen, request->target);
    buf_add_char(&seen, '.');
    add_hex(&seen, body);
    if (seen.failed)
        abort();
    exchange_reply(
        exchange,
        &(struct http_reply){ .status = 200,
                              .headers = &(struct http_header_out){ LIMEN_STR_INIT("X-Seen"), buf_str(&seen) },
                              .header_count = 1 });
}

static void on_body(void *context, struct exchange *exchange, enum body_outcome outcome, limen_str body)
{
    static const int statuses[] = {
        [BODY_OK] = 200, [BODY_TOO_LARGE] = 413, [BODY_MALFORMED] = 400, [BODY_TIMEOUT] = 408, [BODY_NO_MEMORY] = 503
    };
    const struct echo *echo = context;
    struct arena *arena = exchange_user(exchange);
    if (echo->tells_frames && outcome == BODY_OK)
        reply_frame(exchange, body, arena);
    else
        reply_text(exchange, statuses[outcome], body);
    arena_release(arena);
    free(arena);
}

static void on_request(void *context, struct exchange *exchange)
{
    struct echo *echo = context;
    const struct http_request *request = exchange_request(exchange);
    if (echo->files != NULL && static_files_reply(echo->files, exchange, NULL))
        return;
    bool has_content = request->method == METHOD_POST || request->method == METHOD_PUT
        || request->method == METHOD_PATCH || echo->tells_frames;
    if (request->framing != FRAMING_NONE && !has_content) {
        reply_text(exchange, 400, LIMEN_STR("no body is expected"));
        return;
    }
    if (request->framing == FRAMING_NONE && echo->tells_frames) {
        struct arena arena;
        arena_init(&arena, echo->pool, LIMIT_CALL_ARENA_BYTES);
        reply_frame(exchange, LIMEN_STR(""), &arena);
        arena_release(&arena);
        return;
    }
    if (request->framing == FRAMING_NONE) {
        reply_text(exchange, 200, LIMEN_STR("ok"));
        return;
    }
    struct arena *arena = malloc(sizeof *arena);
    if (arena == NULL)
        abort();
    arena_init(arena, echo->pool, LIMIT_CALL_ARENA_BYTES);
    exchange_set_user(exchange, arena);
    exchange_read_body(exchange, LIMIT_BODY_BYTES, arena, on_body, echo);
}

static void on_gone(void *context, struct exchange *exchange)
{
    struct arena *arena = exchange_user(exchange);
    (void)context;
    if (arena != NULL) {
        arena_release(arena);
        free(arena);
    }
}

static void on_signal(struct loop_source *source, uint32_t events)
{
    struct echo *echo = (struct echo *)(void *)source;
    (void)events;
    edge_drain(echo->edge);
    loop_stop(echo->loop);
}

static int listen_on(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0
        || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, 4096) != 0)
        return -1;
    return fd;
}

static int watch_signals(struct echo *echo)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return fd >= 0 && loop_add(echo->loop, &echo->signals, fd, EPOLLIN, /* exclusive= */ false, on_signal) ? fd : -1;
}

static const struct limen_file page[] = {
    { LIMEN_STR_INIT("index.html"),
      LIMEN_STR_INIT("<!doctype html><title>echo</title><p>This is the page of the echo server.") },
};

int main(int argc, char **argv)
{
    int64_t port = 0;
    if (argc < 2 || !str_to_int64(str_of(argv[1]), &port) || port < 1 || port > UINT16_MAX) {
        fprintf(stderr, "usage: %s PORT [files|frames]\n", argv[0]);
        return 2;
    }
    log_init(LOG_FORMAT_AUTO, LOG_LEVEL_INFO, "echo", 0);
    struct echo echo = { .loop = loop_new(), .pool = arena_pool_new(64) };
    struct edge_hooks hooks = { .on_request = on_request, .on_gone = on_gone, .context = &echo };
    echo.edge = edge_new(echo.loop, &hooks);
    limen_str mode = str_of(argc > 2 ? argv[2] : NULL);
    if (str_equal(mode, LIMEN_STR("files")))
        echo.files = static_files_new(page, 1);
    echo.tells_frames = str_equal(mode, LIMEN_STR("frames"));
    int fd = listen_on((uint16_t)port), signals = watch_signals(&echo);
    if (fd < 0 || signals < 0 || !edge_listen(echo.edge, fd)) {
        perror("listen");
        return 1;
    }
    loop_run(echo.loop, 1000000, NULL, NULL);
    for (int i = 0; i < 300 && edge_connection_count(echo.edge) > 0; i++)
        loop_turn(echo.loop, 10000);
    edge_free(echo.edge);
    static_files_free(echo.files);
    loop_remove(echo.loop, &echo.signals);
    loop_free(echo.loop);
    arena_pool_free(echo.pool);
    close(signals);
    close(fd);
    return 0;
}
