/* Tests of core/fiber.h. */
#include "check.h"

#include "core/fiber.h"

#include <execinfo.h>
#include <fenv.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define STACK_BYTES (64U * 1024)

static struct fiber_pool *pool;

static int set_up(void **state)
{
    (void)state;
    pool = fiber_pool_new(STACK_BYTES, 4);
    return pool == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    fiber_pool_free(pool);
    return 0;
}

static void yield(void)
{
    fiber_yield(fiber_running(pool));
}

/* ---- switching -------------------------------------------------------------------------------------------------- */

static void count_to_three(void *argument)
{
    int *count = argument;
    for (int i = 0; i < 3; i++) {
        ++*count;
        yield();
    }
}

static void test_runs_between_yields_and_tells_when_done(void **state)
{
    (void)state;
    int count = 0;
    struct fiber *fiber = fiber_new(pool, count_to_three, &count);
    assert_non_null(fiber);
    assert_int_equal(count, 0); /* not before it is resumed */
    for (int i = 1; i <= 3; i++) {
        assert_false(fiber_resume(fiber));
        assert_int_equal(count, i);
    }
    assert_true(fiber_resume(fiber));
}

static void note_running(void *argument)
{
    *(struct fiber **)argument = fiber_running(pool);
}

static void test_running_fiber_is_known_inside_only(void **state)
{
    (void)state;
    struct fiber *inside = NULL;
    struct fiber *fiber = fiber_new(pool, note_running, &inside);
    assert_null(fiber_running(pool));
    assert_true(fiber_resume(fiber));
    assert_ptr_equal(inside, fiber);
    assert_null(fiber_running(pool));
}

/* Sixteen integers and eight doubles that live across switches: more than there are callee-saved registers. */
static void mix(void *argument)
{
    uint64_t *result = argument, seed = *result, words[16];
    double numbers[8];
    for (unsigned i = 0; i < 16; i++)
        words[i] = seed + i;
    for (unsigned i = 0; i < 8; i++)
        numbers[i] = (double)seed + i;
    for (int round = 0; round < 50; round++) {
        for (unsigned i = 0; i < 16; i++)
            words[i] = words[i] * 3 + words[(i + 1) % 16];
        for (unsigned i = 0; i < 8; i++)
            numbers[i] = numbers[i] * 1.01 + numbers[(i + 1) % 8] / 1024;
        if (fiber_running(pool) != NULL)
            yield();
    }
    for (unsigned i = 0; i < 16; i++)
        *result = *result * 31 + words[i];
    for (unsigned i = 0; i < 8; i++)
        *result += (uint64_t)numbers[i];
}

static void test_registers_survive_interleaving(void **state)
{
    (void)state;
    uint64_t wanted[4], got[4];
    struct fiber *fibers[4];
    for (unsigned i = 0; i < 4; i++) {
        wanted[i] = got[i] = 1000 * (i + 1);
        mix(&wanted[i]); /* straight through, on the thread's stack */
        fibers[i] = fiber_new(pool, mix, &got[i]);
    }
    for (int round = 0; round < 50; round++)
        for (unsigned i = 0; i < 4; i++)
            assert_false(fiber_resume(fibers[i]));
    for (unsigned i = 0; i < 4; i++) {
        assert_true(fiber_resume(fibers[i]));
        assert_true(got[i] == wanted[i]);
    }
}

/* Depends on the rounding mode of the arithmetic unit, which fegetround does not look at on x86. */
static double third(void)
{
    volatile double one = 1, three = 3, third;
    third = one / three; /* volatile, or the compiler moves the division across a change of the mode */
    return third;
}

struct rounding {
    int modes[2];
    double thirds[2];
};

static void round_down(void *argument)
{
    struct rounding *seen = argument;
    seen->modes[0] = fegetround();
    seen->thirds[0] = third();
    fesetround(FE_DOWNWARD);
    yield();
    seen->modes[1] = fegetround();
    seen->thirds[1] = third();
}

static void test_floating_point_mode_belongs_to_the_fiber(void **state)
{
    (void)state;
    struct rounding seen;
    double nearest = third();
    fesetround(FE_UPWARD);
    double up = third();
    struct fiber *fiber = fiber_new(pool, round_down, &seen);
    assert_false(fiber_resume(fiber));
    int outside[2] = { fegetround(), third() > nearest };
    assert_true(fiber_resume(fiber));
    int outside_after[2] = { fegetround(), third() > nearest };
    fesetround(FE_TONEAREST);
    assert_true(up > nearest);
    assert_int_equal(outside[0], FE_UPWARD);
    assert_true(outside[1]);
    assert_int_equal(outside_after[0], FE_UPWARD);
    assert_true(outside_after[1]);
    assert_int_equal(seen.modes[0], FE_TONEAREST); /* a fiber begins with the default */
    assert_false(seen.thirds[0] < nearest || seen.thirds[0] > nearest);
    assert_int_equal(seen.modes[1], FE_DOWNWARD);
    assert_true(seen.thirds[1] < up);
}

static void note_alignment(void *argument)
{
    _Alignas(16) volatile char local[16] = { 0 };
    *(uintptr_t *)argument = (uintptr_t)local % 16 + (uintptr_t)__builtin_frame_address(0) % 16;
}

static void test_stacks_are_aligned(void **state)
{
    (void)state;
    struct fiber *fibers[4];
    for (int i = 0; i < 4; i++) {
        uintptr_t misplaced = 1;
        fibers[i] = fiber_new(pool, note_alignment, &misplaced);
        assert_true(fiber_resume(fibers[i]));
        assert_int_equal(misplaced, 0);
        fibers[i] = fiber_new(pool, count_to_three, NULL); /* so that the next one is another */
    }
    for (int i = 0; i < 4; i++)
        fiber_abandon(fibers[i]);
}

/* ---- pool ------------------------------------------------------------------------------------------------------- */

static void test_used_up_pool_gives_null_until_one_comes_back(void **state)
{
    (void)state;
    int count = 0;
    struct fiber *fibers[4];
    for (int i = 0; i < 4; i++)
        assert_non_null(fibers[i] = fiber_new(pool, count_to_three, &count));
    assert_null(fiber_new(pool, count_to_three, &count));
    fiber_abandon(fibers[2]); /* never ran */
    assert_false(fiber_resume(fibers[0]));
    fiber_abandon(fibers[0]);                                             /* in the middle */
    assert_ptr_equal(fiber_new(pool, count_to_three, &count), fibers[0]); /* the last one back is the first out */
    assert_ptr_equal(fiber_new(pool, count_to_three, &count), fibers[2]);
    assert_null(fiber_new(pool, count_to_three, &count));
    for (int i = 0; i < 4; i++)
        fiber_abandon(fibers[i]);
}

/* Uses most of the stack, in frames that AddressSanitizer surrounds with red zones, and stops at the deepest. */
static __attribute__((noinline)) unsigned dig(unsigned depth)
{
    volatile char frame[1024];
    for (size_t i = 0; i < sizeof frame; i++)
        frame[i] = (char)depth;
    if (depth == 0)
        yield();
    return (depth == 0 ? 0 : dig(depth - 1)) + (unsigned char)frame[depth];
}

static void dig_deep(void *argument)
{
    *(unsigned *)argument = dig(20);
}

static __attribute__((noinline)) void fill_stack(void *argument)
{
    volatile char large[40000];
    for (size_t i = 0; i < sizeof large; i++)
        large[i] = 1;
    *(unsigned *)argument = (unsigned)large[sizeof large - 1];
}

static void test_abandoned_stack_is_good_for_the_next(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        unsigned sum = 0, filled = 0;
        struct fiber *fiber = fiber_new(pool, dig_deep, &sum);
        assert_false(fiber_resume(fiber));
        fiber_abandon(fiber); /* twenty frames that never return */
        assert_ptr_equal(fiber_new(pool, fill_stack, &filled), fiber);
        assert_true(fiber_resume(fiber));
        assert_int_equal(filled, 1);
        assert_int_equal(sum, 0);
    }
}

static void test_impossible_pools_are_refused(void **state)
{
    (void)state;
    assert_null(fiber_pool_new(0, 4));
    assert_null(fiber_pool_new(STACK_BYTES, 0));
    assert_null(fiber_pool_new(SIZE_MAX, 4));
    assert_null(fiber_pool_new(STACK_BYTES, SIZE_MAX / 2));
    fiber_pool_free(NULL);
}

/* ---- crashes, each in a child ----------------------------------------------------------------------------------- */

/* The child's exit status, or 1000 and its signal. What it says on standard error is dropped. */
static int outcome_of(void (*run)(void))
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit no_core = { 0, 0 };
        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGABRT, SIG_DFL);
        close(STDERR_FILENO);
        run();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

static char *top; /* an address in the first frame of the fiber that overflows */

/* Exits with 42 when the fault lies right below the stack. */
static void on_fault(int number, siginfo_t *info, void *context)
{
    (void)number, (void)context;
    ptrdiff_t below = top - (char *)info->si_addr;
    _exit(below > (ptrdiff_t)STACK_BYTES - 8192 && below <= (ptrdiff_t)(STACK_BYTES + (unsigned)getpagesize()) ? 42
                                                                                                               : 43);
}

static __attribute__((noinline)) unsigned overflow(unsigned depth)
{
    volatile char frame[256];
    frame[depth % 256] = (char)depth;
    return depth == UINT32_MAX ? 0 : overflow(depth + 1) + (unsigned)frame[depth % 256];
}

static void overflow_fiber(void *argument)
{
    char here;
    top = &here;
    *(volatile unsigned *)argument = overflow(0);
}

static void run_overflow(void)
{
    static char handler_stack[64 * 1024];
    unsigned result;
    stack_t other = { .ss_sp = handler_stack, .ss_size = sizeof handler_stack };
    struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };
    sigaltstack(&other, NULL);
    sigaction(SIGSEGV, &action, NULL);
    struct fiber *below = fiber_new(pool, overflow_fiber, &result), *above = fiber_new(pool, overflow_fiber, &result);
    if (below != NULL && above != NULL) /* `above` has a stack in use right below its guard page */
        (void)fiber_resume(above);
}

static void test_overflow_hits_the_guard_page(void **state)
{
    (void)state;
    assert_int_equal(outcome_of(run_overflow), 42);
}

static void resume_another(void *argument)
{
    (void)fiber_resume(argument);
}

static void run_nested(void)
{
    int count = 0;
    struct fiber *inner = fiber_new(pool, count_to_three, &count);
    struct fiber *outer = fiber_new(pool, resume_another, inner);
    (void)fiber_resume(outer);
}

static void run_yield_outside(void)
{
    fiber_yield(fiber_new(pool, count_to_three, NULL));
}

static void run_abandon_twice(void)
{
    struct fiber *fiber = fiber_new(pool, count_to_three, NULL);
    fiber_abandon(fiber);
    fiber_abandon(fiber);
}

static void abandon_self(void *argument)
{
    (void)argument;
    fiber_abandon(fiber_running(pool));
}

static void run_abandon_self(void)
{
    (void)fiber_resume(fiber_new(pool, abandon_self, NULL));
}

static void test_misuse_aborts(void **state)
{
    (void)state;
    void (*const misuses[])(void) = { run_nested, run_yield_outside, run_abandon_twice, run_abandon_self };
    for (size_t i = 0; i < sizeof misuses / sizeof misuses[0]; i++)
        assert_int_equal(outcome_of(misuses[i]), 1000 + SIGABRT);
}

/* ---- debuggers -------------------------------------------------------------------------------------------------- */

static void note_backtrace(void *argument)
{
    void *frames[64];
    *(int *)argument = backtrace(frames, 64);
}

static void test_backtrace_ends_at_the_fibers_first_frame(void **state)
{
    (void)state;
    int count = 0;
    assert_true(fiber_resume(fiber_new(pool, note_backtrace, &count)));
    assert_in_range(count, 2, 6); /* note_backtrace, fiber_begin, fiber_entry, and what the sanitizer adds */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_runs_between_yields_and_tells_when_done, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_running_fiber_is_known_inside_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_registers_survive_interleaving, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_floating_point_mode_belongs_to_the_fiber, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stacks_are_aligned, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_used_up_pool_gives_null_until_one_comes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_abandoned_stack_is_good_for_the_next, set_up, tear_down),
        cmocka_unit_test(test_impossible_pools_are_refused),
        cmocka_unit_test_setup_teardown(test_overflow_hits_the_guard_page, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_misuse_aborts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_backtrace_ends_at_the_fibers_first_frame, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
