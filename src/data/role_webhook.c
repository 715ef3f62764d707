/* role_webhook.c - a provider that calls: whoever has signed the body is the scheme's own principal.
 *
 * The secret is here and nowhere else, so a worker that was taken over can hand on what a provider has signed and can sign
 * nothing. */
#include "data/role_internal.h"

#include "core/log.h"
#include "core/str.h"
#include "data/webhook.h"

void role_webhooks_open(struct data_role *role, const struct data_role_config *config)
{
    for (uint32_t i = 0; i < role->contract->scheme_count; i++) {
        const struct security_scheme *scheme = &role->contract->schemes[i];
        role->webhook_secrets[i] = config->webhook_secrets[i];
        if (scheme->kind == SCHEME_WEBHOOK && role->webhook_secrets[i].len == 0)
            LOG_WARN(
                "there is no secret for a webhook, and whoever calls it is answered with 503: give --secret NAME=@FILE",
                log_str("name", scheme->name));
    }
}

/* "hook_payments": no account and no key has such an id. */
static void make_principal(const struct security_scheme *scheme, struct principal *ret_principal)
{
    static const limen_str prefix = LIMEN_STR_INIT("hook_");
    limen_str name = str_slice(scheme->name, 0, PRINCIPAL_ID_BYTES - prefix.len);
    memset(ret_principal, 0, sizeof(*ret_principal));
    memcpy(ret_principal->id, prefix.ptr, prefix.len);
    memcpy(ret_principal->id + prefix.len, name.ptr, name.len);
    ret_principal->id_len = (uint8_t)(prefix.len + name.len);
    ret_principal->roles = scheme->roles;
}

static enum data_outcome verify(struct role_request *request, limen_str secret)
{
    struct webhook_signature signature;
    const struct security_scheme *scheme = &request->role->contract->schemes[request->scheme];
    if (secret.len == 0)
        return DATA_BUSY;
    if (!webhook_parse(request->credential, &signature))
        return DATA_NONE;
    switch (webhook_verify(&signature, secret, request->signed_body, request->task.now, &request->arena)) {
    case WEBHOOK_OK:
        return DATA_OK;
    case WEBHOOK_STALE: /* nobody else could have signed it */
        LOG_WARN("an event was signed too long ago, or in the future: is the clock right?",
                 log_str("name", scheme->name), log_int("signed_at", signature.signed_at_s));
        return DATA_NONE;
    case WEBHOOK_FORGED:
        return DATA_NONE;
    case WEBHOOK_NO_MEMORY:
        break;
    }
    return DATA_BUSY;
}

void role_webhook_show(struct role_request *request)
{
    enum data_outcome outcome = verify(request, request->role->webhook_secrets[request->scheme]);
    if (outcome == DATA_OK) {
        make_principal(&request->role->contract->schemes[request->scheme], &request->task.principal);
        role_bind(request);
    }
    role_request_answer(request, outcome);
}
