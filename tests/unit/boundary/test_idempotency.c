/* Tests of boundary/idempotency.h: which keys are keys, and which requests are the same. */
#include "request.h"

#include "boundary/idempotency.h"

static enum key_outcome read_key(const char *fields, char *text, size_t bytes, char *memory, limen_str *ret_key)
{
    struct http_request request;
    parse_request(fields, text, bytes, &request);
    return idempotency_key(&request, memory, ret_key);
}

static void test_which_keys_are_keys(void **state)
{
    (void)state;
    static const struct {
        const char *fields;
        enum key_outcome outcome;
        const char *key;
    } cases[] = {
        { "", KEY_MISSING, NULL },
        { "Idempotency-Key: abc\r\n", KEY_OK, "abc" },
        { "idempotency-key:   8e03978e-40d5-43e8-bc93-6894a57f9324  \r\n", KEY_OK,
          "8e03978e-40d5-43e8-bc93-6894a57f9324" },
        { "Idempotency-Key: \"abc\"\r\n", KEY_OK, "abc" },
        { "Idempotency-Key: \"a\\\"b\\\\c\"\r\n", KEY_OK, "a\"b\\c" },
        { "Idempotency-Key: \r\n", KEY_MALFORMED, NULL },
        { "Idempotency-Key: \"\"\r\n", KEY_MALFORMED, NULL },
        { "Idempotency-Key: \"\r\n", KEY_MALFORMED, NULL },
        { "Idempotency-Key: \"abc\r\n", KEY_MALFORMED, NULL },
        { "Idempotency-Key: \"abc\"d\r\n", KEY_MALFORMED, NULL },
        { "Idempotency-Key: \"a\\b\"\r\n", KEY_MALFORMED, NULL },
        { "Idempotency-Key: \"a\"b\"\r\n", KEY_MALFORMED, NULL },
        { "Idempotency-Key: \"abc\\\"\r\n", KEY_MALFORMED, NULL },
        { "Idempotency-Key: a b\r\n", KEY_MALFORMED, NULL },
        { "Idempotency-Key: a\tb\r\n", KEY_MALFORMED, NULL },
        { "Idempotency-Key: \xc3\xa4\r\n", KEY_MALFORMED, NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[1024], memory[LIMIT_IDEMPOTENCY_KEY_BYTES];
        limen_str key;
        print_message("%s", cases[i].fields);
        assert_int_equal(read_key(cases[i].fields, text, sizeof text, memory, &key), cases[i].outcome);
        if (cases[i].key != NULL)
            assert_text(key, cases[i].key);
    }
}

static void test_a_key_has_at_most_255_characters(void **state)
{
    (void)state;
    for (int quoted = 0; quoted < 2; quoted++) {
        for (int len = 254; len < 258; len++) {
            char fields[512], text[1024], memory[LIMIT_IDEMPOTENCY_KEY_BYTES], key_text[300];
            limen_str key;
            memset(key_text, 'k', sizeof key_text);
            key_text[len] = '\0';
            snprintf(fields, sizeof fields, quoted ? "Idempotency-Key: \"%s\"\r\n" : "Idempotency-Key: %s\r\n",
                     key_text);
            const enum key_outcome outcome = read_key(fields, text, sizeof text, memory, &key);
            assert_int_equal(outcome, len <= 255 ? KEY_OK : KEY_MALFORMED);
            if (outcome == KEY_OK)
                assert_int_equal(key.len, len);
        }
    }
}

static void fingerprint_of(const char *method, const char *path, const char *query, const char *body, uint8_t out[32])
{
    const struct http_request request = { .method_text = str_of(method), .path = str_of(path), .query = str_of(query) };
    fingerprint_take(&request, str_of(body), out);
}

static void test_a_fingerprint_tells_method_path_query_and_body_apart(void **state)
{
    (void)state;
    static const char *const requests[][4] = {
        { "POST", "/a", "", "{}" },  { "PUT", "/a", "", "{}" },   { "POST", "/b", "", "{}" },
        { "POST", "/a", "x", "{}" }, { "POST", "/a", "", "{ }" }, { "POST", "/a{", "", "}" },
        { "POST", "/a", "{", "}" },  { "POST", "", "/a", "{}" },  { "POST", "/a", "", "" },
    };
    enum { COUNT = sizeof requests / sizeof requests[0] };
    uint8_t prints[COUNT][32], again[32];
    for (size_t i = 0; i < COUNT; i++) {
        fingerprint_of(requests[i][0], requests[i][1], requests[i][2], requests[i][3], prints[i]);
        fingerprint_of(requests[i][0], requests[i][1], requests[i][2], requests[i][3], again);
        assert_memory_equal(prints[i], again, 32);
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(prints[i], prints[j], 32);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_which_keys_are_keys),
        cmocka_unit_test(test_a_key_has_at_most_255_characters),
        cmocka_unit_test(test_a_fingerprint_tells_method_path_query_and_body_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
