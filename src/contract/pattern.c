/* pattern.c - patterns compiled once by PCRE2, to machine code where it can, and matched within fixed limits; plain ones are read by
 * PCRE2 for their faults only.
 *
 * PCRE2's own limit counts the steps from one start and not what a step costs, so a search that begins at each of a million places, or
 * reads a million characters in one step, would be within it. Callouts in the pattern count characters as well, over all starts. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "contract/pattern.h"

#include "contract/pattern_plain.h"
#include "core/arena.h"
#include "core/limits.h"
#include "core/str.h"

#include <pcre2.h>
#include <stdlib.h>

struct pattern {
    struct pattern_engine *engine;
    struct pattern *next;
    pcre2_code *code;
    const struct plain_pattern *plain; /* NULL: `code` is run */
    limen_str source;
    uint32_t charge; /* of a callout */
};

/* The work of one match. */
struct work {
    size_t start, last; /* where the search began, and where it was at the last callout */
    size_t charge, left;
};

struct pattern_engine {
    struct pattern *patterns;
    pcre2_match_context *context;
    pcre2_match_data *match; /* of one pair: nobody asks where a pattern matched */
    pcre2_jit_stack *stack;  /* the JIT's own, because a fiber's is small */
    struct work work;
};

/* What lies between two callouts of one start was read at least once. */
static int count_work(pcre2_callout_block *block, void *data)
{
    struct work *work = data;
    const size_t at = block->current_position;
    if (block->start_match != work->start)
        work->start = work->last = block->start_match;
    size_t cost = work->charge + (at > work->last ? at - work->last : work->last - at);
    if (block->callout_number == 1)
        cost += at; /* a backreference: what it stands for is no longer than this */
    if (cost > work->left)
        return PCRE2_ERROR_CALLOUT;
    work->left -= cost;
    work->last = at;
    return 0;
}

struct pattern_engine *pattern_engine_new(void)
{
    struct pattern_engine *engine = calloc(1, sizeof *engine);
    if (engine == NULL)
        return NULL;
    engine->context = pcre2_match_context_create(NULL);
    engine->match = pcre2_match_data_create(1, NULL);
    engine->stack = pcre2_jit_stack_create(LIMIT_PATTERN_STACK_BYTES, LIMIT_PATTERN_STACK_BYTES, NULL);
    if (engine->context == NULL || engine->match == NULL || engine->stack == NULL) {
        pattern_engine_free(engine);
        return NULL;
    }
    pcre2_set_match_limit(engine->context, LIMIT_PATTERN_STEPS);
    pcre2_set_depth_limit(engine->context, LIMIT_PATTERN_STEPS);
    pcre2_set_heap_limit(engine->context, LIMIT_PATTERN_HEAP_KIB);
    pcre2_jit_stack_assign(engine->context, NULL, engine->stack);
    (void)pcre2_set_callout(engine->context, count_work, &engine->work); /* says 0 */
    return engine;
}

void pattern_engine_free(struct pattern_engine *engine)
{
    if (engine == NULL)
        return;
    for (struct pattern *pattern = engine->patterns; pattern != NULL; pattern = pattern->next)
        pcre2_code_free(pattern->code);
    pcre2_match_context_free(engine->context);
    pcre2_match_data_free(engine->match);
    pcre2_jit_stack_free(engine->stack);
    free(engine);
}

struct pattern *pattern_compile(struct pattern_engine *engine, struct arena *arena, limen_str source,
                                limen_str *ret_why)
{
    struct buf translated;
    buf_init(&translated, arena, source.len * 2 + 64);
    struct pattern *pattern = ARENA_NEW(arena, struct pattern);
    const char *wrong = pattern == NULL ? "memory is out" : pattern_translate(source, &translated, &pattern->charge);
    if (wrong != NULL) {
        *ret_why = str_of(wrong);
        return NULL;
    }
    int error;
    PCRE2_SIZE at;
    const uint32_t options = PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_MATCH_UNSET_BACKREF | PCRE2_NEVER_BACKSLASH_C;
    pattern->code = pcre2_compile((PCRE2_SPTR)translated.ptr, translated.len, options, &error, &at, NULL);
    if (pattern->code == NULL) {
        PCRE2_UCHAR message[160];
        if (pcre2_get_error_message(error, message, sizeof message) < 0)
            message[0] = '\0';
        *ret_why = arena_printf(arena, "%s", (const char *)message);
        return NULL;
    }
    pattern->plain = plain_compile(source, arena);
    /* Where machine code is not allowed, pcre2_match interprets: slower, with the same answer. */
    if (pattern->plain == NULL)
        (void)pcre2_jit_compile(pattern->code, PCRE2_JIT_COMPLETE);
    pattern->engine = engine;
    pattern->source = source;
    pattern->next = engine->patterns;
    engine->patterns = pattern;
    return pattern;
}

enum pattern_outcome pattern_match(const struct pattern *pattern, limen_str text, size_t *work_left)
{
    if (pattern->plain != NULL)
        return plain_matches(pattern->plain, text.ptr, text.len) ? PATTERN_MATCHES : PATTERN_DIFFERS;
    struct pattern_engine *engine = pattern->engine;
    const size_t most = work_left != NULL && *work_left < LIMIT_PATTERN_WORK ? *work_left : LIMIT_PATTERN_WORK;
    engine->work = (struct work){ .start = SIZE_MAX, .charge = pattern->charge, .left = most };
    PCRE2_SPTR subject = (PCRE2_SPTR)(text.len > 0 ? text.ptr : "");
    const int found = pcre2_match(pattern->code, subject, text.len, 0, PCRE2_NO_UTF_CHECK, engine->match,
                                  engine->context);
    if (work_left != NULL)
        *work_left -= most - engine->work.left;
    if (found >= 0)
        return PATTERN_MATCHES;
    return found == PCRE2_ERROR_NOMATCH ? PATTERN_DIFFERS : PATTERN_GAVE_UP;
}

const struct plain_pattern *pattern_plain(const struct pattern *pattern)
{
    return pattern->plain;
}

limen_str pattern_source(const struct pattern *pattern)
{
    return pattern->source;
}
