/* Tests of data/role.h against workers that write their frames by hand. */
#include "role_fake.h"

#include "core/limits.h"
#include "data/role_internal.h"

#include <errno.h>
#include <unistd.h>

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

static limen_str step_payload(uint8_t has_key, uint16_t queued, uint16_t asked)
{
    struct buf out;
    buf_init(&out, &call, 0);
    wire_put_u32(&out, 1000000);
    wire_put_u8(&out, has_key);
    if (has_key == 1) {
        wire_put_str(&out, LIMEN_STR("key"));
        wire_put_bytes(&out, "0123456789abcdef0123456789abcdef", 32);
    }
    wire_put_u32(&out, 1);
    wire_put_u16(&out, queued);
    wire_put_values(&out, &text_value, 1);
    wire_put_u16(&out, asked);
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
        { "a good step", WIRE_STEP, OP_PUBLIC, 0, step_payload(0, INSERT, READ_ITEMS), false },
        { "a stranger's step with a key", WIRE_STEP, OP_PUBLIC, 0, step_payload(1, INSERT, READ_ITEMS), false },
        { "a step with half a key", WIRE_STEP, OP_PUBLIC, 0, step_payload(2, INSERT, READ_ITEMS), true },
        { "a step that asks for a write", WIRE_STEP, OP_PUBLIC, 0, step_payload(0, INSERT, INSERT), true },
        { "a step that queues a read", WIRE_STEP, OP_PUBLIC, 0, step_payload(0, READ_ITEMS, READ_ITEMS), true },
        { "a keyed step that returns", WIRE_STEP, OP_CUSTOMER, 0, step_payload(1, RETURNING, READ_ITEMS), true },
        { "a step cut short", WIRE_STEP, OP_PUBLIC, 0, batch_payload(1, INSERT, false, 0), true },
        { "a release with a payload", WIRE_RELEASE, OP_PUBLIC, 0, LIMEN_STR("x"), true },
        { "an unknown scheme", WIRE_SIGN_UP, OP_PUBLIC, 0, LIMEN_STR("\0\0\0\0\7\0\0\0\0\0\0\0\0\0\0\0"), true },
        { "a token cut short", WIRE_SHOW, OP_PUBLIC, 0, LIMEN_STR("\0\0\0\0\0\0\0\0\0\xff\0\0\0abc"), true },
        { "an account of a scheme that has none", WIRE_SIGN_UP, OP_PUBLIC, 0,
          LIMEN_STR("\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0"), true },
        { "a credential of an unknown scheme", WIRE_SHOW, OP_PUBLIC, 0, LIMEN_STR("\0\0\0\0\4\0\0\0\0\0\0\0\0"), true },
        { "a credential beside another, thrice", WIRE_SHOW, OP_PUBLIC, 0, LIMEN_STR("\0\0\0\0\0\0\0\0\3\0\0\0\0"),
          true },
        { "a token of no form", WIRE_SHOW, OP_PUBLIC, 0, LIMEN_STR("\0\0\0\0\1\0\0\0\0\0\0\0\0"), false },
        { "a signature without a body", WIRE_SHOW, OP_PUBLIC, 0, LIMEN_STR("\0\0\0\0\3\0\0\0\0\0\0\0\0"), true },
        { "a body that nobody has signed", WIRE_SHOW_SIGNED, OP_PUBLIC, 0,
          LIMEN_STR("\0\0\0\0\3\0\0\0\0\0\0\0\0\0\0\0\0"), false },
        { "a signature of another scheme", WIRE_SHOW_SIGNED, OP_PUBLIC, 0,
          LIMEN_STR("\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0"), true },
        { "a signature of an unknown scheme", WIRE_SHOW_SIGNED, OP_PUBLIC, 0,
          LIMEN_STR("\0\0\0\0\4\0\0\0\0\0\0\0\0\0\0\0\0"), true },
        { "a signed body cut short", WIRE_SHOW_SIGNED, OP_PUBLIC, 0, LIMEN_STR("\0\0\0\0\3\0\0\0\0\0\0\0\0\7\0\0\0"),
          true },
        { "a signature twice beside others", WIRE_SHOW_SIGNED, OP_PUBLIC, 0,
          LIMEN_STR("\0\0\0\0\3\0\0\0\2\0\0\0\0\0\0\0\0"), true },
        { "a handle that nobody gave", WIRE_ASSUME, OP_PUBLIC, 0, LIMEN_STR("\0\0\0\0\0\1\0\0\0"), true },
        { "a handle far out of range", WIRE_ASSUME, OP_PUBLIC, 0, LIMEN_STR("\0\xff\xff\xff\xff\1\0\0\0"), true },
        { "a handle cut short", WIRE_ASSUME, OP_PUBLIC, 0, LIMEN_STR("\0\0\0\0"), true },
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

/* However a slot leaves its interactive transaction, the store is told, so that nobody waits for it. */
static void test_a_slot_that_is_left_abandons_its_transaction(void **state)
{
    (void)state;
    limen_str step = step_payload(0, INSERT, READ_ITEMS), good = call_payload(READ_ITEMS, &text_value, 1);
    for (int way = 0; way < 4; way++) {
        struct buf out;
        buf_init(&out, &call, 0);
        put_frame(&out, WIRE_STEP, OP_PUBLIC, 5, 1, step);
        if (way == 1)
            put_frame(&out, WIRE_CANCEL, OP_PUBLIC, 5, 1, LIMEN_STR(""));
        if (way == 2)
            put_frame(&out, WIRE_RELEASE, OP_PUBLIC, 5, 1, LIMEN_STR(""));
        if (way == 3)
            put_frame(&out, WIRE_CALL, OP_PUBLIC, 5, 2, good); /* a breach */
        fake.abandoned = 0;
        (void)is_cut_off(buf_str(&out)); /* way 0: the worker has gone */
        assert_int_equal(fake.abandoned, role->last_transaction);
    }
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

/* Sends all of the bytes, as fast as the data role takes them; false: it has stopped taking them. */
static bool send_all(int fd, limen_str bytes)
{
    size_t sent = 0;
    for (int idle = 0; sent < bytes.len && idle < 50; idle++) {
        ssize_t count = send(fd, bytes.ptr + sent, bytes.len - sent, MSG_NOSIGNAL);
        if (count > 0) {
            sent += (size_t)count;
            idle = 0;
        }
        turn(1);
    }
    return sent == bytes.len;
}

/* The same frame for another slot. */
static limen_str on_slot(limen_str frame, uint32_t slot)
{
    memcpy((char *)(uintptr_t)frame.ptr + 8, &slot, sizeof(slot));
    return frame;
}

static limen_str large_batch(size_t text_bytes)
{
    char *text = arena_alloc(&call, text_bytes);
    memset(text, 'a', text_bytes);
    const limen_value value = { .type = LIMEN_TYPE_TEXT, .as.text = str_make(text, text_bytes) };
    struct buf payload, out;
    buf_init(&payload, &call, 0);
    wire_put_u32(&payload, 1000000);
    wire_put_u8(&payload, 0);
    wire_put_u32(&payload, 1);
    wire_put_u16(&payload, INSERT);
    wire_put_values(&payload, &value, 1);
    buf_init(&out, &call, 0);
    put_frame(&out, WIRE_BATCH, OP_PUBLIC, 0, 1, buf_str(&payload));
    return buf_str(&out);
}

static int hostile_worker(void)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    assert_true(data_role_add_worker(role, 9, pair[0]));
    return pair[1];
}

/* What a worker asks at once has a ceiling, too: else one that was taken over fills the memory with what it asks. */
static void test_worker_that_asks_for_much_at_once_is_paused(void **state)
{
    (void)state;
    enum { ASKED = 64, BYTES = 1 << 20 };
    int fd = hostile_worker();
    limen_str frame = large_batch(BYTES);
    size_t before = fake.submitted;
    bool is_taken = true;
    for (uint32_t slot = 0; slot < ASKED && is_taken; slot++)
        is_taken = send_all(fd, on_slot(frame, slot));
    size_t kept = fake.submitted - before;
    assert_false(is_taken);
    assert_true(kept >= LIMIT_WORKER_ASKED_BYTES / BYTES && kept < 40);
    assert_int_equal(answer_to(read_statement(take_slot(), OP_PUBLIC, READ_ITEMS)), DATA_OK); /* others go on */
    close(fd);
    turn(2);
    fake_finish_all(false);
    assert_true(data_role_is_idle(role));
}

/* One that was paused for what it asks is read again when that has been done, also where nobody waits for it any more. */
static void test_worker_that_was_paused_is_heard_again(void **state)
{
    (void)state;
    int fd = hostile_worker();
    limen_str frame = large_batch(1 << 20);
    for (uint32_t i = 0; i < 20; i++) {
        struct buf cancel;
        assert_true(send_all(fd, on_slot(frame, i)));
        buf_init(&cancel, &call, 0);
        put_frame(&cancel, WIRE_CANCEL, OP_PUBLIC, i, 1, LIMEN_STR(""));
        assert_true(send_all(fd, buf_str(&cancel)));
    }
    bool is_taken = true;
    for (uint32_t i = 20; i < 40 && is_taken; i++)
        is_taken = send_all(fd, on_slot(frame, i));
    assert_false(is_taken);
    assert_true(role->workers[9]->is_paused);
    for (int i = 0; i < 4; i++) {
        fake_finish_all(false);
        turn(2);
    }
    assert_int_equal(role->workers[9]->asked_bytes, 0);
    assert_false(role->workers[9]->is_paused);
    close(fd);
    turn(2);
    assert_true(data_role_is_idle(role));
}

/* Answers of every kind count: what was committed and cannot be kept for a worker that does not read is told as not known. */
static void test_results_of_writes_have_a_ceiling(void **state)
{
    (void)state;
    enum { ASKED = 80 };
    int fd = hostile_worker();
    for (uint32_t i = 0; i < ASKED; i++) {
        struct buf out;
        buf_init(&out, &call, 0);
        put_frame(&out, WIRE_BATCH, OP_PUBLIC, i, 1, batch_payload(1, RETURNING, false, 0));
        assert_true(send_all(fd, buf_str(&out)));
    }
    fake.returned_bytes = 1 << 20;
    fake_finish_all(false);
    assert_true(role->workers[9]->held_bytes <= LIMIT_WORKER_RESULTS_BYTES);
    assert_true(role->workers[9]->held_bytes > LIMIT_WORKER_RESULTS_BYTES - (2 << 20));
    uint32_t unknown = 0;
    for (const struct role_request *request = role->live; request != NULL; request = request->next_live)
        unknown += request->outcome == DATA_UNKNOWN;
    assert_true(unknown >= ASKED - (LIMIT_WORKER_RESULTS_BYTES >> 20));
    close(fd);
    turn(2);
    assert_true(data_role_is_idle(role));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROLE_TEST(test_breach_of_the_protocol_cuts_the_worker_off),
        ROLE_TEST(test_two_requests_at_once_on_a_slot_are_a_breach),
        ROLE_TEST(test_a_slot_that_is_left_abandons_its_transaction),
        ROLE_TEST(test_malformed_header_is_a_breach),
        ROLE_TEST(test_worker_that_does_not_read_is_paused),
        ROLE_TEST(test_worker_that_asks_for_much_at_once_is_paused),
        ROLE_TEST(test_worker_that_was_paused_is_heard_again),
        ROLE_TEST(test_results_of_writes_have_a_ceiling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
