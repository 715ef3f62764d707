/* supervisor.h - starts the roles, watches them, starts them again; reads no client's byte. */
#ifndef SERVER_SUPERVISOR_H
#define SERVER_SUPERVISOR_H

#include "contract/contract.h"
#include "limen/app.h"
#include "server/config.h"

/* Runs until SIGTERM or SIGINT has been carried out; a SIGHUP starts the next server with `argv`, as main() got it. The contract has passed
 * its check. Returns the exit code. */
int supervisor_run(const struct limen_app *app, const struct contract *contract, const struct config *config,
                   char *const *argv, struct arena *arena);

#endif
