/* problem.c - writing problem+json. Details are our own words; what the client sent comes back as a JSON Pointer at most. */
#include "boundary/problem.h"

#define LEAST 400 /* of the statuses that are problems */

/* What each status always says. */
static const struct words {
    limen_str title, members;
} words[] = {
#define WORDS(status)                                            \
    [(status)-LEAST] = { LIMEN_STR_INIT(PROBLEM_TITLE_##status), \
                         LIMEN_STR_INIT(",\"title\":\"" PROBLEM_TITLE_##status "\",\"status\":" #status) }
    WORDS(400), WORDS(401), WORDS(403), WORDS(404), WORDS(405), WORDS(408), WORDS(409),
    WORDS(410), WORDS(412), WORDS(413), WORDS(414), WORDS(415), WORDS(417), WORDS(422),
    WORDS(429), WORDS(431), WORDS(500), WORDS(501), WORDS(503), WORDS(504), WORDS(505),
#undef WORDS
};

/* NULL: a status that has none. */
static const struct words *words_of(int status)
{
    const bool is_known = status >= LEAST && (size_t)(status - LEAST) < sizeof(words) / sizeof(words[0])
        && words[status - LEAST].title.len > 0;
    return is_known ? &words[status - LEAST] : NULL;
}

limen_str problem_title(int status)
{
    const struct words *its = words_of(status);
    return its == NULL ? LIMEN_STR("Error") : its->title;
}

/* `head` is all that stands before the value: comma, name and colon. */
static void write_member(struct buf *out, limen_str head, limen_str value)
{
    buf_add(out, head);
    json_write_string(out, value);
}

void problem_write(const struct problem *problem, struct buf *out)
{
    const struct words *its = words_of(problem->status);
    if (problem->type == NULL)
        BUF_ADD(out, "{\"type\":\"about:blank\"");
    else
        write_member(out, LIMEN_STR("{\"type\":"), str_of(problem->type));
    if (its != NULL) {
        buf_add(out, its->members);
    } else {
        BUF_ADD(out, ",\"title\":\"Error\",\"status\":");
        buf_add_int(out, problem->status);
    }
    if (problem->detail.len > 0)
        write_member(out, LIMEN_STR(",\"detail\":"), problem->detail);
    if (problem->policy.len > 0) {
        write_member(out, LIMEN_STR(",\"violated-policies\":["), problem->policy);
        buf_add_char(out, ']');
    }
    buf_add_char(out, '}');
}

void problem_write_faults(struct problem_reply problem, const struct faults *faults, struct buf *out)
{
    buf_add(out, str_slice(problem.text, 0, problem.text.len - 1)); /* without the last brace */
    BUF_ADD(out, ",\"errors\":[");
    for (size_t i = 0; i < faults->count; i++) {
        const struct fault *fault = &faults->items[i];
        if (i > 0)
            buf_add_char(out, ',');
        write_member(out, LIMEN_STR("{\"pointer\":"), fault->pointer);
        BUF_ADD(out, ",\"rule\":\"");
        buf_add(out, fault->rule); /* one of our own words */
        write_member(out, LIMEN_STR("\",\"detail\":"), fault->detail);
        buf_add_char(out, '}');
    }
    BUF_ADD(out, "]}");
}
