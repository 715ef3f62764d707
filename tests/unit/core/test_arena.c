/* Tests of core/arena.h. */
#include "check.h"

#include "core/arena.h"
#include "core/limits.h"
#include "core/memory.h"

#include <malloc.h>
#include <string.h>
#if ARENA_IS_POISONED
#include <sanitizer/asan_interface.h>
#endif

#define BLOCK ((size_t)LIMIT_ARENA_BLOCK_BYTES)

static void test_pieces_are_aligned_and_apart(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL, 1U << 20);
    char *previous = NULL;
    for (size_t bytes = 0; bytes < 300; bytes++) {
        char *piece = arena_alloc(&arena, bytes);
        assert_non_null(piece);
        assert_int_equal((uintptr_t)piece % 16, 0);
        assert_ptr_not_equal(piece, previous);
        memset(piece, (int)bytes, bytes);
        if (bytes > 1)
            assert_int_equal((unsigned char)previous[bytes - 2], (unsigned char)(bytes - 1));
        previous = piece;
    }
    arena_release(&arena);
}

static void test_empty_piece_is_valid_and_unique(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL, 1U << 20);
    void *first = arena_alloc(&arena, 0), *second = arena_alloc(&arena, 0);
    assert_non_null(first);
    assert_non_null(second);
    assert_ptr_not_equal(first, second);
    arena_release(&arena);
}

static void test_large_piece_leaves_present_block_in_use(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL, 10 * BLOCK);
    assert_non_null(arena_alloc(&arena, 100));
    const char *next = arena.next;
    char *large = arena_alloc(&arena, 3 * BLOCK);
    assert_non_null(large);
    memset(large, 1, 3 * BLOCK);
    assert_ptr_equal(arena.next, next);
    assert_in_range(arena.total_bytes, 4 * BLOCK, 4 * BLOCK + 64);
    arena_release(&arena);
    assert_int_equal(arena.total_bytes, 0);
}

static void test_block_with_more_room_stays_in_use(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL, 10 * BLOCK);
    assert_non_null(arena_alloc(&arena, 4000));
    const char *next = arena.next;
    assert_non_null(arena_alloc(&arena, BLOCK - 500)); /* a new block, nearly filled */
    assert_ptr_equal(arena.next, next);
    assert_non_null(arena_alloc(&arena, 4000));
    assert_int_equal(arena.total_bytes, 2 * BLOCK);
    arena_release(&arena);
}

static void test_ceiling_stops_growth_and_leaves_what_is_there(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL, 2 * BLOCK);
    char *piece = arena_alloc(&arena, 10000);
    assert_non_null(piece);
    memset(piece, 7, 10000);
    assert_non_null(arena_alloc(&arena, 10000));
    assert_null(arena_alloc(&arena, 10000));
    assert_null(arena_alloc(&arena, 2 * BLOCK));
    assert_non_null(arena_alloc(&arena, 1000)); /* the rest of a block is still good */
    assert_int_equal(piece[9999], 7);
    arena_release(&arena);
    assert_non_null(arena_alloc(&arena, 10000));
    arena_release(&arena);
}

static void test_sizes_that_overflow_are_refused(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL, 1U << 20);
    for (size_t less = 0; less < 64; less++)
        assert_null(arena_alloc(&arena, SIZE_MAX - less));
    assert_null(arena_zalloc(&arena, SIZE_MAX / 2, 3));
    assert_null(arena_copy(&arena, (limen_str){ "x", SIZE_MAX }).ptr);
    arena_release(&arena);
}

static void test_zalloc_zeroes_recycled_memory(void **state)
{
    (void)state;
    struct arena_pool *pool = arena_pool_new(4);
    struct arena arena;
    arena_init(&arena, pool, 1U << 20);
    char *dirty = arena_alloc(&arena, 1000);
    assert_non_null(dirty);
    memset(dirty, 0xff, 1000);
    arena_release(&arena);
    const char *clean = ARENA_NEW_ARRAY(&arena, char, 1000);
    assert_non_null(clean);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(clean[i], 0);
    arena_release(&arena);
    arena_pool_free(pool);
}

static void test_warm_pool_never_asks_malloc(void **state)
{
    (void)state;
    if (ARENA_IS_POISONED)
        skip(); /* then nothing is recycled, on purpose */
    struct arena_pool *pool = arena_pool_new(4);
    struct arena arena;
    arena_init(&arena, pool, 1U << 20);
    for (int i = 0; i < 6; i++)
        assert_non_null(arena_alloc(&arena, 12000));
    arena_release(&arena);
    size_t before = mallinfo2().uordblks;
    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < 4; i++)
            assert_non_null(arena_alloc(&arena, 12000));
        assert_int_equal(mallinfo2().uordblks, before);
        arena_release(&arena);
        assert_int_equal(mallinfo2().uordblks, before);
    }
    arena_pool_free(pool);
}

static void test_pool_keeps_no_more_than_its_ceiling(void **state)
{
    (void)state;
    if (ARENA_IS_POISONED)
        skip();
    size_t before = mallinfo2().uordblks;
    struct arena_pool *pool = arena_pool_new(2);
    struct arena arena;
    arena_init(&arena, pool, 1U << 20);
    for (int i = 0; i < 10; i++)
        assert_non_null(arena_alloc(&arena, 12000));
    assert_non_null(arena_alloc(&arena, 5 * BLOCK));
    arena_release(&arena);
    assert_in_range(mallinfo2().uordblks - before, 2 * BLOCK, 2 * BLOCK + 1024);
    arena_pool_free(pool);
    assert_in_range(mallinfo2().uordblks, before, before + 1024); /* malloc keeps small pieces of its own */
}

static void test_poison_surrounds_each_piece(void **state)
{
    (void)state;
#if ARENA_IS_POISONED
    struct arena arena;
    arena_init(&arena, NULL, 1U << 20);
    char *first = arena_alloc(&arena, 13), *second = arena_alloc(&arena, 16), *third = arena_alloc(&arena, 16);
    assert_false(__asan_address_is_poisoned(first + 12));
    assert_true(__asan_address_is_poisoned(first + 13));
    assert_true(__asan_address_is_poisoned(second - 1));
    assert_true(__asan_address_is_poisoned(second + 16));
    assert_true(__asan_address_is_poisoned(third - 1));
    arena_release(&arena);
    assert_true(__asan_address_is_poisoned(first));
#else
    skip();
#endif
}

static void test_extend_only_the_newest_piece(void **state)
{
    (void)state;
    if (ARENA_IS_POISONED)
        skip(); /* then it always refuses, and buffers move */
    struct arena arena;
    arena_init(&arena, NULL, 1U << 20);
    char *first = arena_alloc(&arena, 40), *second = arena_alloc(&arena, 40);
    assert_false(arena_extend(&arena, first, 40, 80));
    assert_true(arena_extend(&arena, second, 40, 200));
    char *third = arena_alloc(&arena, 1);
    assert_int_equal(third - second, 208);
    assert_false(arena_extend(&arena, third, 1, BLOCK));
    assert_true(arena_extend(&arena, third, 1, (size_t)(arena.end - third)));
    assert_ptr_equal(arena.next, arena.end);
    arena_release(&arena);
}

static void test_copy_ends_with_uncounted_nul(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL, 1U << 20);
    limen_str copy = arena_copy(&arena, str_make("abcdef", 3));
    assert_text(copy, "abc");
    assert_int_equal(copy.ptr[3], '\0');
    limen_str empty = arena_copy(&arena, str_make(NULL, 0));
    assert_non_null(empty.ptr);
    assert_int_equal(empty.ptr[0], '\0');
    arena_release(&arena);
}

static void test_printf_short_and_long(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL, BLOCK);
    assert_text(arena_printf(&arena, "%s-%d", "a", 5), "a-5");
    for (int width = 250; width < 260; width++) {
        limen_str text = arena_printf(&arena, "%*d", width, 1);
        assert_int_equal(text.len, width);
        assert_int_equal(text.ptr[width - 1], '1');
        assert_int_equal(text.ptr[width], '\0');
    }
    limen_str none = arena_printf(&arena, "%*d", 20000, 1);
    assert_null(none.ptr);
    assert_int_equal(none.len, 0);
    arena_release(&arena);
}

static void test_grow_moves_large_pieces_and_leaves_nothing_behind(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL, 1U << 20);
    char *piece = arena_grow(&arena, NULL, 0, 100);
    for (size_t bytes = 100; bytes < 100000; bytes *= 2) {
        memset(piece, 'a' + (int)(bytes % 23), bytes);
        assert_non_null(arena_alloc(&arena, 30000 / bytes)); /* so that it is not the newest */
        char *larger = arena_grow(&arena, piece, bytes, bytes * 2);
        assert_non_null(larger);
        assert_int_equal((uintptr_t)larger % 16, 0);
        for (size_t i = 0; i < bytes; i++)
            assert_int_equal(larger[i], 'a' + (int)(bytes % 23));
        piece = larger;
    }
    assert_in_range(arena.total_bytes, 102400, 102400 + 64 * 1024 + 4 * BLOCK);
    assert_null(arena_grow(&arena, piece, 102400, 2U << 20)); /* past the ceiling */
    memset(piece, 'z', 102400);                               /* and it is there as it was */
    assert_null(arena_grow(&arena, piece, 102400, SIZE_MAX));
    arena_release(&arena);
}

static void test_blocks_are_counted_against_a_memory(void **state)
{
    (void)state;
    struct memory memory = { .ceiling_bytes = 20 * BLOCK };
    struct arena one, other;
    arena_init(&one, NULL, SIZE_MAX);
    arena_init(&other, NULL, SIZE_MAX);
    arena_count(&one, &memory);
    arena_count(&other, &memory);

    assert_non_null(arena_alloc(&one, 1));
    assert_int_equal(memory.used_bytes, BLOCK);   /* as it comes */
    assert_false(arena_reserve(&one, 3 * BLOCK)); /* more than an eighth of what is left */
    assert_true(arena_reserve(&one, 2 * BLOCK));
    assert_int_equal(memory.used_bytes, 3 * BLOCK);
    assert_non_null(arena_alloc(&one, BLOCK)); /* of what was reserved */
    assert_int_equal(memory.used_bytes, 3 * BLOCK);
    assert_non_null(arena_alloc(&one, 10 * BLOCK)); /* past it: of what is left */
    assert_in_range(memory.used_bytes, 12 * BLOCK, 13 * BLOCK);
    assert_null(arena_alloc(&other, 9 * BLOCK));
    assert_non_null(arena_alloc(&other, 5 * BLOCK));
    arena_release(&one);
    assert_in_range(memory.used_bytes, 5 * BLOCK, 6 * BLOCK);
    assert_non_null(arena_alloc(&one, 1)); /* it goes on counting */
    arena_release(&one);
    arena_release(&other);
    assert_int_equal(memory.used_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_are_aligned_and_apart),
        cmocka_unit_test(test_empty_piece_is_valid_and_unique),
        cmocka_unit_test(test_large_piece_leaves_present_block_in_use),
        cmocka_unit_test(test_block_with_more_room_stays_in_use),
        cmocka_unit_test(test_ceiling_stops_growth_and_leaves_what_is_there),
        cmocka_unit_test(test_sizes_that_overflow_are_refused),
        cmocka_unit_test(test_zalloc_zeroes_recycled_memory),
        cmocka_unit_test(test_warm_pool_never_asks_malloc),
        cmocka_unit_test(test_pool_keeps_no_more_than_its_ceiling),
        cmocka_unit_test(test_poison_surrounds_each_piece),
        cmocka_unit_test(test_extend_only_the_newest_piece),
        cmocka_unit_test(test_grow_moves_large_pieces_and_leaves_nothing_behind),
        cmocka_unit_test(test_blocks_are_counted_against_a_memory),
        cmocka_unit_test(test_copy_ends_with_uncounted_nul),
        cmocka_unit_test(test_printf_short_and_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
