/* chars.h - what each byte may be part of, as one table of bits (RFC 9110 5.6.2, RFC 3986). Private to edge/. */
#ifndef EDGE_CHARS_H
#define EDGE_CHARS_H

#include <stdbool.h>
#include <stdint.h>

enum {
    CHAR_TOKEN = 1, /* tchar: methods, field names */
    CHAR_PATH = 2,  /* pchar and '/' */
    CHAR_QUERY = 4, /* pchar, '/', '?' and what browsers leave unescaped there: [ ] { } | \ ^ ` */
    CHAR_HOST = 8,  /* of a registered name or an IPv4 address; narrower than RFC 3986: no escapes, no sub-delims */
    CHAR_HEX = 16,
    CHAR_DIGIT = 32,
    CHAR_TEXT = 64 /* in a field's value: all but controls and DEL; HTAB is one */
};

extern const uint8_t http1_chars[256];

static inline bool char_is(char c, unsigned kinds)
{
    return (http1_chars[(unsigned char)c] & kinds) != 0;
}

#endif
