/* redis_scripts.c - what Redis does for us in one step. A script is the only way to read, decide and write there at once.
 *
 * Numbers are microseconds since 1970 where they are times: they fit the 53 bits of Lua's numbers until the year 2255. */
#include "data/redis.h"

const char *const redis_scripts[REDIS_SCRIPTS] = {
    /* KEYS: the session. ARGV: account, email, roles, created (us), idle life (ms). */
    [REDIS_SESSION_START] = "redis.call('HSET', KEYS[1], 'account', ARGV[1], 'email', ARGV[2], 'roles', ARGV[3],"
                            " 'created', ARGV[4])\n"
                            "redis.call('PEXPIRE', KEYS[1], ARGV[5])\n"
                            "return 1\n",

    /* KEYS: the session. ARGV: now (us), idle life (ms), absolute life (us), slack (ms).
     * Returns account, email, roles; nil when there is none. The idle life begins anew, noted once in `slack` at most, and never
     * reaches past the absolute one. */
    [REDIS_SESSION_FIND] = "local session = redis.call('HMGET', KEYS[1], 'account', 'email', 'roles', 'created')\n"
                           "if not session[4] then return false end\n"
                           "local left = tonumber(session[4]) + tonumber(ARGV[3]) - tonumber(ARGV[1])\n"
                           "if left <= 0 then\n"
                           "    redis.call('DEL', KEYS[1])\n"
                           "    return false\n"
                           "end\n"
                           "local life = math.min(tonumber(ARGV[2]), math.ceil(left / 1000))\n"
                           "if redis.call('PTTL', KEYS[1]) < life - tonumber(ARGV[4]) then\n"
                           "    redis.call('PEXPIRE', KEYS[1], life)\n"
                           "end\n"
                           "return {session[1], session[2], session[3]}\n",

    /* KEYS: one for each limit. ARGV: for each its interval and its window (us).
     * GCRA, as boundary/limit.c has it: a key holds the theoretical arrival time and is gone when that has passed. They are
     * counted in order up to the first that refuses. Returns the number of that one (0: none), then the debt (us) of each
     * that was looked at, after it was counted. The time is Redis' own, so that hosts need not agree on theirs. More debt than
     * a window holds is none that was counted: the clock was set back, or another Redis took over whose clock is behind. Such a
     * caller has a full one from now on, and does not wait until the clock is where it was. */
    [REDIS_LIMIT] = "local time = redis.call('TIME')\n"
                    "local now = time[1] * 1000000 + time[2]\n"
                    "local answer = {0}\n"
                    "for i, key in ipairs(KEYS) do\n"
                    "    local interval, window = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])\n"
                    "    local debt = math.max(tonumber(redis.call('GET', key) or 0) - now, 0)\n"
                    "    if debt > window then\n"
                    "        debt = window\n"
                    "        redis.call('SET', key, string.format('%.0f', now + debt), 'PX', math.ceil(debt / 1000))\n"
                    "    end\n"
                    "    if debt > window - interval then\n"
                    "        answer[1] = i\n"
                    "        answer[i + 1] = debt\n"
                    "        return answer\n"
                    "    end\n"
                    "    debt = debt + interval\n"
                    "    redis.call('SET', key, string.format('%.0f', now + debt), 'PX', math.ceil(debt / 1000))\n"
                    "    answer[i + 1] = debt\n"
                    "end\n"
                    "return answer\n",
};
