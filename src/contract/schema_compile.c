/* schema_compile.c - from the tree of a contract to schemas that can be run.
 *
 * Every schema object becomes one `struct schema`, found again by its node, so a $ref is a pointer. Objects that are still to be
 * read wait in a list: nothing recurses, and schemas may refer to each other in circles. At the end each new schema is looked at
 * once more, to refuse circles in which no step goes deeper into the value. */
#include "contract/schema_compile.h"

#include "core/arena.h"
#include "core/limits.h"
#include "core/str.h"

#include <stdarg.h>
#include <stdlib.h>

#define REFERENCE_HOPS 32 /* plain references that are followed at once; a longer chain is walked at run time */

/* ---- the set --------------------------------------------------------------------------------------------------- */
struct schema_set *schema_set_new(struct catalog *catalog, struct arena *arena)
{
    struct schema_set *set = ARENA_NEW(arena, struct schema_set);
    if (set == NULL)
        return NULL;
    set->catalog = catalog;
    set->arena = arena;
    hash_key_random(&set->key);
    return set;
}

void schema_set_free(struct schema_set *set)
{
    if (set == NULL)
        return;
    pattern_engine_free(set->patterns);
    free(set->scratch.words);
    set->patterns = NULL;
    set->scratch = (struct scratch){ 0 };
}

void schema_set_read_as_standard(struct schema_set *set, bool formats_assert)
{
    set->is_standard = true;
    set->formats_are_annotations = !formats_assert;
}

static size_t first_slot(const struct schema_set *set, const struct doc_node *node, const struct scope *scope)
{
    const uintptr_t both = (uintptr_t)node / 16 + (uintptr_t)scope * 31;
    return (size_t)(both * 0x9E3779B97F4A7C15U >> 32) & (set->slot_count - 1);
}

static struct schema *set_find(const struct schema_set *set, const struct doc_node *node, const struct scope *scope)
{
    if (set->slot_count == 0)
        return NULL;
    for (size_t slot = first_slot(set, node, scope); set->slots[slot] != NULL;
         slot = (slot + 1) & (set->slot_count - 1)) {
        if (set->slots[slot]->node == node && set->slots[slot]->scope == scope)
            return set->slots[slot];
    }
    return NULL;
}

static void set_put(struct schema_set *set, struct schema *schema)
{
    size_t slot = first_slot(set, schema->node, schema->scope);
    while (set->slots[slot] != NULL)
        slot = (slot + 1) & (set->slot_count - 1);
    set->slots[slot] = schema;
}

/* At most half of the slots are used. */
static bool set_make_room(struct compiler *c)
{
    struct schema_set *set = c->set;
    if ((set->schema_count + 1) * 2 <= set->slot_count)
        return true;
    const size_t larger = set->slot_count == 0 ? 64 : set->slot_count * 2;
    struct schema **slots = compiler_take(c, larger, sizeof(*slots));
    if (slots == NULL)
        return false;
    set->slots = slots;
    set->slot_count = larger;
    for (struct schema *schema = set->all; schema != NULL; schema = schema->next)
        set_put(set, schema);
    return true;
}

/* ---- for the keywords ------------------------------------------------------------------------------------------ */
void compiler_fault(struct compiler *c, const struct doc_node *node, limen_str mend, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const limen_str message = arena_vprintf(c->set->arena, format, args);
    va_end(args);
    diags_add(c->diags, node, mend, "%.*s", LIMEN_STR_ARG(message));
    compiler_break(c);
}

void compiler_break(struct compiler *c)
{
    if (c->schema != NULL)
        c->schema->is_broken = c->schema->is_never = true;
}

void *compiler_take(struct compiler *c, size_t count, size_t bytes)
{
    void *memory = arena_zalloc(c->set->arena, count, bytes);
    if (memory == NULL)
        c->set->is_out_of_memory = true;
    return memory;
}

void compiler_need_scratch(struct compiler *c)
{
    struct scratch *scratch = &c->set->scratch;
    if (scratch->words != NULL)
        return;
    scratch->words = malloc(LIMIT_SCHEMA_SCRATCH_BYTES); /* pages that nobody touches cost nothing */
    if (scratch->words == NULL)
        c->set->is_out_of_memory = true;
    else
        scratch->capacity = LIMIT_SCHEMA_SCRATCH_BYTES / sizeof(*scratch->words);
}

static const struct schema schema_false = { .is_never = true, .is_broken = true };

static struct schema *new_schema(struct compiler *c, const struct doc_node *node, const struct scope *scope)
{
    if (!set_make_room(c))
        return NULL;
    struct schema *schema = compiler_take(c, 1, sizeof(*schema));
    if (schema == NULL)
        return NULL;
    *schema = (struct schema){ .node = node,
                               .scope = scope,
                               .set = c->set,
                               .types = TYPE_ANY,
                               .next = c->set->all,
                               .next_pending = c->set->pending };
    c->set->all = c->set->pending = schema;
    c->set->schema_count++;
    set_put(c->set, schema);
    return schema;
}

/* ---- references ------------------------------------------------------------------------------------------------ */
/* True when the object holds a $ref and otherwise only what changes nothing. */
static bool is_plain_reference(const struct doc_node *node)
{
    if (doc_get(node, LIMEN_STR("$ref")) == NULL)
        return false;
    for (size_t i = 0; i < node->count; i++) {
        const limen_str key = node->items[i]->key;
        if (!str_equal(key, LIMEN_STR("$ref")) && !str_equal(key, LIMEN_STR("description"))
            && !str_equal(key, LIMEN_STR("summary")) && !str_equal(key, LIMEN_STR("title")))
            return false;
    }
    return true;
}

/* The node that a reference names, and its anchor; NULL after a fault. */
static const struct doc_node *find_target(struct compiler *c, const struct doc_node *reference,
                                          const struct anchor **ret_anchor)
{
    const struct doc_node *node = catalog_target(c->set->catalog, reference, c->diags, ret_anchor);
    if (node == NULL)
        compiler_break(c);
    return node;
}

const struct schema *compiler_reference(struct compiler *c, const struct doc_node *reference)
{
    const struct doc_node *node = find_target(c, reference, NULL);
    return node != NULL ? compiler_schema(c, node) : &schema_false;
}

const struct schema *compiler_dynamic_reference(struct compiler *c, const struct doc_node *reference)
{
    const struct anchor *anchor = NULL;
    const struct doc_node *node = find_target(c, reference, &anchor);
    if (node != NULL && anchor != NULL && anchor->is_dynamic)
        node = scope_target(c->scope, anchor);
    return node != NULL ? compiler_schema(c, node) : &schema_false;
}

const struct schema *compiler_schema(struct compiler *c, const struct doc_node *node)
{
    const struct scope *scope = scope_enter(c, c->scope, catalog_home(c->set->catalog, node));
    for (int hop = 0; hop < REFERENCE_HOPS && is_plain_reference(node); hop++) {
        node = find_target(c, doc_get(node, LIMEN_STR("$ref")), NULL);
        if (node == NULL)
            return &schema_false;
        scope = scope_enter(c, scope, catalog_home(c->set->catalog, node));
    }
    struct schema *schema = set_find(c->set, node, scope);
    if (schema == NULL)
        schema = new_schema(c, node, scope);
    return schema != NULL ? schema : &schema_false;
}

/* ---- one schema object ----------------------------------------------------------------------------------------- */
/* What somebody may have meant by a keyword that there is not. */
static limen_str mend_of(limen_str keyword)
{
    static const struct {
        limen_str keyword, mend;
    } mends[] = {
        { LIMEN_STR_INIT("nullable"), LIMEN_STR_INIT("OpenAPI 3.1 has `type: [string, 'null']` instead") },
        { LIMEN_STR_INIT("definitions"), LIMEN_STR_INIT("2020-12 calls it `$defs`") },
        { LIMEN_STR_INIT("dependencies"),
          LIMEN_STR_INIT("2020-12 has `dependentRequired` and `dependentSchemas` instead") },
        { LIMEN_STR_INIT("additionalItems"), LIMEN_STR_INIT("2020-12 has `prefixItems` and `items` instead") },
        { LIMEN_STR_INIT("id"), LIMEN_STR_INIT("2020-12 calls it `$id`") },
        { LIMEN_STR_INIT("contentEncoding"),
          LIMEN_STR_INIT("it checks nothing; say what the text may be with `pattern`") },
        { LIMEN_STR_INIT("contentMediaType"),
          LIMEN_STR_INIT("it checks nothing; say what the text may be with `pattern`") },
        { LIMEN_STR_INIT("contentSchema"),
          LIMEN_STR_INIT("it checks nothing; say what the text may be with `pattern`") },
    };
    for (size_t i = 0; i < sizeof mends / sizeof *mends; i++) {
        if (str_equal(mends[i].keyword, keyword))
            return mends[i].mend;
    }
    return LIMEN_STR("a keyword that is not checked would be a hole: remove it, or name it x-…");
}

static const struct keyword *find_keyword(limen_str name)
{
    for (size_t i = 0; i < schema_keyword_count; i++) {
        if (str_equal(schema_keywords[i].name, name))
            return &schema_keywords[i];
    }
    return NULL;
}

static void read_keyword(struct compiler *c, const struct doc_node *value)
{
    const struct keyword *keyword = find_keyword(value->key);
    const bool is_in_dialect = keyword != NULL && (keyword->vocabularies & c->vocabularies) != 0;
    if (is_in_dialect && keyword->read != NULL)
        keyword->read(c, value);
    if (is_in_dialect || c->set->is_standard || str_starts(value->key, LIMEN_STR("x-")))
        return;
    if (keyword != NULL)
        compiler_fault(c, value, LIMEN_STR("add its vocabulary to the metaschema's `$vocabulary`, or remove it"),
                       "this dialect has no keyword '%.*s'", LIMEN_STR_ARG(value->key));
    else
        compiler_fault(c, value, mend_of(value->key), "schema keyword '%.*s' is not supported",
                       LIMEN_STR_ARG(value->key));
}

static void read_schema(struct compiler *c)
{
    const struct doc_node *node = c->node;
    if (node->kind == DOC_BOOL) {
        c->schema->is_always = node->boolean;
        c->schema->is_never = !node->boolean;
        return;
    }
    if (node->kind != DOC_OBJECT) {
        compiler_fault(c, node, LIMEN_STR(""), "a schema must be an object, true or false");
        return;
    }
    c->vocabularies = compiler_vocabularies(c);
    for (size_t i = 0; i < node->count && c->vocabularies != 0; i++)
        read_keyword(c, node->items[i]);
    compiler_finish_object(c);

    struct schema *schema = c->schema;
    schema->values = c->values;
    schema->number = c->number;
    schema->string = c->string;
    schema->array = c->array;
    schema->object = c->object;
    schema->logic = c->logic;
    schema->is_always = !schema->is_never && schema->types == TYPE_ANY && schema->refused_in == 0 && c->values == NULL
        && c->number == NULL && c->string == NULL && c->array == NULL && c->object == NULL && c->logic == NULL;
    schema->quick = quick_of(schema);
}

/* ---- the last look --------------------------------------------------------------------------------------------- */
enum colour { COLOUR_NEW, COLOUR_OPEN, COLOUR_DONE };

static void settle(struct compiler *c, struct schema *schema);

/* A schema that applies to the same value as `schema` does. Parts hold pointers to const; the compiler owns what they point to. */
static uint8_t settle_below(struct compiler *c, struct schema *schema, const struct schema *below)
{
    if (below == NULL || below == &schema_false)
        return TYPE_ANY;
    settle(c, (struct schema *)below);
    if (below->height >= schema->height)
        schema->height = below->height + 1;
    return below->param_types;
}

static uint8_t settle_list(struct compiler *c, struct schema *schema, const struct schema **list, uint32_t count)
{
    uint8_t types = count > 0 ? 0 : TYPE_ANY;
    for (uint32_t i = 0; i < count; i++)
        types |= settle_below(c, schema, list[i]);
    return types;
}

/* What must hold in any case narrows the types and carries readOnly along. */
static void settle_must(struct compiler *c, struct schema *schema, const struct schema *below)
{
    schema->param_types &= settle_below(c, schema, below);
    if (below != NULL)
        schema->refused_through |= below->refused_through;
}

static uint8_t types_of_values(const struct value_rules *values)
{
    uint8_t types = TYPE_ANY;
    if (values != NULL && values->has_const)
        types &= type_bit_of(&values->constant.tape[0]);
    if (values != NULL && values->has_enum) {
        uint8_t listed = 0;
        for (uint32_t at = 1; at < values->enumeration.count; at = values->enumeration.tape[at].next)
            listed |= type_bit_of(&values->enumeration.tape[at]);
        types &= listed;
    }
    return types;
}

static void settle_children(struct compiler *c, struct schema *schema)
{
    const struct logic_rules *logic = schema->logic;
    schema->param_types = schema->types & types_of_values(schema->values);
    schema->refused_through = schema->refused_in;
    if (schema->object != NULL) {
        for (uint32_t i = 0; i < schema->object->dependent_count; i++)
            (void)settle_below(c, schema, schema->object->dependents[i].schema);
    }
    if (logic == NULL)
        return;
    settle_must(c, schema, logic->ref);
    settle_must(c, schema, logic->dynamic_ref);
    for (uint32_t i = 0; i < logic->all_count; i++)
        settle_must(c, schema, logic->all[i]);
    schema->param_types &= settle_list(c, schema, logic->any, logic->any_count);
    schema->param_types &= settle_list(c, schema, logic->one, logic->one_count);
    (void)settle_below(c, schema, logic->negated);
    (void)settle_below(c, schema, logic->condition);
    (void)settle_below(c, schema, logic->consequence);
    (void)settle_below(c, schema, logic->alternative);
}

static void settle(struct compiler *c, struct schema *schema)
{
    if (schema->colour == COLOUR_DONE)
        return;
    c->schema = schema;
    if (schema->colour == COLOUR_OPEN) {
        if (!schema->is_broken)
            compiler_fault(c, schema->node, LIMEN_STR("let one step of the circle go into a member or an item"),
                           "this schema refers to itself without going deeper into the value");
        return;
    }
    schema->colour = COLOUR_OPEN;
    settle_children(c, schema);
    schema->colour = COLOUR_DONE;
    c->schema = schema;
    if (schema->height == LIMIT_SCHEMA_DEPTH)
        compiler_fault(c, schema->node, LIMEN_STR(""), "more than %u schemas are nested here", LIMIT_SCHEMA_DEPTH);
}

/* A client does not send what is readOnly, and a server does not what is writeOnly: they are required of the other only. */
static void settle_required(const struct object_rules *object)
{
    for (uint32_t place = 0; place < object->names.count; place++) {
        const struct schema *property = object->properties[place];
        if (property == NULL)
            continue;
        for (int use = SCHEMA_REQUEST; use <= SCHEMA_REPLY; use++) {
            if ((property->refused_through >> use & 1) != 0)
                object->required[use][place / 64] &= ~(UINT64_C(1) << place % 64);
        }
    }
}

/* ---- the way in ------------------------------------------------------------------------------------------------ */
static void read_pending(struct compiler *c)
{
    while (c->set->pending != NULL && !c->set->is_out_of_memory) {
        struct schema *schema = c->set->pending;
        c->set->pending = schema->next_pending;
        *c = (struct compiler){
            .set = c->set, .diags = c->diags, .schema = schema, .node = schema->node, .scope = schema->scope
        };
        read_schema(c);
    }
}

const struct schema *schema_compile(struct schema_set *set, const struct doc_node *node, struct diags *diags)
{
    struct compiler c = { .set = set, .diags = diags, .node = node };
    const size_t faults = diags->count;
    const struct schema *before = set->all;
    const struct schema *schema = compiler_schema(&c, node);
    read_pending(&c);
    for (struct schema *fresh = set->all; fresh != before; fresh = fresh->next)
        settle(&c, fresh);
    for (struct schema *fresh = set->all; fresh != before; fresh = fresh->next) {
        if (fresh->object != NULL)
            settle_required(fresh->object);
    }
    if (set->is_out_of_memory)
        diags_add(diags, node, LIMEN_STR(""), "memory is out");
    return diags->count == faults && !schema->is_broken ? schema : NULL;
}
