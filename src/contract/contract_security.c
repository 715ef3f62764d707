/* contract_security.c - who may call: security schemes, their roles, and what an operation demands of them.
 *
 * What a scheme leaves open, a stranger fills in. So a bearer scheme says whose tokens, for whom, and signed how; and a
 * requirement names only roles that its own scheme can give. */
#include "contract/contract_internal.h"

#include <ctype.h>

static const struct doc_node *get(const struct doc_node *node, const char *name)
{
    return doc_get(node, str_of(name));
}

/* ---- roles ------------------------------------------------------------------------------------------------------------ */

uint32_t contract_role(const struct contract *contract, limen_str name)
{
    for (uint32_t i = 0; i < contract->role_count; i++) {
        if (str_equal(contract->roles[i], name))
            return 1U << i;
    }
    return 0;
}

/* A list of names out of the scheme's x-roles, as a mask. */
static bool read_roles(struct loader *loader, const struct doc_node *node, const struct security_scheme *scheme,
                       uint32_t *ret_mask)
{
    *ret_mask = 0;
    if (node->kind != DOC_ARRAY)
        return refuse(loader, node, "write a list: `[customer, admin]`", "roles are not a list");
    for (size_t i = 0; i < node->count; i++) {
        const struct doc_node *item = node->items[i];
        uint32_t bit = item->kind == DOC_STRING ? contract_role(loader->contract, item->text) & scheme->roles : 0;
        if (bit == 0)
            return refuse(loader, item, "name it in the scheme's `x-roles`, or correct it",
                          "the scheme '%.*s' knows no role '%.*s'", LIMEN_STR_ARG(scheme->name),
                          LIMEN_STR_ARG(item->text));
        *ret_mask |= bit;
    }
    return true;
}

/* Adds the scheme's names to the contract's. */
static bool read_role_names(struct loader *loader, const struct doc_node *node, struct security_scheme *scheme)
{
    struct contract *contract = loader->contract;
    if (node == NULL)
        return true;
    if (node->kind != DOC_ARRAY)
        return refuse(loader, node, "write a list: `[customer, admin]`", "x-roles is not a list");
    for (size_t i = 0; i < node->count; i++) {
        limen_str name = node->items[i]->text;
        if (node->items[i]->kind != DOC_STRING || name.len == 0 || str_find_char(name, ' ', 0) != SIZE_MAX)
            return refuse(loader, node->items[i], "use one word", "this is no name of a role");
        if (contract_role(contract, name) == 0) {
            if (contract->role_count == LIMIT_ROLES)
                return refuse(loader, node->items[i], "use fewer", "there are more than %u roles", LIMIT_ROLES);
            contract->roles[contract->role_count++] = name;
        }
        scheme->roles |= contract_role(contract, name);
    }
    return true;
}

/* ---- sessions --------------------------------------------------------------------------------------------------------- */

static bool read_first_account(struct loader *loader, const struct doc_node *node, struct security_scheme *scheme)
{
    static const char *const known[] = { "id", "email", "roles", NULL };
    if (node == NULL)
        return true;
    const struct doc_node *id = get(node, "id"), *email = get(node, "email"), *roles = get(node, "roles");
    if (!check_members(loader, node, known, "x-first-account"))
        return false;
    if (id == NULL || email == NULL || roles == NULL || id->kind != DOC_STRING || email->kind != DOC_STRING
        || id->text.len == 0 || id->text.len > 40 || email->text.len > 254
        || str_find_char(email->text, '@', 0) == SIZE_MAX)
        return refuse(loader, node, "write { id: acc_admin, email: admin@example.com, roles: [admin] }",
                      "x-first-account needs id, email and roles");
    scheme->has_first_account = true;
    scheme->first_id = id->text;
    scheme->first_email = email->text;
    return read_roles(loader, roles, scheme, &scheme->first_roles);
}

static bool read_session(struct loader *loader, const struct doc_node *node, struct security_scheme *scheme)
{
    static const char *const known[] = {
        "type", "in", "name", "description", "x-roles", "x-sign-up-roles", "x-first-account", "x-sign-in-limit", NULL
    };
    const struct doc_node *name = get(node, "name"), *roles = get(node, "x-sign-up-roles");
    if (!check_members(loader, node, known, "a session scheme"))
        return false;
    if (!str_starts(name->text, LIMEN_STR("__Host-")) || name->text.len > 64)
        return refuse(loader, name, "call it `__Host-session`: browsers then keep it to this host, over TLS, at path /",
                      "the session cookie's name does not start with __Host-");
    if (loader->contract->session != NULL)
        return refuse(loader, node, "keep one; give it more roles where you need them",
                      "there are two session schemes");
    loader->contract->session = scheme;
    scheme->field = name->text;
    return read_role_names(loader, get(node, "x-roles"), scheme)
        && (roles == NULL || read_roles(loader, roles, scheme, &scheme->sign_up_roles))
        && read_first_account(loader, get(node, "x-first-account"), scheme)
        && read_sign_in_limits(loader, get(node, "x-sign-in-limit"));
}

/* ---- API keys --------------------------------------------------------------------------------------------------------- */

/* RFC 9110 section 5.6.2. */
static bool is_token(limen_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (!isalnum((unsigned char)c) && str_find_char(LIMEN_STR("!#$%&'*+-.^_`|~"), c, 0) == SIZE_MAX)
            return false;
    }
    return text.len > 0 && text.len <= 64;
}

/* A field of the request's head that holds a credential. */
static bool is_free_field(struct loader *loader, const struct doc_node *name, const char *mend)
{
    return (is_token(name->text) && !str_equal_nocase(name->text, LIMEN_STR("Authorization"))
            && !str_equal_nocase(name->text, LIMEN_STR("Cookie")))
        || refuse(loader, name, mend, "a credential cannot stand in the field '%.*s'", LIMEN_STR_ARG(name->text));
}

static bool read_api_key(struct loader *loader, const struct doc_node *node, struct security_scheme *scheme)
{
    static const char *const known[] = { "type", "in", "name", "description", "x-roles", NULL };
    const struct doc_node *name = get(node, "name");
    if (!check_members(loader, node, known, "an API key scheme"))
        return false;
    if (!is_free_field(loader, name, "call it `X-API-Key`"))
        return false;
    if (str_equal_nocase(name->text, LIMEN_STR("Stripe-Signature")))
        return refuse(loader, node, "add `x-webhook: stripe`", "the scheme '%.*s' takes a signature for an API key",
                      LIMEN_STR_ARG(scheme->name));
    for (const struct security_scheme *other = loader->contract->schemes; other < scheme; other++) {
        if (other->kind == SCHEME_API_KEY)
            return refuse(loader, node, "keep one: each key has roles of its own", "there are two schemes of API keys");
    }
    scheme->field = name->text;
    return read_role_names(loader, get(node, "x-roles"), scheme);
}

bool is_credential(const struct loader *loader, enum parameter_in in, limen_str name)
{
    for (uint32_t i = 0; i < loader->contract->scheme_count; i++) {
        const struct security_scheme *scheme = &loader->contract->schemes[i];
        bool is_field = scheme->kind == SCHEME_API_KEY || scheme->kind == SCHEME_WEBHOOK;
        if (is_field && in == PARAMETER_HEADER && str_equal_nocase(scheme->field, name))
            return true;
        if (scheme->kind == SCHEME_SESSION && in == PARAMETER_COOKIE && str_equal(scheme->field, name))
            return true;
    }
    return false;
}

/* ---- webhooks --------------------------------------------------------------------------------------------------------- */

static bool read_webhook(struct loader *loader, const struct doc_node *node, struct security_scheme *scheme)
{
    static const char *const known[] = { "type", "in", "name", "description", "x-roles", "x-webhook", NULL };
    const struct doc_node *name = get(node, "name"), *form = get(node, "x-webhook");
    if (!check_members(loader, node, known, "a webhook's scheme"))
        return false;
    if (!str_equal(form->text, LIMEN_STR("stripe")))
        return refuse(loader, form, "write `stripe`", "signatures of the form '%.*s' are not supported",
                      LIMEN_STR_ARG(form->text));
    scheme->field = name->text;
    return is_free_field(loader, name, "call it `Stripe-Signature`")
        && read_role_names(loader, get(node, "x-roles"), scheme);
}

/* A demand of a signature, alone or beside others. */
static uint32_t count_signatures(const struct contract *contract, const struct operation *operation)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < operation->requirement_count; i++) {
        for (uint32_t j = 0; j < operation->requirements[i].demand_count; j++)
            count += contract->schemes[operation->requirements[i].demands[j].scheme].kind == SCHEME_WEBHOOK;
    }
    return count;
}

static bool find_signature(struct loader *loader, const struct doc_node *security, struct operation *operation)
{
    if (count_signatures(loader->contract, operation) == 0)
        return true;
    operation->is_signed = operation->requirement_count == 1 && operation->requirements[0].demand_count == 1;
    return operation->is_signed
        || refuse(loader, security, "give the provider an operation of its own: `security: [{ NAME: [] }]`",
                  "the operation '%.*s' takes a signature beside other credentials", LIMEN_STR_ARG(operation->id));
}

bool check_signed(struct loader *loader, const struct operation *operation)
{
    const struct doc_node *size = get(operation->node, "x-max-body"), *key = get(operation->node, "x-idempotency");
    if (!operation->is_signed)
        return true;
    if (!operation->has_body || !operation->body_required)
        return refuse(loader, operation->node, "add `requestBody` with `required: true`",
                      "the operation '%.*s' takes a signature over a body, and demands no body",
                      LIMEN_STR_ARG(operation->id));
    if (size == NULL)
        return refuse(loader, operation->node, "add `x-max-body: 64KiB`",
                      "the operation '%.*s' does not say how much it reads of a body before it knows whose it is",
                      LIMEN_STR_ARG(operation->id));
    if (operation->body_ceiling > LIMIT_WEBHOOK_BODY_BYTES)
        return refuse(loader, size, "lower it", "a body of more than %u KiB is not held against its signature",
                      LIMIT_WEBHOOK_BODY_BYTES / 1024);
    return key == NULL
        || refuse(loader, key, "remove it, and keep the ids of events",
                  "a provider sends no Idempotency-Key: it sends an event again");
}

/* ---- bearer tokens ---------------------------------------------------------------------------------------------------- */

static bool read_text(struct loader *loader, const struct doc_node *node, const char *name, limen_str *ret_text)
{
    const struct doc_node *member = get(node, name);
    if (member == NULL)
        return true;
    *ret_text = member->text;
    return (member->kind == DOC_STRING && member->text.len <= 500)
        || refuse(loader, member, "write it as text", "'%s' is no text", name);
}

/* Secret and public keys never share a scheme: who knows the public one could sign with it. */
static bool read_algorithms(struct loader *loader, const struct doc_node *node, struct security_scheme *scheme)
{
    static const char *const known[] = { "HS256", "RS256", "ES256", "EdDSA", "Ed25519" };
    bool has_secret = false;
    if (node->kind != DOC_ARRAY || node->count == 0 || node->count > SCHEME_ALGORITHMS)
        return refuse(loader, node, "write a list: `[ES256]`", "x-algorithms is no list of one to four");
    for (size_t i = 0; i < node->count; i++) {
        bool is_known = false;
        for (size_t j = 0; j < sizeof(known) / sizeof(known[0]); j++)
            is_known = is_known || str_equal(node->items[i]->text, str_of(known[j]));
        if (!is_known)
            return refuse(loader, node->items[i], "use ES256, Ed25519, RS256 or HS256",
                          "the algorithm '%.*s' is not accepted", LIMEN_STR_ARG(node->items[i]->text));
        has_secret = has_secret || str_equal(node->items[i]->text, LIMEN_STR("HS256"));
        scheme->algorithms[scheme->algorithm_count++] = node->items[i]->text;
    }
    return !has_secret || node->count == 1
        || refuse(loader, node, "keep HS256 alone, or leave it out",
                  "a scheme with HS256 has secret keys, and cannot have public ones beside them");
}

static bool has_all_that_is_demanded(struct loader *loader, const struct doc_node *node,
                                     const struct security_scheme *scheme)
{
    static const struct {
        const char *name, *mend, *why;
    } demanded[] = {
        { "x-issuer", "add `x-issuer: https://id.example.com`: what `iss` must be", "whose tokens it accepts" },
        { "x-audience", "add `x-audience: NAME`: what `aud` must hold, so that tokens for others do not open this",
          "for whom its tokens are" },
        { "x-algorithms", "add `x-algorithms: [ES256]`: a token must not choose how it is verified",
          "how its tokens are signed" },
    };
    bool ok = true;
    for (size_t i = 0; i < sizeof(demanded) / sizeof(demanded[0]); i++) {
        const struct doc_node *member = get(node, demanded[i].name);
        if (member == NULL || (member->kind == DOC_STRING && member->text.len == 0))
            ok = refuse(loader, node, demanded[i].mend, "the scheme '%.*s' does not say %s",
                        LIMEN_STR_ARG(scheme->name), demanded[i].why);
    }
    return ok;
}

static bool jwks_is_right(struct loader *loader, const struct doc_node *node, const struct security_scheme *scheme)
{
    bool is_url = str_find(scheme->jwks, LIMEN_STR("://"), 0) != SIZE_MAX;
    bool is_secret = str_equal(scheme->algorithms[0], LIMEN_STR("HS256"));
    if (is_url && is_secret)
        return refuse(loader, get(node, "x-jwks"), "keep the secret in a file",
                      "a secret that is fetched from a URL is none");
    return !is_url || str_starts(scheme->jwks, LIMEN_STR("https://"))
        || refuse(loader, get(node, "x-jwks"), "write an https:// URL or the name of a file",
                  "keys that come without TLS are anybody's");
}

static bool read_bearer(struct loader *loader, const struct doc_node *node, struct security_scheme *scheme)
{
    static const char *const known[] = { "type",    "scheme",        "bearerFormat",       "description",
                                         "x-roles", "x-issuer",      "x-audience",         "x-algorithms",
                                         "x-jwks",  "x-roles-claim", "x-principal-prefix", "x-token-type",
                                         NULL };
    const struct doc_node *format = get(node, "bearerFormat");
    if (!check_members(loader, node, known, "a bearer scheme"))
        return false;
    if (format != NULL && !str_equal(format->text, LIMEN_STR("JWT")))
        return refuse(loader, format, "write JWT", "tokens of the form '%.*s' are not supported",
                      LIMEN_STR_ARG(format->text));
    scheme->roles_claim = LIMEN_STR("scope");
    scheme->prefix = arena_printf(loader->arena, "%.*s:", LIMEN_STR_ARG(scheme->name));
    return has_all_that_is_demanded(loader, node, scheme) && read_text(loader, node, "x-issuer", &scheme->issuer)
        && read_text(loader, node, "x-audience", &scheme->audience) && read_text(loader, node, "x-jwks", &scheme->jwks)
        && read_text(loader, node, "x-token-type", &scheme->token_type)
        && read_text(loader, node, "x-roles-claim", &scheme->roles_claim)
        && read_text(loader, node, "x-principal-prefix", &scheme->prefix)
        && read_algorithms(loader, get(node, "x-algorithms"), scheme) && jwks_is_right(loader, node, scheme)
        && read_role_names(loader, get(node, "x-roles"), scheme);
}

/* ---- schemes ---------------------------------------------------------------------------------------------------------- */

static bool is(const struct doc_node *node, const char *name, const char *wanted)
{
    const struct doc_node *member = get(node, name);
    return member != NULL && str_equal(member->text, str_of(wanted));
}

static bool read_scheme(struct loader *loader, const struct doc_node *member, struct security_scheme *scheme)
{
    const struct doc_node *node = follow(loader, member);
    if (node == NULL)
        return false;
    scheme->name = member->key;
    bool is_key = is(node, "type", "apiKey") && get(node, "name") != NULL;
    if (is_key && is(node, "in", "cookie")) {
        scheme->kind = SCHEME_SESSION;
        return read_session(loader, node, scheme);
    }
    if (is_key && is(node, "in", "header") && get(node, "x-webhook") != NULL) {
        scheme->kind = SCHEME_WEBHOOK;
        return read_webhook(loader, node, scheme);
    }
    if (is_key && is(node, "in", "header")) {
        scheme->kind = SCHEME_API_KEY;
        return read_api_key(loader, node, scheme);
    }
    if (is(node, "type", "http") && is(node, "scheme", "bearer")) {
        scheme->kind = SCHEME_BEARER;
        return read_bearer(loader, node, scheme);
    }
    return refuse(
        loader, member,
        "use `type: apiKey, in: cookie, name: __Host-session`, `type: apiKey, in: header, name: X-API-Key`, or "
        "`type: http, scheme: bearer`",
        "the scheme '%.*s' is not supported", LIMEN_STR_ARG(member->key));
}

bool read_schemes(struct loader *loader)
{
    const struct doc_node *schemes = get(get(loader->doc->root, "components"), "securitySchemes");
    struct contract *contract = loader->contract;
    size_t count = schemes == NULL ? 0 : schemes->count;
    bool ok = true;
    if (count > LIMIT_SCHEMES)
        return refuse(loader, schemes, "use fewer", "there are more than %u security schemes", LIMIT_SCHEMES);
    contract->schemes = ARENA_NEW_ARRAY(loader->arena, struct security_scheme, LIMIT_SCHEMES);
    for (size_t i = 0; i < count && contract->schemes != NULL; i++)
        ok = read_scheme(loader, schemes->items[i], &contract->schemes[contract->scheme_count++]) && ok;
    if (ok && contract->sign_in_limit_count == 0)
        set_sign_in_default(loader);
    return ok && contract->schemes != NULL;
}

/* ---- what an operation demands ---------------------------------------------------------------------------------------- */

static bool read_demand(struct loader *loader, const struct doc_node *member, struct demand *demand)
{
    for (uint32_t i = 0; i < loader->contract->scheme_count; i++) {
        if (!str_equal(loader->contract->schemes[i].name, member->key))
            continue;
        demand->scheme = i;
        return read_roles(loader, member, &loader->contract->schemes[i], &demand->roles);
    }
    return refuse(loader, member, "declare it under components/securitySchemes, or correct it",
                  "there is no security scheme '%.*s'", LIMEN_STR_ARG(member->key));
}

static bool read_requirement(struct loader *loader, const struct doc_node *node, struct requirement *requirement)
{
    if (node->kind != DOC_OBJECT)
        return refuse(loader, node, "name a scheme: `- session: [customer]`", "a requirement names no scheme");
    if (node->count == 0)
        return refuse(loader, node, "write `security: []` for a public operation",
                      "an optional credential (`{}`) is not supported");
    if (node->count > LIMIT_DEMANDS)
        return refuse(loader, node, "demand fewer", "a requirement has more than %u credentials", LIMIT_DEMANDS);
    for (size_t i = 0; i < node->count; i++) {
        if (!read_demand(loader, node->items[i], &requirement->demands[requirement->demand_count++]))
            return false;
    }
    return true;
}

bool read_security(struct loader *loader, struct operation *operation)
{
    const struct doc_node *security = get(operation->node, "security");
    bool ok = true;
    if (security == NULL)
        security = get(loader->doc->root, "security");
    if (security == NULL)
        return refuse(loader, operation->node,
                      "add `security: [{ session: [ROLE] }]`, or `security: []` when everybody may",
                      "operation '%.*s' does not say who may call it", LIMEN_STR_ARG(operation->id));
    if (security->kind != DOC_ARRAY)
        return refuse(loader, security, "write a list", "`security` is not a list");
    if (security->count > LIMIT_REQUIREMENTS)
        return refuse(loader, security, "use fewer", "there are more than %u alternatives", LIMIT_REQUIREMENTS);
    operation->is_public = security->count == 0;
    operation->requirements = ARENA_NEW_ARRAY(loader->arena, struct requirement, security->count);
    for (size_t i = 0; i < security->count && operation->requirements != NULL; i++)
        ok = read_requirement(loader, security->items[i], &operation->requirements[operation->requirement_count++])
            && ok;
    return ok && find_signature(loader, security, operation);
}
