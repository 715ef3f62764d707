/* effect_target.h - the settings about effects: where they are sent, and what a charge is paid with. */
#ifndef SERVER_EFFECT_TARGET_H
#define SERVER_EFFECT_TARGET_H

#include "limen/base.h"

/* For --effect-target: "payments=https://…". */
bool effect_target_is_valid(limen_str value);
/* For --payment-method: a word. */
bool payment_method_is_valid(limen_str value);

/* What a list of NAME=VALUE, with commas, says of a name; empty: nothing. */
limen_str settings_find(limen_str list, limen_str name);

#endif
