/* catalog.h - the documents of a contract, and what each URI in them names.
 *
 * A document is known by the URI that it was given with. A schema in it with an `$id` is a resource with a URI of its own, and
 * `$anchor` and `$dynamicAnchor` name places in a resource. Only what was given is found; nothing is fetched. */
#ifndef CONTRACT_CATALOG_H
#define CONTRACT_CATALOG_H

#include "contract/doc.h"

struct catalog;

/* A place that has a name in its resource. */
struct anchor {
    limen_str name;
    const struct doc_node *node;
    bool is_dynamic;             /* $dynamicAnchor */
    struct anchor *next;         /* in its resource */
    struct anchor *next_dynamic; /* of all in the catalog */
};

/* What a base URI stands for: a whole document, or a schema in it that has an `$id`. */
struct resource {
    limen_str uri; /* absolute, without a fragment */
    const struct doc_node *root;
    const struct resource *outer; /* that it stands in; NULL: it is the document */
    struct anchor *anchors;
    uint32_t vocabularies; /* of its dialect, for the compiler of schemas; 0: not asked yet */
};

/* Memory is the arena's, but for tables that catalog_free gives back. NULL when memory is out. */
struct catalog *catalog_new(struct arena *arena);
void catalog_free(struct catalog *catalog); /* accepts NULL */

/* Adds a document, OpenAPI or a schema, which must outlive the catalog. `uri` is what a $ref calls it: absolute, or relative
 * to the folder of the contract. False after adding to `diags`: a name that stands twice, an `$id` that is no URI. */
bool catalog_add(struct catalog *catalog, const struct doc *doc, limen_str uri, struct diags *diags) LIMEN_MUST_CHECK;

/* The resource with this absolute URI, or NULL. The metaschema of 2020-12 is always there. */
struct resource *catalog_find(struct catalog *catalog, limen_str uri);
/* The innermost resource that holds the node: its base URI is the node's. Never NULL for a node of a document that was added. */
struct resource *catalog_home(const struct catalog *catalog, const struct doc_node *node);

/* What `reference`, the text of a $ref or $dynamicRef, names from where it stands. NULL after adding to `diags`. `ret_anchor` (may
 * be NULL) gets the name that was used, or NULL when it was none. */
const struct doc_node *catalog_target(struct catalog *catalog, const struct doc_node *reference, struct diags *diags,
                                      const struct anchor **ret_anchor);
/* Follows `$ref` as often as needed, at most 32 times; the node itself when it has none. NULL after adding to `diags`. */
const struct doc_node *catalog_deref(struct catalog *catalog, const struct doc_node *node, struct diags *diags);
/* Every node that a `$dynamicAnchor` calls `name`, one after the other; `anchor` is the one before, or NULL. NULL at the end. */
const struct anchor *catalog_next_dynamic(const struct catalog *catalog, limen_str name, const struct anchor *anchor);

#endif
