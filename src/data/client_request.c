/* client_request.c - the worker's end: what is asked, as frames.
 *
 * What cannot go out ends at the end of the turn, like an answer. A slot that was bound on an earlier connection asks nothing
 * more: the data role of this one does not know whose it is. */
#include "data/client_internal.h"

#include "core/log.h"

/* ---- requests ---------------------------------------------------------------------------------------------------- */
/* A data role that was started since the slot showed its credential would take it for nobody's. */
static bool is_forgotten(const struct data_client *client, const struct client_slot *slot, enum wire_type type)
{
    bool is_shown_anew = type == WIRE_SHOW || type == WIRE_SHOW_SIGNED || type == WIRE_SIGN_UP || type == WIRE_SIGN_IN;
    return slot->is_bound && slot->bound_on != client->connection && !is_shown_anew;
}

static void bind_slot(struct data_client *client, uint32_t number)
{
    client->slots[number].is_known = client->slots[number].is_bound = true;
    client->slots[number].bound_on = client->connection;
}

/* Begins a frame with `payload_bytes` behind the timeout. False: the request ends at the end of the turn. */
static bool request_begin(struct data_client *client, struct data_request *request, enum wire_type type,
                          size_t payload_bytes, struct buf *ret_out)
{
    struct client_slot *slot = &client->slots[request->slot];
    if (!slot->is_taken || slot->current != NULL)
        BUG("a slot carries one request at a time");
    slot->current = request;
    slot->local = slot->rows = DATA_OK;
    slot->is_read = type == WIRE_CALL || type == WIRE_STEP;
    request->sequence = ++slot->sequence;
    request->rows = NULL;
    request->row_count = request->row_capacity = 0;
    request->refused_by = 0;
    request->status = 0;
    request->reply = request->returned = (limen_str){ 0 };
    memset(&request->principal, 0, sizeof(request->principal));
    memset(&request->counted, 0, sizeof(request->counted));

    const size_t fixed = WIRE_HEADER_BYTES + sizeof(uint32_t);
    enum data_outcome outcome = DATA_OK;
    if (client->pipe.fd < 0 || request->slot >= client->credit || is_forgotten(client, slot, type))
        outcome = DATA_GONE;
    else if (payload_bytes > LIMIT_FRAME_BYTES - fixed)
        outcome = DATA_ERROR;
    else if (!wire_pipe_reserve(&client->pipe, fixed + payload_bytes, LIMIT_PIPE_BYTES, ret_out))
        outcome = DATA_BUSY;
    if (outcome != DATA_OK) {
        client_end_locally(client, request->slot, outcome);
        return false;
    }
    int64_t timeout_us = request->timeout_us;
    timeout_us = timeout_us < 0 ? 0 : timeout_us > LIMIT_DATA_TIMEOUT_US ? LIMIT_DATA_TIMEOUT_US : timeout_us;
    (void)wire_begin(ret_out, type, request->operation, request->slot, request->sequence);
    wire_put_u32(ret_out, (uint32_t)timeout_us);
    return true;
}

static void request_send(struct data_client *client, struct data_request *request, struct buf *out)
{
    wire_end(out, 0);
    if (out->failed) {
        client_end_locally(client, request->slot, DATA_ERROR);
        return;
    }
    wire_pipe_commit(&client->pipe, out);
    loop_at_end(client->loop, &client->at_end);
}

static size_t str_bytes(limen_str s)
{
    return sizeof(uint32_t) + s.len;
}

static void send_secret(struct data_client *client, struct data_request *request, struct buf *out)
{
    bind_slot(client, request->slot);
    client->pipe.has_secret = true;
    request_send(client, request, out);
}

void data_show(struct data_client *client, struct data_request *request, uint32_t scheme, limen_str credential,
               bool is_more)
{
    struct buf out;
    if (!request_begin(client, request, WIRE_SHOW, sizeof(scheme) + sizeof(uint8_t) + str_bytes(credential), &out))
        return;
    request->scheme = scheme;
    if (client->tokens != NULL)
        request->mark = token_cache_mark(client->tokens, credential);
    wire_put_u32(&out, scheme);
    wire_put_u8(&out, is_more);
    wire_put_str(&out, credential);
    send_secret(client, request, &out);
}

void data_show_signed(struct data_client *client, struct data_request *request, uint32_t scheme, limen_str signature,
                      limen_str body)
{
    struct buf out;
    if (!request_begin(client, request, WIRE_SHOW_SIGNED,
                       sizeof(scheme) + sizeof(uint8_t) + str_bytes(signature) + str_bytes(body), &out))
        return;
    wire_put_u32(&out, scheme);
    wire_put_u8(&out, false); /* nothing is beside it */
    wire_put_str(&out, signature);
    wire_put_str(&out, body);
    bind_slot(client, request->slot);
    request_send(client, request, &out);
}

void data_sign_up(struct data_client *client, struct data_request *request, limen_str email, limen_str password,
                  uint32_t scheme)
{
    struct buf out;
    if (!request_begin(client, request, WIRE_SIGN_UP, sizeof(scheme) + str_bytes(email) + str_bytes(password), &out))
        return;
    wire_put_u32(&out, scheme);
    wire_put_str(&out, email);
    wire_put_str(&out, password);
    send_secret(client, request, &out);
}

void data_sign_in(struct data_client *client, struct data_request *request, limen_str email, limen_str password)
{
    struct buf out;
    if (!request_begin(client, request, WIRE_SIGN_IN, str_bytes(email) + str_bytes(password), &out))
        return;
    wire_put_str(&out, email);
    wire_put_str(&out, password);
    send_secret(client, request, &out);
}

void data_sign_out(struct data_client *client, struct data_request *request, limen_str token_text)
{
    struct buf out;
    if (!request_begin(client, request, WIRE_SIGN_OUT, str_bytes(token_text), &out))
        return;
    wire_put_str(&out, token_text);
    client->pipe.has_secret = true;
    request_send(client, request, &out);
}

/* ---- tokens that were shown before ------------------------------------------------------------------------------- */
enum token_memory data_token_find(struct data_client *client, uint32_t scheme, limen_str token,
                                  struct principal *ret_principal, struct data_handle *ret_handle)
{
    if (client->tokens == NULL || client->pipe.fd < 0)
        return TOKEN_UNKNOWN;
    int64_t now_us = loop_clock(client->loop)->mono_us;
    struct token_mark mark = token_cache_mark(client->tokens, token);
    const struct token_entry *entry = token_cache_find(client->tokens, scheme, mark, now_us);
    if (entry == NULL)
        return token_cache_find(client->no_good, scheme, mark, now_us) != NULL ? TOKEN_NO_GOOD : TOKEN_UNKNOWN;
    *ret_principal = entry->principal;
    *ret_handle = (struct data_handle){ entry->handle, client->connection };
    return TOKEN_GOOD;
}

void data_assume(struct data_client *client, uint32_t slot, struct data_handle handle, bool is_more)
{
    struct buf out;
    const size_t bytes = WIRE_HEADER_BYTES + sizeof(uint8_t) + 2 * sizeof(uint32_t);
    bool can_be_told = client->pipe.fd >= 0 && handle.connection == client->connection
        && wire_pipe_reserve(&client->pipe, bytes, 2 * LIMIT_PIPE_BYTES, &out);
    bind_slot(client, slot);
    if (!can_be_told) {
        client->slots[slot].bound_on = client->connection - 1; /* what is asked of this slot ends with DATA_GONE */
        return;
    }
    size_t begin = wire_begin(&out, WIRE_ASSUME, 0, slot, client->slots[slot].sequence);
    wire_put_u8(&out, is_more);
    wire_put_u32(&out, handle.token.place);
    wire_put_u32(&out, handle.token.tenant);
    wire_end(&out, begin);
    wire_pipe_commit(&client->pipe, &out); /* leaves with the request that follows */
    loop_at_end(client->loop, &client->at_end);
}

/* ---- jobs -------------------------------------------------------------------------------------------------------- */
void data_job_take(struct data_client *client, uint32_t slot, uint32_t job)
{
    struct buf out;
    const size_t bytes = WIRE_HEADER_BYTES + sizeof(job);
    bind_slot(client, slot);
    if (client->pipe.fd < 0 || !wire_pipe_reserve(&client->pipe, bytes, 2 * LIMIT_PIPE_BYTES, &out)) {
        client->slots[slot].bound_on = client->connection - 1; /* what is asked of this slot ends with DATA_GONE */
        return;
    }
    size_t begin = wire_begin(&out, WIRE_JOB_TAKE, 0, slot, client->slots[slot].sequence);
    wire_put_u32(&out, job);
    wire_end(&out, begin);
    wire_pipe_commit(&client->pipe, &out);
    loop_at_end(client->loop, &client->at_end);
}

/* ---- reads ------------------------------------------------------------------------------------------------------- */
void data_read(struct data_client *client, struct data_request *request, uint16_t statement, const limen_value *params,
               size_t count)
{
    struct buf out;
    size_t bytes = wire_values_bytes(params, count);
    if (bytes < LIMIT_FRAME_BYTES)
        bytes += sizeof(statement);
    if (!request_begin(client, request, WIRE_CALL, bytes, &out))
        return;
    wire_put_u16(&out, statement);
    wire_put_values(&out, params, count);
    request_send(client, request, &out);
}

/* ---- batches ----------------------------------------------------------------------------------------------------- */
void data_batch_init(struct data_batch *batch, struct arena *arena)
{
    buf_init(&batch->items, arena, 0);
    batch->count = 0;
}

void data_batch_add(struct data_batch *batch, uint16_t statement, const limen_value *params, size_t count)
{
    wire_put_u16(&batch->items, statement);
    wire_put_values(&batch->items, params, count);
    batch->count++;
}

/* The bytes of a queue on the wire; SIZE_MAX when it cannot be sent. */
static size_t batch_bytes(const struct data_batch *batch)
{
    bool is_sound = !batch->items.failed && batch->count <= LIMIT_BATCH_STATEMENTS;
    return is_sound ? sizeof(batch->count) + batch->items.len : SIZE_MAX / 2;
}

static void put_batch(struct buf *out, const struct data_batch *batch)
{
    wire_put_u32(out, batch->count);
    if (batch->items.len > 0)
        wire_put_bytes(out, batch->items.ptr, batch->items.len);
}

static void put_key(struct buf *out, const struct data_key *key)
{
    wire_put_str(out, key->key);
    wire_put_bytes(out, key->fingerprint, sizeof(key->fingerprint));
}

void data_commit(struct data_client *client, struct data_request *request, const struct data_batch *batch,
                 const struct data_key *key, int status, limen_str reply)
{
    struct buf out;
    size_t bytes = sizeof(uint8_t) + batch_bytes(batch);
    if (key != NULL)
        bytes += str_bytes(key->key) + WIRE_FINGERPRINT_BYTES + sizeof(uint32_t) + str_bytes(reply);
    if (!request_begin(client, request, WIRE_BATCH, bytes, &out))
        return;
    wire_put_u8(&out, key != NULL);
    if (key != NULL) {
        put_key(&out, key);
        wire_put_u32(&out, (uint32_t)status);
        wire_put_str(&out, reply);
    }
    put_batch(&out, batch);
    request_send(client, request, &out);
}

void data_step(struct data_client *client, struct data_request *request, const struct data_batch *batch,
               const struct data_key *key, uint16_t statement, const limen_value *params, size_t count)
{
    struct buf out;
    size_t bytes = wire_values_bytes(params, count);
    if (bytes < LIMIT_FRAME_BYTES)
        bytes += sizeof(uint8_t) + batch_bytes(batch) + sizeof(statement);
    if (bytes < LIMIT_FRAME_BYTES && key != NULL)
        bytes += str_bytes(key->key) + WIRE_FINGERPRINT_BYTES;
    if (!request_begin(client, request, WIRE_STEP, bytes, &out))
        return;
    wire_put_u8(&out, key != NULL);
    if (key != NULL)
        put_key(&out, key);
    put_batch(&out, batch);
    wire_put_u16(&out, statement);
    wire_put_values(&out, params, count);
    client->slots[request->slot].is_known = true;
    request_send(client, request, &out);
}

void data_key_find(struct data_client *client, struct data_request *request, const struct data_key *key)
{
    struct buf out;
    if (!request_begin(client, request, WIRE_KEY_FIND, str_bytes(key->key) + WIRE_FINGERPRINT_BYTES, &out))
        return;
    put_key(&out, key);
    request_send(client, request, &out);
}

void data_effect_ask(struct data_client *client, struct data_request *request, limen_str news_of)
{
    struct buf out;
    if (!request_begin(client, request, WIRE_EFFECT_ASK, str_bytes(news_of), &out))
        return;
    wire_put_str(&out, news_of);
    request_send(client, request, &out);
}

/* ---- limits ------------------------------------------------------------------------------------------------------ */
void data_limit(struct data_client *client, struct data_request *request, const struct data_limit *limits, size_t count)
{
    struct buf out;
    size_t bytes = sizeof(uint8_t);
    for (size_t i = 0; i < count; i++)
        bytes += sizeof(limits[i].policy) + str_bytes(limits[i].caller);
    if (count > LIMIT_LIMITS_AT_ONCE)
        BUG("more limits than one step of admission has");
    if (!request_begin(client, request, WIRE_LIMIT, bytes, &out))
        return;
    wire_put_u8(&out, (uint8_t)count);
    for (size_t i = 0; i < count; i++) {
        wire_put_u32(&out, limits[i].policy);
        wire_put_str(&out, limits[i].caller);
    }
    request_send(client, request, &out);
}
