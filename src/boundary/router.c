/* router.c - a tree of path segments.
 *
 * Segments are compared after percent-decoding, so "/%61dmin" is "/admin" and meets the same guard. Empty and dot segments match
 * nothing: there is no file system behind a path. */
#include "boundary/router.h"

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

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Is the raw segment this literal, once it is percent-decoded? What cannot be decoded is none. */
static bool segment_is(limen_str raw, limen_str literal)
{
    size_t at = 0;
    for (size_t i = 0; i < literal.len; i++) {
        if (at == raw.len)
            return false;
        int byte = (uint8_t)raw.ptr[at++];
        if (byte == '%') {
            int high = at + 2 <= raw.len ? hex_value(raw.ptr[at]) : -1,
                low = high < 0 ? -1 : hex_value(raw.ptr[at + 1]);
            if (low < 0)
                return false;
            byte = high * 16 + low;
            at += 2;
        }
        if (byte != (uint8_t)literal.ptr[i])
            return false;
    }
    return at == raw.len;
}

/* A path, cut; and the raw values of parameters in order of appearance. */
struct walk {
    limen_str segments[LIMIT_PATH_SEGMENTS];
    uint32_t segment_count;
    limen_str values[LIMIT_PATH_SEGMENTS];
    uint32_t value_count;
};

/* Also when it is written with escapes: a URL's parser takes "%2e" for the dot that it is. */
static bool is_dot_segment(limen_str raw)
{
    return segment_is(raw, LIMEN_STR(".")) || segment_is(raw, LIMEN_STR(".."));
}

/* False: an empty or a dot segment, or too many. */
static bool cut_path(limen_str path, struct walk *walk)
{
    limen_str rest = str_slice(path, 1, path.len);
    for (bool is_last = false; !is_last;) {
        is_last = memchr(rest.ptr, '/', rest.len) == NULL;
        limen_str segment = str_cut(&rest, '/');
        if (segment.len == 0 || is_dot_segment(segment) || walk->segment_count == LIMIT_PATH_SEGMENTS)
            return false;
        walk->segments[walk->segment_count++] = segment;
    }
    return true;
}

/* Where the segments from `depth` on lead. A literal that leads nowhere gives way to the parameter; as this is a tree, no node is
 * visited twice. */
static const struct route_node *find_node(const struct route_node *node, struct walk *walk, uint32_t depth)
{
    if (depth == walk->segment_count)
        return node->allow.len > 0 ? node : NULL;
    for (const struct route_node *child = node->children; child != NULL; child = child->sibling) {
        if (!segment_is(walk->segments[depth], child->literal))
            continue;
        const struct route_node *found = find_node(child, walk, depth + 1);
        if (found != NULL)
            return found;
        break;
    }
    if (node->parameter == NULL)
        return NULL;
    walk->values[walk->value_count++] = walk->segments[depth];
    const struct route_node *found = find_node(node->parameter, walk, depth + 1);
    if (found == NULL)
        walk->value_count--;
    return found;
}

enum route_outcome router_find(const struct router *router, enum http_method method, limen_str path,
                               struct path_params *ret_params, const struct operation **ret_operation,
                               limen_str *ret_allow)
{
    struct walk walk;
    walk.segment_count = walk.value_count = 0;
    if (path.len < 2 || path.ptr[0] != '/' || !cut_path(path, &walk))
        return ROUTE_NO_PATH;
    const struct route_node *node = find_node(&router->root, &walk, 0);
    if (node == NULL)
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
            ret_params->values[operation->segments[i].parameter] = walk.values[at++];
    }
    *ret_operation = operation;
    return ROUTE_FOUND;
}
