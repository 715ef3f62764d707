/* queries.c - reads queries.sql.
 *
 * The file is one row of tokens; a comment `-- name:` opens a statement, the comments below it say more, and the text up to the
 * next `;` is its SQL. Everything that the text could use to step around the guards (a schema's name, Limen's own tables, a
 * conflict clause that undoes more than the statement) is refused here, before a database has seen it. */
#include "data/queries.h"

#include "core/arena.h"
#include "core/limits.h"
#include "core/str.h"
#include "data/sqltext.h"

#define NAME_BYTES_MAX 63U
#define ELSE_TEXT_BYTES_MAX 200U

struct parser {
    limen_str file, backend;
    struct arena *arena;
    struct diags *diags;
    struct sql_lexer lexer;
    struct sql_token token; /* the one that is looked at */
    struct query_set *set;
};

/* What stands in a directive comment, read from left to right. */
struct cursor {
    struct parser *parser;
    const struct sql_token *comment;
    limen_str text; /* what is left */
};

static void next(struct parser *parser)
{
    parser->token = sql_next(&parser->lexer);
}

#define FAULT(parser, token, mend, ...) \
    diags_add_at((parser)->diags, (parser)->file, (token)->line, (token)->column, LIMEN_STR(mend), __VA_ARGS__)

static bool cursor_fault(const struct cursor *cursor, limen_str mend, limen_str message)
{
    uint32_t column = cursor->comment->column + (uint32_t)(cursor->text.ptr - cursor->comment->text.ptr);
    diags_add_at(cursor->parser->diags, cursor->parser->file, cursor->comment->line, column, mend, "%.*s",
                 LIMEN_STR_ARG(message));
    return false;
}
#define CURSOR_FAULT(cursor, message, mend) cursor_fault((cursor), LIMEN_STR(mend), LIMEN_STR(message))

/* ---- the directives ---------------------------------------------------------------------------------------------- */

static void cursor_skip_space(struct cursor *cursor)
{
    while (cursor->text.len > 0 && (cursor->text.ptr[0] == ' ' || cursor->text.ptr[0] == '\t'))
        cursor->text = str_slice(cursor->text, 1, cursor->text.len);
}

static bool cursor_take(struct cursor *cursor, limen_str what)
{
    cursor_skip_space(cursor);
    if (!str_starts(cursor->text, what))
        return false;
    cursor->text = str_slice(cursor->text, what.len, cursor->text.len);
    return true;
}
#define TAKE(cursor, literal) cursor_take((cursor), LIMEN_STR(literal))

static bool is_name_char(char c, size_t at)
{
    return (c >= 'a' && c <= 'z') || (c == '_' && at > 0) || (c >= '0' && c <= '9' && at > 0);
}

/* A name as C and SQL both take it: lower-case letters, digits, underscores. */
static limen_str cursor_name(struct cursor *cursor)
{
    cursor_skip_space(cursor);
    size_t len = 0;
    while (len < cursor->text.len && is_name_char(cursor->text.ptr[len], len))
        len++;
    limen_str name = str_slice(cursor->text, 0, len);
    cursor->text = str_slice(cursor->text, len, cursor->text.len);
    return len <= NAME_BYTES_MAX ? name : LIMEN_STR("");
}

static const limen_str TYPE_NAMES[] = {
    [LIMEN_TYPE_TEXT] = LIMEN_STR_INIT("text"),   [LIMEN_TYPE_INT] = LIMEN_STR_INIT("int"),
    [LIMEN_TYPE_FLOAT] = LIMEN_STR_INIT("float"), [LIMEN_TYPE_BOOL] = LIMEN_STR_INIT("bool"),
    [LIMEN_TYPE_BYTES] = LIMEN_STR_INIT("bytes"), [LIMEN_TYPE_TIME] = LIMEN_STR_INIT("time"),
    [LIMEN_TYPE_JSON] = LIMEN_STR_INIT("json"),
};

static bool cursor_type(struct cursor *cursor, enum limen_type *ret_type)
{
    struct cursor start = *cursor;
    limen_str name = cursor_name(cursor);
    for (size_t i = 0; i < sizeof TYPE_NAMES / sizeof TYPE_NAMES[0]; i++) {
        if (str_equal(name, TYPE_NAMES[i])) {
            *ret_type = (enum limen_type)i;
            return true;
        }
    }
    cursor_skip_space(&start);
    return CURSOR_FAULT(&start, "a type is expected here",
                        "one of text, int, float, bool, bytes, time, json; `?` after it for nullable");
}

static bool name_is_reserved(limen_str name)
{
    return str_equal(name, LIMEN_STR("caller")) || str_equal(name, LIMEN_STR("now"))
        || str_starts(name, LIMEN_STR("limen_"));
}

static bool parse_param(struct cursor *cursor, struct statement *statement)
{
    if (statement->param_count == LIMIT_STATEMENT_PARAMS)
        return CURSOR_FAULT(cursor, "too many parameters", "32 are the most; make two statements of it");
    struct statement_param *param = &statement->params[statement->param_count];
    struct cursor start = *cursor;
    param->name = cursor_name(cursor);
    if (param->name.len == 0)
        return CURSOR_FAULT(&start, "a parameter's name is expected here",
                            "write it as `item_id text`: lower-case letters, digits, underscores");
    if (name_is_reserved(param->name))
        return CURSOR_FAULT(&start, "this name is filled in by the server",
                            "use `:caller` and `:now` without declaring them");
    for (uint32_t i = 0; i < statement->param_count; i++) {
        if (str_equal(statement->params[i].name, param->name))
            return CURSOR_FAULT(&start, "two parameters have this name", "rename one of them");
    }
    if (!cursor_type(cursor, &param->type))
        return false;
    param->is_list = TAKE(cursor, "[]");
    param->is_nullable = TAKE(cursor, "?");
    if (param->is_list && (param->is_nullable || (param->type != LIMEN_TYPE_TEXT && param->type != LIMEN_TYPE_INT)))
        return CURSOR_FAULT(&start, "a list is of text or int, and never null", "write `text[]` or `int[]`");
    statement->param_count++;
    return true;
}

static bool parse_params(struct cursor *cursor, struct statement *statement)
{
    statement->params = ARENA_NEW_ARRAY(cursor->parser->arena, struct statement_param, LIMIT_STATEMENT_PARAMS);
    if (statement->params == NULL)
        return CURSOR_FAULT(cursor, "memory is out", "");
    if (!TAKE(cursor, "("))
        return CURSOR_FAULT(cursor, "`(` is expected after the statement's name",
                            "a statement without parameters is written `name()`");
    if (TAKE(cursor, ")"))
        return true;
    do {
        if (!parse_param(cursor, statement))
            return false;
    } while (TAKE(cursor, ","));
    if (!TAKE(cursor, ")"))
        return CURSOR_FAULT(cursor, "`,` or `)` is expected here",
                            "parameters are written `(item_id text, quantity int)`");
    return true;
}

static bool parse_kind(struct cursor *cursor, struct statement *statement)
{
    static const limen_str KINDS[] = { [STATEMENT_ONE] = LIMEN_STR_INIT("one"),
                                       [STATEMENT_MANY] = LIMEN_STR_INIT("many"),
                                       [STATEMENT_EXEC] = LIMEN_STR_INIT("exec"),
                                       [STATEMENT_MUST] = LIMEN_STR_INIT("must"),
                                       [STATEMENT_RETURNING] = LIMEN_STR_INIT("returning") };
    cursor_skip_space(cursor);
    struct cursor start = *cursor;
    if (TAKE(cursor, ":")) {
        limen_str kind = cursor_name(cursor);
        for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++) {
            if (str_equal(kind, KINDS[i])) {
                statement->kind = (enum statement_kind)i;
                return true;
            }
        }
    }
    return CURSOR_FAULT(&start, "the statement's kind is expected here",
                        "one of :one, :many (reads), :exec, :must, :returning (writes)");
}

/* `else 409 "not enough in stock"` */
static bool parse_else(struct cursor *cursor, struct statement *statement)
{
    bool may = statement->kind == STATEMENT_MUST || statement->kind == STATEMENT_RETURNING;
    if (!TAKE(cursor, "else")) {
        if (statement->kind == STATEMENT_MUST)
            return CURSOR_FAULT(cursor, "a :must says what the reply is when no row changed",
                                "add `else 409 \"what went wrong\"`");
        return true;
    }
    if (!may)
        return CURSOR_FAULT(cursor, "only :must and :returning have an `else`",
                            "remove it, or make the statement a :must");
    cursor_skip_space(cursor);
    struct cursor start = *cursor;
    int64_t status = 0;
    limen_str digits = str_slice(cursor->text, 0, 3);
    cursor->text = str_slice(cursor->text, 3, cursor->text.len);
    if (!str_to_int64(digits, &status) || status < 400 || status > 499)
        return CURSOR_FAULT(&start, "a status from 400 to 499 is expected after `else`",
                            "write `else 409 \"what went wrong\"`");
    cursor_skip_space(cursor);
    size_t end = str_find_char(cursor->text, '"', 1);
    if (cursor->text.len < 2 || cursor->text.ptr[0] != '"' || end == SIZE_MAX)
        return CURSOR_FAULT(cursor, "a text in double quotes is expected here", "write `else 409 \"what went wrong\"`");
    statement->else_status = (int)status;
    statement->else_text = str_slice(cursor->text, 1, end);
    cursor->text = str_slice(cursor->text, end + 1, cursor->text.len);
    if (statement->else_text.len > ELSE_TEXT_BYTES_MAX || !str_is_utf8(statement->else_text))
        return CURSOR_FAULT(cursor, "the text of `else` is not UTF-8, or longer than 200 bytes", "shorten it");
    return true;
}

static bool cursor_ends(struct cursor *cursor)
{
    cursor_skip_space(cursor);
    return str_trim(cursor->text).len == 0
        || CURSOR_FAULT(cursor, "nothing more is expected on this line", "remove it");
}

static bool parse_prototype(struct cursor *cursor, struct statement *statement)
{
    struct cursor start = *cursor;
    statement->name = cursor_name(cursor);
    if (statement->name.len == 0)
        return CURSOR_FAULT(&start, "the statement's name is expected here",
                            "write `-- name: take_stock(item_id text) :exec`");
    if (str_starts(statement->name, LIMEN_STR("limen_")))
        return CURSOR_FAULT(&start, "names that start with limen_ are Limen's own", "rename the statement");
    if (queries_find(cursor->parser->set, statement->name) != NULL)
        return CURSOR_FAULT(&start, "two statements have this name", "rename one of them");
    return parse_params(cursor, statement) && parse_kind(cursor, statement) && parse_else(cursor, statement)
        && cursor_ends(cursor);
}

static bool parse_returns(struct cursor *cursor, struct statement *statement)
{
    size_t most = 1;
    for (size_t at = 0; (at = str_find_char(cursor->text, ',', at)) != SIZE_MAX; at++)
        most++;
    struct statement_column *all = ARENA_NEW_ARRAY(cursor->parser->arena, struct statement_column,
                                                   statement->declared_count + most);
    if (all == NULL)
        return CURSOR_FAULT(cursor, "memory is out", "");
    if (statement->declared_count > 0)
        memcpy(all, statement->declared, statement->declared_count * sizeof *all);
    statement->declared = all;
    do {
        struct statement_column *column = &all[statement->declared_count];
        struct cursor start = *cursor;
        column->name = cursor_name(cursor);
        if (column->name.len == 0)
            return CURSOR_FAULT(&start, "a column's name is expected here",
                                "write `-- returns: total int, note text?`");
        for (uint32_t i = 0; i < statement->declared_count; i++) {
            if (str_equal(all[i].name, column->name))
                return CURSOR_FAULT(&start, "this column is typed twice", "remove one");
        }
        if (!cursor_type(cursor, &column->type))
            return false;
        column->is_nullable = TAKE(cursor, "?");
        column->line = cursor->comment->line;
        statement->declared_count++;
    } while (TAKE(cursor, ","));
    return cursor_ends(cursor);
}

static bool parse_scope(struct cursor *cursor, struct statement *statement)
{
    statement->scope = str_trim(cursor->text);
    if (statement->scope.len > 0 && str_find_char(statement->scope, ' ', 0) == SIZE_MAX)
        return true;
    return CURSOR_FAULT(cursor, "one role, or `system`, is expected after `-- scope:`", "write `-- scope: admin`");
}

/* Sees whether the comment is one of ours; what is not, is the author's own. */
static bool parse_directive(struct parser *parser, struct statement *statement, limen_str *variant)
{
    limen_str word, rest;
    if (!sql_directive(&parser->token, &word, &rest))
        return true;
    struct cursor cursor = { .parser = parser, .comment = &parser->token, .text = rest };
    if (str_equal(word, LIMEN_STR("returns")))
        return parse_returns(&cursor, statement);
    if (str_equal(word, LIMEN_STR("scope")))
        return parse_scope(&cursor, statement);
    if (str_equal(word, LIMEN_STR("slow")) && rest.len == 0) {
        statement->is_slow = true;
        return true;
    }
    if (!str_equal(word, LIMEN_STR("on")))
        return true;
    *variant = rest;
    if (str_equal(rest, LIMEN_STR("sqlite")) || str_equal(rest, LIMEN_STR("postgresql")))
        return true;
    return CURSOR_FAULT(&cursor, "no such back end", "write `-- on: sqlite` or `-- on: postgresql`");
}

/* ---- the SQL ----------------------------------------------------------------------------------------------------- */

static bool is_any_of(limen_str word, const limen_str *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (str_equal_nocase(word, words[i]))
            return true;
    }
    return false;
}
#define ANY_OF(word, words) is_any_of((word), (words), sizeof(words) / sizeof((words)[0]))

/* Marks a parameter as used. */
static bool check_param(struct parser *parser, const struct sql_token *token, const struct statement *statement,
                        uint32_t *used, const struct sql_token *before, const struct sql_token *before_that)
{
    limen_str name = str_slice(token->text, 1, token->text.len);
    if (str_equal(name, LIMEN_STR("caller")) || str_equal(name, LIMEN_STR("now")))
        return true;
    for (uint32_t i = 0; i < statement->param_count; i++) {
        if (!str_equal(statement->params[i].name, name))
            continue;
        *used |= 1U << i;
        if (!statement->params[i].is_list || (sql_is_sign(before, '(') && sql_is_word(before_that, LIMEN_STR("in"))))
            return true;
        FAULT(parser, token, "write `IN (:name)`", "the list '%.*s' stands somewhere else than in `IN (…)`",
              LIMEN_STR_ARG(name));
        return false;
    }
    FAULT(parser, token, "declare it in the `-- name:` line, with its type", "parameter '%.*s' is not declared",
          LIMEN_STR_ARG(name));
    return false;
}

/* Names that lead around the guards. */
static bool check_name(struct parser *parser, const struct sql_token *token)
{
    static const limen_str SCHEMAS[] = { LIMEN_STR_INIT("main"), LIMEN_STR_INIT("temp") };
    static const limen_str PREFIXES[] = { LIMEN_STR_INIT("limen_"),  LIMEN_STR_INIT("sqlite_"),
                                          LIMEN_STR_INIT("pragma_"), LIMEN_STR_INIT("pg_"),
                                          LIMEN_STR_INIT("rowid"),   LIMEN_STR_INIT("_rowid_") };
    limen_str name = sql_name(token);
    if (ANY_OF(name, SCHEMAS)) {
        FAULT(parser, token, "write the table's name alone", "a statement names no schema");
        return false;
    }
    for (size_t i = 0; i < sizeof PREFIXES / sizeof PREFIXES[0]; i++) {
        if (str_equal_nocase(str_slice(name, 0, PREFIXES[i].len), PREFIXES[i])) {
            FAULT(parser, token, "use tables and functions of the app only",
                  "'%.*s' belongs to Limen or to the database", LIMEN_STR_ARG(name));
            return false;
        }
    }
    return true;
}

/* OR REPLACE deletes rows without asking their triggers; OR ROLLBACK and OR FAIL undo more or less than the statement. */
static bool check_conflict_clause(struct parser *parser, const struct sql_token *token, const struct sql_token *before)
{
    static const limen_str CLAUSES[] = { LIMEN_STR_INIT("replace"), LIMEN_STR_INIT("rollback"),
                                         LIMEN_STR_INIT("fail") };
    if (token->kind != SQL_WORD || !sql_is_word(before, LIMEN_STR("or")) || !ANY_OF(token->text, CLAUSES))
        return true;
    FAULT(parser, token, "write INSERT … ON CONFLICT (…) DO UPDATE, or OR IGNORE",
          "OR %.*s would step around triggers or the transaction", LIMEN_STR_ARG(token->text));
    return false;
}

static bool check_first_word(struct parser *parser, const struct sql_token *token)
{
    static const limen_str FIRST[] = { LIMEN_STR_INIT("select"), LIMEN_STR_INIT("with"),   LIMEN_STR_INIT("values"),
                                       LIMEN_STR_INIT("insert"), LIMEN_STR_INIT("update"), LIMEN_STR_INIT("delete") };
    if (token->kind == SQL_WORD && ANY_OF(token->text, FIRST))
        return true;
    FAULT(parser, token, "schema changes belong in a migration",
          "a statement starts with SELECT, WITH, VALUES, INSERT, UPDATE or DELETE");
    return false;
}

static bool check_token(struct parser *parser, const struct statement *statement, const struct sql_token *before,
                        const struct sql_token *before_that, uint32_t *used)
{
    const struct sql_token *token = &parser->token;
    switch (token->kind) {
    case SQL_BROKEN:
        FAULT(parser, token, "close it", "this quote or comment has no end");
        return false;
    case SQL_POSITION:
        FAULT(parser, token, "name the parameter: `:item_id`", "parameters are named with a colon");
        return false;
    case SQL_PARAM:
        return check_param(parser, token, statement, used, before, before_that);
    case SQL_WORD:
    case SQL_QUOTED:
        return check_name(parser, token) && check_conflict_clause(parser, token, before);
    case SQL_STRING: /* SQLite takes 'main'.orders for a name */
        return !sql_is_sign(before, '.') || check_name(parser, token);
    case SQL_SIGN:
        if (!sql_is_sign(token, '.') || before->kind != SQL_STRING)
            return true;
        FAULT(parser, token, "write names bare or in double quotes", "a string is no name");
        return false;
    default:
        return true;
    }
}

/* Takes the tokens up to `;`. */
static bool parse_text(struct parser *parser, struct statement *statement, limen_str *ret_sql, uint32_t *used)
{
    struct sql_token before = { 0 }, before_that = { 0 }, first = parser->token;
    if (!check_first_word(parser, &first))
        return false;
    limen_str last = first.text;
    for (; !sql_is_sign(&parser->token, ';'); next(parser)) {
        if (parser->token.kind == SQL_COMMENT)
            continue;
        if (parser->token.kind == SQL_END) {
            FAULT(parser, &first, "end the statement with `;`", "statement '%.*s' has no end",
                  LIMEN_STR_ARG(statement->name));
            return false;
        }
        if (!check_token(parser, statement, &before, &before_that, used))
            return false;
        last = parser->token.text;
        before_that = before;
        before = parser->token;
    }
    next(parser);
    *ret_sql = str_make(first.text.ptr, (size_t)(last.ptr + last.len - first.text.ptr));
    return true;
}

static bool check_all_used(struct parser *parser, const struct sql_token *at, const struct statement *statement,
                           uint32_t used)
{
    for (uint32_t i = 0; i < statement->param_count; i++) {
        if ((used & 1U << i) == 0) {
            FAULT(parser, at, "use it, or remove it from the `-- name:` line", "parameter '%.*s' of '%.*s' is not used",
                  LIMEN_STR_ARG(statement->params[i].name), LIMEN_STR_ARG(statement->name));
            return false;
        }
    }
    return true;
}

/* One SQL text; `variant` is the back end that the comments above it named, or "". */
static bool parse_variant(struct parser *parser, struct statement *statement, limen_str variant)
{
    struct sql_token first = parser->token;
    if (statement->sql.len > 0 && variant.len == 0) {
        FAULT(parser, &first, "give it a `-- name:` line of its own", "a second statement stands below '%.*s'",
              LIMEN_STR_ARG(statement->name));
        return false;
    }
    limen_str sql = { 0 };
    uint32_t used = 0;
    if (!parse_text(parser, statement, &sql, &used) || !check_all_used(parser, &first, statement, used))
        return false;
    if (variant.len == 0 || str_equal(variant, LIMEN_STR("sqlite"))) {
        statement->sqlite_sql = sql;
        statement->sqlite_line = first.line;
        statement->sqlite_column = first.column;
    }
    if (variant.len > 0 && !str_equal(variant, parser->backend))
        return true;
    if (statement->sql.len > 0) {
        FAULT(parser, &first, "keep one of them", "'%.*s' has two texts for this back end",
              LIMEN_STR_ARG(statement->name));
        return false;
    }
    statement->sql = sql;
    statement->is_variant = variant.len > 0;
    statement->sql_line = first.line;
    statement->sql_column = first.column;
    return true;
}

static bool opens_statement(const struct sql_token *token)
{
    limen_str word, rest;
    return sql_directive(token, &word, &rest)
        && (str_equal(word, LIMEN_STR("name")) || str_equal(word, LIMEN_STR("effect")));
}

/* From the comment `-- name:` to the next one. */
static bool parse_statement(struct parser *parser, struct statement *statement)
{
    struct sql_token head = parser->token;
    limen_str word, rest, variant = LIMEN_STR("");
    if (!sql_directive(&head, &word, &rest))
        return false;
    if (str_equal(word, LIMEN_STR("effect"))) {
        FAULT(parser, &head, "remove it", "effects are not part of this version");
        return false;
    }
    struct cursor cursor = { .parser = parser, .comment = &head, .text = rest };
    statement->line = head.line;
    if (!parse_prototype(&cursor, statement))
        return false;
    for (next(parser); parser->token.kind != SQL_END && !opens_statement(&parser->token);) {
        if (parser->token.kind == SQL_COMMENT) {
            if (!parse_directive(parser, statement, &variant))
                return false;
            next(parser);
            continue;
        }
        if (!parse_variant(parser, statement, variant))
            return false;
        variant = LIMEN_STR("");
    }
    if (statement->sql.len > 0)
        return true;
    FAULT(parser, &head, "write its SQL below, ended with `;`", "statement '%.*s' has no text for %.*s",
          LIMEN_STR_ARG(statement->name), LIMEN_STR_ARG(parser->backend));
    return false;
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

static size_t count_statements(limen_str text)
{
    struct sql_lexer lexer;
    sql_lexer_init(&lexer, text);
    size_t count = 0;
    for (struct sql_token token = sql_next(&lexer); token.kind != SQL_END; token = sql_next(&lexer))
        count += opens_statement(&token);
    return count;
}

static void skip_to_statement(struct parser *parser)
{
    while (parser->token.kind != SQL_END && !opens_statement(&parser->token))
        next(parser);
}

static bool parse_start(struct parser *parser)
{
    for (next(parser); parser->token.kind == SQL_COMMENT && !opens_statement(&parser->token);)
        next(parser);
    if (parser->token.kind == SQL_END || opens_statement(&parser->token))
        return true;
    FAULT(parser, &parser->token, "put `-- name: …` above it", "SQL without a name");
    skip_to_statement(parser);
    return false;
}

bool queries_parse(limen_str text, limen_str file, limen_str backend, struct arena *arena, struct query_set *ret_set,
                   struct diags *diags)
{
    size_t count = count_statements(text);
    struct query_set set = { .file = file };
    struct parser parser = { .file = file, .backend = backend, .arena = arena, .diags = diags, .set = &set };
    sql_lexer_init(&parser.lexer, text);
    if (count > LIMIT_STATEMENTS) {
        diags_add_at(diags, file, 1, 1, LIMEN_STR("1024 are the most"), "%zu statements are too many", count);
        return false;
    }
    set.statements = ARENA_NEW_ARRAY(arena, struct statement, count);
    if (set.statements == NULL) {
        diags_add_at(diags, file, 1, 1, LIMEN_STR(""), "memory is out");
        return false;
    }
    bool good = parse_start(&parser);
    while (parser.token.kind != SQL_END) {
        struct statement *statement = &set.statements[set.count];
        *statement = (struct statement){ .number = (uint16_t)set.count };
        uint32_t line = parser.token.line, column = parser.token.column;
        if (parse_statement(&parser, statement)) {
            set.count++;
            continue;
        }
        good = false;
        if (opens_statement(&parser.token) && parser.token.line == line && parser.token.column == column)
            next(&parser);
        skip_to_statement(&parser);
    }
    *ret_set = set;
    return good;
}

const struct statement *queries_find(const struct query_set *set, limen_str name)
{
    for (uint32_t i = 0; i < set->count; i++) {
        if (str_equal(set->statements[i].name, name))
            return &set->statements[i];
    }
    return NULL;
}
