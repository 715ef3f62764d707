/* json_write.c - strings and doubles as JSON text. */
#include "contract/json_internal.h"

#include "core/str.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* One byte that RFC 8259 section 7 does not let stand for itself. */
static void write_escape(struct buf *buf, uint8_t c)
{
    static const char digits[] = "0123456789abcdef";
    switch (c) {
    case '"':
        BUF_ADD(buf, "\\\"");
        return;
    case '\\':
        BUF_ADD(buf, "\\\\");
        return;
    case '\b':
        BUF_ADD(buf, "\\b");
        return;
    case '\f':
        BUF_ADD(buf, "\\f");
        return;
    case '\n':
        BUF_ADD(buf, "\\n");
        return;
    case '\r':
        BUF_ADD(buf, "\\r");
        return;
    case '\t':
        BUF_ADD(buf, "\\t");
        return;
    default:
        break;
    }
    const char text[] = { '\\', 'u', '0', '0', digits[c >> 4], digits[c & 15] };
    buf_add(buf, (limen_str){ text, sizeof(text) });
}

static void write_plain(struct buf *buf, limen_str s)
{
    char *room = buf_reserve(buf, s.len + 2); /* a string in memory: no overflow */
    if (room == NULL)
        return;
    room[0] = '"';
    memcpy(room + 1, s.ptr, s.len);
    room[s.len + 1] = '"';
    buf->len += s.len + 2;
}

void json_write_string(struct buf *buf, limen_str s)
{
    const uint8_t *at = (const uint8_t *)s.ptr;
    const uint8_t *end = at == NULL ? NULL : at + s.len;
    if (at != NULL && json_skip_plain(at, at, end) == end) { /* most are */
        write_plain(buf, s);
        return;
    }
    buf_add_char(buf, '"');
    while (at != end) {
        const uint8_t *behind = json_skip_plain(at, at, end);
        while (behind != end && *behind >= 0x80) /* UTF-8 stands for itself */
            behind = json_skip_plain(at, behind + 1, end);
        buf_add(buf, (limen_str){ (const char *)at, (size_t)(behind - at) });
        at = behind;
        if (at != end)
            write_escape(buf, *at++);
    }
    buf_add_char(buf, '"');
}

void json_write_double(struct buf *buf, double number)
{
    if (!isfinite(number)) {
        buf->failed = true; /* JSON has no text for it */
        return;
    }
    if (fabs(number) < 9007199254740992.0 && number == trunc(number) && !(number == 0.0 && signbit(number))) {
        buf_add_int(buf, (int64_t)number);
        return;
    }
    /* 15 digits are enough for every double that came from 15 digits; below DBL_MIN fewer may do. */
    char text[40];
    int length = 0;
    for (int digits = fabs(number) < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
        length = snprintf(text, sizeof(text), "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            break;
    }
    buf_add(buf, (limen_str){ text, (size_t)length });
}
