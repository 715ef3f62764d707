/* listen.c - addresses as text, and sockets that are bound to them. */
#include "server/listen.h"

#include "core/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
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

static int complain(limen_str address, const char *why)
{
    fprintf(stderr, "cannot listen on %.*s: %s\n", LIMEN_STR_ARG(address), why);
    return -1;
}

/* 0, or why not. What is found is freed by the caller. */
static int resolve(limen_str address, struct addrinfo **ret_found)
{
    char host[256], port[16];
    const struct addrinfo hints = { .ai_family = AF_UNSPEC,
                                    .ai_socktype = SOCK_STREAM,
                                    .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
    return split(address, host, sizeof(host), port, sizeof(port)) ? getaddrinfo(host, port, &hints, ret_found)
                                                                  : EAI_NONAME;
}

int listen_bind(limen_str address)
{
    struct addrinfo *found = NULL;
    if (!listen_is_address(address))
        return complain(address, "give it as HOST:PORT");
    int error = resolve(address, &found);
    if (error != 0)
        return complain(address, gai_strerror(error));
    int yes = 1;
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool ok = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) == 0
        && bind(fd, found->ai_addr, found->ai_addrlen) == 0;
    freeaddrinfo(found);
    if (ok)
        return fd;
    complain(address,
             errno == EADDRINUSE ? "the port is in use; choose another with --listen or --operator" : strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

/* ---- sockets that are there ------------------------------------------------------------------------------------------- */

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
};

static union address address_of(int fd)
{
    union address address = { .any.sa_family = AF_UNSPEC };
    socklen_t bytes = sizeof(address);
    if (getsockname(fd, &address.any, &bytes) != 0)
        address.any.sa_family = AF_UNSPEC;
    return address;
}

static bool is_same(const union address *bound, const struct addrinfo *wanted)
{
    union address other = { .any.sa_family = AF_UNSPEC };
    memcpy(&other, wanted->ai_addr, wanted->ai_addrlen);
    if (bound->any.sa_family != other.any.sa_family)
        return false;
    if (bound->any.sa_family == AF_INET)
        return bound->v4.sin_addr.s_addr == other.v4.sin_addr.s_addr
            && (other.v4.sin_port == 0 || bound->v4.sin_port == other.v4.sin_port);
    return IN6_ARE_ADDR_EQUAL(&bound->v6.sin6_addr, &other.v6.sin6_addr)
        && (other.v6.sin6_port == 0 || bound->v6.sin6_port == other.v6.sin6_port);
}

bool listen_is_at(int fd, limen_str address)
{
    struct addrinfo *found = NULL;
    const union address bound = address_of(fd);
    if ((bound.any.sa_family != AF_INET && bound.any.sa_family != AF_INET6) || resolve(address, &found) != 0)
        return false;
    bool is_at = is_same(&bound, found);
    freeaddrinfo(found);
    return is_at;
}

bool listen_is_loopback(int fd)
{
    const union address bound = address_of(fd);
    if (bound.any.sa_family == AF_INET)
        return ntohl(bound.v4.sin_addr.s_addr) >> 24 == 127;
    return bound.any.sa_family == AF_UNIX || IN6_IS_ADDR_LOOPBACK(&bound.v6.sin6_addr);
}

void listen_describe(int fd, char *ret_text, size_t bytes)
{
    char host[INET6_ADDRSTRLEN] = "?";
    const union address bound = address_of(fd);
    if (bound.any.sa_family == AF_UNIX) {
        snprintf(ret_text, bytes, "%s", bound.local.sun_path);
    } else if (bound.any.sa_family == AF_INET6) {
        (void)inet_ntop(AF_INET6, &bound.v6.sin6_addr, host, sizeof(host));
        snprintf(ret_text, bytes, "[%s]:%u", host, ntohs(bound.v6.sin6_port));
    } else {
        (void)inet_ntop(AF_INET, &bound.v4.sin_addr, host, sizeof(host));
        snprintf(ret_text, bytes, "%s:%u", host, ntohs(bound.v4.sin_port));
    }
}
