/* sandbox.h - a process that gives up what it will not need: seccomp, Landlock, no new privileges, no dumps.
 *
 * Closed once, before the first byte of a stranger is read. From then on a system call that no part of the process has named
 * fails with EPERM, no path can be opened but those that are named, and none of it can be taken back (seccomp(2),
 * landlock(7)). */
#ifndef CORE_SANDBOX_H
#define CORE_SANDBOX_H

#include "limen/base.h"

#include <sys/syscall.h>

/* A call that is allowed for some values of one argument: those of which the bits in `mask` equal `value`. Several rules for one call
 * are alternatives. The kernel takes the low 32 bits of every argument that is judged here. */
struct syscall_rule {
    int number;
    unsigned argument;
    uint32_t mask, value;
};
#define SYSCALL_WHEN(call, at, wanted)                                                      \
    {                                                                                       \
        .number = (call), .argument = (at), .mask = UINT32_MAX, .value = (uint32_t)(wanted) \
    }
#define SYSCALL_UNLESS(call, at, bits)                                           \
    {                                                                            \
        .number = (call), .argument = (at), .mask = (uint32_t)(bits), .value = 0 \
    }

/* Not everywhere a call of its own. */
#ifdef SYS_poll
#define SYSCALL_POLL SYS_poll
#else
#define SYSCALL_POLL (-1) /* arm64 */
#endif

/* System calls that one part of a process needs; each part declares its own beside its code. Numbers below 0 do not exist on this
 * machine. A call that has rules is in no list of numbers. */
struct syscall_list {
    const int *numbers;
    size_t count;
    const struct syscall_rule *rules;
    size_t rule_count;
};

/* Memory, time, the loop, the log, the end of the process. Memory can never be made executable, signals reach the process itself only. */
extern const struct syscall_list core_syscalls;
/* Starting and naming threads, never processes. */
extern const struct syscall_list thread_syscalls;

enum sandbox_access {
    SANDBOX_READ, /* the file, or everything below the folder */
    SANDBOX_WRITE /* also to make, write, rename and remove regular files below the folder */
};

struct sandbox_path {
    const char *path; /* that does not exist: nothing is there to be opened */
    enum sandbox_access access;
};

/* What a process keeps. */
struct sandbox {
    const struct syscall_list *const *lists;
    size_t list_count;
    const struct sandbox_path *paths;
    size_t path_count;
    const uint16_t *connect_ports; /* of TCP; where the kernel's Landlock knows networks (ABI 4, Linux 6.7) */
    size_t connect_port_count;
};

enum sandbox_outcome {
    SANDBOX_OK,
    SANDBOX_NO_LANDLOCK, /* all else is closed; there is no Landlock */
    SANDBOX_FAILED,      /* the kernel refused; the process is in no defined state and must end */
    SANDBOX_SANITIZED    /* nothing was closed: the sanitizers' own runtime needs what would be forbidden */
};

/* Called while there is one thread; those that it starts are inside too. */
enum sandbox_outcome sandbox_close(const struct sandbox *kept) LIMEN_MUST_CHECK;
/* The version of the kernel's Landlock; 0: it has none, it is switched off, or (errno EPERM) a filter keeps it from this process. */
int sandbox_landlock_version(void);

#endif
