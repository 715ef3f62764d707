/* effect.h - what an app may have done outside: the providers that are known, and what each of their actions wants to be told.
 *
 * An effect in queries.sql names a target and an action (`to payments`, `to payments.refund`); the columns of its SELECT are what is
 * sent. Who checks the statement, who keeps it and who sends it read one table. */
#ifndef CONTRACT_EFFECT_H
#define CONTRACT_EFFECT_H

#include "limen/limen.h"

enum effect_kind { EFFECT_CHARGE, EFFECT_REFUND, EFFECT_KINDS };

struct effect_column {
    limen_str name;
    enum limen_type type;
    bool is_needed;
};

/* What else a SELECT gives is told to the provider as a note beside the object: text or int, at most LIMIT_EFFECT_NOTES. */
struct effect_action {
    enum effect_kind kind;
    limen_str target, name;
    const struct effect_column *columns;
    uint32_t column_count;
};

/* The action of a target; an empty `name` is the target's first. NULL: there is none. */
const struct effect_action *effect_find(limen_str target, limen_str name);
bool effect_target_is_known(limen_str target);
/* The column of that name, or NULL: a note. */
const struct effect_column *effect_find_column(const struct effect_action *action, limen_str name);

#endif
