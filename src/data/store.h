/* store.h - the interface that a database back end fills: SQLite or PostgreSQL, as the URL says.
 *
 * The data role's loop submits tasks; the store works on them (on its threads, or on connections in the loop) and
 * hands each back exactly once, on the loop's thread. Nothing above this line knows which database it is. */
#ifndef DATA_STORE_H
#define DATA_STORE_H

#include "contract/contract.h"
#include "core/sandbox.h"
#include "core/str.h"
#include "data/principal.h"
#include "data/queries.h"

#define STORE_SANDBOX_PATHS 16U
#define STORE_SANDBOX_PORTS 9U

struct loop;
struct store;

enum store_outcome {
    STORE_OK,
    STORE_NONE,    /* no such session, credential, key */
    STORE_TAKEN,   /* sign-up: the email has an account */
    STORE_REFUSED, /* a :must changed no row, or the database refused a row of it (constraint, trigger): `refused_by` */
    STORE_REPLAY,  /* the key has been committed before: `status`, `reply` */
    STORE_KEY_REUSED, /* the key has been used for another request: 422 */
    STORE_BUSY,       /* a queue is full: 503 */
    STORE_TIMEOUT,    /* the deadline has passed; a batch was then not committed */
    STORE_UNKNOWN,    /* it may or may not have been committed */
    STORE_ERROR       /* logged by the store: 500 */
};

enum store_task_kind {
    STORE_READ,          /* :one, :many */
    STORE_BATCH,         /* a call's queue, one transaction, or the end of an interactive one */
    STORE_STEP,          /* a queue and a read that sees it, in an interactive transaction: it stays open */
    STORE_KEY_FIND,      /* is this idempotency key committed? */
    STORE_SESSION_FIND,  /* token hash -> principal; slides the idle expiry (noted at most once a minute) */
    STORE_SESSION_START, /* a new session for `principal` */
    STORE_SESSION_END,
    STORE_API_KEY_FIND,    /* id and hash of the secret -> principal */
    STORE_CREDENTIAL_FIND, /* email -> principal and password hash */
    STORE_CREDENTIAL_REHASH,
    STORE_EFFECT_LEASE,  /* takes effects that are due: nobody else does for as long as the lease runs */
    STORE_EFFECT_SETTLE, /* what came of one. STORE_NONE: another has taken it over, or it is settled for good */
    STORE_EFFECT_ASK, /* news of a provider's object, or of an effect's key: due at once. STORE_NONE: nobody waits for it */
    STORE_EFFECT_COUNT
};

/* One statement of a batch. */
struct store_item {
    const struct statement *statement;
    const limen_value *params;
    uint32_t param_count;
};

/* A sign-up that is committed with its batch: credential and session come first. */
struct store_sign_up {
    limen_str email, password_hash; /* hash in argon2's encoded form */
    bool session_is_elsewhere;      /* it is not the store that keeps sessions */
    uint8_t token_hash[TOKEN_HASH_BYTES];
    /* The account's id and roles are the task's principal. */
};

/* ---- effects: the outbox ------------------------------------------------------------------------------------------------ */
/* An effect's row is written in the batch that asks for it, and lives on its own from then on. Whoever works on it holds a lease; each
 * lease raises the row's fence, and what is settled under an older fence is refused: a process that slept through its lease changes
 * nothing that another has taken over. */
enum store_effect_state {
    STORE_EFFECT_PENDING,  /* nobody has sent it */
    STORE_EFFECT_SENT,     /* the provider may have been told; what came of it is not known for good */
    STORE_EFFECT_ANSWERED, /* it is known, and the app is to hear of it */
    STORE_EFFECT_DONE,     /* the app has heard */
    STORE_EFFECT_DEAD      /* given up: an operator's */
};

/* What came of an effect, as far as it is known. */
struct store_effect_result {
    bool is_known; /* for good: `outcome` */
    enum limen_effect_outcome outcome;
    limen_str object_id, state, code; /* the provider's words; empty: not told */
    limen_str note;                   /* for the operator: why it is not done yet */
};

/* An effect that was leased. */
struct store_effect {
    limen_str id;
    int64_t fence;
    enum store_effect_state
        state; /* SENT or ANSWERED: a lease of a pending one is noted as sent, before anything leaves */
    const struct statement *statement;
    limen_str key;      /* the provider's: "charge/ord_…" */
    limen_str params;   /* in the wire's form (wire_get_values) */
    limen_str payload;  /* a JSON object: the row of its SELECT */
    uint32_t attempts;  /* since the last thing that was learned */
    limen_time sent_at; /* when the key was first used */
    limen_time created_at;
    struct store_effect_result result;
};

struct store_settlement {
    limen_str id;
    int64_t fence;
    enum store_effect_state state;
    limen_time due_at;      /* PENDING, SENT, ANSWERED: when it is worked on again */
    limen_time lease_until; /* 0: given back */
    uint32_t attempts;
    limen_time sent_at;
    struct store_effect_result result;
};

struct store_effect_counts {
    uint64_t open, dead; /* open: PENDING, SENT and ANSWERED */
    limen_time oldest;   /* when the oldest open one was asked for; 0: there is none */
};

struct store_task {
    /* ---- in ---- */
    enum store_task_kind kind;
    struct arena *arena;        /* of the task: results are put there by the store; belongs to the submitter */
    struct principal principal; /* acts; filled in by the …_FIND of credentials */
    limen_time now;             /* :now */
    int64_t deadline_us;        /* monotonic */
    bool is_cancelled;          /* set (relaxed atomic) by the loop; best effort */

    /* An interactive transaction: its number, of the submitter's choice and never used again; 0: none. It is begun by a STEP, continued
     * by others, ended by a BATCH, and gone after any outcome but STORE_OK. A store may end it by itself (STORE_TIMEOUT for what comes
     * later): it keeps others waiting. */
    uint64_t transaction;
    bool continues; /* STEP, BATCH: a STEP has begun it */

    const struct statement *statement; /* READ, STEP */
    const limen_value *params;
    uint32_t param_count;

    const struct store_item *items; /* BATCH, STEP */
    uint32_t item_count;
    const struct store_sign_up *sign_up; /* BATCH, STEP; or NULL */
    const struct store_settlement
        *settlement;     /* EFFECT_SETTLE; BATCH: what it does is an effect's result, and both or neither are */
    uint32_t lease_most; /* EFFECT_LEASE: how many at most */
    limen_time lease_until;
    bool may_send;           /* EFFECT_LEASE: those that are to be sent as well, not only those that were answered */
    limen_str news_of;       /* EFFECT_ASK: the provider's id of an object, or an effect's key */
    bool has_key;            /* BATCH; KEY_FIND and STEP, which look only */
    limen_str key;           /* unique per principal */
    uint8_t fingerprint[32]; /* SHA-256 of method, path and payload */
    int status;              /* BATCH with key: the reply to store; out: the stored one */
    limen_str reply;

    uint8_t token_hash[TOKEN_HASH_BYTES]; /* SESSION_… */
    limen_str key_id;                     /* API_KEY_FIND; the hash of its secret is token_hash */
    limen_str email;                      /* CREDENTIAL_… */

    /* ---- out ---- */
    enum store_outcome outcome;
    struct buf rows; /* READ, STEP: in the wire's row form (data/wire.h: wire_get_row), one after another */
    uint32_t row_count;
    struct buf returned;          /* BATCH, STEP: the rows of their :returning, in order */
    uint32_t refused_by;          /* index in items */
    limen_str password_hash;      /* CREDENTIAL_FIND */
    struct store_effect *effects; /* EFFECT_LEASE */
    uint32_t effect_count;
    struct store_effect_counts counts; /* EFFECT_COUNT */

    void (*on_done)(struct store_task *task); /* on the loop's thread */
    void *context;
    struct store_task *next; /* the store's own */
};

/* What a start does about migrations that are pending. */
enum store_migrate { STORE_MIGRATE_AUTO, STORE_MIGRATE_WAIT, STORE_MIGRATE_OFF };

struct store_config {
    limen_str url;                   /* "sqlite:var/shop.db" */
    uint32_t connections;            /* to a server; 0: as many as by default */
    const char *file;                /* what store_move_in gave; NULL: the file that the URL names */
    const struct contract *contract; /* names of roles */
    struct query_set *queries;
    const struct limen_file *migrations;
    size_t migration_count;
    enum store_migrate migrate;
};

/* Makes the database's folder and moves into it: from then on files are named without a path, which a process that gives up root may not
 * be able to walk (/root is closed to others). `user` not 0: root hands the folder and the database's files over to that user - what
 * was root's or is the user's already, and nothing else. Returns the file's name, in the arena; NULL after adding to `diags`. */
const char *store_move_in(limen_str url, uint32_t user, struct arena *arena, struct diags *diags) LIMEN_MUST_CHECK;
/* As `-- on:` in queries.sql and migrations names the URL's back end; of a URL that nobody knows it is SQLite's. */
limen_str store_backend(limen_str url);

/* What opening a store, and an opened one, needs of the kernel. */
struct store_sandbox {
    const struct syscall_list *syscalls;
    struct sandbox_path paths[STORE_SANDBOX_PATHS];
    size_t path_count;
    uint16_t ports[STORE_SANDBOX_PORTS]; /* to connect to */
    size_t port_count;
};
/* Called after store_move_in. False after adding to `diags`. */
bool store_describe_sandbox(limen_str url, struct store_sandbox *ret_sandbox, struct arena *arena,
                            struct diags *diags) LIMEN_MUST_CHECK;
/* Opens, migrates as asked (forward only, checksummed), prepares every statement. NULL after adding to `diags`. `is_new` tells that no
 * account exists yet. */
struct store *store_open(const struct store_config *config, struct loop *loop, struct arena *arena,
                         struct diags *diags);
/* Finishes what is queued, then closes. */
void store_close(struct store *store);
void store_submit(struct store *store, struct store_task *task);
/* Undoes an interactive transaction whose caller has gone; nothing when it is not open. A STEP of it that is under way is to be cancelled
 * first. */
void store_abandon(struct store *store, uint64_t transaction);
/* The database has not been reached for a while, and what is asked of it is refused at once: STORE_BUSY. */
bool store_is_away(const struct store *store);
/* Makes the contract's first account when no credential exists yet; true when it was made. Called before any submit. */
bool store_first_account(struct store *store, limen_str id, limen_str email, limen_str password_hash, uint32_t roles);

/* Fills in every statement's columns against the migrated schema, in memory: for `limen gen`, `limen check` and store_open; also
 * checks every statement (it prepares, its kind fits, names are typed, no owner table is written around its guard). */
bool store_describe(struct query_set *queries, const struct limen_file *migrations, size_t migration_count,
                    struct arena *arena, struct diags *diags) LIMEN_MUST_CHECK;

/* API keys, for the operator's command `keys`; a server that runs meanwhile knows of each change at once. */
struct store_keys_config {
    limen_str url;
    const struct contract *contract; /* names of roles */
};
/* Makes a key and writes it to `ret_text`, of API_KEY_TEXT_BYTES; nothing that is stored tells it again. False after adding to diags. */
bool store_key_add(const struct store_keys_config *config, limen_str name, uint32_t roles, char *ret_text,
                   struct arena *arena, struct diags *diags) LIMEN_MUST_CHECK;
/* From now on the key opens nothing. */
bool store_key_revoke(const struct store_keys_config *config, limen_str id, struct arena *arena,
                      struct diags *diags) LIMEN_MUST_CHECK;
/* All keys, one line each: id, when it was made, whether it is revoked, roles, name. */
bool store_key_list(const struct store_keys_config *config, struct buf *out, struct arena *arena,
                    struct diags *diags) LIMEN_MUST_CHECK;

/* The outbox, for the operator's command `effects`. */
enum store_effect_filter { STORE_EFFECTS_OPEN, STORE_EFFECTS_DEAD, STORE_EFFECTS_ALL };
struct store_effect_page {
    enum store_effect_filter filter;
    uint32_t most;
    limen_str
        after; /* an id, or empty: those behind it. Afterwards, where some are left, the last one that was listed, in the arena */
    uint64_t left; /* afterwards: how many more there are */
};
/* One line each, oldest first: id, state, when, attempts, key, note. */
bool store_effect_list(limen_str url, struct store_effect_page *page, struct buf *out, struct arena *arena,
                       struct diags *diags) LIMEN_MUST_CHECK;
/* All that is known of one. */
bool store_effect_show(limen_str url, limen_str id, struct buf *out, struct arena *arena,
                       struct diags *diags) LIMEN_MUST_CHECK;
/* One that is dead is worked on again; one that waits is due at once. */
bool store_effect_retry(limen_str url, limen_str id, struct arena *arena, struct diags *diags) LIMEN_MUST_CHECK;
/* Gives a dead one up: the app hears that it failed, or, where it could not take what came of it, nothing more. `although_sent`: also one of which nobody knows whether the provider did it. */
bool store_effect_drop(limen_str url, limen_str id, bool although_sent, struct arena *arena,
                       struct diags *diags) LIMEN_MUST_CHECK;

/* `check --database`: whether every statement is understood there and gives what store_describe has found, and whether migrations and
 * guards are those of the files; that it is ahead is a warning. `queries` are of the URL's back end, and described. SQLite has been asked
 * by then: true. */
bool store_check(limen_str url, const struct query_set *queries, const struct limen_file *migrations, size_t count,
                 struct arena *arena, struct diags *diags, struct diags *warnings) LIMEN_MUST_CHECK;

/* `migrate`: what is applied and what is pending, one line each, into `out`; with `apply` it applies. False after adding to diags. */
bool store_migrate(limen_str url, const struct limen_file *migrations, size_t count, bool apply, struct buf *out,
                   struct arena *arena, struct diags *diags) LIMEN_MUST_CHECK;

#endif
