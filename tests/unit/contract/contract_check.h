/* contract_check.h - what the tests of contract/contract.h share: a whole contract, and the same with a piece replaced. */
#ifndef TESTS_UNIT_CONTRACT_CONTRACT_CHECK_H
#define TESTS_UNIT_CONTRACT_CONTRACT_CHECK_H

#include "check.h"

#include "contract/contract.h"

/* A contract that is accepted; each case below puts one thing in another's place. */
static const char whole[] =
    "openapi: 3.1.0\n"
    "info: { title: Test, version: '1' }\n"
    "x-rate-limit: 60/minute per caller\n"
    "paths:\n"
    "  /things/{id}:\n"
    "    post:\n"
    "      operationId: makeThing\n"
    "      security: [{ session: [customer] }]\n"
    "      x-rate-limit: 10/minute per caller\n"
    "      x-idempotency: required\n"
    "      x-timeout: 5s\n"
    "      x-max-body: 64KiB\n"
    "      parameters:\n"
    "        - { name: id, in: path, required: true, schema: { type: string, maxLength: 9 } }\n"
    "        - { name: q, in: query, schema: { type: integer, minimum: 0, maximum: 9 } }\n"
    "      requestBody:\n"
    "        required: true\n"
    "        content: { application/json: { schema: { $ref: '#/components/schemas/Thing' } } }\n"
    "      responses:\n"
    "        '201': { description: made, content: { application/json: { schema: { $ref: "
    "'#/components/schemas/Thing' } } } }\n"
    "        '204': { description: nothing }\n"
    "components:\n"
    "  securitySchemes:\n"
    "    session: { type: apiKey, in: cookie, name: __Host-session, x-roles: [customer, admin] }\n"
    "    token: { type: http, scheme: bearer, bearerFormat: JWT, x-issuer: https://id.example, x-audience: shop, "
    "x-algorithms: [ES256, Ed25519], x-jwks: keys.json, x-roles: [read, write] }\n"
    "    key: { type: apiKey, in: header, name: X-API-Key, x-roles: [admin] }\n"
    "  schemas:\n"
    "    Thing:\n"
    "      type: object\n"
    "      additionalProperties: false\n"
    "      properties:\n"
    "        name: { type: string, maxLength: 80 }\n"
    "        count: { type: integer, minimum: 1, maximum: 99 }\n"
    "        tags: { type: array, maxItems: 5, items: { type: string, enum: [a, b] } }\n";

struct fixture {
    struct arena arena;
    struct contract contract;
    struct diags errors, warnings;
    bool is_loaded;
};

static inline void load(struct fixture *f, limen_str text)
{
    *f = (struct fixture){ 0 };
    arena_init(&f->arena, NULL, 64U * 1024 * 1024);
    diags_init(&f->errors, &f->arena);
    diags_init(&f->warnings, &f->arena);
    const struct limen_app app = { .contract = { LIMEN_STR("api.yaml"), text } };
    f->is_loaded = contract_load(&app, &f->arena, &f->contract, &f->errors, &f->warnings);
    assert_int_equal(f->is_loaded, f->errors.count == 0);
}

static inline void unload(struct fixture *f)
{
    if (f->is_loaded)
        contract_release(&f->contract);
    arena_release(&f->arena);
}

/* The whole contract with the first `old` (a text that is there) replaced. */
static inline limen_str changed(char *memory, size_t bytes, const char *old, const char *new)
{
    const char *at = strstr(whole, old);
    if (at == NULL)
        fail_msg("the contract does not say %s", old);
    const int len = snprintf(memory, bytes, "%.*s%s%s", (int)(at - whole), whole, new, at + strlen(old));
    return str_make(memory, (size_t)len);
}

static inline bool says(const struct diags *diags, const char *message, const char *mend)
{
    for (size_t i = 0; i < diags->count; i++) {
        const struct diag *diag = &diags->items[i];
        if (str_find(diag->message, str_of(message), 0) != SIZE_MAX
            && str_find(diag->mend, str_of(mend), 0) != SIZE_MAX)
            return diag->line > 0 && diag->column > 0 && str_equal(diag->file, LIMEN_STR("api.yaml"));
    }
    return false;
}

#endif
