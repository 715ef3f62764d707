/* lookup.c - one getaddrinfo(3) on one detached thread.
 *
 * Two hold a lookup, its thread and its owner; whoever lets go of it last frees it. What was found is written before `over_at_us` is, and
 * read after. */
#include "core/lookup.h"

#include "core/clock.h"
#include "core/limits.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define THREAD_STACK_BYTES (256U * 1024)
#define ADDRESS_BYTES 64U /* of IPv6, with the name of an interface behind it */

struct lookup {
    atomic_uint holders;
    _Atomic int64_t over_at_us; /* 0: it is under way */
    int error;                  /* EAI_… */
    uint32_t count;
    char addresses[LIMIT_LOOKUP_ADDRESSES][ADDRESS_BYTES];
    char name[];
};

bool lookup_is_name(const char *host)
{
    struct in_addr four;
    struct in6_addr six;
    if (host == NULL || host[0] == '\0' || host[0] == '/' || host[0] == '@')
        return false;
    bool has_scope = strchr(host, '%') != NULL; /* fe80::1%eth0 */
    return !has_scope && inet_pton(AF_INET, host, &four) != 1 && inet_pton(AF_INET6, host, &six) != 1;
}

static void let_go(struct lookup *lookup)
{
    if (atomic_fetch_sub(&lookup->holders, 1) == 1)
        free(lookup);
}

static void *run_thread(void *argument)
{
    struct lookup *lookup = argument;
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    struct addrinfo *found = NULL;
    lookup->error = getaddrinfo(lookup->name, NULL, &hints, &found);
    for (const struct addrinfo *each = found; each != NULL && lookup->count < LIMIT_LOOKUP_ADDRESSES;
         each = each->ai_next) {
        char *text = lookup->addresses[lookup->count];
        lookup->count += getnameinfo(each->ai_addr, each->ai_addrlen, text, ADDRESS_BYTES, NULL, 0, NI_NUMERICHOST)
            == 0;
    }
    if (found != NULL)
        freeaddrinfo(found);
    atomic_store(&lookup->over_at_us, clock_mono_us());
    let_go(lookup);
    return NULL;
}

/* Signals are the loop's business: the thread takes none. */
static bool start_thread(struct lookup *lookup)
{
    sigset_t all, before;
    pthread_attr_t attributes;
    pthread_t ignored;
    if (pthread_attr_init(&attributes) != 0)
        return false;
    pthread_attr_setstacksize(&attributes, THREAD_STACK_BYTES);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool is_started = pthread_create(&ignored, &attributes, run_thread, lookup) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return is_started;
}

struct lookup *lookup_start(const char *name)
{
    size_t bytes = strlen(name) + 1;
    struct lookup *lookup = calloc(1, sizeof(*lookup) + bytes);
    if (lookup == NULL)
        return NULL;
    memcpy(lookup->name, name, bytes);
    atomic_init(&lookup->holders, 2);
    if (start_thread(lookup))
        return lookup;
    free(lookup);
    return NULL;
}

bool lookup_is_over(const struct lookup *lookup)
{
    return lookup_over_at_us(lookup) != 0;
}

int64_t lookup_over_at_us(const struct lookup *lookup)
{
    return atomic_load(&lookup->over_at_us);
}

const char *lookup_fault(const struct lookup *lookup)
{
    if (lookup->error != 0)
        return gai_strerror(lookup->error);
    return lookup->count == 0 ? "the host has no address" : NULL;
}

uint32_t lookup_count(const struct lookup *lookup)
{
    return lookup->count;
}

const char *lookup_address(const struct lookup *lookup, uint32_t at)
{
    return lookup->addresses[at];
}

void lookup_free(struct lookup *lookup)
{
    if (lookup != NULL)
        let_go(lookup);
}

/* ---- the sandbox ------------------------------------------------------------------------------------------------------ */

/* Found by tracing. Addresses are sorted by connecting to them without sending. */
static const int numbers[] = {
    SYS_connect,  SYS_getsockname, SYS_setsockopt, SYS_recvfrom, SYS_ppoll,
    SYSCALL_POLL, SYS_newfstatat,  SYS_lseek,      SYS_uname,
};
static const struct syscall_rule rules[] = {
    SYSCALL_WHEN(SYS_socket, /* domain */ 0, AF_INET),
    SYSCALL_WHEN(SYS_socket, /* domain */ 0, AF_INET6),
    SYSCALL_UNLESS(SYS_sendto, /* flags */ 3, ~(unsigned)(MSG_NOSIGNAL | MSG_DONTWAIT)),
    SYSCALL_UNLESS(SYS_sendmmsg, /* flags */ 3, ~(unsigned)MSG_NOSIGNAL),
    SYSCALL_WHEN(SYS_ioctl, /* operation */ 1, FIONREAD),
};
const struct syscall_list lookup_syscalls = { numbers, sizeof(numbers) / sizeof(numbers[0]), rules,
                                              sizeof(rules) / sizeof(rules[0]) };

const struct sandbox_path lookup_paths[LOOKUP_PATHS] = {
    { "/etc/resolv.conf", SANDBOX_READ }, { "/etc/hosts", SANDBOX_READ },    { "/etc/nsswitch.conf", SANDBOX_READ },
    { "/etc/host.conf", SANDBOX_READ },   { "/etc/gai.conf", SANDBOX_READ },
};
