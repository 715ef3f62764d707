/* Tests of data/fetch_client.h: this file plays the outbound role, over a real socket. */
#include "data/fetch_client.h"

#include "check.h"

#include "core/loop.h"

#include <sys/socket.h>
#include <unistd.h>

static struct loop *loop;
static struct fetch_client *client;
static int peer; /* the outbound role's end; -1: none */
static unsigned breaches;

/* What came of one fetch. */
struct seen {
    unsigned count;
    enum fetch_outcome outcome;
    uint32_t status;
    size_t body_bytes;
    char body[64];
    bool asks_again;
};

static void on_done(void *context, const struct fetch_result *result)
{
    struct seen *seen = context;
    seen->count++;
    seen->outcome = result->outcome;
    seen->status = result->status;
    seen->body_bytes = result->body.len;
    for (size_t i = 0; i < result->body.len && i < sizeof(seen->body); i++)
        seen->body[i] = result->body.ptr[i];
    if (seen->asks_again)
        assert_true(fetch_client_get(client, 0, on_done, seen));
}

static void on_breach(void)
{
    breaches++;
}

/* ---- the outbound role ------------------------------------------------------------------------------------------- */
static void connect_peer(void)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    peer = pair[1];
    assert_true(fetch_client_attach(client, pair[0]));
}

static void disconnect_peer(void)
{
    close(peer);
    peer = -1;
}

/* False when nothing was asked for. */
static bool peer_receives(struct fetch_request *ret_request)
{
    return recv(peer, ret_request, sizeof(*ret_request), MSG_DONTWAIT) == (ssize_t)sizeof(*ret_request);
}

static struct fetch_request peer_expects(uint32_t target)
{
    struct fetch_request request = { 0 };
    assert_true(peer_receives(&request));
    assert_int_equal(request.target, target);
    return request;
}

static struct fetch_answer answer_to(const struct fetch_request *request, enum fetch_outcome outcome, limen_str body)
{
    struct fetch_answer answer = { .target = request->target,
                                   .sequence = request->sequence,
                                   .outcome = (uint32_t)outcome,
                                   .status = 200,
                                   .body_bytes = (uint32_t)body.len };
    memcpy(answer.body, body.ptr, body.len);
    return answer;
}

static void peer_sends(const void *bytes, size_t count)
{
    assert_int_equal(send(peer, bytes, count, MSG_NOSIGNAL), count);
}

static void peer_answers(const struct fetch_request *request, enum fetch_outcome outcome, limen_str body)
{
    struct fetch_answer answer = answer_to(request, outcome, body);
    peer_sends(&answer, FETCH_ANSWER_HEAD_BYTES + body.len);
}

/* ---- set up ------------------------------------------------------------------------------------------------------ */
static void turn_until(const struct seen *seen, unsigned count)
{
    for (int i = 0; i < 1000 && seen->count < count; i++)
        loop_turn(loop, 10000);
    assert_int_equal(seen->count, count);
}

static void turn_for(int turns)
{
    for (int i = 0; i < turns; i++)
        loop_turn(loop, 2000);
}

static int set_up(void **state)
{
    (void)state;
    loop = loop_new();
    client = fetch_client_new(loop, on_breach);
    peer = -1;
    breaches = 0;
    return loop == NULL || client == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    fetch_client_free(client);
    loop_free(loop);
    if (peer >= 0)
        close(peer);
    return 0;
}

/* ---- tests ------------------------------------------------------------------------------------------------------- */
static void test_an_answer_comes_back_to_who_asked(void **state)
{
    (void)state;
    struct seen first = { 0 }, second = { 0 };
    connect_peer();
    assert_true(fetch_client_get(client, 3, on_done, &first));
    assert_true(fetch_client_get(client, 0, on_done, &second));
    assert_int_equal(first.count, 0);
    struct fetch_request of_first = peer_expects(3), of_second = peer_expects(0);
    peer_answers(&of_second, FETCH_OK, LIMEN_STR("keys"));
    turn_until(&second, 1);
    assert_int_equal(second.outcome, FETCH_OK);
    assert_int_equal(second.status, 200);
    assert_text(str_make(second.body, second.body_bytes), "keys");
    assert_int_equal(first.count, 0);
    peer_answers(&of_first, FETCH_CERTIFICATE, LIMEN_STR(""));
    turn_until(&first, 1);
    assert_int_equal(first.outcome, FETCH_CERTIFICATE);
    assert_int_equal(first.body_bytes, 0);
}

static void test_a_whole_body_fits_into_one_message(void **state)
{
    (void)state;
    static char body[LIMIT_FETCH_BODY_BYTES];
    struct seen seen = { 0 };
    memset(body, 'x', sizeof(body));
    connect_peer();
    assert_true(fetch_client_get(client, 0, on_done, &seen));
    struct fetch_request request = peer_expects(0);
    peer_answers(&request, FETCH_OK, str_make(body, sizeof(body)));
    turn_until(&seen, 1);
    assert_int_equal(seen.outcome, FETCH_OK);
    assert_int_equal(seen.body_bytes, sizeof(body));
}

static void test_one_fetch_of_a_target_at_a_time(void **state)
{
    (void)state;
    struct seen seen = { 0 };
    connect_peer();
    assert_true(fetch_client_get(client, 1, on_done, &seen));
    assert_false(fetch_client_get(client, 1, on_done, &seen));
    assert_false(fetch_client_get(client, LIMIT_FETCH_TARGETS, on_done, &seen));
    struct fetch_request request = peer_expects(1);
    assert_false(peer_receives(&request));
    peer_answers(&request, FETCH_OK, LIMEN_STR(""));
    turn_until(&seen, 1);
    assert_true(fetch_client_get(client, 1, on_done, &seen));
}

static void test_a_fetch_ends_when_the_outbound_role_dies(void **state)
{
    (void)state;
    struct seen seen = { 0 };
    connect_peer();
    assert_true(fetch_client_get(client, 0, on_done, &seen));
    struct fetch_request request = peer_expects(0);
    disconnect_peer();
    turn_until(&seen, 1);
    assert_int_equal(seen.outcome, FETCH_GONE);
    assert_int_equal(breaches, 0);

    connect_peer(); /* its successor */
    assert_false(peer_receives(&request));
    assert_true(fetch_client_get(client, 0, on_done, &seen));
    request = peer_expects(0);
    peer_answers(&request, FETCH_OK, LIMEN_STR("new"));
    turn_until(&seen, 2);
    assert_int_equal(seen.outcome, FETCH_OK);
}

static void test_a_new_socket_ends_what_was_asked_on_the_old_one(void **state)
{
    (void)state;
    struct seen seen = { 0 };
    connect_peer();
    assert_true(fetch_client_get(client, 0, on_done, &seen));
    int old = peer;
    connect_peer();
    turn_until(&seen, 1);
    assert_int_equal(seen.outcome, FETCH_GONE);
    close(old);
}

static void test_a_fetch_waits_for_an_outbound_role(void **state)
{
    (void)state;
    struct seen seen = { 0 };
    assert_true(fetch_client_get(client, 2, on_done, &seen));
    turn_for(5);
    assert_int_equal(seen.count, 0);
    connect_peer();
    struct fetch_request request = peer_expects(2);
    peer_answers(&request, FETCH_OK, LIMEN_STR("late"));
    turn_until(&seen, 1);
    assert_int_equal(seen.outcome, FETCH_OK);
}

static void test_whoever_asks_again_at_once_does_not_hold_the_loop(void **state)
{
    (void)state;
    struct seen seen = { .asks_again = true };
    for (unsigned i = 1; i < 5; i++) {
        connect_peer();
        if (i == 1)
            assert_true(fetch_client_get(client, 0, on_done, &seen));
        (void)peer_expects(0);
        disconnect_peer();
        turn_until(&seen, i);
    }
    turn_for(5);
    assert_int_equal(seen.count, 4);
}

static void test_an_answer_to_an_older_question_is_dropped(void **state)
{
    (void)state;
    struct seen seen = { 0 };
    connect_peer();
    assert_true(fetch_client_get(client, 0, on_done, &seen));
    struct fetch_request request = peer_expects(0), older = request;
    older.sequence--;
    peer_answers(&older, FETCH_OK, LIMEN_STR("older"));
    peer_answers(&request, FETCH_OK, LIMEN_STR("newer"));
    peer_answers(&request, FETCH_OK, LIMEN_STR("again"));
    turn_until(&seen, 1);
    assert_text(str_make(seen.body, seen.body_bytes), "newer");
    turn_for(5);
    assert_int_equal(seen.count, 1);
}

static void test_a_message_that_breaks_the_protocol_cuts_the_outbound_role_off(void **state)
{
    (void)state;
    static const struct {
        uint32_t target, outcome, body_bytes;
        size_t sent;
    } cases[] = {
        { LIMIT_FETCH_TARGETS, FETCH_OK, 0, FETCH_ANSWER_HEAD_BYTES },
        { 0, FETCH_OUTCOMES_ON_WIRE, 0, FETCH_ANSWER_HEAD_BYTES },
        { 0, UINT32_MAX, 0, FETCH_ANSWER_HEAD_BYTES },
        { 0, FETCH_OK, 1, FETCH_ANSWER_HEAD_BYTES },
        { 0, FETCH_OK, 1, FETCH_ANSWER_HEAD_BYTES + 2 },
        { 0, FETCH_OK, UINT32_MAX, FETCH_ANSWER_HEAD_BYTES + 2 },
        { 0, FETCH_STATUS, 2, FETCH_ANSWER_HEAD_BYTES + 2 },
        { 0, FETCH_OK, 0, FETCH_ANSWER_HEAD_BYTES - 1 },
        { 0, FETCH_OK, 0, 1 },
        { 0, FETCH_OK, LIMIT_FETCH_BODY_BYTES, sizeof(struct fetch_answer) + 1 },
        { 0, FETCH_OK, LIMIT_FETCH_BODY_BYTES + 1, sizeof(struct fetch_answer) + 1 },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        static char bytes[sizeof(struct fetch_answer) + 1];
        struct seen seen = { 0 };
        connect_peer();
        assert_true(fetch_client_get(client, 0, on_done, &seen));
        struct fetch_request request = peer_expects(0);
        struct fetch_answer head = answer_to(&request, (enum fetch_outcome)cases[i].outcome, LIMEN_STR(""));
        head.target = cases[i].target;
        head.body_bytes = cases[i].body_bytes;
        memcpy(bytes, &head, FETCH_ANSWER_HEAD_BYTES);
        peer_sends(bytes, cases[i].sent);
        turn_until(&seen, 1);
        assert_int_equal(seen.outcome, FETCH_GONE);
        assert_int_equal(recv(peer, bytes, 1, 0), 0); /* it has hung up */
        assert_int_equal(breaches, i + 1);
        disconnect_peer();
    }
}

static void test_freeing_calls_nobody(void **state)
{
    (void)state;
    struct seen seen = { 0 };
    connect_peer();
    assert_true(fetch_client_get(client, 0, on_done, &seen));
    assert_true(fetch_client_get(client, 1, on_done, &seen));
    fetch_client_free(client);
    client = NULL;
    turn_for(5);
    assert_int_equal(seen.count, 0);
}

static void test_every_outcome_has_a_name(void **state)
{
    (void)state;
    assert_string_equal(fetch_outcome_name(FETCH_OK), "ok");
    assert_string_equal(fetch_outcome_name(FETCH_GONE), "gone");
    for (int i = 0; i <= FETCH_GONE; i++)
        assert_string_not_equal(fetch_outcome_name((enum fetch_outcome)i), "unknown");
    assert_string_equal(fetch_outcome_name((enum fetch_outcome)(FETCH_GONE + 1)), "unknown");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_an_answer_comes_back_to_who_asked),
        TEST(test_a_whole_body_fits_into_one_message),
        TEST(test_one_fetch_of_a_target_at_a_time),
        TEST(test_a_fetch_ends_when_the_outbound_role_dies),
        TEST(test_a_new_socket_ends_what_was_asked_on_the_old_one),
        TEST(test_a_fetch_waits_for_an_outbound_role),
        TEST(test_whoever_asks_again_at_once_does_not_hold_the_loop),
        TEST(test_an_answer_to_an_older_question_is_dropped),
        TEST(test_a_message_that_breaks_the_protocol_cuts_the_outbound_role_off),
        TEST(test_freeing_calls_nobody),
        TEST(test_every_outcome_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
