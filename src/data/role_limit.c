/* role_limit.c - limits that hosts share, counted in Redis.
 *
 * A worker names a limit by its number in the contract, and whom it counts; how much that limit allows is ours to know. Who is
 * counted (an address, an account, an email) is in no key as such: a hash stands for it. */
#include "data/role_internal.h"

#include "core/sha256.h"

#include <hiredis/hiredis.h>

#define CALLER_HASH_BYTES 16U /* of SHA-256 */

/* ---- what there is to count -------------------------------------------------------------------------------------------- */

/* limen:APP:limit:NAME:QUOTA/WINDOW:PER: - a limit that the contract has changed begins anew. */
static bool add_limit(struct data_role *role, const struct rate_limit *limit, uint32_t scale, struct arena *arena)
{
    struct role_shared_limit *shared = &role->limits[limit->policy];
    shared->stem = arena_printf(arena, "limen:%.*s:limit:%.*s:%u/%lld:%d:", LIMEN_STR_ARG(role->app_name),
                                LIMEN_STR_ARG(limit->name), limit->quota, (long long)(limit->window_us / 1000000),
                                (int)limit->per);
    shared->interval = arena_printf(arena, "%lld", (long long)rate_limit_interval_us(limit, scale));
    shared->window = arena_printf(arena, "%lld", (long long)limit->window_us);
    return shared->stem.ptr != NULL && shared->interval.ptr != NULL && shared->window.ptr != NULL;
}

/* All but the limit by address, which each host counts by itself. */
bool role_limits_open(struct data_role *role, uint32_t scale, struct arena *arena)
{
    const struct contract *contract = role->contract;
    role->limits = ARENA_NEW_ARRAY(arena, struct role_shared_limit, contract->policy_count);
    bool ok = role->limits != NULL;
    for (uint32_t i = 0; ok && i < contract->operation_count; i++) {
        for (uint32_t j = 0; ok && j < contract->operations[i].limit_count; j++)
            ok = add_limit(role, &contract->operations[i].limits[j], scale, arena);
    }
    for (uint32_t i = 0; ok && i < contract->sign_in_limit_count; i++)
        ok = add_limit(role, &contract->sign_in_limits[i], scale, arena);
    return ok;
}

/* ---- one request ------------------------------------------------------------------------------------------------------- */

static limen_str write_key(struct role_request *request, const struct role_shared_limit *shared, limen_str caller)
{
    uint8_t digest[SHA256_BYTES];
    struct buf key;
    sha256(caller, digest);
    buf_init(&key, &request->arena, shared->stem.len + 2 * CALLER_HASH_BYTES);
    buf_add(&key, shared->stem);
    buf_add_hex(&key, digest, CALLER_HASH_BYTES);
    return buf_str(&key);
}

const char *role_limit_parse(struct role_request *request, struct wire_reader *reader, enum data_outcome *ret_outcome)
{
    const struct data_role *role = request->role;
    const struct role_shared_limit *shared[LIMIT_LIMITS_AT_ONCE];
    uint8_t count = wire_get_u8(reader);
    if (role->limits == NULL)
        return "hosts share no limits";
    if (reader->failed || count == 0 || count > LIMIT_LIMITS_AT_ONCE)
        return "malformed payload";
    redis_begin_script(&request->redis, REDIS_LIMIT, count);
    for (uint8_t i = 0; i < count; i++) {
        uint32_t policy = wire_get_u32(reader);
        limen_str caller = wire_get_str(reader);
        if (reader->failed || caller.len > LIMIT_CALLER_BYTES)
            return "malformed payload";
        if (policy >= role->contract->policy_count || role->limits[policy].stem.ptr == NULL)
            return "unknown limit";
        shared[i] = &role->limits[policy];
        limen_str key = write_key(request, shared[i], caller);
        if (key.ptr == NULL)
            *ret_outcome = DATA_BUSY;
        redis_add(&request->redis, key);
    }
    for (uint8_t i = 0; i < count; i++) {
        redis_add(&request->redis, shared[i]->interval);
        redis_add(&request->redis, shared[i]->window);
    }
    return NULL;
}

/* {0 or the number of the limit that refused, the debt of each that was looked at} */
static bool read_answer(const struct redisReply *reply, struct data_counted *ret_counted)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 2 || reply->elements > 1 + LIMIT_LIMITS_AT_ONCE)
        return false;
    for (size_t i = 0; i < reply->elements; i++)
        if (reply->element[i]->type != REDIS_REPLY_INTEGER || reply->element[i]->integer < 0)
            return false;
    ret_counted->count = (uint32_t)reply->elements - 1;
    ret_counted->is_refused = reply->element[0]->integer != 0;
    for (uint32_t i = 0; i < ret_counted->count; i++)
        ret_counted->debt_us[i] = reply->element[i + 1]->integer;
    return true;
}

static void on_counted(struct redis_call *call, const struct redisReply *reply)
{
    struct role_request *request = (struct role_request *)((char *)call - offsetof(struct role_request, redis));
    bool is_good = reply != NULL && read_answer(reply, &request->counted);
    if (role_request_comes_back(request))
        role_request_answer(request, is_good ? DATA_OK : DATA_BUSY);
}

void role_limit_start(struct role_request *request)
{
    request->redis.on_done = on_counted;
    request->place = ROLE_PLACE_AWAY;
    redis_send(request->role->redis, &request->redis);
}
