/* role_token.c - bearer tokens: verified once, remembered while they hold, and acted for by the workers that have shown them.
 *
 * A signature costs more than a whole request, so what was verified is kept by the token's keyed hash. A worker gets a handle
 * to it; another worker's handle is of no use to it, because each worker's handles are noted. */
#include "data/role_internal.h"

#include "core/log.h"

#include <stdlib.h>

/* A worker may hold a handle to its last moment and then let the request wait: it is still good here for as long. */
#define GRACE_US LIMIT_DATA_TIMEOUT_US

/* ---- issuers ---------------------------------------------------------------------------------------------------------- */

static void make_rules(const struct security_scheme *scheme, struct jwt_rules *ret_rules)
{
    *ret_rules = (struct jwt_rules){
        .issuer = scheme->issuer,
        .audience = scheme->audience,
        .type = scheme->token_type,
        .roles_claim = scheme->roles_claim,
    };
    for (uint32_t i = 0; i < scheme->algorithm_count; i++) {
        enum jws_algorithm algorithm;
        if (jws_algorithm_find(scheme->algorithms[i], &algorithm))
            ret_rules->algorithms |= 1U << algorithm;
    }
}

static bool has_no_keys(const struct security_scheme *scheme, const struct data_jwks *jwks, const char *fault,
                        struct diags *diags)
{
    diags_add_at(diags, jwks->source, 0, 0, LIMEN_STR("give the issuer's JWK Set (RFC 7517)"),
                 "no key of the scheme '%.*s' can be used: %s", LIMEN_STR_ARG(scheme->name), fault);
    return false;
}

static bool open_keys(struct data_role *role, const struct data_role_config *config, uint32_t number,
                      struct diags *diags)
{
    const struct security_scheme *scheme = &role->contract->schemes[number];
    const struct data_jwks *jwks = &config->jwks[number];
    struct role_issuer *issuer = &role->issuers[number];
    const char *fault = "memory is out", *left_out = NULL;
    if (jwks->source.len == 0) {
        diags_add_at(diags, scheme->name, 0, 0,
                     LIMEN_STR("name a file or an https URL with --jwks SCHEME=…, or in the contract with `x-jwks`"),
                     "the scheme '%.*s' has no keys", LIMEN_STR_ARG(scheme->name));
        return false;
    }
    if (jwks->is_fetched) {
        issuer->keys = jwks_of_target(role->loop, config->fetches, jwks->target, scheme->name);
    } else {
        struct jwk_set *keys = jwk_set_parse(jwks->json, &fault, &left_out);
        issuer->keys = keys == NULL ? NULL : jwks_of_set(keys);
    }
    if (left_out != NULL)
        LOG_WARN("a key is left out", log_str("scheme", scheme->name), log_text("why", left_out));
    return issuer->keys != NULL || has_no_keys(scheme, jwks, fault, diags);
}

bool role_tokens_open(struct data_role *role, const struct data_role_config *config, struct diags *diags)
{
    const struct contract *contract = role->contract;
    bool ok = true;
    for (uint32_t i = 0; i < contract->scheme_count; i++) {
        if (contract->schemes[i].kind != SCHEME_BEARER)
            continue;
        make_rules(&contract->schemes[i], &role->issuers[i].rules);
        ok = open_keys(role, config, i, diags) && ok;
        if (role->tokens == NULL)
            role->tokens = token_cache_new(LIMIT_TOKENS, GRACE_US, /* may_evict= */ false);
        ok = ok && role->tokens != NULL;
    }
    return ok;
}

void role_tokens_close(struct data_role *role)
{
    for (uint32_t i = 0; i < LIMIT_SCHEMES; i++)
        jwks_free(role->issuers[i].keys);
    token_cache_free(role->tokens);
}

/* ---- one token -------------------------------------------------------------------------------------------------------- */

/* The account of a token: the scheme's prefix and the subject, and of its roles those that the scheme knows. */
static bool make_principal(const struct data_role *role, const struct security_scheme *scheme, const struct jwt *jwt,
                           struct principal *ret_principal)
{
    size_t bytes = scheme->prefix.len + jwt->subject.len;
    if (bytes > PRINCIPAL_ID_BYTES)
        return false;
    memset(ret_principal, 0, sizeof(*ret_principal));
    ret_principal->id_len = (uint8_t)bytes;
    if (scheme->prefix.len > 0)
        memcpy(ret_principal->id, scheme->prefix.ptr, scheme->prefix.len);
    memcpy(ret_principal->id + scheme->prefix.len, jwt->subject.ptr, jwt->subject.len);
    for (uint32_t i = 0; i < jwt->role_count; i++)
        ret_principal->roles |= contract_role(role->contract, jwt->roles[i]) & scheme->roles;
    return true;
}

static enum jwt_outcome verify(struct role_request *request, int64_t *ret_lifetime_us, const char **ret_why)
{
    const struct data_role *role = request->role;
    const struct role_issuer *issuer = &role->issuers[request->scheme];
    const struct jwk_set *keys = jwks_keys(issuer->keys);
    limen_time now = request->task.now;
    struct jwt jwt;
    *ret_why = "its key is not known"; /* no key is, yet */
    if (keys == NULL)
        return JWT_UNKNOWN_KEY;
    enum jwt_outcome outcome = jwt_verify(request->credential, keys, &issuer->rules, now, &request->arena, &jwt,
                                          ret_why);
    if (outcome != JWT_OK)
        return outcome;
    *ret_why = "its subject is too long";
    if (!make_principal(role, &role->contract->schemes[request->scheme], &jwt, &request->task.principal))
        return JWT_REFUSED;
    *ret_lifetime_us = jwt.expires_at + LIMIT_TOKEN_LEEWAY_US - now;
    if (*ret_lifetime_us > LIMIT_TOKEN_KEPT_US)
        *ret_lifetime_us = LIMIT_TOKEN_KEPT_US;
    return JWT_OK;
}

/* The worker may act for this entry from now on. Without memory for the note it shows the token again each time. */
static void give_handle(struct role_request *request, const struct token_entry *entry)
{
    struct role_worker *worker = request->worker;
    if (worker->shown == NULL)
        worker->shown = calloc(LIMIT_TOKENS, sizeof(*worker->shown));
    if (worker->shown == NULL)
        return;
    worker->shown[entry->handle.place] = entry->handle.tenant;
    request->has_handle = true;
    request->handle = entry->handle;
    request->handle_expires_us = entry->expires_us;
}

/* The issuer's keys were fetched, or could not be. */
static void on_keys(struct jwks_waiter *waiter)
{
    struct role_request *request = (struct role_request *)((char *)waiter - offsetof(struct role_request, keys_waiter));
    if (role_request_comes_back(request))
        role_token_show(request);
}

/* True when the request waits for newer keys. It does so once. */
static bool waits_for_keys(struct role_request *request)
{
    if (request->has_waited)
        return false;
    request->has_waited = true;
    request->keys_waiter.on_done = on_keys;
    if (!jwks_wait(request->role->issuers[request->scheme].keys, &request->keys_waiter))
        return false;
    request->place = ROLE_PLACE_AWAY;
    return true;
}

/* Verifies the token and remembers it. */
static enum jwt_outcome take_in(struct role_request *request, struct token_mark mark,
                                const struct token_entry **ret_entry, const char **ret_why)
{
    int64_t now_us = loop_clock(request->role->loop)->mono_us, lifetime_us = 0;
    enum jwt_outcome outcome = verify(request, &lifetime_us, ret_why);
    if (outcome != JWT_OK)
        return outcome;
    struct token_entry *entry = token_cache_add(request->role->tokens, request->scheme, mark, now_us,
                                                now_us + lifetime_us);
    if (entry != NULL)
        entry->principal = request->task.principal;
    *ret_entry = entry;
    return JWT_OK;
}

/* The worker need not ask again for a moment; where time or newer keys may lift the refusal, not beyond that. */
static void note_refusal(struct role_request *request, enum jwt_outcome outcome, const char *why)
{
    int64_t now_us = loop_clock(request->role->loop)->mono_us, until_us = now_us + LIMIT_TOKEN_REFUSED_US;
    int64_t settled_us = jwks_settled_until(request->role->issuers[request->scheme].keys);
    if (outcome == JWT_UNKNOWN_KEY && settled_us < until_us)
        until_us = settled_us;
    request->until_us = outcome != JWT_EARLY && until_us > now_us ? until_us : 0;
    LOG_DEBUG("a token is refused", log_str("scheme", request->role->contract->schemes[request->scheme].name),
              log_text("why", why));
}

/* Nobody can tell whether the token is good: memory is out, or no key has come yet. */
static bool is_undecided(const struct role_request *request, enum jwt_outcome outcome)
{
    return outcome == JWT_NO_MEMORY
        || (outcome == JWT_UNKNOWN_KEY && jwks_keys(request->role->issuers[request->scheme].keys) == NULL);
}

void role_token_show(struct role_request *request)
{
    struct token_cache *tokens = request->role->tokens;
    struct token_mark mark = token_cache_mark(tokens, request->credential);
    const struct token_entry *entry = token_cache_find(tokens, request->scheme, mark,
                                                       loop_clock(request->role->loop)->mono_us);
    enum jwt_outcome outcome = JWT_OK;
    const char *why = NULL;
    if (entry != NULL)
        request->task.principal = entry->principal;
    else
        outcome = take_in(request, mark, &entry, &why);
    if (outcome == JWT_UNKNOWN_KEY && waits_for_keys(request))
        return;
    if (outcome == JWT_OK) {
        if (entry != NULL)
            give_handle(request, entry);
        role_bind(request);
        role_request_answer(request, DATA_OK);
    } else if (is_undecided(request, outcome)) {
        role_request_answer(request, DATA_BUSY);
    } else {
        note_refusal(request, outcome, why);
        role_request_answer(request, DATA_NONE);
    }
}

/* ---- handles ---------------------------------------------------------------------------------------------------------- */

const char *role_token_assume(struct role_worker *worker, struct role_slot *slot, limen_str payload)
{
    struct wire_reader reader = { payload.ptr, payload.ptr + payload.len, false };
    uint8_t is_more = wire_get_u8(&reader);
    struct token_handle handle;
    handle.place = wire_get_u32(&reader);
    handle.tenant = wire_get_u32(&reader);
    if (reader.failed || reader.at != reader.end || is_more > 1)
        return "malformed payload";
    if (worker->shown == NULL || handle.place >= LIMIT_TOKENS || handle.tenant == 0
        || worker->shown[handle.place] < handle.tenant)
        return "a token's handle that this worker was not given";
    if (is_more == 1 && slot->has_sign_up)
        return BREACH_BESIDE_SIGN_UP;
    if (is_more == 0)
        role_slot_forget(worker->role, slot);
    /* Of the place's earlier tokens nothing is left; this worker may have shown one, and a later one since. */
    const struct token_entry *entry = worker->shown[handle.place] != handle.tenant
        ? NULL
        : token_cache_at(worker->role->tokens, handle, loop_clock(worker->role->loop)->mono_us);
    if (entry == NULL)
        slot->is_stale = true;
    else
        role_slot_bind(slot, &entry->principal, is_more != 0);
    return NULL;
}
