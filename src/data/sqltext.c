/* sqltext.c - the tokens of SQL.
 *
 * One pass, no backtracking; whatever it does not know is punctuation, and the database's own parser has the last word. */
#include "data/sqltext.h"

void sql_lexer_init(struct sql_lexer *lexer, limen_str text)
{
    *lexer = (struct sql_lexer){ .text = text, .line = 1 };
}

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_part(char c)
{
    return is_name_start(c) || is_digit(c) || c == '$';
}

static char peek(const struct sql_lexer *lexer, size_t ahead)
{
    size_t at = lexer->at + ahead;
    return at < lexer->text.len ? lexer->text.ptr[at] : '\0';
}

static void advance(struct sql_lexer *lexer)
{
    if (lexer->text.ptr[lexer->at] == '\n') {
        lexer->line++;
        lexer->line_start = lexer->at + 1;
    }
    lexer->at++;
}

static void skip_space(struct sql_lexer *lexer)
{
    for (char c; lexer->at < lexer->text.len; advance(lexer)) {
        c = lexer->text.ptr[lexer->at];
        if (c != ' ' && c != '\t' && c != '\r' && c != '\n' && c != '\f')
            return;
    }
}

static void skip_names(struct sql_lexer *lexer)
{
    while (lexer->at < lexer->text.len && is_name_part(peek(lexer, 0)))
        lexer->at++;
}

/* From the opening quote to behind the closing one; a doubled closing quote stands for itself. */
static bool skip_quoted(struct sql_lexer *lexer, char close, bool doubles)
{
    advance(lexer);
    while (lexer->at < lexer->text.len) {
        bool is_close = peek(lexer, 0) == close;
        advance(lexer);
        if (!is_close)
            continue;
        if (!doubles || peek(lexer, 0) != close)
            return true;
        advance(lexer);
    }
    return false;
}

static bool skip_block_comment(struct sql_lexer *lexer)
{
    lexer->at += 2;
    while (lexer->at < lexer->text.len) {
        if (peek(lexer, 0) == '*' && peek(lexer, 1) == '/') {
            lexer->at += 2;
            return true;
        }
        advance(lexer);
    }
    return false;
}

static enum sql_kind skip_number(struct sql_lexer *lexer)
{
    while (is_name_part(peek(lexer, 0)) || peek(lexer, 0) == '.') {
        char c = peek(lexer, 0);
        lexer->at++;
        if ((c == 'e' || c == 'E') && (peek(lexer, 0) == '+' || peek(lexer, 0) == '-'))
            lexer->at++;
    }
    return SQL_NUMBER;
}

/* $$text$$ or $tag$text$tag$; false, and nothing is taken, when it is no such quote. One without an end goes to the end of the text. */
static bool skip_dollars(struct sql_lexer *lexer)
{
    size_t end = lexer->at + 1;
    while (end < lexer->text.len && lexer->text.ptr[end] != '$' && is_name_part(lexer->text.ptr[end]))
        end++;
    bool starts_with_digit = is_digit(peek(lexer, 1));
    if (end == lexer->text.len || lexer->text.ptr[end] != '$' || starts_with_digit)
        return false;
    limen_str tag = str_slice(lexer->text, lexer->at, end + 1);
    size_t close = str_find(lexer->text, tag, end + 1);
    size_t stop = close == SIZE_MAX ? lexer->text.len : close + tag.len;
    while (lexer->at < stop)
        advance(lexer);
    return true;
}

static enum sql_kind skip_token(struct sql_lexer *lexer)
{
    char c = peek(lexer, 0), d = peek(lexer, 1);
    if (c == '-' && d == '-') {
        while (lexer->at < lexer->text.len && peek(lexer, 0) != '\n')
            lexer->at++;
        return SQL_COMMENT;
    }
    if (c == '/' && d == '*')
        return skip_block_comment(lexer) ? SQL_COMMENT : SQL_BROKEN;
    if (c == '\'')
        return skip_quoted(lexer, '\'', /* doubles= */ true) ? SQL_STRING : SQL_BROKEN;
    if ((c == 'x' || c == 'X') && d == '\'') {
        lexer->at++;
        return skip_quoted(lexer, '\'', /* doubles= */ true) ? SQL_STRING : SQL_BROKEN;
    }
    if (c == '$' && skip_dollars(lexer))
        return SQL_STRING;
    if (c == '"' || c == '`')
        return skip_quoted(lexer, c, /* doubles= */ true) ? SQL_QUOTED : SQL_BROKEN;
    if (c == '[')
        return skip_quoted(lexer, ']', /* doubles= */ false) ? SQL_QUOTED : SQL_BROKEN;
    if (is_name_start(c)) {
        skip_names(lexer);
        return SQL_WORD;
    }
    if (is_digit(c) || (c == '.' && is_digit(d)))
        return skip_number(lexer);
    if (c == ':' && d == ':') {
        lexer->at += 2;
        return SQL_SIGN;
    }
    lexer->at++;
    if (c == '?' || ((c == ':' || c == '@' || c == '$' || c == '#') && (is_name_start(d) || is_digit(d)))) {
        skip_names(lexer);
        return c == ':' ? SQL_PARAM : SQL_POSITION;
    }
    return SQL_SIGN;
}

struct sql_token sql_next(struct sql_lexer *lexer)
{
    skip_space(lexer);
    struct sql_token token = { .line = lexer->line, .column = (uint32_t)(lexer->at - lexer->line_start) + 1 };
    size_t from = lexer->at;
    if (from < lexer->text.len)
        token.kind = skip_token(lexer);
    token.text = str_slice(lexer->text, from, lexer->at);
    return token;
}

struct sql_token sql_next_code(struct sql_lexer *lexer)
{
    struct sql_token token = sql_next(lexer);
    while (token.kind == SQL_COMMENT)
        token = sql_next(lexer);
    return token;
}

bool sql_is_word(const struct sql_token *token, limen_str word)
{
    return token->kind == SQL_WORD && str_equal_nocase(token->text, word);
}

bool sql_is_sign(const struct sql_token *token, char sign)
{
    return token->kind == SQL_SIGN && token->text.len == 1 && token->text.ptr[0] == sign;
}

bool sql_is_name(const struct sql_token *token)
{
    return token->kind == SQL_WORD || token->kind == SQL_QUOTED;
}

limen_str sql_name(const struct sql_token *token)
{
    if ((token->kind == SQL_QUOTED || token->kind == SQL_STRING) && token->text.len >= 2)
        return str_slice(token->text, 1, token->text.len - 1);
    return token->text;
}

bool sql_directive(const struct sql_token *comment, limen_str *ret_word, limen_str *ret_rest)
{
    if (comment->kind != SQL_COMMENT || !str_starts(comment->text, LIMEN_STR("--")))
        return false;
    limen_str text = str_trim(str_slice(comment->text, 2, comment->text.len));
    size_t len = 0;
    while (len < text.len && ((text.ptr[len] >= 'a' && text.ptr[len] <= 'z') || text.ptr[len] == '-'))
        len++;
    bool has_colon = len < text.len && text.ptr[len] == ':';
    if (len == 0 || (len < text.len && !has_colon))
        return false;
    *ret_word = str_slice(text, 0, len);
    *ret_rest = str_trim(str_slice(text, len + has_colon, text.len));
    return true;
}
