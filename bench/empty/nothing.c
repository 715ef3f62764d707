#include "api.h"

limen_reply nothing(limen_call *call, const nothing_in *in)
{
    (void)in;
    return nothing_204(call);
}
