/* role.h - what every role finds when it starts: descriptors at fixed numbers, settings in a cleaned environment. */
#ifndef SERVER_ROLE_H
#define SERVER_ROLE_H

#include "boundary/board.h"
#include "contract/contract.h"
#include "core/arena.h"
#include "core/loop.h"
#include "core/sandbox.h"
#include "core/shm.h"
#include "limen/app.h"

enum role_kind { ROLE_WORKER, ROLE_DATA, ROLE_OPERATOR, ROLE_OUTBOUND, ROLE_KINDS };
const char *role_name(enum role_kind kind);

/* Descriptor numbers in a role. */
enum { ROLE_FD_CONTROL = 3, ROLE_FD_BOARD = 4, ROLE_FD_LIMITS = 5, ROLE_FD_LISTEN = 6 };

/* A role's own start: the same for all. */
struct role {
    const struct limen_app *app;
    enum role_kind kind;
    uint32_t number;
    uint32_t worker_count, listener_count;
    struct arena arena; /* for as long as the process lives */
    struct loop *loop;
    struct contract contract;
    struct board *board;
    struct loop_source control, signals;
    bool is_draining;
    void *context; /* the role's own */
    void (*on_control)(struct role *role, uint32_t type, uint32_t number, int fd);
    void (*on_drain)(struct role *role); /* SIGTERM */
};

int worker_main(struct role *role);
int data_main(struct role *role);
int operator_main(struct role *role);
int outbound_main(struct role *role);

/* A setting of this role from its environment; `fallback` when it is not there. */
limen_str role_setting(const char *name, const char *fallback);
int64_t role_number_setting(const char *name, int64_t fallback);
/* Gives up root, every capability, and what is not named: system calls (core's and the control socket's come along) and paths. With
 * --no-sandbox only the first two. One thread only. False, with a line in the log: the process must end. */
bool role_close_sandbox(struct role *role, const struct sandbox *kept) LIMEN_MUST_CHECK;
/* Tells the supervisor. */
void role_say(struct role *role, uint32_t type);

#endif
