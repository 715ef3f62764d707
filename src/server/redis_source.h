/* redis_source.h - where --redis leads: a URL, or a file that holds it, so that no command line carries a password. */
#ifndef SERVER_REDIS_SOURCE_H
#define SERVER_REDIS_SOURCE_H

#include "data/redis_url.h"

struct arena;
struct diags;

/* redis://… as it should be, or @FILE, whatever that holds. */
bool redis_source_is_valid(limen_str source);
/* Reads the URL and finds its host's address; `ret_url` is for as long as the arena. Before the sandbox is closed. False after adding to
 * `errors`, which never quote the URL. */
bool redis_source_read(limen_str source, struct arena *arena, struct redis_url *ret_url,
                       struct diags *errors) LIMEN_MUST_CHECK;

#endif
