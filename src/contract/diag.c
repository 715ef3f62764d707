/* diag.c - faults with a place and a mend. */
#include "contract/doc.h"

#include "core/arena.h"
#include "core/str.h"

#include <stdarg.h>

void diags_init(struct diags *diags, struct arena *arena)
{
    *diags = (struct diags){ .arena = arena };
}

static struct diag *new_diag(struct diags *diags)
{
    if (diags->count == diags->capacity) {
        size_t larger = diags->capacity == 0 ? 8 : diags->capacity * 2;
        struct diag *items = ARENA_NEW_ARRAY(diags->arena, struct diag, larger);
        if (items == NULL)
            return NULL;
        if (diags->count > 0)
            memcpy(items, diags->items, diags->count * sizeof(*items));
        diags->items = items;
        diags->capacity = larger;
    }
    return &diags->items[diags->count++];
}

/* One slip can be met on several ways through a contract; once is enough. */
static bool is_told(const struct diags *diags, const struct diag *diag)
{
    for (size_t i = 0; i < diags->count; i++) {
        const struct diag *told = &diags->items[i];
        if (told->line == diag->line && told->column == diag->column && str_equal(told->file, diag->file)
            && str_equal(told->message, diag->message))
            return true;
    }
    return false;
}

static void add(struct diags *diags, limen_str file, uint32_t line, uint32_t column, limen_str mend, const char *format,
                va_list args)
{
    const struct diag diag = {
        .file = file,
        .line = line,
        .column = column,
        .message = arena_vprintf(diags->arena, format, args),
        .mend = mend.len == 0 ? mend : arena_copy(diags->arena, mend),
    };
    struct diag *next = is_told(diags, &diag) ? NULL : new_diag(diags);
    if (next != NULL)
        *next = diag;
}

void diags_add_at(struct diags *diags, limen_str file, uint32_t line, uint32_t column, limen_str mend,
                  const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(diags, file, line, column, mend, format, args);
    va_end(args);
}

void diags_add(struct diags *diags, const struct doc_node *node, limen_str mend, const char *format, ...)
{
    va_list args;
    /* A member is shown at its name, anything else at its value. */
    bool has_key = node->key_line != 0;
    va_start(args, format);
    add(diags, doc_root(node)->file, has_key ? node->key_line : node->line, has_key ? node->key_column : node->column,
        mend, format, args);
    va_end(args);
}

void diags_write(const struct diags *diags, struct buf *out, const char *severity, bool colour)
{
    const char *tint = str_equal(str_of(severity), LIMEN_STR("error")) ? "\033[31m" : "\033[33m";
    for (size_t i = 0; i < diags->count; i++) {
        const struct diag *diag = &diags->items[i];
        buf_add(out, diag->file);
        if (diag->line > 0)
            buf_printf(out, ":%u:%u", diag->line, diag->column);
        buf_printf(out, ": %s%s:%s %.*s\n", colour ? tint : "", severity, colour ? "\033[0m" : "",
                   LIMEN_STR_ARG(diag->message));
        if (diag->mend.len > 0)
            buf_printf(out, "    mend: %.*s\n", LIMEN_STR_ARG(diag->mend));
    }
}
