/* checkout.c - the client sends ids and counts; everything that costs money comes from the database. */
#include "shop.h"

#include <string.h>

/* What is wanted of one item; lines of the same item are added up, because an order has one line of each. */
struct wish {
    limen_str item_id;
    int64_t quantity;
};

static bool comes_before(limen_str a, limen_str b)
{
    int sign = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);
    return sign < 0 || (sign == 0 && a.len < b.len);
}

/* In the order of their ids, whatever the client's: two customers who want the same things lock them in the same order, and neither
 * waits for what the other has. */
static size_t add_up(const checkout_request *request, struct wish *wishes)
{
    size_t count = 0;
    for (size_t i = 0; i < request->lines.count; i++) {
        const checkout_line *line = &request->lines.items[i];
        size_t at = 0;
        while (at < count && comes_before(wishes[at].item_id, line->item_id))
            at++;
        if (at == count || !limen_str_equal(wishes[at].item_id, line->item_id)) {
            memmove(&wishes[at + 1], &wishes[at], (count - at) * sizeof *wishes);
            wishes[at] = (struct wish){ .item_id = line->item_id };
            count++;
        }
        wishes[at].quantity += line->quantity;
    }
    return count;
}

static limen_strs ids_of(limen_call *call, const struct wish *wishes, size_t count)
{
    limen_str *ids = LIMEN_NEW_ARRAY(call, limen_str, count);
    for (size_t i = 0; i < count; i++)
        ids[i] = wishes[i].item_id;
    return (limen_strs){ ids, count };
}

static const find_items_row *item_of(const find_items_row *items, size_t count, limen_str id)
{
    for (size_t i = 0; i < count; i++) {
        if (limen_str_equal(items[i].id, id))
            return &items[i];
    }
    return NULL;
}

/* Queues one line and what it takes from the stock, and adds it to the reply's own copy. */
static void order_item(limen_call *call, order *o, const find_items_row *it, int64_t quantity)
{
    take_stock(call, it->id, quantity);                    /* or 409 */
    insert_line(call, o->id, it->id, it->price, quantity); /* or 409: the price is held against the item's once more */
    o->lines.items[o->lines.count++] = (order_line){
        .item_id = it->id,
        .name = it->name,
        .unit_price = it->price,
        .quantity = quantity,
        .line_total = it->price * quantity,
    };
    o->total += it->price * quantity;
    o->currency = it->currency;
}

limen_reply checkout(limen_call *call, const checkout_in *in)
{
    struct wish *wishes = LIMEN_NEW_ARRAY(call, struct wish, in->body.lines.count);
    size_t count = add_up(&in->body, wishes);
    find_items_row *items;
    size_t found = find_items(call, ids_of(call, wishes, count), &items);

    order o = { .id = limen_new_id(call, "ord"), .state = ORDER_STATE_PLACED, .placed_at = limen_now(call) };
    o.lines.items = LIMEN_NEW_ARRAY(call, order_line, count);
    insert_order(call, o.id, LIMEN_STR("EUR"), o.placed_at); /* the customer is :caller */
    for (size_t i = 0; i < count; i++) {
        const find_items_row *it = item_of(items, found, wishes[i].item_id);
        if (it == NULL)
            return checkout_404(call, "there is no such item"); /* the queue is dropped */
        order_item(call, &o, it, wishes[i].quantity);
    }
    insert_payment(call, o.id, optional_str(in->body.has_payment_method, in->body.payment_method));
    charge(call, o.id);            /* sent once it is committed; what came of it: payments.c */
    return checkout_201(call, &o); /* leaves when the batch has been committed */
}
