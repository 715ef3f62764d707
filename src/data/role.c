/* role.c - the data role: opening, the first account, workers, closing.
 *
 * The way of a frame is in role_worker.c (what arrives), role_parse.c (what is allowed), role_request.c (what happens)
 * and role_send.c (what leaves). */
#include "data/role.h"

#include "core/log.h"
#include "data/role_internal.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Resolves every statement's scope to a role's bit, once. */
static bool resolve_scopes(struct data_role *role, struct arena *arena, struct diags *diags)
{
    const struct query_set *queries = role->queries;
    role->scopes = ARENA_NEW_ARRAY(arena, uint32_t, queries->count);
    if (role->scopes == NULL)
        return false;
    bool is_sound = true;
    for (uint32_t i = 0; i < queries->count; i++) {
        const struct statement *statement = &queries->statements[i];
        if (statement->scope.len == 0)
            continue;
        role->scopes[i] = str_equal(statement->scope, LIMEN_STR("system"))
            ? ROLE_SCOPE_SYSTEM
            : contract_role(role->contract, statement->scope);
        if (role->scopes[i] != ROLE_SCOPE_NONE)
            continue;
        diags_add_at(diags, queries->file, statement->line, 1,
                     LIMEN_STR("name a role of the contract's `x-roles`, or `system`"),
                     "statement '%.*s' has the scope '%.*s', which is no role of the contract",
                     LIMEN_STR_ARG(statement->name), LIMEN_STR_ARG(statement->scope));
        is_sound = false;
    }
    return is_sound;
}

static const struct security_scheme *scheme_with_first_account(const struct contract *contract)
{
    for (uint32_t i = 0; i < contract->scheme_count; i++)
        if (contract->schemes[i].has_first_account)
            return &contract->schemes[i];
    return NULL;
}

/* Makes the contract's first account when there is none yet, and the dummy hash. A generated password that was not
 * needed serves as the one that nobody knows: so a start hashes once. */
static bool make_first_account(struct data_role *role, void (*on_first_account)(limen_str email, limen_str password))
{
    const struct security_scheme *scheme = scheme_with_first_account(role->contract);
    char password[GENERATED_PASSWORD_BYTES];
    password_generate(password);
    bool is_sound = password_hash(str_of(password), role->dummy_hash);
    if (is_sound && scheme != NULL
        && store_first_account(role->store, scheme->first_id, scheme->first_email, str_of(role->dummy_hash),
                               scheme->first_roles)) {
        if (on_first_account != NULL)
            on_first_account(scheme->first_email, str_of(password));
        password_generate(password);
        is_sound = password_hash(str_of(password), role->dummy_hash);
    }
    explicit_bzero(password, sizeof(password));
    return is_sound;
}

static bool open_redis(struct data_role *role, const struct data_role_config *config, struct arena *arena)
{
    if (config->redis == NULL)
        return true;
    role->redis = redis_new(role->loop, config->redis);
    return role->redis != NULL && role_limits_open(role, config->limit_scale, arena);
}

struct data_role *data_role_new(struct loop *loop, const struct data_role_config *config, struct arena *arena,
                                struct diags *diags)
{
    struct data_role *role = calloc(1, sizeof(*role));
    if (role == NULL)
        return NULL;
    role->loop = loop;
    role->contract = config->store.contract;
    role->queries = config->store.queries;
    role->on_breach = config->on_breach;
    role->app_name = str_slice(config->app_name, 0, LIMIT_REDIS_NAME_BYTES);
    size_t diags_before = diags->count;
    role_webhooks_open(role, config);
    if (!resolve_scopes(role, arena, diags) || !role_tokens_open(role, config, diags)) {
        data_role_free(role);
        return NULL;
    }
    role->store = store_open(&config->store, loop, arena, diags);
    uint32_t threads = config->hash_threads;
    if (threads == 0 || threads > LIMIT_HASHES_AT_ONCE)
        threads = LIMIT_HASHES_AT_ONCE;
    bool has_redis = role->store != NULL && open_redis(role, config, arena);
    if (role->store != NULL)
        role->hashes = hash_pool_new(loop, threads, LIMIT_HASH_QUEUE);
    if (!has_redis || role->hashes == NULL || !role_effects_open(role, config)
        || !make_first_account(role, config->on_first_account)) {
        if (diags->count == diags_before)
            diags_add_at(diags, config->store.url, 0, 0, LIMEN_STR(""), "the data role lacks memory or threads");
        data_role_free(role);
        return NULL;
    }
    return role;
}

bool data_role_add_worker(struct data_role *role, uint32_t number, int fd)
{
    if (number >= LIMIT_WORKERS) {
        close(fd);
        return false;
    }
    if (role->workers[number] != NULL)
        role_worker_close(role->workers[number]);
    role->workers[number] = role_worker_new(role, number, fd);
    return role->workers[number] != NULL;
}

bool data_role_is_idle(const struct data_role *role)
{
    for (uint32_t i = 0; i < LIMIT_WORKERS; i++)
        if (role->workers[i] != NULL && wire_pipe_unsent(&role->workers[i]->pipe) > 0)
            return false;
    return role->live == NULL && role_effects_are_idle(role);
}

void data_role_drain(struct data_role *role)
{
    role->is_draining = true;
    role_effects_stop(role);
}

bool data_role_is_settled(const struct data_role *role)
{
    return role->redis == NULL || redis_was_tried(role->redis);
}

bool data_role_has_lost_database(const struct data_role *role)
{
    return store_is_away(role->store);
}

struct redis_status data_role_redis(const struct data_role *role)
{
    return role->redis == NULL ? (struct redis_status){ 0 } : redis_status(role->redis);
}

static void free_requests(struct role_request *request)
{
    while (request != NULL) {
        struct role_request *next = request->next_live;
        arena_release(&request->arena);
        arena_pool_free(request->pool);
        free(request);
        request = next;
    }
}

void data_role_free(struct data_role *role)
{
    if (role == NULL)
        return;
    role->is_closing = true;
    role_effects_stop(role);
    for (uint32_t i = 0; i < LIMIT_WORKERS; i++)
        if (role->workers[i] != NULL)
            role_worker_close(role->workers[i]);
    redis_free(role->redis);
    hash_pool_free(role->hashes);
    if (role->store != NULL)
        store_close(role->store);
    free_requests(role->live); /* those that were with the pool, and those that the store did not hand back */
    free_requests(role->spare);
    role_effects_close(role);
    role_tokens_close(role);
    free(role);
}

static const int numbers[] = { SYS_recvfrom, SYS_eventfd2 };
static const struct syscall_rule rules[] = { SYSCALL_UNLESS(SYS_sendto, 3, ~(unsigned)(MSG_NOSIGNAL | MSG_DONTWAIT)) };
const struct syscall_list data_role_syscalls = { numbers, 2, rules, 1 };
