/* shared.c - handlers that do nothing: of interest is whether they are reached. */
#include "api.h"

limen_reply denied(limen_call *call, const denied_in *in)
{
    (void)in;
    return denied_204(call);
}

limen_reply allowed(limen_call *call, const allowed_in *in)
{
    (void)in;
    return allowed_204(call);
}

limen_reply alone(limen_call *call, const alone_in *in)
{
    (void)in;
    return alone_204(call);
}

limen_reply both(limen_call *call, const both_in *in)
{
    (void)in;
    return both_204(call);
}

limen_reply often(limen_call *call, const often_in *in)
{
    (void)in;
    return often_204(call);
}
