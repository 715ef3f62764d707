/* role_request.c - a request's way through the store and the hash pool, to its answer.
 *
 * Most go to the store once. A sign-in goes three times: credential, then argon2 (an unknown email is verified too,
 * against a hash of a password that nobody knows, so that both take the same time), then the new session. A sign-up
 * only prepares: what it makes is committed with the slot's next batch. */
#include "data/role_internal.h"

#include "core/id.h"
#include "core/log.h"

#include <stdlib.h>

#define KEPT_BLOCKS 2 /* of 16 KiB, for each request kept */

/* ---- life -------------------------------------------------------------------------------------------------------- */
static struct role_request *request_take(struct data_role *role)
{
    struct role_request *request = role->spare;
    struct arena_pool *pool;
    if (request != NULL) {
        role->spare = request->next_live;
        role->spare_count--;
        pool = request->pool;
    } else {
        request = malloc(sizeof(*request));
        pool = request == NULL ? NULL : arena_pool_new(KEPT_BLOCKS);
        if (pool == NULL) {
            free(request);
            return NULL;
        }
    }
    memset(request, 0, sizeof(*request));
    request->pool = pool;
    request->role = role;
    arena_init(&request->arena, pool, LIMIT_TASK_ARENA_BYTES);
    return request;
}

static void on_hash_done(struct hash_job *job);

struct role_request *role_request_new(struct role_worker *worker, const struct wire_frame *frame)
{
    struct data_role *role = worker->role;
    struct role_request *request = request_take(role);
    if (request == NULL)
        return NULL;
    request->worker = worker;
    worker->request_count++;
    request->next_live = role->live;
    if (role->live != NULL)
        role->live->prev_live = request;
    role->live = request;

    request->type = frame->type;
    request->operation = frame->operation;
    request->slot = frame->slot;
    request->sequence = frame->sequence;
    request->task.arena = &request->arena;
    request->task.on_done = role_task_done;
    request->task.context = request;
    request->hash.on_done = on_hash_done;
    request->payload = arena_alloc(&request->arena, frame->payload.len);
    if (request->payload == NULL) {
        role_request_free(request);
        return NULL;
    }
    request->payload_bytes = request->asked_bytes = frame->payload.len;
    worker->asked_bytes += request->asked_bytes;
    memcpy(request->payload, frame->payload.ptr, frame->payload.len);
    return request;
}

void role_request_free(struct role_request *request)
{
    struct data_role *role = request->role;
    if (request->worker != NULL) {
        request->worker->request_count--;
        request->worker->asked_bytes -= request->asked_bytes;
    }
    if (request->prev_live != NULL)
        request->prev_live->next_live = request->next_live;
    else
        role->live = request->next_live;
    if (request->next_live != NULL)
        request->next_live->prev_live = request->prev_live;

    bool is_secret = request->type == WIRE_SHOW || request->type == WIRE_SIGN_IN || request->type == WIRE_SIGN_UP
        || request->type == WIRE_SIGN_OUT;
    if (is_secret && request->payload != NULL)
        explicit_bzero(request->payload, request->payload_bytes);
    if (request->has_token)
        explicit_bzero(request->token, sizeof(request->token));
    arena_release(&request->arena);
    if (role->is_closing || role->spare_count >= LIMIT_TASKS_KEPT) {
        arena_pool_free(request->pool);
        free(request);
        return;
    }
    request->next_live = role->spare;
    role->spare = request;
    role->spare_count++;
}

void role_request_drop(struct role_request *request)
{
    request->is_dropped = true;
    switch (request->place) {
    case ROLE_PLACE_AWAY: /* comes back by itself */
        __atomic_store_n(&request->task.is_cancelled, true, __ATOMIC_RELAXED);
        __atomic_store_n(&request->hash.is_cancelled, true, __ATOMIC_RELAXED);
        break;
    case ROLE_PLACE_RING:
        role_ring_remove(request->worker, request);
        role_request_free(request);
        break;
    case ROLE_PLACE_NONE:
        role_request_free(request);
        break;
    }
}

bool role_request_comes_back(struct role_request *request)
{
    struct role_worker *worker = request->worker;
    request->place = ROLE_PLACE_NONE;
    if (!request->is_dropped)
        return true;
    role_request_free(request);
    if (worker != NULL && worker->is_paused)
        loop_at_end(worker->role->loop, &worker->at_end);
    return false;
}

/* ---- steps ------------------------------------------------------------------------------------------------------- */
static void submit(struct role_request *request, enum store_task_kind kind)
{
    request->task.kind = kind;
    request->task.outcome = STORE_OK;
    request->task.next = NULL;
    request->place = ROLE_PLACE_AWAY;
    /* The request may be gone when these return. */
    if (request->role->redis != NULL && role_is_of_session(kind))
        role_session_submit(request);
    else
        store_submit(request->role->store, &request->task);
}

/* Signing in or up would end with a session that cannot be made: that is said before a password is hashed. */
static bool lacks_sessions(const struct role_request *request)
{
    bool makes_session = request->type == WIRE_SIGN_IN || request->type == WIRE_SIGN_UP;
    return makes_session && request->role->redis != NULL && !redis_is_up(request->role->redis);
}

void role_request_start(struct role_request *request)
{
    struct store_task *task = &request->task;
    bool is_empty = task->item_count == 0 && !task->has_key && task->sign_up == NULL && task->transaction == 0
        && task->settlement == NULL;
    if (request->type == WIRE_SHOW && request->role->contract->schemes[request->scheme].kind == SCHEME_BEARER)
        role_token_show(request);
    else if (request->type == WIRE_SHOW_SIGNED)
        role_webhook_show(request);
    else if (request->type == WIRE_LIMIT)
        role_limit_start(request);
    else if (lacks_sessions(request))
        role_request_answer(request, DATA_BUSY);
    else if (task->sign_up != NULL && request->role->redis != NULL)
        role_session_open(request);
    else if (task->kind == STORE_BATCH && is_empty)
        role_request_answer(request, DATA_OK); /* nothing to commit */
    else
        submit(request, task->kind);
}

/* The worker does not read what it has asked for: this result is not kept for it. What was committed stays so. */
static void give_up_result(struct role_request *request)
{
    bool is_committed = request->type == WIRE_BATCH && request->outcome == DATA_OK;
    request->outcome = is_committed ? DATA_UNKNOWN : DATA_BUSY;
    request->task.rows = request->task.returned = (struct buf){ 0 };
    request->task.reply = (limen_str){ 0 };
    request->rows_at = request->payload_bytes = 0;
    request->payload = NULL;
    arena_release(&request->arena);
}

static size_t result_bytes(const struct role_request *request)
{
    return request->task.rows.len + request->task.returned.len + request->task.reply.len;
}

void role_request_answer(struct role_request *request, enum data_outcome outcome)
{
    struct role_worker *worker = request->worker;
    size_t bytes = result_bytes(request);
    request->outcome = outcome;
    request->rows_at = outcome == DATA_OK ? 0 : request->task.rows.len;
    if (bytes > 0 && worker->held_bytes + bytes > LIMIT_WORKER_RESULTS_BYTES) {
        give_up_result(request);
        bytes = 0;
    }
    request->held_bytes = bytes;
    worker->held_bytes += bytes;
    role_ring_push(worker, request);
    loop_at_end(request->role->loop, &worker->at_end);
}

static enum data_outcome outcome_of(enum store_outcome outcome)
{
    switch (outcome) {
    case STORE_OK:
        return DATA_OK;
    case STORE_NONE:
        return DATA_NONE;
    case STORE_TAKEN:
        return DATA_TAKEN;
    case STORE_REFUSED:
        return DATA_REFUSED;
    case STORE_REPLAY:
        return DATA_REPLAY;
    case STORE_KEY_REUSED:
        return DATA_KEY_REUSED;
    case STORE_BUSY:
        return DATA_BUSY;
    case STORE_TIMEOUT:
        return DATA_TIMEOUT;
    case STORE_UNKNOWN:
        return DATA_UNKNOWN;
    case STORE_ERROR:
        return DATA_ERROR;
    }
    return DATA_ERROR;
}

static struct role_slot *slot_of(const struct role_request *request)
{
    return request->worker->slots[request->slot];
}

void role_bind(struct role_request *request)
{
    struct principal *principal = &request->task.principal;
    if (request->type == WIRE_SHOW || request->type == WIRE_SHOW_SIGNED)
        principal->roles &= request->role->contract->schemes[request->scheme].roles;
    role_slot_bind(slot_of(request), principal, request->is_more);
}

static void hash_submit(struct role_request *request, bool is_verify)
{
    struct hash_job *job = &request->hash;
    job->is_verify = is_verify;
    job->password = (char *)(uintptr_t)request->password.ptr; /* in the payload, which is ours */
    job->password_bytes = request->password.len;
    job->deadline_us = request->task.deadline_us;
    request->place = ROLE_PLACE_AWAY;
    if (!request->role->is_closing && hash_pool_submit(request->role->hashes, job))
        return;
    request->place = ROLE_PLACE_NONE;
    role_request_answer(request, DATA_BUSY);
}

/* Holds the password against `encoded`, HASH_TEXT_BYTES long. */
static void hash_verify(struct role_request *request, const char *encoded)
{
    memcpy(request->hash.encoded, encoded, HASH_TEXT_BYTES);
    hash_submit(request, /* is_verify= */ true);
}

static void hash_make(struct role_request *request)
{
    hash_submit(request, /* is_verify= */ false);
}

static void sign_in_found(struct role_request *request)
{
    struct store_task *task = &request->task;
    char encoded[HASH_TEXT_BYTES] = { 0 };
    request->is_unknown = task->outcome == STORE_NONE;
    if (request->is_unknown) {
        hash_verify(request, request->role->dummy_hash);
        return;
    }
    if (task->outcome != STORE_OK || task->password_hash.len >= sizeof(encoded)) {
        role_request_answer(request, task->outcome == STORE_OK ? DATA_ERROR : outcome_of(task->outcome));
        return;
    }
    memcpy(encoded, task->password_hash.ptr, task->password_hash.len);
    hash_verify(request, encoded);
}

static void sign_up_found(struct role_request *request)
{
    enum store_outcome outcome = request->task.outcome;
    if (outcome == STORE_NONE)
        hash_make(request);
    else
        role_request_answer(request, outcome == STORE_OK ? DATA_TAKEN : outcome_of(outcome));
}

static void start_session(struct role_request *request)
{
    token_make(request->token, request->task.token_hash);
    request->has_token = true;
    submit(request, STORE_SESSION_START);
}

/* What a hash that was not made comes to; the same for an email that nobody has. */
static enum data_outcome unhashed(const struct hash_job *job)
{
    return job->outcome == HASH_LATE ? DATA_TIMEOUT : DATA_BUSY;
}

static void sign_in_hashed(struct role_request *request)
{
    const struct hash_job *job = &request->hash;
    if (job->outcome == HASH_LATE || job->outcome == HASH_FAILED) {
        role_request_answer(request, unhashed(job));
    } else if (request->is_unknown || job->outcome == HASH_WRONG) {
        role_request_answer(request, DATA_NONE);
    } else if (job->is_rehashed) {
        request->task.password_hash = str_of(job->encoded);
        submit(request, STORE_CREDENTIAL_REHASH);
    } else {
        start_session(request);
    }
}

/* The slot becomes the account that its next batch will make. */
static void sign_up_hashed(struct role_request *request)
{
    if (request->hash.outcome != HASH_OK) {
        role_request_answer(request, unhashed(&request->hash));
        return;
    }
    struct role_slot *slot = slot_of(request);
    struct role_sign_up *sign_up = &slot->sign_up;
    struct principal *principal = &request->task.principal;
    limen_str email = request->task.email;
    char id[ID_BYTES];
    memset(principal, 0, sizeof(*principal));
    principal->id_len = (uint8_t)id_new(id, LIMEN_STR("acc"), request->task.now).len;
    memcpy(principal->id, id, principal->id_len);
    principal->email_len = sign_up->email_len = (uint8_t)email.len;
    memcpy(principal->email, email.ptr, email.len);
    memcpy(sign_up->email, email.ptr, email.len);
    principal->roles = request->role->contract->schemes[request->scheme].sign_up_roles;
    memcpy(sign_up->hash, request->hash.encoded, sizeof(sign_up->hash));
    token_make(request->token, sign_up->token_hash);
    request->has_token = true;
    slot->has_sign_up = true;
    slot->principal = *principal;
    role_request_answer(request, DATA_OK);
}

/* Whose transaction made an account and was not committed is nobody. */
static void transaction_ended(struct data_role *role, struct role_slot *slot, bool is_committed)
{
    if (slot->has_new_account && !is_committed)
        memset(&slot->principal, 0, sizeof(slot->principal));
    if (slot->has_new_session && !is_committed)
        role_session_undo(role, slot->new_session);
    slot->transaction = 0;
    slot->has_begun = slot->has_new_account = slot->has_new_session = false;
}

void role_slot_abandon(struct data_role *role, struct role_slot *slot)
{
    if (slot->transaction != 0)
        store_abandon(role->store, slot->transaction);
    transaction_ended(role, slot, /* is_committed= */ false);
}

static bool asks_for_effects(const struct store_task *task)
{
    for (uint32_t i = 0; i < task->item_count; i++) {
        if (task->items[i].statement->kind == STATEMENT_EFFECT)
            return true;
    }
    return false;
}

static void writes_done(struct role_request *request)
{
    struct role_slot *slot = slot_of(request);
    bool is_good = request->task.outcome == STORE_OK;
    if (request->task.settlement != NULL && (is_good || request->task.outcome == STORE_NONE))
        role_job_done(request->role, slot);
    if (is_good && request->role->effects.may_send && asks_for_effects(&request->task))
        role_effects_look(request->role);
    if (is_good && request->task.kind == STORE_STEP)
        slot->has_begun = true;
    else
        transaction_ended(request->role, slot, is_good);
    role_request_answer(request, outcome_of(request->task.outcome));
}

/* The new account's session is there, or its batch is not committed. */
static void session_opened(struct role_request *request)
{
    request->opens_session = false;
    if (request->task.outcome == STORE_OK)
        submit(request, request->task.kind);
    else
        writes_done(request);
}

void role_task_done(struct store_task *task)
{
    struct role_request *request = task->context;
    if (!role_request_comes_back(request))
        return;
    if (request->opens_session) {
        session_opened(request);
        return;
    }
    switch (task->kind) {
    case STORE_BATCH:
    case STORE_STEP:
        writes_done(request);
        return;
    case STORE_CREDENTIAL_FIND:
        if (request->type == WIRE_SIGN_UP)
            sign_up_found(request);
        else
            sign_in_found(request);
        return;
    case STORE_CREDENTIAL_REHASH: /* a failure here is no reason to turn anybody away */
        start_session(request);
        return;
    case STORE_SESSION_FIND:
    case STORE_SESSION_START:
    case STORE_API_KEY_FIND:
        if (task->outcome == STORE_OK)
            role_bind(request);
        break;
    case STORE_READ:
    case STORE_KEY_FIND:
    case STORE_SESSION_END:
        break;
    case STORE_EFFECT_ASK:
        if (task->outcome == STORE_OK)
            role_effects_look(request->role);
        break;
    case STORE_EFFECT_LEASE:
    case STORE_EFFECT_SETTLE:
    case STORE_EFFECT_COUNT:
        BUG("a worker's request that is none of a worker's");
    }
    role_request_answer(request, outcome_of(task->outcome));
}

static void on_hash_done(struct hash_job *job)
{
    struct role_request *request = (struct role_request *)((char *)job - offsetof(struct role_request, hash));
    if (!role_request_comes_back(request))
        return;
    if (request->type == WIRE_SIGN_UP)
        sign_up_hashed(request);
    else
        sign_in_hashed(request);
}
