/* listen.h - addresses to listen on. */
#ifndef SERVER_LISTEN_H
#define SERVER_LISTEN_H

#include "limen/base.h"

/* Binds a stream socket to "HOST:PORT" or "[IPV6]:PORT"; it does not listen yet, so nobody can connect. -1 after a line on standard error
 * that names the cause. `ret_is_loopback` tells whether only this machine can reach it. */
int listen_bind(limen_str address, bool *ret_is_loopback) LIMEN_MUST_CHECK;
/* Can it be listened on, as far as its form tells? "HOST:PORT", a port from 0 (any free one) to 65535. */
bool listen_is_address(limen_str address) LIMEN_MUST_CHECK;

#endif
