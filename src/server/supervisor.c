/* supervisor.c - one process table and what happens to it.
 *
 * The data role comes first; when it answers, the sockets begin to listen and workers and operator start. A role that dies is
 * started again - at once when it had been working, after a growing pause when it had not - and whoever spoke with it is handed a
 * new socketpair. A worker whose heartbeat stops is killed, and the operation that held it is named. */
#include "server/supervisor.h"

#include "boundary/limit.h"
#include "core/arena.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/shm.h"
#include "server/control.h"
#include "server/listen.h"
#include "server/machine.h"
#include "server/spawn.h"
#include "server/variables.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TICK_US 100000
#define PAUSE_FIRST_US 50000
#define PAUSE_MOST_US 5000000

struct process {
    struct supervisor *owner;
    enum role_kind kind;
    uint32_t number;
    pid_t pid; /* 0: not running */
    struct loop_source control;
    bool is_ready;    /* has been, since it started */
    bool was_ready;   /* has been at any time: what it is set up with can work */
    bool was_silent;  /* killed for its heartbeat */
    int64_t pause_us; /* before the next start; 0 when it had been working */
    int64_t due_us;   /* monotonic; when not running */
    uint32_t sockets; /* a worker's: to the data role, that it was given */
};

struct supervisor {
    const struct limen_app *app;
    const struct contract *contract;
    const struct config *config;
    struct arena *arena;
    struct loop *loop;
    struct loop_source signals;
    struct loop_timer tick, drain;
    struct shm_zone board_zone, limits_zone;
    struct board *board;
    int listeners[LIMIT_LISTENERS], operator_listener;
    uint32_t listener_count, worker_count;
    struct role_settings settings;
    struct process data, operator, outbound, workers[LIMIT_WORKERS];
    bool is_open; /* listening: the data role has been ready once */
    bool is_announced;
    bool is_draining;
    int exit_code;
};

/* ---- starting a role -------------------------------------------------------------------------------------------------- */

static void on_control(struct loop_source *source, uint32_t events);

static void introduce(struct supervisor *supervisor, struct process *worker);
static void introduce_outbound(struct supervisor *supervisor);

static void start(struct process *process)
{
    struct supervisor *supervisor = process->owner;
    int pair[2];
    if (!control_pair(pair)) {
        LOG_ERROR("no socket for a role", log_text("error", strerror(errno)));
        return;
    }
    struct spawn spawn = { .kind = process->kind,
                           .number = process->number,
                           .control = pair[1],
                           .board = supervisor->board_zone.fd,
                           .limits = -1 };
    if (process->kind == ROLE_WORKER) {
        spawn.limits = supervisor->limits_zone.fd;
        spawn.listeners = supervisor->listeners;
        spawn.listener_count = supervisor->listener_count;
    } else if (process->kind == ROLE_OPERATOR) {
        spawn.listeners = &supervisor->operator_listener;
        spawn.listener_count = 1;
    }
    struct arena scratch;
    arena_init(&scratch, NULL, SIZE_MAX);
    variables_add(&supervisor->settings, &spawn, &scratch);
    process->is_ready = process->was_silent = false;
    process->sockets = 0;
    if (process->kind == ROLE_WORKER)
        atomic_store(&supervisor->board->rows[process->number].beat_us, 0);
    process->pid = spawn_role(&spawn);
    arena_release(&scratch);
    close(pair[1]);
    process->control = (struct loop_source){ 0 };
    if (process->pid < 0
        || !loop_add(supervisor->loop, &process->control, pair[0], EPOLLIN, /* exclusive= */ false, on_control)) {
        LOG_ERROR("a role cannot be started", log_text("role", role_name(process->kind)),
                  log_text("error", strerror(errno)));
        process->pid = 0;
        close(pair[0]);
        return;
    }
    LOG_DEBUG("role started", log_text("role", role_name(process->kind)), log_int("number", process->number),
              log_int("pid", process->pid));
    if (process->kind == ROLE_WORKER)
        introduce(supervisor, process);
    for (uint32_t i = 0; process->kind == ROLE_DATA && i < supervisor->worker_count; i++)
        introduce(supervisor, &supervisor->workers[i]);
    if (process->kind == ROLE_DATA || process->kind == ROLE_OUTBOUND)
        introduce_outbound(supervisor);
}

/* Gives a worker and the data role the two ends of a new socketpair. */
static void introduce(struct supervisor *supervisor, struct process *worker)
{
    int pair[2];
    if (worker->pid == 0 || supervisor->data.pid == 0)
        return;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) {
        LOG_ERROR("no socket between worker and data", log_text("error", strerror(errno)));
        return;
    }
    struct control_message message = { CONTROL_DATA, worker->number };
    bool ok = control_send(supervisor->data.control.fd, message, pair[0])
        && control_send(worker->control.fd, message, pair[1]);
    if (ok)
        worker->sockets++;
    else
        LOG_WARN("a worker and the data role could not be introduced", log_int("worker", worker->number));
    close(pair[0]);
    close(pair[1]);
}

/* The same for the data role and the outbound role. */
static void introduce_outbound(struct supervisor *supervisor)
{
    int pair[2];
    const struct control_message message = { .type = CONTROL_FETCH };
    if (supervisor->data.pid == 0 || supervisor->outbound.pid == 0)
        return;
    if (!control_pair(pair)) {
        LOG_ERROR("no socket between data and outbound", log_text("error", strerror(errno)));
        return;
    }
    bool ok = control_send(supervisor->data.control.fd, message, pair[0])
        && control_send(supervisor->outbound.control.fd, message, pair[1]);
    if (!ok)
        LOG_WARN("the data role and the outbound role could not be introduced",
                 log_int("pid", supervisor->outbound.pid));
    close(pair[0]);
    close(pair[1]);
}

/* ---- what roles say --------------------------------------------------------------------------------------------------- */

static void open_doors(struct supervisor *supervisor)
{
    supervisor->is_open = true;
    for (uint32_t i = 0; i < supervisor->listener_count; i++) {
        if (listen(supervisor->listeners[i], SOMAXCONN) != 0)
            LOG_ERROR("cannot listen", log_text("error", strerror(errno)));
    }
    if (supervisor->operator_listener >= 0 && listen(supervisor->operator_listener, SOMAXCONN) == 0)
        start(&supervisor->operator);
    for (uint32_t i = 0; i < supervisor->worker_count; i++)
        start(&supervisor->workers[i]);
}

static void announce(struct supervisor *supervisor)
{
    for (uint32_t i = 0; i < supervisor->worker_count; i++) {
        if (!supervisor->workers[i].is_ready)
            return;
    }
    supervisor->is_announced = true;
    for (uint32_t i = 0; i < supervisor->config->listen.count; i++) {
        limen_str url = arena_printf(supervisor->arena, "http://%.*s/",
                                     LIMEN_STR_ARG(supervisor->config->listen.items[i]));
        LOG_INFO("open", log_str("url", url), log_int("workers", supervisor->worker_count),
                 log_int("operations", supervisor->contract->operation_count));
    }
}

static void end_drain(struct supervisor *supervisor, int exit_code);

/* Nobody knows what such a role is by now: a new one takes its place. */
static void end_breaker(const struct process *process)
{
    if (process->pid == 0)
        return;
    LOG_ERROR("a role broke the protocol of the data role and is killed", log_text("role", role_name(process->kind)),
              log_int("number", process->number), log_int("pid", process->pid));
    kill(process->pid, SIGKILL);
}

static void on_message(struct process *process, const struct control_message *message)
{
    struct supervisor *supervisor = process->owner;
    uint32_t type = message->type;
    if (type == CONTROL_BREACH && process->kind == ROLE_DATA && message->number < supervisor->worker_count)
        end_breaker(&supervisor->workers[message->number]);
    if (type == CONTROL_FETCH_BREACH && process->kind == ROLE_DATA)
        end_breaker(&supervisor->outbound);
    if (type == CONTROL_LOST && process->kind == ROLE_WORKER && message->number == process->sockets)
        introduce(supervisor, process);
    if (type == CONTROL_REFUSED && !process->was_ready) {
        end_drain(supervisor, /* exit_code= */ 1);
        return;
    }
    if (type != CONTROL_READY)
        return;
    process->is_ready = process->was_ready = true;
    process->pause_us = 0;
    if (process->kind == ROLE_DATA) {
        atomic_store(&supervisor->board->data_ready, 1);
        if (!supervisor->is_open && !supervisor->is_draining)
            open_doors(supervisor);
    } else if (!supervisor->is_announced) {
        announce(supervisor);
    }
}

static void on_control(struct loop_source *source, uint32_t events)
{
    struct process *process = (struct process *)((char *)source - offsetof(struct process, control));
    struct control_message message;
    int fd;
    (void)events;
    for (;;) {
        int got = control_receive(source->fd, &message, &fd);
        if (got < 0)
            loop_want(process->owner->loop, source, 0); /* it is about to die: SIGCHLD tells the rest */
        if (got <= 0)
            return;
        if (fd >= 0)
            close(fd);
        on_message(process, &message);
    }
}

/* ---- deaths ----------------------------------------------------------------------------------------------------------- */

static struct process *find_process(struct supervisor *supervisor, pid_t pid)
{
    if (supervisor->data.pid == pid)
        return &supervisor->data;
    if (supervisor->operator.pid == pid)
        return &supervisor->operator;
    if (supervisor->outbound.pid == pid)
        return &supervisor->outbound;
    for (uint32_t i = 0; i < supervisor->worker_count; i++) {
        if (supervisor->workers[i].pid == pid)
            return &supervisor->workers[i];
    }
    return NULL;
}

static void report_death(const struct process *process, int status)
{
    bool is_signal = WIFSIGNALED(status);
    LOG_WARN("a role died and is started again", log_text("role", role_name(process->kind)),
             log_int("number", process->number), log_int("pid", process->pid),
             log_text("by", is_signal ? "signal" : "exit"),
             log_int("code", is_signal ? WTERMSIG(status) : WEXITSTATUS(status)),
             log_int("pause_ms", process->pause_us / 1000));
}

static void bury(struct process *process, int status)
{
    struct supervisor *supervisor = process->owner;
    loop_remove(supervisor->loop, &process->control);
    close(process->control.fd);
    if (process->kind == ROLE_WORKER) {
        struct board_row *row = &supervisor->board->rows[process->number];
        atomic_store(&row->is_ready, 0);
        atomic_store(&row->connections, 0);
        atomic_store(&row->operation, 0);
    } else if (process->kind == ROLE_DATA) {
        atomic_store(&supervisor->board->data_ready, 0);
    }
    if (!process->is_ready)
        process->pause_us = process->pause_us == 0 ? PAUSE_FIRST_US : process->pause_us * 2;
    if (process->pause_us > PAUSE_MOST_US)
        process->pause_us = PAUSE_MOST_US;
    if (!supervisor->is_draining)
        report_death(process, status);
    process->pid = 0;
    process->due_us = clock_mono_us() + process->pause_us;
}

static bool all_workers_gone(const struct supervisor *supervisor)
{
    bool is_gone = supervisor->operator.pid == 0;
    for (uint32_t i = 0; i < supervisor->worker_count; i++)
        is_gone = is_gone && supervisor->workers[i].pid == 0;
    return is_gone;
}

static void continue_drain(struct supervisor *supervisor)
{
    if (!all_workers_gone(supervisor))
        return;
    if (supervisor->data.pid == 0 && supervisor->outbound.pid == 0)
        loop_stop(supervisor->loop);
    if (supervisor->data.pid != 0)
        kill(supervisor->data.pid, SIGTERM);
    if (supervisor->outbound.pid != 0)
        kill(supervisor->outbound.pid, SIGTERM);
}

static void restart_due(struct supervisor *supervisor)
{
    int64_t now_us = clock_mono_us();
    if (supervisor->data.pid == 0 && supervisor->data.due_us <= now_us) {
        atomic_fetch_add(&supervisor->board->data_restarts, 1);
        start(&supervisor->data);
    }
    if (supervisor->contract->fetch_count > 0 && supervisor->outbound.pid == 0
        && supervisor->outbound.due_us <= now_us) {
        atomic_fetch_add(&supervisor->board->outbound_restarts, 1);
        start(&supervisor->outbound);
    }
    if (supervisor->is_open && supervisor->operator_listener >= 0
        && supervisor->operator.pid == 0 && supervisor->operator.due_us <= now_us)
        start(&supervisor->operator);
    for (uint32_t i = 0; supervisor->is_open && i < supervisor->worker_count; i++) {
        struct process *worker = &supervisor->workers[i];
        if (worker->pid != 0 || worker->due_us > now_us)
            continue;
        atomic_fetch_add(&supervisor->board->worker_restarts, 1);
        start(worker);
    }
}

static void reap(struct supervisor *supervisor)
{
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        struct process *process = find_process(supervisor, pid);
        if (process == NULL)
            continue;
        bool is_refused = (process->kind == ROLE_DATA || process->kind == ROLE_OUTBOUND) && !process->was_ready;
        bury(process, status);
        if (is_refused && !supervisor->is_draining)
            end_drain(supervisor, /* exit_code= */ 1);
    }
    if (supervisor->is_draining)
        continue_drain(supervisor);
    else
        restart_due(supervisor);
}

/* ---- heartbeats ------------------------------------------------------------------------------------------------------- */

static void check_heartbeat(struct process *worker, int64_t now_us)
{
    struct supervisor *supervisor = worker->owner;
    struct board_row *row = &supervisor->board->rows[worker->number];
    int64_t beat_us = atomic_load(&row->beat_us);
    uint32_t operation = atomic_load(&row->operation);
    if (worker->pid == 0 || beat_us == 0 || worker->was_silent || now_us - beat_us < LIMIT_HEARTBEAT_US)
        return;
    LOG_ERROR("a worker is silent and is killed", log_int("number", worker->number), log_int("pid", worker->pid),
              log_int("silent_ms", (now_us - beat_us) / 1000),
              log_str("operation",
                      operation == 0 || operation > supervisor->contract->operation_count
                          ? LIMEN_STR("none")
                          : supervisor->contract->operations[operation - 1].id));
    worker->was_silent = true;
    kill(worker->pid, SIGKILL);
}

static void on_tick(struct loop_timer *timer)
{
    struct supervisor *supervisor = (struct supervisor *)((char *)timer - offsetof(struct supervisor, tick));
    int64_t now_us = clock_mono_us();
    for (uint32_t i = 0; i < supervisor->worker_count; i++)
        check_heartbeat(&supervisor->workers[i], now_us);
    if (!supervisor->is_draining)
        restart_due(supervisor);
    loop_timer_start(loop_timers(supervisor->loop, TICK_US), &supervisor->tick, on_tick);
}

/* ---- ending ----------------------------------------------------------------------------------------------------------- */

static void kill_all(struct supervisor *supervisor, int signal)
{
    for (uint32_t i = 0; i < supervisor->worker_count; i++) {
        if (supervisor->workers[i].pid != 0)
            kill(supervisor->workers[i].pid, signal);
    }
    if (supervisor->operator.pid != 0)
        kill(supervisor->operator.pid, signal);
}

static void on_drained(struct loop_timer *timer)
{
    struct supervisor *supervisor = (struct supervisor *)((char *)timer - offsetof(struct supervisor, drain));
    LOG_WARN("the time to drain is over; what is left is cut off", log_int("seconds", supervisor->config->drain_s));
    kill_all(supervisor, SIGKILL);
    if (all_workers_gone(supervisor) && supervisor->data.pid != 0)
        kill(supervisor->data.pid, SIGKILL);
    if (all_workers_gone(supervisor) && supervisor->outbound.pid != 0)
        kill(supervisor->outbound.pid, SIGKILL);
    loop_timer_start(loop_timers(supervisor->loop, 1000000), &supervisor->drain, on_drained);
}

static void end_drain(struct supervisor *supervisor, int exit_code)
{
    if (supervisor->is_draining)
        return;
    supervisor->is_draining = true;
    supervisor->exit_code = exit_code;
    loop_timer_start(loop_timers(supervisor->loop, supervisor->config->drain_s * 1000000), &supervisor->drain,
                     on_drained);
    kill_all(supervisor, SIGTERM);
    continue_drain(supervisor);
}

static void on_signal(struct loop_source *source, uint32_t events)
{
    struct supervisor *supervisor = (struct supervisor *)((char *)source - offsetof(struct supervisor, signals));
    struct signalfd_siginfo info;
    (void)events;
    while (read(source->fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGCHLD) {
            reap(supervisor);
            continue;
        }
        if (!supervisor->is_draining)
            LOG_INFO("draining", log_int("seconds_at_most", supervisor->config->drain_s));
        end_drain(supervisor, /* exit_code= */ 0);
    }
}

/* ---- beginning -------------------------------------------------------------------------------------------------------- */

static bool watch_signals(struct supervisor *supervisor)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGCHLD);
    signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return false;
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return fd >= 0 && loop_add(supervisor->loop, &supervisor->signals, fd, EPOLLIN, /* exclusive= */ false, on_signal);
}

static bool bind_all(struct supervisor *supervisor)
{
    const struct config *config = supervisor->config;
    bool is_loopback = true;
    for (uint32_t i = 0; i < config->listen.count; i++) {
        int fd = listen_bind(config->listen.items[i], &is_loopback);
        if (fd < 0)
            return false;
        supervisor->listeners[supervisor->listener_count++] = fd;
        if (!is_loopback)
            LOG_WARN("plain http is open to other machines: browsers keep the Secure session cookie on https and "
                     "localhost only; "
                     "put a TLS proxy in front",
                     log_str("listen", config->listen.items[i]));
    }
    supervisor->operator_listener = -1;
    if (str_equal(config->operator, LIMEN_STR("off")))
        return true;
    supervisor->operator_listener = listen_bind(config->operator, & is_loopback);
    if (supervisor->operator_listener >= 0 && !is_loopback)
        LOG_WARN("the operator's address is open to other machines", log_str("operator", config->operator));
    return supervisor->operator_listener >= 0;
}

static bool make_zones(struct supervisor *supervisor)
{
    bool ok = shm_create(&supervisor->board_zone, "limen-board", board_bytes(supervisor->worker_count))
        && shm_create(&supervisor->limits_zone, "limen-limits", limit_table_bytes());
    if (!ok)
        return false;
    supervisor->board = supervisor->board_zone.base;
    supervisor->board->worker_count = supervisor->worker_count;
    supervisor->board->operation_count = supervisor->contract->operation_count;
    limit_table_init(supervisor->limits_zone.base);
    return true;
}

static void name_processes(struct supervisor *supervisor)
{
    supervisor->data = (struct process){ .owner = supervisor, .kind = ROLE_DATA };
    supervisor->operator=(struct process){ .owner = supervisor, .kind = ROLE_OPERATOR };
    supervisor->outbound = (struct process){ .owner = supervisor, .kind = ROLE_OUTBOUND };
    for (uint32_t i = 0; i < supervisor->worker_count; i++)
        supervisor->workers[i] = (struct process){ .owner = supervisor, .kind = ROLE_WORKER, .number = i };
}

static void release(struct supervisor *supervisor)
{
    for (uint32_t i = 0; i < supervisor->listener_count; i++)
        close(supervisor->listeners[i]);
    if (supervisor->operator_listener >= 0)
        close(supervisor->operator_listener);
    shm_release(&supervisor->board_zone);
    shm_release(&supervisor->limits_zone);
    if (supervisor->signals.is_added)
        close(supervisor->signals.fd);
    loop_free(supervisor->loop);
}

int supervisor_run(const struct limen_app *app, const struct contract *contract, const struct config *config,
                   struct arena *arena)
{
    struct supervisor *supervisor = ARENA_NEW(arena, struct supervisor);
    if (supervisor == NULL)
        return 1;
    supervisor->app = app;
    supervisor->contract = contract;
    supervisor->config = config;
    supervisor->arena = arena;
    supervisor->exit_code = 1;
    supervisor->operator_listener = -1;
    supervisor->worker_count = config->workers > 0 ? (uint32_t)config->workers : machine_cores();
    if (supervisor->worker_count > LIMIT_WORKERS)
        supervisor->worker_count = LIMIT_WORKERS;
    supervisor->settings = (struct role_settings){
        .config = config,
        .worker_count = supervisor->worker_count,
        .worker_memory = config->worker_memory > 0 ? config->worker_memory
                                                   : (int64_t)memory_default(supervisor->worker_count),
    };
    supervisor->loop = loop_new();
    supervisor->board_zone.fd = supervisor->limits_zone.fd = -1;
    name_processes(supervisor);
    machine_raise_descriptors();
    if (supervisor->loop != NULL && bind_all(supervisor) && make_zones(supervisor) && watch_signals(supervisor)) {
        loop_timer_start(loop_timers(supervisor->loop, TICK_US), &supervisor->tick, on_tick);
        start(&supervisor->data);
        if (contract->fetch_count > 0)
            start(&supervisor->outbound);
        loop_run(supervisor->loop, TICK_US, NULL, NULL);
    }
    release(supervisor);
    return supervisor->exit_code;
}
