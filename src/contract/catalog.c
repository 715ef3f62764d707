/* catalog.c - identifiers are collected when a document is added, and looked up afterwards.
 *
 * `$id` and `$anchor` count only where a schema can stand: one in an `enum`, an example or an unknown keyword is a value like any
 * other. So the documents are walked by what their keywords hold. */
#include "contract/catalog.h"

#include "contract/metaschema.h"
#include "contract/uri.h"
#include "core/arena.h"
#include "core/hash.h"
#include "core/str.h"

#include <stdlib.h>

#define REFERENCE_HOPS 32
/* The folder of the contract: relative names are resolved against it and lead to no file. */
#define BASE_URI LIMEN_STR("file:///")

struct catalog {
    struct arena *arena;
    struct map by_uri;  /* to struct resource */
    struct map by_root; /* the same, by the address of the root */
    struct anchor *dynamic_anchors;
    bool has_metaschema;
};

/* A document that is being added. */
struct indexer {
    struct catalog *catalog;
    struct diags *diags;
    bool ok;
};

static void index_schema(struct indexer *indexer, const struct doc_node *node, struct resource *home);

struct catalog *catalog_new(struct arena *arena)
{
    struct catalog *catalog = ARENA_NEW(arena, struct catalog);
    if (catalog == NULL)
        return NULL;
    catalog->arena = arena;
    map_init(&catalog->by_uri);
    map_init(&catalog->by_root);
    return catalog;
}

void catalog_free(struct catalog *catalog)
{
    if (catalog == NULL)
        return;
    map_release(&catalog->by_uri);
    map_release(&catalog->by_root);
}

/* ---- resources ------------------------------------------------------------------------------------------------- */
static void fault(struct indexer *indexer, const struct doc_node *node, const char *mend, const char *message)
{
    diags_add(indexer->diags, node, str_of(mend), "%s", message);
    indexer->ok = false;
}

/* A map's keys are strings; the address of a node is one. It lives as long as the resource. */
static limen_str root_key(const struct doc_node *const *root)
{
    return str_make((const char *)root, sizeof *root);
}

static bool put_uri(struct indexer *indexer, limen_str uri, struct resource *resource, const struct doc_node *at)
{
    if (map_get(&indexer->catalog->by_uri, uri) != NULL) {
        diags_add(indexer->diags, at, LIMEN_STR("give each its own"), "the URI '%.*s' stands for two schemas",
                  LIMEN_STR_ARG(uri));
        indexer->ok = false;
    } else if (!map_put(&indexer->catalog->by_uri, uri, resource, NULL)) {
        fault(indexer, at, "", "memory is out");
    }
    return indexer->ok;
}

/* NULL after a fault at `at`. */
static struct resource *new_resource(struct indexer *indexer, const struct doc_node *root, const struct resource *outer,
                                     limen_str uri, const struct doc_node *at)
{
    struct resource *resource = ARENA_NEW(indexer->catalog->arena, struct resource);
    if (resource == NULL) {
        fault(indexer, at, "", "memory is out");
        return NULL;
    }
    *resource = (struct resource){ .uri = uri, .root = root, .outer = outer };
    if (!put_uri(indexer, uri, resource, at))
        return NULL;
    if (!map_put(&indexer->catalog->by_root, root_key(&resource->root), resource, NULL)) {
        fault(indexer, at, "", "memory is out");
        return NULL;
    }
    return resource;
}

/* What `$id` calls the schema: resolved against the URI of what it stands in. False after a fault. */
static bool read_id(struct indexer *indexer, const struct doc_node *id, limen_str base, limen_str *ret_uri)
{
    limen_str fragment;
    if (id->kind != DOC_STRING || !uri_resolve(base, id->text, indexer->catalog->arena, ret_uri, &fragment)) {
        fault(indexer, id, "write a URI", "$id must be a string");
        return false;
    }
    if (fragment.len > 0) {
        fault(indexer, id, "name a place with `$anchor`", "$id must not have a fragment");
        return false;
    }
    return true;
}

/* ---- anchors --------------------------------------------------------------------------------------------------- */
/* An NCName of ASCII letters, as section 8.2.2 of the core specification has it. */
static bool is_anchor_name(limen_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        const char c = name.ptr[i], lower = (char)(c | 0x20);
        const bool is_first = (lower >= 'a' && lower <= 'z') || c == '_';
        const bool is_later = (c >= '0' && c <= '9') || c == '-' || c == '.';
        if (!is_first && (i == 0 || !is_later))
            return false;
    }
    return name.len > 0;
}

static const struct anchor *find_anchor(const struct resource *resource, limen_str name)
{
    for (const struct anchor *anchor = resource->anchors; anchor != NULL; anchor = anchor->next) {
        if (str_equal(anchor->name, name))
            return anchor;
    }
    return NULL;
}

static void add_anchor(struct indexer *indexer, const struct doc_node *name, bool is_dynamic, struct resource *home)
{
    struct catalog *catalog = indexer->catalog;
    if (name == NULL)
        return;
    if (name->kind != DOC_STRING || !is_anchor_name(name->text)) {
        fault(indexer, name, "use letters, digits, '-', '_' and '.', a letter first", "this is no name of an anchor");
        return;
    }
    const struct anchor *other = find_anchor(home, name->text);
    if (other != NULL && (other->node != name->parent || other->is_dynamic == is_dynamic)) {
        fault(indexer, name, "give each its own", "this anchor stands twice in one schema resource");
        return;
    }
    struct anchor *anchor = ARENA_NEW(catalog->arena, struct anchor);
    if (anchor == NULL) {
        fault(indexer, name, "", "memory is out");
        return;
    }
    *anchor = (struct anchor){
        .name = name->text, .node = name->parent, .is_dynamic = is_dynamic, .next = home->anchors
    };
    home->anchors = anchor; /* the dynamic one comes last and is found first */
    if (is_dynamic) {
        anchor->next_dynamic = catalog->dynamic_anchors;
        catalog->dynamic_anchors = anchor;
    }
}

/* ---- schemas --------------------------------------------------------------------------------------------------- */
enum holds { HOLDS_NONE, HOLDS_SCHEMA, HOLDS_SCHEMAS /* a list or an object of them */ };

static enum holds keyword_holds(limen_str keyword)
{
    static const struct {
        limen_str keyword;
        enum holds holds;
    } applicators[] = {
        { LIMEN_STR_INIT("$defs"), HOLDS_SCHEMAS },
        { LIMEN_STR_INIT("properties"), HOLDS_SCHEMAS },
        { LIMEN_STR_INIT("patternProperties"), HOLDS_SCHEMAS },
        { LIMEN_STR_INIT("dependentSchemas"), HOLDS_SCHEMAS },
        { LIMEN_STR_INIT("allOf"), HOLDS_SCHEMAS },
        { LIMEN_STR_INIT("anyOf"), HOLDS_SCHEMAS },
        { LIMEN_STR_INIT("oneOf"), HOLDS_SCHEMAS },
        { LIMEN_STR_INIT("prefixItems"), HOLDS_SCHEMAS },
        { LIMEN_STR_INIT("items"), HOLDS_SCHEMA },
        { LIMEN_STR_INIT("contains"), HOLDS_SCHEMA },
        { LIMEN_STR_INIT("additionalProperties"), HOLDS_SCHEMA },
        { LIMEN_STR_INIT("propertyNames"), HOLDS_SCHEMA },
        { LIMEN_STR_INIT("unevaluatedItems"), HOLDS_SCHEMA },
        { LIMEN_STR_INIT("unevaluatedProperties"), HOLDS_SCHEMA },
        { LIMEN_STR_INIT("not"), HOLDS_SCHEMA },
        { LIMEN_STR_INIT("if"), HOLDS_SCHEMA },
        { LIMEN_STR_INIT("then"), HOLDS_SCHEMA },
        { LIMEN_STR_INIT("else"), HOLDS_SCHEMA },
        { LIMEN_STR_INIT("contentSchema"), HOLDS_SCHEMA },
    };
    for (size_t i = 0; i < sizeof applicators / sizeof *applicators; i++) {
        if (str_equal(applicators[i].keyword, keyword))
            return applicators[i].holds;
    }
    return HOLDS_NONE;
}

static void index_each(struct indexer *indexer, const struct doc_node *schemas, struct resource *home)
{
    for (size_t i = 0; i < schemas->count; i++)
        index_schema(indexer, schemas->items[i], home);
}

static void index_inside(struct indexer *indexer, const struct doc_node *node, struct resource *home)
{
    add_anchor(indexer, doc_get(node, LIMEN_STR("$anchor")), /* is_dynamic= */ false, home);
    add_anchor(indexer, doc_get(node, LIMEN_STR("$dynamicAnchor")), /* is_dynamic= */ true, home);
    for (size_t i = 0; i < node->count; i++) {
        const enum holds holds = keyword_holds(node->items[i]->key);
        if (holds == HOLDS_SCHEMA)
            index_schema(indexer, node->items[i], home);
        else if (holds == HOLDS_SCHEMAS)
            index_each(indexer, node->items[i], home);
    }
}

static void index_schema(struct indexer *indexer, const struct doc_node *node, struct resource *home)
{
    if (node->kind != DOC_OBJECT)
        return;
    const struct doc_node *id = doc_get(node, LIMEN_STR("$id"));
    if (id != NULL && node != home->root) {
        limen_str uri;
        home = read_id(indexer, id, home->uri, &uri) ? new_resource(indexer, node, home, uri, id) : NULL;
    }
    if (home != NULL)
        index_inside(indexer, node, home);
}

/* ---- OpenAPI documents ----------------------------------------------------------------------------------------- */
/* Schemas stand under `schema` and in components/schemas; examples are values. */
static void index_openapi(struct indexer *indexer, const struct doc_node *node, struct resource *home)
{
    for (size_t i = 0; i < node->count; i++) {
        const struct doc_node *child = node->items[i];
        const bool is_named = node->kind == DOC_OBJECT;
        if (is_named && str_equal(child->key, LIMEN_STR("schema")))
            index_schema(indexer, child, home);
        else if (is_named && str_equal(child->key, LIMEN_STR("schemas")))
            index_each(indexer, child, home);
        else if (!is_named || !str_starts(child->key, LIMEN_STR("example")))
            index_openapi(indexer, child, home);
    }
}

static bool is_openapi(const struct doc_node *root)
{
    return doc_get(root, LIMEN_STR("openapi")) != NULL || doc_get(root, LIMEN_STR("components")) != NULL;
}

/* ---- documents ------------------------------------------------------------------------------------------------- */
/* A schema with an `$id` of its own is known by both names; the `$id` is its base. */
static struct resource *add_document(struct indexer *indexer, const struct doc_node *root, limen_str uri)
{
    const struct doc_node *id = is_openapi(root) ? NULL : doc_get(root, LIMEN_STR("$id"));
    limen_str own = uri;
    if (id != NULL && !read_id(indexer, id, uri, &own))
        return NULL;
    struct resource *resource = new_resource(indexer, root, NULL, own, id != NULL ? id : root);
    if (resource != NULL && !str_equal(own, uri) && !put_uri(indexer, uri, resource, root))
        return NULL;
    return resource;
}

bool catalog_add(struct catalog *catalog, const struct doc *doc, limen_str uri, struct diags *diags)
{
    struct indexer indexer = { .catalog = catalog, .diags = diags, .ok = true };
    limen_str absolute, fragment;
    if (!uri_resolve(BASE_URI, uri, catalog->arena, &absolute, &fragment)) {
        fault(&indexer, doc->root, "", "memory is out");
        return false;
    }
    struct resource *resource = add_document(&indexer, doc->root, absolute);
    if (resource != NULL && is_openapi(doc->root))
        index_openapi(&indexer, doc->root, resource);
    else if (resource != NULL)
        index_schema(&indexer, doc->root, resource);
    return indexer.ok;
}

/* The metaschema is ours, so a fault in it is a slip that the first test finds. */
static void add_metaschema(struct catalog *catalog)
{
    struct doc doc;
    struct diags diags;
    diags_init(&diags, catalog->arena);
    catalog->has_metaschema = true;
    if (!doc_parse(metaschema_text(), LIMEN_STR("(metaschema)"), catalog->arena, &doc, &diags)
        || !catalog_add(catalog, &doc, LIMEN_STR(METASCHEMA_URI), &diags))
        diags.count = 0;
}

struct resource *catalog_find(struct catalog *catalog, limen_str uri)
{
    struct resource *resource = map_get(&catalog->by_uri, uri);
    if (resource != NULL || catalog->has_metaschema || !str_starts(uri, LIMEN_STR(METASCHEMA_FOLDER)))
        return resource;
    add_metaschema(catalog);
    return map_get(&catalog->by_uri, uri);
}

struct resource *catalog_home(const struct catalog *catalog, const struct doc_node *node)
{
    for (; node != NULL; node = node->parent) {
        struct resource *resource = map_get(&catalog->by_root, root_key(&node));
        if (resource != NULL)
            return resource;
    }
    return NULL;
}

/* ---- references ------------------------------------------------------------------------------------------------ */
/* Why there is nothing, in words that help: a relative pointer inside of a schema with an `$id` is the most common slip. */
static void fault_nowhere(struct diags *diags, const struct doc_node *reference, const struct resource *home)
{
    const bool is_local = str_starts(reference->text, LIMEN_STR("#"));
    diags_add(diags, reference,
              is_local && home->outer != NULL ? LIMEN_STR("'#' is the schema with the `$id` here, not the document")
                                              : LIMEN_STR("correct the path, or add what it names"),
              "%.*s '%.*s' leads nowhere", LIMEN_STR_ARG(reference->key), LIMEN_STR_ARG(reference->text));
}

static const struct doc_node *node_in(const struct resource *resource, limen_str fragment,
                                      const struct anchor **ret_anchor)
{
    *ret_anchor = NULL;
    if (fragment.len == 0 || fragment.ptr[0] == '/')
        return doc_at(resource->root, fragment);
    *ret_anchor = find_anchor(resource, fragment);
    return *ret_anchor != NULL ? (*ret_anchor)->node : NULL;
}

const struct doc_node *catalog_target(struct catalog *catalog, const struct doc_node *reference, struct diags *diags,
                                      const struct anchor **ret_anchor)
{
    const struct anchor *anchor = NULL;
    const struct resource *home = catalog_home(catalog, reference);
    limen_str uri, encoded, fragment;
    if (ret_anchor == NULL)
        ret_anchor = &anchor;
    if (reference->kind != DOC_STRING) {
        diags_add(diags, reference, LIMEN_STR(""), "%.*s must be a string", LIMEN_STR_ARG(reference->key));
        return NULL;
    }
    if (!uri_resolve(home->uri, reference->text, catalog->arena, &uri, &encoded)) {
        diags_add(diags, reference, LIMEN_STR(""), "memory is out");
        return NULL;
    }
    const struct resource *resource = catalog_find(catalog, uri);
    if (resource == NULL) {
        diags_add(diags, reference,
                  LIMEN_STR("give its document with `--with FILE`; nothing is fetched from the network"),
                  "%.*s '%.*s' leads to a document that is not here", LIMEN_STR_ARG(reference->key),
                  LIMEN_STR_ARG(reference->text));
        return NULL;
    }
    const struct doc_node *node = uri_decode(encoded, catalog->arena, &fragment)
        ? node_in(resource, fragment, ret_anchor)
        : NULL;
    if (node == NULL)
        fault_nowhere(diags, reference, home);
    return node;
}

const struct doc_node *catalog_deref(struct catalog *catalog, const struct doc_node *node, struct diags *diags)
{
    const struct doc_node *start = node;
    for (int hop = 0; hop < REFERENCE_HOPS; hop++) {
        const struct doc_node *reference = doc_get(node, LIMEN_STR("$ref"));
        if (reference == NULL)
            return node;
        node = catalog_target(catalog, reference, diags, NULL);
        if (node == NULL)
            return NULL;
    }
    diags_add(diags, start, LIMEN_STR("break the circle"), "this $ref leads in a circle");
    return NULL;
}

const struct anchor *catalog_next_dynamic(const struct catalog *catalog, limen_str name, const struct anchor *anchor)
{
    anchor = anchor == NULL ? catalog->dynamic_anchors : anchor->next_dynamic;
    while (anchor != NULL && !str_equal(anchor->name, name))
        anchor = anchor->next_dynamic;
    return anchor;
}
