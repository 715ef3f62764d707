/* id.c - ids that sort by time and cannot be guessed.
 *
 * 160 bits, big-endian, written in base 62 with digits in the order of their ASCII codes: so bytewise order of the text
 * is the order of the numbers, and that is the order of time. 62^27 is just above 2^160. */
#include "core/id.h"

#include "core/log.h"

#include <string.h>
#include <sys/random.h>

#define WORDS 5 /* of 32 bits */
#define PREFIX_BYTES (ID_BYTES - ID_TEXT_BYTES - 2)

/* Divides the number by 62 and returns what is left over. */
static unsigned divide_by_62(uint32_t words[WORDS])
{
    uint64_t rest = 0;
    for (int i = 0; i < WORDS; i++) {
        uint64_t part = rest << 32 | words[i];
        words[i] = (uint32_t)(part / 62);
        rest = part % 62;
    }
    return (unsigned)rest;
}

limen_str id_make(char ret_id[ID_BYTES], limen_str prefix, limen_time wall_us, const uint8_t random[ID_RANDOM_BYTES])
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    uint64_t ms = wall_us < 0 ? 0 : (uint64_t)wall_us / 1000;
    uint32_t words[WORDS] = { (uint32_t)(ms >> 16),
                              (uint32_t)(ms & 0xffff) << 16 | (uint32_t)random[0] << 8 | random[1] };
    for (int i = 0; i < 3; i++) {
        const uint8_t *four = random + 2 + 4 * i;
        words[2 + i] = (uint32_t)four[0] << 24 | (uint32_t)four[1] << 16 | (uint32_t)four[2] << 8 | four[3];
    }
    size_t len = prefix.len < PREFIX_BYTES ? prefix.len : PREFIX_BYTES;
    if (len > 0)
        memcpy(ret_id, prefix.ptr, len);
    ret_id[len++] = '_';
    for (size_t i = ID_TEXT_BYTES; i-- > 0;)
        ret_id[len + i] = digits[divide_by_62(words)];
    len += ID_TEXT_BYTES;
    ret_id[len] = '\0';
    return (limen_str){ ret_id, len };
}

limen_str id_new(char ret_id[ID_BYTES], limen_str prefix, limen_time wall_us)
{
    uint8_t random[ID_RANDOM_BYTES];
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        BUG("the kernel gives no random bytes");
    return id_make(ret_id, prefix, wall_us, random);
}
