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
    "When no flag names the database it is LIMEN_DATABASE, and of an APP what `run` takes: then limen.yaml, "
    "sqlite:var/APP.db.\n"
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

static int migrate(limen_str database, const struct limen_file *files, size_t count, bool applies, struct arena *arena)
{
    struct diags errors, warnings;
    struct buf text;
    diags_init(&errors, arena);
    diags_init(&warnings, arena);
    buf_init(&text, arena, 4096);
    bool ok = store_migrate(database, files, count, applies, &text, arena, &errors);
    if (text.len > 0)
        fwrite(text.ptr, 1, text.len, stdout);
    int code = cli_print_diags(&errors, &warnings);
    return ok ? code : 1;
}

int migrate_main(int argc, char **argv, const struct limen_app *app)
{
    struct migrate_options options = { 0 };
    struct limen_file *files = NULL;
    struct arena arena;
    limen_str url = { 0 };
    size_t count = 0;
    bool ok = parse_options(argc, argv, &options);
    if (options.database == NULL && app == NULL)
        options.database = getenv("LIMEN_DATABASE");
    bool has_all = app != NULL || (options.database != NULL && options.folder != NULL);
    if (!ok || options.wants_help || !has_all) {
        fputs(usage, options.wants_help ? stdout : stderr);
        return options.wants_help ? 0 : 2;
    }
    arena_init(&arena, NULL, SIZE_MAX);
    ok = cli_database(options.database, app, &arena, &url)
        && (options.folder == NULL || files_read_folder(options.folder, ".sql", &arena, &files, &count));
    const struct limen_file *chosen = options.folder == NULL ? app->migrations : files;
    int code = ok ? migrate(url, chosen, options.folder == NULL ? app->migration_count : count, options.applies, &arena)
                  : 2;
    arena_release(&arena);
    return code;
}
