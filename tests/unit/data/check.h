/* check.h - what the tests of data share: cmocka with the headers it needs, and a comparison of slices. */
#ifndef TESTS_DATA_CHECK_H
#define TESTS_DATA_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/str.h"

#define assert_text(slice, literal) assert_slices((slice), LIMEN_STR(literal), __FILE__, __LINE__)
#define assert_same(slice, other) assert_slices((slice), (other), __FILE__, __LINE__)

static inline void assert_slices(limen_str got, limen_str wanted, const char *file, int line)
{
    if (str_equal(got, wanted))
        return;
    print_error("\"%.*s\" is not \"%.*s\"\n", LIMEN_STR_ARG(got), LIMEN_STR_ARG(wanted));
    _fail(file, line);
}

#endif
