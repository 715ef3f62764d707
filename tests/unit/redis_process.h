/* redis_process.h - a Redis of the test's own: a process on a free loopback port, without persistence. */
#ifndef TESTS_REDIS_PROCESS_H
#define TESTS_REDIS_PROCESS_H

#include "contract/check.h"

#include <arpa/inet.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct redis_process {
    pid_t pid; /* 0: none */
    uint16_t port;
};

/* A listening socket on a free port; closed again it leaves the port to others. */
static inline int listen_somewhere(uint16_t *ret_port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t bytes = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &bytes), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static inline bool redis_is_installed(void)
{
    return system("command -v redis-server >/dev/null") == 0;
}

/* A connection that waits for its answers, beside those that are tested. */
static inline redisContext *redis_ask(const struct redis_process *process)
{
    redisContext *context = NULL;
    for (int i = 0; i < 1000; i++) {
        context = redisConnect("127.0.0.1", process->port);
        if (context->err == 0)
            return context;
        redisFree(context);
        usleep(20000);
    }
    fail_msg("redis-server does not answer at port %u", process->port);
    return NULL;
}

/* Starts it, at a port of its own when none is named. */
static inline void redis_start(struct redis_process *process)
{
    char port[8];
    if (process->port == 0)
        close(listen_somewhere(&process->port));
    snprintf(port, sizeof(port), "%u", process->port);
    char *arguments[] = { "redis-server", "--port", port,    "--bind", "127.0.0.1", "--save",    "",
                          "--appendonly", "no",     "--dir", "/tmp",   "--logfile", "/dev/null", NULL };
    assert_int_equal(posix_spawnp(&process->pid, arguments[0], NULL, NULL, arguments, environ), 0);
    redisFree(redis_ask(process));
}

static inline void redis_kill(struct redis_process *process)
{
    if (process->pid == 0)
        return;
    kill(process->pid, SIGKILL);
    waitpid(process->pid, NULL, 0);
    process->pid = 0;
}

#endif
