/* Tests of boundary/admit.h: each step's refusals, with real bytes, and what reaches a handler. */
#include "gate.h"

#define HOST "Host: a\r\n"
#define LOOK(target, fields) "GET /things/" target " HTTP/1.1\r\n" HOST fields "\r\n"
#define ALL_FIELDS "X-Trace: t1\r\nCookie: flavour=mint\r\n"
#define SEND_TO(method, ...) SEND_3(method, __VA_ARGS__)
#define SEND_3(method, fields, body) method " /things HTTP/1.1\r\n" HOST fields "\r\n" body
#define JSON_BODY(length, body) "Content-Type: application/json\r\nContent-Length: " length "\r\n", body

static void test_parameters_reach_the_handler_decoded_and_from_their_own_place(void **state)
{
    struct gate *gate = *state;
    static const struct {
        const char *request, *saw;
    } cases[] = {
        { LOOK("7?tint=red&limit=3", "X-Trace: t1\r\nX-More: m\r\nCookie: flavour=mint; topping=nut\r\n"),
          "\"7,red,3 1,t1,m 1,mint,nut 1\"" },
        { LOOK("7?tint=red", ALL_FIELDS), "\"7,red,0 0,t1, 0,mint, 0\"" },
        { LOOK("a%2Fb?tint=a+b%2Bc", ALL_FIELDS), "\"a/b,a b+c,0 0,t1, 0,mint, 0\"" },
        { LOOK("a+b?tint=%C3%A4", ALL_FIELDS), "\"a+b,\xc3\xa4,0 0,t1, 0,mint, 0\"" },
        { LOOK("7?%74int=&limit=3", ALL_FIELDS), "\"7,,3 1,t1, 0,mint, 0\"" },
        { LOOK("7?tint==", ALL_FIELDS), "\"7,=,0 0,t1, 0,mint, 0\"" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        gate_expect(gate, cases[i].request, 200, cases[i].saw, NULL);
}

static void test_a_fault_of_a_parameter_names_its_place_and_its_rule(void **state)
{
    struct gate *gate = *state;
    static const struct {
        const char *request, *pointer, *rule;
    } cases[] = {
        { LOOK("7", ALL_FIELDS), "\"/query/tint\"", "\"required\"" },
        { LOOK("7?tint=red", "Cookie: flavour=mint\r\n"), "\"/header/X-Trace\"", "\"required\"" },
        { LOOK("7?tint=red", "X-Trace: t1\r\n"), "\"/cookie/flavour\"", "\"required\"" },
        { LOOK("7?tint=red&tint=blue", ALL_FIELDS), "\"/query/tint\"", "\"repeated\"" },
        { LOOK("7?tint=red", "X-Trace: t2\r\n" ALL_FIELDS), "\"/header/X-Trace\"", "\"repeated\"" },
        { LOOK("7?tint=red", "X-Trace: t1\r\nCookie: flavour=mint; flavour=nut\r\n"), "\"/cookie/flavour\"",
          "\"repeated\"" },
        { LOOK("7?tint=red&tnit=blue", ALL_FIELDS), "no query parameter 'tnit'", "\"unknown\"" },
        { LOOK("7?tint=red&TINT=blue", ALL_FIELDS), "no query parameter 'TINT'", "\"unknown\"" },
        { LOOK("7?tint=red&id=8", ALL_FIELDS), "no query parameter 'id'", "\"unknown\"" },
        { LOOK("7?tint=red&limit=10", ALL_FIELDS), "\"/query/limit\"", "\"maximum\"" },
        { LOOK("7?tint=red&limit=three", ALL_FIELDS), "\"/query/limit\"", "\"type\"" },
        { LOOK("7?tint=red&limit", ALL_FIELDS), "\"/query/limit\"", "\"type\"" },
        { LOOK("7?tint=0123456789", ALL_FIELDS), "\"/query/tint\"", "\"maxLength\"" },
        { LOOK("0123456789?tint=red", ALL_FIELDS), "\"/path/id\"", "\"maxLength\"" },
        { LOOK("7?tint=red", "X-Trace: 0123456789\r\nCookie: flavour=mint\r\n"), "\"/header/X-Trace\"",
          "\"maxLength\"" },
        { LOOK("7?tint=red", "X-Trace: t1\r\nCookie: flavour=0123456789\r\n"), "\"/cookie/flavour\"", "\"maxLength\"" },
        { LOOK("7?tint=%zz", ALL_FIELDS), "\"/query/tint\"", "\"encoding\"" },
        { LOOK("7?tint=%00", ALL_FIELDS), "\"/query/tint\"", "\"encoding\"" },
        { LOOK("7?tint=%ff", ALL_FIELDS), "\"/query/tint\"", "\"encoding\"" },
        { LOOK("7?tint=red&%ff=1", ALL_FIELDS), "\"/query\"", "\"encoding\"" },
        { LOOK("%ff?tint=red", ALL_FIELDS), "\"/path/id\"", "\"encoding\"" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        gate_expect(gate, cases[i].request, 422, cases[i].pointer, cases[i].rule);
}

static void test_a_long_unknown_name_is_not_repeated_to_its_sender_in_full(void **state)
{
    struct gate *gate = *state;
    char request[512], name[101];
    memset(name, 'n', 100);
    name[100] = '\0';
    snprintf(request, sizeof request, "GET /things?%s=1 HTTP/1.1\r\n" HOST "\r\n", name);
    struct answer answer = gate_ask(gate, request);
    assert_has(&answer, "422");
    assert_has(&answer, "nnnnnnnn");
    name[65] = '\0';
    assert_lacks(&answer, name);
    answer_release(&answer);
}

/* Else the refusal is no JSON: its text must be UTF-8. */
static void test_an_unknown_name_is_cut_between_characters(void **state)
{
    struct gate *gate = *state;
    char request[512];
    limen_str euros = LIMEN_STR("%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC");
    for (int before = 0; before < 3; before++) { /* one of them ends where the name is cut */
        snprintf(request, sizeof request, "GET /things?%.*s%.*s%.*s%.*s=1 HTTP/1.1\r\n" HOST "\r\n", before, "nn",
                 LIMEN_STR_ARG(euros), LIMEN_STR_ARG(euros), LIMEN_STR_ARG(euros));
        struct answer answer = gate_ask(gate, request);
        assert_has(&answer, "no query parameter");
        assert_true(str_is_utf8(str_make(answer.text, answer.len)));
        answer_release(&answer);
    }
}

static void test_what_is_no_operation_is_refused_or_answered_from_tables(void **state)
{
    struct gate *gate = *state;
    gate_expect(gate, "GET /nothing HTTP/1.1\r\n" HOST "\r\n", 404, "application/problem+json", NULL);
    gate_expect(gate, "DELETE /things HTTP/1.1\r\n" HOST "\r\n", 405, "Allow: ", "POST");
    gate_expect(gate, "OPTIONS /things HTTP/1.1\r\n" HOST "\r\n", 204, "Allow: ", "PUT");
    gate_expect(gate, "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 204, "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
                NULL);
    gate_expect(gate, "OPTIONS /nothing HTTP/1.1\r\n" HOST "\r\n", 404, NULL, NULL);
    gate_expect(gate, "GET /openapi.json HTTP/1.1\r\n" HOST "\r\n", 200, "application/json",
                "\"operationId\":\"look\"");
    gate_expect(gate, "POST /openapi.json HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", 404, NULL, NULL);
}

static void test_bodies_are_refused_for_what_is_wrong_with_them(void **state)
{
    struct gate *gate = *state;
    static const struct {
        const char *request;
        int status;
        const char *has, *and_has;
    } cases[] = {
        { SEND_TO("POST", JSON_BODY("12", "{\"name\":\"a\"}")), 200, "\"saw\":\"a\"", NULL },
        { SEND_TO("POST", "Content-Type: Application/JSON ; charset=UTF-8\r\nContent-Length: 12\r\n",
                  "{\"name\":\"a\"}"),
          200, "\"saw\":\"a\"", NULL },
        { SEND_TO("POST", "Content-Type: application/json;charset=\"utf-8\"\r\nContent-Length: 12\r\n",
                  "{\"name\":\"a\"}"),
          200, "\"saw\":\"a\"", NULL },
        { SEND_TO("PUT", JSON_BODY("12", "{\"name\":\"a\"}")), 200, "\"saw\":\"a\"", NULL },
        { SEND_TO("PUT", "", ""), 200, "\"saw\":\"no body\"", NULL },
        { SEND_TO("PUT", "Content-Length: 0\r\n", ""), 200, "\"saw\":\"no body\"", NULL },
        { SEND_TO("POST", "", ""), 400, "needs a body", NULL },
        { SEND_TO("POST", "Content-Length: 12\r\n", "{\"name\":\"a\"}"), 415, "Accept: application/json", NULL },
        { SEND_TO("POST", "Content-Type: application/json; charset=latin1\r\nContent-Length: 2\r\n", "{}"), 415,
          "Accept: application/json", NULL },
        { SEND_TO("POST", "Content-Type: application/jsonp\r\nContent-Length: 2\r\n", "{}"), 415,
          "Accept: application/json", NULL },
        { SEND_TO("POST", "Content-Encoding: gzip\r\n" JSON_BODY("2", "{}")), 415, "without a Content-Encoding", NULL },
        { SEND_TO("POST", JSON_BODY("65", "")), 413, "larger than this operation reads", NULL },
        { SEND_TO("POST", "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n", "41\r\n"), 413,
          "larger than this operation reads", "Connection: close" },
        { SEND_TO("POST", "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n", "xyz\r\n"), 400,
          "chunked coding is malformed", "Connection: close" },
        { SEND_TO("POST", "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n",
                  "c\r\n{\"name\":\"a\"}\r\n0\r\n\r\n"),
          200, "\"saw\":\"a\"", NULL },
        { SEND_TO("POST", JSON_BODY("8", "{\"name\":")), 400, "is not JSON", "at byte 8" },
        { SEND_TO("POST", JSON_BODY("2", "{}")), 422, "\"pointer\":\"\"", "\"required\"" },
        { SEND_TO("POST", JSON_BODY("12", "{\"nome\":\"a\"}")), 422, "\"errors\":[", "nome" },
        { "GET /things HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n{}", 413, "takes no body", NULL },
        { "GET /things HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 413, "takes no body", NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        gate_expect(gate, cases[i].request, cases[i].status, cases[i].has, cases[i].and_has);
}

static void test_a_body_that_does_not_come_is_a_408(void **state)
{
    (void)state;
    struct gate gate;
    struct edge_options options = edge_default_options();
    options.body_us = 50000;
    gate_open(&gate, &options);
    gate_expect(&gate, SEND_TO("POST", JSON_BODY("12", "{\"name\"")), 408, "did not arrive in time",
                "Connection: close");
    gate_close(&gate);
}

static void test_a_client_that_leaves_while_its_body_is_awaited_takes_the_call_along(void **state)
{
    struct gate *gate = *state;
    int fd = client_open(&gate->harness);
    SEND(fd, SEND_TO("POST", JSON_BODY("12", "{\"name\"")));
    for (int64_t end = clock_mono_us() + 3000000; clock_mono_us() < end && gate->app.calls == 0;)
        loop_turn(gate->harness.loop, 1000);
    assert_int_equal(gate->app.calls, 1);
    close(fd);
    for (int64_t end = clock_mono_us() + 3000000; clock_mono_us() < end && gate->app.calls > 0;)
        loop_turn(gate->harness.loop, 1000);
    assert_int_equal(gate->app.calls, 0);
}

static void test_who_shows_no_credential_or_an_ambiguous_one_is_a_401(void **state)
{
    struct gate *gate = *state;
    gate_expect(gate, "GET /mine HTTP/1.1\r\n" HOST "\r\n", 401, "WWW-Authenticate: ", NULL);
    gate_expect(gate, "GET /mine HTTP/1.1\r\n" HOST "Cookie: __Host-session=a; __Host-session=b\r\n\r\n", 401,
                "WWW-Authenticate: ", NULL);
}

static void test_without_a_data_role_a_session_is_neither_known_nor_unknown(void **state)
{
    struct gate *gate = *state;
    gate_expect(gate,
                "GET /mine HTTP/1.1\r\n" HOST
                "Cookie: __Host-session=0123456789012345678901234567890123456789012\r\n\r\n",
                503, "Retry-After: 1", "nothing was done");
}

static void test_a_page_of_another_site_does_not_use_the_cookies_of_its_visitor(void **state)
{
    struct gate *gate = *state;
    gate_expect(gate,
                SEND_TO("POST", "Cookie: a=b\r\nSec-Fetch-Site: cross-site\r\n" JSON_BODY("12", "{\"name\":\"a\"}")),
                403, "another site", NULL);
    gate_expect(gate, SEND_TO("POST", "Sec-Fetch-Site: cross-site\r\n" JSON_BODY("12", "{\"name\":\"a\"}")), 200, NULL,
                NULL);
}

#define RARE(fields) "GET /rare HTTP/1.1\r\n" HOST fields "\r\n"
static void test_a_quota_belongs_to_an_ipv4_address_and_to_an_ipv6_network(void **state)
{
    (void)state;
    struct gate gate;
    gate_open(&gate, NULL);
    assert_true(edge_trust_proxy(gate.harness.edge, LIMEN_STR("127.0.0.1")));
    static const struct {
        const char *request;
        int status;
    } cases[] = {
        { RARE("X-Forwarded-For: 192.0.2.1\r\n"), 200 },
        { RARE("X-Forwarded-For: 192.0.2.1\r\n"), 429 },
        { RARE("X-Forwarded-For: 192.0.2.2\r\n"), 200 },
        { RARE("X-Forwarded-For: 2001:db8:0:1::1\r\n"), 200 },
        { RARE("X-Forwarded-For: 2001:db8:0:1:ffff::2\r\n"), 429 },
        { RARE("X-Forwarded-For: 2001:db8:0:2::1\r\n"), 200 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        gate_expect(&gate, cases[i].request, cases[i].status,
                    "RateLimit-Policy: ", cases[i].status == 429 ? "Retry-After: " : "RateLimit: ");
    gate_close(&gate);
}

/* ---- generated code that is older than the contract -------------------------------------------------------------------- */

static void expect_stale(const struct limen_app *app, const char *unknown)
{
    struct gate gate;
    struct diags stale;
    memset(&gate, 0, sizeof gate);
    gate_load(&gate);
    diags_init(&stale, &gate.arena);
    gate.boundary = (struct boundary){ .contract = &gate.contract, .app = app };
    assert_false(boundary_bind(&gate.boundary, &gate.arena, &stale));
    assert_int_equal(stale.count, 1);
    assert_true(str_find(stale.items[0].message, str_of(unknown), 0) != SIZE_MAX);
    assert_true(str_find(stale.items[0].mend, LIMEN_STR("limen gen"), 0) != SIZE_MAX);
    assert_true(stale.items[0].line > 8);
    contract_release(&gate.contract);
    arena_release(&gate.arena);
}

static void test_generated_code_that_does_not_know_the_contract_is_refused_at_start(void **state)
{
    (void)state;
    static const struct limen_field no_query[] = {
        GATE_PLACE("path", path, gate_path),
        GATE_PLACE("header", header, gate_header),
        GATE_PLACE("cookie", cookie, gate_cookie),
    };
    static const struct limen_shape no_tint_fields = {
        "query", 0, 1, gate_query_fields + 1, { NULL, 0 }, false, false
    };
    static const struct limen_field no_tint[] = {
        GATE_PLACE("path", path, gate_path),
        GATE_PLACE("query", query, no_tint_fields),
        GATE_PLACE("header", header, gate_header),
        GATE_PLACE("cookie", cookie, gate_cookie),
    };
    static const struct limen_shape shapes[] = {
        { "in", sizeof(struct gate_input), 3, no_query, { NULL, 0 }, false, false },
        { "in", sizeof(struct gate_input), 4, no_tint, { NULL, 0 }, false, false },
        { "in", sizeof(struct gate_input), 4, gate_input_fields, { NULL, 0 }, false, false }, /* all but the body */
    };
    struct limen_handler handlers[6];
    const struct limen_app app = { .name = LIMEN_STR("gate"), .handlers = handlers, .handler_count = 6 };
    memcpy(handlers, gate_handlers, sizeof handlers);
    handlers[0].input = &shapes[0];
    expect_stale(&app, "'look' does not know tint");
    handlers[0].input = &shapes[1];
    expect_stale(&app, "'look' does not know tint");
    handlers[0].input = &gate_shape;
    handlers[2].input = &shapes[2];
    expect_stale(&app, "'maybe' does not know its body");
    handlers[2].input = &gate_shape;
    handlers[5].operation_id = LIMEN_STR("mein");
    expect_stale(&app, "'mine' does not know its handler");
}

static int open_gate(void **state)
{
    static struct gate gate;
    gate_open(&gate, NULL);
    *state = &gate;
    return 0;
}

static int close_gate(void **state)
{
    gate_close(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parameters_reach_the_handler_decoded_and_from_their_own_place),
        cmocka_unit_test(test_a_fault_of_a_parameter_names_its_place_and_its_rule),
        cmocka_unit_test(test_a_long_unknown_name_is_not_repeated_to_its_sender_in_full),
        cmocka_unit_test(test_an_unknown_name_is_cut_between_characters),
        cmocka_unit_test(test_what_is_no_operation_is_refused_or_answered_from_tables),
        cmocka_unit_test(test_bodies_are_refused_for_what_is_wrong_with_them),
        cmocka_unit_test(test_a_body_that_does_not_come_is_a_408),
        cmocka_unit_test(test_a_client_that_leaves_while_its_body_is_awaited_takes_the_call_along),
        cmocka_unit_test(test_who_shows_no_credential_or_an_ambiguous_one_is_a_401),
        cmocka_unit_test(test_without_a_data_role_a_session_is_neither_known_nor_unknown),
        cmocka_unit_test(test_a_page_of_another_site_does_not_use_the_cookies_of_its_visitor),
        cmocka_unit_test(test_a_quota_belongs_to_an_ipv4_address_and_to_an_ipv6_network),
        cmocka_unit_test(test_generated_code_that_does_not_know_the_contract_is_refused_at_start),
    };
    return cmocka_run_group_tests(tests, open_gate, close_gate);
}
