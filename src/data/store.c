/* store.c - which database it is: the URL's scheme picks the back end, and everything else goes there. */
#include "data/store.h"

#include "data/store_internal.h"

static const struct {
    limen_str prefix;
    const struct store_ops *ops;
} SCHEMES[] = {
    { LIMEN_STR_INIT("sqlite:"), &sqlite_ops },
    { LIMEN_STR_INIT("postgresql://"), &pg_ops },
    { LIMEN_STR_INIT("postgres://"), &pg_ops },
};

static const struct store_ops *find_ops(limen_str url)
{
    for (size_t i = 0; i < sizeof(SCHEMES) / sizeof(SCHEMES[0]); i++) {
        if (str_starts(url, SCHEMES[i].prefix))
            return SCHEMES[i].ops;
    }
    return NULL;
}

static const struct store_ops *need_ops(limen_str url, struct diags *diags)
{
    const struct store_ops *ops = find_ops(url);
    if (ops == NULL)
        diags_add_at(diags, LIMEN_STR("--database"), 0, 0,
                     LIMEN_STR("write sqlite:var/app.db or postgresql://USER@HOST/NAME"),
                     "'%.*s' is not a database that this version knows", LIMEN_STR_ARG(url));
    return ops;
}

limen_str store_backend(limen_str url)
{
    const struct store_ops *ops = find_ops(url);
    return ops == NULL ? sqlite_ops.backend : ops->backend;
}

const char *store_move_in(limen_str url, uint32_t user, struct arena *arena, struct diags *diags)
{
    const struct store_ops *ops = need_ops(url, diags);
    return ops == NULL ? NULL : ops->move_in(url, user, arena, diags);
}

bool store_describe_sandbox(limen_str url, struct store_sandbox *ret_sandbox, struct arena *arena, struct diags *diags)
{
    const struct store_ops *ops = need_ops(url, diags);
    return ops != NULL && ops->describe_sandbox(url, ret_sandbox, arena, diags);
}

struct store *store_open(const struct store_config *config, struct loop *loop, struct arena *arena, struct diags *diags)
{
    const struct store_ops *ops = need_ops(config->url, diags);
    return ops == NULL ? NULL : ops->open(config, loop, arena, diags);
}

void store_close(struct store *store)
{
    if (store != NULL)
        store->ops->close(store);
}

void store_submit(struct store *store, struct store_task *task)
{
    store->ops->submit(store, task);
}

void store_abandon(struct store *store, uint64_t transaction)
{
    store->ops->abandon(store, transaction);
}

bool store_is_away(const struct store *store)
{
    return store->ops->is_away != NULL && store->ops->is_away(store);
}

bool store_first_account(struct store *store, limen_str id, limen_str email, limen_str password_hash, uint32_t roles)
{
    return store->ops->first_account(store, id, email, password_hash, roles);
}

bool store_key_add(const struct store_keys_config *config, limen_str name, uint32_t roles, char *ret_text,
                   struct arena *arena, struct diags *diags)
{
    const struct store_ops *ops = need_ops(config->url, diags);
    return ops != NULL && ops->key_add(config, name, roles, ret_text, arena, diags);
}

bool store_key_revoke(const struct store_keys_config *config, limen_str id, struct arena *arena, struct diags *diags)
{
    const struct store_ops *ops = need_ops(config->url, diags);
    return ops != NULL && ops->key_revoke(config, id, arena, diags);
}

bool store_key_list(const struct store_keys_config *config, struct buf *out, struct arena *arena, struct diags *diags)
{
    const struct store_ops *ops = need_ops(config->url, diags);
    return ops != NULL && ops->key_list(config, out, arena, diags);
}

bool store_check(limen_str url, const struct query_set *queries, const struct limen_file *migrations, size_t count,
                 struct arena *arena, struct diags *diags, struct diags *warnings)
{
    const struct store_ops *ops = need_ops(url, diags);
    return ops != NULL && (ops->check == NULL || ops->check(url, queries, migrations, count, arena, diags, warnings));
}

bool store_migrate(limen_str url, const struct limen_file *migrations, size_t count, bool apply, struct buf *out,
                   struct arena *arena, struct diags *diags)
{
    const struct store_ops *ops = need_ops(url, diags);
    return ops != NULL && ops->migrate(url, migrations, count, apply, out, arena, diags);
}

const char *store_effects_wanted(enum store_effect_filter filter)
{
    static const char *const wanted[] = {
        [STORE_EFFECTS_OPEN] = "state <> 'done'", [STORE_EFFECTS_DEAD] = "state = 'dead'", [STORE_EFFECTS_ALL] = "true"
    };
    return wanted[filter];
}

bool store_effect_list(limen_str url, struct store_effect_page *page, struct buf *out, struct arena *arena,
                       struct diags *diags)
{
    const struct store_ops *ops = need_ops(url, diags);
    return ops != NULL && ops->effect_list(url, page, out, arena, diags);
}

bool store_effect_show(limen_str url, limen_str id, struct buf *out, struct arena *arena, struct diags *diags)
{
    const struct store_ops *ops = need_ops(url, diags);
    return ops != NULL && ops->effect_show(url, id, out, arena, diags);
}

bool store_effect_retry(limen_str url, limen_str id, struct arena *arena, struct diags *diags)
{
    const struct store_ops *ops = need_ops(url, diags);
    return ops != NULL && ops->effect_retry(url, id, arena, diags);
}

bool store_effect_drop(limen_str url, limen_str id, bool although_sent, struct arena *arena, struct diags *diags)
{
    const struct store_ops *ops = need_ops(url, diags);
    return ops != NULL && ops->effect_drop(url, id, although_sent, arena, diags);
}
