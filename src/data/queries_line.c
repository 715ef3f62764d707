/* queries_line.c - the comments of queries.sql: `-- name:`, `-- effect:`, and what may stand below them.
 *
 * A comment is read from left to right by a cursor, so that a fault is told with its column. */
#include "core/arena.h"
#include "core/limits.h"
#include "data/queries_internal.h"

#define NAME_BYTES_MAX 63U
#define ELSE_TEXT_BYTES_MAX 200U

/* What stands in a directive comment, read from left to right. */
struct cursor {
    struct query_parser *parser;
    const struct sql_token *comment;
    limen_str text; /* what is left */
};

static uint32_t cursor_column(const struct cursor *cursor)
{
    return cursor->comment->column + (uint32_t)(cursor->text.ptr - cursor->comment->text.ptr);
}

static bool cursor_fault(const struct cursor *cursor, limen_str mend, limen_str message)
{
    diags_add_at(cursor->parser->diags, cursor->parser->file, cursor->comment->line, cursor_column(cursor), mend,
                 "%.*s", LIMEN_STR_ARG(message));
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
    if (statement_param(statement, param->name) != NULL)
        return CURSOR_FAULT(&start, "two parameters have this name", "rename one of them");
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
    bool may = statement->kind == STATEMENT_MUST || statement->kind == STATEMENT_RETURNING
        || statement->kind == STATEMENT_EFFECT;
    if (!TAKE(cursor, "else")) {
        if (statement->kind == STATEMENT_MUST)
            return CURSOR_FAULT(cursor, "a :must says what the reply is when no row changed",
                                "add `else 409 \"what went wrong\"`");
        return true;
    }
    if (!may)
        return CURSOR_FAULT(cursor, "only :must, :returning and effects have an `else`",
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

static bool parse_name(struct cursor *cursor, struct statement *statement)
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
    return true;
}

bool query_read_prototype(struct query_parser *parser, const struct sql_token *comment, limen_str text,
                          struct statement *statement)
{
    struct cursor cursor = { .parser = parser, .comment = comment, .text = text };
    return parse_name(&cursor, statement) && parse_params(&cursor, statement) && parse_kind(&cursor, statement)
        && parse_else(&cursor, statement) && cursor_ends(&cursor);
}

/* ---- effects ----------------------------------------------------------------------------------------------------- */

/* `to payments` or `to payments.refund` */
static bool parse_target(struct cursor *cursor, struct statement *statement)
{
    if (!TAKE(cursor, "to "))
        return CURSOR_FAULT(cursor, "an effect says where it goes", "write `to payments` behind the parameters");
    cursor_skip_space(cursor);
    struct cursor start = *cursor;
    limen_str target = cursor_name(cursor), action = TAKE(cursor, ".") ? cursor_name(cursor) : LIMEN_STR("");
    statement->action = effect_find(target, action);
    if (statement->action != NULL)
        return true;
    return effect_target_is_known(target)
        ? CURSOR_FAULT(&start, "this target has no such action", "write `to payments` or `to payments.refund`")
        : CURSOR_FAULT(&start, "no such target", "write `to payments`, which is the only one");
}

/* `key :order_id`: what the provider knows the effect by, whoever sends it and however often. */
static bool parse_key(struct cursor *cursor, struct statement *statement)
{
    if (!TAKE(cursor, "key "))
        return CURSOR_FAULT(cursor, "an effect has a key, so that it is done once however often it is sent",
                            "write `key :order_id`, of one of its parameters");
    cursor_skip_space(cursor);
    struct cursor start = *cursor;
    limen_str name = TAKE(cursor, ":") ? cursor_name(cursor) : LIMEN_STR("");
    const struct statement_param *param = statement_param(statement, name);
    if (param == NULL)
        return CURSOR_FAULT(&start, "the key is no parameter of the effect", "write `key :order_id`, of one of them");
    statement->key_param = (uint32_t)(param - statement->params);
    return (param->type == LIMEN_TYPE_TEXT && !param->is_nullable)
        || CURSOR_FAULT(&start, "a key is a text that is never null", "key the effect by an id");
}

static bool has_list(const struct statement *statement)
{
    for (uint32_t i = 0; i < statement->param_count; i++) {
        if (statement->params[i].is_list)
            return true;
    }
    return false;
}

bool query_read_effect(struct query_parser *parser, const struct sql_token *comment, limen_str text,
                       struct statement *statement)
{
    struct cursor cursor = { .parser = parser, .comment = comment, .text = text };
    statement->kind = STATEMENT_EFFECT;
    if (!parse_name(&cursor, statement) || !parse_params(&cursor, statement))
        return false;
    if (has_list(statement))
        return CURSOR_FAULT(&cursor, "an effect takes no list", "queue one effect for each");
    if (!parse_target(&cursor, statement) || !parse_key(&cursor, statement) || !parse_else(&cursor, statement))
        return false;
    if (statement->else_status == 0) {
        statement->else_status = 409;
        statement->else_text = LIMEN_STR("this has been asked for already, or there is nothing to be done");
    }
    return cursor_ends(&cursor);
}

/* ---- what stands below ------------------------------------------------------------------------------------------- */

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

/* `charge succeeded`: an effect, and which outcomes; none named, all of them. */
static bool parse_result(struct cursor *cursor, struct statement_result *ret_result)
{
    static const limen_str OUTCOMES[] = { [LIMEN_EFFECT_SUCCEEDED] = LIMEN_STR_INIT("succeeded"),
                                          [LIMEN_EFFECT_DECLINED] = LIMEN_STR_INIT("declined"),
                                          [LIMEN_EFFECT_FAILED] = LIMEN_STR_INIT("failed") };
    const size_t count = sizeof OUTCOMES / sizeof OUTCOMES[0];
    cursor_skip_space(cursor);
    *ret_result = (struct statement_result){ .line = cursor->comment->line, .column = cursor_column(cursor) };
    ret_result->name = cursor_name(cursor);
    if (ret_result->name.len == 0)
        return CURSOR_FAULT(cursor, "an effect's name is expected here", "write `-- scope: system for charge`");
    cursor_skip_space(cursor);
    struct cursor start = *cursor;
    limen_str word = cursor_name(cursor);
    for (size_t i = 0; i < count; i++) {
        if (word.len == 0 || str_equal(word, OUTCOMES[i]))
            ret_result->outcomes |= (uint8_t)(1U << i);
    }
    return ret_result->outcomes != 0
        || CURSOR_FAULT(&start, "an effect has no such outcome", "one of succeeded, declined, failed; none for all");
}

/* `system for charge succeeded, give_back`: so a worker that holds one result can do nothing that belongs to another. */
static bool parse_system(struct cursor *cursor, struct statement *statement)
{
    size_t most = 1;
    for (size_t at = 0; (at = str_find_char(cursor->text, ',', at)) != SIZE_MAX; at++)
        most++;
    struct statement_result *results = ARENA_NEW_ARRAY(cursor->parser->arena, struct statement_result, most);
    if (results == NULL)
        return CURSOR_FAULT(cursor, "memory is out", "");
    statement->scope = LIMEN_STR("system");
    statement->results = results;
    statement->result_count = 0;
    if (!TAKE(cursor, "for "))
        return CURSOR_FAULT(cursor, "it is not said which effects' results run this statement",
                            "write `-- scope: system for charge`, or `for charge succeeded, refund`");
    do {
        if (!parse_result(cursor, &results[statement->result_count++]))
            return false;
    } while (TAKE(cursor, ","));
    return cursor_ends(cursor);
}

static bool parse_scope(struct cursor *cursor, struct statement *statement)
{
    struct cursor start = *cursor;
    limen_str text = str_trim(cursor->text);
    if (TAKE(cursor, "system") && (cursor->text.len == 0 || cursor->text.ptr[0] == ' '))
        return parse_system(cursor, statement);
    statement->scope = text;
    statement->result_count = 0;
    if (text.len > 0 && str_find_char(text, ' ', 0) == SIZE_MAX)
        return true;
    return CURSOR_FAULT(&start, "one role, or `system for` effects, is expected after `-- scope:`",
                        "write `-- scope: admin`");
}

bool query_read_directive(struct query_parser *parser, struct statement *statement, limen_str *variant)
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
