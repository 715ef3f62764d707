/* payments.c - what came of a charge, and of a refund; and what the provider tells by itself.
 *
 * An effect has one outcome, and its result is committed once. An event is a hint and no more: it has the provider asked for the
 * state, and only what the provider answers leads an order on. So events that are late, doubled or out of order do no harm. */
#include "shop.h"

/* The provider sends an event for three days; after so long an id need not be known any more. */
#define EVENT_KEPT_US (30 * 24 * 3600 * 1000000LL)

/* ---- results ---------------------------------------------------------------------------------------------------------- */

/* In the order of the items' ids, in which checkouts take them: neither waits for what the other has. */
static void give_stock_back(limen_call *call, limen_str order_id, const items_of_row *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        give_item_back(call, order_id, items[i].item_id);
}

static void give_money_back(limen_call *call, limen_str order_id)
{
    note_returned_payment(call, order_id);
    return_payment(call, order_id);
}

/* `told`: the payment that an event has told of; empty: none has. The provider may have forgotten the charge's key and taken the money once
 * more: the order keeps the payment of the result, and the one that an event has told goes back. */
static void pay(limen_call *call, limen_str order_id, limen_str payment, limen_str told)
{
    if (told.len == 0 || limen_str_equal(told, payment)) {
        mark_paid(call, order_id, payment); /* or it is called again */
        return;
    }
    mark_paid_beside_another(call, order_id, payment);
    give_money_back(call, order_id);
}

/* An operator may give up what the provider has done after all, and has told by an event: then the money goes back as well. */
static void give_up(limen_call *call, limen_str order_id, limen_str told)
{
    if (told.len == 0) {
        mark_failed(call, order_id); /* or it is called again */
        return;
    }
    mark_failed_although_taken(call, order_id);
    give_money_back(call, order_id);
}

/* All reads come first: a read behind a queued write would hold a transaction open. */
void charge_result(limen_call *call, limen_str order_id, const limen_effect_result *result)
{
    bool is_paid = result->outcome == LIMEN_EFFECT_SUCCEEDED;
    items_of_row *items = NULL;
    size_t count = is_paid ? 0 : items_of(call, order_id, &items);
    told_capture_row row;
    limen_str told = told_capture(call, order_id, &row) ? row.captured_id : LIMEN_STR("");

    if (result->object_id.len > 0)
        note_payment(call, order_id, result->object_id);
    if (is_paid) {
        pay(call, order_id, result->object_id, told);
        return;
    }
    give_stock_back(call, order_id, items, count);
    give_up(call, order_id, told);
}

void refund_result(limen_call *call, limen_str refund_id, limen_str order_id, const limen_effect_result *result)
{
    if (result->outcome == LIMEN_EFFECT_SUCCEEDED)
        mark_refunded(call, order_id, refund_id);
    else
        forget_refund(call, order_id, refund_id); /* the shopkeeper may try again */
}

/* What was taken for an order that has failed, or is paid by another payment, is on its way back; the order stays what it is. */
static void say_kept(limen_call *call, limen_str order_id, const limen_effect_result *result)
{
    if (result->outcome != LIMEN_EFFECT_SUCCEEDED)
        limen_log(call, "a payment of the order %.*s could not be given back: %.*s", LIMEN_STR_ARG(order_id),
                  LIMEN_STR_ARG(result->code));
}

void give_back_result(limen_call *call, limen_str order_id, limen_str payment, const limen_effect_result *result)
{
    (void)payment;
    say_kept(call, order_id, result);
}

void return_payment_result(limen_call *call, limen_str order_id, const limen_effect_result *result)
{
    say_kept(call, order_id, result);
}

/* ---- events ----------------------------------------------------------------------------------------------------------- */

/* Empty: it is no event of an order's. */
static limen_str order_in(const payment_event *event)
{
    bool has_order = event->data.object.has_metadata && event->data.object.metadata.has_order_id;
    return has_order ? event->data.object.metadata.order_id : LIMEN_STR("");
}

/* The answer that tells the payment's id may still be on its way; then the charge is found by its key. */
static void ask_provider(limen_call *call, limen_str payment, limen_str order_id)
{
    if (!limen_effect_ask(call, payment) && order_id.len > 0)
        (void)limen_effect_ask(call, limen_printf(call, "charge/%.*s", LIMEN_STR_ARG(order_id)));
}

static bool is_open(limen_str state)
{
    return limen_str_equal(state, LIMEN_STR("placed")) || limen_str_equal(state, LIMEN_STR("paying"));
}

/* An order keeps one payment, the one that paid it; a failed one keeps none. */
static bool is_kept(const order_told_of_row *told, limen_str payment)
{
    bool has_failed = limen_str_equal(told->state, LIMEN_STR("payment_failed"));
    return !has_failed && (told->paid_by.len == 0 || limen_str_equal(told->paid_by, payment));
}

/* Each 409 has the provider tell it again, to what is there then. */
static void hear_of_capture(limen_call *call, limen_str order_id, limen_str payment)
{
    order_told_of_row told;
    if (!order_told_of(call, order_id, &told))
        return;
    if (is_open(told.state)) {
        note_capture(call, order_id, payment); /* or 409 */
    } else if (!is_kept(&told, payment) && !limen_str_equal(told.late_id, payment)) {
        note_late_payment(call, order_id, payment); /* or 409 */
        give_back(call, order_id, payment);         /* or 409 */
    }
}

limen_reply hear_of_payment(limen_call *call, const hear_of_payment_in *in)
{
    const payment_event *event = &in->body;
    event_is_known_row known;
    if (event_is_known(call, event->id, &known))
        return hear_of_payment_204(call);

    limen_str payment = event->data.object.id, order_id = order_in(event);
    ask_provider(call, payment, order_id);
    if (order_id.len > 0 && limen_str_equal(event->type, LIMEN_STR("payment_intent.succeeded")))
        hear_of_capture(call, order_id, payment);
    if (order_id.len > 0 && limen_str_equal(event->type, LIMEN_STR("payment_intent.processing")))
        mark_paying(call, order_id);
    keep_event(call, event->id);
    forget_events(call, limen_now(call) - EVENT_KEPT_US);
    return hear_of_payment_204(call);
}
