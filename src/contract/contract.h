/* contract.h - an OpenAPI document as operations: who may call each, how often, what goes in and what comes out.
 *
 * Built once at start, by every role that needs it and by `limen check`; read-only afterwards. A contract with a fault is
 * never returned, so the layers above need not ask whether a bound is there. */
#ifndef CONTRACT_CONTRACT_H
#define CONTRACT_CONTRACT_H

#include "contract/budget.h"
#include "contract/catalog.h"
#include "contract/doc.h"
#include "contract/method.h"
#include "contract/schema.h"
#include "core/limits.h"
#include "limen/app.h"

#define SCHEME_ALGORITHMS 4U

enum scheme_kind {
    SCHEME_SESSION, /* `apiKey` in a cookie named __Host-…; at most one */
    SCHEME_BEARER,  /* `http`, `bearer`, a JWT */
    SCHEME_API_KEY, /* `apiKey` in a header field; keys are made by the app's command `keys` */
    SCHEME_WEBHOOK  /* `apiKey` in a header field, `x-webhook: stripe`: a provider's signature over the body */
};

enum limit_per {
    LIMIT_PER_ADDRESS,
    LIMIT_PER_CALLER,
    LIMIT_PER_ACCOUNT_AND_ADDRESS, /* these two of x-sign-in-limit only: the account is the one that is tried, */
    LIMIT_PER_ACCOUNT              /* whether there is one or not */
};

/* `x-rate-limit: 10/minute per caller`; units second, minute, hour, day. */
struct rate_limit {
    uint32_t quota;
    int64_t window_us;
    enum limit_per per;
    limen_str name;  /* for the RateLimit fields: the operation's id, "address" or "sign-in" */
    uint32_t policy; /* unique number in the contract; 0 is contract.address_limit */
};

/* The quota times `scale`, at most UINT32_MAX, and the time that one request of it takes: at least a microsecond. */
uint32_t rate_limit_quota(const struct rate_limit *limit, uint32_t scale);
int64_t rate_limit_interval_us(const struct rate_limit *limit, uint32_t scale);

/* `x-rate-limit-failure`, at an operation or at the root: what a limit that hosts share does while nobody can count. */
enum limit_failure {
    LIMIT_FAILURE_LOCAL, /* this host counts alone; the default */
    LIMIT_FAILURE_ALLOW, /* everybody passes */
    LIMIT_FAILURE_DENY   /* nobody does: 503 */
};

#define SIGN_IN_LIMITS LIMIT_LIMITS_AT_ONCE /* at most */

/* A security scheme, with Limen's extensions:
 *   x-roles: [customer, admin]         the roles that this scheme knows; a credential of it gives no others
 * session:
 *   x-sign-up-roles: [customer]        what an account that signs itself up is given
 *   x-first-account: { id, email, roles }   made at first start, with a generated password that is printed once
 *   x-sign-in-limit: [20/hour per account and address, 400/hour per account]   how often an account may be tried
 * webhook:
 *   x-webhook: stripe                  whose form the signature has; its secret is --secret NAME=@FILE, by the scheme's name
 * bearer:
 *   x-issuer, x-audience               what `iss` must be and `aud` must hold
 *   x-algorithms: [ES256]              of HS256, RS256, ES256, Ed25519 (also written EdDSA)
 *   x-jwks: keys.json | https://…      the issuer's keys; --jwks NAME=… takes its place
 *   x-roles-claim: scope               the member that holds the roles
 *   x-token-type: at+jwt               the one `typ` that is accepted
 *   x-principal-prefix: "NAME:"        stands before `sub` in the principal's id, so that issuers and accounts cannot be mixed up */
struct security_scheme {
    limen_str name; /* in components/securitySchemes */
    enum scheme_kind kind;
    limen_str field; /* session: the cookie's name; API key, webhook: the header field's */
    uint32_t roles;  /* that it knows: a mask over contract.roles */

    /* ---- session ---- */
    uint32_t sign_up_roles;
    bool has_first_account;
    limen_str first_id, first_email;
    uint32_t first_roles;

    /* ---- bearer ---- */
    limen_str issuer, audience;
    limen_str algorithms[SCHEME_ALGORITHMS];
    uint32_t algorithm_count;
    limen_str jwks;        /* empty: the configuration must say */
    uint32_t jwks_target;  /* when it is a URL: its number in contract.fetch_urls */
    limen_str token_type;  /* empty: any that fits an access token */
    limen_str roles_claim; /* never empty */
    limen_str prefix;
};

/* A credential of this scheme whose principal holds all of `roles`. */
struct demand {
    uint32_t scheme; /* index in contract.schemes */
    uint32_t roles;  /* a mask over contract.roles; 0: any principal */
};

/* One alternative of `security`: all of these credentials. The first is the one who acts. */
struct requirement {
    struct demand demands[LIMIT_DEMANDS];
    uint32_t demand_count;
};

enum parameter_in { PARAMETER_PATH, PARAMETER_QUERY, PARAMETER_HEADER, PARAMETER_COOKIE };

struct parameter {
    limen_str name;
    enum parameter_in in;
    bool is_required;
    const struct schema *schema;
    const struct doc_node *schema_node; /* dereferenced */
    const struct doc_node *node;
};

/* One declared reply. */
struct reply_spec {
    int status;
    bool has_body;
    bool is_problem; /* application/problem+json */
    limen_str media_type;
    const struct schema *schema;        /* NULL without body */
    const struct doc_node *schema_node; /* as written: may be a $ref */
};

/* One piece of a path template. */
struct path_segment {
    limen_str literal;  /* when is_parameter is false; percent-decoded */
    bool is_parameter;  /* the whole segment is {name} */
    uint32_t parameter; /* index in operation.parameters */
};

struct operation {
    uint32_t index; /* in contract.operations; stable for one contract, and known to all roles */
    limen_str id;   /* operationId */
    enum http_method method;
    limen_str path; /* the template */
    struct path_segment segments[LIMIT_PATH_SEGMENTS];
    uint32_t segment_count;
    const struct doc_node *node;

    bool is_public; /* security: [] */
    bool is_signed; /* its one demand is a webhook's signature, which is verified when the body is there */
    struct requirement *requirements;
    uint32_t requirement_count;
    struct rate_limit *limits;
    uint32_t limit_count;
    enum limit_failure limit_failure;
    bool needs_key;      /* x-idempotency: required */
    bool is_interactive; /* x-interactive: true */
    int64_t timeout_us;  /* x-timeout; default 10 s */

    struct parameter *parameters;
    uint32_t parameter_count;

    bool has_body, body_required;
    limen_str body_media_type; /* application/json in this version */
    const struct schema *body;
    const struct doc_node *body_node; /* as written: may be a $ref */
    size_t body_ceiling;              /* bytes: x-max-body, or what budget_body_ceiling says */
    bool names_ceiling;               /* x-max-body is there */

    struct reply_spec *replies; /* by rising status */
    uint32_t reply_count;
    struct budget budget;
};

struct contract {
    struct doc doc;
    struct catalog *catalog; /* it, and the documents that were given beside it */
    limen_str title, version;
    struct schema_set *schemas;
    struct operation *operations;
    uint32_t operation_count;
    struct security_scheme *schemes;
    uint32_t scheme_count;
    const struct security_scheme *session; /* the one of kind SCHEME_SESSION; NULL: none */
    limen_str
        fetch_urls[LIMIT_FETCH_TARGETS]; /* https: what the outbound role fetches, by the numbers of its targets */
    uint32_t fetch_count;
    limen_str roles[LIMIT_ROLES]; /* of all schemes; a role's bit is its index */
    uint32_t role_count;
    struct rate_limit
        address_limit; /* root `x-address-limit: 6000/minute`, counted before routing; default 6000/minute */
    /* Of the session scheme's x-sign-in-limit; never empty. Those per account and address come first. */
    struct rate_limit sign_in_limits[SIGN_IN_LIMITS];
    uint32_t sign_in_limit_count;
    enum limit_failure limit_failure; /* of sign-ins; the default of operations */
    uint32_t policy_count;
    limen_str json; /* the document as compact JSON, served at /openapi.json */
};

/* Reads and checks the contract of an app, with its documents. True when `errors` is still empty; then `ret_contract` lives in the
 * arena (and contract_release frees what the arena does not hold). `warnings` may grow in either case. */
bool contract_load(const struct limen_app *app, struct arena *arena, struct contract *ret_contract,
                   struct diags *errors, struct diags *warnings) LIMEN_MUST_CHECK;
void contract_release(struct contract *contract);

const struct operation *contract_find(const struct contract *contract, limen_str operation_id);
const struct reply_spec *operation_reply(const struct operation *operation, int status); /* NULL: not declared */
/* The bit of a role, or 0 when no scheme knows it. */
uint32_t contract_role(const struct contract *contract, limen_str name);

enum report_format { REPORT_TABLE, REPORT_JSON, REPORT_MARKDOWN, REPORT_HTML };
/* The boundary on one page: for each operation who may call it, how often, what goes in, what comes out. */
void contract_report(const struct contract *contract, enum report_format format, bool colour, struct buf *out);

#endif
