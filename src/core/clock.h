/* clock.h - the time, read once a loop turn, and how it is written.
 *
 * A turn of the loop has one time: two timeouts in one turn agree, and a request costs no call of the kernel for it. */
#ifndef CORE_CLOCK_H
#define CORE_CLOCK_H

#include "limen/base.h"

struct buf;

struct clock {
    int64_t mono_us;     /* CLOCK_MONOTONIC: for durations */
    limen_time wall_us;  /* CLOCK_REALTIME: for what others read */
    int64_t date_second; /* the second that `date` shows */
    char date[30];       /* IMF-fixdate of RFC 9110 5.6.7, NUL-terminated, 29 characters */
};

/* Reads both clocks; renders `date` when the second has changed. */
void clock_refresh(struct clock *clock);
/* CLOCK_MONOTONIC now, for code outside a loop. */
int64_t clock_mono_us(void);
limen_time clock_wall_us(void);

/* RFC 3339 with `Z` and as many fraction digits as are needed: 0, 3 or 6. Fails the buffer outside the years 0000..9999,
 * which the format cannot show. */
void clock_write_rfc3339(struct buf *buf, limen_time time);
/* RFC 3339 date-time, any offset; a leap second (:60) is accepted only where UTC could have one, and becomes the next
 * second. Digits past microseconds are cut off. False when `text` is not one, or when in UTC it falls outside
 * the years 0000..9999. */
bool clock_parse_rfc3339(limen_str text, limen_time *ret_time) LIMEN_MUST_CHECK;

#endif
