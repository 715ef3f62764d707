/* Tests of the data role with bearer tokens and API keys: who a slot is, and that nobody is it for nothing. */
#include "role_fake.h"

#include "token_maker.h"

#include "core/clock.h"
#include "core/limits.h"
#include "data/api_key.h"
#include "data/role_internal.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <unistd.h>

#define API_KEY "lmk_abcdefghijklmnop_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

/* A token of the fixture's issuer that is good for a minute. */
static limen_str token_of(const char *subject, const char *scope)
{
    limen_str claims = arena_printf(&call,
                                    "{\"iss\":\"https://id.example\",\"aud\":\"shop\",\"exp\":%lld,\"sub\":\"%s\","
                                    "\"scope\":\"%s\"}",
                                    (long long)(clock_wall_us() / 1000000 + 60), subject, scope);
    return token_hs256(&call, LIMEN_STR(TOKEN_SECRET), LIMEN_STR("{\"alg\":\"HS256\"}"), claims);
}

static struct ask *show(uint32_t slot, uint32_t scheme, limen_str credential, bool is_more)
{
    struct ask *ask = ask_on(slot, OP_PUBLIC);
    data_show(client, &ask->request, scheme, credential, is_more);
    return ask;
}

static void test_token_binds_the_slot_to_its_subject(void **state)
{
    (void)state;
    uint32_t slot = take_slot();
    struct ask *shown = show(slot, BY_TOKEN, token_of("u1", "customer admin owner"), false);
    assert_int_equal(answer_to(shown), DATA_OK);
    assert_text(principal_id(&shown->request.principal), "token:u1");
    assert_int_equal(shown->request.principal.roles, BIT_CUSTOMER); /* `admin` is not this scheme's to give */
    assert_int_equal(answer_to(read_statement(slot, OP_PUBLIC, READ_ITEMS)), DATA_OK);
    assert_text(principal_id(&fake.actor), "token:u1");
    assert_int_equal(answer_to(read_statement(slot, OP_ADMIN, ADMIN_READ)), DATA_FORBIDDEN);
}

static void test_token_that_is_not_valid_leaves_the_slot_to_nobody(void **state)
{
    (void)state;
    uint32_t slot = take_slot();
    assert_int_equal(answer_to(show(slot, BY_TOKEN, token_of("u1", ""), false)), DATA_OK);
    limen_str forged = token_hs256(&call, LIMEN_STR("another secret of thirty-two byt"),
                                   LIMEN_STR("{\"alg\":\"HS256\"}"), LIMEN_STR("{}"));
    assert_int_equal(answer_to(show(slot, BY_TOKEN, forged, false)), DATA_NONE);
    assert_int_equal(answer_to(read_statement(slot, OP_PUBLIC, READ_ITEMS)), DATA_OK);
    assert_int_equal(fake.actor.id_len, 0);
    char subject[PRINCIPAL_ID_BYTES + 1] = { 0 };
    memset(subject, 's', PRINCIPAL_ID_BYTES - 6); /* with the prefix it just fits */
    assert_int_equal(answer_to(show(slot, BY_TOKEN, token_of(subject, ""), false)), DATA_OK);
    subject[PRINCIPAL_ID_BYTES - 6] = 's';
    assert_int_equal(answer_to(show(slot, BY_TOKEN, token_of(subject, ""), false)), DATA_NONE);
    assert_int_equal(answer_to(show(slot, BY_TOKEN, LIMEN_STR(""), false)), DATA_NONE);
    assert_int_equal(answer_to(show(slot, BY_SESSION, token_of("u1", ""), false)), DATA_NONE);
    assert_int_equal(answer_to(show(slot, BY_KEY, token_of("u1", ""), false)), DATA_NONE);
}

static void test_token_shown_once_binds_other_slots_without_a_question(void **state)
{
    (void)state;
    struct principal principal;
    struct data_handle handle;
    limen_str token = token_of("u2", "customer");
    assert_int_equal(data_token_find(client, BY_TOKEN, token, &principal, &handle), TOKEN_UNKNOWN);
    assert_int_equal(answer_to(show(take_slot(), BY_TOKEN, token, false)), DATA_OK);
    assert_int_equal(data_token_find(client, BY_TOKEN, token, &principal, &handle), TOKEN_GOOD);
    assert_text(principal_id(&principal), "token:u2");
    assert_int_equal(principal.roles, BIT_CUSTOMER);
    assert_int_equal(data_token_find(client, BY_KEY, token, &principal, &handle), TOKEN_UNKNOWN);

    uint32_t slot = take_slot();
    data_assume(client, slot, handle, /* is_more= */ false);
    assert_int_equal(answer_to(read_statement(slot, OP_PUBLIC, READ_ITEMS)), DATA_OK);
    assert_text(principal_id(&fake.actor), "token:u2");
    data_slot_release(client, slot);
    assert_int_equal(take_slot(), slot);
    assert_int_equal(answer_to(read_statement(slot, OP_PUBLIC, READ_ITEMS)), DATA_OK);
    assert_int_equal(fake.actor.id_len, 0);
}

static void test_handle_of_an_earlier_connection_is_no_handle(void **state)
{
    (void)state;
    struct principal principal;
    struct data_handle handle;
    limen_str token = token_of("u3", "customer");
    uint32_t slot = take_slot(), late = take_slot();
    assert_int_equal(answer_to(show(slot, BY_TOKEN, token, false)), DATA_OK);
    assert_int_equal(data_token_find(client, BY_TOKEN, token, &principal, &handle), TOKEN_GOOD);
    connect_both();
    assert_int_equal(data_token_find(client, BY_TOKEN, token, &principal, &handle), TOKEN_UNKNOWN);
    assert_int_equal(answer_to(read_statement(slot, OP_PUBLIC, READ_ITEMS)), DATA_GONE);
    size_t before = fake.submitted;
    data_assume(client, late, handle, /* is_more= */ false);
    assert_int_equal(answer_to(read_statement(late, OP_PUBLIC, READ_ITEMS)), DATA_GONE);
    assert_int_equal(fake.submitted, before);
    assert_int_equal(answer_to(show(late, BY_TOKEN, token, false)), DATA_OK);
    assert_int_equal(answer_to(read_statement(late, OP_PUBLIC, READ_ITEMS)), DATA_OK);
    assert_text(principal_id(&fake.actor), "token:u3");
}

/* ---- tokens that are no good ------------------------------------------------------------------------------------------ */

static limen_str forged_token(const char *subject)
{
    limen_str claims = arena_printf(&call, "{\"sub\":\"%s\"}", subject);
    return token_hs256(&call, LIMEN_STR("another secret of thirty-two byt"), LIMEN_STR("{\"alg\":\"HS256\"}"), claims);
}

static enum token_memory recall(limen_str token)
{
    struct principal principal;
    struct data_handle handle;
    return data_token_find(client, BY_TOKEN, token, &principal, &handle);
}

static void test_forged_token_is_refused_again_without_a_question(void **state)
{
    (void)state;
    limen_str forged = forged_token("u1");
    assert_int_equal(recall(forged), TOKEN_UNKNOWN);
    assert_int_equal(answer_to(show(take_slot(), BY_TOKEN, forged, false)), DATA_NONE);
    assert_int_equal(recall(forged), TOKEN_NO_GOOD);
    assert_int_equal(recall(forged_token("u2")), TOKEN_UNKNOWN);
    struct clock *clock = (struct clock *)(uintptr_t)loop_clock(loop); /* until the loop turns again */
    clock->mono_us += LIMIT_TOKEN_REFUSED_US;
    assert_int_equal(recall(forged), TOKEN_UNKNOWN);
    connect_both();
    assert_int_equal(recall(forged), TOKEN_UNKNOWN); /* another data role may have other keys */
}

static void test_token_that_is_good_later_is_asked_about_each_time(void **state)
{
    (void)state;
    int64_t now_s = clock_wall_us() / 1000000;
    limen_str claims = arena_printf(&call,
                                    "{\"iss\":\"https://id.example\",\"aud\":\"shop\",\"exp\":%lld,\"sub\":\"u1\","
                                    "\"nbf\":%lld}",
                                    (long long)(now_s + 600), (long long)(now_s + 300));
    limen_str early = token_hs256(&call, LIMEN_STR(TOKEN_SECRET), LIMEN_STR("{\"alg\":\"HS256\"}"), claims);
    assert_int_equal(answer_to(show(take_slot(), BY_TOKEN, early, false)), DATA_NONE);
    assert_int_equal(recall(early), TOKEN_UNKNOWN);
}

/* The keys of the fixture are a file's, so an unknown one stays unknown. */
static void test_token_of_an_unknown_key_is_refused_again_without_a_question(void **state)
{
    (void)state;
    limen_str token = token_hs256(&call, LIMEN_STR(TOKEN_SECRET), LIMEN_STR("{\"alg\":\"HS256\",\"kid\":\"k9\"}"),
                                  LIMEN_STR("{}"));
    assert_int_equal(answer_to(show(take_slot(), BY_TOKEN, token, false)), DATA_NONE);
    assert_int_equal(recall(token), TOKEN_NO_GOOD);
}

static void test_flood_of_forged_tokens_pushes_out_no_good_one(void **state)
{
    (void)state;
    limen_str good = token_of("u6", "customer");
    uint32_t slot = take_slot();
    assert_int_equal(answer_to(show(slot, BY_TOKEN, good, false)), DATA_OK);
    for (uint32_t i = 0; i < 2 * LIMIT_TOKENS_REFUSED; i++) {
        char subject[16];
        snprintf(subject, sizeof(subject), "f%u", i);
        assert_int_equal(answer_to(show(slot, BY_TOKEN, forged_token(subject), false)), DATA_NONE);
    }
    assert_int_equal(recall(good), TOKEN_GOOD);
}

/* ---- API keys --------------------------------------------------------------------------------------------------------- */

static void test_api_key_is_read_strictly(void **state)
{
    (void)state;
    uint32_t slot = take_slot();
    struct ask *shown = show(slot, BY_KEY, LIMEN_STR(API_KEY), false);
    assert_int_equal(answer_to(shown), DATA_OK);
    assert_text(principal_id(&shown->request.principal), "key_a");
    assert_int_equal(shown->request.principal.roles, BIT_ADMIN); /* of all that the store names, the scheme's */
    size_t before = fake.submitted;
    static const char *const malformed[] = {
        "",
        "lmk_",
        "lmk_abcdefghijklmnop",
        "lmk_abcdefghijklmnop_",
        "LMK_abcdefghijklmnop_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "lmk_abcdefghijklmno1_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "lmk_abcdefghijklmnop-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "lmk_abcdefghijklmnop_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB",
        "lmk_abcdefghijklmnop_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    };
    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++)
        assert_int_equal(answer_to(show(slot, BY_KEY, str_of(malformed[i]), false)), DATA_NONE);
    assert_int_equal(fake.submitted, before); /* none of them reached the store */
    char made[API_KEY_TEXT_BYTES];
    uint8_t hash[TOKEN_HASH_BYTES], again[TOKEN_HASH_BYTES];
    limen_str id;
    api_key_make(made, hash);
    assert_true(api_key_read(str_make(made, sizeof(made)), &id, again));
    assert_memory_equal(hash, again, sizeof(hash));
    assert_int_equal(id.len, API_KEY_ID_BYTES);
}

/* ---- signatures ------------------------------------------------------------------------------------------------------- */

static limen_str signature_of(const char *secret, limen_str body)
{
    uint8_t mark[EVP_MAX_MD_SIZE];
    unsigned bytes = 0;
    limen_str text = arena_printf(&call, "%lld.%.*s", (long long)(clock_wall_us() / 1000000), LIMEN_STR_ARG(body));
    assert_non_null(HMAC(EVP_sha256(), secret, (int)strlen(secret), (const uint8_t *)text.ptr, text.len, mark, &bytes));
    struct buf out;
    buf_init(&out, &call, 128);
    BUF_ADD(&out, "t=");
    buf_add(&out, str_slice(text, 0, str_find_char(text, '.', 0)));
    BUF_ADD(&out, ",v1=");
    for (unsigned i = 0; i < bytes; i++)
        buf_printf(&out, "%02x", mark[i]);
    return buf_str(&out);
}

static struct ask *show_signed(uint32_t slot, limen_str signature, limen_str body)
{
    struct ask *ask = ask_on(slot, OP_PUBLIC);
    data_show_signed(client, &ask->request, BY_SIGNATURE, signature, body);
    return ask;
}

static void test_who_has_signed_the_body_is_the_provider(void **state)
{
    (void)state;
    uint32_t slot = take_slot();
    limen_str body = LIMEN_STR("{\"id\":\"evt_1\"}"), good = signature_of("whsec_test", body);
    struct ask *shown = show_signed(slot, good, body);
    assert_int_equal(answer_to(shown), DATA_OK);
    assert_text(principal_id(&shown->request.principal), "hook_billing");
    assert_int_equal(shown->request.principal.roles, BIT_ADMIN);
    assert_int_equal(answer_to(read_statement(slot, OP_PUBLIC, READ_ITEMS)), DATA_OK);
    assert_text(principal_id(&fake.actor), "hook_billing");
    /* One that is not good leaves the slot to nobody. */
    assert_int_equal(answer_to(show_signed(slot, good, LIMEN_STR("{}"))), DATA_NONE);
    assert_int_equal(answer_to(read_statement(slot, OP_PUBLIC, READ_ITEMS)), DATA_OK);
    assert_int_equal(fake.actor.id_len, 0);
    assert_int_equal(answer_to(show_signed(slot, signature_of("whsec_other", body), body)), DATA_NONE);
    assert_int_equal(answer_to(show_signed(slot, LIMEN_STR("t=1"), body)), DATA_NONE);
    /* Without a secret nobody can be asked. */
    role->webhook_secrets[BY_SIGNATURE] = LIMEN_STR("");
    assert_int_equal(answer_to(show_signed(slot, signature_of("", body), body)), DATA_BUSY);
}

/* The first credential acts, and both give roles. */
static void test_two_credentials_stand_beside_each_other(void **state)
{
    (void)state;
    uint32_t slot = take_slot();
    assert_int_equal(answer_to(show(slot, BY_TOKEN, token_of("u4", "customer"), false)), DATA_OK);
    assert_int_equal(answer_to(read_statement(slot, OP_BOTH, ADMIN_READ)), DATA_FORBIDDEN);
    assert_int_equal(answer_to(show(slot, BY_KEY, LIMEN_STR(API_KEY), true)), DATA_OK);
    assert_int_equal(answer_to(read_statement(slot, OP_BOTH, ADMIN_READ)), DATA_OK);
    assert_text(principal_id(&fake.actor), "token:u4");
    assert_int_equal(answer_to(read_statement(slot, OP_CUSTOMER, ADMIN_READ)), DATA_FORBIDDEN); /* not so demanded */
    assert_int_equal(answer_to(show(slot, BY_KEY, LIMEN_STR("lmk_"), true)), DATA_NONE);
    assert_int_equal(answer_to(read_statement(slot, OP_PUBLIC, READ_ITEMS)), DATA_OK);
    assert_text(principal_id(&fake.actor), "token:u4"); /* a bad second one takes nothing away */
    assert_int_equal(answer_to(show(slot, BY_KEY, LIMEN_STR(API_KEY), false)), DATA_OK);
    assert_int_equal(answer_to(read_statement(slot, OP_PUBLIC, READ_ITEMS)), DATA_OK);
    assert_text(principal_id(&fake.actor), "key_a");
}

/* ---- a worker that was taken over ------------------------------------------------------------------------------------- */

static limen_str assume_frame(struct token_handle handle)
{
    struct buf out;
    buf_init(&out, &call, 0);
    size_t begin = wire_begin(&out, WIRE_ASSUME, OP_PUBLIC, 0, 1);
    wire_put_u8(&out, 0);
    wire_put_u32(&out, handle.place);
    wire_put_u32(&out, handle.tenant);
    wire_end(&out, begin);
    return buf_str(&out);
}

static void test_handle_of_another_worker_cuts_the_thief_off(void **state)
{
    (void)state;
    struct principal principal;
    struct data_handle handle;
    limen_str token = token_of("u5", "customer");
    assert_int_equal(answer_to(show(take_slot(), BY_TOKEN, token, false)), DATA_OK);
    assert_int_equal(data_token_find(client, BY_TOKEN, token, &principal, &handle), TOKEN_GOOD);

    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    assert_true(data_role_add_worker(role, 9, pair[0]));
    limen_str theft = assume_frame(handle.token);
    assert_int_equal(send(pair[1], theft.ptr, theft.len, MSG_NOSIGNAL), theft.len);
    turn(4);
    char replies[256];
    ssize_t count;
    do
        count = recv(pair[1], replies, sizeof(replies), 0);
    while (count > 0);
    assert_true(count == 0 || errno == ECONNRESET);
    close(pair[1]);
}

static void test_role_does_not_open_without_keys(void **state)
{
    (void)state;
    static const struct {
        struct data_jwks jwks;
        const char *message;
    } cases[] = {
        { { .source = LIMEN_STR_INIT("") }, "the scheme 'token' has no keys" },
        { { .source = LIMEN_STR_INIT("k.json"), .json = LIMEN_STR_INIT("{") },
          "no key of the scheme 'token' can be used: it is no JSON that we read" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct diags diags;
        diags_init(&diags, &arena);
        struct data_role_config config = { .store = { .contract = &contract, .queries = &queries },
                                           .jwks = { [BY_TOKEN] = cases[i].jwks } };
        assert_null(data_role_new(loop, &config, &arena, &diags));
        assert_int_equal(diags.count, 1);
        assert_true(str_equal(diags.items[0].message, str_of(cases[i].message)));
    }
}

/* A request may wait longer than its token's place was kept: an honest worker that has shown the place's next token is not cut off. */
static void test_handle_of_an_earlier_token_of_the_place_is_stale(void **state)
{
    (void)state;
    struct principal principal;
    struct data_handle handle;
    limen_str token = token_of("u7", "customer");
    assert_int_equal(answer_to(show(take_slot(), BY_TOKEN, token, false)), DATA_OK);
    assert_int_equal(data_token_find(client, BY_TOKEN, token, &principal, &handle), TOKEN_GOOD);
    role->workers[3]->shown[handle.token.place]++;
    uint32_t slot = take_slot();
    size_t before = fake.submitted;
    data_assume(client, slot, handle, /* is_more= */ false);
    assert_int_equal(answer_to(read_statement(slot, OP_PUBLIC, READ_ITEMS)), DATA_BUSY);
    assert_int_equal(fake.submitted, before);
    assert_int_equal(answer_to(read_statement(take_slot(), OP_PUBLIC, READ_ITEMS)), DATA_OK);
}

/* A worker that was taken over sees an administrator's key pass: the account that it makes meanwhile does not get those roles for ever. */
static void test_a_new_account_takes_no_roles_from_another_credential(void **state)
{
    (void)state;
    struct principal principal;
    struct data_handle handle;
    limen_str token = token_of("u9", "customer");
    schemes[BY_SESSION].sign_up_roles = 0; /* so that the token's are more, too */
    for (int way = 0; way < 2; way++) {
        limen_str email = arena_printf(&call, "mallory%d@evil.example", way);
        assert_int_equal(answer_to(show(take_slot(), BY_TOKEN, token, false)), DATA_OK);
        assert_int_equal(data_token_find(client, BY_TOKEN, token, &principal, &handle), TOKEN_GOOD);
        uint32_t slot = take_slot();
        assert_int_equal(answer_to(sign_up(slot, email)), DATA_OK);
        if (way == 0)
            assert_int_equal(answer_to(show(slot, BY_KEY, LIMEN_STR(API_KEY), /* is_more= */ true)), DATA_GONE);
        else
            data_assume(client, slot, handle, /* is_more= */ true);
        assert_int_equal(answer_to(commit_one(slot, OP_PUBLIC, INSERT, NULL)), DATA_GONE);
        assert_null(fake_find(email));
        connect_both();
    }
    schemes[BY_SESSION].sign_up_roles = BIT_CUSTOMER;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROLE_TEST(test_token_binds_the_slot_to_its_subject),
        ROLE_TEST(test_token_that_is_not_valid_leaves_the_slot_to_nobody),
        ROLE_TEST(test_token_shown_once_binds_other_slots_without_a_question),
        ROLE_TEST(test_handle_of_an_earlier_connection_is_no_handle),
        ROLE_TEST(test_forged_token_is_refused_again_without_a_question),
        ROLE_TEST(test_token_that_is_good_later_is_asked_about_each_time),
        ROLE_TEST(test_token_of_an_unknown_key_is_refused_again_without_a_question),
        ROLE_TEST(test_flood_of_forged_tokens_pushes_out_no_good_one),
        ROLE_TEST(test_api_key_is_read_strictly),
        ROLE_TEST(test_who_has_signed_the_body_is_the_provider),
        ROLE_TEST(test_two_credentials_stand_beside_each_other),
        ROLE_TEST(test_handle_of_another_worker_cuts_the_thief_off),
        ROLE_TEST(test_handle_of_an_earlier_token_of_the_place_is_stale),
        ROLE_TEST(test_a_new_account_takes_no_roles_from_another_credential),
        ROLE_TEST(test_role_does_not_open_without_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
