/* Tests of the data role with Redis: whose sessions are where, what a sign-up leaves behind, and limits that hosts share. */
#include "fake_redis.h"
#include "role_fake.h"

#include "core/limits.h"

#include <errno.h>
#include <unistd.h>

static struct rate_limit limits[] = {
    { .quota = 3, .window_us = 60000000, .name = LIMEN_STR_INIT("often"), .policy = 1 },
    { .quota = 3, .window_us = 3600000000, .name = LIMEN_STR_INIT("often"), .policy = 2 },
};

static void step_both(void)
{
    fake_redis_answer_all();
    fake_finish_all(/* newest_first= */ false);
}

static int set_up_shared(void **state)
{
    static const struct redis_url url = { .port = 6379 };
    (void)state;
    memset(&fake, 0, sizeof(fake));
    fake_redis_reset();
    store_step = step_both;
    arena_init(&arena, NULL, 64U * 1024 * 1024);
    arena_init(&call, NULL, 64U * 1024 * 1024);
    loop = loop_new();
    operations[OP_PUBLIC].limits = limits;
    operations[OP_PUBLIC].limit_count = 2;
    contract.policy_count = 3;
    struct diags diags;
    diags_init(&diags, &arena);
    struct data_role_config config = { .store = { .contract = &contract, .queries = &queries },
                                       .jwks = { [BY_TOKEN] = token_keys },
                                       .webhook_secrets = { [BY_SIGNATURE] = LIMEN_STR_INIT("whsec_test") },
                                       .redis = &url,
                                       .app_name = LIMEN_STR("shop"),
                                       .limit_scale = 1,
                                       .hash_threads = 1,
                                       .on_first_account = note_first };
    role = data_role_new(loop, &config, &arena, &diags);
    client = data_client_new(loop);
    if (loop == NULL || role == NULL || client == NULL || !data_client_remember_tokens(client))
        return -1;
    connect_both();
    return 0;
}

#define SHARED_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_shared, tear_down)

static limen_str token_of(const struct ask *ask)
{
    return str_make(ask->request.token, sizeof(ask->request.token));
}

static struct ask *show(limen_str token)
{
    struct ask *ask = ask_on(take_slot(), OP_CUSTOMER);
    data_show(client, &ask->request, BY_SESSION, token, false);
    return ask;
}

/* ---- sessions ---------------------------------------------------------------------------------------------------------- */

static void test_a_session_is_in_redis_and_nowhere_else(void **state)
{
    (void)state;
    struct ask *ask = sign_in(take_slot(), LIMEN_STR("admin@shop.example"), str_of(first_password));
    assert_int_equal(answer_to(ask), DATA_OK);
    assert_int_equal(fake.session_count, 0);
    assert_int_equal(fake_redis.key_count, 1);
    const struct fake_key *key = &fake_redis.keys[0];
    assert_true(str_starts(str_of(key->key), LIMEN_STR("limen:shop:session:")));
    assert_int_equal(strlen(key->key), strlen("limen:shop:session:") + 64);
    assert_string_equal(key->fields[0], "acc_first");
    assert_string_equal(key->fields[1], "admin@shop.example");
    assert_string_equal(key->fields[2], "admin");

    size_t submitted = fake.submitted;
    struct ask *shown = show(token_of(ask));
    assert_int_equal(answer_to(shown), DATA_OK);
    assert_text(principal_id(&shown->request.principal), "acc_first");
    assert_text(principal_email(&shown->request.principal), "admin@shop.example");
    assert_int_equal(shown->request.principal.roles, BIT_ADMIN);
    assert_int_equal(fake.submitted, submitted);

    struct ask *ended = ask_on(take_slot(), OP_CUSTOMER);
    data_sign_out(client, &ended->request, token_of(ask));
    assert_int_equal(answer_to(ended), DATA_OK);
    assert_int_equal(fake_redis.key_count, 0);
    assert_int_equal(answer_to(show(token_of(ask))), DATA_NONE);
}

static void test_a_session_that_makes_no_sense_opens_nothing(void **state)
{
    (void)state;
    struct ask *ask = sign_in(take_slot(), LIMEN_STR("admin@shop.example"), str_of(first_password));
    assert_int_equal(answer_to(ask), DATA_OK);
    memset(fake_redis.keys[0].fields[1], 'x', FAKE_REDIS_TEXT - 1); /* longer than an email can be */
    assert_int_equal(answer_to(show(token_of(ask))), DATA_ERROR);
    fake_redis.keys[0].fields[1][0] = '\0';
    fake_redis.keys[0].fields[0][0] = '\0'; /* nobody's */
    assert_int_equal(answer_to(show(token_of(ask))), DATA_ERROR);
    fake_redis.talks_nonsense = true;
    assert_int_equal(answer_to(show(token_of(ask))), DATA_ERROR);
}

static void test_without_redis_nobody_signs_in_and_no_password_is_hashed(void **state)
{
    (void)state;
    struct ask *ask = sign_in(take_slot(), LIMEN_STR("admin@shop.example"), str_of(first_password));
    assert_int_equal(answer_to(ask), DATA_OK);
    fake_redis.is_away = true;
    size_t submitted = fake.submitted;
    assert_int_equal(answer_to(sign_in(take_slot(), LIMEN_STR("admin@shop.example"), str_of(first_password))),
                     DATA_BUSY);
    assert_int_equal(answer_to(sign_up(take_slot(), LIMEN_STR("new@example.com"))), DATA_BUSY);
    assert_int_equal(answer_to(show(token_of(ask))), DATA_BUSY);
    struct ask *ended = ask_on(take_slot(), OP_CUSTOMER);
    data_sign_out(client, &ended->request, token_of(ask));
    assert_int_equal(answer_to(ended), DATA_BUSY);
    assert_int_equal(fake.submitted, submitted);

    fake_redis.is_away = false;
    fake_redis.is_silent = true; /* it is lost under way */
    ended = ask_on(take_slot(), OP_CUSTOMER);
    data_sign_out(client, &ended->request, token_of(ask));
    assert_int_equal(answer_to(ended), DATA_UNKNOWN);
}

/* ---- sign-ups ---------------------------------------------------------------------------------------------------------- */

/* A slot that has signed up and not committed yet. */
static struct ask *signed_up(void)
{
    struct ask *ask = sign_up(take_slot(), LIMEN_STR("new@example.com"));
    assert_int_equal(answer_to(ask), DATA_OK);
    assert_int_equal(fake_redis.key_count, 0); /* nothing is made before there is something to commit */
    return ask;
}

static void test_a_sign_up_has_its_session_before_its_account(void **state)
{
    (void)state;
    struct ask *ask = signed_up();
    size_t batches = fake.batches;
    struct ask *commit = commit_one(ask->request.slot, OP_PUBLIC, INSERT, NULL);
    turn(3);
    assert_int_equal(fake_redis.waiting, 1);
    assert_int_equal(fake.batches, batches);
    assert_int_equal(answer_to(commit), DATA_OK);
    assert_true(fake.last_had_sign_up);
    assert_int_equal(fake.session_count, 0);
    assert_int_equal(fake_redis.key_count, 1);
    data_slot_release(client, ask->request.slot);
    turn(3);
    assert_int_equal(answer_to(show(token_of(ask))), DATA_OK);
}

static void test_a_sign_up_that_is_not_committed_leaves_no_session(void **state)
{
    (void)state;
    static const enum store_outcome faults[] = { STORE_REFUSED, STORE_TAKEN, STORE_UNKNOWN, STORE_ERROR,
                                                 STORE_TIMEOUT };
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        struct ask *ask = signed_up();
        struct ask *commit = commit_one(ask->request.slot, OP_PUBLIC, INSERT, NULL);
        turn(3);
        fake_redis_answer_all();
        assert_int_equal(fake_redis.key_count, 1);
        fake.fault = faults[i];
        assert_int_not_equal(answer_to(commit), DATA_OK);
        fake.fault = STORE_OK;
        assert_int_equal(fake_redis.key_count, 0);
        data_slot_release(client, ask->request.slot);
        turn(3);
    }
}

static void test_without_its_session_no_account_is_made(void **state)
{
    (void)state;
    struct ask *ask = signed_up();
    size_t batches = fake.batches;
    fake_redis.is_silent = true;
    assert_int_equal(answer_to(commit_one(ask->request.slot, OP_PUBLIC, INSERT, NULL)), DATA_BUSY);
    assert_int_equal(fake.batches, batches);
    fake_redis.is_silent = false;
    data_slot_release(client, ask->request.slot);
    turn(3);
    assert_int_equal(fake_redis.key_count, 0);
    assert_int_equal(answer_to(sign_up(take_slot(), LIMEN_STR("new@example.com"))), DATA_OK);
}

static void test_who_leaves_in_the_middle_of_a_sign_up_leaves_no_session(void **state)
{
    (void)state;
    for (int way = 0; way < 3; way++) {
        struct ask *ask = signed_up();
        struct ask *commit = commit_one(ask->request.slot, OP_PUBLIC, INSERT, NULL);
        turn(3);
        assert_int_equal(fake_redis.waiting, 1);
        if (way == 1) { /* the session is there, the batch is with the store */
            fake_redis_answer_all();
            assert_int_equal(fake_redis.key_count, 1);
        }
        if (way == 2)
            data_cancel(client, ask->request.slot);
        data_slot_release(client, ask->request.slot);
        turn(3);
        step_both();
        turn(3);
        assert_int_equal(commit->replies, 0);
        assert_int_equal(fake_redis.key_count, 0);
        assert_true(data_role_is_idle(role));
        fake.account_count = 1; /* one of the batches was committed all the same */
    }
}

static void test_an_interactive_sign_up_keeps_its_session_when_it_is_committed(void **state)
{
    (void)state;
    for (int is_committed = 0; is_committed < 2; is_committed++) {
        struct ask *ask = signed_up();
        struct ask *step = ask_on(ask->request.slot, OP_PUBLIC);
        struct data_batch batch;
        data_batch_init(&batch, &call);
        data_batch_add(&batch, INSERT, &text_value, 1);
        step->request.row = &text_shape;
        data_step(client, &step->request, &batch, NULL, READ_ITEMS, &text_value, 1);
        assert_int_equal(answer_to(step), DATA_OK);
        assert_int_equal(fake_redis.key_count, 1);
        if (is_committed)
            assert_int_equal(answer_to(commit_one(ask->request.slot, OP_PUBLIC, INSERT, NULL)), DATA_OK);
        data_slot_release(client, ask->request.slot);
        turn(3);
        step_both();
        assert_int_equal(fake_redis.key_count, is_committed);
        fake.account_count = 1;
    }
}

/* ---- limits ------------------------------------------------------------------------------------------------------------ */

static struct ask *count_in(uint32_t slot, const struct data_limit *all, size_t count)
{
    struct ask *ask = ask_on(slot, OP_PUBLIC);
    data_limit(client, &ask->request, all, count);
    return ask;
}

static void test_limits_are_counted_in_redis(void **state)
{
    (void)state;
    const struct data_limit all[] = { { 1, LIMEN_STR("acc_1") }, { 2, LIMEN_STR("acc_1") } };
    uint32_t slot = take_slot();
    for (int i = 1; i <= 3; i++) {
        struct ask *ask = count_in(slot, all, 2);
        assert_int_equal(answer_to(ask), DATA_OK);
        assert_int_equal(ask->request.counted.count, 2);
        assert_false(ask->request.counted.is_refused);
        assert_int_equal(ask->request.counted.debt_us[1], i);
    }
    struct ask *refused = count_in(slot, all, 2);
    assert_int_equal(answer_to(refused), DATA_OK);
    assert_true(refused->request.counted.is_refused);
    assert_int_equal(refused->request.counted.count, 1);
    assert_int_equal(fake_redis.key_count, 2);
    for (size_t i = 0; i < 2; i++) {
        limen_str key = str_of(fake_redis.keys[i].key);
        assert_true(str_starts(key, LIMEN_STR("limen:shop:limit:often:3/")));
        assert_int_equal(str_find(key, LIMEN_STR("acc_1"), 0), SIZE_MAX);
    }
    const struct data_limit other = { 1, LIMEN_STR("acc_2") }, nobody = { 1, LIMEN_STR("") };
    struct ask *ask = count_in(slot, &other, 1);
    assert_int_equal(answer_to(ask), DATA_OK);
    assert_false(ask->request.counted.is_refused);
    assert_int_equal(answer_to(count_in(slot, &nobody, 1)), DATA_OK);
}

static void test_who_cannot_be_counted_is_told_so(void **state)
{
    (void)state;
    const struct data_limit limit = { 1, LIMEN_STR("acc_1") };
    uint32_t slot = take_slot();
    fake_redis.talks_nonsense = true;
    assert_int_equal(answer_to(count_in(slot, &limit, 1)), DATA_BUSY);
    fake_redis.talks_nonsense = false;
    fake_redis.is_silent = true;
    assert_int_equal(answer_to(count_in(slot, &limit, 1)), DATA_BUSY);
    fake_redis.is_silent = false;
    fake_redis.is_away = true;
    assert_int_equal(answer_to(count_in(slot, &limit, 1)), DATA_BUSY);
}

static limen_str limit_payload(uint8_t count, uint32_t policy, size_t caller_bytes)
{
    static const char caller[LIMIT_CALLER_BYTES + 1];
    struct buf out;
    buf_init(&out, &call, 0);
    wire_put_u32(&out, 1000000);
    wire_put_u8(&out, count);
    for (uint8_t i = 0; i < count; i++) {
        wire_put_u32(&out, policy);
        wire_put_str(&out, str_make(caller, caller_bytes));
    }
    return buf_str(&out);
}

static bool is_cut_off(limen_str payload)
{
    int pair[2];
    char replies[4096];
    struct buf out;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    assert_true(data_role_add_worker(role, 9, pair[0]));
    buf_init(&out, &call, 0);
    size_t begin = wire_begin(&out, WIRE_LIMIT, OP_PUBLIC, 0, 1);
    buf_add(&out, payload);
    wire_end(&out, begin);
    assert_int_equal(send(pair[1], out.ptr, out.len, MSG_NOSIGNAL), out.len);
    for (int i = 0; i < 4; i++) {
        turn(1);
        step_both();
    }
    ssize_t count;
    do
        count = recv(pair[1], replies, sizeof(replies), 0);
    while (count > 0);
    bool is_cut = count == 0 || errno != EAGAIN;
    close(pair[1]);
    turn(2);
    return is_cut;
}

static void test_a_worker_that_counts_what_is_none_is_cut_off(void **state)
{
    (void)state;
    limen_str good = limit_payload(1, 1, 8);
    assert_false(is_cut_off(good));
    assert_false(is_cut_off(limit_payload(LIMIT_LIMITS_AT_ONCE, 2, LIMIT_CALLER_BYTES)));
    assert_true(is_cut_off(limit_payload(0, 1, 8)));
    assert_true(is_cut_off(limit_payload(LIMIT_LIMITS_AT_ONCE + 1, 1, 8)));
    assert_true(is_cut_off(limit_payload(255, 1, 8)));
    assert_true(is_cut_off(limit_payload(1, 0, 8))); /* by address: each host's own */
    assert_true(is_cut_off(limit_payload(1, 3, 8)));
    assert_true(is_cut_off(limit_payload(1, UINT32_MAX, 8)));
    assert_true(is_cut_off(limit_payload(1, 1, LIMIT_CALLER_BYTES + 1)));
    assert_true(is_cut_off(str_slice(good, 0, good.len - 1)));
    assert_true(is_cut_off(str_slice(good, 0, 4)));
    assert_true(data_role_is_idle(role));
}

static void test_hosts_that_share_nothing_are_not_asked_to_count(void **state)
{
    (void)state;
    assert_true(is_cut_off(limit_payload(1, 1, 8)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SHARED_TEST(test_a_session_is_in_redis_and_nowhere_else),
        SHARED_TEST(test_a_session_that_makes_no_sense_opens_nothing),
        SHARED_TEST(test_without_redis_nobody_signs_in_and_no_password_is_hashed),
        SHARED_TEST(test_a_sign_up_has_its_session_before_its_account),
        SHARED_TEST(test_a_sign_up_that_is_not_committed_leaves_no_session),
        SHARED_TEST(test_without_its_session_no_account_is_made),
        SHARED_TEST(test_who_leaves_in_the_middle_of_a_sign_up_leaves_no_session),
        SHARED_TEST(test_an_interactive_sign_up_keeps_its_session_when_it_is_committed),
        SHARED_TEST(test_limits_are_counted_in_redis),
        SHARED_TEST(test_who_cannot_be_counted_is_told_so),
        SHARED_TEST(test_a_worker_that_counts_what_is_none_is_cut_off),
        ROLE_TEST(test_hosts_that_share_nothing_are_not_asked_to_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
