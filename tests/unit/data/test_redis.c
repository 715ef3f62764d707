/* Tests of data/redis.h: a real Redis that comes and goes, and peers that are none. */
#include "redis_process.h"

#include "core/arena.h"
#include "core/limits.h"
#include "core/log.h"
#include "data/redis.h"

static struct redis_process server;
static struct loop *loop;
static struct redis *redis;
static struct redis_url url;
static struct redis_call calls[LIMIT_REDIS_CALLS + 1];
static struct heard {
    size_t count, failed;
    long long last; /* of what was answered: a number */
    bool is_ordered;
    bool was_sent; /* the last one that failed */
} heard;

static void turn_until(bool (*is_so)(void), int turns)
{
    for (int i = 0; i < turns && !is_so(); i++)
        loop_turn(loop, 10000);
    assert_true(is_so());
}

static bool is_up(void)
{
    return redis_is_up(redis);
}

static bool is_away(void)
{
    return !redis_is_up(redis) && redis_was_tried(redis);
}

static bool is_tried(void)
{
    return redis_was_tried(redis);
}

static size_t wanted;

static bool is_all_heard(void)
{
    return heard.count == wanted;
}

static void on_done(struct redis_call *call, const struct redisReply *reply)
{
    heard.count++;
    if (reply == NULL) {
        heard.failed++;
        heard.was_sent = call->was_sent;
        return;
    }
    if (reply->type != REDIS_REPLY_INTEGER)
        return;
    heard.is_ordered = heard.is_ordered && reply->integer == heard.last + 1;
    heard.last = reply->integer;
}

static struct redis_call *call_at(size_t at, const char *const *words)
{
    struct redis_call *call = &calls[at];
    memset(call, 0, sizeof(*call));
    call->on_done = on_done;
    for (; *words != NULL; words++)
        redis_add(call, str_of(*words));
    return call;
}

static void send_one(size_t at, const char *const *words)
{
    redis_send(redis, call_at(at, words));
}

static const char *const incr[] = { "INCR", "n", NULL };

static void connect_to_host(limen_str host, uint16_t port)
{
    url = (struct redis_url){ .host = host, .port = port };
    heard = (struct heard){ .is_ordered = true };
    loop = loop_new();
    redis = redis_new(loop, &url);
    assert_non_null(redis);
}

/* A client of `port`; of the server's when it is 0. */
static void connect_to(uint16_t port)
{
    connect_to_host(LIMEN_STR("127.0.0.1"), port != 0 ? port : server.port);
}

static int tear_down(void **state)
{
    (void)state;
    redis_free(redis);
    if (loop != NULL) {
        loop_turn(loop, 0);
        loop_free(loop);
    }
    redis = NULL;
    loop = NULL;
    redis_kill(&server);
    return 0;
}

static void need_server(void)
{
    if (!redis_is_installed()) {
        print_message("redis-server is not installed\n");
        skip();
    }
    server.port = 0;
    redis_start(&server);
    connect_to(0);
    turn_until(is_up, 1000);
}

/* ---- a Redis ---------------------------------------------------------------------------------------------------------- */

static void test_answers_come_in_order(void **state)
{
    (void)state;
    need_server();
    for (size_t i = 0; i < 1000; i++)
        send_one(i, incr);
    assert_int_equal(heard.count, 0); /* nothing leaves before the end of the turn */
    wanted = 1000;
    turn_until(is_all_heard, 1000);
    assert_int_equal(heard.failed, 0);
    assert_true(heard.is_ordered);
    assert_int_equal(heard.last, 1000);
}

static void test_past_the_ceiling_a_command_fails_at_once(void **state)
{
    (void)state;
    need_server();
    for (size_t i = 0; i < LIMIT_REDIS_CALLS; i++)
        send_one(i, incr);
    assert_int_equal(heard.count, 0);
    send_one(LIMIT_REDIS_CALLS, incr);
    assert_int_equal(heard.failed, 1);
    assert_false(heard.was_sent);
    wanted = LIMIT_REDIS_CALLS + 1;
    turn_until(is_all_heard, 1000);
    assert_int_equal(heard.failed, 1);
    send_one(0, incr);
    wanted++;
    turn_until(is_all_heard, 1000);
    assert_int_equal(heard.failed, 1);
}

static void test_a_refused_command_fails_and_the_next_does_not(void **state)
{
    (void)state;
    need_server();
    send_one(0, (const char *const[]){ "NOSUCHCOMMAND", NULL });
    send_one(1, incr);
    wanted = 2;
    turn_until(is_all_heard, 1000);
    assert_int_equal(heard.failed, 1);
    assert_int_equal(heard.last, 1);
    assert_true(is_up());
    assert_int_equal(redis_status(redis).failures, 1);
}

static void test_scripts_are_sent_again_when_redis_has_lost_them(void **state)
{
    (void)state;
    need_server();
    redisContext *beside = redis_ask(&server);
    freeReplyObject(redisCommand(beside, "SCRIPT FLUSH"));
    redisFree(beside);
    for (size_t i = 0; i < 3; i++) { /* all three meet a Redis that does not know it */
        memset(&calls[i], 0, sizeof(calls[i]));
        calls[i].on_done = on_done;
        redis_begin_script(&calls[i], REDIS_SESSION_START, 1);
        const char *const words[] = { "key", "acc_1", "a@example.com", "customer", "1", "1000" };
        for (size_t j = 0; j < sizeof(words) / sizeof(words[0]); j++)
            redis_add(&calls[i], str_of(words[j]));
        redis_send(redis, &calls[i]);
    }
    wanted = 3;
    turn_until(is_all_heard, 1000);
    assert_int_equal(heard.failed, 0);
    assert_int_equal(heard.last, 1);
}

static void test_what_is_under_way_ends_when_redis_dies(void **state)
{
    (void)state;
    need_server();
    send_one(0, (const char *const[]){ "BLPOP", "never", "0", NULL });
    for (int i = 0; i < 5; i++)
        loop_turn(loop, 1000);
    assert_int_equal(heard.count, 0);
    redis_kill(&server);
    wanted = 1;
    turn_until(is_all_heard, 1000);
    assert_int_equal(heard.failed, 1);
    assert_true(heard.was_sent);
    turn_until(is_away, 10);
    send_one(1, incr);
    assert_int_equal(heard.failed, 2);
    assert_false(heard.was_sent);
    redis_start(&server);
    turn_until(is_up, 2000);
    assert_int_equal(redis_status(redis).connections, 2);
    send_one(2, incr);
    wanted = 3;
    turn_until(is_all_heard, 1000);
    assert_int_equal(heard.failed, 2);
}

static void test_what_is_late_ends_and_the_connection_with_it(void **state)
{
    (void)state;
    need_server();
    send_one(0, (const char *const[]){ "BLPOP", "never", "0", NULL });
    send_one(1, incr); /* it waits behind the other */
    wanted = 2;
    turn_until(is_all_heard, 1000);
    assert_int_equal(heard.failed, 2);
    assert_true(is_away());
    turn_until(is_up, 1000);
}

static void test_what_is_under_way_at_the_end_ends_once(void **state)
{
    (void)state;
    need_server();
    for (size_t i = 0; i < 100; i++)
        send_one(i, incr);
    redis_free(redis);
    assert_int_equal(heard.failed, 100);
    redis = NULL;
}

/* ---- no Redis --------------------------------------------------------------------------------------------------------- */

static void test_where_nobody_listens_it_is_tried_again(void **state)
{
    (void)state;
    uint16_t port;
    close(listen_somewhere(&port));
    connect_to(port);
    turn_until(is_tried, 100);
    assert_true(is_away());
    send_one(0, incr);
    assert_int_equal(heard.failed, 1);
    for (int i = 0; i < 50; i++)
        loop_turn(loop, 2000);
    assert_int_equal(redis_status(redis).connections, 0);
}

/* Redis listens on 127.0.0.1 alone; where localhost is ::1 too, that is refused. */
static void test_a_name_is_looked_up_and_each_of_its_addresses_tried(void **state)
{
    (void)state;
    need_server();
    uint16_t port = server.port;
    redis_free(redis);
    loop_turn(loop, 0);
    loop_free(loop);
    connect_to_host(LIMEN_STR("localhost"), port);
    assert_false(redis_was_tried(redis));
    turn_until(is_up, 2000);
    send_one(0, incr);
    wanted = 1;
    turn_until(is_all_heard, 1000);
    assert_int_equal(heard.failed, 0);
}

static void test_a_name_that_leads_nowhere_is_a_redis_that_is_away(void **state)
{
    (void)state;
    static char name[80];
    memset(name, 'a', sizeof(name) - 1); /* no label is so long: no name server is asked */
    connect_to_host(str_of(name), 6379);
    turn_until(is_away, 2000);
    assert_int_equal(redis_status(redis).connections, 0);
}

/* Accepts one connection and answers it with `bytes`; NULL: closes it. */
static void play(const char *bytes)
{
    uint16_t port;
    int listener = listen_somewhere(&port);
    connect_to(port);
    int fd = accept(listener, NULL, NULL);
    assert_true(fd >= 0);
    if (bytes != NULL)
        assert_int_equal(write(fd, bytes, strlen(bytes)), (ssize_t)strlen(bytes));
    else
        close(fd);
    turn_until(is_tried, 1000);
    assert_true(is_away());
    if (bytes != NULL)
        close(fd);
    close(listener);
    tear_down(NULL);
}

static void test_who_speaks_otherwise_is_no_redis(void **state)
{
    (void)state;
    play(NULL);
    play("HTTP/1.1 400 Bad Request\r\n\r\n");
    play("-NOAUTH Authentication required.\r\n");
    play("-ERR max number of clients reached\r\n");
    play("$-2\r\n");
    play("*99999999999999999999\r\n");
    play("+OK\r\n+OK\r\n+OK\r\n-READONLY You can't write against a read only replica.\r\n");
    play(""); /* is silent: until the deadline */
}

/* A peer that greets well and then answers what it likes. That it is a primary it need not show: its user may have less rights. */
static void play_after_greeting(const char *bytes, size_t failed)
{
    uint16_t port;
    int listener = listen_somewhere(&port);
    connect_to(port);
    int fd = accept(listener, NULL, NULL);
    for (int i = 0; i < REDIS_SCRIPTS; i++)
        assert_int_equal(write(fd, "+OK\r\n", 5), 5);
    assert_int_equal(write(fd, "-NOPERM\r\n", 9), 9);
    turn_until(is_up, 1000);
    send_one(0, incr);
    assert_int_equal(write(fd, bytes, strlen(bytes)), (ssize_t)strlen(bytes));
    wanted = 1;
    turn_until(is_all_heard, 1000);
    assert_int_equal(heard.failed, failed);
    close(fd);
    turn_until(is_away, 1000);
    close(listener);
    tear_down(NULL);
}

static void test_answers_that_are_none(void **state)
{
    (void)state;
    play_after_greeting("+OK\r\n", 0);
    play_after_greeting("garbage\r\n", 1);
    play_after_greeting("+OK\r\n+OK\r\n+OK\r\n", 0); /* more than was asked for */
    play_after_greeting("-READONLY You can't write against a read only replica.\r\n", 1);
    play_after_greeting("-LOADING\r\n", 1);
    play_after_greeting("-NOSCRIPT no script was asked for\r\n", 1);
    play_after_greeting("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", 1);
}

int main(void)
{
    log_init(LOG_FORMAT_TEXT, LOG_LEVEL_ERROR, "test", -1);
    signal(SIGPIPE, SIG_IGN); /* as every role does */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_answers_come_in_order, tear_down),
        cmocka_unit_test_teardown(test_past_the_ceiling_a_command_fails_at_once, tear_down),
        cmocka_unit_test_teardown(test_a_refused_command_fails_and_the_next_does_not, tear_down),
        cmocka_unit_test_teardown(test_scripts_are_sent_again_when_redis_has_lost_them, tear_down),
        cmocka_unit_test_teardown(test_what_is_under_way_ends_when_redis_dies, tear_down),
        cmocka_unit_test_teardown(test_what_is_late_ends_and_the_connection_with_it, tear_down),
        cmocka_unit_test_teardown(test_what_is_under_way_at_the_end_ends_once, tear_down),
        cmocka_unit_test_teardown(test_where_nobody_listens_it_is_tried_again, tear_down),
        cmocka_unit_test_teardown(test_a_name_is_looked_up_and_each_of_its_addresses_tried, tear_down),
        cmocka_unit_test_teardown(test_a_name_that_leads_nowhere_is_a_redis_that_is_away, tear_down),
        cmocka_unit_test_teardown(test_who_speaks_otherwise_is_no_redis, tear_down),
        cmocka_unit_test_teardown(test_answers_that_are_none, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
