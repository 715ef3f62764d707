/* fiber.c - straight-line code on an event loop.
 *
 * All stacks of a pool lie in one reservation of addresses, each above a page that is never made accessible; one is opened
 * when it is first needed and stays open. The fiber that was given back last is the first to be used again, for its stack is
 * still in the cache. */
#include "core/fiber.h"

#include "core/log.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN 1
#endif
#endif
#ifdef HAS_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif

/* Tops of stacks are moved apart by some cache lines; page-aligned tops would all fall into the same sets of the cache. */
#define COLOURS 8U
#define COLOUR_BYTES 256U

enum fiber_state { FIBER_FREE, FIBER_SUSPENDED, FIBER_RUNNING, FIBER_DONE };

struct fiber {
    void *sp; /* where it goes on, when it is suspended */
    struct fiber_pool *pool;
    fiber_main *main;
    void *argument;
    enum fiber_state state;
    char *stack; /* its lowest usable byte; NULL: not opened yet */
    struct fiber *next_free;
    void *fake_stack; /* AddressSanitizer's */
};

struct fiber_pool {
    void *sp; /* where fiber_resume's caller goes on, while a fiber runs */
    struct fiber *running;
    struct fiber *free; /* used before, last one first */
    size_t used_count;  /* fibers[0 .. used_count) have a stack */
    size_t max_fibers;
    size_t stack_bytes, guard_bytes;
    char *region;
    size_t region_bytes;
    void *fake_stack; /* AddressSanitizer's, of the thread; and the thread's own stack */
    const void *thread_stack;
    size_t thread_stack_bytes;
    struct fiber fibers[];
};

/* fiber_switch_*.S. Saves the callee-saved registers on the stack and the stack pointer in `*ret_sp`, and goes on where `sp`
 * was saved. */
void fiber_switch(void **ret_sp, void *sp);
/* The first frame of every fiber: calls fiber_begin with the fiber, and is where a backtrace ends. */
void fiber_entry(void);
LIMEN_NORETURN
void fiber_begin(struct fiber *fiber);

/* ---- what AddressSanitizer is told ------------------------------------------------------------------------------ */

#ifdef HAS_ASAN
/* `ret_fake_stack` is NULL when the stack that is left will not be needed again. */
static inline void before_switch(void **ret_fake_stack, const void *stack, size_t bytes)
{
    __sanitizer_start_switch_fiber(ret_fake_stack, stack, bytes);
}
static inline void after_switch(void *fake_stack, const void **ret_stack, size_t *ret_bytes)
{
    __sanitizer_finish_switch_fiber(fake_stack, ret_stack, ret_bytes);
}
/* Frames that were never unwound have left their red zones. */
static inline void forget_frames(const struct fiber *fiber)
{
    __asan_unpoison_memory_region(fiber->stack, fiber->pool->stack_bytes);
}
/* What only a suspended fiber points to is no leak. */
static inline void hold_stacks(const struct fiber_pool *pool)
{
    __lsan_register_root_region(pool->region, pool->region_bytes);
}
static inline void let_stacks_go(const struct fiber_pool *pool)
{
    __lsan_unregister_root_region(pool->region, pool->region_bytes);
}
#else
static inline void before_switch(void **ret_fake_stack, const void *stack, size_t bytes)
{
    (void)ret_fake_stack, (void)stack, (void)bytes;
}
static inline void after_switch(void *fake_stack, const void **ret_stack, size_t *ret_bytes)
{
    (void)fake_stack, (void)ret_stack, (void)ret_bytes;
}
static inline void forget_frames(const struct fiber *fiber)
{
    (void)fiber;
}
static inline void hold_stacks(const struct fiber_pool *pool)
{
    (void)pool;
}
static inline void let_stacks_go(const struct fiber_pool *pool)
{
    (void)pool;
}
#endif

/* ---- pool ------------------------------------------------------------------------------------------------------- */

struct fiber_pool *fiber_pool_new(size_t stack_bytes, size_t max_fibers)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), rounded, stride, region_bytes, pool_bytes;
    if (stack_bytes == 0 || max_fibers == 0 || __builtin_add_overflow(stack_bytes, page - 1, &rounded))
        return NULL;
    rounded &= ~(page - 1);
    if (__builtin_add_overflow(rounded, page, &stride) || __builtin_mul_overflow(stride, max_fibers, &region_bytes)
        || __builtin_mul_overflow(sizeof(struct fiber), max_fibers, &pool_bytes)
        || __builtin_add_overflow(pool_bytes, sizeof(struct fiber_pool), &pool_bytes))
        return NULL;
    struct fiber_pool *pool = calloc(1, pool_bytes);
    if (pool == NULL)
        return NULL;
    void *region = mmap(NULL, region_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (region == MAP_FAILED) {
        free(pool);
        return NULL;
    }
    pool->max_fibers = max_fibers;
    pool->stack_bytes = rounded;
    pool->guard_bytes = page;
    pool->region = region;
    pool->region_bytes = region_bytes;
    hold_stacks(pool);
    return pool;
}

void fiber_pool_free(struct fiber_pool *pool)
{
    if (pool == NULL)
        return;
    for (size_t i = 0; i < pool->used_count; i++)
        forget_frames(&pool->fibers[i]);
    let_stacks_go(pool);
    munmap(pool->region, pool->region_bytes);
    free(pool);
}

/* A fiber that was never used, with its stack opened; NULL when there is none or the kernel refuses. */
static struct fiber *open_fiber(struct fiber_pool *pool)
{
    if (pool->used_count == pool->max_fibers)
        return NULL;
    size_t stride = pool->guard_bytes + pool->stack_bytes;
    char *stack = pool->region + pool->used_count * stride + pool->guard_bytes;
    if (mprotect(stack, pool->stack_bytes, PROT_READ | PROT_WRITE) != 0)
        return NULL;
    struct fiber *fiber = &pool->fibers[pool->used_count++];
    fiber->pool = pool;
    fiber->stack = stack;
    return fiber;
}

static void give_back(struct fiber *fiber)
{
    fiber->state = FIBER_FREE;
    fiber->next_free = fiber->pool->free;
    fiber->pool->free = fiber;
}

/* ---- a fiber ---------------------------------------------------------------------------------------------------- */

/* What fiber_switch would have left on the stack: see the .S files, which pop it. */
#if defined(__x86_64__)
struct first_frame {
    uint32_t mxcsr, x87_control;
    uintptr_t r15, r14, r13, r12, rbx, rbp, rip;
};
static void fill_frame(struct first_frame *frame, struct fiber *fiber)
{
    *frame = (struct first_frame){
        .mxcsr = 0x1f80, /* the psABI's state at the start of a process */
        .x87_control = 0x037f,
        .r12 = (uintptr_t)fiber,
        .rip = (uintptr_t)fiber_entry,
    };
}
#elif defined(__aarch64__)
struct first_frame {
    uintptr_t x19_to_x28[10], x29, x30;
    uint64_t d8_to_d15[8], fpcr, unused;
};
static void fill_frame(struct first_frame *frame, struct fiber *fiber)
{
    *frame = (struct first_frame){ .x19_to_x28 = { (uintptr_t)fiber }, .x30 = (uintptr_t)fiber_entry };
}
#else
#error "fibers are written for x86-64 and arm64"
#endif
_Static_assert(sizeof(struct first_frame) % 16 == 0, "the stack of a fiber must be aligned when it begins");

struct fiber *fiber_new(struct fiber_pool *pool, fiber_main *main, void *argument)
{
    struct fiber *fiber = pool->free;
    if (fiber != NULL)
        pool->free = fiber->next_free;
    else if ((fiber = open_fiber(pool)) == NULL)
        return NULL;

    forget_frames(fiber);
    size_t colour = (size_t)(fiber - pool->fibers) % COLOURS * COLOUR_BYTES;
    struct first_frame *frame = (struct first_frame *)(void *)(fiber->stack + pool->stack_bytes - colour) - 1;
    fill_frame(frame, fiber);
    fiber->sp = frame;
    fiber->main = main;
    fiber->argument = argument;
    fiber->state = FIBER_SUSPENDED;
    fiber->fake_stack = NULL;
    return fiber;
}

void fiber_begin(struct fiber *fiber)
{
    struct fiber_pool *pool = fiber->pool;
    after_switch(NULL, &pool->thread_stack, &pool->thread_stack_bytes);
    fiber->main(fiber->argument);
    fiber->state = FIBER_DONE;
    before_switch(NULL, pool->thread_stack, pool->thread_stack_bytes);
    fiber_switch(&fiber->sp, pool->sp);
    __builtin_unreachable();
}

bool fiber_resume(struct fiber *fiber)
{
    struct fiber_pool *pool = fiber->pool;
    if (pool->running != NULL || fiber->state != FIBER_SUSPENDED)
        BUG("a fiber is resumed that cannot run now");
    fiber->state = FIBER_RUNNING;
    pool->running = fiber;
    before_switch(&pool->fake_stack, fiber->stack, pool->stack_bytes);
    fiber_switch(&pool->sp, fiber->sp);
    after_switch(pool->fake_stack, NULL, NULL);
    pool->running = NULL;
    if (fiber->state != FIBER_DONE)
        return false;
    give_back(fiber);
    return true;
}

void fiber_yield(struct fiber *self)
{
    struct fiber_pool *pool = self->pool;
    if (pool->running != self)
        BUG("a fiber yields that does not run");
    self->state = FIBER_SUSPENDED;
    before_switch(&self->fake_stack, pool->thread_stack, pool->thread_stack_bytes);
    fiber_switch(&self->sp, pool->sp);
    after_switch(self->fake_stack, &pool->thread_stack, &pool->thread_stack_bytes);
}

void fiber_abandon(struct fiber *fiber)
{
    if (fiber->state != FIBER_SUSPENDED)
        BUG("a fiber is abandoned that is not suspended");
    give_back(fiber);
}

struct fiber *fiber_running(const struct fiber_pool *pool)
{
    return pool->running;
}
