/* chars.c - the table behind chars.h. Each byte stands once, with all that it may be part of. */
#include "edge/chars.h"

#define X CHAR_TEXT
#define T CHAR_TOKEN
#define P (CHAR_PATH | CHAR_QUERY)
#define Q CHAR_QUERY
#define H CHAR_HOST

/* clang-format off */
const uint8_t http1_chars[256] = {
    ['\t'] = X,        [' '] = X,         ['"'] = X,         ['<'] = X,         ['>'] = X,
    ['!'] = X | T | P, ['#'] = X | T,     ['$'] = X | T | P, ['%'] = X | T | P, ['&'] = X | T | P,
    ['\''] = X | T | P, ['('] = X | P,    [')'] = X | P,     ['*'] = X | T | P, ['+'] = X | T | P,
    [','] = X | P,     ['-'] = X | T | P | H, ['.'] = X | T | P | H, ['/'] = X | P,
    ['0' ... '9'] = X | T | P | H | CHAR_HEX | CHAR_DIGIT,
    [':'] = X | P,     [';'] = X | P,     ['='] = X | P,     ['?'] = X | Q,     ['@'] = X | P,
    ['A' ... 'F'] = X | T | P | H | CHAR_HEX,
    ['G' ... 'Z'] = X | T | P | H,
    ['['] = X | Q,     ['\\'] = X | Q,    [']'] = X | Q,     ['^'] = X | T | Q, ['_'] = X | T | P | H,
    ['`'] = X | T | Q,
    ['a' ... 'f'] = X | T | P | H | CHAR_HEX,
    ['g' ... 'z'] = X | T | P | H,
    ['{'] = X | Q,     ['|'] = X | T | Q, ['}'] = X | Q,     ['~'] = X | T | P | H,
    [128 ... 255] = X,
};
/* clang-format on */
