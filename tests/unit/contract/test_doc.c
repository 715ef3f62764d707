/* Tests of contract/doc.h: what a document says, where it says it, and what is no document. */
#include "check.h"

#include "contract/doc.h"
#include "core/limits.h"

struct fixture {
    struct arena arena;
    struct doc doc;
    struct diags diags;
    bool is_read;
};

static void read_text(struct fixture *f, limen_str text)
{
    *f = (struct fixture){ 0 };
    arena_init(&f->arena, NULL, 256U << 20);
    diags_init(&f->diags, &f->arena);
    f->is_read = doc_parse(text, LIMEN_STR("api.yaml"), &f->arena, &f->doc, &f->diags);
    assert_int_equal(f->is_read, f->diags.count == 0);
}

/* The document as JSON; fails when it is refused. */
static limen_str read_as_json(struct fixture *f, const char *text)
{
    struct buf out;
    read_text(f, str_of(text));
    if (!f->is_read)
        fail_msg("%s: %.*s", text, LIMEN_STR_ARG(f->diags.items[0].message));
    buf_init(&out, &f->arena, 64);
    doc_write_json(f->doc.root, &out);
    return buf_str(&out);
}

static void test_scalars_are_those_of_the_core_schema_and_no_others(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *json;
    } cases[] = {
        { "[null, Null, NULL, ~, ]", "[null,null,null,null]" },
        { "a:\nb: ''", "{\"a\":null,\"b\":\"\"}" },
        { "[true, True, TRUE, false, False, FALSE]", "[true,true,true,false,false,false]" },
        { "[yes, no, on, off, y, nULL, tRUE]", "[\"yes\",\"no\",\"on\",\"off\",\"y\",\"nULL\",\"tRUE\"]" },
        { "[0, -1, +1, 007, 9223372036854775807]", "[0,-1,1,7,9223372036854775807]" },
        { "[1.5, -.5, 2., 1e3, 1E-1, 1.e+2]", "[1.5,-0.5,2,1000,0.1,100]" },
        { "[0x1F, 0o17, .inf, -.inf, .nan]", "[\"0x1F\",\"0o17\",\".inf\",\"-.inf\",\".nan\"]" },
        { "[1.2.3, ., +, 1e, 1e+, e1, 1_000, 3.1.0]",
          "[\"1.2.3\",\".\",\"+\",\"1e\",\"1e+\",\"e1\",\"1_000\",\"3.1.0\"]" },
        { "[1e999, -1e999]", "[\"1e999\",\"-1e999\"]" },
        { "['1', \"true\", 'null']", "[\"1\",\"true\",\"null\"]" },
        { "- 9223372036854775808", "[9.223372036854776e+18]" },
        { "{\"a\":{\"b\":[1,{}]}}", "{\"a\":{\"b\":[1,{}]}}" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        print_message("%s\n", cases[i].yaml);
        assert_text(read_as_json(&f, cases[i].yaml), cases[i].json);
        arena_release(&f.arena);
    }
}

static void test_a_number_that_is_longer_than_any_is_text(void **state)
{
    (void)state;
    struct fixture f;
    char text[80];
    memset(text, '1', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    read_text(&f, str_of(text));
    assert_int_equal(f.doc.root->kind, DOC_STRING);
    assert_text(f.doc.root->text, text);
    arena_release(&f.arena);
}

static void test_an_alias_is_a_copy_of_what_it_names(void **state)
{
    (void)state;
    struct fixture f;
    assert_text(
        read_as_json(&f, "a: &x { n: [1, 2.5, hi], m: ~, t: true }\nb: *x\nc: &y 7\nd: [*y, *x]\ne: &x no\nf: *x"),
        "{\"a\":{\"n\":[1,2.5,\"hi\"],\"m\":null,\"t\":true},\"b\":{\"n\":[1,2.5,\"hi\"],\"m\":null,\"t\":true},\"c\":"
        "7,"
        "\"d\":[7,{\"n\":[1,2.5,\"hi\"],\"m\":null,\"t\":true}],\"e\":\"no\",\"f\":\"no\"}");
    const struct doc_node *copy = doc_at(f.doc.root, LIMEN_STR("/d/1/n"));
    assert_non_null(copy);
    assert_ptr_not_equal(copy, doc_at(f.doc.root, LIMEN_STR("/a/n")));
    assert_ptr_equal(copy->parent, doc_at(f.doc.root, LIMEN_STR("/d/1")));
    arena_release(&f.arena);
}

static void test_what_is_no_document_is_refused_with_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        uint32_t line, column;
        const char *message, *mend;
    } cases[] = {
        { "", 1, 1, "this is not one YAML or JSON document", "" },
        { "# nothing\n", 1, 1, "this is not one YAML or JSON document", "" },
        { "a: 1\n---\nb: 2\n", 1, 1, "this is not one YAML or JSON document", "" },
        { "a: [1, 2\n", 2, 1, "this is not YAML: ", "" },
        { "a: *x\n", 1, 5, "an alias names no anchor", "write the anchor before the alias" },
        { "a: &x [1, *x]\n", 1, 12, "an alias names the value that it stands in",
          "use $ref for what refers to itself" },
        { "a: 1\nb:\n  c: 2\n  d: 3\n  c: 4\n", 5, 3, "the member 'c' stands twice in one object",
          "remove one of the two" },
        { "{\"a\":1,\"\\u0061\":2}", 1, 9, "the member 'a' stands twice in one object", "remove one of the two" },
        { "a: 1\n[1]: 2\n", 2, 1, "a member's name is not a string", "write the name as plain text" },
        { "? { a: 1 }\n: 2\n", 1, 3, "a member's name is not a string", "write the name as plain text" },
        { "a: 1\nb: \"\\ud800\"\n", 2, 5, "this is not YAML: ", "" },
        { "a: 1\nb: \x01\n", 2, 4, "a control character", "remove it" },
        { "a: 1\nb: \xff\n", 2, 4, "this is no UTF-8", "remove it" },
        { "%YAML 1.2\n---\na: 1\n", 1, 1, "a YAML directive", "remove it" },
        { "a: 1\n%TAG ! x\n", 2, 1, "a YAML directive", "remove it" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        read_text(&f, str_of(cases[i].yaml));
        print_message("%s\n", cases[i].yaml);
        assert_int_equal(f.diags.count, 1);
        const struct diag *diag = &f.diags.items[0];
        print_message("%u:%u %.*s\n", diag->line, diag->column, LIMEN_STR_ARG(diag->message));
        assert_true(str_starts(diag->message, str_of(cases[i].message)));
        assert_text(diag->mend, cases[i].mend);
        assert_int_equal(diag->line, cases[i].line);
        assert_int_equal(diag->column, cases[i].column);
        arena_release(&f.arena);
    }
}

/* `count` times `text`, between two others. */
static limen_str repeated(const char *before, const char *text, size_t count, const char *after)
{
    struct buf out;
    struct arena arena;
    arena_init(&arena, NULL, 64U << 20);
    buf_init(&out, &arena, 1024);
    buf_add(&out, str_of(before));
    for (size_t i = 0; i < count; i++)
        buf_add(&out, str_of(text));
    buf_add(&out, str_of(after));
    assert_false(out.failed);
    limen_str made = tight_copy(buf_str(&out));
    arena_release(&arena);
    return made;
}

static void expect_too_much(limen_str text, const char *message)
{
    struct fixture f;
    read_text(&f, text);
    assert_false(f.is_read);
    assert_text(f.diags.items[0].message, message);
    arena_release(&f.arena);
    free((char *)text.ptr);
}

static void test_a_small_file_cannot_grow_into_a_large_tree(void **state)
{
    (void)state;
    expect_too_much(repeated("[", "[", 120, ""), "the document is nested too deeply");
    expect_too_much(repeated("[", "1,", 200001, "1]"), "the document has too many values");
    expect_too_much(repeated("a: &a [1,2,3,4,5,6,7,8,9]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\n"
                             "c: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c]\ne: [",
                             "*d,", 64, "*d]"),
                    "the document has too many values");
}

static void test_a_file_past_its_ceiling_is_not_read(void **state)
{
    (void)state;
    expect_too_much(repeated("", "#", LIMIT_CONTRACT_BYTES + 1, ""), "the document is larger than 4194304 bytes");
}

static void test_pointers_lead_to_members_and_items(void **state)
{
    (void)state;
    struct fixture f;
    read_text(&f, LIMEN_STR("{\"a/b\":[10,{\"~\":11}],\"\":12,\"0\":13,\"~1\":14}"));
    static const struct {
        const char *pointer;
        int64_t found; /* 0: nothing */
    } cases[] = {
        { "/a~1b/0", 10 }, { "/a~1b/1/~0", 11 }, { "/", 12 },        { "/0", 13 },  { "/~01", 14 },
        { "/a~1b/2", 0 },  { "/a~1b/-1", 0 },    { "/a~1b/x", 0 },   { "/a/b", 0 }, { "a~1b", 0 },
        { "/~", 0 },       { "/~2", 0 },         { "/a~1b/0/0", 0 }, { "/b", 0 },   { "/a~1b/", 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct doc_node *node = doc_at(f.doc.root, str_of(cases[i].pointer));
        print_message("%s\n", cases[i].pointer);
        assert_int_equal(node == NULL ? 0 : node->integer, cases[i].found);
    }
    char longest[600];
    memset(longest, 'a', sizeof longest - 1);
    longest[0] = '/';
    longest[sizeof longest - 1] = '\0';
    assert_null(doc_at(f.doc.root, str_of(longest)));
    assert_ptr_equal(doc_at(f.doc.root, LIMEN_STR("")), f.doc.root);
    assert_null(doc_get(NULL, LIMEN_STR("a")));
    arena_release(&f.arena);
}

static void test_faults_are_written_as_compilers_write_them(void **state)
{
    (void)state;
    struct fixture f;
    struct buf out;
    read_text(&f, LIMEN_STR("a: 1\n"));
    diags_add_at(&f.diags, LIMEN_STR("api.yaml"), 0, 0, (limen_str){ 0 }, "is not there");
    diags_add(&f.diags, doc_get(f.doc.root, LIMEN_STR("a")), LIMEN_STR("remove it"), "%d is wrong", 1);
    buf_init(&out, &f.arena, 64);
    diags_write(&f.diags, &out, "warning", /* colour= */ false);
    assert_text(buf_str(&out),
                "api.yaml: warning: is not there\napi.yaml:1:1: warning: 1 is wrong\n    mend: remove it\n");
    buf_init(&out, &f.arena, 64);
    f.diags.count = 1;
    diags_write(&f.diags, &out, "error", /* colour= */ true);
    assert_text(buf_str(&out), "api.yaml: \033[31merror:\033[0m is not there\n");
    arena_release(&f.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalars_are_those_of_the_core_schema_and_no_others),
        cmocka_unit_test(test_a_number_that_is_longer_than_any_is_text),
        cmocka_unit_test(test_an_alias_is_a_copy_of_what_it_names),
        cmocka_unit_test(test_what_is_no_document_is_refused_with_its_place),
        cmocka_unit_test(test_a_small_file_cannot_grow_into_a_large_tree),
        cmocka_unit_test(test_a_file_past_its_ceiling_is_not_read),
        cmocka_unit_test(test_pointers_lead_to_members_and_items),
        cmocka_unit_test(test_faults_are_written_as_compilers_write_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
