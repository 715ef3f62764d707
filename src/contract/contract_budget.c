/* contract_budget.c - what each operation costs at the worst, held against what a call may cost.
 *
 * A ceiling of bodies that does not suit its schema is a warning: too low, valid requests are impossible; too high, each
 * call reserves memory that no valid request can use. A call that cannot be held in memory is refused. */
#include "contract/contract_internal.h"

#include <stdio.h>

/* "24 KiB", rounded up, so that it may be written as a ceiling. */
static const char *size_text(char *memory, size_t bytes)
{
    if (bytes == BUDGET_UNBOUNDED)
        return "any number of bytes";
    snprintf(memory, 32, "%zuKiB", bytes / 1024 + (bytes % 1024 != 0));
    return memory;
}

static void compare_ceiling(struct loader *loader, const struct operation *operation)
{
    size_t ceiling = operation->body_ceiling, valid = operation->budget.schema_bytes;
    const struct doc_node *written = doc_get(operation->node, LIMEN_STR("x-max-body"));
    char first[32], second[32];
    const char *ceiling_text = size_text(first, ceiling), *valid_text = size_text(second, valid);
    if (valid == BUDGET_UNBOUNDED)
        return;
    if (ceiling < valid)
        diags_add(loader->warnings, written != NULL ? written : operation->body_node,
                  LIMEN_STR("lower the bounds of its schema, or raise `x-max-body`"),
                  "a body of '%.*s' is read up to %s, but a valid one may have %s: such requests are refused",
                  LIMEN_STR_ARG(operation->id), ceiling_text, valid_text);
    else if (operation->names_ceiling && ceiling / LIMIT_BODY_WASTE > budget_body_ceiling(valid))
        diags_add(loader->warnings, written, LIMEN_STR("lower it, or remove it"),
                  "a body of '%.*s' is read up to %s, but no valid one has more than %s: each call reserves memory "
                  "for nothing",
                  LIMEN_STR_ARG(operation->id), ceiling_text, valid_text);
}

/* The part of the contract that costs most, and how to make it cost less. */
static bool refuse_cost(struct loader *loader, const struct operation *operation)
{
    const struct budget *budget = &operation->budget;
    bool is_in = budget->in_bytes > budget->memory_bytes / 2;
    const struct doc_node *written = doc_get(operation->node, LIMEN_STR("x-max-body"));
    const struct doc_node *responses = doc_get(operation->node, LIMEN_STR("responses"));
    char first[32], second[32];
    const char *cost = size_text(first, budget->memory_bytes), *most = size_text(second, LIMIT_CALL_ARENA_BYTES);
    return refuse(loader,
                  !is_in                ? responses
                      : written != NULL ? written
                                        : operation->body_node,
                  is_in ? "lower `x-max-body`, or `maxItems` and `maxLength` in the schema of the body"
                        : "lower `maxItems` and `maxLength` in the schema of the reply",
                  "a call of '%.*s' may need %s of memory for its %s, and no call is given more than %s",
                  LIMEN_STR_ARG(operation->id), cost, is_in ? "request" : "reply", most);
}

bool read_budgets(struct loader *loader)
{
    bool ok = true;
    struct arena scratch;
    arena_init(&scratch, NULL, SIZE_MAX);
    for (uint32_t i = 0; i < loader->contract->operation_count; i++) {
        struct operation *operation = &loader->contract->operations[i];
        if (operation->has_body && !operation->names_ceiling)
            operation->body_ceiling = budget_body_ceiling(
                budget_schema(operation->body, SCHEMA_REQUEST, &scratch).text_bytes);
        operation->budget = budget_operation(operation, &scratch);
        if (operation->has_body)
            compare_ceiling(loader, operation);
        if (operation->budget.memory_bytes > LIMIT_CALL_ARENA_BYTES)
            ok = refuse_cost(loader, operation) && ok;
    }
    arena_release(&scratch);
    return ok;
}
