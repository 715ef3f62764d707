/* reply.c - a reply as bytes.
 *
 * The head is put together in one reserved piece of the output, from pieces that were made at compile time. Nothing from
 * outside can end a line: a field with CR, LF or NUL in it is dropped, with a word in the log. */
#include "edge/internal.h"

#include "core/log.h"
#include "core/str.h"
#include "edge/chars.h"

#include <stdio.h>

/* What OWASP's secure headers ask for. HSTS comes with TLS. */
#define SECURITY_COMMON                                                                                                \
    "X-Content-Type-Options: nosniff\r\n"                                                                              \
    "X-Frame-Options: deny\r\n"                                                                                        \
    "Referrer-Policy: no-referrer\r\n"                                                                                 \
    "Cross-Origin-Opener-Policy: same-origin\r\n"                                                                      \
    "Cross-Origin-Resource-Policy: same-origin\r\n"
#define SECURITY_API                                                                                                   \
    SECURITY_COMMON "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"
#define SECURITY_PAGE                                                                                                  \
    SECURITY_COMMON                                                                                                    \
    "Content-Security-Policy: default-src 'self'; form-action 'self'; base-uri 'self'; object-src 'none'; "            \
    "frame-ancestors 'none'\r\n"                                                                                       \
    "Permissions-Policy: accelerometer=(), autoplay=(), camera=(), clipboard-read=(), clipboard-write=(), "            \
    "cross-origin-isolated=(), display-capture=(), encrypted-media=(), fullscreen=(), gamepad=(), geolocation=(), "    \
    "gyroscope=(), hid=(), idle-detection=(), interest-cohort=(), keyboard-map=(), magnetometer=(), microphone=(), "   \
    "midi=(), payment=(), picture-in-picture=(), publickey-credentials-get=(), screen-wake-lock=(), serial=(), "       \
    "sync-xhr=(), unload=(), usb=(), web-share=(), xr-spatial-tracking=()\r\n"
#define NO_STORE "Cache-Control: no-store\r\n"

/* One copy each: [flavour][is_cacheable]. */
static const limen_str security[2][2] = {
    [REPLY_API] = { LIMEN_STR_INIT(NO_STORE SECURITY_API), LIMEN_STR_INIT(SECURITY_API) },
    [REPLY_PAGE] = { LIMEN_STR_INIT(NO_STORE SECURITY_PAGE), LIMEN_STR_INIT(SECURITY_PAGE) },
};

/* RFC 9110 15, and 428, 429, 431 of RFC 6585. */
static limen_str reason_of(int status)
{
    switch (status) {
    case 200: return LIMEN_STR("OK");
    case 201: return LIMEN_STR("Created");
    case 202: return LIMEN_STR("Accepted");
    case 204: return LIMEN_STR("No Content");
    case 206: return LIMEN_STR("Partial Content");
    case 301: return LIMEN_STR("Moved Permanently");
    case 302: return LIMEN_STR("Found");
    case 303: return LIMEN_STR("See Other");
    case 304: return LIMEN_STR("Not Modified");
    case 307: return LIMEN_STR("Temporary Redirect");
    case 308: return LIMEN_STR("Permanent Redirect");
    case 400: return LIMEN_STR("Bad Request");
    case 401: return LIMEN_STR("Unauthorized");
    case 403: return LIMEN_STR("Forbidden");
    case 404: return LIMEN_STR("Not Found");
    case 405: return LIMEN_STR("Method Not Allowed");
    case 406: return LIMEN_STR("Not Acceptable");
    case 408: return LIMEN_STR("Request Timeout");
    case 409: return LIMEN_STR("Conflict");
    case 410: return LIMEN_STR("Gone");
    case 411: return LIMEN_STR("Length Required");
    case 412: return LIMEN_STR("Precondition Failed");
    case 413: return LIMEN_STR("Content Too Large");
    case 414: return LIMEN_STR("URI Too Long");
    case 415: return LIMEN_STR("Unsupported Media Type");
    case 416: return LIMEN_STR("Range Not Satisfiable");
    case 417: return LIMEN_STR("Expectation Failed");
    case 421: return LIMEN_STR("Misdirected Request");
    case 422: return LIMEN_STR("Unprocessable Content");
    case 428: return LIMEN_STR("Precondition Required");
    case 429: return LIMEN_STR("Too Many Requests");
    case 431: return LIMEN_STR("Request Header Fields Too Large");
    case 500: return LIMEN_STR("Internal Server Error");
    case 501: return LIMEN_STR("Not Implemented");
    case 502: return LIMEN_STR("Bad Gateway");
    case 503: return LIMEN_STR("Service Unavailable");
    case 504: return LIMEN_STR("Gateway Timeout");
    case 505: return LIMEN_STR("HTTP Version Not Supported");
    default: return LIMEN_STR("Status"); /* the phrase means nothing to a client */
    }
}

/* Fixed pieces at their longest: status line, Date, Content-Type's name, Content-Length, Connection, the empty line. */
#define HEAD_FIXED_BYTES 256U

static char *put(char *at, limen_str s)
{
    if (s.len > 0)
        memcpy(at, s.ptr, s.len);
    return at + s.len;
}
#define PUT(at, literal) ((char *)memcpy((at), literal, sizeof(literal) - 1) + sizeof(literal) - 1)

static char *put_number(char *at, uint64_t value)
{
    char digits[20];
    size_t count = 0;
    do {
        digits[sizeof(digits) - ++count] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return put(at, str_make(digits + sizeof(digits) - count, count));
}

static bool field_is_clean(const struct http_header_out *field)
{
    bool clean = field->name.len > 0;
    for (size_t i = 0; i < field->name.len; i++)
        clean = clean && char_is(field->name.ptr[i], CHAR_TOKEN);
    for (size_t i = 0; i < field->value.len; i++)
        clean = clean && char_is(field->value.ptr[i], CHAR_TEXT);
    return clean;
}

static char *put_field(char *at, const struct http_header_out *field)
{
    if (!field_is_clean(field)) {
        LOG_WARN("a reply's field was dropped: it holds a control character", log_str("field", field->name));
        return at;
    }
    at = put(at, field->name);
    at = PUT(at, ": ");
    at = put(at, field->value);
    return PUT(at, "\r\n");
}

static char *put_status_line(char *at, int status)
{
    at = PUT(at, "HTTP/1.1 ");
    at[0] = (char)('0' + status / 100 % 10);
    at[1] = (char)('0' + status / 10 % 10);
    at[2] = (char)('0' + status % 10);
    at[3] = ' ';
    at = put(at + 4, reason_of(status));
    return PUT(at, "\r\n");
}

/* RFC 9110 8.6: no Content-Length on 204; on 304 only where the length of the 200 is known. */
static char *put_length(char *at, const struct http_reply *reply, bool is_head)
{
    if (reply->status == 204 || (reply->status == 304 && !reply->has_length))
        return at;
    bool is_given = reply->has_length && (is_head || reply->status == 304);
    at = PUT(at, "Content-Length: ");
    at = put_number(at, is_given ? reply->length : reply->body.len);
    return PUT(at, "\r\n");
}

static size_t head_room(const struct http_reply *reply)
{
    size_t bytes = HEAD_FIXED_BYTES + security[reply->flavour][reply->is_cacheable].len + reply->content_type.len;
    for (uint32_t i = 0; i < reply->header_count; i++)
        bytes += reply->headers[i].name.len + reply->headers[i].value.len + 4;
    return bytes;
}

void reply_write(struct connection *connection, const struct http_reply *reply, struct reply_frame frame)
{
    char *start = output_reserve(connection, head_room(reply));
    if (start == NULL) {
        if (!connection->is_broken)
            LOG_ERROR("a reply's head is larger than a block; the connection is closed", log_int("status", reply->status));
        connection->is_broken = true;
        return;
    }
    char *at = put_status_line(start, reply->status);
    at = PUT(at, "Date: ");
    at = put(at, str_make(loop_clock(connection->edge->loop)->date, 29));
    at = PUT(at, "\r\n");
    if (reply->content_type.len > 0)
        at = put_field(at, &(struct http_header_out){ LIMEN_STR_INIT("Content-Type"), reply->content_type });
    at = put_length(at, reply, frame.is_head);
    for (uint32_t i = 0; i < reply->header_count; i++)
        at = put_field(at, &reply->headers[i]);
    at = put(at, security[reply->flavour][reply->is_cacheable]);
    if (frame.close)
        at = PUT(at, "Connection: close\r\n");
    else if (frame.says_keep_alive)
        at = PUT(at, "Connection: keep-alive\r\n");
    at = PUT(at, "\r\n");
    output_commit(connection, (size_t)(at - start));

    if (frame.is_head || reply->status == 204 || reply->status == 304)
        return;
    if (reply->body_is_static)
        output_add_static(connection, reply->body);
    else
        output_add(connection, reply->body);
}

void reply_refuse(struct connection *connection, int status, const char *why)
{
    char body[256];
    limen_str reason = reason_of(status);
    int len = snprintf(body, sizeof(body), "{\"type\":\"about:blank\",\"title\":\"%.*s\",\"status\":%d,\"detail\":\"%s\"}",
                       LIMEN_STR_ARG(reason), status, why);
    size_t body_bytes = len < 0 ? 0 : (size_t)len < sizeof(body) ? (size_t)len : sizeof(body) - 1;
    reply_write(connection,
                &(struct http_reply){ .status = status, .content_type = LIMEN_STR("application/problem+json"),
                                      .body = str_make(body, body_bytes) },
                (struct reply_frame){ .close = true });
    connection->is_last = true;
    connection->lingers = true;
    if (connection->edge->hooks.on_refused != NULL)
        connection->edge->hooks.on_refused(connection->edge->hooks.context, status);
}
