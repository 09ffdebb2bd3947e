/* address.h - which addresses of the network the server may call for others.
 *
 * A URL that a client names must not reach what only this machine reaches: itself, its
 * private network, the cloud's metadata service. What counts is the address that a
 * connection goes to, not the name: names resolve to whatever their owner likes, and to
 * something else a second later. Pure functions; any thread. */
#ifndef POLLUX_HTTP_ADDRESS_H
#define POLLUX_HTTP_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

/* Whether it is a public one: neither loopback, private, link-local, multicast nor
 * reserved; an IPv6 address that carries an IPv4 one is what that is. */
bool address_is_public(const struct sockaddr *address);

#endif
