/* jws.c - a token is cut in three, its header read, its key chosen, and its signature held against that key.
 *
 * Everything before the signature is a stranger's and cheap to refuse; the payload means something only behind it. */
#include "data/jws.h"

#include "contract/json.h"
#include "core/arena.h"
#include "core/base64url.h"
#include "core/limits.h"
#include "core/str.h"
#include "data/openssl_memory.h"

#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>

#define DER_BYTES \
    (3U + 2 * (3 + JWS_CURVE_BYTES_MOST)) /* a sequence of two integers, each with a tag, a length and a zero */

struct header {
    enum jws_algorithm algorithm;
    limen_str kid, type;
};

/* ---- the parts -------------------------------------------------------------------------------------------------------- */

struct parts {
    limen_str header, payload, signature; /* as written */
    limen_str signed_text;                /* header and payload with the dot */
};

static bool cut(limen_str token, struct parts *ret_parts)
{
    size_t first = str_find_char(token, '.', 0);
    size_t second = first == SIZE_MAX ? SIZE_MAX : str_find_char(token, '.', first + 1);
    if (second == SIZE_MAX || str_find_char(token, '.', second + 1) != SIZE_MAX)
        return false;
    ret_parts->header = str_slice(token, 0, first);
    ret_parts->payload = str_slice(token, first + 1, second);
    ret_parts->signature = str_slice(token, second + 1, token.len);
    ret_parts->signed_text = str_slice(token, 0, second);
    return ret_parts->header.len > 0 && ret_parts->signature.len > 0;
}

static enum jws_outcome decode(limen_str text, struct arena *arena, limen_str *ret_bytes)
{
    size_t count = base64url_bytes(text.len);
    uint8_t *bytes = arena_alloc(arena, count);
    *ret_bytes = str_make((const char *)bytes, count);
    if (bytes == NULL)
        return JWS_NO_MEMORY;
    return base64url_decode(text, bytes) ? JWS_OK : JWS_MALFORMED;
}

/* ---- the header ------------------------------------------------------------------------------------------------------- */

/* A member that is text when it is there. */
static bool read_text(const struct json_doc *doc, limen_str name, limen_str *ret_text)
{
    uint32_t at = json_member(doc, 0, name);
    if (at == 0)
        return true;
    *ret_text = json_text(&doc->tape[at]);
    return doc->tape[at].type == JSON_STRING && ret_text->len > 0;
}

static enum jws_outcome read_members(const struct json_doc *doc, struct header *ret_header)
{
    limen_str algorithm = { 0 };
    if (doc->tape[0].type != JSON_OBJECT || !read_text(doc, LIMEN_STR("alg"), &algorithm)
        || !read_text(doc, LIMEN_STR("kid"), &ret_header->kid) || !read_text(doc, LIMEN_STR("typ"), &ret_header->type))
        return JWS_MALFORMED;
    /* RFC 7515 section 4.1.11: what we do not understand and must, we refuse. We understand no extension. */
    bool is_extended = json_member(doc, 0, LIMEN_STR("crit")) != 0 || json_member(doc, 0, LIMEN_STR("b64")) != 0;
    if (is_extended || ret_header->kid.len > LIMIT_KID_BYTES)
        return JWS_REFUSED;
    return jws_algorithm_find(algorithm, &ret_header->algorithm) ? JWS_OK : JWS_REFUSED;
}

static enum jws_outcome read_header(limen_str text, struct arena *arena, struct header *ret_header)
{
    limen_str json;
    struct json_doc doc;
    struct json_error error;
    enum jws_outcome outcome = decode(text, arena, &json);
    if (outcome != JWS_OK)
        return outcome;
    enum json_outcome parsed = json_parse(json, arena, &doc, &error);
    if (parsed != JSON_OK)
        return parsed == JSON_NO_MEMORY ? JWS_NO_MEMORY : JWS_MALFORMED;
    return read_members(&doc, ret_header);
}

/* ---- the signature ---------------------------------------------------------------------------------------------------- */

static enum jws_outcome verify_mac(const struct jwk *key, const struct jws_algorithm_traits *traits, limen_str text,
                                   limen_str signature)
{
    uint8_t mac[EVP_MAX_MD_SIZE];
    unsigned bytes = 0;
    if (HMAC(EVP_get_digestbyname(traits->digest), key->secret, (int)key->secret_bytes, (const uint8_t *)text.ptr,
             text.len, mac, &bytes)
        == NULL)
        return JWS_NO_MEMORY;
    return str_equal_secret(str_make((const char *)mac, bytes), signature) ? JWS_OK : JWS_BAD_SIGNATURE;
}

/* JWS writes r and s one after another (RFC 7518 section 3.4), OpenSSL reads DER. Returns its length, 0 when memory is out. */
static size_t ecdsa_to_der(const uint8_t *bytes, size_t half_bytes, uint8_t ret_der[DER_BYTES])
{
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(bytes, (int)half_bytes, NULL), *s = BN_bin2bn(bytes + half_bytes, (int)half_bytes, NULL);
    int count = 0;
    if (pair != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(pair, r, s) == 1) {
        r = s = NULL; /* the pair's now */
        count = i2d_ECDSA_SIG(pair, NULL);
        if (count > 0 && count <= (int)DER_BYTES)
            count = i2d_ECDSA_SIG(pair, &ret_der);
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(pair);
    return count > 0 && count <= (int)DER_BYTES ? (size_t)count : 0;
}

static bool start(EVP_MD_CTX *context, const struct jwk *key, const struct jws_algorithm_traits *traits)
{
    EVP_PKEY_CTX *of_key = NULL;
    const EVP_MD *digest = traits->digest == NULL ? NULL : EVP_get_digestbyname(traits->digest);
    if (EVP_DigestVerifyInit(context, &of_key, digest, NULL, key->public_key) != 1)
        return false;
    /* RFC 7518 section 3.5: the salt is as long as the hash. MGF1 takes the digest of the signature. */
    return !traits->is_pss
        || (EVP_PKEY_CTX_set_rsa_padding(of_key, RSA_PKCS1_PSS_PADDING) == 1
            && EVP_PKEY_CTX_set_rsa_pss_saltlen(of_key, RSA_PSS_SALTLEN_DIGEST) == 1);
}

static enum jws_outcome verify_public(const struct jwk *key, const struct jws_algorithm_traits *traits, limen_str text,
                                      limen_str signature)
{
    (void)openssl_memory_was_out(); /* before */
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool is_right = context != NULL && signature.len > 0 && start(context, key, traits)
        && EVP_DigestVerify(context, (const uint8_t *)signature.ptr, signature.len, (const uint8_t *)text.ptr, text.len)
            == 1;
    EVP_MD_CTX_free(context);
    if (is_right)
        return JWS_OK;
    return openssl_memory_was_out() ? JWS_NO_MEMORY : JWS_BAD_SIGNATURE;
}

static enum jws_outcome verify(const struct jwk *key, limen_str text, limen_str signature)
{
    const struct jws_algorithm_traits *traits = jws_algorithm_traits(key->algorithm);
    uint8_t der[DER_BYTES];
    if (traits->key == JWK_OCT)
        return verify_mac(key, traits, text, signature);
    if (traits->key == JWK_EC) {
        size_t half_bytes = traits->curve->bytes;
        if (signature.len != 2 * half_bytes)
            return JWS_BAD_SIGNATURE;
        signature = str_make((const char *)der, ecdsa_to_der((const uint8_t *)signature.ptr, half_bytes, der));
        if (signature.len == 0)
            return JWS_NO_MEMORY;
    }
    return verify_public(key, traits, text, signature);
}

enum jws_outcome jws_verify(limen_str token, const struct jwk_set *keys, uint32_t algorithms, struct arena *arena,
                            struct jws *ret_jws)
{
    struct parts parts;
    struct header header = { 0 };
    limen_str signature, payload;
    if (token.len > LIMIT_TOKEN_BYTES || !cut(token, &parts))
        return JWS_MALFORMED;
    enum jws_outcome outcome = read_header(parts.header, arena, &header);
    if (outcome == JWS_OK)
        outcome = decode(parts.signature, arena, &signature);
    if (outcome == JWS_OK)
        outcome = decode(parts.payload, arena, &payload);
    if (outcome != JWS_OK)
        return outcome;
    if ((algorithms >> header.algorithm & 1U) == 0)
        return JWS_REFUSED;
    const struct jwk *key = jwk_set_find(keys, header.kid, header.algorithm);
    if (key == NULL)
        return JWS_UNKNOWN_KEY;
    outcome = verify(key, parts.signed_text, signature);
    if (outcome != JWS_OK)
        return outcome;
    *ret_jws = (struct jws){ .algorithm = header.algorithm, .type = header.type, .payload = payload };
    return JWS_OK;
}
