/* schema_value.c - when two JSON values are the same, which number is larger, and what is a multiple of what.
 *
 * JSON Schema compares by value: 1 is 1.0, and the members of an object have no order. Numbers are compared exactly, also where an
 * int64 meets a double, and multiples are computed on the decimal digits as they were written. */
#include "contract/schema_program.h"

#include "core/str.h"

#include <math.h>

/* ---- numbers --------------------------------------------------------------------------------------------------- */
static int sign_of(double a, double b)
{
    return (a > b) - (a < b);
}

static int compare_mixed(int64_t integer, double number)
{
    if (number >= 9223372036854775808.0)
        return -1;
    if (number < -9223372036854775808.0)
        return 1;
    const int64_t whole = (int64_t)number;
    if (integer != whole)
        return integer < whole ? -1 : 1;
    return sign_of(0.0, number - (double)whole); /* exact: where `number` has a fraction it is below 2^53 */
}

int json_compare_numbers(const struct json_value *a, const struct json_value *b)
{
    if (a->type == JSON_INT)
        return b->type == JSON_INT ? (a->as.integer > b->as.integer) - (a->as.integer < b->as.integer)
                                   : compare_mixed(a->as.integer, b->as.number);
    return b->type == JSON_INT ? -compare_mixed(b->as.integer, a->as.number) : sign_of(a->as.number, b->as.number);
}

/* A decimal number as digits times a power of ten, without trailing zeros. */
struct decimal {
    uint64_t digits; /* or their remainder */
    int64_t exponent;
    bool is_zero;
};

/* Appends a digit. With a modulus the remainder alone is kept, and any number of digits fits. */
static bool add_digit(struct decimal *decimal, uint64_t modulus, unsigned digit)
{
    if (modulus == 0)
        return !__builtin_mul_overflow(decimal->digits, 10, &decimal->digits)
            && !__builtin_add_overflow(decimal->digits, digit, &decimal->digits);
    decimal->digits = (uint64_t)(((unsigned __int128)decimal->digits * 10 + digit) % modulus);
    return true;
}

static int64_t read_exponent(limen_str text)
{
    const bool is_negative = text.len > 0 && text.ptr[0] == '-';
    int64_t exponent = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] >= '0' && text.ptr[i] <= '9' && exponent < 1000000)
            exponent = exponent * 10 + (text.ptr[i] - '0');
    }
    return is_negative ? -exponent : exponent;
}

/* The digits modulo `modulus`, or all of them where that is 0: false when they do not fit. The text is a number by RFC 8259. */
static bool read_decimal(limen_str text, uint64_t modulus, struct decimal *ret_decimal)
{
    struct decimal decimal = { .is_zero = true };
    bool in_fraction = false;
    size_t zeros = 0; /* seen, not yet counted in: they matter only if another digit follows */
    size_t i = text.len > 0 && text.ptr[0] == '-' ? 1 : 0;
    for (; i < text.len && (text.ptr[i] | 0x20) != 'e'; i++) {
        const char c = text.ptr[i];
        if (c == '.') {
            in_fraction = true;
            continue;
        }
        decimal.exponent -= in_fraction;
        if (c == '0') {
            zeros += !decimal.is_zero;
            continue;
        }
        for (; zeros > 0; zeros--) {
            if (!add_digit(&decimal, modulus, 0))
                return false;
        }
        decimal.is_zero = false;
        if (!add_digit(&decimal, modulus, (unsigned)(c - '0')))
            return false;
    }
    decimal.exponent += (int64_t)zeros;
    if (i < text.len)
        decimal.exponent += read_exponent(str_slice(text, i + 1, text.len));
    *ret_decimal = decimal;
    return true;
}

static uint64_t power_of_ten_modulo(uint64_t exponent, uint64_t modulus)
{
    unsigned __int128 result = 1 % modulus, base = 10 % modulus;
    for (; exponent > 0; exponent >>= 1) {
        if (exponent & 1)
            result = result * base % modulus;
        base = base * base % modulus;
    }
    return (uint64_t)result;
}

static bool is_multiple_of_double(limen_str value, limen_str divisor)
{
    struct json_value a, b;
    if (json_parse_number(value, &a) != JSON_OK || json_parse_number(divisor, &b) != JSON_OK)
        return false;
    return fmod(a.type == JSON_INT ? (double)a.as.integer : a.as.number,
                b.type == JSON_INT ? (double)b.as.integer : b.as.number)
        == 0.0;
}

bool json_is_multiple(limen_str value, limen_str divisor)
{
    struct decimal a, b;
    if (!read_decimal(divisor, 0, &b) || b.digits == 0 || !read_decimal(value, b.digits, &a))
        return is_multiple_of_double(value, divisor);
    if (a.is_zero)
        return true;
    if (a.exponent < b.exponent)
        return false; /* its last digit would have to be a zero */
    const uint64_t power = power_of_ten_modulo((uint64_t)(a.exponent - b.exponent), b.digits);
    return (unsigned __int128)a.digits * power % b.digits == 0;
}

/* ---- equality -------------------------------------------------------------------------------------------------- */
static bool is_number(const struct json_value *value)
{
    return value->type == JSON_INT || value->type == JSON_DOUBLE;
}

/* The member's value in `object`; the search starts at `*hint`, where the previous one ended, because orders are mostly alike. */
static uint32_t find_member(const struct json_doc *doc, uint32_t object, const struct json_value *name, uint32_t *hint)
{
    const struct json_value *tape = doc->tape;
    uint32_t at = *hint;
    for (uint32_t i = 0; i < tape[object].length; i++) {
        if (at >= tape[object].next)
            at = object + 1;
        const bool is_it = str_equal(json_text(&tape[at]), json_text(name));
        const uint32_t value_at = at + 1;
        at = tape[value_at].next;
        if (is_it) {
            *hint = at;
            return value_at;
        }
    }
    return 0;
}

static bool objects_equal(const struct json_doc *a, uint32_t a_at, const struct json_doc *b, uint32_t b_at)
{
    uint32_t hint = b_at + 1;
    for (uint32_t at = a_at + 1; at < a->tape[a_at].next; at = a->tape[at + 1].next) {
        const uint32_t other = find_member(b, b_at, &a->tape[at], &hint);
        if (other == 0 || !json_equal(a, at + 1, b, other))
            return false;
    }
    return true;
}

bool json_equal(const struct json_doc *a, uint32_t a_at, const struct json_doc *b, uint32_t b_at)
{
    const struct json_value *x = &a->tape[a_at], *y = &b->tape[b_at];
    if (is_number(x) && is_number(y))
        return json_compare_numbers(x, y) == 0;
    if (x->type != y->type || x->length != y->length)
        return false;
    if (x->type == JSON_STRING)
        return memcmp(x->as.text, y->as.text, x->length) == 0;
    if (x->type == JSON_OBJECT)
        return objects_equal(a, a_at, b, b_at);
    if (x->type == JSON_ARRAY) {
        uint32_t other = b_at + 1;
        for (uint32_t at = a_at + 1; at < x->next; at = a->tape[at].next, other = b->tape[other].next) {
            if (!json_equal(a, at, b, other))
                return false;
        }
    }
    return true;
}

/* ---- hashes ---------------------------------------------------------------------------------------------------- */
static uint64_t hash_words(const struct hash_key *key, uint64_t kind, uint64_t a, uint64_t b)
{
    const uint64_t words[] = { kind, a, b };
    return hash_bytes(key, words, sizeof words);
}

static uint64_t hash_number(const struct hash_key *key, const struct json_value *value)
{
    uint64_t bits = 0;
    double number = value->as.number;
    if (value->type == JSON_INT
        || (number >= -9223372036854775808.0 && number < 9223372036854775808.0 && number == trunc(number)))
        return hash_words(key, JSON_INT,
                          value->type == JSON_INT ? (uint64_t)value->as.integer : (uint64_t)(int64_t)number, 0);
    memcpy(&bits, &number, sizeof bits);
    return hash_words(key, JSON_DOUBLE, bits, 0);
}

uint64_t json_hash(const struct hash_key *key, const struct json_doc *doc, uint32_t at)
{
    const struct json_value *value = &doc->tape[at];
    if (is_number(value))
        return hash_number(key, value);
    uint64_t sum = 0;
    if (value->type == JSON_STRING) {
        sum = hash_bytes(key, value->as.text, value->length);
    } else if (value->type == JSON_ARRAY) {
        for (uint32_t item = at + 1; item < value->next; item = doc->tape[item].next)
            sum = hash_words(key, JSON_ARRAY, sum, json_hash(key, doc, item));
    } else if (value->type == JSON_OBJECT) {
        for (uint32_t name = at + 1; name < value->next; name = doc->tape[name + 1].next) {
            const uint64_t of_name = hash_bytes(key, doc->tape[name].as.text, doc->tape[name].length);
            sum += hash_words(key, JSON_OBJECT, of_name, json_hash(key, doc, name + 1)); /* a sum: no order */
        }
    }
    return hash_words(key, value->type, value->length, sum);
}
