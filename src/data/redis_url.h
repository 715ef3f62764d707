/* redis_url.h - what --redis says: redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]. */
#ifndef DATA_REDIS_URL_H
#define DATA_REDIS_URL_H

#include "core/str.h"

struct arena;

struct redis_url {
    limen_str host;           /* a name or an address; of IPv6 without its brackets */
    uint16_t port;            /* 6379 where none is named */
    limen_str user, password; /* empty: none */
    uint32_t database;
};

/* The texts of `ret_url` end with a NUL and live in the arena. Returns NULL, or what is wrong with the URL, which never quotes it: it holds a
 * password. */
const char *redis_url_parse(limen_str url, struct arena *arena, struct redis_url *ret_url) LIMEN_MUST_CHECK;

#endif
