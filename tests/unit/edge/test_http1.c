/* Tests of the head parser of edge/http1.h. */
#include "check.h"

#include "core/str.h"
#include "edge/http1.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOST "Host: shop.example\r\n"

struct parsed {
    enum http1_outcome outcome;
    int status;
    const char *why;
    struct http_request request;
};

/* Parses from a heap block of exactly the right size, so that a read past the end is seen. The caller frees `*ret_block`. */
static void parse(struct parsed *ret_parsed, const char *text, size_t len, char **ret_block)
{
    size_t scanned = 0;
    char *block = malloc(len == 0 ? 1 : len);
    assert_non_null(block);
    memcpy(block, text, len);
    memset(ret_parsed, 0xa5, sizeof(*ret_parsed)); /* what the parser must not rely on */
    ret_parsed->status = 0;
    ret_parsed->outcome = http1_parse_head(str_make(block, len), &scanned, &ret_parsed->request, &ret_parsed->status,
                                           &ret_parsed->why);
    *ret_block = block;
}

static void assert_text(limen_str actual, const char *expected)
{
    assert_int_equal(actual.len, strlen(expected));
    assert_memory_equal(actual.ptr, expected, actual.len);
}

static void test_request_is_taken_apart(void **state)
{
    (void)state;
    static const char text[] =
        "POST /api/items?limit=2&q=a%20b HTTP/1.1\r\nhOST:shop.example:8080\r\nX-Own:  a b \t\r\n"
        "Content-Type: application/json\r\nContent-Length: 12\r\nx-own: second\r\n\r\nrest";
    struct parsed p;
    char *block;
    parse(&p, text, sizeof(text) - 1, &block);
    assert_int_equal(p.outcome, HTTP1_OK);
    assert_int_equal(p.request.method, METHOD_POST);
    assert_text(p.request.method_text, "POST");
    assert_text(p.request.target, "/api/items?limit=2&q=a%20b");
    assert_text(p.request.path, "/api/items");
    assert_text(p.request.query, "limit=2&q=a%20b");
    assert_true(p.request.has_query);
    assert_int_equal(p.request.minor_version, 1);
    assert_text(p.request.host, "shop.example:8080");
    assert_int_equal(p.request.field_count, 5);
    assert_int_equal(p.request.framing, FRAMING_LENGTH);
    assert_int_equal(p.request.content_length, 12);
    assert_true(p.request.keep_alive);
    assert_false(p.request.expects_continue);
    assert_int_equal(p.request.head_bytes, sizeof(text) - 1 - 4);
    assert_text(http_field_get(&p.request, HEADER_CONTENT_TYPE)->value, "application/json");
    assert_null(http_field_get(&p.request, HEADER_COOKIE));
    uint32_t count = 0;
    assert_text(http_field_find(&p.request, LIMEN_STR("X-OWN"), &count), "a b");
    assert_int_equal(count, 2);
    assert_text(http_field_find(&p.request, LIMEN_STR("X-Other"), &count), "");
    assert_int_equal(count, 0);
    free(block);
}

struct good {
    const char *text, *path, *query, *host;
    enum http_framing framing;
    bool keep_alive, expects_continue;
};

static void test_good_requests_are_accepted(void **state)
{
    (void)state;
    static const struct good cases[] = {
        { "GET / HTTP/1.1\r\n" HOST "\r\n", "/", "", "shop.example", FRAMING_NONE, true, false },
        { "\r\nGET / HTTP/1.1\r\n" HOST "\r\n", "/", "", "shop.example", FRAMING_NONE, true, false },
        { "GET /? HTTP/1.1\r\n" HOST "\r\n", "/", "", "shop.example", FRAMING_NONE, true, false },
        { "GET /a?b?c/d={e}|[f] HTTP/1.1\r\n" HOST "\r\n", "/a", "b?c/d={e}|[f]", "shop.example", FRAMING_NONE, true,
          false },
        { "GET / HTTP/1.0\r\n\r\n", "/", "", "", FRAMING_NONE, false, false },
        { "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "/", "", "", FRAMING_NONE, true, false },
        { "GET / HTTP/1.1\r\n" HOST "Connection: x, CLOSE\r\n\r\n", "/", "", "shop.example", FRAMING_NONE, false,
          false },
        { "GET / HTTP/1.1\r\n" HOST "Connection: close\r\nConnection: keep-alive\r\n\r\n", "/", "", "shop.example",
          FRAMING_NONE, false, false },
        { "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "*", "", "shop.example", FRAMING_NONE, true, false },
        { "GET http://shop.example HTTP/1.1\r\n" HOST "\r\n", "/", "", "shop.example", FRAMING_NONE, true, false },
        { "GET HTTPS://SHOP.example?a HTTP/1.1\r\n" HOST "\r\n", "/", "a", "shop.example", FRAMING_NONE, true, false },
        { "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "/", "", "[::1]:80", FRAMING_NONE, true, false },
        { "GET / HTTP/1.1\r\nHost: 127.0.0.1:65535\r\n\r\n", "/", "", "127.0.0.1:65535", FRAMING_NONE, true, false },
        { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n\r\n", "/", "", "shop.example", FRAMING_CHUNKED,
          true, false },
        { "POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\nExpect: 100-continue\r\n\r\n", "/", "", "shop.example",
          FRAMING_NONE, true, false },
        { "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nExpect: 100-Continue\r\n\r\n", "/", "", "shop.example",
          FRAMING_LENGTH, true, true },
        { "POST / HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n", "/", "", "", FRAMING_LENGTH, false,
          false },
        { "GET / HTTP/1.1\r\n" HOST "X: \xc3\xa9\t\xff\r\n\r\n", "/", "", "shop.example", FRAMING_NONE, true, false },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct parsed p;
        char *block;
        parse(&p, cases[i].text, strlen(cases[i].text), &block);
        if (p.outcome != HTTP1_OK)
            print_error("case %zu: %s", i, cases[i].text);
        assert_int_equal(p.outcome, HTTP1_OK);
        assert_text(p.request.path, cases[i].path);
        assert_text(p.request.query, cases[i].query);
        assert_text(p.request.host, cases[i].host);
        assert_int_equal(p.request.framing, cases[i].framing);
        assert_int_equal(p.request.keep_alive, cases[i].keep_alive);
        assert_int_equal(p.request.expects_continue, cases[i].expects_continue);
        assert_int_equal(p.request.head_bytes, strlen(cases[i].text));
        free(block);
    }
}

struct bad {
    int status;
    limen_str text;
};
#define BAD(status, literal)              \
    {                                     \
        (status), LIMEN_STR_INIT(literal) \
    }
#define FIELD(status, literal) BAD(status, "GET / HTTP/1.1\r\n" HOST literal "\r\n\r\n")
#define LINE(status, literal) BAD(status, literal "\r\n" HOST "\r\n")
#define OF_HOST(literal) BAD(400, "GET / HTTP/1.1\r\nHost: " literal "\r\n\r\n")

static void test_bad_requests_are_refused_with_their_status(void **state)
{
    (void)state;
    static const struct bad cases[] = {
        /* the request line */
        LINE(400, "GET  / HTTP/1.1"),
        LINE(400, "GET / HTTP/1.1 "),
        LINE(400, " GET / HTTP/1.1"),
        LINE(400, "GET /"),
        LINE(400, "GET\t/ HTTP/1.1"),
        LINE(400, "G@T / HTTP/1.1"),
        LINE(400, "GET / http/1.1"),
        LINE(400, "GET / HTTP/1.x"),
        LINE(400, "GET /a b HTTP/1.1"),
        LINE(400, "GET /#a HTTP/1.1"),
        LINE(400, "GET /\xc3\xa9 HTTP/1.1"),
        LINE(400, "GET * HTTP/1.1"),
        LINE(400, "GET a HTTP/1.1"),
        LINE(400, "GET /\\ HTTP/1.1"),
        LINE(400, "GET ftp://shop.example/ HTTP/1.1"),
        LINE(400, "GET http:///x HTTP/1.1"),
        LINE(400, "GET http://a@shop.example/ HTTP/1.1"),
        LINE(400, ""),
        LINE(400, "GET http://other.example/ HTTP/1.1"),
        BAD(400, "\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n"),
        LINE(505, "GET / HTTP/2.0"),
        LINE(505, "GET / HTTP/1.2"),
        LINE(505, "GET / HTTP/0.9"),
        LINE(501, "BREW / HTTP/1.1"),
        LINE(501, "get / HTTP/1.1"),
        LINE(501, "CONNECT shop.example:443 HTTP/1.1"),
        LINE(501, "TRACE / HTTP/1.1"),
        /* fields */
        FIELD(400, "X : a"),
        FIELD(400, " X: a"),
        FIELD(400, "X: a\r\n b"),
        FIELD(400, "X"),
        FIELD(400, ": a"),
        FIELD(400, "X(: a"),
        FIELD(400, "X: a\nY: b"),
        FIELD(400, "X: a\rY: b"),
        FIELD(400, "X: \0"),
        FIELD(400, "X: \x01"),
        FIELD(400, "X: \x7f"),
        FIELD(400, "\xff: a"),
        FIELD(400, "Content_Length: 5"),
        FIELD(400, "transfer_encoding: chunked"),
        FIELD(400, "Cookie: a=1\r\nCookie: b=2"),
        FIELD(400, "Authorization: a\r\nauthorization: b"),
        FIELD(400, "Origin: a\r\nOrigin: a"),
        FIELD(400, "Content-Type: a/b\r\nContent-Type: a/b"),
        FIELD(400, "Idempotency-Key: a\r\nIdempotency-Key: a"),
        /* Host */
        BAD(400, "GET / HTTP/1.1\r\n\r\n"),
        FIELD(400, HOST "X: y"),
        OF_HOST(""),
        OF_HOST("a b"),
        OF_HOST("a,b"),
        OF_HOST("a/b"),
        OF_HOST("a@b"),
        OF_HOST("a:b"),
        OF_HOST("a:65536"),
        OF_HOST("a:99999999999"),
        OF_HOST("[::1"),
        OF_HOST("[]"),
        OF_HOST(":80"),
        OF_HOST("a:1:2"),
        OF_HOST("[::1]x"),
        /* framing */
        FIELD(400, "Content-Length: 5\r\nContent-Length: 5"),
        FIELD(400, "Content-Length: 5, 5"),
        FIELD(400, "Content-Length: +5"),
        FIELD(400, "Content-Length: -5"),
        FIELD(400, "Content-Length: 0x5"),
        FIELD(400, "Content-Length: 05"),
        FIELD(400, "Content-Length:"),
        FIELD(400, "Content-Length: 5 5"),
        FIELD(400, "Content-Length: 18446744073709551616"),
        FIELD(400, "Content-Length: 9223372036854775808"),
        FIELD(400, "Content-Length: 5\r\nTransfer-Encoding: chunked"),
        FIELD(400, "Transfer-Encoding: chunked\r\nContent-Length: 5"),
        FIELD(400, "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
        FIELD(400, "Transfer-Encoding: chunked, gzip"),
        FIELD(400, "Transfer-Encoding: identity"),
        FIELD(400, "Transfer-Encoding:"),
        FIELD(400, "Transfer-Encoding: \"chunked\""),
        FIELD(400, "Transfer-Encoding: chunked;a=b"),
        FIELD(501, "Transfer-Encoding: gzip, chunked"),
        BAD(400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
        FIELD(417, "Expect: 200-ok"),
        FIELD(417, "Expect: 100-continue, x"),
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct parsed p;
        char *block;
        parse(&p, cases[i].text.ptr, cases[i].text.len, &block);
        if (p.outcome != HTTP1_REFUSED || p.status != cases[i].status)
            print_error("case %zu: outcome %d, status %d: %.*s", i, (int)p.outcome, p.status,
                        LIMEN_STR_ARG(cases[i].text));
        assert_int_equal(p.outcome, HTTP1_REFUSED);
        assert_int_equal(p.status, cases[i].status);
        assert_non_null(p.why);
        free(block);
    }
}

/* Byte for byte, as a slow client sends it: the same result as at once, and MORE before. */
static void test_head_in_pieces_is_read_as_at_once(void **state)
{
    (void)state;
    static const char text[] =
        "\r\nPUT /a?b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nX-Long-Name-Of-A-Field: with a value\r\n\r\n";
    struct http_request request;
    size_t scanned = 0;
    int status = 0;
    const char *why = NULL;
    for (size_t len = 0; len < sizeof(text) - 1; len++) {
        char *block = malloc(len == 0 ? 1 : len);
        assert_non_null(block);
        memcpy(block, text, len);
        assert_int_equal(http1_parse_head(str_make(block, len), &scanned, &request, &status, &why), HTTP1_MORE);
        free(block);
    }
    assert_int_equal(http1_parse_head(str_make(text, sizeof(text) - 1), &scanned, &request, &status, &why), HTTP1_OK);
    assert_int_equal(scanned, 0);
    assert_int_equal(request.field_count, 3);
    assert_text(request.path, "/a");
    assert_int_equal(request.head_bytes, sizeof(text) - 1);
}

static void test_bad_line_is_refused_before_the_head_is_complete(void **state)
{
    (void)state;
    static const char *const cases[] = { "GET / HTTP/1.1\nHost: a", "GET / HTTP/1.1\rHost: a", "GET /\x01", "\n",
                                         "GET / HTTP/1.1\r\nA: b\x7f" };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct parsed p;
        char *block;
        parse(&p, cases[i], strlen(cases[i]), &block);
        assert_int_equal(p.outcome, HTTP1_REFUSED);
        assert_int_equal(p.status, 400);
        free(block);
    }
}

/* `count` fields "A: b", or a target or a field of `bytes` bytes. */
static char *build(const char *before, char fill, size_t bytes, const char *after, size_t *ret_len)
{
    *ret_len = strlen(before) + bytes + strlen(after);
    char *text = malloc(*ret_len);
    assert_non_null(text);
    memcpy(text, before, strlen(before));
    memset(text + strlen(before), fill, bytes);
    memcpy(text + strlen(before) + bytes, after, strlen(after));
    return text;
}

static void check_built(const char *before, size_t bytes, const char *after, enum http1_outcome outcome, int status)
{
    struct parsed p;
    char *block;
    size_t len;
    char *text = build(before, 'a', bytes, after, &len);
    parse(&p, text, len, &block);
    assert_int_equal(p.outcome, outcome);
    if (outcome == HTTP1_REFUSED)
        assert_int_equal(p.status, status);
    free(block);
    free(text);
}

static void test_sizes_have_ceilings(void **state)
{
    (void)state;
    check_built("GET /", LIMIT_REQUEST_LINE_BYTES - 14, " HTTP/1.1\r\n" HOST "\r\n", HTTP1_OK, 0);
    check_built("GET /", LIMIT_REQUEST_LINE_BYTES - 13, " HTTP/1.1\r\n" HOST "\r\n", HTTP1_REFUSED, 414);
    check_built("GET /", LIMIT_REQUEST_LINE_BYTES + 1, "", HTTP1_REFUSED, 414);
    check_built("GET /", LIMIT_REQUEST_LINE_BYTES - 100, "", HTTP1_MORE, 0);
    size_t fixed = strlen("GET / HTTP/1.1\r\n" HOST "X: \r\n\r\n");
    check_built("GET / HTTP/1.1\r\n" HOST "X: ", LIMIT_HEAD_BYTES - fixed, "\r\n\r\n", HTTP1_OK, 0);
    check_built("GET / HTTP/1.1\r\n" HOST "X: ", LIMIT_HEAD_BYTES - fixed + 1, "\r\n\r\n", HTTP1_REFUSED, 431);
    check_built("GET / HTTP/1.1\r\n" HOST "X: ", LIMIT_HEAD_BYTES, "", HTTP1_REFUSED, 431);
}

static void test_number_of_fields_has_a_ceiling(void **state)
{
    (void)state;
    for (unsigned extra = 0; extra <= 1; extra++) {
        char text[4096];
        size_t len = (size_t)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n" HOST);
        for (unsigned i = 1; i < LIMIT_HEADER_FIELDS + extra; i++)
            len += (size_t)snprintf(text + len, sizeof(text) - len, "F%u: v\r\n", i);
        len += (size_t)snprintf(text + len, sizeof(text) - len, "\r\n");
        struct parsed p;
        char *block;
        parse(&p, text, len, &block);
        assert_int_equal(p.outcome, extra == 0 ? HTTP1_OK : HTTP1_REFUSED);
        assert_int_equal(extra == 0 ? 431 : p.status, 431);
        free(block);
    }
}

static void test_every_known_name_is_found_in_any_case(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum header_id id;
    } names[] = {
        { "Host", HEADER_HOST },
        { "Content-Length", HEADER_CONTENT_LENGTH },
        { "Content-Type", HEADER_CONTENT_TYPE },
        { "Content-Encoding", HEADER_CONTENT_ENCODING },
        { "Transfer-Encoding", HEADER_TRANSFER_ENCODING },
        { "Connection", HEADER_CONNECTION },
        { "Expect", HEADER_EXPECT },
        { "Upgrade", HEADER_UPGRADE },
        { "Cookie", HEADER_COOKIE },
        { "Origin", HEADER_ORIGIN },
        { "Sec-Fetch-Site", HEADER_SEC_FETCH_SITE },
        { "Sec-Fetch-Mode", HEADER_SEC_FETCH_MODE },
        { "Sec-Fetch-Dest", HEADER_SEC_FETCH_DEST },
        { "Authorization", HEADER_AUTHORIZATION },
        { "Idempotency-Key", HEADER_IDEMPOTENCY_KEY },
        { "Accept", HEADER_ACCEPT },
        { "Accept-Encoding", HEADER_ACCEPT_ENCODING },
        { "If-None-Match", HEADER_IF_NONE_MATCH },
        { "If-Modified-Since", HEADER_IF_MODIFIED_SINCE },
        { "If-Range", HEADER_IF_RANGE },
        { "Range", HEADER_RANGE },
        { "X-Forwarded-For", HEADER_X_FORWARDED_FOR },
        { "X-Forwarded-Proto", HEADER_X_FORWARDED_PROTO },
        { "Forwarded", HEADER_FORWARDED },
        { "Traceparent", HEADER_TRACEPARENT },
        { "Trailer", HEADER_TRAILER },
        { "TE", HEADER_TE },
        { "Access-Control-Request-Method", HEADER_ACCESS_CONTROL_REQUEST_METHOD },
    };
    assert_int_equal(sizeof(names) / sizeof(names[0]), HEADER_COUNT - 1);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        for (int form = 0; form < 3; form++) {
            char name[40], text[200];
            snprintf(name, sizeof(name), "%s", names[i].name);
            for (char *c = name; *c != '\0'; c++)
                if (form > 0 && ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z')))
                    *c = (char)(form == 1 ? *c & ~0x20 : *c | 0x20);
            const char *value = names[i].id == HEADER_EXPECT ? "100-continue"
                : names[i].id == HEADER_TRANSFER_ENCODING    ? "chunked"
                                                             : "1";
            int len = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n%s%s: %s\r\n\r\n",
                               names[i].id == HEADER_HOST ? "" : HOST, name, value);
            struct parsed p;
            char *block;
            parse(&p, text, (size_t)len, &block);
            assert_int_equal(p.outcome, HTTP1_OK);
            assert_non_null(http_field_get(&p.request, names[i].id));
            assert_text(http_field_get(&p.request, names[i].id)->value, value);
            free(block);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_is_taken_apart),
        cmocka_unit_test(test_good_requests_are_accepted),
        cmocka_unit_test(test_bad_requests_are_refused_with_their_status),
        cmocka_unit_test(test_head_in_pieces_is_read_as_at_once),
        cmocka_unit_test(test_bad_line_is_refused_before_the_head_is_complete),
        cmocka_unit_test(test_sizes_have_ceilings),
        cmocka_unit_test(test_number_of_fields_has_a_ceiling),
        cmocka_unit_test(test_every_known_name_is_found_in_any_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
