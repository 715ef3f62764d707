/* fuzz_schema.c - a schema, a NUL, a value, perhaps a NUL and a document that the schema may refer to: compiled or refused with a place,
 * validated in bounded time, loud and quiet alike. */
#include "contract/schema_program.h"

#include "core/arena.h"
#include "core/limits.h"
#include "core/str.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* libfyaml 0.8 loses a buffer with some scalars. A contract is its owner's file and is read once, so that is no leak of ours. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libfyaml";
}

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* The walk that collects faults, without the quick one before it. */
static bool is_valid_slowly(const struct schema *schema, const struct json_doc *value, enum schema_use use,
                            struct arena *arena, bool *ret_gave_up)
{
    struct faults faults;
    faults_init(&faults, arena);
    struct walk walk = { .doc = value,
                         .tape = value->tape,
                         .set = schema->set,
                         .faults = &faults,
                         .use = use,
                         .steps = LIMIT_SCHEMA_STEPS };
    walk.set->scratch.used = 0;
    const bool ok = walk_check(&walk, schema, 0, NULL);
    *ret_gave_up = walk.gave_up != NULL;
    return ok;
}

static void check_validation(const struct schema *schema, const struct json_doc *value, enum schema_use use,
                             struct arena *arena)
{
    struct faults faults;
    faults_init(&faults, arena);
    bool ok = schema_validate(schema, value, 0, use, &faults);
    must(ok == (faults.count == 0));
    must(ok == schema_validate(schema, value, 0, use, NULL));
    bool gave_up;
    const bool ok_slowly = is_valid_slowly(schema, value, use, arena, &gave_up);
    must(ok == ok_slowly || gave_up);
    for (size_t i = 0; i < faults.count; i++)
        must(faults.items[i].rule.len > 0 && faults.items[i].detail.len > 0 && str_is_utf8(faults.items[i].pointer));
}

/* What stands before the first NUL; `*rest` moves behind it. */
static limen_str take_part(limen_str *rest)
{
    return str_cut(rest, '\0');
}

static void check_schema(struct catalog *catalog, const struct doc *doc, limen_str value_text, struct arena *arena,
                         struct diags *diags)
{
    struct json_doc value;
    struct json_error error;
    struct schema_set *set = schema_set_new(catalog, arena);
    must(set != NULL);
    const struct schema *schema = schema_compile(set, doc->root, diags);
    must((schema == NULL) == (diags->count > 0));
    if (schema != NULL && json_parse(value_text, arena, &value, &error) == JSON_OK) {
        check_validation(schema, &value, SCHEMA_REQUEST, arena);
        check_validation(schema, &value, SCHEMA_REPLY, arena);
    }
    schema_set_free(set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    limen_str rest = str_make((const char *)data, size);
    if (size > 4096 || size == 0)
        return 0;
    const limen_str schema_text = take_part(&rest), value_text = take_part(&rest);
    struct arena arena;
    struct doc doc, other;
    struct diags diags;
    arena_init(&arena, NULL, (size_t)256 << 20);
    diags_init(&diags, &arena);
    struct catalog *catalog = catalog_new(&arena);
    must(catalog != NULL);
    const bool ok = doc_parse(schema_text, LIMEN_STR("s"), &arena, &doc, &diags)
        && catalog_add(catalog, &doc, LIMEN_STR("s"), &diags)
        && (rest.len == 0
            || (doc_parse(rest, LIMEN_STR("other"), &arena, &other, &diags)
                && catalog_add(catalog, &other, LIMEN_STR("other"), &diags)));
    must(ok == (diags.count == 0));
    if (ok)
        check_schema(catalog, &doc, value_text, &arena, &diags);
    catalog_free(catalog);
    arena_release(&arena);
    return 0;
}
