/* contract_internal.h - what the files that read a contract share. */
#ifndef CONTRACT_CONTRACT_INTERNAL_H
#define CONTRACT_CONTRACT_INTERNAL_H

#include "contract/contract.h"
#include "core/arena.h"
#include "core/str.h"

#define DEFAULT_TIMEOUT_US 10000000
#define MOST_TIMEOUT_US 60000000

/* A schema whose bounds have been looked at; contracts refer in circles. */
struct seen_node {
    const struct doc_node *node;
    bool as_whole; /* and so with nothing around it that could close it */
    struct seen_node *next;
};

struct loader {
    struct contract *contract;
    const struct doc *doc;
    struct arena *arena;
    struct diags *errors, *warnings;
    struct seen_node *seen;
    bool admits_undeclared; /* in the body of a provider, who may add members at any time */
};

/* Adds a refusal; always false, so that a rule can return it. */
bool refuse(struct loader *loader, const struct doc_node *node, const char *mend, const char *format, ...)
    LIMEN_PRINTF(4, 5);

/* Every member must be one of `known` (NULL-terminated); the nearest known one is the mend. */
bool check_members(struct loader *loader, const struct doc_node *node, const char *const *known, const char *what);

/* Follows $ref; NULL after a refusal. */
const struct doc_node *follow(struct loader *loader, const struct doc_node *node);

/* contract_parts.c: the small languages of the extensions. */
bool read_rate_limit(struct loader *loader, const struct doc_node *node, limen_str name, struct rate_limit *ret_limit);
bool read_limit_failure(struct loader *loader, const struct doc_node *node, enum limit_failure *ret_failure);
bool read_duration(struct loader *loader, const struct doc_node *node, int64_t *ret_us);
bool read_bytes(struct loader *loader, const struct doc_node *node, size_t *ret_bytes);

/* Of the session scheme; the default when it does not say. */
bool read_sign_in_limits(struct loader *loader, const struct doc_node *node);
void set_sign_in_default(struct loader *loader);

/* contract_security.c: who may call. */
bool read_schemes(struct loader *loader);
bool read_security(struct loader *loader, struct operation *operation);
/* What a signature asks of its operation, once that is read. */
bool check_signed(struct loader *loader, const struct operation *operation);
/* True when a scheme reads this field or cookie: it is no parameter then. */
bool is_credential(const struct loader *loader, enum parameter_in in, limen_str name);

/* contract_bounds.c: nothing reachable is without a bound. */
bool check_bounds(struct loader *loader, const struct doc_node *schema);
/* The same for a body that a provider has signed: where it says `additionalProperties: true`, members that it does not declare are
 * passed over. Such a body is bounded by x-max-body. */
bool check_bounds_of_signed(struct loader *loader, const struct doc_node *schema);

/* contract_operation.c: one method of one path. */
bool read_operation(struct loader *loader, const struct doc_node *path_item, const struct doc_node *node,
                    struct operation *operation);

/* contract_budget.c: fills in the budget of each operation, and refuses one that no call could keep to. */
bool read_budgets(struct loader *loader);

#endif
