/* Tests of contract/contract.h: every rule of the boundary, by a contract that breaks it and nothing else. */
#include "contract_check.h"

static void test_a_whole_contract_is_read(void **state)
{
    (void)state;
    struct fixture f;
    load(&f, str_of(whole));
    if (!f.is_loaded)
        fail_msg("%.*s", LIMEN_STR_ARG(f.errors.items[0].message));
    assert_int_equal(f.contract.operation_count, 1);
    const struct operation *operation = contract_find(&f.contract, LIMEN_STR("makeThing"));
    assert_non_null(operation);
    assert_int_equal(operation->method, METHOD_POST);
    assert_text(operation->path, "/things/{id}");
    assert_int_equal(operation->segment_count, 2);
    assert_text(operation->segments[0].literal, "things");
    assert_true(operation->segments[1].is_parameter);
    assert_false(operation->is_public);
    assert_int_equal(operation->requirement_count, 1);
    assert_int_equal(operation->requirements[0].demands[0].roles, contract_role(&f.contract, LIMEN_STR("customer")));
    assert_int_equal(contract_role(&f.contract, LIMEN_STR("nobody")), 0);
    assert_int_equal(operation->limit_count, 1);
    assert_int_equal(operation->limits[0].quota, 10);
    assert_int_equal(operation->limits[0].window_us, 60000000);
    assert_true(operation->needs_key && operation->has_body && operation->body_required);
    assert_int_equal(operation->timeout_us, 5000000);
    assert_int_equal(operation->body_ceiling, 65536);
    assert_int_equal(operation->parameter_count, 2);
    assert_non_null(operation_reply(operation, 201)->schema);
    assert_null(operation_reply(operation, 204)->schema);
    assert_null(operation_reply(operation, 200));
    assert_int_equal(f.contract.address_limit.quota, 6000);
    assert_true(str_starts(f.contract.json, LIMEN_STR("{\"openapi\":\"3.1.0\",")));
    unload(&f);
}

#define BODY "content: { application/json: { schema: { $ref: '#/components/schemas/Thing' } } }\n      responses"
#define NAME "{ type: string, maxLength: 80 }"
#define TAGS "{ type: array, maxItems: 5, items: { type: string, enum: [a, b] } }"
#define ROLES "x-roles: [customer, admin]"
#define COUNT "{ type: integer, minimum: 1, maximum: 99 }"

static const struct {
    const char *old, *new, *message, *mend;
} refused[] = {
    /* who may call */
    { "      security: [{ session: [customer] }]\n", "", "'makeThing' does not say who may call it", "security: []" },
    { "[{ session: [customer] }]", "session", "`security` is not a list", "list" },
    { "[{ session: [customer] }]", "[{ session: [owner] }]", "the scheme 'session' knows no role 'owner'", "x-roles" },
    { "[{ session: [customer] }]", "[{ session: customer }]", "roles are not a list", "[customer, admin]" },
    { "[{ session: [customer] }]", "[{ tokn: [] }]", "there is no security scheme 'tokn'",
      "components/securitySchemes" },
    { "[{ session: [customer] }]", "[{}]", "an optional credential", "security: []" },
    { "[{ session: [customer] }]", "[session]", "names no scheme", "session" },
    { "[{ session: [customer] }]", "[{ session: [], other: [] }]", "no security scheme 'other'", "declare it" },
    { "[{ session: [customer] }]", "[{ session: [customer], token: [write] }, { key: [admin] }]", NULL, NULL },
    { "[{ session: [customer] }]", "[{ token: [customer] }]", "the scheme 'token' knows no role 'customer'",
      "x-roles" },
    { "[{ session: [customer] }]", "[]", "a public operation has no keys", "credential" },
    { "in: cookie,", "in: query,", "the scheme 'session' is not supported", "in: cookie" },
    { "in: header, name: X-API-Key", "in: header, name: Authorization", "cannot stand in the field", "X-API-Key" },
    { "in: header, name: X-API-Key", "in: header, name: 'X API'", "cannot stand in the field", "X-API-Key" },
    { "name: q, in: query", "name: x-api-key, in: header", "'x-api-key' is no parameter", "remove" },
    { "    key: {", "    more: { type: apiKey, in: header, name: X-Key }\n    key: {", "two schemes of API keys",
      "keep one" },
    /* bearer tokens say whose, for whom and how */
    { "scheme: bearer", "scheme: basic", "the scheme 'token' is not supported", "scheme: bearer" },
    { "bearerFormat: JWT", "bearerFormat: PASETO", "'PASETO' are not supported", "JWT" },
    { " x-issuer: https://id.example,", "", "does not say whose tokens it accepts", "x-issuer" },
    { "x-issuer: https://id.example", "x-issuer: ''", "does not say whose tokens it accepts", "x-issuer" },
    { "x-issuer: https://id.example", "x-issuer: 7", "'x-issuer' is no text", "text" },
    { " x-audience: shop,", "", "does not say for whom its tokens are", "x-audience" },
    { " x-algorithms: [ES256, Ed25519],", "", "does not say how its tokens are signed", "x-algorithms" },
    { "[ES256, Ed25519]", "[]", "x-algorithms is no list", "ES256" },
    { "[ES256, Ed25519]", "[none]", "the algorithm 'none' is not accepted", "ES256" },
    { "[ES256, Ed25519]", "[es256]", "the algorithm 'es256' is not accepted", "ES256" },
    { "[ES256, Ed25519]", "[ES256, HS256]", "has secret keys", "HS256 alone" },
    { "x-jwks: keys.json", "x-jwks: http://id.example/keys", "without TLS", "https" },
    { "x-jwks: keys.json", "x-jwks: https://id.example/keys", NULL, NULL },
    { "[ES256, Ed25519], x-jwks: keys.json", "[HS256], x-jwks: https://id.example/keys",
      "a secret that is fetched from a URL is none", "in a file" },
    { "x-jwks: keys.json", "x-jwsk: keys.json", "'x-jwsk' is not known", "x-jwks" },
    { "__Host-session", "session", "does not start with __Host-", "__Host-session" },
    { "x-roles: [customer, admin]", "x-roles: customer", "x-roles is not a list", "[customer, admin]" },
    { "x-roles: [customer, admin]", "x-roles: ['a customer', admin]", "no name of a role", "one word" },
    { "x-roles: [customer, admin] }", "x-roles: [customer, admin], x-first-account: { id: a } }",
      "needs id, email and roles", "acc_admin" },
    { "    session: {", "    other: { type: apiKey, in: cookie, name: __Host-b }\n    session: {",
      "there are two session schemes", "keep one" },
    /* how often */
    { "x-rate-limit: 60/minute per caller\npaths", "paths", NULL, NULL }, /* the operation's own is enough */
    { "10/minute per caller", "ten a minute", "'ten a minute' is no rate limit", "minute" },
    { "10/minute per caller", "0/minute per caller", "is no rate limit", "minute" },
    { "10/minute per caller", "10/fortnight per caller", "is no rate limit", "minute" },
    { "10/minute per caller", "10/minute per galaxy", "is no rate limit", "caller" },
    { "10/minute per caller", "[]", "no list of rate limits", "one to four" },
    { "10/minute per caller", "{ a: b }", "a rate limit is not text", "minute" },
    { "paths:\n", "x-rate-limit-failure: allow\npaths:\n", NULL, NULL },
    { "paths:\n", "x-rate-limit-failure: open\npaths:\n", "x-rate-limit-failure is none of its three values",
      "deny, allow or local" },
    { "paths:\n", "x-rate-limit-failure: [deny]\npaths:\n", "x-rate-limit-failure is none", "deny, allow or local" },
    { "      x-timeout: 5s\n", "      x-rate-limit-failure: Deny\n", "x-rate-limit-failure is none",
      "deny, allow or local" },
    { ROLES, ROLES ", x-sign-in-limit: [5/hour per account, 3/hour per account and address]", NULL, NULL },
    { ROLES, ROLES ", x-sign-in-limit: 5/hour per account", "no list of at most 4", "per account and address" },
    { ROLES, ROLES ", x-sign-in-limit: []", "needs a limit per account and one per", "400/hour per account" },
    { ROLES, ROLES ", x-sign-in-limit: [5/hour per account]", "needs a limit per account and one per", "per account" },
    { ROLES, ROLES ", x-sign-in-limit: [5/hour per account and address]", "needs a limit per account and", "account" },
    { ROLES, ROLES ", x-sign-in-limit: [5/hour per address]", "'5/hour per address' is no limit of sign-ins",
      "20/hour" },
    { ROLES, ROLES ", x-sign-in-limit: [often]", "'often' is no rate limit", "20/hour" },
    { ROLES,
      ROLES ", x-sign-in-limit: [1/day per account, 1/day per account, 1/day per account, 1/day per account, 1/day per "
            "account]",
      "no list of at most 4", "20/hour" },
    /* what goes in */
    { NAME, "{ type: string }", "the string 'name' has no bound", "maxLength" },
    { NAME, "{ type: string, pattern: '^a*$' }", "the string 'name' has no bound", "maxLength" },
    { NAME, "{ type: string, format: uri }", "the string 'name' has no bound", "maxLength" },
    { NAME, "{ type: string, format: uuid }", NULL, NULL },
    { NAME, "{ type: string, const: x }", NULL, NULL },
    { NAME, "{ type: [string, 'null'] }", "the string 'name' has no bound", "maxLength" },
    { NAME, "{}", "'name' admits values of any type", "type" },
    { NAME, "true", "admits anything", "describe the value" },
    { COUNT, "{ type: integer }", "the number 'count' has no bounds", "minimum" },
    { COUNT, "{ type: integer, minimum: 1 }", "the number 'count' has no bounds", "maximum" },
    { COUNT, "{ type: number, maximum: 1 }", "the number 'count' has no bounds", "minimum" },
    { COUNT, "{ type: number, exclusiveMinimum: 0, exclusiveMaximum: 1 }", NULL, NULL },
    { COUNT, "{ type: integer, minimum: -9223372036854775808, maximum: 9223372036854775807 }", NULL, NULL },
    { COUNT, "{ type: integer, minimum: 1, maximum: 1e3 }", NULL, NULL },
    { COUNT, "{ type: integer, minimum: 1, maximum: 9223372036854775808 }",
      "`maximum` of the integer 'count' is past 64", "9223372036854775807" },
    { COUNT, "{ type: [integer, 'null'], exclusiveMinimum: -1e19, maximum: 1 }", "`exclusiveMinimum` of the integer",
      "9223372036854775807" },
    { COUNT, "{ type: number, minimum: -1e300, maximum: 1e300 }", NULL, NULL },
    { TAGS, "{ type: array, items: { type: string, enum: [a] } }", "the array 'tags' has no bound", "maxItems" },
    { TAGS, "{ type: array, maxItems: 5 }", "the array 'tags' admits any items", "items" },
    { TAGS, "{ type: array, maxItems: 5, items: { type: string } }", "has no bound", "maxLength" },
    { TAGS, "{ type: array, prefixItems: [{ type: string }], items: false }", "has no bound", "maxLength" },
    { TAGS, "{ type: array, prefixItems: [{ type: boolean }], items: false }", NULL, NULL },
    { "      additionalProperties: false\n", "", "'Thing' admits members that it does not declare",
      "additionalProperties: false" },
    { "      additionalProperties: false\n", "      additionalProperties: true\n", "members that it does not declare",
      "additionalProperties: false" },
    { "      additionalProperties: false\n", "      additionalProperties: { type: boolean }\n",
      "members that it does not declare", "additionalProperties: false" },
    /* holes in composition */
    { NAME, "{ allOf: [{ maxLength: 5 }] }", "'name' admits values of any type", "type" },
    { NAME, "{ type: object, unevaluatedProperties: false, allOf: [{ properties: { x: {} } }] }",
      "'x' admits values of any type", "type" },
    { NAME, "{ type: object, unevaluatedProperties: false, allOf: [{ additionalProperties: true }] }",
      "members that it does not declare", "additionalProperties: false" },
    { NAME, "{ type: object, allOf: [{ properties: { x: { type: boolean } } }] }", "members that it does not declare",
      "Properties: false" },
    { NAME,
      "{ type: object, unevaluatedProperties: false, if: { required: [a] }, then: { properties: { x: { type: string } "
      "} } }",
      "the string 'x' has no bound", "maxLength" },
    { NAME, "{ type: object, unevaluatedProperties: false, if: { additionalProperties: true } }",
      "members that it does not declare", "additionalProperties: false" },
    { NAME, "{ type: object, unevaluatedProperties: false, if: { properties: { x: { type: string } } } }",
      "the string 'x' has no bound", "maxLength" },
    { NAME, "{ type: object, unevaluatedProperties: false, if: { required: [a] } }", NULL, NULL },
    { NAME, "{ type: object, additionalProperties: false, if: { properties: { x: { minLength: 1 } } } }", NULL, NULL },
    { NAME, "{ type: string, maxLength: 9, if: { type: string }, then: { minLength: 2 } }", NULL, NULL },
    { NAME, "{ type: object, unevaluatedProperties: false, else: { properties: { x: { type: string } } }, if: false }",
      "the string 'x' has no bound", "maxLength" },
    { NAME,
      "{ type: object, unevaluatedProperties: false, dependentSchemas: { a: { properties: { x: { type: string } } } } "
      "}",
      "the string 'x' has no bound", "maxLength" },
    { NAME,
      "{ type: object, additionalProperties: false, maxProperties: 2, patternProperties: { '^x': { type: string } } }",
      "has no bound", "maxLength" },
    { NAME, "{ type: object, additionalProperties: false, patternProperties: { '^x': { type: boolean } } }",
      "any number of members", "maxProperties" },
    { NAME, "{ anyOf: [{ type: string, maxLength: 5 }, { type: string }] }", "has no bound", "maxLength" },
    { NAME, "{ oneOf: [{ type: string, maxLength: 5 }, { maxLength: 5 }] }", "any type", "type" },
    { NAME, "{ $ref: '#/components/schemas/Nothing' }", "Nothing", "" },
    { NAME, "{ $ref: 'other.yaml#/a' }", "leads to a document that is not here", "--with FILE" },
    /* a part first, the whole later: the whole is looked at all the same */
    { NAME,
      "{ type: object, unevaluatedProperties: false, allOf: [{ $ref: '#/components/schemas/Open' }] }\n"
      "        again: { $ref: '#/components/schemas/Open' }\n        x: " COUNT
      "\n    Open: { type: object, properties: {} }\n"
      "    Rest:\n      type: object\n      additionalProperties: false\n      properties:\n        y: " NAME,
      "'Open' admits members that it does not declare", "additionalProperties: false" },
    /* what is not understood */
    { NAME, "{ type: string, maxLenght: 80 }", "keyword 'maxLenght' is not supported", "remove it" },
    { NAME, "{ type: string, maxLength: 80, format: colour }", "'colour'", "" },
    { NAME, "{ type: string, maxLength: many }", "maxLength", "" },
    { NAME, "{ type: strnig, maxLength: 9 }", "type must be null, boolean,", "" },
    { NAME, "{ type: string, maxLength: 9, pattern: '(' }", "is not a regular expression", "" },
    { "      x-timeout: 5s\n", "      x-timeuot: 5s\n", "'x-timeuot' is not known", "x-timeout" },
    { "      x-timeout: 5s\n", "      callbacks: {}\n", "'callbacks' is not known", "" },
    { "x-timeout: 5s", "x-timeout: 5", "is no timeout", "5s" },
    { "x-timeout: 5s", "x-timeout: 61s", "is no timeout", "60s" },
    { "x-timeout: 5s", "x-timeout: 0ms", "is no timeout", "60s" },
    { "64KiB", "5MiB", "is no size", "4MiB" },
    { "64KiB", "64 bytes", "is no size", "64KiB" },
    { "x-idempotency: required", "x-idempotency: maybe", "x-idempotency is 'maybe'", "required" },
    { "      x-timeout: 5s\n", "      x-interactive: maybe\n", "neither true nor false", "true" },
    { "x-timeout: 5s", "x-timeout: 500ms", NULL, NULL },
    { "      x-timeout: 5s\n",
      "      x-timeout-with-a-name-that-is-longer-than-any-name-that-somebody-may-have-meant-to-write: 5s\n",
      "is not known", "" },
    /* the paths */
    { "name: id, in: path", "name: ident, in: path", "the path parameter 'id' is not declared", "in: path" },
    { "in: path, required: true", "in: path, required: false", "'id' is not required", "required: true" },
    { "in: query,", "in: path, required: true,", "the path has no '{q}'", "{name}" },
    { "  /things/{id}:", "  /things/{id}/of/{id}:", "the path has '{id}' twice", "its own name" },
    { "in: query,", "in: query, required: yes,", "`required` is neither true nor false", "`true`" },
    { "        required: true\n", "        required: 'true'\n", "`required` is neither true nor false", "`true`" },
    { "in: query,", "in: body,", "does not say where it stands", "query" },
    { "name: q, in: query", "name: Cookie, in: header", "'Cookie' is no parameter", "remove" },
    { "name: q, in: query", "name: __Host-session, in: cookie", "the cookie '__Host-session' is no parameter",
      "remove" },
    { "name: q, in: query", "name: session, in: cookie", NULL, NULL },
    { "name: q, in: query, schema: { type: integer, minimum: 0, maximum: 9 }", "name: q, in: query",
      "'q' has no schema", "schema" },
    { "schema: { type: integer, minimum: 0, maximum: 9 }", "schema: { type: array, maxItems: 2, items: " NAME " }",
      "not supported yet", "string" },
    { "        - { name: q, in: query, schema: { type: integer, minimum: 0, maximum: 9 } }\n",
      "        - { name: id, in: path, required: true, schema: " NAME " }\n", "'id' stands twice", "remove one" },
    { "in: query,", "in: query, style: deepObject,", "this `style` is not supported", "remove it" },
    { "in: query,", "in: query, style: form,", NULL, NULL },
    { "name: q, in: query", "name: '', in: query", "a parameter has no name", "add `name`" },
    { "    post:", "    parameters: [{ name: q, in: query, schema: { type: boolean } }]\n    post:", NULL, NULL },
    { "    post:", "    summary: things\n    post:", NULL, NULL },
    { "  /things/{id}:", "  things/{id}:", "the path is not absolute", "'/'" },
    { "  /things/{id}:", "  /things//{id}:", "an empty segment", "segments" },
    { "  /things/{id}:", "  /things/a{id}:", "only a part of its segment", "segment of its own" },
    { "  /things/{id}:", "  /th%69ngs/{id}:", "percent-encoded", "decoded" },
    { "operationId: makeThing", "operationId: make thing", "cannot name a handler", "letters" },
    { "      operationId: makeThing\n", "", "an operation has no id", "operationId" },
    { "    post:", "    fetch:", "'fetch' is not known", "" },
    { "    post:", "    get:", "has no body", "POST" },
    { "{ application/json: { schema: { $ref: '#/components/schemas/Thing' } } }\n", "{}\n",
      "several media types (or none)", "exactly one" },
    { "{ application/json: { schema: { $ref: '#/components/schemas/Thing' } } }\n",
      "{ application/json: { schema: " NAME ", encoding: {} } }\n", "'encoding' is not known", "" },
    { "        content: { application/json: { schema: { $ref: '#/components/schemas/Thing' } } }\n", "",
      "the request body of 'makeThing' has no content", "add `content`" },
    { "{ application/json: { schema: { $ref: '#/components/schemas/Thing' } } }\n", "{ application/json: none }\n",
      "a media type is not an object", "object" },
    { "        required: true\n", "        requierd: true\n", "'requierd' is not known", "required" },
    /* what comes out */
    { "content: { application/json: { schema: { $ref: '#/components/schemas/Thing' } } } }\n        '204'",
      "x: y }\n        '204'", "", "" },
    { "made, content: { application/json: { schema: { $ref: '#/components/schemas/Thing' } } } }", "made }",
      "the reply 201 of 'makeThing' has no schema", "content" },
    { "made, content: { application/json:", "made, content: { text/plain:", "'text/plain' is not supported yet",
      "application/json" },
    { "'204': { description: nothing }",
      "'204': { description: n, content: { application/json: { schema: " NAME " } } }", "a 204 has no body", "remove" },
    { "'204': { description: nothing }", "'2xx': { description: nothing }", "is no status", "'404'" },
    { "'204': { description: nothing }", "default: { description: nothing }", "is no status", "'404'" },
    { "'201': {", "'404': {", "", "" },
    { "{ application/json: { schema: { $ref: '#/components/schemas/Thing' } } }\n",
      "{ application/xml: { schema: " NAME " } }\n", "'application/xml' is not supported yet", "application/json" },
    { "{ application/json: { schema: { $ref: '#/components/schemas/Thing' } } }\n", "{ application/json: {} }\n",
      "has no schema", "schema" },
    { "made, content: { application/json: { schema: { $ref: '#/components/schemas/Thing' } } } }",
      "made, content: { application/json: {}, text/plain: {} } }", "several media types", "exactly one" },
    { "      responses:\n", "      responses: none\n      externalDocs:\n", "'makeThing' does not say what comes out",
      "add `responses`" },
    { "      responses:\n",
      "      responses: { '404': { description: d, content: { application/problem+json: { schema: " NAME " } } } }\n"
      "      externalDocs:\n",
      "operation 'makeThing' has no reply 2xx", "success" },
    /* the document */
    { "openapi: 3.1.0", "openapi: 3.0.3", "'3.0.3' is not supported", "3.1" },
    { "openapi: 3.1.0\n", "", "this is no OpenAPI document", "add `openapi: 3.1.0`" },
    { "openapi: 3.1.0", "swagger: '2.0'", "", "" },
    { "info: { title: Test, version: '1' }", "info: { title: Test }", "no title or no version", "info" },
    { "paths:\n", "servers: [{ url: /v1 }]\npaths:\n", "a server with a prefix", "servers" },
    { "paths:\n", "webhooks: {}\npaths:\n", "'webhooks' is not known", "" },
    { "components:\n", "components:\n  links: {}\n", "'links' is not known", "" },
    { "info:", "openapi: 3.1.0\ninfo:", "", "" },
};

static void test_each_hole_is_refused_with_its_place_and_the_mend(void **state)
{
    (void)state;
    unsigned wrong = 0;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct fixture f;
        char text[8192];
        load(&f, changed(text, sizeof text, refused[i].old, refused[i].new));
        const bool is_expected = refused[i].message == NULL ? f.is_loaded
                                                            : says(&f.errors, refused[i].message, refused[i].mend);
        if (!is_expected) {
            struct buf said;
            buf_init(&said, &f.arena, 1024);
            diags_write(&f.errors, &said, "error", /* colour= */ false);
            print_error("%s -> %s\nwant: %s\nhave: %.*s\n", refused[i].old, refused[i].new,
                        refused[i].message == NULL ? "(accepted)" : refused[i].message, LIMEN_STR_ARG(buf_str(&said)));
            wrong++;
        }
        unload(&f);
    }
    assert_int_equal(wrong, 0);
}

/* What the boundary counts by: the narrow limits come first, whatever their order in the document. */
static void test_sign_ins_are_limited_whatever_the_contract_says(void **state)
{
    (void)state;
    struct fixture f;
    char text[8192];
    load(&f, str_of(whole));
    assert_int_equal(f.contract.sign_in_limit_count, 2);
    assert_int_equal(f.contract.sign_in_limits[0].per, LIMIT_PER_ACCOUNT_AND_ADDRESS);
    assert_int_equal(f.contract.sign_in_limits[0].quota, 20);
    assert_int_equal(f.contract.sign_in_limits[0].window_us, 3600000000);
    assert_int_equal(f.contract.sign_in_limits[1].per, LIMIT_PER_ACCOUNT);
    assert_int_equal(f.contract.sign_in_limits[1].quota, 400);
    unload(&f);
    load(&f,
         changed(text, sizeof(text), ROLES,
                 ROLES ", x-sign-in-limit: [9/day per account, 1/second per account and address, 8/hour per account,"
                       " 2/minute per account and address]"));
    assert_true(f.is_loaded);
    assert_int_equal(f.contract.sign_in_limit_count, 4);
    const uint32_t quotas[] = { 1, 2, 9, 8 };
    for (uint32_t i = 0; i < 4; i++) {
        const struct rate_limit *limit = &f.contract.sign_in_limits[i];
        assert_int_equal(limit->quota, quotas[i]);
        assert_int_equal(limit->per, i < 2 ? LIMIT_PER_ACCOUNT_AND_ADDRESS : LIMIT_PER_ACCOUNT);
        for (uint32_t j = 0; j < i; j++)
            assert_int_not_equal(limit->policy, f.contract.sign_in_limits[j].policy);
    }
    unload(&f);
}

/* A $ref in a schema may have neighbours, and they must hold as well. */
static void test_what_stands_beside_the_reference_of_a_parameter_holds(void **state)
{
    (void)state;
    struct fixture f;
    char text[8192];
    load(&f,
         changed(text, sizeof(text), "{ type: integer, minimum: 0, maximum: 9 }",
                 "{ $ref: '#/components/schemas/Thing/properties/count', maximum: 3 }"));
    assert_true(f.is_loaded);
    const struct parameter *q = &f.contract.operations[0].parameters[1];
    const limen_str at = LIMEN_STR("/query/q");
    struct json_value value;
    struct faults faults;
    faults_init(&faults, &f.arena);
    assert_true(schema_validate_param(q->schema, LIMEN_STR("3"), at, &f.arena, &value, &faults));
    assert_false(schema_validate_param(q->schema, LIMEN_STR("4"), at, &f.arena, &value, &faults));
    assert_false(schema_validate_param(q->schema, LIMEN_STR("0"), at, &f.arena, &value, &faults));
    assert_text(faults.items[0].rule, "maximum");
    assert_text(faults.items[1].rule, "minimum");
    unload(&f);
}

static void test_the_place_is_the_line_of_the_fault(void **state)
{
    (void)state;
    struct fixture f;
    char text[8192];
    load(&f, changed(text, sizeof text, NAME, "{ type: string }"));
    assert_int_equal(f.errors.count, 1);
    assert_int_equal(f.errors.items[0].line, 32);
    assert_int_equal(f.errors.items[0].column, 9);
    unload(&f);
}

/* It is met by the bounds, by the types and by the compiler. */
static void test_a_reference_that_leads_nowhere_is_told_once(void **state)
{
    (void)state;
    struct fixture f;
    char text[8192];
    load(&f, changed(text, sizeof text, NAME, "{ $ref: 'other.yaml#/a' }"));
    assert_int_equal(f.errors.count, 1);
    assert_int_equal(f.errors.items[0].line, 32);
    unload(&f);
}

/* Which anchor is meant depends on the way there, and one without a bound would be a hole. */
static void test_dynamic_references_must_be_bounded_in_each_scope(void **state)
{
    (void)state;
    struct fixture f;
    char text[8192];
    load(&f,
         changed(text, sizeof text, NAME,
                 "{ $dynamicRef: '#name', $defs: { a: { $dynamicAnchor: name, type: string, maxLength: 3 }, "
                 "b: { $id: b, $dynamicAnchor: name, type: string } } }"));
    assert_true(says(&f.errors, "the string 'b' has no bound", "maxLength"));
    unload(&f);
    load(&f,
         changed(text, sizeof text, NAME,
                 "{ $dynamicRef: '#name', $defs: { a: { $dynamicAnchor: name, type: string, maxLength: 3 }, "
                 "b: { $id: b, $dynamicAnchor: name, not: {} } } }"));
    if (!f.is_loaded)
        fail_msg("%.*s", LIMEN_STR_ARG(f.errors.items[0].message));
    unload(&f);
}

static void test_paths_that_match_the_same_are_refused(void **state)
{
    (void)state;
    struct fixture f;
    load(&f,
         LIMEN_STR(
             "openapi: 3.1.0\ninfo: { title: t, version: '1' }\nx-rate-limit: 1/second per address\npaths:\n"
             "  /a/{x}:\n    get: { operationId: a, security: [], parameters: [{ name: x, in: path, required: true, "
             "schema: { type: boolean } }], responses: { '204': { description: d } } }\n"
             "  /a/{y}:\n    get: { operationId: b, security: [], parameters: [{ name: y, in: path, required: true, "
             "schema: { type: boolean } }], responses: { '204': { description: d } } }\n"));
    assert_false(f.is_loaded);
    assert_true(says(&f.errors, "match the same requests", "one path"));
    unload(&f);
    load(&f,
         LIMEN_STR("openapi: 3.1.0\ninfo: { title: t, version: '1' }\nx-rate-limit: 1/second per address\npaths:\n"
                   "  /a:\n    get: { operationId: a, security: [], responses: { '204': { description: d } } }\n"
                   "  /b:\n    get: { operationId: a, security: [], responses: { '204': { description: d } } }\n"));
    assert_true(says(&f.errors, "'a' stands twice", "its own"));
    unload(&f);
}

static void test_json_is_read_as_yaml_is(void **state)
{
    (void)state;
    struct fixture f, again;
    load(&f, str_of(whole));
    assert_true(f.is_loaded);
    load(&again, f.contract.json);
    assert_true(again.is_loaded);
    assert_true(str_equal(f.contract.json, again.contract.json));
    unload(&again);
    unload(&f);
}

/* `each` with a number in the place of every '#'. */
static void write_numbered(struct buf *out, const char *each, unsigned number)
{
    for (; *each != '\0'; each++) {
        if (*each == '#')
            buf_add_int(out, number);
        else
            buf_add_char(out, *each);
    }
}

static void test_what_a_contract_may_have_many_of_has_a_ceiling(void **state)
{
    (void)state;
    static const char head[] = "openapi: 3.1.0\ninfo: { title: t, version: '1' }\nx-rate-limit: 1/second per address\n";
    static const struct {
        const char *before, *each, *after;
        unsigned count;
        const char *message;
    } cases[] = {
        { "paths: {}\n", "", "", 0, "the document has no paths" },
        { "paths:\n", "  /a#: { get: { operationId: a#, security: [], responses: { '204': { description: d } } } }\n",
          "", LIMIT_OPERATIONS + 1, "there are more than 1024 operations" },
        { "paths: { /a: { get: { operationId: a, parameters: [", "{ name: p#, in: query, schema: { type: boolean } },",
          "], security: [], responses: { '204': { description: d } } } } }\n", LIMIT_PARAMETERS + 1,
          "there are more than 32 parameters" },
        { "paths: { /a: { get: { operationId: a, security: [], responses: {", "'#': { description: d },", "} } } }\n",
          LIMIT_REPLIES + 1, "there are more than 16 replies" },
        { "components: { securitySchemes: { s: { type: apiKey, in: header, name: X-API-Key, x-roles: [", "r#,",
          "] } } }\npaths: {}\n", LIMIT_ROLES + 1, "there are more than 32 roles" },
        { "components: { securitySchemes: {", " s#: { type: apiKey, in: header, name: X-Key-# },", "} }\npaths: {}\n",
          LIMIT_SCHEMES + 1, "there are more than 8 security schemes" },
        { "components: { securitySchemes: { s: { type: apiKey, in: header, name: X-API-Key } } }\n"
          "paths: { /a: { get: { operationId: a, responses: { '204': { description: d } }, security: [",
          "{ s: [] },", "] } } }\n", LIMIT_REQUIREMENTS + 1, "there are more than 8 alternatives" },
        { "components: { securitySchemes: { s: { type: apiKey, in: header, name: X-API-Key } } }\n"
          "paths: { /a: { get: { operationId: a, responses: { '204': { description: d } }, security: [{",
          "s#: [],", "}] } } }\n", LIMIT_DEMANDS + 1, "a requirement has more than 4 credentials" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        struct arena arena;
        struct buf text;
        arena_init(&arena, NULL, 16U << 20);
        buf_init(&text, &arena, 1024);
        buf_add(&text, str_of(head));
        buf_add(&text, str_of(cases[i].before));
        for (unsigned n = 0; n < cases[i].count; n++)
            write_numbered(&text, cases[i].each, 400 + n);
        buf_add(&text, str_of(cases[i].after));
        load(&f, buf_str(&text));
        if (!says(&f.errors, cases[i].message, ""))
            fail_msg("%s: %.*s", cases[i].message, LIMEN_STR_ARG(f.errors.items[0].message));
        unload(&f);
        arena_release(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_whole_contract_is_read),
        cmocka_unit_test(test_each_hole_is_refused_with_its_place_and_the_mend),
        cmocka_unit_test(test_sign_ins_are_limited_whatever_the_contract_says),
        cmocka_unit_test(test_what_stands_beside_the_reference_of_a_parameter_holds),
        cmocka_unit_test(test_the_place_is_the_line_of_the_fault),
        cmocka_unit_test(test_a_reference_that_leads_nowhere_is_told_once),
        cmocka_unit_test(test_dynamic_references_must_be_bounded_in_each_scope),
        cmocka_unit_test(test_paths_that_match_the_same_are_refused),
        cmocka_unit_test(test_json_is_read_as_yaml_is),
        cmocka_unit_test(test_what_a_contract_may_have_many_of_has_a_ceiling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
