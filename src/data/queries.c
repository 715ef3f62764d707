/* queries.c - reads queries.sql.
 *
 * The file is one row of tokens; a comment `-- name:` or `-- effect:` opens a statement, the comments below it say more, and the text up to the
 * next `;` is its SQL. Everything that the text could use to step around the guards (a schema's name, Limen's own tables, a
 * conflict clause that undoes more than the statement) is refused here, before a database has seen it. */
#include "data/queries.h"

#include "core/arena.h"
#include "core/limits.h"
#include "core/str.h"
#include "data/queries_internal.h"

static void next(struct query_parser *parser)
{
    parser->token = sql_next(&parser->lexer);
}

#define FAULT(parser, token, mend, ...) \
    diags_add_at((parser)->diags, (parser)->file, (token)->line, (token)->column, LIMEN_STR(mend), __VA_ARGS__)

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
static bool check_param(struct query_parser *parser, const struct sql_token *token, const struct statement *statement,
                        uint32_t *used, const struct sql_token *before, const struct sql_token *before_that)
{
    limen_str name = str_slice(token->text, 1, token->text.len);
    if (str_equal(name, LIMEN_STR("caller")) || str_equal(name, LIMEN_STR("now")))
        return true;
    const struct statement_param *param = statement_param(statement, name);
    if (param == NULL) {
        FAULT(parser, token, "declare it in the line above, with its type", "parameter '%.*s' is not declared",
              LIMEN_STR_ARG(name));
        return false;
    }
    *used |= 1U << (param - statement->params);
    if (!param->is_list || (sql_is_sign(before, '(') && sql_is_word(before_that, LIMEN_STR("in"))))
        return true;
    FAULT(parser, token, "write `IN (:name)`", "the list '%.*s' stands somewhere else than in `IN (…)`",
          LIMEN_STR_ARG(name));
    return false;
}

/* Names that lead around the guards. */
static bool check_name(struct query_parser *parser, const struct sql_token *token)
{
    static const limen_str SCHEMAS[] = { LIMEN_STR_INIT("main"), LIMEN_STR_INIT("temp"), LIMEN_STR_INIT("limen"),
                                         LIMEN_STR_INIT("information_schema") };
    /* Of functions: those that set or tell who the caller is, or run SQL that stands in a string. */
    static const limen_str PREFIXES[] = {
        LIMEN_STR_INIT("limen_"),        LIMEN_STR_INIT("sqlite_"),         LIMEN_STR_INIT("pragma_"),
        LIMEN_STR_INIT("pg_"),           LIMEN_STR_INIT("rowid"),           LIMEN_STR_INIT("_rowid_"),
        LIMEN_STR_INIT("set_config"),    LIMEN_STR_INIT("current_setting"), LIMEN_STR_INIT("query_to_xml"),
        LIMEN_STR_INIT("table_to_xml"),  LIMEN_STR_INIT("schema_to_xml"),   LIMEN_STR_INIT("database_to_xml"),
        LIMEN_STR_INIT("cursor_to_xml"), LIMEN_STR_INIT("ts_stat"),         LIMEN_STR_INIT("dblink"),
    };
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
static bool check_conflict_clause(struct query_parser *parser, const struct sql_token *token,
                                  const struct sql_token *before)
{
    static const limen_str CLAUSES[] = { LIMEN_STR_INIT("replace"), LIMEN_STR_INIT("rollback"),
                                         LIMEN_STR_INIT("fail") };
    if (token->kind != SQL_WORD || !sql_is_word(before, LIMEN_STR("or")) || !ANY_OF(token->text, CLAUSES))
        return true;
    FAULT(parser, token, "write INSERT … ON CONFLICT (…) DO UPDATE, or OR IGNORE",
          "OR %.*s would step around triggers or the transaction", LIMEN_STR_ARG(token->text));
    return false;
}

static bool check_first_word(struct query_parser *parser, const struct sql_token *token)
{
    static const limen_str FIRST[] = { LIMEN_STR_INIT("select"), LIMEN_STR_INIT("with"),   LIMEN_STR_INIT("values"),
                                       LIMEN_STR_INIT("insert"), LIMEN_STR_INIT("update"), LIMEN_STR_INIT("delete") };
    if (token->kind == SQL_WORD && ANY_OF(token->text, FIRST))
        return true;
    FAULT(parser, token, "schema changes belong in a migration",
          "a statement starts with SELECT, WITH, VALUES, INSERT, UPDATE or DELETE");
    return false;
}

/* E'…', U&"…" and $$…$$ end elsewhere in PostgreSQL than here, or say another name than they show. */
static bool check_quote(struct query_parser *parser, const struct sql_token *before)
{
    const struct sql_token *token = &parser->token;
    bool is_dollar = token->text.ptr[0] == '$';
    bool has_prefix = (before->kind == SQL_WORD || sql_is_sign(before, '&'))
        && before->text.ptr + before->text.len == token->text.ptr;
    if (!is_dollar && !has_prefix)
        return true;
    FAULT(parser, token, "write 'text' or \"name\", with a space before it", "this quote is not one of both databases");
    return false;
}

static bool check_token(struct query_parser *parser, const struct statement *statement, const struct sql_token *before,
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
        return check_name(parser, token) && check_conflict_clause(parser, token, before);
    case SQL_QUOTED:
        return check_quote(parser, before) && check_name(parser, token);
    case SQL_STRING: /* SQLite takes 'main'.orders for a name */
        return check_quote(parser, before) && (!sql_is_sign(before, '.') || check_name(parser, token));
    case SQL_SIGN:
        if (sql_is_sign(token, '$'))
            return check_quote(parser, before);
        if (!sql_is_sign(token, '.') || before->kind != SQL_STRING)
            return true;
        FAULT(parser, token, "write names bare or in double quotes", "a string is no name");
        return false;
    default:
        return true;
    }
}

/* Takes the tokens up to `;`. */
static bool parse_text(struct query_parser *parser, struct statement *statement, limen_str *ret_sql, uint32_t *used)
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

static bool check_all_used(struct query_parser *parser, const struct sql_token *at, const struct statement *statement,
                           uint32_t used)
{
    for (uint32_t i = 0; i < statement->param_count; i++) {
        if ((used & 1U << i) == 0) {
            FAULT(parser, at, "use it, or remove it from the line that declares it",
                  "parameter '%.*s' of '%.*s' is not used", LIMEN_STR_ARG(statement->params[i].name),
                  LIMEN_STR_ARG(statement->name));
            return false;
        }
    }
    return true;
}

/* One SQL text; `variant` is the back end that the comments above it named, or "". */
static bool parse_variant(struct query_parser *parser, struct statement *statement, limen_str variant)
{
    struct sql_token first = parser->token;
    if (statement->sql.len > 0 && variant.len == 0) {
        FAULT(parser, &first, "give it a `-- name:` line of its own", "a second statement stands below '%.*s'",
              LIMEN_STR_ARG(statement->name));
        return false;
    }
    limen_str sql = { 0 };
    uint32_t used = statement->kind == STATEMENT_EFFECT ? 1U << statement->key_param : 0;
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
static bool parse_statement(struct query_parser *parser, struct statement *statement)
{
    struct sql_token head = parser->token;
    limen_str word, rest, variant = LIMEN_STR("");
    if (!sql_directive(&head, &word, &rest))
        return false;
    statement->line = head.line;
    bool is_effect = str_equal(word, LIMEN_STR("effect"));
    if (!(is_effect ? query_read_effect : query_read_prototype)(parser, &head, rest, statement))
        return false;
    for (next(parser); parser->token.kind != SQL_END && !opens_statement(&parser->token);) {
        if (parser->token.kind == SQL_COMMENT) {
            if (!query_read_directive(parser, statement, &variant))
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

/* What a result's statement takes under the name of one of the effect's parameters is that parameter (role_job.c). It takes the key at
 * least: so it is a statement about what the effect was about. */
static bool check_result_params(struct query_parser *parser, const struct statement *statement,
                                const struct statement *effect)
{
    limen_str key = effect->params[effect->key_param].name;
    if (statement_param(statement, key) == NULL) {
        diags_add_at(parser->diags, parser->file, statement->line, 1,
                     LIMEN_STR("take it as a parameter, under that name, and use it to choose the rows"),
                     "'%.*s' does not take '%.*s', the key of the effect '%.*s'", LIMEN_STR_ARG(statement->name),
                     LIMEN_STR_ARG(key), LIMEN_STR_ARG(effect->name));
        return false;
    }
    for (uint32_t i = 0; i < statement->param_count; i++) {
        const struct statement_param *param = &statement->params[i];
        const struct statement_param *its = statement_param(effect, param->name);
        if (its == NULL || (its->type == param->type && !param->is_list))
            continue;
        diags_add_at(parser->diags, parser->file, statement->line, 1, LIMEN_STR("give it that type, or another name"),
                     "parameter '%.*s' of '%.*s' is of another type than that of the effect '%.*s'",
                     LIMEN_STR_ARG(param->name), LIMEN_STR_ARG(statement->name), LIMEN_STR_ARG(effect->name));
        return false;
    }
    return true;
}

/* Effects may stand below the statements that their results run. */
static bool resolve_results(struct query_parser *parser, struct statement *statement)
{
    struct statement_result *results = statement->results;
    for (uint32_t i = 0; i < statement->result_count; i++) {
        const struct statement *effect = queries_find(parser->set, results[i].name);
        if (effect == NULL || effect->kind != STATEMENT_EFFECT) {
            diags_add_at(parser->diags, parser->file, results[i].line, results[i].column,
                         LIMEN_STR("name one that an `-- effect:` line declares"), "there is no effect '%.*s'",
                         LIMEN_STR_ARG(results[i].name));
            return false;
        }
        results[i].effect = effect->number;
        if (!check_result_params(parser, statement, effect))
            return false;
    }
    return true;
}

static void skip_to_statement(struct query_parser *parser)
{
    while (parser->token.kind != SQL_END && !opens_statement(&parser->token))
        next(parser);
}

static bool parse_start(struct query_parser *parser)
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
    struct query_parser parser = { .file = file, .backend = backend, .arena = arena, .diags = diags, .set = &set };
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
    for (uint32_t i = 0; good && i < set.count; i++)
        good = resolve_results(&parser, &set.statements[i]);
    *ret_set = set;
    return good;
}

const struct statement_param *statement_param(const struct statement *statement, limen_str name)
{
    for (uint32_t i = 0; i < statement->param_count; i++) {
        if (str_equal(statement->params[i].name, name))
            return &statement->params[i];
    }
    return NULL;
}

const struct statement *queries_find(const struct query_set *set, limen_str name)
{
    for (uint32_t i = 0; i < set->count; i++) {
        if (str_equal(set->statements[i].name, name))
            return &set->statements[i];
    }
    return NULL;
}
