-- name: insert_order(order_id text, amount int, method text) :must  else 409 "there is such an order"
INSERT INTO orders (id, amount, method, state) VALUES (:order_id, :amount, :method, 'paying') ON CONFLICT (id) DO NOTHING;

-- effect: charge(order_id text) to payments  key :order_id
-- returns: currency text
SELECT amount, 'EUR' AS currency, method AS payment_method, id AS order_id FROM orders WHERE id = :order_id;

-- effect: give_back(order_id text) to payments.refund  key :order_id  else 409 "there is nothing to give back"
-- returns: payment text
SELECT COALESCE(payment, '') AS payment FROM orders WHERE id = :order_id AND state = 'paid';

-- name: order_by_id(order_id text) :one
SELECT id, state, payment, heard FROM orders WHERE id = :order_id;

-- name: settle(order_id text, state text, payment text) :must  else 404 "there is no such order"
-- scope: system for charge
UPDATE orders SET state = :state, payment = :payment, heard = heard + 1 WHERE id = :order_id;

-- name: given_back(order_id text) :must  else 404 "there is no such order"
-- scope: system for give_back succeeded
UPDATE orders SET state = 'refunded', heard = heard + 1 WHERE id = :order_id;

-- name: note(order_id text, outcome text, code text) :exec
-- scope: system for charge, give_back
INSERT INTO heard (order_id, outcome, code) VALUES (:order_id, :outcome, :code);

-- name: miss() :must  else 404 "there is no such order"
UPDATE orders SET heard = heard + 1 WHERE id = 'no such order';

-- name: count() :one
-- returns: number int
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 1500000)
SELECT count(*) AS number FROM numbers;

-- name: system_peek(order_id text) :many
-- scope: system for charge
SELECT outcome FROM heard WHERE order_id = :order_id;
