/* spawn.h - starting a role: fork, then exec of this same binary with a cleaned environment and numbered descriptors. */
#ifndef SERVER_SPAWN_H
#define SERVER_SPAWN_H

#include "server/role.h"

#include <sys/types.h>

#define SPAWN_VARIABLES 32U

struct spawn {
    enum role_kind kind;
    uint32_t number;
    int control, board, limits; /* limits: -1 for none */
    const int *listeners;
    uint32_t listener_count;
    const char *variables[SPAWN_VARIABLES + 1]; /* "NAME=value", NULL at the end: all that the role will know */
};

/* The process id, or -1. The child dies with the supervisor. */
pid_t spawn_role(const struct spawn *spawn) LIMEN_MUST_CHECK;

#endif
