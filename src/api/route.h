/* route.h - which handler a request is for; for api.c. The table of all methods is in
 * route.c. */
#ifndef POLLUX_API_ROUTE_H
#define POLLUX_API_ROUTE_H

#include "api/api.h"

struct route {
    const char *method;  /* GET is HEAD's, too */
    const char *pattern; /* after the version; {} is the rest of one segment before a
                          * verb, at most two of them. With a / in front: as it stands */
    void (*handle)(struct call *call);
    unsigned flags;
};

enum route_flag {
    OPEN = 1,      /* no key needed */
    OPEN_FILE = 2, /* likewise, where the owner wants it (--open-files) */
    FILES = 4,     /* needs a place for files */
    ARRIVES = 8,   /* handled when the header is there; its body comes in pieces */
    BATCHES = 16,  /* needs a place for batches */
    CACHES = 32,   /* needs a place for caches */
    TUNED = 64,    /* needs a place for tuned models */
    SEARCH = 128,  /* needs an index */
};

/* The call's route; fills its version, name and sub, and whether its errors are slugs.
 * NULL: *others has the methods that the path has routes for, each with a comma behind;
 * nothing when there is no such path. */
const struct route *route_find(struct call *call, struct buf *others);

/* What the route needs and the server has no place for; NULL: nothing. */
const char *route_lacks(const struct api_options *options, const struct route *route);

#endif
