/* cache.h - radix tree of the token sequences whose KV rows the slots hold.
 *
 * A request reuses the longest prefix that any slot holds. The tree answers, for a
 * prompt, how much of it each slot has, in time that depends on the prompt's length and
 * not on the number of slots (at most 64) or of what they hold. It keeps copies of
 * tokens, no KV rows: those are the slots'. It locks for itself: the engine's thread
 * changes it, others only ask. */
#ifndef POLLUX_ENGINE_CACHE_H
#define POLLUX_ENGINE_CACHE_H

#include <stdint.h>

struct cache;

struct cache *cache_open(void);
void cache_close(struct cache *cache);

/* Slot `slot` now holds exactly these tokens (whatever it held before is forgotten). */
void cache_put(struct cache *cache, int slot, const int32_t *tokens, int n);

/* Fills common[0..n_slots) with the length of the longest prefix of `tokens` that each
 * slot holds. */
void cache_match(struct cache *cache, const int32_t *tokens, int n, int *common,
                 int n_slots);

/* Nodes in the tree, the root not counted: for tests and metrics. */
int cache_nodes(const struct cache *cache);

#endif
