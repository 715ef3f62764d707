/* syscall_filter.h - lists of allowed system calls become a seccomp program. For sandbox.c alone. */
#ifndef CORE_SYSCALL_FILTER_H
#define CORE_SYSCALL_FILTER_H

#include "core/sandbox.h"

#include <linux/filter.h>

#define SYSCALL_FILTER_MOST 2048U /* instructions; the kernel takes 4096 */

struct syscall_filter {
    struct sock_filter code[SYSCALL_FILTER_MOST];
    size_t count;
    bool is_full; /* it would have been longer: it must not be used */
};

/* Named calls are allowed, those with rules as their rules say, all others end with EPERM; another architecture's end the process. */
void syscall_filter_build(struct syscall_filter *ret_filter, const struct syscall_list *const *lists, size_t count);

#endif
