/* problem.c - writing problem+json. Details are our own words; what the client sent comes back as a JSON Pointer at most. */
#include "boundary/problem.h"

const char *problem_title(int status)
{
    static const struct {
        int status;
        const char *title;
    } titles[] = {
        { 400, "Bad Request" },
        { 401, "Unauthorized" },
        { 403, "Forbidden" },
        { 404, "Not Found" },
        { 405, "Method Not Allowed" },
        { 408, "Request Timeout" },
        { 409, "Conflict" },
        { 410, "Gone" },
        { 412, "Precondition Failed" },
        { 413, "Content Too Large" },
        { 414, "URI Too Long" },
        { 415, "Unsupported Media Type" },
        { 417, "Expectation Failed" },
        { 422, "Unprocessable Content" },
        { 429, "Too Many Requests" },
        { 431, "Request Header Fields Too Large" },
        { 500, "Internal Server Error" },
        { 501, "Not Implemented" },
        { 503, "Service Unavailable" },
        { 504, "Gateway Timeout" },
        { 505, "HTTP Version Not Supported" },
    };
    for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++) {
        if (titles[i].status == status)
            return titles[i].title;
    }
    return "Error";
}

static void write_member(struct buf *out, const char *name, limen_str value)
{
    buf_printf(out, "\"%s\":", name);
    json_write_string(out, value);
}

static void write_faults(const struct faults *faults, struct buf *out)
{
    BUF_ADD(out, ",\"errors\":[");
    for (size_t i = 0; i < faults->count; i++) {
        const struct fault *fault = &faults->items[i];
        if (i > 0)
            buf_add_char(out, ',');
        buf_add_char(out, '{');
        write_member(out, "pointer", fault->pointer);
        buf_add_char(out, ',');
        write_member(out, "rule", fault->rule);
        buf_add_char(out, ',');
        write_member(out, "detail", fault->detail);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

void problem_write(const struct problem *problem, struct buf *out)
{
    buf_add_char(out, '{');
    write_member(out, "type", str_of(problem->type == NULL ? "about:blank" : problem->type));
    buf_add_char(out, ',');
    write_member(out, "title", str_of(problem_title(problem->status)));
    buf_printf(out, ",\"status\":%d", problem->status);
    if (problem->detail.len > 0) {
        buf_add_char(out, ',');
        write_member(out, "detail", problem->detail);
    }
    if (problem->policy.len > 0) {
        BUF_ADD(out, ",\"violated-policies\":[");
        json_write_string(out, problem->policy);
        buf_add_char(out, ']');
    }
    if (problem->faults != NULL && problem->faults->count > 0)
        write_faults(problem->faults, out);
    buf_add_char(out, '}');
}
