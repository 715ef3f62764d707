/* effects.c - the command `effects`: what has been asked of others and is not done yet, seen and moved on by an operator. */
#include "cli/cli.h"
#include "core/arena.h"
#include "core/str.h"
#include "data/store.h"

#include <getopt.h>
#include <stdio.h>

static const char usage[] =
    "usage: APP effects list [--dead | --all] [--after ID] [--database URL]\n"
    "       APP effects show ID [--database URL]\n"
    "       APP effects retry ID [--database URL]\n"
    "       APP effects drop ID [--although-sent] [--database URL]\n"
    "\n"
    "  list              those that are not done: id, state, when, attempts, key, and what is wrong\n"
    "  show              all that is known of one\n"
    "  retry             works on a dead one again, with the same key; one that waits is due at once\n"
    "  drop              gives a dead one up: the app hears that it failed\n"
    "  --dead, --all     only the dead ones; the done ones too\n"
    "  --after ID        those behind this one, when there are more than one list holds\n"
    "  --although-sent   drops one although nobody knows whether the provider did it\n"
    "  --database URL    where the state is; else what `run` takes: LIMEN_DATABASE, limen.yaml, sqlite:var/APP.db\n"
    "\n"
    "Exit code: 0 fine, 1 refused (no such effect, no such state), 2 wrong usage.\n";

struct options {
    const char *database, *command, *id, *after;
    enum store_effect_filter filter;
    bool although_sent;
};

struct run {
    struct arena arena;
    struct diags errors;
    struct buf out;
    limen_str url;
};

static int misuse(const char *why)
{
    fprintf(stderr, "effects: %s\n\n%s", why, usage);
    return 2;
}

static int end(struct run *run, bool is_good, const char *said, limen_str id)
{
    struct diags none = { 0 };
    if (!is_good)
        return cli_print_diags(&run->errors, &none);
    if (run->out.len > 0)
        fwrite(run->out.ptr, 1, run->out.len, stdout);
    if (said != NULL)
        printf("%s %.*s\n", said, LIMEN_STR_ARG(id));
    return 0;
}

/* What is not listed is told where it does not mix with what is. */
static int list(struct run *run, const struct options *options)
{
    static const char *const flags[] = {
        [STORE_EFFECTS_OPEN] = "", [STORE_EFFECTS_DEAD] = " --dead", [STORE_EFFECTS_ALL] = " --all"
    };
    struct store_effect_page page = { options->filter, LIMIT_EFFECTS_LISTED, str_of(options->after), 0 };
    bool is_good = store_effect_list(run->url, &page, &run->out, &run->arena, &run->errors);
    int code = end(run, is_good, NULL, LIMEN_STR(""));
    fflush(stdout);
    if (is_good && page.left > 0)
        fprintf(stderr, "effects: %llu more are not shown: effects list%s --after %.*s\n",
                (unsigned long long)page.left, flags[options->filter], LIMEN_STR_ARG(page.after));
    return code;
}

static int run_command(struct run *run, const struct options *options)
{
    limen_str command = str_of(options->command), id = str_of(options->id);
    struct arena *arena = &run->arena;
    struct diags *errors = &run->errors;
    if (str_equal(command, LIMEN_STR("list")))
        return list(run, options);
    bool is_known = str_equal(command, LIMEN_STR("show")) || str_equal(command, LIMEN_STR("retry"))
        || str_equal(command, LIMEN_STR("drop"));
    if (!is_known)
        return misuse("say list, show, retry or drop");
    if (id.len == 0)
        return misuse("name the effect's id");
    if (str_equal(command, LIMEN_STR("show")))
        return end(run, store_effect_show(run->url, id, &run->out, arena, errors), NULL, id);
    if (str_equal(command, LIMEN_STR("retry")))
        return end(run, store_effect_retry(run->url, id, arena, errors), "due again:", id);
    return end(run, store_effect_drop(run->url, id, options->although_sent, arena, errors), "dropped", id);
}

int effects_main(int argc, char **argv, const struct limen_app *app)
{
    static const struct option known[] = { { "dead", no_argument, NULL, 'D' },
                                           { "all", no_argument, NULL, 'A' },
                                           { "although-sent", no_argument, NULL, 's' },
                                           { "database", required_argument, NULL, 'd' },
                                           { "after", required_argument, NULL, 'a' },
                                           { "help", no_argument, NULL, 'h' },
                                           { NULL, 0, NULL, 0 } };
    struct options options = { .filter = STORE_EFFECTS_OPEN, .after = "" };
    for (int got; (got = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (got == 'D')
            options.filter = STORE_EFFECTS_DEAD;
        else if (got == 'A')
            options.filter = STORE_EFFECTS_ALL;
        else if (got == 's')
            options.although_sent = true;
        else if (got == 'a')
            options.after = optarg;
        else if (got == 'd')
            options.database = optarg;
        else {
            fputs(usage, got == 'h' ? stdout : stderr);
            return got == 'h' ? 0 : 2;
        }
    }
    options.command = optind < argc ? argv[optind] : "";
    options.id = optind + 1 < argc ? argv[optind + 1] : NULL;
    struct run run = { 0 };
    arena_init(&run.arena, NULL, SIZE_MAX);
    diags_init(&run.errors, &run.arena);
    buf_init(&run.out, &run.arena, 4096);
    int code = cli_database(options.database, app, &run.arena, &run.url) ? run_command(&run, &options) : 2;
    arena_release(&run.arena);
    return code;
}
