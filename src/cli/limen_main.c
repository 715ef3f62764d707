/* limen_main.c - the command `limen`: for those who write an app, and for their CI. */
#include "cli/cli.h"
#include "cli/gen.h"

#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: limen COMMAND [OPTION…]      (limen COMMAND --help tells more)\n"
    "\n"
    "  check     hold a contract against every rule; --report prints the boundary on one page\n"
    "  gen       write the C side of a contract and its statements\n"
    "  migrate   show or apply a database's migrations\n"
    "  chaos     kill, stop and cut off the parts of a running app, and check what it has promised\n"
    "\n"
    "An app's own binary has run, check and migrate.\n";

int main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "";
    if (strcmp(command, "check") == 0)
        return check_main(argc - 1, argv + 1, /* embedded= */ NULL);
    if (strcmp(command, "gen") == 0)
        return gen_main(argc - 1, argv + 1);
    if (strcmp(command, "migrate") == 0)
        return migrate_main(argc - 1, argv + 1, /* app= */ NULL);
    if (strcmp(command, "chaos") == 0)
        return chaos_main(argc - 1, argv + 1);
    bool is_asked = strcmp(command, "--help") == 0 || strcmp(command, "help") == 0;
    if (!is_asked && argc > 1)
        fprintf(stderr, "limen: there is no command '%s'\n\n", command);
    fputs(usage, is_asked ? stdout : stderr);
    return is_asked ? 0 : 2;
}
