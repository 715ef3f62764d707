/* supervisor.c - one process table and what happens to it.
 *
 * The data role comes first; when it answers, the sockets begin to listen and workers and operator start. A role that dies is
 * started again - at once when it had been working, after a growing pause when it had not - and whoever spoke with it is handed a
 * new socketpair. A worker whose heartbeat stops is killed, and the operation that held it is named. SIGHUP starts the next server
 * beside this one, which drains once that one serves. */
#include "server/supervisor.h"

#include "boundary/limit.h"
#include "core/log.h"
#include "server/keeper.h"
#include "server/listen.h"
#include "server/machine.h"
#include "server/notify.h"
#include "server/supervisor_internal.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define TICK_US 100000
#define PAUSE_FIRST_US 50000
#define PAUSE_MOST_US 5000000
#define INTRODUCE_AGAIN_US 50000   /* a worker complains half as often; one that does so without a pause is not heard */
#define OPERATOR_SHARE 4           /* of the time to drain: at most the fourth part waits for the operator's clients */
#define RELOAD_PATIENCE_US 5000000 /* beyond the drain of a next server that is told to end */

/* ---- what roles say --------------------------------------------------------------------------------------------------- */

static bool are_workers_ready(const struct supervisor *supervisor)
{
    for (uint32_t i = 0; i < supervisor->worker_count; i++) {
        if (!supervisor->workers[i].is_ready)
            return false;
    }
    return true;
}

/* While a predecessor's operator answers, ours would only say that nothing is ready yet. */
static bool wants_operator(const struct supervisor *supervisor)
{
    return supervisor->is_open && supervisor->sockets.operator_fd >= 0
        && (!succession_has_predecessor(&supervisor->succession) || supervisor->is_announced
            || are_workers_ready(supervisor));
}

static void open_doors(struct supervisor *supervisor)
{
    const struct sockets *sockets = &supervisor->sockets;
    supervisor->is_open = true;
    for (uint32_t i = 0; i < sockets->client_count; i++) {
        if (listen(sockets->clients[i], SOMAXCONN) != 0)
            LOG_ERROR("cannot listen", log_text("error", strerror(errno)));
    }
    if (sockets->operator_fd >= 0 && listen(sockets->operator_fd, SOMAXCONN) != 0)
        LOG_ERROR("the operator cannot listen", log_text("error", strerror(errno)));
    if (wants_operator(supervisor))
        process_start(&supervisor->operator);
    for (uint32_t i = 0; i < supervisor->worker_count; i++)
        process_start(&supervisor->workers[i]);
}

static void on_reload(struct supervisor *supervisor);

/* Once all is ready; then nothing of the predecessor is needed any more. */
static void announce(struct supervisor *supervisor)
{
    const bool has_operator = supervisor->sockets.operator_fd >= 0;
    char address[128];
    if (supervisor->is_draining || !are_workers_ready(supervisor))
        return;
    if (has_operator && supervisor->operator.pid == 0)
        process_start(&supervisor->operator);
    if (has_operator && !supervisor->operator.is_ready)
        return;
    supervisor->is_announced = true;
    for (uint32_t i = 0; i < supervisor->sockets.client_count; i++) {
        listen_describe(supervisor->sockets.clients[i], address, sizeof(address));
        limen_str url = arena_printf(supervisor->arena, "http://%s/", address);
        LOG_INFO("open", log_str("url", url), log_int("workers", supervisor->worker_count),
                 log_int("operations", supervisor->contract->operation_count));
    }
    succession_announce(&supervisor->succession);
    notify_say("READY=1\nSTATUS=Serves");
    if (supervisor->wants_reload)
        on_reload(supervisor);
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

void supervisor_hear(struct process *process, const struct control_message *message)
{
    struct supervisor *supervisor = process->owner;
    uint32_t type = message->type;
    if (type == CONTROL_BREACH && process->kind == ROLE_DATA && message->number < supervisor->worker_count)
        end_breaker(&supervisor->workers[message->number]);
    if (type == CONTROL_FETCH_BREACH && process->kind == ROLE_DATA)
        end_breaker(&supervisor->outbound);
    if (type == CONTROL_LOST && process->kind == ROLE_WORKER && message->number == process->sockets
        && clock_mono_us() - process->introduced_us >= INTRODUCE_AGAIN_US)
        process_introduce(process);
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

/* How many of them run. */
static uint32_t signal_workers(const struct supervisor *supervisor, int signal)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < supervisor->worker_count; i++) {
        if (supervisor->workers[i].pid == 0)
            continue;
        kill(supervisor->workers[i].pid, signal);
        count++;
    }
    return count;
}

/* The others. */
static uint32_t signal_rest(const struct supervisor *supervisor, int signal)
{
    const struct process *const rest[] = { &supervisor->operator, & supervisor->data, &supervisor->outbound };
    uint32_t count = 0;
    for (size_t i = 0; i < sizeof(rest) / sizeof(rest[0]); i++) {
        if (rest[i]->pid == 0)
            continue;
        kill(rest[i]->pid, signal);
        count++;
    }
    return count;
}

/* Workers first, for they need the data role; the operator says meanwhile that nothing is ready. But a successor's operator is there by
 * now: then ours must not be the one that is asked. */
static void continue_drain(struct supervisor *supervisor)
{
    if (supervisor->succession.is_done && supervisor->operator.pid != 0) {
        kill(supervisor->operator.pid, SIGTERM);
        return;
    }
    if (signal_workers(supervisor, SIGTERM) == 0 && signal_rest(supervisor, SIGTERM) == 0)
        loop_stop(supervisor->loop);
}

static bool needs_outbound(const struct supervisor *supervisor)
{
    return supervisor->contract->fetch_count > 0 || supervisor->config->effect_targets.count > 0;
}

static void restart_due(struct supervisor *supervisor)
{
    int64_t now_us = clock_mono_us();
    if (supervisor->data.pid == 0 && supervisor->data.due_us <= now_us) {
        atomic_fetch_add(&supervisor->board->data_restarts, 1);
        process_start(&supervisor->data);
    }
    if (needs_outbound(supervisor) && supervisor->outbound.pid == 0 && supervisor->outbound.due_us <= now_us) {
        atomic_fetch_add(&supervisor->board->outbound_restarts, 1);
        process_start(&supervisor->outbound);
    }
    if (wants_operator(supervisor) && supervisor->operator.pid == 0 && supervisor->operator.due_us <= now_us)
        process_start(&supervisor->operator);
    for (uint32_t i = 0; supervisor->is_open && i < supervisor->worker_count; i++) {
        struct process *worker = &supervisor->workers[i];
        if (worker->pid != 0 || worker->due_us > now_us)
            continue;
        atomic_fetch_add(&supervisor->board->worker_restarts, 1);
        process_start(worker);
    }
}

static int exit_code_of(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static void bury_successor(struct supervisor *supervisor, int status);

static void reap(struct supervisor *supervisor)
{
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        if (succession_bury(&supervisor->succession, pid)) {
            bury_successor(supervisor, status);
            continue;
        }
        struct process *process = find_process(supervisor, pid);
        if (process == NULL) { /* a server between this one and the one that serves: it ends as that one, or well */
            supervisor->exit_code = exit_code_of(status);
            continue;
        }
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
    int64_t since_us = beat_us > supervisor->awake_since_us ? beat_us : supervisor->awake_since_us;
    if (worker->pid == 0 || beat_us == 0 || worker->was_silent || now_us - since_us < LIMIT_HEARTBEAT_US)
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

/* While this process itself did not run (the machine or its container slept), workers may not have either. */
static void note_sleep(struct supervisor *supervisor, int64_t now_us)
{
    if (now_us - supervisor->ticked_us >= LIMIT_HEARTBEAT_US / 3)
        supervisor->awake_since_us = now_us;
    supervisor->ticked_us = now_us;
}

static void on_tick(struct loop_timer *timer)
{
    struct supervisor *supervisor = (struct supervisor *)((char *)timer - offsetof(struct supervisor, tick));
    int64_t now_us = clock_mono_us();
    note_sleep(supervisor, now_us);
    for (uint32_t i = 0; i < supervisor->worker_count; i++)
        check_heartbeat(&supervisor->workers[i], now_us);
    if (!supervisor->is_draining)
        restart_due(supervisor);
    succession_hurry(&supervisor->succession, now_us);
    loop_timer_start(loop_timers(supervisor->loop, TICK_US), &supervisor->tick, on_tick);
}

/* ---- ending ----------------------------------------------------------------------------------------------------------- */

static void on_drained(struct loop_timer *timer)
{
    struct supervisor *supervisor = (struct supervisor *)((char *)timer - offsetof(struct supervisor, drain));
    LOG_WARN("the time to drain is over; what is left is cut off", log_int("seconds", supervisor->config->drain_s));
    if (signal_workers(supervisor, SIGKILL) == 0)
        (void)signal_rest(supervisor, SIGKILL);
    loop_timer_start(loop_timers(supervisor->loop, 1000000), &supervisor->drain, on_drained);
}

/* The workers wait until the operator has gone. A client that asks it slowly must not take their time to drain. */
static void on_operator_late(struct loop_timer *timer)
{
    struct supervisor *supervisor = (struct supervisor *)((char *)timer - offsetof(struct supervisor, operator_late));
    if (supervisor->operator.pid != 0)
        kill(supervisor->operator.pid, SIGKILL);
}

/* Clients that come from now on are refused by the kernel, at once, unless somebody else has the sockets too: a successor, or systemd. */
static void end_drain(struct supervisor *supervisor, int exit_code)
{
    if (supervisor->is_draining)
        return;
    supervisor->is_draining = true;
    supervisor->exit_code = exit_code;
    loop_timer_stop(&supervisor->notice);
    if (!supervisor->succession.is_done) /* else the server as a whole stays */
        atomic_store(&supervisor->board->is_leaving, 1);
    else
        loop_timer_start(loop_timers(supervisor->loop, supervisor->config->drain_s * 1000000 / OPERATOR_SHARE),
                         &supervisor->operator_late, on_operator_late);
    loop_timer_start(loop_timers(supervisor->loop, supervisor->config->drain_s * 1000000), &supervisor->drain,
                     on_drained);
    for (uint32_t i = 0; i < supervisor->sockets.client_count; i++)
        close(supervisor->sockets.clients[i]);
    supervisor->sockets.client_count = 0;
    continue_drain(supervisor);
}

static void on_notice_over(struct loop_timer *timer)
{
    end_drain((struct supervisor *)((char *)timer - offsetof(struct supervisor, notice)), /* exit_code= */ 0);
}

/* The first time balancers are given time to see it coming; who asks twice is in a hurry. */
static void on_stop(struct supervisor *supervisor)
{
    const int64_t notice_s = supervisor->is_announced ? supervisor->config->notice_s : 0;
    const bool is_first = atomic_exchange(&supervisor->board->is_leaving, 1) == 0;
    if (supervisor->succession.pid != 0)
        kill(supervisor->succession.pid, SIGTERM);
    if (supervisor->is_draining)
        return;
    notify_say("STOPPING=1");
    if (is_first && notice_s > 0) {
        LOG_INFO("leaving: not ready any more", log_int("seconds", notice_s));
        loop_timer_start(loop_timers(supervisor->loop, notice_s * 1000000), &supervisor->notice, on_notice_over);
        return;
    }
    LOG_INFO("draining", log_int("seconds_at_most", supervisor->config->drain_s));
    end_drain(supervisor, /* exit_code= */ 0);
}

/* ---- the next server -------------------------------------------------------------------------------------------------- */

static void on_successor(void *context)
{
    struct supervisor *supervisor = context;
    LOG_INFO("the next server serves; this one drains", log_int("pid", supervisor->succession.pid),
             log_int("seconds_at_most", supervisor->config->drain_s));
    if (supervisor->wants_reload)
        kill(supervisor->succession.pid, SIGHUP);
    end_drain(supervisor, /* exit_code= */ 0);
}

static void on_reload(struct supervisor *supervisor)
{
    if (supervisor->succession.is_done) {
        kill(supervisor->succession.pid, SIGHUP);
        return;
    }
    supervisor->wants_reload = supervisor->succession.pid != 0 || !supervisor->is_announced;
    if (supervisor->wants_reload || atomic_load(&supervisor->board->is_leaving) != 0)
        return;
    const struct heritage heritage = { &supervisor->sockets, supervisor->limits_zone.fd };
    LOG_INFO("reload: the next server starts", log_int("pid", getpid()));
    notify_say("STATUS=The next server starts");
    succession_start(&supervisor->succession, &heritage);
}

/* Whoever watches the first process takes the server for dead, starts another, and could never end this one. */
static void on_alone(void *context)
{
    struct supervisor *supervisor = context;
    LOG_ERROR("the first process, which signals are sent to, has died: this server ends, too",
              log_int("pid", getpid()));
    end_drain(supervisor, /* exit_code= */ 1);
}

/* It has ended: before it served, or afterwards, as the whole server. */
static void bury_successor(struct supervisor *supervisor, int status)
{
    const int code = exit_code_of(status);
    if (supervisor->succession.is_done) {
        supervisor->exit_code = code;
        return;
    }
    if (supervisor->is_draining)
        return;
    LOG_ERROR("the next server did not start; this one goes on", log_int("exit_code", code));
    notify_say("STATUS=A reload was refused; its reasons are in the log");
    if (supervisor->wants_reload)
        on_reload(supervisor);
}

static void on_signal(struct loop_source *source, uint32_t events)
{
    struct supervisor *supervisor = (struct supervisor *)((char *)source - offsetof(struct supervisor, signals));
    struct signalfd_siginfo info;
    (void)events;
    while (read(source->fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGCHLD)
            reap(supervisor);
        else if (info.ssi_signo == SIGHUP && info.ssi_code != SI_KERNEL) /* the kernel's: the terminal has gone */
            on_reload(supervisor);
        else
            on_stop(supervisor);
    }
}

/* ---- beginning -------------------------------------------------------------------------------------------------------- */

static bool watch_signals(struct supervisor *supervisor)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return false;
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return fd >= 0 && loop_add(supervisor->loop, &supervisor->signals, fd, EPOLLIN, /* exclusive= */ false, on_signal);
}

/* The table of the server before this one, when it counts the same policies. */
static bool take_limits(struct supervisor *supervisor, uint32_t scale)
{
    int fd = inherited_take(&supervisor->inherited, INHERITED_LIMITS);
    if (fd >= 0 && shm_map(&supervisor->limits_zone, fd, limit_table_bytes())) {
        if (limit_table_suits(supervisor->limits_zone.base, supervisor->contract, scale))
            return true;
        shm_release(&supervisor->limits_zone);
        fd = -1;
        LOG_INFO("the rate limits are others than before: all count anew", log_int("scale", scale));
    }
    if (fd >= 0)
        close(fd);
    return false;
}

static bool make_limits(struct supervisor *supervisor)
{
    const uint32_t scale = (uint32_t)supervisor->config->limit_scale;
    if (take_limits(supervisor, scale))
        return true;
    if (!shm_create(&supervisor->limits_zone, "limen-limits", limit_table_bytes()))
        return false;
    limit_table_init(supervisor->limits_zone.base);
    limit_table_dedicate(supervisor->limits_zone.base, supervisor->contract, scale);
    return true;
}

static bool make_board(struct supervisor *supervisor)
{
    if (!shm_create(&supervisor->board_zone, "limen-board", board_bytes(supervisor->worker_count)))
        return false;
    supervisor->board = supervisor->board_zone.base;
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
    sockets_close(&supervisor->sockets);
    inherited_release(&supervisor->inherited);
    shm_release(&supervisor->board_zone);
    shm_release(&supervisor->limits_zone);
    if (supervisor->signals.is_added)
        close(supervisor->signals.fd);
    loop_free(supervisor->loop);
}

/* What was inherited is taken first, then what is asked for is opened. */
static bool open_all(struct supervisor *supervisor)
{
    if (supervisor->loop == NULL || !inherited_read(&supervisor->inherited))
        return false;
    bool ok = succession_init(&supervisor->succession, supervisor->loop, &supervisor->inherited)
        && make_limits(supervisor) && sockets_open(supervisor->config, &supervisor->inherited, &supervisor->sockets)
        && make_board(supervisor) && watch_signals(supervisor);
    inherited_release(&supervisor->inherited);
    return ok;
}

static void serve(struct supervisor *supervisor)
{
    loop_timer_start(loop_timers(supervisor->loop, TICK_US), &supervisor->tick, on_tick);
    process_start(&supervisor->data);
    if (needs_outbound(supervisor))
        process_start(&supervisor->outbound);
    loop_run(supervisor->loop, TICK_US, NULL, NULL);
}

int supervisor_run(const struct limen_app *app, const struct contract *contract, const struct config *config,
                   char *const *argv, struct arena *arena)
{
    struct supervisor *supervisor = ARENA_NEW(arena, struct supervisor);
    if (supervisor == NULL)
        return 1;
    supervisor->app = app;
    supervisor->contract = contract;
    supervisor->config = config;
    supervisor->arena = arena;
    supervisor->exit_code = 1;
    supervisor->sockets.operator_fd = -1;
    supervisor->worker_count = config->workers > 0 ? (uint32_t)config->workers : machine_cores();
    if (supervisor->worker_count > LIMIT_WORKERS)
        supervisor->worker_count = LIMIT_WORKERS;
    supervisor->settings = (struct role_settings){
        .config = config,
        .worker_count = supervisor->worker_count,
        .worker_memory = config->worker_memory > 0 ? config->worker_memory
                                                   : (int64_t)memory_default(supervisor->worker_count),
    };
    supervisor->succession = (struct succession){
        .argv = argv,
        .on_successor = on_successor,
        .on_alone = on_alone,
        .context = supervisor,
        .ready_within_us = config->reload_timeout_s * 1000000,
        .ended_within_us = (config->notice_s + config->drain_s) * 1000000 + RELOAD_PATIENCE_US,
    };
    supervisor->loop = loop_new();
    supervisor->board_zone.fd = supervisor->limits_zone.fd = -1;
    name_processes(supervisor);
    machine_raise_descriptors();
    if (open_all(supervisor))
        serve(supervisor);
    const pid_t successor = supervisor->succession.pid;
    const int socket = succession_release(&supervisor->succession);
    const int code = supervisor->exit_code;
    release(supervisor);
    return socket >= 0 ? keeper_run(successor, socket, code) : code;
}
