/* Tests of core/hash.h. */
#include "check.h"

#include "core/hash.h"

#include <stdio.h>

/* The first vectors of the reference implementation: key 00 01 … 0f, message 00 01 … of growing length. */
static void test_siphash_reference_vectors(void **state)
{
    (void)state;
    static const struct {
        size_t count;
        uint64_t hash;
    } vectors[] = {
        { 0, UINT64_C(0x726fdb47dd0e0e31) },  { 1, UINT64_C(0x74f839c593dc67fd) }, { 2, UINT64_C(0x0d6c8009d9a94f5a) },
        { 3, UINT64_C(0x85676696d7fb7e2d) },  { 7, UINT64_C(0xab0200f58b01d137) }, { 8, UINT64_C(0x93f5f5799a932462) },
        { 15, UINT64_C(0xa129ca6149be45e5) },
    };
    const struct hash_key key = { UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908) };
    uint8_t message[16];
    for (unsigned i = 0; i < sizeof message; i++)
        message[i] = (uint8_t)i;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
        assert_true(hash_bytes(&key, message, vectors[i].count) == vectors[i].hash);
}

static void test_keys_are_random(void **state)
{
    (void)state;
    struct hash_key a, b;
    hash_key_random(&a);
    hash_key_random(&b);
    assert_false(a.k0 == b.k0 && a.k1 == b.k1);
    assert_true(hash_bytes(&a, "x", 1) != hash_bytes(&b, "x", 1));
}

static void test_map_finds_what_was_put_and_nothing_else(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    static char keys[COUNT][8];
    static int values[COUNT];
    struct map map;
    map_init(&map);
    assert_null(map_get(&map, LIMEN_STR("0")));
    for (int i = 0; i < COUNT; i++) {
        int len = snprintf(keys[i], sizeof keys[i], "%d", i);
        void *old = &map;
        assert_true(map_put(&map, str_make(keys[i], (size_t)len), &values[i], &old));
        assert_null(old);
        assert_true(map.count * 4 <= map.capacity * 3);
    }
    assert_int_equal(map.count, COUNT);
    for (int i = 0; i < COUNT; i++)
        assert_ptr_equal(map_get(&map, str_of(keys[i])), &values[i]);
    assert_null(map_get(&map, LIMEN_STR("5000")));
    assert_null(map_get(&map, LIMEN_STR("")));
    map_release(&map);
    assert_null(map_get(&map, LIMEN_STR("0")));
}

static void test_map_replaces_an_equal_key_and_tells(void **state)
{
    (void)state;
    int first, second;
    struct map map;
    void *old;
    map_init(&map);
    assert_true(map_put(&map, LIMEN_STR(""), &first, NULL));
    assert_true(map_put(&map, LIMEN_STR(""), &second, &old));
    assert_ptr_equal(old, &first);
    assert_int_equal(map.count, 1);
    assert_ptr_equal(map_get(&map, (limen_str){ NULL, 0 }), &second);
    assert_false(map_put(&map, LIMEN_STR("a"), NULL, NULL));
    assert_null(map_get(&map, LIMEN_STR("a")));
    map_release(&map);
}

/* Of the reference implementation, as OpenSSL's SIPHASH with size 16 says them too. */
static void test_siphash_reference_vectors_of_128_bits(void **state)
{
    (void)state;
    static const struct {
        size_t count;
        uint64_t first, second; /* the bytes of the vector, little-endian */
    } vectors[] = {
        { 0, UINT64_C(0xe6a825ba047f81a3), UINT64_C(0x930255c71472f66d) },
        { 1, UINT64_C(0x44af996bd8c187da), UINT64_C(0x45fc229b11597634) },
        { 8, UINT64_C(0x61f55862baa9623b), UINT64_C(0xb49714f364e2830f) },
        { 15, UINT64_C(0x11a8b03399e99354), UINT64_C(0xd9c3cf970fec087e) },
        { 63, UINT64_C(0x4a83502f77d15051), UINT64_C(0x7cbd3f979a063e50) },
    };
    const struct hash_key key = { UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908) };
    uint8_t message[64];
    for (size_t i = 0; i < sizeof message; i++)
        message[i] = (uint8_t)i;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        const struct hash_wide hash = hash_bytes_wide(&key, message, vectors[i].count);
        assert_true(hash.first == vectors[i].first && hash.second == vectors[i].second);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_siphash_reference_vectors),
        cmocka_unit_test(test_siphash_reference_vectors_of_128_bits),
        cmocka_unit_test(test_keys_are_random),
        cmocka_unit_test(test_map_finds_what_was_put_and_nothing_else),
        cmocka_unit_test(test_map_replaces_an_equal_key_and_tells),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
