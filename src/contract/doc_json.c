/* doc_json.c - a document's tree as compact JSON: how the contract is served. */
#include "contract/doc.h"

#include "contract/json.h"
#include "core/str.h"

static void write_members(const struct doc_node *node, struct buf *out)
{
    for (size_t i = 0; i < node->count; i++) {
        if (i > 0)
            buf_add_char(out, ',');
        if (node->kind == DOC_OBJECT) {
            json_write_string(out, node->items[i]->key);
            buf_add_char(out, ':');
        }
        doc_write_json(node->items[i], out);
    }
}

void doc_write_json(const struct doc_node *node, struct buf *out)
{
    switch (node->kind) {
    case DOC_NULL:
        BUF_ADD(out, "null");
        break;
    case DOC_BOOL:
        buf_add(out, node->boolean ? LIMEN_STR("true") : LIMEN_STR("false"));
        break;
    case DOC_INT:
        buf_add_int(out, node->integer);
        break;
    case DOC_DOUBLE:
        json_write_double(out, node->number);
        break;
    case DOC_STRING:
        json_write_string(out, node->text);
        break;
    case DOC_ARRAY:
        buf_add_char(out, '[');
        write_members(node, out);
        buf_add_char(out, ']');
        break;
    case DOC_OBJECT:
        buf_add_char(out, '{');
        write_members(node, out);
        buf_add_char(out, '}');
        break;
    }
}
