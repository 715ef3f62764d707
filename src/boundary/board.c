/* board.c - names and sizes of the shared board; the counting itself is inline. */
#include "boundary/board.h"

const char *refusal_name(enum refusal refusal)
{
    static const char *const names[REFUSAL_COUNT] = {
        [REFUSAL_NONE] = "none",
        [REFUSAL_HTTP] = "http",
        [REFUSAL_ADDRESS_LIMIT] = "address_limit",
        [REFUSAL_NO_PATH] = "no_path",
        [REFUSAL_NO_METHOD] = "no_method",
        [REFUSAL_CROSS_SITE] = "cross_site",
        [REFUSAL_CREDENTIAL] = "credential",
        [REFUSAL_ROLE] = "role",
        [REFUSAL_LIMIT] = "limit",
        [REFUSAL_LIMIT_AWAY] = "limit_away",
        [REFUSAL_MEMORY] = "memory",
        [REFUSAL_PARAMETER] = "parameter",
        [REFUSAL_MEDIA_TYPE] = "media_type",
        [REFUSAL_BODY_SIZE] = "body_size",
        [REFUSAL_BODY_MALFORMED] = "body_malformed",
        [REFUSAL_BODY_SCHEMA] = "body_schema",
        [REFUSAL_KEY] = "idempotency_key",
        [REFUSAL_OVERLOAD] = "overload",
        [REFUSAL_DATA] = "data",
        [REFUSAL_DEADLINE] = "deadline",
    };
    return names[refusal];
}

size_t board_bytes(uint32_t worker_count)
{
    return sizeof(struct board) + worker_count * sizeof(struct board_row);
}
