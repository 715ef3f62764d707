/* sandbox.c - closing it: first the paths (Landlock), then the system calls (seccomp).
 *
 * What the kernel's Landlock does not know yet is left out of what is asked of it; seccomp refuses the calls all the same. */
#include "core/sandbox.h"

#include "core/arena.h"
#include "core/syscall_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LISTS_MOST 16U

/* ---- the calls that every process needs -------------------------------------------------------------------------------- */

#ifdef SYS_epoll_wait
#define MAYBE_EPOLL_WAIT SYS_epoll_wait
#else
#define MAYBE_EPOLL_WAIT (-1) /* arm64 */
#endif

/* No fcntl: its F_SETOWN and F_SETSIG make the kernel send any signal to anybody. */
static const int core_numbers[] = {
    /* the loop */ MAYBE_EPOLL_WAIT,
    SYS_epoll_pwait,
    SYS_epoll_ctl,
    /* descriptors that are open; writev is the C library's, for its last words */ SYS_read,
    SYS_write,
    SYS_writev,
    SYS_close,
    /* memory */ SYS_munmap,
    SYS_mremap,
    SYS_madvise,
    SYS_brk,
    /* time, randomness */ SYS_clock_gettime,
    SYS_clock_nanosleep,
    SYS_gettimeofday,
    SYS_getrandom,
    /* waiting, the C library's own */ SYS_futex,
    SYS_restart_syscall,
    SYS_sched_yield,
    /* signals of one's own, and the end */ SYS_rt_sigreturn,
    SYS_rt_sigprocmask,
    SYS_rt_sigaction,
    SYS_sigaltstack,
    SYS_getpid,
    SYS_gettid,
    SYS_exit,
    SYS_exit_group,
};
static const struct syscall_rule core_rules[] = {
    SYSCALL_UNLESS(SYS_mmap, 2, PROT_EXEC),
    SYSCALL_UNLESS(SYS_mprotect, 2, PROT_EXEC),
};
const struct syscall_list core_syscalls = { core_numbers, sizeof(core_numbers) / sizeof(core_numbers[0]), core_rules,
                                            sizeof(core_rules) / sizeof(core_rules[0]) };

/* A thread shares everything with the process that starts it; a new process, or a namespace, would not. */
#define THREAD_FLAGS ((uint32_t)(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD))
#define NAMESPACE_FLAGS                                                                                    \
    ((uint32_t)(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID \
                | CLONE_NEWNET))

static const int thread_numbers[] = { SYS_set_robust_list, SYS_rseq, SYS_sched_getaffinity };
static const struct syscall_rule thread_rules[] = {
    { .number = SYS_clone, .argument = 0, .mask = THREAD_FLAGS | NAMESPACE_FLAGS, .value = THREAD_FLAGS },
    SYSCALL_WHEN(SYS_prctl, 0, PR_SET_NAME),
};
const struct syscall_list thread_syscalls = { thread_numbers, sizeof(thread_numbers) / sizeof(thread_numbers[0]),
                                              thread_rules, sizeof(thread_rules) / sizeof(thread_rules[0]) };

/* ---- Landlock ---------------------------------------------------------------------------------------------------------- */

/* By version of the ABI; the header of the build may be older than the kernel. */
#define FS_REFER (1ULL << 13)     /* 2 */
#define FS_TRUNCATE (1ULL << 14)  /* 3 */
#define FS_IOCTL_DEV (1ULL << 15) /* 5 */
#define NET_BIND_TCP 1ULL         /* 4 */
#define NET_CONNECT_TCP 2ULL
#define SCOPE_ABSTRACT_UNIX_SOCKET 1ULL /* 6 */
#define SCOPE_SIGNAL 2ULL
#define RULE_NET_PORT 2

#define FS_FIRST ((1ULL << 13) - 1) /* all of ABI 1 */
#define FS_OF_FILES \
    (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_EXECUTE | FS_TRUNCATE)
#define FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_WRITE                                                                                            \
    (FS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE \
     | FS_TRUNCATE)

/* The kernel takes a longer struct than it knows when the rest is zero. */
struct ruleset {
    uint64_t fs, net, scoped;
};

struct net_rule {
    uint64_t access, port;
};

static struct ruleset handled_by(int version)
{
    struct ruleset all = { .fs = FS_FIRST };
    if (version >= 2)
        all.fs |= FS_REFER;
    if (version >= 3)
        all.fs |= FS_TRUNCATE;
    if (version >= 4)
        all.net = NET_BIND_TCP | NET_CONNECT_TCP;
    if (version >= 5)
        all.fs |= FS_IOCTL_DEV;
    if (version >= 6)
        all.scoped = SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL;
    return all;
}

static bool allow_path(int ruleset, const struct sandbox_path *path, uint64_t handled)
{
    struct stat status;
    int fd = open(path->path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR;
    struct landlock_path_beneath_attr rule = {
        .allowed_access = handled & (path->access == SANDBOX_WRITE ? FS_WRITE : FS_READ),
        .parent_fd = fd,
    };
    bool ok = fstat(fd, &status) == 0;
    if (ok && !S_ISDIR(status.st_mode))
        rule.allowed_access &= FS_OF_FILES;
    ok = ok && syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
    close(fd);
    return ok;
}

static bool allow_ports(int ruleset, const struct sandbox *kept)
{
    for (size_t i = 0; i < kept->connect_port_count; i++) {
        struct net_rule rule = { .access = NET_CONNECT_TCP, .port = kept->connect_ports[i] };
        if (syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT, &rule, 0) != 0)
            return false;
    }
    return true;
}

int sandbox_landlock_version(void)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, /* LANDLOCK_CREATE_RULESET_VERSION */ 1U);
    return version < 0 ? 0 : (int)version;
}

/* Every access that the kernel knows is handled, so what no rule allows is refused. */
static enum sandbox_outcome close_paths(const struct sandbox *kept)
{
    int version = sandbox_landlock_version();
    if (version == 0)
        return SANDBOX_NO_LANDLOCK;
    struct ruleset all = handled_by(version);
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof(all), 0);
    if (ruleset < 0)
        return SANDBOX_FAILED;
    bool ok = all.net == 0 || allow_ports(ruleset, kept);
    for (size_t i = 0; i < kept->path_count; i++)
        ok = ok && allow_path(ruleset, &kept->paths[i], all.fs);
    ok = ok && syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
    close(ruleset);
    return ok ? SANDBOX_OK : SANDBOX_FAILED;
}

/* ---- closing ----------------------------------------------------------------------------------------------------------- */

/* SPEC_ALLOW: kernels before 5.16 would otherwise slow down every load of a process with a filter (SSBD, STIBP), against code that
 * spies on the process that it runs in. Nothing runs in ours but what is theirs. */
static bool close_calls(const struct sandbox *kept)
{
    const struct syscall_rule abort_rule = SYSCALL_WHEN(SYS_tgkill, 0, getpid());
    const struct syscall_list own = { .rules = &abort_rule, .rule_count = 1 };
    const struct syscall_list *lists[LISTS_MOST] = { &own };
    struct syscall_filter filter;
    if (kept->list_count >= LISTS_MOST)
        return false;
    for (size_t i = 0; i < kept->list_count; i++)
        lists[i + 1] = kept->lists[i];
    syscall_filter_build(&filter, lists, kept->list_count + 1);
    struct sock_fprog program = { .len = (unsigned short)filter.count, .filter = filter.code };
    return !filter.is_full
        && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program) == 0;
}

enum sandbox_outcome sandbox_close(const struct sandbox *kept)
{
    if (ARENA_IS_POISONED)
        return SANDBOX_SANITIZED;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return SANDBOX_FAILED;
    enum sandbox_outcome paths = close_paths(kept);
    if (paths == SANDBOX_FAILED || !close_calls(kept))
        return SANDBOX_FAILED;
    return paths;
}
