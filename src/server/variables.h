/* variables.h - what a role is told: the environment that it starts with. */
#ifndef SERVER_VARIABLES_H
#define SERVER_VARIABLES_H

#include "server/config.h"
#include "server/spawn.h"

struct arena;

/* What holds for every role that the supervisor starts. */
struct role_settings {
    const struct config *config;
    uint32_t worker_count;
    int64_t worker_memory; /* bytes, of each */
};

/* Fills in `spawn->variables` for the role that `spawn` names. The texts live in the arena. */
void variables_add(const struct role_settings *settings, struct spawn *spawn, struct arena *arena);

#endif
