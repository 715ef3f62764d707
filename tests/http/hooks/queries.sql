-- name: keep_event(id text, type text) :exec
-- scope: provider
INSERT INTO events (id, type) VALUES (:id, :type) ON CONFLICT (id) DO NOTHING;

-- name: count_all() :one
-- returns: number int
SELECT count(*) AS number FROM events;
