/* output.c - what a connection still has to send: a chain of blocks, written with one call.
 *
 * Replies are appended, however many there are in a turn, and leave together. Bytes that live for ever are not copied: they
 * hang at the end of a block as its tail. */
#include "edge/internal.h"

#include "core/str.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define TAIL_WORTH_BYTES 2048U /* shorter static bytes are copied: one piece less to send */
enum { PIECES_AT_ONCE = 32 };

/* A block at the end of the chain with room for at least `bytes` more. */
static struct block *last_with_room(struct connection *connection, size_t bytes)
{
    struct block *last = connection->out_last;
    if (last != NULL && last->tail == NULL && sizeof(last->data) - last->bytes >= bytes)
        return last;
    struct block *block = block_take(connection->edge);
    if (block == NULL) {
        connection->is_broken = true;
        return NULL;
    }
    if (last == NULL)
        connection->out_first = block;
    else
        last->next = block;
    connection->out_last = block;
    return block;
}

char *output_reserve(struct connection *connection, size_t bytes)
{
    if (bytes > sizeof(connection->out_last->data))
        return NULL;
    struct block *block = last_with_room(connection, bytes);
    return block == NULL ? NULL : block->data + block->bytes;
}

void output_commit(struct connection *connection, size_t bytes)
{
    connection->out_last->bytes += bytes;
    connection->out_bytes += bytes;
}

void output_add(struct connection *connection, limen_str bytes)
{
    while (bytes.len > 0) {
        struct block *block = last_with_room(connection, 1);
        if (block == NULL)
            return;
        size_t room = sizeof(block->data) - block->bytes, piece = bytes.len < room ? bytes.len : room;
        memcpy(block->data + block->bytes, bytes.ptr, piece);
        output_commit(connection, piece);
        bytes = str_make(bytes.ptr + piece, bytes.len - piece);
    }
}

void output_add_static(struct connection *connection, limen_str bytes)
{
    if (bytes.len < TAIL_WORTH_BYTES) {
        output_add(connection, bytes);
        return;
    }
    struct block *block = last_with_room(connection, 0);
    if (block == NULL)
        return;
    block->tail = bytes.ptr;
    block->tail_bytes = bytes.len;
    connection->out_bytes += bytes.len;
}

void output_release(struct connection *connection)
{
    for (struct block *next, *block = connection->out_first; block != NULL; block = next) {
        next = block->next;
        block_put(connection->edge, block);
    }
    connection->out_first = connection->out_last = NULL;
    connection->out_bytes = 0;
}

/* The unsent pieces of the first blocks; `iovec` does not know const. */
static size_t gather(const struct connection *connection, struct iovec *pieces)
{
    size_t count = 0;
    for (struct block *block = connection->out_first; block != NULL && count + 2 <= PIECES_AT_ONCE;
         block = block->next) {
        size_t tail_sent = block->sent > block->bytes ? block->sent - block->bytes : 0;
        if (block->sent < block->bytes)
            pieces[count++] = (struct iovec){ block->data + block->sent, block->bytes - block->sent };
        if (tail_sent < block->tail_bytes)
            pieces[count++] = (struct iovec){ (char *)(uintptr_t)block->tail + tail_sent,
                                              block->tail_bytes - tail_sent };
    }
    return count;
}

static void forget_sent(struct connection *connection, size_t sent)
{
    connection->out_bytes -= sent;
    connection->moved += sent;
    while (connection->out_first != NULL) {
        struct block *block = connection->out_first;
        size_t left = block->bytes + block->tail_bytes - block->sent;
        if (sent < left) {
            block->sent += sent;
            return;
        }
        sent -= left;
        connection->out_first = block->next;
        block_put(connection->edge, block);
    }
    connection->out_last = NULL;
}

bool output_flush(struct connection *connection)
{
    while (connection->out_first != NULL) {
        struct iovec pieces[PIECES_AT_ONCE];
        size_t count = gather(connection, pieces), wanted = 0;
        for (size_t i = 0; i < count; i++)
            wanted += pieces[i].iov_len;
        struct msghdr message = { .msg_iov = pieces, .msg_iovlen = count };
        ssize_t sent = count == 1 ? send(connection->source.fd, pieces[0].iov_base, wanted, MSG_NOSIGNAL)
                                  : sendmsg(connection->source.fd, &message, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return errno == EAGAIN;
        forget_sent(connection, (size_t)sent);
        if ((size_t)sent < wanted) /* the socket is full */
            return true;
    }
    return true;
}
