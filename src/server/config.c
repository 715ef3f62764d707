/* config.c - one table of settings, and the three places where they may stand. */
#include "server/config.h"

#include "contract/doc.h"
#include "core/arena.h"
#include "edge/edge.h"
#include "server/effect_target.h"
#include "server/jwks_source.h"
#include "server/listen.h"
#include "server/redis_source.h"
#include "server/secret.h"
#include "server/users.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIG_FILE_BYTES (256U * 1024)

enum setting_kind { SETTING_TEXT, SETTING_LIST, SETTING_NUMBER, SETTING_BYTES, SETTING_SWITCH };

struct setting {
    const char *flag, *environment;
    enum setting_kind kind;
    size_t offset;
    const char *value;   /* how --help names it; NULL for a switch */
    const char *initial; /* the default */
    int64_t least, most; /* NUMBER; BYTES: `least` */
    const char *choices; /* TEXT: "a|b|c", or NULL */
    const char *help;
    bool (*is_valid)(limen_str value); /* TEXT, LIST; NULL: anything */
    const char *wanted;                /* what to give instead */
    bool may_be_secret;                /* a wrong value is not repeated: it could be what should be in a file */
};

static bool is_address_or_off(limen_str value)
{
    return str_equal(value, LIMEN_STR("off")) || listen_is_address(value);
}

#define ADDRESS_WANTED "give it as HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080"

#define FIELD(member) offsetof(struct config, member)
static const struct setting settings[] = {
    { .flag = "listen",
      .environment = "LIMEN_LISTEN",
      .kind = SETTING_LIST,
      .offset = FIELD(listen),
      .value = "HOST:PORT",
      .initial = "127.0.0.1:8080",
      .is_valid = listen_is_address,
      .wanted = ADDRESS_WANTED,
      .help = "where clients connect; may be given more than once" },
    { .flag = "operator",
      .environment = "LIMEN_OPERATOR",
      .kind = SETTING_TEXT,
      .offset = FIELD(operator),
      .value = "HOST:PORT",
      .initial = "127.0.0.1:8081",
      .is_valid = is_address_or_off,
      .wanted = ADDRESS_WANTED ", or off",
      .help = "/healthz, /readyz and /metrics; `off` for none" },
    { .flag = "workers",
      .environment = "LIMEN_WORKERS",
      .kind = SETTING_NUMBER,
      .offset = FIELD(workers),
      .value = "N",
      .initial = "0",
      .least = 0,
      .most = LIMIT_WORKERS,
      .help = "worker processes; 0: as many as cores that the process may use" },
    { .flag = "database",
      .environment = "LIMEN_DATABASE",
      .kind = SETTING_TEXT,
      .offset = FIELD(database),
      .value = "URL",
      .initial = "sqlite:var/%s.db",
      .help = "where the state is" },
    { .flag = "database-connections",
      .environment = "LIMEN_DATABASE_CONNECTIONS",
      .kind = SETTING_NUMBER,
      .offset = FIELD(database_connections),
      .value = "N",
      .initial = "8",
      .least = LIMIT_PG_CONNECTIONS_LEAST,
      .most = LIMIT_PG_CONNECTIONS,
      .help = "connections to PostgreSQL; an eighth of them, one at least, is for statements that are `-- slow`" },
    { .flag = "redis",
      .environment = "LIMEN_REDIS",
      .kind = SETTING_TEXT,
      .offset = FIELD(redis),
      .value = "URL",
      .initial = "",
      .is_valid = redis_source_is_valid,
      .wanted =
          "give it as redis://[:PASSWORD@]HOST:PORT[/DATABASE], or @FILE that holds it; TLS (rediss://) needs a tunnel",
      .may_be_secret = true,
      .help = "sessions and limits that several servers share; @FILE: a file that holds the URL" },
    { .flag = "migrate",
      .environment = "LIMEN_MIGRATE",
      .kind = SETTING_TEXT,
      .offset = FIELD(migrate),
      .value = "MODE",
      .initial = "auto",
      .choices = "auto|wait|off",
      .help = "pending migrations: apply, wait until another applies them, or refuse to start" },
    { .flag = "trusted-proxy",
      .environment = "LIMEN_TRUSTED_PROXY",
      .kind = SETTING_LIST,
      .offset = FIELD(trusted_proxies),
      .value = "CIDR",
      .initial = "",
      .is_valid = edge_is_cidr,
      .wanted = "give an address or a range, such as 10.0.0.0/8 or fd00::/8",
      .help = "a proxy whose X-Forwarded-For is believed; may be given more than once" },
    { .flag = "jwks",
      .environment = "LIMEN_JWKS",
      .kind = SETTING_LIST,
      .offset = FIELD(jwks),
      .value = "SCHEME=SOURCE",
      .initial = "",
      .is_valid = jwks_source_is_valid,
      .wanted = "give it as SCHEME=FILE or SCHEME=https://…, the scheme being a bearer one of the contract",
      .help = "the keys of a bearer scheme's issuer, in place of the contract's x-jwks; may be given more than once" },
    { .flag = "secret",
      .environment = "LIMEN_SECRET",
      .kind = SETTING_LIST,
      .offset = FIELD(secrets),
      .value = "NAME=@FILE",
      .initial = "",
      .is_valid = secret_is_valid,
      .may_be_secret = true,
      .wanted = "give it as NAME=@FILE: a secret itself would be seen by whoever lists processes",
      .help = "the file with a secret: of an effect's target, of a webhook's scheme; may be given more than once" },
    { .flag = "limit-scale",
      .environment = "LIMEN_LIMIT_SCALE",
      .kind = SETTING_NUMBER,
      .offset = FIELD(limit_scale),
      .value = "N",
      .initial = "1",
      .least = 1,
      .most = 1000000,
      .help = "multiplies every quota: for load tests only" },
    { .flag = "drain",
      .environment = "LIMEN_DRAIN",
      .kind = SETTING_NUMBER,
      .offset = FIELD(drain_s),
      .value = "SECONDS",
      .initial = "10",
      .least = 1,
      .most = 600,
      .help = "after SIGTERM, how long calls under way may take" },
    { .flag = "drain-notice",
      .environment = "LIMEN_DRAIN_NOTICE",
      .kind = SETTING_NUMBER,
      .offset = FIELD(notice_s),
      .value = "SECONDS",
      .initial = "0",
      .least = 0,
      .most = 600,
      .help = "after SIGTERM, how long /readyz says 503 before the server stops accepting, so that balancers see it" },
    { .flag = "reload-timeout",
      .environment = "LIMEN_RELOAD_TIMEOUT",
      .kind = SETTING_NUMBER,
      .offset = FIELD(reload_timeout_s),
      .value = "SECONDS",
      .initial = "300",
      .least = 1,
      .most = 86400,
      .help = "after SIGHUP, how long the next server may take before it serves, its migrations included" },
    { .flag = "worker-memory",
      .environment = "LIMEN_WORKER_MEMORY",
      .kind = SETTING_BYTES,
      .offset = FIELD(worker_memory),
      .value = "SIZE",
      .initial = "auto",
      .least = LIMIT_WORKER_MEMORY_LEAST,
      .help =
          "what the calls of one worker may need, such as 512MiB; auto: half of the machine, shared by the workers" },
    { .flag = "connections-per-address",
      .environment = "LIMEN_CONNECTIONS_PER_ADDRESS",
      .kind = SETTING_NUMBER,
      .offset = FIELD(connections_per_address),
      .value = "N",
      .initial = "256",
      .least = 1,
      .most = LIMIT_CONNECTIONS_PER_WORKER,
      .help = "of one client, in each worker; more are closed at once. Trusted proxies have no such limit" },
    { .flag = "head-timeout",
      .environment = "LIMEN_HEAD_TIMEOUT",
      .kind = SETTING_NUMBER,
      .offset = FIELD(head_timeout_s),
      .value = "SECONDS",
      .initial = "10",
      .least = 1,
      .most = 3600,
      .help = "from the first byte of a request's head to its last" },
    { .flag = "body-timeout",
      .environment = "LIMEN_BODY_TIMEOUT",
      .kind = SETTING_NUMBER,
      .offset = FIELD(body_timeout_s),
      .value = "SECONDS",
      .initial = "30",
      .least = 1,
      .most = 3600,
      .help = "for all of a body" },
    { .flag = "idle-timeout",
      .environment = "LIMEN_IDLE_TIMEOUT",
      .kind = SETTING_NUMBER,
      .offset = FIELD(idle_timeout_s),
      .value = "SECONDS",
      .initial = "60",
      .least = 1,
      .most = 3600,
      .help = "between two requests of a connection" },
    { .flag = "write-timeout",
      .environment = "LIMEN_WRITE_TIMEOUT",
      .kind = SETTING_NUMBER,
      .offset = FIELD(write_timeout_s),
      .value = "SECONDS",
      .initial = "30",
      .least = 1,
      .most = 3600,
      .help = "after which a client that reads its replies too slowly is cut off" },
    { .flag = "least-rate",
      .environment = "LIMEN_LEAST_RATE",
      .kind = SETTING_NUMBER,
      .offset = FIELD(least_rate),
      .value = "BYTES",
      .initial = "1024",
      .least = 1,
      .most = 1024 * 1024,
      .help = "a second, that a client must send of a body and read of its replies" },
    { .flag = "log-format",
      .environment = "LIMEN_LOG_FORMAT",
      .kind = SETTING_TEXT,
      .offset = FIELD(log_format),
      .value = "FORMAT",
      .initial = "auto",
      .choices = "auto|json|text",
      .help = "auto: text on a terminal, else JSON lines" },
    { .flag = "log-level",
      .environment = "LIMEN_LOG_LEVEL",
      .kind = SETTING_TEXT,
      .offset = FIELD(log_level),
      .value = "LEVEL",
      .initial = "info",
      .choices = "debug|info|warn|error",
      .help = "the least important lines that are written" },
    { .flag = "ca-file",
      .environment = "LIMEN_CA_FILE",
      .kind = SETTING_TEXT,
      .offset = FIELD(ca_file),
      .value = "FILE",
      .initial = "/etc/ssl/certs/ca-certificates.crt",
      .help = "authorities (PEM) whose certificates are believed when the server fetches something" },
    { .flag = "fetch-private",
      .environment = "LIMEN_FETCH_PRIVATE",
      .kind = SETTING_LIST,
      .offset = FIELD(fetch_private),
      .value = "HOST",
      .initial = "",
      .help = "a host that may be fetched from at a private or loopback address; may be given more than once" },
    { .flag = "effect-target",
      .environment = "LIMEN_EFFECT_TARGET",
      .kind = SETTING_LIST,
      .offset = FIELD(effect_targets),
      .value = "NAME=URL",
      .initial = "",
      .is_valid = effect_target_is_valid,
      .wanted = "give it as payments=https://HOST, or payments=http://HOST for one that --fetch-private names",
      .help = "where effects are sent; without it they wait" },
    { .flag = "payment-method",
      .environment = "LIMEN_PAYMENT_METHOD",
      .kind = SETTING_TEXT,
      .offset = FIELD(payment_method),
      .value = "ID",
      .initial = "pm_card_visa",
      .is_valid = payment_method_is_valid,
      .wanted = "give the provider's id of a payment method",
      .help = "what a charge is paid with when it names nothing: for tests" },
    { .flag = "check-replies",
      .environment = "LIMEN_CHECK_REPLIES",
      .kind = SETTING_SWITCH,
      .offset = FIELD(checks_replies),
      .initial = "",
      .help = "hold every reply against its schema: for tests" },
    { .flag = "uid-base",
      .environment = "LIMEN_UID_BASE",
      .kind = SETTING_TEXT,
      .offset = FIELD(uid_base),
      .value = "N",
      .initial = USERS_BASE,
      .is_valid = users_is_base,
      .wanted = USERS_WANTED,
      .help = "started as root, roles become users from this number on; `off`: they stay root" },
    { .flag = "no-sandbox",
      .environment = "LIMEN_NO_SANDBOX",
      .kind = SETTING_SWITCH,
      .offset = FIELD(no_sandbox),
      .initial = "",
      .help = "leave roles their system calls: for debuggers only" },
    { .flag = "strict-sandbox",
      .environment = "LIMEN_STRICT_SANDBOX",
      .kind = SETTING_SWITCH,
      .offset = FIELD(strict_sandbox),
      .initial = "",
      .help = "do not run where the kernel lacks a part of the sandbox" },
    { .flag = "help", .kind = SETTING_SWITCH, .offset = FIELD(wants_help), .initial = "", .help = "this page" },
};
#define SETTING_COUNT (sizeof(settings) / sizeof(settings[0]))

/* ---- setting one ------------------------------------------------------------------------------------------------------ */

static bool complain(const struct setting *setting, const char *source, limen_str value, const char *wanted)
{
    if (setting->may_be_secret)
        value = LIMEN_STR("(not shown)");
    fprintf(stderr, "%s%s: '%.*s' is not right: %s\n", source, setting->flag, LIMEN_STR_ARG(value), wanted);
    return false;
}

static bool is_choice(const char *choices, limen_str value)
{
    limen_str rest = str_of(choices);
    while (rest.len > 0) {
        if (str_equal(str_cut(&rest, '|'), value))
            return true;
    }
    return false;
}

static bool set_number(const struct setting *setting, const char *source, limen_str value, int64_t *target)
{
    char wanted[80];
    if (str_to_int64(value, target) && *target >= setting->least && *target <= setting->most)
        return true;
    snprintf(wanted, sizeof(wanted), "give a whole number from %lld to %lld", (long long)setting->least,
             (long long)setting->most);
    return complain(setting, source, value, wanted);
}

static bool set_bytes(const struct setting *setting, const char *source, limen_str value, int64_t *target)
{
    char wanted[80];
    size_t bytes;
    *target = 0;
    if (str_equal(value, LIMEN_STR("auto")))
        return true;
    if (str_to_bytes(value, &bytes) && bytes >= (size_t)setting->least) {
        *target = (int64_t)bytes;
        return true;
    }
    snprintf(wanted, sizeof(wanted), "give a size such as 512MiB, at least %lldMiB, or auto",
             (long long)setting->least / (1024 * 1024));
    return complain(setting, source, value, wanted);
}

static bool set_switch(const struct setting *setting, const char *source, limen_str value, bool *target)
{
    *target = str_equal(value, LIMEN_STR("true")) || str_equal(value, LIMEN_STR("1"));
    return *target || str_equal(value, LIMEN_STR("false")) || str_equal(value, LIMEN_STR("0"))
        || complain(setting, source, value, "give true or false");
}

/* Sets one value, or adds it to a list. */
static bool set(const struct setting *setting, const char *source, limen_str value, struct config *config)
{
    void *target = (char *)config + setting->offset;
    if (setting->is_valid != NULL && !setting->is_valid(value))
        return complain(setting, source, value, setting->wanted);
    switch (setting->kind) {
    case SETTING_TEXT:
        if (setting->choices != NULL && !is_choice(setting->choices, value))
            return complain(setting, source, value, setting->choices);
        *(limen_str *)target = value;
        return value.len > 0 || complain(setting, source, value, "it may not be empty");
    case SETTING_LIST: {
        struct config_list *list = target;
        if (list->count == LIMIT_LISTENERS)
            return complain(setting, source, value, "there are too many");
        list->items[list->count++] = value;
        return true;
    }
    case SETTING_NUMBER:
        return set_number(setting, source, value, target);
    case SETTING_BYTES:
        return set_bytes(setting, source, value, target);
    case SETTING_SWITCH:
        return set_switch(setting, source, value, target);
    }
    return false;
}

/* A list in one text: commas between. */
static bool set_all(const struct setting *setting, const char *source, limen_str value, struct config *config)
{
    if (setting->kind != SETTING_LIST)
        return set(setting, source, value, config);
    while (value.len > 0) {
        if (!set(setting, source, str_trim(str_cut(&value, ',')), config))
            return false;
    }
    return true;
}

/* ---- the three sources ------------------------------------------------------------------------------------------------ */

static const struct setting *find(limen_str flag)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (str_equal(str_of(settings[i].flag), flag))
            return &settings[i];
    }
    return NULL;
}

/* Takes `--flag value` or `--flag=value` at argv[*at]. */
static bool read_flag(int argc, char **argv, int *at, bool *is_set, struct config *config)
{
    limen_str rest = str_of(argv[*at]);
    if (!str_starts(rest, LIMEN_STR("--"))) {
        fprintf(stderr, "'%s' is no flag; see --help\n", argv[*at]);
        return false;
    }
    rest = str_slice(rest, 2, rest.len);
    bool has_value = str_find_char(rest, '=', 0) != SIZE_MAX;
    limen_str name = str_cut(&rest, '=');
    const struct setting *setting = find(name);
    if (setting == NULL) {
        fprintf(stderr, "there is no flag --%.*s; see --help\n", LIMEN_STR_ARG(name));
        return false;
    }
    if (!has_value && setting->kind == SETTING_SWITCH)
        rest = LIMEN_STR("true");
    else if (!has_value && *at + 1 < argc)
        rest = str_of(argv[++*at]);
    else if (!has_value)
        return complain(setting, "--", rest, "a value is missing");
    is_set[setting - settings] = true;
    return set(setting, "--", rest, config);
}

static bool read_environment(bool *is_set, struct config *config)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const char *value = settings[i].environment == NULL ? NULL : getenv(settings[i].environment);
        if (value == NULL || is_set[i])
            continue;
        is_set[i] = true;
        if (!set_all(&settings[i], "environment: ", str_of(value), config))
            return false;
    }
    return true;
}

static bool set_node(const struct setting *setting, const struct doc_node *node, struct config *config)
{
    if (node->kind == DOC_ARRAY && setting->kind == SETTING_LIST) {
        for (size_t i = 0; i < node->count; i++) {
            if (!set(setting, "limen.yaml: ", node->items[i]->text, config))
                return false;
        }
        return true;
    }
    limen_str value = node->kind == DOC_BOOL ? (node->boolean ? LIMEN_STR("true") : LIMEN_STR("false")) : node->text;
    return set_all(setting, "limen.yaml: ", value, config);
}

static bool read_nodes(const struct doc *doc, bool *is_set, struct config *config)
{
    for (size_t i = 0; i < doc->root->count; i++) {
        const struct doc_node *node = doc->root->items[i];
        const struct setting *setting = find(node->key);
        if (setting == NULL || setting->environment == NULL) {
            fprintf(stderr, "limen.yaml:%u:%u: there is no setting '%.*s'; see --help\n", node->key_line,
                    node->key_column, LIMEN_STR_ARG(node->key));
            return false;
        }
        size_t at = (size_t)(setting - settings);
        if (is_set[at])
            continue;
        is_set[at] = true;
        if (!set_node(setting, node, config))
            return false;
    }
    return true;
}

/* All of limen.yaml. False: `errno` tells why not. */
static bool read_yaml(struct arena *arena, limen_str *ret_text)
{
    int fd = open("limen.yaml", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    char *memory = arena_alloc(arena, CONFIG_FILE_BYTES + 1);
    ssize_t bytes = memory == NULL ? -1 : read(fd, memory, CONFIG_FILE_BYTES + 1);
    close(fd);
    if (bytes > (ssize_t)CONFIG_FILE_BYTES)
        errno = EFBIG;
    if (bytes < 0 || bytes > (ssize_t)CONFIG_FILE_BYTES)
        return false;
    *ret_text = str_make(memory, (size_t)bytes);
    return true;
}

static bool read_file(bool *is_set, struct arena *arena, struct config *config)
{
    struct doc doc;
    struct diags diags;
    struct buf text;
    limen_str yaml;
    errno = 0;
    if (!read_yaml(arena, &yaml)) {
        if (errno == ENOENT)
            return true;
        fprintf(stderr, "limen.yaml cannot be read: %s\n", strerror(errno));
        return false;
    }
    diags_init(&diags, arena);
    if (doc_parse(yaml, LIMEN_STR("limen.yaml"), arena, &doc, &diags))
        return read_nodes(&doc, is_set, config);
    buf_init(&text, arena, 1024);
    diags_write(&diags, &text, "error", /* colour= */ false);
    fwrite(text.ptr, 1, text.len, stderr);
    return false;
}

static bool fill_defaults(const bool *is_set, limen_str app_name, struct arena *arena, struct config *config)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        limen_str value = str_of(settings[i].initial);
        if (is_set[i] || value.len == 0)
            continue;
        size_t hole = str_find(value, LIMEN_STR("%s"), 0);
        if (hole != SIZE_MAX)
            value = arena_printf(arena, "%.*s%.*s%.*s", (int)hole, value.ptr, LIMEN_STR_ARG(app_name),
                                 LIMEN_STR_ARG(str_slice(value, hole + 2, value.len)));
        if (!set_all(&settings[i], "default: ", value, config))
            return false;
    }
    return true;
}

enum config_outcome config_read(int argc, char **argv, limen_str app_name, struct arena *arena,
                                struct config *ret_config)
{
    bool is_set[SETTING_COUNT] = { false };
    *ret_config = (struct config){ 0 };
    for (int at = 1; at < argc; at++) {
        if (!read_flag(argc, argv, &at, is_set, ret_config))
            return CONFIG_WRONG;
    }
    if (ret_config->wants_help)
        return CONFIG_HELP;
    bool ok = read_environment(is_set, ret_config) && read_file(is_set, arena, ret_config)
        && fill_defaults(is_set, app_name, arena, ret_config);
    return ok ? CONFIG_OK : CONFIG_WRONG;
}

limen_str config_join(const struct config_list *list, struct arena *arena)
{
    struct buf text;
    buf_init(&text, arena, 64);
    for (uint32_t i = 0; i < list->count; i++) {
        if (i > 0)
            buf_add_char(&text, ',');
        buf_add(&text, list->items[i]);
    }
    return buf_str(&text);
}

static void write_setting(const struct setting *setting, limen_str app_name, struct buf *out)
{
    char flag[64];
    snprintf(flag, sizeof(flag), "--%s%s%s", setting->flag, setting->value == NULL ? "" : " ",
             setting->value == NULL ? "" : setting->value);
    buf_printf(out, "  %-26s %s", flag, setting->help);
    if (setting->choices != NULL)
        buf_printf(out, " (%s)", setting->choices);
    BUF_ADD(out, "\n");
    if (setting->environment == NULL)
        return;
    buf_printf(out, "  %-26s %s", "", setting->environment);
    if (strstr(setting->initial, "%s") != NULL)
        buf_printf(out, "; default sqlite:var/%.*s.db", LIMEN_STR_ARG(app_name));
    else if (setting->initial[0] != '\0')
        buf_printf(out, "; default %s", setting->initial);
    BUF_ADD(out, "\n");
}

void config_write_help(limen_str app_name, struct buf *out)
{
    buf_printf(out,
               "usage: %.*s run [FLAG…]\n\nStarts the server. Each setting is a flag, a variable of the environment, "
               "or a line of limen.yaml\n"
               "(`limit-scale: 10`); a flag wins over the environment, and that over the file.\n\n",
               LIMEN_STR_ARG(app_name));
    for (size_t i = 0; i < SETTING_COUNT; i++)
        write_setting(&settings[i], app_name, out);
    BUF_ADD(out, "\nSIGTERM drains and ends with 0. Exit codes: 0 ended as asked, 1 start refused, 2 wrong usage.\n");
}
