/* redis.h - one connection to Redis in the loop: commands leave once a turn, all together, and answers come back in order.
 *
 * What cannot be asked now fails now: while there is no connection nothing is queued, so whoever asks can decide at once
 * what a Redis that is away means. Only the data role has one. */
#ifndef DATA_REDIS_H
#define DATA_REDIS_H

#include "core/loop.h"
#include "core/sandbox.h"
#include "data/redis_url.h"

struct redis;
struct redisReply; /* hiredis */

/* The scripts that Redis keeps for us (redis_scripts.c); their keys and arguments stand there. */
enum redis_script { REDIS_SESSION_START, REDIS_SESSION_FIND, REDIS_LIMIT, REDIS_SCRIPTS };
extern const char *const redis_scripts[REDIS_SCRIPTS];

#define REDIS_WORDS 24U /* of one command */

/* One command; belongs to the asker, who keeps it, and what its words point to, until on_done. Zeroed before the first word. */
struct redis_call {
    /* On the loop's thread, once. `reply` is never an error; NULL: Redis did not answer, or refused (it is logged). */
    void (*on_done)(struct redis_call *call, const struct redisReply *reply);
    bool was_sent; /* when there is no reply: it may have been carried out all the same */
    /* ---- private ---- */
    const char *words[REDIS_WORDS];
    size_t lengths[REDIS_WORDS];
    uint32_t count;
    bool is_script, is_whole; /* of a script: its text was sent, not its hash */
    enum redis_script script;
    struct loop_timer late;
    struct redis *redis;
    struct redis_call *next;
};

struct redis_status {
    bool is_up;
    uint64_t connections; /* that were made */
    uint64_t failures;    /* commands without an answer, or with an error for one */
};

/* Begins to connect; the host's name is looked up for each attempt. `url` lives as long as the result. NULL when memory is out. */
struct redis *redis_new(struct loop *loop, const struct redis_url *url);
/* Commands under way end without a reply. Accepts NULL. */
void redis_free(struct redis *redis);
bool redis_is_up(const struct redis *redis);
/* True when the first attempt to connect has ended, well or not. */
bool redis_was_tried(const struct redis *redis);
struct redis_status redis_status(const struct redis *redis);

/* A command's words, in order: its name first, or by redis_begin_script what a script is called by. */
void redis_add(struct redis_call *call, limen_str word);
void redis_begin_script(struct redis_call *call, enum redis_script script, uint32_t keys);
/* Sends it; on_done comes within LIMIT_REDIS_US, also from inside when nothing can be sent. */
void redis_send(struct redis *redis, struct redis_call *call);
/* Sends DEL of a key; nobody hears of the outcome. */
void redis_forget(struct redis *redis, limen_str key);

/* System calls of connecting, for the sandbox; reading and writing are core's. */
extern const struct syscall_list redis_syscalls;

#endif
