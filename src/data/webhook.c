/* webhook.c - reads `t=…,v1=…` and holds it against a body. */
#include "data/webhook.h"

#include "core/arena.h"
#include "core/str.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#define TIME_DIGITS 11U /* till the year 5138 */
#define NAME_BYTES 8U

/* ---- the field -------------------------------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_mark(limen_str value, struct webhook_signature *signature)
{
    if (value.len != (size_t)2 * WEBHOOK_MARK_BYTES || signature->mark_count == LIMIT_WEBHOOK_MARKS)
        return false;
    uint8_t *mark = signature->marks[signature->mark_count++];
    for (size_t i = 0; i < WEBHOOK_MARK_BYTES; i++) {
        int high = hex_digit(value.ptr[2 * i]), low = hex_digit(value.ptr[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        mark[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool read_time(limen_str value, struct webhook_signature *signature)
{
    if (signature->time_text.len > 0 || value.len == 0 || value.len > TIME_DIGITS)
        return false;
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] < '0' || value.ptr[i] > '9')
            return false;
        signature->signed_at_s = signature->signed_at_s * 10 + (value.ptr[i] - '0');
    }
    signature->time_text = value;
    return true;
}

static bool is_word(limen_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9'))
            return false;
    }
    return text.len > 0;
}

static bool read_member(limen_str member, struct webhook_signature *signature)
{
    size_t equals = str_find_char(member, '=', 0);
    if (equals == SIZE_MAX)
        return false;
    limen_str name = str_slice(member, 0, equals), value = str_slice(member, equals + 1, member.len);
    if (str_equal(name, LIMEN_STR("t")))
        return read_time(value, signature);
    if (str_equal(name, LIMEN_STR("v1")))
        return read_mark(value, signature);
    return name.len <= NAME_BYTES && is_word(name) && is_word(value);
}

bool webhook_parse(limen_str field, struct webhook_signature *ret_signature)
{
    struct webhook_signature signature = { .mark_count = 0 };
    if (field.len > LIMIT_WEBHOOK_FIELD_BYTES)
        return false;
    for (bool is_last = false; !is_last;) {
        is_last = str_find_char(field, ',', 0) == SIZE_MAX;
        if (!read_member(str_cut(&field, ','), &signature))
            return false;
    }
    *ret_signature = signature;
    return signature.time_text.len > 0 && signature.mark_count > 0;
}

/* ---- the signature ---------------------------------------------------------------------------------------------------- */

static bool is_timely(int64_t signed_at_s, limen_time now)
{
    int64_t age_us = now - signed_at_s * 1000000;
    return age_us <= LIMIT_WEBHOOK_TOLERANCE_US && age_us >= -LIMIT_WEBHOOK_TOLERANCE_US;
}

enum webhook_outcome webhook_verify(const struct webhook_signature *signature, limen_str secret, limen_str body,
                                    limen_time now, struct arena *arena)
{
    uint8_t mark[EVP_MAX_MD_SIZE];
    unsigned bytes = 0;
    struct buf text;
    buf_init(&text, arena, signature->time_text.len + 1 + body.len);
    buf_add(&text, signature->time_text);
    BUF_ADD(&text, ".");
    buf_add(&text, body);
    if (text.failed
        || HMAC(EVP_sha256(), secret.ptr, (int)secret.len, (const uint8_t *)text.ptr, text.len, mark, &bytes) == NULL)
        return WEBHOOK_NO_MEMORY;
    bool is_right = false;
    for (uint32_t i = 0; i < signature->mark_count; i++) {
        bool is_same = str_equal_secret(str_make((const char *)signature->marks[i], WEBHOOK_MARK_BYTES),
                                        str_make((const char *)mark, bytes));
        is_right = is_right | is_same;
    }
    if (!is_right)
        return WEBHOOK_FORGED;
    return is_timely(signature->signed_at_s, now) ? WEBHOOK_OK : WEBHOOK_STALE;
}
