/* reply.c - a reply as bytes.
 *
 * The head is put together in one reserved piece of the output, from pieces that were made at compile time. Nothing from
 * outside can end a line: a field with CR, LF or NUL in it is dropped, with a word in the log. */
#include "edge/internal.h"

#include "core/log.h"
#include "core/str.h"
#include "edge/chars.h"

/* What OWASP's secure headers ask for. HSTS comes with TLS. */
#define SECURITY_COMMON                           \
    "X-Content-Type-Options: nosniff\r\n"         \
    "X-Frame-Options: deny\r\n"                   \
    "Referrer-Policy: no-referrer\r\n"            \
    "Cross-Origin-Opener-Policy: same-origin\r\n" \
    "Cross-Origin-Resource-Policy: same-origin\r\n"
#define SECURITY_API SECURITY_COMMON "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"
#define SECURITY_PAGE                                                                                                \
    SECURITY_COMMON                                                                                                  \
    "Content-Security-Policy: default-src 'self'; form-action 'self'; base-uri 'self'; object-src 'none'; "          \
    "frame-ancestors 'none'\r\n"                                                                                     \
    "Permissions-Policy: accelerometer=(), autoplay=(), camera=(), clipboard-read=(), clipboard-write=(), "          \
    "cross-origin-isolated=(), display-capture=(), encrypted-media=(), fullscreen=(), gamepad=(), geolocation=(), "  \
    "gyroscope=(), hid=(), idle-detection=(), interest-cohort=(), keyboard-map=(), magnetometer=(), microphone=(), " \
    "midi=(), payment=(), picture-in-picture=(), publickey-credentials-get=(), screen-wake-lock=(), serial=(), "     \
    "sync-xhr=(), unload=(), usb=(), web-share=(), xr-spatial-tracking=()\r\n"
#define NO_STORE "Cache-Control: no-store\r\n"

/* One copy each: [flavour][is_cacheable]. */
static const limen_str security[2][2] = {
    [REPLY_API] = { LIMEN_STR_INIT(NO_STORE SECURITY_API), LIMEN_STR_INIT(SECURITY_API) },
    [REPLY_PAGE] = { LIMEN_STR_INIT(NO_STORE SECURITY_PAGE), LIMEN_STR_INIT(SECURITY_PAGE) },
};

/* RFC 9110 15, and 428, 429, 431 of RFC 6585. A phrase means nothing to a client; a status without one is fine. */
static const limen_str reasons[600] = {
    [200] = LIMEN_STR_INIT("OK"),
    [201] = LIMEN_STR_INIT("Created"),
    [202] = LIMEN_STR_INIT("Accepted"),
    [204] = LIMEN_STR_INIT("No Content"),
    [206] = LIMEN_STR_INIT("Partial Content"),
    [301] = LIMEN_STR_INIT("Moved Permanently"),
    [302] = LIMEN_STR_INIT("Found"),
    [303] = LIMEN_STR_INIT("See Other"),
    [304] = LIMEN_STR_INIT("Not Modified"),
    [307] = LIMEN_STR_INIT("Temporary Redirect"),
    [308] = LIMEN_STR_INIT("Permanent Redirect"),
    [400] = LIMEN_STR_INIT("Bad Request"),
    [401] = LIMEN_STR_INIT("Unauthorized"),
    [403] = LIMEN_STR_INIT("Forbidden"),
    [404] = LIMEN_STR_INIT("Not Found"),
    [405] = LIMEN_STR_INIT("Method Not Allowed"),
    [406] = LIMEN_STR_INIT("Not Acceptable"),
    [408] = LIMEN_STR_INIT("Request Timeout"),
    [409] = LIMEN_STR_INIT("Conflict"),
    [410] = LIMEN_STR_INIT("Gone"),
    [411] = LIMEN_STR_INIT("Length Required"),
    [412] = LIMEN_STR_INIT("Precondition Failed"),
    [413] = LIMEN_STR_INIT("Content Too Large"),
    [414] = LIMEN_STR_INIT("URI Too Long"),
    [415] = LIMEN_STR_INIT("Unsupported Media Type"),
    [416] = LIMEN_STR_INIT("Range Not Satisfiable"),
    [417] = LIMEN_STR_INIT("Expectation Failed"),
    [421] = LIMEN_STR_INIT("Misdirected Request"),
    [422] = LIMEN_STR_INIT("Unprocessable Content"),
    [428] = LIMEN_STR_INIT("Precondition Required"),
    [429] = LIMEN_STR_INIT("Too Many Requests"),
    [431] = LIMEN_STR_INIT("Request Header Fields Too Large"),
    [500] = LIMEN_STR_INIT("Internal Server Error"),
    [501] = LIMEN_STR_INIT("Not Implemented"),
    [502] = LIMEN_STR_INIT("Bad Gateway"),
    [503] = LIMEN_STR_INIT("Service Unavailable"),
    [504] = LIMEN_STR_INIT("Gateway Timeout"),
    [505] = LIMEN_STR_INIT("HTTP Version Not Supported"),
};

static limen_str reason_of(int status)
{
    if (status < 200 || status > 599)
        BUG("a reply has no final status");
    return reasons[status];
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

static char *drop(char *at, limen_str name)
{
    LOG_WARN("a reply's field was dropped: it holds a control character", log_str("field", name));
    return at;
}

/* `name` is one of our own. */
static char *put_own_field(char *at, limen_str name, limen_str value)
{
    if (chars_find_control(value.ptr, 0, value.len) != value.len)
        return drop(at, name);
    at = put(at, name);
    at = PUT(at, ": ");
    at = put(at, value);
    return PUT(at, "\r\n");
}

static char *put_field(char *at, const struct http_header_out *field)
{
    if (field->name.len == 0 || !chars_are(field->name, CHAR_TOKEN))
        return drop(at, field->name);
    return put_own_field(at, field->name, field->value);
}

static char *put_status_line(char *at, int status)
{
    at = PUT(at, "HTTP/1.1 ");
    at[0] = (char)('0' + status / 100);
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
            LOG_ERROR("a reply's head is larger than a block; the connection is closed",
                      log_int("status", reply->status));
        connection->is_broken = true;
        return;
    }
    char *at = put_status_line(start, reply->status);
    at = PUT(at, "Date: ");
    at = put(at, str_make(loop_clock(connection->edge->loop)->date, 29));
    at = PUT(at, "\r\n");
    if (reply->content_type.len > 0)
        at = put_own_field(at, LIMEN_STR("Content-Type"), reply->content_type);
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
    char memory[256];
    struct buf body;
    buf_init_fixed(&body, memory, sizeof(memory));
    BUF_ADD(&body, "{\"type\":\"about:blank\",\"title\":\"");
    buf_add(&body, reason_of(status));
    BUF_ADD(&body, "\",\"status\":");
    buf_add_int(&body, status);
    BUF_ADD(&body, ",\"detail\":\"");
    buf_add(&body, str_of(why));
    BUF_ADD(&body, "\"}");
    if (body.failed)
        BUG("a refusal's reason is longer than its place");
    reply_write(connection,
                &(struct http_reply){
                    .status = status, .content_type = LIMEN_STR("application/problem+json"), .body = buf_str(&body) },
                (struct reply_frame){ .close = true });
    connection->is_last = true;
    connection->lingers = true;
    if (connection->edge->hooks.on_refused != NULL)
        connection->edge->hooks.on_refused(connection->edge->hooks.context, status);
}
