/* gate.h - a whole boundary on a loopback socket, for the tests of admission: real bytes in, real replies out.
 *
 * The contract below has one operation for each thing that may be refused; its handlers tell what has reached them. There is no data
 * role, which is a state that a worker knows, too. */
#ifndef TESTS_UNIT_BOUNDARY_GATE_H
#define TESTS_UNIT_BOUNDARY_GATE_H

#include "edge/harness.h"

#include "app/app.h"
#include "boundary/input.h"
#include "limen/limen.h"

#include <sys/mman.h>

#define GATE_REPLY                                                                                                     \
    "      responses:\n"                                                                                               \
    "        '200':\n"                                                                                                 \
    "          description: what came in\n"                                                                            \
    "          content: { application/json: { schema: { type: object, additionalProperties: false, required: [saw],\n" \
    "            properties: { saw: { type: string, maxLength: 400 } } } } }\n"
#define GATE_TEXT "schema: { type: string, maxLength: 9 }"
#define GATE_BODY(required)                                                                                           \
    "      requestBody:\n"                                                                                            \
    "        required: " required "\n"                                                                                \
    "        content: { application/json: { schema: { type: object, additionalProperties: false, required: [name],\n" \
    "          properties: { name: { type: string, maxLength: 9 } } } } }\n"
static const char gate_contract[] =
    "openapi: 3.1.0\n"
    "info: { title: gate, version: '1' }\n"
    "x-rate-limit: 1000/second per address\n"
    "components:\n"
    "  securitySchemes:\n"
    "    session: { type: apiKey, in: cookie, name: __Host-session, x-roles: [customer], x-sign-up-roles: [customer] "
    "}\n"
    "paths:\n"
    "  /things/{id}:\n"
    "    get:\n"
    "      operationId: look\n"
    "      security: []\n"
    "      parameters:\n"
    "        - { name: tint, in: query, required: true, " GATE_TEXT " }\n"
    "        - { name: limit, in: query, schema: { type: integer, minimum: 1, maximum: 9 } }\n"
    "        - { name: X-Trace, in: header, required: true, " GATE_TEXT " }\n"
    "        - { name: X-More, in: header, " GATE_TEXT " }\n"
    "        - { name: id, in: path, required: true, " GATE_TEXT " }\n"
    "        - { name: flavour, in: cookie, required: true, " GATE_TEXT " }\n"
    "        - { name: topping, in: cookie, " GATE_TEXT " }\n" GATE_REPLY "  /things:\n"
    "    get:\n"
    "      operationId: list\n"
    "      security: []\n" GATE_REPLY "    put:\n"
    "      operationId: maybe\n"
    "      security: []\n" GATE_BODY("false") GATE_REPLY "    post:\n"
                                                         "      operationId: make\n"
                                                         "      security: []\n"
                                                         "      x-max-body: 64\n" GATE_BODY("true") GATE_REPLY
    "  /rare:\n"
    "    get:\n"
    "      operationId: rare\n"
    "      security: []\n"
    "      x-rate-limit: 1/hour per address\n" GATE_REPLY "  /mine:\n"
    "    get:\n"
    "      operationId: mine\n"
    "      security: [{ session: [customer] }]\n" GATE_REPLY;

struct gate_body {
    limen_str name;
};
struct gate_input {
    struct {
        limen_str id;
    } path;
    struct {
        limen_str tint;
        int64_t limit;
        bool has_limit;
    } query;
    struct {
        limen_str trace, more;
        bool has_more;
    } header;
    struct {
        limen_str flavour, topping;
        bool has_topping;
    } cookie;
    struct gate_body body;
    bool has_body;
};

#define GATE_AT(place, member) offsetof(struct gate_input, place.member) - offsetof(struct gate_input, place)
#define GATE_FIELD(text, its_kind, place, member) \
    .name = LIMEN_STR_INIT(text), .kind = (its_kind), .offset = GATE_AT(place, member)
#define GATE_OPTIONAL(place, member) .is_optional = true, .presence_at = GATE_AT(place, has_##member)
static const struct limen_field gate_path_fields[] = { { GATE_FIELD("id", LIMEN_STRING, path, id) } };
static const struct limen_field gate_query_fields[] = {
    { GATE_FIELD("tint", LIMEN_STRING, query, tint) },
    { GATE_FIELD("limit", LIMEN_INT, query, limit), GATE_OPTIONAL(query, limit) },
};
static const struct limen_field gate_header_fields[] = {
    { GATE_FIELD("X-Trace", LIMEN_STRING, header, trace) },
    { GATE_FIELD("X-More", LIMEN_STRING, header, more), GATE_OPTIONAL(header, more) },
};
static const struct limen_field gate_cookie_fields[] = {
    { GATE_FIELD("flavour", LIMEN_STRING, cookie, flavour) },
    { GATE_FIELD("topping", LIMEN_STRING, cookie, topping), GATE_OPTIONAL(cookie, topping) },
};
static const struct limen_field gate_body_fields[] = { { GATE_FIELD("name", LIMEN_STRING, body, name) } };
static const struct limen_shape gate_path = { "path", 0, 1, gate_path_fields, { NULL, 0 }, false, false };
static const struct limen_shape gate_query = { "query", 0, 2, gate_query_fields, { NULL, 0 }, false, false };
static const struct limen_shape gate_header = { "header", 0, 2, gate_header_fields, { NULL, 0 }, false, false };
static const struct limen_shape gate_cookie = { "cookie", 0, 2, gate_cookie_fields, { NULL, 0 }, false, false };
static const struct limen_shape gate_body_shape = {
    "body", sizeof(struct gate_body), 1, gate_body_fields, { NULL, 0 }, false, false
};
#define GATE_PLACE(text, place, its_shape)                                                                \
    {                                                                                                     \
        .name = LIMEN_STR_INIT(text), .kind = LIMEN_OBJECT, .offset = offsetof(struct gate_input, place), \
        .shape = &(its_shape)                                                                             \
    }
static const struct limen_field gate_input_fields[] = {
    GATE_PLACE("path", path, gate_path),
    GATE_PLACE("query", query, gate_query),
    GATE_PLACE("header", header, gate_header),
    GATE_PLACE("cookie", cookie, gate_cookie),
    { .name = LIMEN_STR_INIT("body"),
      .kind = LIMEN_OBJECT,
      .offset = offsetof(struct gate_input, body),
      .shape = &gate_body_shape,
      .is_optional = true,
      .presence_at = offsetof(struct gate_input, has_body) },
};
static const struct limen_shape gate_shape = {
    "gate_input", sizeof(struct gate_input), 5, gate_input_fields, { NULL, 0 }, false, false
};

static inline limen_reply gate_tell(limen_call *call, limen_str saw)
{
    return (limen_reply){ .status = 200, .body = limen_printf(call, "{\"saw\":\"%.*s\"}", LIMEN_STR_ARG(saw)) };
}

static inline limen_reply gate_look(limen_call *call, const void *input)
{
    const struct gate_input *in = input;
    return gate_tell(call,
                     limen_printf(call, "%.*s,%.*s,%lld %d,%.*s,%.*s %d,%.*s,%.*s %d", LIMEN_STR_ARG(in->path.id),
                                  LIMEN_STR_ARG(in->query.tint), (long long)in->query.limit, in->query.has_limit,
                                  LIMEN_STR_ARG(in->header.trace), LIMEN_STR_ARG(in->header.more), in->header.has_more,
                                  LIMEN_STR_ARG(in->cookie.flavour), LIMEN_STR_ARG(in->cookie.topping),
                                  in->cookie.has_topping));
}

static inline limen_reply gate_body_back(limen_call *call, const void *input)
{
    const struct gate_input *in = input;
    return gate_tell(call, in->has_body ? in->body.name : LIMEN_STR("no body"));
}

static const struct limen_handler gate_handlers[] = {
    { LIMEN_STR_INIT("look"), gate_look, &gate_shape },       { LIMEN_STR_INIT("list"), gate_body_back, &gate_shape },
    { LIMEN_STR_INIT("maybe"), gate_body_back, &gate_shape }, { LIMEN_STR_INIT("make"), gate_body_back, &gate_shape },
    { LIMEN_STR_INIT("rare"), gate_body_back, &gate_shape },  { LIMEN_STR_INIT("mine"), gate_body_back, &gate_shape },
};
static const struct limen_app gate_app = { .name = LIMEN_STR_INIT("gate"),
                                           .handlers = gate_handlers,
                                           .handler_count = 6 };

struct gate {
    struct harness harness; /* loop, listener and clients */
    struct arena arena;
    struct contract contract;
    struct boundary boundary;
    struct board_row board;
    struct app app;
};

static inline void gate_load(struct gate *gate)
{
    struct diags errors, warnings;
    arena_init(&gate->arena, NULL, 64U << 20);
    diags_init(&errors, &gate->arena);
    diags_init(&warnings, &gate->arena);
    const struct limen_app app = { .contract = { LIMEN_STR("api.yaml"), str_of(gate_contract) } };
    if (!contract_load(&app, &gate->arena, &gate->contract, &errors, &warnings))
        fail_msg("%u: %.*s", (unsigned)errors.items[0].line, LIMEN_STR_ARG(errors.items[0].message));
}

static inline void gate_open(struct gate *gate, const struct edge_options *options)
{
    struct diags stale;
    memset(gate, 0, sizeof(*gate));
    gate_load(gate);
    diags_init(&stale, &gate->arena);
    const struct edge_hooks hooks = { app_on_request, app_on_gone, app_on_refused, &gate->app };
    harness_open_with(&gate->harness, &hooks, options);
    void *limits = mmap(NULL, limit_table_bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(limits != MAP_FAILED);
    limit_table_init(limits);
    gate->boundary = (struct boundary){
        .contract = &gate->contract,
        .app = &gate_app,
        .router = router_new(&gate->contract, &gate->arena),
        .data = data_client_new(gate->harness.loop),
        .limits = limits,
        .limit_scale = 1,
        .clock = loop_clock(gate->harness.loop),
        .board = &gate->board,
    };
    assert_non_null(gate->boundary.router);
    assert_non_null(gate->boundary.data);
    assert_true(boundary_bind(&gate->boundary, &gate->arena, &stale));
    gate->app = (struct app){
        .boundary = &gate->boundary,
        .loop = gate->harness.loop,
        .arenas = arena_pool_new(16),
        .fibers = fiber_pool_new(LIMIT_FIBER_STACK_BYTES, 16),
    };
    assert_non_null(gate->app.arenas);
    assert_non_null(gate->app.fibers);
}

static inline void gate_close(struct gate *gate)
{
    edge_free(gate->harness.edge);
    gate->harness.edge = NULL;
    assert_int_equal(gate->app.calls, 0);
    data_client_free(gate->boundary.data);
    fiber_pool_free(gate->app.fibers);
    arena_pool_free(gate->app.arenas);
    munmap(gate->boundary.limits, limit_table_bytes());
    contract_release(&gate->contract);
    arena_release(&gate->arena);
    harness_close(&gate->harness);
}

/* One request on a connection of its own; the caller releases the answer. */
static inline struct answer gate_ask(struct gate *gate, const char *request)
{
    struct answer answer = { 0 };
    int fd = client_open(&gate->harness);
    client_send(fd, request, strlen(request));
    read_answers(&gate->harness, fd, &answer, 1);
    close(fd);
    return answer;
}

/* Asks, and insists on a status and on up to three things in the reply. */
static inline void gate_expect(struct gate *gate, const char *request, int status, const char *has, const char *and_has)
{
    char line[32];
    struct answer answer = gate_ask(gate, request);
    print_message("%.70s\n", request);
    snprintf(line, sizeof(line), "HTTP/1.1 %d ", status);
    assert_has(&answer, line);
    if (has != NULL)
        assert_has(&answer, has);
    if (and_has != NULL)
        assert_has(&answer, and_has);
    answer_release(&answer);
}

#endif
