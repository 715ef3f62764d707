/* orders.c - what was ordered. Whose orders these are is the database's business: no statement here names an owner, but the
 * shopkeeper's, which say so. */
#include "shop.h"

static order_state state_of(limen_str name)
{
    static const struct {
        limen_str name;
        order_state state;
    } states[] = {
        { LIMEN_STR_INIT("placed"), ORDER_STATE_PLACED },
        { LIMEN_STR_INIT("paying"), ORDER_STATE_PAYING },
        { LIMEN_STR_INIT("paid"), ORDER_STATE_PAID },
        { LIMEN_STR_INIT("payment_failed"), ORDER_STATE_PAYMENT_FAILED },
        { LIMEN_STR_INIT("refunded"), ORDER_STATE_REFUNDED },
    };
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        if (limen_str_equal(states[i].name, name))
            return states[i].state;
    }
    return 0; /* refused when the reply is encoded */
}

order order_of(const struct order_head *head)
{
    order_state state = state_of(head->state);
    return (order){
        .id = head->id,
        .state = state,
        .currency = head->currency,
        .total = head->total,
        .placed_at = head->placed_at,
        .has_refunding = head->has_refund && state == ORDER_STATE_PAID,
        .refunding = true,
    };
}

/* The lines of some orders, in the order in which the page shows those orders. */
struct line_list {
    const limen_str *order_ids; /* of the lines, one each */
    order_line *lines;
    size_t count;
};

/* Each statement has a row type of its own; this makes one list of either. */
#define LINE_LIST(call, rows, row_count, list)                                   \
    do {                                                                         \
        limen_str *order_ids_ = LIMEN_NEW_ARRAY((call), limen_str, (row_count)); \
        (list)->lines = LIMEN_NEW_ARRAY((call), order_line, (row_count));        \
        (list)->count = (row_count);                                             \
        for (size_t at_ = 0; at_ < (row_count); at_++) {                         \
            order_ids_[at_] = (rows)[at_].order_id;                              \
            (list)->lines[at_] = (order_line){                                   \
                .item_id = (rows)[at_].item_id,                                  \
                .name = (rows)[at_].name,                                        \
                .unit_price = (rows)[at_].unit_price,                            \
                .quantity = (rows)[at_].quantity,                                \
                .line_total = (rows)[at_].line_total,                            \
            };                                                                   \
        }                                                                        \
        (list)->order_ids = order_ids_;                                          \
    } while (0)

/* Gives every order its stretch of the list. */
static void share_lines(order *orders, size_t count, const struct line_list *list)
{
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        orders[i].lines.items = list->lines + at;
        while (at < list->count && limen_str_equal(list->order_ids[at], orders[i].id))
            at++;
        orders[i].lines.count = (size_t)(list->lines + at - orders[i].lines.items);
    }
}

static limen_strs ids_of(limen_call *call, const order *orders, size_t count)
{
    limen_str *ids = LIMEN_NEW_ARRAY(call, limen_str, count);
    for (size_t i = 0; i < count; i++)
        ids[i] = orders[i].id;
    return (limen_strs){ ids, count };
}

/* A page without the lines: `heads` are one more than is shown when there is a next page. */
static order_page page_of(limen_call *call, const struct order_head *heads, size_t count, size_t limit)
{
    size_t shown = count > limit ? limit : count;
    order_page page = { .next_is_null = count == shown };
    page.orders.items = LIMEN_NEW_ARRAY(call, order, shown);
    page.orders.count = shown;
    for (size_t i = 0; i < shown; i++)
        page.orders.items[i] = order_of(&heads[i]);
    if (!page.next_is_null)
        page.next = heads[shown - 1].id;
    return page;
}

limen_reply list_orders(limen_call *call, const list_orders_in *in)
{
    int64_t limit = in->query.has_limit ? in->query.limit : PAGE_ITEMS;
    my_orders_row *rows;
    size_t count = my_orders(call, optional_str(in->query.has_after, in->query.after), limit + 1, &rows);
    struct order_head *heads = LIMEN_NEW_ARRAY(call, struct order_head, count);
    for (size_t i = 0; i < count; i++)
        heads[i] = ORDER_HEAD(rows[i]);

    order_page page = page_of(call, heads, count, (size_t)limit);
    order_lines_of_row *lines;
    size_t line_count = order_lines_of(call, ids_of(call, page.orders.items, page.orders.count), &lines);
    struct line_list list;
    LINE_LIST(call, lines, line_count, &list);
    share_lines(page.orders.items, page.orders.count, &list);
    return list_orders_200(call, &page);
}

limen_reply get_order(limen_call *call, const get_order_in *in)
{
    order_by_id_row row;
    order_lines_of_row *lines;
    if (!order_by_id(call, in->path.order_id, &row))
        return get_order_404(call, "there is no such order");
    order o = order_of(&ORDER_HEAD(row));
    size_t line_count = order_lines_of(call, (limen_strs){ &row.id, 1 }, &lines);
    struct line_list list;
    LINE_LIST(call, lines, line_count, &list);
    share_lines(&o, 1, &list);
    return get_order_200(call, &o);
}

limen_reply admin_list_orders(limen_call *call, const admin_list_orders_in *in)
{
    int64_t limit = in->query.has_limit ? in->query.limit : PAGE_ITEMS;
    admin_orders_row *rows;
    size_t count = admin_orders(call, optional_str(in->query.has_after, in->query.after), limit + 1, &rows);
    struct order_head *heads = LIMEN_NEW_ARRAY(call, struct order_head, count);
    for (size_t i = 0; i < count; i++)
        heads[i] = ORDER_HEAD(rows[i]);

    order_page page = page_of(call, heads, count, (size_t)limit);
    admin_order_lines_of_row *lines;
    size_t line_count = admin_order_lines_of(call, ids_of(call, page.orders.items, page.orders.count), &lines);
    struct line_list list;
    LINE_LIST(call, lines, line_count, &list);
    share_lines(page.orders.items, page.orders.count, &list);
    return admin_list_orders_200(call, &page);
}

/* Any customer's order; false when there is none. */
static bool find_order(limen_call *call, limen_str id, order *ret_order)
{
    admin_order_by_id_row row;
    admin_order_lines_of_row *lines;
    if (!admin_order_by_id(call, id, &row))
        return false;
    *ret_order = order_of(&ORDER_HEAD(row));
    size_t line_count = admin_order_lines_of(call, (limen_strs){ &row.id, 1 }, &lines);
    struct line_list list;
    LINE_LIST(call, lines, line_count, &list);
    share_lines(ret_order, 1, &list);
    return true;
}

limen_reply admin_get_order(limen_call *call, const admin_get_order_in *in)
{
    order o;
    if (!find_order(call, in->path.order_id, &o))
        return admin_get_order_404(call, "there is no such order");
    return admin_get_order_200(call, &o);
}

limen_reply admin_refund_order(limen_call *call, const admin_refund_order_in *in)
{
    order o;
    if (!find_order(call, in->path.order_id, &o))
        return admin_refund_order_404(call, "there is no such order");
    limen_str refund_id = limen_new_id(call, "ref");
    start_refund(call, o.id, refund_id); /* or 409 */
    refund(call, refund_id, o.id);       /* what came of it: payments.c */
    o.has_refunding = true;
    o.refunding = true;
    return admin_refund_order_202(call, &o);
}
