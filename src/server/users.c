/* users.c - a number for each role, counted from a base.
 *
 * What one role may do to another as the same user (signals, ptrace, its files in /proc) it may not do to a stranger. The number of
 * the data role is the same after every start, because files belong to it. */
#include "server/users.h"

#include "core/log.h"
#include "core/str.h"

#include <unistd.h>

#define LEAST 1000
#define MOST 2000000000
#define FIRST_WORKER 16U /* those before it are for roles of which there is one */

static const uint32_t offsets[ROLE_KINDS] = {
    [ROLE_DATA] = 0, [ROLE_OPERATOR] = 1, [ROLE_OUTBOUND] = 2, [ROLE_WORKER] = FIRST_WORKER
};

bool users_is_base(limen_str base)
{
    int64_t number;
    return str_equal(base, LIMEN_STR("off")) || (str_to_int64(base, &number) && number >= LEAST && number <= MOST);
}

uint32_t users_of(limen_str base, enum role_kind kind, uint32_t number)
{
    int64_t first;
    if (geteuid() != 0 || !str_to_int64(base, &first))
        return 0;
    return (uint32_t)first + offsets[kind] + number;
}

void users_say(limen_str base)
{
    if (geteuid() != 0)
        LOG_INFO("every role runs as the user who started it", log_int("user", geteuid()));
    else if (users_of(base, ROLE_DATA, 0) == 0)
        LOG_WARN("EVERY ROLE RUNS AS ROOT: one that is taken over may do to the others what root may",
                 log_text("setting", "uid-base off"));
    else
        LOG_INFO("each role runs as a user of its own", log_int("data", users_of(base, ROLE_DATA, 0)),
                 log_int("operator", users_of(base, ROLE_OPERATOR, 0)),
                 log_int("outbound", users_of(base, ROLE_OUTBOUND, 0)),
                 log_int("workers_from", users_of(base, ROLE_WORKER, 0)));
}
