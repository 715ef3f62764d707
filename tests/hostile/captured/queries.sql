-- name: my_notes() :many
SELECT id, text FROM notes ORDER BY id;

-- name: add_note(text text) :exec
INSERT INTO notes (owner_id, text) VALUES (:caller, :text);

-- name: all_notes() :many
-- scope: admin
SELECT id, text FROM notes ORDER BY id;
