/* contract_names.c - nothing is ignored: a member that we do not know is refused, and the nearest one that we do is named. */
#include "contract/contract_internal.h"

#include <stdarg.h>

#define NAME_MOST 64U

bool refuse(struct loader *loader, const struct doc_node *node, const char *mend, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    diags_add(loader->errors, node, str_of(mend), "%s", text);
    return false;
}

const struct doc_node *follow(struct loader *loader, const struct doc_node *node)
{
    return catalog_deref(loader->contract->catalog, node, loader->errors);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Levenshtein's distance, on names of at most NAME_MOST bytes. */
static size_t distance(limen_str a, limen_str b)
{
    size_t row[NAME_MOST + 1];
    if (a.len > NAME_MOST || b.len > NAME_MOST)
        return SIZE_MAX;
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t above = row[j];
            size_t cost = diagonal + (a.ptr[i - 1] == b.ptr[j - 1] ? 0 : 1);
            row[j] = least(cost, least(above, row[j - 1]) + 1);
            diagonal = above;
        }
    }
    return row[b.len];
}

static const char *nearest(limen_str name, const char *const *known)
{
    const char *best = NULL;
    size_t best_distance = name.len / 2 + 1;
    for (; *known != NULL; known++) {
        size_t d = distance(name, str_of(*known));
        if (d < best_distance) {
            best_distance = d;
            best = *known;
        }
    }
    return best;
}

static bool is_known(limen_str name, const char *const *known)
{
    for (; *known != NULL; known++) {
        if (str_equal(name, str_of(*known)))
            return true;
    }
    return false;
}

bool check_members(struct loader *loader, const struct doc_node *node, const char *const *known, const char *what)
{
    bool ok = true;
    if (node->kind != DOC_OBJECT)
        return refuse(loader, node, "write it as an object", "%s is not an object", what);
    for (size_t i = 0; i < node->count; i++) {
        limen_str name = node->items[i]->key;
        if (is_known(name, known))
            continue;
        const char *near = nearest(name, known);
        limen_str mend = near == NULL
            ? LIMEN_STR("remove it: what Limen does not understand does not start")
            : arena_printf(loader->arena, "did you mean `%s`? what Limen does not understand does not start", near);
        ok = refuse(loader, node->items[i], mend.ptr, "'%.*s' is not known in %s", LIMEN_STR_ARG(name), what);
    }
    return ok;
}
