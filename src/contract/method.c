/* method.c - names of methods. */
#include "contract/method.h"

#include "core/str.h"

static const limen_str names[] = {
    [METHOD_GET] = LIMEN_STR_INIT("GET"),         [METHOD_HEAD] = LIMEN_STR_INIT("HEAD"),
    [METHOD_POST] = LIMEN_STR_INIT("POST"),       [METHOD_PUT] = LIMEN_STR_INIT("PUT"),
    [METHOD_PATCH] = LIMEN_STR_INIT("PATCH"),     [METHOD_DELETE] = LIMEN_STR_INIT("DELETE"),
    [METHOD_OPTIONS] = LIMEN_STR_INIT("OPTIONS"), [METHOD_UNKNOWN] = LIMEN_STR_INIT("?"),
};

enum http_method method_of(limen_str name)
{
    for (int method = 0; method < (int)METHOD_COUNT; method++) {
        if (str_equal(name, names[method]))
            return (enum http_method)method;
    }
    return METHOD_UNKNOWN;
}

limen_str method_name(enum http_method method)
{
    return names[method];
}

bool method_is_safe(enum http_method method)
{
    return method == METHOD_GET || method == METHOD_HEAD || method == METHOD_OPTIONS;
}
