/* Tests of data/role.h and data/client.h together: both ends in one loop, over a real socket, in front of a store of
 * arrays. */
#include "role_fake.h"

#include "core/limits.h"

#include <argon2.h>

/* ---- reads ------------------------------------------------------------------------------------------------------- */
static void test_credit_comes_first_and_attach_is_told(void **state)
{
    (void)state;
    assert_int_equal(attached, 1);
    uint32_t slot;
    for (uint32_t i = 0; i < LIMIT_CALLS_PER_WORKER; i++)
        assert_true(data_slot_take(client, &slot));
    assert_false(data_slot_take(client, &slot));
    data_slot_release(client, slot);
    assert_true(data_slot_take(client, &slot));
}

static void test_read_without_a_credential_acts_for_nobody(void **state)
{
    (void)state;
    fake.row_count = 3;
    fake.row_text_bytes = 5;
    struct ask *ask = read_statement(take_slot(), OP_PUBLIC, READ_ITEMS);
    assert_int_equal(answer_to(ask), DATA_OK);
    assert_int_equal(ask->request.row_count, 3);
    struct text_row *rows = ask->request.rows;
    assert_text(rows[0].text, "aaaaa");
    assert_text(rows[2].text, "ccccc");
    assert_int_equal(fake.actor.id_len, 0);
}

static void test_read_of_no_row_is_ok_and_empty(void **state)
{
    (void)state;
    struct ask *ask = read_statement(take_slot(), OP_PUBLIC, READ_ITEMS);
    assert_int_equal(answer_to(ask), DATA_OK);
    assert_int_equal(ask->request.row_count, 0);
}

static void test_large_answer_comes_in_chunks_and_lets_a_small_one_pass(void **state)
{
    (void)state;
    fake.row_count = 4000;
    fake.row_text_bytes = 1000;
    uint32_t slow = take_slot(), quick = take_slot();
    struct ask *large = read_statement(slow, OP_PUBLIC, READ_ITEMS);
    turn(2);
    fake_finish_all(false);
    fake.row_count = 1;
    struct ask *small = read_statement(quick, OP_PUBLIC, READ_ITEMS);
    for (int i = 0; i < 1000 && small->replies == 0; i++) {
        turn(1);
        fake_finish_all(false);
    }
    assert_int_equal(small->replies, 1);
    assert_int_equal(large->replies, 0);
    assert_int_equal(answer_to(large), DATA_OK);
    assert_int_equal(large->request.row_count, 4000);
    struct text_row *rows = large->request.rows;
    for (size_t i = 0; i < 4000; i++) {
        assert_int_equal(rows[i].text.len, 1000);
        assert_int_equal(rows[i].text.ptr[999], 'a' + (int)(i % 26));
    }
}

static void test_row_larger_than_a_chunk_comes_whole(void **state)
{
    (void)state;
    fake.row_count = 3;
    fake.row_text_bytes = 3 * LIMIT_ROWS_CHUNK_BYTES;
    struct ask *ask = read_statement(take_slot(), OP_PUBLIC, READ_ITEMS);
    assert_int_equal(answer_to(ask), DATA_OK);
    assert_int_equal(ask->request.row_count, 3);
}

static void test_row_larger_than_a_frame_is_an_error_of_that_request(void **state)
{
    (void)state;
    fake.row_count = 1;
    fake.row_text_bytes = LIMIT_FRAME_BYTES;
    uint32_t slot = take_slot();
    assert_int_equal(answer_to(read_statement(slot, OP_PUBLIC, READ_ITEMS)), DATA_ERROR);
    fake.row_text_bytes = 1;
    assert_int_equal(answer_to(read_statement(slot, OP_PUBLIC, READ_ITEMS)), DATA_OK);
}

static void test_answers_may_come_in_any_order(void **state)
{
    (void)state;
    struct ask *asks[50];
    fake.row_count = 1;
    for (size_t i = 0; i < 50; i++)
        asks[i] = read_statement(take_slot(), OP_PUBLIC, READ_ITEMS);
    for (int i = 0; i < 200 && fake.held_count < 50; i++)
        turn(1);
    assert_int_equal(fake_finish_all(/* newest_first= */ true), 50);
    for (size_t i = 0; i < 50; i++)
        assert_int_equal(answer_to(asks[i]), DATA_OK);
}

static void test_store_that_answers_at_once_is_served_too(void **state)
{
    (void)state;
    fake.is_immediate = true;
    fake.fault = STORE_BUSY;
    assert_int_equal(answer_to(read_statement(take_slot(), OP_PUBLIC, READ_ITEMS)), DATA_BUSY);
    fake.fault = STORE_OK;
    assert_int_equal(answer_to(read_statement(take_slot(), OP_PUBLIC, READ_ITEMS)), DATA_OK);
}

/* ---- scope ------------------------------------------------------------------------------------------------------- */
static void test_scope_needs_the_role_and_the_operation(void **state)
{
    (void)state;
    uint32_t admin = admin_slot(), customer = customer_slot(LIMEN_STR("a@b.example")), nobody = take_slot();
    size_t before = fake.submitted;
    static const struct {
        int who;
        uint16_t operation, statement;
        enum data_outcome outcome;
    } cases[] = {
        { 0, OP_ADMIN, ADMIN_READ, DATA_OK },
        { 0, OP_CUSTOMER, ADMIN_READ, DATA_FORBIDDEN }, /* the operation admits others as well */
        { 0, OP_MIXED, ADMIN_READ, DATA_FORBIDDEN },    /* one alternative does not demand it */
        { 0, OP_PUBLIC, ADMIN_READ, DATA_FORBIDDEN },
        { 0, OP_ADMIN, SYSTEM_READ, DATA_FORBIDDEN }, /* never for a worker */
        { 1, OP_ADMIN, ADMIN_READ, DATA_FORBIDDEN },
        { 2, OP_ADMIN, ADMIN_READ, DATA_FORBIDDEN },
        { 1, OP_CUSTOMER, READ_ITEMS, DATA_OK },
        { 2, OP_CUSTOMER, READ_ITEMS, DATA_OK },
    };
    size_t allowed = 0;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint32_t slot = cases[i].who == 0 ? admin : cases[i].who == 1 ? customer : nobody;
        assert_int_equal(answer_to(read_statement(slot, cases[i].operation, cases[i].statement)), cases[i].outcome);
        allowed += cases[i].outcome == DATA_OK;
    }
    assert_int_equal(fake.submitted - before, allowed); /* what is forbidden never reaches the store */
}

static void test_unknown_scope_is_refused_at_start(void **state)
{
    (void)state;
    statements[READ_ITEMS].scope = LIMEN_STR("nobody");
    struct diags diags;
    diags_init(&diags, &arena);
    struct data_role_config config = { .store = { .contract = &contract, .queries = &queries },
                                       .jwks = { [BY_TOKEN] = token_keys } };
    assert_null(data_role_new(loop, &config, &arena, &diags));
    assert_int_equal(diags.count, 1);
    statements[READ_ITEMS].scope = LIMEN_STR("");
}

/* ---- credentials ------------------------------------------------------------------------------------------------- */
static void test_sign_up_binds_the_slot_and_goes_with_the_batch(void **state)
{
    (void)state;
    uint32_t slot = take_slot();
    struct ask *ask = sign_up(slot, LIMEN_STR("New@Person.Example"));
    assert_int_equal(answer_to(ask), DATA_OK);
    assert_int_equal(fake.account_count, 1); /* the first account only: nothing is made before the batch */
    assert_text(principal_email(&ask->request.principal), "new@person.example");
    assert_true(str_starts(principal_id(&ask->request.principal), LIMEN_STR("acc_")));
    assert_int_equal(ask->request.principal.roles, BIT_CUSTOMER);

    assert_int_equal(answer_to(commit_one(slot, OP_PUBLIC, INSERT, NULL)), DATA_OK);
    assert_true(fake.last_had_sign_up);
    assert_same(principal_id(&fake.actor), principal_id(&ask->request.principal));
    assert_int_equal(fake.account_count, 2);
    assert_int_equal(answer_to(commit_one(slot, OP_CUSTOMER, INSERT, NULL)), DATA_OK);
    assert_false(fake.last_had_sign_up); /* once */

    struct ask *session = ask_on(take_slot(), OP_PUBLIC);
    data_show(client, &session->request, BY_SESSION, str_make(ask->request.token, TOKEN_TEXT_BYTES), false);
    assert_int_equal(answer_to(session), DATA_OK);
    assert_same(principal_id(&session->request.principal), principal_id(&ask->request.principal));
    assert_int_equal(answer_to(sign_up(take_slot(), LIMEN_STR("NEW@person.example"))), DATA_TAKEN);
}

static void test_email_taken_in_a_race_leaves_the_slot_to_nobody(void **state)
{
    (void)state;
    uint32_t first = take_slot(), second = take_slot();
    assert_int_equal(answer_to(sign_up(first, LIMEN_STR("same@person.example"))), DATA_OK);
    assert_int_equal(answer_to(sign_up(second, LIMEN_STR("same@person.example"))), DATA_OK);
    assert_int_equal(answer_to(commit_one(first, OP_PUBLIC, INSERT, NULL)), DATA_OK);
    assert_int_equal(answer_to(commit_one(second, OP_PUBLIC, INSERT, NULL)), DATA_TAKEN);
    assert_int_equal(answer_to(read_statement(second, OP_PUBLIC, READ_ITEMS)), DATA_OK);
    assert_int_equal(fake.actor.id_len, 0);
}

static void test_pending_sign_up_dies_with_its_slot(void **state)
{
    (void)state;
    uint32_t slot = take_slot();
    assert_int_equal(answer_to(sign_up(slot, LIMEN_STR("gone@person.example"))), DATA_OK);
    data_slot_release(client, slot);
    assert_int_equal(take_slot(), slot);
    assert_int_equal(answer_to(commit_one(slot, OP_PUBLIC, INSERT, NULL)), DATA_OK);
    assert_false(fake.last_had_sign_up);
    assert_int_equal(fake.actor.id_len, 0);
}

static void test_sign_in_answers_the_same_for_unknown_and_wrong(void **state)
{
    (void)state;
    uint32_t slot = take_slot();
    struct ask *wrong = sign_in(slot, LIMEN_STR("admin@shop.example"), LIMEN_STR("a wrong password"));
    assert_int_equal(answer_to(wrong), DATA_NONE);
    struct ask *unknown = sign_in(slot, LIMEN_STR("nobody@shop.example"), LIMEN_STR("a wrong password"));
    assert_int_equal(answer_to(unknown), DATA_NONE);
    assert_int_equal(wrong->request.principal.id_len, 0);
    assert_int_equal(unknown->request.principal.id_len, 0);
    assert_int_equal(answer_to(sign_in(slot, LIMEN_STR("ADMIN@shop.example"), str_of(first_password))), DATA_OK);
}

static void test_failed_sign_in_takes_the_slots_principal_away(void **state)
{
    (void)state;
    uint32_t slot = admin_slot();
    assert_int_equal(answer_to(sign_in(slot, LIMEN_STR("admin@shop.example"), LIMEN_STR("a wrong password"))),
                     DATA_NONE);
    assert_int_equal(answer_to(read_statement(slot, OP_ADMIN, ADMIN_READ)), DATA_FORBIDDEN);
}

static void test_sign_out_ends_the_session_for_everybody(void **state)
{
    (void)state;
    struct ask *in = sign_in(take_slot(), LIMEN_STR("admin@shop.example"), str_of(first_password));
    assert_int_equal(answer_to(in), DATA_OK);
    limen_str token = str_make(in->request.token, TOKEN_TEXT_BYTES);
    struct ask *session = ask_on(take_slot(), OP_ADMIN);
    data_show(client, &session->request, BY_SESSION, token, false);
    assert_int_equal(answer_to(session), DATA_OK);
    struct ask *out = ask_on(take_slot(), OP_ADMIN);
    data_sign_out(client, &out->request, token);
    assert_int_equal(answer_to(out), DATA_OK);
    session->replies = 0;
    data_show(client, &session->request, BY_SESSION, token, false);
    assert_int_equal(answer_to(session), DATA_NONE);
    assert_int_equal(answer_to(read_statement(session->request.slot, OP_ADMIN, ADMIN_READ)), DATA_FORBIDDEN);
}

static void test_token_of_the_wrong_form_never_reaches_the_store(void **state)
{
    (void)state;
    size_t before = fake.submitted;
    struct ask *ask = ask_on(take_slot(), OP_PUBLIC);
    data_show(client, &ask->request, BY_SESSION, LIMEN_STR("AAAA"), false);
    assert_int_equal(answer_to(ask), DATA_NONE);
    assert_int_equal(fake.submitted, before);
}

static void test_old_hash_is_made_anew_at_sign_in(void **state)
{
    (void)state;
    /* argon2id of "correct horse battery" with one pass over 64 KiB. */
    char old[HASH_TEXT_BYTES];
    assert_int_equal(argon2id_hash_encoded(/* t_cost= */ 1, /* m_cost= */ 64, 1, "correct horse battery", 21,
                                           "sixteen bytes ok", 16, 32, old, sizeof(old)),
                     ARGON2_OK);
    assert_true(fake_add_account(LIMEN_STR("old@person.example"), str_of(old),
                                 fake_principal(LIMEN_STR("acc_old"), LIMEN_STR("old@person.example"), BIT_CUSTOMER)));
    assert_true(password_hash_is_old(old));
    assert_int_equal(
        answer_to(sign_in(take_slot(), LIMEN_STR("old@person.example"), LIMEN_STR("correct horse battery"))), DATA_OK);
    assert_int_equal(fake.rehashes, 1);
    assert_false(password_hash_is_old(fake_find(LIMEN_STR("old@person.example"))->hash));
    assert_int_equal(
        answer_to(sign_in(take_slot(), LIMEN_STR("old@person.example"), LIMEN_STR("correct horse battery"))), DATA_OK);
    assert_int_equal(fake.rehashes, 1);
}

static void test_sign_ins_past_the_queue_are_turned_away(void **state)
{
    (void)state;
    fake.is_immediate = true;
    enum { MANY = 3 * LIMIT_HASH_QUEUE }; /* the threads take some meanwhile, but not twice what the queue holds */
    struct ask *asks[MANY];
    for (size_t i = 0; i < MANY; i++) {
        asks[i] = ask_on(take_slot(), OP_PUBLIC);
        if (i % 2 == 1)
            asks[i]->request.timeout_us = 1000; /* late when its turn comes; the others keep the threads busy */
        data_sign_in(client, &asks[i]->request, LIMEN_STR("nobody@b.example"), LIMEN_STR("a wrong password"));
    }
    size_t busy = 0, late = 0;
    for (size_t i = 0; i < MANY; i++) {
        enum data_outcome outcome = answer_to(asks[i]);
        busy += outcome == DATA_BUSY;
        late += outcome == DATA_TIMEOUT;
        assert_true(outcome == DATA_BUSY || outcome == DATA_TIMEOUT || outcome == DATA_NONE);
    }
    assert_true(busy >= 1 && late >= 1);
}

/* ---- batches ----------------------------------------------------------------------------------------------------- */
static void test_keyed_batch_is_replayed(void **state)
{
    (void)state;
    uint32_t slot = customer_slot(LIMEN_STR("k@b.example"));
    struct data_key key = { .key = LIMEN_STR("key-1") };
    assert_int_equal(answer_to(commit_one(slot, OP_CUSTOMER, INSERT, &key)), DATA_OK);
    struct ask *again = commit_one(slot, OP_CUSTOMER, INSERT, &key);
    assert_int_equal(answer_to(again), DATA_REPLAY);
    assert_int_equal(again->request.status, 201);
    assert_text(again->request.reply, "{\"id\":1}");
}

static void test_key_without_a_principal_is_forbidden(void **state)
{
    (void)state;
    struct data_key key = { .key = LIMEN_STR("key-1") };
    uint32_t slot = take_slot();
    assert_int_equal(answer_to(commit_one(slot, OP_PUBLIC, INSERT, &key)), DATA_FORBIDDEN);
    struct ask *ask = ask_on(slot, OP_PUBLIC);
    data_key_find(client, &ask->request, &key);
    assert_int_equal(answer_to(ask), DATA_FORBIDDEN);
}

static void test_refused_batch_names_its_statement(void **state)
{
    (void)state;
    fake.fault = STORE_REFUSED;
    fake.refuse_at = 17;
    struct ask *ask = commit_one(take_slot(), OP_PUBLIC, MUST, NULL);
    assert_int_equal(answer_to(ask), DATA_REFUSED);
    assert_int_equal(ask->request.refused_by, 17);
}

static void test_returned_rows_come_with_the_commit(void **state)
{
    (void)state;
    fake.returned_bytes = 100000;
    struct ask *ask = commit_one(take_slot(), OP_PUBLIC, RETURNING, NULL);
    assert_int_equal(answer_to(ask), DATA_OK);
    assert_int_equal(ask->request.returned.len, 100000);
    assert_int_equal(ask->request.returned.ptr[99999], 'r');
}

static void test_empty_batch_costs_no_trip_to_the_store(void **state)
{
    (void)state;
    size_t before = fake.submitted;
    struct ask *ask = ask_on(take_slot(), OP_PUBLIC);
    struct data_batch batch;
    data_batch_init(&batch, &call);
    data_commit(client, &ask->request, &batch, NULL, 0, LIMEN_STR(""));
    assert_int_equal(answer_to(ask), DATA_OK);
    assert_int_equal(fake.submitted, before);
}

static void test_batch_past_the_ceiling_does_not_leave_the_worker(void **state)
{
    (void)state;
    struct ask *ask = ask_on(take_slot(), OP_PUBLIC);
    struct data_batch batch;
    data_batch_init(&batch, &call);
    for (size_t i = 0; i <= LIMIT_BATCH_STATEMENTS; i++)
        data_batch_add(&batch, INSERT, &text_value, 1);
    data_commit(client, &ask->request, &batch, NULL, 0, LIMEN_STR(""));
    assert_int_equal(ask->replies, 0); /* never from inside */
    assert_int_equal(answer_to(ask), DATA_ERROR);
    assert_true(data_client_is_attached(client));
}

/* ---- leaving ----------------------------------------------------------------------------------------------------- */
static void test_released_slot_is_forgotten_and_its_task_cancelled(void **state)
{
    (void)state;
    uint32_t slot = admin_slot();
    struct ask *ask = read_statement(slot, OP_ADMIN, ADMIN_READ);
    for (int i = 0; i < 100 && fake.held_count == 0; i++)
        turn(1);
    data_slot_release(client, slot);
    turn(3);
    assert_int_equal(take_slot(), slot);
    struct ask *next = read_statement(slot, OP_ADMIN, ADMIN_READ);
    assert_int_equal(answer_to(next), DATA_FORBIDDEN); /* while the task of before is still with the store */
    fake_finish_all(false);
    turn(3);
    assert_int_equal(fake.cancelled, 1);
    assert_int_equal(ask->replies, 0);
    assert_true(data_role_is_idle(role));
}

static void test_cancelled_request_leaves_the_principal(void **state)
{
    (void)state;
    uint32_t slot = admin_slot();
    struct ask *ask = read_statement(slot, OP_ADMIN, ADMIN_READ);
    turn(3);
    data_cancel(client, slot);
    turn(3);
    assert_int_equal(answer_to(read_statement(slot, OP_ADMIN, ADMIN_READ)), DATA_OK);
    assert_int_equal(ask->replies, 0);
}

static void test_sign_in_that_is_cancelled_binds_nobody(void **state)
{
    (void)state;
    uint32_t slot = take_slot();
    struct ask *ask = sign_in(slot, LIMEN_STR("admin@shop.example"), str_of(first_password));
    for (int i = 0; i < 100 && fake.held_count == 0; i++)
        turn(1);
    fake_finish_all(false); /* argon2 is under way now */
    data_slot_release(client, slot);
    for (int i = 0; i < 20000 && !data_role_is_idle(role); i++) {
        turn(1);
        fake_finish_all(false);
    }
    assert_true(data_role_is_idle(role));
    assert_int_equal(fake.session_count, 0);
    assert_int_equal(take_slot(), slot);
    assert_int_equal(answer_to(read_statement(slot, OP_ADMIN, ADMIN_READ)), DATA_FORBIDDEN);
    assert_int_equal(ask->replies, 0);
}

static void test_worker_that_dies_leaves_nothing_behind(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++)
        (void)read_statement(take_slot(), OP_PUBLIC, READ_ITEMS);
    for (int i = 0; i < 100 && fake.held_count < 20; i++)
        turn(1);
    data_client_free(client);
    turn(3);
    assert_false(data_role_is_idle(role)); /* the store still has them */
    assert_int_equal(fake_finish_all(false), 20);
    assert_int_equal(fake.cancelled, 20);
    turn(3);
    assert_true(data_role_is_idle(role));
    client = data_client_new(loop);
    connect_both();
    assert_int_equal(answer_to(read_statement(take_slot(), OP_PUBLIC, READ_ITEMS)), DATA_OK);
}

static void test_death_of_the_data_role_ends_every_request_and_attaching_starts_over(void **state)
{
    (void)state;
    uint32_t slot = admin_slot();
    struct ask *read = read_statement(slot, OP_ADMIN, ADMIN_READ),
               *write = commit_one(take_slot(), OP_PUBLIC, INSERT, NULL);
    turn(3);
    data_role_free(role);
    role = NULL;
    turn(3);
    assert_int_equal(read->replies, 1);
    assert_int_equal(read->request.outcome, DATA_GONE);
    assert_int_equal(write->request.outcome, DATA_GONE);
    assert_false(data_client_is_attached(client));
    struct ask *later = read_statement(slot, OP_PUBLIC, READ_ITEMS);
    assert_int_equal(later->replies, 0);
    turn(1);
    assert_int_equal(later->replies, 1);
    assert_int_equal(later->request.outcome, DATA_GONE);

    struct diags diags;
    diags_init(&diags, &arena);
    struct data_role_config config = { .store = { .contract = &contract, .queries = &queries },
                                       .jwks = { [BY_TOKEN] = token_keys } };
    role = data_role_new(loop, &config, &arena, &diags);
    assert_non_null(role);
    connect_both();
    assert_int_equal(attached, 2);
    assert_int_equal(answer_to(read_statement(slot, OP_ADMIN, ADMIN_READ)), DATA_GONE); /* whose was it? */
    assert_int_equal(answer_to(sign_in(slot, LIMEN_STR("admin@shop.example"), str_of(first_password))), DATA_OK);
    assert_int_equal(answer_to(read_statement(slot, OP_ADMIN, ADMIN_READ)), DATA_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROLE_TEST(test_credit_comes_first_and_attach_is_told),
        ROLE_TEST(test_read_without_a_credential_acts_for_nobody),
        ROLE_TEST(test_read_of_no_row_is_ok_and_empty),
        ROLE_TEST(test_large_answer_comes_in_chunks_and_lets_a_small_one_pass),
        ROLE_TEST(test_row_larger_than_a_chunk_comes_whole),
        ROLE_TEST(test_row_larger_than_a_frame_is_an_error_of_that_request),
        ROLE_TEST(test_answers_may_come_in_any_order),
        ROLE_TEST(test_store_that_answers_at_once_is_served_too),
        ROLE_TEST(test_scope_needs_the_role_and_the_operation),
        ROLE_TEST(test_unknown_scope_is_refused_at_start),
        ROLE_TEST(test_sign_up_binds_the_slot_and_goes_with_the_batch),
        ROLE_TEST(test_email_taken_in_a_race_leaves_the_slot_to_nobody),
        ROLE_TEST(test_pending_sign_up_dies_with_its_slot),
        ROLE_TEST(test_sign_in_answers_the_same_for_unknown_and_wrong),
        ROLE_TEST(test_failed_sign_in_takes_the_slots_principal_away),
        ROLE_TEST(test_sign_out_ends_the_session_for_everybody),
        ROLE_TEST(test_token_of_the_wrong_form_never_reaches_the_store),
        ROLE_TEST(test_old_hash_is_made_anew_at_sign_in),
        ROLE_TEST(test_sign_ins_past_the_queue_are_turned_away),
        ROLE_TEST(test_keyed_batch_is_replayed),
        ROLE_TEST(test_key_without_a_principal_is_forbidden),
        ROLE_TEST(test_refused_batch_names_its_statement),
        ROLE_TEST(test_returned_rows_come_with_the_commit),
        ROLE_TEST(test_empty_batch_costs_no_trip_to_the_store),
        ROLE_TEST(test_batch_past_the_ceiling_does_not_leave_the_worker),
        ROLE_TEST(test_released_slot_is_forgotten_and_its_task_cancelled),
        ROLE_TEST(test_cancelled_request_leaves_the_principal),
        ROLE_TEST(test_sign_in_that_is_cancelled_binds_nobody),
        ROLE_TEST(test_worker_that_dies_leaves_nothing_behind),
        ROLE_TEST(test_death_of_the_data_role_ends_every_request_and_attaching_starts_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
