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
    struct number_rules *number;
    struct string_rules *string;
    struct array_rules *array;
    struct object_rules *object;
    struct value_rules *values;
    struct logic_rules *logic;
    const struct doc_node *properties, *required; /* read together, at the end */
};

/* How one keyword is read. */
struct keyword {
    limen_str name;
    void (*read)(struct compiler *c, const struct doc_node *value);
};
extern const struct keyword schema_keywords[];
extern const size_t schema_keyword_count;

/* Adds a fault at `node` and marks the schema as broken. */
void compiler_fault(struct compiler *c, const struct doc_node *node, limen_str mend, const char *format, ...)
    LIMEN_PRINTF(4, 5);
/* Zeroed memory of the set; NULL after noting that memory is out. */
void *compiler_take(struct compiler *c, size_t count, size_t bytes);
/* The schema at `node`, new ones still to be read; `false` after a fault. */
const struct schema *compiler_schema(struct compiler *c, const struct doc_node *node);
/* The schema that `reference` names. */
const struct schema *compiler_reference(struct compiler *c, const struct doc_node *reference);
/* `properties` and `required`, once all keywords of the object are known. */
void compiler_finish_object(struct compiler *c);
/* Room for uniqueItems and unevaluated… at run time. */
void compiler_need_scratch(struct compiler *c);

#endif
