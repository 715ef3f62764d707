/* app.h - the app side of a worker: every exchange that the edge hands up becomes a call. */
#ifndef APP_APP_H
#define APP_APP_H

#include "boundary/admit.h"
#include "core/fiber.h"
#include "core/loop.h"

struct limen_call;

/* One worker's app. The boundary and all that it points to belong to the server layer. */
struct app {
    struct boundary *boundary;
    struct loop *loop;
    struct arena_pool *arenas;
    struct fiber_pool *fibers;
    struct memory *memory;        /* what calls reserve of */
    bool checks_replies;          /* every reply is held against its schema: tests */
    const struct operation *jobs; /* by the index of an effect: what stands in for its operation */
    struct limen_call *waiting;   /* calls that wait for the data role to come back */
    uint32_t calls;               /* under way */
    uint8_t random[1024];         /* bytes for ids, fetched in bulk */
    uint32_t random_left;
};

/* The edge's hooks; `context` of edge_hooks is the app. */
void app_on_request(void *context, struct exchange *exchange);
void app_on_gone(void *context, struct exchange *exchange);
void app_on_refused(void *context, int status);
/* The data client's hook: a new data role is there. */
void app_on_attach(void *context);

/* Before the first job. False when memory is out. */
bool app_bind_effects(struct app *app, struct arena *arena) LIMEN_MUST_CHECK;
/* The data client's hook: what came of an effect. */
void app_on_job(void *context, const struct data_job *job);

#endif
