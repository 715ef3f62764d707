/* sockets.c - which sockets a server listens on.
 *
 * What systemd gives comes first, for its unit names the addresses. Else each address of the settings is looked for among the sockets of the
 * server before this one, whose waiting clients then come along, and is bound where it is new. */
#include "server/sockets.h"

#include "core/log.h"
#include "core/str.h"
#include "server/listen.h"

#include <sys/socket.h>
#include <unistd.h>

static bool listens(int fd)
{
    int value = 0, type = 0;
    socklen_t bytes = sizeof(value);
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &bytes) == 0 && value == 1
        && getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes) == 0 && type == SOCK_STREAM;
}

/* All that systemd has opened for clients. False: one of them cannot be used. */
static bool take_given(struct inherited *inherited, struct sockets *sockets)
{
    for (;;) {
        int fd = inherited_take(inherited, INHERITED_CLIENTS);
        if (fd < 0)
            fd = inherited_take_unknown(inherited);
        if (fd < 0)
            return true;
        if (sockets->client_count == LIMIT_LISTENERS || !listens(fd)) {
            LOG_ERROR("a socket that was given is no listening stream socket, or one too many", log_int("fd", fd));
            close(fd);
            return false;
        }
        sockets->are_given = true;
        sockets->clients[sockets->client_count++] = fd;
    }
}

/* The inherited socket of this name that is bound to the address; -1: none. */
static int take_bound(struct inherited *inherited, const char *name, limen_str address)
{
    for (uint32_t i = 0; i < inherited->count; i++) {
        struct inherited_fd *item = &inherited->items[i];
        int fd = item->fd;
        if (fd < 0 || !str_equal(str_of(item->name), str_of(name)) || !listen_is_at(fd, address))
            continue;
        item->fd = -1;
        return fd;
    }
    return -1;
}

static int take_or_bind(struct inherited *inherited, const char *name, limen_str address)
{
    int fd = take_bound(inherited, name, address);
    return fd >= 0 ? fd : listen_bind(address);
}

static bool open_clients(const struct config *config, struct inherited *inherited, struct sockets *sockets)
{
    if (!take_given(inherited, sockets))
        return false;
    for (uint32_t i = 0; !sockets->are_given && i < config->listen.count; i++) {
        int fd = take_or_bind(inherited, INHERITED_BOUND_CLIENTS, config->listen.items[i]);
        if (fd < 0)
            return false;
        sockets->clients[sockets->client_count++] = fd;
    }
    return true;
}

static bool open_operator(const struct config *config, struct inherited *inherited, struct sockets *sockets)
{
    sockets->operator_fd = inherited_take(inherited, INHERITED_OPERATOR);
    sockets->is_operator_given = sockets->operator_fd >= 0;
    if (sockets->is_operator_given)
        return listens(sockets->operator_fd);
    if (str_equal(config->operator, LIMEN_STR("off")))
        return true;
    sockets->operator_fd = take_or_bind(inherited, INHERITED_BOUND_OPERATOR, config->operator);
    return sockets->operator_fd >= 0;
}

static void warn_of(const struct sockets *sockets)
{
    char text[128];
    for (uint32_t i = 0; i < sockets->client_count; i++) {
        if (listen_is_loopback(sockets->clients[i]))
            continue;
        listen_describe(sockets->clients[i], text, sizeof(text));
        LOG_WARN("plain http is open to other machines: browsers keep the Secure session cookie on https and "
                 "localhost only; "
                 "put a TLS proxy in front",
                 log_text("listen", text));
    }
    if (sockets->operator_fd < 0 || listen_is_loopback(sockets->operator_fd))
        return;
    listen_describe(sockets->operator_fd, text, sizeof(text));
    LOG_WARN("the operator's address is open to other machines", log_text("operator", text));
}

bool sockets_open(const struct config *config, struct inherited *inherited, struct sockets *ret_sockets)
{
    *ret_sockets = (struct sockets){ .operator_fd = -1 };
    bool ok = open_operator(config, inherited, ret_sockets) && open_clients(config, inherited, ret_sockets);
    if (ok)
        warn_of(ret_sockets);
    return ok;
}

void sockets_close(struct sockets *sockets)
{
    for (uint32_t i = 0; i < sockets->client_count; i++)
        close(sockets->clients[i]);
    if (sockets->operator_fd >= 0)
        close(sockets->operator_fd);
    sockets->client_count = 0;
    sockets->operator_fd = -1;
}
