/* Tests of core/loop.h. */
#include "check.h"

#include "core/loop.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define MS INT64_C(1000)

static struct loop *loop;

static int set_up(void **state)
{
    (void)state;
    loop = loop_new();
    return loop == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    loop_free(loop);
    return 0;
}

/* ---- sources ---------------------------------------------------------------------------------------------------- */

/* One end of a socket pair in the loop, and the other end. */
struct link {
    struct loop_source source; /* first: on_ready finds the link by it */
    int near, far;
    int calls;
    uint32_t events;
    struct link *other;
    void (*act)(struct link *other); /* what its on_ready does to the other, when set */
};

static void note(struct loop_source *source, uint32_t events)
{
    struct link *link = (struct link *)source;
    link->calls++;
    link->events = events;
    if (link->act != NULL)
        link->act(link->other);
}

static void open_link(struct link *link, uint32_t want)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    *link = (struct link){ .near = ends[0], .far = ends[1] };
    assert_true(loop_add(loop, &link->source, link->near, want, /* exclusive= */ false, note));
}

static void close_link(struct link *link)
{
    loop_remove(loop, &link->source);
    close(link->near);
    if (link->far >= 0)
        close(link->far);
}

static void make_readable(const struct link *link)
{
    assert_int_equal(write(link->far, "x", 1), 1);
}

static void test_events_reach_the_source_that_wants_them(void **state)
{
    (void)state;
    struct link link;
    open_link(&link, EPOLLIN);
    loop_turn(loop, 0);
    assert_int_equal(link.calls, 0);
    make_readable(&link);
    loop_turn(loop, 1000 * MS);
    assert_int_equal(link.calls, 1);
    assert_int_equal(link.events, EPOLLIN);
    loop_turn(loop, 0); /* level-triggered: nobody has read */
    assert_int_equal(link.calls, 2);
    close_link(&link);
}

static void test_kernel_hears_of_changes_once_a_turn(void **state)
{
    (void)state;
    struct link link;
    open_link(&link, EPOLLIN);
    loop_want(loop, &link.source, EPOLLIN | EPOLLOUT);
    loop_want(loop, &link.source, EPOLLOUT);
    assert_int_equal(link.source.armed, EPOLLIN);
    loop_turn(loop, 1000 * MS);
    assert_int_equal(link.source.armed, EPOLLOUT);
    assert_int_equal(link.events, EPOLLOUT);
    loop_want(loop, &link.source, EPOLLIN);
    loop_turn(loop, 0);
    assert_int_equal(link.calls, 1);
    close_link(&link);
}

static void test_source_that_wants_nothing_neither_hears_nor_spins(void **state)
{
    (void)state;
    struct link link;
    open_link(&link, EPOLLIN);
    loop_want(loop, &link.source, 0);
    close(link.far); /* the kernel would report this hang-up for any descriptor it knows */
    link.far = -1;
    int64_t before = clock_mono_us();
    loop_turn(loop, 20 * MS);
    assert_true(clock_mono_us() - before >= 20 * MS);
    assert_int_equal(link.calls, 0);
    loop_want(loop, &link.source, EPOLLIN);
    loop_turn(loop, 1000 * MS);
    assert_int_equal(link.calls, 1);
    assert_true(link.events & EPOLLHUP);
    close_link(&link);
}

static void test_source_may_begin_by_wanting_nothing(void **state)
{
    (void)state;
    struct link link;
    open_link(&link, 0);
    make_readable(&link);
    loop_turn(loop, 0);
    assert_int_equal(link.calls, 0);
    loop_want(loop, &link.source, EPOLLIN);
    loop_turn(loop, 1000 * MS);
    assert_int_equal(link.calls, 1);
    close_link(&link);
}

/* Two links, readable or hung up, of which the first to be called does `act` to the other: no event may reach that one any
 * more. */
static void check_no_stale_event(void (*act)(struct link *other), bool is_hung_up)
{
    struct link pair[2];
    for (int i = 0; i < 2; i++) {
        open_link(&pair[i], EPOLLIN);
        pair[i].act = act;
        pair[i].other = &pair[1 - i];
        make_readable(&pair[i]);
        if (is_hung_up) {
            close(pair[i].far);
            pair[i].far = -1;
        }
    }
    loop_turn(loop, 1000 * MS);
    assert_int_equal(pair[0].calls + pair[1].calls, 1);
    close_link(&pair[0]);
    close_link(&pair[1]);
}

static void act_remove(struct link *other)
{
    loop_remove(loop, &other->source);
}
static void act_want_nothing(struct link *other)
{
    loop_want(loop, &other->source, 0);
}
static void act_want_something_else(struct link *other)
{
    loop_want(loop, &other->source, EPOLLRDHUP);
}
/* Another descriptor, which is not ready, in the same memory. */
static void act_replace(struct link *other)
{
    close_link(other);
    open_link(other, EPOLLIN);
}

static void test_removed_source_gets_no_stale_event(void **state)
{
    (void)state;
    check_no_stale_event(act_remove, false);
    check_no_stale_event(act_remove, true);
}

static void test_successor_in_the_same_memory_gets_no_stale_event(void **state)
{
    (void)state;
    check_no_stale_event(act_replace, false);
    check_no_stale_event(act_replace, true);
}

static void test_event_that_is_not_wanted_any_more_is_dropped(void **state)
{
    (void)state;
    check_no_stale_event(act_want_nothing, false);
    check_no_stale_event(act_want_nothing, true);
    check_no_stale_event(act_want_something_else, false);
}

static void test_source_may_remove_itself(void **state)
{
    (void)state;
    struct link link;
    open_link(&link, EPOLLIN);
    link.act = act_remove;
    link.other = &link;
    make_readable(&link);
    loop_turn(loop, 1000 * MS);
    loop_turn(loop, 0);
    assert_int_equal(link.calls, 1);
    close_link(&link);
}

static void test_removed_source_may_be_freed_although_it_was_dirty(void **state)
{
    (void)state;
    struct link *links[3];
    for (int i = 0; i < 3; i++) {
        links[i] = calloc(1, sizeof *links[i]);
        assert_non_null(links[i]);
        open_link(links[i], EPOLLIN);
        loop_want(loop, &links[i]->source, EPOLLIN | EPOLLOUT);
    }
    close_link(links[1]); /* between two other dirty ones */
    free(links[1]);
    loop_turn(loop, 1000 * MS);
    assert_int_equal(links[0]->calls, 1);
    assert_int_equal(links[2]->calls, 1);
    for (int i = 0; i < 3; i += 2) {
        close_link(links[i]);
        free(links[i]);
    }
}

static void test_what_epoll_cannot_watch_is_refused_at_once(void **state)
{
    (void)state;
    struct loop_source source = { .fd = 0 };
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC); /* a regular file */
    assert_true(fd >= 0);
    assert_false(loop_add(loop, &source, fd, EPOLLIN, false, note));
    assert_false(source.is_added);
    loop_remove(loop, &source);
    close(fd);
}

static void test_later_refusal_is_told_to_the_source(void **state)
{
    (void)state;
    struct link link;
    open_link(&link, 0);
    int fd = link.near;
    close(fd); /* a mistake of the owner's: the kernel answers EBADF */
    loop_want(loop, &link.source, EPOLLIN);
    loop_turn(loop, 0);
    assert_int_equal(link.calls, 1);
    assert_int_equal(link.events, EPOLLERR);
    loop_turn(loop, 0); /* and does not hear of it again */
    assert_int_equal(link.calls, 1);
    loop_remove(loop, &link.source);
    close(link.far);
}

static void test_exclusive_source_can_change_its_mind(void **state)
{
    (void)state;
    struct link listener = { .far = -1 };
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t bytes = sizeof address;
    listener.near = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(listener.near, (struct sockaddr *)&address, bytes), 0);
    assert_int_equal(listen(listener.near, 4), 0);
    assert_int_equal(getsockname(listener.near, (struct sockaddr *)&address, &bytes), 0);
    assert_true(loop_add(loop, &listener.source, listener.near, EPOLLIN, /* exclusive= */ true, note));

    int client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&address, bytes), 0);
    loop_turn(loop, 1000 * MS);
    assert_int_equal(listener.calls, 1);
    loop_want(loop, &listener.source, 0);
    loop_turn(loop, 5 * MS);
    assert_int_equal(listener.calls, 1);
    loop_want(loop, &listener.source, EPOLLIN);
    loop_turn(loop, 1000 * MS);
    assert_int_equal(listener.calls, 2);
    assert_int_equal(listener.events, EPOLLIN);
    loop_want(loop, &listener.source, EPOLLIN | EPOLLOUT); /* would be EPOLL_CTL_MOD, which is EINVAL */
    loop_turn(loop, 1000 * MS);
    assert_int_equal(listener.calls, 3);
    assert_int_equal(listener.events, EPOLLIN);
    close(client);
    close_link(&listener);
}

/* ---- timers ----------------------------------------------------------------------------------------------------- */

struct alarm {
    struct loop_timer timer; /* first */
    int64_t rang_us;
    int rings;
    struct alarm *victim; /* stopped when this one rings */
    struct loop_timer_list *again;
};

static void ring(struct loop_timer *timer)
{
    struct alarm *alarm = (struct alarm *)timer;
    assert_null(timer->list); /* not running any more */
    alarm->rings++;
    alarm->rang_us = loop_clock(loop)->mono_us;
    if (alarm->victim != NULL)
        loop_timer_stop(&alarm->victim->timer);
    if (alarm->again != NULL)
        loop_timer_start(alarm->again, timer, ring);
}

static void test_timer_is_never_early(void **state)
{
    (void)state;
    static const int64_t durations_us[] = { 1, 999, 1000, 1001, 7300 };
    for (size_t i = 0; i < sizeof durations_us / sizeof durations_us[0]; i++) {
        struct alarm alarm = { .rings = 0 };
        int64_t start = loop_clock(loop)->mono_us;
        loop_timer_start(loop_timers(loop, durations_us[i]), &alarm.timer, ring);
        for (int turns = 0; turns < 5 && alarm.rings == 0; turns++)
            loop_turn(loop, 60000 * MS); /* and this does not last a minute */
        assert_int_equal(alarm.rings, 1);
        assert_true(alarm.rang_us - start >= durations_us[i]);
        assert_true(alarm.rang_us - start < 30000 * MS);
    }
}

static void test_one_list_a_duration(void **state)
{
    (void)state;
    struct loop_timer_list *first = loop_timers(loop, 5000), *second = loop_timers(loop, 6000);
    assert_ptr_not_equal(first, second);
    assert_ptr_equal(loop_timers(loop, 5000), first);
    assert_ptr_equal(loop_timers(loop, 6000), second);
}

static void test_shortest_of_all_lists_sets_the_wait(void **state)
{
    (void)state;
    struct alarm slow = { .rings = 0 }, fast = { .rings = 0 };
    loop_timer_start(loop_timers(loop, 60000 * MS), &slow.timer, ring);
    loop_timer_start(loop_timers(loop, 5 * MS), &fast.timer, ring);
    int64_t before = clock_mono_us();
    while (fast.rings == 0)
        loop_turn(loop, 60000 * MS);
    assert_true(clock_mono_us() - before < 30000 * MS);
    assert_int_equal(slow.rings, 0);
    loop_timer_stop(&slow.timer);
}

static void test_started_again_means_from_now(void **state)
{
    (void)state;
    struct loop_timer_list *list = loop_timers(loop, 10 * MS);
    struct alarm first, second;
    int64_t due_us;
    do { /* again, when the machine was away for so long that they have rung meanwhile */
        first = second = (struct alarm){ .rings = 0 };
        loop_timer_start(list, &first.timer, ring);
        loop_timer_start(list, &second.timer, ring);
        due_us = first.timer.due_us;
        usleep(2000);
        loop_turn(loop, 0);
    } while (first.rings + second.rings == 2);
    loop_timer_start(list, &first.timer, ring); /* goes behind the second */
    assert_true(first.timer.due_us >= due_us + 2 * MS);
    while (second.rings == 0)
        loop_turn(loop, 1000 * MS);
    while (first.rings == 0)
        loop_turn(loop, 1000 * MS);
    assert_true(first.rang_us >= due_us + 2 * MS);
    assert_int_equal(first.rings + second.rings, 2);
}

static void test_stopped_timer_does_not_ring(void **state)
{
    (void)state;
    struct alarm alarm = { .rings = 0 };
    loop_timer_stop(&alarm.timer); /* not running: nothing happens */
    loop_timer_start(loop_timers(loop, 1), &alarm.timer, ring);
    loop_timer_stop(&alarm.timer);
    loop_timer_stop(&alarm.timer);
    loop_turn(loop, 3 * MS);
    assert_int_equal(alarm.rings, 0);
}

static void test_due_timer_may_stop_another_due_one(void **state)
{
    (void)state;
    struct alarm third = { .rings = 0 }, second = { .rings = 0 }, first = { .victim = &second };
    struct loop_timer_list *list = loop_timers(loop, MS);
    loop_timer_start(list, &first.timer, ring);
    loop_timer_start(list, &second.timer, ring);
    loop_timer_start(list, &third.timer, ring);
    usleep(3000);
    loop_turn(loop, 0);
    assert_int_equal(first.rings, 1);
    assert_int_equal(second.rings, 0);
    assert_int_equal(third.rings, 1);
}

static void test_timer_started_by_itself_waits_for_the_next_turn(void **state)
{
    (void)state;
    struct loop_timer_list *now = loop_timers(loop, 0);
    struct alarm alarm = { .again = now };
    loop_timer_start(now, &alarm.timer, ring);
    for (int turns = 1; turns <= 3; turns++) {
        loop_turn(loop, 1000 * MS); /* no wait: it is due */
        assert_int_equal(alarm.rings, turns);
    }
    loop_timer_stop(&alarm.timer);
}

static void free_alarm(struct loop_timer *timer)
{
    free(timer);
}

static void test_timer_may_free_itself(void **state)
{
    (void)state;
    struct loop_timer_list *now = loop_timers(loop, 0);
    for (int i = 0; i < 3; i++) {
        struct alarm *alarm = calloc(1, sizeof *alarm);
        assert_non_null(alarm);
        loop_timer_start(now, &alarm->timer, free_alarm);
    }
    loop_turn(loop, 0);
    struct alarm after = { .rings = 0 };
    loop_timer_start(now, &after.timer, ring);
    loop_turn(loop, 0);
    assert_int_equal(after.rings, 1);
}

static void test_idle_turn_lasts_as_long_as_it_may(void **state)
{
    (void)state;
    int64_t before = clock_mono_us();
    loop_turn(loop, 15 * MS);
    int64_t lasted = clock_mono_us() - before;
    assert_true(lasted >= 15 * MS && lasted < 30000 * MS);
}

/* ---- tasks and turns -------------------------------------------------------------------------------------------- */

struct job {
    struct loop_task task; /* first */
    int runs;
    struct job *then;
};

static void run_job(struct loop_task *task)
{
    struct job *job = (struct job *)task;
    job->runs++;
    if (job->then != NULL)
        loop_at_end(loop, &job->then->task);
}

static void test_task_runs_once_however_often_asked_for(void **state)
{
    (void)state;
    struct job job = { .task.run = run_job };
    loop_at_end(loop, &job.task);
    loop_at_end(loop, &job.task);
    assert_int_equal(job.runs, 0);
    int64_t before = clock_mono_us();
    loop_turn(loop, 60000 * MS); /* does not wait while a task does */
    assert_true(clock_mono_us() - before < 30000 * MS);
    assert_int_equal(job.runs, 1);
    loop_turn(loop, 0);
    assert_int_equal(job.runs, 1);
}

static void test_tasks_of_tasks_run_in_the_same_turn(void **state)
{
    (void)state;
    struct job last = { .task.run = run_job }, middle = { .task.run = run_job, .then = &last },
               first = { .task.run = run_job, .then = &middle };
    loop_at_end(loop, &first.task);
    loop_turn(loop, 0);
    assert_int_equal(first.runs + middle.runs + last.runs, 3);
    loop_at_end(loop, &last.task); /* the queue is in order afterwards */
    loop_at_end(loop, &first.task);
    loop_turn(loop, 0);
    assert_int_equal(first.runs, 2);
    assert_int_equal(middle.runs, 2);
    assert_int_equal(last.runs, 3);
}

static struct job asked_for;
static void act_ask(struct link *other)
{
    (void)other;
    loop_at_end(loop, &asked_for.task);
}

static void test_task_asked_for_by_events_runs_once_in_their_turn(void **state)
{
    (void)state;
    struct link links[2];
    asked_for = (struct job){ .task.run = run_job };
    for (int i = 0; i < 2; i++) {
        open_link(&links[i], EPOLLOUT);
        links[i].act = act_ask;
    }
    loop_turn(loop, 1000 * MS);
    assert_int_equal(links[0].calls + links[1].calls, 2);
    assert_int_equal(asked_for.runs, 1);
    close_link(&links[0]);
    close_link(&links[1]);
}

static int turns;
static void count_turns(void *context)
{
    turns++;
    if (turns == *(int *)context)
        loop_stop(loop);
}

static void test_run_calls_the_heartbeat_each_turn(void **state)
{
    (void)state;
    int most = 3;
    turns = 0;
    loop_run(loop, MS, count_turns, &most);
    assert_int_equal(turns, 3);
    loop_run(loop, MS, count_turns, &(int){ 5 }); /* may be run again */
    assert_int_equal(turns, 5);
}

static void test_stop_before_run_is_not_lost(void **state)
{
    (void)state;
    turns = 0;
    loop_stop(loop);
    loop_run(loop, 1000 * MS, count_turns, &(int){ -1 });
    assert_int_equal(turns, 0);
}

static void test_more_events_than_a_turn_takes_come_with_the_next(void **state)
{
    (void)state;
    enum { COUNT = 300 };
    static struct link links[COUNT];
    for (int i = 0; i < COUNT; i++)
        open_link(&links[i], EPOLLOUT);
    loop_turn(loop, 1000 * MS);
    loop_turn(loop, 1000 * MS);
    for (int i = 0; i < COUNT; i++) {
        assert_in_range(links[i].calls, 1, 2);
        close_link(&links[i]);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_events_reach_the_source_that_wants_them),
        TEST(test_kernel_hears_of_changes_once_a_turn),
        TEST(test_source_that_wants_nothing_neither_hears_nor_spins),
        TEST(test_source_may_begin_by_wanting_nothing),
        TEST(test_removed_source_gets_no_stale_event),
        TEST(test_successor_in_the_same_memory_gets_no_stale_event),
        TEST(test_event_that_is_not_wanted_any_more_is_dropped),
        TEST(test_source_may_remove_itself),
        TEST(test_removed_source_may_be_freed_although_it_was_dirty),
        TEST(test_what_epoll_cannot_watch_is_refused_at_once),
        TEST(test_later_refusal_is_told_to_the_source),
        TEST(test_exclusive_source_can_change_its_mind),
        TEST(test_timer_is_never_early),
        TEST(test_one_list_a_duration),
        TEST(test_shortest_of_all_lists_sets_the_wait),
        TEST(test_started_again_means_from_now),
        TEST(test_stopped_timer_does_not_ring),
        TEST(test_due_timer_may_stop_another_due_one),
        TEST(test_timer_started_by_itself_waits_for_the_next_turn),
        TEST(test_timer_may_free_itself),
        TEST(test_idle_turn_lasts_as_long_as_it_may),
        TEST(test_task_runs_once_however_often_asked_for),
        TEST(test_tasks_of_tasks_run_in_the_same_turn),
        TEST(test_task_asked_for_by_events_runs_once_in_their_turn),
        TEST(test_run_calls_the_heartbeat_each_turn),
        TEST(test_stop_before_run_is_not_lost),
        TEST(test_more_events_than_a_turn_takes_come_with_the_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
