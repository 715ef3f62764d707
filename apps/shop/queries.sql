-- Everything that the shop asks of its database. The database itself filters the owners' rows (migrations/0001_shop.sql),
-- so no statement repeats it. Pages go by id: `after` is the last id of the page before, and the handler asks for one row
-- more than it shows, to know whether there is a next page.

-- ---- items -------------------------------------------------------------------------------------------------------

-- name: items_page(q text?, after text?, limit int) :many
SELECT id, name, description, price, currency, stock
FROM items
WHERE active = 1
  AND (:after IS NULL OR id > :after)
  AND (:q IS NULL
       OR lower(name || ' ' || description)
          LIKE '%' || replace(replace(replace(lower(:q), '!', '!!'), '%', '!%'), '_', '!_') || '%' ESCAPE '!')
ORDER BY id
LIMIT :limit;

-- name: item_by_id(item_id text) :one
SELECT id, name, description, price, currency, stock FROM items WHERE id = :item_id AND active = 1;

-- name: find_items(item_ids text[]) :many
SELECT id, name, price, currency, stock FROM items WHERE id IN (:item_ids) AND active = 1;

-- ---- checkout ----------------------------------------------------------------------------------------------------

-- name: insert_order(order_id text, currency text, placed_at time) :exec
INSERT INTO orders (id, customer_id, state, currency, placed_at)
VALUES (:order_id, :caller, 'placed', :currency, :placed_at);

-- name: take_stock(item_id text, quantity int) :must  else 409 "not enough in stock"
UPDATE items SET stock = stock - :quantity WHERE id = :item_id AND stock >= :quantity AND active = 1;

-- name: insert_line(order_id text, item_id text, price int, quantity int) :must  else 409 "the price has just changed"
INSERT INTO order_lines (order_id, item_id, name, unit_price, quantity)
SELECT :order_id, id, name, price, :quantity FROM items WHERE id = :item_id AND price = :price;

-- ---- the caller's orders -----------------------------------------------------------------------------------------

-- name: my_orders(after text?, limit int) :many
-- returns: placed_at time, total int
SELECT id, state, currency, placed_at,
       COALESCE((SELECT sum(unit_price * quantity) FROM order_lines WHERE order_id = orders.id), 0) AS total
FROM orders
WHERE (:after IS NULL OR id < :after)
ORDER BY id DESC
LIMIT :limit;

-- name: order_by_id(order_id text) :one
-- returns: placed_at time, total int
SELECT id, state, currency, placed_at,
       COALESCE((SELECT sum(unit_price * quantity) FROM order_lines WHERE order_id = orders.id), 0) AS total
FROM orders
WHERE id = :order_id;

-- name: order_lines_of(order_ids text[]) :many
-- returns: line_total int
SELECT order_id, item_id, name, unit_price, quantity, unit_price * quantity AS line_total
FROM order_lines
WHERE order_id IN (:order_ids)
ORDER BY order_id DESC, item_id;

-- ---- profiles ----------------------------------------------------------------------------------------------------

-- name: insert_account(name text) :exec
INSERT INTO accounts (id, name, created_at) VALUES (:caller, :name, :now);

-- name: my_account() :one
SELECT id, name FROM accounts WHERE id = :caller;

-- ---- the shopkeeper ----------------------------------------------------------------------------------------------

-- name: admin_item_by_id(item_id text) :one
-- scope: admin
SELECT id, name, description, price, currency, stock, active FROM items WHERE id = :item_id;

-- name: admin_insert_item(item_id text, name text, description text, price int, currency text, stock int) :must  else 409 "an item with this id exists already"
-- scope: admin
INSERT INTO items (id, name, description, price, currency, stock)
VALUES (:item_id, :name, :description, :price, :currency, :stock)
ON CONFLICT (id) DO NOTHING;

-- name: admin_update_item(item_id text, name text?, description text?, price int?, stock int?, active int?) :must  else 404 "no such item"
-- scope: admin
UPDATE items
SET name = COALESCE(:name, name), description = COALESCE(:description, description), price = COALESCE(:price, price),
    stock = COALESCE(:stock, stock), active = COALESCE(:active, active)
WHERE id = :item_id;

-- name: admin_orders(after text?, limit int) :many
-- scope: admin
-- returns: placed_at time, total int
SELECT id, state, currency, placed_at,
       COALESCE((SELECT sum(unit_price * quantity) FROM order_lines WHERE order_id = orders.id), 0) AS total
FROM orders
WHERE (:after IS NULL OR id < :after)
ORDER BY id DESC
LIMIT :limit;

-- name: admin_order_lines_of(order_ids text[]) :many
-- scope: admin
-- returns: line_total int
SELECT order_id, item_id, name, unit_price, quantity, unit_price * quantity AS line_total
FROM order_lines
WHERE order_id IN (:order_ids)
ORDER BY order_id DESC, item_id;
