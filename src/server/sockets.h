/* sockets.h - the sockets that a server listens on: given by systemd, taken over from the server before it, or bound. */
#ifndef SERVER_SOCKETS_H
#define SERVER_SOCKETS_H

#include "server/config.h"
#include "server/inherited.h"

struct sockets {
    int clients[LIMIT_LISTENERS];
    uint32_t client_count;
    bool are_given;  /* by systemd: --listen does not count */
    int operator_fd; /* -1: none */
    bool is_operator_given;
};

/* Opens all that the settings ask for. What was inherited and is asked for no longer stays with `inherited`. False after a line that says
 * why. */
bool sockets_open(const struct config *config, struct inherited *inherited,
                  struct sockets *ret_sockets) LIMEN_MUST_CHECK;
void sockets_close(struct sockets *sockets);

#endif
