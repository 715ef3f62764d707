/* wire.h - the frames between a worker and the data role, over a stream socketpair.
 *
 * Both ends distrust the other: every length is checked, a frame that does not parse ends the connection. Integers are
 * little-endian; all roles run on one machine. */
#ifndef DATA_WIRE_H
#define DATA_WIRE_H

#include "core/str.h"
#include "limen/limen.h"

#define WIRE_HEADER_BYTES 16U

enum wire_type {
    /* worker -> data */
    WIRE_CALL = 1,    /* a :one or :many */
    WIRE_BATCH,       /* a call's queue, with key and reply when keyed */
    WIRE_KEY_FIND,
    WIRE_SESSION,     /* show a token: binds the slot to its principal */
    WIRE_SIGN_UP, WIRE_SIGN_IN, WIRE_SIGN_OUT,
    WIRE_CANCEL,      /* the slot's request is of no interest any more */
    WIRE_RELEASE,     /* the slot's call has ended: forget its principal */
    /* data -> worker */
    WIRE_CREDIT = 64, /* slots that the worker may use; first frame of a connection */
    WIRE_ROWS,        /* a chunk of rows */
    WIRE_DONE,        /* outcome of a request */
    WIRE_JOB, WIRE_NOTIFY /* later: data asks a worker to run a handler; something has changed */
};

struct wire_frame {
    uint8_t type;
    uint16_t operation; /* index in the contract */
    uint32_t slot;      /* the worker's call */
    uint32_t sequence;  /* of the slot: replies to an abandoned request are recognised and dropped */
    limen_str payload;
};

/* Takes one frame from the front of `bytes`. Returns its whole length, 0 when incomplete, or SIZE_MAX when malformed or past LIMIT_FRAME_BYTES. */
size_t wire_take(limen_str bytes, struct wire_frame *ret_frame) LIMEN_MUST_CHECK;
/* How many bytes the frame at the front of `bytes` takes in all, as far as can be told; for the size of a buffer. Never more than
 * LIMIT_FRAME_BYTES. */
size_t wire_wanted(limen_str bytes);
/* Starts a frame at the end of `out` and returns its offset; wire_end writes the length. */
size_t wire_begin(struct buf *out, enum wire_type type, uint16_t operation, uint32_t slot, uint32_t sequence);
void wire_end(struct buf *out, size_t begin);

/* ---- payloads: reading fails once and for all ------------------------------------------------------------------------ */
struct wire_reader {
    const char *at, *end;
    bool failed;
};
uint8_t wire_get_u8(struct wire_reader *reader);
uint16_t wire_get_u16(struct wire_reader *reader);
uint32_t wire_get_u32(struct wire_reader *reader);
int64_t wire_get_i64(struct wire_reader *reader);
double wire_get_f64(struct wire_reader *reader);
limen_str wire_get_str(struct wire_reader *reader); /* u32 length, bytes: a slice */
void wire_put_u8(struct buf *out, uint8_t value);
void wire_put_u16(struct buf *out, uint16_t value);
void wire_put_u32(struct buf *out, uint32_t value);
void wire_put_i64(struct buf *out, int64_t value);
void wire_put_f64(struct buf *out, double value);
void wire_put_str(struct buf *out, limen_str value);

/* Parameters, self-describing: type, null and list flags, value. Past LIMIT_STATEMENT_PARAMS or LIMIT_LIST_ITEMS, and for a list of
 * anything but text or int, `out` fails. */
void wire_put_values(struct buf *out, const limen_value *values, size_t count);
/* The exact number of bytes that wire_put_values writes; SIZE_MAX when it would fail. */
size_t wire_values_bytes(const limen_value *values, size_t count) LIMEN_MUST_CHECK;
/* Strings are slices of the payload; the array and lists are allocated in the arena. False when malformed (then reader->failed)
 * or out of memory. */
bool wire_get_values(struct wire_reader *reader, struct arena *arena, limen_value **ret_values, uint32_t *ret_count) LIMEN_MUST_CHECK;

/* Rows. A row is its columns one after another: u8 is_null, then i64 | f64 | str by the column's type. The store writes, the worker
 * reads straight into the row's struct. */
void wire_put_null(struct buf *out);
void wire_put_column_int(struct buf *out, int64_t value); /* INT, BOOL, TIME */
void wire_put_column_float(struct buf *out, double value);
void wire_put_column_text(struct buf *out, limen_str value); /* TEXT, BYTES, JSON */
/* Reads one row into `ret_row` (of shape->bytes, zeroed first); strings are copied to the arena. False when malformed (then
 * reader->failed) or past the arena's ceiling. */
bool wire_get_row(struct wire_reader *reader, const limen_row_shape *shape, struct arena *arena, void *ret_row) LIMEN_MUST_CHECK;

#endif
