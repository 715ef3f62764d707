/* test_syscall_filter.c - the program is run here, on every number, by an interpreter of the few instructions that it uses. */
#include "core/syscall_filter.h"

#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#else
#define ARCH AUDIT_ARCH_AARCH64
#endif
#define DENIED (SECCOMP_RET_ERRNO | EPERM)
#define NUMBERS 700 /* the kernel's calls end before 500 */

/* What the kernel would do. Every jump must stay inside the program, and it must end. */
static uint32_t verdict(const struct syscall_filter *filter, const struct seccomp_data *data)
{
    uint32_t a = 0;
    for (size_t at = 0; at < filter->count; at++) {
        const struct sock_filter *code = &filter->code[at];
        switch (code->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            memcpy(&a, (const char *)data + code->k, sizeof(a));
            break;
        case BPF_ALU | BPF_AND | BPF_K:
            a &= code->k;
            break;
        case BPF_JMP | BPF_JA:
            at += code->k;
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
            at += a == code->k ? code->jt : code->jf;
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            at += a >= code->k ? code->jt : code->jf;
            break;
        case BPF_RET | BPF_K:
            return code->k;
        default:
            fail_msg("instruction %x", code->code);
        }
    }
    fail_msg("the program has no end");
    return 0;
}

static uint32_t verdict_on(const struct syscall_filter *filter, long number, unsigned argument, uint64_t value)
{
    struct seccomp_data data = { .nr = (int)number, .arch = ARCH };
    data.args[argument] = value;
    return verdict(filter, &data);
}

static void test_filter_allows_what_is_named_and_nothing_else(void **state)
{
    (void)state;
    for (int count = 1; count <= 200; count++) {
        struct syscall_filter filter;
        int numbers[200];
        bool is_named[NUMBERS] = { false };
        for (int i = 0; i < count; i++) { /* scattered, some twice, some absent */
            int number = (i * 379 + count * 31) % (NUMBERS + 40);
            numbers[i] = number >= NUMBERS || number == SYS_clone3 ? -1 : number;
            if (numbers[i] >= 0)
                is_named[numbers[i]] = true;
        }
        const struct syscall_list first = { .numbers = numbers, .count = (size_t)count / 2 };
        const struct syscall_list second = { .numbers = numbers + count / 2, .count = (size_t)(count - count / 2) };
        syscall_filter_build(&filter, (const struct syscall_list *const[]){ &first, &second }, 2);
        assert_false(filter.is_full);
        for (int number = 0; number < NUMBERS; number++) {
            uint32_t wanted = is_named[number] ? SECCOMP_RET_ALLOW : DENIED;
            if (number == SYS_clone3)
                wanted = SECCOMP_RET_ERRNO | ENOSYS;
            assert_int_equal(verdict_on(&filter, number, 0, 0), wanted);
        }
    }
}

static void test_filter_ends_a_process_that_speaks_another_abi(void **state)
{
    (void)state;
    struct syscall_filter filter;
    syscall_filter_build(&filter, (const struct syscall_list *const[]){ &core_syscalls }, 1);
    struct seccomp_data data = { .nr = SYS_read, .arch = AUDIT_ARCH_I386 };
    assert_int_equal(verdict(&filter, &data), SECCOMP_RET_KILL_PROCESS);
    data = (struct seccomp_data){ .nr = (int)(SYS_read | 0x40000000), .arch = ARCH };
    assert_int_equal(verdict(&filter, &data), SECCOMP_RET_KILL_PROCESS);
    data.nr = -1;
    assert_int_equal(verdict(&filter, &data), SECCOMP_RET_KILL_PROCESS);
}

static void test_filter_judges_arguments(void **state)
{
    (void)state;
    static const int numbers[] = { SYS_socket, SYS_shutdown }; /* rules for it elsewhere are stricter, and win */
    static const struct syscall_rule rules[] = {
        SYSCALL_WHEN(SYS_socket, 0, AF_INET),
        SYSCALL_WHEN(SYS_socket, 0, AF_INET6),
        SYSCALL_WHEN(SYS_shutdown, 1, SHUT_WR),
        SYSCALL_UNLESS(SYS_sendto, 3, MSG_FASTOPEN),
    };
    const struct syscall_list list = { numbers, 2, rules, 4 };
    struct syscall_filter filter;
    syscall_filter_build(&filter, (const struct syscall_list *const[]){ &core_syscalls, &thread_syscalls, &list }, 3);
    const struct {
        long number;
        unsigned argument;
        uint64_t value;
        uint32_t wanted;
    } table[] = {
        { SYS_socket, 0, AF_INET, SECCOMP_RET_ALLOW },
        { SYS_socket, 0, AF_INET6, SECCOMP_RET_ALLOW },
        { SYS_socket, 0, AF_UNIX, DENIED },
        { SYS_socket, 0, AF_NETLINK, DENIED },
        { SYS_shutdown, 1, SHUT_WR, SECCOMP_RET_ALLOW },
        { SYS_shutdown, 1, SHUT_RD, DENIED },
        { SYS_shutdown, 1, SHUT_RDWR, DENIED },
        { SYS_sendto, 3, MSG_NOSIGNAL, SECCOMP_RET_ALLOW },
        { SYS_sendto, 3, MSG_NOSIGNAL | MSG_FASTOPEN, DENIED },
        { SYS_sendto, 3, MSG_FASTOPEN | 1ULL << 32, DENIED },
        { SYS_mmap, 2, PROT_READ | PROT_WRITE, SECCOMP_RET_ALLOW },
        { SYS_mmap, 2, PROT_READ | PROT_EXEC, DENIED },
        { SYS_mprotect, 2, PROT_EXEC, DENIED },
        { SYS_clone, 0, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS,
          SECCOMP_RET_ALLOW },
        { SYS_clone, 0, SIGCHLD, DENIED },
        { SYS_clone, 0, CLONE_VM | CLONE_VFORK | SIGCHLD, DENIED },
        { SYS_clone, 0, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_NEWUSER, DENIED },
        { SYS_clone3, 0, 0, SECCOMP_RET_ERRNO | ENOSYS },
        { SYS_fcntl, 1, F_SETOWN, DENIED },
        { SYS_execve, 0, 0, DENIED },
        { SYS_tgkill, 0, 1, DENIED },
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        uint32_t given = verdict_on(&filter, table[i].number, table[i].argument, table[i].value);
        if (given != table[i].wanted)
            fail_msg("row %zu: %x", i, given);
    }
}

static void test_filter_with_too_many_calls_says_so(void **state)
{
    (void)state;
    struct syscall_filter filter;
    int numbers[300];
    for (int i = 0; i < 300; i++)
        numbers[i] = i;
    const struct syscall_list list = { .numbers = numbers, .count = 300 };
    syscall_filter_build(&filter, (const struct syscall_list *const[]){ &list }, 1);
    assert_true(filter.is_full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filter_allows_what_is_named_and_nothing_else),
        cmocka_unit_test(test_filter_ends_a_process_that_speaks_another_abi),
        cmocka_unit_test(test_filter_judges_arguments),
        cmocka_unit_test(test_filter_with_too_many_calls_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
