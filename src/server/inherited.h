/* inherited.h - descriptors that whoever started the server has opened for it, in systemd's way: sd_listen_fds(3).
 *
 * From number 3 on lie LISTEN_FDS descriptors, named by LISTEN_FDNAMES, meant for the process LISTEN_PID. A server that is reloaded
 * hands its own on to the next one in the same way; their names begin with "limen-", which no unit's should. */
#ifndef SERVER_INHERITED_H
#define SERVER_INHERITED_H

#include "core/limits.h"
#include "limen/base.h"

/* Given by systemd; anything else that it gives is for clients. */
#define INHERITED_OPERATOR "operator"
/* Between servers. "bound" ones were bound for a setting that the next server may have changed. */
#define INHERITED_CLIENTS "limen-clients"
#define INHERITED_BOUND_CLIENTS "limen-bound-clients"
#define INHERITED_BOUND_OPERATOR "limen-bound-operator"
#define INHERITED_LIMITS "limen-limits"           /* the shared table of rate limits */
#define INHERITED_PREDECESSOR "limen-predecessor" /* control socket to the server that is reloaded */
#define INHERITED_KEEPER "limen-keeper"           /* control socket to the first of all, which has the process id */

#define INHERITED_MOST (LIMIT_LISTENERS + 8U)
#define INHERITED_NAME_BYTES 64U

struct inherited_fd {
    char name[INHERITED_NAME_BYTES];
    int fd; /* -1: taken */
};

struct inherited {
    struct inherited_fd items[INHERITED_MOST];
    uint32_t count;
};

/* Takes over all that was handed to this process, and removes the variables. False, with a line in the log: there are more than a server can
 * use. */
bool inherited_read(struct inherited *ret_inherited) LIMEN_MUST_CHECK;
/* The next one of this name, whose owner the caller becomes; -1: there is none (any more). */
int inherited_take(struct inherited *inherited, const char *name);
/* The next one whose name does not begin with "limen-"; "operator" is to be taken before. -1: none. */
int inherited_take_unknown(struct inherited *inherited);
/* Closes what nobody has taken. */
void inherited_release(struct inherited *inherited);

#endif
