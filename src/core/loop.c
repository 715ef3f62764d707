/* loop.c - one thread's event loop.
 *
 * The kernel is told of a change just before it is asked to wait, so a source that changes its mind within a turn costs no
 * call. An event is delivered only if its source is still there and still wants it: what a callback does to another source
 * holds at once. */
#include "core/loop.h"

#include "core/limits.h"
#include "core/log.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define ALWAYS_REPORTED ((uint32_t)(EPOLLERR | EPOLLHUP))

/* Timers of one duration. Invariant: the ring begins with the one that comes due first, because the clock never goes back. */
struct loop_timer_list {
    struct loop_timer ring; /* its `next` is the first, its `prev` the last */
    const struct clock *clock;
    int64_t duration_us;
    struct loop_timer_list *next_list;
};

struct loop {
    struct clock clock;
    int epoll_fd;
    bool is_stopping;
    struct loop_source *dirty;
    struct loop_timer_list *lists;
    struct loop_task *first_task, **last_task;
    int event_at, event_count; /* the one that is being delivered, and how many were fetched */
    struct epoll_event events[LIMIT_EVENTS_PER_TURN];
};

struct loop *loop_new(void)
{
    struct loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL)
        return NULL;
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll_fd < 0) {
        free(loop);
        return NULL;
    }
    loop->last_task = &loop->first_task;
    clock_refresh(&loop->clock);
    return loop;
}

void loop_free(struct loop *loop)
{
    if (loop == NULL)
        return;
    while (loop->lists != NULL) {
        struct loop_timer_list *list = loop->lists;
        loop->lists = list->next_list;
        free(list);
    }
    close(loop->epoll_fd);
    free(loop);
}

const struct clock *loop_clock(const struct loop *loop)
{
    return &loop->clock;
}

/* ---- sources ---------------------------------------------------------------------------------------------------- */

static void make_dirty(struct loop *loop, struct loop_source *source)
{
    if (source->dirty_link != NULL)
        return;
    source->next_dirty = loop->dirty;
    source->dirty_link = &loop->dirty;
    if (loop->dirty != NULL)
        loop->dirty->dirty_link = &source->next_dirty;
    loop->dirty = source;
}

static void make_clean(struct loop_source *source)
{
    if (source->dirty_link == NULL)
        return;
    *source->dirty_link = source->next_dirty;
    if (source->next_dirty != NULL)
        source->next_dirty->dirty_link = source->dirty_link;
    source->next_dirty = NULL;
    source->dirty_link = NULL;
}

static bool control(struct loop *loop, int operation, struct loop_source *source)
{
    struct epoll_event event = { .events = source->want | (source->is_exclusive ? (uint32_t)EPOLLEXCLUSIVE : 0),
                                 .data.ptr = source };
    return epoll_ctl(loop->epoll_fd, operation, source->fd, &event) == 0;
}

/* Tells the kernel what the source wants. A source that wants nothing is taken out, for the kernel would report hang-ups of
 * it again and again; an exclusive one is taken out and put in again, for EPOLL_CTL_MOD is not allowed on it. */
static bool arm(struct loop *loop, struct loop_source *source)
{
    if (source->want == source->armed)
        return true;
    bool is_kept = source->armed != 0 && source->want != 0 && !source->is_exclusive;
    if (source->armed != 0 && !is_kept)
        control(loop, EPOLL_CTL_DEL, source);
    source->armed = is_kept ? source->armed : 0;
    if (source->want != 0 && !control(loop, is_kept ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, source))
        return false;
    source->armed = source->want;
    return true;
}

bool loop_add(struct loop *loop, struct loop_source *source, int fd, uint32_t want, bool exclusive,
              void (*on_ready)(struct loop_source *source, uint32_t events))
{
    if (source->is_added)
        BUG("a source is added twice");
    *source = (struct loop_source){ .fd = fd, .want = want, .is_exclusive = exclusive, .on_ready = on_ready };
    source->is_added = arm(loop, source); /* at once: the caller wants to know */
    return source->is_added;
}

void loop_want(struct loop *loop, struct loop_source *source, uint32_t want)
{
    source->want = want;
    if (want != source->armed && source->is_added)
        make_dirty(loop, source);
}

void loop_remove(struct loop *loop, struct loop_source *source)
{
    if (!source->is_added)
        return;
    make_clean(source);
    source->want = 0;
    arm(loop, source);
    source->is_added = false;
    for (int i = loop->event_at + 1; i < loop->event_count; i++)
        if (loop->events[i].data.ptr == source)
            loop->events[i].data.ptr = NULL;
}

/* The list is taken over first: what an on_ready asks for waits for the next turn. */
static void flush_dirty(struct loop *loop)
{
    struct loop_source *dirty = loop->dirty;
    if (dirty != NULL)
        dirty->dirty_link = &dirty;
    loop->dirty = NULL;
    while (dirty != NULL) {
        struct loop_source *source = dirty;
        make_clean(source);
        if (!arm(loop, source))
            source->on_ready(source, EPOLLERR);
    }
}

static void deliver_events(struct loop *loop)
{
    for (loop->event_at = 0; loop->event_at < loop->event_count; loop->event_at++) {
        const struct epoll_event *event = &loop->events[loop->event_at];
        struct loop_source *source = event->data.ptr;
        if (source == NULL || source->want == 0)
            continue;
        uint32_t events = event->events & (source->want | ALWAYS_REPORTED);
        if (events != 0)
            source->on_ready(source, events);
    }
    loop->event_count = 0;
}

/* ---- timers ----------------------------------------------------------------------------------------------------- */

static void unlink_timer(struct loop_timer *timer)
{
    timer->prev->next = timer->next;
    timer->next->prev = timer->prev;
}

static void append_timer(struct loop_timer *ring, struct loop_timer *timer)
{
    timer->prev = ring->prev;
    timer->next = ring;
    ring->prev->next = timer;
    ring->prev = timer;
}

struct loop_timer_list *loop_timers(struct loop *loop, int64_t duration_us)
{
    for (struct loop_timer_list *list = loop->lists; list != NULL; list = list->next_list)
        if (list->duration_us == duration_us)
            return list;
    struct loop_timer_list *list = calloc(1, sizeof *list);
    if (list == NULL)
        return NULL;
    list->ring.prev = list->ring.next = &list->ring;
    list->clock = &loop->clock;
    list->duration_us = duration_us;
    list->next_list = loop->lists;
    loop->lists = list;
    return list;
}

void loop_timer_start(struct loop_timer_list *list, struct loop_timer *timer, void (*on_due)(struct loop_timer *timer))
{
    if (timer->list != NULL)
        unlink_timer(timer);
    timer->list = list;
    timer->on_due = on_due;
    timer->due_us = list->clock->mono_us + list->duration_us;
    append_timer(&list->ring, timer);
}

void loop_timer_stop(struct loop_timer *timer)
{
    if (timer->list == NULL)
        return;
    unlink_timer(timer);
    timer->prev = timer->next = NULL;
    timer->list = NULL;
}

struct loop_timer *loop_timer_first(const struct loop_timer_list *list,
                                    bool (*is_wanted)(const struct loop_timer *timer))
{
    struct loop_timer *timer = list->ring.next;
    while (timer != &list->ring && !is_wanted(timer))
        timer = timer->next;
    return timer == &list->ring ? NULL : timer;
}

/* Moves what is due to a ring of its own first: a callback may stop any of them, and what it starts waits for the next
 * turn, however short the list's duration. */
static void run_due(struct loop_timer_list *list, int64_t now_us)
{
    struct loop_timer due = { .prev = &due, .next = &due };
    while (list->ring.next != &list->ring && list->ring.next->due_us <= now_us) {
        struct loop_timer *timer = list->ring.next;
        unlink_timer(timer);
        append_timer(&due, timer);
    }
    while (due.next != &due) {
        struct loop_timer *timer = due.next;
        loop_timer_stop(timer);
        timer->on_due(timer);
    }
}

static void run_timers(struct loop *loop)
{
    for (struct loop_timer_list *list = loop->lists; list != NULL; list = list->next_list)
        run_due(list, loop->clock.mono_us);
}

/* Whole milliseconds until something is due, rounded up so that nothing is early. */
static int wait_ms(const struct loop *loop, int64_t max_wait_us)
{
    if (loop->first_task != NULL)
        return 0;
    int64_t now_us = loop->clock.mono_us, wait_us = max_wait_us;
    for (const struct loop_timer_list *list = loop->lists; list != NULL; list = list->next_list)
        if (list->ring.next != &list->ring && list->ring.next->due_us - now_us < wait_us)
            wait_us = list->ring.next->due_us - now_us;
    if (wait_us <= 0)
        return 0;
    return wait_us / 1000 >= INT32_MAX ? INT32_MAX : (int)((wait_us + 999) / 1000);
}

/* ---- tasks and turns -------------------------------------------------------------------------------------------- */

void loop_at_end(struct loop *loop, struct loop_task *task)
{
    if (task->is_queued)
        return;
    task->is_queued = true;
    task->next = NULL;
    *loop->last_task = task;
    loop->last_task = &task->next;
}

void loop_forget(struct loop *loop, struct loop_task *task)
{
    struct loop_task **link = &loop->first_task;
    while (*link != NULL && *link != task)
        link = &(*link)->next;
    if (*link == NULL)
        return;
    *link = task->next;
    if (*link == NULL)
        loop->last_task = link;
    task->is_queued = false;
}

static void run_tasks(struct loop *loop)
{
    while (loop->first_task != NULL) {
        struct loop_task *task = loop->first_task;
        loop->first_task = task->next;
        if (loop->first_task == NULL)
            loop->last_task = &loop->first_task;
        task->is_queued = false; /* before it runs: it may ask again, or free itself */
        task->run(task);
    }
}

void loop_turn(struct loop *loop, int64_t max_wait_us)
{
    flush_dirty(loop);
    int count = epoll_wait(loop->epoll_fd, loop->events, LIMIT_EVENTS_PER_TURN, wait_ms(loop, max_wait_us));
    if (count < 0 && errno != EINTR)
        BUG("epoll_wait refuses");
    loop->event_count = count < 0 ? 0 : count;
    clock_refresh(&loop->clock);
    deliver_events(loop);
    run_timers(loop);
    run_tasks(loop);
}

void loop_run(struct loop *loop, int64_t max_wait_us, void (*on_turn)(void *context), void *context)
{
    while (!loop->is_stopping) {
        if (on_turn != NULL)
            on_turn(context);
        loop_turn(loop, max_wait_us);
    }
    loop->is_stopping = false;
}

void loop_stop(struct loop *loop)
{
    loop->is_stopping = true;
}
