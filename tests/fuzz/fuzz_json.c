/* fuzz_json.c - the JSON parser on invented text.
 *
 * What is read must be a sound tape, and must be read the same way again after our own writer has written it. */
#include "contract/json.h"

#include "core/arena.h"
#include "core/limits.h"
#include "core/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEMAND(claim) ((claim) ? (void)0 : (fprintf(stderr, "not so: %s\n", #claim), abort()))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Checks the value at `at` and returns the place behind it. */
static uint32_t check_value(const struct json_doc *doc, uint32_t at, unsigned depth)
{
    const struct json_value *value = &doc->tape[at];
    DEMAND(depth <= LIMIT_JSON_DEPTH && at < doc->count);
    DEMAND(value->from < value->to && value->to <= doc->text.len);
    uint32_t behind = at + 1, children = 0;
    if (value->type == JSON_ARRAY || value->type == JSON_OBJECT) {
        for (; behind < value->next; children++) {
            if (value->type == JSON_OBJECT) {
                DEMAND(doc->tape[behind].type == JSON_STRING);
                DEMAND(json_member(doc, at, json_text(&doc->tape[behind]))
                       == behind + 1); /* the first of its name: the only one */
                behind++;
            }
            behind = check_value(doc, behind, depth + 1);
        }
        DEMAND(children == value->length);
    }
    if (value->type == JSON_STRING)
        DEMAND(str_is_utf8(json_text(value)));
    DEMAND(behind == value->next);
    return behind;
}

static void write_value(const struct json_doc *doc, uint32_t at, struct buf *out)
{
    const struct json_value *value = &doc->tape[at];
    uint32_t child = at + 1;
    switch (value->type) {
    case JSON_NULL:
        BUF_ADD(out, "null");
        return;
    case JSON_FALSE:
        BUF_ADD(out, "false");
        return;
    case JSON_TRUE:
        BUF_ADD(out, "true");
        return;
    case JSON_INT:
        buf_add_int(out, value->as.integer);
        return;
    case JSON_DOUBLE:
        json_write_double(out, value->as.number);
        return;
    case JSON_STRING:
        json_write_string(out, json_text(value));
        return;
    default:
        break;
    }
    buf_add_char(out, value->type == JSON_ARRAY ? '[' : '{');
    for (uint32_t i = 0; i < value->length; i++) {
        if (i > 0)
            buf_add_char(out, ',');
        if (value->type == JSON_OBJECT) {
            write_value(doc, child++, out);
            buf_add_char(out, ':');
        }
        write_value(doc, child, out);
        child = doc->tape[child].next;
    }
    buf_add_char(out, value->type == JSON_ARRAY ? ']' : '}');
}

static bool is_same_number(const struct json_value *a, const struct json_value *b)
{
    const double x = a->type == JSON_INT ? (double)a->as.integer : a->as.number;
    const double y = b->type == JSON_INT ? (double)b->as.integer : b->as.number;
    return x == y;
}

static void check_same(const struct json_doc *a, const struct json_doc *b)
{
    DEMAND(a->count == b->count);
    for (uint32_t i = 0; i < a->count; i++) {
        const struct json_value *x = &a->tape[i], *y = &b->tape[i];
        const bool is_number = x->type == JSON_INT || x->type == JSON_DOUBLE;
        DEMAND(x->next == y->next && x->length == y->length);
        DEMAND(is_number ? is_same_number(x, y) : x->type == y->type);
        if (x->type == JSON_STRING)
            DEMAND(memcmp(x->as.text, y->as.text, x->length) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct json_doc doc, again;
    struct json_error error;
    arena_init(&arena, NULL, 256U * 1024 * 1024);
    const limen_str text = { (const char *)data, size };
    if (json_parse(text, &arena, &doc, &error) != JSON_OK) {
        DEMAND(error.at <= size && error.what != NULL);
    } else {
        DEMAND(check_value(&doc, 0, 0) == doc.count);
        struct buf out;
        buf_init(&out, &arena, size + 16);
        write_value(&doc, 0, &out);
        DEMAND(!out.failed);
        DEMAND(json_parse(buf_str(&out), &arena, &again, &error) == JSON_OK);
        check_same(&doc, &again);
    }
    arena_release(&arena);
    return 0;
}
