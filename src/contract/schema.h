/* schema.h - a JSON Schema (2020-12) as a program that walks the tape.
 *
 * Compiled once at start; every keyword is either understood or refused, never ignored. Validation collects the faults of the
 * whole value, up to a ceiling, each with the JSON Pointer of the value and the keyword that it broke. */
#ifndef CONTRACT_SCHEMA_H
#define CONTRACT_SCHEMA_H

#include "contract/catalog.h"
#include "contract/json.h"

struct schema;     /* one compiled schema; opaque */
struct schema_set; /* all schemas of one catalog: $ref targets are compiled once and shared */

/* All memory is the arena's, which must outlive the set (PCRE2 code is freed by schema_set_free). */
struct schema_set *schema_set_new(struct catalog *catalog, struct arena *arena);
void schema_set_free(struct schema_set *set); /* accepts NULL */
/* Reads 2020-12 as its specification has it, for tests against public suites: unknown keywords and formats say nothing, readOnly
 * and writeOnly are annotations, and `format` asserts only when asked. Contracts are never read this way. */
void schema_set_read_as_standard(struct schema_set *set, bool formats_assert);
/* Compiles the schema at `node` of one of the catalog's documents (a $ref is followed). The same node gives the same schema. NULL after adding to `diags`. */
const struct schema *schema_compile(struct schema_set *set, const struct doc_node *node, struct diags *diags);

struct fault {
    limen_str pointer; /* of the value, "" for the root */
    limen_str rule;    /* the keyword: "maxLength", "required", "readOnly", … */
    limen_str detail;  /* one clause for a person; names of undeclared members are cut and escaped */
};
/* Collected faults; memory is the arena's. */
struct faults {
    struct arena *arena;
    struct fault *items; /* room for LIMIT_SCHEMA_FAULTS, allocated with the first fault */
    size_t count;
    bool is_cut; /* there were more */
};
void faults_init(struct faults *faults, struct arena *arena);
/* The texts live as long as the arena. */
void faults_add(struct faults *faults, limen_str pointer, limen_str rule, limen_str detail);

/* What the value is for: `readOnly` members are refused in a request, `writeOnly` ones in a reply. */
enum schema_use { SCHEMA_ANY, SCHEMA_REQUEST, SCHEMA_REPLY };

/* Must no value of this schema be there in this use? */
bool schema_is_refused(const struct schema *schema, enum schema_use use);

/* True when the value at `at` of the tape satisfies the schema. Otherwise at least one fault was added, unless `faults` is NULL
 * (then it stops at the first). Work is bounded; a pattern past its match limit counts as not matched. */
bool schema_validate(const struct schema *schema, const struct json_doc *doc, uint32_t at, enum schema_use use,
                     struct faults *faults) LIMEN_MUST_CHECK;

/* A path, query, header or cookie parameter: `raw` is already percent-decoded. Its text is read as the schema's type says
 * (integer, number, boolean or string), then validated; `pointer` names it in faults ("/query/limit"). On true the value is in
 * `ret_value` as on a tape of its own. */
bool schema_validate_param(const struct schema *schema, limen_str raw, limen_str pointer, struct arena *arena,
                           struct json_value *ret_value, struct faults *faults) LIMEN_MUST_CHECK;

/* `format` by itself (date-time, date, email, uuid, uri, hostname, ipv4, ipv6): true when `text` is one. An unknown name is
 * refused when the schema is compiled: schema_knows_format. */
bool schema_knows_format(limen_str format);
bool schema_check_format(limen_str format, limen_str text);

#endif
