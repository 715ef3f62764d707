/* multi.h - libcurl's transfers on our loop.
 *
 * libcurl says which descriptors it waits for and when it wants to be woken; the loop does the waiting. When libcurl cannot go on, because
 * memory or descriptors are out, the process is of no use any more and aborts: the supervisor starts another. */
#ifndef OUTBOUND_MULTI_H
#define OUTBOUND_MULTI_H

#include "core/loop.h"

#include <curl/curl.h>

#define MULTI_WAITS 15U

/* Invariant: an easy handle is in it from multi_add to multi_remove or to its on_ended, whichever comes first. */
struct multi {
    CURLM *handle;
    struct loop *loop;
    void (*on_ended)(void *context, CURL *easy, CURLcode code);
    void *context;
    struct loop_timer_list *waits[MULTI_WAITS]; /* of 1 ms, 2 ms, 4 ms … */
    struct loop_timer wake;
    int64_t wake_us; /* monotonic; when libcurl wants to be woken, while `wake` runs */
};

/* `on_ended` is called from the loop, for a transfer that has been taken out already. False when memory is out; multi_release is then
 * allowed. */
bool multi_init(struct multi *multi, struct loop *loop, void (*on_ended)(void *context, CURL *easy, CURLcode code),
                void *context) LIMEN_MUST_CHECK;
/* Every transfer must have been taken out. Accepts a zeroed one. */
void multi_release(struct multi *multi);

/* The transfer begins in the loop, not here. False when libcurl refuses. */
bool multi_add(struct multi *multi, CURL *easy) LIMEN_MUST_CHECK;
void multi_remove(struct multi *multi, CURL *easy);

#endif
