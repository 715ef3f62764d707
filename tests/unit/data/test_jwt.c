/* Tests of data/jwt.h: what a token with a right signature must say besides. */
#include "data/jwt.h"

#include "token_maker.h"

#define SECRET "0123456789abcdef0123456789abcdef"
#define SECRET_JWK "{\"kty\":\"oct\",\"k\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"}"
#define NOW 1795000000LL

static const struct jwt_rules rules = {
    .algorithms = 1U << JWS_HS256,
    .issuer = LIMEN_STR_INIT("https://id.example"),
    .audience = LIMEN_STR_INIT("shop"),
    .roles_claim = LIMEN_STR_INIT("scope"),
};

static struct arena arena;
static struct jwk_set *keys;

static int set_up(void **state)
{
    const char *fault;
    (void)state;
    arena_init(&arena, NULL, (size_t)16 << 20);
    keys = jwk_set_parse(LIMEN_STR(SECRET_JWK), &fault, NULL);
    return keys == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    jwk_set_free(keys);
    arena_release(&arena);
    return 0;
}

static enum jwt_outcome verify_with(const struct jwt_rules *these, const char *type, const char *claims,
                                    struct jwt *ret_jwt, const char **ret_why)
{
    limen_str header = type == NULL ? LIMEN_STR("{\"alg\":\"HS256\"}")
                                    : arena_printf(&arena, "{\"alg\":\"HS256\",\"typ\":\"%s\"}", type);
    limen_str token = token_hs256(&arena, LIMEN_STR(SECRET), header, str_of(claims));
    return jwt_verify(token, keys, these, NOW * 1000000, &arena, ret_jwt, ret_why);
}

#define ISS "\"iss\":\"https://id.example\","
#define AUD "\"aud\":\"shop\","
#define EXP "\"exp\":1795000300,"
#define SUB "\"sub\":\"u1\""

static void test_claims_that_decide_must_be_there_and_right(void **state)
{
    (void)state;
    static const struct {
        const char *claims;
        const char *why; /* NULL: it is right */
    } cases[] = {
        { "{" ISS AUD EXP SUB "}", NULL },
        { "{" AUD EXP SUB "}", "its issuer is another" },
        { "{\"iss\":\"https://id.example/\"," AUD EXP SUB "}", "its issuer is another" },
        { "{\"iss\":\"https://ID.example\"," AUD EXP SUB "}", "its issuer is another" },
        { "{\"iss\":[\"https://id.example\"]," AUD EXP SUB "}", "its issuer is another" },
        { "{" ISS EXP SUB "}", "it is for another audience" },
        { "{" ISS "\"aud\":\"shop2\"," EXP SUB "}", "it is for another audience" },
        { "{" ISS "\"aud\":[\"a\",\"shop\"]," EXP SUB "}", NULL },
        { "{" ISS "\"aud\":[\"a\",[\"shop\"]]," EXP SUB "}", "it is for another audience" },
        { "{" ISS "\"aud\":[]," EXP SUB "}", "it is for another audience" },
        { "{" ISS "\"aud\":{\"shop\":true}," EXP SUB "}", "it is for another audience" },
        { "{" ISS AUD SUB "}", "it does not say when it expires" },
        { "{" ISS AUD "\"exp\":\"1795000300\"," SUB "}", "it does not say when it expires" },
        { "{" ISS AUD "\"exp\":null," SUB "}", "it does not say when it expires" },
        { "{" ISS AUD "\"exp\":1e300," SUB "}", "it does not say when it expires" },
        { "{" ISS AUD "\"exp\":9223372036854775807," SUB "}", "it does not say when it expires" },
        { "{" ISS AUD "\"exp\":-1," SUB "}", "it does not say when it expires" },
        { "{" ISS AUD "\"exp\":1795000300.5," SUB "}", NULL },
        { "{" ISS AUD "\"exp\":1.7950003e9," SUB "}", NULL },
        { "{" ISS AUD "\"exp\":1794999941," SUB "}", NULL }, /* within the leeway of a minute */
        { "{" ISS AUD "\"exp\":1794999940," SUB "}", "it has expired" },
        { "{" ISS AUD EXP "\"nbf\":1795000060," SUB "}", NULL },
        { "{" ISS AUD EXP "\"nbf\":1795000061," SUB "}", "it is not valid yet" },
        { "{" ISS AUD EXP "\"nbf\":\"0\"," SUB "}", "its nbf is no date" },
        { "{" ISS AUD EXP "\"sub\":\"\"}", "it has no subject" },
        { "{" ISS AUD EXP "\"sub\":7}", "it has no subject" },
        { "{" ISS AUD EXP "\"sub\":\"a\\u0000b\"}", "it has no subject" },
        { "{" ISS AUD "\"exp\":1795000300}", "it has no subject" },
        { "{" ISS AUD EXP "\"exp\":1795000301," SUB "}", "its payload is no JSON that we read" }, /* twice */
        { "[" SECRET_JWK "]", "its payload is no JSON object" },
        { "foo", "its payload is no JSON that we read" },
        { "", "its payload is no JSON that we read" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct jwt jwt;
        const char *why = NULL, *wanted = cases[i].why;
        enum jwt_outcome outcome = verify_with(&rules, "JWT", cases[i].claims, &jwt, &why);
        bool is_early = wanted != NULL && strcmp(wanted, "it is not valid yet") == 0;
        if (wanted == NULL ? outcome != JWT_OK : why == NULL || strcmp(why, wanted) != 0)
            fail_msg("%s: %s", cases[i].claims, why == NULL ? "accepted" : why);
        assert_int_equal(outcome, wanted == NULL ? JWT_OK : is_early ? JWT_EARLY : JWT_REFUSED);
    }
}

static void test_token_made_for_another_use_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *wanted, *type;
        bool is_right;
    } cases[] = {
        { "", NULL, true },
        { "", "JWT", true },
        { "", "jwt", true },
        { "", "at+jwt", true },
        { "", "application/at+jwt", true },
        { "", "logout+jwt", false },
        { "", "dpop+jwt", false },
        { "", "application/", false },
        { "at+jwt", "at+jwt", true },
        { "at+jwt", "application/AT+JWT", true },
        { "at+jwt", "JWT", false },
        { "at+jwt", NULL, false },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct jwt_rules typed = rules;
        struct jwt jwt;
        const char *why;
        typed.type = str_of(cases[i].wanted);
        assert_int_equal(verify_with(&typed, cases[i].type, "{" ISS AUD EXP SUB "}", &jwt, &why),
                         cases[i].is_right ? JWT_OK : JWT_REFUSED);
    }
}

static void test_roles_are_words_or_a_list(void **state)
{
    (void)state;
    struct jwt jwt;
    const char *why;
    assert_int_equal(verify_with(&rules, NULL, "{\"scope\":\" read  write\"," ISS AUD EXP SUB "}", &jwt, &why), JWT_OK);
    assert_int_equal(jwt.role_count, 2);
    assert_text(jwt.roles[0], "read");
    assert_text(jwt.roles[1], "write");
    assert_text(jwt.subject, "u1");
    assert_int_equal(jwt.expires_at, 1795000300LL * 1000000);
    struct jwt_rules listed = rules;
    listed.roles_claim = LIMEN_STR("roles");
    assert_int_equal(
        verify_with(&listed, NULL, "{\"scope\":\"no\",\"roles\":[\"a b\",\"c\"]," ISS AUD EXP SUB "}", &jwt, &why),
        JWT_OK);
    assert_int_equal(jwt.role_count, 2);
    assert_text(jwt.roles[0], "a b");
    assert_int_equal(verify_with(&rules, NULL, "{" ISS AUD EXP SUB "}", &jwt, &why), JWT_OK);
    assert_int_equal(jwt.role_count, 0);
    assert_int_equal(verify_with(&rules, NULL, "{\"scope\":7," ISS AUD EXP SUB "}", &jwt, &why), JWT_REFUSED);
    assert_int_equal(verify_with(&rules, NULL, "{\"scope\":[\"a\",7]," ISS AUD EXP SUB "}", &jwt, &why), JWT_REFUSED);
    struct buf many;
    buf_init(&many, &arena, 1024);
    BUF_ADD(&many, "{\"scope\":\"");
    for (unsigned i = 0; i <= JWT_ROLES_MOST; i++)
        buf_printf(&many, "r%u ", i);
    BUF_ADD(&many, "\"," ISS AUD EXP SUB "}");
    buf_add_char(&many, '\0');
    assert_int_equal(verify_with(&rules, NULL, many.ptr, &jwt, &why), JWT_REFUSED);
}

static void test_unknown_key_is_told_apart(void **state)
{
    (void)state;
    struct jwt jwt;
    const char *why;
    limen_str token = token_hs256(&arena, LIMEN_STR(SECRET), LIMEN_STR("{\"alg\":\"HS256\",\"kid\":\"new\"}"),
                                  LIMEN_STR("{" ISS AUD EXP SUB "}"));
    assert_int_equal(jwt_verify(token, keys, &rules, NOW * 1000000, &arena, &jwt, &why),
                     JWT_OK); /* our key has no name */
    const char *fault;
    struct jwk_set *named = jwk_set_parse(
        LIMEN_STR("{\"kty\":\"oct\",\"kid\":\"old\",\"k\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"}"), &fault,
        NULL);
    assert_int_equal(jwt_verify(token, named, &rules, NOW * 1000000, &arena, &jwt, &why), JWT_UNKNOWN_KEY);
    jwk_set_free(named);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_claims_that_decide_must_be_there_and_right, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_token_made_for_another_use_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_roles_are_words_or_a_list, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unknown_key_is_told_apart, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
