/* doc.c - YAML or JSON to a tree, over libfyaml's events.
 *
 * Only what OpenAPI needs: one document, plain tags of the core schema, member names that are strings. An alias is replaced by a
 * copy of what it names, with a ceiling on all nodes, so that a small file cannot grow into a large tree. */
#include "contract/doc.h"

#include "core/arena.h"
#include "core/hash.h"
#include "core/limits.h"
#include "core/str.h"

#include <errno.h>
#include <libfyaml.h>
#include <math.h>
#include <stdlib.h>

#define DOC_NODES_MAX 200000U
#define DOC_DEPTH_MAX 100U
#define DOC_NUMBER_BYTES 64U

struct anchor {
    limen_str name;
    const struct doc_node *node;
    bool is_open;
    struct anchor *next;
};

struct reader {
    struct fy_parser *parser;
    struct arena *arena;
    struct diags *diags;
    limen_str file;
    struct anchor *anchors;
    size_t nodes;
};

/* A growing list of children, before it is known how many there are. */
struct children {
    struct doc_node **items;
    size_t count, capacity;
};

static bool read_value(struct reader *reader, struct fy_event *event, struct doc_node *node, unsigned depth);

/* ---- faults ----------------------------------------------------------------------------------------------------------- */

static bool fault(struct reader *reader, const struct doc_node *node, const char *message, const char *mend)
{
    diags_add_at(reader->diags, reader->file, node->line, node->column, str_of(mend), "%s", message);
    return false;
}

static bool out_of_memory(struct reader *reader)
{
    diags_add_at(reader->diags, reader->file, 1, 1, (limen_str){ 0 }, "memory is out");
    return false;
}

/* ---- scalars ---------------------------------------------------------------------------------------------------------- */

static bool is_one_of(limen_str text, const char *a, const char *b, const char *c)
{
    return str_equal(text, str_of(a)) || str_equal(text, str_of(b)) || str_equal(text, str_of(c));
}

/* A number of the core schema or of JSON: sign, digits, one point, an exponent. Hex, octal, .inf and .nan stay strings. */
static bool looks_like_number(limen_str text)
{
    size_t at = 0, digits = 0;
    if (at < text.len && (text.ptr[at] == '-' || text.ptr[at] == '+'))
        at++;
    for (; at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9'; at++)
        digits++;
    if (at < text.len && text.ptr[at] == '.') {
        for (at++; at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9'; at++)
            digits++;
    }
    if (digits == 0)
        return false;
    if (at < text.len && (text.ptr[at] == 'e' || text.ptr[at] == 'E')) {
        at++;
        if (at < text.len && (text.ptr[at] == '-' || text.ptr[at] == '+'))
            at++;
        size_t exponent = at;
        while (at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9')
            at++;
        if (at == exponent)
            return false;
    }
    return at == text.len;
}

static void read_number(struct doc_node *node)
{
    char text[DOC_NUMBER_BYTES];
    node->kind = DOC_DOUBLE;
    if (str_to_int64(node->text, &node->integer)) {
        node->kind = DOC_INT;
        node->number = (double)node->integer;
        return;
    }
    if (node->text.len >= sizeof(text)) {
        node->kind = DOC_STRING;
        return;
    }
    memcpy(text, node->text.ptr, node->text.len);
    text[node->text.len] = '\0';
    node->number = strtod(text, NULL);
    if (!isfinite(node->number))
        node->kind = DOC_STRING;
}

static void resolve_plain(struct doc_node *node)
{
    if (node->text.len == 0 || is_one_of(node->text, "null", "~", "Null") || str_equal(node->text, LIMEN_STR("NULL"))) {
        node->kind = DOC_NULL;
    } else if (is_one_of(node->text, "true", "True", "TRUE")) {
        node->kind = DOC_BOOL;
        node->boolean = true;
    } else if (is_one_of(node->text, "false", "False", "FALSE")) {
        node->kind = DOC_BOOL;
    } else if (looks_like_number(node->text)) {
        read_number(node);
    }
}

static bool copy_text(struct reader *reader, struct fy_token *token, limen_str *ret_text)
{
    size_t len = 0;
    const char *text = token == NULL ? "" : fy_token_get_text(token, &len);
    if (text == NULL)
        return out_of_memory(reader);
    *ret_text = arena_copy(reader->arena, str_make(text, len));
    return ret_text->ptr != NULL || out_of_memory(reader);
}

static bool read_scalar(struct reader *reader, struct fy_event *event, struct doc_node *node)
{
    struct fy_token *token = event->scalar.value;
    node->kind = DOC_STRING;
    if (!copy_text(reader, token, &node->text))
        return false;
    enum fy_scalar_style style = token == NULL ? FYSS_PLAIN : fy_token_scalar_style(token);
    if (style == FYSS_PLAIN || style == FYSS_ANY)
        resolve_plain(node);
    return true;
}

/* ---- places ----------------------------------------------------------------------------------------------------------- */

static struct fy_token *token_of(struct fy_event *event)
{
    switch (event->type) {
    case FYET_SCALAR:
        return event->scalar.value;
    case FYET_SEQUENCE_START:
        return event->sequence_start.sequence_start;
    case FYET_MAPPING_START:
        return event->mapping_start.mapping_start;
    case FYET_ALIAS:
        return event->alias.anchor;
    default:
        return NULL;
    }
}

static struct fy_token *anchor_of(struct fy_event *event)
{
    switch (event->type) {
    case FYET_SCALAR:
        return event->scalar.anchor;
    case FYET_SEQUENCE_START:
        return event->sequence_start.anchor;
    case FYET_MAPPING_START:
        return event->mapping_start.anchor;
    default:
        return NULL;
    }
}

static void note_place(struct fy_event *event, struct doc_node *node)
{
    struct fy_token *token = token_of(event);
    const struct fy_mark *mark = token == NULL ? NULL : fy_token_start_mark(token);
    node->line = mark == NULL ? node->key_line : (uint32_t)mark->line + 1;
    node->column = mark == NULL ? node->key_column : (uint32_t)mark->column + 1;
}

/* ---- collections ------------------------------------------------------------------------------------------------------ */

static struct doc_node *new_child(struct reader *reader, struct children *children, struct doc_node *parent)
{
    if (++reader->nodes > DOC_NODES_MAX) {
        fault(reader, parent, "the document has too many values", "split it, or use fewer aliases");
        return NULL;
    }
    if (children->count == children->capacity) {
        size_t larger = children->capacity == 0 ? 8 : children->capacity * 2;
        struct doc_node **items = ARENA_NEW_ARRAY(reader->arena, struct doc_node *, larger);
        if (items == NULL)
            return NULL;
        if (children->count > 0)
            memcpy(items, children->items, children->count * sizeof(struct doc_node *));
        children->items = items;
        children->capacity = larger;
    }
    struct doc_node *child = ARENA_NEW(reader->arena, struct doc_node);
    if (child == NULL)
        return NULL;
    child->parent = parent;
    child->index = children->count;
    children->items[children->count++] = child;
    return child;
}

static bool read_sequence(struct reader *reader, struct doc_node *node, unsigned depth)
{
    struct children children = { 0 };
    node->kind = DOC_ARRAY;
    for (;;) {
        struct fy_event *event = fy_parser_parse(reader->parser);
        if (event == NULL)
            return false;
        bool is_end = event->type == FYET_SEQUENCE_END;
        struct doc_node *child = is_end ? NULL : new_child(reader, &children, node);
        bool ok = is_end || (child != NULL && read_value(reader, event, child, depth));
        fy_parser_event_free(reader->parser, event);
        if (is_end || !ok) {
            node->items = children.items;
            node->count = children.count;
            return ok;
        }
    }
}

static bool read_key(struct reader *reader, struct fy_event *event, struct doc_node *child)
{
    note_place(event, child);
    child->key_line = child->line;
    child->key_column = child->column;
    if (event->type != FYET_SCALAR)
        return fault(reader, child, "a member's name is not a string", "write the name as plain text");
    return copy_text(reader, event->scalar.value, &child->key);
}

/* Names are few in a contract, but a hostile file may have many: a map finds the second of a pair. */
static bool is_new_name(struct reader *reader, struct map *names, struct doc_node *child)
{
    if (map_get(names, child->key) != NULL) {
        diags_add_at(reader->diags, reader->file, child->key_line, child->key_column,
                     LIMEN_STR("remove one of the two"), "the member '%.*s' stands twice in one object",
                     LIMEN_STR_ARG(child->key));
        return false;
    }
    return map_put(names, child->key, child, NULL) || out_of_memory(reader);
}

static bool read_members(struct reader *reader, struct doc_node *node, struct map *names, unsigned depth)
{
    struct children children = { 0 };
    for (;;) {
        struct fy_event *event = fy_parser_parse(reader->parser);
        if (event == NULL)
            return false;
        bool is_end = event->type == FYET_MAPPING_END;
        struct doc_node *child = is_end ? NULL : new_child(reader, &children, node);
        node->items = children.items;
        node->count = children.count;
        bool ok = is_end || (child != NULL && read_key(reader, event, child) && is_new_name(reader, names, child));
        fy_parser_event_free(reader->parser, event);
        if (is_end || !ok)
            return ok;
        event = fy_parser_parse(reader->parser);
        ok = event != NULL && read_value(reader, event, child, depth);
        if (event != NULL)
            fy_parser_event_free(reader->parser, event);
        if (!ok)
            return false;
    }
}

static bool read_mapping(struct reader *reader, struct doc_node *node, unsigned depth)
{
    struct map names;
    node->kind = DOC_OBJECT;
    map_init(&names);
    bool ok = read_members(reader, node, &names, depth);
    map_release(&names);
    return ok;
}

/* ---- anchors ---------------------------------------------------------------------------------------------------------- */

static bool copy_node(struct reader *reader, const struct doc_node *from, struct doc_node *to)
{
    to->kind = from->kind;
    to->boolean = from->boolean;
    to->integer = from->integer;
    to->number = from->number;
    to->text = from->text;
    to->count = from->count;
    to->items = ARENA_NEW_ARRAY(reader->arena, struct doc_node *, from->count);
    reader->nodes += from->count;
    if (to->items == NULL)
        return out_of_memory(reader);
    if (reader->nodes > DOC_NODES_MAX)
        return fault(reader, to, "the document has too many values", "use fewer aliases");
    for (size_t i = 0; i < from->count; i++) {
        struct doc_node *child = ARENA_NEW(reader->arena, struct doc_node);
        if (child == NULL)
            return out_of_memory(reader);
        *child = *from->items[i];
        child->parent = to;
        to->items[i] = child;
        if (!copy_node(reader, from->items[i], child))
            return false;
    }
    return true;
}

static bool read_alias(struct reader *reader, struct fy_event *event, struct doc_node *node)
{
    limen_str name;
    if (!copy_text(reader, event->alias.anchor, &name))
        return false;
    for (const struct anchor *anchor = reader->anchors; anchor != NULL; anchor = anchor->next) {
        if (!str_equal(anchor->name, name))
            continue;
        if (anchor->is_open)
            return fault(reader, node, "an alias names the value that it stands in",
                         "use $ref for what refers to itself");
        return copy_node(reader, anchor->node, node);
    }
    return fault(reader, node, "an alias names no anchor", "write the anchor before the alias");
}

static struct anchor *open_anchor(struct reader *reader, struct fy_event *event, const struct doc_node *node)
{
    struct fy_token *token = anchor_of(event);
    if (token == NULL)
        return NULL;
    struct anchor *anchor = ARENA_NEW(reader->arena, struct anchor);
    if (anchor == NULL || !copy_text(reader, token, &anchor->name))
        return NULL;
    anchor->node = node;
    anchor->is_open = true;
    anchor->next = reader->anchors;
    reader->anchors = anchor;
    return anchor;
}

static bool read_value(struct reader *reader, struct fy_event *event, struct doc_node *node, unsigned depth)
{
    bool ok = false;
    note_place(event, node);
    if (depth == DOC_DEPTH_MAX)
        return fault(reader, node, "the document is nested too deeply",
                     "name inner parts under components and use $ref");
    struct anchor *anchor = open_anchor(reader, event, node);
    switch (event->type) {
    case FYET_SCALAR:
        ok = read_scalar(reader, event, node);
        break;
    case FYET_SEQUENCE_START:
        ok = read_sequence(reader, node, depth + 1);
        break;
    case FYET_MAPPING_START:
        ok = read_mapping(reader, node, depth + 1);
        break;
    case FYET_ALIAS:
        ok = read_alias(reader, event, node);
        break;
    default:
        break;
    }
    if (anchor != NULL)
        anchor->is_open = false;
    return ok;
}

/* ---- the document ----------------------------------------------------------------------------------------------------- */

/* What libfyaml found wrong, when we did not find something ourselves. */
static void take_parser_faults(struct reader *reader, struct fy_diag *diag, size_t before)
{
    void *previous = NULL;
    for (struct fy_diag_error *error; (error = fy_diag_errors_iterate(diag, &previous)) != NULL;) {
        uint32_t line = error->line > 0 ? (uint32_t)error->line : 1;
        uint32_t column = error->column > 0 ? (uint32_t)error->column : 1;
        if (reader->diags->count == before)
            diags_add_at(reader->diags, reader->file, line, column, (limen_str){ 0 }, "this is not YAML: %s",
                         error->msg);
    }
    if (reader->diags->count == before)
        diags_add_at(reader->diags, reader->file, 1, 1, (limen_str){ 0 }, "this is not one YAML or JSON document");
}

/* Stream start, document start, the value, document end, and no second document. */
static bool read_stream(struct reader *reader, struct doc_node *root)
{
    enum { BEFORE, INSIDE, BEHIND } state = BEFORE;
    for (;;) {
        struct fy_event *event = fy_parser_parse(reader->parser);
        if (event == NULL)
            return false;
        enum fy_event_type type = event->type;
        bool ok = true;
        if (type == FYET_DOCUMENT_START)
            ok = state == BEFORE;
        else if (type == FYET_STREAM_END)
            ok = state == BEHIND;
        else if (type != FYET_STREAM_START && type != FYET_DOCUMENT_END)
            ok = state == INSIDE && read_value(reader, event, root, 0);
        fy_parser_event_free(reader->parser, event);
        if (!ok || type == FYET_STREAM_END)
            return ok;
        if (type == FYET_DOCUMENT_START)
            state = INSIDE;
        else if (type == FYET_DOCUMENT_END)
            state = BEHIND;
    }
}

/* Text that a parser of YAML may be given: UTF-8, no controls, no directives. libfyaml 0.8 does not come back from some directives. */
static bool is_plain_text(limen_str text, limen_str file, struct diags *diags)
{
    uint32_t line = 1, column = 1;
    for (size_t at = 0; at < text.len; column++) {
        size_t step = str_utf8_step(str_slice(text, at, text.len));
        char c = text.ptr[at];
        const char *fault = step == 0                                 ? "this is no UTF-8"
            : (uint8_t)c < ' ' && c != '\n' && c != '\t' && c != '\r' ? "a control character"
            : c == '%' && column == 1                                 ? "a YAML directive"
                                                                      : NULL;
        if (fault != NULL) {
            diags_add_at(diags, file, line, column, LIMEN_STR("remove it"), "%s", fault);
            return false;
        }
        at += step;
        if (c == '\n') {
            line++;
            column = 0;
        }
    }
    return true;
}

bool doc_parse(limen_str text, limen_str file, struct arena *arena, struct doc *ret_doc, struct diags *diags)
{
    struct fy_diag_cfg diag_config;
    struct reader reader = { .arena = arena, .diags = diags, .file = file };
    struct doc_node *root = ARENA_NEW(arena, struct doc_node);
    size_t before = diags->count;
    if (text.len > LIMIT_CONTRACT_BYTES) {
        diags_add_at(diags, file, 1, 1, LIMEN_STR("split it"), "the document is larger than %u bytes",
                     LIMIT_CONTRACT_BYTES);
        return false;
    }
    if (!is_plain_text(text, file, diags))
        return false;
    fy_diag_cfg_default(&diag_config);
    diag_config.fp = NULL;
    struct fy_diag *diag = fy_diag_create(&diag_config);
    if (root == NULL || diag == NULL)
        return out_of_memory(&reader);
    root->file = file;
    fy_diag_set_collect_errors(diag, true);
    struct fy_parse_cfg config = { .flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG, .diag = diag };
    reader.parser = fy_parser_create(&config);
    bool ok = reader.parser != NULL && fy_parser_set_string(reader.parser, text.ptr, text.len) == 0
        && read_stream(&reader, root);
    if (!ok)
        take_parser_faults(&reader, diag, before);
    if (reader.parser != NULL)
        fy_parser_destroy(reader.parser);
    fy_diag_destroy(diag);
    *ret_doc = (struct doc){ .root = root };
    return ok;
}

/* ---- asking ----------------------------------------------------------------------------------------------------------- */

const struct doc_node *doc_get(const struct doc_node *node, limen_str name)
{
    if (node == NULL || node->kind != DOC_OBJECT)
        return NULL;
    for (size_t i = 0; i < node->count; i++) {
        if (str_equal(node->items[i]->key, name))
            return node->items[i];
    }
    return NULL;
}

/* One token of a pointer: ~1 is '/', ~0 is '~'. False when a '~' is followed by something else or the token is too long. */
static bool unescape(limen_str token, char *memory, size_t bytes, limen_str *ret_name)
{
    size_t len = 0;
    for (size_t i = 0; i < token.len; i++) {
        char c = token.ptr[i];
        if (c == '~') {
            if (++i == token.len || (token.ptr[i] != '0' && token.ptr[i] != '1'))
                return false;
            c = token.ptr[i] == '0' ? '~' : '/';
        }
        if (len == bytes)
            return false;
        memory[len++] = c;
    }
    *ret_name = str_make(memory, len);
    return true;
}

static const struct doc_node *step(const struct doc_node *node, limen_str name)
{
    int64_t index;
    if (node->kind != DOC_ARRAY)
        return doc_get(node, name);
    if (!str_to_int64(name, &index) || index < 0 || (uint64_t)index >= node->count)
        return NULL;
    return node->items[index];
}

const struct doc_node *doc_root(const struct doc_node *node)
{
    while (node->parent != NULL)
        node = node->parent;
    return node;
}

const struct doc_node *doc_at(const struct doc_node *node, limen_str pointer)
{
    char memory[512];
    limen_str rest = pointer, name;
    if (pointer.len > 0 && pointer.ptr[0] != '/')
        return NULL;
    while (rest.len > 0 && node != NULL) {
        rest = str_slice(rest, 1, rest.len);
        size_t slash = str_find_char(rest, '/', 0);
        limen_str token = str_slice(rest, 0, slash);
        rest = slash == SIZE_MAX ? (limen_str){ 0 } : str_slice(rest, slash, rest.len);
        if (!unescape(token, memory, sizeof(memory), &name))
            return NULL;
        node = step(node, name);
    }
    return node;
}
