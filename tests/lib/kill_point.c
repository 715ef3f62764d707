/* kill_point.c - stops a worker when a part of a reply has left its socket, so that a test can kill it just there.
 *
 * Linked into a copy of an app with --wrap for what replies leave by. The file "kill-point" in the working folder is mapped by every process
 * before its sandbox closes. Once the test has armed it, the first 201 is cut off behind its first line; whoever was sending it
 * then waits for its end. */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* Written by the test and here; 8 bytes each. */
struct point {
    _Atomic int64_t is_armed, is_reached;
};

static struct point nowhere;
static struct point *point = &nowhere;

static const char first_line[] = "HTTP/1.1 201 Created\r\n";
enum { FIRST_LINE_BYTES = sizeof(first_line) - 1 };

ssize_t __real_send(int fd, const void *memory, size_t bytes, int flags);
ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_send(int fd, const void *memory, size_t bytes, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);

static void stop_if_armed(int fd, const void *memory, size_t bytes, int flags)
{
    int64_t armed = 1;
    bool is_here = bytes >= FIRST_LINE_BYTES && memcmp(memory, first_line, FIRST_LINE_BYTES) == 0
        && atomic_compare_exchange_strong(&point->is_armed, &armed, 0);
    if (!is_here)
        return;
    (void)__real_send(fd, memory, FIRST_LINE_BYTES, flags);
    atomic_store(&point->is_reached, 1);
    for (;;)
        atomic_thread_fence(memory_order_seq_cst); /* no call of the kernel: the sandbox knows few */
}

ssize_t __wrap_send(int fd, const void *memory, size_t bytes, int flags)
{
    stop_if_armed(fd, memory, bytes, flags);
    return __real_send(fd, memory, bytes, flags);
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
    if (message->msg_iovlen > 0)
        stop_if_armed(fd, message->msg_iov[0].iov_base, message->msg_iov[0].iov_len, flags);
    return __real_sendmsg(fd, message, flags);
}

__attribute__((constructor)) static void begin(void)
{
    int fd = open("kill-point", O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return;
    void *mapped = mmap(NULL, sizeof(struct point), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapped != MAP_FAILED)
        point = mapped;
    close(fd);
}
