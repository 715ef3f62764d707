/* client.c - the worker's end: asks the data role, and hears the answer in the loop.
 *
 * A slot is a call's place on the wire; it points at the one request under way. Whatever ends a request without an
 * answer (no socket, a full buffer, the data role's death) puts its slot on the list of the ending ones, which is
 * worked off at the end of the turn: so on_reply never runs inside a function that its caller has called, and may start
 * requests and release slots as it likes. */
#include "data/client.h"

#include "core/arena.h"
#include "core/log.h"
#include "core/sandbox.h"
#include "data/client_internal.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define NO_SLOT UINT32_MAX
#define AGAIN_US \
    1000 /* a request that was started by the end of another one, without a socket, ends this much later \
                       */

static void client_at_end(struct loop_task *task);
static void client_ready(struct loop_source *source, uint32_t events);

/* ---- requests that end here -------------------------------------------------------------------------------------- */
static void again_due(struct loop_timer *timer)
{
    struct data_client *client = (struct data_client *)((char *)timer - offsetof(struct data_client, again));
    loop_at_end(client->loop, &client->at_end);
}

void client_end_locally(struct data_client *client, uint32_t number, enum data_outcome outcome)
{
    struct client_slot *slot = &client->slots[number];
    slot->local = outcome;
    if (!slot->is_ending) {
        slot->is_ending = true;
        slot->next_ending = client->ending_head;
        client->ending_head = number;
    }
    /* A caller that tries again at once must not keep the loop in this turn for ever. */
    if (client->is_ending_now)
        loop_timer_start(client->again_list, &client->again, again_due);
    else
        loop_at_end(client->loop, &client->at_end);
}

static void finish_request(struct client_slot *slot, enum data_outcome outcome)
{
    struct data_request *request = slot->current;
    slot->current = NULL;
    slot->local = DATA_OK;
    request->outcome = outcome;
    if (outcome != DATA_OK)
        request->row_count = 0;
    request->on_reply(request);
}

static void run_endings(struct data_client *client)
{
    uint32_t number = client->ending_head;
    client->ending_head = NO_SLOT;
    client->is_ending_now = true;
    while (number != NO_SLOT) {
        struct client_slot *slot = &client->slots[number];
        number = slot->next_ending;
        slot->is_ending = false;
        if (slot->current != NULL && slot->local != DATA_OK)
            finish_request(slot, slot->local);
    }
    client->is_ending_now = false;
}

/* ---- the connection ---------------------------------------------------------------------------------------------- */
/* Drops the socket; every request under way ends with DATA_GONE. */
static void detach(struct data_client *client)
{
    if (client->pipe.fd < 0)
        return;
    loop_remove(client->loop, &client->source);
    wire_pipe_close(&client->pipe);
    client->has_credit = false;
    client->connection++;
    if (client->tokens != NULL) {
        token_cache_clear(client->tokens);
        token_cache_clear(client->no_good);
    }
    for (uint32_t i = 0; i < client->fresh; i++) {
        client->slots[i].is_known = false;
        if (client->slots[i].current != NULL && client->slots[i].local == DATA_OK)
            client_end_locally(client, i, DATA_GONE);
    }
}

static void client_at_end(struct loop_task *task)
{
    struct data_client *client = (struct data_client *)((char *)task - offsetof(struct data_client, at_end));
    if (client->pipe.fd >= 0) {
        if (!wire_pipe_flush(&client->pipe))
            detach(client);
        else
            loop_want(client->loop, &client->source,
                      wire_pipe_unsent(&client->pipe) > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
    }
    run_endings(client);
}

struct data_client *data_client_new(struct loop *loop)
{
    struct data_client *client = calloc(1, sizeof(*client));
    if (client == NULL)
        return NULL;
    client->loop = loop;
    client->pipe.fd = -1;
    client->at_end.run = client_at_end;
    client->free_head = client->ending_head = NO_SLOT;
    client->again_list = loop_timers(loop, AGAIN_US);
    if (client->again_list == NULL) {
        free(client);
        return NULL;
    }
    return client;
}

void data_client_free(struct data_client *client)
{
    if (client == NULL)
        return;
    if (client->pipe.fd >= 0)
        loop_remove(client->loop, &client->source);
    loop_timer_stop(&client->again);
    wire_pipe_release(&client->pipe);
    token_cache_free(client->tokens);
    token_cache_free(client->no_good);
    free(client);
}

bool data_client_remember_tokens(struct data_client *client)
{
    client->tokens = token_cache_new(LIMIT_TOKENS_PER_WORKER, /* grace_us= */ 0, /* may_evict= */ true);
    client->no_good = token_cache_new(LIMIT_TOKENS_REFUSED, /* grace_us= */ 0, /* may_evict= */ true);
    return client->tokens != NULL && client->no_good != NULL;
}

bool data_client_attach(struct data_client *client, int fd)
{
    detach(client);
    if (!wire_pipe_open(&client->pipe, fd))
        return false;
    memset(&client->source, 0, sizeof(client->source));
    if (!loop_add(client->loop, &client->source, fd, EPOLLIN, /* exclusive= */ false, client_ready)) {
        wire_pipe_close(&client->pipe);
        return false;
    }
    return true;
}

bool data_client_is_attached(const struct data_client *client)
{
    return client->pipe.fd >= 0;
}

void data_client_on_attach(struct data_client *client, void (*on_attach)(void *context), void *context)
{
    client->on_attach = on_attach;
    client->attach_context = context;
}

void data_client_on_job(struct data_client *client, void (*on_job)(void *context, const struct data_job *job),
                        void *context)
{
    client->on_job = on_job;
    client->job_context = context;
}

/* ---- what comes in ----------------------------------------------------------------------------------------------- */
/* Makes room for `more` rows behind those that are there. */
static bool grow_rows(struct data_request *request, uint32_t more)
{
    size_t wanted = request->row_count + more;
    if (wanted > LIMIT_ROWS)
        return false;
    if (wanted <= request->row_capacity)
        return true;
    size_t capacity = request->row_capacity * 2 > wanted ? request->row_capacity * 2 : wanted;
    char *rows = arena_zalloc(request->arena, capacity, request->row->bytes);
    if (rows == NULL)
        return false;
    if (request->row_count > 0)
        memcpy(rows, request->rows, request->row_count * request->row->bytes);
    request->rows = rows;
    request->row_capacity = capacity;
    return true;
}

/* Decodes a chunk straight into the request's array. False when the frame is malformed; what the call's memory cannot
 * hold ends the request only. */
static bool take_rows(struct client_slot *slot, struct data_request *request, limen_str payload)
{
    if (!slot->is_read)
        return false;
    if (slot->rows != DATA_OK)
        return true;
    struct wire_reader reader = { payload.ptr, payload.ptr + payload.len, false };
    uint32_t count = wire_get_u32(&reader);
    if (reader.failed || count > payload.len)
        return false;
    if (!grow_rows(request, count)) {
        slot->rows = DATA_BUSY;
        return true;
    }
    for (uint32_t i = 0; i < count; i++) {
        char *row = (char *)request->rows + request->row_count * request->row->bytes;
        if (!wire_get_row(&reader, request->row, request->arena, row)) {
            slot->rows = reader.failed ? DATA_ERROR : DATA_BUSY;
            return !reader.failed;
        }
        request->row_count++;
    }
    return reader.at == reader.end;
}

/* Copies to the request's arena. False when there is no memory. */
static bool keep(struct data_request *request, limen_str slice, limen_str *ret_copy)
{
    if (request->arena == NULL)
        return false;
    *ret_copy = arena_copy(request->arena, slice);
    return ret_copy->ptr != NULL;
}

static void take_principal(struct wire_reader *reader, struct principal *ret_principal)
{
    limen_str id = wire_get_str(reader), email = wire_get_str(reader);
    uint32_t roles = wire_get_u32(reader);
    if (reader->failed || id.len > PRINCIPAL_ID_BYTES || email.len > PRINCIPAL_EMAIL_BYTES) {
        reader->failed = true;
        return;
    }
    ret_principal->id_len = (uint8_t)id.len;
    ret_principal->email_len = (uint8_t)email.len;
    ret_principal->roles = roles;
    if (id.len > 0)
        memcpy(ret_principal->id, id.ptr, id.len);
    if (email.len > 0)
        memcpy(ret_principal->email, email.ptr, email.len);
}

static void take_token(struct wire_reader *reader, struct data_request *request)
{
    limen_str token = wire_get_str(reader);
    if (reader->failed || token.len != TOKEN_TEXT_BYTES)
        reader->failed = true;
    else
        memcpy(request->token, token.ptr, token.len);
}

/* The token that this request has shown need not be shown again. */
static void take_handle(struct data_client *client, struct wire_reader *reader, const struct data_request *request)
{
    int64_t expires_us = wire_get_i64(reader), now_us = loop_clock(client->loop)->mono_us;
    struct token_handle handle = { wire_get_u32(reader), wire_get_u32(reader) };
    if (reader->failed || client->tokens == NULL)
        return;
    struct token_entry *entry = token_cache_add(client->tokens, request->scheme, request->mark, now_us, expires_us);
    entry->handle = handle;
    entry->principal = request->principal;
}

/* Nor need one that is no good be asked about again before its time. */
static void take_until(struct data_client *client, struct wire_reader *reader, const struct data_request *request)
{
    int64_t until_us = wire_get_i64(reader);
    if (!reader->failed && client->tokens != NULL)
        (void)token_cache_add(client->no_good, request->scheme, request->mark, loop_clock(client->loop)->mono_us,
                              until_us);
}

static void take_counted(struct wire_reader *reader, struct data_counted *ret_counted)
{
    uint8_t is_refused = wire_get_u8(reader), count = wire_get_u8(reader);
    if (is_refused > 1 || count > LIMIT_LIMITS_AT_ONCE || count < is_refused)
        reader->failed = true;
    for (uint32_t i = 0; i < count && !reader->failed; i++) {
        ret_counted->debt_us[i] = wire_get_i64(reader);
        reader->failed |= ret_counted->debt_us[i] < 0;
    }
    ret_counted->is_refused = is_refused == 1;
    ret_counted->count = reader->failed ? 0 : count;
}

/* Reads the parts of a DONE. False when malformed; `*ret_outcome` becomes DATA_BUSY when the call's memory cannot hold
 * them. */
static bool take_done(struct data_client *client, struct data_request *request, limen_str payload,
                      enum data_outcome *ret_outcome)
{
    struct wire_reader reader = { payload.ptr, payload.ptr + payload.len, false };
    uint8_t outcome = wire_get_u8(&reader), parts = wire_get_u8(&reader);
    if (reader.failed || outcome > DATA_ERROR || outcome == DATA_GONE)
        return false;
    limen_str reply = { 0 }, returned = { 0 };
    if (parts & WIRE_PART_PRINCIPAL)
        take_principal(&reader, &request->principal);
    if (parts & WIRE_PART_TOKEN)
        take_token(&reader, request);
    if (parts & WIRE_PART_REFUSED)
        request->refused_by = wire_get_u32(&reader);
    if (parts & WIRE_PART_REPLY) {
        request->status = (int)wire_get_u32(&reader);
        reply = wire_get_str(&reader);
    }
    if (parts & WIRE_PART_RETURNED)
        returned = wire_get_str(&reader);
    if (parts & WIRE_PART_HANDLE)
        take_handle(client, &reader, request);
    if (parts & WIRE_PART_UNTIL)
        take_until(client, &reader, request);
    if (parts & WIRE_PART_COUNTED)
        take_counted(&reader, &request->counted);
    if (reader.failed || reader.at != reader.end)
        return false;
    *ret_outcome = (enum data_outcome)outcome;
    if ((parts & WIRE_PART_REPLY && !keep(request, reply, &request->reply))
        || (parts & WIRE_PART_RETURNED && !keep(request, returned, &request->returned)))
        *ret_outcome = outcome == DATA_OK ? DATA_UNKNOWN : DATA_BUSY; /* what was committed stays so */
    return true;
}

static bool take_credit(struct data_client *client, limen_str payload)
{
    struct wire_reader reader = { payload.ptr, payload.ptr + payload.len, false };
    uint32_t credit = wire_get_u32(&reader);
    if (reader.failed || reader.at != reader.end || credit == 0 || credit > LIMIT_CALLS_PER_WORKER
        || client->has_credit)
        return false;
    client->credit = credit;
    client->has_credit = true;
    if (client->on_attach != NULL)
        client->on_attach(client->attach_context);
    return true;
}

static bool take_job(struct data_client *client, limen_str payload)
{
    struct wire_reader reader = { payload.ptr, payload.ptr + payload.len, false };
    struct data_job job = { .number = wire_get_u32(&reader) };
    job.effect = wire_get_str(&reader);
    job.outcome = wire_get_u8(&reader);
    job.object_id = wire_get_str(&reader);
    job.state = wire_get_str(&reader);
    job.code = wire_get_str(&reader);
    if (reader.failed || job.outcome > LIMEN_EFFECT_FAILED)
        return false;
    job.params = str_make(reader.at, (size_t)(reader.end - reader.at));
    if (client->on_job != NULL)
        client->on_job(client->job_context, &job);
    return true;
}

/* False when the frame breaks the protocol. */
static bool take_frame(struct data_client *client, const struct wire_frame *frame)
{
    if (frame->type == WIRE_CREDIT)
        return take_credit(client, frame->payload);
    if (frame->type == WIRE_JOB)
        return take_job(client, frame->payload);
    if ((frame->type != WIRE_ROWS && frame->type != WIRE_DONE) || frame->slot >= LIMIT_CALLS_PER_WORKER)
        return false;
    struct client_slot *slot = &client->slots[frame->slot];
    struct data_request *request = slot->current;
    /* Late answers of abandoned requests, and of those that are ending here already. */
    if (request == NULL || frame->sequence != slot->sequence || slot->local != DATA_OK)
        return true;
    if (frame->type == WIRE_ROWS)
        return take_rows(slot, request, frame->payload);
    enum data_outcome outcome;
    if (!take_done(client, request, frame->payload, &outcome))
        return false;
    finish_request(slot, outcome == DATA_OK ? slot->rows : outcome);
    return true;
}

static void client_ready(struct loop_source *source, uint32_t events)
{
    struct data_client *client = (struct data_client *)source;
    if (events & EPOLLOUT)
        loop_at_end(client->loop, &client->at_end);
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0)
        return;
    bool is_there = wire_pipe_read(&client->pipe);
    int fd = client->pipe.fd;
    /* An on_reply may put another socket in this one's place. */
    while (client->pipe.fd == fd) {
        struct wire_frame frame;
        enum wire_next next = wire_pipe_next(&client->pipe, &frame);
        if (next == WIRE_NEXT_NONE)
            break;
        if (next == WIRE_NEXT_MALFORMED || !take_frame(client, &frame)) {
            LOG_ERROR("a frame from the data role makes no sense; the connection is dropped",
                      log_int("type", next == WIRE_NEXT_FRAME ? frame.type : -1));
            is_there = false;
            break;
        }
    }
    if (!is_there && client->pipe.fd == fd)
        detach(client);
}

/* ---- slots ------------------------------------------------------------------------------------------------------- */
bool data_slot_take(struct data_client *client, uint32_t *ret_slot)
{
    uint32_t number = client->free_head;
    if (number != NO_SLOT)
        client->free_head = client->slots[number].next_free;
    else if (client->fresh < client->credit)
        number = client->fresh++;
    else
        return false;
    client->slots[number].is_taken = true;
    client->slots[number].is_bound = false;
    *ret_slot = number;
    return true;
}

/* A frame without payload. One that does not go out would leave the two ends in disagreement: then the connection ends. */
static void send_bare(struct data_client *client, enum wire_type type, uint32_t number)
{
    struct buf out;
    /* Twice the ceiling of requests: each was preceded by a longer frame of the same slot. */
    if (!wire_pipe_reserve(&client->pipe, WIRE_HEADER_BYTES, 2 * LIMIT_PIPE_BYTES, &out)) {
        detach(client);
        return;
    }
    wire_end(&out, wire_begin(&out, type, 0, number, client->slots[number].sequence));
    wire_pipe_commit(&client->pipe, &out);
    loop_at_end(client->loop, &client->at_end);
}

void data_cancel(struct data_client *client, uint32_t slot)
{
    bool is_asked = client->slots[slot].current != NULL && client->slots[slot].local == DATA_OK;
    client->slots[slot].current = NULL;
    client->slots[slot].local = DATA_OK;
    if (is_asked && client->pipe.fd >= 0)
        send_bare(client, WIRE_CANCEL, slot);
}

void data_slot_release(struct data_client *client, uint32_t slot)
{
    struct client_slot *it = &client->slots[slot];
    if (!it->is_taken)
        BUG("a slot is released twice");
    bool is_asked = it->current != NULL && it->local == DATA_OK;
    it->current = NULL;
    it->local = DATA_OK;
    it->is_taken = false;
    it->next_free = client->free_head;
    client->free_head = slot;
    if ((it->is_known || is_asked) && client->pipe.fd >= 0)
        send_bare(client, WIRE_RELEASE, slot);
    it->is_known = false;
}

static const int numbers[] = { SYS_recvfrom };
static const struct syscall_rule rules[] = { SYSCALL_UNLESS(SYS_sendto, 3, ~(unsigned)(MSG_NOSIGNAL | MSG_DONTWAIT)) };
const struct syscall_list data_client_syscalls = { numbers, 1, rules, 1 };
