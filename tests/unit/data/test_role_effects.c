/* test_role_effects.c - results on their way to a worker: who may take one, what that lets it do, and what comes of its end. */
#include "role_fake.h"

#include "core/limits.h"
#include "data/role_internal.h"

#include <errno.h>
#include <unistd.h>

static struct statement with_effect[STATEMENTS + 1];
static struct query_set effect_queries = { .file = LIMEN_STR_INIT("queries.sql"),
                                           .statements = with_effect,
                                           .count = STATEMENTS + 1 };
static struct statement_result swept_by; /* whose results run SYSTEM_READ, in each test */
static struct data_job offered;          /* the last; its texts are gone */
static int offers;

static void note_job(void *context, const struct data_job *job)
{
    (void)context;
    assert_text(job->effect, "charge");
    assert_int_equal(job->outcome, LIMEN_EFFECT_DECLINED);
    assert_text(job->object_id, "pi_1");
    assert_text(job->code, "stolen_card");
    offered = *job;
    offers++;
}

/* An effect that was answered and is to be told. */
static void answer_effect(void)
{
    static char params_memory[64];
    struct buf params;
    buf_init_fixed(&params, params_memory, sizeof(params_memory));
    wire_put_values(&params, &text_value, 1);
    fake.effect = (struct store_effect){
        .id = LIMEN_STR("eff_1"),
        .fence = 6,
        .state = STORE_EFFECT_ANSWERED,
        .statement = &with_effect[STATEMENTS],
        .key = LIMEN_STR("charge/x"),
        .params = buf_str(&params),
        .payload = LIMEN_STR("{}"),
        .result = { .is_known = true,
                    .outcome = LIMEN_EFFECT_DECLINED,
                    .object_id = LIMEN_STR("pi_1"),
                    .code = LIMEN_STR("stolen_card") },
    };
    fake.has_effect = true;
    role_effects_look(role);
}

static void work(int turns)
{
    for (int i = 0; i < turns; i++) {
        turn(1);
        fake_finish_all(false);
    }
}

static int set_up_effects(void **state)
{
    memcpy(with_effect, statements, sizeof(statements));
    with_effect[STATEMENTS] = (struct statement){ .number = STATEMENTS,
                                                  .name = LIMEN_STR("charge"),
                                                  .kind = STATEMENT_EFFECT,
                                                  .params = text_param,
                                                  .param_count = 1,
                                                  .action = effect_find(LIMEN_STR("payments"), LIMEN_STR("")) };
    swept_by = (struct statement_result){ .effect = STATEMENTS, .outcomes = 1U << LIMEN_EFFECT_DECLINED };
    with_effect[SYSTEM_READ].results = &swept_by;
    with_effect[SYSTEM_READ].result_count = 1;
    queries = effect_queries;
    offers = 0;
    if (set_up(state) != 0)
        return -1;
    data_client_on_job(client, note_job, NULL);
    return 0;
}

/* Takes what is offered, in a slot of its own. */
static uint32_t take_job(void)
{
    answer_effect();
    work(4);
    assert_int_equal(offers, 1);
    uint32_t slot = take_slot();
    data_job_take(client, slot, offered.number);
    return slot;
}

/* ---- what a job may ------------------------------------------------------------------------------------------------- */

static void test_job_acts_for_the_system_and_its_batch_is_its_end(void **state)
{
    (void)state;
    uint32_t slot = take_job(), other = take_slot();
    assert_int_equal(answer_to(read_statement(slot, OP_PUBLIC, SYSTEM_READ)), DATA_OK);
    assert_int_equal(answer_to(read_statement(slot, OP_PUBLIC, ADMIN_READ)), DATA_FORBIDDEN);
    assert_int_equal(answer_to(read_statement(other, OP_PUBLIC, SYSTEM_READ)), DATA_FORBIDDEN);
    assert_int_equal(answer_to(commit_one(slot, OP_PUBLIC, INSERT, NULL)), DATA_OK);
    assert_int_equal(fake.settlements, 1);
    assert_int_equal(fake.settled.state, STORE_EFFECT_DONE);
    assert_int_equal(fake.settled.fence, 7);
    assert_int_equal(answer_to(read_statement(slot, OP_PUBLIC, SYSTEM_READ)), DATA_FORBIDDEN);
    assert_int_equal(answer_to(commit_one(slot, OP_PUBLIC, INSERT, NULL)), DATA_BUSY);
    data_slot_release(client, slot);
    work(3);
    assert_int_equal(fake.settlements, 1);
    assert_int_equal(fake.batches, 1);
    assert_true(role_effects_are_idle(role));
}

/* The effect was asked with "x" and was declined. */
static void test_job_runs_what_names_its_effect_and_outcome_for_what_was_asked(void **state)
{
    (void)state;
    static const struct {
        uint16_t effect;
        uint8_t outcomes;
        const char *value;
        enum data_outcome wanted;
    } CASES[] = {
        { STATEMENTS, 1U << LIMEN_EFFECT_DECLINED, "x", DATA_OK },
        { STATEMENTS, 7, "x", DATA_OK },
        { STATEMENTS, 7, "y", DATA_FORBIDDEN },
        { STATEMENTS, 7, "", DATA_FORBIDDEN },
        { STATEMENTS, 1U << LIMEN_EFFECT_SUCCEEDED | 1U << LIMEN_EFFECT_FAILED, "x", DATA_FORBIDDEN },
        { INSERT, 7, "x", DATA_FORBIDDEN },
    };
    uint32_t slot = take_job();
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        swept_by = (struct statement_result){ .effect = CASES[i].effect, .outcomes = CASES[i].outcomes };
        limen_value value = { .type = LIMEN_TYPE_TEXT, .as.text = str_of(CASES[i].value) };
        struct ask *ask = ask_on(slot, OP_PUBLIC);
        ask->request.row = &text_shape;
        data_read(client, &ask->request, SYSTEM_READ, &value, 1);
        assert_int_equal(answer_to(ask), CASES[i].wanted);
    }
    with_effect[SYSTEM_READ].result_count = 0;
    assert_int_equal(answer_to(read_statement(slot, OP_PUBLIC, SYSTEM_READ)), DATA_FORBIDDEN);
}

static void test_queue_of_a_job_is_judged_as_its_reads_are(void **state)
{
    (void)state;
    with_effect[SYSTEM_READ].kind = STATEMENT_EXEC;
    uint32_t slot = take_job();
    swept_by.outcomes = 1U << LIMEN_EFFECT_SUCCEEDED;
    assert_int_equal(answer_to(commit_one(slot, OP_PUBLIC, SYSTEM_READ, NULL)), DATA_FORBIDDEN);
    assert_int_equal(fake.batches, 0);
    swept_by.outcomes = 1U << LIMEN_EFFECT_DECLINED;
    assert_int_equal(answer_to(commit_one(slot, OP_PUBLIC, SYSTEM_READ, NULL)), DATA_OK);
    assert_int_equal(fake.batches, 1);
}

static void test_job_that_queues_nothing_is_done_all_the_same(void **state)
{
    (void)state;
    uint32_t slot = take_job();
    struct ask *ask = ask_on(slot, OP_PUBLIC);
    struct data_batch batch;
    data_batch_init(&batch, &call);
    data_commit(client, &ask->request, &batch, NULL, 200, (limen_str){ 0 });
    assert_int_equal(answer_to(ask), DATA_OK);
    assert_int_equal(fake.settled.state, STORE_EFFECT_DONE);
    assert_true(role_effects_are_idle(role));
}

static void test_batch_of_one_who_was_overtaken_changes_nothing(void **state)
{
    (void)state;
    uint32_t slot = take_job();
    fake.effect.fence++;
    assert_int_equal(answer_to(commit_one(slot, OP_PUBLIC, INSERT, NULL)), DATA_NONE);
    assert_int_equal(fake.batches, 0);
    assert_true(role_effects_are_idle(role));
}

/* ---- what ends one without its batch ---------------------------------------------------------------------------------- */

static void assert_offered_later(void)
{
    assert_int_equal(fake.settlements, 1);
    assert_int_equal(fake.settled.state, STORE_EFFECT_ANSWERED);
    assert_int_equal(fake.settled.attempts, 1);
    assert_int_equal(fake.settled.lease_until, 0);
    assert_true(fake.settled.due_at > loop_clock(loop)->wall_us);
    assert_true(role_effects_are_idle(role));
}

static void test_job_that_is_released_is_offered_later(void **state)
{
    (void)state;
    uint32_t slot = take_job();
    data_slot_release(client, slot);
    work(4);
    assert_offered_later();
}

static void test_job_whose_batch_was_refused_is_offered_later(void **state)
{
    (void)state;
    uint32_t slot = take_job();
    fake.fault = STORE_REFUSED;
    assert_int_equal(answer_to(commit_one(slot, OP_PUBLIC, INSERT, NULL)), DATA_REFUSED);
    fake.fault = STORE_OK;
    assert_int_equal(fake.settlements, 0);
    data_slot_release(client, slot);
    work(4);
    assert_offered_later();
}

static void test_job_of_a_worker_that_dies_is_offered_later_taken_or_not(void **state)
{
    (void)state;
    answer_effect();
    work(4);
    assert_int_equal(offers, 1);
    connect_both(); /* the connection before is gone */
    work(4);
    assert_offered_later();
    fake.settlements = 0;
    offers = 0;
    (void)take_job();
    work(2);
    connect_both();
    work(4);
    assert_offered_later();
}

static void test_what_was_leased_is_left_alone_when_the_lease_is_over_before_it_is_known(void **state)
{
    (void)state;
    answer_effect();
    assert_int_equal(fake.held_count, 1);
    role->effects.lease.lease_until = loop_clock(loop)->wall_us; /* the role has slept for as long */
    fake_finish_all(false);
    fake.has_effect = false;
    work(4);
    assert_int_equal(offers, 0);
    assert_true(role_effects_are_idle(role));
}

static void test_result_waits_while_there_is_no_worker(void **state)
{
    (void)state;
    data_client_free(client);
    client = data_client_new(loop);
    work(3);
    answer_effect();
    work(4);
    assert_int_equal(offers, 0);
    assert_int_equal(fake.settlements, 1);
    assert_int_equal(fake.settled.state, STORE_EFFECT_ANSWERED);
    assert_int_equal(fake.settled.attempts, 0); /* nobody has tried */
    assert_true(role_effects_are_idle(role));
}

/* ---- what is refused --------------------------------------------------------------------------------------------------- */

static void test_job_that_is_no_more_is_worth_nothing(void **state)
{
    (void)state;
    uint32_t slot = take_slot();
    data_job_take(client, slot, 4711);
    assert_int_equal(answer_to(read_statement(slot, OP_PUBLIC, SYSTEM_READ)), DATA_FORBIDDEN);
    assert_int_equal(answer_to(read_statement(slot, OP_PUBLIC, READ_ITEMS)), DATA_BUSY);
}

/* True when the data role has hung up on worker 9, who sends this frame. */
static bool is_cut_off(uint32_t slot, limen_str payload)
{
    int pair[2];
    char memory[256], replies[1024];
    struct buf out;
    ssize_t count;
    buf_init_fixed(&out, memory, sizeof(memory));
    wire_end(&out, wire_begin(&out, WIRE_JOB_TAKE, 0, slot, 1));
    out.len = WIRE_HEADER_BYTES;
    buf_add(&out, payload);
    wire_end(&out, 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    assert_true(data_role_add_worker(role, 9, pair[0]));
    assert_int_equal(send(pair[1], out.ptr, out.len, MSG_NOSIGNAL), out.len);
    work(4);
    do
        count = recv(pair[1], replies, sizeof(replies), 0);
    while (count > 0);
    bool is_cut = count == 0 || errno != EAGAIN;
    close(pair[1]);
    work(2);
    return is_cut;
}

static void test_worker_that_takes_what_it_was_not_given_is_cut_off(void **state)
{
    (void)state;
    answer_effect();
    work(4);
    char number[4];
    memcpy(number, &offered.number, sizeof(number));
    assert_true(is_cut_off(0, str_make(number, sizeof(number)))); /* another worker's */
    assert_true(is_cut_off(0, LIMEN_STR("")));
    assert_true(is_cut_off(0, LIMEN_STR("\0\0\0\0")));
    assert_true(is_cut_off(0, LIMEN_STR("\1\0\0\0\0")));
    assert_true(is_cut_off(LIMIT_CALLS_PER_WORKER, LIMEN_STR("\7\0\0\0")));
    assert_false(is_cut_off(0, LIMEN_STR("\7\7\7\7"))); /* too late, perhaps */
    uint32_t slot = take_slot();                        /* it is still whose it was */
    data_job_take(client, slot, offered.number);
    assert_int_equal(answer_to(commit_one(slot, OP_PUBLIC, INSERT, NULL)), DATA_OK);
}

static void test_news_are_passed_on(void **state)
{
    (void)state;
    uint32_t slot = take_slot();
    static const char *const news[] = { "pi_known", "pi_other", "" };
    static const enum data_outcome wanted[] = { DATA_OK, DATA_NONE, DATA_NONE };
    for (size_t i = 0; i < 3; i++) {
        struct ask *ask = ask_on(slot, OP_PUBLIC);
        data_effect_ask(client, &ask->request, str_of(news[i]));
        assert_int_equal(answer_to(ask), wanted[i]);
    }
    assert_int_equal(fake.asked, 2);
}

int main(void)
{
#define EFFECT_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_effects, tear_down)
    const struct CMUnitTest tests[] = {
        EFFECT_TEST(test_job_acts_for_the_system_and_its_batch_is_its_end),
        EFFECT_TEST(test_job_runs_what_names_its_effect_and_outcome_for_what_was_asked),
        EFFECT_TEST(test_queue_of_a_job_is_judged_as_its_reads_are),
        EFFECT_TEST(test_job_that_queues_nothing_is_done_all_the_same),
        EFFECT_TEST(test_batch_of_one_who_was_overtaken_changes_nothing),
        EFFECT_TEST(test_job_that_is_released_is_offered_later),
        EFFECT_TEST(test_job_whose_batch_was_refused_is_offered_later),
        EFFECT_TEST(test_job_of_a_worker_that_dies_is_offered_later_taken_or_not),
        EFFECT_TEST(test_what_was_leased_is_left_alone_when_the_lease_is_over_before_it_is_known),
        EFFECT_TEST(test_result_waits_while_there_is_no_worker),
        EFFECT_TEST(test_job_that_is_no_more_is_worth_nothing),
        EFFECT_TEST(test_worker_that_takes_what_it_was_not_given_is_cut_off),
        EFFECT_TEST(test_news_are_passed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
