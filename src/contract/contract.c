/* contract.c - the document as a whole: version, paths, names that may stand once. */
#include "contract/contract_internal.h"

#define ADDRESS_QUOTA 6000U /* a minute; counted before anything costs */

static const struct doc_node *get(const struct doc_node *node, const char *name)
{
    return doc_get(node, str_of(name));
}

/* ---- what stands at the root ------------------------------------------------------------------------------------------ */

static bool check_version(struct loader *loader)
{
    const struct doc_node *version = get(loader->doc->root, "openapi");
    if (version == NULL)
        return refuse(loader, loader->doc->root, "add `openapi: 3.1.0`", "this is no OpenAPI document");
    return str_starts(version->text, LIMEN_STR("3.1.")) || str_starts(version->text, LIMEN_STR("3.2."))
        || refuse(loader, version, "use 3.1", "OpenAPI '%.*s' is not supported", LIMEN_STR_ARG(version->text));
}

static bool check_servers(struct loader *loader)
{
    const struct doc_node *servers = get(loader->doc->root, "servers");
    for (size_t i = 0; servers != NULL && i < servers->count; i++) {
        const struct doc_node *url = get(servers->items[i], "url");
        if (url == NULL || !str_equal(url->text, LIMEN_STR("/")))
            return refuse(loader, servers->items[i], "write `servers: [{ url: / }]` and the whole path under `paths`",
                          "a server with a prefix or a host is not supported");
    }
    return true;
}

static bool read_info(struct loader *loader)
{
    const struct doc_node *info = get(loader->doc->root, "info");
    const struct doc_node *title = get(info, "title"), *version = get(info, "version");
    if (title == NULL || version == NULL)
        return refuse(loader, info == NULL ? loader->doc->root : info, "add `info: { title: …, version: … }`",
                      "the document has no title or no version");
    loader->contract->title = title->text;
    loader->contract->version = version->text;
    return true;
}

static bool read_address_limit(struct loader *loader)
{
    const struct doc_node *node = get(loader->doc->root, "x-address-limit");
    struct rate_limit *limit = &loader->contract->address_limit;
    *limit = (struct rate_limit){
        .quota = ADDRESS_QUOTA, .window_us = 60000000, .per = LIMIT_PER_ADDRESS, .name = LIMEN_STR("address")
    };
    loader->contract->policy_count = 1;
    if (node == NULL)
        return true;
    bool ok = read_rate_limit(loader, node, LIMEN_STR("address"), limit);
    limit->per = LIMIT_PER_ADDRESS;
    limit->policy = 0;
    return ok;
}

static bool read_default_failure(struct loader *loader)
{
    const struct doc_node *node = get(loader->doc->root, "x-rate-limit-failure");
    return node == NULL || read_limit_failure(loader, node, &loader->contract->limit_failure);
}

static bool check_root(struct loader *loader)
{
    static const char *const known[] = {
        "openapi", "info",         "jsonSchemaDialect", "servers",      "paths",           "components",
        "tags",    "externalDocs", "security",          "x-rate-limit", "x-address-limit", "x-rate-limit-failure",
        NULL
    };
    static const char *const parts[] = { "schemas",         "parameters", "responses", "requestBodies",
                                         "securitySchemes", "examples",   NULL };
    const struct doc_node *components = get(loader->doc->root, "components");
    bool ok = check_members(loader, loader->doc->root, known, "an OpenAPI document") && check_version(loader);
    if (components != NULL)
        ok = check_members(loader, components, parts, "components") && ok;
    ok = check_servers(loader) && ok;
    ok = read_info(loader) && ok;
    ok = read_default_failure(loader) && ok;
    return read_address_limit(loader) && ok;
}

/* Every component compiles, used or not: a slip in one is found before it is used. */
static bool compile_components(struct loader *loader)
{
    const struct doc_node *schemas = get(get(loader->doc->root, "components"), "schemas");
    bool ok = true;
    for (size_t i = 0; schemas != NULL && i < schemas->count; i++)
        ok = schema_compile(loader->contract->schemas, schemas->items[i], loader->errors) != NULL && ok;
    return ok;
}

/* ---- paths ------------------------------------------------------------------------------------------------------------ */

static enum http_method method_of_member(limen_str name)
{
    static const struct {
        limen_str name;
        enum http_method method;
    } methods[] = {
        { LIMEN_STR_INIT("get"), METHOD_GET },     { LIMEN_STR_INIT("head"), METHOD_HEAD },
        { LIMEN_STR_INIT("post"), METHOD_POST },   { LIMEN_STR_INIT("put"), METHOD_PUT },
        { LIMEN_STR_INIT("patch"), METHOD_PATCH }, { LIMEN_STR_INIT("delete"), METHOD_DELETE },
    };
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (str_equal(name, methods[i].name))
            return methods[i].method;
    }
    return METHOD_UNKNOWN;
}

static bool read_path_item(struct loader *loader, const struct doc_node *item)
{
    static const char *const known[] = { "summary", "description", "parameters", "get",    "head",
                                         "post",    "put",         "patch",      "delete", NULL };
    struct contract *contract = loader->contract;
    bool ok = check_members(loader, item, known, "a path");
    for (size_t i = 0; ok && i < item->count; i++) {
        enum http_method method = method_of_member(item->items[i]->key);
        if (method == METHOD_UNKNOWN)
            continue;
        if (contract->operation_count == LIMIT_OPERATIONS)
            return refuse(loader, item->items[i], "split the contract", "there are more than %u operations",
                          LIMIT_OPERATIONS);
        struct operation *operation = &contract->operations[contract->operation_count];
        operation->index = contract->operation_count++;
        operation->method = method;
        ok = read_operation(loader, item, item->items[i], operation) && ok;
    }
    return ok;
}

static size_t count_members(const struct doc_node *paths)
{
    size_t count = 0;
    for (size_t i = 0; i < paths->count; i++)
        count += paths->items[i]->count;
    return count;
}

static bool read_paths(struct loader *loader)
{
    const struct doc_node *paths = get(loader->doc->root, "paths");
    bool ok = true;
    if (paths == NULL || paths->kind != DOC_OBJECT || paths->count == 0)
        return refuse(loader, loader->doc->root, "add `paths`", "the document has no paths");
    size_t most = count_members(paths);
    loader->contract->operations = ARENA_NEW_ARRAY(loader->arena, struct operation,
                                                   most < LIMIT_OPERATIONS ? most + 1 : LIMIT_OPERATIONS);
    if (loader->contract->operations == NULL)
        return refuse(loader, paths, "", "memory is out");
    for (size_t i = 0; i < paths->count; i++)
        ok = read_path_item(loader, paths->items[i]) && ok;
    return ok;
}

/* Two templates of one form: a request could mean either. */
static bool match_the_same(const struct operation *a, const struct operation *b)
{
    if (a->segment_count != b->segment_count)
        return false;
    for (uint32_t i = 0; i < a->segment_count; i++) {
        if (a->segments[i].is_parameter != b->segments[i].is_parameter)
            return false;
        if (!a->segments[i].is_parameter && !str_equal(a->segments[i].literal, b->segments[i].literal))
            return false;
    }
    return true;
}

static bool check_pair(struct loader *loader, const struct operation *a, const struct operation *b)
{
    if (str_equal(a->id, b->id))
        return refuse(loader, b->node, "give each its own", "the operationId '%.*s' stands twice",
                      LIMEN_STR_ARG(b->id));
    return str_equal(a->path, b->path) || !match_the_same(a, b)
        || refuse(loader, b->node->parent, "make one path of the two", "'%.*s' and '%.*s' match the same requests",
                  LIMEN_STR_ARG(a->path), LIMEN_STR_ARG(b->path));
}

static bool check_pairs(struct loader *loader)
{
    const struct contract *contract = loader->contract;
    bool ok = true;
    for (uint32_t i = 0; i < contract->operation_count; i++) {
        for (uint32_t j = 0; j < i; j++)
            ok = check_pair(loader, &contract->operations[j], &contract->operations[i]) && ok;
    }
    return ok;
}

/* ---- the contract ----------------------------------------------------------------------------------------------------- */

static bool write_json(struct loader *loader)
{
    struct buf text;
    buf_init(&text, loader->arena, 64 * 1024);
    doc_write_json(loader->doc->root, &text);
    loader->contract->json = buf_str(&text);
    return !text.failed;
}

/* Relative references start in the contract's folder, wherever that is. */
static limen_str name_in_folder(limen_str path)
{
    size_t slash = path.len;
    while (slash > 0 && path.ptr[slash - 1] != '/')
        slash--;
    return str_slice(path, slash, path.len);
}

static bool read_document(struct loader *loader, const struct limen_file *file, limen_str uri, struct doc *ret_doc)
{
    return doc_parse(file->bytes, file->path, loader->arena, ret_doc, loader->errors)
        && catalog_add(loader->contract->catalog, ret_doc, uri, loader->errors);
}

/* All before anything is looked up: documents refer to each other. */
static bool read_documents(struct loader *loader, const struct limen_app *app)
{
    bool ok = read_document(loader, &app->contract, name_in_folder(app->contract.path), &loader->contract->doc);
    for (size_t i = 0; i < app->document_count; i++) {
        struct doc doc;
        ok = read_document(loader, &app->documents[i].file, app->documents[i].uri, &doc) && ok;
    }
    return ok;
}

static bool read_contract(struct loader *loader)
{
    bool ok = check_root(loader);
    if (!ok)
        return false;
    ok = read_schemes(loader);
    ok = compile_components(loader) && ok;
    ok = read_paths(loader) && ok;
    return ok && check_pairs(loader) && read_budgets(loader) && write_json(loader);
}

bool contract_load(const struct limen_app *app, struct arena *arena, struct contract *ret_contract,
                   struct diags *errors, struct diags *warnings)
{
    *ret_contract = (struct contract){ .catalog = catalog_new(arena) };
    struct loader loader = {
        .contract = ret_contract, .doc = &ret_contract->doc, .arena = arena, .errors = errors, .warnings = warnings
    };
    size_t before = errors->count;
    ret_contract->schemas = ret_contract->catalog != NULL ? schema_set_new(ret_contract->catalog, arena) : NULL;
    bool ok = ret_contract->schemas != NULL && read_documents(&loader, app) && read_contract(&loader);
    if (ok && errors->count == before)
        return true;
    if (errors->count == before)
        diags_add_at(errors, app->contract.path, 1, 1, (limen_str){ 0 }, "memory is out");
    contract_release(ret_contract);
    return false;
}

void contract_release(struct contract *contract)
{
    schema_set_free(contract->schemas);
    catalog_free(contract->catalog);
    contract->schemas = NULL;
    contract->catalog = NULL;
}

const struct operation *contract_find(const struct contract *contract, limen_str operation_id)
{
    for (uint32_t i = 0; i < contract->operation_count; i++) {
        if (str_equal(contract->operations[i].id, operation_id))
            return &contract->operations[i];
    }
    return NULL;
}

const struct reply_spec *operation_reply(const struct operation *operation, int status)
{
    for (uint32_t i = 0; i < operation->reply_count; i++) {
        if (operation->replies[i].status == status)
            return &operation->replies[i];
    }
    return NULL;
}
