/* fuzz_input.c - path, query, header and cookie parameters: what is bound lies within its schema, and says the same again.
 *
 * The input is four lines: the target, the Cookie field, X-Tag and X-Count. What the HTTP parser lets through is routed and bound
 * as in a worker. What was bound is then written as the plainest request there is, which must be bound to the same values. */
#include "boundary/input.h"
#include "core/arena.h"
#include "core/clock.h"
#include "core/str.h"
#include "edge/internal.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* ---- an operation with a parameter of every kind in every place -------------------------------------------------------- */
static const char text[] =
    "openapi: 3.1.0\n"
    "info: { title: t, version: '1' }\n"
    "x-rate-limit: 1/second per address\n"
    "paths:\n"
    "  /things/{id}/{at}:\n"
    "    get:\n"
    "      operationId: find\n"
    "      security: []\n"
    "      parameters:\n"
    "        - { name: id, in: path, required: true, schema: { type: string, maxLength: 12, pattern: '^[a-z]+$' } }\n"
    "        - { name: at, in: path, required: true, schema: { type: string, format: date-time, maxLength: 64 } }\n"
    "        - { name: q, in: query, schema: { type: string, minLength: 1, maxLength: 20 } }\n"
    "        - { name: limit, in: query, schema: { type: integer, minimum: 1, maximum: 100 } }\n"
    "        - { name: ratio, in: query, schema: { type: number, minimum: -1, maximum: 1 } }\n"
    "        - { name: on, in: query, schema: { type: boolean } }\n"
    "        - { name: huge, in: query, schema: { type: integer, enum: [1, 18446744073709551616] } }\n"
    "        - { name: kind, in: query, schema: { type: string, enum: [red, blue] } }\n"
    "        - { name: since, in: query, schema: { type: string, format: date-time, maxLength: 64 } }\n"
    "        - { name: X-Tag, in: header, schema: { type: string, maxLength: 10 } }\n"
    "        - { name: X-Count, in: header, schema: { type: integer, minimum: -5, maximum: 5 } }\n"
    "        - { name: theme, in: cookie, schema: { type: string, enum: [red, blue] } }\n"
    "      responses: { '204': { description: d } }\n";

struct in {
    struct {
        limen_str id;
        limen_time at;
    } path;
    struct {
        limen_str q;
        int64_t limit;
        double ratio;
        bool on;
        int64_t huge;
        int kind;
        limen_time since;
        bool has_huge, has_q, has_limit, has_ratio, has_on, has_kind, has_since;
    } query;
    struct {
        limen_str tag;
        int64_t count;
        bool has_tag, has_count;
    } header;
    struct {
        int theme;
        bool has_theme;
    } cookie;
};

#define AT(place, member) .offset = offsetof(struct in, place.member) - offsetof(struct in, place)
#define HAS(place, member) \
    .is_optional = true, .presence_at = offsetof(struct in, place.has_##member) - offsetof(struct in, place)

static const limen_str colours[] = { LIMEN_STR_INIT("red"), LIMEN_STR_INIT("blue") };
static const struct limen_field path_fields[] = {
    { LIMEN_STR_INIT("id"), LIMEN_STRING, AT(path, id) },
    { LIMEN_STR_INIT("at"), LIMEN_TIME, AT(path, at) },
};
static const struct limen_field query_fields[] = {
    { LIMEN_STR_INIT("q"), LIMEN_STRING, AT(query, q), HAS(query, q) },
    { LIMEN_STR_INIT("limit"), LIMEN_INT, AT(query, limit), HAS(query, limit) },
    { LIMEN_STR_INIT("ratio"), LIMEN_FLOAT, AT(query, ratio), HAS(query, ratio) },
    { LIMEN_STR_INIT("on"), LIMEN_BOOL, AT(query, on), HAS(query, on) },
    { LIMEN_STR_INIT("huge"), LIMEN_INT, AT(query, huge), HAS(query, huge) },
    { LIMEN_STR_INIT("kind"), LIMEN_ENUM, AT(query, kind), HAS(query, kind), .names = colours, .name_count = 2 },
    { LIMEN_STR_INIT("since"), LIMEN_TIME, AT(query, since), HAS(query, since) },
};
static const struct limen_field header_fields[] = {
    { LIMEN_STR_INIT("X-Tag"), LIMEN_STRING, AT(header, tag), HAS(header, tag) },
    { LIMEN_STR_INIT("X-Count"), LIMEN_INT, AT(header, count), HAS(header, count) },
};
static const struct limen_field cookie_fields[] = {
    { LIMEN_STR_INIT("theme"), LIMEN_ENUM, AT(cookie, theme), HAS(cookie, theme), .names = colours, .name_count = 2 },
};
#define SHAPE(list)                                                                                           \
    {                                                                                                         \
        .name = "in", .bytes = sizeof(struct in), .count = sizeof(list) / sizeof((list)[0]), .fields = (list) \
    }
static const struct limen_shape path_shape = SHAPE(path_fields), query_shape = SHAPE(query_fields),
                                header_shape = SHAPE(header_fields), cookie_shape = SHAPE(cookie_fields);
static const struct limen_field places[] = {
    { LIMEN_STR_INIT("path"), LIMEN_OBJECT, .offset = offsetof(struct in, path), .shape = &path_shape },
    { LIMEN_STR_INIT("query"), LIMEN_OBJECT, .offset = offsetof(struct in, query), .shape = &query_shape },
    { LIMEN_STR_INIT("header"), LIMEN_OBJECT, .offset = offsetof(struct in, header), .shape = &header_shape },
    { LIMEN_STR_INIT("cookie"), LIMEN_OBJECT, .offset = offsetof(struct in, cookie), .shape = &cookie_shape },
};
static const struct limen_shape input_shape = SHAPE(places);
static const struct limen_handler handler = { .operation_id = LIMEN_STR_INIT("find"), .input = &input_shape };
static const struct limen_app app = { .contract = { LIMEN_STR_INIT("api.yaml"), { text, sizeof(text) - 1 } },
                                      .handlers = &handler,
                                      .handler_count = 1 };

static struct arena once;
static struct contract contract;
static struct boundary boundary;

static void open_once(void)
{
    struct diags errors, warnings;
    if (boundary.operations != NULL)
        return;
    arena_init(&once, NULL, (size_t)64 << 20);
    diags_init(&errors, &once);
    diags_init(&warnings, &once);
    boundary = (struct boundary){ .contract = &contract, .app = &app };
    must(contract_load(&app, &once, &contract, &errors, &warnings));
    boundary.router = router_new(&contract, &once);
    must(boundary.router != NULL && boundary_bind(&boundary, &once, &errors));
}

/* ---- one request -------------------------------------------------------------------------------------------------------- */
enum bound { BOUND_NOT_HTTP, BOUND_REFUSED, BOUND_OK };

/* As in a worker: parse, route, bind. */
static enum bound bind_request(limen_str head, struct arena *arena, struct in *ret_in)
{
    static struct exchange exchange;
    static struct admission admission;
    size_t scanned = 0;
    int status;
    const char *why;
    limen_str allow;
    if (http1_parse_head(head, &scanned, &exchange.request, &status, &why) != HTTP1_OK)
        return BOUND_NOT_HTTP;
    memset(ret_in, 0, sizeof(*ret_in));
    admission = (struct admission){ .boundary = &boundary, .exchange = &exchange, .arena = arena, .input = ret_in };
    faults_init(&admission.faults, arena);
    if (router_find(boundary.router, exchange.request.method, exchange.request.path, &admission.path_params,
                    &admission.operation, &allow)
        != ROUTE_FOUND)
        return BOUND_NOT_HTTP;
    bool ok = input_bind_parameters(&admission, &boundary.operations[0]);
    must(ok == (admission.faults.count == 0));
    for (size_t i = 0; i < admission.faults.count; i++) {
        const struct fault *fault = &admission.faults.items[i];
        must(str_starts(fault->pointer, LIMEN_STR("/")) && fault->rule.len > 0 && fault->detail.len > 0);
        must(str_is_utf8(fault->pointer) && str_is_utf8(fault->detail));
    }
    return ok ? BOUND_OK : BOUND_REFUSED;
}

static bool is_text(limen_str value, size_t least, size_t most)
{
    size_t length = str_code_points(value);
    return str_is_utf8(value) && length >= least && length <= most && memchr(value.ptr, '\0', value.len) == NULL;
}

static void check_bounds(const struct in *in)
{
    must(in->path.id.len >= 1 && in->path.id.len <= 12);
    for (size_t i = 0; i < in->path.id.len; i++)
        must(in->path.id.ptr[i] >= 'a' && in->path.id.ptr[i] <= 'z');
    must(!in->query.has_q || is_text(in->query.q, 1, 20));
    must(!in->query.has_limit || (in->query.limit >= 1 && in->query.limit <= 100));
    must(!in->query.has_ratio || (in->query.ratio >= -1 && in->query.ratio <= 1));
    must(!in->query.has_huge || in->query.huge == 1);
    must(in->query.has_kind == (in->query.kind == 1 || in->query.kind == 2));
    must(!in->header.has_tag || is_text(in->header.tag, 0, 10));
    must(!in->header.has_count || (in->header.count >= -5 && in->header.count <= 5));
    must(in->cookie.has_theme == (in->cookie.theme == 1 || in->cookie.theme == 2));
}

/* ---- and once more, plainly ---------------------------------------------------------------------------------------------- */
static void put_encoded(struct buf *out, limen_str value)
{
    for (size_t i = 0; i < value.len; i++)
        buf_printf(out, "%%%02X", (unsigned)(unsigned char)value.ptr[i]);
}

static void put_query(struct buf *out, const struct in *in)
{
    char separator = '?';
    if (in->query.has_kind) /* in another order than the contract's */
        buf_printf(out, "%ckind=%s", separator, in->query.kind == 1 ? "red" : "blue"), separator = '&';
    if (in->query.has_since) {
        buf_printf(out, "%csince=", separator), separator = '&';
        clock_write_rfc3339(out, in->query.since);
    }
    if (in->query.has_q) {
        buf_printf(out, "%cq=", separator), separator = '&';
        put_encoded(out, in->query.q);
    }
    if (in->query.has_on)
        buf_printf(out, "%con=%s", separator, in->query.on ? "true" : "false"), separator = '&';
    if (in->query.has_huge)
        buf_printf(out, "%chuge=1.0", separator), separator = '&';
    if (in->query.has_ratio)
        buf_printf(out, "%cratio=%.17g", separator, in->query.ratio), separator = '&';
    if (in->query.has_limit)
        buf_printf(out, "%climit=%lld", separator, (long long)in->query.limit);
}

static void put_request(struct buf *out, const struct in *in)
{
    BUF_ADD(out, "GET /things/");
    put_encoded(out, in->path.id);
    buf_add_char(out, '/');
    clock_write_rfc3339(out, in->path.at);
    put_query(out, in);
    BUF_ADD(out, " HTTP/1.1\r\nHost: a\r\n");
    if (in->cookie.has_theme)
        buf_printf(out, "Cookie: other=1; theme=%s\r\n", in->cookie.theme == 1 ? "red" : "blue");
    if (in->header.has_tag)
        buf_printf(out, "x-tag: %.*s\r\n", LIMEN_STR_ARG(in->header.tag));
    if (in->header.has_count)
        buf_printf(out, "x-count: %lld\r\n", (long long)in->header.count);
    BUF_ADD(out, "\r\n");
}

static void check_same(const struct in *a, const struct in *b)
{
    must(str_equal(a->path.id, b->path.id) && a->path.at == b->path.at);
    must(a->query.has_q == b->query.has_q && str_equal(a->query.q, b->query.q));
    must(a->query.has_limit == b->query.has_limit && a->query.limit == b->query.limit);
    must(a->query.has_ratio == b->query.has_ratio && !(a->query.ratio < b->query.ratio)
         && !(a->query.ratio > b->query.ratio));
    must(a->query.has_on == b->query.has_on && a->query.on == b->query.on && a->query.kind == b->query.kind);
    must(a->query.has_since == b->query.has_since && a->query.since == b->query.since);
    must(a->header.has_tag == b->header.has_tag && str_equal(a->header.tag, b->header.tag));
    must(a->header.has_count == b->header.has_count && a->header.count == b->header.count);
    must(a->cookie.theme == b->cookie.theme);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "Cookie", "X-Tag", "X-Count" };
    limen_str rest = str_make((const char *)data, size);
    struct arena arena;
    struct buf head, plain;
    struct in in, again;
    if (size > 4096)
        return 0;
    open_once();
    arena_init(&arena, NULL, (size_t)4 << 20);
    buf_init(&head, &arena, 1024);
    buf_init(&plain, &arena, 1024);
    BUF_ADD(&head, "GET ");
    buf_add(&head, str_cut(&rest, '\n'));
    BUF_ADD(&head, " HTTP/1.1\r\nHost: a\r\n");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && rest.len > 0; i++) {
        buf_printf(&head, "%s: ", names[i]);
        buf_add(&head, str_cut(&rest, '\n'));
        BUF_ADD(&head, "\r\n");
    }
    BUF_ADD(&head, "\r\n");
    must(!head.failed);
    if (bind_request(buf_str(&head), &arena, &in) == BOUND_OK) {
        check_bounds(&in);
        put_request(&plain, &in);
        must(!plain.failed && bind_request(buf_str(&plain), &arena, &again) == BOUND_OK);
        check_same(&in, &again);
    }
    arena_release(&arena);
    return 0;
}
