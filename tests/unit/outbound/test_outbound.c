/* Tests of outbound/outbound.h: this file plays the data role. The targets lead to addresses that are refused, so nothing leaves the
 * machine; what hosts may do is tried over real TLS in tests/hostile/test_fetch.py. */
#include "outbound/outbound.h"

#include "core/check.h"

#include "contract/effect.h"
#include "core/arena.h"
#include "core/clock.h"
#include "core/effect_wire.h"
#include "core/loop.h"

#include <sys/socket.h>
#include <unistd.h>

#define TARGETS 3U

static struct arena arena;
static struct loop *loop;
static struct outbound *outbound;
static struct outbound_config config;
static int data; /* the data role's end */

/* ---- the data role ----------------------------------------------------------------------------------------------- */
static void connect_data(void)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    assert_true(outbound_attach(outbound, pair[0]));
    data = pair[1];
}

static void ask(uint32_t target, uint32_t sequence)
{
    const struct fetch_request request = { target, sequence };
    assert_int_equal(send(data, &request, sizeof(request), MSG_NOSIGNAL), sizeof(request));
}

static void turn_for(int turns)
{
    for (int i = 0; i < turns; i++)
        loop_turn(loop, 2000);
}

/* The next answer; false when there is none within a second. */
static bool hear(struct fetch_answer *ret_answer)
{
    for (int i = 0; i < 500; i++) {
        ssize_t got = recv(data, ret_answer, sizeof(*ret_answer), MSG_DONTWAIT);
        if (got > 0) {
            assert_true(fetch_answer_is_sound(ret_answer, (size_t)got));
            return true;
        }
        loop_turn(loop, 2000);
    }
    return false;
}

/* ---- set up ------------------------------------------------------------------------------------------------------ */
static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, NULL, SIZE_MAX);
    loop = loop_new();
    config = (struct outbound_config){ .target_count = TARGETS, .authorities = LIMEN_STR("none") };
    config.effects = (struct outbound_effects){ .url = LIMEN_STR("https://127.0.0.1:9"), .secret = LIMEN_STR("sk_1") };
    config.targets[0].url = LIMEN_STR("https://127.0.0.1:9/a");
    config.targets[1].url = LIMEN_STR("https://[::1]:9/b");
    config.targets[2].url = LIMEN_STR("https://169.254.169.254/c");
    outbound = outbound_new(loop, &config, &arena);
    data = -1;
    return loop == NULL || outbound == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    outbound_free(outbound);
    loop_free(loop);
    arena_release(&arena);
    if (data >= 0)
        close(data);
    return 0;
}

/* ---- tests ------------------------------------------------------------------------------------------------------- */
static void test_each_request_is_answered_under_its_number(void **state)
{
    (void)state;
    static struct fetch_answer answer;
    bool is_answered[TARGETS] = { false };
    connect_data();
    for (uint32_t i = 0; i < TARGETS; i++)
        ask(i, 100 + i);
    for (uint32_t i = 0; i < TARGETS; i++) {
        assert_true(hear(&answer));
        assert_int_equal(answer.outcome, FETCH_ADDRESS);
        assert_int_equal(answer.sequence, 100 + answer.target);
        assert_false(is_answered[answer.target]);
        is_answered[answer.target] = true;
    }
}

static void test_a_newer_request_takes_the_place_of_the_older(void **state)
{
    (void)state;
    static struct fetch_answer answer;
    connect_data();
    ask(0, 1);
    loop_turn(loop, 0); /* begun, and not ended */
    ask(0, 2);
    loop_turn(loop, 0);
    assert_true(hear(&answer));
    assert_int_equal(answer.sequence, 2);
    turn_for(5);
    assert_int_equal(recv(data, &answer, sizeof(answer), MSG_DONTWAIT), -1);
}

/* Answers wait in the transfers, one each, and the last of each target arrives. */
static void test_a_data_role_that_does_not_read_costs_nothing_and_loses_nothing(void **state)
{
    (void)state;
    static struct fetch_answer answer;
    uint32_t last[TARGETS] = { 0 };
    const uint32_t rounds = 400;
    connect_data();
    for (uint32_t round = 1; round <= rounds; round++) {
        for (uint32_t i = 0; i < TARGETS; i++)
            ask(i, round);
        turn_for(TARGETS + 3);
    }
    while (last[0] < rounds || last[1] < rounds || last[2] < rounds) {
        assert_true(hear(&answer));
        assert_true(answer.sequence > last[answer.target]);
        last[answer.target] = answer.sequence;
    }
}

static void test_a_message_that_breaks_the_protocol_cuts_the_data_role_off(void **state)
{
    (void)state;
    static const struct {
        uint32_t words[3];
        size_t bytes;
    } cases[] = {
        { { TARGETS, 1 }, 8 }, { { UINT32_MAX, 1 }, 8 }, { { 0, 1 }, 7 },
        { { 0, 1 }, 4 },       { { 0, 1 }, 1 },          { { 0, 1, 0 }, 12 },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char byte;
        connect_data();
        ask(1, 1);
        assert_int_equal(send(data, cases[i].words, cases[i].bytes, MSG_NOSIGNAL), cases[i].bytes);
        for (int turns = 0; turns < 500 && recv(data, &byte, 1, MSG_DONTWAIT) != 0; turns++)
            loop_turn(loop, 2000);
        assert_int_equal(recv(data, &byte, 1, MSG_DONTWAIT), 0); /* it has hung up */
        close(data);
    }
    static struct fetch_answer answer;
    connect_data(); /* its successor is heard */
    ask(0, 1);
    assert_true(hear(&answer));
}

static void test_what_was_asked_on_an_older_socket_is_dropped(void **state)
{
    (void)state;
    static struct fetch_answer answer;
    connect_data();
    ask(0, 1);
    loop_turn(loop, 0);
    close(data);
    connect_data();
    turn_for(10);
    assert_int_equal(recv(data, &answer, sizeof(answer), MSG_DONTWAIT), -1);
    ask(0, 2);
    assert_true(hear(&answer));
    assert_int_equal(answer.sequence, 2);
}

static void ask_effect(int64_t seconds_left)
{
    static struct effect_request request; /* too large for a stack */
    request.head = (struct fetch_request){ FETCH_EFFECTS, 1 };
    request.kind = EFFECT_CHARGE;
    request.question = EFFECT_DO;
    request.until_s = (uint32_t)(clock_wall_us() / 1000000 + seconds_left);
    assert_true(effect_request_fill(&request, LIMEN_STR("charge/x"), LIMEN_STR(""),
                                    LIMEN_STR("{\"amount\":4200,\"currency\":\"EUR\",\"payment_method\":\"pm_1\"}")));
    size_t bytes = effect_request_bytes(&request);
    assert_int_equal(send(data, &request, bytes, MSG_NOSIGNAL), bytes);
}

/* This process has slept, and what it was asked for has lain in its socket. */
static void test_an_effect_that_nobody_waits_for_any_longer_is_not_sent(void **state)
{
    static struct fetch_answer answer;
    (void)state;
    connect_data();
    ask_effect(/* seconds_left= */ 30);
    assert_true(hear(&answer));
    assert_int_equal(answer.outcome, FETCH_ADDRESS); /* it would have been sent */
    ask_effect(/* seconds_left= */ 0);
    assert_true(hear(&answer));
    assert_int_equal(answer.outcome, FETCH_TIMEOUT);
}

static void test_urls(void **state)
{
    (void)state;
    static const struct {
        const char *url, *host; /* host NULL: refused */
        uint16_t port;
    } cases[] = {
        { "https://keys.example/a?b=c", "keys.example", 443 },
        { "https://keys.example:8443/", "keys.example", 8443 },
        { "https://[::1]:8443/", "[::1]", 8443 },
        { "https://127.1/", "127.0.0.1", 443 },
        { "https://keys.example", "keys.example", 443 },
        { "HTTPS://keys.example/", NULL, 0 },
        { "https:/keys.example/", NULL, 0 },
        { "https:keys.example/", NULL, 0 },
        { "http://keys.example/", NULL, 0 },
        { "ftp://keys.example/", NULL, 0 },
        { "file:///etc/passwd", NULL, 0 },
        { "https:///etc/passwd", NULL, 0 },
        { "keys.example", NULL, 0 },
        { "//keys.example/", NULL, 0 },
        { "https://keys.example:0/", NULL, 0 },
        { "https://keys.example:65536/", NULL, 0 },
        { "https://user@keys.example/", NULL, 0 },
        { "https://user:word@keys.example/", NULL, 0 },
        { "https://keys.example/#part", NULL, 0 },
        { "https://keys.example\n/", NULL, 0 },
        { "https://", NULL, 0 },
        { "", NULL, 0 },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct outbound_address address;
        bool is_right = outbound_parse_url(str_of(cases[i].url), &arena, &address);
        if (is_right != (cases[i].host != NULL))
            fail_msg("%s is%s right", cases[i].url, is_right ? "" : " not");
        if (!is_right)
            continue;
        assert_int_equal(address.port, cases[i].port);
        assert_true(str_equal(address.host, str_of(cases[i].host)));
    }
    struct outbound_address address;
    assert_false(outbound_parse_url(LIMEN_STR("https://a.example/\0b"), &arena, &address));
}

static void test_a_target_that_is_no_https_url_does_not_start(void **state)
{
    (void)state;
    config.targets[1].url = LIMEN_STR("http://keys.example/");
    assert_null(outbound_new(loop, &config, &arena));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_each_request_is_answered_under_its_number),
        TEST(test_a_newer_request_takes_the_place_of_the_older),
        TEST(test_a_data_role_that_does_not_read_costs_nothing_and_loses_nothing),
        TEST(test_a_message_that_breaks_the_protocol_cuts_the_data_role_off),
        TEST(test_what_was_asked_on_an_older_socket_is_dropped),
        TEST(test_an_effect_that_nobody_waits_for_any_longer_is_not_sent),
        TEST(test_urls),
        TEST(test_a_target_that_is_no_https_url_does_not_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
