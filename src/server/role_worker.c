/* role_worker.c - a worker: edge, boundary and app on one loop. It holds no credential, no key and no SQL. */
#include "server/role.h"

#include "app/app.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/str.h"
#include "server/control.h"
#include "server/machine.h"

#include <malloc.h>
#include <unistd.h>

#define WORKER_WAIT_US 500000 /* the heartbeat's pace when nothing happens */
#define LOST_AGAIN_US 100000  /* between two complaints about a lost socket */

struct worker {
    struct role *role;
    struct board_row *board;
    struct edge *edge;
    struct boundary boundary;
    struct app app;
    struct memory memory;
    bool was_ready;
    uint32_t sockets_given; /* by the supervisor, to the data role */
    int64_t lost_at_us;     /* when a lost one was complained of */
};

/* A connection can end while both ends live: memory was out, a call of the kernel failed. Then the supervisor is asked for another. When
 * the data role has died it introduces its successor anyway; the number tells it that this complaint is about an older socket. */
static void ask_for_data(struct worker *worker)
{
    int64_t now_us = loop_clock(worker->role->loop)->mono_us;
    if (now_us - worker->lost_at_us < LOST_AGAIN_US)
        return;
    worker->lost_at_us = now_us;
    control_send(ROLE_FD_CONTROL, (struct control_message){ CONTROL_LOST, worker->sockets_given }, /* fd= */ -1);
}

static void on_turn(void *context)
{
    struct worker *worker = context;
    if (!data_client_is_attached(worker->boundary.data))
        ask_for_data(worker);
    bool is_ready = data_client_is_attached(worker->boundary.data) && !worker->role->is_draining;
    atomic_store_explicit(&worker->board->beat_us, loop_clock(worker->role->loop)->mono_us, memory_order_relaxed);
    atomic_store_explicit(&worker->board->connections, edge_connection_count(worker->edge), memory_order_relaxed);
    atomic_store_explicit(&worker->board->memory_used, worker->memory.used_bytes, memory_order_relaxed);
    atomic_store_explicit(&worker->board->buffers, edge_buffer_bytes(worker->edge), memory_order_relaxed);
    atomic_store_explicit(&worker->board->is_ready, is_ready, memory_order_relaxed);
    if (is_ready && !worker->was_ready) {
        worker->was_ready = true;
        role_say(worker->role, CONTROL_READY);
    }
    if (worker->role->is_draining && edge_connection_count(worker->edge) == 0 && worker->app.calls == 0)
        loop_stop(worker->role->loop);
}

static void on_control(struct role *role, uint32_t type, uint32_t number, int fd)
{
    struct worker *worker = role->context;
    (void)number;
    worker->sockets_given += type == CONTROL_DATA;
    if (type == CONTROL_DATA && fd >= 0 && data_client_attach(worker->boundary.data, fd))
        return;
    if (fd >= 0)
        close(fd);
}

static void on_drain(struct role *role)
{
    struct worker *worker = role->context;
    edge_drain(worker->edge);
    for (uint32_t i = 0; i < role->listener_count; i++)
        close((int)(ROLE_FD_LISTEN + i)); /* once nobody has it open, new clients are refused at once */
}

static bool trust_proxies(struct worker *worker)
{
    limen_str rest = role_setting("LIMEN_TRUSTED_PROXY", "");
    while (rest.len > 0) {
        limen_str cidr = str_cut(&rest, ',');
        if (edge_trust_proxy(worker->edge, cidr))
            continue;
        LOG_ERROR("a trusted proxy is no address or CIDR", log_str("value", cidr));
        return false;
    }
    return true;
}

static bool may_need_tokens(const struct contract *contract)
{
    for (uint32_t i = 0; i < contract->scheme_count; i++) {
        if (contract->schemes[i].kind == SCHEME_BEARER)
            return true;
    }
    return false;
}

static bool make_boundary(struct worker *worker, struct shm_zone *limits)
{
    struct role *role = worker->role;
    struct diags errors;
    diags_init(&errors, &role->arena);
    worker->boundary = (struct boundary){
        .contract = &role->contract,
        .app = role->app,
        .router = router_new(&role->contract, &role->arena),
        .data = data_client_new(role->loop),
        .limits = limits->base,
        .shares_limits = role_number_setting("LIMEN_SHARED_LIMITS", 0) == 1,
        .limit_scale = (uint32_t)role_number_setting("LIMEN_LIMIT_SCALE", 1),
        .clock = loop_clock(role->loop),
        .board = worker->board,
    };
    if (role->app->web_count > 0)
        worker->boundary.files = static_files_new(role->app->web, role->app->web_count);
    bool has_files = role->app->web_count == 0 || worker->boundary.files != NULL;
    return has_files && worker->boundary.router != NULL && worker->boundary.data != NULL
        && (!may_need_tokens(&role->contract) || data_client_remember_tokens(worker->boundary.data))
        && boundary_bind(&worker->boundary, &role->arena, &errors);
}

/* A large piece goes back to the kernel when it is freed: else what calls give back would stay with the process. */
static struct memory_split divide_memory(struct worker *worker)
{
    struct memory_split split = memory_split(
        (size_t)role_number_setting("LIMEN_WORKER_MEMORY", LIMIT_WORKER_MEMORY_DEFAULT));
    worker->memory = (struct memory){ .ceiling_bytes = split.calls_bytes };
    atomic_store_explicit(&worker->board->memory_ceiling, split.calls_bytes, memory_order_relaxed);
    (void)mallopt(M_MMAP_THRESHOLD, LIMIT_MALLOC_MAPPED_BYTES);
    return split;
}

static int64_t seconds_setting(const char *name, int64_t fallback_us)
{
    return role_number_setting(name, fallback_us / 1000000) * 1000000;
}

static struct edge_options edge_settings(struct memory_split split)
{
    struct edge_options options = edge_default_options();
    options.head_us = seconds_setting("LIMEN_HEAD_TIMEOUT", options.head_us);
    options.body_us = seconds_setting("LIMEN_BODY_TIMEOUT", options.body_us);
    options.idle_us = seconds_setting("LIMEN_IDLE_TIMEOUT", options.idle_us);
    options.write_us = seconds_setting("LIMEN_WRITE_TIMEOUT", options.write_us);
    options.max_per_address = (uint32_t)role_number_setting("LIMEN_CONNECTIONS_PER_ADDRESS", options.max_per_address);
    options.least_rate = (uint32_t)role_number_setting("LIMEN_LEAST_RATE", options.least_rate);
    options.max_buffer_bytes = split.buffer_bytes;
    return options;
}

static bool make_app(struct worker *worker)
{
    struct memory_split split = divide_memory(worker);
    struct edge_options options = edge_settings(split);
    worker->app = (struct app){
        .boundary = &worker->boundary,
        .loop = worker->role->loop,
        .arenas = arena_pool_new(LIMIT_ARENA_POOLED_BLOCKS),
        .fibers = fiber_pool_new(LIMIT_FIBER_STACK_BYTES, split.fibers),
        .memory = &worker->memory,
        .checks_replies = role_number_setting("LIMEN_CHECK_REPLIES", 0) == 1,
    };
    if (worker->app.arenas == NULL || worker->app.fibers == NULL
        || !app_bind_effects(&worker->app, &worker->role->arena))
        return false;
    struct edge_hooks hooks = {
        .on_request = app_on_request,
        .on_gone = app_on_gone,
        .on_refused = app_on_refused,
        .context = &worker->app,
    };
    worker->edge = edge_new_with(worker->role->loop, &hooks, &options);
    data_client_on_attach(worker->boundary.data, app_on_attach, &worker->app);
    data_client_on_job(worker->boundary.data, app_on_job, &worker->app);
    return worker->edge != NULL && trust_proxies(worker);
}

static bool listen_on_all(struct worker *worker)
{
    for (uint32_t i = 0; i < worker->role->listener_count; i++) {
        if (!edge_listen(worker->edge, (int)(ROLE_FD_LISTEN + i)))
            return false;
    }
    return true;
}

static void worker_release(struct worker *worker)
{
    edge_free(worker->edge);
    data_client_free(worker->boundary.data);
    fiber_pool_free(worker->app.fibers);
    arena_pool_free(worker->app.arenas);
    if (worker->boundary.files != NULL)
        static_files_free((struct static_files *)worker->boundary.files);
}

int worker_main(struct role *role)
{
    struct worker worker = { .role = role, .board = &role->board->rows[role->number] };
    struct shm_zone limits;
    role->context = &worker;
    role->on_control = on_control;
    role->on_drain = on_drain;
    atomic_store_explicit(&worker.board->pid, (uint32_t)getpid(), memory_order_relaxed);
    bool ok = shm_map(&limits, ROLE_FD_LIMITS, limit_table_bytes()) && make_boundary(&worker, &limits)
        && make_app(&worker) && listen_on_all(&worker);
    if (!ok) {
        LOG_ERROR("the worker cannot start", log_int("number", role->number));
        return 1;
    }
    const struct syscall_list *const lists[] = { &edge_syscalls, &data_client_syscalls };
    if (!role_close_sandbox(role, &(struct sandbox){ .lists = lists, .list_count = 2 }))
        return 1;
    loop_run(role->loop, WORKER_WAIT_US, on_turn, &worker);
    worker_release(&worker);
    return 0;
}
