/* keys.c - the command `keys`: API keys are made, listed and revoked by whoever can reach the database. */
#include "cli/cli.h"
#include "contract/contract.h"
#include "core/arena.h"
#include "core/str.h"
#include "data/api_key.h"
#include "data/store.h"

#include <getopt.h>
#include <stdio.h>

static const char usage[] =
    "usage: APP keys add --name NAME --roles A,B [--database URL]\n"
    "       APP keys list [--database URL]\n"
    "       APP keys revoke ID [--database URL]\n"
    "\n"
    "  --name NAME       who or what the key is for\n"
    "  --roles A,B       what it may do: roles of the contract's scheme of API keys\n"
    "  --database URL    where the state is; else what `run` takes: LIMEN_DATABASE, limen.yaml, "
    "sqlite:var/APP.db\n";

struct options {
    const char *name, *roles, *database, *command, *id;
};

struct run {
    struct arena arena;
    struct diags errors;
    struct contract contract;
    struct store_keys_config store;
};

static int fail(const struct run *run)
{
    struct diags none = { 0 };
    return cli_print_diags(&run->errors, &none);
}

static int misuse(const char *why)
{
    fprintf(stderr, "keys: %s\n\n%s", why, usage);
    return 2;
}

static const struct security_scheme *scheme_of_keys(const struct contract *contract)
{
    for (uint32_t i = 0; i < contract->scheme_count; i++) {
        if (contract->schemes[i].kind == SCHEME_API_KEY)
            return &contract->schemes[i];
    }
    return NULL;
}

/* "a,b" as a mask; false after a word about the first that the scheme does not know. */
static bool read_roles(const struct run *run, const struct security_scheme *scheme, limen_str names,
                       uint32_t *ret_roles)
{
    *ret_roles = 0;
    while (names.len > 0) {
        limen_str name = str_trim(str_cut(&names, ','));
        uint32_t role = contract_role(&run->contract, name) & scheme->roles;
        if (role == 0) {
            fprintf(stderr, "keys: the scheme '%.*s' knows no role '%.*s'\n", LIMEN_STR_ARG(scheme->name),
                    LIMEN_STR_ARG(name));
            return false;
        }
        *ret_roles |= role;
    }
    return true;
}

static bool is_plain(limen_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        if ((unsigned char)name.ptr[i] < 0x20 || name.ptr[i] == 0x7f)
            return false;
    }
    return name.len > 0 && name.len <= 100 && str_is_utf8(name);
}

static int add(struct run *run, const struct options *options)
{
    const struct security_scheme *scheme = scheme_of_keys(&run->contract);
    char text[API_KEY_TEXT_BYTES];
    uint32_t roles;
    if (options->name == NULL || !is_plain(str_of(options->name)))
        return misuse("give --name, 1 to 100 bytes of text");
    if (scheme == NULL) {
        fprintf(stderr, "keys: the contract has no scheme `type: apiKey, in: header`, so a key would open nothing\n");
        return 1;
    }
    if (!read_roles(run, scheme, str_of(options->roles), &roles))
        return 1;
    if (!store_key_add(&run->store, str_of(options->name), roles, text, &run->arena, &run->errors))
        return fail(run);
    printf("%.*s\n", (int)sizeof(text), text);
    fprintf(stderr, "keys: shown once; send it in the field %.*s\n", LIMEN_STR_ARG(scheme->field));
    return 0;
}

static int list(struct run *run)
{
    struct buf out;
    buf_init(&out, &run->arena, 4096);
    if (!store_key_list(&run->store, &out, &run->arena, &run->errors))
        return fail(run);
    fwrite(out.ptr, 1, out.len, stdout);
    return 0;
}

static int revoke(struct run *run, const struct options *options)
{
    if (options->id == NULL)
        return misuse("name the key's id");
    if (!store_key_revoke(&run->store, str_of(options->id), &run->arena, &run->errors))
        return fail(run);
    printf("revoked %s\n", options->id);
    return 0;
}

static int run_command(struct run *run, const struct options *options, const struct limen_app *app)
{
    struct diags warnings;
    limen_str command = str_of(options->command);
    arena_init(&run->arena, NULL, SIZE_MAX);
    diags_init(&run->errors, &run->arena);
    diags_init(&warnings, &run->arena);
    if (!cli_database(options->database, app, &run->arena, &run->store.url))
        return 2;
    if (!contract_load(app, &run->arena, &run->contract, &run->errors, &warnings))
        return fail(run);
    run->store.contract = &run->contract;
    int code = str_equal(command, LIMEN_STR("add")) ? add(run, options)
        : str_equal(command, LIMEN_STR("list"))     ? list(run)
        : str_equal(command, LIMEN_STR("revoke"))   ? revoke(run, options)
                                                    : misuse("say add, list or revoke");
    contract_release(&run->contract);
    return code;
}

int keys_main(int argc, char **argv, const struct limen_app *app)
{
    static const struct option known[] = { { "name", required_argument, NULL, 'n' },
                                           { "roles", required_argument, NULL, 'r' },
                                           { "database", required_argument, NULL, 'd' },
                                           { "help", no_argument, NULL, 'h' },
                                           { NULL, 0, NULL, 0 } };
    struct options options = { 0 };
    for (int got; (got = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (got == 'n')
            options.name = optarg;
        else if (got == 'r')
            options.roles = optarg;
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
    int code = run_command(&run, &options, app);
    arena_release(&run.arena);
    return code;
}
