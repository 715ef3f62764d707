/* Tests of contract/contract.h: an operation that takes a provider's signature, and each way to declare it by half. */
#include "check.h"

#include "contract/contract.h"

static const char whole[] =
    "openapi: 3.1.0\n"
    "info: { title: Test, version: '1' }\n"
    "x-rate-limit: 60/minute per caller\n"
    "paths:\n"
    "  /hooks:\n"
    "    post:\n"
    "      operationId: hear\n"
    "      security: [{ billing: [provider] }]\n"
    "      x-max-body: 64KiB\n"
    "      requestBody:\n"
    "        required: true\n"
    "        content: { application/json: { schema: { $ref: '#/components/schemas/Event' } } }\n"
    "      responses: { '204': { description: taken } }\n"
    "  /notes:\n"
    "    post:\n"
    "      operationId: note\n"
    "      security: [{ key: [] }]\n"
    "      requestBody:\n"
    "        required: true\n"
    "        content: { application/json: { schema: { $ref: '#/components/schemas/Note' } } }\n"
    "      responses: { '204': { description: kept } }\n"
    "components:\n"
    "  securitySchemes:\n"
    "    billing: { type: apiKey, in: header, name: Stripe-Signature, x-webhook: stripe, x-roles: [provider] }\n"
    "    key: { type: apiKey, in: header, name: X-API-Key }\n"
    "  schemas:\n"
    "    Note: { type: object, additionalProperties: false, properties: { text: { type: string, maxLength: 9 } } }\n"
    "    Event:\n"
    "      type: object\n"
    "      additionalProperties: true\n"
    "      required: [id]\n"
    "      properties:\n"
    "        id: { type: string, maxLength: 40 }\n"
    "        data: { type: object, additionalProperties: true }\n";

/* Loads the contract with the first `old` replaced; returns what it was refused for, NULL when it was not. `ret_mend` is the mend. */
static const char *refusal_of(const char *old, const char *new, char ret_message[512], char ret_mend[512],
                              struct contract *contract)
{
    char text[sizeof(whole) + 512];
    struct arena arena;
    struct diags errors, warnings;
    const char *at = strstr(whole, old);
    if (at == NULL)
        fail_msg("the contract does not say %s", old);
    const int len = snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - whole), whole, new, at + strlen(old));
    arena_init(&arena, NULL, 64U << 20);
    diags_init(&errors, &arena);
    diags_init(&warnings, &arena);
    const struct limen_app app = { .contract = { LIMEN_STR("api.yaml"), str_make(text, (size_t)len) } };
    bool is_loaded = contract_load(&app, &arena, contract, &errors, &warnings);
    if (!is_loaded) {
        snprintf(ret_message, 512, "%.*s", LIMEN_STR_ARG(errors.items[0].message));
        snprintf(ret_mend, 512, "%.*s", LIMEN_STR_ARG(errors.items[0].mend));
    } else {
        contract_release(contract);
    }
    arena_release(&arena);
    return is_loaded ? NULL : ret_message;
}

static void test_a_signed_operation_is_known_as_one(void **state)
{
    (void)state;
    struct arena arena;
    struct diags errors, warnings;
    struct contract contract;
    arena_init(&arena, NULL, 64U << 20);
    diags_init(&errors, &arena);
    diags_init(&warnings, &arena);
    const struct limen_app app = { .contract = { LIMEN_STR("api.yaml"), str_of(whole) } };
    if (!contract_load(&app, &arena, &contract, &errors, &warnings))
        fail_msg("%.*s", LIMEN_STR_ARG(errors.items[0].message));
    const struct operation *hear = contract_find(&contract, LIMEN_STR("hear"));
    assert_true(hear->is_signed);
    assert_false(hear->is_public);
    assert_false(contract_find(&contract, LIMEN_STR("note"))->is_signed);
    assert_int_equal(contract.schemes[hear->requirements[0].demands[0].scheme].kind, SCHEME_WEBHOOK);
    assert_int_equal(hear->budget.schema_bytes, BUDGET_UNBOUNDED); /* x-max-body is its bound */
    assert_true(hear->budget.memory_bytes <= LIMIT_CALL_ARENA_BYTES);
    contract_release(&contract);
    arena_release(&arena);
}

static void test_what_is_declared_by_half_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *old, *new, *message, *mend;
    } cases[] = {
        { "x-webhook: stripe", "x-webhook: github", "of the form 'github'", "stripe" },
        { "x-webhook: stripe", "x-webhook: 1", "of the form '1'", "stripe" },
        { "x-webhook: stripe, ", "", "takes a signature for an API key", "x-webhook: stripe" },
        { "name: Stripe-Signature", "name: Authorization", "cannot stand in the field", "Stripe-Signature" },
        { "x-webhook: stripe", "x-webhook: stripe, x-issuer: me", "x-issuer", "" },
        { "in: header, name: Stripe-Signature", "in: cookie, name: __Host-signature", "x-webhook", "" },
        { "[{ billing: [provider] }]", "[{ billing: [provider] }, { key: [] }]", "beside other credentials",
          "of its own" },
        { "[{ billing: [provider] }]", "[{ billing: [provider], key: [] }]", "beside other credentials", "of its own" },
        { "[{ billing: [provider] }]", "[{ billing: [admin] }]", "knows no role 'admin'", "x-roles" },
        { "      x-max-body: 64KiB\n", "", "how much it reads", "x-max-body" },
        { "x-max-body: 64KiB", "x-max-body: 300KiB", "more than 256 KiB", "lower" },
        { "required: true", "required: false", "demands no body", "required: true" },
        { "      x-max-body: 64KiB\n", "      x-max-body: 64KiB\n      x-idempotency: required\n", "no Idempotency-Key",
          "ids of events" },
        /* members that nobody declared are for providers alone, and only where the contract says so */
        { "additionalProperties: false", "additionalProperties: true", "admits members", "additionalProperties" },
        { "      additionalProperties: true\n      required", "      required", "admits members",
          "additionalProperties" },
        { "schemas/Note'", "schemas/Event'", "admits members", "additionalProperties" },
        { "      additionalProperties: true\n      required",
          "      additionalProperties: { type: string, maxLength: 9 }\n      required", "admits members",
          "additionalProperties" },
        { "{ type: string, maxLength: 40 }", "{ type: string }", "no bound", "maxLength" },
        { "{ type: string, maxLength: 40 }", "{ type: string, maxLength: 41 }", NULL, NULL },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char message[512], mend[512];
        struct contract contract;
        const char *refusal = refusal_of(cases[i].old, cases[i].new, message, mend, &contract);
        bool is_as_wanted = cases[i].message == NULL
            ? refusal == NULL
            : refusal != NULL && strstr(refusal, cases[i].message) != NULL && strstr(mend, cases[i].mend) != NULL;
        if (!is_as_wanted)
            fail_msg("%s -> %s: %s (%s)", cases[i].old, cases[i].new, refusal == NULL ? "accepted" : refusal,
                     refusal == NULL ? "" : mend);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_signed_operation_is_known_as_one),
        cmocka_unit_test(test_what_is_declared_by_half_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
