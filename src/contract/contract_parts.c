/* contract_parts.c - the small languages of the extensions: rates, durations, sizes. */
#include "contract/contract_internal.h"

#define RATE_MEND "write it as `10/minute per caller` or `10/minute per address`; units: second, minute, hour, day"
#define SIGN_IN_MEND                                                                         \
    "write it as `[20/hour per account and address, 400/hour per account]`, one or more of " \
    "each; units: second, minute, hour, day"
#define SIGN_IN_LIMIT_NAME LIMEN_STR("sign-in")
#define SIGN_IN_PAIR_QUOTA 20U     /* an hour, of one account from one address, when the scheme does not say */
#define SIGN_IN_ACCOUNT_QUOTA 400U /* an hour, of one account from all addresses */

/* ---- quantities ------------------------------------------------------------------------------------------------------- */

static int64_t window_of(limen_str unit)
{
    static const struct {
        limen_str name;
        int64_t us;
    } units[] = {
        { LIMEN_STR_INIT("second"), 1000000 },
        { LIMEN_STR_INIT("minute"), 60 * 1000000LL },
        { LIMEN_STR_INIT("hour"), 3600 * 1000000LL },
        { LIMEN_STR_INIT("day"), 86400 * 1000000LL },
    };
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (str_equal(unit, units[i].name))
            return units[i].us;
    }
    return 0;
}

/* "10/minute per caller": quota and window go to `ret_limit`, and what stands behind them to `ret_per`. */
static bool read_quota(struct loader *loader, const struct doc_node *node, const char *mend, limen_str name,
                       struct rate_limit *ret_limit, limen_str *ret_per)
{
    limen_str rest = node->text;
    int64_t quota = 0;
    if (node->kind != DOC_STRING)
        return refuse(loader, node, mend, "a rate limit is not text");
    limen_str number = str_cut(&rest, '/'), unit = str_cut(&rest, ' ');
    bool is_number = str_to_int64(number, &quota) && quota >= 1 && quota <= 1000000000;
    int64_t window_us = window_of(unit);
    if (!is_number || window_us == 0)
        return refuse(loader, node, mend, "'%.*s' is no rate limit", LIMEN_STR_ARG(node->text));
    *ret_limit = (struct rate_limit){
        .quota = (uint32_t)quota,
        .window_us = window_us,
        .name = name,
        .policy = loader->contract->policy_count++,
    };
    *ret_per = rest;
    return true;
}

bool read_rate_limit(struct loader *loader, const struct doc_node *node, limen_str name, struct rate_limit *ret_limit)
{
    limen_str per = { 0 };
    if (!read_quota(loader, node, RATE_MEND, name, ret_limit, &per))
        return false;
    bool per_address = str_equal(per, LIMEN_STR("per address"));
    if (!per_address && per.len > 0 && !str_equal(per, LIMEN_STR("per caller")))
        return refuse(loader, node, RATE_MEND, "'%.*s' is no rate limit", LIMEN_STR_ARG(node->text));
    ret_limit->per = per_address ? LIMIT_PER_ADDRESS : LIMIT_PER_CALLER;
    return true;
}

uint32_t rate_limit_quota(const struct rate_limit *limit, uint32_t scale)
{
    const uint64_t quota = (uint64_t)limit->quota * scale;
    return quota > UINT32_MAX ? UINT32_MAX : (uint32_t)quota;
}

int64_t rate_limit_interval_us(const struct rate_limit *limit, uint32_t scale)
{
    int64_t interval_us = limit->window_us / (int64_t)rate_limit_quota(limit, scale);
    return interval_us < 1 ? 1 : interval_us;
}

bool read_limit_failure(struct loader *loader, const struct doc_node *node, enum limit_failure *ret_failure)
{
    static const limen_str names[] = { [LIMIT_FAILURE_LOCAL] = LIMEN_STR_INIT("local"),
                                       [LIMIT_FAILURE_ALLOW] = LIMEN_STR_INIT("allow"),
                                       [LIMIT_FAILURE_DENY] = LIMEN_STR_INIT("deny") };
    for (size_t i = 0; node->kind == DOC_STRING && i < sizeof(names) / sizeof(names[0]); i++) {
        if (!str_equal(node->text, names[i]))
            continue;
        *ret_failure = (enum limit_failure)i;
        return true;
    }
    return refuse(loader, node, "write deny, allow or local", "x-rate-limit-failure is none of its three values");
}

static bool split_number(limen_str text, int64_t *ret_number, limen_str *ret_unit)
{
    size_t digits = 0;
    while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9')
        digits++;
    *ret_unit = str_slice(text, digits, text.len);
    return str_to_int64(str_slice(text, 0, digits), ret_number);
}

bool read_duration(struct loader *loader, const struct doc_node *node, int64_t *ret_us)
{
    int64_t number = 0;
    limen_str unit = { 0 };
    bool ok = node->kind == DOC_STRING && split_number(node->text, &number, &unit) && number >= 1 && number <= 60000;
    if (ok && str_equal(unit, LIMEN_STR("s")))
        number *= 1000000;
    else if (ok && str_equal(unit, LIMEN_STR("ms")))
        number *= 1000;
    else
        ok = false;
    if (!ok || number > MOST_TIMEOUT_US)
        return refuse(loader, node, "write it as `5s` or `500ms`, at most 60s", "'%.*s' is no timeout",
                      LIMEN_STR_ARG(node->text));
    *ret_us = number;
    return true;
}

bool read_bytes(struct loader *loader, const struct doc_node *node, size_t *ret_bytes)
{
    size_t bytes = 0;
    bool ok = (node->kind == DOC_STRING || node->kind == DOC_INT) && str_to_bytes(node->text, &bytes);
    if (!ok || bytes > LIMIT_BODY_BYTES_MOST)
        return refuse(loader, node, "write it as `64KiB` or `2MiB`, at most 4MiB", "'%.*s' is no size of a body",
                      LIMEN_STR_ARG(node->text));
    *ret_bytes = bytes;
    return true;
}

/* ---- sign-ins --------------------------------------------------------------------------------------------------------- */

void set_sign_in_default(struct loader *loader)
{
    static const struct rate_limit defaults[] = {
        { .quota = SIGN_IN_PAIR_QUOTA, .per = LIMIT_PER_ACCOUNT_AND_ADDRESS },
        { .quota = SIGN_IN_ACCOUNT_QUOTA, .per = LIMIT_PER_ACCOUNT },
    };
    struct contract *contract = loader->contract;
    for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++) {
        struct rate_limit *limit = &contract->sign_in_limits[contract->sign_in_limit_count++];
        *limit = defaults[i];
        limit->window_us = window_of(LIMEN_STR("hour"));
        limit->name = SIGN_IN_LIMIT_NAME;
        limit->policy = contract->policy_count++;
    }
}

static bool read_sign_in_limit(struct loader *loader, const struct doc_node *node, struct rate_limit *ret_limit)
{
    limen_str per = { 0 };
    if (!read_quota(loader, node, SIGN_IN_MEND, SIGN_IN_LIMIT_NAME, ret_limit, &per))
        return false;
    bool is_pair = str_equal(per, LIMEN_STR("per account and address"));
    if (!is_pair && !str_equal(per, LIMEN_STR("per account")))
        return refuse(loader, node, SIGN_IN_MEND, "'%.*s' is no limit of sign-ins", LIMEN_STR_ARG(node->text));
    ret_limit->per = is_pair ? LIMIT_PER_ACCOUNT_AND_ADDRESS : LIMIT_PER_ACCOUNT;
    return true;
}

/* Both kinds are needed. Without the narrow one a single address could use up what an account has, and without the wide one
 * many addresses could guess for ever. The narrow ones are counted first: what they refuse must not cost the account. */
bool read_sign_in_limits(struct loader *loader, const struct doc_node *node)
{
    struct contract *contract = loader->contract;
    struct rate_limit *limits = contract->sign_in_limits;
    uint32_t pairs = 0;
    if (node == NULL)
        return true;
    if (node->kind != DOC_ARRAY || node->count > SIGN_IN_LIMITS - contract->sign_in_limit_count)
        return refuse(loader, node, SIGN_IN_MEND, "x-sign-in-limit is no list of at most %u", SIGN_IN_LIMITS);
    for (size_t i = 0; i < node->count; i++) {
        struct rate_limit limit = { 0 };
        if (!read_sign_in_limit(loader, node->items[i], &limit))
            return false;
        uint32_t at = limit.per == LIMIT_PER_ACCOUNT_AND_ADDRESS ? pairs++ : contract->sign_in_limit_count;
        memmove(&limits[at + 1], &limits[at], (contract->sign_in_limit_count - at) * sizeof(limits[0]));
        limits[at] = limit;
        contract->sign_in_limit_count++;
    }
    return (pairs > 0 && contract->sign_in_limit_count > pairs)
        || refuse(loader, node, SIGN_IN_MEND,
                  "x-sign-in-limit needs a limit per account and one per account and address");
}
