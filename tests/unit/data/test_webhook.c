/* Tests of data/webhook.h. The marks are Python's: hmac.new(secret, f"{time}.".encode() + body, "sha256").hexdigest(). */
#include "data/webhook.h"

#include "check.h"

#include "core/arena.h"

#include <stdio.h>

#define BODY "{\"id\":\"evt_1\"}"
#define OF_FIRST "1e3d4a587cb2a36f93d7444746133dcfcd077e60212c2413513da26d6ddb0cbb"
#define OF_SECOND "431708173e431206d7e7fefa076fb3e9a58f00c55d14c6d35c292d63c0d5a43b"
#define OF_NOTHING "0b4c80875992f1709a9e722e711020262fcb76808e21a0840ab15511384fc5a8" /* the empty body */
#define SIGNED_AT_US (1700000000 * 1000000LL)

static void test_fields_are_read_strictly(void **state)
{
    (void)state;
    static const struct {
        const char *field;
        uint32_t marks; /* 0: refused */
    } cases[] = {
        { "t=1700000000,v1=" OF_FIRST, 1 },
        { "v1=" OF_FIRST ",t=1700000000", 1 },
        { "t=1,v1=" OF_FIRST ",v1=" OF_SECOND, 2 },
        { "t=1,v0=abc,v1=" OF_FIRST, 1 },
        { "t=1,v1=" OF_FIRST ",v1=" OF_FIRST ",v1=" OF_FIRST ",v1=" OF_FIRST ",v1=" OF_FIRST ",v1=" OF_FIRST
          ",v1=" OF_FIRST ",v1=" OF_FIRST,
          8 },
        { "t=1,v1=" OF_FIRST ",v1=" OF_FIRST ",v1=" OF_FIRST ",v1=" OF_FIRST ",v1=" OF_FIRST ",v1=" OF_FIRST
          ",v1=" OF_FIRST ",v1=" OF_FIRST ",v1=" OF_FIRST,
          0 },
        { "", 0 },
        { ",", 0 },
        { "t=1", 0 },
        { "v1=" OF_FIRST, 0 },
        { "t=,v1=" OF_FIRST, 0 },
        { "t=1,t=1,v1=" OF_FIRST, 0 },
        { "t=-1,v1=" OF_FIRST, 0 },
        { "t=+1,v1=" OF_FIRST, 0 },
        { "t= 1,v1=" OF_FIRST, 0 },
        { "t=1, v1=" OF_FIRST, 0 },
        { "t=1,v1=" OF_FIRST " ", 0 },
        { "t=1,v1=" OF_FIRST ",", 0 },
        { ",t=1,v1=" OF_FIRST, 0 },
        { "t=1,,v1=" OF_FIRST, 0 },
        { "t=170000000000,v1=" OF_FIRST, 0 },
        { "t=0x1,v1=" OF_FIRST, 0 },
        { "t=1;v1=" OF_FIRST, 0 },
        { "T=1,v1=" OF_FIRST, 0 },
        { "t=1,V1=" OF_FIRST, 0 },
        { "t=1,v1=" OF_FIRST "0", 0 },
        { "t=1,v1=1e3d", 0 },
        { "t=1,v1=", 0 },
        { "t=1,v1", 0 },
        { "t=1,=abc,v1=" OF_FIRST, 0 },
        { "t=1,v0=,v1=" OF_FIRST, 0 },
        { "t=1,averylongname=1,v1=" OF_FIRST, 0 },
        { "t=1,v0=a=b,v1=" OF_FIRST, 0 },
        { "t=1,v1=1E3D4A587CB2A36F93D7444746133DCFCD077E60212C2413513DA26D6DDB0CBB", 0 },
        { "t=1,v1=ge3d4a587cb2a36f93d7444746133dcfcd077e60212c2413513da26d6ddb0cbb", 0 },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct webhook_signature signature;
        bool is_read = webhook_parse(str_of(cases[i].field), &signature);
        if (is_read != (cases[i].marks > 0) || (is_read && signature.mark_count != cases[i].marks))
            fail_msg("%s", cases[i].field);
    }
}

static void test_a_field_past_the_ceiling_is_refused(void **state)
{
    (void)state;
    static const char start[] = "t=1,v1=" OF_FIRST ",v0=";
    char field[LIMIT_WEBHOOK_FIELD_BYTES + 1];
    struct webhook_signature signature;
    memset(field, 'a', sizeof(field));
    memcpy(field, start, sizeof(start) - 1);
    assert_true(webhook_parse(str_make(field, sizeof(field) - 1), &signature));
    assert_false(webhook_parse(str_make(field, sizeof(field)), &signature));
}

static enum webhook_outcome outcome_of(const char *field, const char *secret, const char *body, int64_t now)
{
    struct arena arena;
    struct webhook_signature signature;
    assert_true(webhook_parse(str_of(field), &signature));
    arena_init(&arena, NULL, 1U << 20);
    enum webhook_outcome outcome = webhook_verify(&signature, str_of(secret), str_of(body), now, &arena);
    arena_release(&arena);
    return outcome;
}

static void test_a_signature_is_of_one_body_one_time_and_one_secret(void **state)
{
    (void)state;
    static const struct {
        const char *field, *secret, *body;
        enum webhook_outcome outcome;
    } cases[] = {
        { "t=1700000000,v1=" OF_FIRST, "whsec_first", BODY, WEBHOOK_OK },
        { "t=1700000000,v1=" OF_SECOND ",v1=" OF_FIRST, "whsec_first", BODY, WEBHOOK_OK },
        { "t=1700000000,v1=" OF_FIRST ",v1=" OF_SECOND, "whsec_first", BODY, WEBHOOK_OK },
        { "t=1700000000,v1=" OF_NOTHING, "whsec_first", "", WEBHOOK_OK },
        { "t=1700000000,v1=" OF_FIRST, "whsec_second", BODY, WEBHOOK_FORGED },
        { "t=1700000000,v1=" OF_SECOND, "whsec_first", BODY, WEBHOOK_FORGED },
        { "t=1700000000,v1=" OF_FIRST, "whsec_first", BODY " ", WEBHOOK_FORGED },
        { "t=1700000000,v1=" OF_FIRST, "whsec_first", "", WEBHOOK_FORGED },
        { "t=1700000001,v1=" OF_FIRST, "whsec_first", BODY, WEBHOOK_FORGED },
        { "t=01700000000,v1=" OF_FIRST, "whsec_first", BODY, WEBHOOK_FORGED }, /* the text is what was signed */
        { "t=1700000000,v0=" OF_FIRST ",v1=" OF_SECOND, "whsec_first", BODY, WEBHOOK_FORGED },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (outcome_of(cases[i].field, cases[i].secret, cases[i].body, SIGNED_AT_US) != cases[i].outcome)
            fail_msg("%s, %s, %s", cases[i].field, cases[i].secret, cases[i].body);
    }
}

static void test_each_wrong_bit_of_a_mark_is_seen(void **state)
{
    (void)state;
    char field[] = "t=1700000000,v1=" OF_FIRST;
    for (size_t i = 16; i < sizeof(field) - 1; i++) {
        char was = field[i];
        field[i] = was == '0' ? '1' : '0';
        assert_int_equal(outcome_of(field, "whsec_first", BODY, SIGNED_AT_US), WEBHOOK_FORGED);
        field[i] = was;
    }
}

static void test_a_signature_is_good_for_five_minutes_either_way(void **state)
{
    (void)state;
    static const char field[] = "t=1700000000,v1=" OF_FIRST;
    static const struct {
        int64_t later_us;
        enum webhook_outcome outcome;
    } cases[] = {
        { LIMIT_WEBHOOK_TOLERANCE_US, WEBHOOK_OK },
        { LIMIT_WEBHOOK_TOLERANCE_US + 1, WEBHOOK_STALE },
        { -LIMIT_WEBHOOK_TOLERANCE_US, WEBHOOK_OK },
        { -LIMIT_WEBHOOK_TOLERANCE_US - 1, WEBHOOK_STALE },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(outcome_of(field, "whsec_first", BODY, SIGNED_AT_US + cases[i].later_us), cases[i].outcome);
    /* Who has no secret is not told that the time is wrong. */
    assert_int_equal(outcome_of(field, "whsec_second", BODY, SIGNED_AT_US * 2), WEBHOOK_FORGED);
}

static void test_without_memory_nothing_is_believed(void **state)
{
    (void)state;
    struct arena arena;
    struct webhook_signature signature;
    assert_true(webhook_parse(LIMEN_STR("t=1700000000,v1=" OF_FIRST), &signature));
    arena_init(&arena, NULL, 8);
    assert_int_equal(webhook_verify(&signature, LIMEN_STR("whsec_first"), LIMEN_STR(BODY), SIGNED_AT_US, &arena),
                     WEBHOOK_NO_MEMORY);
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields_are_read_strictly),
        cmocka_unit_test(test_a_field_past_the_ceiling_is_refused),
        cmocka_unit_test(test_a_signature_is_of_one_body_one_time_and_one_secret),
        cmocka_unit_test(test_each_wrong_bit_of_a_mark_is_seen),
        cmocka_unit_test(test_a_signature_is_good_for_five_minutes_either_way),
        cmocka_unit_test(test_without_memory_nothing_is_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
