/* succession.h - a server that is reloaded starts the next one beside itself, and goes when that one serves.
 *
 * The next server is this program as it lies on disk now, with the same arguments, environment and folder: so new settings, a new
 * contract and a new binary are one thing. It gets the listening sockets and the table of rate limits (server/inherited.h). Until it says that
 * it serves nothing has changed; when it ends instead, or does not serve in time and is ended, nothing has happened. */
#ifndef SERVER_SUCCESSION_H
#define SERVER_SUCCESSION_H

#include "core/loop.h"
#include "server/sockets.h"

#include <sys/types.h>

struct succession {
    /* ---- set by the owner ---- */
    char *const *argv;                   /* as main() got them, NULL at the end */
    void (*on_successor)(void *context); /* it serves */
    void (*on_alone)(void *context);     /* the keeper has died */
    void *context;
    int64_t ready_within_us; /* how long a successor may take before it serves, */
    int64_t ended_within_us; /* and, told to end, before it has ended */
    /* ---- its own ---- */
    struct loop *loop;
    pid_t pid;                              /* of the successor; 0: none */
    struct loop_source control, keeper_end; /* keeper_end: tells when there is no keeper any more */
    int predecessor, keeper;                /* -1: none */
    bool is_done;                           /* the successor serves */
    bool is_told_to_end;                    /* it took too long */
    int64_t due_us;                         /* monotonic: when it is told, and then when it is killed */
};

/* What is handed on. */
struct heritage {
    const struct sockets *sockets;
    int limits;
};

/* Takes what this server inherited. False: the kernel refuses to watch it. */
bool succession_init(struct succession *succession, struct loop *loop, struct inherited *inherited) LIMEN_MUST_CHECK;
/* Is there a server to take over from? */
bool succession_has_predecessor(const struct succession *succession);
/* Tells the predecessor, and the keeper, that this server serves. */
void succession_announce(struct succession *succession);
/* Starts a successor; where that fails, there is a line in the log and none. */
void succession_start(struct succession *succession, const struct heritage *heritage);
/* Now and then: a successor that does not serve in time is told to end, and killed when it does not. */
void succession_hurry(struct succession *succession, int64_t now_us);
/* A child of that number has died: was it the successor? Afterwards another one may be started. */
bool succession_bury(struct succession *succession, pid_t pid);
/* Closes its sockets, but for the one that keeper_run needs: -1 when there was no successor, or another process is the keeper. */
int succession_release(struct succession *succession);

#endif
