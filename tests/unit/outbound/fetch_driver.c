/* fetch_driver.c - fetches each URL of its command line once and says what came of it: data's end and outbound's on one loop.
 *
 * For tests that play the other host: `fetch_driver AUTHORITIES [+]URL…`, where + lets a target be private; `=URL` in its place sends one
 * charge there. One line for each, in the order in which they end: its number, outcome, status and the body's size. */
#include "contract/effect.h"
#include "core/arena.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/str.h"
#include "data/fetch_client.h"
#include "outbound/outbound.h"

#include <stdio.h>
#include <sys/socket.h>

struct driver {
    struct loop *loop;
    unsigned pending;
};

struct want {
    struct driver *driver;
    uint32_t target;
};

static void on_done(void *context, const struct fetch_result *result)
{
    const struct want *want = context;
    printf("%u %s %u %zu\n", want->target, fetch_outcome_name(result->outcome), result->status, result->body.len);
    if (--want->driver->pending == 0)
        loop_stop(want->driver->loop);
}

static limen_str read_file(const char *path, struct arena *arena)
{
    FILE *file = fopen(path, "rbe");
    char *bytes = arena_alloc(arena, LIMIT_CA_FILE_BYTES);
    size_t count = file == NULL || bytes == NULL ? 0 : fread(bytes, 1, LIMIT_CA_FILE_BYTES, file);
    if (file != NULL)
        (void)fclose(file);
    return str_make(bytes, count);
}

static void read_targets(int argc, char **argv, struct outbound_config *config)
{
    for (int i = 2; i < argc && config->target_count < LIMIT_FETCH_TARGETS; i++) {
        limen_str url = str_of(argv[i]);
        bool may_be_private = str_starts(url, LIMEN_STR("+")), is_effect = str_starts(url, LIMEN_STR("="));
        limen_str rest = str_slice(url, may_be_private || is_effect ? 1 : 0, url.len);
        if (is_effect)
            config->effects = (struct outbound_effects){ .url = rest, .secret = LIMEN_STR("sk_test_of_the_driver") };
        else
            config->targets[config->target_count++] = (struct outbound_target){ rest, may_be_private };
    }
}

static bool begin_charge(struct driver *driver, struct fetch_client *client, struct want *want)
{
    static struct effect_request charge; /* too large for a stack */
    charge.kind = EFFECT_CHARGE;
    charge.question = EFFECT_DO;
    driver->pending++;
    return effect_request_fill(&charge, LIMEN_STR("charge/driver"), LIMEN_STR(""),
                               LIMEN_STR("{\"amount\":4200,\"currency\":\"EUR\",\"payment_method\":\"pm_card_visa\"}"))
        && fetch_client_effect(client, /* place= */ 0, &charge, on_done, want);
}

static bool run(struct driver *driver, int argc, char **argv, struct arena *arena)
{
    struct outbound_config config = { .authorities = read_file(argv[1], arena) };
    struct want wants[LIMIT_FETCH_TARGETS + 1];
    int pair[2];
    read_targets(argc, argv, &config);
    struct outbound *outbound = outbound_new(driver->loop, &config, arena);
    struct fetch_client *client = fetch_client_new(driver->loop, /* on_breach= */ NULL);
    bool ok = outbound != NULL && client != NULL
        && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0
        && outbound_attach(outbound, pair[0]) && fetch_client_attach(client, pair[1]);
    for (uint32_t i = 0; ok && i < config.target_count; i++) {
        wants[i] = (struct want){ driver, i };
        driver->pending++;
        ok = fetch_client_get(client, i, on_done, &wants[i]);
    }
    wants[config.target_count] = (struct want){ driver, config.target_count };
    if (config.effects.url.len > 0)
        ok = ok && begin_charge(driver, client, &wants[config.target_count]);
    if (ok)
        loop_run(driver->loop, 1000000, NULL, NULL);
    fetch_client_free(client);
    outbound_free(outbound);
    return ok;
}

int main(int argc, char **argv)
{
    struct arena arena;
    struct driver driver = { .loop = loop_new() };
    if (argc < 3 || driver.loop == NULL)
        return 2;
    arena_init(&arena, NULL, SIZE_MAX);
    log_init(LOG_FORMAT_JSON, LOG_LEVEL_INFO, "outbound", -1);
    bool ok = run(&driver, argc, argv, &arena);
    loop_free(driver.loop);
    arena_release(&arena);
    return ok ? 0 : 1;
}
