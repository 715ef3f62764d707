/* gen.c - the command `limen gen`. */
#include "cli/gen.h"

#include "cli/cli.h"
#include "cli/files.h"
#include "data/store.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char usage[] =
    "usage: limen gen --app NAME [--contract api.yaml] [--queries queries.sql] [--migrations migrations]\n"
    "                 [--web web] [--with [URI=]FILE]… [--out .]\n"
    "\n"
    "Writes api.h, api.c, queries.h, queries.c and app.c: the C side of a contract and its statements.\n"
    "--with gives a document that a $ref of the contract may lead to; it becomes a part of the binary.\n"
    "Exit code: 0 written, 1 the contract or a statement is refused, 2 wrong usage or a file that cannot be read.\n";

struct gen_options {
    const char *app, *contract, *queries, *migrations, *web, *out;
    const char *documents[LIMIT_DOCUMENTS];
    size_t document_count;
};

static bool parse_options(int argc, char **argv, struct gen_options *options)
{
    static const struct option names[] = {
        { "app", required_argument, NULL, 'a' },
        { "contract", required_argument, NULL, 'c' },
        { "queries", required_argument, NULL, 'q' },
        { "migrations", required_argument, NULL, 'm' },
        { "web", required_argument, NULL, 'w' },
        { "out", required_argument, NULL, 'o' },
        { "with", required_argument, NULL, 'd' },
        { "help", no_argument, NULL, 'h' },
        { 0 },
    };
    for (int option; (option = getopt_long(argc, argv, "h", names, NULL)) != -1;) {
        const char **target = option == 'a' ? &options->app
            : option == 'c'                 ? &options->contract
            : option == 'q'                 ? &options->queries
            : option == 'm'                 ? &options->migrations
            : option == 'w'                 ? &options->web
            : option == 'o'                 ? &options->out
            : option == 'd' && options->document_count < LIMIT_DOCUMENTS
            ? &options->documents[options->document_count++]
            : NULL;
        if (option == 'h') {
            fputs(usage, stdout);
            exit(0);
        }
        if (target == NULL)
            return false;
        *target = optarg;
    }
    return options->app != NULL && optind == argc;
}

/* An app without a page, without statements or without a database has no such files. */
static bool read_app(const struct gen_options *options, struct arena *arena, struct limen_app *app)
{
    struct limen_file *migrations = NULL, *web = NULL;
    app->name = str_of(options->app);
    app->contract.path = str_of(options->contract);
    app->queries.path = str_of(options->queries);
    if (!files_read(options->contract, LIMIT_CONTRACT_BYTES, arena, &app->contract.bytes))
        return false;
    if (!files_read_documents(options->documents, options->document_count, options->contract, arena, app))
        return false;
    if (access(options->queries, F_OK) == 0
        && !files_read(options->queries, LIMIT_CONTRACT_BYTES, arena, &app->queries.bytes))
        return false;
    if (access(options->migrations, F_OK) == 0
        && !files_read_folder(options->migrations, ".sql", arena, &migrations, &app->migration_count))
        return false;
    if (access(options->web, F_OK) == 0 && !files_read_folder(options->web, "", arena, &web, &app->web_count))
        return false;
    app->migrations = migrations;
    app->web = web;
    return true;
}

static limen_str base_name(limen_str path)
{
    size_t slash = path.len;
    while (slash > 0 && path.ptr[slash - 1] != '/')
        slash--;
    return str_slice(path, slash, path.len);
}

static bool write_file(struct gen *gen, const char *folder, const char *name, void (*write)(struct gen *, struct buf *))
{
    struct buf out;
    buf_init(&out, gen->arena, 64 * 1024);
    write(gen, &out);
    return !out.failed && files_write(folder, name, buf_str(&out));
}

static bool write_all(struct gen *gen, struct limen_app *app, const char *folder)
{
    struct buf out;
    buf_init(&out, gen->arena, 1024 * 1024);
    app->contract.path = base_name(app->contract.path);
    app->queries.path = base_name(app->queries.path);
    gen_write_app_c(gen, app, &out);
    return write_file(gen, folder, "api.h", gen_write_api_h) && write_file(gen, folder, "api.c", gen_write_api_c)
        && write_file(gen, folder, "queries.h", gen_write_queries_h)
        && write_file(gen, folder, "queries.c", gen_write_queries_c) && !out.failed
        && files_write(folder, "app.c", buf_str(&out));
}

/* False after adding to the diags: something else has the C name. */
static bool check_name(struct gen *gen, const struct statement *statement, limen_str name, const limen_str *taken)
{
    if (taken == NULL)
        return true;
    diags_add_at(gen->diags, gen->queries->file, statement->line, 1, LIMEN_STR("rename the statement"),
                 "the statement '%.*s' would have the C name '%.*s' of %.*s", LIMEN_STR_ARG(statement->name),
                 LIMEN_STR_ARG(name), LIMEN_STR_ARG(*taken));
    return false;
}

/* Statement functions, handlers and those who hear of effects share C's one name space. */
static bool reserve_statements(struct gen *gen)
{
    static const limen_str another = LIMEN_STR_INIT("another statement"),
                           library = LIMEN_STR_INIT("a library's function");
    bool ok = true;
    for (uint32_t i = 0; i < gen->queries->count; i++) {
        const struct statement *statement = &gen->queries->statements[i];
        limen_str name = gen_snake(gen->arena, statement->name);
        ok = check_name(gen, statement, name, map_get(&gen->names, name)) && ok;
        ok = check_name(gen, statement, name, gen_is_in_library(gen, name) ? &library : NULL) && ok;
        if (statement->kind != STATEMENT_EFFECT)
            continue;
        limen_str result = arena_printf(gen->arena, "%.*s_result", LIMEN_STR_ARG(name));
        ok = check_name(gen, statement, result, map_get(&gen->names, result)) && ok;
        ok = check_name(gen, statement, result, queries_find(gen->queries, result) != NULL ? &another : NULL) && ok;
    }
    return ok;
}

static int generate(struct limen_app *app, const char *folder, struct arena *arena)
{
    struct contract contract;
    struct query_set queries;
    struct diags errors, warnings;
    diags_init(&errors, arena);
    diags_init(&warnings, arena);
    bool ok = contract_load(app, arena, &contract, &errors, &warnings);
    if (!ok)
        return cli_print_diags(&errors, &warnings);
    struct gen gen = { .arena = arena, .diags = &errors, .contract = &contract, .queries = &queries };
    gen.last_type = &gen.types;
    map_init(&gen.names);
    ok = queries_parse(app->queries.bytes, app->queries.path, LIMEN_STR("sqlite"), arena, &queries, &errors)
        && store_describe(&queries, app->migrations, app->migration_count, arena, &errors) && gen_build_types(&gen)
        && reserve_statements(&gen);
    int code = cli_print_diags(&errors, &warnings);
    if (ok && code == 0 && !write_all(&gen, app, folder))
        code = 2;
    map_release(&gen.names);
    contract_release(&contract);
    return code;
}

int gen_main(int argc, char **argv)
{
    struct gen_options options = { NULL, "api.yaml", "queries.sql", "migrations", "web", ".", .document_count = 0 };
    struct limen_app app = { 0 };
    struct arena arena;
    if (!parse_options(argc, argv, &options)) {
        fputs(usage, stderr);
        return 2;
    }
    arena_init(&arena, NULL, SIZE_MAX);
    int code = read_app(&options, &arena, &app) ? generate(&app, options.out, &arena) : 2;
    arena_release(&arena);
    return code;
}
