/* keeper.c - waits for the server that serves, and passes signals on to it. */
#include "server/keeper.h"

#include "server/control.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

struct keeper {
    pid_t server;
    bool has_ended; /* the server */
    int exit_code;
};

/* False when nobody is left. Servers whose parent has ended are ours, too (PR_SET_CHILD_SUBREAPER); one that ends before its parent does is
 * the parent's, which then ends with its exit code. */
static bool reap(struct keeper *keeper)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (!keeper->has_ended)
            keeper->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
        keeper->has_ended = keeper->has_ended || pid == keeper->server;
    }
    return pid == 0 || errno != ECHILD;
}

static void hear_of_successors(struct keeper *keeper, struct pollfd *socket)
{
    struct control_message message;
    int got = 0;
    while (socket->fd >= 0 && (got = control_receive(socket->fd, &message, /* ret_fd= */ NULL)) > 0) {
        if (message.type == CONTROL_READY)
            *keeper = (struct keeper){ .server = (pid_t)message.number, .exit_code = 1 };
    }
    if (got < 0)
        socket->fd = -1; /* nobody is left who could tell */
}

static void pass_on(const struct keeper *keeper, int signals)
{
    struct signalfd_siginfo info;
    while (read(signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo != SIGCHLD)
            kill(keeper->server, (int)info.ssi_signo);
    }
}

int keeper_run(pid_t server, int socket, int exit_code)
{
    struct keeper keeper = { .server = server, .exit_code = exit_code };
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    struct pollfd waited[] = { { .fd = socket, .events = POLLIN },
                               { .fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC), .events = POLLIN } };
    prctl(PR_SET_NAME, "keeper");
    while (reap(&keeper)) {
        (void)poll(waited, 2, /* timeout= */ -1);
        hear_of_successors(&keeper, &waited[0]);
        pass_on(&keeper, waited[1].fd);
    }
    return keeper.exit_code;
}
