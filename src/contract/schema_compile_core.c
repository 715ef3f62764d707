/* schema_compile_core.c - the keywords of the core vocabulary: what a schema is called, and to whom it refers.
 *
 * Identifiers were collected by the catalog before anything was compiled; here they are only held against it. */
#include "contract/schema_compile.h"

#include "core/str.h"

/* ---- references ------------------------------------------------------------------------------------------------ */
void on_ref(struct compiler *c, const struct doc_node *value)
{
    struct logic_rules *logic = compiler_logic(c);
    if (logic != NULL)
        logic->ref = compiler_reference(c, value);
}

void on_dynamic_ref(struct compiler *c, const struct doc_node *value)
{
    struct logic_rules *logic = compiler_logic(c);
    if (logic != NULL)
        logic->dynamic_ref = compiler_dynamic_reference(c, value);
}

/* Definitions are read although nobody may refer to them: what is wrong in them should be known. */
void on_defs(struct compiler *c, const struct doc_node *value)
{
    if (value->kind != DOC_OBJECT) {
        compiler_fault(c, value, LIMEN_STR(""), "$defs must be an object of schemas");
        return;
    }
    for (size_t i = 0; i < value->count; i++)
        (void)compiler_schema(c, value->items[i]);
}

/* ---- names and dialects ---------------------------------------------------------------------------------------- */
/* The catalog has read them wherever it looks for schemas. Elsewhere, under a keyword that it does not know, they would name nothing. */
void on_id(struct compiler *c, const struct doc_node *value)
{
    if (!c->set->is_standard && catalog_home(c->set->catalog, value)->root != c->node)
        compiler_fault(c, value, LIMEN_STR("move the schema to components/schemas or $defs"), "%.*s names nothing here",
                       LIMEN_STR_ARG(value->key));
}

void on_anchor(struct compiler *c, const struct doc_node *value)
{
    const struct anchor *anchor = catalog_home(c->set->catalog, value)->anchors;
    while (anchor != NULL && (anchor->node != c->node || !str_equal(anchor->name, value->text)))
        anchor = anchor->next;
    if (!c->set->is_standard && anchor == NULL)
        compiler_fault(c, value, LIMEN_STR("move the schema to components/schemas or $defs"), "%.*s names nothing here",
                       LIMEN_STR_ARG(value->key));
}

/* At the root of a resource it has been read already. */
void on_schema(struct compiler *c, const struct doc_node *value)
{
    if (catalog_home(c->set->catalog, value)->root == c->node)
        return;
    const uint32_t vocabularies = compiler_dialect(c, value);
    if (vocabularies != 0 && vocabularies != c->vocabularies)
        compiler_fault(c, value, LIMEN_STR("give the schema an `$id`"),
                       "only a schema resource can have a dialect of its own");
}
