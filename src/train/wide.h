/* wide.h - the loops over floats that ggml has none of, as wide as this CPU's registers.
 *
 * Matrices are rows of floats, one row a token: x is n_rows rows of n values. A thread
 * does part `ith` of `nth`; what it computes does not depend on how many there are, so
 * sums are the same on every run. Any thread. */
#ifndef POLLUX_TRAIN_WIDE_H
#define POLLUX_TRAIN_WIDE_H

#include <stdint.h>

struct wide_part {
    int ith, nth;
};

/* y[t][i] += scale * sum over j of p[j][i] * h[t][j].   y (n_rows, n), p (rank, n),
 * h (n_rows, rank). */
void wide_add_product(struct wide_part part, float *y, const float *p, const float *h,
                      int64_t n_rows, int64_t n, int64_t rank, float scale);

/* g[j][i] += scale * sum over t of d[t][j] * x[t][i].   g (rank, n), x (n_rows, n),
 * d (n_rows, rank). */
void wide_add_outer(struct wide_part part, float *g, const float *x, const float *d,
                    int64_t n_rows, int64_t n, int64_t rank, float scale);

enum wide_gate { WIDE_SILU, WIDE_GELU };

/* y = act(gate) * up; and from the gradient dy of it those of its two factors. */
void wide_gate(struct wide_part part, enum wide_gate act, const float *gate,
               const float *up, int64_t n, float *y);
void wide_gate_back(struct wide_part part, enum wide_gate act, const float *gate,
                    const float *up, const float *dy, int64_t n, float *dgate,
                    float *dup);

/* Cross entropy of one row of logits against `target`, as natural log; the row becomes
 * its gradient times `weight`. */
double wide_cross_entropy(float *logits, int64_t n, int32_t target, float weight);

/* out[i][t] = in[t][i] for n_blocks matrices of n_rows rows of n values, each block
 * after the one before. */
void wide_transpose(struct wide_part part, const float *in, float *out, int64_t n_rows,
                    int64_t n, int64_t n_blocks);

#endif
