/* role_fixture.h - both ends of the wire in one loop: a data role, a client, and one request at a time. */
#ifndef TESTS_DATA_ROLE_FIXTURE_H
#define TESTS_DATA_ROLE_FIXTURE_H

#include "data/role.h"

#include "check.h"

#include "core/arena.h"
#include "core/loop.h"
#include "data/client.h"
#include "data/credentials.h"

#include <sys/socket.h>

/* ---- a contract -------------------------------------------------------------------------------------------------- */
enum { OP_PUBLIC, OP_CUSTOMER, OP_ADMIN, OP_MIXED, OP_BOTH, OP_COUNT };
enum { BIT_CUSTOMER = 1, BIT_ADMIN = 2 };
enum { BY_SESSION, BY_TOKEN, BY_KEY, BY_SIGNATURE, SCHEMES };

#define ONE_DEMAND(scheme, bits)                           \
    {                                                      \
        .demands = { { scheme, bits } }, .demand_count = 1 \
    }
static struct requirement need_customer[] = { ONE_DEMAND(BY_SESSION, BIT_CUSTOMER) },
                          need_admin[] = { ONE_DEMAND(BY_SESSION, BIT_ADMIN) },
                          need_either[] = { ONE_DEMAND(BY_SESSION, BIT_ADMIN), ONE_DEMAND(BY_SESSION, BIT_CUSTOMER) },
                          need_both[] = { { .demands = { { BY_TOKEN, BIT_CUSTOMER }, { BY_KEY, BIT_ADMIN } },
                                            .demand_count = 2 } };
static struct operation operations[OP_COUNT] = {
    { .index = OP_PUBLIC, .is_public = true },
    { .index = OP_CUSTOMER, .requirements = need_customer, .requirement_count = 1 },
    { .index = OP_ADMIN, .requirements = need_admin, .requirement_count = 1 },
    { .index = OP_MIXED, .requirements = need_either, .requirement_count = 2 },
    { .index = OP_BOTH, .requirements = need_both, .requirement_count = 1 },
};
static struct security_scheme schemes[SCHEMES] = { [BY_SESSION] = {
    .name = LIMEN_STR_INIT("session"),
    .roles = BIT_CUSTOMER | BIT_ADMIN,
    .sign_up_roles = BIT_CUSTOMER,
    .has_first_account = true,
    .first_id = LIMEN_STR_INIT("acc_first"),
    .first_email = LIMEN_STR_INIT("admin@shop.example"),
    .first_roles = BIT_ADMIN,
}, [BY_TOKEN] = {
    .name = LIMEN_STR_INIT("token"),
    .kind = SCHEME_BEARER,
    .roles = BIT_CUSTOMER,
    .issuer = LIMEN_STR_INIT("https://id.example"),
    .audience = LIMEN_STR_INIT("shop"),
    .algorithms = { LIMEN_STR_INIT("HS256") },
    .algorithm_count = 1,
    .roles_claim = LIMEN_STR_INIT("scope"),
    .prefix = LIMEN_STR_INIT("token:"),
}, [BY_KEY] = {
    .name = LIMEN_STR_INIT("key"),
    .kind = SCHEME_API_KEY,
    .roles = BIT_ADMIN,
}, [BY_SIGNATURE] = {
    .name = LIMEN_STR_INIT("billing"),
    .kind = SCHEME_WEBHOOK,
    .roles = BIT_ADMIN,
} };
#define TOKEN_SECRET "0123456789abcdef0123456789abcdef"
static struct data_jwks token_keys = {
    .source = LIMEN_STR_INIT("keys.json"),
    .json = LIMEN_STR_INIT("{\"kty\":\"oct\",\"k\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"}"),
};
static struct contract contract = {
    .operations = operations,
    .operation_count = OP_COUNT,
    .schemes = schemes,
    .scheme_count = SCHEMES,
    .roles = { LIMEN_STR_INIT("customer"), LIMEN_STR_INIT("admin") },
    .role_count = 2,
};

/* ---- both ends --------------------------------------------------------------------------------------------------- */
static struct arena arena; /* of start-up */
static struct arena call;  /* of the requests */
static struct loop *loop;
static struct data_role *role;
static struct data_client *client;
static int attached;
static void (*store_step)(void); /* lets the store finish what it holds; NULL: it does so by itself */
static char first_password[GENERATED_PASSWORD_BYTES];

static inline void count_attach(void *context)
{
    (void)context;
    attached++;
}

static inline void note_first(limen_str email, limen_str password)
{
    assert_text(email, "admin@shop.example");
    assert_true(password.len >= 20 && password.len < sizeof(first_password));
    memcpy(first_password, password.ptr, password.len);
}

static inline void turn(int turns)
{
    for (int i = 0; i < turns; i++)
        loop_turn(loop, 1000);
}

static inline void connect_both(void)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_true(data_role_add_worker(role, 3, pair[0]));
    assert_true(data_client_attach(client, pair[1]));
    turn(3);
}

static inline int tear_down(void **state)
{
    (void)state;
    data_client_free(client);
    data_role_free(role);
    turn(1); /* what the loop still held frees itself */
    loop_free(loop);
    arena_release(&call);
    arena_release(&arena);
    return 0;
}

/* ---- one request ------------------------------------------------------------------------------------------------- */
struct ask {
    struct data_request request;
    int replies;
};

static inline void count_reply(struct data_request *request)
{
    ((struct ask *)request->context)->replies++;
}

static inline struct ask *ask_on(uint32_t slot, uint16_t operation)
{
    struct ask *ask = ARENA_NEW(&call, struct ask);
    ask->request = (struct data_request){ .slot = slot,
                                          .operation = operation,
                                          .timeout_us = 30000000,
                                          .arena = &call,
                                          .on_reply = count_reply,
                                          .context = ask };
    return ask;
}

static inline uint32_t take_slot(void)
{
    uint32_t slot;
    assert_true(data_slot_take(client, &slot));
    return slot;
}

/* Turns the loop and the store until the request has been answered. */
static inline enum data_outcome answer_to(struct ask *ask)
{
    for (int i = 0; i < 20000 && ask->replies == 0; i++) {
        loop_turn(loop, 2000);
        if (store_step != NULL)
            store_step();
    }
    assert_int_equal(ask->replies, 1);
    return ask->request.outcome;
}

static inline struct ask *sign_in(uint32_t slot, limen_str email, limen_str password)
{
    struct ask *ask = ask_on(slot, OP_PUBLIC);
    data_sign_in(client, &ask->request, email, password);
    return ask;
}

static inline struct ask *sign_up(uint32_t slot, limen_str email)
{
    struct ask *ask = ask_on(slot, OP_PUBLIC);
    data_sign_up(client, &ask->request, email, LIMEN_STR("correct horse battery"), 0);
    return ask;
}

/* A slot whose principal is the first account. */
static inline uint32_t admin_slot(void)
{
    uint32_t slot = take_slot();
    assert_int_equal(answer_to(sign_in(slot, LIMEN_STR("admin@shop.example"), str_of(first_password))), DATA_OK);
    return slot;
}

#define ROLE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
