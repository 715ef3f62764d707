/* http1.h - the head of an HTTP/1.1 request, read strictly (RFC 9112), and the chunked coding.
 *
 * Pure functions over bytes: no socket, no memory of their own. Whatever two servers could read in two ways is refused, and
 * after a refusal the connection is never used again. */
#ifndef EDGE_HTTP1_H
#define EDGE_HTTP1_H

#include "contract/method.h"
#include "core/limits.h"
#include "limen/base.h"

/* Names that we act on, found once while parsing. */
enum header_id {
    HEADER_OTHER,
    HEADER_HOST,
    HEADER_CONTENT_LENGTH,
    HEADER_CONTENT_TYPE,
    HEADER_CONTENT_ENCODING,
    HEADER_TRANSFER_ENCODING,
    HEADER_CONNECTION,
    HEADER_EXPECT,
    HEADER_UPGRADE,
    HEADER_COOKIE,
    HEADER_ORIGIN,
    HEADER_SEC_FETCH_SITE,
    HEADER_SEC_FETCH_MODE,
    HEADER_SEC_FETCH_DEST,
    HEADER_AUTHORIZATION,
    HEADER_IDEMPOTENCY_KEY,
    HEADER_ACCEPT,
    HEADER_ACCEPT_ENCODING,
    HEADER_IF_NONE_MATCH,
    HEADER_IF_MODIFIED_SINCE,
    HEADER_IF_RANGE,
    HEADER_RANGE,
    HEADER_X_FORWARDED_FOR,
    HEADER_X_FORWARDED_PROTO,
    HEADER_FORWARDED,
    HEADER_TRACEPARENT,
    HEADER_TRAILER,
    HEADER_TE,
    HEADER_ACCESS_CONTROL_REQUEST_METHOD,
    HEADER_COUNT
};

struct http_field {
    limen_str name;  /* as sent */
    limen_str value; /* without white space at its ends */
    enum header_id id;
};

enum http_framing { FRAMING_NONE, FRAMING_LENGTH, FRAMING_CHUNKED };

/* A request's head. All slices point into the bytes that were parsed. */
struct http_request {
    enum http_method method;
    limen_str method_text;
    limen_str target; /* as sent */
    limen_str path;   /* raw, starts with '/', or "*" */
    limen_str query;  /* raw, without '?' */
    bool has_query;
    int minor_version; /* 0 or 1 */
    limen_str host;    /* of Host, or of an absolute-form target that agrees with it */
    struct http_field fields[LIMIT_HEADER_FIELDS];
    uint32_t field_count;
    uint8_t first[HEADER_COUNT]; /* index + 1 in fields of the first with this id; 0: none */
    enum http_framing framing;
    uint64_t content_length;
    bool keep_alive;
    bool expects_continue;
    size_t head_bytes; /* with the empty line */
};

enum http1_outcome { HTTP1_OK, HTTP1_MORE, HTTP1_REFUSED };

/* Parses the head at the start of `bytes`. HTTP1_MORE: not complete yet (`scanned` lets the next try start where this one
 * ended; begin with 0). HTTP1_REFUSED: `ret_status` is the status (400, 414, 417, 431, 501, 505) and `ret_why` one clause. */
enum http1_outcome http1_parse_head(limen_str bytes, size_t *scanned, struct http_request *ret_request, int *ret_status,
                                    const char **ret_why) LIMEN_MUST_CHECK;

/* The first field with this id, or NULL. */
static inline const struct http_field *http_field_get(const struct http_request *request, enum header_id id)
{
    return request->first[id] == 0 ? NULL : &request->fields[request->first[id] - 1];
}
/* The value of a field that is not one of the known ids (header parameters); `*ret_count` says how often it was sent. */
limen_str http_field_find(const struct http_request *request, limen_str name, uint32_t *ret_count);

/* Decodes a chunked body in pieces, in place: what is decoded is moved to the front. Zeroed before the first use. */
struct http1_chunks {
    uint8_t state;
    uint8_t name_bytes; /* of the trailer's name, so far; more than fit in `name` are counted only */
    uint64_t left;      /* of the chunk */
    uint64_t content;   /* bytes of content, so far */
    size_t overhead;    /* bytes that are not content, so far */
    size_t extension;   /* bytes of this chunk's extension */
    char name[20];      /* lower case, to refuse trailers that would frame or route the message */
};
/* Consumes `bytes` from `data`; writes `ret_content` bytes of content to the start of `data`, `ret_used` of input were used. HTTP1_OK:
 * the body has ended (what stands behind ret_used belongs to the next request). Trailers are read over, within the ceiling; after HTTP1_MORE all of `bytes` was used. */
enum http1_outcome http1_dechunk(struct http1_chunks *chunks, char *data, size_t bytes, size_t *ret_used,
                                 size_t *ret_content, const char **ret_why) LIMEN_MUST_CHECK;

#endif
