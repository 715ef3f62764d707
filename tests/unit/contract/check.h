/* check.h - cmocka and what the tests of contract/ share. */
#ifndef TESTS_UNIT_CONTRACT_CHECK_H
#define TESTS_UNIT_CONTRACT_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/arena.h"
#include "core/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The slice holds exactly this text. */
#define assert_text(slice, text) check_text((slice), (text), __FILE__, __LINE__)
static inline void check_text(limen_str slice, const char *text, const char *file, int line)
{
    if (str_equal(slice, str_of(text)))
        return;
    print_error("have \"%.*s\", want \"%s\"\n", LIMEN_STR_ARG(slice), text);
    _fail(file, line);
}

/* A copy in a block of exactly its size, so that a read past its end is seen by AddressSanitizer; free it. */
static inline limen_str tight_copy(limen_str text)
{
    char *copy = malloc(text.len == 0 ? 1 : text.len);
    assert_non_null(copy);
    if (text.len > 0)
        memcpy(copy, text.ptr, text.len);
    return str_make(copy, text.len);
}

/* All of a file, malloc'ed; ptr is NULL when it is not there. */
static inline limen_str read_whole_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return (limen_str){ NULL, 0 };
    (void)fseek(file, 0, SEEK_END);
    const long size = ftell(file);
    rewind(file);
    char *bytes = malloc(size > 0 ? (size_t)size : 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, (size_t)size, file), (size_t)size);
    (void)fclose(file);
    return str_make(bytes, (size_t)size);
}

#endif
