/* redis.c - hiredis in our loop: it writes commands and reads answers, all else is here.
 *
 * Its synchronous client on a socket that does not block, and a list of who waits: its asynchronous one trusts the peer to answer
 * what it was asked and nothing more, and ends the process otherwise. A pipeline answers in order, so one late answer means that all
 * behind it are late too: then the connection is given up, everything under way ends without a reply, and another is made,
 * after a pause that grows and differs from that of others. */
#include "data/redis.h"

#include "core/log.h"
#include "core/lookup.h"
#include "core/str.h"

#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define TICK_US 25000          /* between two looks at whether it is time to connect again */
#define FIRST_BACKOFF_US 50000 /* doubled with each attempt that fails */
#define SHA_TEXT_BYTES (2U * SHA_DIGEST_LENGTH)
#define COMPLAIN_EVERY_US 1000000

enum redis_state {
    REDIS_AWAY,     /* no connection; `again` is running, and perhaps a lookup of the host's name */
    REDIS_GREETING, /* connecting, AUTH, SELECT, SCRIPT LOAD, DEL */
    REDIS_UP
};

/* Invariant: there is a context, and it is watched, unless the state is AWAY; then nobody waits, either. */
struct redis {
    struct loop_source source; /* first: the loop hands us its address */
    struct loop_task at_end;
    struct loop_timer again, late; /* `late`: of the greeting */
    struct loop_timer_list *ticks, *deadlines;
    struct loop *loop;
    const struct redis_url *url;
    struct lookup *lookup;
    redisContext *context;
    enum redis_state state;
    bool was_tried, is_closing;
    uint32_t greetings;               /* that wait for their answer; they come before all others */
    struct redis_call *first, **last; /* under way, in order */
    uint32_t calls;
    uint32_t losses; /* of a name with several addresses the next one is tried after each */
    int64_t backoff_us, connect_at_us, complained_at_us;
    char why[80]; /* it is away: told once */
    struct redis_status status;
    char shas[REDIS_SCRIPTS][SHA_TEXT_BYTES];
};

/* ---- those who wait --------------------------------------------------------------------------------------------------- */

static void push(struct redis *redis, struct redis_call *call)
{
    call->next = NULL;
    *redis->last = call;
    redis->last = &call->next;
}

static struct redis_call *take(struct redis *redis)
{
    struct redis_call *call = redis->first;
    redis->first = call->next;
    if (redis->first == NULL)
        redis->last = &redis->first;
    return call;
}

static void finish(struct redis_call *call, const redisReply *reply)
{
    struct redis *redis = call->redis;
    loop_timer_stop(&call->late);
    redis->calls--;
    if (reply == NULL)
        redis->status.failures++;
    call->on_done(call, reply);
}

/* ---- losing it -------------------------------------------------------------------------------------------------------- */

/* From a half of the pause to all of it: replicas that lost the same Redis do not come back in step. */
static int64_t jitter(int64_t pause_us)
{
    uint32_t random = 0;
    if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
        BUG("the kernel gives no random bytes");
    return pause_us / 2 + (int64_t)(random % (uint64_t)(pause_us / 2));
}

static void connect_due(struct loop_timer *timer);

static void connect_at(struct redis *redis, int64_t at_us)
{
    redis->connect_at_us = at_us;
    if (redis->lookup == NULL && lookup_is_name(redis->url->host.ptr))
        redis->lookup = lookup_start(redis->url->host.ptr);
    loop_timer_start(redis->ticks, &redis->again, connect_due);
}

static void try_again_later(struct redis *redis)
{
    redis->backoff_us = redis->backoff_us == 0 ? FIRST_BACKOFF_US : redis->backoff_us * 2;
    if (redis->backoff_us > LIMIT_REDIS_BACKOFF_US)
        redis->backoff_us = LIMIT_REDIS_BACKOFF_US;
    connect_at(redis, loop_clock(redis->loop)->mono_us + jitter(redis->backoff_us));
}

static void tell(struct redis *redis, const char *why)
{
    bool is_news = redis->state == REDIS_UP || strncmp(why, redis->why, sizeof(redis->why) - 1) != 0;
    if (is_news && !redis->is_closing)
        LOG_ERROR("Redis is away", log_str("host", redis->url->host), log_int("port", redis->url->port),
                  log_text("why", why));
    (void)snprintf(redis->why, sizeof(redis->why), "%s", why);
}

/* The connection has gone, or could not be made: what is under way ends without a reply. */
static void lose(struct redis *redis, const char *why)
{
    tell(redis, why);
    redis->state = REDIS_AWAY;
    redis->was_tried = true;
    loop_timer_stop(&redis->late);
    if (redis->source.is_added)
        loop_remove(redis->loop, &redis->source);
    if (redis->context != NULL)
        redisFree(redis->context);
    redis->context = NULL;
    redis->losses++;
    if (!redis->is_closing)
        try_again_later(redis);
    while (redis->first != NULL)
        finish(take(redis), NULL); /* who asks again meanwhile is told at once that nobody is there */
}

static void on_late(struct loop_timer *timer)
{
    struct redis_call *call = (struct redis_call *)((char *)timer - offsetof(struct redis_call, late));
    lose(call->redis, "an answer was late");
}

static void on_greeting_late(struct loop_timer *timer)
{
    struct redis *redis = (struct redis *)((char *)timer - offsetof(struct redis, late));
    lose(redis, "it did not answer the first commands in time");
}

/* ---- answers ---------------------------------------------------------------------------------------------------------- */

static void complain(struct redis *redis, const redisReply *reply)
{
    int64_t now_us = loop_clock(redis->loop)->mono_us;
    if (now_us - redis->complained_at_us >= COMPLAIN_EVERY_US || redis->complained_at_us == 0)
        LOG_ERROR("Redis refuses a command", log_text("answer", reply->str));
    redis->complained_at_us = now_us;
}

static bool begins_with(const redisReply *reply, const char *code)
{
    return strncmp(reply->str, code, strlen(code)) == 0;
}

/* What a Redis says that cannot serve us, and another behind the same name might: it was made a replica, it loads its data. */
static bool is_of_no_use(const redisReply *reply)
{
    return begins_with(reply, "READONLY") || begins_with(reply, "LOADING") || begins_with(reply, "MASTERDOWN")
        || begins_with(reply, "NOAUTH");
}

static bool pass_on(struct redis *redis, struct redis_call *call);

/* A Redis that was started anew, or whose scripts were flushed, is sent the whole text, and keeps it. True when it was. */
static bool is_sent_whole(struct redis *redis, struct redis_call *call, const redisReply *reply)
{
    static const char name[] = "EVAL";
    if (!call->is_script || call->is_whole || !begins_with(reply, "NOSCRIPT"))
        return false;
    call->is_whole = true;
    call->words[0] = name;
    call->lengths[0] = sizeof(name) - 1;
    return pass_on(redis, call);
}

/* Each of these returns NULL, or why the connection cannot go on. The last greeting only asks whether this is a primary: a replica loads
 * scripts and finds sessions, also those that have been ended at a primary that it does not reach. */
static const char *take_greeting(struct redis *redis, const redisReply *reply)
{
    bool is_last = redis->greetings == 1;
    if (reply->type == REDIS_REPLY_ERROR && (!is_last || is_of_no_use(reply)))
        return reply->str;
    if (--redis->greetings > 0)
        return NULL;
    loop_timer_stop(&redis->late);
    redis->state = REDIS_UP;
    redis->was_tried = true;
    redis->backoff_us = 0;
    redis->status.connections++;
    LOG_INFO("Redis is there", log_str("host", redis->url->host), log_int("port", redis->url->port));
    return NULL;
}

static const char *take_answer(struct redis *redis, const redisReply *reply)
{
    if (redis->greetings > 0)
        return take_greeting(redis, reply);
    if (redis->first == NULL)
        return "it answers what was not asked";
    struct redis_call *call = take(redis);
    if (reply->type != REDIS_REPLY_ERROR) {
        finish(call, reply);
        return NULL;
    }
    if (is_sent_whole(redis, call, reply))
        return NULL;
    complain(redis, reply);
    call->was_sent = false; /* a script that fails has changed nothing: ours write last */
    finish(call, NULL);
    return is_of_no_use(reply) ? "it cannot serve" : NULL;
}

static void take_answers(struct redis *redis)
{
    for (;;) {
        void *answer = NULL;
        if (redisGetReplyFromReader(redis->context, &answer) != REDIS_OK) {
            lose(redis, redis->context->errstr);
            return;
        }
        if (answer == NULL)
            return;
        const char *fault = take_answer(redis, answer);
        if (fault != NULL)
            lose(redis, fault);
        freeReplyObject(answer);
        if (fault != NULL)
            return;
    }
}

/* ---- the socket ------------------------------------------------------------------------------------------------------- */

/* One write(2) for all that was asked for in this turn. False: the connection was lost. */
static bool flush(struct redis *redis)
{
    int is_all = 0;
    if (redisBufferWrite(redis->context, &is_all) != REDIS_OK) {
        lose(redis, redis->context->errstr);
        return false;
    }
    loop_want(redis->loop, &redis->source, is_all ? EPOLLIN : EPOLLIN | EPOLLOUT);
    return true;
}

static void on_end_of_turn(struct loop_task *task)
{
    struct redis *redis = (struct redis *)((char *)task - offsetof(struct redis, at_end));
    if (redis->is_closing)
        free(redis);
    else if (redis->state == REDIS_UP)
        (void)flush(redis);
}

static void on_ready(struct loop_source *source, uint32_t events)
{
    struct redis *redis = (struct redis *)source;
    if ((events & (EPOLLOUT | EPOLLERR)) != 0 && !flush(redis)) /* also: the kernel has connected, or tells why not */
        return;
    if ((events & (EPOLLIN | EPOLLHUP)) == 0)
        return;
    if (redisBufferRead(redis->context) != REDIS_OK)
        lose(redis, redis->context->errstr);
    else
        take_answers(redis);
}

/* ---- connecting ------------------------------------------------------------------------------------------------------- */

static bool greet(struct redis *redis, int count, const char **words)
{
    redis->greetings++;
    return redisAppendCommandArgv(redis->context, count, words, NULL) == REDIS_OK;
}

static bool greet_all(struct redis *redis)
{
    const struct redis_url *url = redis->url;
    char database[16];
    struct buf number;
    buf_init_fixed(&number, database, sizeof(database) - 1);
    buf_add_int(&number, url->database);
    database[number.len] = '\0';
    const char *with_user[] = { "AUTH", url->user.ptr, url->password.ptr };
    const char *without[] = { "AUTH", url->password.ptr };
    bool ok = true;
    redis->greetings = 0;
    if (url->user.len > 0)
        ok = greet(redis, 3, with_user);
    else if (url->password.len > 0)
        ok = greet(redis, 2, without);
    if (url->database != 0)
        ok = ok && greet(redis, 2, (const char *[]){ "SELECT", database });
    for (int i = 0; i < REDIS_SCRIPTS; i++)
        ok = ok && greet(redis, 3, (const char *[]){ "SCRIPT", "LOAD", redis_scripts[i] });
    return ok && greet(redis, 2, (const char *[]){ "DEL", "limen:nothing" });
}

/* One of its name's addresses, each time the next one; NULL, and why there is none. */
static const char *address_of(const struct redis *redis, const char **ret_fault)
{
    if (!lookup_is_name(redis->url->host.ptr))
        return redis->url->host.ptr;
    *ret_fault = redis->lookup == NULL   ? "no thread can be started to look for its name"
        : !lookup_is_over(redis->lookup) ? "no name server answers in time"
                                         : lookup_fault(redis->lookup);
    return *ret_fault == NULL ? lookup_address(redis->lookup, redis->losses % lookup_count(redis->lookup)) : NULL;
}

/* NULL, or why it cannot be done. */
static const char *begin_connecting(struct redis *redis)
{
    const char *fault = NULL, *address = address_of(redis, &fault);
    if (address == NULL)
        return fault;
    redis->context = redisConnectNonBlock(address, redis->url->port);
    if (redis->context == NULL)
        return "memory is out";
    if (redis->context->err != 0)
        return redis->context->errstr;
    memset(&redis->source, 0, sizeof(redis->source));
    bool good = loop_add(redis->loop, &redis->source, redis->context->fd, EPOLLOUT, /* exclusive= */ false, on_ready)
        && greet_all(redis);
    return good ? NULL : "memory is out";
}

static void forget_lookup(struct redis *redis)
{
    lookup_free(redis->lookup);
    redis->lookup = NULL;
}

static void start_connecting(struct redis *redis)
{
    redis->state = REDIS_GREETING;
    const char *fault = begin_connecting(redis);
    if (redis->lookup != NULL && lookup_is_over(redis->lookup)) /* else the next attempt waits for it again */
        forget_lookup(redis);
    if (fault == NULL)
        loop_timer_start(redis->deadlines, &redis->late, on_greeting_late);
    else
        lose(redis, fault);
}

static bool is_waiting_for_name(const struct redis *redis, int64_t now_us)
{
    return redis->lookup != NULL && !lookup_is_over(redis->lookup) && now_us < redis->connect_at_us + LIMIT_REDIS_US;
}

static void connect_due(struct loop_timer *timer)
{
    struct redis *redis = (struct redis *)((char *)timer - offsetof(struct redis, again));
    int64_t now_us = loop_clock(redis->loop)->mono_us;
    if (now_us < redis->connect_at_us || is_waiting_for_name(redis, now_us))
        loop_timer_start(redis->ticks, &redis->again, connect_due);
    else
        start_connecting(redis);
}

/* ---- commands --------------------------------------------------------------------------------------------------------- */

void redis_add(struct redis_call *call, limen_str word)
{
    if (call->count == REDIS_WORDS)
        BUG("a command of Redis has more words than there is room for");
    call->words[call->count] = word.len == 0 ? "" : word.ptr;
    call->lengths[call->count++] = word.len;
}

void redis_begin_script(struct redis_call *call, enum redis_script script, uint32_t keys)
{
    static const char *const numbers[] = { "0", "1", "2", "3", "4" };
    _Static_assert(LIMIT_LIMITS_AT_ONCE < sizeof(numbers) / sizeof(numbers[0]), "a script has a key for each limit");
    call->is_script = true;
    call->script = script;
    redis_add(call, LIMEN_STR("EVALSHA"));
    redis_add(call, (limen_str){ 0 }); /* the script: redis_send knows */
    redis_add(call, str_of(numbers[keys]));
}

static bool pass_on(struct redis *redis, struct redis_call *call)
{
    if (call->is_script) {
        call->words[1] = call->is_whole ? redis_scripts[call->script] : redis->shas[call->script];
        call->lengths[1] = call->is_whole ? strlen(redis_scripts[call->script]) : SHA_TEXT_BYTES;
    }
    if (redisAppendCommandArgv(redis->context, (int)call->count, call->words, call->lengths) != REDIS_OK)
        return false;
    push(redis, call);
    loop_at_end(redis->loop, &redis->at_end);
    return true;
}

void redis_send(struct redis *redis, struct redis_call *call)
{
    call->redis = redis;
    redis->calls++;
    loop_timer_start(redis->deadlines, &call->late, on_late);
    bool has_room = redis->state == REDIS_UP && redis->calls <= LIMIT_REDIS_CALLS;
    call->was_sent = has_room && pass_on(redis, call);
    if (!call->was_sent)
        finish(call, NULL);
}

static void on_forgotten(struct redis_call *call, const struct redisReply *reply)
{
    (void)reply;
    free(call);
}

void redis_forget(struct redis *redis, limen_str key)
{
    struct redis_call *call = calloc(1, sizeof(*call));
    if (call == NULL)
        return;
    call->on_done = on_forgotten;
    redis_add(call, LIMEN_STR("DEL"));
    redis_add(call, key); /* copied by redis_send; never looked at again */
    redis_send(redis, call);
}

/* ---- life ------------------------------------------------------------------------------------------------------------- */

static void name_scripts(struct redis *redis)
{
    for (int i = 0; i < REDIS_SCRIPTS; i++) {
        uint8_t digest[SHA_DIGEST_LENGTH];
        struct buf text;
        (void)SHA1((const unsigned char *)redis_scripts[i], strlen(redis_scripts[i]), digest);
        buf_init_fixed(&text, redis->shas[i], SHA_TEXT_BYTES);
        buf_add_hex(&text, digest, sizeof(digest));
    }
}

struct redis *redis_new(struct loop *loop, const struct redis_url *url)
{
    struct redis *redis = calloc(1, sizeof(*redis));
    if (redis == NULL)
        return NULL;
    redis->loop = loop;
    redis->url = url;
    redis->at_end.run = on_end_of_turn;
    redis->last = &redis->first;
    redis->ticks = loop_timers(loop, TICK_US);
    redis->deadlines = loop_timers(loop, LIMIT_REDIS_US);
    if (redis->ticks == NULL || redis->deadlines == NULL) {
        free(redis);
        return NULL;
    }
    name_scripts(redis);
    if (lookup_is_name(url->host.ptr))
        connect_at(redis, clock_mono_us());
    else
        start_connecting(redis);
    return redis;
}

void redis_free(struct redis *redis)
{
    if (redis == NULL)
        return;
    redis->is_closing = true;
    if (redis->state != REDIS_AWAY)
        lose(redis, "the server ends");
    loop_timer_stop(&redis->again);
    forget_lookup(redis);
    if (!redis->at_end.is_queued) /* else the task that the loop holds frees it */
        free(redis);
}

bool redis_is_up(const struct redis *redis)
{
    return redis->state == REDIS_UP;
}

bool redis_was_tried(const struct redis *redis)
{
    return redis->was_tried;
}

struct redis_status redis_status(const struct redis *redis)
{
    struct redis_status status = redis->status;
    status.is_up = redis->state == REDIS_UP;
    return status;
}

/* ---- the sandbox ------------------------------------------------------------------------------------------------------ */

static const int numbers[] = { SYS_connect, SYS_setsockopt, SYS_getsockopt };
static const struct syscall_rule rules[] = {
    SYSCALL_WHEN(SYS_socket, /* domain */ 0, AF_INET),
    SYSCALL_WHEN(SYS_socket, /* domain */ 0, AF_INET6),
    SYSCALL_WHEN(SYS_fcntl, /* operation */ 1, F_GETFL),
    SYSCALL_WHEN(SYS_fcntl, /* operation */ 1, F_SETFL),
};
const struct syscall_list redis_syscalls = { numbers, sizeof(numbers) / sizeof(numbers[0]), rules,
                                             sizeof(rules) / sizeof(rules[0]) };
