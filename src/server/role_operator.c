/* role_operator.c - /healthz, /readyz and /metrics, from counters in shared memory. It knows no client and no data. */
#include "server/role.h"

#include "core/log.h"
#include "core/str.h"
#include "edge/edge.h"
#include "server/control.h"

#include <unistd.h>

#define OPERATOR_WAIT_US 500000
#define METRICS_BYTES (256U * 1024)

struct operator
{
    struct role *role;
    struct edge *edge;
    struct arena_pool *arenas;
};

static bool has_worker(const struct role *role)
{
    for (uint32_t i = 0; i < role->worker_count; i++) {
        if (atomic_load_explicit(&role->board->rows[i].is_ready, memory_order_relaxed) != 0)
            return true;
    }
    return false;
}

static bool has_database(const struct board *board)
{
    return atomic_load_explicit(&board->data_ready, memory_order_relaxed) != 0
        && atomic_load_explicit(&board->database_away, memory_order_relaxed) == 0;
}

/* Why no balancer should send anything here; empty: nothing speaks against it. */
static limen_str unreadiness(const struct role *role)
{
    const struct board *board = role->board;
    if (atomic_load_explicit(&board->is_leaving, memory_order_relaxed) != 0)
        return LIMEN_STR("not ready\nit is leaving\n");
    if (!has_worker(role))
        return LIMEN_STR("not ready\nno worker\n");
    return has_database(board) ? LIMEN_STR("") : LIMEN_STR("not ready\ndatabase: away\n");
}

/* ---- /metrics: Prometheus' text format -------------------------------------------------------------------------------- */

static void write_head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static uint64_t sum(const struct role *role, size_t offset)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < role->worker_count; i++) {
        const char *row = (const char *)&role->board->rows[i];
        total += atomic_load_explicit((const _Atomic uint64_t *)(const void *)(row + offset), memory_order_relaxed);
    }
    return total;
}

static void write_refusals(const struct role *role, struct buf *out)
{
    write_head(out, "limen_refusals_total", "counter", "Requests that the boundary refused, by reason.");
    for (uint32_t i = REFUSAL_NONE + 1; i < REFUSAL_COUNT; i++) {
        uint64_t total = sum(role, offsetof(struct board_row, refusals) + i * sizeof(uint64_t));
        buf_printf(out, "limen_refusals_total{reason=\"%s\"} %llu\n", refusal_name((enum refusal)i),
                   (unsigned long long)total);
    }
}

/* The row of an operation; 0 is what reached none. */
static limen_str operation_label(const struct contract *contract, uint32_t row)
{
    return row == 0 ? LIMEN_STR("none") : contract->operations[row - 1].id;
}

static void write_replies(const struct role *role, struct buf *out)
{
    static const char *const classes[] = { "2xx", "3xx", "4xx", "5xx" };
    write_head(out, "limen_replies_total", "counter", "Replies, by operation and class of status.");
    for (uint32_t row = 0; row <= role->contract.operation_count; row++) {
        for (uint32_t at = 0; at < BOARD_CLASSES; at++) {
            size_t offset = offsetof(struct board_row, replies) + (row * BOARD_CLASSES + at) * sizeof(uint64_t);
            buf_printf(out, "limen_replies_total{operation=\"%.*s\",status=\"%s\"} %llu\n",
                       LIMEN_STR_ARG(operation_label(&role->contract, row)), classes[at],
                       (unsigned long long)sum(role, offset));
        }
    }
}

static void write_busy(const struct role *role, struct buf *out)
{
    write_head(out, "limen_operation_seconds_total", "counter", "Time from head to reply, summed, by operation.");
    for (uint32_t row = 0; row <= role->contract.operation_count; row++) {
        uint64_t us = sum(role, offsetof(struct board_row, busy_us) + row * sizeof(uint64_t));
        buf_printf(out, "limen_operation_seconds_total{operation=\"%.*s\"} %.6f\n",
                   LIMEN_STR_ARG(operation_label(&role->contract, row)), (double)us / 1e6);
    }
}

static void write_processes(const struct role *role, struct buf *out)
{
    const struct board *board = role->board;
    write_head(out, "limen_connections", "gauge", "Open client connections.");
    buf_printf(out, "limen_connections %llu\n", (unsigned long long)sum(role, offsetof(struct board_row, connections)));
    write_head(out, "limen_memory_bytes", "gauge", "Memory of all workers that calls have reserved.");
    buf_printf(out, "limen_memory_bytes %llu\n",
               (unsigned long long)sum(role, offsetof(struct board_row, memory_used)));
    write_head(out, "limen_memory_ceiling_bytes", "gauge", "How much they may reserve; past it new calls get 503.");
    buf_printf(out, "limen_memory_ceiling_bytes %llu\n",
               (unsigned long long)sum(role, offsetof(struct board_row, memory_ceiling)));
    write_head(out, "limen_buffer_bytes", "gauge", "What connections hold of requests and replies on their way.");
    buf_printf(out, "limen_buffer_bytes %llu\n", (unsigned long long)sum(role, offsetof(struct board_row, buffers)));
    write_head(out, "limen_workers", "gauge", "Worker processes that answer.");
    buf_printf(out, "limen_workers %llu\n", (unsigned long long)sum(role, offsetof(struct board_row, is_ready)));
    write_head(out, "limen_restarts_total", "counter", "Roles that died and were started again.");
    buf_printf(out,
               "limen_restarts_total{role=\"worker\"} %u\nlimen_restarts_total{role=\"data\"} %u\n"
               "limen_restarts_total{role=\"outbound\"} %u\n",
               atomic_load_explicit(&board->worker_restarts, memory_order_relaxed),
               atomic_load_explicit(&board->data_restarts, memory_order_relaxed),
               atomic_load_explicit(&board->outbound_restarts, memory_order_relaxed));
}

static void write_effects(const struct board *board, struct buf *out)
{
    int64_t oldest = atomic_load_explicit(&board->effects_oldest, memory_order_relaxed);
    double age_s = oldest == 0 ? 0 : (double)(clock_wall_us() - oldest) / 1e6;
    write_head(out, "limen_effects", "gauge",
               "Effects that are not done: open ones, and dead ones that an operator must see to.");
    buf_printf(out, "limen_effects{state=\"open\"} %llu\nlimen_effects{state=\"dead\"} %llu\n",
               (unsigned long long)atomic_load_explicit(&board->effects_open, memory_order_relaxed),
               (unsigned long long)atomic_load_explicit(&board->effects_dead, memory_order_relaxed));
    write_head(out, "limen_effects_oldest_seconds", "gauge",
               "Since the oldest open effect was asked for; 0: there is none.");
    buf_printf(out, "limen_effects_oldest_seconds %.0f\n", age_s > 0 ? age_s : 0);
}

static void write_database(const struct board *board, struct buf *out)
{
    write_head(out, "limen_database_up", "gauge", "Whether the database is reached.");
    buf_printf(out, "limen_database_up %d\n", has_database(board));
}

static uint32_t redis_state(const struct board *board)
{
    uint32_t state = atomic_load_explicit(&board->redis_state, memory_order_relaxed);
    return state > BOARD_REDIS_UP ? BOARD_REDIS_NONE : state;
}

static void write_redis(const struct role *role, struct buf *out)
{
    const struct board *board = role->board;
    if (redis_state(board) == BOARD_REDIS_NONE)
        return;
    write_head(out, "limen_redis_up", "gauge", "Whether Redis answers.");
    buf_printf(out, "limen_redis_up %d\n", redis_state(board) == BOARD_REDIS_UP);
    write_head(out, "limen_redis_connections_total", "counter", "Connections to Redis that were made.");
    buf_printf(out, "limen_redis_connections_total %llu\n",
               (unsigned long long)atomic_load_explicit(&board->redis_connections, memory_order_relaxed));
    write_head(out, "limen_redis_failures_total", "counter", "Commands that Redis did not answer, or refused.");
    buf_printf(out, "limen_redis_failures_total %llu\n",
               (unsigned long long)atomic_load_explicit(&board->redis_failures, memory_order_relaxed));
    write_head(out, "limen_limit_fallbacks_total", "counter",
               "Requests for which hosts could not count together, by what the contract says then.");
    buf_printf(
        out,
        "limen_limit_fallbacks_total{behaviour=\"local\"} %llu\n"
        "limen_limit_fallbacks_total{behaviour=\"allow\"} %llu\n"
        "limen_limit_fallbacks_total{behaviour=\"deny\"} %llu\n",
        (unsigned long long)sum(role, offsetof(struct board_row, limits_alone)),
        (unsigned long long)sum(role, offsetof(struct board_row, limits_open)),
        (unsigned long long)sum(role, offsetof(struct board_row, refusals) + REFUSAL_LIMIT_AWAY * sizeof(uint64_t)));
}

static void reply_metrics(struct operator* operator, struct exchange * exchange)
{
    struct arena arena;
    struct buf text;
    arena_init(&arena, operator->arenas, LIMIT_CALL_ARENA_BYTES);
    buf_init(&text, &arena, METRICS_BYTES);
    write_processes(operator->role, &text);
    write_database(operator->role->board, &text);
    write_redis(operator->role, &text);
    write_refusals(operator->role, &text);
    write_effects(operator->role->board, &text);
    write_replies(operator->role, &text);
    write_busy(operator->role, &text);
    struct http_reply reply = {
        .status = text.failed ? 503 : 200,
        .content_type = LIMEN_STR("text/plain; version=0.0.4; charset=utf-8"),
        .body = text.failed ? (limen_str){ 0 } : buf_str(&text),
    };
    exchange_reply(exchange, &reply);
    arena_release(&arena);
}

/* ---- requests --------------------------------------------------------------------------------------------------------- */

static void reply_text(struct exchange *exchange, int status, limen_str text)
{
    struct http_reply reply = { .status = status,
                                .content_type = LIMEN_STR("text/plain; charset=utf-8"),
                                .body = text };
    exchange_reply(exchange, &reply);
}

/* Without its database a replica refuses at once, and a balancer that counts connections would send it everything. A Redis that is away
 * makes no replica unready: what needs no session is still answered. */
static void reply_ready(const struct role *role, struct exchange *exchange)
{
    static const limen_str ready[] = {
        [BOARD_REDIS_NONE] = LIMEN_STR_INIT("ready\n"),
        [BOARD_REDIS_AWAY] = LIMEN_STR_INIT("ready\nredis: away; what needs a session is answered 503\n"),
        [BOARD_REDIS_UP] = LIMEN_STR_INIT("ready\nredis: up\n"),
    };
    limen_str refusal = unreadiness(role);
    bool is_ready = refusal.len == 0;
    reply_text(exchange, is_ready ? 200 : 503, is_ready ? ready[redis_state(role->board)] : refusal);
}

static void on_request(void *context, struct exchange *exchange)
{
    struct operator* operator= context;
    const struct http_request *request = exchange_request(exchange);
    bool is_read = request->method == METHOD_GET || request->method == METHOD_HEAD;
    if (!is_read)
        reply_text(exchange, 405, LIMEN_STR("only GET and HEAD\n"));
    else if (str_equal(request->path, LIMEN_STR("/healthz")))
        reply_text(exchange, 200, LIMEN_STR("ok\n"));
    else if (str_equal(request->path, LIMEN_STR("/readyz")))
        reply_ready(operator->role, exchange);
    else if (str_equal(request->path, LIMEN_STR("/metrics")))
        reply_metrics(operator, exchange);
    else
        reply_text(exchange, 404, LIMEN_STR("/healthz, /readyz, /metrics\n"));
}

static void on_gone(void *context, struct exchange *exchange)
{
    (void)context; /* every reply is made at once: there is nothing to give up */
    (void)exchange;
}

static void on_control(struct role *role, uint32_t type, uint32_t number, int fd)
{
    (void)role, (void)type, (void)number, (void)fd;
}

/* Whoever has asked already is answered. */
static void on_drain(struct role *role)
{
    struct operator* operator= role->context;
    edge_drain(operator->edge);
    close(ROLE_FD_LISTEN);
}

static void on_turn(void *context)
{
    const struct operator* operator= context;
    if (operator->role->is_draining && edge_connection_count(operator->edge) == 0)
        loop_stop(operator->role->loop);
}

int operator_main(struct role *role)
{
    struct operator operator= { .role = role, .arenas = arena_pool_new(LIMIT_ARENA_POOLED_BLOCKS) };
    struct edge_hooks hooks = { .on_request = on_request, .on_gone = on_gone, .context = &operator};
    role->context = &operator;
    role->on_control = on_control;
    role->on_drain = on_drain;
    operator.edge = edge_new(role->loop, &hooks);
    if (operator.arenas == NULL || operator.edge == NULL || !edge_listen(operator.edge, ROLE_FD_LISTEN)) {
        LOG_ERROR("the operator cannot start", log_int("listeners", role->listener_count));
        return 1;
    }
    const struct syscall_list *const lists[] = { &edge_syscalls };
    if (!role_close_sandbox(role, &(struct sandbox){ .lists = lists, .list_count = 1 }))
        return 1;
    role_say(role, CONTROL_READY);
    loop_run(role->loop, OPERATOR_WAIT_US, on_turn, &operator);
    edge_free(operator.edge);
    arena_pool_free(operator.arenas);
    return 0;
}
