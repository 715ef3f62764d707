/* url.c - what a target's URL says. libcurl reads it, as it will when it connects: two parsers might not agree. */
#include "outbound/internal.h"

#include "core/arena.h"
#include "core/str.h"

static char *url_part(CURLU *parts, CURLUPart part, unsigned flags)
{
    char *text = NULL;
    return curl_url_get(parts, part, &text, flags) == CURLUE_OK ? text : NULL;
}

static bool read_parts(CURLU *parts, struct arena *arena, struct outbound_address *ret_address)
{
    static const CURLUPart forbidden[] = { CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_FRAGMENT };
    bool is_plain = true;
    for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
        char *text = url_part(parts, forbidden[i], 0);
        is_plain = is_plain && text == NULL;
        curl_free(text);
    }
    char *host = url_part(parts, CURLUPART_HOST, 0), *port = url_part(parts, CURLUPART_PORT, CURLU_DEFAULT_PORT);
    int64_t number = 0;
    bool ok = is_plain && host != NULL && str_to_int64(str_of(port), &number) && number > 0 && number <= UINT16_MAX;
    if (ok) {
        ret_address->host = arena_copy(arena, str_of(host));
        ret_address->port = (uint16_t)number;
    }
    curl_free(host);
    curl_free(port);
    return ok && ret_address->host.ptr != NULL;
}

/* libcurl would forgive a scheme in capitals, and one to three slashes behind it. */
static bool has_scheme(limen_str url, limen_str scheme)
{
    return str_starts(url, scheme) && url.len > scheme.len && url.ptr[scheme.len] != '/';
}

static bool parse(limen_str url, struct arena *arena, struct outbound_address *ret_address)
{
    limen_str text = arena_copy(arena, url);
    CURLU *parts = curl_url();
    bool ok = text.ptr != NULL && parts != NULL && strlen(text.ptr) == url.len
        && curl_url_set(parts, CURLUPART_URL, text.ptr, 0) == CURLUE_OK && read_parts(parts, arena, ret_address);
    curl_url_cleanup(parts);
    return ok;
}

bool outbound_parse_url(limen_str url, struct arena *arena, struct outbound_address *ret_address)
{
    return has_scheme(url, LIMEN_STR("https://")) && parse(url, arena, ret_address);
}

bool outbound_parse_base(limen_str url, struct arena *arena, struct outbound_address *ret_address)
{
    const limen_str https = LIMEN_STR("https://"), http = LIMEN_STR("http://");
    bool is_https = has_scheme(url, https);
    if (!is_https && !has_scheme(url, http))
        return false;
    limen_str rest = str_slice(url, is_https ? https.len : http.len, url.len);
    return str_find_char(rest, '/', 0) == SIZE_MAX && str_find_char(rest, '?', 0) == SIZE_MAX
        && parse(url, arena, ret_address);
}
