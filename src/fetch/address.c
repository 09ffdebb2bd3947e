/* address.c - which addresses lie outside.
 *
 * IPv4 is a list of what is not public (RFC 6890 and its successors); IPv6 the other way
 * round: what is public is 2000::/3, less what was cut out of it again. */
#include "fetch/address.h"
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

enum { V4_BITS = 96 }; /* of ::ffff:0:0, where IPv4 lies */

static const char *const not_public[] = {
    "0.0.0.0/8",         /* this network */
    "10.0.0.0/8",        /* private */
    "100.64.0.0/10",     /* behind a provider's NAT */
    "127.0.0.0/8",       /* loopback */
    "169.254.0.0/16",    /* link-local, and what clouds tell their machines there */
    "172.16.0.0/12",     /* private */
    "192.0.0.0/24",      /* protocols */
    "192.0.2.0/24",      /* documentation */
    "192.31.196.0/24",   /* AS112 */
    "192.52.193.0/24",   /* AMT */
    "192.88.99.0/24",    /* 6to4 relays */
    "192.168.0.0/16",    /* private */
    "192.175.48.0/24",   /* AS112 */
    "198.18.0.0/15",     /* benchmarks */
    "198.51.100.0/24",   /* documentation */
    "203.0.113.0/24",    /* documentation */
    "224.0.0.0/4",       /* multicast */
    "240.0.0.0/4",       /* kept; broadcast */
    "2001::/23",         /* protocols, Teredo */
    "2001:db8::/32",     /* documentation */
    "2002::/16",         /* 6to4 */
    "2620:4f:8000::/48", /* AS112 */
    "3fff::/20",         /* documentation */
};

/* ---- nets ---- */

static bool parse_length(struct text text, int most, int *bits)
{
    int n = 0;
    if (text.len < 1 || text.len > 3)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
        n = n * 10 + (text.at[i] - '0');
    }
    *bits = n;
    return n <= most;
}

static struct address mapped(const void *v4)
{
    struct address address = {{0}};
    memset(address.at + 10, 0xff, 2);
    memcpy(address.at + 12, v4, 4);
    return address;
}

static bool bit_of(const struct address *address, int i)
{
    return address->at[i / 8] >> (7 - i % 8) & 1;
}

bool net_parse(struct text text, struct net *net)
{
    struct text length, digits = text_cut(text, '/', &length);
    char string[INET6_ADDRSTRLEN];
    unsigned char bytes[16];
    if (!digits.at || digits.len == 0 || digits.len >= sizeof string ||
        memchr(digits.at, '\0', digits.len))
        return false;
    bool v4 = memchr(digits.at, ':', digits.len) == NULL;
    memcpy(string, digits.at, digits.len);
    string[digits.len] = '\0';
    if (inet_pton(v4 ? AF_INET : AF_INET6, string, bytes) != 1)
        return false;
    net->bits = v4 ? 32 : 128;
    if (length.at && !parse_length(length, net->bits, &net->bits))
        return false;
    if (v4) {
        net->bits += V4_BITS;
        net->address = mapped(bytes);
    } else {
        memcpy(net->address.at, bytes, sizeof bytes);
    }
    for (int i = net->bits; i < 128; i++)
        if (bit_of(&net->address, i))
            return false;
    return true;
}

bool net_has(const struct net *net, const struct address *address)
{
    int whole = net->bits / 8;
    if (memcmp(net->address.at, address->at, (size_t)whole) != 0)
        return false;
    for (int i = whole * 8; i < net->bits; i++)
        if (bit_of(&net->address, i) != bit_of(address, i))
            return false;
    return true;
}

/* ---- addresses ---- */

bool net_address(const struct sockaddr *from, struct address *address, int *port)
{
    if (from->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, from, sizeof v4);
        *address = mapped(&v4.sin_addr);
        *port = ntohs(v4.sin_port);
        return true;
    }
    if (from->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, from, sizeof v6);
        memcpy(address->at, &v6.sin6_addr, sizeof address->at);
        *port = ntohs(v6.sin6_port);
        return true;
    }
    return false;
}

static bool is_in(const char *net, const struct address *address)
{
    struct net parsed;
    return net_parse(text_of(net), &parsed) && net_has(&parsed, address);
}

bool net_is_public(const struct address *address)
{
    if (is_in("64:ff9b::/96", address)) {
        struct address inner = mapped(address->at + 12);
        return net_is_public(&inner);
    }
    if (!is_in("::ffff:0:0/96", address) && !is_in("2000::/3", address))
        return false;
    for (size_t i = 0; i < sizeof not_public / sizeof not_public[0]; i++)
        if (is_in(not_public[i], address))
            return false;
    return true;
}

bool net_is_own(const struct address *address)
{
    struct ifaddrs *all;
    bool found = false;
    if (getifaddrs(&all) != 0)
        return true;
    for (const struct ifaddrs *i = all; i && !found; i = i->ifa_next) {
        struct address own;
        int port;
        found = i->ifa_addr && net_address(i->ifa_addr, &own, &port) &&
                memcmp(own.at, address->at, sizeof own.at) == 0;
    }
    freeifaddrs(all);
    return found;
}
