/* fuzz_jws.c - any text as a token and as a set of keys: what is accepted is canonical, and no byte of it is idle. */
#include "data/jwt.h"

#include "core/arena.h"
#include "core/base64url.h"
#include "core/str.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

#define NOW_US (1795000000LL * 1000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The keys that the seeds are signed with. */
static const limen_str key_texts[] = {
    LIMEN_STR_INIT("{\"kty\":\"oct\",\"k\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"}"),
    LIMEN_STR_INIT("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}"),
    LIMEN_STR_INIT("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
                   "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}"),
    LIMEN_STR_INIT(
        "{\"kty\":\"EC\",\"crv\":\"P-521\","
        "\"x\":\"AAoRpW3uKyYxMC99s6dXJnJwKTokudqgKt7R-G6sDC3hqad09Fnoz92qQ_k0JfDNsT5UCKuy9xwCHgKCm3dHmZBN\","
        "\"y\":\"AIcYEpynPFMt5MUG-q0AhhEGmmznscDT4TjJvxw1w9oyxyX37dFTC5_lPavnY_6CX6Ux0ihYc4ebIP0KGYujMZ-m\"}"),
};
#define KEYS (sizeof(key_texts) / sizeof(key_texts[0]))

static const struct jwt_rules rules = {
    .algorithms = JWS_ANY_ALGORITHM,
    .issuer = LIMEN_STR_INIT("https://id.example"),
    .audience = LIMEN_STR_INIT("shop"),
    .roles_claim = LIMEN_STR_INIT("scope"),
};

static void must(bool holds)
{
    if (!holds)
        abort();
}

static struct jwk_set *key_set(size_t number)
{
    static struct jwk_set *sets[KEYS];
    const char *fault;
    if (sets[number] == NULL)
        sets[number] = jwk_set_parse(key_texts[number], &fault, NULL);
    must(sets[number] != NULL);
    return sets[number];
}

/* The payload encoded again is what stood in the token, and a token that differs in its last character is none. */
static void check_accepted(limen_str token, const struct jws *jws, const struct jwk_set *keys, struct arena *arena)
{
    size_t first = str_find_char(token, '.', 0), second = str_find_char(token, '.', first + 1);
    limen_str written = str_slice(token, first + 1, second);
    char *again = arena_alloc(arena, token.len + 1), *other = arena_alloc(arena, token.len);
    must(again != NULL && other != NULL);
    base64url_encode((const uint8_t *)jws->payload.ptr, jws->payload.len, again);
    must(str_equal(str_make(again, BASE64URL_CHARS(jws->payload.len)), written));
    memcpy(other, token.ptr, token.len);
    other[token.len - 1] = other[token.len - 1] == 'A' ? 'Q' : 'A';
    struct jws changed;
    must(jws_verify(str_make(other, token.len), keys, JWS_ANY_ALGORITHM, arena, &changed) != JWS_OK);
    must(jws_verify(token, keys, 0, arena, &changed) == JWS_REFUSED);
}

static void check_token(limen_str token, struct arena *arena)
{
    for (size_t i = 0; i < KEYS; i++) {
        struct jws jws;
        struct jwt jwt;
        const char *why;
        enum jws_outcome outcome = jws_verify(token, key_set(i), JWS_ANY_ALGORITHM, arena, &jws);
        if (outcome == JWS_OK)
            check_accepted(token, &jws, key_set(i), arena);
        enum jwt_outcome claims = jwt_verify(token, key_set(i), &rules, NOW_US, arena, &jwt, &why);
        must(outcome == JWS_OK || claims != JWT_OK);
        must(claims != JWT_OK || (jwt.subject.len > 0 && jwt.expires_at > 0 && jwt.role_count <= JWT_ROLES_MOST));
    }
}

/* Claims that nobody could sign are signed here, so that the fuzzer reaches what lies behind the signature. */
static void check_claims(limen_str payload, struct arena *arena)
{
    static const uint8_t secret[] = "0123456789abcdef0123456789abcdef";
    uint8_t mac[32];
    struct buf token;
    struct jwt jwt;
    const char *why;
    buf_init(&token, arena, 1024);
    BUF_ADD(&token, "eyJhbGciOiJIUzI1NiJ9."); /* {"alg":"HS256"} */
    char *room = buf_reserve(&token, BASE64URL_CHARS(payload.len) + 1);
    if (room == NULL)
        return;
    base64url_encode((const uint8_t *)payload.ptr, payload.len, room);
    token.len += BASE64URL_CHARS(payload.len);
    must(HMAC(EVP_sha256(), secret, sizeof(secret) - 1, (const uint8_t *)token.ptr, token.len, mac, NULL) != NULL);
    buf_add_char(&token, '.');
    room = buf_reserve(&token, BASE64URL_CHARS(sizeof(mac)));
    if (room == NULL)
        return;
    base64url_encode(mac, sizeof(mac), room);
    token.len += BASE64URL_CHARS(sizeof(mac));
    enum jwt_outcome outcome = jwt_verify(buf_str(&token), key_set(0), &rules, NOW_US, arena, &jwt, &why);
    must(outcome != JWT_UNKNOWN_KEY);
    must(outcome != JWT_OK || (jwt.subject.len > 0 && jwt.role_count <= JWT_ROLES_MOST));
}

static void check_keys(limen_str json)
{
    const char *fault = NULL, *left_out = NULL;
    struct jwk_set *keys = jwk_set_parse(json, &fault, &left_out);
    must((keys == NULL) == (fault != NULL));
    must(keys == NULL || jwk_set_count(keys) > 0);
    jwk_set_free(keys);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    limen_str text = str_make((const char *)data, size);
    arena_init(&arena, NULL, (size_t)8 << 20);
    check_token(text, &arena);
    check_claims(text, &arena);
    check_keys(text);
    arena_release(&arena);
    return 0;
}
