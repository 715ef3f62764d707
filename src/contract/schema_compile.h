/* schema_compile.h - what the files of the schema compiler share. */
#ifndef CONTRACT_SCHEMA_COMPILE_H
#define CONTRACT_SCHEMA_COMPILE_H

#include "contract/schema_program.h"

/* The schema object that is being read. The parts are made by the first keyword that needs them. */
struct compiler {
    struct schema_set *set;
    struct diags *diags;
    struct schema *schema;
    const struct doc_node *node;
    const struct scope *scope;
    uint32_t vocabularies; /* enum vocabulary: those of its dialect */
    struct number_rules *number;
    struct string_rules *string;
    struct array_rules *array;
    struct object_rules *object;
    struct value_rules *values;
    struct logic_rules *logic;
    const struct doc_node *properties, *required; /* read together, at the end */
};

/* The vocabularies of 2020-12, and OpenAPI's own. A dialect is a set of them. */
enum vocabulary {
    VOCABULARY_CORE = 1,
    VOCABULARY_APPLICATOR = 2,
    VOCABULARY_UNEVALUATED = 4,
    VOCABULARY_VALIDATION = 8,
    VOCABULARY_ANNOTATION = 16,
    VOCABULARY_FORMAT = 32, /* format-annotation: here it asserts too, unless read as the standard has it */
    VOCABULARY_FORMAT_ASSERTION = 64,
    VOCABULARY_CONTENT = 128,
    VOCABULARY_OPENAPI = 256
};

/* How one keyword is read. */
struct keyword {
    limen_str name;
    uint32_t vocabularies; /* any of which has it */
    void (*read)(struct compiler *c, const struct doc_node *value);
};
extern const struct keyword schema_keywords[];
extern const size_t schema_keyword_count;

/* Adds a fault at `node` and marks the schema as broken. */
void compiler_fault(struct compiler *c, const struct doc_node *node, limen_str mend, const char *format, ...)
    LIMEN_PRINTF(4, 5);
/* Marks it, when the fault has been told already. */
void compiler_break(struct compiler *c);
/* Zeroed memory of the set; NULL after noting that memory is out. */
void *compiler_take(struct compiler *c, size_t count, size_t bytes);
/* The schema at `node`, new ones still to be read; `false` after a fault. */
const struct schema *compiler_schema(struct compiler *c, const struct doc_node *node);
/* The schema that a $ref names, and the one that a $dynamicRef does in this scope. */
const struct schema *compiler_reference(struct compiler *c, const struct doc_node *reference);
const struct schema *compiler_dynamic_reference(struct compiler *c, const struct doc_node *reference);
/* The vocabularies of the dialect of the schema at c->node, and of the dialect that `uri` names; 0 after a fault. */
uint32_t compiler_vocabularies(struct compiler *c);
uint32_t compiler_dialect(struct compiler *c, const struct doc_node *uri);
/* The part for keywords that apply to the same value; NULL when memory is out. */
struct logic_rules *compiler_logic(struct compiler *c);
/* The keywords of the core vocabulary, schema_compile_core.c. */
void on_id(struct compiler *c, const struct doc_node *value);
void on_anchor(struct compiler *c, const struct doc_node *value);
void on_ref(struct compiler *c, const struct doc_node *value);
void on_dynamic_ref(struct compiler *c, const struct doc_node *value);
void on_defs(struct compiler *c, const struct doc_node *value);
void on_schema(struct compiler *c, const struct doc_node *value);
/* `properties` and `required`, once all keywords of the object are known. */
void compiler_finish_object(struct compiler *c);
/* Room for uniqueItems and unevaluated… at run time. */
void compiler_need_scratch(struct compiler *c);

/* ---- scopes, schema_scope.c ------------------------------------------------------------------------------------ */
/* The scope behind `scope` once the walk is in `resource`; `scope` itself when that changes nothing. */
const struct scope *scope_enter(struct compiler *c, const struct scope *scope, const struct resource *resource);
/* What a $dynamicRef to `anchor` means in the scope. */
const struct doc_node *scope_target(const struct scope *scope, const struct anchor *anchor);

#endif
