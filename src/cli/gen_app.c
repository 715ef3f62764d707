/* gen_app.c - writes app.c: the app's files as bytes of the binary, and the table that names them. */
#include "cli/gen.h"

#define BANNER "/* Written by `limen gen`; changes are lost. */\n"
#define BYTES_PER_LINE 24U

static void write_bytes(const char *name, size_t index, limen_str bytes, struct buf *out)
{
    static const char digits[] = "0123456789abcdef";
    buf_printf(out, "static const unsigned char %s_%zu[] = {", name, index);
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t byte = (uint8_t)bytes.ptr[i];
        if (i % BYTES_PER_LINE == 0)
            BUF_ADD(out, "\n   ");
        char text[] = { ' ', '0', 'x', digits[byte >> 4], digits[byte & 15], ',' };
        buf_add(out, str_make(text, sizeof(text)));
    }
    BUF_ADD(out, "\n    0x00\n};\n");
}

static void write_file(const char *name, size_t index, const struct limen_file *file, struct buf *out)
{
    BUF_ADD(out, "{ LIMEN_STR_INIT(");
    gen_write_literal(out, file->path);
    buf_printf(out, "), { (const char *)%s_%zu, sizeof(%s_%zu) - 1 } }", name, index, name, index);
}

static void write_table(const char *name, const struct limen_file *files, size_t count, struct buf *out)
{
    for (size_t i = 0; i < count; i++)
        write_bytes(name, i, files[i].bytes, out);
    buf_printf(out, "static const struct limen_file %s_files[] = {\n", name);
    for (size_t i = 0; i < count; i++) {
        BUF_ADD(out, "    ");
        write_file(name, i, &files[i], out);
        BUF_ADD(out, ",\n");
    }
    BUF_ADD(out, "    { { 0 }, { 0 } },\n};\n\n");
}

/* In messages a document is called what a $ref calls it: the binary does not know where the file was. */
static void write_documents(const struct limen_app *app, struct buf *out)
{
    for (size_t i = 0; i < app->document_count; i++)
        write_bytes("document", i, app->documents[i].file.bytes, out);
    BUF_ADD(out, "static const struct limen_document documents[] = {\n");
    for (size_t i = 0; i < app->document_count; i++) {
        const struct limen_file file = { app->documents[i].uri, app->documents[i].file.bytes };
        BUF_ADD(out, "    { LIMEN_STR_INIT(");
        gen_write_literal(out, file.path);
        BUF_ADD(out, "), ");
        write_file("document", i, &file, out);
        BUF_ADD(out, " },\n");
    }
    BUF_ADD(out, "    { { 0 }, { { 0 }, { 0 } } },\n};\n\n");
}

static uint32_t count_effects(const struct query_set *queries)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < queries->count; i++)
        count += queries->statements[i].kind == STATEMENT_EFFECT;
    return count;
}

void gen_write_app_c(struct gen *gen, const struct limen_app *app, struct buf *out)
{
    BUF_ADD(out, BANNER "#include \"api.h\"\n#include \"queries.h\"\n\n");
    write_bytes("contract", 0, app->contract.bytes, out);
    write_bytes("queries", 0, app->queries.bytes, out);
    write_documents(app, out);
    write_table("migrations", app->migrations, app->migration_count, out);
    write_table("web", app->web, app->web_count, out);
    BUF_ADD(out, "const struct limen_app limen_the_app = {\n    .name = LIMEN_STR_INIT(");
    gen_write_literal(out, app->name);
    BUF_ADD(out, "),\n    .contract = ");
    write_file("contract", 0, &app->contract, out);
    BUF_ADD(out, ",\n    .queries = ");
    write_file("queries", 0, &app->queries, out);
    buf_printf(out,
               ",\n    .documents = documents,\n    .document_count = %zu,\n    .migrations = migrations_files,\n    "
               ".migration_count = %zu,\n    .web = web_files,\n    "
               ".web_count = %zu,\n",
               app->document_count, app->migration_count, app->web_count);
    buf_printf(out,
               "    .handlers = limen_handlers,\n    .handler_count = %u,\n    .effects = limen_effects,\n    "
               ".effect_count = %u,\n};\n",
               gen->contract->operation_count, count_effects(gen->queries));
}
