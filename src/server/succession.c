/* succession.c - starts the next server, hears from it, and tells the one before. */
#include "server/succession.h"

#include "core/arena.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/str.h"
#include "server/control.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#define FIRST_FD 3
#define SPARE_FD 200 /* above every number that a successor is given */
#define PID_TEXT "LISTEN_PID="

/* All that the child needs between fork and exec. */
struct launch {
    int fds[INHERITED_MOST];
    uint32_t count;
    struct buf names;
    char **variables;
    char pid[32]; /* LISTEN_PID=…, filled in by the child */
};

/* ---- what is handed on ------------------------------------------------------------------------------------------------ */

static void add(struct launch *launch, const char *name, int fd)
{
    if (fd < 0)
        return;
    if (launch->count == INHERITED_MOST)
        BUG("a successor is given too many descriptors");
    launch->fds[launch->count++] = fd;
    buf_printf(&launch->names, "%s%s", launch->names.len > 0 ? ":" : "", name);
}

static void add_all(struct launch *launch, const struct succession *succession, const struct heritage *heritage,
                    int control)
{
    const struct sockets *sockets = heritage->sockets;
    for (uint32_t i = 0; i < sockets->client_count; i++)
        add(launch, sockets->are_given ? INHERITED_CLIENTS : INHERITED_BOUND_CLIENTS, sockets->clients[i]);
    add(launch, sockets->is_operator_given ? INHERITED_OPERATOR : INHERITED_BOUND_OPERATOR, sockets->operator_fd);
    add(launch, INHERITED_LIMITS, heritage->limits);
    add(launch, INHERITED_PREDECESSOR, control);
    /* The successor of the first server of all tells that one only; later ones tell it too, whoever has started them. */
    add(launch, INHERITED_KEEPER, succession->keeper);
}

/* This process's environment, and what tells of the descriptors. False: memory is out. */
static bool write_variables(struct launch *launch, struct arena *arena)
{
    size_t count = 0, at = 0;
    while (environ[count] != NULL)
        count++;
    launch->variables = ARENA_NEW_ARRAY(arena, char *, count + 4);
    limen_str fds = arena_printf(arena, "LISTEN_FDS=%u", launch->count);
    limen_str names = arena_printf(arena, "LISTEN_FDNAMES=%.*s", LIMEN_STR_ARG(buf_str(&launch->names)));
    if (launch->variables == NULL || launch->names.failed || fds.ptr == NULL || names.ptr == NULL)
        return false;
    for (; at < count; at++)
        launch->variables[at] = environ[at];
    launch->variables[at++] = (char *)fds.ptr;
    launch->variables[at++] = (char *)names.ptr;
    launch->variables[at] = launch->pid;
    return true;
}

/* ---- the child ---------------------------------------------------------------------------------------------------------- */

/* Moved out of the way first, then to their numbers. */
static bool place_all(const struct launch *launch)
{
    int moved[INHERITED_MOST];
    for (uint32_t i = 0; i < launch->count; i++)
        moved[i] = fcntl(launch->fds[i], F_DUPFD, SPARE_FD);
    for (uint32_t i = 0; i < launch->count; i++) {
        if (dup2(moved[i], FIRST_FD + (int)i) < 0)
            return false;
    }
    return close_range(FIRST_FD + launch->count, ~0U, 0) == 0;
}

LIMEN_NORETURN
static void run_child(struct launch *launch, char *const *argv)
{
    sigset_t none;
    snprintf(launch->pid, sizeof(launch->pid), PID_TEXT "%d", (int)getpid());
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (place_all(launch))
        execvpe(argv[0], argv, launch->variables);
    LOG_ERROR("the next server's program cannot be started", log_text("program", argv[0]),
              log_text("error", strerror(errno)));
    _exit(127);
}

/* ---- this server's successor ------------------------------------------------------------------------------------------ */

static void on_control(struct loop_source *source, uint32_t events)
{
    struct succession *succession = (struct succession *)((char *)source - offsetof(struct succession, control));
    struct control_message message;
    int got;
    (void)events;
    while ((got = control_receive(source->fd, &message, /* ret_fd= */ NULL)) > 0) {
        if (message.type != CONTROL_READY || succession->is_told_to_end)
            continue;
        succession->pid = (pid_t)message.number; /* or the successor's successor: this process is the keeper */
        bool was_done = succession->is_done;
        succession->is_done = true;
        if (!was_done)
            succession->on_successor(succession->context);
    }
    if (got < 0)
        loop_want(succession->loop, source, 0); /* SIGCHLD tells the rest */
}

static void forget_control(struct succession *succession)
{
    if (!succession->control.is_added)
        return;
    loop_remove(succession->loop, &succession->control);
    close(succession->control.fd);
    succession->control.fd = -1;
}

static bool launch_and_watch(struct succession *succession, const struct heritage *heritage, struct arena *arena,
                             const int pair[2])
{
    struct launch launch = { 0 };
    buf_init(&launch.names, arena, 256);
    add_all(&launch, succession, heritage, pair[1]);
    if (!write_variables(&launch, arena))
        return false;
    pid_t pid = fork();
    if (pid == 0)
        run_child(&launch, succession->argv);
    if (pid < 0)
        return false;
    succession->pid = pid;
    succession->is_told_to_end = false;
    succession->due_us = clock_mono_us() + succession->ready_within_us;
    succession->control = (struct loop_source){ 0 };
    return loop_add(succession->loop, &succession->control, pair[0], EPOLLIN, /* exclusive= */ false, on_control);
}

void succession_start(struct succession *succession, const struct heritage *heritage)
{
    struct arena arena;
    int pair[2];
    if (!control_pair(pair)) {
        LOG_ERROR("no socket for the next server", log_text("error", strerror(errno)));
        return;
    }
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1); /* successors of successors are found by the keeper */
    arena_init(&arena, NULL, SIZE_MAX);
    bool ok = launch_and_watch(succession, heritage, &arena, pair);
    arena_release(&arena);
    close(pair[1]);
    if (ok)
        return;
    LOG_ERROR("the next server cannot be started", log_text("error", strerror(errno)));
    close(pair[0]);
    if (succession->pid != 0)
        kill(succession->pid, SIGKILL);
}

void succession_hurry(struct succession *succession, int64_t now_us)
{
    if (succession->pid == 0 || succession->is_done || now_us < succession->due_us)
        return;
    if (succession->is_told_to_end)
        LOG_ERROR("the next server does not end and is killed", log_int("pid", succession->pid));
    else
        LOG_ERROR("the next server does not serve in time and is told to end", log_int("pid", succession->pid),
                  log_int("seconds", succession->ready_within_us / 1000000));
    kill(succession->pid, succession->is_told_to_end ? SIGKILL : SIGTERM);
    succession->is_told_to_end = true;
    succession->due_us = now_us + succession->ended_within_us;
}

static void tell(int socket)
{
    if (socket >= 0)
        control_send(socket, (struct control_message){ CONTROL_READY, (uint32_t)getpid() }, /* fd= */ -1);
}

bool succession_bury(struct succession *succession, pid_t pid)
{
    if (pid != succession->pid || pid == 0)
        return false;
    forget_control(succession);
    succession->pid = 0;
    if (succession->is_told_to_end && !succession->is_done)
        tell(succession->keeper); /* it may have heard from that one at the last moment */
    return true;
}

/* ---- this server as a successor --------------------------------------------------------------------------------------- */

/* Nobody writes to it: it only ends. */
static void on_keeper_end(struct loop_source *source, uint32_t events)
{
    struct succession *succession = (struct succession *)((char *)source - offsetof(struct succession, keeper_end));
    (void)events;
    loop_want(succession->loop, source, 0);
    succession->on_alone(succession->context);
}

bool succession_init(struct succession *succession, struct loop *loop, struct inherited *inherited)
{
    succession->loop = loop;
    succession->control.fd = -1;
    succession->predecessor = inherited_take(inherited, INHERITED_PREDECESSOR);
    succession->keeper = inherited_take(inherited, INHERITED_KEEPER);
    if (succession->keeper < 0) { /* the first of all is both */
        succession->keeper = succession->predecessor;
        succession->predecessor = -1;
    }
    return succession->keeper < 0
        || loop_add(loop, &succession->keeper_end, succession->keeper, EPOLLIN, /* exclusive= */ false, on_keeper_end);
}

bool succession_has_predecessor(const struct succession *succession)
{
    return succession->keeper >= 0;
}

void succession_announce(struct succession *succession)
{
    tell(succession->keeper); /* it must know whom to send signals to before the predecessor ends */
    tell(succession->predecessor);
}

int succession_release(struct succession *succession)
{
    bool is_keeper = succession->keeper < 0 && succession->pid != 0;
    int socket = is_keeper ? succession->control.fd : -1;
    if (is_keeper)
        loop_remove(succession->loop, &succession->control);
    else
        forget_control(succession);
    loop_remove(succession->loop, &succession->keeper_end);
    if (succession->predecessor >= 0)
        close(succession->predecessor);
    if (succession->keeper >= 0)
        close(succession->keeper);
    return socket;
}
