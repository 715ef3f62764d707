/* method.h - the HTTP methods that a contract can name. */
#ifndef CONTRACT_METHOD_H
#define CONTRACT_METHOD_H

#include "limen/base.h"

enum http_method {
    METHOD_GET,
    METHOD_HEAD,
    METHOD_POST,
    METHOD_PUT,
    METHOD_PATCH,
    METHOD_DELETE,
    METHOD_OPTIONS,
    METHOD_UNKNOWN /* well-formed, but none of ours: 501 */
};
#define METHOD_COUNT METHOD_UNKNOWN

/* Case-sensitive, as RFC 9110 9.1 asks. */
enum http_method method_of(limen_str name);
limen_str method_name(enum http_method method);
/* GET, HEAD, OPTIONS (RFC 9110 9.2.1). */
bool method_is_safe(enum http_method method);

#endif
