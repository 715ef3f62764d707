/* fuzz_pattern.c - a pattern, a NUL, a text: compiled or refused with a reason, matched in bounded time; and a plain pattern matches what
 * PCRE2 matches. */
#include "contract/pattern.h"
#include "core/arena.h"
#include "core/str.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void check_pattern(struct pattern_engine *engine, struct arena *arena, limen_str source, limen_str text)
{
    limen_str why = { NULL, 0 };
    const struct pattern *pattern = pattern_compile(engine, arena, source, &why);
    must(pattern != NULL || why.len > 0);
    if (pattern == NULL || !str_is_utf8(text))
        return;
    const enum pattern_outcome outcome = pattern_match(pattern, text, NULL);
    if (pattern_plain(pattern) == NULL)
        return;
    /* In a group it is not plain any more. */
    const limen_str grouped = arena_printf(arena, "(?:%.*s)", LIMEN_STR_ARG(source));
    const struct pattern *same = pattern_compile(engine, arena, grouped, &why);
    must(same != NULL && pattern_plain(same) == NULL);
    const enum pattern_outcome wanted = pattern_match(same, text, NULL);
    must(outcome == wanted || wanted == PATTERN_GAVE_UP);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *cut = memchr(data, 0, size);
    if (cut == NULL || size > 2048)
        return 0;
    const limen_str source = str_make((const char *)data, (size_t)(cut - data));
    const limen_str text = str_make((const char *)cut + 1, size - source.len - 1);
    struct arena arena;
    struct pattern_engine *engine = pattern_engine_new();
    must(engine != NULL);
    arena_init(&arena, NULL, (size_t)16 << 20);
    check_pattern(engine, &arena, source, text);
    pattern_engine_free(engine);
    arena_release(&arena);
    return 0;
}
