/* supervisor_internal.h - the process table, as the supervisor's own files see it. */
#ifndef SERVER_SUPERVISOR_INTERNAL_H
#define SERVER_SUPERVISOR_INTERNAL_H

#include "core/arena.h"
#include "core/loop.h"
#include "core/shm.h"
#include "server/control.h"
#include "server/role.h"
#include "server/sockets.h"
#include "server/succession.h"
#include "server/variables.h"

struct process {
    struct supervisor *owner;
    enum role_kind kind;
    uint32_t number;
    pid_t pid; /* 0: not running */
    struct loop_source control;
    bool is_ready;         /* has been, since it started */
    bool was_ready;        /* has been at any time: what it is set up with can work */
    bool was_silent;       /* killed for its heartbeat */
    int64_t pause_us;      /* before the next start; 0 when it had been working */
    int64_t due_us;        /* monotonic; when not running */
    uint32_t sockets;      /* a worker's: to the data role, that it was given */
    int64_t introduced_us; /* monotonic: when it was given the last */
};

struct supervisor {
    const struct limen_app *app;
    const struct contract *contract;
    const struct config *config;
    struct arena *arena;
    struct loop *loop;
    struct loop_source signals;
    struct loop_timer tick, notice, drain, operator_late;
    struct shm_zone board_zone, limits_zone;
    struct board *board;
    struct inherited inherited;
    struct sockets sockets;
    struct succession succession;
    uint32_t worker_count;
    struct role_settings settings;
    struct process data, operator, outbound, workers[LIMIT_WORKERS];
    bool is_open; /* listening: the data role has been ready once */
    bool is_announced;
    bool wants_reload; /* asked for while one was under way */
    bool is_draining;
    int64_t ticked_us, awake_since_us; /* monotonic */
    int exit_code;
};

/* Starts a role that does not run, and introduces it to those that it speaks with. What it says comes to supervisor_hear. */
void process_start(struct process *process);
/* Gives a worker and the data role the two ends of a new socketpair. */
void process_introduce(struct process *worker);
void supervisor_hear(struct process *process, const struct control_message *message);

#endif
