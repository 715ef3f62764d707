/* problem.h - every refusal is one of these: RFC 9457, application/problem+json. */
#ifndef BOUNDARY_PROBLEM_H
#define BOUNDARY_PROBLEM_H

#include "contract/schema.h"
#include "core/str.h"

#define PROBLEM_MEDIA_TYPE LIMEN_STR("application/problem+json")

/* The titles of the statuses that are problems: their reason phrases (RFC 9110 section 15, RFC 6585). */
#define PROBLEM_TITLE_400 "Bad Request"
#define PROBLEM_TITLE_401 "Unauthorized"
#define PROBLEM_TITLE_403 "Forbidden"
#define PROBLEM_TITLE_404 "Not Found"
#define PROBLEM_TITLE_405 "Method Not Allowed"
#define PROBLEM_TITLE_408 "Request Timeout"
#define PROBLEM_TITLE_409 "Conflict"
#define PROBLEM_TITLE_410 "Gone"
#define PROBLEM_TITLE_412 "Precondition Failed"
#define PROBLEM_TITLE_413 "Content Too Large"
#define PROBLEM_TITLE_414 "URI Too Long"
#define PROBLEM_TITLE_415 "Unsupported Media Type"
#define PROBLEM_TITLE_417 "Expectation Failed"
#define PROBLEM_TITLE_422 "Unprocessable Content"
#define PROBLEM_TITLE_429 "Too Many Requests"
#define PROBLEM_TITLE_431 "Request Header Fields Too Large"
#define PROBLEM_TITLE_500 "Internal Server Error"
#define PROBLEM_TITLE_501 "Not Implemented"
#define PROBLEM_TITLE_503 "Service Unavailable"
#define PROBLEM_TITLE_504 "Gateway Timeout"
#define PROBLEM_TITLE_505 "HTTP Version Not Supported"

/* A problem as it is sent. */
struct problem_reply {
    int status;
    limen_str text; /* empty: memory was out when it was to be written */
};

/* Most refusals are always the same. The compiler makes their text, so that they cost nothing: PROBLEM(404, "there is nothing here"). The
 * detail must need no escapes. */
#define PROBLEM(status, detail) ((struct problem_reply)PROBLEM_INIT(status, detail))
#define PROBLEM_INIT(status, detail)                                                       \
    {                                                                                      \
        (status),                                                                          \
            LIMEN_STR_INIT("{\"type\":\"about:blank\",\"title\":\"" PROBLEM_TITLE_##status \
                           "\",\"status\":" #status ",\"detail\":\"" detail "\"}")         \
    }

/* One that is not. */
struct problem {
    int status;
    const char *type; /* a URI reference; NULL: about:blank */
    limen_str detail; /* may be empty */
    limen_str policy; /* the violated rate limit policy; empty: none */
};

/* The reason phrase, also a problem's title: "Unprocessable Content". */
limen_str problem_title(int status);
void problem_write(const struct problem *problem, struct buf *out);
/* One with a text, and what is wrong in particular as `errors`. */
void problem_write_faults(struct problem_reply problem, const struct faults *faults, struct buf *out);

#endif
