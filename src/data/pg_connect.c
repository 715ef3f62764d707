/* pg_connect.c - one connection that is waited for, and how a URL is shown to people: without its password. */
#include "data/pg_store.h"

#include "core/arena.h"
#include "core/log.h"

#include <unistd.h>

#define WAIT_US 500000
#define SAID_EVERY 20U /* tries */

#define ADDRESS_S \
    "5" /* for one address, unless the URL says otherwise: behind one that swallows everything another may answer */

/* The part of `text` before the last `sign` in it; all of it when there is none. */
static limen_str before_last(limen_str text, char sign, size_t *ret_rest)
{
    for (size_t i = text.len; i > 0; i--) {
        if (text.ptr[i - 1] == sign) {
            *ret_rest = i;
            return str_slice(text, 0, i - 1);
        }
    }
    *ret_rest = 0;
    return LIMEN_STR("");
}

limen_str pg_shown_url(limen_str url, struct arena *arena)
{
    size_t scheme = str_find(url, LIMEN_STR("://"), 0), rest;
    if (scheme == SIZE_MAX)
        return LIMEN_STR("postgresql");
    limen_str place = str_slice(url, scheme + 3, url.len);
    limen_str plain = str_cut(&place, '?'); /* parameters may hold a password too */
    limen_str user = before_last(plain, '@', &rest);
    limen_str name = str_cut(&user, ':');
    limen_str host = str_slice(plain, rest, plain.len);
    return arena_printf(arena, "postgresql://%.*s%s%.*s", LIMEN_STR_ARG(name), rest > 0 ? "@" : "",
                        LIMEN_STR_ARG(host));
}

/* NULL after adding to `diags` when libpq cannot read it; its error would name what it stumbled over, which may be the password. */
static const char *read_url(limen_str url, struct arena *arena, struct diags *diags)
{
    limen_str text = arena_copy(arena, url);
    PQconninfoOption *parts = text.ptr == NULL ? NULL : PQconninfoParse(text.ptr, NULL);
    if (parts == NULL)
        diags_add_at(diags, LIMEN_STR("--database"), 0, 0, LIMEN_STR("write postgresql://USER@HOST/NAME"),
                     "the database's URL cannot be read; a special character in a password is written %%XX");
    bool is_url = parts != NULL;
    PQconninfoFree(parts);
    return is_url ? text.ptr : NULL;
}

static PGconn *connect_once(const char *url)
{
    const char *const names[] = { "connect_timeout", "dbname", "fallback_application_name", "client_encoding", NULL };
    const char *const values[] = { ADDRESS_S, url, "limen", "UTF8", NULL };
    return PQconnectdbParams(names, values, /* expand_dbname= */ 1);
}

static PGPing ping(const char *url)
{
    const char *const names[] = { "connect_timeout", "dbname", NULL };
    const char *const values[] = { ADDRESS_S, url, NULL };
    return PQpingParams(names, values, /* expand_dbname= */ 1);
}

/* Takes the connection; NULL after adding to `diags`. */
static PGconn *check(PGconn *pg, limen_str url, struct arena *arena, struct diags *diags)
{
    if (PQstatus(pg) == CONNECTION_OK)
        return pg;
    limen_str words = str_trim(str_of(PQerrorMessage(pg)));
    diags_add_at(diags, pg_shown_url(url, arena), 0, 0, LIMEN_STR("is it running, and may this user connect?"),
                 "no connection to the database: %.*s", LIMEN_STR_ARG(words));
    PQfinish(pg);
    return NULL;
}

PGconn *pg_connect(limen_str url, struct arena *arena, struct diags *diags)
{
    const char *text = read_url(url, arena, diags);
    return text == NULL ? NULL : check(connect_once(text), url, arena, diags);
}

PGconn *pg_connect_patiently(limen_str url, struct arena *arena, struct diags *diags)
{
    const char *text = read_url(url, arena, diags);
    for (uint32_t tries = 0; text != NULL; tries++) {
        PGconn *pg = connect_once(text);
        PGPing answer = PQstatus(pg) == CONNECTION_OK ? PQPING_OK : ping(text);
        if (answer == PQPING_OK || answer == PQPING_NO_ATTEMPT) /* it is there: what it refuses, it refuses for good */
            return check(pg, url, arena, diags);
        if (tries % SAID_EVERY == 0)
            LOG_WARN("waiting for the database", log_str("database", pg_shown_url(url, arena)),
                     log_str("error", str_trim(str_of(PQerrorMessage(pg)))));
        PQfinish(pg);
        usleep(WAIT_US);
    }
    return NULL;
}
