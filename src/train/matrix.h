/* matrix.h - where weights lie, and how a transposed copy of one is made.
 *
 * Matrices are first added, which says what there is, and then filled all at once: memory
 * is given by kind of buffer. ggml's CPU has several kinds for matrices ("extra buffer
 * types", which lay weights out for its fastest products; kernel/plug.h puts ours first);
 * the first that takes a matrix gets it. What is added must stay where it is until
 * matrices_fill() returns. One thread. */
#ifndef POLLUX_TRAIN_MATRIX_H
#define POLLUX_TRAIN_MATRIX_H

#include "base/error.h"
#include <ggml.h>
#include <stdint.h>

struct matrices;

struct matrices *matrices_open(int n_threads);
void matrices_close(struct matrices *matrices); /* NULL is fine */

/* A matrix like `from`, whose bytes are at `bytes`; and in *back the transposed one. */
bool matrices_add(struct matrices *matrices, const struct ggml_tensor *from,
                  const uint8_t *bytes, struct ggml_tensor **is,
                  struct ggml_tensor **back, struct error *err);

/* A vector, made F32. NULL: of a type that cannot be read. */
struct ggml_tensor *matrices_vector(struct matrices *matrices,
                                    const struct ggml_tensor *from, const uint8_t *bytes);

bool matrices_fill(struct matrices *matrices, struct error *err);

#endif
