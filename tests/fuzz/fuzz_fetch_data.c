/* fuzz_fetch_data.c - messages from the outbound role into the data role's end.
 *
 * All targets are being fetched; the input is a row of messages: two bytes of length each, then that much of one. Whatever comes, each
 * fetch ends exactly once, and what a body refers to can be read. */
#include "core/log.h"
#include "core/loop.h"
#include "data/fetch_client.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile size_t sink;

static void on_done(void *context, const struct fetch_result *result)
{
    unsigned *count = context;
    *count += 1;
    for (size_t i = 0; i < result->body.len; i++)
        sink += (unsigned char)result->body.ptr[i];
    if (result->outcome != FETCH_OK && result->body.len > 0)
        abort();
}

/* One message, and its effects; false when nobody listens any more. */
static bool send_one(int fd, struct loop *loop, const uint8_t *message, size_t bytes)
{
    bool is_sent = send(fd, message, bytes, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
    loop_turn(loop, 0);
    return is_sent;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned counts[LIMIT_FETCH_TARGETS] = { 0 };
    int pair[2];
    log_init(LOG_FORMAT_JSON, (enum log_level)(LOG_LEVEL_ERROR + 1), "fuzz", 0);
    struct loop *loop = loop_new();
    struct fetch_client *client = fetch_client_new(loop, /* on_breach= */ NULL);
    if (client == NULL || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0
        || !fetch_client_attach(client, pair[0]))
        abort();
    for (uint32_t i = 0; i < LIMIT_FETCH_TARGETS; i++) {
        if (!fetch_client_get(client, i, on_done, &counts[i]))
            abort();
    }
    for (bool is_heard = true; is_heard && size >= 2;) {
        size_t bytes = data[0] | (size_t)data[1] << 8;
        data += 2;
        size -= 2;
        bytes = bytes < size ? bytes : size;
        is_heard = send_one(pair[1], loop, data, bytes);
        data += bytes;
        size -= bytes;
    }
    close(pair[1]);
    for (uint32_t i = 0; i < LIMIT_FETCH_TARGETS; i++) {
        for (int turns = 0; turns < 1000 && counts[i] == 0; turns++)
            loop_turn(loop, 5000);
        if (counts[i] != 1)
            abort();
    }
    fetch_client_free(client);
    loop_free(loop);
    return 0;
}
