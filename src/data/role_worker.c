/* role_worker.c - one worker's connection: frames in, what is refused at once, and the end of it.
 *
 * A worker may have been taken over by whoever sent it bytes, so nothing it says is believed. A breach of the protocol
 * is noted where it is seen and the connection is cut off at the end of the turn, in one place. */
#include "data/role_internal.h"

#include "core/log.h"

#include <stdlib.h>

static const char no_memory[] =
    "no memory for its request"; /* no breach of the worker's, but the connection cannot go on */

#define REQUESTS_CEILING (2U * LIMIT_CALLS_PER_WORKER) /* with those that were dropped and are still in the store */

/* ---- frames ------------------------------------------------------------------------------------------------------ */
static struct role_slot *slot_at(struct role_worker *worker, uint32_t number)
{
    if (worker->slots[number] == NULL)
        worker->slots[number] = calloc(1, sizeof(struct role_slot));
    return worker->slots[number];
}

void role_slot_forget(struct data_role *role, struct role_slot *slot)
{
    role_slot_abandon(role, slot);
    explicit_bzero(&slot->sign_up, sizeof(slot->sign_up));
    slot->has_sign_up = slot->is_stale = false;
    role_job_forget(role, slot);
    memset(&slot->principal, 0, sizeof(slot->principal));
}

void role_slot_bind(struct role_slot *slot, const struct principal *principal, bool is_more)
{
    if (is_more)
        slot->principal.roles |= principal->roles;
    else
        slot->principal = *principal;
}

static const char *take_cancel(struct role_worker *worker, const struct wire_frame *frame)
{
    struct role_slot *slot = worker->slots[frame->slot];
    if (frame->payload.len != 0)
        return "a payload where none belongs";
    if (slot == NULL)
        return NULL;
    if (slot->current != NULL)
        role_request_drop(slot->current);
    slot->current = NULL;
    if (frame->type == WIRE_RELEASE)
        role_slot_forget(worker->role, slot);
    else
        role_slot_abandon(worker->role, slot);
    return NULL;
}

static const char *take_assume(struct role_worker *worker, const struct wire_frame *frame)
{
    struct role_slot *slot = slot_at(worker, frame->slot);
    if (slot == NULL)
        return no_memory;
    if (slot->current != NULL)
        return "a credential under a request";
    return role_token_assume(worker, slot, frame->payload);
}

static const char *take_job(struct role_worker *worker, const struct wire_frame *frame)
{
    struct role_slot *slot = slot_at(worker, frame->slot);
    if (slot == NULL)
        return no_memory;
    if (slot->current != NULL)
        return "a job under a request";
    return role_job_take(worker, slot, frame->payload);
}

/* A STEP begins the slot's interactive transaction or continues it; a BATCH ends it, if there is one. */
static void join_transaction(struct data_role *role, struct role_slot *slot, struct role_request *request)
{
    if (slot->transaction == 0 && request->type == WIRE_STEP)
        slot->transaction = ++role->last_transaction;
    request->task.transaction = slot->transaction;
    request->task.continues = slot->has_begun;
}

static const char *take_request(struct role_worker *worker, const struct wire_frame *frame)
{
    struct role_slot *slot = slot_at(worker, frame->slot);
    if (slot != NULL && slot->current != NULL)
        return "two requests at once on a slot";
    struct role_request *request = slot == NULL ? NULL : role_request_new(worker, frame);
    if (request == NULL)
        return no_memory;
    bool is_shown_anew = frame->type == WIRE_SHOW || frame->type == WIRE_SHOW_SIGNED || frame->type == WIRE_SIGN_IN
        || frame->type == WIRE_SIGN_UP;
    request->task.principal = slot->principal;
    request->job = slot->job;
    enum data_outcome outcome;
    const char *breach = role_parse(request, slot, &outcome);
    if (breach == NULL && request->is_more && slot->has_sign_up)
        breach = BREACH_BESIDE_SIGN_UP;
    if (breach != NULL) {
        role_request_free(request);
        return breach;
    }
    if (is_shown_anew && !request->is_more)
        role_slot_forget(worker->role, slot);
    if (slot->is_stale && outcome == DATA_OK)
        outcome = DATA_BUSY;
    if (request->task.sign_up != NULL) { /* it belongs to the batch now */
        memcpy(slot->new_session, request->task.sign_up->token_hash, sizeof(slot->new_session));
        explicit_bzero(&slot->sign_up, sizeof(slot->sign_up));
        slot->has_sign_up = false;
        slot->has_new_account = true;
        slot->has_new_session = worker->role->redis != NULL;
    }
    if (frame->type == WIRE_STEP || frame->type == WIRE_BATCH)
        join_transaction(worker->role, slot, request);
    slot->current = request;
    if (outcome == DATA_FORBIDDEN)
        LOG_WARN("a statement was asked for that this caller may not run", log_int("worker", worker->number),
                 log_int("operation", frame->operation));
    if (outcome == DATA_OK) {
        role_request_start(request);
        return NULL;
    }
    if (frame->type == WIRE_STEP || frame->type == WIRE_BATCH)
        role_slot_abandon(worker->role, slot);
    role_request_answer(request, outcome);
    return NULL;
}

static const char *take_frame(struct role_worker *worker, const struct wire_frame *frame)
{
    if (frame->slot >= LIMIT_CALLS_PER_WORKER)
        return "slot out of range";
    switch (frame->type) {
    case WIRE_CANCEL:
    case WIRE_RELEASE:
        return take_cancel(worker, frame);
    case WIRE_ASSUME:
        return take_assume(worker, frame);
    case WIRE_JOB_TAKE:
        return take_job(worker, frame);
    case WIRE_CALL:
    case WIRE_BATCH:
    case WIRE_STEP:
    case WIRE_KEY_FIND:
    case WIRE_SHOW_SIGNED: /* a signature opens nothing but what it is over */
    case WIRE_EFFECT_ASK:
    case WIRE_LIMIT:
        return take_request(worker, frame);
    case WIRE_SHOW:
    case WIRE_SIGN_UP:
    case WIRE_SIGN_IN:
    case WIRE_SIGN_OUT: {
        const char *breach = take_request(worker, frame);
        wire_pipe_wipe(&worker->pipe, frame);
        return breach;
    }
    default:
        return "unknown type of frame";
    }
}

/* A worker that does not read what it asked for, asks for more than is kept for one worker, or asks faster than the store can drop, is not
 * listened to. */
static bool should_pause(const struct role_worker *worker)
{
    return worker->held_bytes > LIMIT_PIPE_BYTES || worker->asked_bytes > LIMIT_WORKER_ASKED_BYTES
        || worker->request_count >= REQUESTS_CEILING;
}

static void take_frames(struct role_worker *worker)
{
    while (worker->breach == NULL) {
        if (should_pause(worker)) {
            worker->is_paused = true;
            loop_at_end(worker->role->loop, &worker->at_end);
            return;
        }
        struct wire_frame frame;
        enum wire_next next = wire_pipe_next(&worker->pipe, &frame);
        if (next == WIRE_NEXT_NONE)
            return;
        worker->breach = next == WIRE_NEXT_FRAME ? take_frame(worker, &frame) : "malformed frame";
    }
    bool is_ours = worker->breach == no_memory;
    LOG_ERROR(is_ours ? "a worker is cut off" : "a worker breaks the protocol and is cut off",
              log_int("worker", worker->number), log_text(is_ours ? "why" : "breach", worker->breach));
    if (!is_ours && worker->role->on_breach != NULL)
        worker->role->on_breach(worker->number);
    loop_at_end(worker->role->loop, &worker->at_end);
}

/* ---- the connection ---------------------------------------------------------------------------------------------- */
static void worker_ready(struct loop_source *source, uint32_t events)
{
    struct role_worker *worker = (struct role_worker *)source;
    if (events & EPOLLOUT)
        loop_at_end(worker->role->loop, &worker->at_end);
    if (worker->breach != NULL || (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0)
        return;
    if (worker->is_paused) {
        if (events & (EPOLLHUP | EPOLLERR))
            role_worker_close(worker);
        return;
    }
    bool is_there = wire_pipe_read(&worker->pipe);
    take_frames(worker);
    if (!is_there)
        role_worker_close(worker);
}

static void worker_free(struct role_worker *worker)
{
    for (uint32_t i = 0; i < LIMIT_CALLS_PER_WORKER; i++)
        free(worker->slots[i]);
    free(worker->shown);
    free(worker);
}

void role_worker_close(struct role_worker *worker)
{
    struct data_role *role = worker->role;
    loop_remove(role->loop, &worker->source);
    wire_pipe_release(&worker->pipe);
    role_job_worker_gone(role, worker->number);
    struct role_request *next;
    for (struct role_request *request = role->live; request != NULL; request = next) {
        next = request->next_live;
        if (request->worker != worker)
            continue;
        if (request->place == ROLE_PLACE_RING)
            role_ring_remove(worker, request);
        request->worker = NULL;
        role_request_drop(request); /* a dropped one that is away stays; it is dropped twice at the most */
    }
    for (uint32_t i = 0; i < LIMIT_CALLS_PER_WORKER; i++)
        if (worker->slots[i] != NULL)
            role_slot_forget(role, worker->slots[i]);
    if (role->workers[worker->number] == worker)
        role->workers[worker->number] = NULL;
    worker->role = NULL;
    if (!worker->at_end.is_queued) /* else the task that the loop holds frees it */
        worker_free(worker);
}

static void worker_at_end(struct loop_task *task)
{
    struct role_worker *worker = (struct role_worker *)((char *)task - offsetof(struct role_worker, at_end));
    if (worker->role == NULL) {
        worker_free(worker);
        return;
    }
    if (worker->breach != NULL || !role_send(worker)) {
        role_worker_close(worker);
        return;
    }
    if (worker->is_paused && !should_pause(worker)) {
        worker->is_paused = false;
        take_frames(worker); /* what had been read already */
    }
    bool has_more = worker->ring != NULL || wire_pipe_unsent(&worker->pipe) > 0;
    loop_want(worker->role->loop, &worker->source,
              (worker->is_paused ? 0U : EPOLLIN) | (has_more ? (uint32_t)EPOLLOUT : 0U));
}

bool role_worker_tell_job(struct role_worker *worker, const struct role_effect *effect)
{
    const struct store_effect *it = &effect->effect;
    const struct store_effect_result *result = &it->result;
    const size_t bytes = WIRE_HEADER_BYTES + 5 * sizeof(uint32_t) + sizeof(uint8_t) + it->statement->name.len
        + result->object_id.len + result->state.len + result->code.len + it->params.len;
    struct buf out;
    if (!wire_pipe_reserve(&worker->pipe, bytes, LIMIT_PIPE_BYTES, &out))
        return false;
    size_t begin = wire_begin(&out, WIRE_JOB, 0, 0, 0);
    wire_put_u32(&out, effect->job);
    wire_put_str(&out, it->statement->name);
    wire_put_u8(&out, (uint8_t)result->outcome);
    wire_put_str(&out, result->object_id);
    wire_put_str(&out, result->state);
    wire_put_str(&out, result->code);
    wire_put_bytes(&out, it->params.ptr, it->params.len);
    wire_end(&out, begin);
    if (out.failed)
        return false;
    wire_pipe_commit(&worker->pipe, &out);
    loop_at_end(worker->role->loop, &worker->at_end);
    return true;
}

/* The first frame of a connection. */
static bool send_credit(struct role_worker *worker)
{
    struct buf out;
    if (!wire_pipe_reserve(&worker->pipe, WIRE_HEADER_BYTES + sizeof(uint32_t), LIMIT_PIPE_BYTES, &out))
        return false;
    size_t begin = wire_begin(&out, WIRE_CREDIT, 0, 0, 0);
    wire_put_u32(&out, LIMIT_CALLS_PER_WORKER);
    wire_end(&out, begin);
    wire_pipe_commit(&worker->pipe, &out);
    return wire_pipe_flush(&worker->pipe);
}

struct role_worker *role_worker_new(struct data_role *role, uint32_t number, int fd)
{
    struct role_worker *worker = calloc(1, sizeof(*worker));
    if (worker == NULL || !wire_pipe_open(&worker->pipe, fd)) {
        free(worker);
        return NULL;
    }
    worker->role = role;
    worker->number = number;
    worker->at_end.run = worker_at_end;
    if (!loop_add(role->loop, &worker->source, fd, EPOLLIN, /* exclusive= */ false, worker_ready)) {
        wire_pipe_release(&worker->pipe);
        free(worker);
        return NULL;
    }
    if (!send_credit(worker)) {
        role_worker_close(worker);
        return NULL;
    }
    return worker;
}
