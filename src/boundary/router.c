/* router.c - a tree of path segments.
 *
 * Segments are compared after percent-decoding, so "/%61dmin" is "/admin" and meets the same guard. Empty and dot segments match
 * nothing: there is no file system behind a path. */
#include "boundary/router.h"

#include "boundary/percent.h"
#include "core/arena.h"
#include "core/str.h"

struct route_node {
    limen_str literal;
    struct route_node *children; /* literal ones: a linked list through `sibling` */
    struct route_node *sibling;
    struct route_node *parameter;
    const struct operation *operations[METHOD_COUNT];
    limen_str allow; /* empty: no operation ends here */
};

struct router {
    struct route_node root;
};

static struct route_node *literal_child(struct route_node *node, limen_str literal, struct arena *arena)
{
    struct route_node **at = &node->children;
    while (*at != NULL && !str_equal((*at)->literal, literal))
        at = &(*at)->sibling;
    if (*at == NULL) {
        *at = ARENA_NEW(arena, struct route_node);
        if (*at != NULL)
            (*at)->literal = literal;
    }
    return *at;
}

static struct route_node *parameter_child(struct route_node *node, struct arena *arena)
{
    if (node->parameter == NULL)
        node->parameter = ARENA_NEW(arena, struct route_node);
    return node->parameter;
}

static bool add_operation(struct router *router, const struct operation *operation, struct arena *arena)
{
    struct route_node *node = &router->root;
    for (uint32_t i = 0; i < operation->segment_count && node != NULL; i++) {
        const struct path_segment *segment = &operation->segments[i];
        node = segment->is_parameter ? parameter_child(node, arena) : literal_child(node, segment->literal, arena);
    }
    if (node == NULL)
        return false;
    node->operations[operation->method] = operation;
    return true;
}

/* The Allow field of every node that ends a path: its methods, HEAD with GET, and OPTIONS. */
static bool write_allow(struct route_node *node, struct arena *arena)
{
    struct buf text;
    buf_init(&text, arena, 64);
    for (int method = 0; method < (int)METHOD_COUNT; method++) {
        bool is_there = node->operations[method] != NULL
            || (method == METHOD_HEAD && node->operations[METHOD_GET] != NULL);
        if (!is_there)
            continue;
        if (text.len > 0)
            BUF_ADD(&text, ", ");
        buf_add(&text, method_name((enum http_method)method));
    }
    if (text.len > 0) {
        BUF_ADD(&text, ", OPTIONS");
        node->allow = buf_str(&text);
    }
    bool ok = !text.failed && (node->parameter == NULL || write_allow(node->parameter, arena));
    for (struct route_node *child = node->children; ok && child != NULL; child = child->sibling)
        ok = write_allow(child, arena);
    return ok;
}

struct router *router_new(const struct contract *contract, struct arena *arena)
{
    struct router *router = ARENA_NEW(arena, struct router);
    if (router == NULL)
        return NULL;
    for (uint32_t i = 0; i < contract->operation_count; i++) {
        if (!add_operation(router, &contract->operations[i], arena))
            return NULL;
    }
    return write_allow(&router->root, arena) ? router : NULL;
}

static const struct route_node *child_for(const struct route_node *node, limen_str raw, bool *ret_is_parameter)
{
    char decoded[LIMIT_REQUEST_LINE_BYTES];
    limen_str segment = raw;
    *ret_is_parameter = false;
    if (memchr(raw.ptr, '%', raw.len) != NULL && !percent_decode(raw, decoded, sizeof(decoded), &segment))
        return NULL;
    for (const struct route_node *child = node->children; child != NULL; child = child->sibling) {
        if (str_equal(child->literal, segment))
            return child;
    }
    *ret_is_parameter = true;
    return node->parameter;
}

/* Walks the tree; raw parameter values are collected in order of appearance. */
static const struct route_node *walk(const struct router *router, limen_str path, limen_str *values,
                                     uint32_t *ret_count)
{
    const struct route_node *node = &router->root;
    limen_str rest = str_slice(path, 1, path.len);
    uint32_t count = 0;
    for (uint32_t depth = 0; node != NULL; depth++) {
        bool is_last = memchr(rest.ptr, '/', rest.len) == NULL;
        limen_str raw = str_cut(&rest, '/');
        bool is_parameter;
        if (depth == LIMIT_PATH_SEGMENTS || raw.len == 0)
            return NULL;
        node = child_for(node, raw, &is_parameter);
        if (node != NULL && is_parameter)
            values[count++] = raw;
        if (is_last)
            break;
    }
    *ret_count = count;
    return node;
}

enum route_outcome router_find(const struct router *router, enum http_method method, limen_str path,
                               struct path_params *ret_params, const struct operation **ret_operation,
                               limen_str *ret_allow)
{
    limen_str values[LIMIT_PATH_SEGMENTS];
    uint32_t count = 0;
    if (path.len < 2 || path.ptr[0] != '/')
        return ROUTE_NO_PATH;
    const struct route_node *node = walk(router, path, values, &count);
    if (node == NULL || node->allow.len == 0)
        return ROUTE_NO_PATH;
    *ret_allow = node->allow;
    const struct operation *operation = NULL;
    if (method < METHOD_COUNT)
        operation =
            node->operations[method == METHOD_HEAD && node->operations[METHOD_HEAD] == NULL ? METHOD_GET : method];
    if (operation == NULL)
        return ROUTE_NO_METHOD;
    uint32_t at = 0;
    for (uint32_t i = 0; i < operation->segment_count; i++) {
        if (operation->segments[i].is_parameter)
            ret_params->values[operation->segments[i].parameter] = values[at++];
    }
    *ret_operation = operation;
    return ROUTE_FOUND;
}
