/* body.c - reading a request's body.
 *
 * A body that fits behind its head stays in the connection's block and is handed up as a slice of it. A longer one of
 * known length is received straight into the arena, and not one byte more than belongs to it. A chunked one is decoded
 * in place, and moves to the arena when the block is full; the head's slices stay where they are. */
#include "edge/internal.h"

#include "core/arena.h"
#include "core/log.h"
#include "core/str.h"

#include <errno.h>
#include <sys/socket.h>

#define CHUNKED_FIRST_ROOM ((size_t)4 * LIMIT_HEAD_BYTES)
#define ROOM_WORTH_READING 512U

static void finish(struct exchange *exchange, enum body_outcome outcome)
{
    limen_str body = outcome == BODY_OK ? str_make(exchange->body, exchange->body_bytes) : (limen_str){ 0 };
    exchange->wants_body = false;
    exchange->body_done = outcome == BODY_OK;
    bool rest_is_known = outcome == BODY_TOO_LARGE && exchange->request.framing == FRAMING_LENGTH;
    exchange->must_close = outcome != BODY_OK && !rest_is_known;
    exchange->on_body(exchange->body_context, exchange, outcome, body); /* the exchange may be gone now */
}

void body_fail(struct exchange *exchange, enum body_outcome outcome)
{
    finish(exchange, outcome);
}

static int64_t now_us(const struct exchange *exchange)
{
    return loop_clock(exchange->connection->edge->loop)->mono_us;
}

bool exchange_give_up_body(struct exchange *exchange, int64_t waited_us)
{
    if (!exchange->wants_body || now_us(exchange) - exchange->body_asked_us < waited_us)
        return false;
    finish(exchange, BODY_TIMEOUT);
    return true;
}

/* ---- known length ------------------------------------------------------------------------------------------------ */

/* Looks at what is here. */
static void length_advance(struct exchange *exchange)
{
    struct connection *connection = exchange->connection;
    size_t length = (size_t)exchange->request.content_length;
    if (!exchange->in_arena && connection->in_end - connection->in_start >= length) {
        exchange->body = connection->in->data + connection->in_start;
        exchange->body_bytes = length;
        connection->in_start += (uint32_t)length;
    }
    if (exchange->body_bytes == length)
        finish(exchange, BODY_OK);
}

static void length_begin(struct exchange *exchange)
{
    struct connection *connection = exchange->connection;
    if (exchange->request.content_length > exchange->body_ceiling) {
        finish(exchange, BODY_TOO_LARGE);
        return;
    }
    size_t length = (size_t)exchange->request.content_length; /* at most the ceiling */
    if (length > sizeof(connection->in->data) - connection->in_start) {
        exchange->body = arena_alloc(exchange->arena, length);
        if (exchange->body == NULL) {
            finish(exchange, BODY_NO_MEMORY);
            return;
        }
        exchange->in_arena = true; /* all that is here belongs to the body, for it is longer */
        exchange->body_bytes = connection->in_end - connection->in_start;
        memcpy(exchange->body, connection->in->data + connection->in_start, exchange->body_bytes);
        connection->in_start = connection->in_end;
    }
    length_advance(exchange);
}

/* ---- chunked ------------------------------------------------------------------------------------------------------- */

/* Room for `more` bytes of content in the arena. */
static bool chunked_grow(struct exchange *exchange, size_t more)
{
    size_t room = exchange->in_arena ? exchange->body_room : CHUNKED_FIRST_ROOM / 2;
    if (exchange->in_arena && exchange->body_room - exchange->body_bytes >= more)
        return true;
    do
        room *= 2; /* the ceiling of the body keeps this small */
    while (room - exchange->body_bytes < more);
    char *body = arena_alloc(exchange->arena, room);
    if (body == NULL)
        return false;
    memcpy(body, exchange->body, exchange->body_bytes);
    exchange->body = body;
    exchange->body_room = room;
    exchange->in_arena = true;
    return true;
}

/* From now on the content goes to the arena, and what comes from the socket to a block of its own. */
static bool chunked_move(struct exchange *exchange)
{
    struct connection *connection = exchange->connection;
    struct block *block = block_take(connection->edge);
    if (block == NULL || !chunked_grow(exchange, 1)) {
        block_put(connection->edge, block);
        return false;
    }
    exchange->held = connection->in;
    connection->in = block;
    connection->in_start = connection->in_end = 0;
    return true;
}

/* `content` decoded bytes stand at in_start: they become part of the body. Invariant before the move to the arena: they
 * stand right behind the content that came before. */
static bool chunked_keep(struct exchange *exchange, size_t content)
{
    if (exchange->in_arena) {
        if (!chunked_grow(exchange, content))
            return false;
        memcpy(exchange->body + exchange->body_bytes, exchange->connection->in->data + exchange->connection->in_start,
               content);
    }
    exchange->body_bytes += content;
    return true;
}

static void chunked_advance(struct exchange *exchange)
{
    struct connection *connection = exchange->connection;
    size_t used = 0, content = 0;
    const char *why = NULL;
    enum http1_outcome outcome = http1_dechunk(&exchange->chunks, connection->in->data + connection->in_start,
                                               connection->in_end - connection->in_start, &used, &content, &why);
    if (outcome == HTTP1_REFUSED) {
        finish(exchange, BODY_MALFORMED);
        return;
    }
    if (exchange->chunks.content > exchange->body_ceiling
        || exchange->chunks.left > exchange->body_ceiling - exchange->chunks.content) {
        finish(exchange, BODY_TOO_LARGE);
        return;
    }
    if (!chunked_keep(exchange, content)) {
        finish(exchange, BODY_NO_MEMORY);
        return;
    }
    if (outcome == HTTP1_OK) {
        connection->in_start += (uint32_t)used;
        finish(exchange, BODY_OK);
        return;
    }
    if (exchange->in_arena) {
        connection->in_start = connection->in_end = 0;
        return;
    }
    connection->in_start += (uint32_t)content; /* what was read over is overwritten by what comes next */
    connection->in_end = connection->in_start;
    if (sizeof(connection->in->data) - connection->in_end < ROOM_WORTH_READING && !chunked_move(exchange))
        finish(exchange, BODY_NO_MEMORY);
}

/* ---- both ---------------------------------------------------------------------------------------------------------- */

bool body_receive(struct connection *connection)
{
    struct exchange *exchange = connection->exchange;
    bool to_arena = exchange->in_arena && exchange->request.framing == FRAMING_LENGTH;
    char *at = to_arena ? exchange->body + exchange->body_bytes : connection->in->data + connection->in_end;
    size_t room = to_arena ? (size_t)exchange->request.content_length - exchange->body_bytes
                           : sizeof(connection->in->data) - connection->in_end;
    ssize_t count = recv(connection->source.fd, at, room, 0);
    if (count < 0)
        return errno == EAGAIN || errno == EINTR;
    if (count == 0) /* in the middle of a body: nobody will read the answer */
        return false;
    connection->moved += (size_t)count;
    if (to_arena)
        exchange->body_bytes += (size_t)count;
    else
        connection->in_end += (uint32_t)count;
    if (exchange->request.framing == FRAMING_LENGTH)
        length_advance(exchange);
    else
        chunked_advance(exchange);
    return true;
}

void exchange_read_body(struct exchange *exchange, size_t ceiling, struct arena *arena,
                        void (*on_body)(void *context, struct exchange *exchange, enum body_outcome outcome,
                                        limen_str body),
                        void *context)
{
    if (exchange->body_asked || exchange->request.framing == FRAMING_NONE)
        BUG("a body is asked for that does not exist or was asked for before");
    struct connection *connection = exchange->connection;
    bool nothing_yet = connection->in_start == connection->in_end;
    exchange->body_asked = true;
    exchange->body_asked_us = now_us(exchange);
    exchange->wants_body = true;
    exchange->on_body = on_body;
    exchange->body_context = context;
    exchange->arena = arena;
    exchange->body_ceiling = ceiling;
    if (exchange->request.framing == FRAMING_LENGTH) {
        length_begin(exchange);
    } else {
        exchange->body = connection->in->data + connection->in_start;
        chunked_advance(exchange);
    }
    /* on_body may have ended the exchange, and the connection may serve the next one only after we have returned. */
    if (connection->exchange == exchange && exchange->wants_body && exchange->request.expects_continue && nothing_yet) {
        output_add(connection, LIMEN_STR("HTTP/1.1 100 Continue\r\n\r\n"));
        exchange->request.expects_continue = false;
    }
    connection_wake(connection);
}
