/* cli.c - what every command does alike: printing what is wrong, and finding the database. */
#include "cli/cli.h"

#include "core/arena.h"
#include "core/str.h"
#include "server/config.h"

#include <stdio.h>
#include <unistd.h>

int cli_print_diags(const struct diags *errors, const struct diags *warnings)
{
    struct arena arena;
    struct buf text;
    bool has_colour = isatty(STDERR_FILENO) == 1;
    arena_init(&arena, NULL, SIZE_MAX);
    buf_init(&text, &arena, 4096);
    diags_write(warnings, &text, "warning", has_colour);
    diags_write(errors, &text, "error", has_colour);
    if (text.failed)
        fputs("error: memory is out\n", stderr);
    else if (text.len > 0)
        fwrite(text.ptr, 1, text.len, stderr);
    arena_release(&arena);
    return errors->count > 0 ? 1 : 0;
}

bool cli_database(const char *flag, const struct limen_app *app, struct arena *arena, limen_str *ret_url)
{
    struct config config;
    char name[] = "";
    char *no_flags[] = { name, NULL };
    if (flag == NULL && config_read(1, no_flags, app->name, arena, &config) != CONFIG_OK)
        return false;
    *ret_url = flag == NULL ? config.database : str_of(flag);
    return true;
}
