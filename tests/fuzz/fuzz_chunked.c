/* fuzz_chunked.c - the chunked coding: however the bytes are cut, the same content comes out, and never more than went in. */
#include "edge/http1.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct decoded {
    enum http1_outcome outcome;
    char *content;
    size_t bytes, used;
};

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* Decodes `size` bytes in pieces of `step`. */
static struct decoded decode(const uint8_t *data, size_t size, size_t step)
{
    struct decoded result = { HTTP1_MORE, malloc(size + 1), 0, 0 };
    struct http1_chunks chunks = { 0 };
    must(result.content != NULL);
    while (result.outcome == HTTP1_MORE && result.used < size) {
        size_t bytes = size - result.used < step ? size - result.used : step, used = 0, content = 0;
        const char *why = NULL;
        char *piece = malloc(bytes);
        must(piece != NULL);
        memcpy(piece, data + result.used, bytes);
        result.outcome = http1_dechunk(&chunks, piece, bytes, &used, &content, &why);
        if (result.outcome == HTTP1_REFUSED) {
            must(why != NULL);
        } else {
            must(content <= used && used <= bytes && (result.outcome == HTTP1_OK || used == bytes));
            memcpy(result.content + result.bytes, piece, content);
            result.bytes += content;
            result.used += used;
        }
        free(piece);
    }
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t step = data[0] % 17 + (size_t)1;
    struct decoded at_once = decode(data + 1, size - 1, size - 1), in_pieces = decode(data + 1, size - 1, step);
    must(at_once.outcome == in_pieces.outcome);
    if (at_once.outcome != HTTP1_REFUSED) {
        must(at_once.used == in_pieces.used && at_once.bytes == in_pieces.bytes);
        must(memcmp(at_once.content, in_pieces.content, at_once.bytes) == 0);
    }
    free(at_once.content);
    free(in_pieces.content);
    return 0;
}
