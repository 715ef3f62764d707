/* Tests of data/jwks.h: this file plays the client of the outbound role, and the time. */
#include "data/jwks.h"

#include "check.h"

#include "core/limits.h"
#include "core/loop.h"
#include "core/str.h"
#include "data/fetch_client.h"

#define SECOND 1000000LL
#define KEY(kid) \
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"" kid "\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}"

static struct loop *loop;
static struct jwks *jwks;
static fetch_done *on_done; /* NULL: no fetch is under way */
static void *on_done_context;
static int begun;
static bool is_refused; /* the client takes no fetch */
static int called;

bool fetch_client_get(struct fetch_client *client, uint32_t target, fetch_done *done, void *context)
{
    (void)client;
    assert_int_equal(target, 7);
    assert_null(on_done);
    if (is_refused)
        return false;
    begun++;
    on_done = done;
    on_done_context = context;
    return true;
}

static void answer(enum fetch_outcome outcome, const char *body)
{
    fetch_done *done = on_done;
    struct fetch_result result = { .outcome = outcome, .body = str_of(body) };
    assert_non_null(done);
    on_done = NULL;
    done(on_done_context, &result);
}

/* Until the loop turns again. */
static void pass(int64_t us)
{
    ((struct clock *)(uintptr_t)loop_clock(loop))->mono_us += us;
}

static bool has_key(const char *kid)
{
    return jwks_keys(jwks) != NULL && jwk_set_find(jwks_keys(jwks), str_of(kid), JWS_ED25519) != NULL;
}

static void count_call(struct jwks_waiter *waiter)
{
    (void)waiter;
    called++;
}
static struct jwks_waiter waiters[3] = { { .on_done = count_call },
                                         { .on_done = count_call },
                                         { .on_done = count_call } };

static int set_up(void **state)
{
    (void)state;
    loop = loop_new();
    on_done = NULL;
    begun = called = 0;
    is_refused = false;
    jwks = loop == NULL ? NULL : jwks_of_target(loop, NULL, 7, LIMEN_STR("token"));
    return jwks == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    jwks_free(jwks);
    loop_free(loop);
    return 0;
}

static void test_keys_are_fetched_at_once(void **state)
{
    (void)state;
    assert_int_equal(begun, 1);
    assert_null(jwks_keys(jwks));
    answer(FETCH_OK, "{\"keys\":[" KEY("a") "]}");
    assert_true(has_key("a"));
}

static void test_who_waits_hears_of_good_and_bad_fetches(void **state)
{
    (void)state;
    assert_true(jwks_wait(jwks, &waiters[0]));
    assert_true(jwks_wait(jwks, &waiters[1])); /* one fetch for both */
    assert_int_equal(begun, 1);
    answer(FETCH_TIMEOUT, "");
    assert_int_equal(called, 2);
    assert_null(jwks_keys(jwks));
}

static void test_unknown_key_has_newer_ones_fetched_now_and_then(void **state)
{
    (void)state;
    answer(FETCH_OK, "{\"keys\":[" KEY("a") "]}");
    assert_false(jwks_wait(jwks, &waiters[0])); /* they have just come */
    pass(LIMIT_JWKS_AGAIN_US - 1);
    assert_false(jwks_wait(jwks, &waiters[0]));
    assert_int_equal(begun, 1);
    pass(1);
    assert_true(jwks_wait(jwks, &waiters[0]));
    assert_true(jwks_wait(jwks, &waiters[1]));
    assert_int_equal(begun, 2);
    answer(FETCH_OK, "{\"keys\":[" KEY("b") "]}");
    assert_int_equal(called, 2);
    assert_true(has_key("b"));
    assert_false(has_key("a")); /* withdrawn */
    for (int i = 0; i < 1000; i++)
        assert_false(jwks_wait(jwks, &waiters[2]));
    assert_int_equal(begun, 2);
}

static void test_keys_are_settled_until_they_may_be_fetched_again(void **state)
{
    (void)state;
    assert_int_equal(jwks_settled_until(jwks), 0); /* on their way */
    answer(FETCH_OK, "{\"keys\":[" KEY("a") "]}");
    int64_t until_us = jwks_settled_until(jwks), now_us = loop_clock(loop)->mono_us;
    assert_int_equal(until_us, now_us + LIMIT_JWKS_AGAIN_US);
    pass(until_us - now_us - 1);
    assert_false(jwks_wait(jwks, &waiters[0]));
    pass(1);
    assert_true(jwks_wait(jwks, &waiters[0]));
    answer(FETCH_UNREACHABLE, "");
    until_us = jwks_settled_until(jwks); /* tried again in a second or so */
    assert_true(until_us > loop_clock(loop)->mono_us && until_us <= loop_clock(loop)->mono_us + 2 * SECOND);
}

static void test_old_keys_are_kept_when_nothing_good_comes(void **state)
{
    (void)state;
    static const struct {
        enum fetch_outcome outcome;
        const char *body;
    } bad[] = {
        { FETCH_UNREACHABLE, "" },
        { FETCH_CERTIFICATE, "" },
        { FETCH_TOO_LARGE, "" },
        { FETCH_GONE, "" },
        { FETCH_OK, "" },
        { FETCH_OK, "<html>" },
        { FETCH_OK, "{\"keys\":[]}" },
        { FETCH_OK, "{\"keys\":[" KEY("b") "," KEY("b") "]}" },
    };
    answer(FETCH_OK, "{\"keys\":[" KEY("a") "]}");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        pass(LIMIT_JWKS_AGAIN_US);
        assert_true(jwks_wait(jwks, &waiters[0]));
        answer(bad[i].outcome, bad[i].body);
        assert_true(has_key("a"));
        assert_false(has_key("b"));
    }
}

/* The clock is put back, so that what was due in a quarter of an hour is due now; the loop then turns in real time. */
static void turn_until_begun(int wanted, int64_t most_us)
{
    int64_t end_us = clock_mono_us() + most_us;
    while (begun < wanted && clock_mono_us() < end_us)
        loop_turn(loop, 50000);
}

static void test_keys_are_fetched_again_before_they_are_old(void **state)
{
    (void)state;
    pass(-2 * LIMIT_JWKS_FRESH_US);
    answer(FETCH_OK, "{\"keys\":[" KEY("a") "]}");
    turn_until_begun(2, 20 * SECOND);
    assert_int_equal(begun, 2);
}

static void test_failure_is_tried_again_soon_and_fresh_keys_are_not(void **state)
{
    (void)state;
    answer(FETCH_UNREACHABLE, "");
    turn_until_begun(2, 20 * SECOND);
    assert_int_equal(begun, 2);
    answer(FETCH_OK, "{\"keys\":[" KEY("a") "]}");
    turn_until_begun(3, 2500000);
    assert_int_equal(begun, 2);
}

static void test_client_that_takes_no_fetch_is_asked_again(void **state)
{
    (void)state;
    answer(FETCH_OK, "{\"keys\":[" KEY("a") "]}");
    is_refused = true;
    pass(LIMIT_JWKS_AGAIN_US);
    assert_false(jwks_wait(jwks, &waiters[0]));
    assert_int_equal(called, 0);
    is_refused = false;
    pass(LIMIT_JWKS_AGAIN_US);
    assert_true(jwks_wait(jwks, &waiters[0]));
    answer(FETCH_OK, "{\"keys\":[" KEY("a") "]}");
    assert_int_equal(called, 1);
}

static void test_keys_of_a_file_never_change(void **state)
{
    (void)state;
    const char *fault;
    struct jwks *fixed = jwks_of_set(jwk_set_parse(LIMEN_STR(KEY("a")), &fault, NULL));
    assert_non_null(fixed);
    assert_int_equal(jwk_set_count(jwks_keys(fixed)), 1);
    assert_false(jwks_wait(fixed, &waiters[0]));
    assert_int_equal(jwks_settled_until(fixed), INT64_MAX);
    jwks_free(fixed);
}

#define JWKS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        JWKS_TEST(test_keys_are_fetched_at_once),
        JWKS_TEST(test_who_waits_hears_of_good_and_bad_fetches),
        JWKS_TEST(test_unknown_key_has_newer_ones_fetched_now_and_then),
        JWKS_TEST(test_keys_are_settled_until_they_may_be_fetched_again),
        JWKS_TEST(test_old_keys_are_kept_when_nothing_good_comes),
        JWKS_TEST(test_keys_are_fetched_again_before_they_are_old),
        JWKS_TEST(test_failure_is_tried_again_soon_and_fresh_keys_are_not),
        JWKS_TEST(test_client_that_takes_no_fetch_is_asked_again),
        JWKS_TEST(test_keys_of_a_file_never_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
