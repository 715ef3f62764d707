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

-- name: insert_payment(order_id text, method text?) :exec
INSERT INTO payments (order_id, method) VALUES (:order_id, :method);

-- Sent after the order is committed. The amount is what the lines add up to, whatever anybody says. One that the provider never takes is
-- no order: it would hold its stock until an operator gives it up.
-- effect: charge(order_id text) to payments  key :order_id  else 409 "an order comes to 0.50 at least, and to 999999.99 at most"
-- returns: amount int, currency text, payment_method text?, order_id text
SELECT sum(unit_price * quantity) AS amount, currency, method AS payment_method, orders.id AS order_id
FROM orders JOIN payments ON payments.order_id = orders.id JOIN order_lines ON order_lines.order_id = orders.id
WHERE orders.id = :order_id
GROUP BY orders.id, currency, method
HAVING sum(unit_price * quantity) BETWEEN 50 AND 99999999;

-- ---- what came of a charge: placed -> paying -> paid | payment_failed ------------------------------------------
-- Each step says from where it leads, so that what comes late leads nowhere.

-- name: note_payment(order_id text, object_id text) :exec
-- scope: system for charge
UPDATE payments SET provider_id = :object_id WHERE order_id = :order_id;

-- What an event has told before the charge's own result: money was taken, by a payment that need not be the result's.
-- name: told_capture(order_id text) :one
-- scope: system for charge
-- returns: captured_id text
SELECT COALESCE(captured_id, '') AS captured_id FROM orders WHERE id = :order_id AND captured_id IS NOT NULL;

-- This and mark_failed miss when an event came after the handler had looked: whoever was first decides, as both write this row. Then it is
-- called again.
-- name: mark_paid(order_id text, object_id text) :must  else 409 "another payment has just been told"
-- scope: system for charge succeeded
UPDATE orders SET state = CASE WHEN state IN ('placed', 'paying') THEN 'paid' ELSE state END
WHERE id = :order_id AND (captured_id IS NULL OR captured_id = :object_id);

-- name: mark_paid_beside_another(order_id text, object_id text) :must  else 409 "no other payment is told"
-- scope: system for charge succeeded
UPDATE orders SET state = 'paid' WHERE id = :order_id AND captured_id <> :object_id AND state IN ('placed', 'paying');

-- name: items_of(order_id text) :many
-- scope: system for charge declined, charge failed
SELECT item_id FROM order_lines WHERE order_id = :order_id ORDER BY item_id;

-- The stock first: it is given back as long as the order is not marked. One item at a time, as one statement for all would lock them in
-- whatever order the database finds them in, and wait for a checkout that waits for it. What is more than the shop can count to (the
-- shopkeeper has counted anew meanwhile) is not given back: an order must not wait for room.
-- name: give_item_back(order_id text, item_id text) :exec
-- scope: system for charge declined, charge failed
UPDATE items
SET stock = (SELECT CASE WHEN items.stock + quantity < 1000000 THEN items.stock + quantity ELSE 1000000 END
             FROM order_lines WHERE order_id = :order_id AND item_id = :item_id)
WHERE id = :item_id
  AND EXISTS (SELECT 1 FROM orders WHERE id = :order_id AND state IN ('placed', 'paying'));

-- name: mark_failed(order_id text) :must  else 409 "a payment has just been told"
-- scope: system for charge declined, charge failed
UPDATE orders SET state = CASE WHEN state IN ('placed', 'paying') THEN 'payment_failed' ELSE state END
WHERE id = :order_id AND captured_id IS NULL;

-- name: mark_failed_although_taken(order_id text) :must  else 409 "it is paid"
-- scope: system for charge declined, charge failed
UPDATE orders SET state = 'payment_failed' WHERE id = :order_id AND captured_id IS NOT NULL AND state IN ('placed', 'paying');

-- name: note_returned_payment(order_id text) :must  else 409 "it was given back already"
-- scope: system for charge
UPDATE payments SET late_id = (SELECT captured_id FROM orders WHERE id = order_id) WHERE order_id = :order_id AND late_id IS NULL;

-- The one that an event has told: of an order that has failed, or is paid by another one.
-- effect: return_payment(order_id text) to payments.refund  key :order_id
-- scope: system for charge
-- returns: payment text, order_id text
SELECT captured_id AS payment, orders.id AS order_id
FROM orders JOIN payments ON payments.order_id = orders.id
WHERE orders.id = :order_id AND captured_id IS NOT NULL
  AND (state = 'payment_failed' OR (state = 'paid' AND provider_id <> captured_id));

-- ---- refunds: paid -> refunded -----------------------------------------------------------------------------------

-- name: start_refund(order_id text, refund_id text) :must  else 409 "only what is paid can be refunded, and only once"
-- scope: admin
UPDATE payments SET refund_id = :refund_id
WHERE order_id = :order_id AND refund_id IS NULL AND provider_id IS NOT NULL
  AND EXISTS (SELECT 1 FROM orders WHERE id = :order_id AND state = 'paid');

-- effect: refund(refund_id text, order_id text) to payments.refund  key :refund_id
-- scope: admin
-- returns: payment text, order_id text
SELECT COALESCE(provider_id, '') AS payment, order_id
FROM payments
WHERE order_id = :order_id AND refund_id = :refund_id;

-- name: mark_refunded(order_id text, refund_id text) :exec
-- scope: system for refund succeeded
UPDATE orders SET state = 'refunded'
WHERE id = :order_id AND state = 'paid'
  AND EXISTS (SELECT 1 FROM payments WHERE order_id = :order_id AND refund_id = :refund_id);

-- name: forget_refund(order_id text, refund_id text) :exec
-- scope: system for refund declined, refund failed
UPDATE payments SET refund_id = NULL WHERE order_id = :order_id AND refund_id = :refund_id;

-- ---- what the provider tells --------------------------------------------------------------------------------------

-- name: event_is_known(event_id text) :one
-- scope: provider
SELECT id FROM payment_events WHERE id = :event_id;

-- name: keep_event(event_id text) :exec
-- scope: provider
INSERT INTO payment_events (id, received_at) VALUES (:event_id, :now) ON CONFLICT (id) DO NOTHING;

-- name: forget_events(before time) :exec
-- scope: provider
DELETE FROM payment_events WHERE received_at < :before;

-- name: mark_paying(order_id text) :exec
-- scope: provider
UPDATE orders SET state = 'paying' WHERE id = :order_id AND state = 'placed';

-- `paid_by` is empty as long as the charge has no result.
-- name: order_told_of(order_id text) :one
-- scope: provider
-- returns: late_id text, paid_by text
SELECT state, COALESCE(late_id, '') AS late_id, COALESCE(provider_id, '') AS paid_by
FROM orders JOIN payments ON payments.order_id = orders.id
WHERE orders.id = :order_id;

-- One at a time, and only as long as it is open which of them pays; or the one that has just paid. Each 409 has the provider tell it again.
-- name: note_capture(order_id text, payment text) :must  else 409 "another payment is told, or the order is not open any more"
-- scope: provider
UPDATE orders SET captured_id = :payment
WHERE id = :order_id AND (captured_id IS NULL OR captured_id = :payment)
  AND (state IN ('placed', 'paying')
       OR (state = 'paid' AND EXISTS (SELECT 1 FROM payments WHERE order_id = :order_id AND provider_id = :payment)));

-- The last one of an order that was given back; which ones were, their effects' keys tell.
-- name: note_late_payment(order_id text, payment text) :must  else 409 "it was given back already"
-- scope: provider
UPDATE payments SET late_id = :payment WHERE order_id = :order_id AND (late_id IS NULL OR late_id <> :payment);

-- effect: give_back(order_id text, payment text) to payments.refund  key :payment  else 409 "it was given back already"
-- scope: provider
-- returns: payment text, order_id text
SELECT :payment AS payment, orders.id AS order_id
FROM orders JOIN payments ON payments.order_id = orders.id
WHERE orders.id = :order_id
  AND (state = 'payment_failed' OR (state IN ('paid', 'refunded') AND provider_id <> :payment));

-- ---- the caller's orders -----------------------------------------------------------------------------------------

-- name: my_orders(after text?, limit int) :many
-- returns: placed_at time, total int, refund_id text
SELECT id, state, currency, placed_at,
       COALESCE((SELECT sum(unit_price * quantity) FROM order_lines WHERE order_id = orders.id), 0) AS total,
       COALESCE((SELECT refund_id FROM payments WHERE order_id = orders.id), '') AS refund_id
FROM orders
WHERE (:after IS NULL OR id < :after)
ORDER BY id DESC
LIMIT :limit;

-- name: order_by_id(order_id text) :one
-- returns: placed_at time, total int, refund_id text
SELECT id, state, currency, placed_at,
       COALESCE((SELECT sum(unit_price * quantity) FROM order_lines WHERE order_id = orders.id), 0) AS total,
       COALESCE((SELECT refund_id FROM payments WHERE order_id = orders.id), '') AS refund_id
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
-- returns: placed_at time, total int, refund_id text
SELECT id, state, currency, placed_at,
       COALESCE((SELECT sum(unit_price * quantity) FROM order_lines WHERE order_id = orders.id), 0) AS total,
       COALESCE((SELECT refund_id FROM payments WHERE order_id = orders.id), '') AS refund_id
FROM orders
WHERE (:after IS NULL OR id < :after)
ORDER BY id DESC
LIMIT :limit;

-- name: admin_order_by_id(order_id text) :one
-- scope: admin
-- returns: placed_at time, total int, refund_id text
SELECT id, state, currency, placed_at,
       COALESCE((SELECT sum(unit_price * quantity) FROM order_lines WHERE order_id = orders.id), 0) AS total,
       COALESCE((SELECT refund_id FROM payments WHERE order_id = orders.id), '') AS refund_id
FROM orders
WHERE id = :order_id;

-- name: admin_order_lines_of(order_ids text[]) :many
-- scope: admin
-- returns: line_total int
SELECT order_id, item_id, name, unit_price, quantity, unit_price * quantity AS line_total
FROM order_lines
WHERE order_id IN (:order_ids)
ORDER BY order_id DESC, item_id;
