/* pg_own.c - Limen's own statements, prepared on each connection beside the app's.
 *
 * Addresses compare without case in ASCII alone, as in SQLite: what a locale makes of other letters would differ from host to host. */
#include "data/pg_pool.h"

const struct pg_own_sql PG_OWN_SQL[PG_OWN_COUNT] = {
    [PG_OWN_ENTER] = { PG_ENTER_SQL, 3, { PG_TEXT, PG_TEXT, PG_TEXT } },
    [PG_OWN_BEGIN] = { "BEGIN", 0, { 0 } },
    [PG_OWN_COMMIT] = { "COMMIT", 0, { 0 } },
    [PG_OWN_ROLLBACK] = { "ROLLBACK", 0, { 0 } },
    /* Whoever comes second waits here for the first, and then fails if that one has committed: nothing behind it is run. */
    [PG_OWN_KEY_INSERT] = { "INSERT INTO limen_keys (principal, key, fingerprint, status, reply, created_at)"
                            " VALUES ($1, $2, $3, $4, $5, $6)",
                            6,
                            { PG_TEXT, PG_TEXT, PG_BYTEA, PG_INT8, PG_BYTEA, PG_INT8 } },
    [PG_OWN_KEY_FIND] = { "SELECT fingerprint, status, reply FROM limen_keys WHERE principal = $1 AND key = $2",
                          2,
                          { PG_TEXT, PG_TEXT } },
    [PG_OWN_CREDENTIAL_INSERT] = { "INSERT INTO limen_credentials (account_id, email, password_hash, roles, created_at)"
                                   " VALUES ($1, lower($2 COLLATE \"C\"), $3, $4, $5)",
                                   5,
                                   { PG_TEXT, PG_TEXT, PG_TEXT, PG_TEXT, PG_INT8 } },
    [PG_OWN_CREDENTIAL_FIND] = { "SELECT account_id, email, roles, password_hash FROM limen_credentials"
                                 " WHERE email = lower($1 COLLATE \"C\")",
                                 1,
                                 { PG_TEXT } },
    [PG_OWN_CREDENTIAL_REHASH] = { "UPDATE limen_credentials SET password_hash = $2 WHERE account_id = $1",
                                   2,
                                   { PG_TEXT, PG_TEXT } },
    /* The token is random: one that is there already was written by an attempt of this work whose answer was lost. */
    [PG_OWN_SESSION_INSERT] = { "INSERT INTO limen_sessions (token_hash, account_id, created_at, seen_at)"
                                " VALUES ($1, $2, $3, $3) ON CONFLICT (token_hash) DO NOTHING",
                                3,
                                { PG_BYTEA, PG_TEXT, PG_INT8 } },
    [PG_OWN_SESSION_DELETE] = { "DELETE FROM limen_sessions WHERE token_hash = $1", 1, { PG_BYTEA } },
    [PG_OWN_SESSION_FIND] = { "SELECT s.account_id, c.email, c.roles, s.created_at, s.seen_at FROM limen_sessions AS s"
                              " JOIN limen_credentials AS c ON c.account_id = s.account_id WHERE s.token_hash = $1",
                              1,
                              { PG_BYTEA } },
    [PG_OWN_API_KEY_FIND] = { "SELECT 'key_' || id, '', roles, secret_hash FROM limen_api_keys"
                              " WHERE id = $1 AND revoked_at IS NULL",
                              1,
                              { PG_TEXT } },
    [PG_OWN_SESSION_TOUCH] = { "UPDATE limen_sessions AS s SET seen_at = t.seen_at"
                               " FROM unnest($1, $2) AS t (token_hash, seen_at)"
                               " WHERE s.token_hash = t.token_hash AND s.seen_at < t.seen_at",
                               2,
                               { PG_BYTEA_ARRAY, PG_INT8_ARRAY } },
    /* Copies of the server purge beside each other: what another is at is left to it. */
    [PG_OWN_PURGE_KEYS] = { "DELETE FROM limen_keys WHERE (principal, key) IN (SELECT principal, key FROM limen_keys"
                            " WHERE created_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
                            2,
                            { PG_INT8, PG_INT8 } },
    [PG_OWN_PURGE_SESSIONS] = { "DELETE FROM limen_sessions WHERE token_hash IN (SELECT token_hash FROM limen_sessions"
                                " WHERE seen_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
                                2,
                                { PG_INT8, PG_INT8 } },
    /* A session may cancel what its own user runs, and the role that it has taken is not that user. */
    [PG_OWN_BE_ANYBODY] = { "SELECT set_config('role', 'none', true)", 0, { 0 } },
    [PG_OWN_CANCEL] = { "SELECT pg_cancel_backend($1::int)", 1, { PG_INT8 } },
};
