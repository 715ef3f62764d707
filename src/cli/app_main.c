/* app_main.c - the main() of every app: run, check, migrate, keys, effects, and the roles that run starts. */
#include "cli/cli.h"
#include "server/server.h"

#include <stdio.h>
#include <string.h>

static void print_usage(FILE *file)
{
    const limen_str name = limen_the_app.name;
    fprintf(file,
            "usage: %.*s COMMAND [OPTION…]      (%.*s COMMAND --help tells more)\n\n"
            "  run       start the server\n"
            "  check     hold the contract against every rule; --report prints the boundary on one page\n"
            "  effects   list what is asked of others and not done, run it again, give it up\n"
            "  keys      make, list and revoke API keys\n"
            "  migrate   show or apply the database's migrations\n",
            LIMEN_STR_ARG(name), LIMEN_STR_ARG(name));
}

int main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "";
    if (strcmp(command, "run") == 0)
        return server_run(argc, argv, &limen_the_app);
    if (strcmp(command, "check") == 0)
        return check_main(argc - 1, argv + 1, &limen_the_app);
    if (strcmp(command, "migrate") == 0)
        return migrate_main(argc - 1, argv + 1, &limen_the_app);
    if (strcmp(command, "keys") == 0)
        return keys_main(argc - 1, argv + 1, &limen_the_app);
    if (strcmp(command, "effects") == 0)
        return effects_main(argc - 1, argv + 1, &limen_the_app);
    if (strcmp(command, "role") == 0)
        return server_role(argc - 1, argv + 1, &limen_the_app);
    bool is_asked = strcmp(command, "--help") == 0 || strcmp(command, "help") == 0;
    if (!is_asked && argc > 1)
        fprintf(stderr, "%.*s: there is no command '%s'\n\n", LIMEN_STR_ARG(limen_the_app.name), command);
    print_usage(is_asked ? stdout : stderr);
    return is_asked ? 0 : 2;
}
