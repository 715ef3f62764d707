/* fuzz_cookie.c - one Cookie field: what is found is a slice of it behind the whole name, and twice is never once. */
#include "boundary/auth.h"
#include "core/str.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const limen_str name = LIMEN_STR_INIT("__Host-session");

static void must(bool holds)
{
    if (!holds)
        abort();
}

static struct http_request request_with(limen_str value)
{
    struct http_request request = { .field_count = 1 };
    request.fields[0] = (struct http_field){ .name = LIMEN_STR("Cookie"), .value = value, .id = HEADER_COOKIE };
    request.first[HEADER_COOKIE] = 1;
    return request;
}

/* The plain way: every piece between ';' that starts with the name and '='. */
static uint32_t count_pairs(limen_str field)
{
    uint32_t count = 0;
    while (field.len > 0) {
        limen_str pair = str_trim(str_cut(&field, ';'));
        count += str_starts(pair, LIMEN_STR("__Host-session="));
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    limen_str field = str_make((const char *)data, size), value = { 0 };
    struct http_request request = request_with(field);
    enum cookie_outcome outcome = auth_cookie(&request, name, &value);
    uint32_t count = count_pairs(field);
    must(outcome == (count == 0 ? COOKIE_ABSENT : count == 1 ? COOKIE_FOUND : COOKIE_AMBIGUOUS));
    if (outcome != COOKIE_FOUND)
        return 0;
    must(value.ptr >= field.ptr && value.ptr + value.len <= field.ptr + field.len);
    must(memchr(value.ptr, ';', value.len) == NULL);
    return 0;
}
