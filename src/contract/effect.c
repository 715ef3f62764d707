/* effect.c - the table of providers and their actions. */
#include "contract/effect.h"

#include "core/str.h"

static const struct effect_column charge_columns[] = {
    { LIMEN_STR_INIT("amount"), LIMEN_TYPE_INT, true }, /* in the currency's smallest unit */
    { LIMEN_STR_INIT("currency"), LIMEN_TYPE_TEXT, true },
    { LIMEN_STR_INIT("payment_method"), LIMEN_TYPE_TEXT, false }, /* else the setting --payment-method */
    { LIMEN_STR_INIT("description"), LIMEN_TYPE_TEXT, false },
};

static const struct effect_column refund_columns[] = {
    { LIMEN_STR_INIT("payment"), LIMEN_TYPE_TEXT, true }, /* the object_id that the charge's result has told */
    { LIMEN_STR_INIT("amount"), LIMEN_TYPE_INT, false },  /* else all of it */
};

static const struct effect_action actions[] = {
    { EFFECT_CHARGE, LIMEN_STR_INIT("payments"), LIMEN_STR_INIT("charge"), charge_columns,
      sizeof(charge_columns) / sizeof(charge_columns[0]) },
    { EFFECT_REFUND, LIMEN_STR_INIT("payments"), LIMEN_STR_INIT("refund"), refund_columns,
      sizeof(refund_columns) / sizeof(refund_columns[0]) },
};

const struct effect_action *effect_find(limen_str target, limen_str name)
{
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        if (str_equal(actions[i].target, target) && (name.len == 0 || str_equal(actions[i].name, name)))
            return &actions[i];
    }
    return NULL;
}

bool effect_target_is_known(limen_str target)
{
    return effect_find(target, LIMEN_STR("")) != NULL;
}

const struct effect_column *effect_find_column(const struct effect_action *action, limen_str name)
{
    for (uint32_t i = 0; i < action->column_count; i++) {
        if (str_equal(action->columns[i].name, name))
            return &action->columns[i];
    }
    return NULL;
}
