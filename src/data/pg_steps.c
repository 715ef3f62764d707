/* pg_steps.c - what a task sends.
 *
 * A batch is one implicit transaction: who calls; the key, so that a second attempt waits for the first and then stops; a sign-up's
 * credential and session; the statements in the order in which they were queued. It is committed by its Sync, and not before: what an
 * earlier step has answered counts for nothing until the Sync has. */
#include "data/pg_pool.h"

#include "core/log.h"

#include <stdio.h>

#define ROLES_BYTES 2048U
#define FIRST_ROWS_BYTES 1024U

struct pg_work *pg_work_new(struct store_task *task)
{
    struct pg_work *work = ARENA_NEW(task->arena, struct pg_work);
    if (work == NULL)
        return NULL;
    work->task = task;
    work->step_room = PG_FIXED_STEPS + 2 * task->item_count;
    work->steps = ARENA_NEW_ARRAY(task->arena, struct pg_step, work->step_room);
    return work->steps == NULL ? NULL : work;
}

static bool is_slow(const struct statement *statement)
{
    return statement != NULL && statement->is_slow;
}

bool pg_task_is_slow(const struct store_task *task)
{
    if (is_slow(task->statement))
        return true;
    for (uint32_t i = 0; i < task->item_count; i++) {
        if (is_slow(task->items[i].statement))
            return true;
    }
    return false;
}

bool pg_work_is_lookup(const struct pg_work *work)
{
    if (work->task == NULL)
        return false;
    switch (work->task->kind) {
    case STORE_KEY_FIND:
    case STORE_SESSION_FIND:
    case STORE_API_KEY_FIND:
    case STORE_CREDENTIAL_FIND:
        return true;
    default:
        return work->resolves;
    }
}

/* ---- which steps ------------------------------------------------------------------------------------------------------------ */

static void add_step(struct pg_work *work, enum pg_step_kind kind, uint32_t number)
{
    if (work->step_count == work->step_room)
        BUG("a work has more steps than its task asks for");
    work->steps[work->step_count++] = (struct pg_step){ (uint8_t)kind, (uint16_t)number };
}

static bool is_unscoped(const struct statement *statement)
{
    return statement->scope.len > 0;
}

static void add_enter(struct pg_work *work)
{
    add_step(work, PG_STEP_OWN, PG_OWN_ENTER);
}

/* What is neither the app's nor a look-up says how long it may take. */
static void add_within(struct pg_work *work, enum pg_own own)
{
    add_step(work, PG_STEP_OWN, PG_OWN_WITHIN);
    add_step(work, PG_STEP_OWN, own);
}

/* The queue of a BATCH or a STEP; `statement` reads at its end, or is NULL. The scope is said again where it changes. */
static void add_queue(struct pg_work *work, const struct statement *statement)
{
    const struct store_task *task = work->task;
    bool was_unscoped = false;
    for (uint32_t i = 0; i < task->item_count; i++) {
        if (is_unscoped(task->items[i].statement) != was_unscoped)
            add_enter(work);
        was_unscoped = is_unscoped(task->items[i].statement);
        add_step(work, PG_STEP_ITEM, i);
    }
    if (statement == NULL)
        return;
    if (is_unscoped(statement) != was_unscoped)
        add_enter(work);
    add_step(work, PG_STEP_READ, 0);
}

static void add_sign_up(struct pg_work *work)
{
    if (work->task->sign_up == NULL)
        return;
    add_step(work, PG_STEP_OWN, PG_OWN_CREDENTIAL_INSERT);
    if (!work->task->sign_up->session_is_elsewhere)
        add_step(work, PG_STEP_OWN, PG_OWN_SESSION_INSERT);
}

static void add_batch(struct pg_work *work)
{
    const struct store_task *task = work->task;
    add_enter(work);
    if (task->has_key)
        add_step(work, PG_STEP_OWN, PG_OWN_KEY_INSERT);
    if (task->settlement != NULL)
        add_step(work, PG_STEP_OWN, PG_OWN_EFFECT_SETTLE);
    add_sign_up(work);
    add_queue(work, NULL);
    if (task->transaction != 0 && task->continues)
        add_step(work, PG_STEP_OWN, PG_OWN_COMMIT);
}

/* The key is looked up only: its reply is not there yet. */
static void add_interactive(struct pg_work *work)
{
    const struct store_task *task = work->task;
    if (!task->continues)
        add_step(work, PG_STEP_OWN, PG_OWN_BEGIN);
    add_enter(work);
    if (task->has_key)
        add_step(work, PG_STEP_OWN, PG_OWN_KEY_FIND);
    add_sign_up(work);
    add_queue(work, task->statement);
}

static void add_read(struct pg_work *work)
{
    add_enter(work);
    add_step(work, PG_STEP_READ, 0);
}

static void list_task_steps(struct pg_work *work)
{
    switch (work->task->kind) {
    case STORE_READ:
        add_read(work);
        return;
    case STORE_BATCH:
        add_batch(work);
        return;
    case STORE_STEP:
        add_interactive(work);
        return;
    case STORE_KEY_FIND:
        add_step(work, PG_STEP_OWN, PG_OWN_KEY_FIND);
        return;
    case STORE_SESSION_FIND:
        add_step(work, PG_STEP_OWN, PG_OWN_SESSION_FIND);
        return;
    case STORE_SESSION_START:
        add_within(work, PG_OWN_SESSION_INSERT);
        return;
    case STORE_SESSION_END:
        add_within(work, PG_OWN_SESSION_DELETE);
        return;
    case STORE_API_KEY_FIND:
        add_step(work, PG_STEP_OWN, PG_OWN_API_KEY_FIND);
        return;
    case STORE_CREDENTIAL_FIND:
        add_step(work, PG_STEP_OWN, PG_OWN_CREDENTIAL_FIND);
        return;
    case STORE_CREDENTIAL_REHASH:
        add_within(work, PG_OWN_CREDENTIAL_REHASH);
        return;
    case STORE_EFFECT_LEASE:
        add_within(work, PG_OWN_EFFECT_LEASE);
        return;
    case STORE_EFFECT_SETTLE:
        add_within(work, PG_OWN_EFFECT_SETTLE);
        return;
    case STORE_EFFECT_ASK:
        add_within(work, PG_OWN_EFFECT_ASK);
        return;
    case STORE_EFFECT_COUNT:
        add_within(work, PG_OWN_EFFECT_COUNT);
        return;
    }
}

static void list_steps(struct pg_work *work)
{
    work->step_count = 0;
    switch (work->chore) {
    case PG_CHORE_ROLLBACK:
        add_step(work, PG_STEP_OWN, PG_OWN_ROLLBACK);
        break;
    case PG_CHORE_CANCEL:
        add_step(work, PG_STEP_OWN, PG_OWN_BE_ANYBODY);
        add_step(work, PG_STEP_OWN, PG_OWN_CANCEL);
        break;
    case PG_CHORE_TOUCH:
        add_within(work, PG_OWN_SESSION_TOUCH);
        break;
    case PG_CHORE_PURGE:
        add_within(work, PG_OWN_PURGE_KEYS);
        add_step(work, PG_STEP_OWN, PG_OWN_PURGE_SESSIONS);
        add_step(work, PG_STEP_OWN, PG_OWN_PURGE_EFFECTS);
        break;
    case PG_CHORE_NONE:
        if (work->resolves)
            add_step(work, PG_STEP_OWN, PG_OWN_KEY_CONFIRM);
        else
            list_task_steps(work);
        break;
    }
    add_step(work, PG_STEP_SYNC, 0);
}

/* ---- the values of Limen's own ---------------------------------------------------------------------------------------------- */

static limen_str caller_of(const struct store_task *task)
{
    return task->principal.id_len == 0 ? (limen_str){ 0 } : principal_id(&task->principal);
}

/* The milliseconds that are left for it. */
static bool put_time(struct pg_values *values, const struct store_task *task, struct arena *arena)
{
    int64_t left_us = task == NULL ? LIMIT_PG_CHORE_US
        : task->deadline_us == 0   ? LIMIT_DATA_TIMEOUT_US
                                   : task->deadline_us - clock_mono_us();
    int64_t left_ms = left_us < 1000 ? 1 : left_us / 1000; /* 0 would be for ever */
    limen_str text = arena_printf(arena, "%lld", (long long)left_ms);
    pg_put_text(values, text);
    return text.ptr != NULL;
}

/* The scope is that of the step behind it. */
static bool put_enter(struct pg_values *values, const struct pg_work *work, uint32_t at, struct arena *arena)
{
    const struct store_task *task = work->task;
    const struct pg_step *next = &work->steps[at + 1];
    const struct statement *statement = next->kind == PG_STEP_ITEM ? task->items[next->number].statement
        : next->kind == PG_STEP_READ                               ? task->statement
                                                                   : NULL;
    pg_put_text(values, caller_of(task));
    pg_put_text(values, statement != NULL && is_unscoped(statement) ? LIMEN_STR("all") : LIMEN_STR(""));
    return put_time(values, task, arena);
}

static void put_key_insert(struct pg_values *values, const struct store_task *task)
{
    pg_put_text(values, principal_id(&task->principal));
    pg_put_text(values, task->key);
    pg_put_bytes(values, task->fingerprint, sizeof task->fingerprint);
    pg_put_int(values, task->status);
    pg_put_bytes(values, task->reply.ptr, task->reply.len);
    pg_put_int(values, task->now);
}

static bool put_credential(struct pg_values *values, const struct store_task *task, const struct pg_pool *pool,
                           struct arena *arena)
{
    struct buf roles;
    buf_init(&roles, arena, ROLES_BYTES);
    roles_write(pool->contract, task->principal.roles, &roles);
    if (roles.failed)
        return false;
    pg_put_text(values, principal_id(&task->principal));
    pg_put_text(values, task->sign_up->email);
    pg_put_text(values, task->sign_up->password_hash);
    pg_put_text(values, buf_str(&roles));
    pg_put_int(values, task->now);
    return true;
}

static bool put_touches(struct pg_values *values, struct pg_pool *pool)
{
    struct buf hashes, times;
    buf_init(&hashes, &pool->scratch, 64 + (size_t)pool->touch_count * (TOKEN_HASH_BYTES + 4));
    buf_init(&times, &pool->scratch, 64 + (size_t)pool->touch_count * 12);
    pg_put_array_head(&hashes, PG_BYTEA, pool->touch_count);
    pg_put_array_head(&times, PG_INT8, pool->touch_count);
    for (uint32_t i = 0; i < pool->touch_count; i++) {
        pg_put_array_bytes(&hashes, str_make((const char *)pool->touched[i], TOKEN_HASH_BYTES));
        pg_put_array_int(&times, pool->seen_at[i]);
    }
    if (hashes.failed || times.failed)
        return false;
    pg_put_bytes(values, hashes.ptr, hashes.len);
    pg_put_bytes(values, times.ptr, times.len);
    return true;
}

static bool put_own(struct pg_values *values, const struct pg_work *work, uint32_t at, struct pg_pool *pool)
{
    const struct store_task *task = work->task;
    switch ((enum pg_own)work->steps[at].number) {
    case PG_OWN_ENTER:
        return put_enter(values, work, at, &pool->scratch);
    case PG_OWN_WITHIN:
        return put_time(values, task, &pool->scratch);
    case PG_OWN_KEY_INSERT:
        put_key_insert(values, task);
        return true;
    case PG_OWN_KEY_FIND:
    case PG_OWN_KEY_CONFIRM:
        pg_put_text(values, principal_id(&task->principal));
        pg_put_text(values, task->key);
        return true;
    case PG_OWN_CREDENTIAL_INSERT:
        return put_credential(values, task, pool, &pool->scratch);
    case PG_OWN_CREDENTIAL_FIND:
        pg_put_text(values, task->email);
        return true;
    case PG_OWN_CREDENTIAL_REHASH:
        pg_put_text(values, principal_id(&task->principal));
        pg_put_text(values, task->password_hash);
        return true;
    case PG_OWN_SESSION_INSERT:
        pg_put_bytes(values, task->sign_up != NULL ? task->sign_up->token_hash : task->token_hash, TOKEN_HASH_BYTES);
        pg_put_text(values, principal_id(&task->principal));
        pg_put_int(values, task->now);
        return true;
    case PG_OWN_SESSION_DELETE:
    case PG_OWN_SESSION_FIND:
        pg_put_bytes(values, task->token_hash, TOKEN_HASH_BYTES);
        return true;
    case PG_OWN_API_KEY_FIND:
        pg_put_text(values, task->key_id);
        return true;
    case PG_OWN_SESSION_TOUCH:
        return put_touches(values, pool);
    case PG_OWN_PURGE_KEYS:
        pg_put_int(values, clock_wall_us() - KEYS_KEPT_US);
        pg_put_int(values, PURGE_ROWS);
        return true;
    case PG_OWN_PURGE_SESSIONS:
        pg_put_int(values, clock_wall_us() - LIMIT_SESSION_IDLE_US);
        pg_put_int(values, PURGE_ROWS);
        return true;
    case PG_OWN_PURGE_EFFECTS:
        pg_put_int(values, clock_wall_us() - LIMIT_EFFECT_KEPT_US);
        pg_put_int(values, PURGE_ROWS);
        return true;
    case PG_OWN_EFFECT_LEASE:
        return pg_put_lease(values, task, pool->queries, &pool->scratch);
    case PG_OWN_EFFECT_SETTLE:
        pg_put_settlement(values, task->settlement);
        return true;
    case PG_OWN_EFFECT_ASK:
        pg_put_text(values, task->news_of);
        pg_put_int(values, task->now);
        return true;
    case PG_OWN_CANCEL:
        pg_put_int(values, PQbackendPID(pool->cancelled->pg));
        return true;
    default:
        return true; /* no values */
    }
}

/* ---- sending ---------------------------------------------------------------------------------------------------------------- */

static bool put_item(struct pg_values *values, const struct store_task *task, const struct store_item *item,
                     struct pg_pool *pool)
{
    struct pg_effect effect = { 0 };
    if (item->statement->kind == STATEMENT_EFFECT && !pg_effect_make(task, item, &pool->scratch, &effect))
        return false;
    return pg_put_params(values, &pool->schema.statements[item->statement->number], item->params, caller_of(task),
                         task->now, &effect, &pool->scratch);
}

static bool put_statement(struct pg_values *values, const struct pg_work *work, const struct pg_step *step,
                          struct pg_pool *pool, uint32_t *ret_number)
{
    const struct store_task *task = work->task;
    struct store_item read = { task->statement, task->params, task->param_count };
    const struct store_item *item = step->kind == PG_STEP_ITEM ? &task->items[step->number] : &read;
    *ret_number = item->statement->number;
    return put_item(values, task, item, pool);
}

static bool send_values(PGconn *pg, char kind, uint32_t number, const struct pg_values *values)
{
    static const int IS_BINARY[PG_VALUES] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                              1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };
    _Static_assert(PG_VALUES == 38, "each of them is sent in binary");
    char name[16];
    (void)snprintf(name, sizeof name, "%c%u", kind, number);
    return PQsendQueryPrepared(pg, name, values->count, values->bytes, values->lengths, IS_BINARY,
                               /* resultFormat= */ 1)
        == 1;
}

/* libpq before 17 pushes what it has with each Sync. */
static bool send_sync(PGconn *pg)
{
#ifdef LIBPQ_HAS_SEND_PIPELINE_SYNC
    return PQsendPipelineSync(pg) == 1;
#else
    return PQpipelineSync(pg) == 1;
#endif
}

/* The statement is one of ours, of the right kind, and the values are as its prototype says: a worker sends what it likes. */
static bool is_sound_statement(const struct query_set *queries, const struct statement *statement, bool reads,
                               const limen_value *params, uint32_t count)
{
    if (!store_has_statement(queries, statement) || statement_is_read(statement) != reads)
        return false;
    bool fits = count == statement->param_count;
    for (uint32_t i = 0; fits && i < count; i++)
        fits = store_value_fits(&params[i], &statement->params[i]);
    if (!fits)
        store_log(statement, "parameters do not fit the prototype", "");
    return fits;
}

static bool is_sound(const struct store_task *task, const struct query_set *queries)
{
    bool writes = task->kind == STORE_BATCH || task->kind == STORE_STEP;
    bool needs_principal = task->sign_up != NULL || task->has_key; /* strangers would share keys */
    if (needs_principal && task->principal.id_len == 0)
        return false;
    if (task->kind == STORE_EFFECT_SETTLE && task->settlement == NULL)
        return false;
    for (uint32_t i = 0; writes && i < task->item_count; i++) {
        const struct store_item *item = &task->items[i];
        if (!is_sound_statement(queries, item->statement, /* reads= */ false, item->params, item->param_count))
            return false;
        if (item->statement->kind == STATEMENT_EFFECT && !pg_effect_fits(item))
            return false;
    }
    if (task->kind != STORE_READ && task->kind != STORE_STEP)
        return true;
    return is_sound_statement(queries, task->statement, /* reads= */ true, task->params, task->param_count);
}

static void begin_attempt(struct pg_work *work)
{
    struct store_task *task = work->task;
    work->at = 0;
    work->sent_at_us = clock_mono_us();
    work->has_failed = work->is_fatal = work->is_cancel_asked = work->runs_again = work->must_renew = false;
    work->is_here_only = false;
    work->outcome = STORE_OK;
    work->refused_by = 0;
    work->attempts++;
    if (task == NULL || work->resolves)
        return;
    task->row_count = 0;
    buf_init(&task->rows, task->arena, task->statement != NULL ? FIRST_ROWS_BYTES : 0);
    buf_init(&task->returned, task->arena, 0);
}

static bool send_step(const struct pg_work *work, uint32_t at, struct pg_pool *pool, PGconn *pg)
{
    const struct pg_step *step = &work->steps[at];
    struct pg_values values;
    uint32_t number = step->number;
    values.count = 0;
    if (step->kind == PG_STEP_SYNC)
        return send_sync(pg);
    if (step->kind == PG_STEP_OWN)
        return put_own(&values, work, at, pool) && send_values(pg, 'l', number, &values);
    return put_statement(&values, work, step, pool, &number) && send_values(pg, 's', number, &values);
}

/* What cannot be right is not begun; what then fails is the connection, or memory, and without its Sync nothing of it will be there. */
enum pg_sent pg_work_send(struct pg_work *work, struct pg_pool *pool, PGconn *pg)
{
    begin_attempt(work);
    if (work->task != NULL && !is_sound(work->task, pool->queries)) {
        work->task->outcome = STORE_ERROR;
        return PG_NOT_SENT;
    }
    list_steps(work);
    bool is_sent = true;
    for (uint32_t i = 0; i < work->step_count && is_sent; i++)
        is_sent = send_step(work, i, pool, pg);
    arena_release(&pool->scratch);
    return is_sent ? PG_SENT : PG_SEND_FAILED;
}
