/* input.c - parameters. Unknown and repeated ones are refused by name: a misspelt filter must not look like no filter. */
#include "boundary/input.h"

#include "boundary/auth.h"
#include "boundary/percent.h"
#include "contract/bind.h"
#include "core/log.h"
#include "core/str.h"

#define NAME_SHOWN 64U /* bytes of an unknown parameter's name */

/* ---- resolved at start ------------------------------------------------------------------------------------------------ */

static const struct limen_field *shape_field(const struct limen_shape *shape, limen_str name)
{
    for (uint32_t i = 0; shape != NULL && i < shape->count; i++) {
        if (str_equal(shape->fields[i].name, name))
            return &shape->fields[i];
    }
    return NULL;
}

static limen_str place_name(enum parameter_in in)
{
    static const limen_str names[] = {
        [PARAMETER_PATH] = LIMEN_STR_INIT("path"),
        [PARAMETER_QUERY] = LIMEN_STR_INIT("query"),
        [PARAMETER_HEADER] = LIMEN_STR_INIT("header"),
        [PARAMETER_COOKIE] = LIMEN_STR_INIT("cookie"),
    };
    return names[in];
}

static const struct limen_handler *find_handler(const struct limen_app *app, limen_str id)
{
    for (size_t i = 0; i < app->handler_count; i++) {
        if (str_equal(app->handlers[i].operation_id, id))
            return &app->handlers[i];
    }
    return NULL;
}

static void add_stale(struct diags *diags, const struct operation *operation, limen_str what)
{
    diags_add(diags, operation->node, LIMEN_STR("run `limen gen` again and rebuild"),
              "the generated code of operation '%.*s' does not know %.*s", LIMEN_STR_ARG(operation->id),
              LIMEN_STR_ARG(what));
}

static bool bind_operation(struct bound_operation *bound, const struct boundary *boundary,
                           const struct operation *operation, struct arena *arena, struct diags *diags)
{
    bound->handler = find_handler(boundary->app, operation->id);
    if (bound->handler == NULL) {
        add_stale(diags, operation, LIMEN_STR("its handler"));
        return false;
    }
    const struct limen_shape *shape = bound->handler->input;
    for (uint32_t i = 0; i < operation->parameter_count; i++) {
        const struct parameter *parameter = &operation->parameters[i];
        limen_str place = place_name(parameter->in);
        const struct limen_field *group = shape_field(shape, place);
        const struct limen_field *field = group == NULL ? NULL : shape_field(group->shape, parameter->name);
        if (field == NULL) {
            add_stale(diags, operation, parameter->name);
            return false;
        }
        bound->parameters[i] = (struct bound_parameter){
            .parameter = parameter,
            .field = field,
            .base = group->offset,
            .pointer = arena_printf(arena, "/%.*s/%.*s", LIMEN_STR_ARG(place), LIMEN_STR_ARG(parameter->name)),
        };
    }
    bound->body = operation->has_body ? shape_field(shape, LIMEN_STR("body")) : NULL;
    if (operation->has_body && bound->body == NULL) {
        add_stale(diags, operation, LIMEN_STR("its body"));
        return false;
    }
    return true;
}

static bool write_policy(const struct boundary *boundary, const struct rate_limit *limit, struct arena *arena,
                         struct policy_text *texts)
{
    const struct problem problem = {
        .status = 429,
        .type = "https://iana.org/assignments/http-problem-types#quota-exceeded",
        .detail = LIMEN_STR("too many requests; come back after the time that Retry-After names"),
        .policy = limit->name,
    };
    struct buf text;
    buf_init(&text, arena, 0);
    problem_write(&problem, &text);
    char *memory = arena_alloc(arena, LIMIT_FIELD_BYTES);
    if (memory == NULL || text.failed)
        return false;
    texts[limit->policy] = (struct policy_text){ limit_write_policy(limit, boundary->limit_scale, memory),
                                                 buf_str(&text) };
    return true;
}

static bool write_policies(struct boundary *boundary, struct arena *arena)
{
    const struct contract *contract = boundary->contract;
    struct policy_text *texts = ARENA_NEW_ARRAY(arena, struct policy_text, contract->policy_count);
    bool ok = texts != NULL && write_policy(boundary, &contract->address_limit, arena, texts);
    for (uint32_t i = 0; ok && i < contract->sign_in_limit_count; i++)
        ok = write_policy(boundary, &contract->sign_in_limits[i], arena, texts);
    for (uint32_t i = 0; i < contract->operation_count; i++) {
        for (uint32_t j = 0; ok && j < contract->operations[i].limit_count; j++)
            ok = write_policy(boundary, &contract->operations[i].limits[j], arena, texts);
    }
    boundary->policies = texts;
    return ok;
}

bool boundary_bind(struct boundary *boundary, struct arena *arena, struct diags *diags)
{
    const struct contract *contract = boundary->contract;
    struct bound_operation *operations = ARENA_NEW_ARRAY(arena, struct bound_operation, contract->operation_count);
    if (operations == NULL || !write_policies(boundary, arena))
        return false;
    bool ok = true;
    for (uint32_t i = 0; i < contract->operation_count; i++)
        ok = bind_operation(&operations[i], boundary, &contract->operations[i], arena, diags) && ok;
    boundary->operations = operations;
    return ok;
}

/* ---- for each request ------------------------------------------------------------------------------------------------- */

static void bind_value(struct admission *admission, const struct bound_parameter *target, limen_str text)
{
    struct json_value value;
    if (!schema_validate_param(target->parameter->schema, text, target->pointer, admission->arena, &value,
                               &admission->faults))
        return;
    struct json_doc doc = { .tape = &value, .count = 1 };
    char *base = (char *)admission->input + target->base;
    if (bind_field(target->field, &doc, 0, admission->arena, base) != BIND_OK)
        faults_add(&admission->faults, target->pointer, LIMEN_STR("type"),
                   LIMEN_STR("is nothing that this server can hold"));
}

/* Percent-decodes into the arena, where needed; a fault when that fails. */
static bool decode(struct admission *admission, limen_str raw, bool is_form, limen_str pointer, limen_str *ret_text)
{
    *ret_text = raw;
    if (memchr(raw.ptr, '%', raw.len) == NULL && !(is_form && memchr(raw.ptr, '+', raw.len) != NULL)
        && str_is_utf8(raw))
        return true;
    char *memory = arena_alloc(admission->arena, raw.len + 1);
    if (memory != NULL
        && (is_form ? percent_decode_form(raw, memory, raw.len, ret_text)
                    : percent_decode(raw, memory, raw.len, ret_text)))
        return true;
    faults_add(&admission->faults, pointer, LIMEN_STR("encoding"),
               LIMEN_STR("must be percent-encoded UTF-8 without NUL"));
    return false;
}

static void add_missing(struct admission *admission, const struct bound_parameter *target)
{
    faults_add(&admission->faults, target->pointer, LIMEN_STR("required"), LIMEN_STR("is required"));
}

static void bind_path(struct admission *admission, const struct bound_parameter *target, uint32_t index)
{
    limen_str text;
    if (decode(admission, admission->path_params.values[index], /* is_form= */ false, target->pointer, &text))
        bind_value(admission, target, text);
}

static void bind_header(struct admission *admission, const struct bound_parameter *target)
{
    uint32_t count;
    limen_str value = http_field_find(exchange_request(admission->exchange), target->parameter->name, &count);
    if (count > 1)
        faults_add(&admission->faults, target->pointer, LIMEN_STR("repeated"), LIMEN_STR("was sent more than once"));
    else if (count == 1)
        bind_value(admission, target, value);
    else if (target->parameter->is_required)
        add_missing(admission, target);
}

static void bind_cookie(struct admission *admission, const struct bound_parameter *target)
{
    limen_str value;
    switch (auth_cookie(exchange_request(admission->exchange), target->parameter->name, &value)) {
    case COOKIE_FOUND:
        bind_value(admission, target, value);
        return;
    case COOKIE_AMBIGUOUS:
        faults_add(&admission->faults, target->pointer, LIMEN_STR("repeated"), LIMEN_STR("was sent more than once"));
        return;
    case COOKIE_ABSENT:
        if (target->parameter->is_required)
            add_missing(admission, target);
    }
}

static const struct bound_parameter *find_query(const struct operation *operation, const struct bound_operation *bound,
                                                limen_str name, uint32_t *ret_index)
{
    for (uint32_t i = 0; i < operation->parameter_count; i++) {
        if (operation->parameters[i].in == PARAMETER_QUERY && str_equal(operation->parameters[i].name, name)) {
            *ret_index = i;
            return &bound->parameters[i];
        }
    }
    return NULL;
}

/* One `name=value` of the query. */
static void bind_query_pair(struct admission *admission, const struct bound_operation *bound, limen_str pair,
                            uint32_t *seen)
{
    limen_str name = str_cut(&pair, '='), text;
    uint32_t index;
    if (!decode(admission, name, /* is_form= */ true, LIMEN_STR("/query"), &name))
        return;
    const struct bound_parameter *target = find_query(admission->operation, bound, name, &index);
    if (target == NULL) {
        limen_str detail = arena_printf(admission->arena, "there is no query parameter '%.*s'",
                                        LIMEN_STR_ARG(str_shorten(name, NAME_SHOWN)));
        faults_add(&admission->faults, LIMEN_STR("/query"), LIMEN_STR("unknown"), detail);
        return;
    }
    if ((*seen & (1U << index)) != 0) {
        faults_add(&admission->faults, target->pointer, LIMEN_STR("repeated"), LIMEN_STR("was sent more than once"));
        return;
    }
    *seen |= 1U << index;
    if (decode(admission, pair, /* is_form= */ true, target->pointer, &text))
        bind_value(admission, target, text);
}

static void bind_query(struct admission *admission, const struct bound_operation *bound)
{
    limen_str rest = exchange_request(admission->exchange)->query;
    uint32_t seen = 0;
    while (rest.len > 0 && !admission->faults.is_cut)
        bind_query_pair(admission, bound, str_cut(&rest, '&'), &seen);
    for (uint32_t i = 0; i < admission->operation->parameter_count; i++) {
        const struct bound_parameter *target = &bound->parameters[i];
        bool is_missing = target->parameter->in == PARAMETER_QUERY && target->parameter->is_required
            && (seen & (1U << i)) == 0;
        if (is_missing)
            add_missing(admission, target);
    }
}

bool input_bind_parameters(struct admission *admission, const struct bound_operation *bound)
{
    for (uint32_t i = 0; i < admission->operation->parameter_count; i++) {
        const struct bound_parameter *target = &bound->parameters[i];
        switch (target->parameter->in) {
        case PARAMETER_PATH:
            bind_path(admission, target, i);
            break;
        case PARAMETER_HEADER:
            bind_header(admission, target);
            break;
        case PARAMETER_COOKIE:
            bind_cookie(admission, target);
            break;
        case PARAMETER_QUERY:
            break; /* walked in the client's order below, so that unknown ones are seen */
        }
    }
    bind_query(admission, bound);
    return admission->faults.count == 0;
}

bool input_bind_body(struct admission *admission, const struct bound_operation *bound, const struct json_doc *doc)
{
    return bind_field(bound->body, doc, 0, admission->arena, admission->input) == BIND_OK;
}
