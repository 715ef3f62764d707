/* doc.h - a YAML or JSON document as a tree that remembers where everything stood.
 *
 * The contract and every schema in it are read from this tree, so each refusal can name file, line and column. Read with
 * libfyaml at start and never on a request's path. */
#ifndef CONTRACT_DOC_H
#define CONTRACT_DOC_H

#include "limen/base.h"

struct arena;
struct buf;

enum doc_kind { DOC_NULL, DOC_BOOL, DOC_INT, DOC_DOUBLE, DOC_STRING, DOC_ARRAY, DOC_OBJECT };

struct doc_node {
    enum doc_kind kind;
    uint32_t line, column;         /* 1-based; of the value */
    uint32_t key_line, key_column; /* of the member's name, when it is a member */
    const struct doc_node *parent; /* NULL for the root */
    limen_str file;                /* of the root: its document's, as given, for messages */
    limen_str key;                 /* its name, when it is a member */
    size_t index;                  /* its place in the parent */
    bool boolean;                  /* DOC_BOOL */
    int64_t integer;               /* DOC_INT */
    double number;                 /* DOC_DOUBLE, and DOC_INT as double */
    limen_str text;                /* DOC_STRING, and the source text of numbers */
    struct doc_node **items;       /* DOC_ARRAY, DOC_OBJECT: in the order of the file */
    size_t count;
};

struct doc {
    const struct doc_node *root;
};

/* One thing that is wrong, and how it is mended. */
struct diag {
    limen_str file;
    uint32_t line, column; /* 0: the fault has no place in the file */
    limen_str message;     /* "operation 'checkout' declares no rate limit" */
    limen_str mend;        /* "add `x-rate-limit: 60/minute per caller` here or at the root"; may be empty */
};

/* A list of faults that grows in its arena. Warnings stand in a list of their own. */
struct diags {
    struct arena *arena;
    struct diag *items;
    size_t count, capacity;
};
void diags_init(struct diags *diags, struct arena *arena);
/* Adds a fault at `node`. */
void diags_add(struct diags *diags, const struct doc_node *node, limen_str mend, const char *format, ...)
    LIMEN_PRINTF(4, 5);
void diags_add_at(struct diags *diags, limen_str file, uint32_t line, uint32_t column, limen_str mend,
                  const char *format, ...) LIMEN_PRINTF(6, 7);
/* "api.yaml:12:5: error: message\n    mend: …\n" for each; `colour` for terminals. */
void diags_write(const struct diags *diags, struct buf *out, const char *severity, bool colour);

/* Reads YAML 1.2 or JSON (core schema tags; duplicate keys, aliases into themselves and documents past
 * LIMIT_CONTRACT_BYTES are refused). False after adding to `diags`. All memory is the arena's. */
bool doc_parse(limen_str text, limen_str file, struct arena *arena, struct doc *ret_doc,
               struct diags *diags) LIMEN_MUST_CHECK;
/* The member, or NULL (also when `node` is NULL or no object). */
const struct doc_node *doc_get(const struct doc_node *node, limen_str name);
/* The root of the node's document. */
const struct doc_node *doc_root(const struct doc_node *node);
/* Follows a JSON Pointer (RFC 6901, without the '#') from `node`; NULL when it leads nowhere. */
const struct doc_node *doc_at(const struct doc_node *node, limen_str pointer);
/* The tree as compact JSON. */
void doc_write_json(const struct doc_node *node, struct buf *out);

#endif
