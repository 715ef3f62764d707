/* fuzz_fetch_outbound.c - messages from the data role into the outbound role.
 *
 * Three targets, and that of effects, lead to an address that is refused, so nothing leaves the machine. The input is a row of messages: a byte of length each,
 * then that much of one. Whatever comes, what goes back is an answer to a request that was sound. */
#include "core/arena.h"
#include "core/effect_wire.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/str.h"
#include "outbound/outbound.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TARGETS 3U

/* For the process's life: a data role that comes after another finds nothing of what that one asked for. */
static struct loop *loop;
static struct outbound *outbound;

/* Refused at its address; an effect may be refused before, for what it says, or be late. */
static bool is_expected(const struct fetch_answer *answer)
{
    if (answer->outcome == FETCH_ADDRESS)
        return answer->target < TARGETS || answer->target >= FETCH_EFFECTS;
    if (answer->outcome == FETCH_TIMEOUT)
        return answer->target >= FETCH_EFFECTS;
    const struct effect_answer *effect = (const struct effect_answer *)(const void *)answer->body;
    return answer->target >= FETCH_EFFECTS && answer->outcome == FETCH_OK
        && effect_answer_is_sound(effect, answer->body_bytes) && effect->outcome == EFFECT_REFUSED;
}

static void check_answers(int fd)
{
    static struct fetch_answer answer;
    for (;;) {
        ssize_t got = recv(fd, &answer, sizeof(answer), MSG_DONTWAIT);
        if (got <= 0)
            return;
        if (!fetch_answer_is_sound(&answer, (size_t)got) || !is_expected(&answer))
            abort();
    }
}

static void set_up(void)
{
    static struct outbound_config config = { .target_count = TARGETS };
    static struct arena arena;
    log_init(LOG_FORMAT_JSON, (enum log_level)(LOG_LEVEL_ERROR + 1), "fuzz", 0);
    for (uint32_t i = 0; i < TARGETS; i++)
        config.targets[i].url = LIMEN_STR("https://127.0.0.1:9/");
    config.authorities = LIMEN_STR("none");
    config.effects = (struct outbound_effects){ .url = LIMEN_STR("https://127.0.0.1:9"),
                                                .secret = LIMEN_STR("secret"),
                                                .payment_method = LIMEN_STR("pm_1") };
    arena_init(&arena, NULL, SIZE_MAX);
    loop = loop_new();
    outbound = outbound_new(loop, &config, &arena);
    if (outbound == NULL)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int pair[2];
    if (size > 4096)
        return 0;
    if (outbound == NULL)
        set_up();
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0 || !outbound_attach(outbound, pair[0]))
        abort();
    while (size >= 1) {
        size_t bytes = data[0] < size - 1 ? data[0] : size - 1;
        if (send(pair[1], data + 1, bytes, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
            break; /* it has hung up */
        loop_turn(loop, 0);
        check_answers(pair[1]);
        data += 1 + bytes;
        size -= 1 + bytes;
    }
    loop_turn(loop, 2000);
    check_answers(pair[1]);
    close(pair[1]);
    loop_turn(loop, 0);
    return 0;
}
