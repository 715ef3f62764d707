/* schema_suite.c - runs JSON lines of { file, group, schema, tests: [{ d, data, valid }] } through the schema program.
 *
 * For public suites of JSON Schema. `schema_suite CASES REMOTES [formats]`: a line a test, "verdict TAB file TAB group TAB test TAB why";
 * the verdict is ok, WRONG, or refused (the schema does not compile). REMOTES is an object of documents by URI, which the schemas may
 * refer to. With `formats`, `format` asserts everywhere. */
#include "contract/schema.h"
#include "core/arena.h"
#include "core/str.h"

#include <stdio.h>
#include <stdlib.h>

#define LINE_BYTES ((size_t)4 << 20)

static limen_str slice_of(const struct json_doc *doc, uint32_t at)
{
    return str_slice(doc->text, doc->tape[at].from, doc->tape[at].to);
}

static limen_str member_text(const struct json_doc *doc, uint32_t at, const char *name)
{
    return json_text(&doc->tape[json_member(doc, at, str_of(name))]);
}

static const char *verdict_of(const struct schema *schema, const struct json_doc *row, uint32_t test,
                              struct arena *arena)
{
    struct json_doc value;
    struct json_error error;
    if (schema == NULL)
        return "refused";
    if (json_parse(slice_of(row, json_member(row, test, LIMEN_STR("data"))), arena, &value, &error) != JSON_OK)
        return "WRONG (no JSON)";
    bool is_valid = row->tape[json_member(row, test, LIMEN_STR("valid"))].type == JSON_TRUE;
    return schema_validate(schema, &value, 0, SCHEMA_ANY, NULL) == is_valid ? "ok" : "WRONG";
}

/* The documents that schemas of the suite may refer to, parsed once. Those of older drafts are left out. */
struct remotes {
    struct doc *docs;
    limen_str *uris;
    size_t count;
};

static bool is_of_this_draft(limen_str uri)
{
    static const char *const others[] = { "/draft3/", "/draft4/", "/draft6/", "/draft7/", "/v1/" };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (str_find(uri, str_of(others[i]), 0) != SIZE_MAX)
            return false;
    }
    return true;
}

static void read_remotes(limen_str text, struct arena *arena, struct remotes *remotes)
{
    struct json_doc all;
    struct json_error error;
    struct diags diags;
    diags_init(&diags, arena);
    if (json_parse(text, arena, &all, &error) != JSON_OK)
        exit(2);
    remotes->docs = ARENA_NEW_ARRAY(arena, struct doc, all.tape[0].length);
    remotes->uris = ARENA_NEW_ARRAY(arena, limen_str, all.tape[0].length);
    for (uint32_t name = 1; name < all.count; name = all.tape[name + 1].next) {
        const limen_str uri = json_text(&all.tape[name]);
        if (!is_of_this_draft(uri))
            continue;
        if (!doc_parse(slice_of(&all, name + 1), uri, arena, &remotes->docs[remotes->count], &diags))
            exit(2);
        remotes->uris[remotes->count++] = uri;
    }
}

static const struct schema *compile(const struct doc *doc, const struct remotes *remotes, bool formats,
                                    struct catalog *catalog, struct schema_set *set, struct diags *diags)
{
    bool ok = catalog_add(catalog, doc, LIMEN_STR("schema"), diags);
    for (size_t i = 0; i < remotes->count; i++)
        ok = catalog_add(catalog, &remotes->docs[i], remotes->uris[i], diags) && ok;
    schema_set_read_as_standard(set, formats);
    return ok ? schema_compile(set, doc->root, diags) : NULL;
}

static void run_row(limen_str line, const struct remotes *remotes, bool formats)
{
    struct arena arena;
    struct json_doc row;
    struct json_error error;
    struct doc doc;
    struct diags diags;
    arena_init(&arena, NULL, (size_t)512 << 20);
    diags_init(&diags, &arena);
    if (json_parse(line, &arena, &row, &error) != JSON_OK)
        exit(2);
    const limen_str text = slice_of(&row, json_member(&row, 0, LIMEN_STR("schema")));
    struct catalog *catalog = catalog_new(&arena);
    struct schema_set *set = schema_set_new(catalog, &arena);
    const struct schema *schema = doc_parse(text, LIMEN_STR("schema"), &arena, &doc, &diags)
        ? compile(&doc, remotes, formats, catalog, set, &diags)
        : NULL;
    const uint32_t tests = json_member(&row, 0, LIMEN_STR("tests"));
    uint32_t test = tests + 1;
    for (uint32_t i = 0; i < row.tape[tests].length; i++) {
        printf("%s\t%.*s\t%.*s\t%.*s\t%.*s\n", verdict_of(schema, &row, test, &arena),
               LIMEN_STR_ARG(member_text(&row, 0, "file")), LIMEN_STR_ARG(member_text(&row, 0, "group")),
               LIMEN_STR_ARG(member_text(&row, test, "d")),
               LIMEN_STR_ARG(diags.count > 0 ? diags.items[0].message : LIMEN_STR("")));
        test = row.tape[test].next;
    }
    schema_set_free(set);
    catalog_free(catalog);
    arena_release(&arena);
}

int main(int argc, char **argv)
{
    FILE *cases = argc > 2 ? fopen(argv[1], "r") : NULL, *documents = argc > 2 ? fopen(argv[2], "r") : NULL;
    char *line = malloc(LINE_BYTES), *text = malloc(LINE_BYTES);
    struct arena arena;
    struct remotes remotes = { 0 };
    if (cases == NULL || documents == NULL || line == NULL || text == NULL) {
        fprintf(stderr, "usage: schema_suite CASES.jsonl REMOTES.json [formats]\n");
        return 2;
    }
    arena_init(&arena, NULL, (size_t)64 << 20);
    read_remotes(str_make(text, fread(text, 1, LINE_BYTES, documents)), &arena, &remotes);
    while (fgets(line, (int)LINE_BYTES, cases) != NULL)
        run_row(str_trim(str_of(line)), &remotes, argc > 3);
    arena_release(&arena);
    free(line);
    free(text);
    return fclose(cases) == 0 && fclose(documents) == 0 ? 0 : 1;
}
