/* Tests of contract/bind.h and contract/encode.h: what comes in as JSON goes out as the same JSON, by way of a C struct. */
#include "check.h"

#include "contract/bind.h"
#include "contract/encode.h"

#include <math.h>

enum colour { COLOUR_UNSET, COLOUR_RED, COLOUR_DARK_BLUE };

struct part {
    int64_t count;
    limen_str name;
};

struct thing {
    bool flag;
    int64_t number;
    double ratio;
    limen_str text;
    limen_time at;
    int colour;
    struct part part;
    struct {
        struct part *items;
        size_t count;
    } parts;
    struct {
        int64_t *items;
        size_t count;
    } numbers;
    limen_str free_form;
    limen_str note;
    bool has_note, note_is_null;
    int64_t level;
    bool has_level;
};

static const limen_str colours[] = { LIMEN_STR_INIT("red"), LIMEN_STR_INIT("dark blue") };
static const struct limen_field part_fields[] = {
    { .name = LIMEN_STR_INIT("count"), .kind = LIMEN_INT, .offset = offsetof(struct part, count) },
    { .name = LIMEN_STR_INIT("name"), .kind = LIMEN_STRING, .offset = offsetof(struct part, name) },
};
static const struct limen_shape part_shape = { "part", sizeof(struct part), 2, part_fields, { NULL, 0 }, false, false };
static const struct limen_field part_item[] = { { .kind = LIMEN_OBJECT, .shape = &part_shape } };
static const struct limen_shape part_item_shape = {
    "part", sizeof(struct part), 1, part_item, { NULL, 0 }, false, false
};
static const struct limen_field int_item[] = { { .kind = LIMEN_INT } };
static const struct limen_shape int_item_shape = { "int", sizeof(int64_t), 1, int_item, { NULL, 0 }, false, false };
#define AT(member) .offset = offsetof(struct thing, member)
static const struct limen_field fields[] = {
    { .name = LIMEN_STR_INIT("flag"), .kind = LIMEN_BOOL, AT(flag) },
    { .name = LIMEN_STR_INIT("number"), .kind = LIMEN_INT, AT(number) },
    { .name = LIMEN_STR_INIT("ratio"), .kind = LIMEN_FLOAT, AT(ratio) },
    { .name = LIMEN_STR_INIT("text"), .kind = LIMEN_STRING, AT(text) },
    { .name = LIMEN_STR_INIT("at"), .kind = LIMEN_TIME, AT(at) },
    { .name = LIMEN_STR_INIT("colour"), .kind = LIMEN_ENUM, AT(colour), .names = colours, .name_count = 2 },
    { .name = LIMEN_STR_INIT("part"), .kind = LIMEN_OBJECT, AT(part), .shape = &part_shape },
    { .name = LIMEN_STR_INIT("parts"), .kind = LIMEN_ARRAY, AT(parts), .shape = &part_item_shape },
    { .name = LIMEN_STR_INIT("numbers"), .kind = LIMEN_ARRAY, AT(numbers), .shape = &int_item_shape },
    { .name = LIMEN_STR_INIT("freeForm"), .kind = LIMEN_JSON, AT(free_form) },
    { .name = LIMEN_STR_INIT("note"),
      .kind = LIMEN_STRING,
      AT(note),
      .is_optional = true,
      .is_nullable = true,
      .presence_at = offsetof(struct thing, has_note),
      .null_at = offsetof(struct thing, note_is_null) },
    { .name = LIMEN_STR_INIT("level"),
      .kind = LIMEN_INT,
      AT(level),
      .is_optional = true,
      .presence_at = offsetof(struct thing, has_level) },
};
static const struct limen_shape shape = { "thing", sizeof(struct thing), 12, fields, { NULL, 0 }, false, false };

#define HEAD "{\"flag\":true,\"number\":-9223372036854775808,\"ratio\":0.1,\"text\":\"a\\\"b\\\\\\u0001\xc3\xa4\","
#define TIME "\"at\":\"2026-11-24T05:06:07.000008Z\","
#define REST                                                                                                 \
    "\"colour\":\"dark blue\",\"part\":{\"count\":1,\"name\":\"x\"},\"parts\":[{\"count\":2,\"name\":\"\"}," \
    "{\"count\":3,\"name\":\"z\"}],\"numbers\":[1,2,3],\"freeForm\":{\"a\":[1,null]}"

struct fixture {
    struct arena arena;
    struct json_doc doc;
    struct thing thing;
};

static void bind_text(struct fixture *f, const char *text)
{
    struct json_error error;
    arena_init(&f->arena, NULL, 16U * 1024 * 1024);
    memset(&f->thing, 0xa5, sizeof f->thing); /* what is not said must not be left over */
    assert_int_equal(json_parse(str_of(text), &f->arena, &f->doc, &error), JSON_OK);
    assert_int_equal(bind_object(&shape, &f->doc, 0, &f->arena, &f->thing), BIND_OK);
}

static limen_str encode(struct fixture *f)
{
    struct buf out;
    const char *why = "";
    buf_init(&out, &f->arena, 16);
    if (!encode_object(&shape, &f->thing, &out, &why))
        fail_msg("%s", why);
    return buf_str(&out);
}

static void test_every_kind_goes_in_and_comes_out_the_same(void **state)
{
    (void)state;
    struct fixture f;
    bind_text(&f, HEAD TIME REST ",\"note\":\"n\",\"level\":7}");
    assert_true(f.thing.flag);
    assert_int_equal(f.thing.number, INT64_MIN);
    assert_true(f.thing.ratio == 0.1);
    assert_text(f.thing.text, "a\"b\\\x01\xc3\xa4");
    assert_int_equal(f.thing.at, 1795496767000008);
    assert_int_equal(f.thing.colour, COLOUR_DARK_BLUE);
    assert_int_equal(f.thing.part.count, 1);
    assert_int_equal(f.thing.parts.count, 2);
    assert_text(f.thing.parts.items[1].name, "z");
    assert_int_equal(f.thing.numbers.count, 3);
    assert_int_equal(f.thing.numbers.items[2], 3);
    assert_text(f.thing.free_form, "{\"a\":[1,null]}");
    assert_true(f.thing.has_note && !f.thing.note_is_null && f.thing.has_level);
    assert_text(encode(&f), HEAD TIME REST ",\"note\":\"n\",\"level\":7}");
    arena_release(&f.arena);
}

static void test_absent_and_null_are_told_apart(void **state)
{
    (void)state;
    struct fixture f;
    bind_text(&f, HEAD TIME REST "}");
    assert_false(f.thing.has_note || f.thing.has_level);
    assert_text(encode(&f), HEAD TIME REST "}");
    arena_release(&f.arena);

    bind_text(&f, HEAD TIME REST ",\"note\":null}");
    assert_true(f.thing.has_note && f.thing.note_is_null);
    assert_text(encode(&f), HEAD TIME REST ",\"note\":null}");
    arena_release(&f.arena);
}

static void test_the_order_of_members_is_the_clients_and_then_the_contracts(void **state)
{
    (void)state;
    struct fixture f;
    bind_text(&f,
              "{\"level\":1," REST ",\"flag\":false,\"number\":5.0e1,\"ratio\":2,\"text\":\"\","
              "\"at\":\"2026-11-24T07:06:07+02:00\"}");
    assert_int_equal(f.thing.number, 50);
    assert_true(f.thing.ratio == 2.0);
    assert_text(encode(&f),
                "{\"flag\":false,\"number\":50,\"ratio\":2,\"text\":\"\",\"at\":\"2026-11-24T05:06:07Z\"," REST
                ",\"level\":1}");
    arena_release(&f.arena);
}

static void test_empty_lists(void **state)
{
    (void)state;
    struct fixture f;
    bind_text(&f,
              HEAD TIME
              "\"colour\":\"red\",\"part\":{\"count\":1,\"name\":\"\"},\"parts\":[],\"numbers\":[],\"freeForm\":null}");
    assert_int_equal(f.thing.parts.count, 0);
    assert_text(
        encode(&f),
        HEAD TIME
        "\"colour\":\"red\",\"part\":{\"count\":1,\"name\":\"\"},\"parts\":[],\"numbers\":[],\"freeForm\":null}");
    arena_release(&f.arena);
}

static void test_an_older_shape_is_seen(void **state)
{
    (void)state;
    struct arena arena;
    struct json_doc doc;
    struct json_error error;
    struct part part;
    static const char *const texts[] = { "{\"count\":\"1\",\"name\":\"\"}", "{\"count\":1,\"name\":2}", "[]",
                                         "{\"count\":1.5,\"name\":\"\"}" };
    arena_init(&arena, NULL, 1024 * 1024);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(json_parse(str_of(texts[i]), &arena, &doc, &error), JSON_OK);
        assert_int_equal(bind_object(&part_shape, &doc, 0, &arena, &part), BIND_SHAPE_DIFFERS);
    }
    arena_release(&arena);
}

/* A union of two kinds of part. */
struct either {
    int kind;
    union {
        struct part one, other;
    } as;
};
static const struct limen_field tagged_fields[] = {
    { .name = LIMEN_STR_INIT("kind"), .kind = LIMEN_STRING, .offset = offsetof(struct part, name) },
    { .name = LIMEN_STR_INIT("count"), .kind = LIMEN_INT, .offset = offsetof(struct part, count) },
};
static const struct limen_shape tagged = { "tagged", sizeof(struct part), 2, tagged_fields, { NULL, 0 }, false, false };
static const struct limen_field alternatives[] = {
    { .name = LIMEN_STR_INIT("one"), .kind = LIMEN_OBJECT, .offset = offsetof(struct either, as), .shape = &tagged },
    { .name = LIMEN_STR_INIT("other"), .kind = LIMEN_OBJECT, .offset = offsetof(struct either, as), .shape = &tagged },
};
static const struct limen_shape either = { "either",     sizeof(struct either),  2,
                                           alternatives, LIMEN_STR_INIT("kind"), false,
                                           false };
static const struct limen_field union_field = { .kind = LIMEN_UNION, .shape = &either };

static enum bind_outcome bind_one(const struct limen_field *field, const char *text, struct arena *arena, void *target)
{
    struct json_doc doc;
    struct json_error error;
    assert_int_equal(json_parse(str_of(text), arena, &doc, &error), JSON_OK);
    return bind_field(field, &doc, 0, arena, target);
}

static void test_each_kind_refuses_what_is_another(void **state)
{
    (void)state;
    static const struct limen_field boolean = { .kind = LIMEN_BOOL }, integer = { .kind = LIMEN_INT },
                                    number = { .kind = LIMEN_FLOAT }, string = { .kind = LIMEN_STRING },
                                    at = { .kind = LIMEN_TIME }, part = { .kind = LIMEN_OBJECT, .shape = &part_shape },
                                    list = { .kind = LIMEN_ARRAY, .shape = &int_item_shape },
                                    colour = { .kind = LIMEN_ENUM, .names = colours, .name_count = 2 };
    static const struct {
        const struct limen_field *field;
        const char *text;
    } cases[] = {
        { &boolean, "1" },
        { &integer, "true" },
        { &integer, "1.5" },
        { &integer, "1e300" },
        { &number, "\"1\"" },
        { &string, "1" },
        { &at, "\"yesterday\"" },
        { &part, "[]" },
        { &part, "{\"count\":1,\"colour\":2}" },
        { &list, "{}" },
        { &list, "[1,\"2\"]" },
        { &colour, "\"green\"" },
        { &union_field, "[]" },
        { &union_field, "{}" },
        { &union_field, "{\"kind\":1}" },
        { &union_field, "{\"kind\":\"third\"}" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena arena;
        union {
            struct part part;
            struct either either;
            limen_str text;
        } target;
        arena_init(&arena, NULL, 1024 * 1024);
        print_message("%s\n", cases[i].text);
        assert_int_equal(bind_one(cases[i].field, cases[i].text, &arena, &target), BIND_SHAPE_DIFFERS);
        arena_release(&arena);
    }
}

static void test_a_union_holds_the_alternative_that_its_discriminator_names(void **state)
{
    (void)state;
    struct arena arena;
    struct either it;
    struct buf out;
    const char *why = NULL;
    static const struct limen_field only[] = {
        { .name = LIMEN_STR_INIT("it"), .kind = LIMEN_UNION, .shape = &either }
    };
    static const struct limen_shape holder = { "holder", sizeof(struct either), 1, only, { NULL, 0 }, false, false };
    arena_init(&arena, NULL, 1024 * 1024);
    assert_int_equal(bind_one(&union_field, "{\"count\":3,\"kind\":\"other\"}", &arena, &it), BIND_OK);
    assert_int_equal(it.kind, 2);
    assert_int_equal(it.as.other.count, 3);
    buf_init(&out, &arena, 64);
    assert_true(encode_object(&holder, &it, &out, &why));
    assert_text(buf_str(&out), "{\"it\":{\"kind\":\"other\",\"count\":3}}");
    for (it.kind = 0; it.kind <= 3; it.kind += 3) /* unset, and one too many */
        assert_false(encode_object(&holder, &it, &out, &why));
    arena_release(&arena);
}

static void test_what_is_for_writing_only_stays_behind(void **state)
{
    (void)state;
    static const struct limen_field only[] = {
        { .name = LIMEN_STR_INIT("a"), .kind = LIMEN_INT },
        { .name = LIMEN_STR_INIT("b"), .kind = LIMEN_INT, .offset = sizeof(int64_t), .is_write_only = true },
    };
    static const struct limen_shape pair = { .name = "pair", .bytes = 16, .count = 2, .fields = only };
    static const int64_t values[] = { 1, 2 };
    struct arena arena;
    struct buf out;
    const char *why = NULL;
    arena_init(&arena, NULL, 1024 * 1024);
    buf_init(&out, &arena, 64);
    assert_true(encode_object(&pair, values, &out, &why));
    assert_text(buf_str(&out), "{\"a\":1}");
    arena_release(&arena);
}

static void check_refused(struct fixture *f, const char *name)
{
    struct buf out;
    const char *why = NULL;
    buf_init(&out, &f->arena, 16);
    assert_false(encode_object(&shape, &f->thing, &out, &why));
    assert_non_null(why);
    if (strstr(why, name) == NULL)
        fail_msg("%s: %s", name, why);
}

static void test_what_cannot_be_said_in_json_is_refused_by_name(void **state)
{
    (void)state;
    struct fixture f;
    bind_text(&f, HEAD TIME REST "}");
    f.thing.colour = COLOUR_UNSET;
    check_refused(&f, "colour");
    f.thing.colour = 3;
    check_refused(&f, "colour");
    f.thing.colour = COLOUR_RED;
    f.thing.ratio = NAN;
    check_refused(&f, "ratio");
    f.thing.ratio = INFINITY;
    check_refused(&f, "ratio");
    f.thing.ratio = 0;
    f.thing.text = LIMEN_STR("\xff");
    check_refused(&f, "text");
    f.thing.text = LIMEN_STR("");
    f.thing.parts.items[0].name = LIMEN_STR("\xed\xa0\x80");
    check_refused(&f, "name");
    arena_release(&f.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_goes_in_and_comes_out_the_same),
        cmocka_unit_test(test_absent_and_null_are_told_apart),
        cmocka_unit_test(test_the_order_of_members_is_the_clients_and_then_the_contracts),
        cmocka_unit_test(test_empty_lists),
        cmocka_unit_test(test_an_older_shape_is_seen),
        cmocka_unit_test(test_each_kind_refuses_what_is_another),
        cmocka_unit_test(test_a_union_holds_the_alternative_that_its_discriminator_names),
        cmocka_unit_test(test_what_is_for_writing_only_stays_behind),
        cmocka_unit_test(test_what_cannot_be_said_in_json_is_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
