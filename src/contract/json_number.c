/* json_number.c - a JSON number to an int64 that is exact or a double that is correctly rounded.
 *
 * Integers that fit stay integers. For the rest the digits are looked at once: where the first and the last digit other than
 * zero stand decides whether the value is an integer, out of range, or small enough to be computed in one exact operation. What is
 * left goes through strtod with no more digits than can matter, so a number of a million digits costs one pass. */
#include "contract/json_internal.h"

#include "core/str.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* The point half-way between two doubles has at most 767 significant digits; behind these only "is there more" matters. */
#define DIGITS_THAT_MATTER 768
#define EXPONENT_SATURATED INT64_C(1000000000000) /* more than any number of digits that a text can hold */

struct number_text {
    const uint8_t *digits; /* first digit of the integer part */
    const uint8_t *behind; /* behind the last digit of integer and fraction */
    int64_t integer_digits;
    int64_t exponent; /* as written, saturated */
    int64_t first,
        last; /* places of the first and last digit other than '0', the point not counted; first -1: all are zero */
    bool is_negative, has_fraction, has_exponent;
};

static bool is_digit(const uint8_t *at, const uint8_t *end)
{
    return at < end && *at >= '0' && *at <= '9';
}

/* Steps over digits and notes where those other than zero stand. */
static const uint8_t *take_digits(struct number_text *number, const uint8_t *at, const uint8_t *end, int64_t place)
{
    for (; is_digit(at, end); at++, place++) {
        if (*at == '0')
            continue;
        if (number->first < 0)
            number->first = place;
        number->last = place;
    }
    return at;
}

static const uint8_t *take_exponent(struct number_text *number, const uint8_t *at, const uint8_t *end)
{
    bool is_negative = false;
    if (at < end && (*at == '+' || *at == '-'))
        is_negative = *at++ == '-';
    if (!is_digit(at, end))
        return NULL;
    int64_t exponent = 0;
    for (; is_digit(at, end); at++) {
        if (exponent < EXPONENT_SATURATED)
            exponent = exponent * 10 + (*at - '0');
    }
    number->exponent = is_negative ? -exponent : exponent;
    return at;
}

/* The grammar of RFC 8259 section 6. Returns the byte behind the number; NULL (and `*ret_at`) when it breaks the grammar. */
static const uint8_t *scan_number(const uint8_t *at, const uint8_t *end, struct number_text *number,
                                  const uint8_t **ret_at, const char **ret_what)
{
    *number = (struct number_text){ .first = -1 };
    if (at < end && *at == '-') {
        number->is_negative = true;
        at++;
    }
    *ret_at = at;
    *ret_what = "a digit is missing in a number";
    if (!is_digit(at, end))
        return NULL;
    number->digits = at;
    if (*at == '0' && is_digit(at + 1, end)) {
        *ret_what = "a number starts with a superfluous zero";
        return NULL;
    }
    at = take_digits(number, at, end, 0);
    number->integer_digits = at - number->digits;
    if (at < end && *at == '.') {
        number->has_fraction = true;
        *ret_at = at + 1;
        if (!is_digit(at + 1, end))
            return NULL;
        at = take_digits(number, at + 1, end, number->integer_digits);
    }
    number->behind = at;
    if (at < end && (*at == 'e' || *at == 'E')) {
        number->has_exponent = true;
        *ret_at = at + 1;
        at = take_exponent(number, at + 1, end);
    }
    return at;
}

/* True when the digits without fraction and exponent fit an int64. */
static bool read_int64(const struct number_text *number, int64_t *ret_value)
{
    if (number->integer_digits > 19)
        return false;
    uint64_t value = 0;
    for (const uint8_t *at = number->digits; at < number->behind; at++)
        value = value * 10 + (uint64_t)(*at - '0'); /* 19 digits stay below 2^64 */
    if (value > (uint64_t)INT64_MAX + (number->is_negative ? 1 : 0))
        return false;
    *ret_value = number->is_negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

/* The power of ten that the digit at this place stands for, the exponent counted. */
static int64_t weight_of(const struct number_text *number, int64_t place)
{
    return number->integer_digits - 1 - place + number->exponent;
}

/* Copies the digits from the first to the last that is not zero, at most `room`; returns how many there are in all. */
static int64_t copy_digits(const struct number_text *number, char *out, int64_t room)
{
    const int64_t count = number->last - number->first + 1;
    for (int64_t i = 0; i < count && i < room; i++) {
        const int64_t place = number->first + i;
        out[i] = (char)number->digits[place < number->integer_digits ? place : place + 1 /* the point */];
    }
    return count;
}

/* Clinger's case: digits and power of ten are both exact doubles, so one operation rounds once. */
static bool read_exactly(const char *digits, int64_t count, int64_t weight, double *ret_value)
{
    static const double powers[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                     1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
    if (count > 15 || weight < -22 || weight > 22)
        return false;
    uint64_t significand = 0;
    for (int64_t i = 0; i < count; i++)
        significand = significand * 10 + (uint64_t)(digits[i] - '0');
    *ret_value = weight < 0 ? (double)significand / powers[-weight] : (double)significand * powers[weight];
    return true;
}

/* The magnitude of a value other than zero, correctly rounded; infinity when it is too large. */
static double read_magnitude(const struct number_text *number)
{
    const int64_t leading = weight_of(number, number->first);
    if (leading > 309)
        return (double)INFINITY;
    if (leading < -330)
        return 0.0;
    char text[DIGITS_THAT_MATTER + 32];
    int64_t count = copy_digits(number, text, DIGITS_THAT_MATTER);
    int64_t weight = weight_of(number, number->last);
    double value;
    if (read_exactly(text, count, weight, &value))
        return value;
    if (count > DIGITS_THAT_MATTER) {
        /* The last digit is not zero, so what is cut off is more than nothing: a 1 in its place rounds the same way. */
        weight += count - (DIGITS_THAT_MATTER + 1);
        text[DIGITS_THAT_MATTER] = '1';
        count = DIGITS_THAT_MATTER + 1;
    }
    /* Without a decimal point strtod reads the same in every locale. */
    snprintf(text + count, sizeof(text) - (size_t)count, "e%lld", (long long)weight);
    return strtod(text, NULL);
}

enum json_outcome json_number_read(const uint8_t *at, const uint8_t *end, struct json_value *value,
                                   const uint8_t **ret_behind, const char **ret_what)
{
    struct number_text number;
    const uint8_t *wrong_at;
    const uint8_t *behind = scan_number(at, end, &number, &wrong_at, ret_what);
    *ret_behind = behind != NULL ? behind : wrong_at;
    if (behind == NULL)
        return JSON_MALFORMED;
    value->length = 0;
    value->is_integer = false;
    if (!number.has_fraction && !number.has_exponent && read_int64(&number, &value->as.integer)) {
        value->type = JSON_INT;
        return JSON_OK;
    }
    double magnitude = 0.0;
    if (number.first >= 0) {
        magnitude = read_magnitude(&number);
        if (isinf(magnitude)) {
            *ret_behind = at;
            *ret_what = "a number is too large";
            return JSON_NUMBER_RANGE;
        }
    }
    value->type = JSON_DOUBLE;
    value->is_integer = number.first < 0 || weight_of(&number, number.last) >= 0;
    value->as.number = number.is_negative ? -magnitude : magnitude;
    return JSON_OK;
}

enum json_outcome json_parse_number(limen_str text, struct json_value *ret_value)
{
    const uint8_t *at = (const uint8_t *)text.ptr;
    const uint8_t *behind;
    const char *what;
    if (text.len == 0 || text.len > UINT32_MAX)
        return JSON_MALFORMED;
    struct json_value value = { .next = 1, .to = (uint32_t)text.len };
    const enum json_outcome outcome = json_number_read(at, at + text.len, &value, &behind, &what);
    if (outcome != JSON_OK)
        return outcome;
    if (behind != at + text.len)
        return JSON_MALFORMED;
    *ret_value = value;
    return JSON_OK;
}
