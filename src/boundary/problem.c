/* problem.c - writing problem+json. Details are our own words; what the client sent comes back as a JSON Pointer at most. */
#include "boundary/problem.h"

#define LEAST 400 /* of the statuses that are problems */

limen_str problem_title(int status)
{
    static const limen_str titles[] = {
        [400 - LEAST] = LIMEN_STR_INIT("Bad Request"),
        [401 - LEAST] = LIMEN_STR_INIT("Unauthorized"),
        [403 - LEAST] = LIMEN_STR_INIT("Forbidden"),
        [404 - LEAST] = LIMEN_STR_INIT("Not Found"),
        [405 - LEAST] = LIMEN_STR_INIT("Method Not Allowed"),
        [408 - LEAST] = LIMEN_STR_INIT("Request Timeout"),
        [409 - LEAST] = LIMEN_STR_INIT("Conflict"),
        [410 - LEAST] = LIMEN_STR_INIT("Gone"),
        [412 - LEAST] = LIMEN_STR_INIT("Precondition Failed"),
        [413 - LEAST] = LIMEN_STR_INIT("Content Too Large"),
        [414 - LEAST] = LIMEN_STR_INIT("URI Too Long"),
        [415 - LEAST] = LIMEN_STR_INIT("Unsupported Media Type"),
        [417 - LEAST] = LIMEN_STR_INIT("Expectation Failed"),
        [422 - LEAST] = LIMEN_STR_INIT("Unprocessable Content"),
        [429 - LEAST] = LIMEN_STR_INIT("Too Many Requests"),
        [431 - LEAST] = LIMEN_STR_INIT("Request Header Fields Too Large"),
        [500 - LEAST] = LIMEN_STR_INIT("Internal Server Error"),
        [501 - LEAST] = LIMEN_STR_INIT("Not Implemented"),
        [503 - LEAST] = LIMEN_STR_INIT("Service Unavailable"),
        [504 - LEAST] = LIMEN_STR_INIT("Gateway Timeout"),
        [505 - LEAST] = LIMEN_STR_INIT("HTTP Version Not Supported"),
    };
    const bool is_known = status >= LEAST && (size_t)(status - LEAST) < sizeof titles / sizeof *titles
        && titles[status - LEAST].len > 0;
    return is_known ? titles[status - LEAST] : LIMEN_STR("Error");
}

/* `head` is all that stands before the value: comma, name and colon. */
static void write_member(struct buf *out, limen_str head, limen_str value)
{
    buf_add(out, head);
    json_write_string(out, value);
}

static void write_faults(const struct faults *faults, struct buf *out)
{
    BUF_ADD(out, ",\"errors\":[");
    for (size_t i = 0; i < faults->count; i++) {
        const struct fault *fault = &faults->items[i];
        if (i > 0)
            buf_add_char(out, ',');
        write_member(out, LIMEN_STR("{\"pointer\":"), fault->pointer);
        write_member(out, LIMEN_STR(",\"rule\":"), fault->rule);
        write_member(out, LIMEN_STR(",\"detail\":"), fault->detail);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

void problem_write(const struct problem *problem, struct buf *out)
{
    write_member(out, LIMEN_STR("{\"type\":"), str_of(problem->type == NULL ? "about:blank" : problem->type));
    write_member(out, LIMEN_STR(",\"title\":"), problem_title(problem->status));
    BUF_ADD(out, ",\"status\":");
    buf_add_int(out, problem->status);
    if (problem->detail.len > 0)
        write_member(out, LIMEN_STR(",\"detail\":"), problem->detail);
    if (problem->policy.len > 0) {
        write_member(out, LIMEN_STR(",\"violated-policies\":["), problem->policy);
        buf_add_char(out, ']');
    }
    if (problem->faults != NULL && problem->faults->count > 0)
        write_faults(problem->faults, out);
    buf_add_char(out, '}');
}
