/* listen.c - binding addresses. */
#include "server/listen.h"

#include "core/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static bool split(limen_str address, char *host, size_t host_bytes, char *port, size_t port_bytes)
{
    size_t colon = address.len;
    while (colon > 0 && address.ptr[colon - 1] != ':')
        colon--;
    if (colon == 0)
        return false;
    limen_str name = str_slice(address, 0, colon - 1), number = str_slice(address, colon, address.len);
    if (name.len >= 2 && name.ptr[0] == '[' && name.ptr[name.len - 1] == ']')
        name = str_slice(name, 1, name.len - 1);
    if (number.len == 0 || number.len >= port_bytes || name.len == 0 || name.len >= host_bytes)
        return false;
    snprintf(host, host_bytes, "%.*s", LIMEN_STR_ARG(name));
    snprintf(port, port_bytes, "%.*s", LIMEN_STR_ARG(number));
    return true;
}

bool listen_is_address(limen_str address)
{
    char host[256], port[16];
    int64_t number;
    return split(address, host, sizeof(host), port, sizeof(port)) && str_to_int64(str_of(port), &number) && number >= 0
        && number <= UINT16_MAX;
}

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
}

static int complain(limen_str address, const char *why)
{
    fprintf(stderr, "cannot listen on %.*s: %s\n", LIMEN_STR_ARG(address), why);
    return -1;
}

int listen_bind(limen_str address, bool *ret_is_loopback)
{
    char host[256], port[16];
    struct addrinfo *found = NULL,
                    hints = { .ai_family = AF_UNSPEC,
                              .ai_socktype = SOCK_STREAM,
                              .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
    if (!listen_is_address(address) || !split(address, host, sizeof(host), port, sizeof(port)))
        return complain(address, "give it as HOST:PORT");
    int error = getaddrinfo(host, port, &hints, &found);
    if (error != 0)
        return complain(address, gai_strerror(error));
    int yes = 1;
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool ok = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) == 0
        && bind(fd, found->ai_addr, found->ai_addrlen) == 0;
    *ret_is_loopback = is_loopback(found->ai_addr);
    freeaddrinfo(found);
    if (ok)
        return fd;
    complain(address,
             errno == EADDRINUSE ? "the port is in use; choose another with --listen or --operator" : strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}
