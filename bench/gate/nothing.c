#include "api.h"

limen_reply nothing(limen_call *call, const nothing_in *in)
{
    (void)in;
    return nothing_204(call);
}

limen_reply item(limen_call *call, const item_in *in)
{
    (void)in;
    return item_204(call);
}

limen_reply seldom(limen_call *call, const seldom_in *in)
{
    (void)in;
    return seldom_204(call);
}

limen_reply order(limen_call *call, const order_in *in)
{
    (void)in;
    return order_204(call);
}

limen_reply own_order(limen_call *call, const own_order_in *in)
{
    (void)in;
    return own_order_204(call);
}

limen_reply own_line(limen_call *call, const own_line_in *in)
{
    (void)in;
    return own_line_204(call);
}

limen_reply keyed_order(limen_call *call, const keyed_order_in *in)
{
    (void)in;
    return keyed_order_204(call);
}
