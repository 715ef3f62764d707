/* sandbox.c - the filter is built from lists: a jump for each named call, then EPERM. */
#include "core/sandbox.h"

#include "core/arena.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FILTER_MOST 256U /* instructions */

#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#define OTHER_ABI 0x40000000U /* x32 has the same audit architecture */
#elif defined(__aarch64__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
#define OTHER_ABI 0x40000000U
#else
#error "the sandbox knows x86-64 and arm64"
#endif

#ifdef SYS_poll
#define MAYBE_POLL SYS_poll
#else
#define MAYBE_POLL (-1)
#endif
#ifdef SYS_epoll_wait
#define MAYBE_EPOLL_WAIT SYS_epoll_wait
#else
#define MAYBE_EPOLL_WAIT (-1)
#endif

static const int core_numbers[] = {
    /* the loop */ SYS_epoll_pwait,
    MAYBE_EPOLL_WAIT,
    SYS_epoll_ctl,
    MAYBE_POLL,
    SYS_ppoll,
    /* descriptors that are open */ SYS_read,
    SYS_write,
    SYS_writev,
    SYS_close,
    SYS_fcntl,
    SYS_fstat,
    /* memory; mmap and mprotect are looked at more closely */ SYS_munmap,
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
const struct syscall_list core_syscalls = { core_numbers, sizeof(core_numbers) / sizeof(core_numbers[0]) };

struct program {
    struct sock_filter code[FILTER_MOST];
    size_t count;
};

static void add(struct program *program, uint16_t code, uint32_t value, uint8_t if_true, uint8_t if_false)
{
    if (program->count < FILTER_MOST)
        program->code[program->count++] = (struct sock_filter){ code, if_true, if_false, value };
}

static void load(struct program *program, size_t offset)
{
    add(program, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void give(struct program *program, uint32_t action)
{
    add(program, BPF_RET | BPF_K, action, 0, 0);
}

#define DENY (SECCOMP_RET_ERRNO | EPERM)
#define ARGUMENT(index) \
    (offsetof(struct seccomp_data, args) + (index) * sizeof(uint64_t)) /* its low half: little-endian */

/* Another architecture's numbers mean other calls. */
static void begin(struct program *program)
{
    load(program, offsetof(struct seccomp_data, arch));
    add(program, BPF_JMP | BPF_JEQ | BPF_K, OUR_ARCH, 1, 0);
    give(program, SECCOMP_RET_KILL_PROCESS);
    load(program, offsetof(struct seccomp_data, nr));
    add(program, BPF_JMP | BPF_JGE | BPF_K, OTHER_ABI, 0, 1);
    give(program, SECCOMP_RET_KILL_PROCESS);
}

/* The call is allowed when the argument has none of these bits. */
static void allow_without_bits(struct program *program, int number, unsigned argument, uint32_t bits)
{
    add(program, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 4);
    load(program, ARGUMENT(argument));
    add(program, BPF_JMP | BPF_JSET | BPF_K, bits, 1, 0);
    give(program, SECCOMP_RET_ALLOW);
    give(program, DENY);
}

/* The call is allowed when its first argument is this. */
static void allow_for(struct program *program, int number, uint32_t first)
{
    add(program, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 4);
    load(program, ARGUMENT(0));
    add(program, BPF_JMP | BPF_JEQ | BPF_K, first, 0, 1);
    give(program, SECCOMP_RET_ALLOW);
    give(program, DENY);
}

static bool install_filter(const struct syscall_list *const *lists, size_t count)
{
    struct program program = { .count = 0 };
    begin(&program);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < lists[i]->count; j++) {
            if (lists[i]->numbers[j] < 0)
                continue;
            add(&program, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)lists[i]->numbers[j], 0, 1);
            give(&program, SECCOMP_RET_ALLOW);
        }
    }
    allow_without_bits(&program, SYS_mmap, /* argument= */ 2, PROT_EXEC);
    allow_without_bits(&program, SYS_mprotect, /* argument= */ 2, PROT_EXEC);
    allow_for(&program, SYS_tgkill, (uint32_t)getpid()); /* abort(3) */
    give(&program, DENY);
    if (program.count >= FILTER_MOST)
        return false;
    struct sock_fprog filter = { .len = (unsigned short)program.count, .filter = program.code };
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) == 0;
}

/* A ruleset that handles every access and allows none: no path can be opened any more. */
static enum sandbox_outcome close_paths(void)
{
    struct landlock_ruleset_attr rules = {
        .handled_access_fs = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE
            | LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE
            | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG
            | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK
            | LANDLOCK_ACCESS_FS_MAKE_SYM,
    };
    long fd = syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules), 0);
    if (fd < 0)
        return errno == ENOSYS || errno == EOPNOTSUPP ? SANDBOX_NO_LANDLOCK : SANDBOX_FAILED;
    long done = syscall(SYS_landlock_restrict_self, (int)fd, 0);
    close((int)fd);
    return done == 0 ? SANDBOX_OK : SANDBOX_FAILED;
}

enum sandbox_outcome sandbox_close(const struct syscall_list *const *lists, size_t count)
{
    if (ARENA_IS_POISONED)
        return SANDBOX_SANITIZED;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return SANDBOX_FAILED;
    enum sandbox_outcome paths = close_paths();
    if (paths == SANDBOX_FAILED || !install_filter(lists, count))
        return SANDBOX_FAILED;
    return paths;
}
