/* role_session.c - sessions in Redis: one hash for each, whose key is the hash of its token.
 *
 * It holds whose session it is: account, email, the names of the roles, when it was made. It expires by itself, and each look
 * at it makes its idle life begin anew. The session of a new account is made before the account is, and told to its client after: one
 * that is left over by a crash in between belongs to a token that nobody has. */
#include "data/role_internal.h"

#include "data/store_internal.h"

#include <hiredis/hiredis.h>

#define IDLE_MS (LIMIT_SESSION_IDLE_US / 1000)
#define SLACK_MS (60 * 1000)
#define KEY_BYTES (LIMIT_REDIS_NAME_BYTES + 16U + 2U * TOKEN_HASH_BYTES)

bool role_is_of_session(enum store_task_kind kind)
{
    return kind == STORE_SESSION_FIND || kind == STORE_SESSION_START || kind == STORE_SESSION_END;
}

/* limen:APP:session:HASH */
static limen_str write_key(const struct data_role *role, const uint8_t *token_hash, char memory[KEY_BYTES])
{
    struct buf key;
    buf_init_fixed(&key, memory, KEY_BYTES);
    BUF_ADD(&key, "limen:");
    buf_add(&key, role->app_name);
    BUF_ADD(&key, ":session:");
    buf_add_hex(&key, token_hash, TOKEN_HASH_BYTES);
    return buf_str(&key);
}

static limen_str key_of(struct role_request *request, const uint8_t *token_hash)
{
    char memory[KEY_BYTES];
    return arena_copy(&request->arena, write_key(request->role, token_hash, memory));
}

static struct role_request *request_of(struct redis_call *call)
{
    return (struct role_request *)((char *)call - offsetof(struct role_request, redis));
}

static void hand_back(struct role_request *request, enum store_outcome outcome)
{
    request->task.outcome = outcome;
    role_task_done(&request->task);
}

static void send(struct role_request *request, void (*on_done)(struct redis_call *call, const struct redisReply *reply))
{
    struct redis_call *call = &request->redis;
    bool has_all = true;
    for (uint32_t i = 0; i < call->count; i++)
        has_all = has_all && call->words[i] != NULL;
    call->on_done = on_done;
    request->place = ROLE_PLACE_AWAY;
    if (has_all)
        redis_send(request->role->redis, call);
    else
        hand_back(request, STORE_BUSY);
}

static limen_str number(struct role_request *request, int64_t value)
{
    return arena_printf(&request->arena, "%lld", (long long)value);
}

/* ---- finding ---------------------------------------------------------------------------------------------------------- */

/* Account, email, roles; as the store reads them. */
static bool read_principal(const struct data_role *role, const struct redisReply *reply,
                           struct principal *ret_principal)
{
    limen_str texts[3];
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3)
        return false;
    for (size_t i = 0; i < 3; i++) {
        if (reply->element[i]->type != REDIS_REPLY_STRING)
            return false;
        texts[i] = str_make(reply->element[i]->str, (size_t)reply->element[i]->len);
    }
    if (texts[0].len == 0 || texts[0].len > PRINCIPAL_ID_BYTES || texts[1].len > PRINCIPAL_EMAIL_BYTES)
        return false;
    *ret_principal = (struct principal){ .id_len = (uint8_t)texts[0].len, .email_len = (uint8_t)texts[1].len };
    memcpy(ret_principal->id, texts[0].ptr, texts[0].len);
    memcpy(ret_principal->email, texts[1].ptr, texts[1].len);
    ret_principal->roles = roles_read(role->contract, texts[2]);
    return true;
}

static void on_found(struct redis_call *call, const struct redisReply *reply)
{
    struct role_request *request = request_of(call);
    if (reply == NULL)
        hand_back(request, STORE_BUSY);
    else if (reply->type == REDIS_REPLY_NIL)
        hand_back(request, STORE_NONE);
    else
        hand_back(request, read_principal(request->role, reply, &request->task.principal) ? STORE_OK : STORE_ERROR);
}

static void find(struct role_request *request)
{
    struct redis_call *call = &request->redis;
    redis_begin_script(call, REDIS_SESSION_FIND, 1);
    redis_add(call, key_of(request, request->task.token_hash));
    redis_add(call, number(request, request->task.now));
    redis_add(call, number(request, IDLE_MS));
    redis_add(call, number(request, LIMIT_SESSION_ABSOLUTE_US));
    redis_add(call, number(request, SLACK_MS));
    send(request, on_found);
}

/* ---- starting and ending ---------------------------------------------------------------------------------------------- */

static void on_started(struct redis_call *call, const struct redisReply *reply)
{
    hand_back(request_of(call), reply == NULL ? STORE_BUSY : STORE_OK);
}

static void start(struct role_request *request, const uint8_t *token_hash)
{
    const struct principal *principal = &request->task.principal;
    struct redis_call *call = &request->redis;
    struct buf roles;
    buf_init(&roles, &request->arena, 64);
    roles_write(request->role->contract, principal->roles, &roles);
    redis_begin_script(call, REDIS_SESSION_START, 1);
    redis_add(call, key_of(request, token_hash));
    redis_add(call, principal_id(principal));
    redis_add(call, principal_email(principal));
    redis_add(call, buf_str(&roles));
    redis_add(call, number(request, request->task.now));
    redis_add(call, number(request, IDLE_MS));
    send(request, on_started);
}

static void on_ended(struct redis_call *call, const struct redisReply *reply)
{
    enum store_outcome lost = call->was_sent ? STORE_UNKNOWN : STORE_BUSY;
    bool was_there = reply != NULL && reply->type == REDIS_REPLY_INTEGER && reply->integer > 0;
    hand_back(request_of(call), reply == NULL ? lost : was_there ? STORE_OK : STORE_NONE);
}

static void end(struct role_request *request)
{
    redis_add(&request->redis, LIMEN_STR("DEL"));
    redis_add(&request->redis, key_of(request, request->task.token_hash));
    send(request, on_ended);
}

void role_session_submit(struct role_request *request)
{
    memset(&request->redis, 0, sizeof(request->redis));
    if (request->task.kind == STORE_SESSION_FIND)
        find(request);
    else if (request->task.kind == STORE_SESSION_START)
        start(request, request->task.token_hash);
    else
        end(request);
}

void role_session_open(struct role_request *request)
{
    memset(&request->redis, 0, sizeof(request->redis));
    request->opens_session = true;
    start(request, request->task.sign_up->token_hash);
}

void role_session_undo(struct data_role *role, const uint8_t token_hash[TOKEN_HASH_BYTES])
{
    char memory[KEY_BYTES];
    redis_forget(role->redis, write_key(role, token_hash, memory));
}
