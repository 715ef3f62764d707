/* http1.c - the head of an HTTP/1.1 request, read strictly.
 *
 * Two passes. The first looks, 16 bytes at a time, for bytes that may not stand inside a line; it finds where the lines end,
 * refuses each bare CR, bare LF, NUL and control, and tells whether the head is complete. The second knows the lines
 * and reads each once; it never looks for an end again. What two servers could read in two ways is refused. */
#include "edge/http1.h"

#include "core/str.h"
#include "edge/chars.h"

_Static_assert(LIMIT_HEAD_BYTES <= UINT16_MAX, "ends of lines are kept in 16 bits");
_Static_assert(LIMIT_HEADER_FIELDS < UINT8_MAX, "http_request.first holds index + 1 in 8 bits");

struct refusal {
    int status;
    const char *why;
};

/* Where each line's CR is; the request line is line 0. */
struct head_lines {
    size_t first; /* start of the request line */
    size_t bytes; /* of the head, with the empty line */
    uint32_t count;
    uint16_t end[LIMIT_HEADER_FIELDS + 1];
};

static bool refuse(struct refusal *ret_refusal, int status, const char *why)
{
    *ret_refusal = (struct refusal){ status, why };
    return false;
}

/* ---- first pass: lines ------------------------------------------------------------------------------------------ */

/* Walks from the line that starts at `*line` to the end of the head. On HTTP1_MORE `*line` is the start of the line that is
 * not complete yet. */
static enum http1_outcome scan_lines(limen_str bytes, size_t *line, struct head_lines *lines,
                                     struct refusal *ret_refusal)
{
    for (;;) {
        size_t stop = chars_find_control(bytes.ptr, *line, bytes.len);
        if (stop + 1 >= bytes.len && (stop == bytes.len || bytes.ptr[stop] == '\r'))
            return HTTP1_MORE;
        if (bytes.ptr[stop] != '\r' || bytes.ptr[stop + 1] != '\n') {
            (void)refuse(ret_refusal, 400, "a line holds a control character or does not end with CR LF");
            return HTTP1_REFUSED;
        }
        if (stop == *line) { /* the empty line */
            lines->bytes = stop + 2;
            return HTTP1_OK;
        }
        if (lines->count > LIMIT_HEADER_FIELDS || stop >= LIMIT_HEAD_BYTES) {
            (void)refuse(ret_refusal, 431, "the head has too many fields or bytes");
            return HTTP1_REFUSED;
        }
        lines->end[lines->count++] = (uint16_t)stop;
        *line = stop + 2;
    }
}

/* Skips the one empty line that may stand before a request (RFC 9112 2.2). False: more bytes are needed to know. */
static bool skip_empty_line(limen_str bytes, size_t *ret_first)
{
    *ret_first = 0;
    if (bytes.len == 0 || bytes.ptr[0] != '\r')
        return bytes.len > 0;
    if (bytes.len >= 2 && bytes.ptr[1] == '\n')
        *ret_first = 2;
    return bytes.len > 2;
}

static enum http1_outcome find_lines(limen_str bytes, size_t *scanned, struct head_lines *lines,
                                     struct refusal *ret_refusal)
{
    if (!skip_empty_line(bytes, &lines->first))
        return HTTP1_MORE;
    enum http1_outcome outcome = HTTP1_OK;
    if (*scanned > lines->first) { /* only what is new; the ends of the lines are collected when all of it is there */
        lines->count = 1;
        outcome = scan_lines(bytes, scanned, lines, ret_refusal);
    }
    if (outcome == HTTP1_OK) {
        size_t line = lines->first;
        lines->count = 0;
        outcome = scan_lines(bytes, &line, lines, ret_refusal);
        *scanned = line;
    }
    if (outcome == HTTP1_MORE && *scanned == lines->first && bytes.len > LIMIT_REQUEST_LINE_BYTES) {
        (void)refuse(ret_refusal, 414, "the request line is too long");
        return HTTP1_REFUSED;
    }
    if (outcome == HTTP1_MORE && bytes.len >= LIMIT_HEAD_BYTES) {
        (void)refuse(ret_refusal, 431, "the head is too large");
        return HTTP1_REFUSED;
    }
    return outcome;
}

/* ---- the request line (RFC 9112 3) ------------------------------------------------------------------------------- */

/* host [ ":" port ], both checked. The host is a name, an IPv4 address or an IPv6 address in brackets; never empty. */
static bool authority_is_valid(limen_str text)
{
    size_t at = 0;
    if (text.len > 0 && text.ptr[0] == '[') {
        for (at = 1; at < text.len && (char_is(text.ptr[at], CHAR_HEX) || text.ptr[at] == ':' || text.ptr[at] == '.');)
            at++;
        if (at < 4 || at >= text.len || text.ptr[at] != ']')
            return false;
        at++;
    } else {
        while (at < text.len && char_is(text.ptr[at], CHAR_HOST))
            at++;
        if (at == 0)
            return false;
    }
    if (at == text.len)
        return true;
    if (text.ptr[at++] != ':')
        return false;
    uint32_t port = 0;
    for (; at < text.len; at++) {
        if (!char_is(text.ptr[at], CHAR_DIGIT) || port > UINT16_MAX)
            return false;
        port = port * 10 + (uint32_t)(text.ptr[at] - '0');
    }
    return port <= UINT16_MAX;
}

/* path [ "?" query ] from `text`, which starts with '/' or '?' or is empty (then the path is "/"). */
static bool parse_path(struct http_request *request, limen_str text, struct refusal *ret_refusal)
{
    size_t at = 0;
    while (at < text.len && char_is(text.ptr[at], CHAR_PATH))
        at++;
    request->path = at > 0 ? str_make(text.ptr, at) : LIMEN_STR("/");
    if (at == text.len)
        return true;
    if (text.ptr[at] != '?')
        return refuse(ret_refusal, 400, "the target holds a character that must be escaped");
    request->has_query = true;
    size_t query = ++at;
    while (at < text.len && char_is(text.ptr[at], CHAR_QUERY))
        at++;
    if (at < text.len)
        return refuse(ret_refusal, 400, "the target holds a character that must be escaped");
    request->query = str_make(text.ptr + query, at - query);
    return true;
}

/* http://authority/path: what comes before the path. */
static bool parse_absolute(struct http_request *request, limen_str target, struct refusal *ret_refusal)
{
    size_t start = 0;
    if (target.len > 7 && str_equal_nocase(str_make(target.ptr, 7), LIMEN_STR("http://")))
        start = 7;
    else if (target.len > 8 && str_equal_nocase(str_make(target.ptr, 8), LIMEN_STR("https://")))
        start = 8;
    if (start == 0)
        return refuse(ret_refusal, 400, "the target is neither a path nor an http URI");
    size_t end = start;
    while (end < target.len && target.ptr[end] != '/' && target.ptr[end] != '?')
        end++;
    request->host = str_make(target.ptr + start, end - start);
    if (!authority_is_valid(request->host))
        return refuse(ret_refusal, 400, "the target's host is malformed");
    return parse_path(request, str_make(target.ptr + end, target.len - end), ret_refusal);
}

static bool parse_target(struct http_request *request, limen_str target, struct refusal *ret_refusal)
{
    request->target = target;
    if (target.ptr[0] == '/')
        return parse_path(request, target, ret_refusal);
    if (target.len == 1 && target.ptr[0] == '*' && request->method == METHOD_OPTIONS) {
        request->path = target;
        return true;
    }
    return parse_absolute(request, target, ret_refusal);
}

/* The last 9 bytes of the request line: " HTTP/1.1". */
static bool parse_version(struct http_request *request, const char *text, struct refusal *ret_refusal)
{
    if (memcmp(text, " HTTP/", 6) != 0 || !char_is(text[6], CHAR_DIGIT) || text[7] != '.'
        || !char_is(text[8], CHAR_DIGIT))
        return refuse(ret_refusal, 400, "the request line has no valid version");
    if (text[6] != '1' || text[8] > '1')
        return refuse(ret_refusal, 505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
    request->minor_version = text[8] - '0';
    return true;
}

static enum http_method read_method(limen_str text)
{
    if (text.len == 3 && memcmp(text.ptr, "GET", 3) == 0)
        return METHOD_GET;
    if (text.len == 4 && memcmp(text.ptr, "POST", 4) == 0)
        return METHOD_POST;
    return method_of(text);
}

static bool parse_request_line(struct http_request *request, limen_str line, struct refusal *ret_refusal)
{
    size_t at = 0;
    while (at < line.len && char_is(line.ptr[at], CHAR_TOKEN))
        at++;
    if (at == 0 || line.len < at + 11 || line.ptr[at] != ' ') /* SP, one byte of target, " HTTP/1.1" */
        return refuse(ret_refusal, 400, "the request line is malformed");
    if (!parse_version(request, line.ptr + line.len - 9, ret_refusal))
        return false;
    request->method_text = str_make(line.ptr, at);
    request->method = read_method(request->method_text);
    if (request->method == METHOD_UNKNOWN)
        return refuse(ret_refusal, 501, "the method is not implemented");
    return parse_target(request, str_make(line.ptr + at + 1, line.len - at - 10), ret_refusal);
}

/* ---- fields (RFC 9112 5) ----------------------------------------------------------------------------------------- */

/* Lower case, in order of length; `known_from[n]` is the first with n bytes. */
static const struct known_name {
    const char *text;
    enum header_id id;
} known_names[] = {
    { "te", HEADER_TE },       /* 2 */
    { "host", HEADER_HOST },   /* 4 */
    { "range", HEADER_RANGE }, /* 5 */
    { "accept", HEADER_ACCEPT },
    { "cookie", HEADER_COOKIE },
    { "expect", HEADER_EXPECT },
    { "origin", HEADER_ORIGIN }, /* 6 */
    { "trailer", HEADER_TRAILER },
    { "upgrade", HEADER_UPGRADE },           /* 7 */
    { "if-range", HEADER_IF_RANGE },         /* 8 */
    { "forwarded", HEADER_FORWARDED },       /* 9 */
    { "connection", HEADER_CONNECTION },     /* 10 */
    { "traceparent", HEADER_TRACEPARENT },   /* 11 */
    { "content-type", HEADER_CONTENT_TYPE }, /* 12 */
    { "authorization", HEADER_AUTHORIZATION },
    { "if-none-match", HEADER_IF_NONE_MATCH }, /* 13 */
    { "content-length", HEADER_CONTENT_LENGTH },
    { "sec-fetch-site", HEADER_SEC_FETCH_SITE },
    { "sec-fetch-mode", HEADER_SEC_FETCH_MODE },
    { "sec-fetch-dest", HEADER_SEC_FETCH_DEST }, /* 14 */
    { "accept-encoding", HEADER_ACCEPT_ENCODING },
    { "idempotency-key", HEADER_IDEMPOTENCY_KEY },
    { "x-forwarded-for", HEADER_X_FORWARDED_FOR },   /* 15 */
    { "content-encoding", HEADER_CONTENT_ENCODING }, /* 16 */
    { "transfer-encoding", HEADER_TRANSFER_ENCODING },
    { "if-modified-since", HEADER_IF_MODIFIED_SINCE },
    { "x-forwarded-proto", HEADER_X_FORWARDED_PROTO },                         /* 17 */
    { "access-control-request-method", HEADER_ACCESS_CONTROL_REQUEST_METHOD }, /* 29 */
};
enum { KNOWN_LONGEST = 29 };
static const uint8_t known_from[KNOWN_LONGEST + 2] = {
    0, 0, 0, 1, 1, 2, 3, 7, 9, 10, 11, 12, 13, 14, 16, 20, 23, 24, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 28,
};
_Static_assert(sizeof(known_names) / sizeof(known_names[0]) == 28, "known_from counts the names");

/* Setting bit 5 makes letters lower case and leaves the other characters of our names as they are; of the token characters
 * only '^' and '_' become something else, and that is in no name of ours. */
static bool name_equals(const char *name, const char *known, size_t len)
{
    size_t i = 0;
    for (; i + 8 <= len; i += 8) {
        uint64_t a, b;
        memcpy(&a, name + i, 8);
        memcpy(&b, known + i, 8);
        if ((a | 0x2020202020202020ULL) != b)
            return false;
    }
    for (; i < len; i++)
        if ((name[i] | 0x20) != known[i])
            return false;
    return true;
}

static enum header_id name_id(const char *name, size_t len)
{
    if (len > KNOWN_LONGEST)
        return HEADER_OTHER;
    for (size_t i = known_from[len]; i < known_from[len + 1]; i++)
        if (name_equals(name, known_names[i].text, len))
            return known_names[i].id;
    return HEADER_OTHER;
}

/* Fields that have one value: a second one would be read by one server and not by the next. */
#define ONE(id) (1ULL << (id))
static const uint64_t singletons = ONE(HEADER_HOST) | ONE(HEADER_CONTENT_LENGTH) | ONE(HEADER_TRANSFER_ENCODING)
    | ONE(HEADER_CONTENT_TYPE) | ONE(HEADER_EXPECT) | ONE(HEADER_COOKIE) | ONE(HEADER_ORIGIN)
    | ONE(HEADER_AUTHORIZATION) | ONE(HEADER_SEC_FETCH_SITE) | ONE(HEADER_SEC_FETCH_MODE) | ONE(HEADER_SEC_FETCH_DEST)
    | ONE(HEADER_IDEMPOTENCY_KEY) | ONE(HEADER_RANGE) | ONE(HEADER_IF_RANGE) | ONE(HEADER_IF_MODIFIED_SINCE)
    | ONE(HEADER_ACCESS_CONTROL_REQUEST_METHOD);
_Static_assert(HEADER_COUNT <= 64, "singletons is a set of bits");

/* "Content_Length" is taken for Content-Length by what maps names to environment variables: it must not frame anything. */
static bool name_mimics_framing(const char *name, size_t len)
{
    if (len != 14 && len != 17)
        return false;
    size_t split = len == 14 ? 7 : 8;
    return name[split] == '_'
        && (str_equal_nocase(str_make(name, split), LIMEN_STR("content"))
            || str_equal_nocase(str_make(name, split), LIMEN_STR("transfer")));
}

static bool parse_field(struct http_request *request, const char *line, const char *end, struct refusal *ret_refusal)
{
    const char *at = line;
    while (char_is(*at, CHAR_TOKEN)) /* stops at the CR at the latest */
        at++;
    size_t name_len = (size_t)(at - line);
    if (name_len == 0 || *at != ':')
        return refuse(ret_refusal, 400, "a field's name is malformed");
    at++;
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    while (end > at && (end[-1] == ' ' || end[-1] == '\t'))
        end--;

    enum header_id id = name_id(line, name_len);
    if (id == HEADER_OTHER && name_mimics_framing(line, name_len))
        return refuse(ret_refusal, 400, "a field's name mimics one that frames the message");
    if (id != HEADER_OTHER && request->first[id] != 0 && (singletons & ONE(id)) != 0)
        return refuse(ret_refusal, 400, "a field that may stand once stands twice");
    struct http_field *field = &request->fields[request->field_count++];
    field->name = str_make(line, name_len);
    field->value = str_make(at, (size_t)(end - at));
    field->id = id;
    if (request->first[id] == 0)
        request->first[id] = (uint8_t)request->field_count;
    return true;
}

static bool parse_fields(struct http_request *request, limen_str bytes, const struct head_lines *lines,
                         struct refusal *ret_refusal)
{
    for (uint32_t i = 1; i < lines->count; i++)
        if (!parse_field(request, bytes.ptr + lines->end[i - 1] + 2, bytes.ptr + lines->end[i], ret_refusal))
            return false;
    return true;
}

/* ---- what the fields mean together --------------------------------------------------------------------------------- */

/* RFC 9112 3.2: exactly one, well-formed, not empty; HTTP/1.0 may leave it out. An absolute target must agree with it. */
static bool apply_host(struct http_request *request, struct refusal *ret_refusal)
{
    const struct http_field *field = http_field_get(request, HEADER_HOST);
    if (field == NULL)
        return request->minor_version == 0 || refuse(ret_refusal, 400, "the Host field is missing");
    if (!authority_is_valid(field->value))
        return refuse(ret_refusal, 400, "the Host field is malformed");
    if (request->host.len > 0 && !str_equal_nocase(request->host, field->value))
        return refuse(ret_refusal, 400, "the target's host is not the one of the Host field");
    request->host = field->value;
    return true;
}

/* 1*DIGIT without sign, list, leading zero or overflow. */
static bool read_length(limen_str text, uint64_t *ret_length)
{
    uint64_t length = 0;
    if (text.len == 0 || (text.len > 1 && text.ptr[0] == '0'))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!char_is(text.ptr[i], CHAR_DIGIT) || __builtin_mul_overflow(length, 10U, &length)
            || __builtin_add_overflow(length, (uint64_t)(text.ptr[i] - '0'), &length))
            return false;
    }
    *ret_length = length;
    return length <= INT64_MAX;
}

static bool ends_with_chunked(limen_str codings)
{
    return codings.len > 7 && str_equal_nocase(str_slice(codings, codings.len - 7, codings.len), LIMEN_STR("chunked"));
}

/* RFC 9112 6: one way to know where the body ends, or refusal. */
static bool apply_framing(struct http_request *request, struct refusal *ret_refusal)
{
    const struct http_field *length = http_field_get(request, HEADER_CONTENT_LENGTH);
    const struct http_field *coding = http_field_get(request, HEADER_TRANSFER_ENCODING);
    if (coding != NULL) {
        if (length != NULL)
            return refuse(ret_refusal, 400, "Transfer-Encoding and Content-Length exclude each other");
        if (request->minor_version == 0)
            return refuse(ret_refusal, 400, "HTTP/1.0 has no Transfer-Encoding");
        if (!str_equal_nocase(coding->value, LIMEN_STR("chunked")))
            return ends_with_chunked(coding->value)
                ? refuse(ret_refusal, 501, "no transfer coding but chunked is implemented")
                : refuse(ret_refusal, 400, "the final transfer coding must be chunked");
        request->framing = FRAMING_CHUNKED;
    } else if (length != NULL) {
        if (!read_length(length->value, &request->content_length))
            return refuse(ret_refusal, 400, "Content-Length is malformed");
        if (request->content_length > 0)
            request->framing = FRAMING_LENGTH;
    }
    return true;
}

/* RFC 9112 9.3. All Connection fields count, and "close" wins. */
static void apply_connection(struct http_request *request)
{
    request->keep_alive = request->minor_version == 1;
    if (request->first[HEADER_CONNECTION] == 0)
        return;
    bool closes = false;
    for (uint32_t i = request->first[HEADER_CONNECTION] - 1U; i < request->field_count; i++) {
        if (request->fields[i].id != HEADER_CONNECTION)
            continue;
        for (limen_str rest = request->fields[i].value; rest.len > 0;) {
            limen_str option = str_trim(str_cut(&rest, ','));
            closes = closes || str_equal_nocase(option, LIMEN_STR("close"));
            if (str_equal_nocase(option, LIMEN_STR("keep-alive")))
                request->keep_alive = true;
        }
    }
    if (closes)
        request->keep_alive = false;
}

/* RFC 9110 10.1.1: HTTP/1.0 cannot expect anything. */
static bool apply_expect(struct http_request *request, struct refusal *ret_refusal)
{
    const struct http_field *expect = http_field_get(request, HEADER_EXPECT);
    if (expect == NULL)
        return true;
    if (!str_equal_nocase(expect->value, LIMEN_STR("100-continue")))
        return refuse(ret_refusal, 417, "the only expectation known here is 100-continue");
    request->expects_continue = request->minor_version == 1 && request->framing != FRAMING_NONE;
    return true;
}

/* All but `fields`: 4 KiB that need no clearing, since field_count guards them. */
static void request_reset(struct http_request *request)
{
    request->has_query = false;
    request->query = request->host = (limen_str){ 0 };
    request->field_count = 0;
    memset(request->first, 0, sizeof(request->first));
    request->framing = FRAMING_NONE;
    request->content_length = 0;
    request->expects_continue = false;
}

static bool parse_lines(struct http_request *request, limen_str bytes, const struct head_lines *lines,
                        struct refusal *ret_refusal)
{
    if (lines->count == 0)
        return refuse(ret_refusal, 400, "the request line is empty");
    if (lines->end[0] > LIMIT_REQUEST_LINE_BYTES)
        return refuse(ret_refusal, 414, "the request line is too long");
    if (lines->bytes > LIMIT_HEAD_BYTES)
        return refuse(ret_refusal, 431, "the head is too large");
    request_reset(request);
    request->head_bytes = lines->bytes;
    limen_str line = str_make(bytes.ptr + lines->first, lines->end[0] - lines->first);
    if (!parse_request_line(request, line, ret_refusal) || !parse_fields(request, bytes, lines, ret_refusal)
        || !apply_host(request, ret_refusal) || !apply_framing(request, ret_refusal)
        || !apply_expect(request, ret_refusal))
        return false;
    apply_connection(request);
    return true;
}

enum http1_outcome http1_parse_head(limen_str bytes, size_t *scanned, struct http_request *ret_request, int *ret_status,
                                    const char **ret_why)
{
    struct head_lines lines; /* not cleared: find_lines sets what is used */
    struct refusal refusal = { 400, "" };
    enum http1_outcome outcome = find_lines(bytes, scanned, &lines, &refusal);
    if (outcome == HTTP1_OK && !parse_lines(ret_request, bytes, &lines, &refusal))
        outcome = HTTP1_REFUSED;
    if (outcome != HTTP1_MORE)
        *scanned = 0;
    if (outcome == HTTP1_REFUSED) {
        *ret_status = refusal.status;
        *ret_why = refusal.why;
    }
    return outcome;
}

limen_str http_field_find(const struct http_request *request, limen_str name, uint32_t *ret_count)
{
    limen_str value = { 0 };
    uint32_t count = 0;
    for (uint32_t i = 0; i < request->field_count; i++)
        if (request->fields[i].name.len == name.len && str_equal_nocase(request->fields[i].name, name) && count++ == 0)
            value = request->fields[i].value;
    *ret_count = count;
    return value;
}
