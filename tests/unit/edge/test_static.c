/* Tests of edge/static.h, over a real connection. */
#include "harness.h"

#include "edge/static.h"

static char large[50000];
static struct limen_file page[] = {
    { LIMEN_STR_INIT("index.html"), LIMEN_STR_INIT("<!doctype html><p>0123456789") },
    { LIMEN_STR_INIT("app.js"), LIMEN_STR_INIT("let a = 1;\n") },
    { LIMEN_STR_INIT("img/a.svg"), LIMEN_STR_INIT("<svg/>") },
    { LIMEN_STR_INIT("docs/index.html"), LIMEN_STR_INIT("docs") },
    { LIMEN_STR_INIT("empty.txt"), LIMEN_STR_INIT("") },
    { LIMEN_STR_INIT("large"), { large, sizeof(large) } },
};

struct site {
    struct loop *loop;
    struct edge *edge;
    struct static_files *files;
    int listener, fd;
    struct sockaddr_in address;
};

static void on_request(void *context, struct exchange *exchange)
{
    struct site *site = context;
    if (!static_files_reply(site->files, exchange, NULL))
        reply_plain(exchange, 404, LIMEN_STR("none"));
}

static void on_gone(void *context, struct exchange *exchange)
{
    (void)context;
    (void)exchange;
}

/* One request on a connection of its own; the answer's text. */
static struct answer ask(const char *method, const char *path, const char *fields)
{
    struct harness h = { .loop = loop_new() };
    struct site site = { .files = static_files_new(page, sizeof(page) / sizeof(page[0])) };
    struct answer answer = { 0 };
    char request[600];
    assert_non_null(site.files);
    h.edge = edge_new(h.loop, &(struct edge_hooks){ on_request, on_gone, NULL, &site });
    h.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    h.address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t bytes = sizeof(h.address);
    assert_int_equal(bind(h.listener, (struct sockaddr *)&h.address, bytes), 0);
    assert_int_equal(listen(h.listener, 8), 0);
    assert_int_equal(getsockname(h.listener, (struct sockaddr *)&h.address, &bytes), 0);
    assert_true(edge_listen(h.edge, h.listener));
    int fd = client_open(&h);
    int len = snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%s\r\n", method,
                       path, fields);
    client_send(fd, request, (size_t)len);
    read_to_end(&h, fd, &answer);
    assert_true(answer.closed);
    close(fd);
    edge_free(h.edge);
    loop_free(h.loop);
    close(h.listener);
    static_files_free(site.files);
    return answer;
}

static void check(const char *method, const char *path, const char *fields, const char *const *expected)
{
    struct answer answer = ask(method, path, fields);
    for (; *expected != NULL; expected++)
        assert_has(&answer, *expected);
    answer_release(&answer);
}
#define CHECK(method, path, fields, ...) check((method), (path), (fields), (const char *const[]){ __VA_ARGS__, NULL })

static void test_files_are_served_with_their_types(void **state)
{
    (void)state;
    CHECK("GET", "/", "", "HTTP/1.1 200 OK", "Content-Type: text/html; charset=utf-8\r\n", "Content-Length: 28\r\n",
          "ETag: \"", "Cache-Control: no-cache\r\n", "Content-Security-Policy: default-src 'self';",
          "\r\n\r\n<!doctype html><p>0123456789");
    CHECK("GET", "/index.html", "", "200 OK", "\r\n\r\n<!doctype html><p>");
    CHECK("GET", "/app.js?v=1", "", "Content-Type: text/javascript; charset=utf-8\r\n", "\r\n\r\nlet a = 1;\n");
    CHECK("GET", "/img/a.svg", "", "Content-Type: image/svg+xml\r\n");
    CHECK("GET", "/docs/", "", "200 OK", "\r\n\r\ndocs");
    CHECK("GET", "/large", "", "Content-Type: application/octet-stream\r\n", "Content-Length: 50000\r\n", "LLLLLLLL");
    CHECK("GET", "/empty.txt", "", "Content-Length: 0\r\n");
    CHECK("HEAD", "/", "", "200 OK", "Content-Length: 28\r\n");
    struct answer answer = ask("HEAD", "/", "");
    assert_lacks(&answer, "doctype");
    answer_release(&answer);
}

static void test_no_other_path_leads_to_a_file(void **state)
{
    (void)state;
    static const char *const paths[] = { "/app", "/app.js/", "//app.js", "/img/../app.js", "/%61pp.js",
                                         "/img", "/img/",    "/docs",    "/APP.js" };
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        CHECK("GET", paths[i], "", "HTTP/1.1 404 Not Found");
}

static void test_other_methods_are_refused(void **state)
{
    (void)state;
    CHECK("POST", "/app.js", "", "405 Method Not Allowed", "Allow: GET, HEAD\r\n", "application/problem+json");
    CHECK("DELETE", "/", "", "405 Method Not Allowed");
}

static void read_etag(const char *path, char *ret_etag)
{
    struct answer answer = ask("GET", path, "");
    const char *at = strstr(answer.text, "ETag: ");
    assert_non_null(at);
    memcpy(ret_etag, at + 6, 34);
    ret_etag[34] = '\0';
    assert_int_equal(ret_etag[33], '"');
    answer_release(&answer);
}

static void test_known_version_is_not_sent_again(void **state)
{
    (void)state;
    char etag[35], other[35], fields[200];
    read_etag("/app.js", etag);
    read_etag("/index.html", other);
    assert_string_not_equal(etag, other);
    static const char *const forms[] = { "If-None-Match: %s\r\n", "If-None-Match: \"x\", W/%s\r\n",
                                         "If-None-Match: \"x\"\r\nIf-None-Match: %s\r\n" };
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        char *at = fields;
        const char *split = strstr(forms[i], "%s");
        at += snprintf(at, sizeof(fields), "%.*s%s%s", (int)(split - forms[i]), forms[i], etag, split + 2);
        struct answer answer = ask("GET", "/app.js", fields);
        assert_has(&answer, "HTTP/1.1 304 Not Modified");
        assert_has(&answer, "ETag: ");
        assert_lacks(&answer, "let a");
        assert_lacks(&answer, "Content-Length");
        answer_release(&answer);
    }
    CHECK("GET", "/app.js", "If-None-Match: *\r\n", "304 Not Modified");
    snprintf(fields, sizeof(fields), "If-None-Match: %s\r\n", other);
    CHECK("GET", "/app.js", fields, "200 OK");
}

static void check_range(const char *range, const char *status, const char *content_range, const char *body)
{
    char fields[100], end[100];
    snprintf(fields, sizeof(fields), "Range: %s\r\n", range);
    snprintf(end, sizeof(end), "\r\n\r\n%s", body);
    struct answer answer = ask("GET", "/index.html", fields);
    assert_has(&answer, status);
    assert_has(&answer, content_range);
    assert_string_equal(strstr(answer.text, "\r\n\r\n"), end);
    answer_release(&answer);
}

static void test_range_is_cut_out(void **state)
{
    (void)state;
    check_range("bytes=18-20", "206 Partial Content", "Content-Range: bytes 18-20/28\r\n", "012");
    check_range("bytes=26-", "206 Partial Content", "Content-Range: bytes 26-27/28\r\n", "89");
    check_range("bytes=-3", "206 Partial Content", "Content-Range: bytes 25-27/28\r\n", "789");
    check_range("BYTES=26-99999999999999999999999", "206 Partial Content", "Content-Range: bytes 26-27/28\r\n", "89");
    check_range("bytes=0-0", "206 Partial Content", "Content-Length: 1\r\n", "<");
    check_range("bytes=-99", "206 Partial Content", "Content-Range: bytes 0-27/28\r\n", "<!doctype html><p>0123456789");
    check_range("bytes=28-", "416 Range Not Satisfiable", "Content-Range: bytes */28\r\n", "");
    check_range("bytes=99999999999999999999999-", "416 Range Not Satisfiable", "Content-Range: bytes */28\r\n", "");
    check_range("bytes=-0", "416 Range Not Satisfiable", "Content-Range: bytes */28\r\n", "");
    static const char *const ignored[] = { "bytes=5-2", "bytes=a-b", "bytes=1-2,4-5", "bytes=",
                                           "bytes=-",   "items=1-2", "bytes 1-2",     "bytes=1-2x" };
    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
        check_range(ignored[i], "200 OK", "Content-Length: 28\r\n", "<!doctype html><p>0123456789");
    CHECK("GET", "/empty.txt", "Range: bytes=0-\r\n", "416 Range Not Satisfiable", "bytes */0");
    CHECK("GET", "/large", "Range: bytes=100-40099\r\n", "206 Partial Content", "Content-Length: 40000\r\n");
    CHECK("HEAD", "/", "Range: bytes=0-1\r\n", "200 OK");
}

static void test_range_of_another_version_gets_the_whole(void **state)
{
    (void)state;
    char etag[35], fields[200];
    read_etag("/index.html", etag);
    snprintf(fields, sizeof(fields), "Range: bytes=0-1\r\nIf-Range: %s\r\n", etag);
    CHECK("GET", "/", fields, "206 Partial Content");
    CHECK("GET", "/", "Range: bytes=0-1\r\nIf-Range: \"other\"\r\n", "200 OK");
    CHECK("GET", "/", "Range: bytes=0-1\r\nIf-Range: Sat, 29 Oct 1994 19:43:31 GMT\r\n", "200 OK");
}

int main(void)
{
    memset(large, 'L', sizeof(large));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files_are_served_with_their_types),
        cmocka_unit_test(test_no_other_path_leads_to_a_file),
        cmocka_unit_test(test_other_methods_are_refused),
        cmocka_unit_test(test_known_version_is_not_sent_again),
        cmocka_unit_test(test_range_is_cut_out),
        cmocka_unit_test(test_range_of_another_version_gets_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
