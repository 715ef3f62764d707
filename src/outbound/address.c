/* address.c - which addresses are the internet's.
 *
 * IPv4: all but a list. IPv6: 2000::/3 alone is handed out for global unicast, less a list; and what is an IPv4 address in disguise is
 * judged as that. */
#include "outbound/address.h"

#include <netinet/in.h>
#include <string.h>

struct range {
    uint8_t prefix[16];
    uint8_t bits;
};

static const struct range special_v4[] = {
    { { 0 }, 8 },             /* "this network" */
    { { 10 }, 8 },            /* private */
    { { 100, 64 }, 10 },      /* shared, behind carriers' NAT */
    { { 127 }, 8 },           /* loopback */
    { { 169, 254 }, 16 },     /* link-local; clouds keep their metadata there */
    { { 172, 16 }, 12 },      /* private */
    { { 192, 0, 0 }, 24 },    /* protocol assignments */
    { { 192, 0, 2 }, 24 },    /* documentation */
    { { 192, 88, 99 }, 24 },  /* 6to4 relays, given up */
    { { 192, 168 }, 16 },     /* private */
    { { 198, 18 }, 15 },      /* benchmarks */
    { { 198, 51, 100 }, 24 }, /* documentation */
    { { 203, 0, 113 }, 24 },  /* documentation */
    { { 224 }, 3 },           /* multicast, reserved, broadcast */
};

static const struct range global_v6 = { { 0x20 }, 3 };
static const struct range special_v6[] = {
    { { 0x20, 0x01, 0x00 }, 23 },       /* protocol assignments, Teredo */
    { { 0x20, 0x01, 0x0d, 0xb8 }, 32 }, /* documentation */
    { { 0x20, 0x02 }, 16 },             /* 6to4 */
    { { 0x3f, 0xff }, 20 },             /* documentation */
};

/* The IPv4 address stands in the last four bytes. */
static const struct range carriers[] = {
    { { [10] = 0xff, [11] = 0xff }, 96 }, /* mapped */
    { { 0x00, 0x64, 0xff, 0x9b }, 96 },   /* NAT64 */
};

static bool is_within(const uint8_t *bytes, const struct range *range)
{
    size_t whole = range->bits / 8;
    unsigned rest = range->bits % 8U;
    return memcmp(bytes, range->prefix, whole) == 0
        && (rest == 0 || ((bytes[whole] ^ range->prefix[whole]) >> (8 - rest)) == 0);
}

static bool is_within_any(const uint8_t *bytes, const struct range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (is_within(bytes, &ranges[i]))
            return true;
    }
    return false;
}

static bool is_public_v4(const uint8_t *bytes)
{
    return !is_within_any(bytes, special_v4, sizeof(special_v4) / sizeof(special_v4[0]));
}

static bool is_public_v6(const uint8_t *bytes)
{
    if (is_within_any(bytes, carriers, sizeof(carriers) / sizeof(carriers[0])))
        return is_public_v4(bytes + 12);
    return is_within(bytes, &global_v6)
        && !is_within_any(bytes, special_v6, sizeof(special_v6) / sizeof(special_v6[0]));
}

bool address_is_public(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return is_public_v4((const uint8_t *)&((const struct sockaddr_in *)(const void *)address)->sin_addr);
    if (address->sa_family == AF_INET6)
        return is_public_v6((const uint8_t *)&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
    return false;
}
