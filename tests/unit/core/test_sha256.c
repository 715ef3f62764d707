/* Tests of core/sha256.h. */
#include "core/sha256.h"

#include "check.h"

#include <stdio.h>

static void assert_hash(limen_str text, const char *expected)
{
    uint8_t hash[SHA256_BYTES];
    char hex[2 * SHA256_BYTES + 1];
    sha256(text, hash);
    for (size_t i = 0; i < SHA256_BYTES; i++)
        snprintf(hex + 2 * i, 3, "%02x", hash[i]);
    assert_string_equal(hex, expected);
}

/* FIPS 180-4's own examples: a block, none, and two. */
static void test_the_examples_of_fips_180(void **state)
{
    (void)state;
    assert_hash(LIMEN_STR("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_hash(LIMEN_STR(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_hash(LIMEN_STR("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_examples_of_fips_180),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
