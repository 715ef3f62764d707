/* fake_store.h - a store of a few arrays, for the tests of the data role.
 *
 * It defines every function of data/store.h, so the linker takes it in place of a back end. Tasks are finished when the
 * test says so, in the order of the test's choice, as a store on threads might. */
#ifndef TESTS_DATA_FAKE_STORE_H
#define TESTS_DATA_FAKE_STORE_H

#include "core/arena.h"
#include "data/store.h"
#include "data/wire.h"

#include <stdlib.h>

#define FAKE_ROOM 64

struct fake_account {
    char email[PRINCIPAL_EMAIL_BYTES + 1], hash[128];
    struct principal principal;
};
struct fake_session {
    uint8_t token_hash[TOKEN_HASH_BYTES];
    struct principal principal;
};

static struct fake_store {
    struct store_task *held; /* newest first */
    size_t held_count;
    bool is_immediate;        /* tasks are finished inside store_submit */
    enum store_outcome fault; /* not STORE_OK: every task ends so */
    struct fake_account accounts[FAKE_ROOM];
    size_t account_count;
    struct fake_session sessions[FAKE_ROOM];
    size_t session_count;
    size_t submitted, cancelled, batches, rehashes;
    /* READ */
    uint32_t row_count;
    size_t row_text_bytes;
    /* the last batch and the last read */
    struct principal actor;
    uint32_t last_items;
    bool last_had_sign_up;
    char key[256], reply[1024]; /* the one key that has been committed */
    int key_status;
    uint32_t refuse_at;         /* with `fault` STORE_REFUSED */
    uint32_t returned_bytes;    /* what a batch returns */
    struct store_effect effect; /* the one that may be leased */
    bool has_effect;
    struct store_settlement settled; /* the last; its texts are gone when the role has been told */
    size_t settlements, asked;
    uint64_t open, abandoned; /* the last interactive transaction that was begun, and that was abandoned */
} fake;

static inline struct fake_account *fake_find(limen_str email)
{
    for (size_t i = 0; i < fake.account_count; i++)
        if (str_equal(str_of(fake.accounts[i].email), email))
            return &fake.accounts[i];
    return NULL;
}

static inline struct principal fake_principal(limen_str id, limen_str email, uint32_t roles)
{
    struct principal principal = { .id_len = (uint8_t)id.len, .email_len = (uint8_t)email.len, .roles = roles };
    memcpy(principal.id, id.ptr, id.len);
    memcpy(principal.email, email.ptr, email.len);
    return principal;
}

static inline bool fake_add_account(limen_str email, limen_str hash, struct principal principal)
{
    if (fake_find(email) != NULL || fake.account_count == FAKE_ROOM)
        return false;
    struct fake_account *account = &fake.accounts[fake.account_count++];
    memset(account, 0, sizeof(*account));
    memcpy(account->email, email.ptr, email.len);
    memcpy(account->hash, hash.ptr, hash.len);
    account->principal = principal;
    return true;
}

static inline void fake_add_session(const uint8_t token_hash[TOKEN_HASH_BYTES], struct principal principal)
{
    if (fake.session_count == FAKE_ROOM)
        return;
    memcpy(fake.sessions[fake.session_count].token_hash, token_hash, TOKEN_HASH_BYTES);
    fake.sessions[fake.session_count++].principal = principal;
}

/* Rows of one text column, each a letter repeated. */
static inline void fake_read(struct store_task *task)
{
    fake.actor = task->principal;
    buf_init(&task->rows, task->arena, 0);
    char *text = malloc(fake.row_text_bytes + 1);
    for (uint32_t i = 0; i < fake.row_count; i++) {
        memset(text, 'a' + (int)(i % 26), fake.row_text_bytes);
        wire_put_column_text(&task->rows, str_make(text, fake.row_text_bytes));
    }
    free(text);
    task->row_count = fake.row_count;
    task->outcome = task->rows.failed ? STORE_ERROR : STORE_OK;
}

static inline void fake_settle(struct store_task *task)
{
    task->outcome = task->settlement->fence == fake.effect.fence ? STORE_OK : STORE_NONE;
    fake.settled = *task->settlement;
    fake.settlements++;
}

static inline void fake_batch(struct store_task *task)
{
    fake.actor = task->principal;
    fake.last_items = task->item_count;
    fake.last_had_sign_up = task->sign_up != NULL;
    task->outcome = STORE_OK;
    if (task->settlement != NULL) {
        fake_settle(task);
        if (task->outcome != STORE_OK)
            return;
    }
    if (task->has_key && fake.key[0] != '\0' && str_equal(task->key, str_of(fake.key))) {
        task->outcome = STORE_REPLAY;
        task->status = fake.key_status;
        task->reply = arena_copy(task->arena, str_of(fake.reply));
        return;
    }
    if (task->sign_up != NULL
        && !fake_add_account(task->sign_up->email, task->sign_up->password_hash, task->principal)) {
        task->outcome = STORE_TAKEN;
        return;
    }
    if (task->sign_up != NULL && !task->sign_up->session_is_elsewhere)
        fake_add_session(task->sign_up->token_hash, task->principal);
    if (task->has_key) {
        memset(fake.key, 0, sizeof(fake.key));
        memset(fake.reply, 0, sizeof(fake.reply));
        memcpy(fake.key, task->key.ptr, task->key.len);
        memcpy(fake.reply, task->reply.ptr, task->reply.len);
        fake.key_status = task->status;
    }
    if (fake.returned_bytes > 0) {
        buf_init(&task->returned, task->arena, 0);
        char *room = buf_reserve(&task->returned, fake.returned_bytes);
        if (room != NULL) {
            memset(room, 'r', fake.returned_bytes);
            task->returned.len += fake.returned_bytes;
        }
    }
    fake.batches++;
    if (task->continues && task->transaction != fake.open)
        task->outcome = STORE_TIMEOUT;
    fake.open = 0;
}

/* Remembers which transaction is open, and reads. */
static inline void fake_step(struct store_task *task)
{
    bool is_cancelled = __atomic_load_n(&task->is_cancelled, __ATOMIC_RELAXED);
    if (is_cancelled || (task->continues && task->transaction != fake.open)) {
        fake.open = 0;
        task->outcome = STORE_TIMEOUT;
        return;
    }
    fake.open = task->transaction;
    fake.last_items = task->item_count;
    fake.last_had_sign_up = task->sign_up != NULL;
    fake_read(task);
}

static inline void fake_session_find(struct store_task *task)
{
    task->outcome = STORE_NONE;
    for (size_t i = 0; i < fake.session_count; i++)
        if (memcmp(fake.sessions[i].token_hash, task->token_hash, TOKEN_HASH_BYTES) == 0) {
            task->principal = fake.sessions[i].principal;
            task->outcome = STORE_OK;
        }
}

static inline void fake_credential(struct store_task *task)
{
    struct fake_account *account = fake_find(task->email);
    task->outcome = account == NULL ? STORE_NONE : STORE_OK;
    if (account == NULL)
        return;
    if (task->kind == STORE_CREDENTIAL_REHASH) {
        memset(account->hash, 0, sizeof(account->hash));
        memcpy(account->hash, task->password_hash.ptr, task->password_hash.len);
        fake.rehashes++;
        return;
    }
    task->principal = account->principal;
    task->password_hash = arena_copy(task->arena, str_of(account->hash));
}

/* One effect, leased while it is open. */
static inline void fake_lease(struct store_task *task)
{
    task->outcome = STORE_OK;
    task->effect_count = 0;
    if (!fake.has_effect || task->lease_most == 0)
        return;
    task->effects = ARENA_NEW(task->arena, struct store_effect);
    *task->effects = fake.effect;
    task->effects->fence = ++fake.effect.fence;
    task->effect_count = 1;
    fake.has_effect = false;
}

static inline void fake_finish(struct store_task *task)
{
    if (__atomic_load_n(&task->is_cancelled, __ATOMIC_RELAXED))
        fake.cancelled++;
    if (fake.fault != STORE_OK) {
        task->outcome = fake.fault;
        task->refused_by = fake.refuse_at;
        task->on_done(task);
        return;
    }
    switch (task->kind) {
    case STORE_READ:
        fake_read(task);
        break;
    case STORE_BATCH:
        fake_batch(task);
        break;
    case STORE_STEP:
        fake_step(task);
        break;
    case STORE_KEY_FIND:
        task->outcome = STORE_NONE;
        break;
    case STORE_SESSION_FIND:
        fake_session_find(task);
        break;
    case STORE_API_KEY_FIND: /* one key, whose secret is the token of 32 zeros */
        task->outcome = str_equal(task->key_id, LIMEN_STR("abcdefghijklmnop")) ? STORE_OK : STORE_NONE;
        task->principal = (struct principal){ .id_len = 5, .id = "key_a", .roles = UINT32_MAX };
        break;
    case STORE_SESSION_START:
        fake_add_session(task->token_hash, task->principal);
        task->outcome = STORE_OK;
        break;
    case STORE_SESSION_END:
        task->outcome = STORE_NONE;
        for (size_t i = 0; i < fake.session_count; i++)
            if (memcmp(fake.sessions[i].token_hash, task->token_hash, TOKEN_HASH_BYTES) == 0) {
                fake.sessions[i] = fake.sessions[--fake.session_count];
                task->outcome = STORE_OK;
            }
        break;
    case STORE_CREDENTIAL_FIND:
    case STORE_CREDENTIAL_REHASH:
        fake_credential(task);
        break;
    case STORE_EFFECT_LEASE:
        fake_lease(task);
        break;
    case STORE_EFFECT_SETTLE:
        fake_settle(task);
        break;
    case STORE_EFFECT_ASK:
        fake.asked++;
        task->outcome = str_equal(task->news_of, LIMEN_STR("pi_known")) ? STORE_OK : STORE_NONE;
        break;
    case STORE_EFFECT_COUNT:
        task->outcome = STORE_OK;
        break;
    }
    task->on_done(task);
}

/* Finishes what is held, newest first when `newest_first`; tasks that come meanwhile wait. Returns how many. */
static inline size_t fake_finish_all(bool newest_first)
{
    struct store_task *list = fake.held, *in_order = NULL;
    fake.held = NULL;
    fake.held_count = 0;
    while (!newest_first && list != NULL) {
        struct store_task *next = list->next;
        list->next = in_order;
        in_order = list;
        list = next;
    }
    if (newest_first)
        in_order = list;
    size_t count = 0;
    while (in_order != NULL) {
        struct store_task *next = in_order->next;
        fake_finish(in_order);
        in_order = next;
        count++;
    }
    return count;
}

struct store *store_open(const struct store_config *config, struct loop *loop, struct arena *arena, struct diags *diags)
{
    (void)config, (void)loop, (void)arena, (void)diags;
    return (struct store *)&fake;
}

void store_close(struct store *store)
{
    (void)store;
    while (fake.held != NULL)
        fake_finish_all(false);
}

void store_submit(struct store *store, struct store_task *task)
{
    (void)store;
    fake.submitted++;
    if (fake.is_immediate) {
        fake_finish(task);
        return;
    }
    task->next = fake.held;
    fake.held = task;
    fake.held_count++;
}

void store_abandon(struct store *store, uint64_t transaction)
{
    (void)store;
    fake.abandoned = transaction;
    if (fake.open == transaction)
        fake.open = 0;
}

bool store_is_away(const struct store *store)
{
    (void)store;
    return false;
}

bool store_first_account(struct store *store, limen_str id, limen_str email, limen_str password_hash, uint32_t roles)
{
    (void)store;
    return fake.account_count == 0 && fake_add_account(email, password_hash, fake_principal(id, email, roles));
}

bool store_describe(struct query_set *queries, const struct limen_file *migrations, size_t migration_count,
                    struct arena *arena, struct diags *diags)
{
    (void)queries, (void)migrations, (void)migration_count, (void)arena, (void)diags;
    return true;
}

bool store_migrate(limen_str url, const struct limen_file *migrations, size_t count, bool apply, struct buf *out,
                   struct arena *arena, struct diags *diags)
{
    (void)url, (void)migrations, (void)count, (void)apply, (void)out, (void)arena, (void)diags;
    return true;
}

#endif
