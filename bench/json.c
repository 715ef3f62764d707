/* json.c - our side of bench/json: reads bodies and holds them against a schema of a contract, as admission does.
 *
 * Told what to do line by line, so that it can take turns with its peer (json.mjs has the same commands):
 *     bodies FILE     one body a line; they are read in turn
 *     document        the document that the schema is in, as JSON in one line
 *     check           one digit for each body: 1 accepted, 0 refused
 *     time MS         nanoseconds a body, over so many milliseconds, all of CPU time */
#include "contract/catalog.h"
#include "contract/schema.h"
#include "core/arena.h"
#include "core/limits.h"
#include "core/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BODIES 256
#define NS_PER_MS INT64_C(1000000)

struct bench {
    struct arena arena; /* of the document and its schemas */
    struct doc doc;
    const struct schema *schema;
    struct arena_pool *pool; /* of the calls */
    limen_str bodies[BODIES];
    size_t count;
    char *memory; /* of the bodies */
};

static void die(const char *what, const char *which)
{
    fprintf(stderr, "bench-json: %s %s\n", what, which);
    exit(1);
}

/* The whole file; the caller frees it. */
static char *read_file(const char *path, size_t *ret_len)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0)
        die("cannot read", path);
    const long bytes = ftell(file);
    char *memory = bytes < 0 ? NULL : malloc((size_t)bytes + 1);
    rewind(file);
    if (memory == NULL || fread(memory, 1, (size_t)bytes, file) != (size_t)bytes)
        die("cannot read", path);
    fclose(file);
    *ret_len = (size_t)bytes;
    return memory;
}

static void read_bodies(struct bench *bench, const char *path)
{
    size_t len;
    free(bench->memory);
    bench->memory = read_file(path, &len);
    bench->count = 0;
    limen_str rest = str_make(bench->memory, len);
    while (rest.len > 0 && bench->count < BODIES)
        bench->bodies[bench->count++] = str_cut(&rest, '\n');
    if (bench->count == 0 || rest.len > 0)
        die("too few or too many bodies in", path);
}

/* What json_is_valid() of boundary/admit.c does up to the binding, and the call's arena around it. */
static bool is_accepted(const struct bench *bench, limen_str body)
{
    struct arena arena;
    struct json_doc doc;
    struct json_error error;
    struct faults faults;
    arena_init(&arena, bench->pool, LIMIT_CALL_ARENA_BYTES);
    faults_init(&faults, &arena);
    const bool is_valid = json_parse(body, &arena, &doc, &error) == JSON_OK
        && schema_validate(bench->schema, &doc, 0, SCHEMA_REQUEST, &faults);
    arena_release(&arena);
    return is_valid;
}

static void check_bodies(const struct bench *bench)
{
    for (size_t i = 0; i < bench->count; i++)
        putchar(is_accepted(bench, bench->bodies[i]) ? '1' : '0');
    putchar('\n');
}

/* Time that this process has had a core for: what else runs on the machine is not in it. */
static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * 1000 * NS_PER_MS + now.tv_nsec;
}

static void time_bodies(const struct bench *bench, int64_t duration_ns)
{
    const int64_t start = now_ns();
    int64_t end = start, bodies = 0, accepted = 0;
    while (end - start < duration_ns) {
        for (size_t i = 0; i < bench->count; i++)
            accepted += is_accepted(bench, bench->bodies[i]);
        bodies += (int64_t)bench->count;
        end = now_ns();
    }
    if (accepted != bodies)
        die("a timed body was refused", "");
    printf("%.1f\n", (double)(end - start) / (double)bodies);
}

static void print_document(struct bench *bench)
{
    struct buf json;
    buf_init(&json, &bench->arena, 0);
    doc_write_json(bench->doc.root, &json);
    printf("%.*s\n", LIMEN_STR_ARG(buf_str(&json)));
}

static void obey(struct bench *bench, char *line)
{
    int64_t milliseconds;
    line[strcspn(line, "\n")] = '\0';
    limen_str argument = str_of(line), command = str_cut(&argument, ' ');
    if (str_equal(command, LIMEN_STR("bodies")))
        read_bodies(bench, argument.ptr);
    else if (str_equal(command, LIMEN_STR("check")))
        check_bodies(bench);
    else if (str_equal(command, LIMEN_STR("document")))
        print_document(bench);
    else if (str_equal(command, LIMEN_STR("time")) && str_to_int64(argument, &milliseconds))
        time_bodies(bench, milliseconds * NS_PER_MS);
    else
        die("cannot obey", line);
    fflush(stdout);
}

/* Not the whole contract: what a call may use at most, which contract_load looks after, is less than the largest body here. */
static void compile(struct bench *bench, const char *path, const char *pointer)
{
    struct diags diags;
    size_t len;
    const char *text = read_file(path, &len);
    arena_init(&bench->arena, NULL, SIZE_MAX);
    diags_init(&diags, &bench->arena);
    struct catalog *catalog = catalog_new(&bench->arena);
    if (catalog == NULL || !doc_parse(str_make(text, len), str_of(path), &bench->arena, &bench->doc, &diags)
        || !catalog_add(catalog, &bench->doc, str_of(path), &diags))
        die("cannot read", path);
    struct schema_set *set = schema_set_new(catalog, &bench->arena);
    const struct doc_node *node = doc_at(bench->doc.root, str_of(pointer));
    bench->schema = set != NULL && node != NULL ? schema_compile(set, node, &diags) : NULL;
    if (bench->schema == NULL)
        die("no schema at", pointer);
}

int main(int argc, char **argv)
{
    char line[1024];
    struct bench bench = { .pool = arena_pool_new(LIMIT_ARENA_POOLED_BLOCKS) };
    if (argc != 3 || bench.pool == NULL)
        die("usage: bench-json DOCUMENT POINTER", "");
    compile(&bench, argv[1], argv[2]);
    while (fgets(line, sizeof line, stdin) != NULL)
        obey(&bench, line);
    return 0;
}
