/* spawn.c - fork and exec, so that no role inherits another's memory, secrets or address layout. */
#include "server/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#define SPARE_FD 200 /* above every number that a role is given */

/* Puts `fd` at the number `at`. All were moved out of the way first. */
static bool place(int fd, int at)
{
    return fd < 0 || dup2(fd, at) == at;
}

static bool place_all(const struct spawn *spawn)
{
    int control = fcntl(spawn->control, F_DUPFD, SPARE_FD);
    int board = fcntl(spawn->board, F_DUPFD, SPARE_FD);
    int limits = spawn->limits < 0 ? -1 : fcntl(spawn->limits, F_DUPFD, SPARE_FD);
    int listeners[LIMIT_LISTENERS];
    for (uint32_t i = 0; i < spawn->listener_count; i++)
        listeners[i] = fcntl(spawn->listeners[i], F_DUPFD, SPARE_FD);
    bool ok = place(control, ROLE_FD_CONTROL) && place(board, ROLE_FD_BOARD) && place(limits, ROLE_FD_LIMITS);
    for (uint32_t i = 0; i < spawn->listener_count; i++)
        ok = ok && place(listeners[i], (int)(ROLE_FD_LISTEN + i));
    return ok && close_range(ROLE_FD_LISTEN + spawn->listener_count, ~0U, 0) == 0;
}

/* After fork: only what is safe between fork and exec. */
LIMEN_NORETURN
static void run_child(const struct spawn *spawn, pid_t supervisor)
{
    char number[16];
    char *argv[] = { (char *)"limen", (char *)"role", (char *)role_name(spawn->kind), number, NULL };
    sigset_t none;
    snprintf(number, sizeof(number), "%u", spawn->number);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == supervisor && place_all(spawn))
        execve("/proc/self/exe", argv, (char **)spawn->variables);
    _exit(127);
}

pid_t spawn_role(const struct spawn *spawn)
{
    pid_t supervisor = getpid();
    pid_t pid = fork();
    if (pid == 0)
        run_child(spawn, supervisor);
    return pid;
}
