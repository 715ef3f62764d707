/* fuzz_webhook.c - a signature's field: what is read can be written again and is read the same, and opens nothing by chance. */
#include "core/arena.h"
#include "core/str.h"
#include "data/webhook.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void write_mark(struct buf *out, const uint8_t *mark)
{
    BUF_ADD(out, ",v1=");
    for (size_t i = 0; i < WEBHOOK_MARK_BYTES; i++) {
        buf_add_char(out, "0123456789abcdef"[mark[i] >> 4]);
        buf_add_char(out, "0123456789abcdef"[mark[i] & 15]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct webhook_signature signature, again;
    limen_str field = str_make((const char *)data, size);
    if (!webhook_parse(field, &signature))
        return 0;
    must(size <= LIMIT_WEBHOOK_FIELD_BYTES && signature.mark_count >= 1 && signature.mark_count <= LIMIT_WEBHOOK_MARKS);
    must(signature.signed_at_s >= 0 && signature.time_text.ptr >= field.ptr);

    char memory[LIMIT_WEBHOOK_FIELD_BYTES];
    struct buf out;
    buf_init_fixed(&out, memory, sizeof(memory));
    BUF_ADD(&out, "t=");
    buf_add(&out, signature.time_text);
    for (uint32_t i = 0; i < signature.mark_count; i++)
        write_mark(&out, signature.marks[i]);
    must(!out.failed && webhook_parse(buf_str(&out), &again));
    must(again.mark_count == signature.mark_count && again.signed_at_s == signature.signed_at_s);
    must(memcmp(again.marks, signature.marks, signature.mark_count * sizeof(signature.marks[0])) == 0);

    struct arena arena;
    arena_init(&arena, NULL, 1U << 20);
    must(webhook_verify(&signature, LIMEN_STR("a secret that is not in the corpus"), field, 0, &arena)
         == WEBHOOK_FORGED);
    arena_release(&arena);
    return 0;
}
