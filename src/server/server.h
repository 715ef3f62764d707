/* server.h - an app's binary: `run` supervises, and starts itself again as each role. */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "limen/app.h"

/* `run`, whose arguments begin at argv[1], as main() got them. Returns the exit code: 0 ended as asked, 1 start refused, 2 wrong usage. */
int server_run(int argc, char **argv, const struct limen_app *app);
/* `role NAME NUMBER`: how the supervisor starts a role; never called by a person. */
int server_role(int argc, char **argv, const struct limen_app *app);

#endif
