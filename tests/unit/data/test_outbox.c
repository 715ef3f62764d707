/* test_outbox.c - effects behind store.h, on both databases: written with their batch, leased by one at a time, settled under a fence. */
#include "store_fixture.h"

#define SECOND 1000000LL

/* A batch of `caller` that asks for the charge of one order. */
static struct job *charge(struct fixture *fixture, const char *caller, const char *order)
{
    struct job *job = job_new(fixture, STORE_BATCH, caller);
    job_add(job, "charge", "s", order);
    return job;
}

static void put(struct fixture *fixture, const char *caller, const char *order)
{
    struct job *job = charge(fixture, caller, order);
    assert_int_equal(job_run(job), STORE_OK);
    job_free(job);
}

/* Leases as somebody whose clock says `now`; the job holds what was leased. */
static struct job *lease_at(struct fixture *fixture, limen_time now, bool may_send)
{
    struct job *job = job_new(fixture, STORE_EFFECT_LEASE, NULL);
    job->task.now = now;
    job->task.lease_until = now + 10 * SECOND;
    job->task.lease_most = 4;
    job->task.may_send = may_send;
    assert_int_equal(job_run(job), STORE_OK);
    return job;
}

static enum store_outcome settle(struct fixture *fixture, const struct store_settlement *settlement)
{
    struct job *job = job_new(fixture, STORE_EFFECT_SETTLE, NULL);
    job->task.settlement = settlement;
    enum store_outcome outcome = job_run(job);
    job_free(job);
    return outcome;
}

static struct store_settlement of(const struct store_effect *effect, enum store_effect_state state)
{
    return (struct store_settlement){
        .id = effect->id, .fence = effect->fence, .state = state, .sent_at = effect->sent_at
    };
}

/* ---- written --------------------------------------------------------------------------------------------------------- */

static void test_effect_is_kept_as_the_database_had_it(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, "acc_a", "ord_a");
    limen_time now = clock_wall_us();
    struct job *job = lease_at(fixture, now, /* may_send= */ true);
    assert_int_equal(job->task.effect_count, 1);
    const struct store_effect *effect = &job->task.effects[0];
    assert_text(effect->key, "charge/ord_a");
    assert_text(effect->payload, "{\"amount\":500,\"currency\":\"EUR\"}");
    assert_text(effect->statement->name, "charge");
    assert_int_equal(effect->state, STORE_EFFECT_SENT);
    assert_int_equal(effect->fence, 1);
    assert_int_equal(effect->sent_at, now);
    struct wire_reader reader = { effect->params.ptr, effect->params.ptr + effect->params.len, false };
    limen_value *params;
    uint32_t count;
    assert_true(wire_get_values(&reader, &job->arena, &params, &count));
    assert_int_equal(count, 1);
    assert_text(params[0].as.text, "ord_a");
    job_free(job);
}

static void test_effect_and_batch_are_all_or_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct job *job = charge(fixture, "acc_a", "ord_a");
    job_add(job, "take_stock", "si", "mug", 100);
    assert_int_equal(job_run(job), STORE_REFUSED);
    assert_int_equal(job->task.refused_by, 1);
    job_free(job);
    job = lease_at(fixture, clock_wall_us(), true);
    assert_int_equal(job->task.effect_count, 0);
    job_free(job);
}

static void test_effect_without_a_row_of_the_callers_is_refused(void **state)
{
    struct fixture *fixture = *state;
    static const char *const callers[] = { "acc_b", NULL };
    for (size_t i = 0; i < 2; i++) {
        struct job *job = charge(fixture, callers[i], "ord_a");
        assert_int_equal(job_run(job), STORE_REFUSED);
        job_free(job);
    }
    struct job *job = charge(fixture, "acc_a", "ord_none");
    job_add(job, "count_up", "");
    assert_int_equal(job_run(job), STORE_REFUSED);
    assert_int_equal(job->task.refused_by, 0);
    job_free(job);
    assert_reads(fixture, NULL, "0", "get_count", "");
}

static void test_effect_with_a_key_that_was_used_is_refused(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, "acc_a", "ord_a");
    struct job *job = charge(fixture, "acc_a", "ord_a");
    assert_int_equal(job_run(job), STORE_REFUSED);
    job_free(job);
    job = job_new(fixture, STORE_BATCH, "acc_a"); /* another effect, the same key: nothing in common */
    job_add(job, "refund", "ss", "ord_a", "pi_1");
    assert_int_equal(job_run(job), STORE_OK);
    job_free(job);
}

static void test_key_that_is_too_long_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    char id[300];
    memset(id, 'x', sizeof(id) - 1);
    id[sizeof(id) - 1] = '\0';
    struct job *job = job_new(fixture, STORE_BATCH, "acc_a");
    job_add(job, "insert_order", "ss", id, "acc_a");
    job_add(job, "refund", "ss", id, "pi_1");
    assert_int_equal(job_run(job), STORE_ERROR);
    job_free(job);
}

/* ---- leased ---------------------------------------------------------------------------------------------------------- */

static void test_lease_is_one_holders_until_it_runs_out(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, "acc_a", "ord_a");
    put(fixture, "acc_b", "ord_b");
    limen_time now = clock_wall_us();
    struct job *first = lease_at(fixture, now, true), *second = lease_at(fixture, now + 9 * SECOND, true);
    assert_int_equal(first->task.effect_count, 2);
    assert_int_equal(second->task.effect_count, 0);
    struct job *third = lease_at(fixture, now + 10 * SECOND, true);
    assert_int_equal(third->task.effect_count, 2);
    assert_int_equal(third->task.effects[0].fence, 2);
    assert_int_equal(third->task.effects[0].sent_at, now); /* the key's first use */
    job_free(first);
    job_free(second);
    job_free(third);
}

/* Who slept through its lease wakes up with an answer: it changes nothing any more. */
static void test_settlement_of_one_who_was_overtaken_is_refused(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, "acc_a", "ord_a");
    limen_time now = clock_wall_us();
    struct job *sleeper = lease_at(fixture, now, true), *heir = lease_at(fixture, now + 11 * SECOND, true);
    struct store_settlement late = of(&sleeper->task.effects[0], STORE_EFFECT_DEAD);
    assert_int_equal(settle(fixture, &late), STORE_NONE);
    struct job *job = job_new(fixture, STORE_BATCH, NULL);
    job_add(job, "count_up", "");
    late.state = STORE_EFFECT_DONE;
    job->task.settlement = &late;
    assert_int_equal(job_run(job), STORE_NONE);
    job_free(job);
    assert_reads(fixture, NULL, "0", "get_count", "");
    struct store_settlement good = of(&heir->task.effects[0], STORE_EFFECT_ANSWERED);
    assert_int_equal(settle(fixture, &good), STORE_OK);
    job_free(sleeper);
    job_free(heir);
}

static void test_result_and_what_the_app_does_with_it_are_one(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, "acc_a", "ord_a");
    limen_time now = clock_wall_us();
    struct job *leased = lease_at(fixture, now, true);
    const struct store_effect *effect = &leased->task.effects[0];
    struct store_settlement answered = of(effect, STORE_EFFECT_ANSWERED);
    answered.due_at = now;
    answered.result = (struct store_effect_result){ .is_known = true,
                                                    .outcome = LIMEN_EFFECT_DECLINED,
                                                    .object_id = LIMEN_STR("pi_1"),
                                                    .state = LIMEN_STR("requires_payment_method"),
                                                    .code = LIMEN_STR("card_declined") };
    assert_int_equal(settle(fixture, &answered), STORE_OK);
    struct job *again = lease_at(fixture, now + 1, /* may_send= */ false);
    assert_int_equal(again->task.effect_count, 1);
    effect = &again->task.effects[0];
    assert_int_equal(effect->state, STORE_EFFECT_ANSWERED);
    assert_true(effect->result.is_known);
    assert_int_equal(effect->result.outcome, LIMEN_EFFECT_DECLINED);
    assert_text(effect->result.object_id, "pi_1");
    assert_text(effect->result.code, "card_declined");
    struct store_settlement done = of(effect, STORE_EFFECT_DONE);
    static const enum store_outcome wanted[] = { STORE_REFUSED, STORE_OK, STORE_NONE };
    for (size_t i = 0; i < 3; i++) { /* undone with its batch; then both; then never again */
        struct job *job = job_new(fixture, STORE_BATCH, NULL);
        job->task.settlement = &done;
        job_add(job, "count_up", "");
        if (i == 0)
            job_add(job, "take_stock", "si", "mug", 100);
        assert_int_equal(job_run(job), wanted[i]);
        job_free(job);
    }
    assert_reads(fixture, NULL, "1", "get_count", "");
    struct job *nothing = lease_at(fixture, now + 60 * SECOND, true);
    assert_int_equal(nothing->task.effect_count, 0);
    job_free(nothing);
    job_free(leased);
    job_free(again);
}

static void test_lease_takes_what_is_due_and_may_be_sent(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, "acc_a", "ord_a");
    limen_time now = clock_wall_us();
    struct job *job = lease_at(fixture, now, /* may_send= */ false);
    assert_int_equal(job->task.effect_count, 0);
    job_free(job);
    struct job *leased = lease_at(fixture, now, true);
    struct store_settlement later = of(&leased->task.effects[0], STORE_EFFECT_SENT);
    later.due_at = now + 30 * SECOND;
    later.attempts = 3;
    later.result.object_id = LIMEN_STR("pi_1");
    assert_int_equal(settle(fixture, &later), STORE_OK);
    job_free(leased);
    job = lease_at(fixture, now + 29 * SECOND, true);
    assert_int_equal(job->task.effect_count, 0);
    job_free(job);
    static const char *const news[] = { "pi_2", "", "pi_1" };
    for (size_t i = 0; i < 3; i++) {
        job = job_new(fixture, STORE_EFFECT_ASK, NULL);
        job->task.news_of = str_of(news[i]);
        job->task.now = now + 5 * SECOND;
        assert_int_equal(job_run(job), i == 2 ? STORE_OK : STORE_NONE);
        job_free(job);
    }
    job = lease_at(fixture, now + 5 * SECOND, true);
    assert_int_equal(job->task.effect_count, 1);
    assert_int_equal(job->task.effects[0].attempts, 3);
    job_free(job);
}

static void test_count_tells_what_waits_and_what_is_dead(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, "acc_a", "ord_a");
    put(fixture, "acc_b", "ord_b");
    limen_time now = clock_wall_us();
    struct job *leased = lease_at(fixture, now, true);
    struct store_settlement dead = of(&leased->task.effects[0], STORE_EFFECT_DEAD);
    assert_int_equal(settle(fixture, &dead), STORE_OK);
    struct job *job = job_new(fixture, STORE_EFFECT_COUNT, NULL);
    assert_int_equal(job_run(job), STORE_OK);
    assert_int_equal(job->task.counts.open, 1);
    assert_int_equal(job->task.counts.dead, 1);
    assert_true(job->task.counts.oldest > now - 60 * SECOND && job->task.counts.oldest <= now);
    job_free(job);
    job_free(leased);
}

/* ---- the operator ---------------------------------------------------------------------------------------------------- */

static struct store_effect_counts counts(struct fixture *fixture)
{
    struct job *job = job_new(fixture, STORE_EFFECT_COUNT, NULL);
    assert_int_equal(job_run(job), STORE_OK);
    struct store_effect_counts found = job->task.counts;
    job_free(job);
    return found;
}

/* Leases the one effect and leaves it dead. */
static limen_str bury(struct fixture *fixture, limen_time sent_at)
{
    struct job *leased = lease_at(fixture, clock_wall_us() + 3600 * SECOND, true);
    assert_int_equal(leased->task.effect_count, 1);
    struct store_settlement dead = of(&leased->task.effects[0], STORE_EFFECT_DEAD);
    dead.sent_at = sent_at;
    dead.result.note = LIMEN_STR("no such currency");
    assert_int_equal(settle(fixture, &dead), STORE_OK);
    limen_str id = arena_copy(&fixture->arena, dead.id);
    job_free(leased);
    return id;
}

static void test_dead_effects_are_listed_and_run_again(void **state)
{
    struct fixture *fixture = *state;
    struct buf out;
    put(fixture, "acc_a", "ord_a");
    limen_str id = bury(fixture, 0);
    buf_init(&out, &fixture->arena, 256);
    struct store_effect_page page = { .filter = STORE_EFFECTS_DEAD, .most = 10 };
    assert_true(store_effect_list(fixture->config.url, &page, &out, &fixture->arena, &fixture->diags));
    assert_int_equal(page.left, 0);
    assert_true(str_starts(buf_str(&out), id));
    assert_true(str_ends(buf_str(&out), LIMEN_STR(" 0 charge/ord_a: no such currency\n")));
    out.len = 0;
    assert_true(store_effect_show(fixture->config.url, id, &out, &fixture->arena, &fixture->diags));
    assert_true(str_find(buf_str(&out), LIMEN_STR("payload         {\"amount\":500"), 0) != SIZE_MAX);
    assert_true(store_effect_retry(fixture->config.url, id, &fixture->arena, &fixture->diags));
    assert_int_equal(counts(fixture).dead, 0);
    struct job *job = lease_at(fixture, clock_wall_us(), true);
    assert_int_equal(job->task.effect_count, 1);
    assert_true(job->task.effects[0].sent_at > 0);
    job_free(job);
    assert_false(store_effect_retry(fixture->config.url, LIMEN_STR("eff_none"), &fixture->arena, &fixture->diags));
    assert_false(store_effect_show(fixture->config.url, LIMEN_STR("eff_none"), &out, &fixture->arena, &fixture->diags));
}

static void test_list_says_how_many_it_leaves_out_and_goes_on_behind_the_last_one(void **state)
{
    struct fixture *fixture = *state;
    struct buf out;
    put(fixture, "acc_a", "ord_a");
    limen_str dead = bury(fixture, 0);
    put(fixture, "acc_b", "ord_b");
    buf_init(&out, &fixture->arena, 256);
    struct store_effect_page page = { .filter = STORE_EFFECTS_OPEN, .most = 1 };
    assert_true(store_effect_list(fixture->config.url, &page, &out, &fixture->arena, &fixture->diags));
    assert_true(str_starts(buf_str(&out), dead));
    assert_int_equal(page.left, 1);
    assert_true(str_equal(page.after, dead));
    out.len = 0;
    assert_true(store_effect_list(fixture->config.url, &page, &out, &fixture->arena, &fixture->diags));
    assert_true(str_find(buf_str(&out), LIMEN_STR(" charge/ord_b\n"), 0) != SIZE_MAX);
    assert_int_equal(page.left, 0);
    page = (struct store_effect_page){ .filter = STORE_EFFECTS_DEAD, .most = 1 };
    assert_true(store_effect_list(fixture->config.url, &page, &out, &fixture->arena, &fixture->diags));
    assert_int_equal(page.left, 0);
}

static void test_dropped_effect_has_failed_and_one_that_was_sent_is_not_dropped_lightly(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, "acc_a", "ord_a");
    limen_str id = bury(fixture, /* sent_at= */ 1);
    assert_false(store_effect_drop(fixture->config.url, id, false, &fixture->arena, &fixture->diags));
    assert_int_equal(counts(fixture).dead, 1);
    assert_true(store_effect_drop(fixture->config.url, id, true, &fixture->arena, &fixture->diags));
    struct job *job = lease_at(fixture, clock_wall_us(), false);
    assert_int_equal(job->task.effect_count, 1);
    assert_true(job->task.effects[0].result.is_known);
    assert_int_equal(job->task.effects[0].result.outcome, LIMEN_EFFECT_FAILED);
    struct store_settlement done = of(&job->task.effects[0], STORE_EFFECT_DONE);
    assert_int_equal(settle(fixture, &done), STORE_OK);
    job_free(job);
    put(fixture, "acc_b", "ord_b");
    id = bury(fixture, 0);
    assert_true(store_effect_drop(fixture->config.url, id, false, &fixture->arena, &fixture->diags));
    assert_false(store_effect_drop(fixture->config.url, id, false, &fixture->arena, &fixture->diags));
}

int main(void)
{
#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_effect_is_kept_as_the_database_had_it),
        STORE_TEST(test_effect_and_batch_are_all_or_nothing),
        STORE_TEST(test_effect_without_a_row_of_the_callers_is_refused),
        STORE_TEST(test_effect_with_a_key_that_was_used_is_refused),
        STORE_TEST(test_key_that_is_too_long_is_an_error),
        STORE_TEST(test_lease_is_one_holders_until_it_runs_out),
        STORE_TEST(test_settlement_of_one_who_was_overtaken_is_refused),
        STORE_TEST(test_result_and_what_the_app_does_with_it_are_one),
        STORE_TEST(test_lease_takes_what_is_due_and_may_be_sent),
        STORE_TEST(test_count_tells_what_waits_and_what_is_dead),
        STORE_TEST(test_dead_effects_are_listed_and_run_again),
        STORE_TEST(test_list_says_how_many_it_leaves_out_and_goes_on_behind_the_last_one),
        STORE_TEST(test_dropped_effect_has_failed_and_one_that_was_sent_is_not_dropped_lightly),
    };
    return RUN_ON_BOTH(tests, tests);
}
