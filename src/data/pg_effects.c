/* pg_effects.c - the outbox as the operator sees it: straight in the database, beside servers that run. */
#include "core/arena.h"
#include "core/clock.h"
#include "data/pg_schema.h"

struct outbox {
    struct pg_admin admin;
    PGconn *pg;
};

static bool outbox_open(struct outbox *outbox, limen_str url, struct arena *arena, struct diags *diags)
{
    outbox->pg = pg_connect(url, arena, diags);
    if (outbox->pg == NULL || !pg_admin_init(&outbox->admin, outbox->pg, pg_shown_url(url, arena), arena, diags))
        return false;
    return str_equal(pg_ask_one(&outbox->admin, "SELECT to_regclass('limen.limen_outbox') IS NOT NULL", 0, NULL),
                     LIMEN_STR("t"))
        || pg_refuse(&outbox->admin, LIMEN_STR("start the app once, or run its `migrate --apply`"),
                     "there are no effects to be seen");
}

static void write_time(const PGresult *result, int row, int column, struct buf *out)
{
    int64_t time;
    if (str_to_int64(pg_text(result, row, column), &time))
        clock_write_rfc3339(out, time / 1000000 * 1000000);
}

/* ---- looking ------------------------------------------------------------------------------------------------------------ */

static void write_line(const PGresult *result, int row, struct buf *out)
{
    limen_str note = pg_text(result, row, 5);
    buf_printf(out, "%.*s %-8.*s ", LIMEN_STR_ARG(pg_text(result, row, 0)), LIMEN_STR_ARG(pg_text(result, row, 1)));
    write_time(result, row, 2, out);
    buf_printf(out, " %.*s ", LIMEN_STR_ARG(pg_text(result, row, 3)));
    buf_add_shown(out, pg_text(result, row, 4));
    buf_printf(out, "%s%.*s\n", note.len > 0 ? ": " : "", LIMEN_STR_ARG(note));
}

bool pg_effect_list(limen_str url, struct store_effect_page *page, struct buf *out, struct arena *arena,
                    struct diags *diags)
{
    struct outbox outbox = { 0 };
    const char *wanted = store_effects_wanted(page->filter), *params[] = { arena_copy(arena, page->after).ptr };
    limen_str sql = arena_printf(arena,
                                 "SELECT id, state, created_at, attempts, key, note, (SELECT count(*) FROM "
                                 "limen.limen_outbox WHERE %s AND id > $1)"
                                 " FROM limen.limen_outbox WHERE %s AND id > $1 ORDER BY id LIMIT %u",
                                 wanted, wanted, page->most);
    bool is_open = sql.ptr != NULL && params[0] != NULL && outbox_open(&outbox, url, arena, diags);
    PGresult *result = is_open ? pg_ask(&outbox.admin, sql.ptr, 1, params) : NULL;
    bool good = result != NULL;
    int listed = good ? PQntuples(result) : 0;
    int64_t count;
    page->left = 0;
    for (int i = 0; i < listed; i++)
        write_line(result, i, out);
    if (listed > 0 && str_to_int64(pg_text(result, listed - 1, 6), &count))
        page->left = (uint64_t)(count - listed);
    if (page->left > 0)
        page->after = arena_copy(arena, pg_text(result, listed - 1, 0));
    PQclear(result);
    PQfinish(outbox.pg);
    return good;
}

static void show(const PGresult *result, struct buf *out)
{
    static const char *const NAMES[] = { "id",      "effect",    "key",     "state",          "attempts",
                                         "payload", "by",        "object",  "provider state", "code",
                                         "note",    "asked for", "sent at", "due again",      "lease until" };
    enum { FIRST_TIME = 11, COUNT = sizeof(NAMES) / sizeof(NAMES[0]) };
    for (int i = 0; i < COUNT; i++) {
        limen_str value = pg_text(result, 0, i);
        bool is_time = i >= FIRST_TIME;
        if (value.len == 0 || (is_time && str_equal(value, LIMEN_STR("0"))))
            continue;
        buf_printf(out, "%-15s ", NAMES[i]);
        if (is_time)
            write_time(result, 0, i, out);
        else
            buf_add_shown(out, value);
        buf_add_char(out, '\n');
    }
}

bool pg_effect_show(limen_str url, limen_str id, struct buf *out, struct arena *arena, struct diags *diags)
{
    struct outbox outbox = { 0 };
    const char *params[] = { arena_copy(arena, id).ptr };
    bool is_open = outbox_open(&outbox, url, arena, diags);
    PGresult *result = !is_open
        ? NULL
        : pg_ask(&outbox.admin,
                 "SELECT id, effect, key, state, attempts, payload, principal, object_id, provider_state, code, note,"
                 " created_at, sent_at, due_at, lease_until FROM limen.limen_outbox WHERE id = $1",
                 1, params);
    bool good = result != NULL && PQntuples(result) == 1;
    if (good)
        show(result, out);
    else if (result != NULL)
        (void)pg_refuse(&outbox.admin, LIMEN_STR("`effects list` tells the ids"), "there is no such effect");
    PQclear(result);
    PQfinish(outbox.pg);
    return good;
}

/* ---- changing ------------------------------------------------------------------------------------------------------------ */

/* Runs the statement, whose $1 is the id and $2 the time and which must change one row. */
static bool change(limen_str url, limen_str id, const char *sql, const char *otherwise, limen_str mend,
                   struct arena *arena, struct diags *diags)
{
    struct outbox outbox = { 0 };
    const char *params[] = { arena_copy(arena, id).ptr, arena_printf(arena, "%lld", (long long)clock_wall_us()).ptr };
    bool is_open = outbox_open(&outbox, url, arena, diags);
    PGresult *result = is_open ? pg_ask(&outbox.admin, sql, 2, params) : NULL;
    bool good = result != NULL && str_equal(str_of(PQcmdTuples(result)), LIMEN_STR("1"));
    if (result != NULL && !good)
        (void)pg_refuse(&outbox.admin, mend, otherwise);
    PQclear(result);
    PQfinish(outbox.pg);
    return good;
}

/* A dead one goes on where it was given up: what has an outcome is told to the app, what may have been sent is asked for. */
bool pg_effect_retry(limen_str url, limen_str id, struct arena *arena, struct diags *diags)
{
    return change(url, id,
                  "UPDATE limen.limen_outbox SET due_at = $2::bigint, lease_until = 0, attempts = 0, fence = fence + 1,"
                  " note = '', state = CASE WHEN state <> 'dead' THEN state WHEN outcome <> 0 THEN 'answered'"
                  " WHEN sent_at <> 0 THEN 'sent' ELSE 'pending' END WHERE id = $1 AND state <> 'done'",
                  "there is no such effect, or it is done", LIMEN_STR("`effects list` tells the ids"), arena, diags);
}

/* What came of it is known and the app could not take it: then there is nothing left to tell. */
bool pg_effect_drop(limen_str url, limen_str id, bool although_sent, struct arena *arena, struct diags *diags)
{
    _Static_assert(LIMEN_EFFECT_FAILED == 2, "stored as the outcome and one");
#define DROP                                                                                                       \
    "UPDATE limen.limen_outbox SET due_at = $2::bigint, lease_until = 0, attempts = 0, fence = fence + 1, state =" \
    " CASE outcome WHEN 0 THEN 'answered' ELSE 'done' END, outcome = CASE outcome WHEN 0 THEN 3 ELSE outcome END"  \
    " WHERE id = $1 AND state = 'dead'"
    return change(url, id, although_sent ? DROP : DROP " AND (sent_at = 0 OR outcome <> 0)",
                  "no effect of this id is dead, or it may have been done",
                  LIMEN_STR("look at `effects show`, and with the provider; --although-sent drops one that was sent"),
                  arena, diags);
#undef DROP
}
