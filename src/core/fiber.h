/* fiber.h - straight-line code on an event loop.
 *
 * A fiber has a stack of its own with a guard page below it, and switches by saving the callee-saved registers only. Stacks
 * are pooled. A fiber that is not to be resumed is abandoned: its stack goes back to the pool without being unwound, so
 * what it holds must belong to its call. AddressSanitizer is told of every switch. */
#ifndef CORE_FIBER_H
#define CORE_FIBER_H

#include "limen/base.h"

struct fiber_pool;
struct fiber;
typedef void fiber_main(void *argument);

/* A pool of at most `max_fibers`; stacks are mapped when first needed and kept. NULL when memory is out. */
struct fiber_pool *fiber_pool_new(size_t stack_bytes, size_t max_fibers);
void fiber_pool_free(struct fiber_pool *pool);

/* A fiber that will run `main(argument)` when first resumed. NULL when the pool is used up. */
struct fiber *fiber_new(struct fiber_pool *pool, fiber_main *main, void *argument) LIMEN_MUST_CHECK;
/* Runs the fiber until it yields (false) or its main returns (true: the fiber is back in its pool, forget it). Called from
 * the thread's own stack only, never from a fiber. */
bool fiber_resume(struct fiber *fiber);
/* Called from inside the running fiber: back to fiber_resume's caller. */
void fiber_yield(struct fiber *self);
/* Gives back a fiber that is not running. */
void fiber_abandon(struct fiber *fiber);
/* The fiber that runs now in this pool, or NULL. */
struct fiber *fiber_running(const struct fiber_pool *pool);

#endif
