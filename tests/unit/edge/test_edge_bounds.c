/* Tests of edge/edge.h: what it has no room for is refused or closed, and nobody else notices. */
#include "harness.h"

#include "core/limits.h"

#define CHUNK_BYTES ((size_t)200 * 1024)

/* Sends all of it while the loop turns: a server that reads no more would stop us else. */
static void send_much(struct harness *h, int fd, size_t bytes)
{
    int64_t end = clock_mono_us() + 3000000;
    for (size_t sent = 0; sent < bytes && clock_mono_us() < end;) {
        ssize_t count = send(fd, h->big + sent, bytes - sent, MSG_NOSIGNAL);
        if (count > 0)
            sent += (size_t)count;
        else if (errno != EAGAIN)
            return; /* it has closed, as it may after a refusal */
        loop_turn(h->loop, 1000);
    }
}

static void expect_no_memory(const char *head, size_t bytes)
{
    struct harness h;
    struct answer answer = { 0 };
    harness_open(&h, NULL);
    arena_release(&h.arena);
    arena_init(&h.arena, NULL, 64U * 1024);
    int fd = client_open(&h);
    client_send(fd, head, strlen(head));
    send_much(&h, fd, bytes);
    read_answers(&h, fd, &answer, 1);
    assert_has(&answer, "HTTP/1.1 503 ");
    assert_has(&answer, "Connection: close");
    assert_int_equal(h.last_body, BODY_NO_MEMORY);
    answer_release(&answer);
    close(fd);
    fd = client_open(&h); /* the others go on */
    SEND(fd, GET("/"));
    read_answers(&h, fd, &answer, 1);
    assert_has(&answer, "HTTP/1.1 200 ");
    answer_release(&answer);
    close(fd);
    harness_close(&h);
}

static void test_a_body_that_its_call_has_no_memory_for_is_a_503(void **state)
{
    (void)state;
    expect_no_memory("POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 204800\r\n\r\n", CHUNK_BYTES);
    expect_no_memory("POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n32000\r\n", CHUNK_BYTES);
}

static void reply_with_a_long_field(void *context, struct exchange *exchange)
{
    struct harness *h = context;
    const struct http_header_out field = { LIMEN_STR("X-Long"), str_make(h->big, (size_t)1024 * 1024) };
    exchange_reply(exchange, &(struct http_reply){ .status = 200, .headers = &field, .header_count = 1 });
}

static void test_a_head_that_no_block_holds_is_not_sent_in_parts(void **state)
{
    (void)state;
    struct harness h;
    struct answer answer = { 0 };
    harness_open_with(&h, &(struct edge_hooks){ reply_with_a_long_field, harness_on_gone, NULL, &h }, NULL);
    int fd = client_open(&h);
    SEND(fd, GET("/"));
    read_to_end(&h, fd, &answer);
    assert_true(answer.closed);
    assert_int_equal(answer.len, 0);
    assert_int_equal(edge_connection_count(h.edge), 0);
    answer_release(&answer);
    close(fd);
    harness_close(&h);
}

static void test_a_client_that_resets_is_forgotten(void **state)
{
    (void)state;
    static const char *const begun[] = { "GET / HTT", "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nab",
                                         "GET /later HTTP/1.1\r\nHost: a\r\n\r\n" };
    for (size_t i = 0; i < sizeof begun / sizeof begun[0]; i++) {
        struct harness h;
        const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
        harness_open(&h, NULL);
        int fd = client_open(&h);
        client_send(fd, begun[i], strlen(begun[i]));
        turn_for(&h, 20);
        assert_int_equal(edge_connection_count(h.edge), 1);
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
        close(fd);
        for (int64_t end = clock_mono_us() + 3000000; clock_mono_us() < end && edge_connection_count(h.edge) > 0;)
            loop_turn(h.loop, 1000);
        assert_int_equal(edge_connection_count(h.edge), 0);
        assert_int_equal(h.gone, i == 0 ? 0 : 1);
        harness_close(&h);
    }
}

static void test_an_ipv6_client_has_its_own_address(void **state)
{
    (void)state;
    struct harness h;
    struct answer answer = { 0 };
    struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    socklen_t bytes = sizeof address;
    int listener = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, bytes) != 0) {
        print_message("this machine has no IPv6 on its loopback\n");
        skip();
    }
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &bytes), 0);
    harness_open(&h, NULL);
    assert_true(edge_listen(h.edge, listener));
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, bytes), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    SEND(fd, GET("/"));
    read_answers(&h, fd, &answer, 1);
    assert_has(&answer, "HTTP/1.1 200 ");
    assert_string_equal(h.last_peer, "::1");
    answer_release(&answer);
    close(fd);
    harness_close(&h);
    close(listener);
}

static void test_listeners_and_proxies_have_a_ceiling(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h, NULL);
    for (unsigned i = 0; i < LIMIT_TRUSTED_PROXIES; i++)
        assert_true(edge_trust_proxy(h.edge, LIMEN_STR("192.0.2.1")));
    assert_false(edge_trust_proxy(h.edge, LIMEN_STR("192.0.2.1")));
    int listeners[LIMIT_LISTENERS];
    for (unsigned i = 1; i < LIMIT_LISTENERS; i++) { /* the harness has the first */
        listeners[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        assert_int_equal(listen(listeners[i], 1), 0);
        assert_true(edge_listen(h.edge, listeners[i]));
    }
    assert_false(edge_listen(h.edge, h.listener));
    harness_close(&h);
    for (unsigned i = 1; i < LIMIT_LISTENERS; i++)
        close(listeners[i]);
}

static void test_a_second_drain_changes_nothing(void **state)
{
    (void)state;
    struct harness h;
    struct answer answer = { 0 };
    harness_open(&h, NULL);
    int fd = client_open(&h), idle = client_open(&h);
    SEND(fd, GET("/later"));
    turn_for(&h, 20);
    edge_drain(h.edge);
    edge_drain(h.edge);
    read_to_end(&h, idle, &answer);
    assert_true(answer.closed);
    assert_int_equal(answer.len, 0);
    answer_release(&answer);
    reply_plain(h.waiting, 200, LIMEN_STR("done"));
    read_to_end(&h, fd, &answer);
    assert_has(&answer, "done");
    assert_has(&answer, "Connection: close");
    assert_true(answer.closed);
    answer_release(&answer);
    close(fd);
    close(idle);
    harness_close(&h);
    edge_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_body_that_its_call_has_no_memory_for_is_a_503),
        cmocka_unit_test(test_a_head_that_no_block_holds_is_not_sent_in_parts),
        cmocka_unit_test(test_a_client_that_resets_is_forgotten),
        cmocka_unit_test(test_an_ipv6_client_has_its_own_address),
        cmocka_unit_test(test_listeners_and_proxies_have_a_ceiling),
        cmocka_unit_test(test_a_second_drain_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
