/* sqlite_store.h - what the loop's side, the readers and the writer share. Shared by the sqlite_*.c files only.
 *
 * The loop's thread puts tasks into a queue, a reader or the writer takes them, and they come back by the list of what is done and one
 * eventfd. A task belongs to exactly one thread at a time. */
#ifndef DATA_SQLITE_STORE_H
#define DATA_SQLITE_STORE_H

#include "core/loop.h"
#include "data/sqlite_db.h"

#include <pthread.h>

/* A session that was seen: written some time later. */
struct touch {
    uint8_t token_hash[TOKEN_HASH_BYTES];
    limen_time seen_at;
};

struct reader {
    struct sqlite_store *store;
    struct db scoped, unscoped;
    struct prepared *prepared; /* by the statement's number; of the reads only */
    pthread_t thread;
    bool is_running;
};

/* Slow statements wait in a list of their own and never hold more than half of the readers. */
struct read_queue {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct task_list tasks, slow;
    uint32_t idle, slow_running;
    bool is_closing;
};

/* Limen's own statements of the writer. */
enum own_statement {
    OWN_BEGIN,
    OWN_COMMIT,
    OWN_SAVEPOINT,
    OWN_RELEASE,
    OWN_ROLLBACK_TO,
    OWN_KEY_INSERT,
    OWN_KEY_FIND,
    OWN_CREDENTIAL_INSERT,
    OWN_CREDENTIAL_REHASH,
    OWN_SESSION_INSERT,
    OWN_SESSION_DELETE,
    OWN_SESSION_TOUCH,
    OWN_PURGE_KEYS,
    OWN_PURGE_SESSIONS,
    OWN_PURGE_EFFECTS,
    OWN_EFFECT_INSERT,
    OWN_EFFECT_LEASE,
    OWN_EFFECT_SETTLE,
    OWN_EFFECT_ASK,
    OWN_EFFECT_COUNT,
    OWN_COUNT
};

struct writer {
    struct sqlite_store *store;
    struct db db;
    struct prepared *prepared; /* by the statement's number; of the reads as well, for interactive transactions */
    sqlite3_stmt *own[OWN_COUNT];
    pthread_t thread;
    bool is_running;
    int64_t purge_at_us;
    uint32_t guarded_groups; /* so many of the next run with savepoints */
    /* ---- the queue ---- */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct task_list tasks, continued; /* `continued`: of an interactive transaction that was begun */
    struct touch touches[LIMIT_TOUCH_QUEUE];
    uint32_t touch_count;
    bool is_idle, is_closing;
    uint64_t held;     /* the interactive transaction that is open; 0: none */
    bool is_abandoned; /* its caller has gone */
};

/* The loop thread's own connection, for what is found by a key. */
struct lookup {
    struct db db;
    sqlite3_stmt *session, *api_key, *credential, *key;
};

struct sqlite_store {
    struct store base; /* first: it is what the world has of us */
    struct loop *loop;
    const struct contract *contract;
    const struct query_set *queries;
    limen_str effects; /* names, as a JSON array */
    const char *path;
    struct guards guards;
    struct lookup lookup;
    struct reader readers[LIMIT_DATA_READERS];
    struct read_queue reads;
    struct writer writer;
    /* ---- the way back ---- */
    int wake_fd;
    struct loop_source wake;
    bool is_watched;
    struct loop_task at_end;
    struct task_list found; /* by the lookup, in this turn; the loop's thread only */
    pthread_mutex_t done_lock;
    struct task_list done;
};

/* Hands a list of finished tasks to the loop; any thread. The list is empty afterwards. */
void sqlite_hand_back(struct sqlite_store *store, struct task_list *list);
/* Puts the statement's caller, scope and deadline on the connection, and takes them off. */
void store_enter(struct db *db, const struct store_task *task, const struct statement *statement);
void store_leave(struct db *db);

/* sqlite_lookup.c */
bool lookup_open(struct lookup *lookup, const char *path, struct diags *diags) LIMEN_MUST_CHECK;
void lookup_close(struct lookup *lookup);
/* Answers a …_FIND. */
void lookup_run(struct sqlite_store *store, struct store_task *task);

/* sqlite_read.c */
bool reader_open(struct reader *reader, struct sqlite_store *store, const char *path, struct arena *arena,
                 struct diags *diags) LIMEN_MUST_CHECK;
bool reader_start(struct reader *reader) LIMEN_MUST_CHECK;
/* False when the queue is full. */
bool readers_submit(struct sqlite_store *store, struct store_task *task) LIMEN_MUST_CHECK;
/* Lets the readers finish what is queued, and waits for them. */
void readers_close(struct sqlite_store *store);
/* Runs a READ's or a STEP's statement on a connection of the calling thread. */
enum store_outcome read_rows(struct db *db, const struct prepared *prepared, struct store_task *task);

/* sqlite_write.c (the thread), sqlite_held.c (interactive transactions) and sqlite_batch.c (one task inside a transaction) */
/* Prepares everything on `writer->db`, which is open and guarded. */
bool writer_prepare(struct writer *writer, struct sqlite_store *store, struct arena *arena,
                    struct diags *diags) LIMEN_MUST_CHECK;
bool writer_start(struct writer *writer) LIMEN_MUST_CHECK;
bool writer_submit(struct writer *writer, struct store_task *task) LIMEN_MUST_CHECK;
void writer_touch(struct writer *writer, const uint8_t *token_hash, limen_time seen_at);
void writer_close(struct writer *writer);

/* What a task has come to, kept apart from it until the group is committed: a group may run twice. */
struct attempt {
    enum store_outcome outcome;
    uint32_t refused_by;
    int status;
    limen_str reply;
};
/* Puts it into the task, which can then be handed back. */
void attempt_settle(const struct attempt *attempt, struct store_task *task);
/* Begins a transaction; false with the attempt's outcome. */
bool writer_begin(struct writer *writer, struct attempt *ret_attempt) LIMEN_MUST_CHECK;
/* Commits what `attempt` has come to. When there is no transaction any more, or no commit, an OK becomes what it then is. */
void writer_commit(struct writer *writer, struct attempt *attempt);
/* Runs an interactive transaction from its first STEP to its end. */
void held_run(struct writer *writer, struct store_task *first);
/* Steps one of Limen's own statements to its end and resets it. Returns SQLite's code of the step. */
int writer_own(struct writer *writer, enum own_statement which);
/* Runs one task without a savepoint. False when it came to nothing and has written: then its transaction must be undone. As below, it may
 * be gone already. */
bool batch_try(struct writer *writer, struct store_task *task, struct attempt *ret_attempt) LIMEN_MUST_CHECK;
/* Runs one task in a savepoint of its own. When the whole transaction is gone afterwards, sqlite3_get_autocommit tells. */
void batch_run(struct writer *writer, struct store_task *task, struct attempt *ret_attempt);

/* store.h's, for sqlite_ops: sqlite_effects.c, sqlite_folder.c, sqlite_held.c, sqlite_keys.c, sqlite_migrate.c. */
const char *sqlite_move_in(limen_str url, uint32_t user, struct arena *arena, struct diags *diags);
extern const struct syscall_list sqlite_syscalls;
void sqlite_abandon(struct store *base, uint64_t transaction);
bool sqlite_key_add(const struct store_keys_config *config, limen_str name, uint32_t roles, char *ret_text,
                    struct arena *arena, struct diags *diags);
bool sqlite_key_revoke(const struct store_keys_config *config, limen_str id, struct arena *arena, struct diags *diags);
bool sqlite_key_list(const struct store_keys_config *config, struct buf *out, struct arena *arena, struct diags *diags);
bool sqlite_migrate(limen_str url, const struct limen_file *migrations, size_t count, bool apply, struct buf *out,
                    struct arena *arena, struct diags *diags);
bool sqlite_effect_list(limen_str url, struct store_effect_page *page, struct buf *out, struct arena *arena,
                        struct diags *diags);
bool sqlite_effect_show(limen_str url, limen_str id, struct buf *out, struct arena *arena, struct diags *diags);
bool sqlite_effect_retry(limen_str url, limen_str id, struct arena *arena, struct diags *diags);
bool sqlite_effect_drop(limen_str url, limen_str id, bool although_sent, struct arena *arena, struct diags *diags);

/* sqlite_outbox.c: what runs in a task's turn. */
/* An effect of a batch: `stmt` is its SELECT, bound. */
enum store_outcome outbox_put(struct writer *writer, struct store_task *task, const struct store_item *item,
                              sqlite3_stmt *stmt);
enum store_outcome outbox_lease(struct writer *writer, struct store_task *task);
enum store_outcome outbox_settle(struct writer *writer, const struct store_settlement *settlement);
enum store_outcome outbox_ask(struct writer *writer, const struct store_task *task);
enum store_outcome outbox_count(struct writer *writer, struct store_task *task);
bool outbox_name_effects(struct sqlite_store *store, struct arena *arena) LIMEN_MUST_CHECK;

#endif
