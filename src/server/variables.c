/* variables.c - the environment of a role: its own settings and nothing else, so that no role learns what is another's. */
#include "server/variables.h"

#include "core/arena.h"
#include "core/log.h"
#include "server/users.h"

#include <stdlib.h>

struct writer {
    struct spawn *spawn;
    struct arena *arena;
    uint32_t count;
};

static void add(struct writer *out, limen_str variable)
{
    if (out->count == SPAWN_VARIABLES)
        BUG("a role has more variables than there is room for");
    out->spawn->variables[out->count++] = variable.ptr;
}

static void add_text(struct writer *out, const char *name, limen_str value)
{
    add(out, arena_printf(out->arena, "%s=%.*s", name, LIMEN_STR_ARG(value)));
}

static void add_number(struct writer *out, const char *name, int64_t value)
{
    add(out, arena_printf(out->arena, "%s=%lld", name, (long long)value));
}

static void add_list(struct writer *out, const char *name, const struct config_list *list)
{
    add_text(out, name, config_join(list, out->arena));
}

/* As it stands in our own environment. */
static void add_inherited(struct writer *out, const char *name)
{
    const char *value = getenv(name);
    if (value != NULL)
        add_text(out, name, str_of(value));
}

/* Where secrets are, not what they are: a role reads those that are its own. */
static void add_secrets(struct writer *out, const struct config *config)
{
    add_list(out, "LIMEN_SECRET", &config->secrets);
    add_inherited(out, "CREDENTIALS_DIRECTORY"); /* systemd's */
}

static void add_common(struct writer *out, const struct role_settings *settings)
{
    const struct config *config = settings->config;
    add_text(out, "LIMEN_LOG_FORMAT", config->log_format);
    add_text(out, "LIMEN_LOG_LEVEL", config->log_level);
    add_number(out, "LIMEN_WORKERS", settings->worker_count);
    add_number(out, "LIMEN_LISTENERS", out->spawn->listener_count);
    add_number(out, "LIMEN_NO_SANDBOX", config->no_sandbox);
    add_number(out, "LIMEN_STRICT_SANDBOX", config->strict_sandbox);
    add_number(out, "LIMEN_USER", users_of(config->uid_base, out->spawn->kind, out->spawn->number));
}

static void add_data(struct writer *out, const struct config *config)
{
    add_text(out, "LIMEN_DATABASE", config->database);
    add_number(out, "LIMEN_DATABASE_CONNECTIONS", config->database_connections);
    add_text(out, "LIMEN_MIGRATE", config->migrate);
    add_list(out, "LIMEN_JWKS", &config->jwks);
    add_secrets(out, config);
    add_list(out, "LIMEN_EFFECT_TARGET", &config->effect_targets);
    add_text(out, "LIMEN_REDIS", config->redis);
    add_number(out, "LIMEN_LIMIT_SCALE", config->limit_scale);
}

static void add_outbound(struct writer *out, const struct config *config)
{
    add_list(out, "LIMEN_JWKS", &config->jwks);
    add_text(out, "LIMEN_CA_FILE", config->ca_file);
    add_list(out, "LIMEN_FETCH_PRIVATE", &config->fetch_private);
    add_list(out, "LIMEN_EFFECT_TARGET", &config->effect_targets);
    add_text(out, "LIMEN_PAYMENT_METHOD", config->payment_method);
    add_secrets(out, config);
}

static void add_worker(struct writer *out, const struct role_settings *settings)
{
    const struct config *config = settings->config;
    add_number(out, "LIMEN_LIMIT_SCALE", config->limit_scale);
    add_number(out, "LIMEN_SHARED_LIMITS", config->redis.len > 0); /* not where they are: that is a secret */
    add_number(out, "LIMEN_CHECK_REPLIES", config->checks_replies);
    add_list(out, "LIMEN_TRUSTED_PROXY", &config->trusted_proxies);
    add_number(out, "LIMEN_WORKER_MEMORY", settings->worker_memory);
    add_number(out, "LIMEN_CONNECTIONS_PER_ADDRESS", config->connections_per_address);
    add_number(out, "LIMEN_HEAD_TIMEOUT", config->head_timeout_s);
    add_number(out, "LIMEN_BODY_TIMEOUT", config->body_timeout_s);
    add_number(out, "LIMEN_IDLE_TIMEOUT", config->idle_timeout_s);
    add_number(out, "LIMEN_WRITE_TIMEOUT", config->write_timeout_s);
    add_number(out, "LIMEN_LEAST_RATE", config->least_rate);
}

/* Sanitizers keep their options. */
static void add_sanitizers(struct writer *out)
{
    static const char *const names[] = { "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS" };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        add_inherited(out, names[i]);
}

void variables_add(const struct role_settings *settings, struct spawn *spawn, struct arena *arena)
{
    struct writer out = { .spawn = spawn, .arena = arena };
    add_common(&out, settings);
    if (spawn->kind == ROLE_DATA)
        add_data(&out, settings->config);
    if (spawn->kind == ROLE_OUTBOUND)
        add_outbound(&out, settings->config);
    if (spawn->kind == ROLE_WORKER)
        add_worker(&out, settings);
    add_sanitizers(&out);
    spawn->variables[out.count] = NULL;
}
