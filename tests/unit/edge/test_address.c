/* Tests of addresses: ranges, X-Forwarded-For, how many connections each has. */
#include "harness.h"

#include "edge/internal.h"

#include <string.h>

static void check_range(const char *cidr, const char *address, bool inside)
{
    struct address_range range;
    struct edge edge = { .proxy_count = 1 };
    struct edge_address parsed;
    assert_true(range_parse(str_of(cidr), &range));
    assert_true(address_parse(str_of(address), &parsed));
    edge.proxies[0] = range;
    assert_int_equal(address_is_trusted(&edge, &parsed), inside);
}

static void test_range_holds_its_addresses_only(void **state)
{
    (void)state;
    check_range("10.0.0.0/8", "10.255.1.2", true);
    check_range("10.0.0.0/8", "11.0.0.0", false);
    check_range("192.168.1.128/25", "192.168.1.129", true);
    check_range("192.168.1.128/25", "192.168.1.127", false);
    check_range("192.168.1.1", "192.168.1.1", true);
    check_range("192.168.1.1", "192.168.1.2", false);
    check_range("0.0.0.0/0", "1.2.3.4", true);
    check_range("0.0.0.0/0", "::1", false);
    check_range("::/0", "1.2.3.4", true);
    check_range("2001:db8::/33", "2001:db8:7fff::1", true);
    check_range("2001:db8::/33", "2001:db8:8000::1", false);
    check_range("::ffff:10.0.0.0/104", "10.9.9.9", true);
    check_range("::1", "::1", true);
}

static void test_malformed_range_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = { "",          "/8",          "10.0.0.0/33", "10.0.0.0/-1",
                                         "10.0.0.0/", "10.0.0.0/8x", "10.0.0/8",    "::/129",
                                         "localhost", "10.0.0.1 ",   "10.0.0.0/08" };
    struct address_range range;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_false(range_parse(str_of(cases[i]), &range));
    assert_false(range_parse(LIMEN_STR("10.0.0.1\0x"), &range));
}

/* What exchange_peer answers for a request with these fields, when 127.0.0.1 and 10.0.0.0/8 are trusted. */
static void check_peer(const char *fields, const char *expected)
{
    struct harness h;
    struct answer answer = { 0 };
    char request[512];
    harness_open(&h, NULL);
    assert_true(edge_trust_proxy(h.edge, LIMEN_STR("127.0.0.1")));
    assert_true(edge_trust_proxy(h.edge, LIMEN_STR("10.0.0.0/8")));
    int fd = client_open(&h);
    int len = snprintf(request, sizeof(request), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", fields);
    client_send(fd, request, (size_t)len);
    read_answers(&h, fd, &answer, 1);
    assert_string_equal(h.last_peer, expected);
    answer_release(&answer);
    close(fd);
    harness_close(&h);
}

static void test_client_is_the_first_that_no_proxy_of_ours_vouches_for(void **state)
{
    (void)state;
    check_peer("", "127.0.0.1");
    check_peer("X-Forwarded-For: 203.0.113.9\r\n", "203.0.113.9");
    check_peer("X-Forwarded-For: 6.6.6.6, 203.0.113.9, 10.1.2.3\r\n", "203.0.113.9");
    check_peer("X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 203.0.113.9\r\nX-Forwarded-For: 10.1.2.3\r\n",
               "203.0.113.9");
    check_peer("X-Forwarded-For: 10.1.1.1, 10.2.2.2\r\n", "10.1.1.1");
    check_peer("X-Forwarded-For: 2001:db8::7\r\n", "2001:db8::7");
    check_peer("X-Forwarded-For: [2001:db8::7]:4711\r\n", "2001:db8::7");
    check_peer("X-Forwarded-For: 203.0.113.9:80\r\n", "203.0.113.9");
    check_peer("X-Forwarded-For: 6.6.6.6, nonsense\r\n", "127.0.0.1");
    check_peer("X-Forwarded-For: 6.6.6.6, nonsense, 10.1.1.1\r\n", "10.1.1.1");
    check_peer("X-Forwarded-For: ,\r\n", "127.0.0.1");
    check_peer("X-Forwarded-For:\r\n", "127.0.0.1");
}

static void test_stranger_is_not_believed(void **state)
{
    (void)state;
    struct harness h;
    struct answer answer = { 0 };
    harness_open(&h, NULL);
    int fd = client_open(&h);
    SEND(fd, "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n");
    read_answers(&h, fd, &answer, 1);
    assert_string_equal(h.last_peer, "127.0.0.1");
    answer_release(&answer);
    close(fd);
    harness_close(&h);
}

/* Many addresses come and go in an order of their own; the counts stay what a plain array says. */
static void test_counts_are_exact_through_growth_and_leaving(void **state)
{
    (void)state;
    enum { ADDRESSES = 3000, STEPS = 60000 };
    struct peer_counts peers = { .capacity = 0 };
    unsigned *expected = calloc(ADDRESSES, sizeof(*expected));
    assert_non_null(expected);
    hash_key_random(&peers.key);
    uint32_t random = 1;
    for (int step = 0; step < STEPS; step++) {
        random = random * 1664525 + 1013904223;
        unsigned i = (random >> 8) % ADDRESSES;
        struct edge_address address = { .bytes = { 0x20, 1, (uint8_t)(i >> 8), (uint8_t)i, 0, 0, 0, 0,
                                                   (uint8_t)random } };
        if ((random >> 28) < 9) {
            assert_int_equal(peers_enter(&peers, &address, 3), expected[i] < 3);
            expected[i] += expected[i] < 3;
        } else if (expected[i] > 0) {
            peers_leave(&peers, &address); /* another address of the same /64 */
            expected[i]--;
        }
    }
    size_t used = 0;
    for (unsigned i = 0; i < ADDRESSES; i++) {
        struct edge_address address = { .bytes = { 0x20, 1, (uint8_t)(i >> 8), (uint8_t)i } };
        used += expected[i] > 0;
        for (; expected[i] < 3; expected[i]++)
            assert_true(peers_enter(&peers, &address, 3));
        assert_false(peers_enter(&peers, &address, 3));
        for (; expected[i] > 0; expected[i]--)
            peers_leave(&peers, &address);
    }
    assert_true(used > ADDRESSES / 3);
    assert_int_equal(peers.used, 0);
    peers_release(&peers);
    free(expected);
}

static void test_connection_is_small(void **state)
{
    (void)state;
    assert_true(sizeof(struct connection) <= 512); /* all that an idle one holds */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_range_holds_its_addresses_only),
        cmocka_unit_test(test_malformed_range_is_refused),
        cmocka_unit_test(test_client_is_the_first_that_no_proxy_of_ours_vouches_for),
        cmocka_unit_test(test_stranger_is_not_believed),
        cmocka_unit_test(test_counts_are_exact_through_growth_and_leaving),
        cmocka_unit_test(test_connection_is_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
