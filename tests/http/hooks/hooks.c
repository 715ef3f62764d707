/* hooks.c - keeps what a provider tells, once. */
#include "api.h"
#include "queries.h"

limen_reply hear(limen_call *call, const hear_in *in)
{
    heard it = { .caller = limen_caller(call)->id, .id = in->body.id };
    if (in->body.data.object.has_amount)
        it.amount = in->body.data.object.amount;
    keep_event(call, in->body.id, in->body.type);
    return hear_200(call, &it);
}

limen_reply count_events(limen_call *call, const count_events_in *in)
{
    count_all_row row;
    (void)in;
    count it = { .number = count_all(call, &row) ? row.number : 0 };
    return count_events_200(call, &it);
}
