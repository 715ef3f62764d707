/* json.c - our side of bench/json: reads bodies and holds them against an operation's schema, as admission does.
 *
 * Told what to do line by line, so that it can take turns with its peer (json.mjs has the same commands):
 *     bodies FILE     one body a line; they are read in turn
 *     contract        the contract as JSON, in one line
 *     check           one digit for each body: 1 accepted, 0 refused
 *     time MS         nanoseconds a body, over so many milliseconds, all of CPU time */
#include "contract/contract.h"
#include "core/arena.h"
#include "core/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BODIES 256
#define NS_PER_MS INT64_C(1000000)

struct bench {
    struct arena arena; /* of the contract */
    struct contract contract;
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

static void obey(struct bench *bench, char *line)
{
    int64_t milliseconds;
    line[strcspn(line, "\n")] = '\0';
    limen_str argument = str_of(line), command = str_cut(&argument, ' ');
    if (str_equal(command, LIMEN_STR("bodies")))
        read_bodies(bench, argument.ptr);
    else if (str_equal(command, LIMEN_STR("check")))
        check_bodies(bench);
    else if (str_equal(command, LIMEN_STR("contract")))
        printf("%.*s\n", LIMEN_STR_ARG(bench->contract.json));
    else if (str_equal(command, LIMEN_STR("time")) && str_to_int64(argument, &milliseconds))
        time_bodies(bench, milliseconds * NS_PER_MS);
    else
        die("cannot obey", line);
    fflush(stdout);
}

static void load_contract(struct bench *bench, const char *path, const char *operation_id)
{
    struct diags errors, warnings;
    size_t len;
    const char *text = read_file(path, &len);
    arena_init(&bench->arena, NULL, SIZE_MAX);
    diags_init(&errors, &bench->arena);
    diags_init(&warnings, &bench->arena);
    const struct limen_app app = { .contract = { str_of(path), str_make(text, len) } };
    if (!contract_load(&app, &bench->arena, &bench->contract, &errors, &warnings))
        die("the contract has faults:", path);
    const struct operation *operation = contract_find(&bench->contract, str_of(operation_id));
    if (operation == NULL || operation->body == NULL)
        die("no operation with a body:", operation_id);
    bench->schema = operation->body;
}

int main(int argc, char **argv)
{
    char line[1024];
    struct bench bench = { .pool = arena_pool_new(LIMIT_ARENA_POOLED_BLOCKS) };
    if (argc != 3 || bench.pool == NULL)
        die("usage: bench-json CONTRACT OPERATION", "");
    load_contract(&bench, argv[1], argv[2]);
    while (fgets(line, sizeof line, stdin) != NULL)
        obey(&bench, line);
    return 0;
}
