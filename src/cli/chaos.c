/* chaos.c - the command `limen chaos`: finds the harness, which is Python, and becomes it.
 *
 * The harness is looked for by where this program itself is: installed beside it (PREFIX/share/limen/chaos), or in the source tree
 * of its build; never in the working folder. */
#include "cli/cli.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* From the folder of the program. */
static const char *const places[] = { "../share/limen/chaos/limen-chaos", "../tests/chaos/limen-chaos" };

/* False when it is nowhere. */
static bool find_harness(char ret_path[PATH_MAX])
{
    char program[PATH_MAX], path[2 * PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length <= 0)
        return false;
    program[length] = '\0';
    char *slash = strrchr(program, '/');
    if (slash == NULL)
        return false;
    *slash = '\0';
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", program, places[i]);
        if (realpath(path, ret_path) != NULL)
            return true;
    }
    return false;
}

int chaos_main(int argc, char **argv)
{
    char harness[PATH_MAX];
    if (!find_harness(harness)) {
        fputs("limen chaos: the harness is not installed beside this program (share/limen/chaos); `make install` "
              "brings it\n",
              stderr);
        return 1;
    }
    /* python3 harness argument… NULL */
    char **command = calloc((size_t)argc + 2, sizeof *command);
    if (command == NULL) {
        fputs("limen chaos: memory is out\n", stderr);
        return 1;
    }
    command[0] = "python3";
    command[1] = harness;
    for (int i = 1; i < argc; i++)
        command[i + 1] = argv[i];
    execvp(command[0], command);
    fprintf(stderr, "limen chaos: python3 could not be started: %s; on Debian: apt install python3\n", strerror(errno));
    free(command);
    return 1;
}
