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
    WIRE_CALL = 1, /* a :one or :many */
    WIRE_BATCH,    /* a call's queue, with key and reply when keyed; ends what its slot's STEPs began */
    WIRE_KEY_FIND,
    WIRE_SHOW, /* show a credential: binds the slot to its principal */
    WIRE_SIGN_UP,
    WIRE_SIGN_IN,
    WIRE_SIGN_OUT,
    WIRE_CANCEL,      /* the slot's request is of no interest any more */
    WIRE_RELEASE,     /* the slot's call has ended: forget its principal */
    WIRE_STEP,        /* a queue, and a :one or :many that sees it: an interactive transaction of the slot stays open */
    WIRE_ASSUME,      /* the slot is bound by a handle that this worker was given; no answer */
    WIRE_SHOW_SIGNED, /* show a signature and what it is over: as SHOW */
    WIRE_JOB_TAKE,    /* the slot runs a job that this worker was given, for the system; no answer */
    WIRE_EFFECT_ASK,  /* news of a provider's object: its effect is looked at soon */
    WIRE_LIMIT,       /* one more request of some callers is counted, in limits that hosts share */
    /* data -> worker */
    WIRE_CREDIT = 64, /* slots that the worker may use; first frame of a connection */
    WIRE_ROWS,        /* a chunk of rows */
    WIRE_DONE,        /* outcome of a request */
    WIRE_JOB,         /* run an app's function: what came of an effect */
    WIRE_NOTIFY       /* later: something has changed */
};

/* How a request ended, as the worker sees it. */
enum data_outcome {
    DATA_OK,
    DATA_NONE,       /* no such session; wrong password; key not found */
    DATA_TAKEN,      /* sign-up: the email has an account */
    DATA_REFUSED,    /* by a :must or by the database: `refused_by` */
    DATA_REPLAY,     /* `status`, `reply` */
    DATA_KEY_REUSED, /* 422 */
    DATA_FORBIDDEN,  /* the statement's scope is not the principal's: our bug or a hostile worker */
    DATA_BUSY,       /* 503 */
    DATA_TIMEOUT,    /* 504; nothing was committed */
    DATA_UNKNOWN,    /* a batch that may or may not have been committed */
    DATA_GONE,       /* the data role went away before it answered; a batch: unknown as well. Never on the wire */
    DATA_ERROR       /* 500 */
};

/* Payloads. Every request begins with u32 timeout in microseconds; a fingerprint is bare bytes.
 *   CALL                u16 statement, values
 *   BATCH               u8 has_key, [str key, fingerprint, u32 status, str reply], u32 count, then (u16 statement, values)
 *   STEP                u8 has_key, [str key, fingerprint], u32 count, then (u16 statement, values); u16 statement, values
 *   KEY_FIND            str key, fingerprint
 *   SHOW                u32 scheme, u8 is_more, str credential; `is_more`: beside what the slot has shown already
 *   SHOW_SIGNED         u32 scheme, u8 is_more, str signature, str body
 *   SIGN_OUT            str token
 *   SIGN_UP             u32 scheme, str email, str password
 *   SIGN_IN             str email, str password
 *   CANCEL, RELEASE     nothing at all
 *   ASSUME              no timeout; u8 is_more, u32 place, u32 tenant
 *   JOB_TAKE            no timeout; u32 job
 *   EFFECT_ASK          str the object's id, or an effect's key
 *   LIMIT               u8 count, then (u32 policy, str caller)
 *   CREDIT              u32 slots
 *   JOB                 u32 job, str effect, u8 outcome, str object, str state, str code, values: the effect's parameters
 *   ROWS                u32 rows, the rows
 *   DONE                u8 outcome, u8 parts, then the parts that it names, in the order of their bits: */
enum wire_part {                          /* every bit of the byte */
                 WIRE_PART_PRINCIPAL = 1, /* str id, str email, u32 roles */
                 WIRE_PART_TOKEN = 2,     /* str */
                 WIRE_PART_REFUSED = 4,   /* u32 index in the batch */
                 WIRE_PART_REPLY = 8,     /* u32 status, str */
                 WIRE_PART_RETURNED = 16, /* str: rows of the queue's :returning */
                 WIRE_PART_HANDLE = 32,   /* of a token: i64 expiry (monotonic), u32 place, u32 tenant */
                 WIRE_PART_UNTIL =
                     64, /* of a token that is no good: i64 (monotonic), before which it need not be shown again */
                 WIRE_PART_COUNTED =
                     128 /* u8 is_refused: by the last one; u8 count, then i64 debt in microseconds of each */
};
#define WIRE_FINGERPRINT_BYTES 32U

/* What was counted: of each limit, in order, up to the first that refuses, how far its caller has run ahead. */
struct data_counted {
    uint32_t count;
    bool is_refused; /* by the last one */
    int64_t debt_us[LIMIT_LIMITS_AT_ONCE];
};

struct wire_frame {
    uint8_t type;
    uint16_t operation; /* index in the contract */
    uint32_t slot;      /* the worker's call */
    uint32_t sequence;  /* of the slot: replies to an abandoned request are recognised and dropped */
    limen_str payload;
};

/* Takes one frame from the front of `bytes`. Returns its whole length, 0 when incomplete, or SIZE_MAX when malformed or
 * past LIMIT_FRAME_BYTES. */
size_t wire_take(limen_str bytes, struct wire_frame *ret_frame) LIMEN_MUST_CHECK;
/* How many bytes the frame at the front of `bytes` takes in all, as far as can be told; for the size of a buffer. Never
 * more than LIMIT_FRAME_BYTES. */
size_t wire_wanted(limen_str bytes);
/* Starts a frame at the end of `out` and returns its offset; wire_end writes the length. */
size_t wire_begin(struct buf *out, enum wire_type type, uint16_t operation, uint32_t slot, uint32_t sequence);
void wire_end(struct buf *out, size_t begin);

/* ---- payloads: reading fails once and for all -------------------------------------------------------------------- */
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
void wire_get_bytes(struct wire_reader *reader, void *ret, size_t bytes);
void wire_put_u8(struct buf *out, uint8_t value);
void wire_put_u16(struct buf *out, uint16_t value);
void wire_put_u32(struct buf *out, uint32_t value);
void wire_put_i64(struct buf *out, int64_t value);
void wire_put_f64(struct buf *out, double value);
void wire_put_str(struct buf *out, limen_str value);
void wire_put_bytes(struct buf *out, const void *value, size_t bytes);

/* Parameters, self-describing: type, null and list flags, value. Past LIMIT_STATEMENT_PARAMS or LIMIT_LIST_ITEMS, and
 * for a list of anything but text or int, `out` fails. */
void wire_put_values(struct buf *out, const limen_value *values, size_t count);
/* The exact number of bytes that wire_put_values writes; SIZE_MAX when it would fail. */
size_t wire_values_bytes(const limen_value *values, size_t count) LIMEN_MUST_CHECK;
/* Strings are slices of the payload; the array and lists are allocated in the arena. False when malformed (then
 * reader->failed) or out of memory. */
bool wire_get_values(struct wire_reader *reader, struct arena *arena, limen_value **ret_values,
                     uint32_t *ret_count) LIMEN_MUST_CHECK;

/* Rows. A row is its columns one after another: u8 is_null, then i64 | f64 | str by the column's type. The store
 * writes, the worker reads straight into the row's struct. */
void wire_put_null(struct buf *out);
void wire_put_column_int(struct buf *out, int64_t value); /* INT, BOOL, TIME */
void wire_put_column_float(struct buf *out, double value);
void wire_put_column_text(struct buf *out, limen_str value); /* TEXT, BYTES, JSON */
/* Reads one row into `ret_row` (of shape->bytes, zeroed first); strings are copied to the arena. False when malformed
 * (then reader->failed) or past the arena's ceiling. */
bool wire_get_row(struct wire_reader *reader, const limen_row_shape *shape, struct arena *arena,
                  void *ret_row) LIMEN_MUST_CHECK;

#endif
