/* hash_pool.c - argon2 away from the loop: a few threads, a bounded queue.
 *
 * The only threads of the data role beside the store's. A job belongs to the pool from submit until its on_done, which
 * runs in the loop: an eventfd tells of finished jobs. */
#include "data/credentials.h"

#include "core/clock.h"
#include "core/log.h"
#include "core/loop.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define THREAD_STACK_BYTES (256U * 1024)

struct job_list {
    struct hash_job *first, **last;
    uint32_t count;
};

struct hash_pool {
    struct loop_source source; /* first: the loop hands us its address */
    struct loop *loop;
    uint32_t queue_ceiling;
    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t has_work;
    struct job_list waiting, done;
    bool is_stopping;
    uint32_t thread_count;
    pthread_t threads[];
};

static void list_init(struct job_list *list)
{
    *list = (struct job_list){ .last = &list->first };
}

static void list_push(struct job_list *list, struct hash_job *job)
{
    job->next = NULL;
    *list->last = job;
    list->last = &job->next;
    list->count++;
}

static struct hash_job *list_pop(struct job_list *list)
{
    struct hash_job *job = list->first;
    if (job == NULL)
        return NULL;
    list->first = job->next;
    if (list->first == NULL)
        list->last = &list->first;
    list->count--;
    return job;
}

static enum hash_outcome work(struct hash_job *job)
{
    limen_str password = { job->password, job->password_bytes };
    if (__atomic_load_n(&job->is_cancelled, __ATOMIC_RELAXED) || clock_mono_us() > job->deadline_us)
        return HASH_LATE;
    if (!job->is_verify)
        return password_hash(password, job->encoded) ? HASH_OK : HASH_FAILED;
    enum hash_outcome outcome = password_verify(job->encoded, password);
    if (outcome == HASH_OK && password_hash_is_old(job->encoded))
        job->is_rehashed = password_hash(password, job->encoded);
    return outcome;
}

static void *run_thread(void *argument)
{
    struct hash_pool *pool = argument;
    pthread_mutex_lock(&pool->mutex);
    for (;;) {
        while (pool->waiting.first == NULL && !pool->is_stopping)
            pthread_cond_wait(&pool->has_work, &pool->mutex);
        if (pool->is_stopping)
            break;
        struct hash_job *job = list_pop(&pool->waiting);
        pthread_mutex_unlock(&pool->mutex);
        job->outcome = work(job);
        explicit_bzero(job->password, job->password_bytes);
        pthread_mutex_lock(&pool->mutex);
        list_push(&pool->done, job);
        const uint64_t one = 1;
        if (write(pool->source.fd, &one, sizeof(one)) != (ssize_t)sizeof(one))
            BUG("an eventfd refuses");
    }
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

static void pool_ready(struct loop_source *source, uint32_t events)
{
    struct hash_pool *pool = (struct hash_pool *)source;
    uint64_t ignored;
    (void)events;
    if (read(source->fd, &ignored, sizeof(ignored)) < 0)
        return;
    pthread_mutex_lock(&pool->mutex);
    struct hash_job *job = pool->done.first;
    list_init(&pool->done);
    pthread_mutex_unlock(&pool->mutex);
    while (job != NULL) {
        struct hash_job *next = job->next; /* on_done may free the job */
        job->on_done(job);
        job = next;
    }
}

/* Signals are the loop's business: the threads take none. */
static bool start_threads(struct hash_pool *pool, uint32_t threads)
{
    sigset_t all, before;
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0)
        return false;
    pthread_attr_setstacksize(&attributes, THREAD_STACK_BYTES);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (pool->thread_count < threads
           && pthread_create(&pool->threads[pool->thread_count], &attributes, run_thread, pool) == 0)
        pool->thread_count++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return pool->thread_count == threads;
}

struct hash_pool *hash_pool_new(struct loop *loop, uint32_t threads, uint32_t queue_ceiling)
{
    struct hash_pool *pool = calloc(1, sizeof(*pool) + threads * sizeof(pool->threads[0]));
    if (pool == NULL)
        return NULL;
    pool->loop = loop;
    pool->queue_ceiling = queue_ceiling;
    list_init(&pool->waiting);
    list_init(&pool->done);
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->has_work, NULL);
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pool->source.fd = -1;
    if (fd >= 0 && !loop_add(loop, &pool->source, fd, EPOLLIN, /* exclusive= */ false, pool_ready)) {
        close(fd);
        fd = -1;
    }
    if (fd < 0 || !start_threads(pool, threads)) {
        hash_pool_free(pool);
        return NULL;
    }
    return pool;
}

void hash_pool_free(struct hash_pool *pool)
{
    if (pool == NULL)
        return;
    pthread_mutex_lock(&pool->mutex);
    pool->is_stopping = true;
    pthread_cond_broadcast(&pool->has_work);
    pthread_mutex_unlock(&pool->mutex);
    for (uint32_t i = 0; i < pool->thread_count; i++)
        pthread_join(pool->threads[i], NULL);
    for (struct hash_job *job = pool->waiting.first; job != NULL; job = job->next)
        explicit_bzero(job->password, job->password_bytes);
    if (pool->source.is_added) {
        loop_remove(pool->loop, &pool->source);
        close(pool->source.fd);
    }
    pthread_cond_destroy(&pool->has_work);
    pthread_mutex_destroy(&pool->mutex);
    free(pool);
}

bool hash_pool_submit(struct hash_pool *pool, struct hash_job *job)
{
    pthread_mutex_lock(&pool->mutex);
    bool has_room = pool->waiting.count < pool->queue_ceiling;
    if (has_room) {
        job->is_rehashed = false;
        list_push(&pool->waiting, job);
        pthread_cond_signal(&pool->has_work);
    }
    pthread_mutex_unlock(&pool->mutex);
    return has_room;
}
