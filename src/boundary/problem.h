/* problem.h - every refusal is one of these: RFC 9457, application/problem+json. */
#ifndef BOUNDARY_PROBLEM_H
#define BOUNDARY_PROBLEM_H

#include "contract/schema.h"
#include "core/str.h"

#define PROBLEM_MEDIA_TYPE LIMEN_STR("application/problem+json")

struct problem {
    int status;
    const char *type;            /* a URI reference; NULL: about:blank */
    limen_str detail;            /* may be empty */
    const struct faults *faults; /* becomes `errors`; may be NULL */
    limen_str policy;            /* the violated rate limit policy; empty: none */
};

/* The reason phrase, also a problem's title: "Unprocessable Content". */
limen_str problem_title(int status);
void problem_write(const struct problem *problem, struct buf *out);

#endif
