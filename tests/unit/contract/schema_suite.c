/* schema_suite.c - runs JSON lines of { file, group, schema, tests: [{ d, data, valid }] } through the schema program.
 *
 * For public suites of JSON Schema. `schema_suite FILE [formats]`: a line a test, "verdict TAB file TAB group TAB test"; the verdict is
 * ok, WRONG, or refused (the schema has a keyword that is not supported). With `formats`, `format` asserts. */
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

static void run_row(limen_str line, bool formats)
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
    limen_str text = slice_of(&row, json_member(&row, 0, LIMEN_STR("schema")));
    struct schema_set *set = NULL;
    const struct schema *schema = NULL;
    if (doc_parse(text, LIMEN_STR("schema"), &arena, &doc, &diags)) {
        set = schema_set_new(&doc, &arena);
        schema_set_read_as_standard(set, formats);
        schema = schema_compile(set, doc.root, &diags);
    }
    uint32_t tests = json_member(&row, 0, LIMEN_STR("tests"));
    uint32_t test = tests + 1;
    for (uint32_t i = 0; i < row.tape[tests].length; i++) {
        printf("%s\t%.*s\t%.*s\t%.*s\t%.*s\n", verdict_of(schema, &row, test, &arena),
               LIMEN_STR_ARG(member_text(&row, 0, "file")), LIMEN_STR_ARG(member_text(&row, 0, "group")),
               LIMEN_STR_ARG(member_text(&row, test, "d")),
               LIMEN_STR_ARG(diags.count > 0 ? diags.items[0].message : LIMEN_STR("")));
        test = row.tape[test].next;
    }
    if (set != NULL)
        schema_set_free(set);
    arena_release(&arena);
}

int main(int argc, char **argv)
{
    FILE *file = argc > 1 ? fopen(argv[1], "r") : NULL;
    char *line = malloc(LINE_BYTES);
    if (file == NULL || line == NULL) {
        fprintf(stderr, "usage: schema_suite FILE.jsonl [formats]\n");
        return 2;
    }
    while (fgets(line, (int)LINE_BYTES, file) != NULL)
        run_row(str_trim(str_of(line)), argc > 2);
    free(line);
    return fclose(file) == 0 ? 0 : 1;
}
