/* schema_scope.c - $dynamicRef without a dynamic scope at run time.
 *
 * What a $dynamicRef means depends on the schema resources that the walk came through: of those that have the anchor, the
 * outermost wins. But only that matters, so a scope is a list of anchors, one for each name, and there are few that differ. Each
 * schema is compiled once for each scope in which it can be reached, and the reference is a pointer like any other. */
#include "contract/schema_compile.h"

#include "core/limits.h"
#include "core/str.h"

struct scope {
    const struct anchor **anchors; /* in the order in which they were met */
    uint32_t count;
    struct scope *next; /* of all in the set */
};

static const struct anchor *find_bound(const struct scope *scope, limen_str name)
{
    for (uint32_t i = 0; scope != NULL && i < scope->count; i++) {
        if (str_equal(scope->anchors[i]->name, name))
            return scope->anchors[i];
    }
    return NULL;
}

/* True when both bind the same names to the same places, in whatever order. */
static bool is_same(const struct scope *a, const struct scope *b)
{
    bool ok = a->count == b->count;
    for (uint32_t i = 0; ok && i < a->count; i++)
        ok = find_bound(b, a->anchors[i]->name) == a->anchors[i];
    return ok;
}

static uint32_t count_unbound(const struct scope *scope, const struct resource *resource)
{
    uint32_t count = 0;
    for (const struct anchor *anchor = resource->anchors; anchor != NULL; anchor = anchor->next)
        count += anchor->is_dynamic && find_bound(scope, anchor->name) == NULL;
    return count;
}

/* The set's scope that is the same as `scope`, which is added when there is none. */
static const struct scope *intern(struct compiler *c, struct scope *scope)
{
    struct schema_set *set = c->set;
    for (const struct scope *known = set->scopes; known != NULL; known = known->next) {
        if (is_same(known, scope))
            return known;
    }
    if (set->scope_count == LIMIT_SCHEMA_SCOPES) {
        compiler_fault(c, c->node, LIMEN_STR("use fewer `$dynamicAnchor`s"),
                       "$dynamicRef can mean more than %u different things", LIMIT_SCHEMA_SCOPES);
        return set->scopes;
    }
    set->scope_count++;
    scope->next = set->scopes;
    set->scopes = scope;
    return scope;
}

const struct scope *scope_enter(struct compiler *c, const struct scope *scope, const struct resource *resource)
{
    const uint32_t fresh = count_unbound(scope, resource);
    const uint32_t before = scope != NULL ? scope->count : 0;
    if (fresh == 0)
        return scope;
    struct scope *larger = compiler_take(c, 1, sizeof(*larger));
    const struct anchor **anchors = compiler_take(c, before + fresh, sizeof(*anchors));
    if (larger == NULL || anchors == NULL)
        return scope;
    *larger = (struct scope){ .anchors = anchors, .count = before };
    if (before > 0)
        memcpy(anchors, scope->anchors, before * sizeof(*anchors));
    for (const struct anchor *anchor = resource->anchors; anchor != NULL; anchor = anchor->next) {
        if (anchor->is_dynamic && find_bound(scope, anchor->name) == NULL)
            anchors[larger->count++] = anchor;
    }
    return intern(c, larger);
}

const struct doc_node *scope_target(const struct scope *scope, const struct anchor *anchor)
{
    const struct anchor *bound = find_bound(scope, anchor->name);
    return bound != NULL ? bound->node : anchor->node;
}
