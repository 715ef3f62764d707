/* inside_data.c - the data role's sandbox, from inside: closes it over a folder as role_data.c does, and tries everything.
 *
 * usage: inside_data FOLDER PID PORT DATABASE [REDIS [sought]]    as with a Redis at that port, by its name; one line for each attempt: its
 * name, and "done" or the error */
#define _GNU_SOURCE
#include "core/arena.h"
#include "core/lookup.h"
#include "core/sandbox.h"
#include "data/role.h"

#include <pthread.h>

#include "attempts.h"

/* What a captured data role has under these numbers. The listener first: its own number may be the other's. */
static bool have_descriptors(void)
{
    int pair[2], listener = socket(AF_INET, SOCK_STREAM, 0);
    return listen(listener, 5) == 0 && dup2(listener, LISTENER) == LISTENER
        && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && dup2(pair[0], CONTROL) == CONTROL;
}

static void report(const char *name, long result)
{
    printf("%s %s\n", name, result >= 0 ? "done" : strerrorname_np(errno));
}

static void *run_nowhere(void *context)
{
    return context;
}

static long start_thread(void)
{
    pthread_t thread;
    errno = pthread_create(&thread, NULL, run_nowhere, NULL);
    return errno == 0 && pthread_join(thread, NULL) == 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
    struct store_sandbox store;
    struct arena arena;
    struct diags diags;
    arena_init(&arena, NULL, 1024U * 1024);
    diags_init(&diags, &arena);
    if (argc < 5 || !store_describe_sandbox(str_of(argv[4]), &store, &arena, &diags))
        return 1;
    const struct syscall_list *const lists[] = { &core_syscalls,   &data_role_syscalls, store.syscalls,
                                                 &thread_syscalls, &redis_syscalls,     &lookup_syscalls };
    const bool has_redis = argc >= 6, seeks_redis = argc == 7;
    uint16_t ports[STORE_SANDBOX_PORTS + 2];
    size_t port_count = store.port_count;
    memcpy(ports, store.ports, port_count * sizeof(ports[0]));
    if (has_redis)
        ports[port_count++] = (uint16_t)strtol(argv[5], NULL, 10);
    if (seeks_redis)
        ports[port_count++] = LOOKUP_PORT;
    const struct sandbox kept = {
        .lists = lists,
        .list_count = seeks_redis ? 6
            : has_redis           ? 5
                                  : 4,
        .paths = store.paths,
        .path_count = store.path_count,
        .connect_ports = ports,
        .connect_port_count = port_count,
    };
    if (!have_descriptors() || chdir(argv[1]) != 0 || sandbox_close(&kept) != SANDBOX_OK)
        return 1;
    struct target target = attempt_target((pid_t)strtol(argv[2], NULL, 10), (uint16_t)strtol(argv[3], NULL, 10));
    report("start_thread", start_thread());
    report("open_inside", open("inside", O_RDWR | O_CLOEXEC));
    report("open_by_link", open("link", O_RDONLY | O_CLOEXEC));
    report("open_above", open("../outside", O_RDONLY | O_CLOEXEC));
    report("make_above", open("../left-behind", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
        if (strcmp(attempts[i].name, "clone_thread") == 0)
            continue; /* allowed, and without a stack it would be the end */
        printf("%s %s\n", attempts[i].name, attempt_run(attempts[i].name, &target));
    }
    fflush(stdout);
    return 0;
}
