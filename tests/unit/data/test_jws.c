/* Tests of data/jwk.h and data/jws.h. Wycheproof's vectors are in tests/hostile/test_jws_suite.py. */
#include "data/jws.h"

#include "token_maker.h"

#include "core/limits.h"

#define SECRET "0123456789abcdef0123456789abcdef"
#define SECRET_JWK "\"kty\":\"oct\",\"k\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\""

static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, NULL, (size_t)16 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

static struct jwk_set *keys_of(limen_str json)
{
    const char *fault = NULL;
    struct jwk_set *keys = jwk_set_parse(json, &fault, NULL);
    if (keys == NULL)
        print_error("%s\n", fault);
    assert_non_null(keys);
    return keys;
}

static enum jws_outcome verify(limen_str token, limen_str jwks)
{
    struct jws jws;
    struct jwk_set *keys = keys_of(jwks);
    enum jws_outcome outcome = jws_verify(token, keys, JWS_ANY_ALGORITHM, &arena, &jws);
    jwk_set_free(keys);
    return outcome;
}

/* ---- algorithms ------------------------------------------------------------------------------------------------------- */

static void test_each_kind_of_key_verifies_its_own(void **state)
{
    (void)state;
    static const struct {
        const char *type, *members;
        size_t bits;
        bool is_pss;
        const char *header;
        enum jws_algorithm algorithm;
    } cases[] = {
        { "RSA", "", 2048, false, "{\"alg\":\"RS256\"}", JWS_RS256 }, /* what an RSA key without `alg` is for */
        { "RSA", "\"alg\":\"PS256\",", 2048, true, "{\"alg\":\"PS256\"}", JWS_PS256 },
        { "P-256", "", 0, false, "{\"alg\":\"ES256\"}", JWS_ES256 },
        { "P-384", "", 0, false, "{\"alg\":\"ES384\"}", JWS_ES384 },
        { "P-521", "\"alg\":\"ES512\",", 0, false, "{\"alg\":\"ES512\"}", JWS_ES512 },
        { "P-521", "\"alg\":\"ES521\",", 0, false, "{\"alg\":\"ES512\"}", JWS_ES512 },
        { "ED25519", "", 0, false, "{\"alg\":\"EdDSA\"}", JWS_ED25519 },
        { "ED25519", "\"alg\":\"EdDSA\",", 0, false, "{\"alg\":\"Ed25519\"}", JWS_ED25519 },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        EVP_PKEY *key = str_equal(str_of(cases[i].type), LIMEN_STR("RSA")) ? EVP_RSA_gen(cases[i].bits)
            : str_equal(str_of(cases[i].type), LIMEN_STR("ED25519"))       ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
                                                                           : EVP_EC_gen(cases[i].type);
        limen_str token = token_signed(&arena, key, cases[i].is_pss, str_of(cases[i].header), LIMEN_STR("payload"));
        struct jwk_set *keys = keys_of(jwk_of(&arena, key, cases[i].members));
        struct jws jws;
        assert_int_equal(jws_verify(token, keys, 1U << cases[i].algorithm, &arena, &jws), JWS_OK);
        assert_text(jws.payload, "payload");
        assert_int_equal(jws.algorithm, cases[i].algorithm);
        assert_int_equal(jws_verify(token, keys, JWS_ANY_ALGORITHM & ~(1U << cases[i].algorithm), &arena, &jws),
                         JWS_REFUSED);
        jwk_set_free(keys);
        EVP_PKEY_free(key);
    }
}

/* The classic: a public key as an HMAC's secret, and no signature at all. */
static void test_algorithm_is_the_keys_and_not_the_tokens(void **state)
{
    (void)state;
    EVP_PKEY *key = EVP_RSA_gen(2048);
    limen_str jwk = jwk_of(&arena, key, "");
    limen_str modulus = bignum_of(&arena, key, OSSL_PKEY_PARAM_RSA_N);
    assert_int_equal(verify(token_hs256(&arena, modulus, LIMEN_STR("{\"alg\":\"HS256\"}"), LIMEN_STR("{}")), jwk),
                     JWS_UNKNOWN_KEY);
    assert_int_equal(verify(token_hs256(&arena, jwk, LIMEN_STR("{\"alg\":\"HS256\"}"), LIMEN_STR("{}")), jwk),
                     JWS_UNKNOWN_KEY);
    assert_int_equal(
        verify(token_signed(&arena, key, /* is_pss= */ true, LIMEN_STR("{\"alg\":\"PS256\"}"), LIMEN_STR("{}")), jwk),
        JWS_UNKNOWN_KEY);
    static const char *const names[] = { "none", "None", "", "rs256", "RS256 ", "HS1", "RSA-OAEP", "dir" };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        limen_str header = arena_printf(&arena, "{\"alg\":\"%s\"}", names[i]);
        limen_str token = token_signed(&arena, key, /* is_pss= */ false, header, LIMEN_STR("{}"));
        assert_int_not_equal(verify(token, jwk), JWS_OK);
    }
    EVP_PKEY_free(key);
}

/* Which algorithm a curve has is written in its key, and it is written ES521 now and then; in a token it never is. */
static void test_curve_and_algorithm_belong_together(void **state)
{
    (void)state;
    static const struct {
        const char *curve, *members, *header;
        enum jws_outcome outcome;
    } cases[] = {
        { "P-521", "", "{\"alg\":\"ES512\"}", JWS_OK },
        { "P-521", "", "{\"alg\":\"ES521\"}", JWS_REFUSED },
        { "P-521", "\"alg\":\"ES521\",", "{\"alg\":\"ES521\"}", JWS_REFUSED },
        { "P-521", "\"alg\":\"ES521\",", "{\"alg\":\"ES256\"}", JWS_UNKNOWN_KEY },
        { "P-384", "", "{\"alg\":\"ES256\"}", JWS_UNKNOWN_KEY },
        { "P-256", "", "{\"alg\":\"ES512\"}", JWS_UNKNOWN_KEY },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        EVP_PKEY *key = EVP_EC_gen(cases[i].curve);
        limen_str token = token_signed(&arena, key, /* is_pss= */ false, str_of(cases[i].header), LIMEN_STR("{}"));
        assert_int_equal(verify(token, jwk_of(&arena, key, cases[i].members)), cases[i].outcome);
        EVP_PKEY_free(key);
    }
}

/* ---- the header ------------------------------------------------------------------------------------------------------- */

static enum jws_outcome verify_header(const char *header)
{
    return verify(token_hs256(&arena, LIMEN_STR(SECRET), str_of(header), LIMEN_STR("{}")),
                  LIMEN_STR("{\"kid\":\"a\"," SECRET_JWK "}"));
}

static void test_header_is_read_strictly(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        enum jws_outcome outcome;
    } cases[] = {
        { "{\"alg\":\"HS256\"}", JWS_OK },
        { "{\"alg\":\"HS256\",\"kid\":\"a\"}", JWS_OK },
        { "{\"alg\":\"HS256\",\"kid\":\"b\"}", JWS_UNKNOWN_KEY },
        { "{\"alg\":\"HS256\",\"kid\":\"a' OR 1=1\"}", JWS_UNKNOWN_KEY },
        { "{\"alg\":\"HS256\",\"kid\":\"../../dev/null\"}", JWS_UNKNOWN_KEY },
        { "{\"alg\":\"HS256\",\"kid\":\"\"}", JWS_MALFORMED },
        { "{\"alg\":\"HS256\",\"kid\":7}", JWS_MALFORMED },
        { "{\"alg\":\"HS256\",\"kid\":null}", JWS_MALFORMED },
        { "{\"alg\":\"HS256\",\"typ\":1}", JWS_MALFORMED },
        { "{\"alg\":\"HS256\",\"alg\":\"HS256\"}", JWS_MALFORMED },
        { "{\"alg\":\"HS256\",\"\\u0061lg\":\"none\"}", JWS_MALFORMED },
        { "{\"alg\":[\"HS256\"]}", JWS_MALFORMED },
        { "{}", JWS_REFUSED },
        { "{\"alg\":\"HS256\",\"crit\":[\"exp\"]}", JWS_REFUSED },
        { "{\"alg\":\"HS256\",\"crit\":[]}", JWS_REFUSED },
        { "{\"alg\":\"HS256\",\"b64\":false}", JWS_REFUSED },
        { "[\"HS256\"]", JWS_MALFORMED },
        { "\"HS256\"", JWS_MALFORMED },
        { "{\"alg\":\"HS256\"} ", JWS_OK },
        { "{\"alg\":\"HS256\"}{}", JWS_MALFORMED },
        { "", JWS_MALFORMED },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(verify_header(cases[i].header), cases[i].outcome);
}

/* The key that the token brings would verify it; it is another one's. */
static void test_key_in_the_token_is_never_used(void **state)
{
    (void)state;
    EVP_PKEY *ours = EVP_EC_gen("P-256"), *theirs = EVP_EC_gen("P-256");
    static const char *const headers[] = {
        "{\"alg\":\"ES256\",\"jwk\":%.*s}",
        "{\"alg\":\"ES256\",\"jku\":\"https://evil.example/keys\",\"x\":%.*s}",
        "{\"alg\":\"ES256\",\"x5u\":\"https://evil.example/keys\",\"x\":%.*s}",
        "{\"alg\":\"ES256\",\"x5c\":[\"MIIB\"],\"x\":%.*s}",
    };
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        struct buf header;
        buf_init(&header, &arena, 512);
        limen_str before = str_of(headers[i]), jwk = jwk_of(&arena, theirs, "");
        size_t hole = str_find(before, LIMEN_STR("%.*s"), 0);
        buf_add(&header, str_slice(before, 0, hole));
        buf_add(&header, jwk);
        buf_add(&header, str_slice(before, hole + 4, before.len));
        limen_str token = token_signed(&arena, theirs, /* is_pss= */ false, buf_str(&header), LIMEN_STR("{}"));
        assert_int_equal(verify(token, jwk_of(&arena, ours, "")), JWS_BAD_SIGNATURE);
        assert_int_equal(verify(token, jwk), JWS_OK); /* else this test could not fail */
    }
    EVP_PKEY_free(ours);
    EVP_PKEY_free(theirs);
}

/* ---- the form --------------------------------------------------------------------------------------------------------- */

static void test_every_byte_counts(void **state)
{
    (void)state;
    limen_str token = token_hs256(&arena, LIMEN_STR(SECRET), LIMEN_STR("{\"alg\":\"HS256\"}"), LIMEN_STR("{\"a\":1}"));
    limen_str jwk = LIMEN_STR("{" SECRET_JWK "}");
    assert_int_equal(verify(token, jwk), JWS_OK);
    static const char others[] = "AZaz09-_.=+/ \n\"";
    char *copy = arena_alloc(&arena, token.len);
    memcpy(copy, token.ptr, token.len);
    for (size_t i = 0; i < token.len; i++) {
        for (size_t j = 0; j < sizeof(others); j++) {
            copy[i] = others[j];
            if (copy[i] != token.ptr[i])
                assert_int_not_equal(verify(str_make(copy, token.len), jwk), JWS_OK);
        }
        copy[i] = token.ptr[i];
        assert_int_not_equal(verify(str_slice(token, 0, i), jwk), JWS_OK);
    }
}

static void test_form_is_three_parts(void **state)
{
    (void)state;
    static const char *const cases[] = { "",
                                         ".",
                                         "..",
                                         "...",
                                         "a.b",
                                         "a.b.c.d.e",
                                         "eyJhbGciOiJIUzI1NiJ9..",
                                         "x.",
                                         ".x.",
                                         "..x",
                                         "{\"payload\":\"\",\"signatures\":[]}" };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(verify(str_of(cases[i]), LIMEN_STR("{" SECRET_JWK "}")), JWS_MALFORMED);
    char *long_one = arena_alloc(&arena, LIMIT_TOKEN_BYTES + 1);
    memset(long_one, 'A', LIMIT_TOKEN_BYTES + 1);
    long_one[8] = long_one[16] = '.';
    assert_int_equal(verify(str_make(long_one, LIMIT_TOKEN_BYTES + 1), LIMEN_STR("{" SECRET_JWK "}")), JWS_MALFORMED);
}

/* ---- keys ------------------------------------------------------------------------------------------------------------- */

#define OTHER_JWK "\"kty\":\"oct\",\"k\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\""

static void test_kid_chooses_and_never_guesses(void **state)
{
    (void)state;
    limen_str two = LIMEN_STR("{\"keys\":[{\"kid\":\"a\"," SECRET_JWK "},{\"kid\":\"b\"," OTHER_JWK "}]}");
    limen_str unnamed = LIMEN_STR("{" SECRET_JWK "}");
    limen_str of_a = token_hs256(&arena, LIMEN_STR(SECRET), LIMEN_STR("{\"alg\":\"HS256\",\"kid\":\"a\"}"),
                                 LIMEN_STR(""));
    limen_str as_b = token_hs256(&arena, LIMEN_STR(SECRET), LIMEN_STR("{\"alg\":\"HS256\",\"kid\":\"b\"}"),
                                 LIMEN_STR(""));
    limen_str bare = token_hs256(&arena, LIMEN_STR(SECRET), LIMEN_STR("{\"alg\":\"HS256\"}"), LIMEN_STR(""));
    assert_int_equal(verify(of_a, two), JWS_OK);
    assert_int_equal(verify(as_b, two), JWS_BAD_SIGNATURE);
    assert_int_equal(verify(bare, two), JWS_UNKNOWN_KEY); /* which of the two? */
    assert_int_equal(verify(bare, unnamed), JWS_OK);
    assert_int_equal(verify(of_a, unnamed), JWS_OK);
}

static void test_set_that_is_unfit_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *json, *fault;
    } cases[] = {
        { "", "it is no JSON that we read" },
        { "{\"keys\":[],\"keys\":[]}", "it is no JSON that we read" },
        { "[]", "a key is no object" },
        { "{}", "a key's type (`kty`) is none of RSA, EC, OKP, oct" },
        { "{\"keys\":{}}", "`keys` is no list" },
        { "{\"keys\":[]}", "there is no key" },
        { "{\"keys\":[7]}", "a key is no object" },
        { "{\"keys\":[{\"kid\":\"a\"," SECRET_JWK "},{\"kid\":\"a\"," OTHER_JWK "}]}", "two keys share a `kid`" },
        { "{\"keys\":[{\"kid\":\"a\"," SECRET_JWK "},{\"kid\":\"a\",\"kty\":\"odd\"}]}", "two keys share a `kid`" },
        { "{\"keys\":[{" SECRET_JWK "},{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
          "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}",
          "secret and public keys are mixed in one set" },
        { "{\"use\":\"enc\"," SECRET_JWK "}", "a key is not for signatures (`use`)" },
        { "{\"use\":1," SECRET_JWK "}", "a key is not for signatures (`use`)" },
        { "{\"key_ops\":[\"sign\"]," SECRET_JWK "}", "a key is not for verifying (`key_ops`)" },
        { "{\"key_ops\":\"verify\"," SECRET_JWK "}", "a key's `key_ops` is no list" },
        { "{\"alg\":\"RS256\"," SECRET_JWK "}", "a key's `alg` is not supported, or not for its type" },
        { "{\"alg\":\"none\"," SECRET_JWK "}", "a key's `alg` is not supported, or not for its type" },
        { "{\"alg\":\"HS512\"," SECRET_JWK "}", "an HMAC key is shorter than its hash" },
        { "{\"kid\":\"\"," SECRET_JWK "}", "a key's `kid` is no text of 1 to 255 bytes" },
        { "{\"kty\":\"oct\"}", "a member of a key is missing or no base64url" },
        { "{\"kty\":\"EC\",\"crv\":\"secp256k1\"}", "a key's curve is none of P-256, P-384 and P-521" },
        { "{\"kty\":\"EC\"}", "a key's curve is none of P-256, P-384 and P-521" },
        { "{\"kty\":\"EC\",\"crv\":\"P-256\",\"alg\":\"ES384\"}", "a key's curve is not its algorithm's" },
        { "{\"kty\":\"EC\",\"crv\":\"P-256\",\"alg\":\"ES521\"}", "a key's curve is not its algorithm's" },
        { "{\"kty\":\"EC\",\"crv\":\"P-521\",\"alg\":\"ES224\"}",
          "a key's `alg` is not supported, or not for its type" },
        { "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AQ\",\"y\":\"AQ\"}",
          "a coordinate of a key is not as long as its curve's are" },
        { "{\"kty\":\"OKP\",\"crv\":\"X25519\"}", "a key's curve is not Ed25519" },
        { "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AQ\"}", "an Ed25519 key is not 32 bytes long" },
        { "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"d\":\"AQ\",\"x\":\"AQ\"}",
          "a private key is where only its public part belongs" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *fault = NULL;
        assert_null(jwk_set_parse(str_of(cases[i].json), &fault, NULL));
        assert_string_equal(fault, cases[i].fault);
    }
}

static void test_keys_of_no_use_are_left_out(void **state)
{
    (void)state;
    const char *fault = NULL, *left_out = NULL;
    struct jwk_set *keys = jwk_set_parse(
        LIMEN_STR("{\"keys\":[{\"kty\":\"oct\",\"k\":\"AQ\"},{\"kid\":\"a\"," SECRET_JWK "}]}"), &fault, &left_out);
    assert_non_null(keys);
    assert_int_equal(jwk_set_count(keys), 1);
    assert_string_equal(left_out, "an HMAC key is shorter than its hash");
    jwk_set_free(keys);
    keys = jwk_set_parse(LIMEN_STR("{" SECRET_JWK "}"), &fault, &left_out);
    assert_null(left_out);
    jwk_set_free(keys);
}

/* `count` keys with a `kid` each, or NULL and why not. */
static struct jwk_set *set_of(size_t count, const char *end, const char **ret_fault)
{
    struct buf json;
    buf_init(&json, &arena, LIMIT_JWKS_BYTES);
    for (size_t i = 0; i < count; i++)
        buf_printf(&json, "%s{\"kid\":\"k%zu\"," SECRET_JWK "}", i == 0 ? "{\"keys\":[" : ",", i);
    buf_printf(&json, "]}%s", end);
    *ret_fault = NULL;
    return jwk_set_parse(buf_str(&json), ret_fault, NULL);
}

static void test_set_has_ceilings(void **state)
{
    (void)state;
    const char *fault;
    struct jwk_set *keys = set_of(LIMIT_JWKS_KEYS, "", &fault);
    assert_non_null(keys);
    assert_int_equal(jwk_set_count(keys), LIMIT_JWKS_KEYS);
    jwk_set_free(keys);
    assert_null(set_of(LIMIT_JWKS_KEYS + 1, "", &fault));
    assert_string_equal(fault, "there are more than 32 keys");

    char *spaces = arena_alloc(&arena, LIMIT_JWKS_BYTES + 1);
    memset(spaces, ' ', LIMIT_JWKS_BYTES);
    spaces[LIMIT_JWKS_BYTES] = '\0';
    assert_null(set_of(1, spaces, &fault));
    assert_string_equal(fault, "it is no JSON that we read");

    char modulus[LIMIT_RSA_BITS / 6 + 4]; /* three characters more than the most: whole bytes */
    memset(modulus, '_', sizeof(modulus) - 1);
    modulus[sizeof(modulus) - 1] = '\0';
    limen_str large = arena_printf(&arena, "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"%s\"}", modulus);
    assert_null(jwk_set_parse(large, &fault, NULL));
    assert_string_equal(fault, "an RSA key is longer than 8192 bits");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_kind_of_key_verifies_its_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_algorithm_is_the_keys_and_not_the_tokens, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_curve_and_algorithm_belong_together, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_header_is_read_strictly, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_key_in_the_token_is_never_used, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_every_byte_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_form_is_three_parts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_kid_chooses_and_never_guesses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_set_that_is_unfit_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_keys_of_no_use_are_left_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_set_has_ceilings, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
