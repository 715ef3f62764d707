/* address.c - whose connection it is.
 *
 * All addresses are 16 bytes, IPv4 mapped into IPv6, so that one comparison serves both. X-Forwarded-For is read from the
 * right, and only as far as it was written by proxies that we trust: whatever stands further left, the client wrote. */
#include "edge/internal.h"

#include "core/str.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

static const uint8_t mapped_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

void address_of(const struct sockaddr_storage *from, struct edge_address *ret_address)
{
    *ret_address = (struct edge_address){ .port = 0 };
    if (from->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)from;
        memcpy(ret_address->bytes, mapped_prefix, sizeof(mapped_prefix));
        memcpy(ret_address->bytes + 12, &v4->sin_addr, 4);
        ret_address->port = ntohs(v4->sin_port);
    } else if (from->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)from;
        memcpy(ret_address->bytes, &v6->sin6_addr, 16);
        ret_address->port = ntohs(v6->sin6_port);
    }
}

limen_str edge_address_text(const struct edge_address *address, char *ret_text)
{
    bool is_v4 = memcmp(address->bytes, mapped_prefix, sizeof(mapped_prefix)) == 0;
    const void *bytes = is_v4 ? address->bytes + 12 : address->bytes;
    if (inet_ntop(is_v4 ? AF_INET : AF_INET6, bytes, ret_text, INET6_ADDRSTRLEN) == NULL)
        return LIMEN_STR("");
    return str_of(ret_text);
}

bool address_parse(limen_str text, struct edge_address *ret_address)
{
    char copy[INET6_ADDRSTRLEN];
    if (text.len == 0 || text.len >= sizeof(copy))
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    if (strnlen(copy, sizeof(copy)) != text.len)
        return false;
    struct edge_address address = { .port = 0 };
    memcpy(address.bytes, mapped_prefix, sizeof(mapped_prefix));
    if (inet_pton(AF_INET, copy, address.bytes + 12) != 1 && inet_pton(AF_INET6, copy, address.bytes) != 1)
        return false;
    *ret_address = address;
    return true;
}

/* An element of X-Forwarded-For: an address, in brackets when it is IPv6 with a port, perhaps with a port. */
static bool parse_forwarded(limen_str text, struct edge_address *ret_address)
{
    if (text.len > 0 && text.ptr[0] == '[') {
        size_t end = str_find_char(text, ']', 0);
        return end != SIZE_MAX && address_parse(str_slice(text, 1, end), ret_address);
    }
    size_t colon = str_find_char(text, ':', 0);
    if (colon != SIZE_MAX && str_find_char(text, ':', colon + 1) == SIZE_MAX)
        text = str_slice(text, 0, colon);
    return address_parse(text, ret_address);
}

/* ---- trust ---------------------------------------------------------------------------------------------------------- */

bool range_parse(limen_str cidr, struct address_range *ret_range)
{
    limen_str rest = cidr, host = str_cut(&rest, '/');
    struct edge_address address;
    if (!address_parse(host, &address))
        return false;
    bool is_v4 = str_find_char(host, ':', 0) == SIZE_MAX;
    int64_t longest = is_v4 ? 32 : 128, bits = longest;
    if (host.len < cidr.len && (!str_to_int64(rest, &bits) || bits < 0 || bits > longest))
        return false;
    memcpy(ret_range->bytes, address.bytes, sizeof(ret_range->bytes));
    ret_range->bits = (unsigned)bits + (is_v4 ? 96 : 0);
    return true;
}

static bool range_holds(const struct address_range *range, const struct edge_address *address)
{
    unsigned whole = range->bits / 8, rest = range->bits % 8;
    if (memcmp(range->bytes, address->bytes, whole) != 0)
        return false;
    return rest == 0 || ((range->bytes[whole] ^ address->bytes[whole]) >> (8 - rest)) == 0;
}

bool address_is_trusted(const struct edge *edge, const struct edge_address *address)
{
    for (size_t i = 0; i < edge->proxy_count; i++)
        if (range_holds(&edge->proxies[i], address))
            return true;
    return false;
}

bool edge_is_cidr(limen_str cidr)
{
    struct address_range range;
    return range_parse(cidr, &range);
}

bool edge_trust_proxy(struct edge *edge, limen_str cidr)
{
    if (edge->proxy_count == LIMIT_TRUSTED_PROXIES || !range_parse(cidr, &edge->proxies[edge->proxy_count]))
        return false;
    edge->proxy_count++;
    return true;
}

/* Reads one field from its right end. True: the client is found, or nothing more can be believed. */
static bool find_in_list(struct exchange *exchange, limen_str list)
{
    while (list.len > 0) {
        size_t start = list.len;
        while (start > 0 && list.ptr[start - 1] != ',')
            start--;
        limen_str element = str_trim(str_slice(list, start, list.len));
        struct edge_address address;
        if (!parse_forwarded(element, &address))
            return true;
        exchange->forwarded = address;
        exchange->peer = &exchange->forwarded;
        if (!address_is_trusted(exchange->connection->edge, &address))
            return true;
        list = str_slice(list, 0, start > 0 ? start - 1 : 0);
    }
    return false;
}

void exchange_find_peer(struct exchange *exchange)
{
    const struct http_request *request = &exchange->request;
    for (uint32_t i = request->field_count; i > 0; i--) /* several fields are one list (RFC 9110 5.3) */
        if (request->fields[i - 1].id == HEADER_X_FORWARDED_FOR && find_in_list(exchange, request->fields[i - 1].value))
            return;
}
