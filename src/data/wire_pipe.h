/* wire_pipe.h - one end of the socket between a worker and the data role: frames in, frames out.
 *
 * Both buffers are kept when the socket goes, so that a warm process never asks malloc. Frames are written into the
 * output buffer and leave with one send(2) when the owner says so, once a loop turn. */
#ifndef DATA_WIRE_PIPE_H
#define DATA_WIRE_PIPE_H

#include "data/wire.h"

struct wire_bytes {
    char *ptr;
    size_t at, len, cap; /* used: [at, len) */
};

/* Invariant: `fd` is -1 when closed, and then both buffers are empty. Zeroed and `fd` = -1 before the first open. */
struct wire_pipe {
    int fd;
    struct wire_bytes in, out;
    bool has_secret; /* what is in `out` holds a password or a token: wiped when it has been sent */
};

/* Takes the descriptor and makes it non-blocking. False (and `fd` is closed) when the kernel or memory refuses. */
bool wire_pipe_open(struct wire_pipe *pipe, int fd) LIMEN_MUST_CHECK;
/* Closes the socket and empties the buffers. Also when closed. */
void wire_pipe_close(struct wire_pipe *pipe);
void wire_pipe_release(struct wire_pipe *pipe); /* closes, and frees the buffers */

/* One recv(2). False when the other end has gone or memory is out. */
bool wire_pipe_read(struct wire_pipe *pipe) LIMEN_MUST_CHECK;
enum wire_next { WIRE_NEXT_FRAME, WIRE_NEXT_NONE, WIRE_NEXT_MALFORMED };
/* The next whole frame that has been read; its payload lasts until the next wire_pipe_read. */
enum wire_next wire_pipe_next(struct wire_pipe *pipe, struct wire_frame *ret_frame) LIMEN_MUST_CHECK;
/* Overwrites the payload of the frame that was taken last. */
void wire_pipe_wipe(struct wire_pipe *pipe, const struct wire_frame *frame);

/* Room for `bytes` at the end of the output, as a buffer over fixed memory. False past `ceiling` unsent bytes or when
 * memory is out. */
bool wire_pipe_reserve(struct wire_pipe *pipe, size_t bytes, size_t ceiling, struct buf *ret_out) LIMEN_MUST_CHECK;
/* What was written into that buffer will leave; not called when it failed. */
void wire_pipe_commit(struct wire_pipe *pipe, const struct buf *out);
static inline size_t wire_pipe_unsent(const struct wire_pipe *pipe)
{
    return pipe->out.len - pipe->out.at;
}
/* One send(2); what does not fit stays. False when the other end has gone. */
bool wire_pipe_flush(struct wire_pipe *pipe) LIMEN_MUST_CHECK;

#endif
