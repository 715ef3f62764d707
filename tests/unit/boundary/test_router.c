/* Tests of boundary/router.h: which path leads where, over a contract that is read as any is. */
#include "contract/check.h"

#include "boundary/router.h"

struct fixture {
    struct arena arena;
    struct contract contract;
    struct router *router;
};

/* "GET /a/{x}" and so on, each with an operation of the name behind it. */
struct route {
    const char *path, *method, *id;
    const char *parameters[3];
};

static void write_route(struct buf *out, const struct route *route)
{
    buf_printf(out, "  %s:\n    %s:\n      operationId: %s\n      security: []\n", route->path, route->method,
               route->id);
    if (route->parameters[0] != NULL)
        BUF_ADD(out, "      parameters:\n");
    for (int i = 0; i < 3 && route->parameters[i] != NULL; i++)
        buf_printf(out, "        - { name: %s, in: path, required: true, schema: { type: string, maxLength: 9 } }\n",
                   route->parameters[i]);
    BUF_ADD(out, "      responses: { '204': { description: done } }\n");
}

static void open_routes(struct fixture *f, const struct route *routes, size_t count)
{
    struct buf text;
    struct diags errors, warnings;
    *f = (struct fixture){ 0 };
    arena_init(&f->arena, NULL, 64U * 1024 * 1024);
    diags_init(&errors, &f->arena);
    diags_init(&warnings, &f->arena);
    buf_init(&text, &f->arena, 4096);
    BUF_ADD(&text, "openapi: 3.1.0\ninfo: { title: t, version: '1' }\nx-rate-limit: 1/second per address\npaths:\n");
    for (size_t i = 0; i < count; i++)
        write_route(&text, &routes[i]);
    const struct limen_app app = { .contract = { LIMEN_STR("api.yaml"), buf_str(&text) } };
    if (!contract_load(&app, &f->arena, &f->contract, &errors, &warnings))
        fail_msg("%.*s", LIMEN_STR_ARG(errors.items[0].message));
    f->router = router_new(&f->contract, &f->arena);
    assert_non_null(f->router);
}

static void close_routes(struct fixture *f)
{
    contract_release(&f->contract);
    arena_release(&f->arena);
}

static const struct route shop[] = {
    { "/items", "get", "list", { NULL } },           { "/items/{id}", "get", "item", { "id" } },
    { "/items/new", "get", "form", { NULL } },       { "/admin", "get", "admin", { NULL } },
    { "/a/{x}/c/{y}", "put", "deep", { "x", "y" } }, { "/a/b/d", "get", "literal", { NULL } },
    { "/me", "delete", "leave", { NULL } },
};

static void check_route(const struct fixture *f, enum http_method method, const char *path, const char *id)
{
    struct path_params params;
    const struct operation *operation = NULL;
    limen_str allow;
    const limen_str copy = tight_copy(str_of(path));
    const enum route_outcome outcome = router_find(f->router, method, copy, &params, &operation, &allow);
    if ((outcome == ROUTE_FOUND) != (id != NULL))
        fail_msg("%.40s: %s", path, id != NULL ? "not found" : "found");
    if (id != NULL)
        assert_text(operation->id, id);
    free((char *)(uintptr_t)copy.ptr);
}

static void test_paths_lead_to_operations(void **state)
{
    (void)state;
    struct fixture f;
    open_routes(&f, shop, sizeof shop / sizeof shop[0]);
    static const struct {
        const char *path, *id;
    } cases[] = {
        { "/items", "list" },
        { "/items/sku", "item" },
        { "/items/new", "form" }, /* a literal before a parameter */
        { "/items/newer", "item" },
        { "/items/%6Eew", "form" }, /* the same path, written otherwise */
        { "/%61dmin", "admin" },
        { "/items/a%2Fb", "item" },
        { "/items/%zz", "item" }, /* the parameter's own refusal says why */
        { "/a/b/d", "literal" },
        { "/items/", NULL },
        { "/items//", NULL },
        { "//items", NULL },
        { "/", NULL },
        { "", NULL },
        { "*", NULL },
        { "items", NULL },
        { "/Items", NULL },
        { "/items/sku/more", NULL },
        { "/admin%00", NULL },
        { "/admin/../items", NULL },
        { "/./items", NULL },
        { "/items/..", NULL }, /* whoever stands in front of us may resolve it, or not */
        { "/items/.", NULL },
        { "/items/%2e%2E", NULL },
        { "/items/.%2e", NULL },
        { "/items/%2E", NULL },
        { "/items/...", "item" },
        { "/items/.x", "item" },
        { "/items/..%2F", "item" }, /* one value, whatever is in it */
        { "/a/b", NULL },
        { "/a", NULL },
        { "/%61dmi", NULL },
        { "/admin%", NULL },
        { "/admi%6", NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_route(&f, METHOD_GET, cases[i].path, cases[i].id);
    close_routes(&f);
}

static void test_a_literal_that_leads_nowhere_gives_way(void **state)
{
    (void)state;
    struct fixture f;
    struct path_params params;
    const struct operation *operation;
    limen_str allow;
    open_routes(&f, shop, sizeof shop / sizeof shop[0]);
    assert_int_equal(router_find(f.router, METHOD_PUT, LIMEN_STR("/a/b/c/d%20e"), &params, &operation, &allow),
                     ROUTE_FOUND);
    assert_text(operation->id, "deep");
    assert_text(params.values[0], "b");
    assert_text(params.values[1], "d%20e"); /* raw: decoded where it is validated */
    close_routes(&f);
}

static void test_parameters_go_where_they_are_declared(void **state)
{
    (void)state;
    struct fixture f;
    struct path_params params;
    const struct operation *operation;
    limen_str allow;
    static const struct route swapped[] = { { "/{first}/x/{second}", "get", "both", { "second", "first" } } };
    open_routes(&f, swapped, 1);
    assert_int_equal(router_find(f.router, METHOD_GET, LIMEN_STR("/1/x/2"), &params, &operation, &allow), ROUTE_FOUND);
    assert_text(operation->parameters[0].name, "second");
    assert_text(params.values[0], "2");
    assert_text(params.values[1], "1");
    close_routes(&f);
}

static void test_methods_that_exist_are_told(void **state)
{
    (void)state;
    struct fixture f;
    struct path_params params;
    const struct operation *operation;
    limen_str allow;
    static const struct route routes[] = { { "/x/{id}", "get", "read", { "id" } }, { "/y", "post", "make", { NULL } } };
    open_routes(&f, routes, 2);
    assert_int_equal(router_find(f.router, METHOD_DELETE, LIMEN_STR("/x/1"), &params, &operation, &allow),
                     ROUTE_NO_METHOD);
    assert_text(allow, "GET, HEAD, OPTIONS");
    assert_int_equal(router_find(f.router, METHOD_HEAD, LIMEN_STR("/x/1"), &params, &operation, &allow), ROUTE_FOUND);
    assert_text(operation->id, "read");
    assert_int_equal(router_find(f.router, METHOD_HEAD, LIMEN_STR("/y"), &params, &operation, &allow), ROUTE_NO_METHOD);
    assert_text(allow, "POST, OPTIONS");
    close_routes(&f);
}

static void test_long_paths_end(void **state)
{
    (void)state;
    struct fixture f;
    char path[8192];
    open_routes(&f, shop, sizeof shop / sizeof shop[0]);
    for (size_t i = 0; i < sizeof path - 1; i++)
        path[i] = i % 2 == 0 ? '/' : 'a';
    path[sizeof path - 1] = '\0';
    check_route(&f, METHOD_GET, path, NULL);
    memset(path, '/', sizeof path - 1);
    check_route(&f, METHOD_GET, path, NULL);
    memset(path + 1, 'x', sizeof path - 2);
    memcpy(path, "/items/", 7);
    check_route(&f, METHOD_GET, path, "item");
    close_routes(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths_lead_to_operations),
        cmocka_unit_test(test_a_literal_that_leads_nowhere_gives_way),
        cmocka_unit_test(test_parameters_go_where_they_are_declared),
        cmocka_unit_test(test_methods_that_exist_are_told),
        cmocka_unit_test(test_long_paths_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
