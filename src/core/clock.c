/* clock.c - the time, read once a loop turn, and how it is written.
 *
 * Dates are reckoned in days since 1970 in the proleptic Gregorian calendar. Its leap rule repeats every 400 years, an era
 * of 146097 days; years are taken to begin in March, so that the leap day comes last. */
#include "core/clock.h"

#include "core/str.h"

#include <time.h>

#define US_PER_S INT64_C(1000000)
#define S_PER_DAY INT64_C(86400)
#define DAYS_PER_ERA 146097
#define DAYS_TO_1970 719468                /* from 0000-03-01 */
#define FIRST_SECOND INT64_C(-62167219200) /* 0000-01-01T00:00:00Z */
#define LAST_SECOND INT64_C(253402300799)  /* 9999-12-31T23:59:59Z */

struct civil {
    unsigned year, month, day; /* 0..9999, 1..12, 1..31 */
};

static int64_t read_us(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now); /* cannot fail for the two clocks that we read */
    return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

int64_t clock_mono_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}
limen_time clock_wall_us(void)
{
    return read_us(CLOCK_REALTIME);
}

static int64_t floor_div(int64_t dividend, int64_t divisor)
{
    return dividend / divisor - (dividend % divisor < 0 ? 1 : 0);
}

/* ---- days and dates --------------------------------------------------------------------------------------------- */

/* `days` between 0000-01-01 and 9999-12-31. */
static struct civil civil_of_days(int64_t days)
{
    int64_t shifted = days + DAYS_TO_1970;
    int64_t era = floor_div(shifted, DAYS_PER_ERA);
    unsigned day_of_era = (unsigned)(shifted - era * DAYS_PER_ERA);
    unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100); /* from 1 March */
    unsigned march_month = (5 * day_of_year + 2) / 153;                                            /* March is 0 */
    unsigned month = march_month < 10 ? march_month + 3 : march_month - 9;
    int64_t year = era * 400 + year_of_era + (month <= 2 ? 1 : 0);
    return (struct civil){ (unsigned)year, month, day_of_year - (153 * march_month + 2) / 5 + 1 };
}

static int64_t days_of_civil(struct civil date)
{
    int64_t year = (int64_t)date.year - (date.month <= 2 ? 1 : 0);
    int64_t era = floor_div(year, 400);
    int64_t year_of_era = year - era * 400;
    unsigned march_month = date.month > 2 ? date.month - 3 : date.month + 9;
    int64_t day_of_year = (153 * march_month + 2) / 5 + date.day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * DAYS_PER_ERA + day_of_era - DAYS_TO_1970;
}

static unsigned days_in_month(unsigned year, unsigned month)
{
    static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && is_leap ? 1U : 0U);
}

/* ---- writing ---------------------------------------------------------------------------------------------------- */

/* Writes `count` digits of `number` and returns what is behind them. */
static char *write_digits(char *at, unsigned number, unsigned count)
{
    for (unsigned i = count; i > 0; i--) {
        at[i - 1] = (char)('0' + number % 10);
        number /= 10;
    }
    return at + count;
}

static char *write_time_of_day(char *at, unsigned second_of_day)
{
    at = write_digits(at, second_of_day / 3600, 2);
    *at++ = ':';
    at = write_digits(at, second_of_day / 60 % 60, 2);
    *at++ = ':';
    return write_digits(at, second_of_day % 60, 2);
}

static char *write_text(char *at, const char *text, size_t len)
{
    memcpy(at, text, len);
    return at + len;
}

/* RFC 9110 5.6.7: "Sun, 06 Nov 1994 08:49:37 GMT". */
static void render_date(struct clock *clock, int64_t second)
{
    static const char weekdays[] = "ThuFriSatSunMonTueWed"; /* 1970-01-01 was a Thursday */
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    if (second < FIRST_SECOND || second > LAST_SECOND)
        second = second < FIRST_SECOND ? FIRST_SECOND : LAST_SECOND;
    int64_t days = floor_div(second, S_PER_DAY);
    struct civil date = civil_of_days(days);
    char *at = write_text(clock->date, weekdays + 3 * (days - 7 * floor_div(days, 7)), 3);
    at = write_text(at, ", ", 2);
    at = write_digits(at, date.day, 2);
    *at++ = ' ';
    at = write_text(at, months + 3 * (size_t)(date.month - 1), 3);
    *at++ = ' ';
    at = write_digits(at, date.year, 4);
    *at++ = ' ';
    at = write_time_of_day(at, (unsigned)(second - days * S_PER_DAY));
    write_text(at, " GMT", sizeof " GMT");
}

void clock_refresh(struct clock *clock)
{
    clock->mono_us = clock_mono_us();
    clock->wall_us = clock_wall_us();
    int64_t second = floor_div(clock->wall_us, US_PER_S);
    if (second == clock->date_second && clock->date[0] != '\0')
        return;
    clock->date_second = second;
    render_date(clock, second);
}

void clock_write_rfc3339(struct buf *buf, limen_time time)
{
    int64_t second = floor_div(time, US_PER_S);
    if (second < FIRST_SECOND || second > LAST_SECOND) {
        buf->failed = true;
        return;
    }
    char text[sizeof "0000-00-00T00:00:00.000000Z"];
    int64_t days = floor_div(second, S_PER_DAY);
    struct civil date = civil_of_days(days);
    char *at = write_digits(text, date.year, 4);
    *at++ = '-';
    at = write_digits(at, date.month, 2);
    *at++ = '-';
    at = write_digits(at, date.day, 2);
    *at++ = 'T';
    at = write_time_of_day(at, (unsigned)(second - days * S_PER_DAY));
    unsigned fraction = (unsigned)(time - second * US_PER_S);
    if (fraction != 0) {
        *at++ = '.';
        at = fraction % 1000 == 0 ? write_digits(at, fraction / 1000, 3) : write_digits(at, fraction, 6);
    }
    *at++ = 'Z';
    buf_add(buf, str_make(text, (size_t)(at - text)));
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

/* Takes `count` digits off the front; their value lies in `least..most`. */
static bool take_number(limen_str *text, size_t count, unsigned least, unsigned most, unsigned *ret_number)
{
    unsigned number = 0;
    if (text->len < count)
        return false;
    for (size_t i = 0; i < count; i++) {
        unsigned digit = (unsigned)(unsigned char)text->ptr[i] - '0';
        if (digit > 9)
            return false;
        number = number * 10 + digit;
    }
    if (number < least || number > most)
        return false;
    *text = str_slice(*text, count, text->len);
    *ret_number = number;
    return true;
}

/* Takes one character, whose lower case is `c`, off the front. */
static bool take_char(limen_str *text, char c)
{
    if (text->len == 0 || (text->ptr[0] != c && !(c >= 'a' && c <= 'z' && text->ptr[0] == c - 'a' + 'A')))
        return false;
    *text = str_slice(*text, 1, text->len);
    return true;
}

static bool take_date(limen_str *text, struct civil *ret_date)
{
    struct civil date;
    if (!take_number(text, 4, 0, 9999, &date.year) || !take_char(text, '-') || !take_number(text, 2, 1, 12, &date.month)
        || !take_char(text, '-') || !take_number(text, 2, 1, days_in_month(date.year, date.month), &date.day))
        return false;
    *ret_date = date;
    return true;
}

/* ".5" and the like, if there is one, as microseconds. */
static bool take_fraction(limen_str *text, int64_t *ret_us)
{
    *ret_us = 0;
    if (!take_char(text, '.'))
        return true;
    size_t count = 0;
    int64_t weight = US_PER_S / 10;
    for (; count < text->len && text->ptr[count] >= '0' && text->ptr[count] <= '9'; count++) {
        *ret_us += (text->ptr[count] - '0') * weight;
        weight /= 10;
    }
    *text = str_slice(*text, count, text->len);
    return count > 0;
}

/* "Z" or "+01:30", as seconds ahead of UTC. */
static bool take_offset(limen_str *text, int64_t *ret_seconds)
{
    unsigned hours, minutes;
    *ret_seconds = 0;
    if (take_char(text, 'z'))
        return true;
    bool is_behind = text->len > 0 && text->ptr[0] == '-';
    if (!take_char(text, is_behind ? '-' : '+') || !take_number(text, 2, 0, 23, &hours) || !take_char(text, ':')
        || !take_number(text, 2, 0, 59, &minutes))
        return false;
    int64_t seconds = (int64_t)hours * 3600 + (int64_t)minutes * 60;
    *ret_seconds = is_behind ? -seconds : seconds;
    return true;
}

/* UTC can have a second 60 at the end of a month only (ITU-R TF.460); `next` is the second after it. */
static bool can_follow_leap_second(int64_t next)
{
    int64_t days = floor_div(next, S_PER_DAY);
    return next >= FIRST_SECOND && next <= LAST_SECOND && next == days * S_PER_DAY && civil_of_days(days).day == 1;
}

bool clock_parse_rfc3339(limen_str text, limen_time *ret_time)
{
    struct civil date;
    unsigned hour, minute, second;
    int64_t fraction_us, offset;
    if (!take_date(&text, &date) || !take_char(&text, 't') || !take_number(&text, 2, 0, 23, &hour)
        || !take_char(&text, ':') || !take_number(&text, 2, 0, 59, &minute) || !take_char(&text, ':')
        || !take_number(&text, 2, 0, 60, &second) || !take_fraction(&text, &fraction_us) || !take_offset(&text, &offset)
        || text.len != 0)
        return false;
    int64_t utc = days_of_civil(date) * S_PER_DAY + (int64_t)hour * 3600 + (int64_t)minute * 60 + second - offset;
    if (second == 60 && !can_follow_leap_second(utc))
        return false;
    if (utc < FIRST_SECOND || utc > LAST_SECOND)
        return false;
    *ret_time = utc * US_PER_S + fraction_us;
    return true;
}
