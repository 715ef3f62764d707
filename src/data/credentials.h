/* credentials.h - passwords and tokens: what the data role knows of secrets.
 *
 * argon2id runs on a few threads of its own behind a bounded queue; results come back to the loop. Nothing else in the
 * data role has to do with these threads. */
#ifndef DATA_CREDENTIALS_H
#define DATA_CREDENTIALS_H

#include "data/principal.h"

struct loop;

/* OWASP's parameters for argon2id (2 passes, 19 MiB, one lane). A stored hash with others is made anew at the next
 * sign-in. */
#define ARGON_PASSES 2U
#define ARGON_MEMORY_KIB 19456U
#define ARGON_LANES 1U
#define HASH_TEXT_BYTES 128U /* argon2's encoded form, with its NUL */

/* ---- passwords --------------------------------------------------------------------------------------------------- */
/* Takes tens of milliseconds. False when memory is out. */
bool password_hash(limen_str password, char ret_encoded[HASH_TEXT_BYTES]) LIMEN_MUST_CHECK;
enum hash_outcome { HASH_OK, HASH_WRONG, HASH_LATE, HASH_FAILED };
/* HASH_OK; HASH_WRONG, also when `encoded` is no argon2id hash; HASH_FAILED when memory is out: nobody knows then. */
enum hash_outcome password_verify(const char *encoded, limen_str password) LIMEN_MUST_CHECK;
/* True when the hash was made with other parameters than ours. */
bool password_hash_is_old(const char *encoded);
/* 24 random characters of an alphabet without look-alikes, in groups: 120 bits, for a person to copy once.
 * NUL-terminated. */
#define GENERATED_PASSWORD_BYTES 28U
void password_generate(char ret_password[GENERATED_PASSWORD_BYTES]);

/* ---- tokens ------------------------------------------------------------------------------------------------------ */
void token_make(char ret_text[TOKEN_TEXT_BYTES], uint8_t ret_hash[TOKEN_HASH_BYTES]);
/* Strict: 43 characters of base64url, no padding, no stray bits in the last. */
bool token_read(limen_str text, uint8_t ret_hash[TOKEN_HASH_BYTES]) LIMEN_MUST_CHECK;

/* ---- the pool ---------------------------------------------------------------------------------------------------- */
struct hash_pool;

/* One piece of work; belongs to the submitter, who keeps it until on_done. */
struct hash_job {
    bool is_verify; /* else: make a hash */
    char *password; /* overwritten with zeros when done, whatever the outcome */
    size_t password_bytes;
    int64_t deadline_us;           /* monotonic; a job that starts later ends as HASH_LATE */
    bool is_cancelled;             /* set (relaxed atomic) by the loop: ends as HASH_LATE when it has not started */
    char encoded[HASH_TEXT_BYTES]; /* verify: in; else out. After a right password, and an old hash: the new one */
    bool is_rehashed;
    enum hash_outcome outcome;
    void (*on_done)(struct hash_job *job); /* on the loop's thread */
    struct hash_job *next;                 /* the pool's own */
};

/* NULL when the kernel or memory refuses. */
struct hash_pool *hash_pool_new(struct loop *loop, uint32_t threads, uint32_t queue_ceiling);
/* Waits for the jobs under way and drops the others (their passwords are wiped, on_done is not called). */
void hash_pool_free(struct hash_pool *pool);
/* False when the queue is full; the job is then untouched. */
bool hash_pool_submit(struct hash_pool *pool, struct hash_job *job) LIMEN_MUST_CHECK;

#endif
