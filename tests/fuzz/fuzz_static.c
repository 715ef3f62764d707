/* fuzz_static.c - an app's page: only what is a file is sent, and of it exactly what the reply says.
 *
 * The input is a request's target and fields. Instead of a connection there is a reply to look at. */
#include "core/str.h"
#include "edge/internal.h"
#include "edge/static.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static const struct limen_file page[] = {
    { LIMEN_STR_INIT("index.html"), LIMEN_STR_INIT("<!doctype html><p>0123456789") },
    { LIMEN_STR_INIT("app.js"), LIMEN_STR_INIT("let a = 1;\n") },
    { LIMEN_STR_INIT("js/index.html"), LIMEN_STR_INIT("js") },
    { LIMEN_STR_INIT("empty.txt"), LIMEN_STR_INIT("") },
};
#define FILES (sizeof(page) / sizeof(page[0]))

/* The plain way: the path is a file's, behind a '/', or its folder's. */
static const struct limen_file *file_of(limen_str path)
{
    if (!str_starts(path, LIMEN_STR("/")))
        return NULL; /* "*" */
    for (size_t i = 0; i < FILES; i++) {
        limen_str name = page[i].path;
        limen_str rest = str_slice(path, 1, path.len);
        bool is_folder = str_ends(name, LIMEN_STR("index.html"))
            && str_equal(rest, str_slice(name, 0, name.len - LIMEN_STR("index.html").len));
        if (str_equal(rest, name) || is_folder)
            return &page[i];
    }
    return NULL;
}

/* ---- what the edge would send ---------------------------------------------------------------------------------------------- */
static const struct limen_file *wanted;
static unsigned replies;

const struct http_request *exchange_request(const struct exchange *exchange)
{
    return &exchange->request;
}

static limen_str header_of(const struct http_reply *reply, limen_str name)
{
    for (uint32_t i = 0; i < reply->header_count; i++)
        if (str_equal(reply->headers[i].name, name))
            return reply->headers[i].value;
    return (limen_str){ 0 };
}

static void check_part(const struct http_request *request, const struct http_reply *reply)
{
    char text[80] = { 0 };
    size_t from, to, whole;
    limen_str range = header_of(reply, LIMEN_STR("Content-Range"));
    must(range.len > 0 && range.len < sizeof(text));
    memcpy(text, range.ptr, range.len);
    must(request->method == METHOD_GET && http_field_get(request, HEADER_RANGE) != NULL);
    if (reply->status == 416) {
        must(sscanf(text, "bytes */%zu", &whole) == 1 && whole == wanted->bytes.len && reply->body.len == 0);
        return;
    }
    must(sscanf(text, "bytes %zu-%zu/%zu", &from, &to, &whole) == 3);
    must(from <= to && to < whole && whole == wanted->bytes.len);
    must(str_equal(reply->body, str_slice(wanted->bytes, from, to + 1)));
}

void exchange_reply(struct exchange *exchange, const struct http_reply *reply)
{
    const struct http_request *request = &exchange->request;
    replies++;
    must(wanted != NULL && reply->flavour == REPLY_PAGE && !reply->close);
    switch (reply->status) {
    case 200:
        must(str_equal(reply->body, wanted->bytes) && reply->content_type.len > 0);
        break;
    case 206:
    case 416:
        check_part(request, reply);
        break;
    case 304:
        must(http_field_get(request, HEADER_IF_NONE_MATCH) != NULL && reply->body.len == 0);
        break;
    case 405:
        must(request->method != METHOD_GET && request->method != METHOD_HEAD);
        must(str_equal(header_of(reply, LIMEN_STR("Allow")), LIMEN_STR("GET, HEAD")));
        return;
    default:
        abort();
    }
    must(request->method == METHOD_GET || request->method == METHOD_HEAD);
    must(header_of(reply, LIMEN_STR("ETag")).len == 34);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct static_files *files;
    static struct exchange exchange;
    char head[4096 + 64];
    size_t scanned = 0;
    int status;
    const char *why;
    if (size > 4096)
        return 0;
    if (files == NULL)
        files = static_files_new(page, FILES);
    must(files != NULL);
    /* "GET /app.js HTTP/1.1\r\nHost: a\r\n" and what the input has behind its first line end. */
    limen_str fields = str_make((const char *)data, size), target = str_cut(&fields, '\n');
    int len = snprintf(head, sizeof(head), "%.*s HTTP/1.1\r\nHost: a\r\n%.*s\r\n\r\n", LIMEN_STR_ARG(target),
                       LIMEN_STR_ARG(fields));
    if (len < 0
        || http1_parse_head(str_make(head, (size_t)len), &scanned, &exchange.request, &status, &why) != HTTP1_OK)
        return 0;
    wanted = file_of(exchange.request.path);
    replies = 0;
    must(static_files_reply(files, &exchange, NULL) == (wanted != NULL));
    must(replies == (wanted != NULL));
    return 0;
}
