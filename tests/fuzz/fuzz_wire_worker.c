/* fuzz_wire_worker.c - frames from the data role into the worker's client.
 *
 * Nine requests of every kind are under way; the input is what comes out of the socket, in pieces whose size its first
 * byte gives. Whatever comes: each request that was not released is answered exactly once. */
#include "core/arena.h"
#include "core/limits.h"
#include "core/log.h"
#include "core/loop.h"
#include "data/client.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUESTS 9

struct row {
    limen_str text;
    limen_opt_int count;
    double weight;
    limen_opt_bool seen;
};
static const limen_column columns[] = {
    { LIMEN_STR_INIT("text"), LIMEN_TYPE_TEXT, false, offsetof(struct row, text) },
    { LIMEN_STR_INIT("count"), LIMEN_TYPE_INT, true, offsetof(struct row, count) },
    { LIMEN_STR_INIT("weight"), LIMEN_TYPE_FLOAT, false, offsetof(struct row, weight) },
    { LIMEN_STR_INIT("seen"), LIMEN_TYPE_BOOL, true, offsetof(struct row, seen) },
};
static const limen_row_shape shape = { sizeof(struct row), 4, columns };

static struct data_client *client;
static int replies[REQUESTS];

/* Touches what was decoded, so that a sanitizer sees a slice that leads nowhere. */
static volatile size_t sink;

static void on_reply(struct data_request *request)
{
    replies[(size_t)request->context]++;
    const struct row *rows = request->rows;
    for (size_t i = 0; i < request->row_count; i++)
        for (size_t j = 0; j < rows[i].text.len; j++)
            sink += (unsigned char)rows[i].text.ptr[j];
    for (size_t i = 0; i < request->reply.len; i++)
        sink += (unsigned char)request->reply.ptr[i];
    for (size_t i = 0; i < request->returned.len; i++)
        sink += (unsigned char)request->returned.ptr[i];
    if (request->counted.count > LIMIT_LIMITS_AT_ONCE)
        abort();
    for (uint32_t i = 0; i < request->counted.count; i++)
        if (request->counted.debt_us[i] < 0)
            abort();
    if (request->principal.email_len > PRINCIPAL_EMAIL_BYTES)
        abort();
    struct principal principal;
    struct data_handle handle;
    if (data_token_find(client, request->scheme, LIMEN_STR("token"), &principal, &handle) == TOKEN_GOOD
        && principal.email_len > PRINCIPAL_EMAIL_BYTES)
        abort();
}

static void start(struct data_request *request, size_t i, struct arena *arena)
{
    static const limen_value value = { .type = LIMEN_TYPE_INT, .as.integer = 1 };
    *request = (struct data_request){
        .timeout_us = 1000, .arena = arena, .row = &shape, .on_reply = on_reply, .context = (void *)i
    };
    if (!data_slot_take(client, &request->slot))
        abort();
    if (i < 4) {
        data_read(client, request, 1, &value, 1);
    } else if (i == 4) {
        data_show(client, request, 1, LIMEN_STR("token"), false);
    } else if (i == 8) {
        const struct data_limit limit = { 1, LIMEN_STR("caller") };
        data_limit(client, request, &limit, 1);
    } else if (i == 5) {
        data_sign_in(client, request, LIMEN_STR("a@b.example"), LIMEN_STR("password"));
    } else {
        struct data_batch batch;
        data_batch_init(&batch, arena);
        data_batch_add(&batch, 2, &value, 1);
        data_commit(client, request, &batch, NULL, 0, LIMEN_STR(""));
    }
}

/* The credit, without which nothing starts. */
static void send_credit(int fd)
{
    char memory[64];
    struct buf out;
    buf_init_fixed(&out, memory, sizeof(memory));
    size_t begin = wire_begin(&out, WIRE_CREDIT, 0, 0, 0);
    wire_put_u32(&out, REQUESTS);
    wire_end(&out, begin);
    if (send(fd, out.ptr, out.len, MSG_NOSIGNAL) != (ssize_t)out.len)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 100000)
        return 0;
    log_init(LOG_FORMAT_JSON, (enum log_level)(LOG_LEVEL_ERROR + 1), "fuzz", 0);
    struct arena arena;
    struct data_request requests[REQUESTS];
    int pair[2];
    arena_init(&arena, NULL, 16U * 1024 * 1024);
    memset(replies, 0, sizeof(replies));
    struct loop *loop = loop_new();
    client = data_client_new(loop);
    if (client == NULL || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0
        || !data_client_attach(client, pair[0]))
        abort();
    send_credit(pair[1]);
    loop_turn(loop, 0);
    for (size_t i = 0; i < REQUESTS; i++)
        start(&requests[i], i, &arena);

    size_t piece = (size_t)data[0] * 16 + 1, released = data[0] & 3;
    for (size_t at = 1; at < size; at += piece) {
        size_t bytes = size - at < piece ? size - at : piece;
        if (send(pair[1], data + at, bytes, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
            break; /* it has hung up */
        loop_turn(loop, 0);
        if (at == 1)
            data_slot_release(client, requests[released].slot);
    }
    close(pair[1]);
    for (int i = 0; i < 50 && data_client_is_attached(client); i++)
        loop_turn(loop, 0);
    loop_turn(loop, 0);
    for (size_t i = 0; i < REQUESTS; i++)
        if (replies[i] > 1 || (replies[i] == 0 && i != released))
            abort();
    data_client_free(client);
    loop_turn(loop, 0);
    loop_free(loop);
    arena_release(&arena);
    return 0;
}
