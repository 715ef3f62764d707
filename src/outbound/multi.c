/* multi.c - libcurl's transfers on our loop.
 *
 * Timers of the loop come in lists of one duration. A wait of any length is made of the longest of them that is not too long, and then
 * of what is left. */
#include "outbound/multi.h"

#include "core/log.h"

#include <stdlib.h>

/* A descriptor of libcurl's in the loop. */
struct multi_source {
    struct loop_source source; /* first: the loop hands us its address */
    struct multi *multi;
};

static void take_ended(struct multi *multi)
{
    int left;
    for (CURLMsg *message; (message = curl_multi_info_read(multi->handle, &left)) != NULL;) {
        CURL *easy = message->easy_handle;
        CURLcode code = message->data.result;
        if (message->msg != CURLMSG_DONE)
            continue;
        multi_remove(multi, easy); /* `message` is gone now */
        multi->on_ended(multi->context, easy, code);
    }
}

static void act(struct multi *multi, curl_socket_t fd, int events)
{
    int running;
    if (curl_multi_socket_action(multi->handle, fd, events, &running) != CURLM_OK)
        BUG("libcurl cannot go on");
    take_ended(multi);
}

/* ---- descriptors -------------------------------------------------------------------------------------------------------- */

static void on_ready(struct loop_source *source, uint32_t events)
{
    struct multi *multi = ((struct multi_source *)source)->multi;
    int what = ((events & (EPOLLIN | EPOLLHUP)) ? CURL_CSELECT_IN : 0) | ((events & EPOLLOUT) ? CURL_CSELECT_OUT : 0)
        | ((events & EPOLLERR) ? CURL_CSELECT_ERR : 0);
    act(multi, source->fd, what); /* it may have freed `source` */
}

static uint32_t wanted_events(int what)
{
    return (what & CURL_POLL_IN ? (uint32_t)EPOLLIN : 0U) | (what & CURL_POLL_OUT ? (uint32_t)EPOLLOUT : 0U);
}

static bool watch(struct multi *multi, curl_socket_t fd, int what)
{
    struct multi_source *own = calloc(1, sizeof(*own));
    if (own == NULL)
        return false;
    own->multi = multi;
    if (loop_add(multi->loop, &own->source, fd, wanted_events(what), /* exclusive= */ false, on_ready)
        && curl_multi_assign(multi->handle, fd, own) == CURLM_OK)
        return true;
    loop_remove(multi->loop, &own->source);
    free(own);
    return false;
}

/* libcurl's wish for one descriptor; -1: it cannot be fulfilled. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *assigned)
{
    struct multi *multi = context;
    struct multi_source *own = assigned;
    (void)easy;
    if (own == NULL)
        return what == CURL_POLL_REMOVE || watch(multi, fd, what) ? 0 : -1;
    if (what != CURL_POLL_REMOVE) {
        loop_want(multi->loop, &own->source, wanted_events(what));
        return 0;
    }
    loop_remove(multi->loop, &own->source);
    free(own);
    return 0;
}

/* ---- time --------------------------------------------------------------------------------------------------------------- */

static void on_wake(struct loop_timer *timer);

static void start_wake(struct multi *multi)
{
    int64_t left_ms = (multi->wake_us - loop_clock(multi->loop)->mono_us) / 1000;
    unsigned at = 0;
    while (at + 1 < MULTI_WAITS && left_ms >= (2LL << at))
        at++;
    loop_timer_start(multi->waits[at], &multi->wake, on_wake);
}

static void on_wake(struct loop_timer *timer)
{
    struct multi *multi = (struct multi *)((char *)timer - offsetof(struct multi, wake));
    if (loop_clock(multi->loop)->mono_us < multi->wake_us)
        start_wake(multi);
    else
        act(multi, CURL_SOCKET_TIMEOUT, 0);
}

/* libcurl's wish for a time; it must not be called back from here. */
static int on_timer(CURLM *handle, long wait_ms, void *context)
{
    struct multi *multi = context;
    (void)handle;
    loop_timer_stop(&multi->wake);
    if (wait_ms < 0)
        return 0;
    multi->wake_us = loop_clock(multi->loop)->mono_us + wait_ms * 1000;
    start_wake(multi);
    return 0;
}

/* ---- what others call --------------------------------------------------------------------------------------------------- */

bool multi_init(struct multi *multi, struct loop *loop, void (*on_ended)(void *context, CURL *easy, CURLcode code),
                void *context)
{
    *multi = (struct multi){ .loop = loop, .on_ended = on_ended, .context = context, .handle = curl_multi_init() };
    for (unsigned i = 0; i < MULTI_WAITS; i++) {
        multi->waits[i] = loop_timers(loop, 1000LL << i);
        if (multi->waits[i] == NULL)
            return false;
    }
    return multi->handle != NULL && curl_multi_setopt(multi->handle, CURLMOPT_SOCKETFUNCTION, on_socket) == CURLM_OK
        && curl_multi_setopt(multi->handle, CURLMOPT_SOCKETDATA, multi) == CURLM_OK
        && curl_multi_setopt(multi->handle, CURLMOPT_TIMERFUNCTION, on_timer) == CURLM_OK
        && curl_multi_setopt(multi->handle, CURLMOPT_TIMERDATA, multi) == CURLM_OK;
}

void multi_release(struct multi *multi)
{
    (void)curl_multi_cleanup(multi->handle); /* it calls back */
    loop_timer_stop(&multi->wake);
}

bool multi_add(struct multi *multi, CURL *easy)
{
    return curl_multi_add_handle(multi->handle, easy) == CURLM_OK;
}

void multi_remove(struct multi *multi, CURL *easy)
{
    (void)curl_multi_remove_handle(multi->handle, easy);
}
