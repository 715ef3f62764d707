/* control.c - messages with descriptors between supervisor and roles. */
#include "server/control.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union fd_room {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
};

bool control_pair(int ret_fds[2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ret_fds) == 0;
}

bool control_send(int socket, struct control_message message, int fd)
{
    union fd_room room = { { 0 } };
    struct iovec part = { &message, sizeof(message) };
    struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };
    if (fd >= 0) {
        header.msg_control = room.bytes;
        header.msg_controllen = sizeof(room.bytes);
        struct cmsghdr *control = CMSG_FIRSTHDR(&header);
        control->cmsg_level = SOL_SOCKET;
        control->cmsg_type = SCM_RIGHTS;
        control->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(control), &fd, sizeof(int));
    }
    return sendmsg(socket, &header, MSG_NOSIGNAL) == (ssize_t)sizeof(message);
}

int control_receive(int socket, struct control_message *ret_message, int *ret_fd)
{
    union fd_room room = { { 0 } };
    struct iovec part = { ret_message, sizeof(*ret_message) };
    struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };
    /* The kernel closes what there is no room for. CMSG_SPACE is padded, and would take a second one. */
    if (ret_fd != NULL) {
        header.msg_control = room.bytes;
        header.msg_controllen = CMSG_LEN(sizeof(int));
    }
    ssize_t got = recvmsg(socket, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (got != (ssize_t)sizeof(*ret_message))
        return -1;
    if (ret_fd == NULL)
        return 1;
    *ret_fd = -1;
    struct cmsghdr *control = CMSG_FIRSTHDR(&header);
    if (control != NULL && control->cmsg_level == SOL_SOCKET && control->cmsg_type == SCM_RIGHTS)
        memcpy(ret_fd, CMSG_DATA(control), sizeof(int));
    return 1;
}
