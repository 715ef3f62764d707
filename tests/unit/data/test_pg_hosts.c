/* Tests of data/pg_hosts.h: what libpq is told of a URL's hosts. */
#include "check.h"

#include "core/arena.h"
#include "core/clock.h"
#include "core/lookup.h"
#include "data/pg_hosts.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct arena arena;
static struct pg_hosts hosts;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, NULL, 1024U * 1024);
    memset(&hosts, 0, sizeof hosts);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pg_hosts_release(&hosts);
    arena_release(&arena);
    return 0;
}

static void look_up(void)
{
    pg_hosts_look_up(&hosts);
    for (int i = 0; i < 60000 && !pg_hosts_are_known(&hosts); i++)
        usleep(1000);
    assert_true(pg_hosts_are_known(&hosts));
}

static void assert_list(uint32_t first, const char *names, const char *addresses, const char *ports)
{
    struct pg_places places;
    assert_null(pg_hosts_list(&hosts, first, &arena, &places));
    assert_string_equal(places.names, names);
    assert_string_equal(places.addresses, addresses);
    assert_string_equal(places.ports, ports);
}

static void test_what_needs_no_name_server_is_passed_on(void **state)
{
    (void)state;
    static const struct {
        const char *url, *names, *addresses, *ports;
    } cases[] = {
        { "postgresql://u@10.0.0.5/shop", "10.0.0.5", "", "" },
        { "postgresql://u@10.0.0.5:7/shop", "10.0.0.5", "", "7" },
        { "postgresql://u@[::1]:7/shop", "::1", "", "7" },
        { "postgresql://u@/shop?host=/run/postgresql", "/run/postgresql", "", "" },
        { "postgresql:///shop", "", "", "" },
        { "postgresql://u@db.example/shop?hostaddr=10.0.0.5", "db.example", "10.0.0.5", "" },
        { "postgresql:///shop?hostaddr=10.0.0.5,10.0.0.6&port=7", ",", "10.0.0.5,10.0.0.6", "7,7" },
        { "postgresql://10.0.0.5:7,10.0.0.6,10.0.0.7:8/shop", "10.0.0.5,10.0.0.6,10.0.0.7", ",,", "7,,8" },
        { "host=10.0.0.5,/run port=7", "10.0.0.5,/run", ",", "7,7" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_true(pg_hosts_read(&hosts, cases[i].url, &arena));
        pg_hosts_look_up(&hosts);
        assert_true(pg_hosts_are_known(&hosts));
        assert_list(0, cases[i].names, cases[i].addresses, cases[i].ports);
    }
}

static void test_those_that_did_not_answer_stand_behind(void **state)
{
    (void)state;
    assert_true(pg_hosts_read(&hosts, "postgresql://10.0.0.5:5,10.0.0.6:6,10.0.0.7:7/shop", &arena));
    assert_list(1, "10.0.0.6,10.0.0.7,10.0.0.5", ",,", "6,7,5");
    assert_list(5, "10.0.0.7,10.0.0.5,10.0.0.6", ",,", "7,5,6");
}

static void test_a_name_stays_beside_each_of_its_addresses(void **state)
{
    (void)state;
    assert_true(pg_hosts_read(&hosts, "postgresql://localhost:5,10.0.0.6:6/shop", &arena));
    look_up();
    if (lookup_count(hosts.all[0].lookup) == 1)
        assert_list(0, "localhost,10.0.0.6", "127.0.0.1,", "5,6");
    else
        assert_list(0, "localhost,localhost,10.0.0.6", "::1,127.0.0.1,", "5,5,6");
}

static void test_a_name_that_leads_nowhere_is_left_out(void **state)
{
    (void)state;
    char name[80] = { 0 }, url[160];
    struct pg_places places;
    memset(name, 'a', sizeof name - 1); /* no label is so long: no name server is asked */
    (void)snprintf(url, sizeof url, "postgresql://%s,10.0.0.6/shop", name);
    assert_true(pg_hosts_read(&hosts, url, &arena));
    look_up();
    assert_list(0, "10.0.0.6", "", "");
    pg_hosts_release(&hosts);
    (void)snprintf(url, sizeof url, "postgresql://%s/shop", name);
    assert_true(pg_hosts_read(&hosts, url, &arena));
    look_up();
    assert_non_null(pg_hosts_list(&hosts, 0, &arena, &places));
}

/* Those that were lost together share it. */
static void test_what_was_found_just_now_is_taken(void **state)
{
    (void)state;
    assert_true(pg_hosts_read(&hosts, "postgresql://localhost/shop", &arena));
    look_up();
    const struct lookup *found = hosts.all[0].lookup;
    if (clock_mono_us() - lookup_over_at_us(found) > LIMIT_LOOKUP_FRESH_US / 2)
        skip(); /* the machine is too busy to tell */
    pg_hosts_look_up(&hosts);
    assert_ptr_equal(hosts.all[0].lookup, found);
    assert_true(pg_hosts_are_known(&hosts));
    usleep(LIMIT_LOOKUP_FRESH_US + 1000);
    int64_t before_us = clock_mono_us();
    look_up();
    assert_true(lookup_over_at_us(hosts.all[0].lookup) >= before_us);
}

static void test_there_is_a_ceiling(void **state)
{
    (void)state;
    char url[512] = "postgresql://h";
    for (uint32_t i = 1; i < LIMIT_PG_HOSTS; i++)
        (void)strncat(url, ",h", sizeof url - strlen(url) - 1);
    assert_true(pg_hosts_read(&hosts, url, &arena));
    assert_int_equal(hosts.count, LIMIT_PG_HOSTS);
    (void)strncat(url, ",h", sizeof url - strlen(url) - 1);
    assert_false(pg_hosts_read(&hosts, url, &arena));
    hosts.count = 0;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_what_needs_no_name_server_is_passed_on),    CASE(test_those_that_did_not_answer_stand_behind),
        CASE(test_a_name_stays_beside_each_of_its_addresses), CASE(test_a_name_that_leads_nowhere_is_left_out),
        CASE(test_what_was_found_just_now_is_taken),          CASE(test_there_is_a_ceiling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
