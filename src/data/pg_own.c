/* pg_own.c - Limen's own statements, prepared on each connection beside the app's.
 *
 * Addresses compare without case in ASCII alone, as in SQLite: what a locale makes of other letters would differ from host to host. */
#include "data/pg_pool.h"

/* The first of those in a state that are due: each from its end of the index, so that it makes no difference how many wait. */
#define DUE(state, where)                                                      \
    "SELECT * FROM (SELECT id, due_at FROM limen_outbox WHERE state = '" state \
    "' AND due_at <= $1 AND lease_until <= $1"                                 \
    " AND effect = ANY ($5)" where " ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED) AS of_state"
#define DUE_WAITING DUE("sent", " AND $4 <> 0") " UNION ALL " DUE("pending", " AND $4 <> 0")
#define DUE_FIRST "SELECT id FROM (" DUE("answered", "") " UNION ALL " DUE_WAITING ") AS due ORDER BY due_at LIMIT $3"

const struct pg_own_sql PG_OWN_SQL[PG_OWN_COUNT] = {
    [PG_OWN_ENTER] = { PG_ENTER_SQL, 3, { PG_TEXT, PG_TEXT, PG_TEXT } },
    [PG_OWN_WITHIN] = { "SELECT set_config('statement_timeout', $1, true)", 1, { PG_TEXT } },
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
    /* Before a reply is told again. Whoever committed it may have waited for a standby in vain - the wait was ended, or the server fell -
     * and a read waits for nobody. So something is written behind it: when the standby has that, it has the key. */
    [PG_OWN_KEY_CONFIRM] = { "SELECT fingerprint, status, reply, CASE current_setting('synchronous_standby_names') WHEN"
                             " '' THEN NULL ELSE pg_logical_emit_message(true, 'limen', '') END"
                             " FROM limen_keys WHERE principal = $1 AND key = $2",
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
    /* Copies of the server note and purge beside each other: what another is at is left to it. */
    [PG_OWN_SESSION_TOUCH] = { "UPDATE limen_sessions AS s SET seen_at = t.seen_at"
                               " FROM unnest($1, $2) AS t (token_hash, seen_at)"
                               " WHERE s.token_hash = t.token_hash AND s.seen_at < t.seen_at AND s.token_hash = ANY"
                               " (ARRAY(SELECT token_hash FROM limen_sessions WHERE token_hash = ANY ($1)"
                               " FOR UPDATE SKIP LOCKED))",
                               2,
                               { PG_BYTEA_ARRAY, PG_INT8_ARRAY } },
    [PG_OWN_PURGE_KEYS] = { "DELETE FROM limen_keys WHERE (principal, key) IN (SELECT principal, key FROM limen_keys"
                            " WHERE created_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
                            2,
                            { PG_INT8, PG_INT8 } },
    [PG_OWN_PURGE_SESSIONS] = { "DELETE FROM limen_sessions WHERE token_hash IN (SELECT token_hash FROM limen_sessions"
                                " WHERE seen_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
                                2,
                                { PG_INT8, PG_INT8 } },
    [PG_OWN_PURGE_EFFECTS] = { "DELETE FROM limen_outbox WHERE id IN (SELECT id FROM limen_outbox WHERE state = 'done'"
                               " AND due_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
                               2,
                               { PG_INT8, PG_INT8 } },
    /* Of copies of the server that ask at the same time each gets others. ARRAY: so that the question is asked once. */
    [PG_OWN_EFFECT_LEASE] = { "UPDATE limen_outbox SET lease_until = $2, fence = fence + 1,"
                              " sent_at = CASE WHEN state = 'pending' AND sent_at = 0 THEN $1 ELSE sent_at END,"
                              " state = CASE state WHEN 'pending' THEN 'sent' ELSE state END"
                              " WHERE id = ANY (ARRAY(" DUE_FIRST "))"
                              " RETURNING id, effect, key, params, payload, state, fence, attempts, sent_at,"
                              " created_at, outcome, object_id, provider_state, code, note",
                              5,
                              { PG_INT8, PG_INT8, PG_INT8, PG_INT8, PG_TEXT_ARRAY } },
    /* In a batch: what comes behind a settlement that was overtaken is not run. */
    [PG_OWN_EFFECT_SETTLE] = { "WITH settled AS (UPDATE limen_outbox SET state = $3, due_at = $4, lease_until = $5,"
                               " attempts = $6, sent_at = $7, outcome = $8, object_id = $9, provider_state = $10,"
                               " code = $11, note = $12 WHERE id = $1 AND fence = $2 AND state IN ('pending', 'sent',"
                               " 'answered') RETURNING 1) SELECT CASE WHEN count(*) = 1 THEN 1 ELSE limen.missed() END"
                               " FROM settled",
                               12,
                               { PG_TEXT, PG_INT8, PG_TEXT, PG_INT8, PG_INT8, PG_INT8, PG_INT8, PG_INT8, PG_TEXT,
                                 PG_TEXT, PG_TEXT, PG_TEXT } },
    [PG_OWN_EFFECT_ASK] = { "UPDATE limen_outbox SET due_at = $2 WHERE (object_id = $1 OR key = $1) AND $1 <> ''"
                            " AND state = 'sent' AND due_at > $2",
                            2,
                            { PG_TEXT, PG_INT8 } },
    [PG_OWN_EFFECT_COUNT] = { "SELECT count(*) FILTER (WHERE state <> 'dead'), count(*) FILTER (WHERE state = 'dead'),"
                              " COALESCE(min(created_at) FILTER (WHERE state <> 'dead'), 0) FROM limen_outbox"
                              " WHERE state IN ('pending', 'sent', 'answered', 'dead')",
                              0,
                              { 0 } },
    /* A session may cancel what its own user runs, and the role that it has taken is not that user. */
    [PG_OWN_BE_ANYBODY] = { "SELECT set_config('role', 'none', true)", 0, { 0 } },
    [PG_OWN_CANCEL] = { "SELECT pg_cancel_backend($1::int)", 1, { PG_INT8 } },
};
