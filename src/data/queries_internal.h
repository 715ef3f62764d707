/* queries_internal.h - what the files that read queries.sql share (queries*.c); nobody else includes it. */
#ifndef DATA_QUERIES_INTERNAL_H
#define DATA_QUERIES_INTERNAL_H

#include "data/queries.h"
#include "data/sqltext.h"

struct query_parser {
    limen_str file, backend;
    struct arena *arena;
    struct diags *diags;
    struct sql_lexer lexer;
    struct sql_token token; /* the one that is looked at */
    struct query_set *set;
};

/* queries_line.c: the comments that say what a statement is. */
/* `-- name:` and `-- effect:`, from behind the colon. */
bool query_read_prototype(struct query_parser *parser, const struct sql_token *comment, limen_str text,
                          struct statement *statement) LIMEN_MUST_CHECK;
bool query_read_effect(struct query_parser *parser, const struct sql_token *comment, limen_str text,
                       struct statement *statement) LIMEN_MUST_CHECK;
/* Sees whether the comment that the parser looks at is one of ours; what is not, is the author's own. */
bool query_read_directive(struct query_parser *parser, struct statement *statement,
                          limen_str *variant) LIMEN_MUST_CHECK;

#endif
