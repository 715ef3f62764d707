/* syscall_filter.c - a binary search by the call's number, with the verdict at its leaf.
 *
 * So no call is dearer than another, and no order of the lists matters. Kernels from 5.11 on ask the program once per number when
 * it is installed, and keep a bit for those that it allows whatever their arguments. */
#include "core/syscall_filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
#else
#error "the sandbox knows x86-64 and arm64"
#endif
#define OTHER_ABI 0x40000000U /* x32 has the architecture of x86-64; no number of ours is as large */
#define NUMBERS_MOST 256U
#define REFUSED(error) (SECCOMP_RET_ERRNO | (error))

struct numbers {
    uint32_t all[NUMBERS_MOST]; /* ascending, each once */
    size_t count;
};

/* ---- instructions ------------------------------------------------------------------------------------------------------ */

static void add(struct syscall_filter *filter, uint16_t code, uint32_t value, uint8_t if_true, uint8_t if_false)
{
    if (filter->count == SYSCALL_FILTER_MOST)
        filter->is_full = true;
    else
        filter->code[filter->count++] = (struct sock_filter){ code, if_true, if_false, value };
}

static void load(struct syscall_filter *filter, size_t offset)
{
    add(filter, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void give(struct syscall_filter *filter, uint32_t action)
{
    add(filter, BPF_RET | BPF_K, action, 0, 0);
}

/* Another architecture's numbers mean other calls. */
static void begin(struct syscall_filter *filter)
{
    load(filter, offsetof(struct seccomp_data, arch));
    add(filter, BPF_JMP | BPF_JEQ | BPF_K, OUR_ARCH, 1, 0);
    give(filter, SECCOMP_RET_KILL_PROCESS);
    load(filter, offsetof(struct seccomp_data, nr));
    add(filter, BPF_JMP | BPF_JGE | BPF_K, OTHER_ABI, 0, 1);
    give(filter, SECCOMP_RET_KILL_PROCESS);
}

/* ---- leaves ------------------------------------------------------------------------------------------------------------ */

static void judge(struct syscall_filter *filter, const struct syscall_rule *rule)
{
    size_t low_half = offsetof(struct seccomp_data, args) + rule->argument * sizeof(uint64_t); /* little-endian */
    load(filter, low_half);
    add(filter, BPF_ALU | BPF_AND | BPF_K, rule->mask, 0, 0);
    add(filter, BPF_JMP | BPF_JEQ | BPF_K, rule->value, 0, 1);
    give(filter, SECCOMP_RET_ALLOW);
}

static bool judge_all(struct syscall_filter *filter, uint32_t number, const struct syscall_list *const *lists,
                      size_t count)
{
    bool has_rules = false;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < lists[i]->rule_count; j++) {
            if (lists[i]->rules[j].number != (int)number)
                continue;
            judge(filter, &lists[i]->rules[j]);
            has_rules = true;
        }
    }
    return has_rules;
}

/* The C library falls back to clone(2), of which the flags can be judged, when it hears ENOSYS. */
static void add_leaf(struct syscall_filter *filter, uint32_t number, const struct syscall_list *const *lists,
                     size_t count)
{
    add(filter, BPF_JMP | BPF_JEQ | BPF_K, number, 1, 0);
    give(filter, REFUSED(EPERM));
    if (number == SYS_clone3)
        give(filter, REFUSED(ENOSYS));
    else if (judge_all(filter, number, lists, count))
        give(filter, REFUSED(EPERM));
    else
        give(filter, SECCOMP_RET_ALLOW);
}

/* ---- the tree ---------------------------------------------------------------------------------------------------------- */

static void add_tree(struct syscall_filter *filter, const uint32_t *numbers, size_t number_count,
                     const struct syscall_list *const *lists, size_t count)
{
    if (number_count == 1) {
        add_leaf(filter, numbers[0], lists, count);
        return;
    }
    size_t half = number_count / 2;
    add(filter, BPF_JMP | BPF_JGE | BPF_K, numbers[half], 0, 1);
    size_t jump = filter->count;
    add(filter, BPF_JMP | BPF_JA, 0, 0, 0); /* conditional jumps reach no further than 255 */
    add_tree(filter, numbers, half, lists, count);
    if (jump < filter->count)
        filter->code[jump].k = (uint32_t)(filter->count - jump - 1);
    add_tree(filter, numbers + half, number_count - half, lists, count);
}

static int compare(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

/* False: there are too many. */
static bool take(struct numbers *numbers, int number)
{
    if (number < 0)
        return true;
    for (size_t i = 0; i < numbers->count; i++) {
        if (numbers->all[i] == (uint32_t)number)
            return true;
    }
    if (numbers->count == NUMBERS_MOST)
        return false;
    numbers->all[numbers->count++] = (uint32_t)number;
    return true;
}

static bool gather(struct numbers *numbers, const struct syscall_list *const *lists, size_t count)
{
    bool has_room = take(numbers, SYS_clone3);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < lists[i]->count; j++)
            has_room = take(numbers, lists[i]->numbers[j]) && has_room;
        for (size_t j = 0; j < lists[i]->rule_count; j++)
            has_room = take(numbers, lists[i]->rules[j].number) && has_room;
    }
    qsort(numbers->all, numbers->count, sizeof(numbers->all[0]), compare);
    return has_room;
}

void syscall_filter_build(struct syscall_filter *ret_filter, const struct syscall_list *const *lists, size_t count)
{
    struct numbers numbers = { .count = 0 };
    ret_filter->count = 0;
    ret_filter->is_full = !gather(&numbers, lists, count);
    begin(ret_filter);
    add_tree(ret_filter, numbers.all, numbers.count, lists, count);
}
