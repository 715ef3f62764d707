-- name: count_notes() :one
-- returns: number int
SELECT count(*) AS number FROM notes;

-- name: count_for_ever() :one
-- returns: number int
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 100000000000)
SELECT count(*) AS number FROM numbers;

-- name: add_note(text text) :exec
INSERT INTO notes (text) VALUES (:text);

-- name: change_note(id int) :must  else 404 "there is no such note"
UPDATE notes SET text = 'changed' WHERE id = :id;

-- name: make_note(text text) :returning
INSERT INTO notes (text) VALUES (:text) RETURNING id;
