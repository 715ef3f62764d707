/* pg_hosts.c - a URL's hosts one by one, and the lists that libpq is given in their place.
 *
 * A host is a place as it is (a socket's folder, an address, nothing at all), or a name, which has as many places as it has addresses. */
#include "data/pg_hosts.h"

#include "core/arena.h"
#include "core/clock.h"
#include "core/lookup.h"
#include "core/str.h"

#include <libpq-fe.h>

#define PLACES_MOST (LIMIT_PG_HOSTS * LIMIT_LOOKUP_ADDRESSES)

static limen_str value_of(const PQconninfoOption *parts, const char *keyword)
{
    for (const PQconninfoOption *part = parts; part->keyword != NULL; part++) {
        if (strcmp(part->keyword, keyword) == 0)
            return str_of(part->val);
    }
    return LIMEN_STR("");
}

/* One port is for all hosts; of several each has its own. */
static bool read_parts(struct pg_hosts *hosts, const PQconninfoOption *parts, struct arena *arena)
{
    limen_str names = value_of(parts, "host"), addresses = value_of(parts, "hostaddr"), ports = value_of(parts, "port");
    bool is_one_port = str_find_char(ports, ',', 0) == SIZE_MAX;
    hosts->count = 0;
    do {
        if (hosts->count == LIMIT_PG_HOSTS)
            return false;
        struct pg_host *host = &hosts->all[hosts->count++];
        *host = (struct pg_host){
            .name = arena_copy(arena, str_cut(&names, ',')).ptr,
            .address = arena_copy(arena, str_cut(&addresses, ',')).ptr,
            .port = arena_copy(arena, is_one_port ? ports : str_cut(&ports, ',')).ptr,
        };
        if (host->name == NULL || host->address == NULL || host->port == NULL)
            return false;
        host->is_sought = host->address[0] == '\0' && lookup_is_name(host->name);
    } while (names.len > 0 || addresses.len > 0);
    return true;
}

bool pg_hosts_read(struct pg_hosts *hosts, const char *url, struct arena *arena)
{
    PQconninfoOption *parts = PQconninfoParse(url, NULL);
    bool good = parts != NULL && read_parts(hosts, parts, arena);
    PQconninfoFree(parts);
    return good;
}

static void forget(struct pg_host *host)
{
    lookup_free(host->lookup);
    host->lookup = NULL;
}

void pg_hosts_look_up(struct pg_hosts *hosts)
{
    int64_t oldest_us = clock_mono_us() - LIMIT_LOOKUP_FRESH_US;
    for (uint32_t i = 0; i < hosts->count; i++) {
        struct pg_host *host = &hosts->all[i];
        if (host->lookup != NULL && lookup_is_over(host->lookup) && lookup_over_at_us(host->lookup) < oldest_us)
            forget(host);
        if (host->is_sought && host->lookup == NULL)
            host->lookup = lookup_start(host->name);
    }
}

bool pg_hosts_are_known(const struct pg_hosts *hosts)
{
    for (uint32_t i = 0; i < hosts->count; i++) {
        if (hosts->all[i].lookup != NULL && !lookup_is_over(hosts->all[i].lookup))
            return false;
    }
    return true;
}

/* ---- the lists ------------------------------------------------------------------------------------------------------- */

struct place {
    const struct pg_host *host;
    const char *address;
};

/* Why a name has no places; NULL when it has. */
static const char *fault_of(const struct pg_host *host)
{
    if (host->lookup == NULL)
        return "no thread can be started to look for its host's name";
    return lookup_is_over(host->lookup) ? lookup_fault(host->lookup) : "no name server answers in time";
}

static uint32_t gather(const struct pg_hosts *hosts, struct place *ret_places, const char **ret_fault)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < hosts->count; i++) {
        const struct pg_host *host = &hosts->all[i];
        const char *fault = host->is_sought ? fault_of(host) : NULL;
        if (fault != NULL)
            *ret_fault = fault;
        else if (!host->is_sought)
            ret_places[count++] = (struct place){ host, host->address };
        for (uint32_t at = 0; host->is_sought && fault == NULL && at < lookup_count(host->lookup); at++)
            ret_places[count++] = (struct place){ host, lookup_address(host->lookup, at) };
    }
    return count;
}

static void add(struct buf *list, const char *text, bool is_last)
{
    buf_add(list, str_of(text));
    buf_add_char(list, is_last ? '\0' : ',');
}

const char *pg_hosts_list(const struct pg_hosts *hosts, uint32_t first, struct arena *arena,
                          struct pg_places *ret_places)
{
    struct place places[PLACES_MOST];
    struct buf names, addresses, ports;
    const char *fault = NULL;
    uint32_t count = gather(hosts, places, &fault);
    if (count == 0)
        return fault;
    buf_init(&names, arena, 0);
    buf_init(&addresses, arena, 0);
    buf_init(&ports, arena, 0);
    for (uint32_t i = 0; i < count; i++) {
        const struct place *place = &places[(first + i) % count];
        add(&names, place->host->name, i + 1 == count);
        add(&addresses, place->address, i + 1 == count);
        add(&ports, place->host->port, i + 1 == count);
    }
    *ret_places = (struct pg_places){ names.ptr, addresses.ptr, ports.ptr };
    return names.failed || addresses.failed || ports.failed ? "memory is out" : NULL;
}

void pg_hosts_release(struct pg_hosts *hosts)
{
    for (uint32_t i = 0; i < hosts->count; i++)
        forget(&hosts->all[i]);
}
