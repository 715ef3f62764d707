/* store_internal.h - what a back end fills (struct store_ops), and what all of them need to work on tasks. Shared by store.c, store_task.c
 * and the files of the back ends only. */
#ifndef DATA_STORE_INTERNAL_H
#define DATA_STORE_INTERNAL_H

#include "data/store.h"

/* The functions of store.h, for one kind of database. A store of its own begins with a struct store. */
struct store_ops {
    limen_str backend; /* as `-- on:` names it */
    const char *(*move_in)(limen_str url, uint32_t user, struct arena *arena, struct diags *diags);
    bool (*describe_sandbox)(limen_str url, struct store_sandbox *ret_sandbox, struct arena *arena,
                             struct diags *diags);
    struct store *(*open)(const struct store_config *config, struct loop *loop, struct arena *arena,
                          struct diags *diags);
    void (*close)(struct store *store);
    void (*submit)(struct store *store, struct store_task *task);
    void (*abandon)(struct store *store, uint64_t transaction);
    bool (*is_away)(const struct store *store); /* NULL: a database in files, which is always there */
    bool (*first_account)(struct store *store, limen_str id, limen_str email, limen_str password_hash, uint32_t roles);
    bool (*key_add)(const struct store_keys_config *config, limen_str name, uint32_t roles, char *ret_text,
                    struct arena *arena, struct diags *diags);
    bool (*key_revoke)(const struct store_keys_config *config, limen_str id, struct arena *arena, struct diags *diags);
    bool (*key_list)(const struct store_keys_config *config, struct buf *out, struct arena *arena, struct diags *diags);
    bool (*effect_list)(limen_str url, struct store_effect_page *page, struct buf *out, struct arena *arena,
                        struct diags *diags);
    bool (*effect_show)(limen_str url, limen_str id, struct buf *out, struct arena *arena, struct diags *diags);
    bool (*effect_retry)(limen_str url, limen_str id, struct arena *arena, struct diags *diags);
    bool (*effect_drop)(limen_str url, limen_str id, bool although_sent, struct arena *arena, struct diags *diags);
    /* NULL: there is nothing that store_describe does not see. */
    bool (*check)(limen_str url, const struct query_set *queries, const struct limen_file *migrations, size_t count,
                  struct arena *arena, struct diags *diags, struct diags *warnings);
    bool (*migrate)(limen_str url, const struct limen_file *migrations, size_t count, bool apply, struct buf *out,
                    struct arena *arena, struct diags *diags);
};
struct store {
    const struct store_ops *ops;
};
extern const struct store_ops sqlite_ops, pg_ops;

#define SESSION_TOUCH_AFTER_US (60 * 1000000LL) /* a session that was seen is noted no oftener */
#define KEYS_KEPT_US (25 * 3600 * 1000000LL)    /* 24 hours at least */
#define PURGE_ROWS 200
#define PURGE_EVERY_US (60 * 1000000LL)
#define PURGE_AGAIN_US (1 * 1000000LL) /* when there was a full step of it */

/* Which rows of the outbox a filter means, as SQL. */
const char *store_effects_wanted(enum store_effect_filter filter);

struct task_list {
    struct store_task *first, *last;
    uint32_t count;
};
void task_list_push(struct task_list *list, struct store_task *task);
struct store_task *task_list_take(struct task_list *list); /* NULL when it is empty */
/* Moves all of `more` to the end of `list`. */
void task_list_append(struct task_list *list, struct task_list *more);
/* Hands all of them back. */
void task_list_finish(struct task_list *list);
/* Its deadline has passed, or it was cancelled. */
bool task_is_late(const struct store_task *task);

/* The words of a refusal that is not the business's: names the statement, never a value. */
void store_log(const struct statement *statement, const char *message, const char *detail);
/* The statement belongs to this set. */
bool store_has_statement(const struct query_set *queries, const struct statement *statement);
bool statement_is_read(const struct statement *statement);
/* Whether a miss or a refusal by the database is an answer that the app has named. */
bool statement_has_else(const struct statement *statement);
/* A value that a worker sent is what the prototype says. */
bool store_value_fits(const limen_value *value, const struct statement_param *param) LIMEN_MUST_CHECK;
void roles_write(const struct contract *contract, uint32_t roles, struct buf *out);
/* Roles that the contract no longer knows give no right. */
uint32_t roles_read(const struct contract *contract, limen_str text);

#endif
