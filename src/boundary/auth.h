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

/* Does a principal with these roles satisfy one of the operation's requirements? */
bool auth_is_allowed(const struct operation *operation, uint32_t roles);

#endif
