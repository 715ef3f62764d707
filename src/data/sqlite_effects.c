/* sqlite_effects.c - the outbox as the operator sees it: straight in the database, beside a server that runs. */
#include "data/sqlite_store.h"

#include "core/arena.h"
#include "core/clock.h"

struct outbox {
    struct db db;
    sqlite3_stmt *stmt;
};

/* Opens the database and prepares the one statement; `outbox` is zeroed. */
static bool outbox_open(struct outbox *outbox, limen_str url, const char *sql, struct arena *arena, struct diags *diags)
{
    const char *path = sqlite_path(url, arena, diags);
    if (path == NULL)
        return false;
    if (db_open(&outbox->db, DB_PLAIN, path, /* is_read_only= */ false)
        && db_prepare_own(&outbox->db, sql, &outbox->stmt))
        return true;
    diags_add_at(diags, url, 0, 0, LIMEN_STR("start the app once, or run its `migrate --apply`"),
                 "there are no effects to be seen: %s", outbox->db.denied);
    return false;
}

static void outbox_close(struct outbox *outbox)
{
    sqlite3_finalize(outbox->stmt);
    db_close(&outbox->db);
}

static void write_time(sqlite3_stmt *stmt, int at, struct buf *out)
{
    clock_write_rfc3339(out, sqlite3_column_int64(stmt, at) / 1000000 * 1000000);
}

/* ---- looking ------------------------------------------------------------------------------------------------------------- */

static void write_line(sqlite3_stmt *stmt, struct buf *out)
{
    buf_printf(out, "%.*s %-8.*s ", LIMEN_STR_ARG(db_text(stmt, 0)), LIMEN_STR_ARG(db_text(stmt, 1)));
    write_time(stmt, 2, out);
    buf_printf(out, " %lld ", (long long)sqlite3_column_int64(stmt, 3));
    buf_add_shown(out, db_text(stmt, 4));
    limen_str note = db_text(stmt, 5);
    buf_printf(out, "%s%.*s\n", note.len > 0 ? ": " : "", LIMEN_STR_ARG(note));
}

bool sqlite_effect_list(limen_str url, struct store_effect_page *page, struct buf *out, struct arena *arena,
                        struct diags *diags)
{
    struct outbox outbox = { 0 };
    const char *wanted = store_effects_wanted(page->filter);
    limen_str sql = arena_printf(arena,
                                 "SELECT id, state, created_at, attempts, key, note, (SELECT count(*) FROM limen_outbox"
                                 " WHERE %s AND id > ?1) FROM limen_outbox WHERE %s AND id > ?1 ORDER BY id LIMIT ?2",
                                 wanted, wanted);
    bool good = sql.ptr != NULL && outbox_open(&outbox, url, sql.ptr, arena, diags);
    int code = SQLITE_DONE;
    if (good) {
        db_bind_text(outbox.stmt, 1, page->after);
        (void)sqlite3_bind_int64(outbox.stmt, 2, page->most);
    }
    page->left = 0;
    for (uint64_t listed = 1; good && (code = db_step_own(&outbox.db, outbox.stmt)) == SQLITE_ROW; listed++) {
        write_line(outbox.stmt, out);
        page->left = (uint64_t)sqlite3_column_int64(outbox.stmt, 6) - listed;
        if (listed == page->most)
            page->after = arena_copy(arena, db_text(outbox.stmt, 0));
    }
    if (code != SQLITE_DONE)
        diags_add_at(diags, url, 0, 0, LIMEN_STR("look at the database"), "the list ends early: %s", outbox.db.denied);
    outbox_close(&outbox);
    return good && code == SQLITE_DONE;
}

bool sqlite_effect_show(limen_str url, limen_str id, struct buf *out, struct arena *arena, struct diags *diags)
{
    static const char *const names[] = { "id",      "effect",    "key",     "state",          "attempts",
                                         "payload", "by",        "object",  "provider state", "code",
                                         "note",    "asked for", "sent at", "due again",      "lease until" };
    enum { FIRST_TIME = 11, NAMES = sizeof(names) / sizeof(names[0]) };
    struct outbox outbox = { 0 };
    bool good = outbox_open(
        &outbox, url,
        "SELECT id, effect, key, state, attempts, payload, principal, object_id, provider_state, code, "
        "note, created_at, sent_at, due_at, lease_until FROM limen_outbox WHERE id = ?1",
        arena, diags);
    if (good) {
        db_bind_text(outbox.stmt, 1, id);
        good = db_step_own(&outbox.db, outbox.stmt) == SQLITE_ROW;
        if (!good)
            diags_add_at(diags, url, 0, 0, LIMEN_STR("`effects list` tells the ids"), "there is no such effect");
    }
    for (int i = 0; good && i < NAMES; i++) {
        bool is_time = i >= FIRST_TIME;
        if (is_time ? sqlite3_column_int64(outbox.stmt, i) == 0 : db_text(outbox.stmt, i).len == 0)
            continue;
        buf_printf(out, "%-15s ", names[i]);
        if (is_time)
            write_time(outbox.stmt, i, out);
        else
            buf_add_shown(out, db_text(outbox.stmt, i));
        buf_add_char(out, '\n');
    }
    outbox_close(&outbox);
    return good;
}

/* ---- changing ------------------------------------------------------------------------------------------------------------ */

/* Steps the statement, whose ?1 is the id and ?2 the time and which must change one row. */
static bool change(limen_str url, limen_str id, const char *sql, const char *otherwise, limen_str mend,
                   struct arena *arena, struct diags *diags)
{
    struct outbox outbox = { 0 };
    bool good = outbox_open(&outbox, url, sql, arena, diags);
    if (good) {
        db_bind_text(outbox.stmt, 1, id);
        (void)sqlite3_bind_int64(outbox.stmt, 2, clock_wall_us());
        int code = db_step_own(&outbox.db, outbox.stmt);
        good = code == SQLITE_DONE && sqlite3_changes(outbox.db.handle) == 1;
        if (!good)
            diags_add_at(diags, url, 0, 0, mend, "%s", code == SQLITE_DONE ? otherwise : outbox.db.denied);
    }
    outbox_close(&outbox);
    return good;
}

/* A dead one goes on where it was given up: what has an outcome is told to the app, what may have been sent is asked for. */
bool sqlite_effect_retry(limen_str url, limen_str id, struct arena *arena, struct diags *diags)
{
    return change(url, id,
                  "UPDATE limen_outbox SET due_at = ?2, lease_until = 0, attempts = 0, fence = fence + 1, note = '',"
                  " state = CASE WHEN state <> 'dead' THEN state WHEN outcome <> 0 THEN 'answered'"
                  " WHEN sent_at <> 0 THEN 'sent' ELSE 'pending' END"
                  " WHERE id = ?1 AND state <> 'done'",
                  "there is no such effect, or it is done", LIMEN_STR("`effects list` tells the ids"), arena, diags);
}

/* What came of it is known and the app could not take it: then there is nothing left to tell. */
bool sqlite_effect_drop(limen_str url, limen_str id, bool although_sent, struct arena *arena, struct diags *diags)
{
    _Static_assert(LIMEN_EFFECT_FAILED == 2, "stored as the outcome and one");
    const char *sql = although_sent
        ? "UPDATE limen_outbox SET due_at = ?2, lease_until = 0, attempts = 0, fence = fence + 1,"
          " state = CASE outcome WHEN 0 THEN 'answered' ELSE 'done' END, outcome = CASE outcome WHEN 0 THEN 3 ELSE "
          "outcome "
          "END WHERE id = ?1 AND state = 'dead'"
        : "UPDATE limen_outbox SET due_at = ?2, lease_until = 0, attempts = 0, fence = fence + 1,"
          " state = CASE outcome WHEN 0 THEN 'answered' ELSE 'done' END, outcome = CASE outcome WHEN 0 THEN 3 ELSE "
          "outcome "
          "END WHERE id = ?1 AND state = 'dead' AND (sent_at = 0 OR outcome <> 0)";
    return change(url, id, sql, "no effect of this id is dead, or it may have been done",
                  LIMEN_STR("look at `effects show`, and with the provider; --although-sent drops one that was sent"),
                  arena, diags);
}
