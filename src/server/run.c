/* run.c - the command `run`: settings, the same check as `limen check`, then the supervisor. */
#include "server/server.h"

#include "contract/contract.h"
#include "core/arena.h"
#include "core/log.h"
#include "core/sandbox.h"
#include "server/config.h"
#include "server/jwks_source.h"
#include "server/machine.h"
#include "server/supervisor.h"
#include "server/users.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static enum log_format format_of(limen_str name)
{
    if (str_equal(name, LIMEN_STR("json")))
        return LOG_FORMAT_JSON;
    return str_equal(name, LIMEN_STR("text")) ? LOG_FORMAT_TEXT : LOG_FORMAT_AUTO;
}

static void print(struct buf *text, FILE *file)
{
    fwrite(text->ptr, 1, text->len, file);
    text->len = 0;
}

/* `why`: errno of asking for Landlock. A container's filter says EPERM of a call that the kernel would take. */
static const char *mend_of_landlock(int why)
{
    if (why == EPERM)
        return "let landlock_create_ruleset, landlock_add_rule and landlock_restrict_self pass the filter of system "
               "calls that the server was started under (a container's, a unit's)";
    return "boot with lsm=landlock,…, or use Linux 5.13 or later";
}

/* Says what the sandbox will lack. False: the settings want it whole. */
static bool check_sandbox(const struct config *config)
{
    if (config->no_sandbox && config->strict_sandbox) {
        fprintf(stderr, "start refused: --strict-sandbox and --no-sandbox contradict each other; give one of them\n");
        return false;
    }
    if (config->no_sandbox)
        LOG_WARN("ROLES ARE NOT SANDBOXED: for debuggers only", log_text("setting", "no-sandbox"));
    if (config->no_sandbox || sandbox_landlock_version() > 0)
        return true;
    const char *mend = mend_of_landlock(errno);
    if (config->strict_sandbox) {
        fprintf(stderr,
                "start refused: there is no Landlock, and --strict-sandbox wants the whole sandbox; %s; or leave the "
                "flag out\n",
                mend);
        return false;
    }
    LOG_WARN("THE SANDBOX IS NOT WHOLE: there is no Landlock; paths are guarded by seccomp and file permissions alone",
             log_text("mend", mend));
    return true;
}

/* Of `scheme://user:PASSWORD@host…`, or `…?password=PASSWORD`. */
static bool holds_password(limen_str word)
{
    size_t scheme = str_find(word, LIMEN_STR("://"), 0);
    if (scheme == SIZE_MAX)
        return false;
    limen_str rest = str_slice(word, scheme + 3, word.len);
    limen_str authority = str_cut(&rest, '/');
    size_t host = str_find_char(authority, '@', 0), colon = str_find_char(authority, ':', 0);
    return (host != SIZE_MAX && colon < host) || str_find(word, LIMEN_STR("password="), 0) != SIZE_MAX;
}

static void warn_of_settings(const struct config *config, char *const *argv)
{
    for (size_t i = 1; argv[i] != NULL; i++) {
        if (holds_password(str_of(argv[i])))
            LOG_WARN("A PASSWORD STANDS ON THE COMMAND LINE, where whoever lists processes sees it",
                     log_int("argument", (int64_t)i),
                     log_text("mend", "put it into limen.yaml, the environment or a file"));
    }
    if (config->limit_scale != 1)
        LOG_WARN("EVERY QUOTA IS MULTIPLIED: for load tests only", log_int("limit_scale", config->limit_scale));
}

static int check_and_run(const struct limen_app *app, const struct config *config, char *const *argv,
                         struct arena *arena)
{
    struct contract contract;
    struct diags errors, warnings;
    struct buf text;
    bool has_colour = isatty(STDERR_FILENO) == 1;
    diags_init(&errors, arena);
    diags_init(&warnings, arena);
    buf_init(&text, arena, 4096);
    bool ok = contract_load(app, arena, &contract, &errors, &warnings)
        && jwks_sources_set(&contract, config_join(&config->jwks, arena), arena, &errors);
    if (ok)
        memory_check(&contract, (size_t)config->worker_memory, &errors);
    diags_write(&warnings, &text, "warning", has_colour);
    diags_write(&errors, &text, "error", has_colour);
    print(&text, stderr);
    if (!ok) {
        fprintf(stderr, "start refused: the contract does not say all that the boundary must know\n");
        contract_release(&contract);
        return 1;
    }
    if (errors.count > 0) {
        fprintf(stderr, "start refused: there are operations that no worker could ever admit\n");
        contract_release(&contract);
        return 1;
    }
    log_init(format_of(config->log_format), LOG_LEVEL_INFO, "supervisor", 0);
    warn_of_settings(config, argv);
    users_say(config->uid_base);
    int code = check_sandbox(config) ? supervisor_run(app, &contract, config, argv, arena) : 1;
    contract_release(&contract);
    return code;
}

/* Asked for before there is anybody to take it, a reload would end the process: it waits, and is done once this server serves. */
static void put_off_reload(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

int server_run(int argc, char **argv, const struct limen_app *app)
{
    struct arena arena;
    struct config config;
    struct buf text;
    int code = 2;
    put_off_reload();
    arena_init(&arena, NULL, SIZE_MAX);
    switch (config_read(argc - 1, argv + 1, app->name, &arena, &config)) {
    case CONFIG_OK:
        code = check_and_run(app, &config, argv, &arena);
        break;
    case CONFIG_HELP:
        buf_init(&text, &arena, 4096);
        config_write_help(app->name, &text);
        print(&text, stdout);
        code = 0;
        break;
    case CONFIG_WRONG:
        break;
    }
    arena_release(&arena);
    return code;
}
