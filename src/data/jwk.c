/* jwk.c - from JSON to keys that may be used.
 *
 * All doubts end here: type, purpose, curve, size and origin of a key are looked at once, when it is read, so that a
 * verification has nothing left to ask. */
#include "data/jwk.h"

#include "contract/json.h"
#include "core/arena.h"
#include "core/base64url.h"
#include "core/limits.h"
#include "core/str.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <stdlib.h>

#define RSA_BITS_LEAST 2048
#define EXPONENT_BITS_MOST 64
#define ED25519_BYTES 32U

static const struct jws_curve p256 = { LIMEN_STR_INIT("P-256"), "prime256v1", 32 },
                              p384 = { LIMEN_STR_INIT("P-384"), "secp384r1", 48 },
                              p521 = { LIMEN_STR_INIT("P-521"), "secp521r1", JWS_CURVE_BYTES_MOST };

static const struct jws_algorithm_traits traits[JWS_ALGORITHMS] = {
    [JWS_HS256] = { JWK_OCT, "SHA256", 32, false, NULL }, [JWS_HS384] = { JWK_OCT, "SHA384", 48, false, NULL },
    [JWS_HS512] = { JWK_OCT, "SHA512", 64, false, NULL }, [JWS_RS256] = { JWK_RSA, "SHA256", 32, false, NULL },
    [JWS_RS384] = { JWK_RSA, "SHA384", 48, false, NULL }, [JWS_RS512] = { JWK_RSA, "SHA512", 64, false, NULL },
    [JWS_PS256] = { JWK_RSA, "SHA256", 32, true, NULL },  [JWS_PS384] = { JWK_RSA, "SHA384", 48, true, NULL },
    [JWS_PS512] = { JWK_RSA, "SHA512", 64, true, NULL },  [JWS_ES256] = { JWK_EC, "SHA256", 32, false, &p256 },
    [JWS_ES384] = { JWK_EC, "SHA384", 48, false, &p384 }, [JWS_ES512] = { JWK_EC, "SHA512", 64, false, &p521 },
    [JWS_ED25519] = { JWK_OKP, NULL, 0, false, NULL },
};

struct jwk_set {
    struct arena arena; /* texts and secrets */
    struct jwk keys[LIMIT_JWKS_KEYS];
    uint32_t count;
};

const struct jws_algorithm_traits *jws_algorithm_traits(enum jws_algorithm algorithm)
{
    return &traits[algorithm];
}

bool jws_algorithm_find(limen_str name, enum jws_algorithm *ret_algorithm)
{
    static const struct {
        limen_str name;
        enum jws_algorithm algorithm;
    } names[] = {
        { LIMEN_STR_INIT("HS256"), JWS_HS256 },   { LIMEN_STR_INIT("HS384"), JWS_HS384 },
        { LIMEN_STR_INIT("HS512"), JWS_HS512 },   { LIMEN_STR_INIT("RS256"), JWS_RS256 },
        { LIMEN_STR_INIT("RS384"), JWS_RS384 },   { LIMEN_STR_INIT("RS512"), JWS_RS512 },
        { LIMEN_STR_INIT("PS256"), JWS_PS256 },   { LIMEN_STR_INIT("PS384"), JWS_PS384 },
        { LIMEN_STR_INIT("PS512"), JWS_PS512 },   { LIMEN_STR_INIT("ES256"), JWS_ES256 },
        { LIMEN_STR_INIT("ES384"), JWS_ES384 },   { LIMEN_STR_INIT("ES512"), JWS_ES512 },
        { LIMEN_STR_INIT("EdDSA"), JWS_ED25519 }, { LIMEN_STR_INIT("Ed25519"), JWS_ED25519 },
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (str_equal(name, names[i].name)) {
            *ret_algorithm = names[i].algorithm;
            return true;
        }
    }
    return false;
}

/* ---- members ---------------------------------------------------------------------------------------------------------- */

/* One JWK on the tape, and why it cannot be used. */
struct source {
    const struct json_doc *doc;
    uint32_t object;
    struct arena *scratch;
    const char *fault;
};

static bool refuse(struct source *source, const char *fault)
{
    source->fault = fault;
    return false;
}

static const struct json_value *member(const struct source *source, const char *name)
{
    uint32_t at = json_member(source->doc, source->object, str_of(name));
    return at == 0 ? NULL : &source->doc->tape[at];
}

/* The member's text; empty when it is absent or no string. */
static limen_str text_of(const struct source *source, const char *name)
{
    const struct json_value *value = member(source, name);
    return value != NULL && value->type == JSON_STRING ? json_text(value) : (limen_str){ 0 };
}

/* The member's bytes; false when it is absent, empty or no base64url. */
static bool bytes_of(struct source *source, const char *name, const uint8_t **ret_bytes, size_t *ret_count)
{
    limen_str text = text_of(source, name);
    uint8_t *bytes = arena_alloc(source->scratch, base64url_bytes(text.len));
    *ret_bytes = bytes;
    *ret_count = base64url_bytes(text.len);
    return (bytes != NULL && *ret_count > 0 && base64url_decode(text, bytes))
        || refuse(source, "a member of a key is missing or no base64url");
}

/* ---- RSA -------------------------------------------------------------------------------------------------------------- */

/* Keys of one widespread library have primes of a form that can be factored (CVE-2017-15361): their modulus is a power of 65537
 * modulo every small prime. A sound key passes all of these by a chance of one in 2^27. */
static bool has_weak_primes(const BIGNUM *modulus)
{
    static const unsigned primes[] = { 11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157 };
    for (size_t i = 0; i < sizeof(primes) / sizeof(primes[0]); i++) {
        unsigned prime = primes[i], wanted = (unsigned)BN_mod_word(modulus, prime), power = 1;
        bool is_power = false;
        for (unsigned n = 0; n < prime && !is_power; n++) {
            is_power = power == wanted;
            power = power * (65537 % prime) % prime;
        }
        if (!is_power)
            return false;
    }
    return true;
}

static bool rsa_is_strong(struct source *source, const BIGNUM *n, const BIGNUM *e)
{
    int bits = BN_num_bits(n);
    if (bits < RSA_BITS_LEAST)
        return refuse(source, "an RSA key is shorter than 2048 bits");
    if (bits > (int)LIMIT_RSA_BITS)
        return refuse(source, "an RSA key is longer than 8192 bits");
    if (!BN_is_odd(n) || !BN_is_odd(e) || BN_is_one(e) || BN_num_bits(e) > EXPONENT_BITS_MOST)
        return refuse(source, "an RSA key's modulus or exponent is not sound");
    return !has_weak_primes(n)
        || refuse(source, "an RSA key was made by a generator known to be weak (CVE-2017-15361)");
}

/* Makes the key of what `build` holds. */
static EVP_PKEY *key_from(const char *type, OSSL_PARAM_BLD *build)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    OSSL_PARAM *params = build == NULL ? NULL : OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY *key = NULL;
    if (context != NULL && params != NULL && EVP_PKEY_fromdata_init(context) == 1)
        (void)EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params);
    OSSL_PARAM_free(params);
    EVP_PKEY_CTX_free(context);
    return key;
}

static EVP_PKEY *rsa_key(const BIGNUM *n, const BIGNUM *e)
{
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY *key = NULL;
    if (build != NULL && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1
        && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) == 1)
        key = key_from("RSA", build);
    OSSL_PARAM_BLD_free(build);
    return key;
}

static bool read_rsa(struct source *source, struct jwk *key)
{
    const uint8_t *n_bytes, *e_bytes;
    size_t n_count, e_count;
    if (!bytes_of(source, "n", &n_bytes, &n_count) || !bytes_of(source, "e", &e_bytes, &e_count))
        return false;
    BIGNUM *n = BN_bin2bn(n_bytes, (int)n_count, NULL), *e = BN_bin2bn(e_bytes, (int)e_count, NULL);
    if (n != NULL && e != NULL && rsa_is_strong(source, n, e))
        key->public_key = rsa_key(n, e);
    BN_free(n);
    BN_free(e);
    if (key->public_key == NULL && source->fault == NULL)
        source->fault = "an RSA key was not understood";
    return key->public_key != NULL;
}

/* ---- the other types -------------------------------------------------------------------------------------------------- */

static bool read_ec(struct source *source, struct jwk *key)
{
    const struct jws_curve *curve = traits[key->algorithm].curve;
    const uint8_t *x, *y;
    size_t x_count, y_count;
    uint8_t point[1 + 2 * JWS_CURVE_BYTES_MOST] = { 0x04 }; /* uncompressed */
    if (!str_equal(text_of(source, "crv"), curve->name))
        return refuse(source, "a key's curve is not its algorithm's");
    if (!bytes_of(source, "x", &x, &x_count) || !bytes_of(source, "y", &y, &y_count))
        return false;
    if (x_count != curve->bytes || y_count != curve->bytes)
        return refuse(source, "a coordinate of a key is not as long as its curve's are");
    memcpy(point + 1, x, x_count);
    memcpy(point + 1 + x_count, y, y_count);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    if (build != NULL && OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, curve->group, 0) == 1
        && OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + x_count + y_count) == 1)
        key->public_key = key_from("EC", build); /* refuses a point that is not on the curve */
    OSSL_PARAM_BLD_free(build);
    return key->public_key != NULL || refuse(source, "a key's point is not on its curve");
}

static bool read_okp(struct source *source, struct jwk *key)
{
    const uint8_t *x;
    size_t count;
    if (!str_equal(text_of(source, "crv"), LIMEN_STR("Ed25519")))
        return refuse(source, "a key's curve is not Ed25519");
    if (!bytes_of(source, "x", &x, &count))
        return false;
    if (count == ED25519_BYTES)
        key->public_key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x, count);
    return key->public_key != NULL || refuse(source, "an Ed25519 key is not 32 bytes long");
}

static bool read_oct(struct source *source, struct jwk_set *set, struct jwk *key)
{
    const uint8_t *secret;
    if (!bytes_of(source, "k", &secret, &key->secret_bytes))
        return false;
    if (key->secret_bytes < traits[key->algorithm].digest_bytes) /* RFC 7518 section 3.2 */
        return refuse(source, "an HMAC key is shorter than its hash");
    uint8_t *copy = arena_alloc(&set->arena, key->secret_bytes);
    if (copy == NULL)
        return refuse(source, "memory is out");
    memcpy(copy, secret, key->secret_bytes);
    explicit_bzero((uint8_t *)(uintptr_t)secret, key->secret_bytes);
    key->secret = copy;
    return true;
}

/* ---- one key ---------------------------------------------------------------------------------------------------------- */

static bool is_for_verifying(struct source *source)
{
    const struct json_value *use = member(source, "use"), *operations = member(source, "key_ops");
    if (use != NULL && !str_equal(text_of(source, "use"), LIMEN_STR("sig")))
        return refuse(source, "a key is not for signatures (`use`)");
    if (operations == NULL)
        return true;
    if (operations->type != JSON_ARRAY)
        return refuse(source, "a key's `key_ops` is no list");
    for (const struct json_value *item = operations + 1; item < source->doc->tape + operations->next;
         item = source->doc->tape + item->next) {
        if (item->type == JSON_STRING && str_equal(json_text(item), LIMEN_STR("verify")))
            return true;
    }
    return refuse(source, "a key is not for verifying (`key_ops`)");
}

static bool read_type(struct source *source, enum jwk_type *ret_type)
{
    static const char *const names[] = { [JWK_OCT] = "oct", [JWK_RSA] = "RSA", [JWK_EC] = "EC", [JWK_OKP] = "OKP" };
    limen_str kty = text_of(source, "kty");
    for (int i = 0; i < 4; i++) {
        if (str_equal(kty, str_of(names[i]))) {
            *ret_type = (enum jwk_type)i;
            return true;
        }
    }
    return refuse(source, "a key's type (`kty`) is none of RSA, EC, OKP, oct");
}

/* What a key is for that does not say so. */
static bool imply_algorithm(struct source *source, enum jwk_type type, enum jws_algorithm *ret_algorithm)
{
    static const enum jws_algorithm implied[] = {
        [JWK_OCT] = JWS_HS256, [JWK_RSA] = JWS_RS256, [JWK_EC] = JWS_ES256, [JWK_OKP] = JWS_ED25519
    };
    *ret_algorithm = implied[type];
    if (type != JWK_EC)
        return true;
    limen_str curve = text_of(source, "crv");
    for (int i = 0; i < JWS_ALGORITHMS; i++) {
        if (traits[i].curve != NULL && str_equal(curve, traits[i].curve->name)) {
            *ret_algorithm = (enum jws_algorithm)i;
            return true;
        }
    }
    return refuse(source, "a key's curve is none of P-256, P-384 and P-521");
}

static bool read_algorithm(struct source *source, enum jwk_type type, struct jwk *key)
{
    if (member(source, "alg") == NULL)
        return imply_algorithm(source, type, &key->algorithm);
    limen_str name = text_of(source, "alg");
    /* Some name the algorithm of P-521 after the curve. It can mean one thing only, and its curve is looked at; in a token, where
     * RFC 7518 names it after the hash, it means nothing. */
    if (str_equal(name, LIMEN_STR("ES521")))
        name = LIMEN_STR("ES512");
    return (jws_algorithm_find(name, &key->algorithm) && traits[key->algorithm].key == type)
        || refuse(source, "a key's `alg` is not supported, or not for its type");
}

static bool read_kid(struct source *source, struct jwk_set *set, struct jwk *key)
{
    const struct json_value *kid = member(source, "kid");
    if (kid == NULL)
        return true;
    if (kid->type != JSON_STRING || kid->length == 0 || kid->length > LIMIT_KID_BYTES)
        return refuse(source, "a key's `kid` is no text of 1 to 255 bytes");
    key->kid = arena_copy(&set->arena, json_text(kid));
    return key->kid.ptr != NULL || refuse(source, "memory is out");
}

static bool read_key(struct source *source, struct jwk_set *set, struct jwk *key)
{
    enum jwk_type type;
    if (source->doc->tape[source->object].type != JSON_OBJECT)
        return refuse(source, "a key is no object");
    if (!read_type(source, &type) || !is_for_verifying(source) || !read_algorithm(source, type, key)
        || !read_kid(source, set, key))
        return false;
    if (type != JWK_OCT && member(source, "d") != NULL)
        return refuse(source, "a private key is where only its public part belongs");
    switch (type) {
    case JWK_OCT:
        return read_oct(source, set, key);
    case JWK_RSA:
        return read_rsa(source, key);
    case JWK_EC:
        return read_ec(source, key);
    case JWK_OKP:
        return read_okp(source, key);
    }
    return false;
}

/* ---- the set ---------------------------------------------------------------------------------------------------------- */

/* Two keys of one `kid`, also when one of them cannot be used: whose signature is it? */
static bool is_twice(const struct json_doc *doc, uint32_t first, uint32_t at)
{
    uint32_t kid = doc->tape[at].type == JSON_OBJECT ? json_member(doc, at, LIMEN_STR("kid")) : 0;
    for (uint32_t other = first; kid != 0 && other < at; other = doc->tape[other].next) {
        uint32_t its = doc->tape[other].type == JSON_OBJECT ? json_member(doc, other, LIMEN_STR("kid")) : 0;
        if (its != 0 && doc->tape[its].type == JSON_STRING && doc->tape[kid].type == JSON_STRING
            && str_equal(json_text(&doc->tape[its]), json_text(&doc->tape[kid])))
            return true;
    }
    return false;
}

static void key_release(struct jwk *key)
{
    EVP_PKEY_free(key->public_key);
    if (key->secret != NULL)
        explicit_bzero((uint8_t *)(uintptr_t)key->secret, key->secret_bytes);
}

/* Adds the key at `object`, or leaves it out and says why. */
static void add_key(struct jwk_set *set, const struct json_doc *doc, uint32_t object, struct arena *scratch,
                    const char **ret_left_out)
{
    struct source source = { .doc = doc, .object = object, .scratch = scratch };
    struct jwk key = { 0 };
    if (read_key(&source, set, &key))
        set->keys[set->count++] = key;
    else
        *ret_left_out = source.fault;
}

static const char *add_keys(struct jwk_set *set, const struct json_doc *doc, struct arena *scratch,
                            const char **ret_left_out)
{
    uint32_t list = doc->tape[0].type == JSON_OBJECT ? json_member(doc, 0, LIMEN_STR("keys")) : 0;
    if (list == 0) {
        add_key(set, doc, 0, scratch, ret_left_out);
        return NULL;
    }
    if (doc->tape[list].type != JSON_ARRAY)
        return "`keys` is no list";
    if (doc->tape[list].length > LIMIT_JWKS_KEYS)
        return "there are more than 32 keys";
    for (uint32_t at = list + 1; at < doc->tape[list].next; at = doc->tape[at].next) {
        if (is_twice(doc, list + 1, at))
            return "two keys share a `kid`";
        add_key(set, doc, at, scratch, ret_left_out);
    }
    for (uint32_t i = 1; i < set->count; i++) {
        if ((set->keys[i].secret == NULL) != (set->keys[0].secret == NULL))
            return "secret and public keys are mixed in one set";
    }
    return NULL;
}

/* NULL, or why the set is unfit. */
static const char *parse(struct jwk_set *set, limen_str json, const char **ret_left_out)
{
    struct arena scratch;
    struct json_doc doc;
    struct json_error error;
    arena_init(&scratch, NULL, LIMIT_JWKS_SCRATCH_BYTES);
    const char *fault = "it is no JSON that we read";
    if (json.len <= LIMIT_JWKS_BYTES && json_parse(json, &scratch, &doc, &error) == JSON_OK)
        fault = add_keys(set, &doc, &scratch, ret_left_out);
    arena_release(&scratch);
    return fault;
}

struct jwk_set *jwk_set_parse(limen_str json, const char **ret_fault, const char **ret_left_out)
{
    const char *left_out = NULL;
    struct jwk_set *set = calloc(1, sizeof(*set));
    *ret_fault = "memory is out";
    if (set == NULL)
        return NULL;
    arena_init(&set->arena, NULL, LIMIT_JWKS_SCRATCH_BYTES);
    *ret_fault = parse(set, json, &left_out);
    if (*ret_fault == NULL && set->count == 0)
        *ret_fault = left_out == NULL ? "there is no key" : left_out;
    if (*ret_fault != NULL) {
        jwk_set_free(set);
        return NULL;
    }
    if (ret_left_out != NULL)
        *ret_left_out = left_out;
    return set;
}

void jwk_set_free(struct jwk_set *set)
{
    if (set == NULL)
        return;
    for (uint32_t i = 0; i < set->count; i++)
        key_release(&set->keys[i]);
    arena_release(&set->arena);
    free(set);
}

uint32_t jwk_set_count(const struct jwk_set *set)
{
    return set->count;
}

const struct jwk *jwk_set_find(const struct jwk_set *set, limen_str kid, enum jws_algorithm algorithm)
{
    const struct jwk *found = NULL;
    for (uint32_t i = 0; i < set->count; i++) {
        const struct jwk *key = &set->keys[i];
        bool may_be_meant = kid.len == 0 || key->kid.len == 0 || str_equal(key->kid, kid);
        if (key->algorithm != algorithm || !may_be_meant)
            continue;
        if (found != NULL)
            return NULL;
        found = key;
    }
    return found;
}
