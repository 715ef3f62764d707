/* check.c - the command `check`: the rules of the contract, and the boundary on one page. */
#include "cli/check_database.h"
#include "cli/cli.h"
#include "cli/files.h"
#include "contract/contract.h"
#include "core/str.h"
#include "data/store.h"
#include "server/machine.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: limen check [--report] [--format table|json|markdown|html] [--queries queries.sql]\n"
    "                   [--migrations FOLDER] [--with [URI=]FILE]… [--database URL] [--strict]\n"
    "                   [--worker-memory SIZE] [api.yaml]\n"
    "       APP check   [--report] [--format table|json|markdown|html] [--database URL] [--strict]\n"
    "                   [--worker-memory SIZE]\n"
    "\n"
    "Holds a contract (and its statements against its migrations) against every rule; each refusal names file, line,\n"
    "column and the mend. --report prints the boundary: who may call what, how often, what goes in and what comes "
    "out.\n"
    "--database warns of a database with a public address, and compares PostgreSQL with the statements. --strict "
    "refuses\n"
    "what is otherwise a warning. --worker-memory refuses what a worker of that size could never admit.\n"
    "--with gives a document that a $ref may lead to; it is known by its $id, by URI, or by its path from the\n"
    "contract's folder. Nothing is fetched from the network.\n"
    "Exit code: 0 fine, 1 refused, 2 wrong usage or a file that cannot be read.\n";

struct check_options {
    const char *queries, *migrations, *database;
    bool wants_report, wants_help, is_strict;
    size_t worker_memory; /* bytes; 0: not told */
    enum report_format format;
    const char *documents[LIMIT_DOCUMENTS];
    size_t document_count;
};

static bool parse_format(const char *name, enum report_format *ret_format)
{
    static const char *const names[] = { "table", "json", "markdown", "html" };
    for (int i = 0; i < 4; i++) {
        if (strcmp(name, names[i]) == 0) {
            *ret_format = (enum report_format)i;
            return true;
        }
    }
    return false;
}

static bool parse_options(int argc, char **argv, struct check_options *options)
{
    static const struct option names[] = {
        { "report", no_argument, NULL, 'r' },        { "format", required_argument, NULL, 'f' },
        { "queries", required_argument, NULL, 'q' }, { "migrations", required_argument, NULL, 'm' },
        { "with", required_argument, NULL, 'w' },    { "database", required_argument, NULL, 'd' },
        { "strict", no_argument, NULL, 's' },        { "worker-memory", required_argument, NULL, 'y' },
        { "help", no_argument, NULL, 'h' },          { 0 },
    };
    for (int option; (option = getopt_long(argc, argv, "h", names, NULL)) != -1;) {
        switch (option) {
        case 'r':
            options->wants_report = true;
            break;
        case 'f':
            options->wants_report = true;
            if (!parse_format(optarg, &options->format))
                return false;
            break;
        case 'q':
            options->queries = optarg;
            break;
        case 'm':
            options->migrations = optarg;
            break;
        case 'd':
            options->database = optarg;
            break;
        case 's':
            options->is_strict = true;
            break;
        case 'y':
            if (!str_to_bytes(str_of(optarg), &options->worker_memory)
                || options->worker_memory < LIMIT_WORKER_MEMORY_LEAST)
                return false;
            break;
        case 'w':
            if (options->document_count == LIMIT_DOCUMENTS)
                return false;
            options->documents[options->document_count++] = optarg;
            break;
        case 'h':
            options->wants_help = true;
            return true;
        default:
            return false;
        }
    }
    return argc - optind <= 1;
}

/* The files that the arguments name, in the form of an embedded app. Statements stand beside the contract unless told otherwise. */
static bool read_files(const char *contract, const struct check_options *options, struct arena *arena,
                       struct limen_app *app)
{
    struct limen_file *migrations = NULL;
    app->contract.path = str_of(contract);
    if (!files_read(contract, LIMIT_CONTRACT_BYTES, arena, &app->contract.bytes))
        return false;
    if (!files_read_documents(options->documents, options->document_count, contract, arena, app))
        return false;
    if (options->queries != NULL) {
        app->queries.path = str_of(options->queries);
        if (!files_read(options->queries, LIMIT_CONTRACT_BYTES, arena, &app->queries.bytes))
            return false;
    }
    if (options->migrations != NULL
        && !files_read_folder(options->migrations, ".sql", arena, &migrations, &app->migration_count))
        return false;
    app->migrations = migrations;
    return true;
}

static void print_report(const struct contract *contract, const struct check_options *options, struct arena *arena)
{
    struct buf text;
    buf_init(&text, arena, 16 * 1024);
    contract_report(contract, options->format, isatty(STDOUT_FILENO) == 1, &text);
    fwrite(text.ptr, 1, text.len, stdout);
}

/* Is it where only the server reaches it, and does it give what the statements were described to give? Without statements nobody has to
 * be asked. */
static void look_at_database(const struct limen_app *app, const struct check_options *options,
                             const struct query_set *queries, struct arena *arena, struct diags *errors,
                             struct diags *warnings)
{
    limen_str url = str_of(options->database);
    check_database(url, arena, errors, warnings);
    if (errors->count > 0 || (queries->count == 0 && app->migration_count == 0))
        return;
    if (!store_check(url, queries, app->migrations, app->migration_count, arena, errors, warnings)
        && errors->count == 0)
        diags_add_at(errors, LIMEN_STR("--database"), 0, 0, LIMEN_STR(""), "memory is out");
}

static int check(const struct limen_app *app, const struct check_options *options, struct arena *arena)
{
    limen_str backend = store_backend(options->database == NULL ? LIMEN_STR("sqlite:") : str_of(options->database));
    struct contract contract;
    struct query_set queries;
    struct diags errors, mild;
    diags_init(&errors, arena);
    diags_init(&mild, arena);
    struct diags *warnings = options->is_strict ? &errors : &mild;
    bool is_loaded = contract_load(app, arena, &contract, &errors, warnings);
    if (is_loaded)
        memory_check(&contract, options->worker_memory, &errors);
    if (queries_parse(app->queries.bytes, app->queries.path, backend, arena, &queries, &errors)
        && !store_describe(&queries, app->migrations, app->migration_count, arena, &errors) && errors.count == 0)
        return 2;
    if (options->database != NULL)
        look_at_database(app, options, &queries, arena, &errors, warnings);
    int code = cli_print_diags(&errors, &mild);
    if (is_loaded && code == 0 && options->wants_report)
        print_report(&contract, options, arena);
    else if (is_loaded && code == 0)
        printf("%.*s: %u operation%s and %u statement%s, nothing to mend\n", LIMEN_STR_ARG(app->contract.path),
               contract.operation_count, contract.operation_count == 1 ? "" : "s", queries.count,
               queries.count == 1 ? "" : "s");
    if (is_loaded)
        contract_release(&contract);
    return code;
}

int check_main(int argc, char **argv, const struct limen_app *embedded)
{
    struct check_options options = { .format = REPORT_TABLE };
    struct limen_app app = { 0 };
    struct arena arena;
    bool ok = parse_options(argc, argv, &options) && (embedded == NULL || optind == argc);
    if (!ok || options.wants_help) {
        fputs(usage, ok ? stdout : stderr);
        return ok ? 0 : 2;
    }
    arena_init(&arena, NULL, SIZE_MAX);
    if (embedded != NULL)
        app = *embedded;
    ok = embedded != NULL || read_files(optind < argc ? argv[optind] : "api.yaml", &options, &arena, &app);
    int code = ok ? check(&app, &options, &arena) : 2;
    arena_release(&arena);
    return code;
}
