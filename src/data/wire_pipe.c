/* wire_pipe.c - one end of the socket between a worker and the data role.
 *
 * The input buffer grows to the frame that is arriving, never past LIMIT_FRAME_BYTES; the output buffer grows to what
 * the owner allows. Bytes are moved to the front only when there is no room behind them. */
#include "data/wire_pipe.h"

#include "core/limits.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define FIRST_BYTES (64U * 1024)

/* Makes the buffer hold `cap` bytes in all. The old memory is wiped: it may have held a password. */
static bool bytes_grow(struct wire_bytes *bytes, size_t cap)
{
    if (cap <= bytes->cap)
        return true;
    char *ptr = malloc(cap);
    if (ptr == NULL)
        return false;
    size_t used = bytes->len - bytes->at;
    if (used > 0)
        memcpy(ptr, bytes->ptr + bytes->at, used);
    if (bytes->ptr != NULL)
        explicit_bzero(bytes->ptr, bytes->len);
    free(bytes->ptr);
    *bytes = (struct wire_bytes){ .ptr = ptr, .len = used, .cap = cap };
    return true;
}

/* Moves what is used to the front. */
static void bytes_pack(struct wire_bytes *bytes)
{
    size_t used = bytes->len - bytes->at;
    if (bytes->at > 0 && used > 0)
        memmove(bytes->ptr, bytes->ptr + bytes->at, used);
    bytes->at = 0;
    bytes->len = used;
}

bool wire_pipe_open(struct wire_pipe *pipe, int fd)
{
    if (!bytes_grow(&pipe->in, FIRST_BYTES) || !bytes_grow(&pipe->out, FIRST_BYTES)) {
        close(fd);
        return false;
    }
    pipe->fd = fd;
    return true;
}

void wire_pipe_close(struct wire_pipe *pipe)
{
    if (pipe->fd >= 0)
        close(pipe->fd);
    pipe->fd = -1;
    if (pipe->has_secret)
        explicit_bzero(pipe->out.ptr, pipe->out.len);
    pipe->has_secret = false;
    pipe->in.at = pipe->in.len = 0;
    pipe->out.at = pipe->out.len = 0;
}

void wire_pipe_release(struct wire_pipe *pipe)
{
    wire_pipe_close(pipe);
    free(pipe->in.ptr);
    free(pipe->out.ptr);
    pipe->in = (struct wire_bytes){ 0 };
    pipe->out = (struct wire_bytes){ 0 };
}

/* ---- in ---------------------------------------------------------------------------------------------------------- */
/* Makes room for more of the frame that is arriving. */
static bool make_room(struct wire_bytes *in)
{
    if (in->at == in->len)
        in->at = in->len = 0;
    size_t wanted = wire_wanted(str_make(in->ptr + in->at, in->len - in->at));
    if (in->at + wanted > in->cap || in->len == in->cap)
        bytes_pack(in);
    return wanted <= in->cap || bytes_grow(in, wanted);
}

bool wire_pipe_read(struct wire_pipe *pipe)
{
    struct wire_bytes *in = &pipe->in;
    if (!make_room(in))
        return false;
    ssize_t count = recv(pipe->fd, in->ptr + in->len, in->cap - in->len, MSG_DONTWAIT);
    if (count < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    in->len += (size_t)count;
    return count > 0;
}

enum wire_next wire_pipe_next(struct wire_pipe *pipe, struct wire_frame *ret_frame)
{
    struct wire_bytes *in = &pipe->in;
    size_t taken = wire_take(str_make(in->ptr + in->at, in->len - in->at), ret_frame);
    if (taken == SIZE_MAX)
        return WIRE_NEXT_MALFORMED;
    in->at += taken;
    return taken == 0 ? WIRE_NEXT_NONE : WIRE_NEXT_FRAME;
}

void wire_pipe_wipe(struct wire_pipe *pipe, const struct wire_frame *frame)
{
    if (frame->payload.len > 0 && pipe->fd >= 0)
        explicit_bzero(pipe->in.ptr + (frame->payload.ptr - pipe->in.ptr), frame->payload.len);
}

/* ---- out --------------------------------------------------------------------------------------------------------- */
bool wire_pipe_reserve(struct wire_pipe *pipe, size_t bytes, size_t ceiling, struct buf *ret_out)
{
    struct wire_bytes *out = &pipe->out;
    size_t wanted;
    if (__builtin_add_overflow(out->len - out->at, bytes, &wanted) || wanted > ceiling)
        return false;
    if (out->at > 0 && out->len + bytes > out->cap)
        bytes_pack(out);
    if (wanted > out->cap) {
        size_t cap = out->cap * 2;
        while (cap < wanted)
            cap *= 2;
        if (!bytes_grow(out, cap))
            return false;
    }
    buf_init_fixed(ret_out, out->ptr + out->len, bytes);
    return true;
}

void wire_pipe_commit(struct wire_pipe *pipe, const struct buf *out)
{
    pipe->out.len += out->len;
}

bool wire_pipe_flush(struct wire_pipe *pipe)
{
    struct wire_bytes *out = &pipe->out;
    if (out->at == out->len)
        return true;
    ssize_t count = send(pipe->fd, out->ptr + out->at, out->len - out->at, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    if (pipe->has_secret)
        explicit_bzero(out->ptr + out->at, (size_t)count);
    out->at += (size_t)count;
    if (out->at == out->len) {
        out->at = out->len = 0;
        pipe->has_secret = false;
    }
    return true;
}
