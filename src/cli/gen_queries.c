/* gen_queries.c - writes queries.h and queries.c: a typed function for each named statement. */
#include "cli/gen.h"

#define BANNER "/* Written by `limen gen` from queries.sql; changes are lost. */\n"

static const char *type_name(enum limen_type type)
{
    static const char *const names[] = { "LIMEN_TYPE_TEXT",  "LIMEN_TYPE_INT",  "LIMEN_TYPE_FLOAT", "LIMEN_TYPE_BOOL",
                                         "LIMEN_TYPE_BYTES", "LIMEN_TYPE_TIME", "LIMEN_TYPE_JSON" };
    return names[type];
}

static const char *plain_type(enum limen_type type)
{
    static const char *const types[] = { "limen_str", "int64_t",    "double",   "bool",
                                         "limen_str", "limen_time", "limen_str" };
    return types[type];
}

static const char *optional_type(enum limen_type type)
{
    static const char *const types[] = { "limen_opt_str", "limen_opt_int", "limen_opt_float", "limen_opt_bool",
                                         "limen_opt_str", "limen_opt_int", "limen_opt_str" };
    return types[type];
}

static const char *param_type(const struct statement_param *param)
{
    if (param->is_list)
        return param->type == LIMEN_TYPE_INT ? "limen_ints" : "limen_strs";
    return param->is_nullable ? optional_type(param->type) : plain_type(param->type);
}

/* Where the value stands in limen_value. */
static const char *value_member(enum limen_type type)
{
    static const char *const members[] = { "text", "integer", "number", "integer", "text", "integer", "text" };
    return members[type];
}

static bool has_rows(const struct statement *statement)
{
    return statement->kind == STATEMENT_ONE || statement->kind == STATEMENT_MANY
        || statement->kind == STATEMENT_RETURNING;
}

/* ---- prototypes ------------------------------------------------------------------------------------------------------- */

static void write_row_type(const struct statement *statement, limen_str name, struct gen *gen, struct buf *out)
{
    buf_printf(out, "typedef struct %.*s_row {\n", LIMEN_STR_ARG(name));
    for (uint32_t i = 0; i < statement->column_count; i++) {
        const struct statement_column *column = &statement->columns[i];
        buf_printf(out, "    %s %.*s;\n", column->is_nullable ? optional_type(column->type) : plain_type(column->type),
                   LIMEN_STR_ARG(gen_snake(gen->arena, column->name)));
    }
    buf_printf(out, "} %.*s_row;\n", LIMEN_STR_ARG(name));
}

static void write_params(const struct statement *statement, struct gen *gen, struct buf *out)
{
    for (uint32_t i = 0; i < statement->param_count; i++)
        buf_printf(out, ", %s %.*s", param_type(&statement->params[i]),
                   LIMEN_STR_ARG(gen_snake(gen->arena, statement->params[i].name)));
}

static void write_prototype(const struct statement *statement, limen_str name, struct gen *gen, struct buf *out)
{
    switch (statement->kind) {
    case STATEMENT_ONE:
        BUF_ADD(out, "LIMEN_MUST_CHECK bool ");
        break;
    case STATEMENT_MANY:
        BUF_ADD(out, "size_t ");
        break;
    case STATEMENT_RETURNING:
        buf_printf(out, "const %.*s_row *", LIMEN_STR_ARG(name));
        break;
    case STATEMENT_EXEC:
    case STATEMENT_MUST:
    case STATEMENT_EFFECT:
        BUF_ADD(out, "void ");
        break;
    }
    buf_printf(out, "%.*s(limen_call *call", LIMEN_STR_ARG(name));
    write_params(statement, gen, out);
    if (statement->kind == STATEMENT_ONE)
        buf_printf(out, ", %.*s_row *ret_row", LIMEN_STR_ARG(name));
    if (statement->kind == STATEMENT_MANY)
        buf_printf(out, ", %.*s_row **ret_rows", LIMEN_STR_ARG(name));
    BUF_ADD(out, ")");
}

static void write_comment(const struct statement *statement, struct buf *out)
{
    switch (statement->kind) {
    case STATEMENT_ONE:
        BUF_ADD(out, "/* One row, or false. */\n");
        break;
    case STATEMENT_MANY:
        BUF_ADD(out, "/* The number of rows; they live as long as the call. */\n");
        break;
    case STATEMENT_EXEC:
        BUF_ADD(out, "/* Queued. */\n");
        break;
    case STATEMENT_MUST:
        buf_printf(out, "/* Queued; exactly one row changes, or the call is answered %d. */\n", statement->else_status);
        break;
    case STATEMENT_RETURNING:
        BUF_ADD(out, "/* Queued; the row is there after limen_commit");
        if (statement->else_status != 0)
            buf_printf(out, ", or the call is answered %d", statement->else_status);
        BUF_ADD(out, ". */\n");
        break;
    case STATEMENT_EFFECT:
        buf_printf(out,
                   "/* Queued; sent after the commit, to %.*s. Without a row, or with a key that was used: %d. */\n",
                   LIMEN_STR_ARG(statement->action->target), statement->else_status);
        break;
    }
}

static void write_result_prototype(const struct statement *statement, limen_str name, struct gen *gen, struct buf *out)
{
    buf_printf(out, "/* Yours to write: called when it is known what came of it. */\nvoid %.*s_result(limen_call *call",
               LIMEN_STR_ARG(name));
    write_params(statement, gen, out);
    BUF_ADD(out, ", const limen_effect_result *result);\n\n");
}

void gen_write_queries_h(struct gen *gen, struct buf *out)
{
    BUF_ADD(out,
            BANNER
            "#ifndef LIMEN_GENERATED_QUERIES_H\n#define LIMEN_GENERATED_QUERIES_H\n\n#include \"limen/limen.h\"\n\n");
    for (uint32_t i = 0; i < gen->queries->count; i++) {
        const struct statement *statement = &gen->queries->statements[i];
        limen_str name = gen_snake(gen->arena, statement->name);
        if (has_rows(statement))
            write_row_type(statement, name, gen, out);
        write_comment(statement, out);
        write_prototype(statement, name, gen, out);
        BUF_ADD(out, ";\n\n");
        if (statement->kind == STATEMENT_EFFECT)
            write_result_prototype(statement, name, gen, out);
    }
    BUF_ADD(out,
            "/* Who hears of the effects, by name. */\nextern const struct limen_effect limen_effects[];\n\n#endif\n");
}

/* ---- functions -------------------------------------------------------------------------------------------------------- */

static void write_columns(const struct statement *statement, limen_str name, struct gen *gen, struct buf *out)
{
    buf_printf(out, "static const limen_column %.*s_columns[] = {\n", LIMEN_STR_ARG(name));
    for (uint32_t i = 0; i < statement->column_count; i++) {
        const struct statement_column *column = &statement->columns[i];
        limen_str member = gen_snake(gen->arena, column->name);
        BUF_ADD(out, "    { LIMEN_STR_INIT(");
        gen_write_literal(out, column->name);
        buf_printf(out, "), %s, %s, offsetof(%.*s_row, %.*s) },\n", type_name(column->type),
                   column->is_nullable ? "true" : "false", LIMEN_STR_ARG(name), LIMEN_STR_ARG(member));
    }
    buf_printf(out, "};\nstatic const limen_row_shape %.*s_shape = { sizeof(%.*s_row), %u, %.*s_columns };\n",
               LIMEN_STR_ARG(name), LIMEN_STR_ARG(name), statement->column_count, LIMEN_STR_ARG(name));
}

static void write_statement(const struct statement *statement, limen_str name, struct buf *out)
{
    buf_printf(out, "static const limen_statement %.*s_statement = {\n    .number = %u, .name = \"%.*s\"",
               LIMEN_STR_ARG(name), statement->number, LIMEN_STR_ARG(statement->name));
    if (has_rows(statement))
        buf_printf(out, ", .row = &%.*s_shape", LIMEN_STR_ARG(name));
    if (statement->else_status != 0) {
        buf_printf(out, ", .else_status = %d, .else_text = ", statement->else_status);
        gen_write_literal(out, statement->else_text);
    }
    BUF_ADD(out, ",\n};\n\n");
}

static void write_param(const struct statement_param *param, limen_str member, struct buf *out)
{
    int len = (int)member.len;
    const char *ptr = member.ptr;
    buf_printf(out, "        { .type = %s", type_name(param->type));
    if (param->is_list)
        buf_printf(out, ", .is_list = true, .count = %.*s.count, .as.%s = %.*s.items", len, ptr,
                   param->type == LIMEN_TYPE_INT ? "integers" : "texts", len, ptr);
    else if (param->is_nullable)
        buf_printf(out, ", .is_null = !%.*s.has, .as.%s = %.*s.value", len, ptr, value_member(param->type), len, ptr);
    else
        buf_printf(out, ", .as.%s = %.*s", value_member(param->type), len, ptr);
    BUF_ADD(out, " },\n");
}

static void write_body(const struct statement *statement, limen_str name, struct gen *gen, struct buf *out)
{
    const char *params = statement->param_count > 0 ? "params" : "NULL";
    BUF_ADD(out, "\n{\n");
    if (statement->param_count > 0) {
        BUF_ADD(out, "    const limen_value params[] = {\n");
        for (uint32_t i = 0; i < statement->param_count; i++)
            write_param(&statement->params[i], gen_snake(gen->arena, statement->params[i].name), out);
        BUF_ADD(out, "    };\n");
    }
    const char *start = "";
    const char *end = "";
    switch (statement->kind) {
    case STATEMENT_ONE:
        start = "return limen_query_one";
        end = ", ret_row";
        break;
    case STATEMENT_MANY:
        BUF_ADD(out, "    void *rows;\n");
        start = "size_t count = limen_query_many";
        end = ", &rows";
        break;
    case STATEMENT_RETURNING:
        start = "return limen_queue_returning";
        break;
    case STATEMENT_EXEC:
    case STATEMENT_MUST:
    case STATEMENT_EFFECT:
        start = "limen_queue";
        break;
    }
    buf_printf(out, "    %s(call, &%.*s_statement, %s, %u%s);\n", start, LIMEN_STR_ARG(name), params,
               statement->param_count, end);
    if (statement->kind == STATEMENT_MANY)
        BUF_ADD(out, "    *ret_rows = rows;\n    return count;\n");
    BUF_ADD(out, "}\n\n");
}

/* ---- effects ---------------------------------------------------------------------------------------------------------- */

/* Hands the parameters on to the app's function. */
static void write_result_call(const struct statement *statement, limen_str name, struct buf *out)
{
    buf_printf(out,
               "static void run_%.*s_result(limen_call *call, const limen_value *params, const limen_effect_result "
               "*result)\n{\n    %.*s_result(call",
               LIMEN_STR_ARG(name), LIMEN_STR_ARG(name));
    for (uint32_t i = 0; i < statement->param_count; i++) {
        const struct statement_param *param = &statement->params[i];
        const char *cast = param->type == LIMEN_TYPE_BOOL ? " != 0" : "";
        if (param->is_nullable)
            buf_printf(out, ", (%s){ !params[%u].is_null, params[%u].as.%s%s }", optional_type(param->type), i, i,
                       value_member(param->type), cast);
        else
            buf_printf(out, ", params[%u].as.%s%s", i, value_member(param->type), cast);
    }
    BUF_ADD(out, ", result);\n}\n\n");
}

static void write_effects(struct gen *gen, struct buf *out)
{
    BUF_ADD(out, "const struct limen_effect limen_effects[] = {\n");
    for (uint32_t i = 0; i < gen->queries->count; i++) {
        const struct statement *statement = &gen->queries->statements[i];
        if (statement->kind == STATEMENT_EFFECT)
            buf_printf(out, "    { LIMEN_STR_INIT(\"%.*s\"), run_%.*s_result },\n", LIMEN_STR_ARG(statement->name),
                       LIMEN_STR_ARG(gen_snake(gen->arena, statement->name)));
    }
    BUF_ADD(out, "    { { 0 }, 0 },\n};\n");
}

void gen_write_queries_c(struct gen *gen, struct buf *out)
{
    BUF_ADD(out, BANNER "#include \"queries.h\"\n\n");
    for (uint32_t i = 0; i < gen->queries->count; i++) {
        const struct statement *statement = &gen->queries->statements[i];
        limen_str name = gen_snake(gen->arena, statement->name);
        if (has_rows(statement))
            write_columns(statement, name, gen, out);
        write_statement(statement, name, out);
        write_prototype(statement, name, gen, out);
        write_body(statement, name, gen, out);
        if (statement->kind == STATEMENT_EFFECT)
            write_result_call(statement, name, out);
    }
    write_effects(gen, out);
}
