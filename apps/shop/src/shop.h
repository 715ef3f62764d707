/* shop.h - what the shop's handlers share. */
#ifndef SHOP_H
#define SHOP_H

#include "api.h"
#include "queries.h"

/* How many a page has when the client does not say. */
#define PAGE_ITEMS 24

/* Absent and present, as a statement takes it. */
static inline limen_opt_str optional_str(bool has, limen_str value)
{
    return (limen_opt_str){ .has = has, .value = value };
}

/* A row of an order without its lines; both owners' and admins' statements give these columns. */
struct order_head {
    limen_str id, state, currency;
    limen_time placed_at;
    int64_t total;
    bool has_refund; /* that was asked for */
};
/* Makes one of any statement's row of an order. */
#define ORDER_HEAD(row)                                                                        \
    ((struct order_head){ (row).id, (row).state, (row).currency, (row).placed_at, (row).total, \
                          (row).refund_id.len > 0 })

/* Fills in all of an order but its lines. */
order order_of(const struct order_head *head);

#endif
