-- name: my_notes() :many
SELECT id, text FROM notes ORDER BY id;

-- name: add_note(text text) :exec
INSERT INTO notes (owner_id, text) VALUES (:caller, :text);

-- name: all_notes() :many
-- scope: admin
SELECT id, text FROM notes ORDER BY id;

-- name: insert_sale(sale_id text, method text) :exec
INSERT INTO sales (id, method, state) VALUES (:sale_id, :method, 'open');

-- name: mark_sold(sale_id text) :exec
-- scope: system for sell succeeded
UPDATE sales SET state = 'sold' WHERE id = :sale_id;

-- name: mark_unsold(sale_id text) :exec
-- scope: system for sell declined, sell failed
UPDATE sales SET state = 'unsold' WHERE id = :sale_id;

-- name: mark_returned(sale_id text) :exec
-- scope: system for take_back
UPDATE sales SET state = 'returned' WHERE id = :sale_id;

-- name: sale_state(sale_id text) :one
-- scope: system for sell
SELECT state FROM sales WHERE id = :sale_id;

-- effect: sell(sale_id text) to payments  key :sale_id
-- returns: amount int, currency text
SELECT 100 AS amount, 'EUR' AS currency, method AS payment_method FROM sales WHERE id = :sale_id;

-- effect: take_back(sale_id text) to payments.refund  key :sale_id
-- returns: payment text
SELECT method AS payment FROM sales WHERE id = :sale_id;
