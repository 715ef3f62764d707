/* check_database.c - is the database where only its own server can reach it?
 *
 * A password is the last line of a database's defence and not the first: a database with a public address is one leaked
 * password, or one flaw of its own, away from everybody. So each host of the URL is resolved, and each address looked at.
 * Messages name the host and never the URL, because a password may stand in it. */
#include "cli/check_database.h"

#include "boundary/percent.h"
#include "core/arena.h"
#include "core/str.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define URL_MEND "use `sqlite:FILE` or `postgresql://USER@HOST/NAME`"

/* ---- addresses --------------------------------------------------------------------------------------------------------- */

/* Networks that are not routed on the internet (RFC 6890): this host, private, shared, loopback, link-local. */
static bool is_inner_v4(uint32_t address)
{
    static const struct {
        uint32_t network;
        unsigned bits;
    } inner[] = {
        { 0x00000000, 8 },  { 0x0a000000, 8 },  { 0x64400000, 10 }, { 0x7f000000, 8 },
        { 0xa9fe0000, 16 }, { 0xac100000, 12 }, { 0xc0a80000, 16 },
    };
    for (size_t i = 0; i < sizeof(inner) / sizeof(inner[0]); i++) {
        if (((address ^ inner[i].network) >> (32 - inner[i].bits)) == 0)
            return true;
    }
    return false;
}

static uint32_t read_v4(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static bool is_inner_v6(const struct in6_addr *address)
{
    const uint8_t *bytes = address->s6_addr;
    if (IN6_IS_ADDR_V4MAPPED(address))
        return is_inner_v4(read_v4(bytes + 12));
    return IN6_IS_ADDR_LOOPBACK(address) || IN6_IS_ADDR_UNSPECIFIED(address) || IN6_IS_ADDR_LINKLOCAL(address)
        || (bytes[0] & 0xfe) == 0xfc; /* unique local, RFC 4193 */
}

static bool is_public(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
        return !is_inner_v4(ntohl(v4->sin_addr.s_addr));
    }
    if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
        return !is_inner_v6(&v6->sin6_addr);
    }
    return false;
}

/* ---- hosts ------------------------------------------------------------------------------------------------------------- */

static void warn_of_public(const struct addrinfo *found, limen_str host, struct diags *warnings)
{
    for (const struct addrinfo *one = found; one != NULL; one = one->ai_next) {
        char text[NI_MAXHOST];
        if (!is_public(one->ai_addr)
            || getnameinfo(one->ai_addr, one->ai_addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST) != 0)
            continue;
        diags_add_at(warnings, host, 0, 0,
                     LIMEN_STR("give it an address of a private network, and let nobody but the data process reach it"),
                     "the database is at the public address %s", text);
        return;
    }
}

static void check_host(limen_str host, struct arena *arena, struct diags *warnings)
{
    struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM }, *found = NULL;
    if (host.len == 0 || host.ptr[0] == '/' || host.ptr[0] == '@')
        return; /* a socket of this machine */
    const char *name = arena_printf(arena, "%.*s", LIMEN_STR_ARG(host)).ptr;
    int outcome = name == NULL ? EAI_MEMORY : getaddrinfo(name, NULL, &hints, &found);
    if (outcome != 0) {
        diags_add_at(warnings, host, 0, 0, LIMEN_STR("check it where the server will run"),
                     "whether the database has a public address cannot be told: %s", gai_strerror(outcome));
        return;
    }
    warn_of_public(found, host, warnings);
    freeaddrinfo(found);
}

/* "host", "host:5432", "[::1]:5432" -> the host. */
static limen_str without_port(limen_str place)
{
    if (str_starts(place, LIMEN_STR("[")))
        return str_slice(place, 1, str_find_char(place, ']', 0));
    return str_slice(place, 0, str_find_char(place, ':', 0));
}

/* A list of hosts, each percent-encoded. False when it cannot be decoded. */
static bool check_hosts(limen_str list, bool has_ports, struct arena *arena, struct diags *warnings)
{
    do {
        limen_str place = str_cut(&list, ','), host;
        if (has_ports)
            place = without_port(place);
        char *memory = arena_alloc(arena, place.len + 1);
        if (memory == NULL || !percent_decode(place, memory, place.len, &host))
            return false;
        check_host(host, arena, warnings);
    } while (list.len > 0);
    return true;
}

/* ---- the URL ----------------------------------------------------------------------------------------------------------- */

/* What libpq reads in the query instead of the authority: host, hostaddr. */
static bool check_query(limen_str query, struct arena *arena, struct diags *warnings)
{
    while (query.len > 0) {
        limen_str value = str_cut(&query, '&'), name = str_cut(&value, '=');
        bool is_host = str_equal(name, LIMEN_STR("host")) || str_equal(name, LIMEN_STR("hostaddr"));
        if (is_host && !check_hosts(value, /* has_ports= */ false, arena, warnings))
            return false;
    }
    return true;
}

static bool check_postgresql(limen_str rest, struct arena *arena, struct diags *warnings)
{
    limen_str query = rest, before = str_cut(&query, '?');
    limen_str authority = str_slice(before, 0, str_find_char(before, '/', 0));
    for (size_t at; (at = str_find_char(authority, '@', 0)) != SIZE_MAX;)
        authority = str_slice(authority, at + 1, authority.len);
    return check_hosts(authority, /* has_ports= */ true, arena, warnings) && check_query(query, arena, warnings);
}

void check_database(limen_str url, struct arena *arena, struct diags *errors, struct diags *warnings)
{
    static const limen_str schemes[] = { LIMEN_STR_INIT("postgresql://"), LIMEN_STR_INIT("postgres://") };
    bool is_read = str_starts(url, LIMEN_STR("sqlite:"));
    for (size_t i = 0; i < 2 && !is_read; i++) {
        if (str_starts(url, schemes[i]))
            is_read = check_postgresql(str_slice(url, schemes[i].len, url.len), arena, warnings);
    }
    if (!is_read)
        diags_add_at(errors, LIMEN_STR("--database"), 0, 0, LIMEN_STR(URL_MEND),
                     "this is no URL of a database that can be used");
}
