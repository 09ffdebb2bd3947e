/* layer.h - one layer of a model, on a tape: the one builder for all families. */
#ifndef POLLUX_TRAIN_LAYER_H
#define POLLUX_TRAIN_LAYER_H

#include "train/adapter.h"

/* What the layers of a pack of T tokens share. */
struct layer_inputs {
    struct ggml_tensor *positions; /* I32 (T) */
    struct ggml_tensor *mask;      /* F32 (T, T) */
    struct ggml_tensor *window;    /* the same for layers with a window; NULL: none */
};

/* x and the result are (n_embd, T). The adapter may be NULL. */
struct value *layer_build(struct tape *tape, const struct base *base,
                          const struct adapter *adapter, int layer,
                          const struct layer_inputs *inputs, struct value *x);

/* Logits (n_vocab, R) of rows (n_embd, R) that the last layer gave. */
struct value *layer_head(struct tape *tape, const struct base *base, struct value *x);

/* Bytes that the layers of a model keep of a pack of so many tokens. */
double layer_kept(const struct base *base, int n_tokens);

enum { LAYER_NODES = 512 }; /* of a layer's graph there and back, at most */

#endif
