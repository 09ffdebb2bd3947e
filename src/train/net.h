/* net.h - runs a pack of tokens through base and adapter, forwards and backwards.
 *
 * A pack is one or several examples side by side, as a forest: each token knows the one
 * before it, sees itself and those before it in its own line, and no other. Examples that
 * begin alike share what they have in common, so a prompt that all of them have is
 * computed once; the sums are the same as if each ran alone.
 *
 * Going forward, each layer leaves what it needs to go backward, as long as all layers'
 * together fit in `keep_most` bytes; of a larger pack only the layers' inputs are kept,
 * and a layer is computed a second time when it is its turn to go backward. Logits exist
 * for a few rows at a time, and only for those that have a target.
 *
 * One thread; n_threads compute. */
#ifndef POLLUX_TRAIN_NET_H
#define POLLUX_TRAIN_NET_H

#include "train/adapter.h"
#include "train/pack.h"

struct net_options {
    int n_threads;
    size_t keep_most; /* bytes; 0: NET_KEEP */
};

#define NET_KEEP ((size_t)768 << 20)

struct net;

/* Both must outlive it. The adapter may be NULL: then nothing is learned. */
struct net *net_open(const struct base *base, const struct adapter *adapter,
                     const struct net_options *options, struct error *err);
void net_close(struct net *net); /* NULL is fine */

/* Adds the gradients of sum(weight * cross entropy) over the pack's targets to the
 * adapter's; *loss is the sum of the cross entropies, without weights, in nats. */
bool net_learn(struct net *net, const struct pack *pack, double *loss, struct error *err);

/* The logits of all targets' rows, n_vocab each; nothing is learned. */
bool net_logits(struct net *net, const struct pack *pack, float *logits,
                struct error *err);

/* The most tokens whose layers are all kept. */
int net_kept_tokens(const struct net *net);

#endif
