/* contract_operation.c - one method of one path: parameters, body, replies, quotas. */
#include "contract/contract_internal.h"

#include <ctype.h>

static const struct doc_node *get(const struct doc_node *node, const char *name)
{
    return doc_get(node, str_of(name));
}

/* `required`, which is false when it is not there. YAML's `yes` is a text: to read it as false would let through what must be there. */
static bool read_required(struct loader *loader, const struct doc_node *node, bool *ret_is_required)
{
    const struct doc_node *required = get(node, "required");
    if (required != NULL && required->kind != DOC_BOOL)
        return refuse(loader, required, "write `true` or `false`", "`required` is neither true nor false");
    *ret_is_required = required != NULL && required->boolean;
    return true;
}

/* ---- parameters ------------------------------------------------------------------------------------------------------- */

static bool read_in(struct loader *loader, const struct doc_node *node, enum parameter_in *ret_in)
{
    static const char *const places[] = { "path", "query", "header", "cookie" };
    const struct doc_node *in = get(node, "in");
    for (int i = 0; in != NULL && i < 4; i++) {
        if (str_equal(in->text, str_of(places[i]))) {
            *ret_in = (enum parameter_in)i;
            return true;
        }
    }
    return refuse(loader, node, "add `in: path`, `query`, `header` or `cookie`",
                  "a parameter does not say where it stands");
}

static bool is_reserved_header(limen_str name)
{
    static const char *const reserved[] = { "Accept", "Authorization",   "Content-Type", "Content-Length",   "Cookie",
                                            "Host",   "Idempotency-Key", "Origin",       "Transfer-Encoding" };
    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
        if (str_equal_nocase(name, str_of(reserved[i])))
            return true;
    }
    return false;
}

/* Parameters are text: only what text can say. */
static bool is_scalar(struct loader *loader, const struct doc_node *schema, const struct doc_node *at)
{
    const struct doc_node *type = get(schema, "type");
    bool is_plain = type != NULL && type->kind == DOC_STRING && !str_equal(type->text, LIMEN_STR("array"))
        && !str_equal(type->text, LIMEN_STR("object")) && !str_equal(type->text, LIMEN_STR("null"));
    return is_plain
        || refuse(loader, at, "use a string, integer, number or boolean",
                  "a parameter of this type is not supported yet");
}

static bool has_default_style(struct loader *loader, const struct doc_node *node, enum parameter_in in)
{
    const struct doc_node *style = get(node, "style");
    const char *wanted = in == PARAMETER_PATH || in == PARAMETER_HEADER ? "simple" : "form";
    return style == NULL || str_equal(style->text, str_of(wanted))
        || refuse(loader, style, "remove it", "this `style` is not supported: scalars need none");
}

static bool read_parameter(struct loader *loader, const struct doc_node *written, struct parameter *parameter)
{
    static const char *const known[] = { "name",    "in",       "description", "required", "deprecated", "schema",
                                         "example", "examples", "style",       "explode",  NULL };
    const struct doc_node *node = follow(loader, written);
    if (node == NULL || !check_members(loader, node, known, "a parameter") || !read_in(loader, node, &parameter->in)
        || !read_required(loader, node, &parameter->is_required))
        return false;
    const struct doc_node *name = get(node, "name"), *schema = get(node, "schema");
    if (name == NULL || name->kind != DOC_STRING || name->text.len == 0)
        return refuse(loader, node, "add `name`", "a parameter has no name");
    if (schema == NULL)
        return refuse(loader, node, "add `schema`", "the parameter '%.*s' has no schema", LIMEN_STR_ARG(name->text));
    parameter->name = name->text;
    parameter->node = node;
    parameter->schema_node = follow(loader, schema);
    if (parameter->in == PARAMETER_PATH && !parameter->is_required)
        return refuse(loader, node, "add `required: true`", "the path parameter '%.*s' is not required",
                      LIMEN_STR_ARG(name->text));
    if ((parameter->in == PARAMETER_HEADER && is_reserved_header(name->text))
        || is_credential(loader, parameter->in, name->text))
        return refuse(loader, name, "remove it: the boundary reads it itself", "the %s '%.*s' is no parameter",
                      parameter->in == PARAMETER_HEADER ? "header" : "cookie", LIMEN_STR_ARG(name->text));
    bool ok = parameter->schema_node != NULL && is_scalar(loader, parameter->schema_node, schema)
        && has_default_style(loader, node, parameter->in) && check_bounds(loader, parameter->schema_node);
    /* As written: what stands beside a $ref must hold too. */
    parameter->schema = ok ? schema_compile(loader->contract->schemas, schema, loader->errors) : NULL;
    return parameter->schema != NULL;
}

static struct parameter *find_parameter(struct operation *operation, limen_str name, enum parameter_in in)
{
    for (uint32_t i = 0; i < operation->parameter_count; i++) {
        if (operation->parameters[i].in == in && str_equal(operation->parameters[i].name, name))
            return &operation->parameters[i];
    }
    return NULL;
}

/* The path item's parameters hold for every method; an operation's own of the same name and place replaces one. */
static bool add_parameters(struct loader *loader, const struct doc_node *list, struct operation *operation, bool is_own)
{
    bool ok = true;
    uint32_t inherited = operation->parameter_count;
    for (size_t i = 0; list != NULL && i < list->count; i++) {
        struct parameter parameter = { 0 };
        if (!read_parameter(loader, list->items[i], &parameter)) {
            ok = false;
            continue;
        }
        struct parameter *old = find_parameter(operation, parameter.name, parameter.in);
        if (old != NULL && is_own && (uint32_t)(old - operation->parameters) < inherited)
            *old = parameter;
        else if (old != NULL)
            ok = refuse(loader, list->items[i], "remove one of the two", "the parameter '%.*s' stands twice",
                        LIMEN_STR_ARG(parameter.name));
        else if (operation->parameter_count == LIMIT_PARAMETERS)
            return refuse(loader, list->items[i], "use fewer", "there are more than %u parameters", LIMIT_PARAMETERS);
        else
            operation->parameters[operation->parameter_count++] = parameter;
    }
    return ok;
}

/* ---- the path --------------------------------------------------------------------------------------------------------- */

static bool is_in_path(const struct operation *operation, uint32_t parameter)
{
    for (uint32_t i = 0; i < operation->segment_count; i++) {
        if (operation->segments[i].is_parameter && operation->segments[i].parameter == parameter)
            return true;
    }
    return false;
}

static bool read_segment(struct loader *loader, limen_str text, struct operation *operation)
{
    struct path_segment *segment = &operation->segments[operation->segment_count];
    bool opens = str_find_char(text, '{', 0) != SIZE_MAX, closes = str_find_char(text, '}', 0) != SIZE_MAX;
    if (operation->segment_count == LIMIT_PATH_SEGMENTS || text.len == 0)
        return refuse(loader, operation->node->parent, "write /a/{b} with at most 32 segments",
                      "the path has an empty segment or too many");
    operation->segment_count++;
    if (!opens && !closes) {
        segment->literal = text;
        return str_find_char(text, '%', 0) == SIZE_MAX
            || refuse(loader, operation->node->parent, "write the decoded characters", "the path is percent-encoded");
    }
    if (text.ptr[0] != '{' || text.ptr[text.len - 1] != '}')
        return refuse(loader, operation->node->parent, "make the parameter a segment of its own",
                      "a path parameter is only a part of its segment");
    limen_str name = str_slice(text, 1, text.len - 1);
    struct parameter *parameter = find_parameter(operation, name, PARAMETER_PATH);
    if (parameter == NULL)
        return refuse(loader, operation->node, "declare it under `parameters` with `in: path`",
                      "the path parameter '%.*s' is not declared", LIMEN_STR_ARG(name));
    if (is_in_path(operation, (uint32_t)(parameter - operation->parameters)))
        return refuse(loader, operation->node->parent, "give each its own name", "the path has '{%.*s}' twice",
                      LIMEN_STR_ARG(name));
    segment->is_parameter = true;
    segment->parameter = (uint32_t)(parameter - operation->parameters);
    return true;
}

static bool read_path(struct loader *loader, struct operation *operation)
{
    limen_str rest = operation->path;
    if (rest.len < 2 || rest.ptr[0] != '/')
        return refuse(loader, operation->node->parent, "start it with '/'", "the path is not absolute");
    rest = str_slice(rest, 1, rest.len);
    for (bool is_last = false; !is_last;) {
        is_last = str_find_char(rest, '/', 0) == SIZE_MAX;
        if (!read_segment(loader, str_cut(&rest, '/'), operation))
            return false;
    }
    for (uint32_t i = 0; i < operation->parameter_count; i++) {
        const struct parameter *parameter = &operation->parameters[i];
        if (parameter->in == PARAMETER_PATH && !is_in_path(operation, i))
            return refuse(loader, parameter->node, "remove it, or write {name} in the path", "the path has no '{%.*s}'",
                          LIMEN_STR_ARG(parameter->name));
    }
    return true;
}

/* ---- body ------------------------------------------------------------------------------------------------------------- */

/* The one media type of a `content`. */
static const struct doc_node *only_media_type(struct loader *loader, const struct doc_node *content)
{
    static const char *const known[] = { "schema", "example", "examples", NULL };
    if (content->kind != DOC_OBJECT || content->count != 1) {
        refuse(loader, content, "declare exactly one", "several media types (or none) are not supported yet");
        return NULL;
    }
    const struct doc_node *media = content->items[0];
    if (!check_members(loader, media, known, "a media type"))
        return NULL;
    if (get(media, "schema") == NULL) {
        refuse(loader, media, "add `schema`", "'%.*s' has no schema", LIMEN_STR_ARG(media->key));
        return NULL;
    }
    return media;
}

static const struct schema *compile(struct loader *loader, const struct doc_node *schema, bool is_signed)
{
    const struct doc_node *target = follow(loader, schema);
    if (target == NULL || !(is_signed ? check_bounds_of_signed : check_bounds)(loader, target))
        return NULL;
    return schema_compile(loader->contract->schemas, schema, loader->errors);
}

static bool read_body(struct loader *loader, struct operation *operation)
{
    static const char *const known[] = { "description", "content", "required", NULL };
    const struct doc_node *written = get(operation->node, "requestBody"), *size = get(operation->node, "x-max-body");
    operation->names_ceiling = size != NULL;
    if (size != NULL && !read_bytes(loader, size, &operation->body_ceiling))
        return false;
    if (written == NULL)
        return true;
    if (operation->method != METHOD_POST && operation->method != METHOD_PUT && operation->method != METHOD_PATCH)
        return refuse(loader, written, "use POST, PUT or PATCH", "a %.*s has no body",
                      LIMEN_STR_ARG(method_name(operation->method)));
    const struct doc_node *node = follow(loader, written);
    if (node == NULL || !check_members(loader, node, known, "a request body"))
        return false;
    const struct doc_node *content = get(node, "content");
    if (!read_required(loader, node, &operation->body_required))
        return false;
    if (content == NULL)
        return refuse(loader, node, "add `content`", "the request body of '%.*s' has no content",
                      LIMEN_STR_ARG(operation->id));
    const struct doc_node *media = only_media_type(loader, content);
    if (media == NULL)
        return false;
    if (!str_equal(media->key, LIMEN_STR("application/json")))
        return refuse(loader, media, "use application/json", "the media type '%.*s' is not supported yet",
                      LIMEN_STR_ARG(media->key));
    operation->has_body = true;
    operation->body_media_type = media->key;
    operation->body_node = get(media, "schema");
    operation->body = compile(loader, operation->body_node, operation->is_signed);
    return operation->body != NULL;
}

/* ---- replies ---------------------------------------------------------------------------------------------------------- */

static bool read_reply_content(struct loader *loader, const struct doc_node *content, struct reply_spec *reply)
{
    const struct doc_node *media = only_media_type(loader, content);
    if (media == NULL)
        return false;
    reply->is_problem = str_equal(media->key, LIMEN_STR("application/problem+json"));
    if (!reply->is_problem && !str_equal(media->key, LIMEN_STR("application/json")))
        return refuse(loader, media, "use application/json, or application/problem+json for errors",
                      "the media type '%.*s' is not supported yet", LIMEN_STR_ARG(media->key));
    if (reply->is_problem != (reply->status >= 400))
        return refuse(loader, media, "errors are application/problem+json, and nothing else is",
                      "the reply %d has the wrong media type", reply->status);
    reply->has_body = true;
    reply->media_type = media->key;
    reply->schema_node = get(media, "schema");
    reply->schema = compile(loader, reply->schema_node, /* is_signed= */ false);
    return reply->schema != NULL;
}

static bool read_reply(struct loader *loader, const struct operation *operation, const struct doc_node *written,
                       struct reply_spec *reply)
{
    static const char *const known[] = { "description", "content", NULL };
    int64_t status;
    if (!str_to_int64(written->key, &status) || status < 200 || status > 599)
        return refuse(loader, written, "name each status, such as '404'", "the reply '%.*s' of '%.*s' is no status",
                      LIMEN_STR_ARG(written->key), LIMEN_STR_ARG(operation->id));
    const struct doc_node *node = follow(loader, written);
    if (node == NULL || !check_members(loader, node, known, "a response"))
        return false;
    reply->status = (int)status;
    const struct doc_node *content = get(node, "content");
    bool is_empty = status == 204 || status == 205 || status == 304;
    if (content == NULL)
        return is_empty
            || refuse(loader, written, "add `content` with a schema", "the reply %d of '%.*s' has no schema",
                      (int)status, LIMEN_STR_ARG(operation->id));
    if (is_empty)
        return refuse(loader, content, "remove `content`", "a %d has no body", (int)status);
    return read_reply_content(loader, content, reply);
}

static bool read_replies(struct loader *loader, struct operation *operation)
{
    const struct doc_node *responses = get(operation->node, "responses");
    bool ok = true, has_success = false;
    if (responses == NULL || responses->kind != DOC_OBJECT)
        return refuse(loader, operation->node, "add `responses`", "operation '%.*s' does not say what comes out",
                      LIMEN_STR_ARG(operation->id));
    if (responses->count > LIMIT_REPLIES)
        return refuse(loader, responses, "use fewer", "there are more than %u replies", LIMIT_REPLIES);
    operation->replies = ARENA_NEW_ARRAY(loader->arena, struct reply_spec, responses->count);
    for (size_t i = 0; i < responses->count && operation->replies != NULL; i++) {
        struct reply_spec *reply = &operation->replies[operation->reply_count];
        if (!read_reply(loader, operation, responses->items[i], reply)) {
            ok = false;
            continue;
        }
        operation->reply_count++;
        has_success = has_success || reply->status < 300;
    }
    if (ok && !has_success)
        return refuse(loader, responses, "add the reply of a success", "operation '%.*s' has no reply 2xx",
                      LIMEN_STR_ARG(operation->id));
    return ok;
}

/* ---- quotas, keys, times ---------------------------------------------------------------------------------------------- */

static bool read_limits(struct loader *loader, struct operation *operation)
{
    const struct doc_node *node = get(operation->node, "x-rate-limit");
    if (node == NULL)
        node = get(loader->doc->root, "x-rate-limit");
    if (node == NULL)
        return refuse(loader, operation->node, "add `x-rate-limit: 60/minute per caller` here or at the root",
                      "operation '%.*s' declares no rate limit", LIMEN_STR_ARG(operation->id));
    size_t count = node->kind == DOC_ARRAY ? node->count : 1;
    if (count == 0 || count > LIMIT_LIMITS_AT_ONCE)
        return refuse(loader, node, "name one to four", "this is no list of rate limits");
    operation->limits = ARENA_NEW_ARRAY(loader->arena, struct rate_limit, count);
    for (size_t i = 0; i < count && operation->limits != NULL; i++) {
        const struct doc_node *one = node->kind == DOC_ARRAY ? node->items[i] : node;
        struct rate_limit *limit = &operation->limits[operation->limit_count++];
        if (!read_rate_limit(loader, one, operation->id, limit))
            return false;
        if (operation->is_public)
            limit->per = LIMIT_PER_ADDRESS; /* nobody has shown who they are */
    }
    const struct doc_node *failure = get(operation->node, "x-rate-limit-failure");
    operation->limit_failure = loader->contract->limit_failure;
    return operation->limits != NULL
        && (failure == NULL || read_limit_failure(loader, failure, &operation->limit_failure));
}

static bool read_idempotency(struct loader *loader, struct operation *operation)
{
    const struct doc_node *node = get(operation->node, "x-idempotency");
    if (node == NULL)
        return true;
    if (!str_equal(node->text, LIMEN_STR("required")))
        return refuse(loader, node, "write `required`, or remove it", "x-idempotency is '%.*s'",
                      LIMEN_STR_ARG(node->text));
    if (operation->is_public)
        return refuse(loader, node, "demand a credential, or remove it",
                      "a public operation has no keys: strangers would share them");
    if (method_is_safe(operation->method))
        return refuse(loader, node, "remove it", "a %.*s changes nothing and needs no key",
                      LIMEN_STR_ARG(method_name(operation->method)));
    operation->needs_key = true;
    return true;
}

static bool read_extensions(struct loader *loader, struct operation *operation)
{
    const struct doc_node *timeout = get(operation->node, "x-timeout"),
                          *interactive = get(operation->node, "x-interactive");
    operation->timeout_us = DEFAULT_TIMEOUT_US;
    if (interactive != NULL && interactive->kind != DOC_BOOL)
        return refuse(loader, interactive, "write `true`, or remove it", "x-interactive is neither true nor false");
    operation->is_interactive = interactive != NULL && interactive->boolean;
    return (timeout == NULL || read_duration(loader, timeout, &operation->timeout_us)) && read_limits(loader, operation)
        && read_idempotency(loader, operation);
}

static bool read_id(struct loader *loader, struct operation *operation)
{
    const struct doc_node *id = get(operation->node, "operationId");
    if (id == NULL || id->kind != DOC_STRING)
        return refuse(loader, operation->node, "add `operationId`: it names the handler", "an operation has no id");
    operation->id = id->text;
    bool is_name = id->text.len > 0 && id->text.len <= 64 && isalpha((unsigned char)id->text.ptr[0]);
    for (size_t i = 0; i < id->text.len; i++)
        is_name = is_name
            && (isalnum((unsigned char)id->text.ptr[i]) || id->text.ptr[i] == '_' || id->text.ptr[i] == '-');
    return is_name
        || refuse(loader, id, "use letters, digits, '_' and '-', a letter first",
                  "the operationId cannot name a handler");
}

bool read_operation(struct loader *loader, const struct doc_node *path_item, const struct doc_node *node,
                    struct operation *operation)
{
    static const char *const known[] = { "tags",        "summary",       "description",  "externalDocs",
                                         "operationId", "parameters",    "requestBody",  "responses",
                                         "deprecated",  "security",      "x-rate-limit", "x-idempotency",
                                         "x-timeout",   "x-interactive", "x-max-body",   "x-rate-limit-failure",
                                         NULL };
    operation->node = node;
    operation->path = path_item->key;
    operation->parameters = ARENA_NEW_ARRAY(loader->arena, struct parameter, LIMIT_PARAMETERS);
    if (operation->parameters == NULL || !check_members(loader, node, known, "an operation")
        || !read_id(loader, operation))
        return false;
    /* All parts are looked at, so that one run names all faults. */
    bool ok = read_security(loader, operation);
    ok = read_extensions(loader, operation) && ok;
    bool has_parameters = add_parameters(loader, get(path_item, "parameters"), operation, /* is_own= */ false);
    has_parameters = add_parameters(loader, get(node, "parameters"), operation, /* is_own= */ true) && has_parameters;
    ok = has_parameters && read_path(loader, operation) && ok;
    ok = read_body(loader, operation) && ok;
    ok = read_replies(loader, operation) && ok;
    return check_signed(loader, operation) && ok;
}
