/* sqlite_store.c - store.h on SQLite: opens, submits, hands back.
 *
 * Lookups by a key are answered in the loop's own thread, for a switch of threads costs more than they do; reads go to the readers,
 * everything that writes to the one writer. */
#include "data/sqlite_store.h"

#include "core/arena.h"
#include "core/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIGRATE_POLL_US 200000

/* ---- for readers and writer ------------------------------------------------------------------------------------------- */

void store_enter(struct db *db, const struct store_task *task, const struct statement *statement)
{
    db->caller = task->principal.id_len == 0 ? (limen_str){ 0 } : principal_id(&task->principal);
    db->is_unscoped = statement->scope.len > 0;
    db->deadline_us = task->deadline_us;
    db->is_cancelled = &task->is_cancelled;
    db->was_stopped = false;
}

void store_leave(struct db *db)
{
    db->caller = (limen_str){ 0 };
    db->is_unscoped = false;
    db->deadline_us = 0;
    db->is_cancelled = NULL;
}

/* ---- the way back ------------------------------------------------------------------------------------------------------- */

void sqlite_hand_back(struct sqlite_store *store, struct task_list *list)
{
    if (list->first == NULL)
        return;
    pthread_mutex_lock(&store->done_lock);
    bool was_empty = store->done.first == NULL;
    task_list_append(&store->done, list);
    pthread_mutex_unlock(&store->done_lock);
    uint64_t one = 1;
    if (was_empty && write(store->wake_fd, &one, sizeof one) != (ssize_t)sizeof one && errno != EAGAIN)
        BUG("the eventfd of the store cannot be written");
}

static void take_done(struct sqlite_store *store)
{
    struct task_list list;
    pthread_mutex_lock(&store->done_lock);
    list = store->done;
    store->done = (struct task_list){ 0 };
    pthread_mutex_unlock(&store->done_lock);
    task_list_finish(&list);
}

static void on_wake(struct loop_source *source, uint32_t events)
{
    (void)events;
    struct sqlite_store *store = (struct sqlite_store *)((char *)source - offsetof(struct sqlite_store, wake));
    uint64_t count;
    if (read(store->wake_fd, &count, sizeof count) < 0 && errno != EAGAIN)
        BUG("the eventfd of the store cannot be read");
    take_done(store);
}

static void on_end_of_turn(struct loop_task *task)
{
    struct sqlite_store *store = (struct sqlite_store *)((char *)task - offsetof(struct sqlite_store, at_end));
    struct task_list list = store->found;
    store->found = (struct task_list){ 0 };
    task_list_finish(&list);
}

static void answer_now(struct sqlite_store *store, struct store_task *task)
{
    task_list_push(&store->found, task);
    loop_at_end(store->loop, &store->at_end);
}

static struct sqlite_store *store_of(struct store *base)
{
    return (struct sqlite_store *)base;
}

static void submit(struct store *base, struct store_task *task)
{
    struct sqlite_store *store = store_of(base);
    bool is_taken = true;
    task->next = NULL;
    switch (task->kind) {
    case STORE_SESSION_FIND:
    case STORE_API_KEY_FIND:
    case STORE_CREDENTIAL_FIND:
    case STORE_KEY_FIND:
        lookup_run(store, task);
        answer_now(store, task);
        return;
    case STORE_READ:
        is_taken = readers_submit(store, task);
        break;
    case STORE_BATCH:
    case STORE_STEP:
    case STORE_SESSION_START:
    case STORE_SESSION_END:
    case STORE_CREDENTIAL_REHASH:
    case STORE_EFFECT_LEASE:
    case STORE_EFFECT_SETTLE:
    case STORE_EFFECT_ASK:
    case STORE_EFFECT_COUNT:
        is_taken = writer_submit(&store->writer, task);
        break;
    }
    if (is_taken)
        return;
    task->outcome = STORE_BUSY;
    answer_now(store, task);
}

/* ---- opening -------------------------------------------------------------------------------------------------------------- */

static bool refuse(struct diags *diags, limen_str url, limen_str mend, const char *message)
{
    diags_add_at(diags, url, 0, 0, mend, "%s", message);
    return false;
}

/* The file and its folder, readable by nobody else. */
static bool make_file(const char *path, limen_str url, struct arena *arena, struct diags *diags)
{
    limen_str all = str_of(path);
    size_t slash = all.len;
    while (slash > 0 && path[slash - 1] != '/')
        slash--;
    limen_str folder = arena_copy(arena, str_slice(all, 0, slash));
    if (folder.ptr == NULL)
        return refuse(diags, url, LIMEN_STR(""), "memory is out");
    if (folder.len > 1 && mkdir(folder.ptr, 0700) != 0 && errno != EEXIST)
        return refuse(diags, url, LIMEN_STR("make the folder, or choose another with --database"),
                      "the database's folder cannot be made");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
    if (fd < 0)
        return refuse(diags, url, LIMEN_STR("check who may write there, or choose another file with --database"),
                      "the database's file cannot be opened");
    close(fd);
    return true;
}

/* Waits until another has applied what is pending. */
static enum migration_stand wait_for_migrations(struct db *db, const struct migration_set *set, struct diags *diags)
{
    uint32_t pending = 0, last = UINT32_MAX;
    for (;;) {
        enum migration_stand stand = sqlite_compare(db, set, &pending, diags);
        if (stand != STAND_PENDING)
            return stand;
        if (pending != last)
            LOG_INFO("waiting for migrations to be applied", log_int("pending", pending));
        last = pending;
        usleep(MIGRATE_POLL_US);
    }
}

/* Brings the migrations to where the configuration wants them: READY, AHEAD or FAULT. */
static enum migration_stand settle(struct db *db, const struct store_config *config, const struct migration_set *set,
                                   struct diags *diags)
{
    uint32_t pending = 0;
    enum migration_stand stand = config->migrate == STORE_MIGRATE_WAIT ? wait_for_migrations(db, set, diags)
                                                                       : sqlite_compare(db, set, &pending, diags);
    if (stand == STAND_FAULT)
        return stand;
    if (stand == STAND_PENDING && config->migrate == STORE_MIGRATE_OFF) {
        (void)refuse(diags, config->url, LIMEN_STR("run `migrate --apply` first, or start with `--migrate auto`"),
                     "migrations are pending");
        return STAND_FAULT;
    }
    return sqlite_apply(db, set, diags);
}

static bool migrate(struct sqlite_store *store, const struct store_config *config, struct migration_set *set,
                    struct arena *arena, struct diags *diags)
{
    struct db *db = &store->writer.db;
    enum migration_stand stand = settle(db, config, set, diags);
    if (stand == STAND_AHEAD) {
        LOG_INFO(MIGRATIONS_AHEAD, log_int("known", set->count));
        sqlite_leave_to_newer(db, set);
    }
    if (stand == STAND_FAULT || !guards_build(db->handle, set, arena, &store->guards, diags))
        return false;
    if (stand == STAND_AHEAD)
        return true;
    if (config->migrate == STORE_MIGRATE_AUTO)
        return sqlite_sync_triggers(db, &store->guards, diags);
    return sqlite_triggers_are_there(db, &store->guards)
        || refuse(diags, config->url, LIMEN_STR("run `migrate --apply`"),
                  "the database lacks the triggers of `-- decided-by:`");
}

static bool open_writer(struct sqlite_store *store, const struct store_config *config, const char *path,
                        struct arena *arena, struct diags *diags)
{
    struct migration_set set;
    struct db *db = &store->writer.db;
    if (!migrations_parse(config->migrations, config->migration_count, LIMEN_STR("sqlite"), arena, &set, diags))
        return false;
    if (!db_open(db, DB_PLAIN, path, /* is_read_only= */ false))
        return refuse(diags, config->url, LIMEN_STR(""), db->denied);
    if (!migrate(store, config, &set, arena, diags))
        return false;
    db->kind = DB_WRITER;
    if (!db_guard(db, &store->guards))
        return refuse(diags, config->url, LIMEN_STR(""), db->denied);
    return writer_prepare(&store->writer, store, arena, diags);
}

static bool open_all(struct sqlite_store *store, const struct store_config *config, struct arena *arena,
                     struct diags *diags)
{
    const char *path = config->file != NULL ? config->file : sqlite_path(config->url, arena, diags);
    store->path = path;
    if (path == NULL || !make_file(path, config->url, arena, diags))
        return false;
    if (!store_describe(config->queries, config->migrations, config->migration_count, arena, diags))
        return false;
    if (!open_writer(store, config, path, arena, diags) || !lookup_open(&store->lookup, path, diags))
        return false;
    for (size_t i = 0; i < LIMIT_DATA_READERS; i++) {
        if (!reader_open(&store->readers[i], store, path, arena, diags))
            return false;
    }
    store->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    store->is_watched = store->wake_fd >= 0
        && loop_add(store->loop, &store->wake, store->wake_fd, EPOLLIN, /* exclusive= */ false, on_wake);
    if (!store->is_watched)
        return refuse(diags, config->url, LIMEN_STR(""), "the kernel has no eventfd left");
    for (size_t i = 0; i < LIMIT_DATA_READERS; i++) {
        if (!reader_start(&store->readers[i]))
            return refuse(diags, config->url, LIMEN_STR(""), "a reader's thread cannot be started");
    }
    return writer_start(&store->writer)
        || refuse(diags, config->url, LIMEN_STR(""), "the writer's thread cannot be started");
}

static void close_store(struct store *base)
{
    struct sqlite_store *store = store_of(base);
    readers_close(store);
    lookup_close(&store->lookup);
    writer_close(&store->writer); /* last: whoever closes last folds the log into the file, and readers may not */
    task_list_finish(&store->found);
    take_done(store);
    if (store->is_watched)
        loop_remove(store->loop, &store->wake);
    if (store->wake_fd >= 0)
        close(store->wake_fd);
    pthread_mutex_destroy(&store->done_lock);
    pthread_mutex_destroy(&store->reads.lock);
    pthread_cond_destroy(&store->reads.wake);
    pthread_mutex_destroy(&store->writer.lock);
    pthread_cond_destroy(&store->writer.wake);
    free(store);
}

static struct store *open_store(const struct store_config *config, struct loop *loop, struct arena *arena,
                                struct diags *diags)
{
    struct sqlite_store *store = calloc(1, sizeof *store);
    if (store == NULL)
        return NULL;
    store->base.ops = &sqlite_ops;
    store->loop = loop;
    store->contract = config->contract;
    store->queries = config->queries;
    store->wake_fd = -1;
    store->at_end.run = on_end_of_turn;
    pthread_mutex_init(&store->done_lock, NULL);
    pthread_mutex_init(&store->reads.lock, NULL);
    pthread_cond_init(&store->reads.wake, NULL);
    pthread_mutex_init(&store->writer.lock, NULL);
    pthread_cond_init(&store->writer.wake, NULL);
    if (open_all(store, config, arena, diags))
        return &store->base;
    close_store(&store->base);
    return NULL;
}

/* ---- the first account ---------------------------------------------------------------------------------------------------- */

static bool first_account(struct store *base, limen_str id, limen_str email, limen_str password_hash, uint32_t roles)
{
    struct sqlite_store *store = store_of(base);
    struct db db = { 0 };
    char memory[2048];
    struct buf names;
    sqlite3_stmt *stmt = NULL;
    buf_init_fixed(&names, memory, sizeof memory);
    roles_write(store->contract, roles, &names);
    bool is_made = !names.failed && db_open(&db, DB_PLAIN, store->path, /* is_read_only= */ false)
        && db_prepare_own(&db,
                          "INSERT INTO limen_credentials (account_id, email, password_hash, roles, created_at)"
                          " SELECT ?1, lower(?2), ?3, ?4, ?5 WHERE NOT EXISTS (SELECT 1 FROM limen_credentials)",
                          &stmt);
    if (is_made) {
        db_bind_text(stmt, 1, id);
        db_bind_text(stmt, 2, email);
        db_bind_text(stmt, 3, password_hash);
        db_bind_text(stmt, 4, buf_str(&names));
        (void)sqlite3_bind_int64(stmt, 5, clock_wall_us());
        is_made = db_step_own(&db, stmt) == SQLITE_DONE && sqlite3_changes64(db.handle) == 1;
    }
    sqlite3_finalize(stmt);
    db_close(&db);
    return is_made;
}

/* ---- what the world has of it ------------------------------------------------------------------------------------------------ */

/* Everything is in the folder that the role has moved into. */
static bool describe_sandbox(limen_str url, struct store_sandbox *ret_sandbox, struct arena *arena, struct diags *diags)
{
    (void)url;
    (void)arena;
    (void)diags;
    *ret_sandbox = (struct store_sandbox){
        .syscalls = &sqlite_syscalls,
        .paths = { { .path = ".", .access = SANDBOX_WRITE } },
        .path_count = 1,
    };
    return true;
}

const struct store_ops sqlite_ops = {
    .backend = LIMEN_STR_INIT("sqlite"),
    .move_in = sqlite_move_in,
    .describe_sandbox = describe_sandbox,
    .open = open_store,
    .close = close_store,
    .submit = submit,
    .abandon = sqlite_abandon,
    .first_account = first_account,
    .key_add = sqlite_key_add,
    .key_revoke = sqlite_key_revoke,
    .key_list = sqlite_key_list,
    .effect_list = sqlite_effect_list,
    .effect_show = sqlite_effect_show,
    .effect_retry = sqlite_effect_retry,
    .effect_drop = sqlite_effect_drop,
    .migrate = sqlite_migrate,
};
