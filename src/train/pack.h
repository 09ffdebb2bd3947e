/* pack.h - examples side by side, beginnings in common stored once.
 *
 * Nothing here knows models; a pack is built for one step of training, used and emptied.
 */
#ifndef POLLUX_TRAIN_PACK_H
#define POLLUX_TRAIN_PACK_H

#include <stdbool.h>
#include <stdint.h>

/* An example in tokens: n_prompt tokens that are given, and then those to be learned, the
 * end of the answer among them. */
struct example {
    int32_t *tokens;
    int n, n_prompt; /* 1 <= n_prompt < n */
};

/* What is to follow a row's token. */
struct target {
    int row;
    int32_t token;
    float weight;
};

struct pack {
    int32_t *tokens, *positions;
    int *before; /* the row of the token before; -1: none */
    int n, room;
    struct target *targets;
    int n_targets, target_room;
};

/* Adds an example, whose last token is only a target; returns how many rows it took.
 * pack_cost() says how many it would take. */
int pack_add(struct pack *pack, const struct example *example, float weight);
int pack_cost(const struct pack *pack, const struct example *example);

/* Adds rows that nobody sees and that learn nothing, until their number is a multiple:
 * products of floats are much faster then. After the last example. */
void pack_pad(struct pack *pack, int multiple);

/* Writes n * n floats, row i behind row i - 1: 0 where row i sees row j, else -infinity.
 * A row sees at most `window` positions, itself included; 0: all. */
void pack_mask(const struct pack *pack, int window, float *mask);

void pack_clear(struct pack *pack); /* memory is kept */
void pack_free(struct pack *pack);

#endif
