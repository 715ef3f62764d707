/* Tests of data/role.h and data/client.h together: both ends in one loop, over a real socket, in front of a store of
 * arrays. */
#include "data/role.h"

#include "check.h"

#include "core/limits.h"
#include "core/loop.h"
#include "data/client.h"
#include "data/credentials.h"
#include "fake_store.h"

#include <argon2.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- a contract and statements ----------------------------------------------------------------------------------- */
enum { OP_PUBLIC, OP_CUSTOMER, OP_ADMIN, OP_MIXED, OP_COUNT };
enum { BIT_CUSTOMER = 1, BIT_ADMIN = 2 };
enum { READ_ITEMS, INSERT, MUST, RETURNING, ADMIN_READ, SYSTEM_READ, STATEMENTS };

static struct requirement need_customer[] = { { 0, BIT_CUSTOMER } }, need_admin[] = { { 0, BIT_ADMIN } },
                          need_either[] = { { 0, BIT_ADMIN }, { 0, BIT_CUSTOMER } };
static struct operation operations[OP_COUNT] = {
    { .index = OP_PUBLIC, .is_public = true },
    { .index = OP_CUSTOMER, .requirements = need_customer, .requirement_count = 1 },
    { .index = OP_ADMIN, .requirements = need_admin, .requirement_count = 1 },
    { .index = OP_MIXED, .requirements = need_either, .requirement_count = 2 },
};
static struct security_scheme scheme = {
    .name = LIMEN_STR_INIT("session"),
    .sign_up_roles = BIT_CUSTOMER,
    .has_first_account = true,
    .first_id = LIMEN_STR_INIT("acc_first"),
    .first_email = LIMEN_STR_INIT("admin@shop.example"),
    .first_roles = BIT_ADMIN,
};
static struct contract contract = {
    .operations = operations,
    .operation_count = OP_COUNT,
    .schemes = &scheme,
    .scheme_count = 1,
    .roles = { LIMEN_STR_INIT("customer"), LIMEN_STR_INIT("admin") },
    .role_count = 2,
};
static struct statement_param text_param[] = { { LIMEN_STR_INIT("a"), LIMEN_TYPE_TEXT, false, false } };
static struct statement_column text_column[] = { { LIMEN_STR_INIT("a"), LIMEN_TYPE_TEXT, false, 0 } };
#define READS .params = text_param, .param_count = 1, .columns = text_column, .column_count = 1
static struct statement statements[STATEMENTS] = {
    { .number = 0, .name = LIMEN_STR_INIT("items"), .kind = STATEMENT_MANY, READS },
    { .number = 1, .name = LIMEN_STR_INIT("insert"), .kind = STATEMENT_EXEC, .params = text_param, .param_count = 1 },
    { .number = 2, .name = LIMEN_STR_INIT("must"), .kind = STATEMENT_MUST, .params = text_param, .param_count = 1 },
    { .number = 3, .name = LIMEN_STR_INIT("returning"), .kind = STATEMENT_RETURNING, READS },
    { .number = 4, .name = LIMEN_STR_INIT("all"), .kind = STATEMENT_MANY, .scope = LIMEN_STR_INIT("admin"), READS },
    { .number = 5, .name = LIMEN_STR_INIT("sweep"), .kind = STATEMENT_ONE, .scope = LIMEN_STR_INIT("system"), READS },
};
static struct query_set queries = { .file = LIMEN_STR_INIT("queries.sql"),
                                    .statements = statements,
                                    .count = STATEMENTS };

struct text_row {
    limen_str text;
};
static const limen_column text_columns[] = { { LIMEN_STR_INIT("a"), LIMEN_TYPE_TEXT, false, 0 } };
static const limen_row_shape text_shape = { sizeof(struct text_row), 1, text_columns };
static const limen_value text_value = { .type = LIMEN_TYPE_TEXT, .as.text = LIMEN_STR_INIT("x") };

/* ---- both ends --------------------------------------------------------------------------------------------------- */
static struct arena arena; /* of start-up */
static struct arena call;  /* of the requests */
static struct loop *loop;
static struct data_role *role;
static struct data_client *client;
static int attached;
static char first_password[GENERATED_PASSWORD_BYTES];

static void count_attach(void *context)
{
    (void)context;
    attached++;
}

static void note_first(limen_str email, limen_str password)
{
    assert_text(email, "admin@shop.example");
    assert_true(password.len >= 20 && password.len < sizeof(first_password));
    memcpy(first_password, password.ptr, password.len);
}

static void turn(int turns)
{
    for (int i = 0; i < turns; i++)
        loop_turn(loop, 1000);
}

static void connect_both(void)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_true(data_role_add_worker(role, 3, pair[0]));
    assert_true(data_client_attach(client, pair[1]));
    turn(3);
}

static int set_up(void **state)
{
    (void)state;
    memset(&fake, 0, sizeof(fake));
    attached = 0;
    arena_init(&arena, NULL, 64U * 1024 * 1024);
    arena_init(&call, NULL, 64U * 1024 * 1024);
    loop = loop_new();
    struct diags diags;
    diags_init(&diags, &arena);
    struct data_role_config config = { .store = { .contract = &contract, .queries = &queries },
                                       .hash_threads = 1,
                                       .on_first_account = note_first };
    role = data_role_new(loop, &config, &arena, &diags);
    client = data_client_new(loop);
    if (loop == NULL || role == NULL || client == NULL)
        return -1;
    data_client_on_attach(client, count_attach, NULL);
    connect_both();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    data_client_free(client);
    data_role_free(role);
    turn(1); /* what the loop still held frees itself */
    loop_free(loop);
    arena_release(&call);
    arena_release(&arena);
    return 0;
}

/* ---- one request ------------------------------------------------------------------------------------------------- */
struct ask {
    struct data_request request;
    int replies;
};

static void count_reply(struct data_request *request)
{
    ((struct ask *)request->context)->replies++;
}

static struct ask *ask_on(uint32_t slot, uint16_t operation)
{
    struct ask *ask = ARENA_NEW(&call, struct ask);
    ask->request = (struct data_request){ .slot = slot,
                                          .operation = operation,
                                          .timeout_us = 30000000,
                                          .arena = &call,
                                          .row = &text_shape,
                                          .on_reply = count_reply,
                                          .context = ask };
    return ask;
}

static uint32_t take_slot(void)
{
    uint32_t slot;
    assert_true(data_slot_take(client, &slot));
    return slot;
}

/* Turns the loop and the store until the request has been answered. */
static enum data_outcome answer_to(struct ask *ask)
{
    for (int i = 0; i < 20000 && ask->replies == 0; i++) {
        loop_turn(loop, 2000);
        fake_finish_all(false);
    }
    assert_int_equal(ask->replies, 1);
    return ask->request.outcome;
}

static struct ask *read_statement(uint32_t slot, uint16_t operation, uint16_t statement)
{
    struct ask *ask = ask_on(slot, operation);
    data_read(client, &ask->request, statement, &text_value, 1);
    return ask;
}

static struct ask *commit_one(uint32_t slot, uint16_t operation, uint16_t statement, const struct data_key *key)
{
    struct ask *ask = ask_on(slot, operation);
    struct data_batch batch;
    data_batch_init(&batch, &call);
    data_batch_add(&batch, statement, &text_value, 1);
    data_commit(client, &ask->request, &batch, key, 201, LIMEN_STR("{\"id\":1}"));
    return ask;
}

static struct ask *sign_in(uint32_t slot, limen_str email, limen_str password)
{
    struct ask *ask = ask_on(slot, OP_PUBLIC);
    data_sign_in(client, &ask->request, email, password);
    return ask;
}

static struct ask *sign_up(uint32_t slot, limen_str email)
{
    struct ask *ask = ask_on(slot, OP_PUBLIC);
    data_sign_up(client, &ask->request, email, LIMEN_STR("correct horse battery"), 0);
    return ask;
}

/* A slot whose principal is the first account. */
static uint32_t admin_slot(void)
{
    uint32_t slot = take_slot();
    assert_int_equal(answer_to(sign_in(slot, LIMEN_STR("admin@shop.example"), str_of(first_password))), DATA_OK);
    return slot;
}

static uint32_t customer_slot(limen_str email)
{
    uint32_t slot = take_slot();
    assert_int_equal(answer_to(sign_up(slot, email)), DATA_OK);
    assert_int_equal(answer_to(commit_one(slot, OP_PUBLIC, INSERT, NULL)), DATA_OK);
    return slot;
}

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
    struct data_role_config config = { .store = { .contract = &contract, .queries = &queries } };
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
    data_session(client, &session->request, str_make(ask->request.token, TOKEN_TEXT_BYTES));
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
    data_session(client, &session->request, token);
    assert_int_equal(answer_to(session), DATA_OK);
    struct ask *out = ask_on(take_slot(), OP_ADMIN);
    data_sign_out(client, &out->request, token);
    assert_int_equal(answer_to(out), DATA_OK);
    session->replies = 0;
    data_session(client, &session->request, token);
    assert_int_equal(answer_to(session), DATA_NONE);
    assert_int_equal(answer_to(read_statement(session->request.slot, OP_ADMIN, ADMIN_READ)), DATA_FORBIDDEN);
}

static void test_token_of_the_wrong_form_never_reaches_the_store(void **state)
{
    (void)state;
    size_t before = fake.submitted;
    struct ask *ask = ask_on(take_slot(), OP_PUBLIC);
    data_session(client, &ask->request, LIMEN_STR("AAAA"));
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
    enum { MANY = LIMIT_HASH_QUEUE + 8 };
    struct ask *asks[MANY];
    for (size_t i = 0; i < MANY; i++) {
        asks[i] = ask_on(take_slot(), OP_PUBLIC);
        asks[i]->request.timeout_us = 1000; /* most are late when their turn comes: the test is short */
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
    struct data_role_config config = { .store = { .contract = &contract, .queries = &queries } };
    role = data_role_new(loop, &config, &arena, &diags);
    assert_non_null(role);
    connect_both();
    assert_int_equal(attached, 2);
    assert_int_equal(answer_to(read_statement(slot, OP_ADMIN, ADMIN_READ)), DATA_FORBIDDEN); /* forgotten */
    assert_int_equal(answer_to(sign_in(slot, LIMEN_STR("admin@shop.example"), str_of(first_password))), DATA_OK);
    assert_int_equal(answer_to(read_statement(slot, OP_ADMIN, ADMIN_READ)), DATA_OK);
}

/* ---- hostile workers --------------------------------------------------------------------------------------------- */
/* A worker that writes its frames by hand. */
static int hostile;

static void put_frame(struct buf *out, uint8_t type, uint16_t operation, uint32_t slot, uint32_t sequence,
                      limen_str payload)
{
    size_t begin = wire_begin(out, (enum wire_type)type, operation, slot, sequence);
    buf_add(out, payload);
    wire_end(out, begin);
}

static limen_str call_payload(uint16_t statement, const limen_value *params, size_t count)
{
    struct buf out;
    buf_init(&out, &call, 0);
    wire_put_u32(&out, 1000000);
    wire_put_u16(&out, statement);
    wire_put_values(&out, params, count);
    return buf_str(&out);
}

static limen_str batch_payload(uint32_t count, uint16_t statement, bool has_key, uint32_t status)
{
    struct buf out;
    buf_init(&out, &call, 0);
    wire_put_u32(&out, 1000000);
    wire_put_u8(&out, has_key);
    if (has_key) {
        wire_put_str(&out, LIMEN_STR("key"));
        wire_put_bytes(&out, "0123456789abcdef0123456789abcdef", 32);
        wire_put_u32(&out, status);
        wire_put_str(&out, LIMEN_STR("{}"));
    }
    wire_put_u32(&out, count);
    wire_put_u16(&out, statement);
    wire_put_values(&out, &text_value, 1);
    return buf_str(&out);
}

/* True when the data role has hung up on the bytes. */
static bool is_cut_off(limen_str bytes)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    assert_true(data_role_add_worker(role, 9, pair[0]));
    hostile = pair[1];
    assert_int_equal(send(hostile, bytes.ptr, bytes.len, MSG_NOSIGNAL), bytes.len);
    for (int i = 0; i < 4; i++) {
        turn(1);
        fake_finish_all(false);
    }
    char replies[4096];
    ssize_t count;
    do
        count = recv(hostile, replies, sizeof(replies), 0);
    while (count > 0);
    bool is_cut = count == 0 || errno != EAGAIN;
    close(hostile);
    turn(2);
    fake_finish_all(false);
    return is_cut;
}

static void test_breach_of_the_protocol_cuts_the_worker_off(void **state)
{
    (void)state;
    limen_value number = { .type = LIMEN_TYPE_INT, .as.integer = 1 },
                null = { .type = LIMEN_TYPE_TEXT, .is_null = true };
    limen_value list = { .type = LIMEN_TYPE_TEXT, .is_list = true };
    limen_value two[2] = { text_value, text_value };
    limen_str good = call_payload(READ_ITEMS, &text_value, 1);
    const struct {
        const char *what;
        uint8_t type;
        uint16_t operation;
        uint32_t slot;
        limen_str payload;
        bool is_cut;
    } cases[] = {
        { "a good call", WIRE_CALL, OP_PUBLIC, 0, good, false },
        { "a good batch", WIRE_BATCH, OP_PUBLIC, 0, batch_payload(1, INSERT, false, 0), false },
        { "a release of nothing", WIRE_RELEASE, OP_PUBLIC, 4095, LIMEN_STR(""), false },
        { "type 0", 0, OP_PUBLIC, 0, good, true },
        { "a type of the other direction", WIRE_DONE, OP_PUBLIC, 0, good, true },
        { "a credit", WIRE_CREDIT, OP_PUBLIC, 0, good, true },
        { "a slot out of range", WIRE_CALL, OP_PUBLIC, LIMIT_CALLS_PER_WORKER, good, true },
        { "a slot far out of range", WIRE_RELEASE, OP_PUBLIC, UINT32_MAX, LIMEN_STR(""), true },
        { "an operation out of range", WIRE_CALL, OP_COUNT, 0, good, true },
        { "an unknown statement", WIRE_CALL, OP_PUBLIC, 0, call_payload(STATEMENTS, &text_value, 1), true },
        { "a write as a call", WIRE_CALL, OP_PUBLIC, 0, call_payload(INSERT, &text_value, 1), true },
        { "a read in a batch", WIRE_BATCH, OP_PUBLIC, 0, batch_payload(1, READ_ITEMS, false, 0), true },
        { "no parameters", WIRE_CALL, OP_PUBLIC, 0, call_payload(READ_ITEMS, NULL, 0), true },
        { "too many parameters", WIRE_CALL, OP_PUBLIC, 0, call_payload(READ_ITEMS, two, 2), true },
        { "a parameter of another type", WIRE_CALL, OP_PUBLIC, 0, call_payload(READ_ITEMS, &number, 1), true },
        { "null", WIRE_CALL, OP_PUBLIC, 0, call_payload(READ_ITEMS, &null, 1), true },
        { "a list", WIRE_CALL, OP_PUBLIC, 0, call_payload(READ_ITEMS, &list, 1), true },
        { "no payload", WIRE_CALL, OP_PUBLIC, 0, LIMEN_STR(""), true },
        { "a payload cut short", WIRE_CALL, OP_PUBLIC, 0, str_slice(good, 0, good.len - 1), true },
        { "more statements than there are", WIRE_BATCH, OP_PUBLIC, 0, batch_payload(2, INSERT, false, 0), true },
        { "fewer statements than there are", WIRE_BATCH, OP_PUBLIC, 0, batch_payload(0, INSERT, false, 0), true },
        { "257 statements", WIRE_BATCH, OP_PUBLIC, 0, batch_payload(LIMIT_BATCH_STATEMENTS + 1, INSERT, false, 0),
          true },
        { "a reply's status of 99", WIRE_BATCH, OP_CUSTOMER, 0, batch_payload(1, INSERT, true, 99), true },
        { "a keyed batch that returns", WIRE_BATCH, OP_CUSTOMER, 0, batch_payload(1, RETURNING, true, 201), true },
        { "a release with a payload", WIRE_RELEASE, OP_PUBLIC, 0, LIMEN_STR("x"), true },
        { "an unknown scheme", WIRE_SIGN_UP, OP_PUBLIC, 0, LIMEN_STR("\0\0\0\0\7\0\0\0\0\0\0\0\0\0\0\0"), true },
        { "a token cut short", WIRE_SESSION, OP_PUBLIC, 0, LIMEN_STR("\0\0\0\0\xff\0\0\0abc"), true },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf out;
        buf_init(&out, &call, 0);
        put_frame(&out, cases[i].type, cases[i].operation, cases[i].slot, 1, cases[i].payload);
        if (is_cut_off(buf_str(&out)) != cases[i].is_cut) {
            print_error("%s\n", cases[i].what);
            fail();
        }
    }
    assert_true(data_role_is_idle(role));
    assert_int_equal(answer_to(read_statement(take_slot(), OP_PUBLIC, READ_ITEMS)), DATA_OK); /* others go on */
}

static void test_two_requests_at_once_on_a_slot_are_a_breach(void **state)
{
    (void)state;
    limen_str good = call_payload(READ_ITEMS, &text_value, 1);
    struct buf out;
    buf_init(&out, &call, 0);
    put_frame(&out, WIRE_CALL, OP_PUBLIC, 5, 1, good);
    put_frame(&out, WIRE_CALL, OP_PUBLIC, 5, 2, good);
    assert_true(is_cut_off(buf_str(&out)));
    buf_init(&out, &call, 0);
    put_frame(&out, WIRE_CALL, OP_PUBLIC, 5, 1, good);
    put_frame(&out, WIRE_CANCEL, OP_PUBLIC, 5, 1, LIMEN_STR(""));
    put_frame(&out, WIRE_CALL, OP_PUBLIC, 5, 2, good);
    assert_false(is_cut_off(buf_str(&out)));
}

static void test_malformed_header_is_a_breach(void **state)
{
    (void)state;
    assert_true(is_cut_off(LIMEN_STR("GET / HTTP/1.1\r\n\r\n")));
    assert_true(is_cut_off(LIMEN_STR("\xff\xff\xff\xff")));
}

/* A worker that asks for much and reads nothing is not listened to, and does not fill the memory. */
static void test_worker_that_does_not_read_is_paused(void **state)
{
    (void)state;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    assert_true(data_role_add_worker(role, 9, pair[0]));
    fake.row_count = 1000;
    fake.row_text_bytes = 1000; /* a megabyte an answer */
    limen_str good = call_payload(READ_ITEMS, &text_value, 1);
    size_t before = fake.submitted;
    for (uint32_t i = 0; i < 64; i++) {
        struct buf out;
        buf_init(&out, &call, 0);
        put_frame(&out, WIRE_CALL, OP_PUBLIC, i, 1, good);
        assert_int_equal(send(pair[1], out.ptr, out.len, MSG_NOSIGNAL), out.len);
        turn(2);
        fake_finish_all(false);
    }
    size_t served = fake.submitted - before;
    assert_true(served >= 4 && served < 32); /* LIMIT_PIPE_BYTES and what the socket holds */
    /* It begins to read: the rest is served. */
    static char sink[1 << 20];
    size_t total = 0;
    for (int i = 0; i < 5000 && total < 64U * 1000 * 1000; i++) {
        ssize_t count = recv(pair[1], sink, sizeof(sink), 0);
        if (count > 0)
            total += (size_t)count;
        turn(1);
        fake_finish_all(false);
    }
    assert_true(total >= 64U * 1000 * 1000);
    assert_int_equal(fake.submitted - before, 64);
    close(pair[1]);
    turn(2);
    assert_true(data_role_is_idle(role));
}

#define ROLE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

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
        ROLE_TEST(test_breach_of_the_protocol_cuts_the_worker_off),
        ROLE_TEST(test_two_requests_at_once_on_a_slot_are_a_breach),
        ROLE_TEST(test_malformed_header_is_a_breach),
        ROLE_TEST(test_worker_that_does_not_read_is_paused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
