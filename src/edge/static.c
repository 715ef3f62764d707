/* static.c - an app's page, from memory.
 *
 * A path is looked up whole among the files that were built in; there is no other way from a path to a file. Conditional and
 * range requests follow RFC 9110 13 and 14; what is not understood of a range is ignored, as 14.2 asks. */
#include "edge/static.h"

#include "core/hash.h"
#include "core/sha256.h"
#include "core/str.h"
#include "edge/chars.h"
#include "edge/edge.h"

#include <stdio.h>
#include <stdlib.h>

struct static_file {
    limen_str path; /* "/app.js", of our own memory */
    limen_str bytes;
    limen_str type;
    char etag[2 + 32 + 1]; /* in quotes: half of a SHA-256 is enough to tell two versions apart */
};

/* Files by path; a directory's path leads to its index.html. */
struct static_files {
    struct map by_path;
    struct static_file *files;
    size_t count;
};

/* ---- the index ------------------------------------------------------------------------------------------------------- */

static limen_str type_of(limen_str path)
{
    static const struct {
        limen_str ending, type;
    } types[] = {
        { LIMEN_STR_INIT(".html"), LIMEN_STR_INIT("text/html; charset=utf-8") },
        { LIMEN_STR_INIT(".css"), LIMEN_STR_INIT("text/css; charset=utf-8") },
        { LIMEN_STR_INIT(".js"), LIMEN_STR_INIT("text/javascript; charset=utf-8") },
        { LIMEN_STR_INIT(".mjs"), LIMEN_STR_INIT("text/javascript; charset=utf-8") },
        { LIMEN_STR_INIT(".json"), LIMEN_STR_INIT("application/json") },
        { LIMEN_STR_INIT(".map"), LIMEN_STR_INIT("application/json") },
        { LIMEN_STR_INIT(".webmanifest"), LIMEN_STR_INIT("application/manifest+json") },
        { LIMEN_STR_INIT(".svg"), LIMEN_STR_INIT("image/svg+xml") },
        { LIMEN_STR_INIT(".png"), LIMEN_STR_INIT("image/png") },
        { LIMEN_STR_INIT(".jpg"), LIMEN_STR_INIT("image/jpeg") },
        { LIMEN_STR_INIT(".jpeg"), LIMEN_STR_INIT("image/jpeg") },
        { LIMEN_STR_INIT(".gif"), LIMEN_STR_INIT("image/gif") },
        { LIMEN_STR_INIT(".webp"), LIMEN_STR_INIT("image/webp") },
        { LIMEN_STR_INIT(".avif"), LIMEN_STR_INIT("image/avif") },
        { LIMEN_STR_INIT(".ico"), LIMEN_STR_INIT("image/vnd.microsoft.icon") },
        { LIMEN_STR_INIT(".woff2"), LIMEN_STR_INIT("font/woff2") },
        { LIMEN_STR_INIT(".woff"), LIMEN_STR_INIT("font/woff") },
        { LIMEN_STR_INIT(".wasm"), LIMEN_STR_INIT("application/wasm") },
        { LIMEN_STR_INIT(".pdf"), LIMEN_STR_INIT("application/pdf") },
        { LIMEN_STR_INIT(".xml"), LIMEN_STR_INIT("application/xml") },
        { LIMEN_STR_INIT(".txt"), LIMEN_STR_INIT("text/plain; charset=utf-8") },
        { LIMEN_STR_INIT(".md"), LIMEN_STR_INIT("text/markdown; charset=utf-8") },
    };
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (str_ends(path, types[i].ending))
            return types[i].type;
    return LIMEN_STR("application/octet-stream");
}

static void write_etag(struct static_file *file)
{
    uint8_t digest[SHA256_BYTES];
    sha256(file->bytes, digest);
    struct buf etag;
    buf_init_fixed(&etag, file->etag, sizeof(file->etag));
    buf_add_char(&etag, '"');
    buf_add_hex(&etag, digest, 16);
    buf_add_char(&etag, '"');
    file->etag[sizeof(file->etag) - 1] = '\0';
}

static limen_str etag_of(const struct static_file *file)
{
    return str_make(file->etag, sizeof(file->etag) - 1);
}

/* "/" + path, and the directory's path where the file is its index. */
static bool add_file(struct static_files *files, const struct limen_file *from)
{
    char *path = malloc(from->path.len + 1);
    if (path == NULL)
        return false;
    path[0] = '/';
    if (from->path.len > 0)
        memcpy(path + 1, from->path.ptr, from->path.len);
    struct static_file *file = &files->files[files->count++];
    file->path = str_make(path, from->path.len + 1);
    file->bytes = from->bytes;
    file->type = type_of(file->path);
    write_etag(file);
    limen_str directory = str_slice(file->path, 0, file->path.len - LIMEN_STR("index.html").len);
    bool is_index = str_ends(file->path, LIMEN_STR("/index.html"));
    return map_put(&files->by_path, file->path, file, NULL)
        && (!is_index || map_put(&files->by_path, directory, file, NULL));
}

struct static_files *static_files_new(const struct limen_file *from, size_t count)
{
    struct static_files *files = calloc(1, sizeof *files);
    if (files == NULL)
        return NULL;
    map_init(&files->by_path);
    files->files = calloc(count + 1, sizeof(files->files[0]));
    bool complete = files->files != NULL;
    for (size_t i = 0; complete && i < count; i++)
        complete = add_file(files, &from[i]);
    if (!complete) {
        static_files_free(files);
        return NULL;
    }
    return files;
}

void static_files_free(struct static_files *files)
{
    if (files == NULL)
        return;
    map_release(&files->by_path);
    for (size_t i = 0; i < files->count; i++)
        free((char *)(uintptr_t)files->files[i].path.ptr);
    free(files->files);
    free(files);
}

/* ---- conditions and ranges ------------------------------------------------------------------------------------------- */

/* If-None-Match compares weakly (RFC 9110 13.1.2). Our tags hold no comma, so a list may be cut at commas. */
static bool list_has_etag(limen_str list, limen_str etag)
{
    while (list.len > 0) {
        limen_str one = str_trim(str_cut(&list, ','));
        if (str_starts(one, LIMEN_STR("W/")))
            one = str_slice(one, 2, one.len);
        if (str_equal(one, etag) || str_equal(one, LIMEN_STR("*")))
            return true;
    }
    return false;
}

static bool is_known_to_client(const struct http_request *request, limen_str etag)
{
    for (uint32_t i = 0; i < request->field_count; i++)
        if (request->fields[i].id == HEADER_IF_NONE_MATCH && list_has_etag(request->fields[i].value, etag))
            return true;
    return false;
}

enum range_outcome { RANGE_NONE, RANGE_PART, RANGE_UNSATISFIABLE };

/* Digits at `*at`; more than fit count as the largest number. False: there is no digit. */
static bool read_position(limen_str text, size_t *at, uint64_t *ret_value)
{
    size_t start = *at;
    uint64_t value = 0;
    for (; *at < text.len && char_is(text.ptr[*at], CHAR_DIGIT); (*at)++)
        if (__builtin_mul_overflow(value, 10U, &value)
            || __builtin_add_overflow(value, (uint64_t)(text.ptr[*at] - '0'), &value))
            value = UINT64_MAX / 16; /* stays larger than any file */
    *ret_value = value;
    return *at > start;
}

/* One range of bytes, "bytes=first-[last]" or "bytes=-count". */
static enum range_outcome parse_range(limen_str text, size_t size, size_t *ret_from, size_t *ret_count)
{
    limen_str unit = LIMEN_STR("bytes=");
    if (text.len <= unit.len || !str_equal_nocase(str_slice(text, 0, unit.len), unit))
        return RANGE_NONE;
    size_t at = unit.len;
    uint64_t first = 0, last = 0;
    bool has_first = read_position(text, &at, &first);
    if (at == text.len || text.ptr[at++] != '-')
        return RANGE_NONE;
    bool has_last = read_position(text, &at, &last);
    if (at != text.len || (!has_first && !has_last) || (has_first && has_last && last < first))
        return RANGE_NONE;
    if (!has_first) { /* the last `last` bytes */
        first = last < size ? size - last : 0;
        if (last == 0)
            return RANGE_UNSATISFIABLE;
        last = size;
    }
    if (first >= size)
        return RANGE_UNSATISFIABLE;
    if (!has_last || last >= size)
        last = size - 1;
    *ret_from = (size_t)first;
    *ret_count = (size_t)(last - first) + 1;
    return RANGE_PART;
}

/* Ranges are for GET, and only of the version that If-Range names (RFC 9110 13.1.5, 14.2). */
static enum range_outcome find_range(const struct http_request *request, const struct static_file *file,
                                     size_t *ret_from, size_t *ret_count)
{
    const struct http_field *range = http_field_get(request, HEADER_RANGE);
    const struct http_field *condition = http_field_get(request, HEADER_IF_RANGE);
    if (range == NULL || request->method != METHOD_GET)
        return RANGE_NONE;
    if (condition != NULL && !str_equal(condition->value, etag_of(file)))
        return RANGE_NONE;
    return parse_range(range->value, file->bytes.len, ret_from, ret_count);
}

/* ---- replies ----------------------------------------------------------------------------------------------------------- */

static void reply_method_not_allowed(struct exchange *exchange)
{
    static const struct http_header_out allow = { LIMEN_STR_INIT("Allow"), LIMEN_STR_INIT("GET, HEAD") };
    exchange_reply(exchange,
                   &(struct http_reply){
                       .status = 405,
                       .flavour = REPLY_PAGE,
                       .content_type = LIMEN_STR("application/problem+json"),
                       .body = LIMEN_STR("{\"type\":\"about:blank\",\"title\":\"Method Not Allowed\",\"status\":405,"
                                         "\"detail\":\"a page is read with GET or HEAD\"}"),
                       .headers = &allow,
                       .header_count = 1,
                   });
}

static void reply_file(struct exchange *exchange, const struct static_file *file)
{
    const struct http_request *request = exchange_request(exchange);
    char range_text[80];
    struct http_header_out headers[4] = {
        { LIMEN_STR_INIT("ETag"), etag_of(file) },
        { LIMEN_STR_INIT("Cache-Control"),
          LIMEN_STR_INIT("no-cache") }, /* kept, but asked for again: names carry no version */
        { LIMEN_STR_INIT("Accept-Ranges"), LIMEN_STR_INIT("bytes") },
    };
    struct http_reply reply = { .status = 200,
                                .flavour = REPLY_PAGE,
                                .content_type = file->type,
                                .body = file->bytes,
                                .body_is_static = true,
                                .is_cacheable = true,
                                .headers = headers,
                                .header_count = 3 };
    size_t from = 0, count = file->bytes.len;
    int len = 0;
    if (is_known_to_client(request, etag_of(file))) {
        reply.status = 304;
        reply.content_type = reply.body = (limen_str){ 0 };
    } else {
        switch (find_range(request, file, &from, &count)) {
        case RANGE_PART:
            reply.status = 206;
            reply.body = str_slice(file->bytes, from, from + count);
            len = snprintf(range_text, sizeof(range_text), "bytes %zu-%zu/%zu", from, from + count - 1,
                           file->bytes.len);
            break;
        case RANGE_UNSATISFIABLE:
            reply.status = 416;
            reply.content_type = reply.body = (limen_str){ 0 };
            len = snprintf(range_text, sizeof(range_text), "bytes */%zu", file->bytes.len);
            break;
        case RANGE_NONE:
            break;
        }
    }
    if (len > 0)
        headers[reply.header_count++] = (struct http_header_out){ LIMEN_STR_INIT("Content-Range"),
                                                                  { range_text, (size_t)len } };
    exchange_reply(exchange, &reply);
}

bool static_files_reply(const struct static_files *files, struct exchange *exchange, struct arena *arena)
{
    (void)arena; /* a reply is copied at once, so what it is made of stands on the stack */
    const struct http_request *request = exchange_request(exchange);
    const struct static_file *file = map_get(&files->by_path, request->path);
    if (file == NULL)
        return false;
    if (request->method == METHOD_GET || request->method == METHOD_HEAD)
        reply_file(exchange, file);
    else
        reply_method_not_allowed(exchange);
    return true;
}
