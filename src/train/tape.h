/* tape.h - a computation that can be run backwards.
 *
 * A tape records what a layer does, one step a call, in ggml's operations; then
 * tape_backward() walks it from its end and adds the operations that give the gradients.
 * ggml has an autograd of its own; this one differs in what it does with a weight matrix:
 *
 *   forward    y  = W x + s B (A x)      x (n_in, T), y (n_out, T)
 *   backward   dx = W' dy + s A' (B' dy) with W' = W transposed, a matrix of its own, so
 *              that going backwards is one more forward product (ggml's is an outer
 *              product over rows that have to be unpacked: five times slower)
 *              dA += s x (B' dy)', dB += s dy (A x)'; W has no gradient
 *
 * Shapes are ggml's: the first number is the one whose neighbours lie side by side. T is
 * the tokens of a pack. A tape and what it records live in one ggml context; the caller
 * computes its graph. One thread. */
#ifndef POLLUX_TRAIN_TAPE_H
#define POLLUX_TRAIN_TAPE_H

#include "train/wide.h"
#include <ggml.h>
#include <stdbool.h>

/* What a linear layer adds to what its base's weights do. The two are stored alike, rank
 * rows of values, so that both products run along rows. */
struct lora {
    struct ggml_tensor *a, *b;           /* (n_in, rank), (n_out, rank) */
    struct ggml_tensor *grad_a, *grad_b; /* the same shapes; gradients are added */
    float scale;                         /* alpha / rank */
};

struct linear {
    struct ggml_tensor *w;    /* (n_in, n_out) */
    struct ggml_tensor *back; /* W transposed: (n_out, n_in) */
    struct ggml_tensor *bias; /* (n_out); NULL: none */
    const struct lora *lora;  /* NULL: none */
};

/* What is computed: a tensor, and its gradient once that is known. */
struct value {
    struct ggml_tensor *is, *grad;
    bool wanted; /* whether anything is to be learned through it */
};

struct rope {
    struct ggml_tensor *positions; /* I32 (T) */
    struct ggml_tensor *factors;   /* F32 (n_dims / 2); NULL: none */
    int n_dims, mode, n_ctx;       /* n_ctx: that the model was trained with */
    float base, scale;
};

struct attention {
    struct value *q, *k, *v;  /* (head, n_head, T), (head, n_kv, T) twice */
    struct ggml_tensor *mask; /* F32 (T, T): 0 or -infinity; the row of a token says what
                                 it sees */
    float scale;
};

struct tape;

/* The graph is the context's own and takes `n_nodes`. */
struct tape *tape_open(struct ggml_context *ctx, int n_nodes);
void tape_close(struct tape *tape); /* not what it recorded */
struct ggml_cgraph *tape_graph(struct tape *tape);

/* A value that comes from outside. */
struct value *tape_input(struct tape *tape, struct ggml_tensor *is, bool wanted);

struct value *tape_linear(struct tape *tape, const struct linear *linear,
                          struct value *x);
struct value *tape_norm(struct tape *tape, struct value *x, struct ggml_tensor *weight,
                        float eps);
struct value *tape_add(struct tape *tape, struct value *a, struct value *b);
struct value *tape_reshape(struct tape *tape, struct value *x, int64_t ne0, int64_t ne1,
                           int64_t ne2);
struct value *tape_rope(struct tape *tape, struct value *x, const struct rope *rope);
struct value *tape_attend(struct tape *tape, const struct attention *attention);
struct value *tape_gate(struct tape *tape, enum wide_gate act, struct value *gate,
                        struct value *up);

/* From now on what forward steps made and backward steps need outlives the graph's
 * computation. To be called before the graph is given its memory. */
void tape_keep(struct tape *tape);

/* What was kept is no longer something to compute: the graph that goes backwards begins
 * there. After the forward graph was computed. */
void tape_settle(struct tape *tape);

/* Adds to `graph` what gives the gradients of all wanted values, and adds those of LoRA's
 * matrices to theirs, when y's gradient is dy. */
void tape_backward(struct tape *tape, struct ggml_cgraph *graph, struct value *y,
                   struct ggml_tensor *dy);

#endif
