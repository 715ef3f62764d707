/* base64url.h - RFC 4648 section 5, without padding and without a second way to write the same bytes.
 *
 * Strict, because signatures and tokens are compared as text in more than one place: no padding, no white space, no
 * character of plain base64, and the bits of the last character that carry nothing must be zero. */
#ifndef CORE_BASE64URL_H
#define CORE_BASE64URL_H

#include "limen/base.h"

/* Characters that `bytes` bytes take. */
#define BASE64URL_CHARS(bytes) (((bytes)*4 + 2) / 3)

/* Writes BASE64URL_CHARS(bytes) characters, without a NUL. */
void base64url_encode(const uint8_t *data, size_t bytes, char *ret_text);
/* Bytes that a text of `chars` characters stands for. */
size_t base64url_bytes(size_t chars);
/* Writes base64url_bytes(text.len) bytes; false when `text` is not base64url as above, and then `ret_bytes` is of no meaning. */
bool base64url_decode(limen_str text, uint8_t *ret_bytes) LIMEN_MUST_CHECK;

#endif
