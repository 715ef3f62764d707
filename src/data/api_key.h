/* api_key.h - keys for programs: `lmk_ID_SECRET`. The id finds the row, the secret's hash is all that is stored.
 *
 * The form is one that scanners for leaked secrets can know: a fixed prefix, an alphabet, a length. */
#ifndef DATA_API_KEY_H
#define DATA_API_KEY_H

#include "data/principal.h"

#define API_KEY_ID_BYTES 16U /* of a-z and 2-7: 80 bits, no secret */
#define API_KEY_TEXT_BYTES (4U + API_KEY_ID_BYTES + 1U + TOKEN_TEXT_BYTES)

/* Makes a key with random id and secret. The text is not NUL-terminated. */
void api_key_make(char ret_text[API_KEY_TEXT_BYTES], uint8_t ret_hash[TOKEN_HASH_BYTES]);
/* The id is a slice of `text`. False when it has another form. */
bool api_key_read(limen_str text, limen_str *ret_id, uint8_t ret_hash[TOKEN_HASH_BYTES]) LIMEN_MUST_CHECK;

#endif
