/* keeper.h - the process that was started first stays, whoever serves.
 *
 * A server that is reloaded starts the next one as its child. Whoever watches the server (systemd, a container, a shell) watches the first
 * one's process id; so the first one does not end with its own roles but waits, passes signals on, and ends as the last one does. */
#ifndef SERVER_KEEPER_H
#define SERVER_KEEPER_H

#include <sys/types.h>

/* `server` is the process that serves now, `socket` the control socket over which its successors tell that they do. SIGTERM, SIGINT, SIGHUP
 * and SIGCHLD are blocked. Returns the last server's exit code, or `exit_code` when all have ended already. */
int keeper_run(pid_t server, int socket, int exit_code);

#endif
