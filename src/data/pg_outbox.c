/* pg_outbox.c - effects: written with the batch that asks for them, then leased, settled and asked for again.
 *
 * The row is made in the batch's own transaction by the effect's own SELECT (pg_statement.c), so what is sent is what the database held
 * when the business rows were written, and neither is there without the other. A fence decides between two who both believe that they
 * hold the lease. */
#include "core/id.h"
#include "data/pg_pool.h"
#include "data/wire.h"

static const char *const state_names[] = { [STORE_EFFECT_PENDING] = "pending",
                                           [STORE_EFFECT_SENT] = "sent",
                                           [STORE_EFFECT_ANSWERED] = "answered",
                                           [STORE_EFFECT_DONE] = "done",
                                           [STORE_EFFECT_DEAD] = "dead" };

/* ---- asked for ------------------------------------------------------------------------------------------------------------ */

static limen_str key_of(const struct store_item *item)
{
    return item->params[item->statement->key_param].as.text;
}

bool pg_effect_fits(const struct store_item *item)
{
    if (item->statement->name.len + 1 + key_of(item).len <= LIMIT_EFFECT_KEY_BYTES)
        return true;
    store_log(item->statement, "an effect's key is too long", "");
    return false;
}

bool pg_effect_make(const struct store_task *task, const struct store_item *item, struct arena *arena,
                    struct pg_effect *ret_effect)
{
    struct buf params;
    char id[ID_BYTES];
    buf_init(&params, arena, 64);
    wire_put_values(&params, item->params, item->param_count);
    *ret_effect = (struct pg_effect){
        .id = arena_copy(arena, id_new(id, LIMEN_STR("eff"), task->now)),
        .key = arena_printf(arena, "%.*s/%.*s", LIMEN_STR_ARG(item->statement->name), LIMEN_STR_ARG(key_of(item))),
        .params = buf_str(&params),
        .principal = principal_id(&task->principal),
    };
    return !params.failed && ret_effect->id.ptr != NULL && ret_effect->key.ptr != NULL;
}

/* ---- leased --------------------------------------------------------------------------------------------------------------- */

/* A lease takes no effect that this version of the app does not know. */
bool pg_put_lease(struct pg_values *values, const struct store_task *task, const struct query_set *queries,
                  struct arena *arena)
{
    struct buf names;
    size_t count = 0;
    for (uint32_t i = 0; i < queries->count; i++)
        count += queries->statements[i].kind == STATEMENT_EFFECT;
    buf_init(&names, arena, 64);
    pg_put_array_head(&names, PG_TEXT, count);
    for (uint32_t i = 0; i < queries->count; i++) {
        if (queries->statements[i].kind == STATEMENT_EFFECT)
            pg_put_array_bytes(&names, queries->statements[i].name);
    }
    pg_put_int(values, task->now);
    pg_put_int(values, task->lease_until);
    pg_put_int(values, task->lease_most);
    pg_put_int(values, task->may_send);
    pg_put_bytes(values, names.ptr, names.len);
    return !names.failed;
}

static bool keep(const PGresult *result, int row, int column, struct arena *arena, limen_str *ret_copy)
{
    *ret_copy = arena_copy(arena, pg_get_text(result, row, column));
    return ret_copy->ptr != NULL;
}

static bool take_effect(const struct query_set *queries, const PGresult *result, int row, struct arena *arena,
                        struct store_effect *ret_effect)
{
    struct store_effect_result *known = &ret_effect->result;
    const struct statement *statement = queries_find(queries, pg_get_text(result, row, 1));
    bool is_answered = str_equal(pg_get_text(result, row, 5), str_of(state_names[STORE_EFFECT_ANSWERED]));
    ret_effect->statement = statement != NULL && statement->kind == STATEMENT_EFFECT ? statement : NULL;
    ret_effect->state = is_answered ? STORE_EFFECT_ANSWERED : STORE_EFFECT_SENT;
    ret_effect->fence = pg_get_int(result, row, 6);
    ret_effect->attempts = (uint32_t)pg_get_int(result, row, 7);
    ret_effect->sent_at = pg_get_int(result, row, 8);
    ret_effect->created_at = pg_get_int(result, row, 9);
    int64_t outcome = pg_get_int(result, row, 10); /* 0: not known */
    known->is_known = outcome > 0 && outcome <= LIMEN_EFFECT_FAILED + 1;
    known->outcome = known->is_known ? (enum limen_effect_outcome)(outcome - 1) : LIMEN_EFFECT_SUCCEEDED;
    return ret_effect->statement != NULL && keep(result, row, 0, arena, &ret_effect->id)
        && keep(result, row, 2, arena, &ret_effect->key) && keep(result, row, 3, arena, &ret_effect->params)
        && keep(result, row, 4, arena, &ret_effect->payload) && keep(result, row, 11, arena, &known->object_id)
        && keep(result, row, 12, arena, &known->state) && keep(result, row, 13, arena, &known->code)
        && keep(result, row, 14, arena, &known->note);
}

enum store_outcome pg_take_effects(const struct query_set *queries, struct store_task *task, const PGresult *result)
{
    int count = PQntuples(result);
    task->effect_count = 0;
    task->effects = ARENA_NEW_ARRAY(task->arena, struct store_effect, task->lease_most);
    if (task->effects == NULL || (uint32_t)count > task->lease_most)
        return STORE_ERROR;
    for (int i = 0; i < count; i++) {
        if (!take_effect(queries, result, i, task->arena, &task->effects[i]))
            return STORE_ERROR; /* what was leased is leased again when its lease has run out */
    }
    task->effect_count = (uint32_t)count;
    return STORE_OK;
}

/* ---- settled -------------------------------------------------------------------------------------------------------------- */

void pg_put_settlement(struct pg_values *values, const struct store_settlement *settlement)
{
    const struct store_effect_result *result = &settlement->result;
    pg_put_text(values, settlement->id);
    pg_put_int(values, settlement->fence);
    pg_put_text(values, str_of(state_names[settlement->state]));
    pg_put_int(values, settlement->due_at);
    pg_put_int(values, settlement->lease_until);
    pg_put_int(values, settlement->attempts);
    pg_put_int(values, settlement->sent_at);
    pg_put_int(values, result->is_known ? (int64_t)result->outcome + 1 : 0);
    pg_put_text(values, result->object_id);
    pg_put_text(values, result->state);
    pg_put_text(values, result->code);
    pg_put_text(values, result->note);
}
