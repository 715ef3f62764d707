/* role_send.c - answers leave in chunks, slot by slot in turn, so that a large one holds up nobody.
 *
 * Every answered request stands in its worker's ring with its rows still in its own memory. The output buffer is filled
 * from the ring up to a mark and sent once a turn; what the worker does not read stays in the ring, is counted, and
 * stops us reading from it. */
#include "data/role_internal.h"

#include "core/log.h"

#define SEND_MARK_BYTES (256U * 1024) /* nothing more is moved to the output while so much is unsent */
#define OUT_CEILING_BYTES (2U * LIMIT_PIPE_BYTES)

/* ---- the ring ---------------------------------------------------------------------------------------------------- */
void role_ring_push(struct role_worker *worker, struct role_request *request)
{
    request->place = ROLE_PLACE_RING;
    if (worker->ring == NULL) {
        request->next_in_ring = request->prev_in_ring = request;
        worker->ring = request;
        return;
    }
    request->next_in_ring = worker->ring;
    request->prev_in_ring = worker->ring->prev_in_ring;
    request->prev_in_ring->next_in_ring = request;
    worker->ring->prev_in_ring = request;
}

void role_ring_remove(struct role_worker *worker, struct role_request *request)
{
    if (request->next_in_ring == request) {
        worker->ring = NULL;
    } else {
        request->next_in_ring->prev_in_ring = request->prev_in_ring;
        request->prev_in_ring->next_in_ring = request->next_in_ring;
        if (worker->ring == request)
            worker->ring = request->next_in_ring;
    }
    worker->held_bytes -= request->held_bytes;
    request->held_bytes = 0;
    request->place = ROLE_PLACE_NONE;
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */
/* Steps over one row. */
static void skip_row(struct wire_reader *reader, const struct statement *statement)
{
    for (uint32_t i = 0; i < statement->column_count; i++) {
        if (wire_get_u8(reader) != 0)
            continue;
        switch (statement->columns[i].type) {
        case LIMEN_TYPE_TEXT:
        case LIMEN_TYPE_BYTES:
        case LIMEN_TYPE_JSON:
            (void)wire_get_str(reader);
            break;
        default:
            (void)wire_get_i64(reader);
            break;
        }
    }
}

/* The rows from rows_at on that one chunk takes: as many whole ones as fit, at least one. Their count, or 0 when the
 * store's bytes are not rows. */
static uint32_t cut_chunk(const struct role_request *request, size_t *ret_bytes)
{
    const struct store_task *task = &request->task;
    const char *start = task->rows.ptr + request->rows_at;
    size_t left = task->rows.len - request->rows_at;
    if (request->rows_at == 0 && left <= LIMIT_ROWS_CHUNK_BYTES) { /* nearly always */
        *ret_bytes = left;
        return task->row_count;
    }
    struct wire_reader reader = { start, start + left, false };
    uint32_t count = 0;
    *ret_bytes = 0;
    while (reader.at != reader.end) {
        skip_row(&reader, task->statement);
        size_t bytes = (size_t)(reader.at - start);
        if (reader.failed)
            return 0;
        if (count > 0 && bytes > LIMIT_ROWS_CHUNK_BYTES)
            break;
        *ret_bytes = bytes;
        count++;
    }
    return count;
}

/* Writes one chunk. A row that no frame can carry ends the request as an error. */
static bool send_rows(struct role_worker *worker, struct role_request *request)
{
    struct buf out;
    size_t bytes = 0;
    uint32_t count = cut_chunk(request, &bytes);
    const size_t fixed = WIRE_HEADER_BYTES + sizeof(uint32_t);
    if (count == 0 || bytes > LIMIT_FRAME_BYTES - fixed) {
        LOG_ERROR("a row does not fit a frame", log_str("statement", request->task.statement->name));
        request->outcome = DATA_ERROR;
        request->rows_at = request->task.rows.len;
        return true;
    }
    if (!wire_pipe_reserve(&worker->pipe, fixed + bytes, OUT_CEILING_BYTES, &out))
        return false;
    size_t begin = wire_begin(&out, WIRE_ROWS, request->operation, request->slot, request->sequence);
    wire_put_u32(&out, count);
    wire_put_bytes(&out, request->task.rows.ptr + request->rows_at, bytes);
    wire_end(&out, begin);
    wire_pipe_commit(&worker->pipe, &out);
    request->rows_at += bytes;
    return true;
}

/* ---- the end of an answer ---------------------------------------------------------------------------------------- */
static uint8_t parts_of(const struct role_request *request)
{
    switch (request->outcome) {
    case DATA_OK:
        if (request->type == WIRE_BATCH || request->type == WIRE_STEP)
            return request->task.returned.len > 0 ? WIRE_PART_RETURNED : 0;
        if (request->type == WIRE_SHOW || request->type == WIRE_SHOW_SIGNED)
            return request->has_handle ? WIRE_PART_PRINCIPAL | WIRE_PART_HANDLE : WIRE_PART_PRINCIPAL;
        if (request->type == WIRE_LIMIT)
            return WIRE_PART_COUNTED;
        return request->has_token ? WIRE_PART_PRINCIPAL | WIRE_PART_TOKEN : 0;
    case DATA_REFUSED:
        return WIRE_PART_REFUSED;
    case DATA_NONE:
        return request->until_us != 0 ? WIRE_PART_UNTIL : 0;
    case DATA_REPLAY:
        return WIRE_PART_REPLY;
    default:
        return 0;
    }
}

static size_t done_bytes(const struct role_request *request, uint8_t parts)
{
    size_t bytes = WIRE_HEADER_BYTES + 2 + 3 * sizeof(uint32_t) + PRINCIPAL_ID_BYTES + PRINCIPAL_EMAIL_BYTES
        + sizeof(uint32_t) + TOKEN_TEXT_BYTES + 4 * sizeof(uint32_t) + 2 * sizeof(int64_t) + 2 * sizeof(uint32_t) + 2
        + LIMIT_LIMITS_AT_ONCE * sizeof(int64_t);
    if (parts & WIRE_PART_REPLY)
        bytes += request->task.reply.len;
    if (parts & WIRE_PART_RETURNED)
        bytes += request->task.returned.len;
    return bytes;
}

static void put_parts(struct buf *out, const struct role_request *request, uint8_t parts)
{
    const struct store_task *task = &request->task;
    if (parts & WIRE_PART_PRINCIPAL) {
        wire_put_str(out, principal_id(&task->principal));
        wire_put_str(out, principal_email(&task->principal));
        wire_put_u32(out, task->principal.roles);
    }
    if (parts & WIRE_PART_TOKEN)
        wire_put_str(out, str_make(request->token, sizeof(request->token)));
    if (parts & WIRE_PART_REFUSED)
        wire_put_u32(out, task->refused_by);
    if (parts & WIRE_PART_REPLY) {
        wire_put_u32(out, (uint32_t)task->status);
        wire_put_str(out, task->reply);
    }
    if (parts & WIRE_PART_RETURNED)
        wire_put_str(out, buf_str(&task->returned));
    if (parts & WIRE_PART_HANDLE) {
        wire_put_i64(out, request->handle_expires_us);
        wire_put_u32(out, request->handle.place);
        wire_put_u32(out, request->handle.tenant);
    }
    if (parts & WIRE_PART_UNTIL)
        wire_put_i64(out, request->until_us);
    if (parts & WIRE_PART_COUNTED) {
        wire_put_u8(out, request->counted.is_refused);
        wire_put_u8(out, (uint8_t)request->counted.count);
        for (uint32_t i = 0; i < request->counted.count; i++)
            wire_put_i64(out, request->counted.debt_us[i]);
    }
}

static bool send_done(struct role_worker *worker, struct role_request *request)
{
    struct buf out;
    uint8_t parts = parts_of(request);
    if (done_bytes(request, parts) > LIMIT_FRAME_BYTES) {
        /* The batch is committed, but its answer cannot be told. */
        LOG_ERROR("an answer does not fit a frame", log_int("operation", request->operation));
        request->outcome = request->type == WIRE_BATCH ? DATA_UNKNOWN : DATA_ERROR;
        parts = 0;
    }
    if (!wire_pipe_reserve(&worker->pipe, done_bytes(request, parts), OUT_CEILING_BYTES, &out))
        return false;
    size_t begin = wire_begin(&out, WIRE_DONE, request->operation, request->slot, request->sequence);
    wire_put_u8(&out, (uint8_t)request->outcome);
    wire_put_u8(&out, parts);
    put_parts(&out, request, parts);
    wire_end(&out, begin);
    if (out.failed)
        BUG("a frame is longer than it was counted");
    wire_pipe_commit(&worker->pipe, &out);
    if (parts & WIRE_PART_TOKEN)
        worker->pipe.has_secret = true;
    return true;
}

/* Writes a piece of the request at the head of the ring, and passes on to the next. */
static bool send_piece(struct role_worker *worker)
{
    struct role_request *request = worker->ring;
    if (request->rows_at < request->task.rows.len) {
        worker->ring = request->next_in_ring;
        if (!send_rows(worker, request))
            return false;
        if (request->rows_at < request->task.rows.len)
            return true;
    }
    if (!send_done(worker, request))
        return false;
    role_ring_remove(worker, request);
    worker->slots[request->slot]->current = NULL;
    role_request_free(request);
    return true;
}

bool role_send(struct role_worker *worker)
{
    while (worker->ring != NULL && wire_pipe_unsent(&worker->pipe) < SEND_MARK_BYTES)
        if (!send_piece(worker))
            return false;
    return wire_pipe_flush(&worker->pipe);
}
