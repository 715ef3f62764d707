/* fake_redis.h - a Redis of a few arrays, for the tests of the data role.
 *
 * It defines every function of data/redis.h, so the linker takes it in place of the connection. It knows our scripts by their
 * numbers; commands are answered when the test says so. */
#ifndef TESTS_DATA_FAKE_REDIS_H
#define TESTS_DATA_FAKE_REDIS_H

#include "data/redis.h"

#include <hiredis/hiredis.h>
#include <string.h>

#define FAKE_REDIS_ROOM 64
#define FAKE_REDIS_TEXT 300

/* A session's account, email and roles; a limit's count. */
struct fake_key {
    char key[FAKE_REDIS_TEXT];
    char fields[3][FAKE_REDIS_TEXT];
    long long count;
};

static struct fake_redis {
    bool is_away;      /* commands fail at once, as without a connection */
    bool is_immediate; /* they are answered from inside redis_send */
    bool is_silent;    /* they end without a reply, though they were sent */
    bool talks_nonsense;
    long long quota; /* of every limit */
    struct redis_call *first, **last;
    size_t waiting, sent;
    struct fake_key keys[FAKE_REDIS_ROOM];
    size_t key_count;
} fake_redis;

static inline void fake_redis_reset(void)
{
    memset(&fake_redis, 0, sizeof(fake_redis));
    fake_redis.last = &fake_redis.first;
    fake_redis.quota = 3;
}

static inline limen_str fake_word(const struct redis_call *call, uint32_t at)
{
    return str_make(call->words[at], call->lengths[at]);
}

static inline struct fake_key *fake_key(limen_str name, bool is_made)
{
    for (size_t i = 0; i < fake_redis.key_count; i++)
        if (str_equal(str_of(fake_redis.keys[i].key), name))
            return &fake_redis.keys[i];
    if (!is_made || fake_redis.key_count == FAKE_REDIS_ROOM || name.len >= FAKE_REDIS_TEXT)
        return NULL;
    struct fake_key *key = &fake_redis.keys[fake_redis.key_count++];
    memset(key, 0, sizeof(*key));
    memcpy(key->key, name.ptr, name.len);
    return key;
}

static inline bool fake_delete(limen_str name)
{
    struct fake_key *key = fake_key(name, /* is_made= */ false);
    if (key == NULL)
        return false;
    *key = fake_redis.keys[--fake_redis.key_count];
    return true;
}

static inline void fake_start_session(const struct redis_call *call)
{
    struct fake_key *key = fake_key(fake_word(call, 3), /* is_made= */ true);
    for (uint32_t i = 0; key != NULL && i < 3; i++) {
        limen_str field = fake_word(call, 4 + i);
        memset(key->fields[i], 0, FAKE_REDIS_TEXT);
        memcpy(key->fields[i], field.ptr, field.len < FAKE_REDIS_TEXT ? field.len : FAKE_REDIS_TEXT - 1);
    }
}

/* The answer, whose elements are those of `parts`. */
static inline redisReply fake_answer(const struct redis_call *call, redisReply *parts, redisReply **elements)
{
    redisReply reply = { .type = REDIS_REPLY_INTEGER, .integer = 1, .element = elements };
    if (fake_redis.talks_nonsense) {
        reply = (redisReply){ .type = REDIS_REPLY_ARRAY, .elements = 1, .element = elements };
        parts[0] = (redisReply){ .type = REDIS_REPLY_NIL };
    } else if (!call->is_script) {
        reply.integer = fake_delete(fake_word(call, 1));
    } else if (call->script == REDIS_SESSION_START) {
        fake_start_session(call);
    } else if (call->script == REDIS_SESSION_FIND) {
        struct fake_key *key = fake_key(fake_word(call, 3), /* is_made= */ false);
        reply.type = key == NULL ? REDIS_REPLY_NIL : REDIS_REPLY_ARRAY;
        for (size_t i = 0; key != NULL && i < 3; i++, reply.elements++)
            parts[i] = (redisReply){ .type = REDIS_REPLY_STRING, .str = key->fields[i], .len = strlen(key->fields[i]) };
    } else {
        uint32_t limits = (uint32_t)(call->words[2][0] - '0');
        reply.type = REDIS_REPLY_ARRAY;
        parts[0] = (redisReply){ .type = REDIS_REPLY_INTEGER };
        for (uint32_t i = 0; i < limits && parts[0].integer == 0; i++) {
            struct fake_key *key = fake_key(fake_word(call, 3 + i), /* is_made= */ true);
            bool is_refused = key == NULL || key->count == fake_redis.quota;
            parts[i + 1] = (redisReply){ .type = REDIS_REPLY_INTEGER };
            parts[i + 1].integer = key == NULL ? 0 : is_refused ? key->count : ++key->count;
            parts[0].integer = is_refused ? i + 1 : 0;
            reply.elements = i + 2;
        }
    }
    return reply;
}

static inline void fake_redis_answer(struct redis_call *call)
{
    redisReply parts[1 + LIMIT_LIMITS_AT_ONCE] = { 0 }, *elements[1 + LIMIT_LIMITS_AT_ONCE];
    for (size_t i = 0; i < 1 + LIMIT_LIMITS_AT_ONCE; i++)
        elements[i] = &parts[i];
    redisReply reply = fake_answer(call, parts, elements);
    call->on_done(call, fake_redis.is_silent ? NULL : &reply);
}

/* Answers what has been sent, in order. */
static inline void fake_redis_answer_all(void)
{
    while (fake_redis.first != NULL) {
        struct redis_call *call = fake_redis.first;
        fake_redis.first = call->next;
        if (fake_redis.first == NULL)
            fake_redis.last = &fake_redis.first;
        fake_redis.waiting--;
        fake_redis_answer(call);
    }
}

/* ---- data/redis.h -------------------------------------------------------------------------------------------------- */
struct redis *redis_new(struct loop *loop, const struct redis_url *url)
{
    (void)loop, (void)url;
    return (struct redis *)&fake_redis;
}

void redis_free(struct redis *redis)
{
    if (redis == NULL)
        return;
    fake_redis.is_silent = true;
    fake_redis_answer_all();
}

bool redis_is_up(const struct redis *redis)
{
    (void)redis;
    return !fake_redis.is_away;
}

bool redis_was_tried(const struct redis *redis)
{
    (void)redis;
    return true;
}

struct redis_status redis_status(const struct redis *redis)
{
    (void)redis;
    return (struct redis_status){ .is_up = !fake_redis.is_away };
}

void redis_add(struct redis_call *call, limen_str word)
{
    call->words[call->count] = word.len == 0 ? "" : word.ptr;
    call->lengths[call->count++] = word.len;
}

void redis_begin_script(struct redis_call *call, enum redis_script script, uint32_t keys)
{
    static const char *const numbers[] = { "0", "1", "2", "3", "4" };
    call->is_script = true;
    call->script = script;
    redis_add(call, LIMEN_STR("EVALSHA"));
    redis_add(call, (limen_str){ 0 });
    redis_add(call, str_of(numbers[keys]));
}

void redis_send(struct redis *redis, struct redis_call *call)
{
    (void)redis;
    fake_redis.sent++;
    call->was_sent = !fake_redis.is_away;
    if (fake_redis.is_away) {
        call->on_done(call, NULL);
    } else if (fake_redis.is_immediate) {
        fake_redis_answer(call);
    } else {
        call->next = NULL;
        *fake_redis.last = call;
        fake_redis.last = &call->next;
        fake_redis.waiting++;
    }
}

/* Behind what was sent before it. */
void redis_forget(struct redis *redis, limen_str key)
{
    (void)redis;
    if (fake_redis.is_away)
        return;
    fake_redis_answer_all();
    (void)fake_delete(key);
}

#endif
