/* caller.c - who calls, and may they?
 *
 * Alternatives are tried in the contract's order, and only those of which the request shows every credential. The alternative that
 * came furthest decides the refusal: a stranger learns what to bring, and not why what they brought is not good enough. */
#include "boundary/caller.h"

#include "boundary/auth.h"
#include "core/str.h"

/* How an alternative ended, in the order of how far it came. */
enum trial {
    TRIAL_ABSENT,     /* a credential is missing */
    TRIAL_INVALID,    /* one is malformed, unknown, expired, revoked */
    TRIAL_CROSS_SITE, /* the cookie comes with another site's request */
    TRIAL_FORBIDDEN,  /* a role is missing */
    TRIAL_OK,
    TRIAL_BROKEN /* nobody can be asked now; the refusal is recorded */
};

/* What the trials of a request have come to. */
struct finding {
    enum trial best;
    const struct security_scheme *scheme; /* at which the best one ended */
    uint32_t invalid;                     /* schemes, as a mask, whose credential is known to be no good */
};

/* ---- one credential --------------------------------------------------------------------------------------------------- */

static const struct security_scheme *scheme_of(const struct admission *admission, const struct demand *demand)
{
    return &admission->boundary->contract->schemes[demand->scheme];
}

static bool is_cross_site(const struct admission *admission)
{
    const struct http_request *request = exchange_request(admission->exchange);
    return !method_is_safe(request->method) && auth_is_cross_site(request);
}

/* Waits for the data role's word on what was shown. */
static enum trial answer_of(struct admission *admission)
{
    const struct data_request *request = &admission->request;
    admission->wait(admission->call);
    if (request->outcome == DATA_OK)
        return TRIAL_OK;
    if (request->outcome == DATA_NONE)
        return TRIAL_INVALID;
    admission_refuse_overload(admission, request->outcome == DATA_BUSY ? REFUSAL_OVERLOAD : REFUSAL_DATA);
    return TRIAL_BROKEN;
}

/* Asks the data role whose credential it is. */
static enum trial ask(struct admission *admission, const struct shown_credential *shown, bool is_more,
                      struct principal *ret_principal)
{
    struct data_request *request = &admission->request;
    if (!admission_take_slot(admission)) {
        admission_refuse_overload(admission, REFUSAL_OVERLOAD);
        return TRIAL_BROKEN;
    }
    request->timeout_us = admission_time_left(admission);
    data_show(admission->boundary->data, request, shown->scheme, shown->text, is_more);
    enum trial trial = answer_of(admission);
    *ret_principal = request->principal;
    return trial;
}

/* A token that this worker has shown before costs no trip; the slot, when there is one, is told of a good one. */
static enum trial recall_or_ask(struct admission *admission, struct shown_credential *shown, bool is_more,
                                struct principal *ret_principal)
{
    struct data_client *data = admission->boundary->data;
    switch (data_token_find(data, shown->scheme, shown->text, ret_principal, &shown->handle)) {
    case TOKEN_GOOD:
        shown->has_handle = true;
        if (admission->has_slot)
            data_assume(data, admission->request.slot, shown->handle, is_more);
        return TRIAL_OK;
    case TOKEN_NO_GOOD:
        return TRIAL_INVALID;
    case TOKEN_UNKNOWN:
        break;
    }
    return ask(admission, shown, is_more, ret_principal);
}

static void add_principal(struct admission *admission, const struct principal *principal)
{
    if (admission->shown_count == 0)
        admission->principal = *principal;
    else
        admission->principal.roles |= principal->roles;
}

static enum trial try_demand(struct admission *admission, const struct demand *demand, limen_str credential,
                             struct finding *finding)
{
    bool is_more = admission->shown_count > 0;
    struct shown_credential shown = { .scheme = demand->scheme, .text = credential };
    struct principal principal;
    if ((finding->invalid >> demand->scheme & 1U) != 0)
        return TRIAL_INVALID;
    enum trial trial = recall_or_ask(admission, &shown, is_more, &principal);
    if (trial == TRIAL_INVALID)
        finding->invalid |= 1U << demand->scheme;
    if (trial != TRIAL_OK)
        return trial;
    add_principal(admission, &principal);
    admission->shown[admission->shown_count++] = shown;
    return (principal.roles & demand->roles) == demand->roles ? TRIAL_OK : TRIAL_FORBIDDEN;
}

/* ---- one alternative -------------------------------------------------------------------------------------------------- */

/* What costs nothing to see: is everything there, and does it come from where it may? */
static enum trial look(const struct admission *admission, const struct requirement *requirement,
                       limen_str credentials[LIMIT_DEMANDS], const struct security_scheme **ret_scheme)
{
    const struct http_request *request = exchange_request(admission->exchange);
    enum trial worst = TRIAL_OK;
    for (uint32_t i = 0; i < requirement->demand_count; i++) {
        const struct security_scheme *scheme = scheme_of(admission, &requirement->demands[i]);
        enum shown_outcome shown = auth_credential(request, scheme, &credentials[i]);
        enum trial trial = shown == SHOWN_NOT                            ? TRIAL_ABSENT
            : shown == SHOWN_BADLY                                       ? TRIAL_INVALID
            : scheme->kind == SCHEME_SESSION && is_cross_site(admission) ? TRIAL_CROSS_SITE
                                                                         : TRIAL_OK;
        if (trial >= worst)
            continue;
        worst = trial;
        *ret_scheme = scheme;
    }
    return worst;
}

static enum trial try_requirement(struct admission *admission, const struct requirement *requirement,
                                  struct finding *finding, const struct security_scheme **ret_scheme)
{
    limen_str credentials[LIMIT_DEMANDS];
    enum trial trial = look(admission, requirement, credentials, ret_scheme);
    admission->shown_count = 0;
    for (uint32_t i = 0; trial == TRIAL_OK && i < requirement->demand_count; i++) {
        *ret_scheme = scheme_of(admission, &requirement->demands[i]);
        trial = try_demand(admission, &requirement->demands[i], credentials[i], finding);
    }
    return trial;
}

/* ---- refusing --------------------------------------------------------------------------------------------------------- */

static void challenge(struct admission *admission, const struct security_scheme *scheme, limen_str bearer)
{
    static const limen_str fixed[] = {
        [SCHEME_SESSION] = LIMEN_STR_INIT("Session realm=\"limen\""),
        [SCHEME_API_KEY] = LIMEN_STR_INIT("ApiKey realm=\"limen\""),
        [SCHEME_WEBHOOK] = LIMEN_STR_INIT("Signature realm=\"limen\""),
    };
    admission_add_header(admission, LIMEN_STR("WWW-Authenticate"),
                         scheme->kind == SCHEME_BEARER ? bearer : fixed[scheme->kind]);
}

/* One challenge for each scheme that the operation knows (RFC 9110 section 11.6.1); a token's tells that it was no good, and no more
 * (RFC 6750 section 3.1). */
static void add_challenges(struct admission *admission, const struct finding *finding)
{
    const struct operation *operation = admission->operation;
    uint32_t told = 0;
    for (uint32_t i = 0; i < operation->requirement_count; i++) {
        for (uint32_t j = 0; j < operation->requirements[i].demand_count; j++) {
            const struct demand *demand = &operation->requirements[i].demands[j];
            bool is_invalid = finding->best == TRIAL_INVALID && finding->scheme == scheme_of(admission, demand);
            if ((told >> demand->scheme & 1U) == 0)
                challenge(admission, scheme_of(admission, demand),
                          is_invalid ? LIMEN_STR("Bearer realm=\"limen\", error=\"invalid_token\"")
                                     : LIMEN_STR("Bearer realm=\"limen\""));
            told |= 1U << demand->scheme;
        }
    }
}

static bool refuse(struct admission *admission, const struct finding *finding)
{
    static const struct problem_reply absent[] = {
        [SCHEME_SESSION] = PROBLEM_INIT(401, "this operation needs a session; sign in"),
        [SCHEME_BEARER] = PROBLEM_INIT(401, "this operation needs a bearer token"),
        [SCHEME_API_KEY] = PROBLEM_INIT(401, "this operation needs an API key"),
        [SCHEME_WEBHOOK] = PROBLEM_INIT(401, "this operation needs a signature over the body"),
    };
    static const struct problem_reply invalid[] = {
        [SCHEME_SESSION] = PROBLEM_INIT(401, "the session is unknown or has ended; sign in"),
        [SCHEME_BEARER] = PROBLEM_INIT(401, "the bearer token is not valid here, or no longer"),
        [SCHEME_API_KEY] = PROBLEM_INIT(401, "the API key is unknown or revoked"),
        [SCHEME_WEBHOOK] = PROBLEM_INIT(401, "the signature is not one of this body, or it is too old"),
    };
    switch (finding->best) {
    case TRIAL_ABSENT:
        add_challenges(admission, finding);
        return admission_refuse(admission, REFUSAL_CREDENTIAL, absent[finding->scheme->kind]);
    case TRIAL_INVALID:
        add_challenges(admission, finding);
        return admission_refuse(admission, REFUSAL_CREDENTIAL, invalid[finding->scheme->kind]);
    case TRIAL_CROSS_SITE:
        return admission_refuse_cross_site(admission);
    case TRIAL_FORBIDDEN:
        if (finding->scheme->kind == SCHEME_BEARER)
            challenge(admission, finding->scheme, LIMEN_STR("Bearer realm=\"limen\", error=\"insufficient_scope\""));
        return admission_refuse(admission, REFUSAL_ROLE, PROBLEM(403, "your account may not do this"));
    case TRIAL_OK:
    case TRIAL_BROKEN:
        break;
    }
    return false;
}

/* ---- signatures over the body ------------------------------------------------------------------------------------------ */

static bool refuse_signature(struct admission *admission, enum trial trial)
{
    struct finding finding = { .best = trial,
                               .scheme = scheme_of(admission, &admission->operation->requirements[0].demands[0]) };
    return refuse(admission, &finding);
}

/* Without one the body is not read. */
static bool is_signature_shown(struct admission *admission)
{
    limen_str signature;
    const struct demand *demand = &admission->operation->requirements[0].demands[0];
    switch (auth_credential(exchange_request(admission->exchange), scheme_of(admission, demand), &signature)) {
    case SHOWN:
        return true;
    case SHOWN_NOT:
        return refuse_signature(admission, TRIAL_ABSENT);
    case SHOWN_BADLY:
        break;
    }
    return refuse_signature(admission, TRIAL_INVALID);
}

bool caller_has_signed(struct admission *admission)
{
    struct data_request *request = &admission->request;
    limen_str signature;
    if (!admission->operation->is_signed)
        return true;
    const struct demand *demand = &admission->operation->requirements[0].demands[0];
    if (auth_credential(exchange_request(admission->exchange), scheme_of(admission, demand), &signature) != SHOWN)
        return refuse_signature(admission, TRIAL_INVALID);
    if (!admission_take_slot(admission))
        return admission_refuse_overload(admission, REFUSAL_OVERLOAD);
    request->timeout_us = admission_time_left(admission);
    data_show_signed(admission->boundary->data, request, demand->scheme, signature, admission->body);
    enum trial trial = answer_of(admission);
    if (trial == TRIAL_BROKEN)
        return false;
    if (trial == TRIAL_OK && (request->principal.roles & demand->roles) != demand->roles)
        trial = TRIAL_FORBIDDEN;
    if (trial != TRIAL_OK)
        return refuse_signature(admission, trial);
    admission->principal = request->principal;
    return true;
}

/* ---- any credential ---------------------------------------------------------------------------------------------------- */

bool caller_is_admitted(struct admission *admission)
{
    const struct operation *operation = admission->operation;
    if (operation->is_public)
        return true;
    if (operation->is_signed)
        return is_signature_shown(admission);
    struct finding finding = { .best = TRIAL_ABSENT,
                               .scheme = scheme_of(admission, &operation->requirements[0].demands[0]) };
    for (uint32_t i = 0; i < operation->requirement_count; i++) {
        const struct security_scheme *scheme = finding.scheme;
        enum trial trial = try_requirement(admission, &operation->requirements[i], &finding, &scheme);
        if (trial == TRIAL_OK)
            return true;
        if (trial > finding.best || i == 0) {
            finding.best = trial;
            finding.scheme = scheme;
        }
        if (trial == TRIAL_BROKEN)
            return false;
    }
    return refuse(admission, &finding);
}

/* ---- the slot --------------------------------------------------------------------------------------------------------- */

void caller_bind_slot(struct admission *admission)
{
    for (uint32_t i = 0; i < admission->shown_count; i++) {
        const struct shown_credential *shown = &admission->shown[i];
        data_assume(admission->boundary->data, admission->request.slot, shown->handle, /* is_more= */ i > 0);
    }
}

limen_str caller_session(const struct admission *admission)
{
    const struct security_scheme *scheme = admission->boundary->contract->session;
    limen_str token;
    bool is_there = scheme != NULL
        && auth_cookie(exchange_request(admission->exchange), scheme->field, &token) == COOKIE_FOUND;
    return is_there ? token : (limen_str){ 0 };
}
