-- name: my_notes() :one
-- returns: number int
SELECT count(*) AS number FROM notes;

-- name: insert_note(text text) :exec
INSERT INTO notes (owner, text) VALUES (:caller, :text);
