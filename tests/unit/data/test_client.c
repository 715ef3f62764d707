/* Tests of data/client.h against frames written by hand: this file plays the data role. */
#include "data/client.h"

#include "check.h"

#include "core/arena.h"
#include "core/limits.h"
#include "core/loop.h"

#include <sys/socket.h>
#include <unistd.h>

static struct arena arena;
static struct loop *loop;
static struct data_client *client;
static int peer; /* the data role's end */

struct int_row {
    int64_t value;
};
static const limen_column int_columns[] = { { LIMEN_STR_INIT("value"), LIMEN_TYPE_INT, false, 0 } };
static const limen_row_shape int_shape = { sizeof(struct int_row), 1, int_columns };

/* ---- the data role ----------------------------------------------------------------------------------------------- */
static void peer_send(limen_str bytes)
{
    assert_int_equal(send(peer, bytes.ptr, bytes.len, MSG_NOSIGNAL), bytes.len);
}

static void peer_frame(enum wire_type type, uint32_t slot, uint32_t sequence, limen_str payload)
{
    struct buf out;
    buf_init(&out, &arena, 0);
    size_t begin = wire_begin(&out, type, 0, slot, sequence);
    buf_add(&out, payload);
    wire_end(&out, begin);
    peer_send(buf_str(&out));
}

static void peer_credit(uint32_t credit)
{
    peer_frame(WIRE_CREDIT, 0, 0, str_make((const char *)&credit, sizeof(credit)));
}

static void peer_done(uint32_t slot, uint32_t sequence, enum data_outcome outcome)
{
    char payload[2] = { (char)outcome, 0 };
    peer_frame(WIRE_DONE, slot, sequence, str_make(payload, sizeof(payload)));
}

static void peer_rows(uint32_t slot, uint32_t sequence, uint32_t count, int64_t first)
{
    struct buf out;
    buf_init(&out, &arena, 0);
    wire_put_u32(&out, count);
    for (uint32_t i = 0; i < count; i++)
        wire_put_column_int(&out, first + i);
    peer_frame(WIRE_ROWS, slot, sequence, buf_str(&out));
}

/* All that one recv(2) gives; empty when there is nothing. */
static limen_str peer_receive(void)
{
    static char bytes[1 << 20];
    ssize_t count = recv(peer, bytes, sizeof(bytes), MSG_DONTWAIT);
    return str_make(bytes, count > 0 ? (size_t)count : 0);
}

static void peer_expect(limen_str *bytes, enum wire_type type, uint32_t slot)
{
    struct wire_frame frame;
    size_t taken = wire_take(*bytes, &frame);
    assert_true(taken != 0 && taken != SIZE_MAX);
    assert_int_equal(frame.type, type);
    assert_int_equal(frame.slot, slot);
    *bytes = str_slice(*bytes, taken, bytes->len);
}

/* ---- set up ------------------------------------------------------------------------------------------------------ */
static void turn(int turns)
{
    for (int i = 0; i < turns; i++)
        loop_turn(loop, 1000);
}

static void attach(uint32_t credit)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    peer = pair[0];
    assert_true(data_client_attach(client, pair[1]));
    if (credit > 0)
        peer_credit(credit);
    turn(2);
}

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, NULL, 256U * 1024 * 1024);
    loop = loop_new();
    client = data_client_new(loop);
    if (loop == NULL || client == NULL)
        return -1;
    attach(8);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    data_client_free(client);
    turn(1);
    loop_free(loop);
    close(peer);
    arena_release(&arena);
    return 0;
}

struct ask {
    struct data_request request;
    int replies;
    bool tries_again, releases;
};

static void ask_read(struct ask *ask)
{
    data_read(client, &ask->request, 1, NULL, 0);
}

static void on_reply(struct data_request *request)
{
    struct ask *ask = request->context;
    ask->replies++;
    if (ask->releases)
        data_slot_release(client, request->slot);
    else if (ask->tries_again)
        ask_read(ask);
}

static struct ask *ask_new(void)
{
    struct ask *ask = ARENA_NEW(&arena, struct ask);
    uint32_t slot;
    assert_true(data_slot_take(client, &slot));
    ask->request = (struct data_request){
        .slot = slot, .timeout_us = 1000000, .arena = &arena, .row = &int_shape, .on_reply = on_reply, .context = ask
    };
    return ask;
}

/* ---- tests ------------------------------------------------------------------------------------------------------- */
static void test_requests_of_one_turn_leave_together(void **state)
{
    (void)state;
    struct ask *first = ask_new(), *second = ask_new();
    ask_read(first);
    ask_read(second);
    assert_int_equal(peer_receive().len, 0); /* not before the turn ends */
    turn(1);
    limen_str bytes = peer_receive();
    peer_expect(&bytes, WIRE_CALL, first->request.slot);
    peer_expect(&bytes, WIRE_CALL, second->request.slot);
    assert_int_equal(bytes.len, 0);
}

static void test_rows_of_several_chunks_make_one_array(void **state)
{
    (void)state;
    struct ask *ask = ask_new();
    ask_read(ask);
    turn(1);
    peer_rows(ask->request.slot, ask->request.sequence, 3, 0);
    turn(1);
    peer_rows(ask->request.slot, ask->request.sequence, 1, 3);
    peer_rows(ask->request.slot, ask->request.sequence, 1000, 4);
    peer_done(ask->request.slot, ask->request.sequence, DATA_OK);
    turn(2);
    assert_int_equal(ask->replies, 1);
    assert_int_equal(ask->request.row_count, 1004);
    const struct int_row *rows = ask->request.rows;
    for (size_t i = 0; i < 1004; i++)
        assert_int_equal(rows[i].value, i);
}

static void test_frames_may_come_byte_by_byte(void **state)
{
    (void)state;
    struct ask *ask = ask_new();
    ask_read(ask);
    turn(1);
    struct buf out;
    buf_init(&out, &arena, 0);
    size_t begin = wire_begin(&out, WIRE_DONE, 0, ask->request.slot, ask->request.sequence);
    wire_put_u8(&out, DATA_NONE);
    wire_put_u8(&out, 0);
    wire_end(&out, begin);
    for (size_t i = 0; i < out.len; i++) {
        assert_int_equal(ask->replies, 0);
        peer_send(str_make(out.ptr + i, 1));
        turn(1);
    }
    assert_int_equal(ask->replies, 1);
    assert_int_equal(ask->request.outcome, DATA_NONE);
}

static void test_late_reply_is_dropped(void **state)
{
    (void)state;
    struct ask *ask = ask_new();
    uint32_t slot = ask->request.slot;
    ask_read(ask);
    uint32_t abandoned = ask->request.sequence;
    turn(1);
    data_slot_release(client, slot);
    memset(ask, 0xee, sizeof(*ask)); /* the call's memory is somebody else's now */
    struct ask *next = ask_new();
    assert_int_equal(next->request.slot, slot);
    ask_read(next);
    turn(1);
    limen_str bytes = peer_receive();
    peer_expect(&bytes, WIRE_CALL, slot);
    peer_expect(&bytes, WIRE_RELEASE, slot);
    peer_expect(&bytes, WIRE_CALL, slot);
    peer_rows(slot, abandoned, 5, 0);
    peer_done(slot, abandoned, DATA_ERROR);
    turn(2);
    assert_int_equal(next->replies, 0);
    peer_done(slot, next->request.sequence, DATA_OK);
    turn(2);
    assert_int_equal(next->replies, 1);
    assert_int_equal(next->request.outcome, DATA_OK);
    assert_int_equal(next->request.row_count, 0);
}

static void test_slot_that_showed_nothing_is_released_without_a_word(void **state)
{
    (void)state;
    struct ask *ask = ask_new();
    ask_read(ask);
    turn(1);
    (void)peer_receive();
    peer_done(ask->request.slot, ask->request.sequence, DATA_OK);
    turn(2);
    data_slot_release(client, ask->request.slot);
    turn(1);
    assert_int_equal(peer_receive().len, 0);
    struct ask *session = ask_new();
    data_show(client, &session->request, 0, LIMEN_STR("token"), false);
    turn(1);
    limen_str bytes = peer_receive();
    peer_expect(&bytes, WIRE_SHOW, session->request.slot);
    peer_done(session->request.slot, session->request.sequence, DATA_NONE);
    turn(2);
    data_slot_release(client, session->request.slot);
    turn(1);
    bytes = peer_receive();
    peer_expect(&bytes, WIRE_RELEASE, session->request.slot);
}

static void test_slots_are_bounded_by_the_credit(void **state)
{
    (void)state;
    uint32_t slot;
    for (int i = 0; i < 8; i++)
        assert_true(data_slot_take(client, &slot));
    assert_false(data_slot_take(client, &slot));
}

static void test_end_of_the_connection_ends_every_request(void **state)
{
    (void)state;
    struct ask *plain = ask_new(), *again = ask_new(), *releasing = ask_new(), *released = ask_new();
    again->tries_again = true;
    releasing->releases = true;
    ask_read(plain);
    ask_read(again);
    ask_read(releasing);
    ask_read(released);
    turn(1);
    close(peer);
    data_slot_release(client, released->request.slot);
    turn(2);
    assert_false(data_client_is_attached(client));
    assert_int_equal(plain->replies, 1);
    assert_int_equal(plain->request.outcome, DATA_GONE);
    assert_int_equal(releasing->replies, 1);
    assert_int_equal(released->replies, 0);
    /* One that tries again at once goes round with the loop, and not inside one turn. */
    assert_true(again->replies >= 1 && again->replies <= 3);
    again->tries_again = false;
    turn(5);
    int before = again->replies;
    turn(5);
    assert_int_equal(again->replies, before);

    struct ask *detached = ask_new();
    ask_read(detached);
    assert_int_equal(detached->replies, 0);
    turn(1);
    assert_int_equal(detached->replies, 1);
    assert_int_equal(detached->request.outcome, DATA_GONE);
    attach(8);
    ask_read(detached);
    turn(1);
    peer_done(detached->request.slot, detached->request.sequence, DATA_OK);
    turn(2);
    assert_int_equal(detached->replies, 2);
    assert_int_equal(detached->request.outcome, DATA_OK);
}

static void test_answers_before_the_end_count(void **state)
{
    (void)state;
    struct ask *answered = ask_new(), *open = ask_new();
    ask_read(answered);
    ask_read(open);
    turn(1);
    peer_done(answered->request.slot, answered->request.sequence, DATA_OK);
    close(peer);
    turn(3);
    assert_int_equal(answered->request.outcome, DATA_OK);
    assert_int_equal(open->request.outcome, DATA_GONE);
    attach(8);
}

static void test_attaching_anew_ends_what_the_old_connection_had(void **state)
{
    (void)state;
    struct ask *ask = ask_new();
    ask_read(ask);
    turn(1);
    int old = peer;
    attach(8);
    close(old);
    assert_int_equal(ask->replies, 1);
    assert_int_equal(ask->request.outcome, DATA_GONE);
    ask_read(ask);
    turn(1);
    peer_done(ask->request.slot, ask->request.sequence, DATA_OK);
    turn(2);
    assert_int_equal(ask->request.outcome, DATA_OK);
}

static void test_no_slot_before_the_first_credit(void **state)
{
    (void)state;
    struct data_client *fresh = data_client_new(loop);
    uint32_t slot;
    assert_false(data_slot_take(fresh, &slot));
    assert_false(data_client_is_attached(fresh));
    data_client_free(fresh);
}

static void test_nonsense_from_the_data_role_ends_the_connection(void **state)
{
    (void)state;
    const struct {
        const char *what;
        uint8_t type;
        limen_str payload;
    } cases[] = {
        { "a frame of the other direction", WIRE_CALL, LIMEN_STR("") },
        { "an unknown type", 200, LIMEN_STR("") },
        { "a second credit", WIRE_CREDIT, LIMEN_STR("\x08\0\0\0") },
        { "an empty DONE", WIRE_DONE, LIMEN_STR("") },
        { "an unknown outcome", WIRE_DONE, LIMEN_STR("\x0c\0") },
        { "DATA_GONE from the wire", WIRE_DONE, LIMEN_STR("\x0a\0") },
        { "an unknown part", WIRE_DONE, LIMEN_STR("\0\x20") },
        { "bytes behind", WIRE_DONE, LIMEN_STR("\0\0x") },
        { "a short token", WIRE_DONE, LIMEN_STR("\0\2\3\0\0\0abc") },
        { "a principal cut short", WIRE_DONE, LIMEN_STR("\0\1\3\0\0\0abc") },
        { "an id of 300 bytes", WIRE_DONE, LIMEN_STR("\0\1\x2c\1\0\0abc") },
        { "rows without a count", WIRE_ROWS, LIMEN_STR("\1") },
        { "more rows than bytes", WIRE_ROWS, LIMEN_STR("\xff\0\0\0\0\0\0\0") },
        { "rows cut short", WIRE_ROWS, LIMEN_STR("\1\0\0\0\0\0\0\0") },
        { "null where none may be", WIRE_ROWS, LIMEN_STR("\1\0\0\0\1") },
        { "bytes behind the rows", WIRE_ROWS, LIMEN_STR("\0\0\0\0x") },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ask *ask = ask_new();
        ask_read(ask);
        turn(1);
        peer_frame((enum wire_type)cases[i].type, ask->request.slot, ask->request.sequence, cases[i].payload);
        turn(3);
        if (data_client_is_attached(client) || ask->replies != 1 || ask->request.outcome != DATA_GONE) {
            print_error("%s\n", cases[i].what);
            fail();
        }
        data_slot_release(client, ask->request.slot);
        close(peer);
        attach(8);
    }
}

static void test_rows_past_the_calls_memory_end_that_request_only(void **state)
{
    (void)state;
    struct arena small;
    arena_init(&small, NULL, 64U * 1024);
    struct ask *ask = ask_new();
    ask->request.arena = &small;
    ask_read(ask);
    turn(1);
    peer_rows(ask->request.slot, ask->request.sequence, 9000, 0);
    peer_rows(ask->request.slot, ask->request.sequence, 2, 0);
    peer_done(ask->request.slot, ask->request.sequence, DATA_OK);
    turn(3);
    assert_int_equal(ask->replies, 1);
    assert_int_equal(ask->request.outcome, DATA_BUSY);
    assert_int_equal(ask->request.row_count, 0);
    assert_true(data_client_is_attached(client));
    arena_release(&small);
}

static void test_parameters_past_a_ceiling_end_the_request_here(void **state)
{
    (void)state;
    static int64_t many[LIMIT_LIST_ITEMS + 1];
    limen_value list = { .type = LIMEN_TYPE_INT, .is_list = true, .count = LIMIT_LIST_ITEMS + 1, .as.integers = many };
    struct ask *ask = ask_new();
    data_read(client, &ask->request, 1, &list, 1);
    assert_int_equal(ask->replies, 0);
    turn(1);
    assert_int_equal(ask->replies, 1);
    assert_int_equal(ask->request.outcome, DATA_ERROR);
    assert_int_equal(peer_receive().len, 0);
    /* The slot is free for the next one. */
    ask_read(ask);
    turn(1);
    limen_str bytes = peer_receive();
    peer_expect(&bytes, WIRE_CALL, ask->request.slot);
}

/* A data role that does not read: requests pile up to a ceiling, then end as busy; later they go on. */
static void test_unsent_bytes_are_bounded(void **state)
{
    (void)state;
    char *big = arena_zalloc(&arena, 1, 3U * 1024 * 1024);
    limen_value value = { .type = LIMEN_TYPE_TEXT, .as.text = { big, 3U * 1024 * 1024 } };
    struct ask *asks[4];
    for (size_t i = 0; i < 4; i++) {
        asks[i] = ask_new();
        data_read(client, &asks[i]->request, 1, &value, 1);
        turn(1);
    }
    assert_int_equal(asks[0]->replies, 0);
    assert_int_equal(asks[1]->replies, 0);
    assert_int_equal(asks[3]->replies, 1);
    assert_int_equal(asks[3]->request.outcome, DATA_BUSY);
    size_t total = 0;
    for (int i = 0; i < 2000 && total < 6U * 1024 * 1024; i++) {
        total += peer_receive().len;
        turn(1);
    }
    ask_read(asks[3]);
    turn(2);
    peer_done(asks[0]->request.slot, asks[0]->request.sequence, DATA_OK);
    peer_done(asks[3]->request.slot, asks[3]->request.sequence, DATA_OK);
    turn(2);
    assert_int_equal(asks[0]->replies, 1);
    assert_int_equal(asks[3]->request.outcome, DATA_OK);
}

#define CLIENT_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLIENT_TEST(test_requests_of_one_turn_leave_together),
        CLIENT_TEST(test_rows_of_several_chunks_make_one_array),
        CLIENT_TEST(test_frames_may_come_byte_by_byte),
        CLIENT_TEST(test_late_reply_is_dropped),
        CLIENT_TEST(test_slot_that_showed_nothing_is_released_without_a_word),
        CLIENT_TEST(test_slots_are_bounded_by_the_credit),
        CLIENT_TEST(test_end_of_the_connection_ends_every_request),
        CLIENT_TEST(test_answers_before_the_end_count),
        CLIENT_TEST(test_attaching_anew_ends_what_the_old_connection_had),
        CLIENT_TEST(test_no_slot_before_the_first_credit),
        CLIENT_TEST(test_nonsense_from_the_data_role_ends_the_connection),
        CLIENT_TEST(test_rows_past_the_calls_memory_end_that_request_only),
        CLIENT_TEST(test_parameters_past_a_ceiling_end_the_request_here),
        CLIENT_TEST(test_unsent_bytes_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
