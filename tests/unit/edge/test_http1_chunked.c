/* Tests of http1_dechunk. Each body is decoded cut at every place, and must come out the same. */
#include "check.h"

#include "core/limits.h"
#include "core/str.h"
#include "edge/http1.h"

#include <stdlib.h>
#include <string.h>

/* Feeds `text` in pieces of `piece` bytes. `ret_content` gets what was decoded, `*ret_used` how many bytes the body took. */
static enum http1_outcome decode(limen_str text, size_t piece, char *ret_content, size_t *ret_bytes, size_t *ret_used)
{
    struct http1_chunks chunks = { 0 };
    enum http1_outcome outcome = HTTP1_MORE;
    *ret_bytes = *ret_used = 0;
    while (outcome == HTTP1_MORE && *ret_used < text.len) {
        size_t bytes = text.len - *ret_used < piece ? text.len - *ret_used : piece, used = 0, content = 0;
        char *data = malloc(bytes); /* exactly as long as the piece */
        const char *why = NULL;
        assert_non_null(data);
        memcpy(data, text.ptr + *ret_used, bytes);
        outcome = http1_dechunk(&chunks, data, bytes, &used, &content, &why);
        if (outcome == HTTP1_REFUSED) {
            assert_non_null(why);
        } else {
            assert_true(used <= bytes && content <= used);
            assert_true(outcome == HTTP1_OK || used == bytes);
            memcpy(ret_content + *ret_bytes, data, content);
            *ret_bytes += content;
            *ret_used += used;
        }
        free(data);
    }
    return outcome;
}

struct body {
    limen_str text;
    limen_str content;
    size_t left; /* bytes behind the body */
};
#define BODY(text, content, left)                             \
    {                                                         \
        LIMEN_STR_INIT(text), LIMEN_STR_INIT(content), (left) \
    }

static void test_good_bodies_are_decoded_in_any_pieces(void **state)
{
    (void)state;
    static const struct body cases[] = {
        BODY("0\r\n\r\n", "", 0),
        BODY("5\r\nhello\r\n0\r\n\r\n", "hello", 0),
        BODY("5\r\nhello\r\n0\r\n\r\nGET / HTTP/1.1\r\n", "hello", 16),
        BODY("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world", 0),
        BODY("005\r\nhello\r\n000\r\n\r\n", "hello", 0),
        BODY("5;a\r\nhello\r\n0;b=c\r\n\r\n", "hello", 0),
        BODY("5 ; a = \"q\\\"; \t\" ;b\r\nhello\r\n0\r\n\r\n", "hello", 0),
        BODY("5\r\nhello\r\n0\r\nX-Sum: abc\r\nEmpty:\r\n\r\n", "hello", 0),
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (size_t piece = 1; piece <= cases[i].text.len; piece++) {
            char content[256];
            size_t bytes, used;
            assert_int_equal(decode(cases[i].text, piece, content, &bytes, &used), HTTP1_OK);
            assert_int_equal(bytes, cases[i].content.len);
            assert_memory_equal(content, cases[i].content.ptr, bytes);
            assert_int_equal(used, cases[i].text.len - cases[i].left);
        }
    }
}

static void test_content_may_look_like_framing(void **state)
{
    (void)state;
    limen_str text = LIMEN_STR("a\r\n0\r\n\r\n5\r\n\r\n\r\n0\r\n\r\n");
    for (size_t piece = 1; piece <= text.len; piece++) {
        char content[64];
        size_t bytes, used;
        assert_int_equal(decode(text, piece, content, &bytes, &used), HTTP1_OK);
        assert_int_equal(bytes, 10);
        assert_memory_equal(content, "0\r\n\r\n5\r\n\r\n", 10);
    }
}

static void test_bad_bodies_are_refused_in_any_pieces(void **state)
{
    (void)state;
    static const limen_str cases[] = {
        LIMEN_STR_INIT("\r\n"),
        LIMEN_STR_INIT("g\r\n"),
        LIMEN_STR_INIT(" 5\r\n"),
        LIMEN_STR_INIT("+5\r\n"),
        LIMEN_STR_INIT("-1\r\n"),
        LIMEN_STR_INIT("0x5\r\n"),
        LIMEN_STR_INIT("5_0\r\n"),
        LIMEN_STR_INIT("5 \r\n"),
        LIMEN_STR_INIT("5 a\r\n"),
        LIMEN_STR_INIT("5,a\r\n"),
        LIMEN_STR_INIT("5\n"),
        LIMEN_STR_INIT("5\rx"),
        LIMEN_STR_INIT("5;\r\n"),
        LIMEN_STR_INIT("5;;\r\n"),
        LIMEN_STR_INIT("5;a \r\n"),
        LIMEN_STR_INIT("5;a b\r\n"),
        LIMEN_STR_INIT("5;a=\r\n"),
        LIMEN_STR_INIT("5;a=\"b\r\n"),
        LIMEN_STR_INIT("5;a=b\n"),
        LIMEN_STR_INIT("5;\0a\r\n"),
        LIMEN_STR_INIT("5;a=\"\x01\"\r\n"),
        LIMEN_STR_INIT("5\r\nhello!\r\n"),
        LIMEN_STR_INIT("5\r\nhello\n0"),
        LIMEN_STR_INIT("5\r\nhello0\r\n\r\n"),
        LIMEN_STR_INIT("10000000000000000\r\n"),
        LIMEN_STR_INIT("ffffffffffffffff\r\n"),
        LIMEN_STR_INIT("f0000000000000003\r\n"),
        LIMEN_STR_INIT("0\r\nX Y: z\r\n\r\n"),
        LIMEN_STR_INIT("0\r\n: z\r\n\r\n"),
        LIMEN_STR_INIT("0\r\nX: y\n\r\n"),
        LIMEN_STR_INIT("0\r\nX: \x01\r\n\r\n"),
        LIMEN_STR_INIT("0\r\n\n"),
        LIMEN_STR_INIT("0\r\n\rX"),
        LIMEN_STR_INIT("0\r\nX\r\n\r\n"),
        LIMEN_STR_INIT("0\r\n X: y\r\n\r\n"),
        LIMEN_STR_INIT("0\r\nContent-LENGTH: 5\r\n\r\n"),
        LIMEN_STR_INIT("0\r\ntransfer-encoding: chunked\r\n\r\n"),
        LIMEN_STR_INIT("0\r\nA: b\r\nHost: a\r\n\r\n"),
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (size_t piece = 1; piece <= cases[i].len; piece++) {
            char content[256];
            size_t bytes, used;
            enum http1_outcome outcome = decode(cases[i], piece, content, &bytes, &used);
            if (outcome != HTTP1_REFUSED)
                print_error("case %zu in pieces of %zu", i, piece);
            assert_int_equal(outcome, HTTP1_REFUSED);
        }
    }
}

/* Text that repeats `unit` until `bytes` are full, between `before` and `after`. */
static limen_str repeat(const char *before, const char *unit, size_t bytes)
{
    size_t head = strlen(before), step = strlen(unit), len = head;
    char *text = malloc(head + bytes + step);
    assert_non_null(text);
    memcpy(text, before, head);
    for (; len < head + bytes; len += step)
        memcpy(text + len, unit, step);
    return str_make(text, len);
}

static void check_ceiling(const char *before, const char *unit, size_t bytes, enum http1_outcome expected)
{
    limen_str text = repeat(before, unit, bytes);
    char *content = malloc(text.len);
    size_t count, used;
    assert_non_null(content);
    assert_int_equal(decode(text, 4096, content, &count, &used), expected);
    free(content);
    free((char *)(uintptr_t)text.ptr);
}

static void test_what_is_not_content_has_ceilings(void **state)
{
    (void)state;
    check_ceiling("5;a=", "x", LIMIT_CHUNK_EXTENSION_BYTES + 1, HTTP1_REFUSED);
    check_ceiling("5;a=", "x", LIMIT_CHUNK_EXTENSION_BYTES - 10, HTTP1_MORE);
    check_ceiling("0\r\n", "A: b\r\n", LIMIT_CHUNKED_OVERHEAD_BYTES + 1, HTTP1_REFUSED);
    check_ceiling("0\r\n", "A: b\r\n", LIMIT_CHUNKED_OVERHEAD_BYTES - 100, HTTP1_MORE);
    check_ceiling("", "0", LIMIT_CHUNKED_OVERHEAD_BYTES + 1, HTTP1_REFUSED);
    check_ceiling("", "1\r\nx\r\n", 1024 * 1024, HTTP1_REFUSED);     /* one byte of content in six */
    check_ceiling("", "8\r\n01234567\r\n", 1024 * 1024, HTTP1_MORE); /* small chunks are fine */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_bodies_are_decoded_in_any_pieces),
        cmocka_unit_test(test_content_may_look_like_framing),
        cmocka_unit_test(test_bad_bodies_are_refused_in_any_pieces),
        cmocka_unit_test(test_what_is_not_content_has_ceilings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
