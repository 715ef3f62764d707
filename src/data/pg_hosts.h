/* pg_hosts.h - where a URL leads to: libpq would wait for the name server, so names are looked up beside the loop, and libpq is told the
 * addresses with them. The names stay, for certificates are held against them. Shared by the pg_*.c files only. */
#ifndef DATA_PG_HOSTS_H
#define DATA_PG_HOSTS_H

#include "core/limits.h"
#include "limen/base.h"

struct arena;
struct lookup;

/* As libpq has them; "" where the URL tells nothing. */
struct pg_host {
    const char *name, *address, *port;
    bool is_sought; /* it has a name, and no address */
    struct lookup *lookup;
};

struct pg_hosts {
    struct pg_host all[LIMIT_PG_HOSTS];
    uint32_t count;
};

/* What libpq takes as host, hostaddr and port: lists with commas, a place for each address. */
struct pg_places {
    const char *names, *addresses, *ports;
};

/* Reads them out of the URL; their texts live in the arena. False when there are too many, or memory is out. */
bool pg_hosts_read(struct pg_hosts *hosts, const char *url, struct arena *arena) LIMEN_MUST_CHECK;
/* Begins to look for the addresses of names that are not known, or not known of late. */
void pg_hosts_look_up(struct pg_hosts *hosts);
/* No lookup is under way. */
bool pg_hosts_are_known(const struct pg_hosts *hosts);
/* Lists every address that is known, those before the `first`th at the end. NULL, or why there is none; the lists live in the arena. */
const char *pg_hosts_list(const struct pg_hosts *hosts, uint32_t first, struct arena *arena,
                          struct pg_places *ret_places) LIMEN_MUST_CHECK;
void pg_hosts_release(struct pg_hosts *hosts);

#endif
