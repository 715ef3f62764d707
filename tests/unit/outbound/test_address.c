/* Tests of outbound/address.h. */
#include "core/check.h"

#include "outbound/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

static bool is_public(const char *text)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        return address_is_public((const struct sockaddr *)&v4);
    assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    return address_is_public((const struct sockaddr *)&v6);
}

static void expect_all(const char *const *addresses, size_t count, bool wanted)
{
    for (size_t i = 0; i < count; i++) {
        if (is_public(addresses[i]) == wanted)
            continue;
        print_error("%s is%s public\n", addresses[i], wanted ? " not" : "");
        fail();
    }
}

/* First and last address of each range, and what a range carries along. */
static void test_special_addresses_are_not_public(void **state)
{
    (void)state;
    static const char *const addresses[] = {
        "0.0.0.0",
        "0.255.255.255",
        "10.0.0.0",
        "10.255.255.255",
        "100.64.0.0",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.255",
        "169.254.0.0",
        "169.254.169.254",
        "172.16.0.0",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.0",
        "192.168.255.255",
        "198.18.0.0",
        "198.19.255.255",
        "198.51.100.7",
        "203.0.113.7",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:10.1.2.3",
        "::ffff:169.254.169.254",
        "64:ff9b::127.0.0.1",
        "64:ff9b::192.168.1.1",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:1ff:ffff::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "3fff::1",
        "3fff:fff::1",
        "4000::1",
        "fc00::1",
        "fdff::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    };
    expect_all(addresses, sizeof(addresses) / sizeof(addresses[0]), /* wanted= */ false);
}

static void test_neighbours_of_special_ranges_are_public(void **state)
{
    (void)state;
    static const char *const addresses[] = {
        "1.0.0.0",         "9.255.255.255",    "11.0.0.0",        "100.63.255.255", "100.128.0.0",
        "126.255.255.255", "128.0.0.0",        "169.253.255.255", "169.255.0.0",    "172.15.255.255",
        "172.32.0.0",      "192.0.1.0",        "192.167.255.255", "192.169.0.0",    "198.17.255.255",
        "198.20.0.0",      "223.255.255.255",  "2000::1",         "2001:200::1",    "2001:db7:ffff::1",
        "2001:db9::1",     "2003::1",          "2606:4700::1111", "3ffe:ffff::1",   "3fff:1000::1",
        "::ffff:8.8.8.8",  "64:ff9b::8.8.8.8",
    };
    expect_all(addresses, sizeof(addresses) / sizeof(addresses[0]), /* wanted= */ true);
}

static void test_other_families_are_not_public(void **state)
{
    (void)state;
    const struct sockaddr_un local = { .sun_family = AF_UNIX, .sun_path = "/run/x" };
    assert_false(address_is_public((const struct sockaddr *)&local));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_special_addresses_are_not_public),
        cmocka_unit_test(test_neighbours_of_special_ranges_are_public),
        cmocka_unit_test(test_other_families_are_not_public),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
