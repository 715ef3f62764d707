/* sqltext.h - SQL as a row of tokens.
 *
 * Enough of the lexical grammar that SQLite and PostgreSQL share to find where a statement ends, which names it uses and where
 * its parameters stand, without being fooled by strings, quoted names or comments. */
#ifndef DATA_SQLTEXT_H
#define DATA_SQLTEXT_H

#include "core/str.h"

enum sql_kind {
    SQL_END,
    SQL_WORD,   /* a keyword or a bare name */
    SQL_QUOTED, /* "name", [name], `name` */
    SQL_STRING, /* 'text', also x'00' and PostgreSQL's $$text$$ */
    SQL_NUMBER,
    SQL_PARAM,    /* :name */
    SQL_POSITION, /* ?1, @name, $name: never ours */
    SQL_SIGN,     /* one character of punctuation, or :: */
    SQL_COMMENT,
    SQL_BROKEN /* a string, quoted name or comment without its end */
};

struct sql_token {
    enum sql_kind kind;
    limen_str text; /* as written, quotes included; a comment without its line's end */
    uint32_t line, column;
};

struct sql_lexer {
    limen_str text;
    size_t at, line_start;
    uint32_t line;
};

void sql_lexer_init(struct sql_lexer *lexer, limen_str text);
/* The next token, comments included. After SQL_END, SQL_END again. */
struct sql_token sql_next(struct sql_lexer *lexer);
/* The next token that is no comment. */
struct sql_token sql_next_code(struct sql_lexer *lexer);

bool sql_is_word(const struct sql_token *token, limen_str word); /* a bare word, without regard to case */
bool sql_is_sign(const struct sql_token *token, char sign);
/* A bare or quoted name without its quotes ("" inside is left as it is); a string counts, because SQLite takes one for a name. */
limen_str sql_name(const struct sql_token *token);
bool sql_is_name(const struct sql_token *token); /* SQL_WORD or SQL_QUOTED */

/* "word: rest" of a line comment: `-- owner: customer_id`. False when the comment is not of this form. */
bool sql_directive(const struct sql_token *comment, limen_str *ret_word, limen_str *ret_rest) LIMEN_MUST_CHECK;

#endif
