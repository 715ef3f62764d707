/* test_stripe.c - what is sent to the provider, byte by byte, and what each of its answers means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/arena.h"
#include "core/str.h"
#include "outbound/stripe.h"

#include <stdio.h>

static struct effect_request request; /* too large for a stack */

static const char CHARGE[] = "{\"amount\":4200,\"currency\":\"EUR\",\"order_id\":\"ord 1&x\",\"lines\":2}";
static const char REFUND[] = "{\"payment\":\"pi_1\"}";

static void ask(enum effect_kind kind, enum effect_question question, const char *key, const char *object,
                const char *payload)
{
    request.kind = kind;
    request.question = question;
    assert_true(effect_request_fill(&request, str_of(key), str_of(object), str_of(payload)));
}

static void assert_call(const char *target, const char *form, const char *key)
{
    struct arena arena;
    struct stripe_call call = { 0 };
    const char *note = NULL;
    arena_init(&arena, NULL, LIMIT_EFFECT_SCRATCH_BYTES);
    bool is_written = stripe_write(&request, LIMEN_STR("pm_card_visa"), &arena, &call, &note);
    if (!is_written)
        print_error("%s\n", note);
    assert_true(is_written);
    assert_string_equal(call.target, target);
    if (form == NULL)
        assert_true(call.form == NULL && call.key == NULL);
    else {
        assert_string_equal(call.form, form);
        assert_string_equal(call.key, key);
    }
    arena_release(&arena);
}

static void test_charge_is_a_confirmed_intent(void **state)
{
    (void)state;
    ask(EFFECT_CHARGE, EFFECT_DO, "charge/ord_1", "", CHARGE);
    assert_call("/v1/payment_intents",
                "amount=4200&currency=eur&confirm=true&error_on_requires_action=true&payment_method_types[]=card"
                "&payment_method=pm_card_visa&metadata[limen_key]=charge%2Ford_1&metadata[order_id]=ord%201%26x"
                "&metadata[lines]=2",
                "charge/ord_1");
    ask(EFFECT_CHARGE, EFFECT_DO, "charge/a\r\nX: y%", "",
        "{\"amount\":1,\"currency\":\"usd\",\"payment_method\":\"pm_2\",\"description\":\"a=b\"}");
    assert_call("/v1/payment_intents",
                "amount=1&currency=usd&confirm=true&error_on_requires_action=true&payment_method_types[]=card"
                "&payment_method=pm_2&description=a%3Db&metadata[limen_key]=charge%2Fa%0D%0AX%3A%20y%25",
                "charge/a%0D%0AX%3A%20y%25"); /* a key cannot add a field to the head */
}

static void test_refund_names_its_payment(void **state)
{
    (void)state;
    ask(EFFECT_REFUND, EFFECT_DO, "refund/ord_1", "", REFUND);
    assert_call("/v1/refunds", "payment_intent=pi_1&metadata[limen_key]=refund%2Ford_1", "refund/ord_1");
    ask(EFFECT_REFUND, EFFECT_DO, "refund/ord_1", "", "{\"payment\":\"pi_1\",\"amount\":5}");
    assert_call("/v1/refunds", "payment_intent=pi_1&amount=5&metadata[limen_key]=refund%2Ford_1", "refund/ord_1");
}

static void test_objects_are_looked_up_and_looked_for(void **state)
{
    (void)state;
    ask(EFFECT_CHARGE, EFFECT_LOOK_UP, "charge/ord_1", "pi_1/../x", CHARGE);
    assert_call("/v1/payment_intents/pi_1%2F..%2Fx", NULL, NULL);
    ask(EFFECT_REFUND, EFFECT_LOOK_UP, "refund/ord_1", "re_1", REFUND);
    assert_call("/v1/refunds/re_1", NULL, NULL);
    ask(EFFECT_CHARGE, EFFECT_FIND, "charge/o'1\\", "", CHARGE);
    assert_call("/v1/payment_intents/"
                "search?limit=10&query=metadata%5B%27limen_key%27%5D%3A%27charge%2Fo%5C%271%5C%5C%27",
                NULL, NULL);
    ask(EFFECT_REFUND, EFFECT_FIND, "refund/ord_1", "", REFUND);
    assert_call("/v1/refunds?limit=100&payment_intent=pi_1", NULL, NULL);
}

static void test_payload_that_cannot_be_sent_is_told(void **state)
{
    static const struct {
        enum effect_kind kind;
        const char *payload, *note;
    } cases[] = {
        { EFFECT_CHARGE, "{\"amount\":0,\"currency\":\"EUR\"}", "not above zero" },
        { EFFECT_CHARGE, "{\"amount\":-5,\"currency\":\"EUR\"}", "not above zero" },
        { EFFECT_CHARGE, "{\"currency\":\"EUR\"}", "not above zero" },
        { EFFECT_CHARGE, "{\"amount\":5,\"currency\":\"EURO\"}", "three letters" },
        { EFFECT_REFUND, "{\"payment\":\"\"}", "no payment" },
        { EFFECT_REFUND, "[]", "not right" },
        { EFFECT_REFUND, "{", "not right" },
        { EFFECT_KINDS, "{}", "not right" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena arena;
        struct stripe_call call;
        const char *note = NULL;
        arena_init(&arena, NULL, LIMIT_EFFECT_SCRATCH_BYTES);
        ask(cases[i].kind, EFFECT_DO, "charge/x", "", cases[i].payload);
        assert_false(stripe_write(&request, LIMEN_STR("pm"), &arena, &call, &note));
        assert_true(str_find(str_of(note), str_of(cases[i].note), 0) != SIZE_MAX);
        arena_release(&arena);
    }
}

/* ---- answers --------------------------------------------------------------------------------------------------------- */

struct meaning {
    enum effect_kind kind;
    enum effect_question question;
    uint32_t status;
    const char *body;
    enum effect_outcome outcome;
    const char *object, *code;
};

#define PAID "\"status\":\"succeeded\",\"amount_received\":4200,\"currency\":\"eur\""
#define FAILED "\"status\":\"requires_payment_method\",\"metadata\":{\"limen_key\":\"charge/x\"}"
#define ERROR_OF(type, more) "{\"error\":{\"type\":\"" type "\",\"message\":\"m\"" more "}}"

static const struct meaning meanings[] = {
    { EFFECT_CHARGE, EFFECT_DO, 200, "{\"id\":\"pi_1\"," PAID "}", EFFECT_SUCCEEDED, "pi_1", "" },
    { EFFECT_CHARGE, EFFECT_DO, 200, "{\"id\":\"pi_1\",\"status\":\"processing\"}", EFFECT_PROCESSING, "pi_1", "" },
    { EFFECT_CHARGE, EFFECT_LOOK_UP, 200,
      "{\"id\":\"pi_1\",\"status\":\"requires_payment_method\",\"last_payment_error\":{\"code\":\"card_declined\"}}",
      EFFECT_DECLINED, "pi_1", "card_declined" },
    { EFFECT_CHARGE, EFFECT_DO, 200, "{\"id\":\"pi_1\",\"status\":\"requires_action\"}", EFFECT_DECLINED, "pi_1", "" },
    { EFFECT_CHARGE, EFFECT_LOOK_UP, 200, "{\"id\":\"pi_1\",\"status\":\"canceled\"}", EFFECT_DECLINED, "pi_1", "" },
    { EFFECT_REFUND, EFFECT_DO, 200, "{\"id\":\"re_1\",\"status\":\"pending\"}", EFFECT_PROCESSING, "re_1", "" },
    { EFFECT_REFUND, EFFECT_LOOK_UP, 200,
      "{\"id\":\"re_1\",\"status\":\"failed\",\"failure_reason\":\"expired_or_canceled_card\"}", EFFECT_DECLINED,
      "re_1", "expired_or_canceled_card" },
    { EFFECT_REFUND, EFFECT_DO, 200, "{\"id\":\"re_1\",\"status\":\"succeeded\"}", EFFECT_SUCCEEDED, "re_1", "" },
    { EFFECT_REFUND, EFFECT_LOOK_UP, 200, "{\"id\":\"re_1\",\"status\":\"requires_action\"}", EFFECT_PROCESSING, "re_1",
      "" },
    { EFFECT_REFUND, EFFECT_LOOK_UP, 200, "{\"id\":\"re_1\",\"status\":\"canceled\"}", EFFECT_DECLINED, "re_1", "" },
    /* what is not known */
    { EFFECT_CHARGE, EFFECT_LOOK_UP, 200, "{\"id\":\"pi_1\",\"status\":\"requires_capture\"}", EFFECT_UNKNOWN, "pi_1",
      "" },
    { EFFECT_CHARGE, EFFECT_DO, 200, "{\"id\":\"pi_1\",\"status\":\"new_in_2030\"}", EFFECT_UNKNOWN, "pi_1", "" },
    { EFFECT_CHARGE, EFFECT_DO, 200, "{" PAID "}", EFFECT_UNKNOWN, "", "" },
    { EFFECT_CHARGE, EFFECT_DO, 200, "{\"id\":7," PAID "}", EFFECT_UNKNOWN, "", "" },
    { EFFECT_CHARGE, EFFECT_DO, 200, "[]", EFFECT_UNKNOWN, "", "" },
    { EFFECT_CHARGE, EFFECT_DO, 200, "<html>", EFFECT_UNKNOWN, "", "" },
    { EFFECT_CHARGE, EFFECT_DO, 200, "", EFFECT_UNKNOWN, "", "" },
    { EFFECT_CHARGE, EFFECT_DO, 500, ERROR_OF("api_error", ""), EFFECT_UNKNOWN, "", "" },
    { EFFECT_CHARGE, EFFECT_DO, 503, "nothing", EFFECT_UNKNOWN, "", "" },
    { EFFECT_CHARGE, EFFECT_DO, 302, "{}", EFFECT_UNKNOWN, "", "" },
    { EFFECT_CHARGE, EFFECT_DO, 409, ERROR_OF("idempotency_error", ",\"code\":\"idempotency_key_in_use\""),
      EFFECT_UNKNOWN, "", "" },
    { EFFECT_CHARGE, EFFECT_DO, 400, ERROR_OF("idempotency_error", ""), EFFECT_UNKNOWN, "", "" },
    { EFFECT_CHARGE, EFFECT_DO, 429, ERROR_OF("invalid_request_error", ",\"code\":\"lock_timeout\""), EFFECT_UNKNOWN,
      "", "" },
    { EFFECT_CHARGE, EFFECT_DO, 429, ERROR_OF("invalid_request_error", ",\"code\":\"rate_limit\""), EFFECT_UNKNOWN, "",
      "" },
    { EFFECT_CHARGE, EFFECT_DO, 424, ERROR_OF("api_error", ""), EFFECT_UNKNOWN, "", "" },
    { EFFECT_CHARGE, EFFECT_DO, 502, "<html>", EFFECT_UNKNOWN, "", "" },
    { EFFECT_CHARGE, EFFECT_DO, 504, ERROR_OF("api_error", ""), EFFECT_UNKNOWN, "", "" },
    { EFFECT_CHARGE, EFFECT_DO, 403, ERROR_OF("invalid_request_error", ""), EFFECT_UNKNOWN, "", "" },
    /* nothing of the provider's: what stands in between may say so */
    { EFFECT_CHARGE, EFFECT_DO, 407, "{}", EFFECT_UNKNOWN, "", "" },
    { EFFECT_CHARGE, EFFECT_DO, 408, "{}", EFFECT_UNKNOWN, "", "" },
    { EFFECT_CHARGE, EFFECT_DO, 401, ERROR_OF("invalid_request_error", ""), EFFECT_UNKNOWN, "", "" },
    { EFFECT_CHARGE, EFFECT_DO, 402, "{}", EFFECT_UNKNOWN, "", "" },
    { EFFECT_CHARGE, EFFECT_DO, 400, "{\"message\":\"no such route\"}", EFFECT_UNKNOWN, "", "" },
    { EFFECT_CHARGE, EFFECT_DO, 404, "{\"error\":\"no such route\"}", EFFECT_UNKNOWN, "", "" },
    /* it contradicts itself, or tells of something else */
    { EFFECT_CHARGE, EFFECT_DO, 402,
      ERROR_OF("card_error", ",\"code\":\"card_declined\",\"payment_intent\":{\"id\":\"pi_2\"," PAID "}"),
      EFFECT_UNKNOWN, "pi_2", "card_declined" },
    { EFFECT_CHARGE, EFFECT_DO, 402,
      ERROR_OF("card_error", ",\"payment_intent\":{\"id\":\"pi_2\",\"status\":\"processing\"}"), EFFECT_UNKNOWN, "pi_2",
      "" },
    { EFFECT_CHARGE, EFFECT_LOOK_UP, 200, "{\"id\":\"pi_2\"," PAID "}", EFFECT_UNKNOWN, "pi_2", "" },
    { EFFECT_CHARGE, EFFECT_LOOK_UP, 200, "{\"id\":\"pi_2\",\"status\":\"canceled\"}", EFFECT_UNKNOWN, "pi_2", "" },
    /* no */
    { EFFECT_CHARGE, EFFECT_DO, 402,
      ERROR_OF("card_error",
               ",\"code\":\"card_declined\",\"decline_code\":\"insufficient_funds\","
               "\"payment_intent\":{\"id\":\"pi_2\",\"status\":\"requires_payment_method\"}"),
      EFFECT_DECLINED, "pi_2", "insufficient_funds" },
    { EFFECT_CHARGE, EFFECT_DO, 402, ERROR_OF("card_error", ",\"code\":\"expired_card\""), EFFECT_DECLINED, "",
      "expired_card" },
    { EFFECT_CHARGE, EFFECT_DO, 402, /* error_on_requires_action, and the bank wants to see its customer */
      ERROR_OF("card_error",
               ",\"code\":\"authentication_required\",\"decline_code\":\"authentication_required\","
               "\"payment_intent\":{\"id\":\"pi_3\",\"status\":\"requires_payment_method\","
               "\"last_payment_error\":{\"code\":\"authentication_required\"}}"),
      EFFECT_DECLINED, "pi_3", "authentication_required" },
    { EFFECT_REFUND, EFFECT_DO, 400, ERROR_OF("invalid_request_error", ",\"code\":\"charge_already_refunded\""),
      EFFECT_REFUSED, "", "" },
    { EFFECT_CHARGE, EFFECT_DO, 400, ERROR_OF("invalid_request_error", ""), EFFECT_REFUSED, "", "" },
    { EFFECT_CHARGE, EFFECT_DO, 400,
      ERROR_OF("invalid_request_error", ",\"code\":\"resource_missing\",\"param\":\"payment_method\""), EFFECT_DECLINED,
      "", "resource_missing" },
    { EFFECT_CHARGE, EFFECT_DO, 400,
      ERROR_OF("invalid_request_error", ",\"code\":\"resource_missing\",\"param\":\"customer\""), EFFECT_REFUSED, "",
      "" },
    { EFFECT_CHARGE, EFFECT_DO, 404, ERROR_OF("invalid_request_error", ""), EFFECT_REFUSED, "", "" },
    { EFFECT_CHARGE, EFFECT_LOOK_UP, 404, ERROR_OF("invalid_request_error", ""), EFFECT_NOT_FOUND, "", "" },
    /* looked for */
    { EFFECT_CHARGE, EFFECT_FIND, 200, "{\"data\":[]}", EFFECT_NOT_FOUND, "", "" },
    { EFFECT_CHARGE, EFFECT_FIND, 200,
      "{\"data\":[{\"id\":\"pi_9\"," PAID ",\"metadata\":{\"limen_key\":\"charge/other\"}},"
      "{\"id\":\"pi_1\"," PAID ",\"metadata\":{\"limen_key\":\"charge/x\"}}]}",
      EFFECT_SUCCEEDED, "pi_1", "" },
    { EFFECT_CHARGE, EFFECT_FIND, 200, /* the search knows no capitals; we do */
      "{\"data\":[{\"id\":\"pi_9\"," PAID ",\"metadata\":{\"limen_key\":\"charge/X\"}}]}", EFFECT_NOT_FOUND, "", "" },
    { EFFECT_CHARGE, EFFECT_FIND, 200, /* done twice, and the newer one was declined */
      "{\"data\":[{\"id\":\"pi_3\"," FAILED "},{\"id\":\"pi_2\"," PAID ",\"metadata\":{\"limen_key\":\"charge/x\"}},"
      "{\"id\":\"pi_1\"," FAILED "}]}",
      EFFECT_SUCCEEDED, "pi_2", "" },
    { EFFECT_CHARGE, EFFECT_FIND, 200, "{\"data\":[{\"id\":\"pi_3\"," FAILED "},{\"id\":\"pi_2\"," FAILED "}]}",
      EFFECT_DECLINED, "pi_3", "" },
    { EFFECT_CHARGE, EFFECT_FIND, 200, "{\"data\":[7,{\"metadata\":7},{}]}", EFFECT_NOT_FOUND, "", "" },
    { EFFECT_CHARGE, EFFECT_FIND, 200, "{\"data\":{}}", EFFECT_UNKNOWN, "", "" },
};

#define ASKED(kind) ((kind) == EFFECT_CHARGE ? "pi_1" : "re_1")

static void test_each_answer_means_one_thing(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
        const struct meaning *it = &meanings[i];
        struct arena arena;
        struct effect_answer answer;
        arena_init(&arena, NULL, LIMIT_EFFECT_SCRATCH_BYTES);
        const char *object = it->question == EFFECT_LOOK_UP && it->outcome != EFFECT_NOT_FOUND ? ASKED(it->kind) : "";
        ask(it->kind, it->question, "charge/x", object, it->kind == EFFECT_CHARGE ? CHARGE : REFUND);
        stripe_read(&request, it->status, LIMEN_STR("7"), str_of(it->body), &arena, &answer);
        bool is_it = answer.outcome == (uint32_t)it->outcome && answer.wait_s == 7
            && str_equal(effect_answer_text(answer.object, answer.object_bytes), str_of(it->object))
            && str_equal(effect_answer_text(answer.code, answer.code_bytes), str_of(it->code))
            && effect_answer_is_sound(&answer, sizeof(answer));
        if (!is_it)
            print_error("%u %s: %u %.*s %.*s\n", it->status, it->body, answer.outcome, (int)answer.object_bytes,
                        answer.object, (int)answer.code_bytes, answer.code);
        assert_true(is_it);
        arena_release(&arena);
    }
}

/* A success is one only when as much has moved as was asked for: {what was asked for, what came, whether it is one}. */
static void test_success_with_another_sum_is_none(void **state)
{
    static const struct {
        enum effect_kind kind;
        const char *payload, *members;
        bool is_success;
    } cases[] = {
        { EFFECT_CHARGE, CHARGE, ",\"amount_received\":4200,\"currency\":\"eur\"", true },
        { EFFECT_CHARGE, CHARGE, ",\"amount_received\":4199,\"currency\":\"eur\"", false },
        { EFFECT_CHARGE, CHARGE, ",\"amount_received\":0,\"amount\":4200,\"currency\":\"eur\"", false },
        { EFFECT_CHARGE, CHARGE, ",\"amount_received\":4200,\"currency\":\"jpy\"", false },
        { EFFECT_CHARGE, CHARGE, ",\"amount_received\":4200", false },
        { EFFECT_CHARGE, CHARGE, ",\"amount_received\":\"4200\",\"currency\":\"eur\"", false },
        { EFFECT_CHARGE, CHARGE, "", false },
        { EFFECT_CHARGE, "{}", ",\"amount_received\":0,\"currency\":\"\"", false },
        { EFFECT_REFUND, REFUND, "", true },
        { EFFECT_REFUND, "{\"payment\":\"pi_1\",\"amount\":5}", ",\"amount\":5", true },
        { EFFECT_REFUND, "{\"payment\":\"pi_1\",\"amount\":5}", ",\"amount\":6", false },
        { EFFECT_REFUND, "{\"payment\":\"pi_1\",\"amount\":5}", "", false },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena arena;
        struct effect_answer answer;
        char body[256];
        arena_init(&arena, NULL, LIMIT_EFFECT_SCRATCH_BYTES);
        ask(cases[i].kind, EFFECT_LOOK_UP, "charge/x", "x_1", cases[i].payload);
        snprintf(body, sizeof(body), "{\"id\":\"x_1\",\"status\":\"succeeded\"%s}", cases[i].members);
        stripe_read(&request, 200, LIMEN_STR(""), str_of(body), &arena, &answer);
        if (cases[i].is_success != (answer.outcome == EFFECT_SUCCEEDED))
            print_error("%s: %s\n", cases[i].payload, body);
        assert_int_equal(answer.outcome, cases[i].is_success ? EFFECT_SUCCEEDED : EFFECT_UNKNOWN);
        arena_release(&arena);
    }
}

static void test_words_of_a_stranger_are_cut_and_made_printable(void **state)
{
    struct arena arena;
    struct effect_answer answer;
    char body[2048], id[200];
    (void)state;
    memset(id, 'x', sizeof(id) - 1);
    id[sizeof(id) - 1] = '\0';
    arena_init(&arena, NULL, LIMIT_EFFECT_SCRATCH_BYTES);
    ask(EFFECT_CHARGE, EFFECT_DO, "charge/x", "", CHARGE);
    snprintf(body, sizeof(body), "{\"id\":\"%s\",\"status\":\"succeeded\"}", id);
    stripe_read(&request, 200, LIMEN_STR("later"), str_of(body), &arena, &answer);
    assert_int_equal(answer.outcome, EFFECT_UNKNOWN); /* a part of an id is none */
    assert_int_equal(answer.wait_s, 0);
    snprintf(body, sizeof(body), "{\"error\":{\"type\":\"%s\",\"message\":\"a\\u001b[31m\\u00e9%s\"}}", id, id);
    stripe_read(&request, 400, LIMEN_STR("-1"), str_of(body), &arena, &answer);
    assert_int_equal(answer.outcome, EFFECT_REFUSED);
    assert_true(effect_answer_is_sound(&answer, sizeof(answer)));
    assert_true(str_find(effect_answer_text(answer.note, answer.note_bytes), LIMEN_STR("a?[31m??xxx"), 0) != SIZE_MAX);
    arena_release(&arena);
}

static void test_messages_that_do_not_add_up_are_no_messages(void **state)
{
    struct effect_answer answer = { .outcome = EFFECT_SUCCEEDED };
    (void)state;
    ask(EFFECT_CHARGE, EFFECT_DO, "charge/x", "pi", "{}");
    request.head = (struct fetch_request){ .target = FETCH_EFFECTS };
    size_t bytes = effect_request_bytes(&request);
    assert_true(effect_request_is_sound(&request, bytes));
    assert_false(effect_request_is_sound(&request, bytes - 1));
    assert_false(effect_request_is_sound(&request, bytes + 1));
    assert_false(effect_request_is_sound(&request, 8));
    request.head.target = FETCH_EFFECTS + LIMIT_EFFECTS_AT_ONCE;
    assert_false(effect_request_is_sound(&request, bytes));
    request.head.target = FETCH_EFFECTS;
    request.question = EFFECT_QUESTIONS;
    assert_false(effect_request_is_sound(&request, bytes));
    request.question = EFFECT_DO;
    request.key_bytes = UINT32_MAX;
    assert_false(effect_request_is_sound(&request, bytes));
    assert_true(effect_answer_is_sound(&answer, sizeof(answer)));
    assert_false(effect_answer_is_sound(&answer, sizeof(answer) - 1));
    answer.object_bytes = sizeof(answer.object) + 1;
    assert_false(effect_answer_is_sound(&answer, sizeof(answer)));
    answer.object_bytes = 1; /* a NUL */
    assert_false(effect_answer_is_sound(&answer, sizeof(answer)));
    answer.object_bytes = 0;
    answer.outcome = EFFECT_OUTCOMES;
    assert_false(effect_answer_is_sound(&answer, sizeof(answer)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_charge_is_a_confirmed_intent),
        cmocka_unit_test(test_refund_names_its_payment),
        cmocka_unit_test(test_objects_are_looked_up_and_looked_for),
        cmocka_unit_test(test_payload_that_cannot_be_sent_is_told),
        cmocka_unit_test(test_each_answer_means_one_thing),
        cmocka_unit_test(test_success_with_another_sum_is_none),
        cmocka_unit_test(test_words_of_a_stranger_are_cut_and_made_printable),
        cmocka_unit_test(test_messages_that_do_not_add_up_are_no_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
