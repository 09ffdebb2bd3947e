/* drain.h - lets a client read our last words.
 *
 * Closing a socket while bytes still arrive makes the kernel answer with a reset, and a
 * reset can take with it what the client has not read yet. So a duplicate of the
 * descriptor is kept for a while, and what arrives is thrown away unseen. */
#ifndef POLLUX_HTTP_DRAIN_H
#define POLLUX_HTTP_DRAIN_H

#include "base/loop.h"

struct drain;

/* A list of drains, owned by the server. */
struct drains {
    struct loop *loop;
    struct drain *first;
    int n;
};

void drain_open(struct drains *drains, int fd); /* fd stays the caller's */
void drains_sweep(struct drains *drains);       /* closes those that took too long */
void drains_close(struct drains *drains);

#endif
