/* fetch_client.c - the data role's end of the socket to the outbound role.
 *
 * Each fetch has one timer, which ends it when nothing else does. A fetch that was sent and is lost is given another outcome and a
 * timer that is due at once: so on_done is only ever called from the loop, and a caller that asks again from there cannot hold a turn. */
#include "data/fetch_client.h"

#include "core/log.h"
#include "core/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct fetch {
    struct loop_timer timer; /* first: the loop hands us its address */
    fetch_done *on_done;     /* NULL: none under way */
    void *context;
    struct effect_request *effect; /* NULL: a document is fetched */
    uint32_t sequence;
    enum fetch_outcome when_due; /* how it ends when the timer is due; FETCH_GONE: it has not been sent, or is lost */
};

/* Invariant: `fd` is -1 when there is no outbound role, and then no fetch waits for an answer, but perhaps for a new role. */
struct fetch_client {
    struct loop_source source; /* first: the loop hands us its address */
    struct loop *loop;
    void (*on_breach)(void);
    struct loop_timer_list *deadlines, *effect_deadlines, *soon;
    int fd;
    uint32_t last_sequence;
    struct fetch fetches[FETCH_PLACES];
    struct fetch_answer answer; /* the one that is being read */
};

static void finish(struct fetch *fetch, const struct fetch_result *result)
{
    fetch_done *on_done = fetch->on_done;
    fetch->on_done = NULL; /* before the call: it may ask again */
    loop_timer_stop(&fetch->timer);
    on_done(fetch->context, result);
}

static void on_due(struct loop_timer *timer)
{
    struct fetch *fetch = (struct fetch *)timer;
    const struct fetch_result result = { .outcome = fetch->when_due };
    finish(fetch, &result);
}

/* Without a role, or when its socket is full, the fetch waits for a role that is attached later. */
static void try_to_send(struct fetch_client *client, uint32_t target)
{
    struct fetch *fetch = &client->fetches[target];
    const struct fetch_request head = { .target = target, .sequence = fetch->sequence };
    const void *message = &head;
    size_t bytes = sizeof(head);
    if (fetch->effect != NULL) {
        fetch->effect->head = head;
        message = fetch->effect;
        bytes = effect_request_bytes(fetch->effect);
    }
    if (client->fd >= 0 && send(client->fd, message, bytes, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)bytes)
        fetch->when_due = FETCH_TIMEOUT;
}

/* ---- the connection ---------------------------------------------------------------------------------------------- */

static void detach(struct fetch_client *client)
{
    if (client->fd < 0)
        return;
    loop_remove(client->loop, &client->source);
    close(client->fd);
    client->fd = -1;
    for (uint32_t i = 0; i < FETCH_PLACES; i++) {
        struct fetch *fetch = &client->fetches[i];
        if (fetch->on_done == NULL || fetch->when_due != FETCH_TIMEOUT)
            continue;
        fetch->when_due = FETCH_GONE;
        loop_timer_start(client->soon, &fetch->timer, on_due);
    }
}

static bool is_sound(const struct fetch_answer *answer, size_t received)
{
    if (!fetch_answer_is_sound(answer, received))
        return false;
    return answer->target < FETCH_EFFECTS || answer->outcome != FETCH_OK
        || effect_answer_is_sound((const struct effect_answer *)(const void *)answer->body, answer->body_bytes);
}

static void take_answer(struct fetch_client *client, size_t received)
{
    const struct fetch_answer *answer = &client->answer;
    if (!is_sound(answer, received)) {
        LOG_ERROR("the outbound role breaks the protocol and is cut off", log_int("bytes", (int64_t)received));
        detach(client);
        if (client->on_breach != NULL)
            client->on_breach();
        return;
    }
    struct fetch *fetch = &client->fetches[answer->target];
    if (fetch->on_done == NULL || fetch->sequence != answer->sequence)
        return; /* late: it has ended already */
    const struct fetch_result result = {
        .outcome = (enum fetch_outcome)answer->outcome,
        .status = answer->status,
        .body = { answer->body, answer->body_bytes },
    };
    finish(fetch, &result);
}

/* One message a turn: what follows is reported again. MSG_TRUNC makes recv tell the whole size of one that is too long. */
static void on_ready(struct loop_source *source, uint32_t events)
{
    struct fetch_client *client = (struct fetch_client *)source;
    (void)events;
    ssize_t received = recv(client->fd, &client->answer, sizeof(client->answer), MSG_DONTWAIT | MSG_TRUNC);
    if (received > 0)
        take_answer(client, (size_t)received);
    else if (received == 0 || (errno != EAGAIN && errno != EINTR))
        detach(client);
}

struct fetch_client *fetch_client_new(struct loop *loop, void (*on_breach)(void))
{
    struct fetch_client *client = calloc(1, sizeof(*client));
    if (client == NULL)
        return NULL;
    client->loop = loop;
    client->on_breach = on_breach;
    client->fd = -1;
    client->deadlines = loop_timers(loop, LIMIT_FETCH_WAIT_US);
    client->effect_deadlines = loop_timers(loop, LIMIT_EFFECT_WAIT_US);
    client->soon = loop_timers(loop, /* duration_us= */ 0);
    if (client->deadlines == NULL || client->effect_deadlines == NULL || client->soon == NULL) {
        free(client);
        return NULL;
    }
    return client;
}

void fetch_client_free(struct fetch_client *client)
{
    if (client == NULL)
        return;
    detach(client);
    for (uint32_t i = 0; i < FETCH_PLACES; i++)
        loop_timer_stop(&client->fetches[i].timer);
    free(client);
}

bool fetch_client_attach(struct fetch_client *client, int fd)
{
    detach(client);
    client->source = (struct loop_source){ 0 };
    if (!loop_add(client->loop, &client->source, fd, EPOLLIN, /* exclusive= */ false, on_ready)) {
        close(fd);
        return false;
    }
    client->fd = fd;
    for (uint32_t i = 0; i < FETCH_PLACES; i++) {
        struct fetch *fetch = &client->fetches[i];
        bool is_waiting = fetch->on_done != NULL && fetch->timer.list != client->soon;
        if (is_waiting)
            try_to_send(client, i);
    }
    return true;
}

/* ---- asking ------------------------------------------------------------------------------------------------------ */

static void begin(struct fetch_client *client, uint32_t place, struct effect_request *effect, fetch_done *on_done,
                  void *context)
{
    struct fetch *fetch = &client->fetches[place];
    fetch->on_done = on_done;
    fetch->context = context;
    fetch->effect = effect;
    fetch->sequence = ++client->last_sequence;
    fetch->when_due = FETCH_GONE;
    loop_timer_start(effect == NULL ? client->deadlines : client->effect_deadlines, &fetch->timer, on_due);
    try_to_send(client, place);
}

bool fetch_client_get(struct fetch_client *client, uint32_t target, fetch_done *on_done, void *context)
{
    if (target >= LIMIT_FETCH_TARGETS || client->fetches[target].on_done != NULL)
        return false;
    begin(client, target, /* effect= */ NULL, on_done, context);
    return true;
}

bool fetch_client_effect(struct fetch_client *client, uint32_t place, struct effect_request *request,
                         fetch_done *on_done, void *context)
{
    if (place >= LIMIT_EFFECTS_AT_ONCE || client->fetches[FETCH_EFFECTS + place].on_done != NULL)
        return false;
    request->until_s = (uint32_t)((loop_clock(client->loop)->wall_us + LIMIT_EFFECT_WAIT_US) / 1000000);
    begin(client, FETCH_EFFECTS + place, request, on_done, context);
    return true;
}
