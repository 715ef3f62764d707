/* gen_api.c - writes api.h (structs, handler prototypes, reply functions) and api.c (the shapes). */
#include "cli/gen.h"

#define BANNER "/* Written by `limen gen` from the contract; changes are lost. */\n"

static const char *c_type(enum limen_kind kind)
{
    switch (kind) {
    case LIMEN_BOOL:
        return "bool";
    case LIMEN_INT:
        return "int64_t";
    case LIMEN_FLOAT:
        return "double";
    case LIMEN_TIME:
        return "limen_time";
    default:
        return "limen_str";
    }
}

static const char *kind_name(enum limen_kind kind)
{
    static const char *const names[] = { "LIMEN_BOOL", "LIMEN_INT",    "LIMEN_FLOAT", "LIMEN_STRING", "LIMEN_TIME",
                                         "LIMEN_ENUM", "LIMEN_OBJECT", "LIMEN_ARRAY", "LIMEN_UNION",  "LIMEN_JSON" };
    return names[kind];
}

/* The C type of a value that is no array: a builtin one, or a generated one. */
static limen_str value_type(enum limen_kind kind, const struct gen_type *type)
{
    return type != NULL ? type->c_name : str_of(c_type(kind));
}

/* ---- api.h ------------------------------------------------------------------------------------------------------------ */

static void write_field(const struct gen_field *field, struct buf *out)
{
    if (field->kind == LIMEN_ARRAY) {
        limen_str item = value_type(field->item_kind, field->type);
        buf_printf(out, "    struct { %.*s *items; size_t count; } %.*s;\n", LIMEN_STR_ARG(item),
                   LIMEN_STR_ARG(field->c_name));
    } else {
        limen_str type = value_type(field->kind, field->type);
        buf_printf(out, "    %.*s %.*s;\n", LIMEN_STR_ARG(type), LIMEN_STR_ARG(field->c_name));
    }
    if (field->is_optional)
        buf_printf(out, "    bool has_%.*s;\n", LIMEN_STR_ARG(field->c_name));
    if (field->is_nullable)
        buf_printf(out, "    bool %.*s_is_null;\n", LIMEN_STR_ARG(field->c_name));
}

static limen_str union_constant(struct gen *gen, const struct gen_type *type, const struct gen_field *alternative)
{
    return arena_printf(gen->arena, "%.*s_%.*s", LIMEN_STR_ARG(gen_upper(gen->arena, type->c_name)),
                        LIMEN_STR_ARG(gen_upper(gen->arena, alternative->c_name)));
}

static void write_union(struct gen *gen, const struct gen_type *type, struct buf *out)
{
    buf_printf(out, "typedef struct %.*s {\n    enum {\n", LIMEN_STR_ARG(type->c_name));
    for (uint32_t i = 0; i < type->count; i++)
        buf_printf(out, "        %.*s = %u,\n", LIMEN_STR_ARG(union_constant(gen, type, &type->fields[i])), i + 1);
    BUF_ADD(out, "    } kind;\n    union {\n");
    for (uint32_t i = 0; i < type->count; i++)
        buf_printf(out, "        %.*s %.*s;\n", LIMEN_STR_ARG(type->fields[i].type->c_name),
                   LIMEN_STR_ARG(type->fields[i].c_name));
    BUF_ADD(out, "    } as;\n");
}

static void write_type(struct gen *gen, const struct gen_type *type, struct buf *out)
{
    if (type->discriminator.len > 0) {
        write_union(gen, type, out);
    } else if (type->is_enum) {
        buf_printf(out, "typedef enum %.*s {\n", LIMEN_STR_ARG(type->c_name));
        for (uint32_t i = 0; i < type->count; i++)
            buf_printf(out, "    %.*s = %u,\n", LIMEN_STR_ARG(type->fields[i].c_name), i + 1);
    } else {
        buf_printf(out, "typedef struct %.*s {\n", LIMEN_STR_ARG(type->c_name));
        for (uint32_t i = 0; i < type->count; i++)
            write_field(&type->fields[i], out);
        if (type->count == 0)
            BUF_ADD(out, "    char nothing;\n");
    }
    buf_printf(out, "} %.*s;\n", LIMEN_STR_ARG(type->c_name));
    if (!type->is_enum)
        buf_printf(out, "extern const struct limen_shape %.*s_shape;\n", LIMEN_STR_ARG(type->c_name));
    buf_add_char(out, '\n');
}

static void write_reply_function(struct gen *gen, const struct operation *operation, const struct reply_spec *reply,
                                 struct buf *out)
{
    limen_str name = gen_snake(gen->arena, operation->id);
    buf_printf(out, "static inline limen_reply %.*s_%d(limen_call *call", LIMEN_STR_ARG(name), reply->status);
    if (!reply->has_body) {
        buf_printf(out, ")\n{\n    return limen_reply_empty(call, %d);\n}\n", reply->status);
    } else if (reply->is_problem) {
        buf_printf(out, ", const char *detail)\n{\n    return limen_reply_problem(call, %d, detail);\n}\n",
                   reply->status);
    } else {
        limen_str type = gen_reply_type(gen, operation, reply)->c_name;
        buf_printf(out, ", const %.*s *value)\n{\n    return limen_reply_object(call, %d, &%.*s_shape, value);\n}\n",
                   LIMEN_STR_ARG(type), reply->status, LIMEN_STR_ARG(type));
    }
}

/* The path in a comment, which it neither ends nor begins anew. */
static void write_path(limen_str path, struct buf *out)
{
    for (size_t i = 0; i < path.len; i++) {
        char before = i > 0 ? path.ptr[i - 1] : ' ';
        if ((before == '*' && path.ptr[i] == '/') || (before == '/' && path.ptr[i] == '*'))
            buf_add_char(out, ' ');
        buf_add_char(out, path.ptr[i]);
    }
}

static void write_operation(struct gen *gen, const struct operation *operation, struct buf *out)
{
    limen_str name = gen_snake(gen->arena, operation->id);
    buf_printf(out, "/* %.*s ", LIMEN_STR_ARG(method_name(operation->method)));
    write_path(operation->path, out);
    BUF_ADD(out, " */\n");
    buf_printf(out, "limen_reply %.*s(limen_call *call, const %.*s_in *in);\n", LIMEN_STR_ARG(name),
               LIMEN_STR_ARG(name));
    for (uint32_t i = 0; i < operation->reply_count; i++)
        write_reply_function(gen, operation, &operation->replies[i], out);
    buf_add_char(out, '\n');
}

void gen_write_api_h(struct gen *gen, struct buf *out)
{
    BUF_ADD(out,
            BANNER "#ifndef LIMEN_GENERATED_API_H\n#define LIMEN_GENERATED_API_H\n\n#include \"limen/limen.h\"\n\n");
    for (const struct gen_type *type = gen->types; type != NULL; type = type->next)
        write_type(gen, type, out);
    for (uint32_t i = 0; i < gen->contract->operation_count; i++)
        write_operation(gen, &gen->contract->operations[i], out);
    BUF_ADD(out, "extern const struct limen_handler limen_handlers[];\n\n#endif\n");
}

/* ---- api.c ------------------------------------------------------------------------------------------------------------ */

static void write_enum_names(const struct gen_type *type, struct buf *out)
{
    buf_printf(out, "static const limen_str %.*s_names[] = {\n", LIMEN_STR_ARG(type->c_name));
    for (uint32_t i = 0; i < type->count; i++) {
        BUF_ADD(out, "    LIMEN_STR_INIT(");
        gen_write_literal(out, type->fields[i].name);
        BUF_ADD(out, "),\n");
    }
    BUF_ADD(out, "};\n\n");
}

static void write_enum_members(const struct gen_type *type, struct buf *out)
{
    buf_printf(out, ", .names = %.*s_names, .name_count = %u", LIMEN_STR_ARG(type->c_name), type->count);
}

/* The shape of an array's items: one nameless field at offset 0. */
static void write_item_shape(const struct gen_type *owner, const struct gen_field *field, struct buf *out)
{
    limen_str item = value_type(field->item_kind, field->type);
    limen_str name = owner->c_name;
    buf_printf(out, "static const struct limen_field %.*s_%.*s_array_field = {\n    .kind = %s", LIMEN_STR_ARG(name),
               LIMEN_STR_ARG(field->c_name), kind_name(field->item_kind));
    if (field->item_kind == LIMEN_OBJECT || field->item_kind == LIMEN_UNION)
        buf_printf(out, ", .shape = &%.*s_shape", LIMEN_STR_ARG(field->type->c_name));
    if (field->item_kind == LIMEN_ENUM)
        write_enum_members(field->type, out);
    BUF_ADD(out, ",\n};\n");
    buf_printf(
        out,
        "static const struct limen_shape %.*s_%.*s_array_shape = {\n    .name = \"%.*s\", .bytes = sizeof(%.*s), "
        ".count = 1, .fields = &%.*s_%.*s_array_field,\n};\n\n",
        LIMEN_STR_ARG(name), LIMEN_STR_ARG(field->c_name), LIMEN_STR_ARG(item), LIMEN_STR_ARG(item),
        LIMEN_STR_ARG(name), LIMEN_STR_ARG(field->c_name));
}

static void write_field_entry(const struct gen_type *owner, const struct gen_field *field, struct buf *out)
{
    limen_str name = owner->c_name, member = field->c_name;
    BUF_ADD(out, "    { .name = LIMEN_STR_INIT(");
    gen_write_literal(out, field->name);
    buf_printf(out, "), .kind = %s, .offset = offsetof(%.*s, %.*s)", kind_name(field->kind), LIMEN_STR_ARG(name),
               LIMEN_STR_ARG(owner->discriminator.len > 0 ? LIMEN_STR("as") : member));
    if (field->is_optional)
        buf_printf(out, ",\n      .is_optional = true, .presence_at = offsetof(%.*s, has_%.*s)", LIMEN_STR_ARG(name),
                   LIMEN_STR_ARG(member));
    if (field->is_nullable)
        buf_printf(out, ",\n      .is_nullable = true, .null_at = offsetof(%.*s, %.*s_is_null)", LIMEN_STR_ARG(name),
                   LIMEN_STR_ARG(member));
    if (field->is_write_only)
        BUF_ADD(out, ",\n      .is_write_only = true");
    if (field->kind == LIMEN_OBJECT || field->kind == LIMEN_UNION)
        buf_printf(out, ", .shape = &%.*s_shape", LIMEN_STR_ARG(field->type->c_name));
    if (field->kind == LIMEN_ARRAY)
        buf_printf(out, ", .shape = &%.*s_%.*s_array_shape", LIMEN_STR_ARG(name), LIMEN_STR_ARG(member));
    if (field->kind == LIMEN_ENUM)
        write_enum_members(field->type, out);
    BUF_ADD(out, " },\n");
}

static void write_shape(const struct gen_type *type, struct buf *out)
{
    for (uint32_t i = 0; i < type->count; i++) {
        if (type->fields[i].kind == LIMEN_ARRAY)
            write_item_shape(type, &type->fields[i], out);
    }
    if (type->count > 0) {
        buf_printf(out, "static const struct limen_field %.*s_fields[] = {\n", LIMEN_STR_ARG(type->c_name));
        for (uint32_t i = 0; i < type->count; i++)
            write_field_entry(type, &type->fields[i], out);
        BUF_ADD(out, "};\n");
    }
    buf_printf(out, "const struct limen_shape %.*s_shape = {\n    .name = \"%.*s\", .bytes = sizeof(%.*s)",
               LIMEN_STR_ARG(type->c_name), LIMEN_STR_ARG(type->c_name), LIMEN_STR_ARG(type->c_name));
    if (type->count > 0)
        buf_printf(out, ", .count = %u, .fields = %.*s_fields", type->count, LIMEN_STR_ARG(type->c_name));
    if (type->discriminator.len > 0) {
        BUF_ADD(out, ",\n    .discriminator = LIMEN_STR_INIT(");
        gen_write_literal(out, type->discriminator);
        BUF_ADD(out, ")");
    }
    const struct doc_node *rest = doc_get(type->node, LIMEN_STR("additionalProperties"));
    if (rest != NULL && rest->kind == DOC_BOOL && rest->boolean)
        BUF_ADD(out, ",\n    .is_open = true");
    if (type->holds_json)
        BUF_ADD(out, ",\n    .holds_json = true");
    BUF_ADD(out, ",\n};\n\n");
}

static void write_runner(struct gen *gen, const struct operation *operation, struct buf *out)
{
    limen_str name = gen_snake(gen->arena, operation->id);
    buf_printf(
        out,
        "static limen_reply run_%.*s(limen_call *call, const void *input)\n{\n    return %.*s(call, input);\n}\n\n",
        LIMEN_STR_ARG(name), LIMEN_STR_ARG(name));
}

void gen_write_api_c(struct gen *gen, struct buf *out)
{
    BUF_ADD(out, BANNER "#include \"api.h\"\n\n");
    for (const struct gen_type *type = gen->types; type != NULL; type = type->next) {
        if (type->is_enum)
            write_enum_names(type, out);
        else
            write_shape(type, out);
    }
    for (uint32_t i = 0; i < gen->contract->operation_count; i++)
        write_runner(gen, &gen->contract->operations[i], out);
    BUF_ADD(out, "const struct limen_handler limen_handlers[] = {\n");
    for (uint32_t i = 0; i < gen->contract->operation_count; i++) {
        const struct operation *operation = &gen->contract->operations[i];
        limen_str name = gen_snake(gen->arena, operation->id);
        buf_printf(out, "    { .operation_id = LIMEN_STR_INIT(\"%.*s\"), .run = run_%.*s, .input = &%.*s_in_shape },\n",
                   LIMEN_STR_ARG(operation->id), LIMEN_STR_ARG(name), LIMEN_STR_ARG(name));
    }
    BUF_ADD(out, "};\n");
}
