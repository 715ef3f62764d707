/* role_data.c - the data role's process: opens the store, then serves the workers that the supervisor introduces. */
#include "server/role.h"

#include "core/log.h"
#include "core/str.h"
#include "data/fetch_client.h"
#include "data/openssl_memory.h"
#include "data/role.h"
#include "server/control.h"
#include "server/file_watch.h"
#include "server/jwks_source.h"
#include "server/redis_source.h"
#include "server/secret.h"

#include <stdio.h>
#include <unistd.h>

#define DATA_WAIT_US 500000

struct data_process {
    struct role *role;
    struct data_role *data;
    struct fetch_client *fetches;
    struct redis_url redis;
    bool has_redis, seeks_redis; /* by its name */
    struct file_watch watch;
};

static void on_control(struct role *role, uint32_t type, uint32_t number, int fd)
{
    struct data_process *process = role->context;
    if (type == CONTROL_DATA && fd >= 0 && data_role_add_worker(process->data, number, fd))
        return;
    if (type == CONTROL_FETCH && fd >= 0) {
        if (!fetch_client_attach(process->fetches, fd))
            LOG_ERROR("no connection to the outbound role", log_int("descriptor", fd));
        return;
    }
    if (fd >= 0)
        close(fd);
}

/* on_turn ends the loop once nothing is under way. */
static void on_drain(struct role *role)
{
    struct data_process *process = role->context;
    if (process->data != NULL)
        data_role_drain(process->data);
}

/* What the operator shows of the database, and tells balancers. */
static void show_database(const struct data_process *process)
{
    atomic_store_explicit(&process->role->board->database_away, data_role_has_lost_database(process->data),
                          memory_order_relaxed);
}

/* What the operator shows of Redis. */
static void show_redis(struct data_process *process)
{
    struct board *board = process->role->board;
    struct redis_status status = data_role_redis(process->data);
    if (!process->has_redis)
        return;
    atomic_store_explicit(&board->redis_state, status.is_up ? BOARD_REDIS_UP : BOARD_REDIS_AWAY, memory_order_relaxed);
    atomic_store_explicit(&board->redis_connections, status.connections, memory_order_relaxed);
    atomic_store_explicit(&board->redis_failures, status.failures, memory_order_relaxed);
}

/* A role that has all that it needs looks for nobody's address, and opens no file of the URL. */
static bool may_end(const struct role *role)
{
    const struct data_process *process = role->context;
    return data_role_has_lost_database(process->data)
        || (process->seeks_redis && !data_role_redis(process->data).is_up);
}

static void on_turn(void *context)
{
    struct data_process *process = context;
    show_database(process);
    show_redis(process);
    if (process->role->is_draining && data_role_is_idle(process->data))
        loop_stop(process->role->loop);
}

static void on_effect_counts(void *context, const struct store_effect_counts *counts)
{
    struct board *board = context;
    atomic_store_explicit(&board->effects_open, counts->open, memory_order_relaxed);
    atomic_store_explicit(&board->effects_dead, counts->dead, memory_order_relaxed);
    atomic_store_explicit(&board->effects_oldest, counts->oldest, memory_order_relaxed);
}

/* The one moment at which the generated password can be read. */
static void on_first_account(limen_str email, limen_str password)
{
    printf("admin email: %.*s\nadmin password: %.*s (shown once)\n", LIMEN_STR_ARG(email), LIMEN_STR_ARG(password));
    fflush(stdout);
}

static void on_breach(uint32_t worker)
{
    control_send(ROLE_FD_CONTROL, (struct control_message){ CONTROL_BREACH, worker }, /* fd= */ -1);
}

static void on_fetch_breach(void)
{
    control_send(ROLE_FD_CONTROL, (struct control_message){ .type = CONTROL_FETCH_BREACH }, /* fd= */ -1);
}

static void print_refusal(const struct diags *errors, bool has_colour, struct arena *arena)
{
    struct buf text;
    buf_init(&text, arena, 1024);
    diags_write(errors, &text, "error", has_colour);
    fwrite(text.ptr, 1, text.len, stderr);
}

/* Before the first byte of a worker, and before the database is read: it may be hostile too. */
static bool close_sandbox(struct data_process *process, const struct store_sandbox *store)
{
    const struct syscall_list *const lists[] = { &data_role_syscalls, store->syscalls, &thread_syscalls,
                                                 &redis_syscalls, &lookup_syscalls };
    struct sandbox_path paths[FILE_WATCH_MOST];
    uint16_t ports[STORE_SANDBOX_PORTS + 2];
    memcpy(paths, store->paths, store->path_count * sizeof(paths[0]));
    memcpy(ports, store->ports, store->port_count * sizeof(ports[0]));
    struct sandbox kept = {
        .lists = lists,
        .list_count = process->seeks_redis ? 5
            : process->has_redis           ? 4
                                           : 3,
        .paths = paths,
        .path_count = store->path_count,
        .connect_ports = ports,
        .connect_port_count = store->port_count,
    };
    if (process->has_redis)
        ports[kept.connect_port_count++] = process->redis.port;
    if (process->seeks_redis) {
        ports[kept.connect_port_count++] = LOOKUP_PORT;
        memcpy(&paths[kept.path_count], lookup_paths, sizeof(lookup_paths));
        kept.path_count += LOOKUP_PATHS;
    }
    file_watch_start(&process->watch, process->role, kept.paths, kept.path_count, may_end);
    return role_close_sandbox(process->role, &kept);
}

static bool read_redis(struct data_process *process, struct data_role_config *config, struct diags *errors)
{
    limen_str source = role_setting("LIMEN_REDIS", "");
    config->app_name = process->role->app->name;
    config->limit_scale = (uint32_t)role_number_setting("LIMEN_LIMIT_SCALE", 1);
    process->has_redis = source.len > 0;
    if (!process->has_redis)
        return true;
    config->redis = &process->redis;
    if (!redis_source_read(source, &process->role->arena, &process->redis, errors))
        return false;
    process->seeks_redis = lookup_is_name(process->redis.host.ptr);
    return true;
}

static void describe_store(struct role *role, struct query_set *queries, struct store_config *store,
                           struct diags *errors)
{
    limen_str migrate = role_setting("LIMEN_MIGRATE", "auto");
    *store = (struct store_config){
        .url = role_setting("LIMEN_DATABASE", ""),
        .connections = (uint32_t)role_number_setting("LIMEN_DATABASE_CONNECTIONS", 0),
        .contract = &role->contract,
        .queries = queries,
        .migrations = role->app->migrations,
        .migration_count = role->app->migration_count,
        .migrate = str_equal(migrate, LIMEN_STR("wait")) ? STORE_MIGRATE_WAIT
            : str_equal(migrate, LIMEN_STR("off"))       ? STORE_MIGRATE_OFF
                                                         : STORE_MIGRATE_AUTO,
    };
    store->file = store_move_in(store->url, (uint32_t)role_number_setting("LIMEN_USER", 0), &role->arena, errors);
}

int data_main(struct role *role)
{
    struct data_process process = { .role = role, .fetches = fetch_client_new(role->loop, on_fetch_breach) };
    struct query_set queries;
    struct diags errors;
    if (!openssl_memory_watch())
        LOG_WARN("OpenSSL has allocated already: where it lacks memory a good token may be refused");
    role->context = &process;
    role->on_control = on_control;
    role->on_drain = on_drain;
    diags_init(&errors, &role->arena);
    struct data_role_config config = {
        .fetches = process.fetches,
        .sends_effects = role_setting("LIMEN_EFFECT_TARGET", "").len > 0,
        .on_effect_counts = on_effect_counts,
        .context = role->board,
        .hash_threads = LIMIT_HASHES_AT_ONCE,
        .on_first_account = on_first_account,
        .on_breach = on_breach,
    };
    /* Files of secrets and keys are named from the folder that the server was started in, and read by whoever has started it. */
    bool has_keys = jwks_sources_read(&role->contract, &role->arena, config.jwks, &errors);
    bool has_secrets = secrets_of_webhooks(&role->contract, &role->arena, config.webhook_secrets, &errors);
    bool has_redis = read_redis(&process, &config, &errors);
    describe_store(role, &queries, &config.store, &errors);
    bool has_colour = isatty(STDERR_FILENO) == 1; /* cannot be asked later */
    struct store_sandbox sandbox;
    bool is_placed = config.store.file != NULL
        && store_describe_sandbox(config.store.url, &sandbox, &role->arena, &errors);
    if (is_placed && !close_sandbox(&process, &sandbox))
        return 1;
    if (process.fetches != NULL && has_keys && has_secrets && has_redis && is_placed
        && queries_parse(role->app->queries.bytes, role->app->queries.path, store_backend(config.store.url),
                         &role->arena, &queries, &errors))
        process.data = data_role_new(role->loop, &config, &role->arena, &errors);
    if (process.data == NULL) {
        print_refusal(&errors, has_colour, &role->arena);
        role_say(role, CONTROL_REFUSED);
        return 1;
    }
    while (!data_role_is_settled(process.data))
        loop_turn(role->loop, DATA_WAIT_US);
    role_say(role, CONTROL_READY);
    loop_run(role->loop, DATA_WAIT_US, on_turn, &process);
    file_watch_stop(&process.watch);
    data_role_free(process.data);
    fetch_client_free(process.fetches);
    return 0;
}
