/* caches.h - cachedContents: create, get, list, patch, delete. */
#ifndef POLLUX_API_CACHES_H
#define POLLUX_API_CACHES_H

#include "api/api.h"
#include "api/message.h"

void caches_route_create(struct call *call); /* cache_create.c */
void caches_route_get(struct call *call);
void caches_route_list(struct call *call);
void caches_route_patch(struct call *call);
void caches_route_delete(struct call *call);

/* When a cache expires that was asked for like this; neither ttl nor expireTime: after
 * `otherwise` (0: one of them must be there). */
bool caches_expiry(const struct wire_cache *asked, int64_t otherwise, int64_t *expires,
                   struct error *err);

/* What is told of it. */
struct wire_cache caches_wire(const struct cache_entry *entry, struct arena *arena);

/* Creations that are not over. */
int caches_creating(const struct api *api);
void caches_cancel_all(struct api *api);

#endif
