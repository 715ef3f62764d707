/* auth.c - cookies, the cross-site rule, roles. */
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

bool auth_is_allowed(const struct operation *operation, uint32_t roles)
{
    for (uint32_t i = 0; i < operation->requirement_count; i++) {
        uint32_t demanded = operation->requirements[i].roles;
        if ((roles & demanded) == demanded)
            return true;
    }
    return false;
}
