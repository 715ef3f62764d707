/* gen_types.c - which C types a contract needs.
 *
 * A named schema becomes a struct or an enum of that name, an inline one is named after the member that holds it. What has no C
 * shape (composition, free-form values) stays a checked slice of JSON. */
#include "cli/gen.h"

#include "core/log.h"

#include <ctype.h>
#include <dlfcn.h>

/* ---- names ------------------------------------------------------------------------------------------------------------ */

static bool is_keyword(limen_str name)
{
    static const char *const keywords[] = {
        "auto",   "bool", "break",    "case",     "char",     "const", "continue", "default", "do",     "double",
        "else",   "enum", "extern",   "false",    "float",    "for",   "goto",     "if",      "inline", "int",
        "long",   "main", "register", "restrict", "return",   "short", "signed",   "sizeof",  "static", "struct",
        "switch", "true", "typedef",  "union",    "unsigned", "void",  "volatile", "while",
    };
    for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++) {
        if (str_equal(name, str_of(keywords[i])))
            return true;
    }
    return false;
}

limen_str gen_snake(struct arena *arena, limen_str name)
{
    struct buf out;
    buf_init(&out, arena, name.len + 8);
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool is_upper = isupper((unsigned char)c) != 0;
        bool was_lower = i > 0 && (islower((unsigned char)name.ptr[i - 1]) || isdigit((unsigned char)name.ptr[i - 1]));
        bool ends_run = i > 0 && isupper((unsigned char)name.ptr[i - 1]) && i + 1 < name.len
            && islower((unsigned char)name.ptr[i + 1]);
        if (is_upper && (was_lower || ends_run))
            buf_add_char(&out, '_');
        buf_add_char(&out, isalnum((unsigned char)c) ? (char)tolower((unsigned char)c) : '_');
    }
    if (out.len > 0 && isdigit((unsigned char)out.ptr[0]))
        return gen_snake(arena, arena_printf(arena, "n%.*s", LIMEN_STR_ARG(name)));
    if (is_keyword(buf_str(&out)))
        buf_add_char(&out, '_');
    return buf_str(&out);
}

limen_str gen_upper(struct arena *arena, limen_str name)
{
    struct buf out;
    buf_init(&out, arena, name.len + 1);
    for (size_t i = 0; i < name.len; i++)
        buf_add_char(&out, isalnum((unsigned char)name.ptr[i]) ? (char)toupper((unsigned char)name.ptr[i]) : '_');
    return buf_str(&out);
}

/* "??" may begin a trigraph, and a hexadecimal escape would take in the digits behind it. */
void gen_write_literal(struct buf *out, limen_str text)
{
    buf_add_char(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (iscntrl((unsigned char)c) != 0) {
            buf_printf(out, "\\%03o", (unsigned)(unsigned char)c);
            continue;
        }
        if (c == '"' || c == '\\' || c == '?')
            buf_add_char(out, '\\');
        buf_add_char(out, c);
    }
    buf_add_char(out, '"');
}

/* The command is linked with the same libraries as an app. */
bool gen_is_in_library(struct gen *gen, limen_str c_name)
{
    limen_str name = arena_printf(gen->arena, "%.*s", LIMEN_STR_ARG(c_name));
    return name.ptr != NULL && dlsym(RTLD_DEFAULT, name.ptr) != NULL;
}

bool gen_reserve(struct gen *gen, limen_str c_name, limen_str what, const struct doc_node *node)
{
    const limen_str *taken = map_get(&gen->names, c_name);
    if (taken != NULL) {
        diags_add(gen->diags, node, LIMEN_STR("rename one of the two"),
                  "%.*s and %.*s would both be called '%.*s' in C", LIMEN_STR_ARG(what), LIMEN_STR_ARG(*taken),
                  LIMEN_STR_ARG(c_name));
        return false;
    }
    limen_str *owner = ARENA_NEW(gen->arena, limen_str);
    if (owner == NULL)
        return false;
    *owner = what;
    return map_put(&gen->names, c_name, owner, NULL);
}

/* ---- schemas ---------------------------------------------------------------------------------------------------------- */

static const struct doc_node *deref(struct gen *gen, const struct doc_node *node)
{
    return catalog_deref(gen->contract->catalog, node, gen->diags);
}

static bool names_type(const struct doc_node *schema, limen_str wanted)
{
    const struct doc_node *type = doc_get(schema, LIMEN_STR("type"));
    if (type != NULL && type->kind == DOC_STRING)
        return str_equal(type->text, wanted);
    for (size_t i = 0; type != NULL && i < type->count; i++) {
        if (str_equal(type->items[i]->text, wanted))
            return true;
    }
    return false;
}

/* How many types other than null the schema names. */
static size_t type_count(const struct doc_node *schema)
{
    const struct doc_node *type = doc_get(schema, LIMEN_STR("type"));
    if (type == NULL)
        return 0;
    if (type->kind == DOC_STRING)
        return 1;
    return type->count - (names_type(schema, LIMEN_STR("null")) ? 1 : 0);
}

static bool is_composed(const struct doc_node *schema)
{
    static const limen_str keywords[] = { LIMEN_STR_INIT("oneOf"),      LIMEN_STR_INIT("anyOf"),
                                          LIMEN_STR_INIT("allOf"),      LIMEN_STR_INIT("not"),
                                          LIMEN_STR_INIT("$ref"),       LIMEN_STR_INIT("$dynamicRef"),
                                          LIMEN_STR_INIT("prefixItems") };
    for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++) {
        if (doc_get(schema, keywords[i]) != NULL)
            return true;
    }
    return false;
}

static bool is_enum_of_strings(const struct doc_node *schema)
{
    const struct doc_node *values = doc_get(schema, LIMEN_STR("enum"));
    if (values == NULL || values->count == 0 || !names_type(schema, LIMEN_STR("string")))
        return false;
    for (size_t i = 0; i < values->count; i++) {
        if (values->items[i]->kind != DOC_STRING && values->items[i]->kind != DOC_NULL)
            return false;
    }
    return true;
}

/* May the object have members beside its `properties`? `additionalProperties` stands for all but those of a pattern. */
static bool has_other_members(const struct doc_node *schema)
{
    static const limen_str keywords[] = { LIMEN_STR_INIT("if"), LIMEN_STR_INIT("then"), LIMEN_STR_INIT("else"),
                                          LIMEN_STR_INIT("dependentSchemas") };
    if (doc_get(schema, LIMEN_STR("patternProperties")) != NULL)
        return true;
    bool is_settled = doc_get(schema, LIMEN_STR("additionalProperties")) != NULL;
    for (size_t i = 0; !is_settled && i < sizeof(keywords) / sizeof(keywords[0]); i++) {
        if (doc_get(schema, keywords[i]) != NULL)
            return true;
    }
    return false;
}

static enum limen_kind kind_of(const struct doc_node *schema)
{
    const struct doc_node *format = doc_get(schema, LIMEN_STR("format"));
    if (type_count(schema) != 1 || is_composed(schema))
        return LIMEN_JSON;
    if (is_enum_of_strings(schema))
        return LIMEN_ENUM;
    if (names_type(schema, LIMEN_STR("string")))
        return format != NULL && str_equal(format->text, LIMEN_STR("date-time")) ? LIMEN_TIME : LIMEN_STRING;
    if (names_type(schema, LIMEN_STR("integer")))
        return LIMEN_INT;
    if (names_type(schema, LIMEN_STR("number")))
        return LIMEN_FLOAT;
    if (names_type(schema, LIMEN_STR("boolean")))
        return LIMEN_BOOL;
    if (names_type(schema, LIMEN_STR("array")))
        return doc_get(schema, LIMEN_STR("items")) != NULL ? LIMEN_ARRAY : LIMEN_JSON;
    bool is_struct = doc_get(schema, LIMEN_STR("properties")) != NULL && !has_other_members(schema);
    return is_struct ? LIMEN_OBJECT : LIMEN_JSON;
}

static bool is_required(const struct doc_node *schema, limen_str name);

/* The text that the discriminator has in this alternative: its `const`. NULL when it has none, so that the alternative cannot be told. */
static const struct doc_node *tag_of(const struct doc_node *alternative, limen_str discriminator)
{
    const struct doc_node *property = doc_get(doc_get(alternative, LIMEN_STR("properties")), discriminator);
    const struct doc_node *tag = doc_get(property, LIMEN_STR("const"));
    bool is_told = tag != NULL && tag->kind == DOC_STRING && is_required(alternative, discriminator);
    return is_told && kind_of(alternative) == LIMEN_OBJECT ? tag : NULL;
}

/* `oneOf` components, each an object with a constant of its own in the discriminator's member, is a tagged union. */
static bool is_union(struct gen *gen, const struct doc_node *schema)
{
    const struct doc_node *alternatives = doc_get(schema, LIMEN_STR("oneOf"));
    const struct doc_node *name = doc_get(doc_get(schema, LIMEN_STR("discriminator")), LIMEN_STR("propertyName"));
    if (alternatives == NULL || alternatives->count == 0 || name == NULL || name->kind != DOC_STRING)
        return false;
    for (size_t i = 0; i < alternatives->count; i++) {
        const struct doc_node *alternative = deref(gen, alternatives->items[i]);
        if (doc_get(alternatives->items[i], LIMEN_STR("$ref")) == NULL || alternative == NULL
            || tag_of(alternative, name->text) == NULL)
            return false;
    }
    return true;
}

static enum limen_kind shape_of(struct gen *gen, const struct doc_node *schema)
{
    enum limen_kind kind = kind_of(schema);
    return kind == LIMEN_JSON && is_union(gen, schema) ? LIMEN_UNION : kind;
}

/* Is there a generated type for it? */
static bool has_type(enum limen_kind kind)
{
    return kind == LIMEN_OBJECT || kind == LIMEN_ENUM || kind == LIMEN_UNION;
}

static bool is_required(const struct doc_node *schema, limen_str name)
{
    const struct doc_node *required = doc_get(schema, LIMEN_STR("required"));
    for (size_t i = 0; required != NULL && i < required->count; i++) {
        if (str_equal(required->items[i]->text, name))
            return true;
    }
    return false;
}

/* ---- types ------------------------------------------------------------------------------------------------------------ */

static const struct gen_type *type_for(struct gen *gen, const struct doc_node *schema, limen_str inline_name);

static struct gen_type *find_type(struct gen *gen, const struct doc_node *schema)
{
    for (struct gen_type *type = gen->types; type != NULL; type = type->next) {
        if (type->node == schema)
            return type;
    }
    return NULL;
}

static void append_type(struct gen *gen, struct gen_type *type)
{
    *gen->last_type = type;
    gen->last_type = &type->next;
}

/* "money" for "https://example.com/schemas/money.json". */
static limen_str name_in_uri(limen_str uri)
{
    size_t from = uri.len;
    while (from > 0 && uri.ptr[from - 1] != '/' && uri.ptr[from - 1] != ':')
        from--;
    const limen_str name = str_slice(uri, from, uri.len);
    return str_slice(name, 0, str_find_char(name, '.', 0));
}

/* "order_line" for components/schemas/OrderLine or $defs/OrderLine, the file's name for a document that is a schema, else the name of
 * where it stands. */
static limen_str name_of(struct gen *gen, const struct doc_node *schema, limen_str inline_name)
{
    const struct doc_node *parent = schema->parent;
    if (parent == NULL) {
        const limen_str name = name_in_uri(catalog_home(gen->contract->catalog, schema)->uri);
        return name.len > 0 ? gen_snake(gen->arena, name) : inline_name;
    }
    bool is_component = str_equal(parent->key, LIMEN_STR("schemas")) && parent->parent != NULL
        && str_equal(parent->parent->key, LIMEN_STR("components"));
    return is_component || str_equal(parent->key, LIMEN_STR("$defs")) ? gen_snake(gen->arena, schema->key)
                                                                      : inline_name;
}

/* A struct cannot hold itself, so a schema inside itself stays a slice of JSON. */
static bool is_open(const struct gen *gen, const struct doc_node *schema)
{
    for (const struct gen_open *open = gen->open; open != NULL; open = open->outer) {
        if (open->node == schema)
            return true;
    }
    return false;
}

/* Fills in kind and type of a field from its schema. */
static bool describe_field(struct gen *gen, const struct doc_node *schema, limen_str inline_name,
                           struct gen_field *field)
{
    schema = deref(gen, schema);
    if (schema == NULL)
        return false;
    field->kind = is_open(gen, schema) ? LIMEN_JSON : shape_of(gen, schema);
    field->is_nullable = field->kind != LIMEN_JSON && names_type(schema, LIMEN_STR("null"));
    if (has_type(field->kind)) {
        field->type = type_for(gen, schema, inline_name);
        return field->type != NULL;
    }
    if (field->kind != LIMEN_ARRAY)
        return true;
    const struct doc_node *items = deref(gen, doc_get(schema, LIMEN_STR("items")));
    if (items == NULL)
        return false;
    field->item_kind = shape_of(gen, items);
    bool is_plain = field->item_kind != LIMEN_ARRAY && !names_type(items, LIMEN_STR("null")) && !is_open(gen, items);
    if (!is_plain) {
        field->kind = LIMEN_JSON; /* arrays of arrays, of nullable items and of what holds them have no C shape */
        return true;
    }
    if (has_type(field->item_kind))
        field->type = type_for(gen, items, arena_printf(gen->arena, "%.*s_item", LIMEN_STR_ARG(inline_name)));
    return field->type != NULL || !has_type(field->item_kind);
}

/* Is this one of the C members that the field becomes? */
static bool field_takes(const struct gen_field *field, limen_str c_name)
{
    limen_str base = c_name;
    if (str_equal(field->c_name, c_name))
        return true;
    if (field->is_optional && str_starts(base, LIMEN_STR("has_")))
        return str_equal(field->c_name, str_slice(base, 4, base.len));
    return field->is_nullable && str_ends(base, LIMEN_STR("_is_null"))
        && str_equal(field->c_name, str_slice(base, 0, base.len - LIMEN_STR("_is_null").len));
}

/* The last member of the struct and its flags, against all before it. */
static bool last_member_is_free(struct gen *gen, const struct gen_type *type, const struct doc_node *node)
{
    const struct gen_field *field = &type->fields[type->count - 1];
    if (field->c_name.len == 0) {
        diags_add(gen->diags, node, LIMEN_STR("give it a name"), "a member with an empty name has none in C");
        return false;
    }
    limen_str names[] = { field->c_name, arena_printf(gen->arena, "has_%.*s", LIMEN_STR_ARG(field->c_name)),
                          arena_printf(gen->arena, "%.*s_is_null", LIMEN_STR_ARG(field->c_name)) };
    bool is_used[] = { true, field->is_optional, field->is_nullable };
    for (uint32_t i = 0; i + 1 < type->count; i++) {
        for (size_t j = 0; j < 3; j++) {
            if (!is_used[j] || !field_takes(&type->fields[i], names[j]))
                continue;
            diags_add(gen->diags, node, LIMEN_STR("rename one of the two"),
                      "'%.*s' and '%.*s' would both be called '%.*s' in C", LIMEN_STR_ARG(type->fields[i].name),
                      LIMEN_STR_ARG(field->name), LIMEN_STR_ARG(names[j]));
            return false;
        }
    }
    return true;
}

/* It may say so itself, or what it refers to. */
static bool is_write_only(struct gen *gen, const struct doc_node *member)
{
    const struct schema *schema = schema_compile(gen->contract->schemas, member, gen->diags);
    return schema != NULL && schema_is_refused(schema, SCHEMA_REPLY);
}

static bool fill_struct(struct gen *gen, struct gen_type *type, const struct doc_node *schema)
{
    const struct doc_node *properties = doc_get(schema, LIMEN_STR("properties"));
    type->fields = ARENA_NEW_ARRAY(gen->arena, struct gen_field, properties->count);
    if (type->fields == NULL)
        return false;
    for (size_t i = 0; i < properties->count; i++) {
        const struct doc_node *member = properties->items[i];
        struct gen_field *field = &type->fields[type->count++];
        field->name = member->key;
        field->c_name = gen_snake(gen->arena, member->key);
        field->is_optional = !is_required(schema, member->key);
        field->is_write_only = is_write_only(gen, member);
        limen_str inline_name = arena_printf(gen->arena, "%.*s_%.*s", LIMEN_STR_ARG(type->c_name),
                                             LIMEN_STR_ARG(field->c_name));
        if (!describe_field(gen, member, inline_name, field) || !last_member_is_free(gen, type, member))
            return false;
    }
    return true;
}

static bool fill_enum(struct gen *gen, struct gen_type *type, const struct doc_node *schema)
{
    const struct doc_node *values = doc_get(schema, LIMEN_STR("enum"));
    type->fields = ARENA_NEW_ARRAY(gen->arena, struct gen_field, values->count);
    for (size_t i = 0; type->fields != NULL && i < values->count; i++) {
        if (values->items[i]->kind != DOC_STRING)
            continue;
        struct gen_field *value = &type->fields[type->count++];
        value->name = values->items[i]->text;
        value->c_name = arena_printf(gen->arena, "%.*s_%.*s", LIMEN_STR_ARG(gen_upper(gen->arena, type->c_name)),
                                     LIMEN_STR_ARG(gen_upper(gen->arena, gen_snake(gen->arena, value->name))));
        if (!gen_reserve(gen, value->c_name, value->c_name, schema))
            return false;
    }
    return type->fields != NULL;
}

/* An alternative's name is its tag, its member in the union is named after it. */
static bool fill_union(struct gen *gen, struct gen_type *type, const struct doc_node *schema)
{
    const struct doc_node *alternatives = doc_get(schema, LIMEN_STR("oneOf"));
    type->discriminator = doc_get(doc_get(schema, LIMEN_STR("discriminator")), LIMEN_STR("propertyName"))->text;
    type->fields = ARENA_NEW_ARRAY(gen->arena, struct gen_field, alternatives->count);
    for (size_t i = 0; type->fields != NULL && i < alternatives->count; i++) {
        const struct doc_node *alternative = deref(gen, alternatives->items[i]);
        struct gen_field *field = &type->fields[type->count++];
        field->name = tag_of(alternative, type->discriminator)->text;
        field->c_name = gen_snake(gen->arena, field->name);
        limen_str constant = arena_printf(gen->arena, "%.*s_%.*s", LIMEN_STR_ARG(gen_upper(gen->arena, type->c_name)),
                                          LIMEN_STR_ARG(gen_upper(gen->arena, field->c_name)));
        if (!describe_field(gen, alternative, type->c_name, field)
            || !last_member_is_free(gen, type, alternatives->items[i]) || !gen_reserve(gen, constant, constant, schema))
            return false;
    }
    return type->fields != NULL;
}

static void note_slices(struct gen_type *type)
{
    for (uint32_t i = 0; i < type->count && !type->is_enum; i++) {
        const struct gen_field *field = &type->fields[i];
        type->holds_json = type->holds_json || field->kind == LIMEN_JSON
            || (field->kind == LIMEN_ARRAY && field->item_kind == LIMEN_JSON)
            || (field->type != NULL && field->type->holds_json);
    }
}

static const struct gen_type *type_for(struct gen *gen, const struct doc_node *schema, limen_str inline_name)
{
    struct gen_type *type = find_type(gen, schema);
    if (type != NULL)
        return type;
    type = ARENA_NEW(gen->arena, struct gen_type);
    if (type == NULL)
        return NULL;
    type->node = schema;
    type->c_name = name_of(gen, schema, inline_name);
    type->is_enum = kind_of(schema) == LIMEN_ENUM;
    limen_str what = arena_printf(gen->arena, "the schema of line %u", schema->line);
    if (!gen_reserve(gen, type->c_name, what, schema))
        return NULL;
    /* Members come first, so that C has seen them. */
    struct gen_open open = { schema, gen->open };
    gen->open = &open;
    bool ok = type->is_enum     ? fill_enum(gen, type, schema)
        : is_union(gen, schema) ? fill_union(gen, type, schema)
                                : fill_struct(gen, type, schema);
    gen->open = open.outer;
    if (!ok)
        return NULL;
    note_slices(type);
    append_type(gen, type);
    return type;
}

/* ---- input structs ---------------------------------------------------------------------------------------------------- */

static struct gen_type *new_struct(struct gen *gen, limen_str c_name, size_t fields, const struct doc_node *node)
{
    struct gen_type *type = ARENA_NEW(gen->arena, struct gen_type);
    if (type == NULL || !gen_reserve(gen, c_name, c_name, node))
        return NULL;
    type->c_name = c_name;
    type->fields = ARENA_NEW_ARRAY(gen->arena, struct gen_field, fields);
    return type->fields == NULL ? NULL : type;
}

/* Adds the member `path`, `query`, `header` or `cookie`, when the operation has such parameters. */
static bool add_group(struct gen *gen, struct gen_type *input, const struct operation *operation, enum parameter_in in,
                      limen_str name)
{
    struct gen_type *group = NULL;
    for (uint32_t i = 0; i < operation->parameter_count; i++) {
        const struct parameter *parameter = &operation->parameters[i];
        if (parameter->in != in)
            continue;
        if (group == NULL)
            group = new_struct(gen,
                               arena_printf(gen->arena, "%.*s_%.*s", LIMEN_STR_ARG(input->c_name), LIMEN_STR_ARG(name)),
                               operation->parameter_count, parameter->node);
        if (group == NULL)
            return false;
        struct gen_field *field = &group->fields[group->count++];
        field->name = parameter->name;
        field->c_name = gen_snake(gen->arena, parameter->name);
        field->is_optional = !parameter->is_required;
        limen_str inline_name = arena_printf(gen->arena, "%.*s_%.*s", LIMEN_STR_ARG(group->c_name),
                                             LIMEN_STR_ARG(field->c_name));
        if (!describe_field(gen, parameter->schema_node, inline_name, field)
            || !last_member_is_free(gen, group, parameter->node))
            return false;
    }
    if (group == NULL)
        return true;
    append_type(gen, group);
    input->fields[input->count++] = (struct gen_field){
        .name = name, .c_name = name, .kind = LIMEN_OBJECT, .type = group
    };
    return true;
}

static bool add_body(struct gen *gen, struct gen_type *input, const struct operation *operation)
{
    if (!operation->has_body)
        return true;
    struct gen_field *field = &input->fields[input->count++];
    field->name = LIMEN_STR("body");
    field->c_name = field->name;
    field->is_optional = !operation->body_required;
    return describe_field(gen, operation->body_node,
                          arena_printf(gen->arena, "%.*s_body", LIMEN_STR_ARG(input->c_name)), field);
}

static struct gen_type *build_input(struct gen *gen, const struct operation *operation)
{
    limen_str name = gen_snake(gen->arena, operation->id);
    if (gen_is_in_library(gen, name)) {
        diags_add(gen->diags, operation->node, LIMEN_STR("rename the operation"),
                  "the operation '%.*s' would have the C name '%.*s' of a library's function",
                  LIMEN_STR_ARG(operation->id), LIMEN_STR_ARG(name));
        return NULL;
    }
    if (!gen_reserve(gen, name, arena_printf(gen->arena, "the operation '%.*s'", LIMEN_STR_ARG(operation->id)),
                     operation->node))
        return NULL;
    struct gen_type *input = new_struct(gen, arena_printf(gen->arena, "%.*s_in", LIMEN_STR_ARG(name)), 5,
                                        operation->node);
    bool ok = input != NULL && add_group(gen, input, operation, PARAMETER_PATH, LIMEN_STR("path"))
        && add_group(gen, input, operation, PARAMETER_QUERY, LIMEN_STR("query"))
        && add_group(gen, input, operation, PARAMETER_HEADER, LIMEN_STR("header"))
        && add_group(gen, input, operation, PARAMETER_COOKIE, LIMEN_STR("cookie")) && add_body(gen, input, operation);
    if (!ok)
        return NULL;
    append_type(gen, input);
    return input;
}

const struct gen_type *gen_reply_type(struct gen *gen, const struct operation *operation,
                                      const struct reply_spec *reply)
{
    const struct doc_node *schema = deref(gen, reply->schema_node);
    if (schema == NULL || kind_of(schema) != LIMEN_OBJECT)
        return NULL;
    return type_for(
        gen, schema,
        arena_printf(gen->arena, "%.*s_%d_body", LIMEN_STR_ARG(gen_snake(gen->arena, operation->id)), reply->status));
}

bool gen_build_types(struct gen *gen)
{
    const struct contract *contract = gen->contract;
    gen->inputs = ARENA_NEW_ARRAY(gen->arena, struct gen_type *, contract->operation_count + 1U);
    if (gen->inputs == NULL)
        return false;
    for (uint32_t i = 0; i < contract->operation_count; i++) {
        const struct operation *operation = &contract->operations[i];
        gen->inputs[i] = build_input(gen, operation);
        if (gen->inputs[i] == NULL)
            return false;
        for (uint32_t j = 0; j < operation->reply_count; j++) {
            const struct reply_spec *reply = &operation->replies[j];
            if (!reply->has_body || reply->is_problem || gen_reply_type(gen, operation, reply) != NULL)
                continue;
            diags_add(gen->diags, reply->schema_node, LIMEN_STR("declare an object with `properties`"),
                      "the reply %d of '%.*s' is no object, and C code cannot make it", reply->status,
                      LIMEN_STR_ARG(operation->id));
            return false;
        }
    }
    return true;
}
