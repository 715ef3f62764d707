/* uri.c - RFC 3986 section 5: a reference is cut into five parts, and those that it lacks are the base's. */
#include "contract/uri.h"

#include "core/arena.h"
#include "core/str.h"

#define NOT_THERE ((limen_str){ NULL, 0 })

/* A part that is not there has a NULL pointer; one that is empty has not. The path is always there. */
struct uri_parts {
    limen_str scheme, authority, path, query;
};

static size_t scheme_length(limen_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.ptr[i], lower = (char)(c | 0x20);
        if (c == ':')
            return i;
        const bool is_letter = lower >= 'a' && lower <= 'z';
        const bool is_other = (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
        if (!is_letter && (i == 0 || !is_other))
            return 0;
    }
    return 0;
}

/* What stands behind the first `c`; `*rest` keeps what stands before it. Not there when `c` is not. */
static limen_str take_until(limen_str *rest, char c)
{
    const size_t at = str_find_char(*rest, c, 0);
    if (at == SIZE_MAX)
        return NOT_THERE;
    const limen_str behind = str_slice(*rest, at + 1, rest->len);
    *rest = str_slice(*rest, 0, at);
    return behind;
}

static struct uri_parts split(limen_str text, limen_str *ret_fragment)
{
    struct uri_parts parts = { .scheme = NOT_THERE, .authority = NOT_THERE };
    *ret_fragment = take_until(&text, '#');
    parts.query = take_until(&text, '?');
    const size_t scheme = scheme_length(text);
    if (scheme > 0) {
        parts.scheme = str_slice(text, 0, scheme);
        text = str_slice(text, scheme + 1, text.len);
    }
    if (str_starts(text, LIMEN_STR("//"))) {
        const size_t path = str_find_char(text, '/', 2);
        parts.authority = str_slice(text, 2, path);
        text = path == SIZE_MAX ? LIMEN_STR("") : str_slice(text, path, text.len);
    }
    parts.path = text;
    return parts;
}

/* Section 5.2.4. `path` is one buffer's text and shrinks where it stands. */
static void remove_dot_segments(struct buf *path, size_t from)
{
    char *const start = path->ptr + from;
    const char *in = start, *const end = path->ptr + path->len;
    char *out = start;
    while (in < end) {
        const char *segment_end = memchr(in + 1, '/', (size_t)(end - in) - 1);
        if (segment_end == NULL)
            segment_end = end;
        const limen_str segment = str_make(in,
                                           (size_t)(segment_end - in)); /* with the slash in front, if there is one */
        const bool is_up = str_equal(segment, LIMEN_STR("/.."));
        if (is_up) {
            while (out > start && *--out != '/') {
            }
        } else if (!str_equal(segment, LIMEN_STR("/."))) {
            memmove(out, segment.ptr, segment.len);
            out += segment.len;
            in = segment_end;
            continue;
        }
        if (segment_end == end)
            *out++ = '/';
        in = segment_end;
    }
    path->len = (size_t)(out - path->ptr);
}

/* Section 5.2.3: the base's path up to its last slash, and the reference's behind it. */
static void add_merged_path(struct buf *out, const struct uri_parts *base, limen_str path)
{
    size_t keep = base->path.len;
    while (keep > 0 && base->path.ptr[keep - 1] != '/')
        keep--;
    if (keep == 0 && base->authority.ptr != NULL)
        BUF_ADD(out, "/");
    buf_add(out, str_slice(base->path, 0, keep));
    buf_add(out, path);
}

/* Section 5.2.2 decides which part is whose, 5.3 puts them together. */
static void compose(struct buf *out, const struct uri_parts *base, const struct uri_parts *reference)
{
    const bool has_scheme = reference->scheme.ptr != NULL;
    const bool has_authority = has_scheme || reference->authority.ptr != NULL;
    const bool has_path = has_authority || reference->path.len > 0;
    const limen_str scheme = has_scheme ? reference->scheme : base->scheme;
    const limen_str authority = has_authority ? reference->authority : base->authority;
    const limen_str query = has_path || reference->query.ptr != NULL ? reference->query : base->query;
    if (scheme.ptr != NULL) {
        buf_add(out, scheme);
        BUF_ADD(out, ":");
    }
    if (authority.ptr != NULL) {
        BUF_ADD(out, "//");
        buf_add(out, authority);
    }
    const size_t path_at = out->len;
    if (!has_path)
        buf_add(out, base->path);
    else if (has_authority || str_starts(reference->path, LIMEN_STR("/")))
        buf_add(out, reference->path);
    else
        add_merged_path(out, base, reference->path);
    if (has_path && !out->failed && out->len > path_at && out->ptr[path_at] == '/')
        remove_dot_segments(out, path_at);
    if (query.ptr != NULL) {
        BUF_ADD(out, "?");
        buf_add(out, query);
    }
}

bool uri_resolve(limen_str base, limen_str reference, struct arena *arena, limen_str *ret_uri, limen_str *ret_fragment)
{
    limen_str ignored;
    struct buf out;
    const struct uri_parts base_parts = split(base, &ignored);
    const struct uri_parts reference_parts = split(reference, ret_fragment);
    buf_init(&out, arena, base.len + reference.len + 4);
    compose(&out, &base_parts, &reference_parts);
    *ret_uri = buf_str(&out);
    return !out.failed;
}

static int hex_digit(char c)
{
    const char lower = (char)(c | 0x20);
    return c >= '0' && c <= '9' ? c - '0' : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool uri_decode(limen_str text, struct arena *arena, limen_str *ret_text)
{
    char *out = arena_alloc(arena, text.len);
    size_t len = 0;
    if (out == NULL)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '%') {
            const int high = text.len - i > 2 ? hex_digit(text.ptr[i + 1]) : -1;
            const int low = text.len - i > 2 ? hex_digit(text.ptr[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        }
        out[len++] = c;
    }
    *ret_text = str_make(out, len);
    return true;
}
