/* role_fake.h - the fixture of role_fixture.h in front of the store of fake_store.h, with a few statements. */
#ifndef TESTS_DATA_ROLE_FAKE_H
#define TESTS_DATA_ROLE_FAKE_H

#include "fake_store.h"
#include "role_fixture.h"

enum { READ_ITEMS, INSERT, MUST, RETURNING, ADMIN_READ, SYSTEM_READ, STATEMENTS };

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

static inline void finish_held(void)
{
    fake_finish_all(/* newest_first= */ false);
}

static inline int set_up(void **state)
{
    (void)state;
    memset(&fake, 0, sizeof(fake));
    attached = 0;
    store_step = finish_held;
    arena_init(&arena, NULL, 64U * 1024 * 1024);
    arena_init(&call, NULL, 64U * 1024 * 1024);
    loop = loop_new();
    struct diags diags;
    diags_init(&diags, &arena);
    struct data_role_config config = { .store = { .contract = &contract, .queries = &queries },
                                       .jwks = { [BY_TOKEN] = token_keys },
                                       .webhook_secrets = { [BY_SIGNATURE] = LIMEN_STR_INIT("whsec_test") },
                                       .hash_threads = 1,
                                       .on_first_account = note_first };
    role = data_role_new(loop, &config, &arena, &diags);
    client = data_client_new(loop);
    if (loop == NULL || role == NULL || client == NULL || !data_client_remember_tokens(client))
        return -1;
    data_client_on_attach(client, count_attach, NULL);
    connect_both();
    return 0;
}

static inline struct ask *read_statement(uint32_t slot, uint16_t operation, uint16_t statement)
{
    struct ask *ask = ask_on(slot, operation);
    ask->request.row = &text_shape;
    data_read(client, &ask->request, statement, &text_value, 1);
    return ask;
}

static inline struct ask *commit_one(uint32_t slot, uint16_t operation, uint16_t statement, const struct data_key *key)
{
    struct ask *ask = ask_on(slot, operation);
    struct data_batch batch;
    data_batch_init(&batch, &call);
    data_batch_add(&batch, statement, &text_value, 1);
    data_commit(client, &ask->request, &batch, key, 201, LIMEN_STR("{\"id\":1}"));
    return ask;
}

static inline uint32_t customer_slot(limen_str email)
{
    uint32_t slot = take_slot();
    assert_int_equal(answer_to(sign_up(slot, email)), DATA_OK);
    assert_int_equal(answer_to(commit_one(slot, OP_PUBLIC, INSERT, NULL)), DATA_OK);
    return slot;
}

#endif
