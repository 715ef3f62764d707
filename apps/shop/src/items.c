/* items.c - what is for sale, and the shopkeeper's changes to it. */
#include "shop.h"

limen_reply list_items(limen_call *call, const list_items_in *in)
{
    int64_t limit = in->query.has_limit ? in->query.limit : PAGE_ITEMS;
    items_page_row *rows;
    /* One more than is shown tells whether there is a next page. */
    size_t count = items_page(call, optional_str(in->query.has_q, in->query.q),
                              optional_str(in->query.has_after, in->query.after), limit + 1, &rows);
    size_t shown = count > (size_t)limit ? (size_t)limit : count;

    item_page page = { .next_is_null = count == shown };
    page.items.items = LIMEN_NEW_ARRAY(call, item, shown);
    page.items.count = shown;
    for (size_t i = 0; i < shown; i++) {
        page.items.items[i] = (item){
            .id = rows[i].id,
            .name = rows[i].name,
            .description = rows[i].description,
            .price = rows[i].price,
            .currency = rows[i].currency,
            .stock = rows[i].stock,
        };
    }
    if (!page.next_is_null)
        page.next = rows[shown - 1].id;
    return list_items_200(call, &page);
}

limen_reply get_item(limen_call *call, const get_item_in *in)
{
    item_by_id_row row;
    if (!item_by_id(call, in->path.item_id, &row))
        return get_item_404(call, "there is no such item");
    item value = {
        .id = row.id,
        .name = row.name,
        .description = row.description,
        .price = row.price,
        .currency = row.currency,
        .stock = row.stock,
    };
    return get_item_200(call, &value);
}

limen_reply admin_create_item(limen_call *call, const admin_create_item_in *in)
{
    const new_item *wanted = &in->body;
    limen_str currency = LIMEN_STR("EUR"); /* the only one that the contract admits */
    admin_insert_item(call, wanted->id, wanted->name, wanted->description, wanted->price, currency, wanted->stock);
    item value = {
        .id = wanted->id,
        .name = wanted->name,
        .description = wanted->description,
        .price = wanted->price,
        .currency = currency,
        .stock = wanted->stock,
    };
    return admin_create_item_201(call, &value);
}

limen_reply admin_change_item(limen_call *call, const admin_change_item_in *in)
{
    const item_change *change = &in->body;
    admin_item_by_id_row row;
    admin_update_item(
        call, in->path.item_id, optional_str(change->has_name, change->name),
        optional_str(change->has_description, change->description), (limen_opt_int){ change->has_price, change->price },
        (limen_opt_int){ change->has_stock, change->stock }, (limen_opt_int){ change->has_active, change->active });
    limen_commit(call); /* what others changed at the same time is to be in the reply */
    if (!admin_item_by_id(call, in->path.item_id, &row))
        return admin_change_item_404(call, "there is no such item");
    item value = {
        .id = row.id,
        .name = row.name,
        .description = row.description,
        .price = row.price,
        .currency = row.currency,
        .stock = row.stock,
    };
    return admin_change_item_200(call, &value);
}
