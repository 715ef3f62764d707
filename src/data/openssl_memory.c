/* openssl_memory.c - malloc for OpenSSL, and a note for each thread of what it could not give. */
#include "data/openssl_memory.h"

#include <openssl/crypto.h>
#include <stdlib.h>

static _Thread_local bool was_out;

static void *noted(void *memory, size_t bytes)
{
    if (memory == NULL && bytes > 0)
        was_out = true;
    return memory;
}

static void *watched_malloc(size_t bytes, const char *file, int line)
{
    (void)file, (void)line;
    return noted(malloc(bytes), bytes);
}

static void *watched_realloc(void *memory, size_t bytes, const char *file, int line)
{
    (void)file, (void)line;
    return noted(realloc(memory, bytes), bytes);
}

static void watched_free(void *memory, const char *file, int line)
{
    (void)file, (void)line;
    free(memory);
}

bool openssl_memory_watch(void)
{
    return CRYPTO_set_mem_functions(watched_malloc, watched_realloc, watched_free) == 1;
}

bool openssl_memory_was_out(void)
{
    bool was = was_out;
    was_out = false;
    return was;
}
