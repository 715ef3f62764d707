/* store_task.c - what every back end does alike: lists of tasks, who is late, what fits a prototype, roles as text. */
#include "data/store_internal.h"

#include "core/clock.h"
#include "core/limits.h"
#include "core/log.h"

#include <math.h>
#include <string.h>

/* ---- lists -------------------------------------------------------------------------------------------------------------- */

void task_list_push(struct task_list *list, struct store_task *task)
{
    task->next = NULL;
    if (list->last == NULL)
        list->first = task;
    else
        list->last->next = task;
    list->last = task;
    list->count++;
}

struct store_task *task_list_take(struct task_list *list)
{
    struct store_task *task = list->first;
    if (task == NULL)
        return NULL;
    list->first = task->next;
    if (list->first == NULL)
        list->last = NULL;
    list->count--;
    task->next = NULL;
    return task;
}

void task_list_append(struct task_list *list, struct task_list *more)
{
    if (more->first == NULL)
        return;
    if (list->last == NULL)
        list->first = more->first;
    else
        list->last->next = more->first;
    list->last = more->last;
    list->count += more->count;
    *more = (struct task_list){ 0 };
}

void task_list_finish(struct task_list *list)
{
    for (struct store_task *task; (task = task_list_take(list)) != NULL;)
        task->on_done(task);
}

bool task_is_late(const struct store_task *task)
{
    return __atomic_load_n(&task->is_cancelled, __ATOMIC_RELAXED)
        || (task->deadline_us != 0 && clock_mono_us() >= task->deadline_us);
}

/* ---- statements ----------------------------------------------------------------------------------------------------------- */

void store_log(const struct statement *statement, const char *message, const char *detail)
{
    LOG_ERROR(message, log_str("statement", statement == NULL ? LIMEN_STR("") : statement->name),
              log_text("detail", detail));
}

bool store_has_statement(const struct query_set *queries, const struct statement *statement)
{
    return statement != NULL && statement->number < queries->count
        && statement == &queries->statements[statement->number];
}

bool statement_is_read(const struct statement *statement)
{
    return statement->kind == STATEMENT_ONE || statement->kind == STATEMENT_MANY;
}

bool statement_has_else(const struct statement *statement)
{
    return statement->else_status != 0;
}

/* NUL is no character that both databases take in a text. */
static bool is_text(limen_str text)
{
    return text.len <= LIMIT_FRAME_BYTES && str_is_utf8(text)
        && (text.len == 0 || memchr(text.ptr, '\0', text.len) == NULL);
}

static bool list_fits(const limen_value *value, const struct statement_param *param)
{
    if (value->count > LIMIT_LIST_ITEMS)
        return false;
    for (size_t i = 0; param->type == LIMEN_TYPE_TEXT && i < value->count; i++) {
        if (!is_text(value->as.texts[i]))
            return false;
    }
    return true;
}

bool store_value_fits(const limen_value *value, const struct statement_param *param)
{
    if (value->type != param->type || value->is_list != param->is_list)
        return false;
    if (value->is_null)
        return param->is_nullable;
    if (value->is_list)
        return list_fits(value, param);
    switch (param->type) {
    case LIMEN_TYPE_TEXT:
    case LIMEN_TYPE_JSON:
        return is_text(value->as.text);
    case LIMEN_TYPE_BYTES:
        return value->as.text.len <= LIMIT_FRAME_BYTES;
    case LIMEN_TYPE_BOOL:
        return value->as.integer == 0 || value->as.integer == 1;
    case LIMEN_TYPE_FLOAT:
        return isfinite(value->as.number);
    default:
        return true;
    }
}

/* ---- roles ---------------------------------------------------------------------------------------------------------------- */

void roles_write(const struct contract *contract, uint32_t roles, struct buf *out)
{
    for (uint32_t i = 0; contract != NULL && i < contract->role_count; i++) {
        if ((roles & 1U << i) == 0)
            continue;
        if (out->len > 0)
            buf_add_char(out, ' ');
        buf_add(out, contract->roles[i]);
    }
}

uint32_t roles_read(const struct contract *contract, limen_str text)
{
    uint32_t roles = 0;
    while (text.len > 0) {
        limen_str name = str_cut(&text, ' ');
        for (uint32_t i = 0; contract != NULL && i < contract->role_count; i++) {
            if (str_equal(contract->roles[i], name))
                roles |= 1U << i;
        }
    }
    return roles;
}
