/* migrate.c - the command `migrate`: what the database has, and what it still lacks. */
#include "cli/cli.h"
#include "cli/files.h"
#include "core/str.h"
#include "data/store.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
    "usage: limen migrate --database URL --migrations FOLDER [--apply]\n"
    "       APP migrate   [--database URL] [--apply]\n"
    "\n"
    "Shows which migrations the database has and which are pending; --apply applies those, forward only.\n"
    "The database is LIMEN_DATABASE when no flag names it.\n"
    "Exit code: 0 fine, 1 refused (an applied migration was changed, or one failed), 2 wrong usage.\n";

struct migrate_options {
    const char *database, *folder;
    bool applies, wants_help;
};

static bool parse_options(int argc, char **argv, struct migrate_options *options)
{
    static const struct option names[] = {
        { "database", required_argument, NULL, 'd' },
        { "migrations", required_argument, NULL, 'm' },
        { "apply", no_argument, NULL, 'a' },
        { "help", no_argument, NULL, 'h' },
        { 0 },
    };
    for (int option; (option = getopt_long(argc, argv, "h", names, NULL)) != -1;) {
        switch (option) {
        case 'd':
            options->database = optarg;
            break;
        case 'm':
            options->folder = optarg;
            break;
        case 'a':
            options->applies = true;
            break;
        case 'h':
            options->wants_help = true;
            return true;
        default:
            return false;
        }
    }
    return optind == argc;
}

static int migrate(const char *database, const struct limen_file *files, size_t count, bool applies,
                   struct arena *arena)
{
    struct diags errors, warnings;
    struct buf text;
    diags_init(&errors, arena);
    diags_init(&warnings, arena);
    buf_init(&text, arena, 4096);
    bool ok = store_migrate(str_of(database), files, count, applies, &text, arena, &errors);
    if (text.len > 0)
        fwrite(text.ptr, 1, text.len, stdout);
    int code = cli_print_diags(&errors, &warnings);
    return ok ? code : 1;
}

int migrate_main(int argc, char **argv, const struct limen_app *app)
{
    struct migrate_options options = { .database = getenv("LIMEN_DATABASE") };
    struct limen_file *files = NULL;
    struct arena arena;
    size_t count = 0;
    bool ok = parse_options(argc, argv, &options);
    arena_init(&arena, NULL, SIZE_MAX);
    if (options.database == NULL && app != NULL)
        options.database = arena_printf(&arena, "sqlite:var/%.*s.db", LIMEN_STR_ARG(app->name)).ptr;
    bool has_all = options.database != NULL && (app != NULL || options.folder != NULL);
    if (!ok || options.wants_help || !has_all) {
        fputs(usage, options.wants_help ? stdout : stderr);
        arena_release(&arena);
        return options.wants_help ? 0 : 2;
    }
    ok = options.folder == NULL || files_read_folder(options.folder, ".sql", &arena, &files, &count);
    const struct limen_file *chosen = options.folder == NULL ? app->migrations : files;
    int code = ok ? migrate(options.database, chosen, options.folder == NULL ? app->migration_count : count,
                            options.applies, &arena)
                  : 2;
    arena_release(&arena);
    return code;
}
