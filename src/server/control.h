/* control.h - what supervisor and roles say to each other: one small message, perhaps with a descriptor (SCM_RIGHTS). */
#ifndef SERVER_CONTROL_H
#define SERVER_CONTROL_H

#include "limen/base.h"

enum control_type {
    CONTROL_READY = 1, /* role -> supervisor: it works */
    CONTROL_REFUSED,   /* role -> supervisor: it cannot work as it was set up; what is wrong was printed */
    CONTROL_LOST, /* worker -> supervisor: its socket to the data role, the `number`-th that it was given, has ended */
    CONTROL_BREACH,       /* data -> supervisor: worker `number` broke the protocol */
    CONTROL_FETCH_BREACH, /* data -> supervisor: the outbound role did */
    CONTROL_DATA,  /* supervisor -> worker: a socket to the data role; supervisor -> data: one to worker `number` */
    CONTROL_FETCH, /* supervisor -> data: a socket to the outbound role; supervisor -> outbound: one to the data role */
};

struct control_message {
    uint32_t type;
    uint32_t number;
};

/* A connected pair of SOCK_SEQPACKET sockets, close-on-exec. */
bool control_pair(int ret_fds[2]) LIMEN_MUST_CHECK;
/* `fd` may be -1: none. */
bool control_send(int socket, struct control_message message, int fd);
/* 1: a message (`*ret_fd` is -1 when it had no descriptor), 0: nothing there, -1: the peer has gone, or said no message. With `ret_fd` NULL
 * no descriptor is taken: the peer may have been taken over. */
int control_receive(int socket, struct control_message *ret_message, int *ret_fd);

#endif
