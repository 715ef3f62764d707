/* test_effect_decide.c - what an answer, or none, makes of an effect. */
#include "check.h"
#include "data/effect_decide.h"

#define NOW 1000000000000LL
#define SECOND 1000000LL
#define LONG_AGO (NOW - 7200 * SECOND)

static struct store_effect effect_with(const char *object, limen_time sent_at, uint32_t attempts)
{
    return (struct store_effect){ .id = LIMEN_STR("eff_0123456789"),
                                  .fence = 3,
                                  .state = STORE_EFFECT_SENT,
                                  .key = LIMEN_STR("charge/x"),
                                  .attempts = attempts,
                                  .sent_at = sent_at,
                                  .result = { .object_id = str_of(object) } };
}

static struct effect_answer answer_of(enum effect_outcome outcome, const char *object)
{
    struct effect_answer answer = { .outcome = outcome };
    effect_answer_word(answer.object, &answer.object_bytes, str_of(object));
    effect_answer_word(answer.state, &answer.state_bytes, LIMEN_STR("some_state"));
    return answer;
}

static struct store_settlement decide(const struct store_effect *effect, enum effect_question question,
                                      const struct effect_answer *answer)
{
    struct store_settlement settlement;
    effect_decide(effect, question, answer, LIMEN_STR("timeout"), NOW, &settlement);
    assert_int_equal(settlement.fence, effect->fence);
    assert_same(settlement.id, effect->id);
    return settlement;
}

static void test_question_depends_on_what_is_known_and_how_long_ago_it_was_sent(void **state)
{
    (void)state;
    struct store_effect effect = effect_with("", NOW - 5, 0);
    assert_int_equal(effect_next_question(&effect, NOW), EFFECT_DO);
    effect.sent_at = NOW - 22 * 3600 * SECOND;
    assert_int_equal(effect_next_question(&effect, NOW), EFFECT_DO);
    effect.sent_at = NOW - 23 * 3600 * SECOND;
    assert_int_equal(effect_next_question(&effect, NOW), EFFECT_FIND);
    effect.result.object_id = LIMEN_STR("pi_1");
    assert_int_equal(effect_next_question(&effect, NOW), EFFECT_LOOK_UP);
}

/* By its time it would still be fresh when the provider has long forgotten it. */
static void test_a_key_that_was_sent_in_the_future_is_as_old_as_its_next_attempt(void **state)
{
    (void)state;
    struct store_effect effect = effect_with("", NOW + 86400 * SECOND, 3);
    struct effect_answer answer = answer_of(EFFECT_UNKNOWN, "");
    assert_int_equal(decide(&effect, EFFECT_DO, NULL).sent_at, NOW);
    struct store_settlement it = decide(&effect, EFFECT_DO, &answer);
    assert_int_equal(it.sent_at, NOW);
    effect.sent_at = it.sent_at;
    assert_int_equal(effect_next_question(&effect, NOW + 23 * 3600 * SECOND), EFFECT_FIND);
}

/* Else a 500 that the provider has kept with the key would be told until the key is forgotten. */
static void test_after_some_failures_the_object_is_looked_for_every_other_time(void **state)
{
    (void)state;
    for (uint32_t attempts = 0; attempts < LIMIT_EFFECT_ATTEMPTS; attempts++) {
        struct store_effect effect = effect_with("", NOW - 600 * SECOND, attempts);
        bool is_search = attempts >= 5 && attempts % 2 == 1;
        assert_int_equal(effect_next_question(&effect, NOW), is_search ? EFFECT_FIND : EFFECT_DO);
    }
}

static void test_a_search_beside_a_known_key_tells_only_what_was_done(void **state)
{
    static const enum effect_outcome nothing[] = { EFFECT_NOT_FOUND, EFFECT_DECLINED, EFFECT_REFUSED };
    struct store_effect effect = effect_with("", NOW - 600 * SECOND, 5);
    (void)state;
    for (size_t i = 0; i < sizeof(nothing) / sizeof(nothing[0]); i++) {
        struct effect_answer answer = answer_of(nothing[i], nothing[i] == EFFECT_DECLINED ? "pi_1" : "");
        struct store_settlement it = decide(&effect, EFFECT_FIND, &answer);
        assert_int_equal(it.state, STORE_EFFECT_SENT);
        assert_int_equal(it.due_at, NOW); /* with the key, at once */
        assert_int_equal(it.attempts, 6);
        assert_int_equal(it.sent_at, effect.sent_at); /* the key is as old as it was */
        assert_int_equal(it.result.object_id.len, 0);
    }
    struct effect_answer done = answer_of(EFFECT_SUCCEEDED, "pi_1"), under_way = answer_of(EFFECT_PROCESSING, "pi_1");
    assert_int_equal(decide(&effect, EFFECT_FIND, &done).state, STORE_EFFECT_ANSWERED);
    assert_text(decide(&effect, EFFECT_FIND, &under_way).result.object_id, "pi_1");
    struct effect_answer away = answer_of(EFFECT_UNKNOWN, "");
    assert_true(decide(&effect, EFFECT_FIND, &away).due_at > NOW);
}

static void test_final_answers_are_for_the_app(void **state)
{
    (void)state;
    static const enum effect_outcome outcomes[] = { EFFECT_SUCCEEDED, EFFECT_DECLINED };
    static const enum limen_effect_outcome wanted[] = { LIMEN_EFFECT_SUCCEEDED, LIMEN_EFFECT_DECLINED };
    for (size_t i = 0; i < 2; i++) {
        struct store_effect effect = effect_with("", NOW - 5, 4);
        struct effect_answer answer = answer_of(outcomes[i], "pi_1");
        struct store_settlement it = decide(&effect, EFFECT_DO, &answer);
        assert_int_equal(it.state, STORE_EFFECT_ANSWERED);
        assert_true(it.result.is_known);
        assert_int_equal(it.result.outcome, wanted[i]);
        assert_int_equal(it.attempts, 0);
        assert_text(it.result.object_id, "pi_1");
        assert_text(it.result.state, "some_state");
    }
}

static void test_unknown_is_asked_again_ever_more_slowly_and_then_dead(void **state)
{
    (void)state;
    int64_t before = 0;
    for (uint32_t attempts = 0; attempts + 1 < LIMIT_EFFECT_ATTEMPTS; attempts++) {
        struct store_effect effect = effect_with("", LONG_AGO, attempts);
        struct store_settlement it = decide(&effect, EFFECT_DO, NULL);
        int64_t pause = it.due_at - NOW;
        assert_int_equal(it.state, STORE_EFFECT_SENT);
        assert_int_equal(it.attempts, attempts + 1);
        assert_int_equal(it.sent_at, LONG_AGO);
        assert_text(it.result.note, "timeout");
        assert_true(pause >= LIMIT_EFFECT_PAUSE_LEAST_US * 3 / 4 && pause <= LIMIT_EFFECT_PAUSE_MOST_US);
        assert_true(pause > before || pause >= LIMIT_EFFECT_PAUSE_MOST_US * 3 / 4);
        before = pause;
    }
    struct store_effect effect = effect_with("", LONG_AGO, LIMIT_EFFECT_ATTEMPTS - 1);
    struct store_settlement it = decide(&effect, EFFECT_DO, NULL);
    assert_int_equal(it.state, STORE_EFFECT_DEAD);
    assert_int_equal(it.sent_at, LONG_AGO); /* it may have been done */
    assert_false(it.result.is_known);
}

/* The provider's events have it asked at once, however many come while its first answer is still on the way. */
static void test_attempts_in_a_hurry_neither_give_up_nor_make_the_next_one_late(void **state)
{
    (void)state;
    struct store_effect effect = effect_with("", NOW - 8 * SECOND, 3 * LIMIT_EFFECT_ATTEMPTS);
    struct store_settlement it = decide(&effect, EFFECT_DO, NULL);
    assert_int_equal(it.state, STORE_EFFECT_SENT);
    assert_in_range(it.due_at - NOW, 6 * SECOND, 8 * SECOND);
    effect = effect_with("", NOW, 3);
    it = decide(&effect, EFFECT_DO, NULL);
    assert_in_range(it.due_at - NOW, LIMIT_EFFECT_PAUSE_LEAST_US * 3 / 4, LIMIT_EFFECT_PAUSE_LEAST_US);
}

static void test_two_effects_do_not_knock_together(void **state)
{
    (void)state;
    struct store_effect a = effect_with("", LONG_AGO, 0), b = effect_with("", LONG_AGO, 0);
    b.id = LIMEN_STR("eff_9876543210");
    assert_true(effect_pause_us(&a, 8, NOW) != effect_pause_us(&b, 8, NOW));
}

static void test_provider_that_wants_to_be_left_alone_is(void **state)
{
    (void)state;
    struct store_effect effect = effect_with("", NOW - 5, 0);
    struct effect_answer answer = answer_of(EFFECT_UNKNOWN, "");
    answer.wait_s = 60;
    assert_int_equal(decide(&effect, EFFECT_DO, &answer).due_at, NOW + 60 * SECOND);
}

/* An answer that tells nothing does not take away what is known. */
static void test_object_that_is_known_stays_known(void **state)
{
    (void)state;
    struct store_effect effect = effect_with("pi_1", NOW - 5, 0);
    struct effect_answer answer = answer_of(EFFECT_UNKNOWN, "pi_2");
    assert_text(decide(&effect, EFFECT_LOOK_UP, &answer).result.object_id, "pi_1");
    answer = answer_of(EFFECT_DECLINED, "");
    assert_text(decide(&effect, EFFECT_LOOK_UP, &answer).result.object_id, "pi_1");
}

static void test_processing_is_looked_at_in_growing_pauses_and_never_dead(void **state)
{
    (void)state;
    static const struct {
        int64_t since, pause;
    } cases[] = { { 0, SECOND / 2 },
                  { 8 * SECOND, 2 * SECOND },
                  { 400 * SECOND, 100 * SECOND },
                  { 24 * 3600 * SECOND, LIMIT_EFFECT_PAUSE_MOST_US } };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct store_effect effect = effect_with("pi_1", NOW - cases[i].since, LIMIT_EFFECT_ATTEMPTS - 1);
        struct effect_answer answer = answer_of(EFFECT_PROCESSING, "pi_1");
        struct store_settlement it = decide(&effect, EFFECT_LOOK_UP, &answer);
        assert_int_equal(it.state, STORE_EFFECT_SENT);
        assert_int_equal(it.due_at - NOW, cases[i].pause);
        assert_int_equal(it.attempts, 0);
    }
}

static void test_refusal_is_dead_and_tells_whether_it_may_have_been_done(void **state)
{
    (void)state;
    struct effect_answer answer = answer_of(EFFECT_REFUSED, "");
    struct store_effect effect = effect_with("", NOW - 5, 0);
    assert_int_equal(decide(&effect, EFFECT_DO, &answer).sent_at, NOW - 5); /* an earlier attempt may have done it */
    effect.fence = 1;
    struct store_settlement it = decide(&effect, EFFECT_DO, &answer);
    assert_int_equal(it.state, STORE_EFFECT_DEAD);
    assert_int_equal(it.sent_at, 0);
}

static void test_what_was_never_done_is_done_with_the_same_key(void **state)
{
    (void)state;
    struct effect_answer answer = answer_of(EFFECT_NOT_FOUND, "");
    struct store_effect effect = effect_with("", NOW - 30 * 3600 * SECOND, 2);
    struct store_settlement it = decide(&effect, EFFECT_FIND, &answer);
    assert_int_equal(it.state, STORE_EFFECT_PENDING);
    assert_int_equal(it.sent_at, 0);
    assert_int_equal(it.due_at, NOW);
    it = decide(&effect, EFFECT_LOOK_UP, &answer);
    assert_int_equal(it.state, STORE_EFFECT_SENT);
    assert_int_equal(it.attempts, 3);
}

static void test_result_that_is_not_taken_is_offered_again_and_then_dead(void **state)
{
    (void)state;
    struct store_effect effect = effect_with("pi_1", LONG_AGO, 0);
    struct store_settlement it;
    effect.result.is_known = true;
    effect_decide_untaken(&effect, LIMEN_STR("why"), NOW, &it);
    assert_int_equal(it.state, STORE_EFFECT_ANSWERED);
    assert_true(it.result.is_known && it.due_at > NOW);
    effect.attempts = LIMIT_EFFECT_ATTEMPTS - 1;
    effect_decide_untaken(&effect, LIMEN_STR("why"), NOW, &it);
    assert_int_equal(it.state, STORE_EFFECT_DEAD);
    assert_true(it.result.is_known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_question_depends_on_what_is_known_and_how_long_ago_it_was_sent),
        cmocka_unit_test(test_a_key_that_was_sent_in_the_future_is_as_old_as_its_next_attempt),
        cmocka_unit_test(test_after_some_failures_the_object_is_looked_for_every_other_time),
        cmocka_unit_test(test_a_search_beside_a_known_key_tells_only_what_was_done),
        cmocka_unit_test(test_final_answers_are_for_the_app),
        cmocka_unit_test(test_unknown_is_asked_again_ever_more_slowly_and_then_dead),
        cmocka_unit_test(test_attempts_in_a_hurry_neither_give_up_nor_make_the_next_one_late),
        cmocka_unit_test(test_two_effects_do_not_knock_together),
        cmocka_unit_test(test_provider_that_wants_to_be_left_alone_is),
        cmocka_unit_test(test_object_that_is_known_stays_known),
        cmocka_unit_test(test_processing_is_looked_at_in_growing_pauses_and_never_dead),
        cmocka_unit_test(test_refusal_is_dead_and_tells_whether_it_may_have_been_done),
        cmocka_unit_test(test_what_was_never_done_is_done_with_the_same_key),
        cmocka_unit_test(test_result_that_is_not_taken_is_offered_again_and_then_dead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
