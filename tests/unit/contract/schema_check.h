/* schema_check.h - what the tests of contract/schema.h share: a schema compiled, a value held against it, and what it broke. */
#ifndef TESTS_UNIT_CONTRACT_SCHEMA_CHECK_H
#define TESTS_UNIT_CONTRACT_SCHEMA_CHECK_H

#include "check.h"

#include "contract/schema_program.h"
#include "core/limits.h"

/* One schema, compiled; and what the last value broke. */
struct fixture {
    struct arena arena;
    struct doc doc;
    struct diags diags;
    struct catalog *catalog;
    struct schema_set *set;
    const struct schema *schema;
    struct faults faults;
};

static inline void open_schema(struct fixture *f, const char *schema)
{
    *f = (struct fixture){ 0 };
    arena_init(&f->arena, NULL, 256U * 1024 * 1024);
    diags_init(&f->diags, &f->arena);
    assert_true(doc_parse(str_of(schema), LIMEN_STR("api.yaml"), &f->arena, &f->doc, &f->diags));
    f->catalog = catalog_new(&f->arena);
    assert_non_null(f->catalog);
    f->set = schema_set_new(f->catalog, &f->arena);
    assert_non_null(f->set);
    if (!catalog_add(f->catalog, &f->doc, LIMEN_STR("api.yaml"), &f->diags))
        return; /* refused: the schema is NULL */
    f->schema = schema_compile(f->set, f->doc.root, &f->diags);
}

static inline void close_schema(struct fixture *f)
{
    schema_set_free(f->set);
    catalog_free(f->catalog);
    arena_release(&f->arena);
}

/* The walk that collects faults, alone: without the quick one that schema_validate tries first. */
static inline bool validate_for_faults(const struct schema *schema, const struct json_doc *doc, enum schema_use use,
                                       struct arena *arena)
{
    struct faults faults;
    faults_init(&faults, arena);
    struct walk walk = { .doc = doc,
                         .tape = doc->tape,
                         .set = schema->set,
                         .faults = &faults,
                         .use = use,
                         .steps = LIMIT_SCHEMA_STEPS,
                         .pattern_work = LIMIT_PATTERN_WORK_ALL };
    return walk_check(&walk, schema, 0, NULL);
}

static inline bool validate_text(struct fixture *f, limen_str text, enum schema_use use)
{
    struct json_doc doc;
    struct json_error error;
    if (f->schema == NULL)
        fail_msg("the schema is refused: %.*s", LIMEN_STR_ARG(f->diags.items[0].message));
    if (json_parse(text, &f->arena, &doc, &error) != JSON_OK)
        fail_msg("%.*s is no JSON", LIMEN_STR_ARG(text));
    faults_init(&f->faults, &f->arena);
    const bool ok = schema_validate(f->schema, &doc, 0, use, &f->faults);
    assert_int_equal(ok, schema_validate(f->schema, &doc, 0, use, NULL)); /* quietly the same */
    assert_int_equal(ok, validate_for_faults(f->schema, &doc, use, &f->arena));
    assert_int_equal(ok, f->faults.count == 0);
    return ok;
}

static inline bool validate(struct fixture *f, const char *text)
{
    return validate_text(f, str_of(text), SCHEMA_REQUEST);
}

static inline void check_fault(const struct fixture *f, size_t i, const char *pointer, const char *rule,
                               const char *detail)
{
    assert_true(i < f->faults.count);
    assert_text(f->faults.items[i].pointer, pointer);
    assert_text(f->faults.items[i].rule, rule);
    assert_text(f->faults.items[i].detail, detail);
}

#endif
