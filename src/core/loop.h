/* loop.h - one thread's event loop: level-triggered epoll, timeouts in lists, work for the end of the turn.
 *
 * What a source wants to hear of is noted and told to the kernel once a turn, just before epoll_wait. Timeouts of one
 * length stand in one list in order of expiry, so starting and stopping one is a few pointer moves. */
#ifndef CORE_LOOP_H
#define CORE_LOOP_H

#include "core/clock.h"
#include "limen/base.h"

#include <sys/epoll.h>

struct loop;

/* A file descriptor in a loop; embed it in what owns the descriptor. Zeroed before loop_add. */
struct loop_source {
    int fd;
    uint32_t want;  /* EPOLLIN | EPOLLOUT | EPOLLRDHUP, as last asked for */
    uint32_t armed; /* what the kernel was told; 0: the kernel does not know the descriptor */
    bool is_added, is_exclusive;
    void (*on_ready)(struct loop_source *source, uint32_t events);
    struct loop_source *next_dirty, **dirty_link; /* dirty_link: the pointer that points here; NULL: not dirty */
};

/* One running timeout; embed it. Zeroed means not running. */
struct loop_timer {
    struct loop_timer *prev, *next;
    struct loop_timer_list *list; /* NULL: not running */
    int64_t due_us;               /* monotonic */
    void (*on_due)(struct loop_timer *timer);
};

/* Something to do at the end of each turn in which it was asked for (flush a socket, send the collected frames). */
struct loop_task {
    void (*run)(struct loop_task *task);
    struct loop_task *next;
    bool is_queued;
};

struct loop *loop_new(void); /* NULL when the kernel or memory refuses */
void loop_free(struct loop *loop);
/* This turn's time; valid as long as the loop. */
const struct clock *loop_clock(const struct loop *loop);

/* Starts to watch `source->fd`. `exclusive` sets EPOLLEXCLUSIVE (listening sockets). False when the kernel refuses. */
bool loop_add(struct loop *loop, struct loop_source *source, int fd, uint32_t want, bool exclusive,
              void (*on_ready)(struct loop_source *source, uint32_t events)) LIMEN_MUST_CHECK;
/* Changes what is wanted; the kernel hears of it at the end of the turn. A source that wants 0 hears of nothing, not even
 * EPOLLHUP and EPOLLERR, which any other may get unasked. When the kernel refuses, the source gets EPOLLERR. */
void loop_want(struct loop *loop, struct loop_source *source, uint32_t want);
/* Stops watching; call it before close(2). Events already fetched in this turn are not delivered any more. */
void loop_remove(struct loop *loop, struct loop_source *source);

/* The list of timeouts that last `duration_us`: found or made; a loop has a few dozen at the most. NULL when memory is
 * out. Lives as long as the loop. */
struct loop_timer_list *loop_timers(struct loop *loop, int64_t duration_us);
/* Starts, or starts again from now (this turn's time). A timer comes due up to a millisecond late, never early; one that
 * is started by an on_due waits for the next turn at least. */
void loop_timer_start(struct loop_timer_list *list, struct loop_timer *timer, void (*on_due)(struct loop_timer *timer));
void loop_timer_stop(struct loop_timer *timer); /* also when not running */
/* Of those in the list that are wanted the one that comes due first, or NULL. Others may use lists of the same length. */
struct loop_timer *loop_timer_first(const struct loop_timer_list *list,
                                    bool (*is_wanted)(const struct loop_timer *timer));

/* Runs `task` at the end of this turn, once however often it is asked for. Tasks asked for by tasks run in the same turn. */
void loop_at_end(struct loop *loop, struct loop_task *task);
/* Takes it back: before the memory that it is in goes. Also when it was not asked for. */
void loop_forget(struct loop *loop, struct loop_task *task);

/* Turns until loop_stop, which may have been called before. A turn: `on_turn`, wait, the time, events, timers, tasks.
 * `on_turn` (may be NULL) is the heartbeat. The loop wakes at least every `max_wait_us`. */
void loop_run(struct loop *loop, int64_t max_wait_us, void (*on_turn)(void *context), void *context);
void loop_stop(struct loop *loop);
/* One turn, for tests and for draining; waits at most `max_wait_us`. */
void loop_turn(struct loop *loop, int64_t max_wait_us);

#endif
