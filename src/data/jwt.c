/* jwt.c - holds the claims of a verified token against the scheme's rules.
 *
 * A claim that decides something must be there and be of its type; what is not asked for is not looked at. */
#include "data/jwt.h"

#include "contract/json.h"
#include "core/arena.h"
#include "core/limits.h"
#include "core/str.h"

#define LAST_SECOND 253402300799LL /* the end of the year 9999 */

/* ---- reading ---------------------------------------------------------------------------------------------------------- */

static const struct json_value *claim(const struct json_doc *doc, limen_str name)
{
    uint32_t at = json_member(doc, 0, name);
    return at == 0 ? NULL : &doc->tape[at];
}

static bool is_text(const struct json_value *value, limen_str wanted)
{
    return value != NULL && value->type == JSON_STRING && str_equal(json_text(value), wanted);
}

/* A NumericDate (RFC 7519 section 2): seconds, perhaps with a fraction. */
static bool read_date(const struct json_value *value, limen_time *ret_time)
{
    if (value->type == JSON_INT && value->as.integer >= 0 && value->as.integer <= LAST_SECOND) {
        *ret_time = value->as.integer * 1000000;
        return true;
    }
    if (value->type != JSON_DOUBLE || !(value->as.number >= 0 && value->as.number <= (double)LAST_SECOND))
        return false;
    *ret_time = (limen_time)(value->as.number * 1e6);
    return true;
}

/* ---- rules ------------------------------------------------------------------------------------------------------------ */

/* RFC 7515 section 4.1.9: a media type, "application/" left out, without regard to case. A token of another type was made for
 * another use (RFC 8725 section 3.11). */
static bool type_is_right(limen_str type, limen_str wanted)
{
    limen_str prefix = LIMEN_STR("application/");
    if (type.len > prefix.len && str_equal_nocase(str_slice(type, 0, prefix.len), prefix))
        type = str_slice(type, prefix.len, type.len);
    if (wanted.len > 0)
        return str_equal_nocase(type, wanted);
    return type.len == 0 || str_equal_nocase(type, LIMEN_STR("JWT")) || str_equal_nocase(type, LIMEN_STR("at+jwt"));
}

/* RFC 7519 section 4.1.3: one text or a list of them. */
static bool audience_is_right(const struct json_doc *doc, limen_str wanted)
{
    const struct json_value *audience = claim(doc, LIMEN_STR("aud"));
    if (audience == NULL || audience->type != JSON_ARRAY)
        return is_text(audience, wanted);
    for (const struct json_value *item = audience + 1; item < doc->tape + audience->next;
         item = doc->tape + item->next) {
        if (is_text(item, wanted))
            return true;
    }
    return false;
}

/* NULL, or what is wrong with its times. */
static const char *time_fault(const struct json_doc *doc, limen_time now, limen_time *ret_expires_at,
                              bool *ret_is_early)
{
    const struct json_value *expires = claim(doc, LIMEN_STR("exp")), *not_before = claim(doc, LIMEN_STR("nbf"));
    limen_time from = 0;
    if (expires == NULL || !read_date(expires, ret_expires_at))
        return "it does not say when it expires";
    if (not_before != NULL && !read_date(not_before, &from))
        return "its nbf is no date";
    if (now >= *ret_expires_at + LIMIT_TOKEN_LEEWAY_US)
        return "it has expired";
    *ret_is_early = now < from - LIMIT_TOKEN_LEEWAY_US;
    return *ret_is_early ? "it is not valid yet" : NULL;
}

static bool read_subject(const struct json_doc *doc, limen_str *ret_subject)
{
    const struct json_value *subject = claim(doc, LIMEN_STR("sub"));
    if (subject == NULL || subject->type != JSON_STRING || subject->length == 0)
        return false;
    *ret_subject = json_text(subject);
    return memchr(ret_subject->ptr, '\0', ret_subject->len) == NULL;
}

/* ---- roles ------------------------------------------------------------------------------------------------------------ */

static bool add_role(struct jwt *jwt, limen_str name)
{
    if (name.len == 0)
        return true;
    if (jwt->role_count == JWT_ROLES_MOST)
        return false;
    jwt->roles[jwt->role_count++] = name;
    return true;
}

/* Names with spaces between (RFC 8693 section 4.2), or a list. */
static bool read_roles(const struct json_doc *doc, limen_str name, struct jwt *jwt)
{
    const struct json_value *roles = claim(doc, name);
    if (roles == NULL)
        return true;
    if (roles->type == JSON_STRING) {
        limen_str rest = json_text(roles);
        while (rest.len > 0) {
            if (!add_role(jwt, str_cut(&rest, ' ')))
                return false;
        }
        return true;
    }
    if (roles->type != JSON_ARRAY)
        return false;
    for (const struct json_value *item = roles + 1; item < doc->tape + roles->next; item = doc->tape + item->next) {
        if (item->type != JSON_STRING || !add_role(jwt, json_text(item)))
            return false;
    }
    return true;
}

/* ---- the token -------------------------------------------------------------------------------------------------------- */

static enum jwt_outcome unsigned_outcome(enum jws_outcome outcome, const char **ret_why)
{
    static const char *const why[] = {
        [JWS_MALFORMED] = "it is malformed",        [JWS_REFUSED] = "its algorithm, or an extension, is not accepted",
        [JWS_UNKNOWN_KEY] = "its key is not known", [JWS_BAD_SIGNATURE] = "its signature is wrong",
        [JWS_NO_MEMORY] = "memory is out",
    };
    *ret_why = why[outcome];
    return outcome == JWS_UNKNOWN_KEY ? JWT_UNKNOWN_KEY : outcome == JWS_NO_MEMORY ? JWT_NO_MEMORY : JWT_REFUSED;
}

/* NULL, or what is wrong with the claims. */
static const char *claims_fault(const struct jwt_rules *rules, limen_str type, const struct json_doc *doc,
                                limen_time now, struct jwt *jwt, bool *ret_is_early)
{
    if (doc->tape[0].type != JSON_OBJECT)
        return "its payload is no JSON object";
    if (!type_is_right(type, rules->type))
        return "its type is another's";
    if (!is_text(claim(doc, LIMEN_STR("iss")), rules->issuer))
        return "its issuer is another";
    if (!audience_is_right(doc, rules->audience))
        return "it is for another audience";
    if (!read_subject(doc, &jwt->subject))
        return "it has no subject";
    if (!read_roles(doc, rules->roles_claim, jwt))
        return "its roles cannot be read";
    return time_fault(doc, now, &jwt->expires_at, ret_is_early);
}

enum jwt_outcome jwt_verify(limen_str token, const struct jwk_set *keys, const struct jwt_rules *rules, limen_time now,
                            struct arena *arena, struct jwt *ret_jwt, const char **ret_why)
{
    struct jws jws;
    struct json_doc doc;
    struct json_error error;
    struct jwt jwt = { 0 };
    bool is_early = false;
    enum jws_outcome outcome = jws_verify(token, keys, rules->algorithms, arena, &jws);
    if (outcome != JWS_OK)
        return unsigned_outcome(outcome, ret_why);
    enum json_outcome parsed = json_parse(jws.payload, arena, &doc, &error);
    if (parsed == JSON_NO_MEMORY)
        return unsigned_outcome(JWS_NO_MEMORY, ret_why);
    *ret_why = parsed != JSON_OK ? "its payload is no JSON that we read"
                                 : claims_fault(rules, jws.type, &doc, now, &jwt, &is_early);
    if (*ret_why != NULL)
        return is_early ? JWT_EARLY : JWT_REFUSED;
    *ret_jwt = jwt;
    return JWT_OK;
}
