/* attempts.h - what an attacker who controls a process would try, one system call each (or a few), by name.
 *
 * For the app captured (in a worker) and for inside_data.c (in the data role's sandbox). */
#ifndef CAPTURED_ATTEMPTS_H
#define CAPTURED_ATTEMPTS_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/io_uring.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONTROL 3  /* the supervisor's socket */
#define LISTENER 6 /* shared by all workers */

struct target {
    pid_t other; /* a process that is not ours */
    struct sockaddr_in address;
    char path[64]; /* of the other's memory */
};

/* ---- one system call each ---------------------------------------------------------------------------------------------- */

static long child(long pid)
{
    if (pid == 0)
        _exit(0);
    if (pid > 0)
        waitpid((pid_t)pid, NULL, __WALL);
    return pid;
}

static long run_no_program(long result)
{
    return result < 0 && errno == ENOENT ? 0 : result; /* it would have run, were it there */
}

static long run_nothing(const struct target *at)
{
    char *const words[] = { "nothing", NULL };
    (void)at;
    return run_no_program(execve("/nowhere/nothing", words, words));
}

static long run_nothing_at(const struct target *at)
{
    char *const words[] = { "nothing", NULL };
    (void)at;
    return run_no_program(syscall(SYS_execveat, AT_FDCWD, "/nowhere/nothing", words, words, 0));
}

static long connect_again(const struct target *at)
{
    return connect(LISTENER, (const struct sockaddr *)&at->address, sizeof(at->address)) == 0 || errno == EISCONN ? 0
                                                                                                                  : -1;
}

/* A listening socket that was shut down for reading is a fresh one, and this flag connects it. */
static long connect_by_fast_open(const struct target *at)
{
    (void)shutdown(LISTENER, SHUT_RD);
    long sent = sendto(LISTENER, "stolen", 6, MSG_FASTOPEN, (const struct sockaddr *)&at->address, sizeof(at->address));
    return sent >= 0 || errno == EINPROGRESS ? 0 : -1;
}

static long bind_again(const struct target *at)
{
    return bind(LISTENER, (const struct sockaddr *)&at->address, sizeof(at->address)) == 0 || errno == EINVAL ? 0 : -1;
}

/* The kernel signals whoever owns the descriptor: the one set here. */
static long signal_by_owner(const struct target *at)
{
    return fcntl(CONTROL, F_SETOWN, at->other);
}

static long read_other(const struct target *at)
{
    char bytes[8];
    struct iovec here = { bytes, sizeof(bytes) }, there = { (void *)0x10000, sizeof(bytes) };
    return process_vm_readv(at->other, &here, 1, &there, 1, 0) >= 0 || errno == EFAULT ? 0 : -1;
}

static long write_other(const struct target *at)
{
    char bytes[8] = { 0 };
    struct iovec here = { bytes, sizeof(bytes) }, there = { (void *)0x10000, sizeof(bytes) };
    return process_vm_writev(at->other, &here, 1, &there, 1, 0) >= 0 || errno == EFAULT ? 0 : -1;
}

static long make_executable(const struct target *at)
{
    (void)at;
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? 0 : mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

static long map_executable(const struct target *at)
{
    (void)at;
    return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}

static long make_ring(const struct target *at)
{
    struct io_uring_params params = { 0 };
    (void)at;
    return syscall(SYS_io_uring_setup, 4, &params);
}

static long get_capabilities(const struct target *at)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct all[2] = { { 0 } };
    (void)at;
    return syscall(SYS_capset, &header, all);
}

static long clone_thread(const struct target *at)
{
    (void)at;
    /* No stack: it is the attempt that is refused; where it is not, the kernel starts a thread that ends the process. */
    return syscall(SYS_clone, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD, 0, 0, 0, 0);
}

static long clone_by_struct(const struct target *at)
{
    uint64_t arguments[11] = { 0, 0, 0, 0, SIGCHLD };
    (void)at;
    return child(syscall(SYS_clone3, arguments, sizeof(arguments)));
}

static long load_filter(const struct target *at)
{
    (void)at;
    return syscall(SYS_seccomp, /* SECCOMP_GET_ACTION_AVAIL */ 2, 0, &(uint32_t){ 0x7fff0000U });
}

static long read_events(const struct target *at)
{
    uint32_t attributes[32] = { 1, sizeof(attributes) };
    (void)at;
    return syscall(SYS_perf_event_open, attributes, 0, -1, -1, 0);
}

#define ATTEMPT(name, expression)             \
    static long name(const struct target *at) \
    {                                         \
        (void)at;                             \
        return (long)(expression);            \
    }
ATTEMPT(open_file, open("/etc/passwd", O_RDONLY | O_CLOEXEC))
ATTEMPT(open_old, syscall(SYS_openat, AT_FDCWD, "/", O_RDONLY))
ATTEMPT(make_file, open("left-behind", O_WRONLY | O_CREAT | O_CLOEXEC, 0600))
ATTEMPT(open_own_memory, open("/proc/self/mem", O_RDWR | O_CLOEXEC))
ATTEMPT(open_other_memory, open(at->path, O_RDWR | O_CLOEXEC))
ATTEMPT(remove_file, unlink("left-behind"))
ATTEMPT(rename_file, rename("left-behind", "left-there"))
ATTEMPT(make_folder, mkdir("left-folder", 0700))
ATTEMPT(make_link, symlink("/", "left-link"))
ATTEMPT(change_mode, chmod("server.log", 0666))
ATTEMPT(change_folder, chdir("/"))
ATTEMPT(change_root, chroot("/"))
ATTEMPT(look, access("/etc/passwd", R_OK))
ATTEMPT(look_closer, stat("/etc/passwd", &(struct stat){ 0 }))
ATTEMPT(make_socket, socket(AF_INET, SOCK_STREAM, 0))
ATTEMPT(make_datagram_socket, socket(AF_INET6, SOCK_DGRAM, 0))
ATTEMPT(make_unix_socket, socket(AF_UNIX, SOCK_STREAM, 0))
ATTEMPT(make_netlink_socket, socket(AF_NETLINK, SOCK_RAW, 0))
ATTEMPT(make_pair, socketpair(AF_UNIX, SOCK_STREAM, 0, (int[2]){ 0 }))
ATTEMPT(make_pipe, pipe((int[2]){ 0 }))
ATTEMPT(listen_more, listen(LISTENER, 5))
ATTEMPT(stop_listening, shutdown(LISTENER, SHUT_RDWR))
ATTEMPT(set_option, setsockopt(LISTENER, SOL_SOCKET, SO_RCVBUF, &(int){ 4096 }, sizeof(int)))
ATTEMPT(copy_descriptor, dup(LISTENER))
ATTEMPT(type_ahead, ioctl(CONTROL, FIONREAD, &(int){ 0 }))
ATTEMPT(fork_process, child(fork()))
ATTEMPT(clone_process, child(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)))
ATTEMPT(trace_other, ptrace(PTRACE_SEIZE, at->other, NULL, NULL))
ATTEMPT(signal_other, kill(at->other, 0))
ATTEMPT(signal_thread, syscall(SYS_tgkill, at->other, at->other, 0))
ATTEMPT(signal_all, kill(-1, 0))
ATTEMPT(queue_signal, sigqueue(at->other, 0, (union sigval){ 0 }))
ATTEMPT(open_process, syscall(SYS_pidfd_open, at->other, 0))
ATTEMPT(change_priority, syscall(SYS_sched_setaffinity, at->other, sizeof(long), &(long){ 3 }))
ATTEMPT(change_limits, syscall(SYS_prlimit64, at->other, 7, NULL, (uint64_t[2]){ 0 }))
ATTEMPT(make_memory_file, syscall(SYS_memfd_create, "x", 0))
ATTEMPT(share_memory, shmget(IPC_PRIVATE, 4096, 0600))
ATTEMPT(load_bpf, syscall(SYS_bpf, 0, (uint32_t[18]){ 2, 4, 4, 1 }, 72))
ATTEMPT(use_keys, syscall(SYS_keyctl, /* KEYCTL_GET_KEYRING_ID */ 0, -3, 1))
ATTEMPT(catch_faults, syscall(SYS_userfaultfd, 0))
ATTEMPT(become_root, setuid(0))
ATTEMPT(become_other, setresuid(1, 1, 0))
ATTEMPT(join_group, setgid(0))
ATTEMPT(unshare_users, unshare(CLONE_NEWUTS))
ATTEMPT(mount_anything, mount("none", "/nowhere", "tmpfs", 0, NULL) == 0 || errno == ENOENT ? 0 : -1)
ATTEMPT(become_dumpable, prctl(PR_SET_DUMPABLE, 1, 0, 0, 0))
ATTEMPT(change_personality, syscall(SYS_personality, 0xffffffffU))
ATTEMPT(name_host, sethostname("captured", 8) == 0 ? 0 : -1)
ATTEMPT(watch_files, syscall(SYS_inotify_init1, 0))
ATTEMPT(use_landlock, syscall(SYS_landlock_create_ruleset, NULL, 0, 1))

static const struct {
    const char *name;
    long (*run)(const struct target *at);
} attempts[] = {
#define NAMED(name) \
    {               \
#name, name \
    }
    NAMED(open_file),         NAMED(open_old),
    NAMED(make_file),         NAMED(open_own_memory),
    NAMED(open_other_memory), NAMED(rename_file),
    NAMED(make_folder),       NAMED(make_link),
    NAMED(change_mode),       NAMED(look),
    NAMED(look_closer),       NAMED(remove_file),
    NAMED(change_folder),     NAMED(change_root),
    NAMED(make_socket),       NAMED(make_datagram_socket),
    NAMED(make_unix_socket),  NAMED(make_netlink_socket),
    NAMED(make_pair),         NAMED(make_pipe),
    NAMED(connect_again),     NAMED(connect_by_fast_open),
    NAMED(bind_again),        NAMED(listen_more),
    NAMED(stop_listening),    NAMED(set_option),
    NAMED(copy_descriptor),   NAMED(type_ahead),
    NAMED(run_nothing),       NAMED(run_nothing_at),
    NAMED(fork_process),      NAMED(clone_process),
    NAMED(clone_by_struct),   NAMED(clone_thread),
    NAMED(trace_other),       NAMED(signal_other),
    NAMED(signal_thread),     NAMED(signal_all),
    NAMED(signal_by_owner),   NAMED(queue_signal),
    NAMED(open_process),      NAMED(change_priority),
    NAMED(change_limits),     NAMED(read_other),
    NAMED(write_other),       NAMED(map_executable),
    NAMED(make_executable),   NAMED(make_memory_file),
    NAMED(share_memory),      NAMED(make_ring),
    NAMED(load_bpf),          NAMED(use_keys),
    NAMED(catch_faults),      NAMED(read_events),
    NAMED(become_root),       NAMED(become_other),
    NAMED(join_group),        NAMED(get_capabilities),
    NAMED(unshare_users),     NAMED(mount_anything),
    NAMED(become_dumpable),   NAMED(change_personality),
    NAMED(name_host),         NAMED(watch_files),
    NAMED(load_filter),       NAMED(use_landlock),
};

/* "done", or the name of the error; NULL: there is no such attempt. */
static const char *attempt_run(const char *name, const struct target *target)
{
    for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
        if (strcmp(name, attempts[i].name) != 0)
            continue;
        errno = 0;
        return attempts[i].run(target) >= 0 ? "done" : strerrorname_np(errno);
    }
    return NULL;
}

static struct target attempt_target(pid_t other, uint16_t port)
{
    struct target target = {
        .other = other,
        .address = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) }
    };
    snprintf(target.path, sizeof(target.path), "/proc/%d/mem", other);
    return target;
}

#endif
