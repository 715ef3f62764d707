/* sqlite_statement.c - from a statement of queries.sql to a prepared one, and from SQLite's values to the wire's.
 *
 * The text is changed in two places only, both by inserting: a list becomes `SELECT value FROM json_each(:ids)`, and the table that
 * a write goes to is named `main.x`, past the view that shadows it for reads. */
#include "data/sqlite_db.h"

#include "core/arena.h"
#include "data/wire.h"

enum db_kind statement_db(const struct statement *statement)
{
    if (!statement_is_read(statement))
        return DB_WRITER;
    return statement->scope.len == 0 ? DB_SCOPED : DB_UNSCOPED;
}

/* ---- rewriting -------------------------------------------------------------------------------------------------------- */

static const limen_str LIST_OPEN = LIMEN_STR_INIT("SELECT value FROM json_each("), MAIN = LIMEN_STR_INIT("main.");

static bool is_list(const struct statement *statement, limen_str name)
{
    const struct statement_param *param = statement_param(statement, name);
    return param != NULL && param->is_list;
}

/* Finds the table that the statement writes: behind INSERT [OR x] INTO, UPDATE [OR x], DELETE FROM, at depth 0. ret_target.text is
 * empty for a read. */
static struct sql_token find_target(limen_str sql)
{
    struct sql_lexer lexer;
    sql_lexer_init(&lexer, sql);
    uint32_t depth = 0;
    for (;;) {
        struct sql_token token = sql_next_code(&lexer);
        if (token.kind == SQL_END)
            return token;
        depth += sql_is_sign(&token, '(');
        depth -= sql_is_sign(&token, ')') && depth > 0;
        bool is_update = sql_is_word(&token, LIMEN_STR("update"));
        bool is_write = is_update || sql_is_word(&token, LIMEN_STR("insert"))
            || sql_is_word(&token, LIMEN_STR("delete"));
        if (depth > 0 || !is_write)
            continue;
        token = sql_next_code(&lexer);
        if (sql_is_word(&token, LIMEN_STR("or"))) {
            (void)sql_next_code(&lexer);
            token = sql_next_code(&lexer);
        }
        return is_update ? token : sql_next_code(&lexer);
    }
}

limen_str statement_rewrite(const struct statement *statement, const struct guards *guards, struct arena *arena)
{
    struct buf out;
    struct sql_token target = statement_is_read(statement) ? (struct sql_token){ 0 } : find_target(statement->sql);
    struct sql_lexer lexer;
    size_t copied = 0;
    buf_init(&out, arena, statement->sql.len + 256);
    sql_lexer_init(&lexer, statement->sql);
    for (;;) {
        struct sql_token token = sql_next_code(&lexer);
        if (token.kind == SQL_END)
            break;
        size_t at = (size_t)(token.text.ptr - statement->sql.ptr), end = at + token.text.len;
        bool is_target = token.text.ptr == target.text.ptr && guards_is_owned(guards, sql_name(&token));
        bool is_list_param = token.kind == SQL_PARAM && is_list(statement, str_slice(token.text, 1, token.text.len));
        if (!is_target && !is_list_param)
            continue;
        buf_add(&out, str_slice(statement->sql, copied, at));
        buf_add(&out, is_target ? MAIN : LIST_OPEN);
        buf_add(&out, token.text);
        if (is_list_param)
            buf_add_char(&out, ')');
        copied = end;
    }
    buf_add(&out, str_slice(statement->sql, copied, statement->sql.len));
    buf_add_char(&out, '\0');
    return out.failed ? (limen_str){ 0 } : str_make(out.ptr, out.len - 1);
}

/* ---- preparing -------------------------------------------------------------------------------------------------------- */

/* Line and column in queries.sql of byte `offset` of the rewritten text: what was inserted before it is walked back. */
static void locate(const struct statement *statement, limen_str rewritten, size_t offset, uint32_t *ret_line,
                   uint32_t *ret_column)
{
    size_t at = 0, from = 0;
    while (from < offset && at < statement->sql.len) {
        limen_str left = str_slice(rewritten, from, rewritten.len);
        size_t inserted = str_starts(left, LIST_OPEN) ? LIST_OPEN.len : str_starts(left, MAIN) ? MAIN.len : 0;
        if (inserted > 0
            && !str_starts(str_slice(statement->sql, at, statement->sql.len), str_slice(left, 0, inserted))) {
            from += inserted;
            continue;
        }
        if (from < rewritten.len && rewritten.ptr[from] == statement->sql.ptr[at])
            at++;
        from++;
    }
    *ret_line = statement->sql_line;
    *ret_column = statement->sql_column;
    for (size_t i = 0; i < at; i++) {
        bool is_end = statement->sql.ptr[i] == '\n';
        *ret_line += is_end;
        *ret_column = is_end ? 1 : *ret_column + 1;
    }
}

static void find_params(const struct statement *statement, struct prepared *prepared)
{
    int count = sqlite3_bind_parameter_count(prepared->stmt);
    for (int at = 1; at <= count; at++) {
        const char *text = sqlite3_bind_parameter_name(prepared->stmt, at);
        limen_str name = text == NULL ? LIMEN_STR("") : str_of(text + 1);
        if (str_equal(name, LIMEN_STR("caller")))
            prepared->caller_at = at;
        if (str_equal(name, LIMEN_STR("now")))
            prepared->now_at = at;
        for (uint32_t i = 0; i < statement->param_count; i++) {
            if (str_equal(name, statement->params[i].name))
                prepared->param_at[i] = at;
        }
    }
}

bool statement_prepare(struct db *db, const struct query_set *queries, const struct statement *statement,
                       struct arena *arena, struct prepared *ret_prepared, struct diags *diags)
{
    struct prepared prepared = { 0 };
    limen_str sql = statement_rewrite(statement, db->guards, arena);
    if (sql.ptr == NULL) {
        diags_add_at(diags, queries->file, statement->line, 1, LIMEN_STR(""), "memory is out");
        return false;
    }
    db->denied[0] = '\0';
    int code = sqlite3_prepare_v3(db->handle, sql.ptr, (int)sql.len + 1, SQLITE_PREPARE_PERSISTENT, &prepared.stmt,
                                  NULL);
    if (code == SQLITE_OK && prepared.stmt != NULL) {
        find_params(statement, &prepared);
        *ret_prepared = prepared;
        return true;
    }
    uint32_t line = 0, column = 0;
    int offset = sqlite3_error_offset(db->handle);
    locate(statement, sql, offset < 0 ? 0 : (size_t)offset, &line, &column);
    limen_str mend = code == SQLITE_AUTH
        ? LIMEN_STR("a statement reads and writes the app's own tables, an owned one by its own name")
        : LIMEN_STR("");
    diags_add_at(diags, queries->file, line, column, mend, "statement '%.*s': %s", LIMEN_STR_ARG(statement->name),
                 db->denied[0] != '\0' ? db->denied : sqlite3_errmsg(db->handle));
    return false;
}

/* ---- parameters ------------------------------------------------------------------------------------------------------- */

static void write_json_text(sqlite3_str *out, limen_str text)
{
    sqlite3_str_appendchar(out, 1, '"');
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '"' || c == '\\')
            sqlite3_str_appendchar(out, 1, '\\');
        if ((unsigned char)c < 0x20)
            sqlite3_str_appendf(out, "\\u%04x", (unsigned)c);
        else
            sqlite3_str_appendchar(out, 1, c);
    }
    sqlite3_str_appendchar(out, 1, '"');
}

static bool bind_list(const struct db *db, sqlite3_stmt *stmt, int at, const limen_value *value)
{
    sqlite3_str *out = sqlite3_str_new(db->handle);
    sqlite3_str_appendchar(out, 1, '[');
    for (size_t i = 0; i < value->count; i++) {
        if (i > 0)
            sqlite3_str_appendchar(out, 1, ',');
        if (value->type == LIMEN_TYPE_TEXT)
            write_json_text(out, value->as.texts[i]);
        else
            sqlite3_str_appendf(out, "%lld", (long long)value->as.integers[i]);
    }
    sqlite3_str_appendchar(out, 1, ']');
    int code = sqlite3_str_errcode(out), bytes = sqlite3_str_length(out);
    char *text = sqlite3_str_finish(out);
    if (code != SQLITE_OK || text == NULL) {
        sqlite3_free(text);
        return false;
    }
    return sqlite3_bind_text(stmt, at, text, bytes, sqlite3_free) == SQLITE_OK;
}

static bool bind_value(const struct db *db, sqlite3_stmt *stmt, int at, const limen_value *value)
{
    if (value->is_null)
        return sqlite3_bind_null(stmt, at) == SQLITE_OK;
    if (value->is_list)
        return bind_list(db, stmt, at, value);
    limen_str text = value->type == LIMEN_TYPE_TEXT || value->type == LIMEN_TYPE_JSON || value->type == LIMEN_TYPE_BYTES
        ? value->as.text
        : LIMEN_STR("");
    const char *bytes = text.len == 0 ? "" : text.ptr;
    switch (value->type) {
    case LIMEN_TYPE_TEXT:
    case LIMEN_TYPE_JSON:
        return sqlite3_bind_text64(stmt, at, bytes, text.len, SQLITE_STATIC, SQLITE_UTF8) == SQLITE_OK;
    case LIMEN_TYPE_BYTES:
        return sqlite3_bind_blob64(stmt, at, bytes, text.len, SQLITE_STATIC) == SQLITE_OK;
    case LIMEN_TYPE_FLOAT:
        return sqlite3_bind_double(stmt, at, value->as.number) == SQLITE_OK;
    default:
        return sqlite3_bind_int64(stmt, at, value->as.integer) == SQLITE_OK;
    }
}

bool statement_bind(const struct db *db, const struct prepared *prepared, const struct statement *statement,
                    const limen_value *params, uint32_t count, limen_time now)
{
    sqlite3_stmt *stmt = prepared->stmt;
    if (count != statement->param_count)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!store_value_fits(&params[i], &statement->params[i])
            || !bind_value(db, stmt, prepared->param_at[i], &params[i]))
            return false;
    }
    if (prepared->now_at != 0 && sqlite3_bind_int64(stmt, prepared->now_at, now) != SQLITE_OK)
        return false;
    if (prepared->caller_at == 0 || db->caller.ptr == NULL)
        return true;
    return sqlite3_bind_text64(stmt, prepared->caller_at, db->caller.ptr, db->caller.len, SQLITE_STATIC, SQLITE_UTF8)
        == SQLITE_OK;
}

/* ---- rows ------------------------------------------------------------------------------------------------------------- */

static bool put_column(const struct statement_column *column, sqlite3_stmt *stmt, int at, struct buf *out)
{
    int stored = sqlite3_column_type(stmt, at);
    if (stored == SQLITE_NULL) {
        wire_put_null(out);
        return column->is_nullable;
    }
    switch (column->type) {
    case LIMEN_TYPE_TEXT:
    case LIMEN_TYPE_JSON:
        wire_put_column_text(out, db_text(stmt, at));
        return stored == SQLITE_TEXT;
    case LIMEN_TYPE_BYTES: {
        const void *bytes = sqlite3_column_blob(stmt, at);
        wire_put_column_text(out, str_make(bytes, bytes == NULL ? 0 : (size_t)sqlite3_column_bytes(stmt, at)));
        return stored == SQLITE_BLOB;
    }
    case LIMEN_TYPE_FLOAT:
        wire_put_column_float(out, sqlite3_column_double(stmt, at));
        return stored == SQLITE_FLOAT || stored == SQLITE_INTEGER;
    case LIMEN_TYPE_BOOL:
        wire_put_column_int(out, sqlite3_column_int64(stmt, at) != 0);
        return stored == SQLITE_INTEGER;
    default:
        wire_put_column_int(out, sqlite3_column_int64(stmt, at));
        return stored == SQLITE_INTEGER;
    }
}

bool statement_put_row(const struct statement *statement, sqlite3_stmt *stmt, struct buf *out)
{
    for (uint32_t i = 0; i < statement->column_count; i++) {
        if (!put_column(&statement->columns[i], stmt, (int)i, out))
            return false;
    }
    return true;
}

bool statement_fits(const struct statement *statement, sqlite3_stmt *stmt)
{
    if (sqlite3_column_count(stmt) != (int)statement->column_count)
        return false;
    for (uint32_t i = 0; i < statement->column_count; i++) {
        if (!str_equal(str_of(sqlite3_column_name(stmt, (int)i)), statement->columns[i].name))
            return false;
    }
    return true;
}
