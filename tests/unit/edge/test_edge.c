/* Tests of the edge: requests in, replies out, over real sockets. */
#include "harness.h"

#define OPEN_WITH(h, fd, options) \
    struct harness h;             \
    (void)state;                  \
    harness_open(&h, &(options)); \
    int fd = client_open(&h);     \
    struct answer answer = { 0 }
#define OPEN(h, fd)                                        \
    struct edge_options defaults = edge_default_options(); \
    OPEN_WITH(h, fd, defaults)
#define CLOSE(h, fd)         \
    answer_release(&answer); \
    close(fd);               \
    harness_close(&h)

static void test_reply_carries_what_every_reply_carries(void **state)
{
    OPEN(h, fd);
    SEND(fd, GET("/"));
    read_answers(&h, fd, &answer, 1);
    assert_has(&answer, "HTTP/1.1 200 OK\r\nDate: ");
    assert_has(&answer, " GMT\r\n");
    assert_has(&answer, "Content-Type: text/plain\r\n");
    assert_has(&answer, "Content-Length: 2\r\n");
    assert_has(&answer, "Cache-Control: no-store\r\n");
    assert_has(&answer, "X-Content-Type-Options: nosniff\r\n");
    assert_has(&answer, "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n");
    assert_has(&answer, "\r\n\r\nok");
    assert_lacks(&answer, "Server:");
    assert_lacks(&answer, "Connection:");
    answer_release(&answer);
    SEND(fd, GET("/page"));
    read_answers(&h, fd, &answer, 1);
    assert_has(&answer, "Content-Security-Policy: default-src 'self'; form-action 'self';");
    assert_has(&answer, "Permissions-Policy: ");
    assert_lacks(&answer, "Cache-Control");
    assert_string_equal(h.last_peer, "127.0.0.1");
    CLOSE(h, fd);
}

static void test_pipelined_requests_are_answered_in_order(void **state)
{
    OPEN(h, fd);
    SEND(fd, GET("/") GET("/later") GET("/empty") GET("/"));
    read_answers(&h, fd, &answer, 1);
    TURN_UNTIL(&h, h.waiting != NULL);
    turn_for(&h, 20);
    assert_int_equal(h.requests, 2); /* one exchange at a time */
    struct exchange *later = h.waiting;
    h.waiting = NULL;
    reply_plain(later, 202, LIMEN_STR("late"));
    read_answers(&h, fd, &answer, 4);
    const char *second = strstr(answer.text, "202 Accepted"), *third = strstr(answer.text, "204 No Content");
    assert_true(second != NULL && third != NULL && second < third);
    assert_int_equal(h.requests, 4);
    CLOSE(h, fd);
}

/* More than LIMIT_PIPELINE_DEPTH, more than a block holds, and one head cut by the end of the block. */
static void test_many_pipelined_requests_are_all_answered(void **state)
{
    OPEN(h, fd);
    enum { COUNT = 1500 };
    for (int i = 0; i < COUNT; i++)
        SEND(fd, "GET / HTTP/1.1\r\nHost: a\r\nX: 3\r\n\r\n");
    read_answers(&h, fd, &answer, COUNT);
    assert_int_equal(h.requests, COUNT);
    CLOSE(h, fd);
}

static void test_head_has_length_and_no_body(void **state)
{
    OPEN(h, fd);
    SEND(fd, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" GET("/empty") GET("/same") GET("/close"));
    read_to_end(&h, fd, &answer);
    assert_int_equal(answers_in(&answer), 4);
    assert_has(&answer, "Content-Length: 2\r\n");
    assert_lacks(&answer, "\r\n\r\nok");
    assert_has(&answer, "Content-Length: 77\r\n"); /* 304 */
    const char *empty = strstr(answer.text, "204 No Content"), *same = strstr(answer.text, "304 Not Modified");
    const char *length = strstr(empty, "Content-Length");
    assert_true(empty < same && length > same); /* 204 has none */
    assert_has(&answer, "Connection: close\r\n");
    CLOSE(h, fd);
}

static void test_fields_that_would_end_a_line_are_dropped(void **state)
{
    OPEN(h, fd);
    SEND(fd, GET("/inject"));
    read_answers(&h, fd, &answer, 1);
    assert_lacks(&answer, "X-Injected");
    assert_lacks(&answer, "X-Nul");
    assert_lacks(&answer, "X Name");
    assert_has(&answer, "X-Good: fine\r\n");
    CLOSE(h, fd);
}

/* ---- bodies --------------------------------------------------------------------------------------------------------- */

static void test_body_is_read_however_it_comes(void **state)
{
    OPEN(h, fd);
    static const char request[] = "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
                                  "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                                  "6;a=b\r\nchunks\r\n1\r\n!\r\n0\r\nX: y\r\n\r\n" GET("/");
    for (size_t piece = 1; piece < sizeof(request); piece += piece < 12 ? 1 : 37) {
        h.requests = 0;
        for (size_t at = 0; at < sizeof(request) - 1; at += piece) {
            size_t left = sizeof(request) - 1 - at;
            client_send(fd, request + at, left < piece ? left : piece);
            loop_turn(h.loop, 0);
            loop_turn(h.loop, 0);
        }
        read_answers(&h, fd, &answer, 3);
        assert_int_equal(h.requests, 3);
        assert_has(&answer, "Content-Length: 5\r\n");
        assert_has(&answer, "\r\n\r\nhelloHTTP/1.1 200 OK");
        assert_has(&answer, "\r\n\r\nchunks!HTTP/1.1 200 OK");
        answer_release(&answer);
    }
    CLOSE(h, fd);
}

static void check_large_body(bool chunked, size_t bytes, size_t chunk)
{
    void **state = NULL;
    OPEN(h, fd);
    char head[128];
    int len = snprintf(head, sizeof(head), "POST /body HTTP/1.1\r\nHost: a\r\n%s%.*zu\r\n\r\n",
                       chunked ? "Transfer-Encoding: chunked\r\nX: " : "Content-Length: ", 1, bytes);
    client_send(fd, head, (size_t)len);
    for (size_t at = 0; at < bytes;) {
        size_t piece = bytes - at < chunk ? bytes - at : chunk;
        char size[24];
        if (chunked)
            client_send(fd, size, (size_t)snprintf(size, sizeof(size), "%zx\r\n", piece));
        for (size_t done = 0; done < piece;) {
            ssize_t count = send(fd, h.big + at + done, piece - done, MSG_NOSIGNAL);
            done += count > 0 ? (size_t)count : 0;
            loop_turn(h.loop, 0);
        }
        if (chunked)
            SEND(fd, "\r\n");
        at += piece;
    }
    if (chunked)
        SEND(fd, "0\r\n\r\n");
    SEND(fd, GET("/")); /* what follows must not be taken for the body */
    read_bytes(&h, fd, &answer, bytes + 300);
    read_answers(&h, fd, &answer, 2);
    const char *body = strstr(answer.text, "\r\n\r\n") + 4;
    assert_int_equal(h.last_body, BODY_OK);
    assert_true(answer.len > bytes + (size_t)(body - answer.text));
    assert_memory_equal(body, h.big, bytes);
    assert_memory_equal(body + bytes, "HTTP/1.1 200 OK", 15);
    CLOSE(h, fd);
}

static void test_body_larger_than_a_block_is_read(void **state)
{
    (void)state;
    check_large_body(false, 16384, 16384);
    check_large_body(false, 500000, 50000);
    check_large_body(true, 500000, 50000);
    check_large_body(true, 40000, 100);
    check_large_body(true, 16384, 1000);
}

static void test_body_past_its_ceiling_is_refused(void **state)
{
    OPEN(h, fd);
    h.body_ceiling = 4;
    SEND(fd, "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" GET("/"));
    read_answers(&h, fd, &answer, 2); /* five bytes are read over: the connection serves on */
    assert_has(&answer, "413 Content Too Large");
    assert_int_equal(h.last_body, BODY_TOO_LARGE);
    SEND(fd, "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" GET("/"));
    read_to_end(&h, fd, &answer);
    assert_int_equal(answers_in(&answer), 3);
    assert_true(answer.closed && !answer.reset);
    CLOSE(h, fd);
}

static void test_malformed_chunks_close_the_connection(void **state)
{
    OPEN(h, fd);
    SEND(fd, "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n" GET("/"));
    read_to_end(&h, fd, &answer);
    assert_has(&answer, "400 Bad Request");
    assert_int_equal(h.last_body, BODY_MALFORMED);
    assert_int_equal(answers_in(&answer), 1);
    assert_true(answer.closed && !answer.reset);
    CLOSE(h, fd);
}

static void test_unread_body_is_read_over(void **state)
{
    OPEN(h, fd);
    SEND(fd, "POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nGET / HT");
    read_answers(&h, fd, &answer, 1);
    SEND(fd, "X" GET("/")); /* the ninth byte belongs to the body */
    read_answers(&h, fd, &answer, 2);
    assert_has(&answer, "401 Unauthorized");
    assert_lacks(&answer, "Connection: close");
    assert_int_equal(h.requests, 2);
    CLOSE(h, fd);
}

static void test_unread_large_body_closes_without_a_reset(void **state)
{
    OPEN(h, fd);
    SEND(fd, "POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
    for (int i = 0; i < 20; i++) { /* the client goes on sending while it is refused */
        ssize_t count = send(fd, h.big, 50000, MSG_NOSIGNAL);
        assert_true(count > 0 || errno == EAGAIN);
        loop_turn(h.loop, 0);
    }
    read_to_end(&h, fd, &answer);
    assert_has(&answer, "401 Unauthorized");
    assert_has(&answer, "Connection: close");
    assert_true(answer.closed && !answer.reset);
    CLOSE(h, fd);
}

/* A close with bytes unread is a reset, which can take the reply along. */
static void test_unread_body_does_not_turn_a_wanted_close_into_a_reset(void **state)
{
    OPEN(h, fd);
    SEND(fd, "POST /unread HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 50000\r\n\r\n");
    client_send(fd, h.big, 50000); /* all of it is there, and more than a block takes */
    read_to_end(&h, fd, &answer);
    assert_has(&answer, "401 Unauthorized");
    assert_has(&answer, "Connection: close");
    assert_true(answer.closed && !answer.reset);
    CLOSE(h, fd);
}

static void test_continue_is_sent_when_the_body_is_wanted(void **state)
{
    OPEN(h, fd);
    SEND(fd, "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    read_answers(&h, fd, &answer, 1);
    assert_string_equal(answer.text, "HTTP/1.1 100 Continue\r\n\r\n");
    SEND(fd, "hello");
    read_answers(&h, fd, &answer, 2);
    assert_has(&answer, "\r\n\r\nhello");
    assert_lacks(&answer, "Connection: close");
    answer_release(&answer);
    SEND(fd, "POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    read_to_end(&h, fd, &answer); /* refused without 100: whether the body comes is unknown */
    assert_has(&answer, "HTTP/1.1 401 Unauthorized");
    assert_has(&answer, "Connection: close");
    assert_true(answer.closed);
    CLOSE(h, fd);
}

/* ---- refusals, closes ------------------------------------------------------------------------------------------------- */

static void test_refusal_is_a_problem_and_the_last_word(void **state)
{
    struct edge_options quick = edge_default_options();
    quick.linger_us = 50000;
    OPEN_WITH(h, fd, quick);
    SEND(fd, GET("/") "GET / HTTP/1.1\r\nHost : a\r\n\r\n" GET("/"));
    read_to_end(&h, fd, &answer);
    assert_int_equal(answers_in(&answer), 2);
    assert_has(&answer, "HTTP/1.1 400 Bad Request\r\n");
    assert_has(&answer, "Content-Type: application/problem+json\r\n");
    assert_has(&answer, "\r\n\r\n{\"type\":\"about:blank\",\"title\":\"Bad Request\",\"status\":400,\"detail\":\"");
    assert_true(answer.closed && !answer.reset);
    assert_int_equal(h.requests, 1);
    assert_int_equal(h.refused, 1);
    assert_int_equal(h.refused_status, 400);
    TURN_UNTIL(&h, edge_connection_count(h.edge) == 0);
    CLOSE(h, fd);
}

static void test_connection_close_is_honoured(void **state)
{
    OPEN(h, fd);
    SEND(fd, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" GET("/"));
    read_to_end(&h, fd, &answer);
    assert_int_equal(answers_in(&answer), 1);
    assert_has(&answer, "Connection: close\r\n");
    assert_int_equal(edge_connection_count(h.edge), 0);
    CLOSE(h, fd);
}

static void test_http10_closes_unless_asked(void **state)
{
    OPEN(h, fd);
    SEND(fd, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    read_answers(&h, fd, &answer, 1);
    assert_has(&answer, "Connection: keep-alive\r\n");
    SEND(fd, "GET / HTTP/1.0\r\n\r\n");
    read_to_end(&h, fd, &answer);
    assert_int_equal(answers_in(&answer), 2);
    assert_true(answer.closed);
    CLOSE(h, fd);
}

static void test_client_that_has_said_all_gets_its_answers(void **state)
{
    OPEN(h, fd);
    SEND(fd, GET("/") GET("/later"));
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    read_answers(&h, fd, &answer, 1);
    TURN_UNTIL(&h, h.waiting != NULL);
    assert_int_equal(h.gone, 0);
    struct exchange *later = h.waiting;
    h.waiting = NULL;
    reply_plain(later, 200, LIMEN_STR("late"));
    read_to_end(&h, fd, &answer);
    assert_int_equal(answers_in(&answer), 2);
    assert_true(answer.closed);
    assert_int_equal(edge_connection_count(h.edge), 0);
    CLOSE(h, fd);
}

static void reset(int fd)
{
    struct linger linger = { .l_onoff = 1 };
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
    close(fd);
}

static void test_client_that_is_gone_is_told_of(void **state)
{
    OPEN(h, fd);
    SEND(fd, GET("/later"));
    TURN_UNTIL(&h, h.waiting != NULL);
    SEND(fd, GET("/")); /* pauses reading */
    turn_for(&h, 20);
    reset(fd);
    TURN_UNTIL(&h, h.gone == 1);
    assert_int_equal(edge_connection_count(h.edge), 0);
    fd = client_open(&h); /* gone in the middle of a body */
    SEND(fd, "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel");
    turn_for(&h, 20);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    TURN_UNTIL(&h, h.gone == 2);
    assert_int_equal(edge_connection_count(h.edge), 0);
    CLOSE(h, fd);
}

static void check_slow_reader(const char *request, size_t len)
{
    void **state = NULL;
    OPEN(h, fd);
    client_send(fd, request, len);
    turn_for(&h, 50);
    assert_int_equal(h.requests, 1); /* the second is not served before the first was taken */
    read_bytes(&h, fd, &answer, 2 * BIG_BYTES);
    const char *first = strstr(answer.text, "\r\n\r\n") + 4;
    const char *second = strstr(first + BIG_BYTES, "\r\n\r\n") + 4;
    read_bytes(&h, fd, &answer, (size_t)(second - answer.text) + BIG_BYTES);
    assert_int_equal(h.requests, 2);
    assert_int_equal(answers_in(&answer), 2);
    const char *body = strstr(answer.text, "\r\n\r\n") + 4;
    assert_memory_equal(body, h.big, BIG_BYTES);
    assert_memory_equal(body + BIG_BYTES, "HTTP/1.1 200 OK", 15);
    body = strstr(body + BIG_BYTES, "\r\n\r\n") + 4;
    assert_memory_equal(body, h.big, BIG_BYTES);
    assert_int_equal(answer.len, (size_t)(body - answer.text) + BIG_BYTES);
    CLOSE(h, fd);
}

static void test_large_reply_reaches_a_slow_reader(void **state)
{
    (void)state;
    check_slow_reader(GET("/big") GET("/big"), sizeof(GET("/big") GET("/big")) - 1);
    check_slow_reader(GET("/copied") GET("/big"), sizeof(GET("/copied") GET("/big")) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reply_carries_what_every_reply_carries),
        cmocka_unit_test(test_pipelined_requests_are_answered_in_order),
        cmocka_unit_test(test_many_pipelined_requests_are_all_answered),
        cmocka_unit_test(test_head_has_length_and_no_body),
        cmocka_unit_test(test_fields_that_would_end_a_line_are_dropped),
        cmocka_unit_test(test_body_is_read_however_it_comes),
        cmocka_unit_test(test_body_larger_than_a_block_is_read),
        cmocka_unit_test(test_body_past_its_ceiling_is_refused),
        cmocka_unit_test(test_malformed_chunks_close_the_connection),
        cmocka_unit_test(test_unread_body_is_read_over),
        cmocka_unit_test(test_unread_large_body_closes_without_a_reset),
        cmocka_unit_test(test_unread_body_does_not_turn_a_wanted_close_into_a_reset),
        cmocka_unit_test(test_continue_is_sent_when_the_body_is_wanted),
        cmocka_unit_test(test_refusal_is_a_problem_and_the_last_word),
        cmocka_unit_test(test_connection_close_is_honoured),
        cmocka_unit_test(test_http10_closes_unless_asked),
        cmocka_unit_test(test_client_that_has_said_all_gets_its_answers),
        cmocka_unit_test(test_client_that_is_gone_is_told_of),
        cmocka_unit_test(test_large_reply_reaches_a_slow_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
