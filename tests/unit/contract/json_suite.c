/* json_suite.c - parses each file that it is given: a line a file, "outcome TAB file"; the outcome is "read" or why it was not.
 *
 * For public suites of JSON texts. */
#include "check.h"

#include "contract/json.h"

static const char *parse_file(const char *path)
{
    const limen_str file = read_whole_file(path);
    if (file.ptr == NULL)
        return "not there";
    const limen_str text = tight_copy(file);
    free((char *)file.ptr);
    struct arena arena;
    struct json_doc doc;
    struct json_error error = { 0 };
    arena_init(&arena, NULL, (size_t)64 << 20);
    const enum json_outcome outcome = json_parse(text, &arena, &doc, &error);
    arena_release(&arena);
    free((char *)text.ptr);
    return outcome == JSON_OK ? "read" : error.what;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        printf("%s\t%s\n", parse_file(argv[i]), argv[i]);
    return argc > 1 ? 0 : 2;
}
