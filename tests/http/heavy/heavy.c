/* heavy.c - much in, much out. */
#include "api.h"
#include "queries.h"

limen_reply light(limen_call *call, const light_in *in)
{
    (void)in;
    number it = { .number = 1 };
    return light_200(call, &it);
}

/* How many characters came. */
limen_reply weigh(limen_call *call, const weigh_in *in)
{
    number it = { 0 };
    for (size_t i = 0; i < in->body.texts.count; i++)
        it.number += (int64_t)in->body.texts.items[i].len;
    return weigh_200(call, &it);
}

limen_reply load(limen_call *call, const load_in *in)
{
    (void)in;
    cargo it = { 0 };
    limen_str line = limen_printf(call, "%01000d", 7);
    it.texts.count = 400;
    it.texts.items = LIMEN_NEW_ARRAY(call, limen_str, it.texts.count);
    for (size_t i = 0; i < it.texts.count; i++)
        it.texts.items[i] = line;
    return load_200(call, &it);
}
