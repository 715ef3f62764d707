/* machine.c - cores and memory, as the scheduler and the cgroup (version 2) allow them. */
#include "server/machine.h"

#include "contract/contract.h"
#include "core/limits.h"
#include "core/str.h"

#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define CGROUP_LEVELS 32U

/* ---- cgroups ---------------------------------------------------------------------------------------------------------- */

/* The first line of a file, without its end; empty when it cannot be read. */
static limen_str first_line(const char *path, char *memory, size_t bytes)
{
    FILE *file = fopen(path, "re");
    memory[0] = '\0';
    if (file == NULL)
        return (limen_str){ 0 };
    if (fgets(memory, (int)bytes, file) == NULL)
        memory[0] = '\0';
    fclose(file);
    return str_trim(str_of(memory));
}

/* The process's own cgroup, such as "/system.slice/shop.service"; empty where there is none. */
static limen_str own_cgroup(char *memory, size_t bytes)
{
    FILE *file = fopen("/proc/self/cgroup", "re");
    limen_str group = { 0 };
    while (file != NULL && group.len == 0 && fgets(memory, (int)bytes, file) != NULL) {
        limen_str entry = str_trim(str_of(memory));
        if (str_starts(entry, LIMEN_STR("0::")))
            group = str_slice(entry, 3, entry.len);
    }
    if (file != NULL)
        fclose(file);
    return group;
}

/* The least of what `read` finds in the own cgroup and in those around it: a limit holds for all below it. */
static uint64_t least_in_cgroups(const char *name, uint64_t (*read)(limen_str line))
{
    char own[512], path[640], line[64];
    uint64_t least = UINT64_MAX;
    limen_str group = own_cgroup(own, sizeof(own));
    for (unsigned level = 0; level < CGROUP_LEVELS; level++) {
        snprintf(path, sizeof(path), "/sys/fs/cgroup%.*s/%s", LIMEN_STR_ARG(group), name);
        uint64_t here = read(first_line(path, line, sizeof(line)));
        least = here < least ? here : least;
        if (group.len == 0)
            break;
        do
            group.len--;
        while (group.len > 0 && group.ptr[group.len] != '/');
    }
    return least;
}

/* ---- cores ------------------------------------------------------------------------------------------------------------ */

/* "QUOTA PERIOD" in microseconds as whole cores; "max" as the quota means no limit. */
static uint64_t cores_of(limen_str line)
{
    int64_t quota, period;
    limen_str first = str_cut(&line, ' ');
    if (!str_to_int64(first, &quota) || !str_to_int64(line, &period) || quota <= 0 || period <= 0)
        return UINT64_MAX;
    return (uint64_t)((quota - 1) / period + 1);
}

uint32_t machine_cores(void)
{
    cpu_set_t set;
    uint64_t cores = sched_getaffinity(0, sizeof(set), &set) == 0 ? (uint64_t)CPU_COUNT(&set) : 1;
    uint64_t quota = least_in_cgroups("cpu.max", cores_of);
    cores = cores < quota ? cores : quota;
    return cores == 0 ? 1 : (uint32_t)cores;
}

/* ---- memory ----------------------------------------------------------------------------------------------------------- */

/* Bytes, or "max". */
static uint64_t bytes_of(limen_str line)
{
    int64_t bytes;
    return str_to_int64(line, &bytes) && bytes > 0 ? (uint64_t)bytes : UINT64_MAX;
}

size_t machine_memory(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
    uint64_t machine = pages > 0 && page_bytes > 0 ? (uint64_t)pages * (uint64_t)page_bytes : UINT64_MAX;
    uint64_t given = least_in_cgroups("memory.max", bytes_of);
    uint64_t bytes = machine < given ? machine : given;
    return bytes == UINT64_MAX ? 0 : (size_t)bytes;
}

void machine_raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit); /* else as many as there were */
}

struct memory_split memory_split(size_t worker_bytes)
{
    size_t fibers = worker_bytes / LIMIT_STACKS_SHARE / LIMIT_FIBER_STACK_BYTES,
           buffers = worker_bytes / LIMIT_BUFFERS_SHARE;
    if (fibers > LIMIT_FIBERS_PER_WORKER)
        fibers = LIMIT_FIBERS_PER_WORKER;
    return (struct memory_split){ (uint32_t)fibers, buffers,
                                  worker_bytes - buffers - fibers * LIMIT_FIBER_STACK_BYTES };
}

/* A half of the machine, less what workers take in any case; the other half is for the database, its files and everybody else. */
size_t memory_default(uint32_t workers)
{
    size_t each = machine_memory() / 2 / workers;
    size_t least = (size_t)LIMIT_WORKER_MEMORY_DEFAULT + LIMIT_WORKER_BASE_BYTES;
    return each > least ? each - LIMIT_WORKER_BASE_BYTES : LIMIT_WORKER_MEMORY_DEFAULT;
}

void memory_check(const struct contract *contract, size_t worker_bytes, struct diags *errors)
{
    if (worker_bytes == 0)
        return;
    size_t most = memory_split(worker_bytes).calls_bytes / LIMIT_MEMORY_SHARE;
    for (uint32_t i = 0; i < contract->operation_count; i++) {
        const struct operation *operation = &contract->operations[i];
        if (operation->budget.memory_bytes > most)
            diags_add(errors, operation->node,
                      LIMEN_STR("raise --worker-memory, or lower what the operation reads and answers"),
                      "a call of '%.*s' may need %zu KiB, and a worker with so little --worker-memory has %zu KiB for "
                      "one call",
                      LIMEN_STR_ARG(operation->id), operation->budget.memory_bytes / 1024, most / 1024);
    }
}
