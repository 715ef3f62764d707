/* fuzz_contract.c - a document, a NUL and one more that it may refer to, as a contract: accepted and whole, or refused with a place and words. */
#include "contract/contract.h"
#include "core/arena.h"
#include "core/str.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* libfyaml 0.8 loses a buffer with some scalars. A contract is its owner's file and is read once, so that is no leak of ours. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libfyaml";
}

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void check_contract(const struct contract *contract, struct arena *arena)
{
    struct buf report;
    must(contract->operation_count <= LIMIT_OPERATIONS && contract->json.len > 0);
    for (uint32_t i = 0; i < contract->operation_count; i++) {
        const struct operation *operation = &contract->operations[i];
        must(operation->id.len > 0 && operation->limit_count > 0 && operation->reply_count > 0);
        must(operation->is_public ? operation->requirement_count == 0 : operation->requirement_count > 0);
        must(!(operation->is_public && operation->needs_key));
        must(!operation->has_body || operation->body != NULL);
        must(contract_find(contract, operation->id) == operation);
    }
    for (int format = REPORT_TABLE; format <= REPORT_HTML; format++) {
        buf_init(&report, arena, 1024);
        contract_report(contract, (enum report_format)format, /* colour= */ false, &report);
        must(!report.failed && str_is_utf8(buf_str(&report)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct contract contract;
    struct diags errors, warnings;
    struct buf text;
    if (size > 16384)
        return 0;
    arena_init(&arena, NULL, (size_t)512 << 20);
    diags_init(&errors, &arena);
    diags_init(&warnings, &arena);
    const uint8_t *cut = size > 0 ? memchr(data, 0, size) : NULL;
    const limen_str contract_text = str_make((const char *)data, cut != NULL ? (size_t)(cut - data) : size);
    const struct limen_document document = {
        .uri = LIMEN_STR("other.yaml"),
        .file = { LIMEN_STR("other.yaml"),
                  cut != NULL ? str_make((const char *)cut + 1, size - contract_text.len - 1) : contract_text },
    };
    const struct limen_app app = {
        .contract = { LIMEN_STR("api.yaml"), contract_text },
        .documents = &document,
        .document_count = cut != NULL ? 1 : 0,
    };
    if (contract_load(&app, &arena, &contract, &errors, &warnings)) {
        must(errors.count == 0);
        check_contract(&contract, &arena);
        contract_release(&contract);
    } else {
        must(errors.count > 0);
        buf_init(&text, &arena, 1024);
        diags_write(&errors, &text, "error", /* colour= */ false);
        must(!text.failed);
    }
    arena_release(&arena);
    return 0;
}
