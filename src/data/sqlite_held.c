/* sqlite_held.c - an interactive transaction: the writer waits for one caller, for a moment.
 *
 * A STEP begins a transaction and leaves it open; what continues it comes by a list of its own, past everybody else's batches. The
 * lease runs from the beginning and not from step to step, so that nobody keeps the others waiting for longer. */
#include "data/sqlite_store.h"

#include "core/log.h"

#include <time.h>

static void hold(struct writer *writer, uint64_t transaction)
{
    pthread_mutex_lock(&writer->lock);
    writer->held = transaction;
    writer->is_abandoned = false;
    pthread_mutex_unlock(&writer->lock);
}

void sqlite_abandon(struct store *base, uint64_t transaction)
{
    struct writer *writer = &((struct sqlite_store *)base)->writer;
    pthread_mutex_lock(&writer->lock);
    bool must_wake = transaction != 0 && writer->held == transaction;
    if (must_wake)
        writer->is_abandoned = true;
    pthread_mutex_unlock(&writer->lock);
    if (must_wake)
        pthread_cond_signal(&writer->wake);
}

static void hand_back(struct writer *writer, struct store_task *task)
{
    struct task_list one = { 0 };
    task_list_push(&one, task);
    sqlite_hand_back(writer->store, &one);
}

/* What has come to continue the transaction. What continues an earlier one has come too late. Called with the lock held. */
static struct store_task *take_next(struct writer *writer)
{
    for (;;) {
        struct store_task *task = task_list_take(&writer->continued);
        if (task == NULL || task->transaction == writer->held)
            return task;
        task->outcome = STORE_TIMEOUT;
        hand_back(writer, task);
    }
}

static struct timespec wall_time_of(int64_t mono_us)
{
    int64_t wall_us = clock_wall_us() + (mono_us - clock_mono_us());
    return (struct timespec){ .tv_sec = wall_us / 1000000, .tv_nsec = wall_us % 1000000 * 1000 };
}

/* NULL when the lease is over, or nobody is there to continue. */
static struct store_task *await_next(struct writer *writer, int64_t until_us)
{
    struct timespec until = wall_time_of(until_us);
    struct store_task *task = NULL;
    int waited = 0;
    pthread_mutex_lock(&writer->lock);
    writer->is_idle = true;
    while (!writer->is_abandoned && !writer->is_closing && (task = take_next(writer)) == NULL && waited == 0)
        waited = pthread_cond_timedwait(&writer->wake, &writer->lock, &until);
    writer->is_idle = false;
    bool is_over = task == NULL && !writer->is_abandoned;
    pthread_mutex_unlock(&writer->lock);
    if (is_over)
        LOG_WARN("an interactive transaction held the writer for too long and is undone",
                 log_int("milliseconds", LIMIT_LEASE_US / 1000));
    return task;
}

/* Runs one task of the transaction. False when it was the last: the transaction is then committed or undone. */
static bool run_one(struct writer *writer, struct store_task *task, int64_t until_us)
{
    struct attempt attempt;
    if (task->deadline_us > until_us)
        task->deadline_us = until_us;
    batch_run(writer, task, &attempt);
    bool goes_on = task->kind == STORE_STEP && attempt.outcome == STORE_OK;
    if (!goes_on && attempt.outcome == STORE_OK)
        writer_commit(writer, &attempt);
    if (attempt.outcome != STORE_OK)
        db_rollback(&writer->db);
    if (!goes_on)
        hold(writer, 0); /* before the answer: whoever hears it may begin the next */
    attempt_settle(&attempt, task);
    hand_back(writer, task);
    return goes_on;
}

void held_run(struct writer *writer, struct store_task *first)
{
    int64_t until_us = clock_mono_us() + LIMIT_LEASE_US;
    struct attempt attempt;
    if (!writer_begin(writer, &attempt)) {
        attempt_settle(&attempt, first);
        hand_back(writer, first);
        return;
    }
    hold(writer, first->transaction);
    struct store_task *task = first;
    while (run_one(writer, task, until_us)) {
        task = await_next(writer, until_us);
        if (task == NULL) {
            db_rollback(&writer->db);
            hold(writer, 0);
            return;
        }
    }
}
