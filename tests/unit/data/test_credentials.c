/* Tests of data/credentials.h. */
#include "data/credentials.h"

#include "check.h"

#include "core/clock.h"
#include "core/loop.h"

#include <openssl/sha.h>
#include <stdlib.h>

/* ---- tokens ------------------------------------------------------------------------------------------------------ */
static void test_token_that_was_made_reads_back(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++) {
        char text[TOKEN_TEXT_BYTES];
        uint8_t made[TOKEN_HASH_BYTES], read[TOKEN_HASH_BYTES];
        token_make(text, made);
        assert_true(token_read(str_make(text, sizeof(text)), read));
        assert_memory_equal(made, read, sizeof(made));
    }
}

static void test_two_tokens_differ(void **state)
{
    (void)state;
    char first[TOKEN_TEXT_BYTES], second[TOKEN_TEXT_BYTES];
    uint8_t hash[TOKEN_HASH_BYTES];
    token_make(first, hash);
    token_make(second, hash);
    assert_memory_not_equal(first, second, sizeof(first));
}

static void test_hash_is_of_the_bytes_and_not_of_the_text(void **state)
{
    (void)state;
    static const uint8_t zeros[TOKEN_BYTES];
    uint8_t wanted[TOKEN_HASH_BYTES], got[TOKEN_HASH_BYTES];
    SHA256(zeros, sizeof(zeros), wanted);
    assert_true(token_read(LIMEN_STR("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), got));
    assert_memory_equal(got, wanted, sizeof(got));
    uint8_t ones[TOKEN_BYTES];
    memset(ones, 0xff, sizeof(ones));
    SHA256(ones, sizeof(ones), wanted);
    assert_true(token_read(LIMEN_STR("__________________________________________8"), got));
    assert_memory_equal(got, wanted, sizeof(got));
}

static void test_token_of_another_form_is_refused(void **state)
{
    (void)state;
    static const limen_str cases[] = {
        LIMEN_STR_INIT(""),
        LIMEN_STR_INIT("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),   /* 42 */
        LIMEN_STR_INIT("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), /* 44 */
        LIMEN_STR_INIT("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="), /* padding */
        LIMEN_STR_INIT("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),  /* padding in place of the last */
        LIMEN_STR_INIT("+AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),  /* base64, not base64url */
        LIMEN_STR_INIT("/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
        LIMEN_STR_INIT("AAAAAAAAAAAAAAAAAAAAA AAAAAAAAAAAAAAAAAAAAA"),
        LIMEN_STR_INIT("AAAAAAAAAAAAAAAAAAAAA\0AAAAAAAAAAAAAAAAAAAAA"),
        LIMEN_STR_INIT("AAAAAAAAAAAAAAAAAAAAA\xc3"
                       "AAAAAAAAAAAAAAAAAAAAA"),
        LIMEN_STR_INIT("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB"), /* stray bits in the last */
        LIMEN_STR_INIT("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAC"),
    };
    uint8_t hash[TOKEN_HASH_BYTES];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_false(token_read(cases[i], hash));
}

/* ---- passwords --------------------------------------------------------------------------------------------------- */
static void test_password_is_verified_bytewise(void **state)
{
    (void)state;
    char hash[HASH_TEXT_BYTES];
    assert_true(password_hash(LIMEN_STR("Correct horse\0battery"), hash));
    assert_int_equal(password_verify(hash, LIMEN_STR("Correct horse\0battery")), HASH_OK);
    assert_int_equal(password_verify(hash, LIMEN_STR("Correct horse")), HASH_WRONG);
    assert_int_equal(password_verify(hash, LIMEN_STR("correct horse\0battery")), HASH_WRONG);
    assert_int_equal(password_verify("not a hash", LIMEN_STR("not a hash")), HASH_WRONG);
    assert_false(password_hash_is_old(hash));
}

static void test_hash_says_what_it_was_made_with(void **state)
{
    (void)state;
    char first[HASH_TEXT_BYTES], second[HASH_TEXT_BYTES];
    assert_true(password_hash(LIMEN_STR("a password"), first));
    assert_true(password_hash(LIMEN_STR("a password"), second));
    assert_true(str_starts(str_of(first), LIMEN_STR("$argon2id$v=19$m=19456,t=2,p=1$")));
    assert_string_not_equal(first, second); /* each has a salt of its own */
    assert_true(password_hash_is_old("$argon2id$v=19$m=19456,t=3,p=1$c29tZXNhbHQ$aGFzaA"));
    assert_true(password_hash_is_old("$argon2i$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$aGFzaA"));
}

static void test_generated_password_is_long_and_plain(void **state)
{
    (void)state;
    char first[GENERATED_PASSWORD_BYTES], second[GENERATED_PASSWORD_BYTES];
    password_generate(first);
    password_generate(second);
    assert_int_equal(str_of(first).len, 27);
    assert_string_not_equal(first, second);
    for (size_t i = 0; i < 27; i++)
        assert_true(i % 7 == 6 ? first[i] == '-' : strchr("01loOI-", first[i]) == NULL);
}

/* ---- the pool ---------------------------------------------------------------------------------------------------- */
struct counted {
    struct hash_job job; /* first */
    int done;
    char password[32];
};

static void count_done(struct hash_job *job)
{
    ((struct counted *)job)->done++;
}

static struct counted *make_job(bool is_verify, const char *password, int64_t deadline_us)
{
    struct counted *it = calloc(1, sizeof(*it));
    size_t len = str_of(password).len;
    memcpy(it->password, password, len);
    it->job = (struct hash_job){ .is_verify = is_verify,
                                 .password = it->password,
                                 .password_bytes = len,
                                 .deadline_us = deadline_us,
                                 .on_done = count_done };
    return it;
}

static void wait_for(struct loop *loop, const struct counted *it)
{
    for (int i = 0; i < 5000 && it->done == 0; i++)
        loop_turn(loop, 2000);
    assert_int_equal(it->done, 1);
}

static void test_pool_makes_and_verifies_and_wipes(void **state)
{
    (void)state;
    static const char zeros[32];
    struct loop *loop = loop_new();
    struct hash_pool *pool = hash_pool_new(loop, 1, 4);
    assert_non_null(pool);
    struct counted *make = make_job(false, "a password", INT64_MAX);
    assert_true(hash_pool_submit(pool, &make->job));
    wait_for(loop, make);
    assert_int_equal(make->job.outcome, HASH_OK);
    assert_memory_equal(make->password, zeros, sizeof(zeros));

    struct counted *right = make_job(true, "a password", INT64_MAX), *wrong = make_job(true, "A password", INT64_MAX);
    memcpy(right->job.encoded, make->job.encoded, HASH_TEXT_BYTES);
    memcpy(wrong->job.encoded, make->job.encoded, HASH_TEXT_BYTES);
    assert_true(hash_pool_submit(pool, &right->job));
    assert_true(hash_pool_submit(pool, &wrong->job));
    wait_for(loop, right);
    wait_for(loop, wrong);
    assert_int_equal(right->job.outcome, HASH_OK);
    assert_false(right->job.is_rehashed);
    assert_int_equal(wrong->job.outcome, HASH_WRONG);
    assert_memory_equal(wrong->password, zeros, sizeof(zeros));
    hash_pool_free(pool);
    loop_free(loop);
    free(make);
    free(right);
    free(wrong);
}

static void test_late_and_cancelled_jobs_are_not_worked_on(void **state)
{
    (void)state;
    static const char zeros[32];
    struct loop *loop = loop_new();
    struct hash_pool *pool = hash_pool_new(loop, 1, 4);
    struct counted *late = make_job(false, "a password", clock_mono_us() - 1);
    struct counted *cancelled = make_job(false, "a password", INT64_MAX);
    cancelled->job.is_cancelled = true;
    assert_true(hash_pool_submit(pool, &late->job));
    assert_true(hash_pool_submit(pool, &cancelled->job));
    wait_for(loop, late);
    wait_for(loop, cancelled);
    assert_int_equal(late->job.outcome, HASH_LATE);
    assert_int_equal(cancelled->job.outcome, HASH_LATE);
    assert_memory_equal(late->password, zeros, sizeof(zeros));
    assert_int_equal(late->job.encoded[0], '\0');
    hash_pool_free(pool);
    loop_free(loop);
    free(late);
    free(cancelled);
}

static void test_full_queue_leaves_the_job_alone(void **state)
{
    (void)state;
    static const char zeros[32];
    struct loop *loop = loop_new();
    struct hash_pool *pool = hash_pool_new(loop, 0, 2); /* nobody works: the queue only fills */
    struct counted *jobs[3];
    for (size_t i = 0; i < 3; i++)
        jobs[i] = make_job(false, "a password", INT64_MAX);
    assert_true(hash_pool_submit(pool, &jobs[0]->job));
    assert_true(hash_pool_submit(pool, &jobs[1]->job));
    assert_false(hash_pool_submit(pool, &jobs[2]->job));
    assert_memory_equal(jobs[2]->password, "a password", 10);
    hash_pool_free(pool);
    assert_memory_equal(jobs[0]->password, zeros, sizeof(zeros)); /* dropped, but wiped */
    assert_int_equal(jobs[0]->done, 0);
    loop_free(loop);
    for (size_t i = 0; i < 3; i++)
        free(jobs[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_token_that_was_made_reads_back),
        cmocka_unit_test(test_two_tokens_differ),
        cmocka_unit_test(test_hash_is_of_the_bytes_and_not_of_the_text),
        cmocka_unit_test(test_token_of_another_form_is_refused),
        cmocka_unit_test(test_password_is_verified_bytewise),
        cmocka_unit_test(test_hash_says_what_it_was_made_with),
        cmocka_unit_test(test_generated_password_is_long_and_plain),
        cmocka_unit_test(test_pool_makes_and_verifies_and_wipes),
        cmocka_unit_test(test_late_and_cancelled_jobs_are_not_worked_on),
        cmocka_unit_test(test_full_queue_leaves_the_job_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
