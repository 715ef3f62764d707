/* supervisor_start.c - starting a role, and introducing it to those that it speaks with.
 *
 * Whoever speaks with another gets an end of a socketpair that the supervisor has made: so no role has a name that somebody could
 * connect to. */
#include "server/supervisor_internal.h"

#include "core/log.h"
#include "server/spawn.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- introductions ---------------------------------------------------------------------------------------------------- */

void process_introduce(struct process *worker)
{
    struct supervisor *supervisor = worker->owner;
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
    worker->introduced_us = clock_mono_us();
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

/* ---- starting ----------------------------------------------------------------------------------------------------------- */

static void on_control(struct loop_source *source, uint32_t events)
{
    struct process *process = (struct process *)((char *)source - offsetof(struct process, control));
    struct control_message message;
    (void)events;
    for (;;) {
        int got = control_receive(source->fd, &message, /* ret_fd= */ NULL);
        if (got < 0)
            loop_want(process->owner->loop, source, 0); /* it is about to die: SIGCHLD tells the rest */
        if (got <= 0)
            return;
        supervisor_hear(process, &message);
    }
}

void process_start(struct process *process)
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
        spawn.listeners = supervisor->sockets.clients;
        spawn.listener_count = supervisor->sockets.client_count;
    } else if (process->kind == ROLE_OPERATOR) {
        spawn.listeners = &supervisor->sockets.operator_fd;
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
        process_introduce(process);
    for (uint32_t i = 0; process->kind == ROLE_DATA && i < supervisor->worker_count; i++)
        process_introduce(&supervisor->workers[i]);
    if (process->kind == ROLE_DATA || process->kind == ROLE_OUTBOUND)
        introduce_outbound(supervisor);
}
