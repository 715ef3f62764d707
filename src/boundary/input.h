/* input.h - from a request's parameters and body into the handler's input struct. */
#ifndef BOUNDARY_INPUT_H
#define BOUNDARY_INPUT_H

#include "boundary/admit.h"

/* Where one declared parameter goes. */
struct bound_parameter {
    const struct parameter *parameter;
    const struct limen_field *field; /* in the struct of its place (path, query, header, cookie) */
    uint32_t base;                   /* offset of that struct in the input */
    limen_str pointer;               /* "/query/limit", for faults */
};

/* An operation and its handler, resolved once. */
struct bound_operation {
    const struct limen_handler *handler;
    struct bound_parameter parameters[LIMIT_PARAMETERS];
    const struct limen_field *body; /* NULL: none */
};

/* Reads path, query, header and cookie parameters, each against its schema; an unknown or repeated query parameter is a fault. True when
 * no fault was added. */
bool input_bind_parameters(struct admission *admission, const struct bound_operation *bound) LIMEN_MUST_CHECK;
/* Fills the input's body from a validated document. False when memory is out or the generated header is older than the contract. */
bool input_bind_body(struct admission *admission, const struct bound_operation *bound,
                     const struct json_doc *doc) LIMEN_MUST_CHECK;

#endif
