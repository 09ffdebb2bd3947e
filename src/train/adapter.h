/* adapter.h - what is learned: a LoRA pair for each linear layer of a base, and how it
 * lies in a file.
 *
 * All numbers lie in one array, their gradients in another of the same order, so that the
 * optimiser need not know what they are. The file is a GGUF that libllama loads: F32
 * tensors NAME.lora_a (n_in, rank) and NAME.lora_b (rank, n_out). One thread. */
#ifndef POLLUX_TRAIN_ADAPTER_H
#define POLLUX_TRAIN_ADAPTER_H

#include "train/base.h"

struct adapter {
    int rank;
    float alpha;
    struct lora *pairs; /* LAYER_LINEARS for each layer, in order */
    int n_pairs;
    float *values, *grads;
    size_t n; /* floats of each, padding among them (always 0) */
};

/* A from the seed, uniform in +-1/sqrt(n_in), B zero: at first it changes nothing. */
struct adapter *adapter_new(const struct base *base, int rank, float alpha,
                            uint64_t seed);

/* From a file; its rank and alpha. Pairs that it lacks are as adapter_new() makes them.
 * INVALID_ARGUMENT: it is no adapter of this base. */
struct adapter *adapter_load(const struct base *base, const char *path, uint64_t seed,
                             struct error *err);

/* Writes a new file beside `path`, flushes it to the disk and gives it that name. */
bool adapter_save(const struct adapter *adapter, const struct base *base,
                  const char *path, struct error *err);

void adapter_close(struct adapter *adapter); /* NULL is fine */

#endif
