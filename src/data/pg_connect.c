/* pg_connect.c - one connection that is waited for, and how a URL is shown to people: without its password. */
#include "core/arena.h"
#include "data/pg_store.h"

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

/* libpq's words, without the line's end. */
static limen_str words_of(const char *message)
{
    limen_str words = str_of(message);
    while (words.len > 0 && (words.ptr[words.len - 1] == '\n' || words.ptr[words.len - 1] == ' '))
        words.len--;
    return words;
}

PGconn *pg_connect(limen_str url, struct arena *arena, struct diags *diags)
{
    limen_str text = arena_copy(arena, url);
    PQconninfoOption *parts = text.ptr == NULL ? NULL : PQconninfoParse(text.ptr, NULL);
    if (parts == NULL) { /* its error would name what it stumbled over, which may be the password */
        diags_add_at(diags, LIMEN_STR("--database"), 0, 0, LIMEN_STR("write postgresql://USER@HOST/NAME"),
                     "the database's URL cannot be read; a special character in a password is written %%XX");
        return NULL;
    }
    PQconninfoFree(parts);
    const char *const names[] = { "dbname", "fallback_application_name", NULL };
    const char *const values[] = { text.ptr, "limen", NULL };
    PGconn *pg = PQconnectdbParams(names, values, /* expand_dbname= */ 1);
    if (PQstatus(pg) == CONNECTION_OK)
        return pg;
    limen_str words = words_of(PQerrorMessage(pg));
    diags_add_at(diags, pg_shown_url(url, arena), 0, 0, LIMEN_STR("is it running, and may this user connect?"),
                 "no connection to the database: %.*s", LIMEN_STR_ARG(words));
    PQfinish(pg);
    return NULL;
}
