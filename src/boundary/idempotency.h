/* idempotency.h - the Idempotency-Key field, and what makes two requests the same (draft-ietf-httpapi-idempotency-key-header-07). */
#ifndef BOUNDARY_IDEMPOTENCY_H
#define BOUNDARY_IDEMPOTENCY_H

#include "contract/method.h"
#include "edge/http1.h"

enum key_outcome { KEY_OK, KEY_MISSING, KEY_MALFORMED };

/* Reads the key: a structured-field string ("…", RFC 8941 3.3.3) or, as most clients send it, the bare text. One field, 1 to
 * LIMIT_IDEMPOTENCY_KEY_BYTES printable ASCII characters. `ret_key` is a slice, or unescaped into `memory`. */
enum key_outcome idempotency_key(const struct http_request *request, char memory[LIMIT_IDEMPOTENCY_KEY_BYTES],
                                 limen_str *ret_key) LIMEN_MUST_CHECK;

/* SHA-256 over method, path, query and body, each with its length before it. */
void fingerprint_take(const struct http_request *request, limen_str body, uint8_t ret_fingerprint[32]);

#endif
