/* address.h - which addresses of the network lie outside, and which an owner allows.
 *
 * An address is sixteen bytes; one of IPv4 is written as ::ffff:a.b.c.d, so that one
 * table knows both families. Pure functions but net_is_own(), which asks the kernel.
 * Any thread. */
#ifndef POLLUX_FETCH_ADDRESS_H
#define POLLUX_FETCH_ADDRESS_H

#include "base/text.h"
#include <sys/socket.h>

struct address {
    unsigned char at[16];
};

/* All addresses that begin with the same bits. */
struct net {
    struct address address;
    int bits; /* 0 to 128; of IPv4 96 and more */
};

/* "10.0.0.0/8", "192.168.1.5", "fd00::/8"; bits behind the length must be 0. */
bool net_parse(struct text text, struct net *net);
bool net_has(const struct net *net, const struct address *address);

/* False: of another family than IPv4 and IPv6. */
bool net_address(const struct sockaddr *from, struct address *address, int *port);

/* Whether it is a machine on the public network: not this machine, its own network, a
 * private one, one that is kept for other things, nor many machines at once. An address
 * of IPv4 within one of IPv6 (NAT64) is looked at as well; other tunnels are refused. */
bool net_is_public(const struct address *address);

/* Whether one of this machine's interfaces has it; true when that cannot be told. */
bool net_is_own(const struct address *address);

#endif
