/* handler.c - what a handler may ask of its call: memory, time, ids, who calls. */
#include "app/call.h"

#include "core/id.h"
#include "core/log.h"
#include "core/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/random.h>

void *limen_alloc(limen_call *call, size_t bytes)
{
    return limen_alloc_array(call, 1, bytes);
}

void *limen_alloc_array(limen_call *call, size_t count, size_t bytes)
{
    void *memory = arena_zalloc(&call->arena, count, bytes);
    if (memory == NULL)
        call_abandon(call, DATA_BUSY);
    return memory;
}

limen_str limen_printf(limen_call *call, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    limen_str text = arena_vprintf(&call->arena, format, args);
    va_end(args);
    if (text.ptr == NULL)
        call_abandon(call, DATA_BUSY);
    return text;
}

bool limen_str_equal(limen_str a, limen_str b)
{
    return str_equal(a, b);
}

limen_time limen_now(const limen_call *call)
{
    return call->now;
}

/* Random bytes for ids come in bulk: one system call for many. */
static const uint8_t *take_random(struct app *app)
{
    if (app->random_left < ID_RANDOM_BYTES) {
        if (getrandom(app->random, sizeof(app->random), 0) != (ssize_t)sizeof(app->random))
            BUG("the kernel has no random bytes");
        app->random_left = sizeof(app->random);
    }
    app->random_left -= ID_RANDOM_BYTES;
    return app->random + app->random_left;
}

limen_str limen_new_id(limen_call *call, const char *prefix)
{
    char *text = limen_alloc(call, ID_BYTES);
    return id_make(text, str_of(prefix), call->now, take_random(call->app));
}

void limen_defer(limen_call *call, void (*undo)(void *context), void *context)
{
    struct call_undo *entry = LIMEN_NEW(call, struct call_undo);
    *entry = (struct call_undo){ undo, context, call->undos };
    call->undos = entry;
}

void limen_log(const limen_call *call, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (len < 0)
        return;
    size_t shown = (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1;
    LOG_INFO("app", log_str("operation", call->admission.operation->id), log_str("says", str_make(text, shown)));
}
