/* cli.h - what the commands share. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "contract/doc.h"
#include "limen/app.h"

struct arena;

/* Prints errors and warnings on standard error, in colour on a terminal. 1 when there is an error, else 0. */
int cli_print_diags(const struct diags *errors, const struct diags *warnings);

/* The database that `run` would take in this folder: what `flag` says, or where that is NULL the environment, limen.yaml, the default. False: a setting
 * is wrong, which has been said. */
bool cli_database(const char *flag, const struct limen_app *app, struct arena *arena,
                  limen_str *ret_url) LIMEN_MUST_CHECK;

/* `check`: holds a contract, its statements and migrations against all rules; prints the boundary report with --report. With `embedded` (an app's own
 * binary) the embedded files are checked, else the files that the arguments name. Exit codes: 0 fine, 1 refused, 2 wrong usage. */
int check_main(int argc, char **argv, const struct limen_app *embedded);
/* `migrate`: shows what is applied and what is pending; applies with --apply. */
int migrate_main(int argc, char **argv, const struct limen_app *app);
/* `keys`: makes, lists and revokes API keys. */
int keys_main(int argc, char **argv, const struct limen_app *app);
/* `effects`: lists effects that are not done, runs dead ones again, gives them up. */
int effects_main(int argc, char **argv, const struct limen_app *app);
/* `chaos`: becomes the harness that kills, stops and cuts off the parts of a running app (docs/chaos.md). Returns only when it cannot: 1. */
int chaos_main(int argc, char **argv);

#endif
