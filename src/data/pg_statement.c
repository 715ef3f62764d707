/* pg_statement.c - a statement of queries.sql as PostgreSQL prepares it.
 *
 * The statement itself is copied token by token; a parameter becomes `$1::bigint`, so that nothing is left to inference (`:after IS NULL`
 * says nothing about a type), and a text compares by its bytes, as everywhere in SQLite. Around it goes what PostgreSQL does not do by
 * itself: sum() of a bigint is numeric there, so typed columns are cast, and an UPDATE of no row is no error. */
#include "data/pg_statement.h"

#include "core/arena.h"
#include "core/limits.h"
#include "data/migrate.h"

enum pg_type pg_type_of(enum limen_type type)
{
    switch (type) {
    case LIMEN_TYPE_TEXT:
    case LIMEN_TYPE_JSON:
        return PG_TEXT;
    case LIMEN_TYPE_FLOAT:
        return PG_FLOAT8;
    case LIMEN_TYPE_BYTES:
        return PG_BYTEA;
    default:
        return PG_INT8;
    }
}

/* ---- parameters ---------------------------------------------------------------------------------------------------------- */

struct writer {
    struct pg_text text;
    const struct statement *statement;
    struct pg_sql *sql;
};

static enum pg_type type_of_param(const struct statement_param *param)
{
    if (!param->is_list)
        return pg_type_of(param->type);
    return param->type == LIMEN_TYPE_TEXT ? PG_TEXT_ARRAY : PG_INT8_ARRAY;
}

/* What a parameter's name stands for; false when the prototype does not have it. */
static bool resolve(const struct statement *statement, limen_str name, struct pg_slot *ret_slot, enum pg_type *ret_type)
{
    *ret_slot = (struct pg_slot){ .source = PG_SLOT_PARAM };
    if (str_equal(name, LIMEN_STR("caller")) || str_equal(name, LIMEN_STR("now"))) {
        bool is_caller = str_equal(name, LIMEN_STR("caller"));
        ret_slot->source = is_caller ? PG_SLOT_CALLER : PG_SLOT_NOW;
        *ret_type = is_caller ? PG_TEXT : PG_INT8;
        return true;
    }
    const struct statement_param *param = statement_param(statement, name);
    if (param == NULL)
        return false;
    ret_slot->param = (uint32_t)(param - statement->params);
    *ret_type = type_of_param(param);
    return true;
}

static limen_str param_name(const struct writer *writer, uint32_t at)
{
    limen_str token = writer->text.tokens[at].text;
    return str_slice(token, 1, token.len);
}

/* The number of the parameter at token `at`, from 1; 0 when there is no such. The same name has the same number. */
static uint32_t number_param(struct writer *writer, uint32_t at)
{
    struct pg_sql *sql = writer->sql;
    struct pg_slot slot;
    enum pg_type type;
    if (!resolve(writer->statement, param_name(writer, at), &slot, &type)
        || sql->slot_count == sizeof sql->slots / sizeof sql->slots[0]) {
        pg_text_fault(&writer->text, at, LIMEN_STR("declare it in the `-- name:` line, with its type"),
                      "this parameter is not declared");
        return 0;
    }
    for (uint32_t i = 0; i < sql->slot_count; i++) {
        if (sql->slots[i].source == slot.source && sql->slots[i].param == slot.param)
            return i + 1;
    }
    sql->slots[sql->slot_count] = slot;
    sql->types[sql->slot_count] = type;
    return ++sql->slot_count;
}

static void write_param(struct writer *writer, uint32_t at)
{
    struct buf *out = &writer->text.out;
    uint32_t number = number_param(writer, at);
    switch (number == 0 ? 0 : writer->sql->types[number - 1]) {
    case PG_TEXT:
        buf_printf(out, "($%u::text COLLATE \"C\")", number);
        return;
    case PG_TEXT_ARRAY:
        buf_printf(out, "($%u::text[] COLLATE \"C\")", number);
        return;
    case PG_INT8_ARRAY:
        buf_printf(out, "$%u::bigint[]", number);
        return;
    case PG_FLOAT8:
        buf_printf(out, "$%u::double precision", number);
        return;
    case PG_BYTEA:
        buf_printf(out, "$%u::bytea", number);
        return;
    default:
        buf_printf(out, "$%u::bigint", number);
        return;
    }
}

/* ---- the statement itself ------------------------------------------------------------------------------------------------ */

static bool is_list(const struct writer *writer, uint32_t at)
{
    struct pg_slot slot;
    enum pg_type type = PG_TEXT;
    return at < writer->text.count && writer->text.tokens[at].kind == SQL_PARAM
        && resolve(writer->statement, param_name(writer, at), &slot, &type)
        && (type == PG_TEXT_ARRAY || type == PG_INT8_ARRAY);
}

/* `[NOT] IN (:ids)` at `at`. Returns how many tokens it has; 0 when it is something else. */
static uint32_t write_in_list(struct writer *writer, uint32_t at)
{
    struct pg_text *text = &writer->text;
    uint32_t is_not = pg_text_is(text, at, LIMEN_STR("not")), list = at + is_not + 2;
    if (!pg_text_is(text, at + is_not, LIMEN_STR("in")) || !is_list(writer, list)
        || !sql_is_sign(&text->tokens[list - 1], '('))
        return 0;
    if (!sql_is_sign(&text->tokens[list + 1], ')'))
        pg_text_fault(text, list, LIMEN_STR("write `IN (:name)`"), "a list stands alone in its `IN (…)`");
    pg_text_gap(text, at);
    buf_add(&text->out, is_not != 0 ? LIMEN_STR("<> ALL (") : LIMEN_STR("= ANY ("));
    write_param(writer, list);
    buf_add_char(&text->out, ')');
    return is_not + 4;
}

static void write_statement(struct writer *writer)
{
    struct pg_text *text = &writer->text;
    for (uint32_t at = 0; at < text->count && !text->failed;) {
        uint32_t taken = write_in_list(writer, at);
        if (taken == 0 && text->tokens[at].kind == SQL_PARAM) {
            pg_text_gap(text, at);
            write_param(writer, at);
            taken = 1;
        }
        at += taken > 0 ? taken : pg_text_copy(text, at);
    }
    pg_text_gap(text, text->count);
}

/* ---- around it ----------------------------------------------------------------------------------------------------------- */

/* A column of `limen_row` as its declared type. Of a bool, SQLite's 0 and 1 and PostgreSQL's own are taken alike. */
static void write_column(struct buf *out, const struct statement_column *column)
{
    static const char *const CASTS[] = {
        [LIMEN_TYPE_TEXT] = "::text",
        [LIMEN_TYPE_JSON] = "::text",
        [LIMEN_TYPE_INT] = "::bigint",
        [LIMEN_TYPE_TIME] = "::bigint",
        [LIMEN_TYPE_BOOL] = "::text NOT IN ('0', 'false'))::int::bigint",
        [LIMEN_TYPE_FLOAT] = "::double precision",
        [LIMEN_TYPE_BYTES] = "::bytea",
    };
    buf_printf(out, "%slimen_row.\"%.*s\"%s AS \"%.*s\"", column->type == LIMEN_TYPE_BOOL ? "(" : "",
               LIMEN_STR_ARG(column->name), CASTS[column->type], LIMEN_STR_ARG(column->name));
}

static void write_columns(struct buf *out, const struct statement *statement)
{
    for (uint32_t i = 0; i < statement->column_count; i++) {
        if (i > 0)
            BUF_ADD(out, ", ");
        write_column(out, &statement->columns[i]);
    }
}

/* What a table types needs no cast. */
static bool has_declared_column(const struct statement *statement)
{
    for (uint32_t i = 0; i < statement->column_count; i++) {
        if (statement->columns[i].line != 0)
            return true;
    }
    return false;
}

/* libpq keeps all the rows of an answer: no more are asked for than say that there are too many. */
static void write_read(struct writer *writer)
{
    struct buf *out = &writer->text.out;
    BUF_ADD(out, "SELECT ");
    if (has_declared_column(writer->statement))
        write_columns(out, writer->statement);
    else
        buf_add_char(out, '*');
    BUF_ADD(out, " FROM (");
    write_statement(writer);
    buf_printf(out, ") AS limen_row LIMIT %u", LIMIT_ROWS + 1);
}

/* The count is asked even when there is no row, and the function only then. */
#define EXACTLY_ONE "CASE WHEN count(*) = 1 THEN 1 ELSE limen.missed() END"

static void write_must(struct writer *writer)
{
    BUF_ADD(&writer->text.out, "WITH limen_row AS (");
    write_statement(writer);
    BUF_ADD(&writer->text.out, " RETURNING 1) SELECT " EXACTLY_ONE " FROM limen_row");
}

static void write_returning(struct writer *writer)
{
    struct buf *out = &writer->text.out;
    BUF_ADD(out, "WITH limen_row AS (");
    write_statement(writer);
    BUF_ADD(out, ") SELECT ");
    write_columns(out, writer->statement);
    BUF_ADD(out,
            " FROM (SELECT " EXACTLY_ONE " AS rows FROM limen_row) AS limen_count LEFT JOIN limen_row ON true"
            " WHERE limen_count.rows = 1");
}

/* ---- effects ------------------------------------------------------------------------------------------------------------- */

/* A value that no name in the statement stands for. */
static void write_own(struct writer *writer, enum pg_slot_source source, enum pg_type type)
{
    struct pg_sql *sql = writer->sql;
    uint32_t at = 0;
    while (at < sql->slot_count && sql->slots[at].source != source)
        at++;
    if (at == sql->slot_count) {
        sql->slots[at].source = source;
        sql->types[at] = type;
        sql->slot_count++;
    }
    buf_printf(&writer->text.out, "$%u", at + 1);
}

/* The row of the SELECT as a JSON object, a null left out; NULL where a column is null that may not be. Several rows are an error. */
static void write_payload(struct writer *writer)
{
    struct buf *out = &writer->text.out;
    const struct statement *statement = writer->statement;
    BUF_ADD(out, "(SELECT CASE WHEN true");
    for (uint32_t i = 0; i < statement->column_count; i++) {
        if (!statement->columns[i].is_nullable)
            buf_printf(out, " AND limen_row.\"%.*s\" IS NOT NULL", LIMEN_STR_ARG(statement->columns[i].name));
    }
    BUF_ADD(out, " THEN '{' || concat_ws(','");
    for (uint32_t i = 0; i < statement->column_count; i++) {
        const struct statement_column *column = &statement->columns[i];
        bool is_text = column->type == LIMEN_TYPE_TEXT;
        buf_printf(out, ", '\"%.*s\":' || %slimen_row.\"%.*s\"::%s", LIMEN_STR_ARG(column->name),
                   is_text ? "to_json(" : "", LIMEN_STR_ARG(column->name), is_text ? "text)::text" : "bigint::text");
    }
    BUF_ADD(out, ") || '}' END FROM limen_row)");
}

/* One row in the outbox, or it raises: without a row to send, and with a key that was used before. */
static void write_effect(struct writer *writer)
{
    struct buf *out = &writer->text.out;
    BUF_ADD(out, "WITH limen_row AS (");
    write_statement(writer);
    BUF_ADD(out,
            "), limen_put AS (INSERT INTO limen_outbox (id, effect, key, params, payload, principal, created_at,"
            " state, due_at, lease_until, fence, attempts, sent_at, outcome, object_id, provider_state, code, note)"
            " SELECT ");
    write_own(writer, PG_SLOT_EFFECT_ID, PG_TEXT);
    buf_printf(out, ", '%.*s', ", LIMEN_STR_ARG(writer->statement->name));
    write_own(writer, PG_SLOT_EFFECT_KEY, PG_TEXT);
    BUF_ADD(out, ", ");
    write_own(writer, PG_SLOT_EFFECT_PARAMS, PG_BYTEA);
    BUF_ADD(out, ", limen_sent.payload, ");
    write_own(writer, PG_SLOT_EFFECT_PRINCIPAL, PG_TEXT);
    BUF_ADD(out, ", ");
    write_own(writer, PG_SLOT_NOW, PG_INT8);
    BUF_ADD(out, ", 'pending', ");
    write_own(writer, PG_SLOT_NOW, PG_INT8);
    BUF_ADD(out, ", 0, 0, 0, 0, 0, '', '', '', '' FROM (SELECT ");
    write_payload(writer);
    BUF_ADD(out,
            " AS payload) AS limen_sent WHERE limen_sent.payload IS NOT NULL ON CONFLICT (key) DO NOTHING"
            " RETURNING 1) SELECT " EXACTLY_ONE " FROM limen_put");
}

bool pg_sql_write(const struct statement *statement, limen_str file, struct arena *arena, struct pg_sql *ret_sql,
                  struct diags *diags)
{
    struct pg_sql sql = { 0 };
    struct writer writer = { .statement = statement, .sql = &sql };
    if (!pg_text_init(&writer.text, statement->sql, statement->is_variant, file, statement->sql_line,
                      statement->sql_column, arena, diags)) {
        diags_add_at(diags, file, statement->line, 1, LIMEN_STR(""), "memory is out");
        return false;
    }
    switch (statement->kind) {
    case STATEMENT_ONE:
    case STATEMENT_MANY:
        write_read(&writer);
        break;
    case STATEMENT_EFFECT:
        write_effect(&writer);
        break;
    case STATEMENT_EXEC:
        write_statement(&writer);
        break;
    case STATEMENT_MUST:
        write_must(&writer);
        break;
    case STATEMENT_RETURNING:
        write_returning(&writer);
        break;
    }
    buf_add_char(&writer.text.out, '\0');
    if (writer.text.failed || writer.text.out.failed)
        return false;
    sql.text = writer.text.out.ptr;
    sql.marks = writer.text.marks;
    sql.mark_count = writer.text.mark_count;
    *ret_sql = sql;
    return true;
}

/* ---- questions ----------------------------------------------------------------------------------------------------------- */

void pg_sql_locate(const struct pg_sql *sql, const struct statement *statement, uint32_t position, uint32_t *ret_line,
                   uint32_t *ret_column)
{
    struct pg_mark found = pg_marks_find(sql->marks, sql->mark_count, str_of(sql->text), position);
    *ret_line = position == 0 ? statement->sql_line : found.line;
    *ret_column = position == 0 ? statement->sql_column : found.column;
}

static bool is_owned(const struct migration_set *migrations, limen_str table)
{
    for (uint32_t i = 0; i < migrations->annotation_count; i++) {
        const struct annotation *it = &migrations->annotations[i];
        if (it->kind == ANNOTATION_OWNER && !it->is_gone && str_equal_nocase(it->table, table))
            return true;
    }
    return false;
}

bool pg_sql_is_owned(const struct statement *statement, const struct migration_set *migrations)
{
    struct sql_lexer lexer;
    sql_lexer_init(&lexer, statement->sql);
    for (struct sql_token token = sql_next_code(&lexer); token.kind != SQL_END; token = sql_next_code(&lexer)) {
        if (sql_is_name(&token) && is_owned(migrations, sql_name(&token)))
            return true;
    }
    return false;
}
