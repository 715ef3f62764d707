/* sqlite_outbox.c - effects on the writer: written with the batch that asks for them, then leased, settled and asked for again.
 *
 * The row is made in the batch's own transaction by the effect's own SELECT, so what is sent is what the database held when the business
 * rows were written, and neither is there without the other. A fence decides between two who both believe that they hold the lease. */
#include "data/sqlite_store.h"

#include "contract/json.h"
#include "core/arena.h"
#include "core/id.h"
#include "data/wire.h"

static const char *const state_names[] = { [STORE_EFFECT_PENDING] = "pending",
                                           [STORE_EFFECT_SENT] = "sent",
                                           [STORE_EFFECT_ANSWERED] = "answered",
                                           [STORE_EFFECT_DONE] = "done",
                                           [STORE_EFFECT_DEAD] = "dead" };

static enum store_outcome failed(struct writer *writer, const struct statement *statement, int code)
{
    if (writer->db.was_stopped)
        return STORE_TIMEOUT;
    store_log(statement, "an effect could not be noted", sqlite3_errmsg(writer->db.handle));
    return (code & 0xff) == SQLITE_BUSY ? STORE_BUSY : STORE_ERROR;
}

/* ---- asked for ----------------------------------------------------------------------------------------------------------- */

/* The row that `stmt` stands on, as a JSON object. A null is left out. False when a value is not of its column's type. */
static bool write_payload(const struct statement *statement, sqlite3_stmt *stmt, struct buf *out)
{
    buf_add_char(out, '{');
    for (uint32_t i = 0; i < statement->column_count; i++) {
        const struct statement_column *column = &statement->columns[i];
        int stored = sqlite3_column_type(stmt, (int)i);
        if (stored == SQLITE_NULL && column->is_nullable)
            continue;
        if (stored != (column->type == LIMEN_TYPE_TEXT ? SQLITE_TEXT : SQLITE_INTEGER))
            return false;
        if (out->len > 1)
            buf_add_char(out, ',');
        json_write_string(out, column->name);
        buf_add_char(out, ':');
        if (stored == SQLITE_TEXT)
            json_write_string(out, db_text(stmt, (int)i));
        else
            buf_add_int(out, sqlite3_column_int64(stmt, (int)i));
    }
    buf_add_char(out, '}');
    return !out->failed && out->len <= LIMIT_EFFECT_BYTES;
}

/* A sum over no row is a row all the same, and null. */
static bool lacks_a_value(const struct statement *statement, sqlite3_stmt *stmt)
{
    for (uint32_t i = 0; i < statement->column_count; i++) {
        if (!statement->columns[i].is_nullable && sqlite3_column_type(stmt, (int)i) == SQLITE_NULL)
            return true;
    }
    return false;
}

/* The one row of the effect's SELECT. No row is a refusal that the app has named; several are its mistake. */
static enum store_outcome select_payload(struct writer *writer, const struct statement *statement, sqlite3_stmt *stmt,
                                         struct buf *out)
{
    int code = sqlite3_step(stmt);
    if (code == SQLITE_DONE || (code == SQLITE_ROW && lacks_a_value(statement, stmt)))
        return STORE_REFUSED;
    if (code == SQLITE_ROW && !write_payload(statement, stmt, out)) {
        store_log(statement, "what an effect sends is too large, or a value is of another type than its column's", "");
        return STORE_ERROR;
    }
    if (code == SQLITE_ROW)
        code = sqlite3_step(stmt);
    if (code == SQLITE_DONE)
        return STORE_OK;
    if (code != SQLITE_ROW)
        return failed(writer, statement, code);
    store_log(statement, "an effect's SELECT gave several rows", "");
    return STORE_ERROR;
}

static enum store_outcome insert(struct writer *writer, const struct store_task *task, const struct store_item *item,
                                 limen_str payload)
{
    sqlite3_stmt *stmt = writer->own[OWN_EFFECT_INSERT];
    char id[ID_BYTES], key_memory[LIMIT_EFFECT_KEY_BYTES];
    struct buf key, params;
    buf_init_fixed(&key, key_memory, sizeof(key_memory));
    buf_printf(&key, "%.*s/", LIMEN_STR_ARG(item->statement->name));
    buf_add(&key, item->params[item->statement->key_param].as.text);
    buf_init(&params, task->arena, 64);
    wire_put_values(&params, item->params, item->param_count);
    if (key.failed || params.failed) {
        store_log(item->statement, "an effect's key is too long", "");
        return STORE_ERROR;
    }
    db_bind_text(stmt, 1, id_new(id, LIMEN_STR("eff"), task->now));
    db_bind_text(stmt, 2, item->statement->name);
    db_bind_text(stmt, 3, buf_str(&key));
    db_bind_blob(stmt, 4, params.ptr, params.len);
    db_bind_text(stmt, 5, payload);
    db_bind_text(stmt, 6, task->principal.id_len == 0 ? LIMEN_STR("") : principal_id(&task->principal));
    (void)sqlite3_bind_int64(stmt, 7, task->now);
    int code = writer_own(writer, OWN_EFFECT_INSERT);
    if (code != SQLITE_DONE)
        return failed(writer, item->statement, code);
    return sqlite3_changes64(writer->db.handle) == 1 ? STORE_OK : STORE_REFUSED;
}

enum store_outcome outbox_put(struct writer *writer, struct store_task *task, const struct store_item *item,
                              sqlite3_stmt *stmt)
{
    struct buf payload;
    buf_init(&payload, task->arena, 128);
    enum store_outcome outcome = select_payload(writer, item->statement, stmt, &payload);
    return outcome == STORE_OK ? insert(writer, task, item, buf_str(&payload)) : outcome;
}

/* ---- leased -------------------------------------------------------------------------------------------------------------- */

static const struct statement *find_effect(const struct sqlite_store *store, limen_str name)
{
    const struct statement *statement = queries_find(store->queries, name);
    return statement != NULL && statement->kind == STATEMENT_EFFECT ? statement : NULL;
}

static bool keep(struct arena *arena, limen_str text, limen_str *ret_copy)
{
    *ret_copy = arena_copy(arena, text);
    return ret_copy->ptr != NULL;
}

static limen_str blob(sqlite3_stmt *stmt, int at)
{
    const char *bytes = sqlite3_column_blob(stmt, at);
    return str_make(bytes, bytes == NULL ? 0 : (size_t)sqlite3_column_bytes(stmt, at));
}

static bool read_effect(const struct sqlite_store *store, sqlite3_stmt *stmt, struct arena *arena,
                        struct store_effect *ret_effect)
{
    struct store_effect_result *result = &ret_effect->result;
    ret_effect->statement = find_effect(store, db_text(stmt, 1));
    ret_effect->state = str_equal(db_text(stmt, 5), str_of(state_names[STORE_EFFECT_ANSWERED])) ? STORE_EFFECT_ANSWERED
                                                                                                : STORE_EFFECT_SENT;
    ret_effect->fence = sqlite3_column_int64(stmt, 6);
    ret_effect->attempts = (uint32_t)sqlite3_column_int64(stmt, 7);
    ret_effect->sent_at = sqlite3_column_int64(stmt, 8);
    ret_effect->created_at = sqlite3_column_int64(stmt, 9);
    int outcome = sqlite3_column_int(stmt, 10); /* 0: not known */
    result->is_known = outcome > 0 && outcome <= LIMEN_EFFECT_FAILED + 1;
    result->outcome = result->is_known ? (enum limen_effect_outcome)(outcome - 1) : LIMEN_EFFECT_SUCCEEDED;
    return ret_effect->statement != NULL && keep(arena, db_text(stmt, 0), &ret_effect->id)
        && keep(arena, db_text(stmt, 2), &ret_effect->key) && keep(arena, blob(stmt, 3), &ret_effect->params)
        && keep(arena, db_text(stmt, 4), &ret_effect->payload) && keep(arena, db_text(stmt, 11), &result->object_id)
        && keep(arena, db_text(stmt, 12), &result->state) && keep(arena, db_text(stmt, 13), &result->code)
        && keep(arena, db_text(stmt, 14), &result->note);
}

enum store_outcome outbox_lease(struct writer *writer, struct store_task *task)
{
    sqlite3_stmt *stmt = writer->own[OWN_EFFECT_LEASE];
    task->effect_count = 0;
    task->effects = ARENA_NEW_ARRAY(task->arena, struct store_effect, task->lease_most);
    if (task->effects == NULL)
        return STORE_ERROR;
    (void)sqlite3_bind_int64(stmt, 1, task->now);
    (void)sqlite3_bind_int64(stmt, 2, task->lease_until);
    (void)sqlite3_bind_int64(stmt, 3, task->lease_most);
    (void)sqlite3_bind_int(stmt, 4, task->may_send);
    db_bind_text(stmt, 5, writer->store->effects);
    enum store_outcome outcome = STORE_OK;
    int code;
    while ((code = db_step_own(&writer->db, stmt)) == SQLITE_ROW) {
        if (task->effect_count == task->lease_most
            || !read_effect(writer->store, stmt, task->arena, &task->effects[task->effect_count]))
            outcome = STORE_ERROR; /* the rest must still be stepped over; the lease is undone with its transaction */
        else
            task->effect_count++;
    }
    db_reset_own(&writer->db, stmt);
    return code == SQLITE_DONE ? outcome : failed(writer, NULL, code);
}

/* ---- settled ------------------------------------------------------------------------------------------------------------- */

enum store_outcome outbox_settle(struct writer *writer, const struct store_settlement *settlement)
{
    sqlite3_stmt *stmt = writer->own[OWN_EFFECT_SETTLE];
    const struct store_effect_result *result = &settlement->result;
    db_bind_text(stmt, 1, settlement->id);
    (void)sqlite3_bind_int64(stmt, 2, settlement->fence);
    db_bind_text(stmt, 3, str_of(state_names[settlement->state]));
    (void)sqlite3_bind_int64(stmt, 4, settlement->due_at);
    (void)sqlite3_bind_int64(stmt, 5, settlement->lease_until);
    (void)sqlite3_bind_int64(stmt, 6, settlement->attempts);
    (void)sqlite3_bind_int64(stmt, 7, settlement->sent_at);
    (void)sqlite3_bind_int(stmt, 8, result->is_known ? (int)result->outcome + 1 : 0);
    db_bind_text(stmt, 9, result->object_id);
    db_bind_text(stmt, 10, result->state);
    db_bind_text(stmt, 11, result->code);
    db_bind_text(stmt, 12, result->note);
    int code = writer_own(writer, OWN_EFFECT_SETTLE);
    if (code != SQLITE_DONE)
        return failed(writer, NULL, code);
    return sqlite3_changes64(writer->db.handle) == 1 ? STORE_OK : STORE_NONE;
}

enum store_outcome outbox_ask(struct writer *writer, const struct store_task *task)
{
    sqlite3_stmt *stmt = writer->own[OWN_EFFECT_ASK];
    db_bind_text(stmt, 1, task->news_of);
    (void)sqlite3_bind_int64(stmt, 2, task->now);
    int code = writer_own(writer, OWN_EFFECT_ASK);
    if (code != SQLITE_DONE)
        return failed(writer, NULL, code);
    return sqlite3_changes64(writer->db.handle) == 0 ? STORE_NONE : STORE_OK;
}

enum store_outcome outbox_count(struct writer *writer, struct store_task *task)
{
    sqlite3_stmt *stmt = writer->own[OWN_EFFECT_COUNT];
    int code = db_step_own(&writer->db, stmt);
    if (code == SQLITE_ROW)
        task->counts = (struct store_effect_counts){ .open = (uint64_t)sqlite3_column_int64(stmt, 0),
                                                     .dead = (uint64_t)sqlite3_column_int64(stmt, 1),
                                                     .oldest = sqlite3_column_int64(stmt, 2) };
    db_reset_own(&writer->db, stmt);
    return code == SQLITE_ROW ? STORE_OK : failed(writer, NULL, code);
}

/* ---- opening ------------------------------------------------------------------------------------------------------------- */

/* A JSON array: a lease takes no effect that this version of the app does not know. */
bool outbox_name_effects(struct sqlite_store *store, struct arena *arena)
{
    struct buf names;
    buf_init(&names, arena, 64);
    buf_add_char(&names, '[');
    for (uint32_t i = 0; i < store->queries->count; i++) {
        if (store->queries->statements[i].kind != STATEMENT_EFFECT)
            continue;
        if (names.len > 1)
            buf_add_char(&names, ',');
        json_write_string(&names, store->queries->statements[i].name);
    }
    buf_add_char(&names, ']');
    store->effects = buf_str(&names);
    return !names.failed;
}
