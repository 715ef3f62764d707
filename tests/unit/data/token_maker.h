/* token_maker.h - keys and tokens for tests: generates a key, tells its JWK, signs what it is given. */
#ifndef TESTS_DATA_TOKEN_MAKER_H
#define TESTS_DATA_TOKEN_MAKER_H

#include "check.h"

#include "core/arena.h"
#include "core/base64url.h"
#include "core/str.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>

static inline limen_str base64url_of(struct arena *memory, limen_str bytes)
{
    char *text = arena_alloc(memory, BASE64URL_CHARS(bytes.len) + 1);
    assert_non_null(text);
    base64url_encode((const uint8_t *)bytes.ptr, bytes.len, text);
    return str_make(text, BASE64URL_CHARS(bytes.len));
}

/* "header.payload", both encoded. */
static inline limen_str token_text(struct arena *memory, limen_str header, limen_str payload)
{
    return arena_printf(memory, "%.*s.%.*s", LIMEN_STR_ARG(base64url_of(memory, header)),
                        LIMEN_STR_ARG(base64url_of(memory, payload)));
}

static inline limen_str token_with(struct arena *memory, limen_str text, limen_str signature)
{
    return arena_printf(memory, "%.*s.%.*s", LIMEN_STR_ARG(text), LIMEN_STR_ARG(base64url_of(memory, signature)));
}

/* A token of this header and payload under an HMAC of SHA-256. */
static inline limen_str token_hs256(struct arena *memory, limen_str secret, limen_str header, limen_str payload)
{
    uint8_t mac[32];
    limen_str text = token_text(memory, header, payload);
    assert_non_null(HMAC(EVP_sha256(), secret.ptr, (int)secret.len, (const uint8_t *)text.ptr, text.len, mac, NULL));
    return token_with(memory, text, str_make((const char *)mac, sizeof(mac)));
}

/* Of a key on P-256, P-384 or P-521; it is written in full. */
static inline size_t coordinate_bytes(const EVP_PKEY *key)
{
    return ((size_t)EVP_PKEY_get_bits(key) + 7) / 8;
}

static inline limen_str bignum_of(struct arena *memory, const EVP_PKEY *key, const char *name)
{
    BIGNUM *number = NULL;
    assert_int_equal(EVP_PKEY_get_bn_param(key, name, &number), 1);
    size_t bytes = EVP_PKEY_is_a(key, "EC") ? coordinate_bytes(key) : (size_t)BN_num_bytes(number);
    uint8_t *written = arena_alloc(memory, bytes);
    assert_int_equal(BN_bn2binpad(number, written, (int)bytes), (int)bytes);
    BN_free(number);
    return base64url_of(memory, str_make((const char *)written, bytes));
}

/* The public part as a JWK with these further members, such as "\"alg\":\"RS256\",". */
static inline limen_str jwk_of(struct arena *memory, const EVP_PKEY *key, const char *members)
{
    if (EVP_PKEY_is_a(key, "RSA"))
        return arena_printf(memory, "{%s\"kty\":\"RSA\",\"n\":\"%.*s\",\"e\":\"%.*s\"}", members,
                            LIMEN_STR_ARG(bignum_of(memory, key, OSSL_PKEY_PARAM_RSA_N)),
                            LIMEN_STR_ARG(bignum_of(memory, key, OSSL_PKEY_PARAM_RSA_E)));
    if (EVP_PKEY_is_a(key, "EC"))
        return arena_printf(memory, "{%s\"kty\":\"EC\",\"crv\":\"P-%d\",\"x\":\"%.*s\",\"y\":\"%.*s\"}", members,
                            EVP_PKEY_get_bits(key), LIMEN_STR_ARG(bignum_of(memory, key, OSSL_PKEY_PARAM_EC_PUB_X)),
                            LIMEN_STR_ARG(bignum_of(memory, key, OSSL_PKEY_PARAM_EC_PUB_Y)));
    uint8_t raw[32];
    size_t bytes = sizeof(raw);
    assert_int_equal(EVP_PKEY_get_raw_public_key(key, raw, &bytes), 1);
    return arena_printf(memory, "{%s\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%.*s\"}", members,
                        LIMEN_STR_ARG(base64url_of(memory, str_make((const char *)raw, bytes))));
}

/* r and s one after another. */
static inline limen_str raw_ecdsa(struct arena *memory, const uint8_t *der, size_t bytes, size_t half)
{
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)bytes);
    uint8_t *raw = arena_alloc(memory, 2 * half);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(pair), raw, (int)half), (int)half);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(pair), raw + half, (int)half), (int)half);
    ECDSA_SIG_free(pair);
    return str_make((const char *)raw, 2 * half);
}

static inline const EVP_MD *digest_for(const EVP_PKEY *key)
{
    if (EVP_PKEY_is_a(key, "ED25519"))
        return NULL;
    int bits = EVP_PKEY_is_a(key, "EC") ? EVP_PKEY_get_bits(key) : 0;
    return bits == 521 ? EVP_sha512() : bits == 384 ? EVP_sha384() : EVP_sha256();
}

static inline limen_str token_signed(struct arena *memory, EVP_PKEY *key, bool is_pss, limen_str header,
                                     limen_str payload)
{
    limen_str text = token_text(memory, header, payload);
    uint8_t signature[1024];
    size_t bytes = sizeof(signature);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *of_key = NULL;
    assert_int_equal(EVP_DigestSignInit(context, &of_key, digest_for(key), NULL, key), 1);
    if (is_pss) {
        assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(of_key, RSA_PKCS1_PSS_PADDING), 1);
        assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(of_key, RSA_PSS_SALTLEN_DIGEST), 1);
    }
    assert_int_equal(EVP_DigestSign(context, signature, &bytes, (const uint8_t *)text.ptr, text.len), 1);
    EVP_MD_CTX_free(context);
    if (EVP_PKEY_is_a(key, "EC"))
        return token_with(memory, text, raw_ecdsa(memory, signature, bytes, coordinate_bytes(key)));
    return token_with(memory, text, str_make((const char *)signature, bytes));
}

#endif
