/* Tests of boundary/problem.h: every refusal is a whole problem document, whatever a client made it say. */
#include "contract/check.h"

#include "boundary/problem.h"
#include "contract/json.h"

static void assert_json(struct arena *arena, limen_str text)
{
    struct json_doc doc;
    struct json_error error;
    if (json_parse(text, arena, &doc, &error) != JSON_OK)
        fail_msg("%.*s is no JSON: %s", LIMEN_STR_ARG(text), error.what);
}

static limen_str write(struct arena *arena, const struct problem *problem)
{
    struct buf out;
    buf_init(&out, arena, 64);
    problem_write(problem, &out);
    assert_false(out.failed);
    assert_json(arena, buf_str(&out));
    return buf_str(&out);
}

static void test_a_problem_has_type_title_and_status(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL, 1024 * 1024);
    assert_text(write(&arena, &(struct problem){ .status = 404, .detail = LIMEN_STR("there is nothing at this path") }),
                "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,"
                "\"detail\":\"there is nothing at this path\"}");
    assert_text(write(&arena, &(struct problem){ .status = 503 }),
                "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503}");
    arena_release(&arena);
}

static void test_a_problem_that_the_compiler_makes_is_the_same(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL, 1024 * 1024);
    const struct problem_reply made = PROBLEM(404, "there is nothing at this path");
    assert_int_equal(made.status, 404);
    limen_str written = write(&arena,
                              &(struct problem){ .status = 404, .detail = LIMEN_STR("there is nothing at this path") });
    assert_true(str_equal(made.text, written));
    arena_release(&arena);
}

static void test_every_status_that_we_send_has_a_title(void **state)
{
    (void)state;
    static const int statuses[] = { 400, 401, 403, 404, 405, 408, 409, 411, 412, 413, 414, 415, 416,
                                    417, 421, 422, 426, 428, 429, 431, 500, 501, 502, 503, 504, 505 };
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
        assert_true(problem_title(statuses[i]).len > 0);
}

static void test_faults_are_listed_and_escaped(void **state)
{
    (void)state;
    struct arena arena;
    struct faults faults;
    arena_init(&arena, NULL, 1024 * 1024);
    faults_init(&faults, &arena);
    faults_add(&faults, LIMEN_STR("/lines/0/\"quote\\\n"), LIMEN_STR("maxLength"), LIMEN_STR("must have at most 3"));
    faults_add(&faults, LIMEN_STR(""), LIMEN_STR("required"), LIMEN_STR("must have the member \"a\x01\""));
    struct buf out;
    buf_init(&out, &arena, 64);
    problem_write_faults(PROBLEM(422, "no"), &faults, &out);
    assert_false(out.failed);
    assert_json(&arena, buf_str(&out));
    assert_text(
        buf_str(&out),
        "{\"type\":\"about:blank\",\"title\":\"Unprocessable Content\",\"status\":422,\"detail\":\"no\",\"errors\":["
        "{\"pointer\":\"/lines/0/\\\"quote\\\\\\n\",\"rule\":\"maxLength\",\"detail\":\"must have at most 3\"},"
        "{\"pointer\":\"\",\"rule\":\"required\",\"detail\":\"must have the member \\\"a\\u0001\\\"\"}]}");
    arena_release(&arena);
}

static void test_a_violated_quota_is_named(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL, 1024 * 1024);
    const limen_str text = write(
        &arena,
        &(struct problem){ .status = 429, .type = "https://example.com/quota", .policy = LIMEN_STR("checkout") });
    assert_true(str_find(text, LIMEN_STR("\"type\":\"https://example.com/quota\""), 0) != SIZE_MAX);
    assert_true(str_find(text, LIMEN_STR("\"violated-policies\":[\"checkout\"]"), 0) != SIZE_MAX);
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_problem_has_type_title_and_status),
        cmocka_unit_test(test_a_problem_that_the_compiler_makes_is_the_same),
        cmocka_unit_test(test_every_status_that_we_send_has_a_title),
        cmocka_unit_test(test_faults_are_listed_and_escaped),
        cmocka_unit_test(test_a_violated_quota_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
