/* effects.c - orders that are charged; some ids say how the app's own function goes wrong. */
#include "api.h"
#include "queries.h"

#include <stdlib.h>
#include <string.h>

static limen_reply show(limen_call *call, limen_str id, limen_str state, limen_str payment, int64_t heard)
{
    order it = { .id = id, .state = state, .payment = payment, .heard = heard };
    return place_order_201(call, &it);
}

limen_reply place_order(limen_call *call, const place_order_in *in)
{
    insert_order(call, in->body.id, in->body.amount, in->body.method);
    charge(call, in->body.id);
    return show(call, in->body.id, LIMEN_STR("paying"), LIMEN_STR(""), 0);
}

limen_reply read_order(limen_call *call, const read_order_in *in)
{
    order_by_id_row row;
    if (!order_by_id(call, in->path.id, &row))
        return read_order_404(call, "there is no such order");
    order it = { .id = row.id, .state = row.state, .payment = row.payment.value, .heard = row.heard };
    return read_order_200(call, &it);
}

limen_reply refund_order(limen_call *call, const refund_order_in *in)
{
    give_back(call, in->path.id);
    return refund_order_204(call);
}

/* What no request may: the data role refuses it. */
limen_reply peek(limen_call *call, const peek_in *in)
{
    system_peek_row *rows;
    (void)system_peek(call, in->path.id, &rows);
    return peek_204(call);
}

limen_reply hear_news(limen_call *call, const hear_news_in *in)
{
    return limen_effect_ask(call, in->path.id) ? hear_news_204(call) : hear_news_404(call, "nobody waits for it");
}

static bool starts(limen_str text, const char *prefix)
{
    return text.len >= strlen(prefix) && memcmp(text.ptr, prefix, strlen(prefix)) == 0;
}

static void misbehave(limen_call *call, limen_str order_id)
{
    count_row row;
    if (starts(order_id, "crash"))
        abort();
    if (starts(order_id, "slow"))
        (void)count(call, &row); /* some seconds in which others may be killed */
    if (starts(order_id, "lost"))
        miss(call); /* nothing is kept */
}

void charge_result(limen_call *call, limen_str order_id, const limen_effect_result *result)
{
    static const limen_str outcomes[] = { LIMEN_STR_INIT("succeeded"), LIMEN_STR_INIT("declined"),
                                          LIMEN_STR_INIT("failed") };
    misbehave(call, order_id);
    settle(call, order_id, result->outcome == LIMEN_EFFECT_SUCCEEDED ? LIMEN_STR("paid") : LIMEN_STR("payment_failed"),
           result->object_id);
    note(call, order_id, outcomes[result->outcome], result->code);
}

void give_back_result(limen_call *call, limen_str order_id, const limen_effect_result *result)
{
    if (result->outcome == LIMEN_EFFECT_SUCCEEDED)
        given_back(call, order_id);
    note(call, order_id, LIMEN_STR("refund"), result->code);
}
