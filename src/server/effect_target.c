/* effect_target.c - the settings about effects: where they are sent, and what a charge is paid with. */
#include "server/effect_target.h"

#include "contract/effect.h"
#include "core/str.h"

bool effect_target_is_valid(limen_str value)
{
    limen_str name = str_cut(&value, '=');
    return effect_target_is_known(name)
        && (str_starts(value, LIMEN_STR("https://")) || str_starts(value, LIMEN_STR("http://")));
}

bool payment_method_is_valid(limen_str value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] <= ' ' || value.ptr[i] >= 0x7f)
            return false;
    }
    return value.len > 0 && value.len <= LIMIT_EFFECT_WORD_BYTES;
}

limen_str settings_find(limen_str list, limen_str name)
{
    while (list.len > 0) {
        limen_str value = str_cut(&list, ',');
        if (str_equal(str_cut(&value, '='), name))
            return value;
    }
    return LIMEN_STR("");
}
