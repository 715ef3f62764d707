/* check.h - what every test of the edge includes: cmocka and the headers that it asks for. */
#ifndef TESTS_EDGE_CHECK_H
#define TESTS_EDGE_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
