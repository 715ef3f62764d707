/* name.h - a member name as two machine words.
 *
 * The first and the last bytes of a name, with its length, tell all names of up to 16 bytes apart without a memcmp. Both the
 * parser (duplicate names) and the schema program (properties) compare names this way. */
#ifndef CONTRACT_NAME_H
#define CONTRACT_NAME_H

#include "limen/base.h"

#include <string.h>

struct name_mark {
    uint64_t head, tail;
};

#define NAME_MARK_BYTES 16U /* a name up to this length is decided by its mark and its length */

static inline struct name_mark name_mark_of(const char *ptr, size_t len)
{
    struct name_mark mark = { 0, 0 };
    if (len >= 8) {
        memcpy(&mark.head, ptr, 8);
        memcpy(&mark.tail, ptr + len - 8, 8);
    } else if (len >= 4) {
        uint32_t head, tail;
        memcpy(&head, ptr, 4);
        memcpy(&tail, ptr + len - 4, 4);
        mark.head = head;
        mark.tail = tail;
    } else if (len > 0) {
        mark.head = (uint64_t)(uint8_t)ptr[0] | (uint64_t)(uint8_t)ptr[len / 2] << 8
            | (uint64_t)(uint8_t)ptr[len - 1] << 16;
    }
    return mark;
}

static inline bool name_mark_equal(struct name_mark a, struct name_mark b)
{
    return a.head == b.head && a.tail == b.tail;
}

#endif
