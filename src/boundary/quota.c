/* quota.c - how often: on this host, and across hosts.
 *
 * Where hosts count together, the table of this host is asked first, without counting: whom it knows to be limited is refused
 * at no cost. Then the data role counts for all hosts, in one trip for all limits of the step, and the table takes over what it
 * says. So the table never refuses whom all together would let pass, and when nobody can be asked it goes on from what it knows. */
#include "boundary/quota.h"

#include "core/clock.h"
#include "core/str.h"

/* One more request of `caller` in `limit`. */
struct counted {
    const struct rate_limit *limit;
    limen_str caller;
};

/* IPv6 clients own a /64 at least, so the rest of the address says nothing. */
static limen_str address_key(const struct edge_address *peer)
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
    bool is_ipv4 = memcmp(peer->bytes, mapped, sizeof(mapped)) == 0;
    return str_make((const char *)peer->bytes, is_ipv4 ? 16 : 8);
}

static bool refuse_too_often(struct admission *admission, enum refusal refusal)
{
    const struct limit_state *state = &admission->limit_state;
    struct buf seconds;
    buf_init_fixed(&seconds, admission->retry_text, sizeof(admission->retry_text));
    buf_add_int(&seconds, state->retry_s);
    admission_add_header(admission, LIMEN_STR("Retry-After"), buf_str(&seconds));
    const struct policy_text *texts = &admission->boundary->policies[state->limit->policy];
    return admission_refuse(admission, refusal, (struct problem_reply){ 429, texts->problem });
}

/* The fields speak of the limit that is nearest to its end. */
static void note_state(struct admission *admission, const struct limit_state *state, bool may_pass)
{
    if (may_pass && admission->has_limit_state && state->remaining >= admission->limit_state.remaining)
        return;
    admission->limit_state = *state;
    admission->has_limit_state = true;
}

/* ---- on this host ------------------------------------------------------------------------------------------------------ */

static bool count_here(struct admission *admission, const struct counted *counted)
{
    const struct boundary *boundary = admission->boundary;
    struct limit_state state;
    bool may_pass = limit_take(boundary->limits, counted->limit, boundary->limit_scale, counted->caller,
                               boundary->clock->mono_us, &state);
    note_state(admission, &state, may_pass);
    return may_pass;
}

static bool count_all_here(struct admission *admission, const struct counted *all, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!count_here(admission, &all[i]))
            return refuse_too_often(admission, REFUSAL_LIMIT);
    }
    return true;
}

/* ---- across hosts ------------------------------------------------------------------------------------------------------- */

static bool may_be_within(struct admission *admission, const struct counted *all, uint32_t count)
{
    const struct boundary *boundary = admission->boundary;
    for (uint32_t i = 0; i < count; i++) {
        struct limit_state state;
        if (limit_look(boundary->limits, all[i].limit, boundary->limit_scale, all[i].caller, boundary->clock->mono_us,
                       &state))
            continue;
        note_state(admission, &state, /* may_pass= */ false);
        return refuse_too_often(admission, REFUSAL_LIMIT);
    }
    return true;
}

/* Asks for all at once. False: nobody can count them now. */
static bool ask(struct admission *admission, const struct counted *all, uint32_t count)
{
    struct data_limit limits[LIMIT_LIMITS_AT_ONCE];
    struct data_request *request = &admission->request;
    if (!admission_take_slot(admission))
        return false;
    for (uint32_t i = 0; i < count; i++)
        limits[i] = (struct data_limit){ all[i].limit->policy, all[i].caller };
    request->timeout_us = admission_time_left(admission);
    data_limit(admission->boundary->data, request, limits, count);
    admission->wait(admission->call);
    return request->outcome == DATA_OK && request->counted.count <= count
        && (request->counted.is_refused || request->counted.count == count);
}

static bool take_over(struct admission *admission, const struct counted *all, const struct data_counted *answer)
{
    const struct boundary *boundary = admission->boundary;
    for (uint32_t i = 0; i < answer->count; i++) {
        struct limit_state state;
        bool is_refused = answer->is_refused && i + 1 == answer->count;
        limit_learn(boundary->limits, all[i].limit, boundary->limit_scale, all[i].caller, boundary->clock->mono_us,
                    (struct limit_debt){ answer->debt_us[i], is_refused }, &state);
        note_state(admission, &state, !is_refused);
    }
    return !answer->is_refused || refuse_too_often(admission, REFUSAL_LIMIT);
}

/* What the contract says of a limit that nobody can count now. */
static bool fall_back(struct admission *admission, const struct counted *all, uint32_t count,
                      enum limit_failure failure)
{
    struct board_row *board = admission->boundary->board;
    switch (failure) {
    case LIMIT_FAILURE_DENY:
        return admission_refuse_overload(admission, REFUSAL_LIMIT_AWAY);
    case LIMIT_FAILURE_ALLOW:
        board_add(&board->limits_open, 1);
        return true;
    case LIMIT_FAILURE_LOCAL:
        break;
    }
    board_add(&board->limits_alone, 1);
    return count_all_here(admission, all, count);
}

static bool count_all(struct admission *admission, const struct counted *all, uint32_t count,
                      enum limit_failure failure)
{
    if (!admission->boundary->shares_limits)
        return count_all_here(admission, all, count);
    if (!may_be_within(admission, all, count))
        return false;
    return ask(admission, all, count) ? take_over(admission, all, &admission->request.counted)
                                      : fall_back(admission, all, count, failure);
}

/* ---- who is counted ------------------------------------------------------------------------------------------------------ */

bool address_is_within_limit(struct admission *admission)
{
    const struct counted counted = { &admission->boundary->contract->address_limit,
                                     address_key(exchange_peer(admission->exchange)) };
    return count_here(admission, &counted) || refuse_too_often(admission, REFUSAL_ADDRESS_LIMIT);
}

bool caller_is_within_limits(struct admission *admission)
{
    const struct operation *operation = admission->operation;
    struct counted all[LIMIT_LIMITS_AT_ONCE];
    admission->has_limit_state = false; /* from here on the operation's own limits are of interest */
    for (uint32_t i = 0; i < operation->limit_count; i++) {
        bool by_principal = operation->limits[i].per == LIMIT_PER_CALLER && admission->principal.id_len > 0;
        all[i] = (struct counted){ &operation->limits[i],
                                   by_principal ? principal_id(&admission->principal)
                                                : address_key(exchange_peer(admission->exchange)) };
    }
    return count_all(admission, all, operation->limit_count, operation->limit_failure);
}

/* Who is counted, as bytes: the email, behind the address where that counts, too. */
static limen_str sign_in_key(const struct admission *admission, enum limit_per per, limen_str email, char *memory)
{
    size_t len = 0;
    if (per == LIMIT_PER_ACCOUNT_AND_ADDRESS) {
        limen_str address = address_key(exchange_peer(admission->exchange));
        memcpy(memory, address.ptr, address.len);
        len = address.len;
    }
    return str_make(memory, len + str_lower(email, memory + len).len);
}

bool admission_may_sign_in(struct admission *admission, limen_str email)
{
    const struct contract *contract = admission->boundary->contract;
    char memory[SIGN_IN_LIMITS][sizeof(((struct edge_address *)0)->bytes) + PRINCIPAL_EMAIL_BYTES];
    struct counted all[SIGN_IN_LIMITS];
    email = str_slice(email, 0, PRINCIPAL_EMAIL_BYTES); /* no account has a longer one */
    for (uint32_t i = 0; i < contract->sign_in_limit_count; i++) {
        const struct rate_limit *limit = &contract->sign_in_limits[i];
        all[i] = (struct counted){ limit, sign_in_key(admission, limit->per, email, memory[i]) };
    }
    return count_all(admission, all, contract->sign_in_limit_count, contract->limit_failure);
}
