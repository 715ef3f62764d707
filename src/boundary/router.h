/* router.h - from method and path to an operation.
 *
 * A tree over path segments, built once. A literal segment is preferred to a parameter, unless it leads nowhere; the
 * contract has no two paths that match the same requests, so there is never more to decide. */
#ifndef BOUNDARY_ROUTER_H
#define BOUNDARY_ROUTER_H

#include "contract/contract.h"

struct router;

enum route_outcome { ROUTE_FOUND, ROUTE_NO_PATH, ROUTE_NO_METHOD };

/* The raw (still percent-encoded) values of a path's parameters, by the index of operation.parameters. */
struct path_params {
    limen_str values[LIMIT_PARAMETERS];
};

/* Lives in the arena, as long as the contract. NULL when memory is out. */
struct router *router_new(const struct contract *contract, struct arena *arena);

/* Finds the operation for a method and a raw path. HEAD finds GET's operation. ROUTE_NO_PATH is a 404; for ROUTE_NO_METHOD (405, and
 * OPTIONS) `ret_allow` lists the methods that exist, as the value of an Allow field that lives as long as the router. */
enum route_outcome router_find(const struct router *router, enum http_method method, limen_str path,
                               struct path_params *ret_params, const struct operation **ret_operation,
                               limen_str *ret_allow) LIMEN_MUST_CHECK;

#endif
