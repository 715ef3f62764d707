/* Tests of what the edge does not do for ever: timeouts, ceilings, draining. And of what it must not do at all on the
 * way of a request: ask malloc, or send in pieces. */
#include "harness.h"

#include "core/limits.h"

#include <sys/resource.h>
#include <sys/syscall.h>

/* ---- what is counted: the calls of this program's own functions, which stand in front of the C library's ------------------ */

static unsigned sends;

ssize_t send(int fd, const void *bytes, size_t count, int flags)
{
    if ((flags & MSG_DONTWAIT) == 0) /* clients of these tests set it */
        sends++;
    return syscall(SYS_sendto, fd, bytes, count, flags, NULL, 0);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    sends++;
    return syscall(SYS_sendmsg, fd, message, flags);
}

#if !ARENA_IS_POISONED
static unsigned allocations;
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *memory, size_t bytes);

void *malloc(size_t bytes)
{
    allocations++;
    return __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    allocations++;
    return __libc_calloc(count, bytes);
}

void *realloc(void *memory, size_t bytes)
{
    allocations++;
    return __libc_realloc(memory, bytes);
}
#endif

static void tell(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT), strlen(text));
}

/* ---- speed ------------------------------------------------------------------------------------------------------------- */

static void test_pipelined_replies_leave_with_one_send(void **state)
{
    (void)state;
    struct harness h;
    struct answer answer = { 0 };
    harness_open(&h, NULL);
    int fd = client_open(&h);
    sends = 0;
    tell(fd, GET("/") GET("/empty") GET("/page") "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" GET("/"));
    read_answers(&h, fd, &answer, 5);
    assert_int_equal(sends, 1);
    tell(fd, GET("/later") GET("/") GET("/"));
    turn_for(&h, 20);
    assert_int_equal(sends, 1);
    reply_plain(h.waiting, 200, LIMEN_STR("late")); /* and what waited behind it */
    read_answers(&h, fd, &answer, 8);
    assert_int_equal(sends, 2);
    answer_release(&answer);
    close(fd);
    harness_close(&h);
}

static void test_warm_requests_allocate_nothing(void **state)
{
    (void)state;
#if ARENA_IS_POISONED
    skip(); /* nothing is recycled under AddressSanitizer */
#else
    struct harness h;
    char text[4096];
    harness_open(&h, NULL);
    int fd = client_open(&h);
    unsigned before = 0;
    for (int round = 0; round < 20; round++) {
        if (round == 5)
            before = allocations;
        tell(
            fd,
            GET("/") GET(
                "/page") "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
                         "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
        turn_for(&h, 3);
        while (recv(fd, text, sizeof(text), 0) > 0)
            ;
    }
    assert_int_equal(h.requests, 80);
    assert_int_equal(allocations, before);
    close(fd);
    harness_close(&h);
#endif
}

/* ---- time -------------------------------------------------------------------------------------------------------------- */

static struct edge_options impatient(void)
{
    struct edge_options options = edge_default_options();
    options.head_us = options.body_us = options.write_us = 60000;
    options.idle_us = 120000;
    options.linger_us = 50000;
    options.quiet_us = 60000;
    return options;
}

static void check_timeout(const char *text, bool drip, const char *expected, unsigned requests)
{
    struct harness h;
    struct answer answer = { 0 };
    struct edge_options options = impatient();
    harness_open(&h, &options);
    int fd = client_open(&h);
    tell(fd, text);
    for (int i = 0; drip && i < 8; i++) { /* a byte now and then does not help */
        turn_for(&h, 10);
        (void)send(fd, "a", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    read_to_end(&h, fd, &answer);
    assert_true(answer.closed && !answer.reset);
    if (expected == NULL)
        assert_int_equal(answer.len, 0);
    else
        assert_has(&answer, expected);
    assert_int_equal(h.requests, requests);
    turn_for(&h, 80);
    assert_int_equal(edge_connection_count(h.edge), 0);
    answer_release(&answer);
    close(fd);
    harness_close(&h);
}

static void test_slow_head_is_refused(void **state)
{
    (void)state;
    check_timeout("GET / HTTP/1.1\r\nHost: a\r\nX-", true, "HTTP/1.1 408 Request Timeout\r\n", 0);
}

static void test_slow_body_is_refused(void **state)
{
    (void)state;
    check_timeout("POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\nhel", true,
                  "HTTP/1.1 408 Request Timeout\r\n", 1);
    check_timeout("POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n", true,
                  "408 Request Timeout", 1);
}

/* The layers above have deadlines of their own: one that ends while the body is waited for, and just when the wait is over. */
struct deadline {
    struct harness h;
    struct loop_timer timer;
    struct exchange *exchange;
};

static void on_deadline(struct loop_timer *timer)
{
    struct deadline *d = (struct deadline *)((char *)timer - offsetof(struct deadline, timer));
    const int64_t hour_us = 3600000000;
    assert_false(exchange_give_up_body(d->exchange, hour_us)); /* who was not waited for as long is not blamed */
    reply_plain(d->exchange, 504, LIMEN_STR("late"));
}

static void on_body_in_time(void *context, struct exchange *exchange, enum body_outcome outcome, limen_str body)
{
    (void)context, (void)exchange, (void)outcome, (void)body;
    fail_msg("the exchange had ended");
}

static void on_request_with_deadline(void *context, struct exchange *exchange)
{
    struct deadline *d = context;
    d->exchange = exchange;
    exchange_read_body(exchange, 1000, &d->h.arena, on_body_in_time, d);
    loop_timer_start(loop_timers(d->h.loop, impatient().body_us / LIMIT_PACE_CHECKS), &d->timer, on_deadline);
}

static void test_an_exchange_may_end_when_the_time_of_its_body_does(void **state)
{
    static const char *const requests[] = {
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\nhel",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1f4\r\nhel",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        struct deadline d = { .exchange = NULL };
        struct answer answer = { 0 };
        struct edge_options options = impatient();
        harness_open_with(&d.h, &(struct edge_hooks){ on_request_with_deadline, harness_on_gone, NULL, &d }, &options);
        int fd = client_open(&d.h);
        tell(fd, requests[i]);
        read_to_end(&d.h, fd, &answer);
        assert_has(&answer, "HTTP/1.1 504 Gateway Timeout\r\n");
        assert_int_equal(answers_in(&answer), 1);
        TURN_UNTIL(&d.h, edge_connection_count(d.h.edge) == 0);
        answer_release(&answer);
        close(fd);
        harness_close(&d.h);
    }
}

static void test_idle_connection_is_closed(void **state)
{
    (void)state;
    check_timeout("", false, NULL, 0);
    check_timeout(GET("/"), false, "HTTP/1.1 200 OK\r\n", 1);
}

static void test_unread_body_that_does_not_come_closes(void **state)
{
    (void)state;
    check_timeout("POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\n", false, "401 Unauthorized", 1);
}

static void test_client_that_never_reads_is_given_up(void **state)
{
    (void)state;
    struct harness h;
    struct edge_options options = impatient();
    harness_open(&h, &options);
    int fd = client_open(&h);
    tell(fd, GET("/big") GET("/"));
    turn_for(&h, 40);
    assert_int_equal(edge_connection_count(h.edge), 1);
    turn_for(&h, 150);
    assert_int_equal(edge_connection_count(h.edge), 0);
    close(fd);
    fd = client_open(&h); /* with an exchange in flight: it is told */
    tell(fd, GET("/big"));
    turn_for(&h, 10);
    tell(fd, GET("/later"));
    turn_for(&h, 200);
    assert_int_equal(edge_connection_count(h.edge), 0);
    assert_int_equal(h.gone, 0); /* /later was not served, for /big was not taken */
    close(fd);
    harness_close(&h);
}

/* The reply to a busy exchange has no deadline of the edge's: the layers above have theirs. */
static void test_busy_exchange_is_left_alone(void **state)
{
    (void)state;
    struct harness h;
    struct answer answer = { 0 };
    struct edge_options options = impatient();
    harness_open(&h, &options);
    int fd = client_open(&h);
    tell(fd, GET("/later"));
    turn_for(&h, 200);
    assert_int_equal(h.gone, 0);
    reply_plain(h.waiting, 200, LIMEN_STR("late"));
    read_answers(&h, fd, &answer, 1);
    answer_release(&answer);
    close(fd);
    harness_close(&h);
}

/* ---- numbers ------------------------------------------------------------------------------------------------------------ */

static void test_address_has_a_ceiling_of_connections(void **state)
{
    (void)state;
    struct harness h;
    struct answer answer = { 0 };
    struct edge_options options = edge_default_options();
    options.max_per_address = 2;
    harness_open(&h, &options);
    int fds[3];
    for (int i = 0; i < 3; i++) {
        fds[i] = client_open(&h);
        turn_for(&h, 5);
    }
    assert_int_equal(edge_connection_count(h.edge), 2);
    read_to_end(&h, fds[2], &answer);
    assert_true(answer.closed);
    close(fds[0]);
    turn_for(&h, 10);
    close(fds[2]);
    fds[2] = client_open(&h); /* a place has become free */
    turn_for(&h, 10);
    assert_int_equal(edge_connection_count(h.edge), 2);
    answer_release(&answer);
    close(fds[1]);
    close(fds[2]);
    harness_close(&h);
}

static void test_full_worker_lets_clients_wait(void **state)
{
    (void)state;
    struct harness h;
    struct answer answer = { 0 };
    struct edge_options options = edge_default_options();
    options.max_connections = 1;
    harness_open(&h, &options);
    int busy = client_open(&h);
    turn_for(&h, 5); /* the only one, and it stays */
    tell(busy, GET("/later"));
    int fd = client_open(&h);
    tell(fd, GET("/"));
    turn_for(&h, 20);
    assert_int_equal(edge_connection_count(h.edge), 1);
    assert_int_equal(h.requests, 1);
    reply_plain(h.waiting, 200, LIMEN_STR("late"));
    close(busy);
    read_answers(&h, fd, &answer, 1);
    answer_release(&answer);
    close(fd);
    harness_close(&h);
}

static void test_who_is_idle_longest_makes_room(void **state)
{
    (void)state;
    struct harness h;
    struct answer answer = { 0 };
    struct edge_options options = edge_default_options();
    options.max_connections = 3;
    harness_open(&h, &options);
    int fds[4];
    for (int i = 0; i < 4; i++) {
        fds[i] = client_open(&h);
        if (i == 0)
            tell(fds[0], GET("/later")); /* has something to do */
        turn_for(&h, 5);
    }
    assert_int_equal(edge_connection_count(h.edge), 2); /* a place is always free */
    assert_int_equal(h.gone, 0);
    read_to_end(&h, fds[1], &answer);
    assert_true(answer.closed);
    reply_plain(h.waiting, 200, LIMEN_STR("late"));
    turn_for(&h, 5);
    answer_release(&answer);
    for (int i = 0; i < 4; i++)
        close(fds[i]);
    harness_close(&h);
}

/* ---- room --------------------------------------------------------------------------------------------------------------- */

#define HEAD_IN_PART "GET / HTTP/1.1\r\nHost: a\r\nX"

static void test_the_oldest_head_makes_room(void **state)
{
    (void)state;
    struct harness h;
    struct answer answer = { 0 };
    struct edge_options options = edge_default_options();
    options.max_buffer_bytes = (size_t)70 * 1024; /* four blocks */
    harness_open(&h, &options);
    int fds[6];
    for (int i = 0; i < 6; i++) {
        fds[i] = client_open(&h);
        tell(fds[i], HEAD_IN_PART);
        turn_for(&h, 5);
    }
    assert_int_equal(edge_connection_count(h.edge), 4);
    assert_in_range(edge_buffer_bytes(h.edge), 1, options.max_buffer_bytes);
    tell(fds[2], ": b\r\n\r\n");
    read_answers(&h, fds[2], &answer, 1);
    answer_release(&answer);
    for (int i = 0; i < 6; i++)
        close(fds[i]);
    harness_close(&h);
}

static void test_who_does_not_read_makes_room_for_heads(void **state)
{
    (void)state;
    struct harness h;
    struct answer answer = { 0 };
    struct edge_options options = edge_default_options();
    options.max_buffer_bytes = BIG_BYTES / 2; /* of a copied reply the greater part waits here */
    harness_open(&h, &options);
    int head = client_open(&h);
    tell(head, HEAD_IN_PART);
    turn_for(&h, 5);
    int fd = client_open(&h);
    tell(fd, GET("/copied"));
    turn_for(&h, 20);
    assert_int_equal(edge_connection_count(h.edge), 1);
    assert_in_range(edge_buffer_bytes(h.edge), 1, (size_t)20 * 1024);
    tell(head, ": b\r\n\r\n");
    read_answers(&h, head, &answer, 1);
    answer_release(&answer);
    close(head);
    close(fd);
    harness_close(&h);
}

/* ---- pace --------------------------------------------------------------------------------------------------------------- */

static void test_a_body_that_trickles_is_refused_before_its_time(void **state)
{
    (void)state;
    struct harness h;
    struct answer answer = { 0 };
    struct edge_options options = edge_default_options();
    options.body_us = 1200000;   /* looked at every 200 ms */
    options.least_rate = 100000; /* 20 KB in each */
    harness_open(&h, &options);
    int fd = client_open(&h);
    tell(fd, "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\nhello");
    int64_t start = clock_mono_us();
    read_to_end(&h, fd, &answer);
    assert_has(&answer, "HTTP/1.1 408 Request Timeout\r\n");
    assert_in_range(clock_mono_us() - start, 150000, 900000);
    answer_release(&answer);
    close(fd);
    harness_close(&h);
}

static void test_a_body_that_keeps_the_pace_has_all_its_time(void **state)
{
    (void)state;
    struct harness h;
    struct answer answer = { 0 };
    struct edge_options options = edge_default_options();
    options.body_us = 600000; /* looked at every 100 ms */
    options.least_rate = 10;  /* a byte or two in each */
    harness_open(&h, &options);
    int fd = client_open(&h);
    tell(fd, "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n");
    turn_for(&h, 5);
    assert_int_equal(h.requests, 1);
    int64_t start = clock_mono_us();
    while (clock_mono_us() - start < 400000) {
        tell(fd, "ab");
        turn_for(&h, 15);
    }
    assert_int_equal(edge_connection_count(h.edge), 1);
    assert_int_equal(h.last_body, BODY_OK);
    read_to_end(&h, fd, &answer); /* and no more than that */
    assert_has(&answer, "HTTP/1.1 408 Request Timeout\r\n");
    answer_release(&answer);
    close(fd);
    harness_close(&h);
}

static void test_no_descriptor_is_waited_for(void **state)
{
    (void)state;
    struct harness h;
    struct answer answer = { 0 };
    struct rlimit old, low;
    harness_open(&h, NULL);
    int fd = client_open(&h);
    tell(fd, GET("/"));
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    low = old;
    low.rlim_cur = (rlim_t)fd + 1; /* the next descriptor is past it */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    int64_t start = clock_mono_us();
    unsigned turns = 0;
    while (clock_mono_us() - start < 50000) {
        loop_turn(h.loop, 200000);
        turns++;
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_in_range(turns, 1, 5); /* it does not spin */
    assert_int_equal(h.requests, 0);
    read_answers(&h, fd, &answer, 1);
    answer_release(&answer);
    close(fd);
    harness_close(&h);
}

/* ---- draining ----------------------------------------------------------------------------------------------------------- */

static void test_drain_finishes_what_is_in_flight(void **state)
{
    (void)state;
    struct harness h;
    struct answer answer = { 0 }, none = { 0 };
    struct edge_options options = impatient();
    harness_open(&h, &options);
    int idle = client_open(&h), busy = client_open(&h), late = -1;
    tell(busy, GET("/later"));
    turn_for(&h, 20);
    assert_non_null(h.waiting);
    edge_drain(h.edge);
    read_to_end(&h, idle, &none);
    assert_true(none.closed && !none.reset && none.len == 0);
    late = client_open(&h); /* stays in the backlog */
    tell(late, GET("/"));
    turn_for(&h, 20);
    assert_int_equal(h.requests, 1);
    reply_plain(h.waiting, 200, LIMEN_STR("late"));
    read_to_end(&h, busy, &answer);
    assert_has(&answer, "HTTP/1.1 200 OK");
    assert_has(&answer, "Connection: close\r\n");
    turn_for(&h, 80);
    assert_int_equal(edge_connection_count(h.edge), 0);
    answer_release(&answer);
    answer_release(&none);
    close(idle);
    close(busy);
    close(late);
    harness_close(&h);
}

/* A client that has just been answered may be sending its next request: it is answered too. */
static void test_drain_waits_for_a_client_that_is_busy(void **state)
{
    (void)state;
    struct harness h;
    struct answer first = { 0 }, second = { 0 };
    struct edge_options options = edge_default_options();
    options.quiet_us = 2000000;
    harness_open(&h, &options);
    int fd = client_open(&h);
    tell(fd, GET("/"));
    read_answers(&h, fd, &first, 1);
    edge_drain(h.edge);
    turn_for(&h, 20);
    tell(fd, GET("/"));
    read_to_end(&h, fd, &second);
    assert_has(&second, "HTTP/1.1 200 OK");
    assert_has(&second, "Connection: close\r\n");
    assert_true(second.closed && !second.reset);
    answer_release(&first);
    answer_release(&second);
    close(fd);
    harness_close(&h);
}

static void test_drain_takes_who_is_connected_already(void **state)
{
    (void)state;
    struct harness h;
    struct answer answer = { 0 };
    struct edge_options options = impatient();
    harness_open(&h, &options);
    int fd = client_open(&h); /* in the backlog: no turn of the loop has come */
    edge_drain(h.edge);
    tell(fd, GET("/"));
    read_to_end(&h, fd, &answer);
    assert_has(&answer, "HTTP/1.1 200 OK");
    assert_has(&answer, "Connection: close\r\n");
    answer_release(&answer);
    close(fd);
    harness_close(&h);
}

static void test_freed_edge_tells_of_its_exchanges(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h, NULL);
    int fd = client_open(&h);
    tell(fd, GET("/later"));
    turn_for(&h, 20);
    harness_close(&h);
    assert_int_equal(h.gone, 1);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pipelined_replies_leave_with_one_send),
        cmocka_unit_test(test_warm_requests_allocate_nothing),
        cmocka_unit_test(test_slow_head_is_refused),
        cmocka_unit_test(test_slow_body_is_refused),
        cmocka_unit_test(test_an_exchange_may_end_when_the_time_of_its_body_does),
        cmocka_unit_test(test_idle_connection_is_closed),
        cmocka_unit_test(test_unread_body_that_does_not_come_closes),
        cmocka_unit_test(test_client_that_never_reads_is_given_up),
        cmocka_unit_test(test_busy_exchange_is_left_alone),
        cmocka_unit_test(test_address_has_a_ceiling_of_connections),
        cmocka_unit_test(test_full_worker_lets_clients_wait),
        cmocka_unit_test(test_who_is_idle_longest_makes_room),
        cmocka_unit_test(test_the_oldest_head_makes_room),
        cmocka_unit_test(test_who_does_not_read_makes_room_for_heads),
        cmocka_unit_test(test_a_body_that_trickles_is_refused_before_its_time),
        cmocka_unit_test(test_a_body_that_keeps_the_pace_has_all_its_time),
        cmocka_unit_test(test_no_descriptor_is_waited_for),
        cmocka_unit_test(test_drain_finishes_what_is_in_flight),
        cmocka_unit_test(test_drain_waits_for_a_client_that_is_busy),
        cmocka_unit_test(test_drain_takes_who_is_connected_already),
        cmocka_unit_test(test_freed_edge_tells_of_its_exchanges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
