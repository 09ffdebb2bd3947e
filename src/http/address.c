/* address.c - which addresses of the network the server may call for others. */
#include "http/address.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct range {
    const char *prefix; /* as inet_pton takes it */
    int bits;
};

/* IANA's registries of special purpose addresses. */
/* clang-format off */
static const struct range closed4[] = {
    {"0.0.0.0", 8},      {"10.0.0.0", 8},      {"100.64.0.0", 10}, {"127.0.0.0", 8},
    {"169.254.0.0", 16}, {"172.16.0.0", 12},   {"192.0.0.0", 24},  {"192.0.2.0", 24},
    {"192.88.99.0", 24}, {"192.168.0.0", 16},  {"198.18.0.0", 15}, {"198.51.100.0", 24},
    {"203.0.113.0", 24}, {"224.0.0.0", 4},     {"240.0.0.0", 4},
};
static const struct range closed6[] = {
    {"::", 96},      {"100::", 64},    {"2001::", 23}, {"2001:db8::", 32}, {"fc00::", 7},
    {"fe80::", 10},  {"fec0::", 10},   {"ff00::", 8},  {"3fff::", 20},     {"5f00::", 16},
};
/* Behind these an IPv4 address stands: mapped, translated (NAT64), 6to4. */
static const struct {
    const char *prefix;
    int bits, at; /* `at`: its first byte */
} carriers[] = {
    {"::ffff:0:0", 96, 12}, {"64:ff9b::", 96, 12}, {"64:ff9b:1::", 48, 12}, {"2002::", 16, 2},
};
/* clang-format on */

static bool begins(const uint8_t *address, const uint8_t *prefix, int bits)
{
    int whole = bits / 8, rest = bits % 8;
    if (memcmp(address, prefix, (size_t)whole) != 0)
        return false;
    return rest == 0 || (address[whole] ^ prefix[whole]) >> (8 - rest) == 0;
}

static bool is_in(int family, const uint8_t *address, const char *prefix, int bits)
{
    uint8_t bytes[16];
    return inet_pton(family, prefix, bytes) == 1 && begins(address, bytes, bits);
}

static bool is_public4(const uint8_t *address)
{
    for (size_t i = 0; i < sizeof closed4 / sizeof closed4[0]; i++)
        if (is_in(AF_INET, address, closed4[i].prefix, closed4[i].bits))
            return false;
    return true;
}

static bool is_public6(const uint8_t *address)
{
    for (size_t i = 0; i < sizeof carriers / sizeof carriers[0]; i++)
        if (is_in(AF_INET6, address, carriers[i].prefix, carriers[i].bits))
            return is_public4(address + carriers[i].at);
    for (size_t i = 0; i < sizeof closed6 / sizeof closed6[0]; i++)
        if (is_in(AF_INET6, address, closed6[i].prefix, closed6[i].bits))
            return false;
    return true;
}

bool address_is_public(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)address;
        return is_public4((const uint8_t *)&in->sin_addr);
    }
    if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)address;
        return is_public6((const uint8_t *)&in->sin6_addr);
    }
    return false;
}
