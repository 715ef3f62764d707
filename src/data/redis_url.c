/* redis_url.c - reads --redis. What it cannot take it refuses by name; no complaint quotes the URL, for it holds a password. */
#include "data/redis_url.h"

#include "core/arena.h"

#define DEFAULT_PORT 6379
#define DATABASES_MOST 1000000 /* more than anybody configures */

static const char no_memory[] = "memory is out";

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes %XX (RFC 3986 section 2.1). False when a '%' stands before anything else, or for a NUL. */
static bool decode(limen_str raw, struct arena *arena, limen_str *ret_text)
{
    char *text = arena_alloc(arena, raw.len + 1);
    size_t len = 0;
    if (text == NULL)
        return false;
    for (size_t i = 0; i < raw.len; i++) {
        char c = raw.ptr[i];
        if (c == '%') {
            int high = i + 2 < raw.len ? hex_digit(raw.ptr[i + 1]) : -1,
                low = high < 0 ? -1 : hex_digit(raw.ptr[i + 2]);
            if (low < 0)
                return false;
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (c == '\0')
            return false;
        text[len++] = c;
    }
    text[len] = '\0';
    *ret_text = str_make(text, len);
    return true;
}

static const char *parse_credentials(limen_str text, struct arena *arena, struct redis_url *url)
{
    bool has_password = str_find_char(text, ':', 0) != SIZE_MAX;
    limen_str user = str_cut(&text, ':');
    if (!has_password || text.len == 0)
        return "a user stands there without a password: write USER:PASSWORD@ or :PASSWORD@";
    if (!decode(user, arena, &url->user) || !decode(text, arena, &url->password))
        return "the user or the password has a '%' that is not followed by two hexadecimal digits";
    return NULL;
}

static bool parse_number(limen_str text, int64_t least, int64_t most, int64_t *ret_number)
{
    return str_to_int64(text, ret_number) && *ret_number >= least && *ret_number <= most;
}

/* HOST, HOST:PORT, [IPv6] or [IPv6]:PORT. */
static const char *parse_host(limen_str text, struct arena *arena, struct redis_url *url)
{
    int64_t port = DEFAULT_PORT;
    limen_str host;
    if (text.len > 0 && text.ptr[0] == '[') {
        size_t end = str_find_char(text, ']', 0);
        if (end == SIZE_MAX)
            return "an IPv6 address lacks its ']'";
        host = str_slice(text, 1, end);
        text = str_slice(text, end + 1, text.len);
        if (text.len > 0 && text.ptr[0] != ':')
            return "behind an IPv6 address in brackets stands something else than a port";
        text = str_slice(text, 1, text.len);
    } else {
        host = str_cut(&text, ':');
    }
    if (text.len > 0 && !parse_number(text, 1, UINT16_MAX, &port))
        return "the port is no number from 1 to 65535";
    if (host.len == 0)
        return "it names no host";
    if (str_find_char(host, '%', 0) != SIZE_MAX || str_find_char(host, ',', 0) != SIZE_MAX)
        return "it names one host, as it is";
    url->port = (uint16_t)port;
    url->host = arena_copy(arena, host);
    return url->host.ptr == NULL ? no_memory : NULL;
}

const char *redis_url_parse(limen_str url, struct arena *arena, struct redis_url *ret_url)
{
    static const limen_str plain = LIMEN_STR_INIT("redis://"), tls = LIMEN_STR_INIT("rediss://");
    *ret_url = (struct redis_url){ 0 };
    if (str_starts(url, tls))
        return "rediss:// needs TLS, which this client has not: use redis:// in a network of your own, or through a "
               "TLS tunnel (stunnel, a sidecar)";
    if (!str_starts(url, plain))
        return "give it as redis://[:PASSWORD@]HOST:PORT[/DATABASE]";
    url = str_slice(url, plain.len, url.len);
    if (str_find_char(url, '?', 0) != SIZE_MAX || str_find_char(url, '#', 0) != SIZE_MAX)
        return "it has a '?' or '#'; in a password these are %3F and %23";
    limen_str authority = str_cut(&url, '/');
    int64_t database = 0;
    if (url.len > 0 && !parse_number(url, 0, DATABASES_MOST, &database))
        return "the database behind the '/' is no number";
    ret_url->database = (uint32_t)database;
    if (str_find_char(authority, '@', 0) != SIZE_MAX) {
        const char *fault = parse_credentials(str_cut(&authority, '@'), arena, ret_url);
        if (fault != NULL)
            return fault;
    }
    if (str_find_char(authority, '@', 0) != SIZE_MAX)
        return "it has a second '@'; in a password it is %40";
    return parse_host(authority, arena, ret_url);
}
