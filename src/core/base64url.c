/* base64url.c - four characters for three bytes, one way only. */
#include "core/base64url.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void base64url_encode(const uint8_t *data, size_t bytes, char *ret_text)
{
    uint32_t bits = 0;
    unsigned bit_count = 0;
    for (size_t i = 0; i < bytes; i++) {
        bits = (bits << 8 | data[i]) & 0xffff;
        for (bit_count += 8; bit_count >= 6; bit_count -= 6)
            *ret_text++ = alphabet[bits >> (bit_count - 6) & 63];
    }
    if (bit_count > 0)
        *ret_text = alphabet[bits << (6 - bit_count) & 63];
}

size_t base64url_bytes(size_t chars)
{
    return chars / 4 * 3 + chars % 4 * 3 / 4;
}

/* The six bits of a character, or -1. */
static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

bool base64url_decode(limen_str text, uint8_t *ret_bytes)
{
    uint32_t bits = 0;
    unsigned bit_count = 0;
    if (text.len % 4 == 1)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        int value = value_of(text.ptr[i]);
        if (value < 0)
            return false;
        bits = (bits << 6 | (uint32_t)value) & 0xffff;
        bit_count += 6;
        if (bit_count >= 8) {
            bit_count -= 8;
            *ret_bytes++ = (uint8_t)(bits >> bit_count);
        }
    }
    return (bits & ((1U << bit_count) - 1)) == 0;
}
