/* listen.h - addresses to listen on. */
#ifndef SERVER_LISTEN_H
#define SERVER_LISTEN_H

#include "limen/base.h"

/* Binds a stream socket to "HOST:PORT" or "[IPV6]:PORT"; it does not listen yet, so nobody can connect. -1 after a line on standard error
 * that names the cause. */
int listen_bind(limen_str address) LIMEN_MUST_CHECK;
/* Is the socket bound to what the address names? Any port where it says 0. */
bool listen_is_at(int fd, limen_str address) LIMEN_MUST_CHECK;
/* Whether only this machine can reach what the socket is bound to. */
bool listen_is_loopback(int fd);
/* "127.0.0.1:8080", "[::1]:8080" or a UNIX socket's path. */
void listen_describe(int fd, char *ret_text, size_t bytes);
/* Can it be listened on, as far as its form tells? "HOST:PORT", a port from 0 (any free one) to 65535. */
bool listen_is_address(limen_str address) LIMEN_MUST_CHECK;

#endif
