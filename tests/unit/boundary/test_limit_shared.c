/* Tests that hosts count alike: the script in Redis and the table of a host pass and refuse the same requests. */
#include "redis_process.h"

#include "boundary/limit.h"
#include "data/redis.h"

#include <sys/mman.h>

#define STEPS 10000
#define POLICIES 4U
#define CALLERS 5U

static struct redis_process server;
static redisContext *beside;

static int tear_down(void **state)
{
    (void)state;
    if (beside != NULL)
        redisFree(beside);
    beside = NULL;
    redis_kill(&server);
    return 0;
}

/* A generator with a fixed seed: a failure comes again. */
static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005U + 1442695040888963407U;
    return *state >> 33;
}

/* The script with the time of the test in place of Redis' own: seconds and microseconds in two more arguments. */
static char *script_with_our_time(void)
{
    static const char theirs[] = "redis.call('TIME')", ours[] = "{ARGV[#ARGV - 1], ARGV[#ARGV]}";
    const char *text = redis_scripts[REDIS_LIMIT], *at = strstr(text, theirs);
    assert_non_null(at);
    assert_null(strstr(at + 1, theirs));
    size_t bytes = strlen(text) + sizeof(ours);
    char *changed = malloc(bytes);
    snprintf(changed, bytes, "%.*s%s%s", (int)(at - text), text, ours, at + strlen(theirs));
    return changed;
}

static redisReply *run(const char *script, const struct rate_limit *limit, uint32_t caller, int64_t now_us)
{
    redisReply *reply = redisCommand(beside, "EVAL %s 1 limit:%u:%u %lld %lld %lld %lld", script, limit->policy, caller,
                                     (long long)rate_limit_interval_us(limit, 1), (long long)limit->window_us,
                                     (long long)(now_us / 1000000), (long long)(now_us % 1000000));
    assert_non_null(reply);
    if (reply->type == REDIS_REPLY_ERROR)
        fail_msg("%s", reply->str);
    assert_int_equal(reply->type, REDIS_REPLY_ARRAY);
    assert_int_equal(reply->elements, 2);
    return reply;
}

/* Both tables, told of the same requests, say the same; and a third that learns what Redis says refuses nobody else. */
static void test_the_script_counts_as_the_table_does(void **state)
{
    (void)state;
    if (!redis_is_installed()) {
        print_message("redis-server is not installed\n");
        skip();
    }
    redis_start(&server);
    beside = redis_ask(&server);
    void *tables[2];
    for (int i = 0; i < 2; i++) {
        tables[i] = mmap(NULL, limit_table_bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_true(tables[i] != MAP_FAILED);
        limit_table_init(tables[i]);
    }
    /* None divides its window; the fastest takes the least time there is. Keys outlive the test: its clock is faster than Redis'. */
    const struct rate_limit limits[POLICIES] = {
        { .quota = 7, .window_us = 60 * 1000000LL, .name = LIMEN_STR("a"), .policy = 1 },
        { .quota = 1, .window_us = 3600 * 1000000LL, .name = LIMEN_STR("b"), .policy = 2 },
        { .quota = 1000, .window_us = 86400 * 1000000LL, .name = LIMEN_STR("c"), .policy = 3 },
        { .quota = 1000000000, .window_us = 60 * 1000000LL, .name = LIMEN_STR("d"), .policy = 4 },
    };
    char *script = script_with_our_time();
    uint64_t seed = 20261125;
    int64_t now_us = 1795000000LL * 1000000; /* as large as times are */
    size_t passed = 0;
    for (int step = 0; step < STEPS; step++) {
        const struct rate_limit *limit = &limits[next_random(&seed) % POLICIES];
        uint32_t caller = (uint32_t)(next_random(&seed) % CALLERS);
        now_us += (int64_t)(next_random(&seed) % 4000000);
        limen_str key = str_make((const char *)&caller, sizeof(caller));
        struct limit_state told, looked, learned;
        bool may_pass = limit_take(tables[0], limit, 1, key, now_us, &told);
        redisReply *reply = run(script, limit, caller, now_us);
        bool is_refused = reply->element[0]->integer != 0;
        struct limit_debt debt = { reply->element[1]->integer, is_refused };
        freeReplyObject(reply);
        if (may_pass == is_refused)
            fail_msg("step %d: the table says %d, Redis %d", step, may_pass, !is_refused);
        assert_int_equal(limit_look(tables[1], limit, 1, key, now_us, &looked), may_pass);
        limit_learn(tables[1], limit, 1, key, now_us, debt, &learned);
        assert_int_equal(learned.remaining, told.remaining);
        assert_int_equal(learned.reset_s, told.reset_s);
        assert_int_equal(learned.retry_s, may_pass ? 0 : told.retry_s);
        if (!may_pass)
            assert_int_equal(looked.retry_s, told.retry_s);
        passed += may_pass;
    }
    assert_in_range(passed, STEPS / 10, STEPS - STEPS / 10);
    free(script);
    munmap(tables[0], limit_table_bytes());
    munmap(tables[1], limit_table_bytes());
}

static void test_of_several_limits_those_behind_the_one_that_refuses_are_not_counted(void **state)
{
    (void)state;
    if (!redis_is_installed()) {
        print_message("redis-server is not installed\n");
        skip();
    }
    server.port = 0;
    redis_start(&server);
    beside = redis_ask(&server);
    static const long long expected[4][3] = { { 0, 1, 1 }, { 0, 1, 1 }, { 2, 1, 0 }, { 2, 1, 0 } };
    for (int i = 0; i < 4; i++) {
        redisReply *reply = redisCommand(
            beside, "EVAL %s 3 wide narrow last 1000000 1000000000 1000000 2000000 1000000 9000000",
            redis_scripts[REDIS_LIMIT]);
        assert_int_equal(reply->type, REDIS_REPLY_ARRAY);
        assert_int_equal(reply->element[0]->integer, expected[i][0]);
        assert_int_equal(reply->elements, expected[i][0] == 0 ? 4 : 3);
        assert_true(reply->element[1]->integer > i * 900000LL);
        freeReplyObject(reply);
    }
    redisReply *left = redisCommand(beside, "PTTL last");
    assert_in_range(left->integer, 1, 2000);
    freeReplyObject(left);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_the_script_counts_as_the_table_does, tear_down),
        cmocka_unit_test_teardown(test_of_several_limits_those_behind_the_one_that_refuses_are_not_counted, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
