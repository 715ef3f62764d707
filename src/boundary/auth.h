/* auth.h - whose request is it, and did their own page send it? */
#ifndef BOUNDARY_AUTH_H
#define BOUNDARY_AUTH_H

#include "contract/contract.h"
#include "edge/http1.h"

enum cookie_outcome { COOKIE_FOUND, COOKIE_ABSENT, COOKIE_AMBIGUOUS };

/* The value of the cookie `name` in the request's Cookie fields (RFC 6265 4.2.1). The same name twice is ambiguous, also when the
 * values are equal: a sibling host may have planted one of them. */
enum cookie_outcome auth_cookie(const struct http_request *request, limen_str name,
                                limen_str *ret_value) LIMEN_MUST_CHECK;

/* Does this request come from another site's page? Fetch Metadata first, Origin where a browser sends none, and no browser where
 * neither is there. Only unsafe methods that carry a cookie need to ask. */
bool auth_is_cross_site(const struct http_request *request);

enum shown_outcome {
    SHOWN,
    SHOWN_NOT,
    SHOWN_BADLY /* twice, or not in the form that it must have */
};

/* The credential of this scheme that the request shows: a cookie, `Authorization: Bearer …` (RFC 6750 section 2.1; not in a body, not
 * in a query), or the header field of API keys. It has only the form of one. */
enum shown_outcome auth_credential(const struct http_request *request, const struct security_scheme *scheme,
                                   limen_str *ret_credential) LIMEN_MUST_CHECK;

#endif
