/* sandbox.h - a process that gives up what it will not need: seccomp, Landlock, no new privileges, no dumps.
 *
 * Closed once, after everything was opened and before the first byte of a stranger is read. From then on a system call that no
 * part of the process has named fails with EPERM, no path can be opened, and none of it can be taken back (seccomp(2), landlock(7)). */
#ifndef CORE_SANDBOX_H
#define CORE_SANDBOX_H

#include "limen/base.h"

/* System calls that one part of a process needs; each part declares its own beside its code. Numbers below 0 do not exist on this machine. */
struct syscall_list {
    const int *numbers;
    size_t count;
};

/* Memory, time, the loop, the log, the end of the process. Memory can never be made executable, signals reach the process itself only. */
extern const struct syscall_list core_syscalls;

enum sandbox_outcome {
    SANDBOX_OK,
    SANDBOX_NO_LANDLOCK, /* all else is closed; the kernel has no Landlock */
    SANDBOX_FAILED,      /* the kernel refused; the process is in no defined state and must end */
    SANDBOX_SANITIZED    /* nothing was closed: the sanitizers' own runtime needs what would be forbidden */
};

enum sandbox_outcome sandbox_close(const struct syscall_list *const *lists, size_t count) LIMEN_MUST_CHECK;

#endif
