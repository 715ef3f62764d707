/* address.h - which addresses are the internet's, and which belong to this machine or its neighbours. */
#ifndef OUTBOUND_ADDRESS_H
#define OUTBOUND_ADDRESS_H

#include "limen/base.h"

#include <sys/socket.h>

/* True for a global unicast address. False for everything that IANA's registries of special-purpose addresses (RFC 6890 and its
 * successors) keep from being one: loopback, private, shared, link-local, multicast, reserved, documentation; for an IPv6 address that
 * carries an IPv4 address of such a kind; and for any other family. */
bool address_is_public(const struct sockaddr *address);

#endif
