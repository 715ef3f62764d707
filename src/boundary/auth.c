/* auth.c - cookies and other places of credentials, the cross-site rule. */
#include "boundary/auth.h"

#include "core/str.h"

/* Looks through one Cookie field; a second find makes the outcome ambiguous. */
static void search_cookie_field(limen_str field, limen_str name, enum cookie_outcome *outcome, limen_str *ret_value)
{
    while (field.len > 0) {
        limen_str pair = str_trim(str_cut(&field, ';'));
        size_t equals = str_find_char(pair, '=', 0);
        if (equals == SIZE_MAX || !str_equal(str_slice(pair, 0, equals), name))
            continue;
        *outcome = *outcome == COOKIE_ABSENT ? COOKIE_FOUND : COOKIE_AMBIGUOUS;
        *ret_value = str_slice(pair, equals + 1, pair.len);
    }
}

enum cookie_outcome auth_cookie(const struct http_request *request, limen_str name, limen_str *ret_value)
{
    enum cookie_outcome outcome = COOKIE_ABSENT;
    if (request->first[HEADER_COOKIE] == 0)
        return COOKIE_ABSENT;
    for (uint32_t i = request->first[HEADER_COOKIE] - 1U; i < request->field_count; i++) {
        if (request->fields[i].id == HEADER_COOKIE)
            search_cookie_field(request->fields[i].value, name, &outcome, ret_value);
    }
    return outcome;
}

/* "https://shop.example:8443" against a Host of "shop.example:8443". */
static bool origin_is_host(limen_str origin, limen_str host)
{
    size_t slashes = str_find(origin, LIMEN_STR("://"), 0);
    return slashes != SIZE_MAX && str_equal_nocase(str_slice(origin, slashes + 3, origin.len), host);
}

bool auth_is_cross_site(const struct http_request *request)
{
    const struct http_field *site = http_field_get(request, HEADER_SEC_FETCH_SITE);
    if (site != NULL)
        return !str_equal(site->value, LIMEN_STR("same-origin")) && !str_equal(site->value, LIMEN_STR("none"));
    const struct http_field *origin = http_field_get(request, HEADER_ORIGIN);
    return origin != NULL && !origin_is_host(origin->value, request->host);
}

/* ---- where credentials stand ------------------------------------------------------------------------------------------ */

/* b64token of RFC 6750, which a JWT is a case of. */
static bool is_bearer_token(limen_str text)
{
    static const uint8_t is_token_char[256] = {
        ['A' ... 'Z'] = 1, ['a' ... 'z'] = 1, ['0' ... '9'] = 1, ['-'] = 1, ['.'] = 1,
        ['_'] = 1,         ['~'] = 1,         ['+'] = 1,         ['/'] = 1,
    };
    size_t len = text.len;
    uint8_t all = 1;
    while (len > 0 && text.ptr[len - 1] == '=')
        len--;
    for (size_t i = 0; i < len; i++)
        all &= is_token_char[(uint8_t)text.ptr[i]];
    return len > 0 && all == 1 && text.len <= LIMIT_TOKEN_BYTES;
}

/* The edge has refused a second Authorization field. */
static enum shown_outcome bearer_of(const struct http_request *request, limen_str *ret_token)
{
    const struct http_field *field = http_field_get(request, HEADER_AUTHORIZATION);
    if (field == NULL)
        return SHOWN_NOT;
    limen_str rest = field->value;
    limen_str name = str_cut(&rest, ' ');
    if (!str_equal_nocase(name, LIMEN_STR("Bearer")))
        return SHOWN_NOT;
    *ret_token = str_trim(rest);
    return is_bearer_token(*ret_token) ? SHOWN : SHOWN_BADLY;
}

enum shown_outcome auth_credential(const struct http_request *request, const struct security_scheme *scheme,
                                   limen_str *ret_credential)
{
    uint32_t count = 0;
    switch (scheme->kind) {
    case SCHEME_BEARER:
        return bearer_of(request, ret_credential);
    case SCHEME_API_KEY:
    case SCHEME_WEBHOOK:
        *ret_credential = http_field_find(request, scheme->field, &count);
        return count == 0 ? SHOWN_NOT : count == 1 && ret_credential->len > 0 ? SHOWN : SHOWN_BADLY;
    case SCHEME_SESSION:
        break;
    }
    switch (auth_cookie(request, scheme->field, ret_credential)) {
    case COOKIE_FOUND:
        return SHOWN;
    case COOKIE_AMBIGUOUS:
        return SHOWN_BADLY;
    case COOKIE_ABSENT:
        break;
    }
    return SHOWN_NOT;
}
