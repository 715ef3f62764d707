/* jws_suite.c - runs JSON lines of { id, key, jws } through the verifier: a line a case, "verdict TAB id".
 *
 * For Wycheproof's vectors. The verdict is `valid`, or why it is not. `key` is a JWK or a JWK Set; every algorithm that the library
 * knows is accepted. */
#include "data/jws.h"

#include "contract/json.h"
#include "core/arena.h"
#include "core/str.h"

#include <stdio.h>
#include <stdlib.h>

#define LINE_BYTES ((size_t)1 << 20)

static const char *verdict_of(limen_str key, limen_str token, struct arena *arena)
{
    static const char *const words[] = {
        [JWS_OK] = "valid",
        [JWS_MALFORMED] = "malformed",
        [JWS_REFUSED] = "refused",
        [JWS_UNKNOWN_KEY] = "unknown key",
        [JWS_BAD_SIGNATURE] = "bad signature",
        [JWS_NO_MEMORY] = "no memory",
    };
    const char *fault;
    struct jws jws;
    struct jwk_set *keys = jwk_set_parse(key, &fault, NULL);
    if (keys == NULL)
        return fault;
    const char *word = words[jws_verify(token, keys, JWS_ANY_ALGORITHM, arena, &jws)];
    jwk_set_free(keys);
    return word;
}

static void run_row(limen_str line)
{
    struct arena arena;
    struct json_doc row;
    struct json_error error;
    arena_init(&arena, NULL, (size_t)64 << 20);
    if (json_parse(line, &arena, &row, &error) != JSON_OK)
        exit(2);
    uint32_t key = json_member(&row, 0, LIMEN_STR("key")), token = json_member(&row, 0, LIMEN_STR("jws"));
    uint32_t id = json_member(&row, 0, LIMEN_STR("id"));
    /* A token in the JSON form of RFC 7515 section 7.2 is no text in the file either. */
    bool is_text = row.tape[token].type == JSON_STRING;
    limen_str written = str_slice(row.text, row.tape[token].from, row.tape[token].to);
    const char *verdict = verdict_of(str_slice(row.text, row.tape[key].from, row.tape[key].to),
                                     is_text ? json_text(&row.tape[token]) : written, &arena);
    printf("%s\t%.*s\n", verdict, LIMEN_STR_ARG(json_text(&row.tape[id])));
    arena_release(&arena);
}

int main(int argc, char **argv)
{
    FILE *file = argc > 1 ? fopen(argv[1], "r") : NULL;
    char *line = malloc(LINE_BYTES);
    if (file == NULL || line == NULL) {
        fprintf(stderr, "usage: jws_suite FILE.jsonl\n");
        return 2;
    }
    while (fgets(line, (int)LINE_BYTES, file) != NULL)
        run_row(str_trim(str_of(line)));
    free(line);
    fclose(file);
    return 0;
}
