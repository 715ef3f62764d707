/* Tests of the whole way: client, socket, data role and database, of either kind, with what a small app would ask of them. */
#include "role_fixture.h"

#include "both_fixture.h"

#include "core/limits.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct limen_file migrations[] = {
    { LIMEN_STR_INIT("0001_notes.sql"),
      LIMEN_STR_INIT("CREATE TABLE items (id TEXT PRIMARY KEY, stock INTEGER NOT NULL CHECK (stock >= 0)) STRICT;\n"
                     "-- owner: id\n"
                     "CREATE TABLE accounts (id TEXT PRIMARY KEY, name TEXT NOT NULL) STRICT;\n"
                     "-- owner: author_id\n"
                     "CREATE TABLE notes (id TEXT PRIMARY KEY, author_id TEXT NOT NULL, text TEXT NOT NULL) STRICT;\n"
                     "INSERT INTO items (id, stock) VALUES ('tea', 3), ('mug', 1000000);\n") },
};
static const char statements_sql[] =
    "-- name: insert_account(name text) :exec\nINSERT INTO accounts (id, name) VALUES (:caller, :name);\n"
    "-- name: my_name() :one\nSELECT name FROM accounts WHERE id = :caller;\n"
    "-- name: insert_note(id text, note text) :exec\nINSERT INTO notes (id, author_id, text) VALUES (:id, :caller, "
    ":note);\n"
    "-- name: all_notes() :many\nSELECT id FROM notes ORDER BY id;\n"
    "-- name: set_note(id text, note text) :exec\nUPDATE notes SET text = :note WHERE id = :id;\n"
    "-- name: note_text(id text) :one\nSELECT text FROM notes WHERE id = :id;\n"
    "-- name: admin_notes() :many\n-- scope: admin\nSELECT id FROM notes ORDER BY id;\n"
    "-- name: take_stock(id text, n int) :must else 409 \"not enough\"\n"
    "UPDATE items SET stock = stock - :n WHERE id = :id AND stock >= :n;\n"
    "-- name: note_again(id text, note text) :returning\n"
    "UPDATE notes SET text = :note WHERE id = :id RETURNING text;\n";
enum { INSERT_ACCOUNT, MY_NAME, INSERT_NOTE, ALL_NOTES, SET_NOTE, NOTE_TEXT, ADMIN_NOTES, TAKE_STOCK, NOTE_AGAIN };

struct text_row {
    limen_str text;
};
static const limen_column text_columns[] = { { LIMEN_STR_INIT("text"), LIMEN_TYPE_TEXT, false, 0 } };
static const limen_row_shape text_shape = { sizeof(struct text_row), 1, text_columns };

/* ---- set up ------------------------------------------------------------------------------------------------------ */
static char folder[64], url[256];

/* A data role on the test's database, in this process. */
static struct data_role *open_role(struct loop *its_loop, struct arena *its_arena)
{
    static struct query_set queries;
    struct diags diags;
    diags_init(&diags, its_arena);
    struct data_role *opened = NULL;
    if (queries_parse(str_of(statements_sql), LIMEN_STR("queries.sql"), store_backend(str_of(url)), its_arena, &queries,
                      &diags)) {
        struct data_role_config config = { .store = { .url = str_of(url),
                                                      .contract = &contract,
                                                      .queries = &queries,
                                                      .migrations = migrations,
                                                      .migration_count = 1,
                                                      .migrate = STORE_MIGRATE_AUTO },
                                           .jwks = { [BY_TOKEN] = token_keys },
                                           .hash_threads = 1,
                                           .on_first_account = note_first };
        opened = data_role_new(its_loop, &config, its_arena, &diags);
    }
    for (size_t i = 0; i < diags.count; i++)
        print_error("%.*s:%u: %.*s\n", LIMEN_STR_ARG(diags.items[i].file), diags.items[i].line,
                    LIMEN_STR_ARG(diags.items[i].message));
    return opened;
}

static int set_up_client(void **state)
{
    (void)state;
    const char *base = getenv("TMPDIR");
    (void)snprintf(folder, sizeof(folder), "%s/limen-role-XXXXXX", base != NULL && strlen(base) < 40 ? base : "/tmp");
    if (mkdtemp(folder) == NULL)
        return -1;
    if (postgres_server == NULL)
        (void)snprintf(url, sizeof(url), "sqlite:%s/test.db", folder);
    else
        postgres_make(url, sizeof(url));
    attached = 0;
    store_step = NULL;
    arena_init(&arena, NULL, 256U * 1024 * 1024);
    arena_init(&call, NULL, 64U * 1024 * 1024);
    loop = loop_new();
    client = data_client_new(loop);
    if (loop == NULL || client == NULL)
        return -1;
    data_client_on_attach(client, count_attach, NULL);
    role = NULL;
    return 0;
}

static int set_up(void **state)
{
    if (set_up_client(state) != 0)
        return -1;
    role = open_role(loop, &arena);
    if (role == NULL)
        return -1;
    connect_both();
    return 0;
}

static int tear_down_all(void **state)
{
    static const char *const files[] = { "test.db", "test.db-wal", "test.db-shm" };
    int result = tear_down(state);
    if (postgres_server != NULL)
        postgres_drop(url);
    for (size_t i = 0; i < 3; i++) {
        char path[128];
        (void)snprintf(path, sizeof(path), "%s/%s", folder, files[i]);
        (void)unlink(path);
    }
    (void)rmdir(folder);
    return result;
}

/* ---- what an app asks -------------------------------------------------------------------------------------------- */
static limen_value text_of(const char *text)
{
    return (limen_value){ .type = LIMEN_TYPE_TEXT, .as.text = str_of(text) };
}

static struct ask *read_rows(uint32_t slot, uint16_t operation, uint16_t statement, const char *param)
{
    struct ask *ask = ask_on(slot, operation);
    limen_value value = text_of(param);
    ask->request.row = &text_shape;
    data_read(client, &ask->request, statement, &value, param == NULL ? 0 : 1);
    return ask;
}

/* The ids that the statement gives, with commas. */
static limen_str rows_of(uint32_t slot, uint16_t operation, uint16_t statement, const char *param)
{
    struct ask *ask = read_rows(slot, operation, statement, param);
    assert_int_equal(answer_to(ask), DATA_OK);
    struct buf out;
    buf_init(&out, &call, 0);
    const struct text_row *rows = ask->request.rows;
    for (size_t i = 0; i < ask->request.row_count; i++) {
        buf_add(&out, i == 0 ? LIMEN_STR("") : LIMEN_STR(","));
        buf_add(&out, rows[i].text);
    }
    return buf_str(&out);
}

static void queue_text(struct data_batch *batch, uint16_t statement, const char *first, const char *second)
{
    limen_value values[2] = { text_of(first), text_of(second) };
    data_batch_add(batch, statement, values, second == NULL ? 1 : 2);
}

static void queue_take(struct data_batch *batch, const char *item, int64_t count)
{
    limen_value values[2] = { text_of(item), { .type = LIMEN_TYPE_INT, .as.integer = count } };
    data_batch_add(batch, TAKE_STOCK, values, 2);
}

static struct ask *commit(uint32_t slot, const struct data_batch *batch, const struct data_key *key, limen_str reply)
{
    struct ask *ask = ask_on(slot, OP_CUSTOMER);
    data_commit(client, &ask->request, batch, key, 201, reply);
    return ask;
}

static struct data_batch batch_new(void)
{
    struct data_batch batch;
    data_batch_init(&batch, &call);
    return batch;
}

/* Signs somebody up, with the profile in the same batch. The token is kept in `ret_token`. */
static uint32_t new_customer(const char *email, const char *name, char ret_token[TOKEN_TEXT_BYTES])
{
    uint32_t slot = take_slot();
    struct ask *up = sign_up(slot, str_of(email));
    assert_int_equal(answer_to(up), DATA_OK);
    memcpy(ret_token, up->request.token, TOKEN_TEXT_BYTES);
    struct data_batch batch = batch_new();
    queue_text(&batch, INSERT_ACCOUNT, name, NULL);
    assert_int_equal(answer_to(commit(slot, &batch, NULL, LIMEN_STR(""))), DATA_OK);
    return slot;
}

static enum data_outcome show_session(uint32_t slot, const char token[TOKEN_TEXT_BYTES])
{
    struct ask *session = ask_on(slot, OP_CUSTOMER);
    data_show(client, &session->request, BY_SESSION, str_make(token, TOKEN_TEXT_BYTES), false);
    return answer_to(session);
}

/* ---- tests ------------------------------------------------------------------------------------------------------- */
static void test_account_made_with_its_profile_is_found_by_its_session(void **state)
{
    (void)state;
    char token[TOKEN_TEXT_BYTES];
    (void)new_customer("Ada@b.example", "Ada", token);
    uint32_t slot = take_slot();
    assert_int_equal(show_session(slot, token), DATA_OK);
    assert_text(rows_of(slot, OP_CUSTOMER, MY_NAME, NULL), "Ada");
    assert_int_equal(answer_to(sign_up(take_slot(), LIMEN_STR("ada@B.EXAMPLE"))), DATA_TAKEN);
    assert_int_equal(answer_to(sign_in(slot, LIMEN_STR("ada@b.example"), LIMEN_STR("correct horse battery"))), DATA_OK);
    assert_int_equal(answer_to(sign_in(slot, LIMEN_STR("ada@b.example"), LIMEN_STR("incorrect horse"))), DATA_NONE);
    token[0] = token[0] == 'A' ? 'B' : 'A';
    assert_int_equal(show_session(slot, token), DATA_NONE);
}

static void test_email_taken_in_a_race_is_told_by_the_batch(void **state)
{
    (void)state;
    uint32_t first = take_slot(), second = take_slot();
    assert_int_equal(answer_to(sign_up(first, LIMEN_STR("same@b.example"))), DATA_OK);
    assert_int_equal(answer_to(sign_up(second, LIMEN_STR("same@b.example"))), DATA_OK);
    struct data_batch batch = batch_new();
    queue_text(&batch, INSERT_ACCOUNT, "Same", NULL);
    struct ask *one = commit(first, &batch, NULL, LIMEN_STR("")), *other = commit(second, &batch, NULL, LIMEN_STR(""));
    /* PostgreSQL commits both at once: which one is the first is not said. */
    const enum data_outcome said = answer_to(one), also_said = answer_to(other);
    assert_int_equal(said == DATA_OK ? also_said : said, DATA_TAKEN);
    assert_int_equal(said == DATA_OK ? said : also_said, DATA_OK);
}

static struct ask *step(uint32_t slot, const struct data_batch *batch, uint16_t statement)
{
    struct ask *ask = ask_on(slot, OP_CUSTOMER);
    ask->request.row = &text_shape;
    data_step(client, &ask->request, batch, NULL, statement, NULL, 0);
    return ask;
}

/* Both ends run in this process's one loop, so that a busy machine may use up the lease: then it is tried again. */
static void test_a_step_sees_what_it_has_written_and_is_undone_with_its_slot(void **state)
{
    (void)state;
    char token[TOKEN_TEXT_BYTES];
    (void)new_customer("a@b.example", "A", token);
    enum data_outcome outcome = DATA_TIMEOUT;
    for (int tries = 0; tries < 50 && outcome == DATA_TIMEOUT; tries++) {
        uint32_t slot = take_slot(), other = take_slot();
        assert_int_equal(show_session(slot, token), DATA_OK);
        assert_int_equal(show_session(other, token), DATA_OK);
        struct data_batch batch = batch_new(), nothing = batch_new();
        queue_text(&batch, INSERT_NOTE, "n1", "text");
        struct ask *ask = step(slot, &batch, ALL_NOTES);
        assert_int_equal(answer_to(ask), DATA_OK);
        assert_int_equal(ask->request.row_count, 1);
        assert_text(rows_of(other, OP_CUSTOMER, ALL_NOTES, NULL), "");
        outcome = tries % 2 == 0 ? DATA_TIMEOUT : answer_to(commit(slot, &nothing, NULL, LIMEN_STR("")));
        data_slot_release(client, slot); /* the even tries end like this */
        limen_str left = rows_of(other, OP_CUSTOMER, ALL_NOTES, NULL);
        assert_int_equal(left.len, outcome == DATA_OK ? 2 : 0);
        data_slot_release(client, other);
        turn(1);
    }
    assert_int_equal(outcome, DATA_OK);
}

static void test_an_account_of_a_transaction_that_is_undone_is_nobody(void **state)
{
    (void)state;
    uint32_t slot = take_slot();
    struct ask *up = sign_up(slot, LIMEN_STR("gone@b.example"));
    assert_int_equal(answer_to(up), DATA_OK);
    struct data_batch batch = batch_new();
    queue_text(&batch, INSERT_ACCOUNT, "Gone", NULL);
    struct ask *ask = step(slot, &batch, MY_NAME);
    assert_int_equal(answer_to(ask), DATA_OK);
    assert_int_equal(ask->request.row_count, 1);
    struct data_batch missing = batch_new();
    queue_take(&missing, "tea", 1000);
    enum data_outcome outcome = answer_to(commit(slot, &missing, NULL, LIMEN_STR("")));
    assert_true(outcome == DATA_REFUSED || outcome == DATA_TIMEOUT);
    assert_text(rows_of(slot, OP_CUSTOMER, MY_NAME, NULL), "");
    assert_int_equal(show_session(take_slot(), up->request.token), DATA_NONE);
    assert_int_equal(answer_to(sign_up(take_slot(), LIMEN_STR("gone@b.example"))), DATA_OK);
}

static void test_sign_out_is_at_once(void **state)
{
    (void)state;
    char token[TOKEN_TEXT_BYTES];
    uint32_t slot = new_customer("a@b.example", "A", token);
    struct ask *out = ask_on(slot, OP_CUSTOMER);
    data_sign_out(client, &out->request, str_make(token, TOKEN_TEXT_BYTES));
    assert_int_equal(answer_to(out), DATA_OK);
    assert_int_equal(show_session(take_slot(), token), DATA_NONE);
}

static void test_a_must_that_misses_undoes_the_batch_and_is_named(void **state)
{
    (void)state;
    char token[TOKEN_TEXT_BYTES];
    uint32_t slot = new_customer("a@b.example", "A", token);
    struct data_batch batch = batch_new();
    queue_text(&batch, INSERT_NOTE, "n1", "text");
    queue_take(&batch, "tea", 2);
    queue_take(&batch, "tea", 2);
    struct ask *ask = commit(slot, &batch, NULL, LIMEN_STR(""));
    assert_int_equal(answer_to(ask), DATA_REFUSED);
    assert_int_equal(ask->request.refused_by, 2);
    assert_text(rows_of(slot, OP_CUSTOMER, ALL_NOTES, NULL), "");
}

static void test_key_is_replayed_and_not_reused(void **state)
{
    (void)state;
    char token[TOKEN_TEXT_BYTES];
    uint32_t slot = new_customer("a@b.example", "A", token), other = new_customer("c@b.example", "C", token);
    struct data_key key = { .key = LIMEN_STR("k1"), .fingerprint = { 1 } };
    struct ask *find = ask_on(slot, OP_CUSTOMER);
    data_key_find(client, &find->request, &key);
    assert_int_equal(answer_to(find), DATA_NONE);
    for (int i = 0; i < 3; i++) {
        struct data_batch batch = batch_new();
        queue_take(&batch, "tea", 3); /* there are three: twice would be refused */
        struct ask *ask = commit(slot, &batch, &key, LIMEN_STR("{\"id\":\"ord_1\"}"));
        assert_int_equal(answer_to(ask), i == 0 ? DATA_OK : DATA_REPLAY);
        if (i > 0) {
            assert_int_equal(ask->request.status, 201);
            assert_text(ask->request.reply, "{\"id\":\"ord_1\"}");
        }
    }
    find = ask_on(slot, OP_CUSTOMER);
    data_key_find(client, &find->request, &key);
    assert_int_equal(answer_to(find), DATA_REPLAY);
    assert_text(find->request.reply, "{\"id\":\"ord_1\"}");
    key.fingerprint[31] = 9;
    struct data_batch batch = batch_new();
    assert_int_equal(answer_to(commit(slot, &batch, &key, LIMEN_STR("{}"))), DATA_KEY_REUSED);
    assert_int_equal(answer_to(commit(other, &batch, &key, LIMEN_STR("{}"))),
                     DATA_OK); /* keys are each principal's own */
}

static void test_statement_without_a_where_sees_the_callers_rows_only(void **state)
{
    (void)state;
    char token[TOKEN_TEXT_BYTES];
    uint32_t ada = new_customer("ada@b.example", "Ada", token), bob = new_customer("bob@b.example", "Bob", token);
    struct data_batch batch = batch_new();
    queue_text(&batch, INSERT_NOTE, "a1", "ada's");
    assert_int_equal(answer_to(commit(ada, &batch, NULL, LIMEN_STR(""))), DATA_OK);
    batch = batch_new();
    queue_text(&batch, INSERT_NOTE, "b1", "bob's");
    queue_text(&batch, SET_NOTE, "a1", "robbed");
    assert_int_equal(answer_to(commit(bob, &batch, NULL, LIMEN_STR(""))), DATA_OK);

    assert_text(rows_of(ada, OP_CUSTOMER, ALL_NOTES, NULL), "a1");
    assert_text(rows_of(bob, OP_CUSTOMER, ALL_NOTES, NULL), "b1");
    assert_text(rows_of(take_slot(), OP_PUBLIC, ALL_NOTES, NULL), "");
    assert_text(rows_of(ada, OP_CUSTOMER, NOTE_TEXT, "a1"), "ada's");
    assert_int_equal(answer_to(read_rows(ada, OP_ADMIN, ADMIN_NOTES, NULL)), DATA_FORBIDDEN);
    assert_text(rows_of(admin_slot(), OP_ADMIN, ADMIN_NOTES, NULL), "a1,b1");
}

static void test_returned_row_comes_in_wire_form(void **state)
{
    (void)state;
    char token[TOKEN_TEXT_BYTES];
    uint32_t slot = new_customer("a@b.example", "A", token);
    struct data_batch batch = batch_new();
    queue_text(&batch, INSERT_NOTE, "n1", "before");
    queue_text(&batch, NOTE_AGAIN, "n1", "after");
    struct ask *ask = commit(slot, &batch, NULL, LIMEN_STR(""));
    assert_int_equal(answer_to(ask), DATA_OK);
    struct wire_reader reader = { ask->request.returned.ptr, ask->request.returned.ptr + ask->request.returned.len,
                                  false };
    struct text_row row;
    assert_true(wire_get_row(&reader, &text_shape, &call, &row));
    assert_text(row.text, "after");
    assert_ptr_equal(reader.at, reader.end);
}

static void test_data_role_that_starts_anew_knows_the_sessions(void **state)
{
    (void)state;
    char token[TOKEN_TEXT_BYTES];
    uint32_t slot = new_customer("ada@b.example", "Ada", token);
    data_role_free(role);
    role = NULL;
    turn(3);
    assert_int_equal(answer_to(read_rows(slot, OP_CUSTOMER, MY_NAME, NULL)), DATA_GONE);
    role = open_role(loop, &arena);
    assert_non_null(role);
    connect_both();
    /* To this data role the slot would be nobody's: nothing is asked until the session is shown again. */
    assert_int_equal(answer_to(read_rows(slot, OP_CUSTOMER, MY_NAME, NULL)), DATA_GONE);
    assert_int_equal(show_session(slot, token), DATA_OK);
    assert_text(rows_of(slot, OP_CUSTOMER, MY_NAME, NULL), "Ada");
}

/* ---- a data role that is killed ---------------------------------------------------------------------------------- */
/* Forks a data role with a loop of its own, and attaches the client to it. */
static pid_t spawn_role(void)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    pid_t child = fork();
    if (child == 0) {
        struct arena its_arena;
        close(pair[1]);
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        arena_init(&its_arena, NULL, 64U * 1024 * 1024);
        struct loop *its_loop = loop_new();
        struct data_role *its_role = open_role(its_loop, &its_arena);
        if (its_role == NULL || !data_role_add_worker(its_role, 0, pair[0]))
            _exit(1);
        loop_run(its_loop, 1000000, NULL, NULL);
        _exit(0);
    }
    close(pair[0]);
    assert_true(child > 0);
    int before = attached;
    assert_true(data_client_attach(client, pair[1]));
    for (int i = 0; i < 20000 && attached == before; i++)
        loop_turn(loop, 1000);
    assert_int_equal(attached, before + 1);
    return child;
}

static void kill_role(pid_t child)
{
    int status;
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
}

/* One call with a key, which is sent again until it is answered. */
struct keyed {
    uint32_t slot;
    struct ask *ask;
    char key[32], note[32];
};

static void send_keyed(struct keyed *it)
{
    static int serial; /* each attempt inserts another id: two commits of one key would be two notes */
    struct data_key key = { .key = str_of(it->key) };
    struct data_batch batch = batch_new();
    (void)snprintf(it->note, sizeof(it->note), "note-%d", serial++);
    queue_text(&batch, INSERT_NOTE, it->note, "text");
    queue_take(&batch, "mug", 1);
    it->ask = ask_on(it->slot, OP_CUSTOMER);
    data_commit(client, &it->ask->request, &batch, &key, 201, str_of(it->key));
}

/* Every key is sent until it is answered; whatever the kills hit, each is committed once. */
static void test_killed_data_role_commits_every_key_once(void **state)
{
    (void)state;
    enum { KILLS = 6, KEYS = 8 };
    char token[TOKEN_TEXT_BYTES];
    pid_t child = spawn_role();
    (void)new_customer("ada@b.example", "Ada", token);
    struct keyed calls[KEYS];
    size_t gone = 0, answered = 0;
    for (int kills = 0; kills < KILLS; kills++) {
        for (size_t i = 0; i < KEYS; i++) {
            calls[i] = (struct keyed){ .slot = take_slot() };
            (void)snprintf(calls[i].key, sizeof(calls[i].key), "key-%d-%zu", kills, i);
            assert_int_equal(show_session(calls[i].slot, token), DATA_OK);
        }
        for (size_t i = 0; i < KEYS; i++)
            send_keyed(&calls[i]);
        turn(1);
        /* Hit it before it has read the batches, while it commits, when it has answered them. */
        (void)usleep((useconds_t)(kills * kills) * 500);
        kill_role(child);
        child = spawn_role();
        for (size_t i = 0; i < KEYS; i++) {
            enum data_outcome outcome = answer_to(calls[i].ask);
            gone += outcome == DATA_GONE;
            answered += outcome == DATA_OK;
            assert_true(outcome == DATA_GONE || outcome == DATA_OK);
            assert_int_equal(show_session(calls[i].slot, token), DATA_OK);
            send_keyed(&calls[i]);
            outcome = answer_to(calls[i].ask);
            assert_true(outcome == DATA_REPLAY || outcome == DATA_OK);
            data_slot_release(client, calls[i].slot);
        }
    }
    assert_true(gone > 0);
    assert_int_equal(gone + answered, KILLS * KEYS);
    uint32_t slot = take_slot();
    assert_int_equal(show_session(slot, token), DATA_OK);
    struct ask *all = read_rows(slot, OP_CUSTOMER, ALL_NOTES, NULL);
    assert_int_equal(answer_to(all), DATA_OK);
    assert_int_equal(all->request.row_count, KILLS * KEYS);
    kill_role(child);
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_killed_data_role_commits_every_key_once, set_up_client, tear_down_all),
        STORE_TEST(test_account_made_with_its_profile_is_found_by_its_session),
        STORE_TEST(test_email_taken_in_a_race_is_told_by_the_batch),
        STORE_TEST(test_a_step_sees_what_it_has_written_and_is_undone_with_its_slot),
        STORE_TEST(test_an_account_of_a_transaction_that_is_undone_is_nobody),
        STORE_TEST(test_sign_out_is_at_once),
        STORE_TEST(test_a_must_that_misses_undoes_the_batch_and_is_named),
        STORE_TEST(test_key_is_replayed_and_not_reused),
        STORE_TEST(test_statement_without_a_where_sees_the_callers_rows_only),
        STORE_TEST(test_returned_row_comes_in_wire_form),
        STORE_TEST(test_data_role_that_starts_anew_knows_the_sessions),
    };
    return RUN_ON_BOTH(tests, tests);
}
