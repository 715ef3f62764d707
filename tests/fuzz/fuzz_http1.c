/* fuzz_http1.c - the head parser: what it accepts keeps its promises, and how the bytes were cut changes nothing. */
#include "core/str.h"
#include "edge/http1.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static bool is_inside(limen_str part, limen_str whole)
{
    return part.len == 0 || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

static bool is_line(limen_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '\r' || text.ptr[i] == '\n' || text.ptr[i] == '\0')
            return false;
    return true;
}

static void check_fields(const struct http_request *request, limen_str bytes)
{
    must(request->field_count <= LIMIT_HEADER_FIELDS);
    for (uint32_t i = 0; i < request->field_count; i++) {
        const struct http_field *field = &request->fields[i];
        must(is_inside(field->name, bytes) && is_inside(field->value, bytes) && field->name.len > 0);
        must(is_line(field->name) && is_line(field->value));
        must(field->id == HEADER_OTHER || http_field_get(request, field->id) != NULL);
    }
}

static void check_request(const struct http_request *request, limen_str bytes)
{
    must(request->head_bytes <= bytes.len && request->head_bytes <= LIMIT_HEAD_BYTES);
    bytes.len = request->head_bytes;
    must(bytes.ptr[bytes.len - 1] == '\n');
    must(request->method < METHOD_COUNT);
    must(request->path.len > 0 && (request->path.ptr[0] == '/' || request->path.ptr[0] == '*'));
    must(is_inside(request->target, bytes) && is_inside(request->query, bytes) && is_inside(request->host, bytes));
    must(is_line(request->target) && is_line(request->query));
    must(request->minor_version == 0 || (request->minor_version == 1 && request->host.len > 0));
    bool has_coding = http_field_get(request, HEADER_TRANSFER_ENCODING) != NULL;
    bool has_length = http_field_get(request, HEADER_CONTENT_LENGTH) != NULL;
    must(!(has_coding && has_length));
    must((request->framing == FRAMING_CHUNKED) == has_coding);
    must((request->framing == FRAMING_LENGTH) == (has_length && request->content_length > 0));
    check_fields(request, bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t step = data[0] % 31 + (size_t)1; /* of the growing input; the rest is the input */
    limen_str bytes = str_make((const char *)data + 1, size - 1);
    static struct http_request at_once, in_pieces;
    size_t scanned = 0;
    int status = 0;
    const char *why = NULL;
    enum http1_outcome outcome = http1_parse_head(bytes, &scanned, &at_once, &status, &why);
    if (outcome == HTTP1_OK)
        check_request(&at_once, bytes);
    int at_once_status = status;
    must(outcome != HTTP1_REFUSED || (status >= 400 && status <= 505 && why != NULL));

    /* As it grows: more is asked for until the head is complete, and then the same is found. */
    enum http1_outcome grown = HTTP1_MORE;
    size_t len = 0;
    scanned = 0;
    while (grown == HTTP1_MORE && len < bytes.len) {
        len = bytes.len - len < step ? bytes.len : len + step;
        grown = http1_parse_head(str_make(bytes.ptr, len), &scanned, &in_pieces, &status, &why);
    }
    /* Too many fields in a head that has no end yet are counted when it ends. */
    must(grown == outcome || (grown == HTTP1_MORE && outcome == HTTP1_REFUSED && at_once_status == 431));
    if (grown == HTTP1_OK) {
        must(len + 1 > at_once.head_bytes && len < at_once.head_bytes + step);
        must(in_pieces.head_bytes == at_once.head_bytes && in_pieces.field_count == at_once.field_count);
        must(in_pieces.framing == at_once.framing && in_pieces.keep_alive == at_once.keep_alive);
    }
    return 0;
}
