/* fuzz_wire_data.c - frames from a hostile worker into the data role, in front of a store of arrays.
 *
 * The input's first byte says how its bytes are cut into pieces, how the store behaves, and whether there is a Redis of arrays, too. Whatever comes: nothing is
 * left behind when the worker has gone, no transaction is left open, no statement with a scope is run, and no batch acts for a principal that was
 * never shown. */
#include "../unit/data/fake_redis.h"
#include "../unit/data/fake_store.h"

#include "core/limits.h"
#include "core/log.h"
#include "core/loop.h"
#include "data/credentials.h"
#include "data/role.h"

#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- a contract and statements ----------------------------------------------------------------------------------- */
static struct requirement need_admin[] = { { .demands = { { 0, 2 } }, .demand_count = 1 } };
static struct rate_limit limits[] = {
    { .quota = 3, .window_us = 60000000, .name = LIMEN_STR_INIT("often"), .policy = 1 },
    { .quota = 3, .window_us = 3600000000, .name = LIMEN_STR_INIT("often"), .policy = 2 },
};
static struct operation operations[] = {
    { .index = 0, .is_public = true, .limits = limits, .limit_count = 2 },
    { .index = 1, .requirements = need_admin, .requirement_count = 1 },
};
static struct security_scheme schemes[] = {
    { .roles = 3, .sign_up_roles = 1 },
    { .kind = SCHEME_BEARER,
      .roles = 1,
      .issuer = LIMEN_STR_INIT("https://id.example"),
      .audience = LIMEN_STR_INIT("shop"),
      .algorithms = { LIMEN_STR_INIT("HS256") },
      .algorithm_count = 1,
      .roles_claim = LIMEN_STR_INIT("scope") },
    { .kind = SCHEME_API_KEY, .roles = 2 },
    { .name = LIMEN_STR_INIT("billing"), .kind = SCHEME_WEBHOOK, .roles = 2 },
};
static struct contract contract = {
    .operations = operations,
    .operation_count = 2,
    .policy_count = 3,
    .schemes = schemes,
    .scheme_count = 4,
    .roles = { LIMEN_STR_INIT("customer"), LIMEN_STR_INIT("admin") },
    .role_count = 2,
};
static struct statement_param params[] = {
    { LIMEN_STR_INIT("a"), LIMEN_TYPE_TEXT, true, false },
    { LIMEN_STR_INIT("b"), LIMEN_TYPE_INT, false, true },
};
static struct statement_column column[] = { { LIMEN_STR_INIT("a"), LIMEN_TYPE_TEXT, false, 0 } };
#define ROWS .columns = column, .column_count = 1
static struct statement statements[] = {
    { .number = 0, .kind = STATEMENT_MANY, .params = params, .param_count = 1, ROWS },
    { .number = 1, .kind = STATEMENT_EXEC, .params = params, .param_count = 2 },
    { .number = 2, .kind = STATEMENT_RETURNING, .params = params, .param_count = 1, ROWS },
    { .number = 3, .kind = STATEMENT_MANY, .scope = LIMEN_STR_INIT("admin"), ROWS },
    { .number = 4, .kind = STATEMENT_MANY, .scope = LIMEN_STR_INIT("system"), ROWS },
};
static struct query_set queries = { .statements = statements, .count = 5 };

/* ---- a hash pool without threads --------------------------------------------------------------------------------- */
static struct hash_job *jobs;

struct hash_pool *hash_pool_new(struct loop *loop, uint32_t threads, uint32_t queue_ceiling)
{
    (void)loop, (void)threads, (void)queue_ceiling;
    return (struct hash_pool *)&jobs;
}

void hash_pool_free(struct hash_pool *pool)
{
    (void)pool;
}

bool hash_pool_submit(struct hash_pool *pool, struct hash_job *job)
{
    (void)pool;
    job->next = jobs;
    jobs = job;
    return true;
}

/* A password is right when it begins with 'r'. */
static void finish_jobs(void)
{
    while (jobs != NULL) {
        struct hash_job *job = jobs;
        jobs = job->next;
        job->outcome = !job->is_verify || (job->password_bytes > 0 && job->password[0] == 'r') ? HASH_OK : HASH_WRONG;
        if (!job->is_verify)
            memcpy(job->encoded, "hash", 5);
        explicit_bzero(job->password, job->password_bytes);
        job->on_done(job);
    }
}

/* ---- what must hold ---------------------------------------------------------------------------------------------- */
/* No scope's role is ever shown here: such a statement must not get as far as the store. */
static void check_held(void)
{
    for (const struct store_task *task = fake.held; task != NULL; task = task->next) {
        bool is_read = task->kind == STORE_READ || task->kind == STORE_STEP;
        if (is_read && (task->statement->scope.len > 0 || task->param_count != task->statement->param_count))
            abort();
        for (uint32_t i = 0; i < task->item_count; i++)
            if (task->items[i].param_count != task->items[i].statement->param_count)
                abort();
        if (task->has_key && (task->principal.id_len == 0 || task->key.len > LIMIT_IDEMPOTENCY_KEY_BYTES))
            abort();
    }
}

static struct loop *loop;
static struct data_role *role, *roles[2]; /* without and with Redis */
static struct arena arena;

static void open_once(void)
{
    static const struct redis_url url = { .port = 6379 };
    if (role != NULL)
        return;
    log_init(LOG_FORMAT_JSON, (enum log_level)(LOG_LEVEL_ERROR + 1), "fuzz", 0);
    struct diags diags;
    struct data_role_config config = {
        .store = { .contract = &contract, .queries = &queries },
        .jwks = { [1] = { .source = LIMEN_STR("keys"),
                          .json = LIMEN_STR(
                              "{\"kty\":\"oct\",\"k\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"}") } },
    };
    arena_init(&arena, NULL, 1024U * 1024);
    diags_init(&diags, &arena);
    loop = loop_new();
    for (int i = 0; i < 2; i++) {
        config.redis = i == 0 ? NULL : &url;
        config.limit_scale = 1;
        roles[i] = data_role_new(loop, &config, &arena, &diags);
        if (roles[i] == NULL)
            abort();
    }
}

static void reset_store(uint8_t behaviour)
{
    fake_redis_reset();
    fake_redis.is_immediate = (behaviour & 1) != 0;
    fake_redis.is_away = (behaviour & 8) != 0;
    fake_redis.talks_nonsense = (behaviour & 16) != 0;
    role = roles[(behaviour & 6) == 6];
    memset(&fake, 0, sizeof(fake));
    fake.is_immediate = (behaviour & 1) != 0;
    fake.row_count = behaviour & 2 ? 400 : 1;
    fake.row_text_bytes = behaviour & 4 ? 1000 : 3;
    fake.fault = behaviour & 8 ? STORE_REFUSED : STORE_OK;
    fake.returned_bytes = behaviour & 16 ? 50000 : 0;
    (void)fake_add_account(LIMEN_STR("a@b.example"), LIMEN_STR("hash"),
                           fake_principal(LIMEN_STR("acc_a"), LIMEN_STR("a@b.example"), 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char replies[1 << 16];
    int pair[2];
    if (size < 1 || size > 100000)
        return 0;
    open_once();
    reset_store(data[0]);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0
        || !data_role_add_worker(role, 0, pair[0]))
        abort();
    size_t piece = data[0] & 32 ? 7 : 4096;
    for (size_t at = 1; at < size; at += piece) {
        size_t bytes = size - at < piece ? size - at : piece;
        if (send(pair[1], data + at, bytes, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
            break;
        loop_turn(loop, 0);
        check_held();
        if ((data[0] & 64) == 0)
            fake_finish_all((data[0] & 128) != 0);
        finish_jobs();
        if ((data[0] & 64) == 0)
            fake_redis_answer_all();
        (void)recv(pair[1], replies, sizeof(replies), MSG_DONTWAIT);
    }
    close(pair[1]);
    for (int i = 0; i < 1000 && !data_role_is_idle(role); i++) {
        loop_turn(loop, 0);
        fake_redis_answer_all();
        fake_finish_all(false);
        finish_jobs();
    }
    loop_turn(loop, 0);
    if (!data_role_is_idle(role) || fake.open != 0)
        abort();
    return 0;
}
