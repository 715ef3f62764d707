/* request.h - requests for the tests of boundary/, parsed from their bytes as the edge does it. */
#ifndef TESTS_UNIT_BOUNDARY_REQUEST_H
#define TESTS_UNIT_BOUNDARY_REQUEST_H

#include "contract/check.h"
#include "edge/http1.h"

/* A POST with these fields ("Name: value\r\n…"). `text` must outlive the request. */
static inline void parse_request(const char *fields, char *text, size_t bytes, struct http_request *ret_request)
{
    size_t scanned = 0;
    int status;
    const char *why;
    const int len = snprintf(text, bytes, "POST /a/b?c=d HTTP/1.1\r\nHost: shop.example:8443\r\n%s\r\n", fields);
    assert_true(len > 0 && (size_t)len < bytes);
    if (http1_parse_head(str_make(text, (size_t)len), &scanned, ret_request, &status, &why) != HTTP1_OK)
        fail_msg("%s: %d %s", fields, status, why);
}

#endif
