/* spec.h - job.json: what a training is to do. One table for who writes it, the server
 * and `pollux tune`, and who reads it, the trainer. Any thread. */
#ifndef POLLUX_TRAIN_SPEC_H
#define POLLUX_TRAIN_SPEC_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include <stdint.h>

enum {
    TRAIN_TOKENS_MOST = 2048,     /* of an example, with its prompt and its end */
    TRAIN_EXAMPLES_MOST = 100000, /* of a job */
    TRAIN_RANK_MOST = 256,
    TRAIN_CHECKPOINT_S = 30, /* when nothing else is said */
};

struct train_spec {
    struct text base;     /* path of a GGUF */
    struct text examples; /* file of lines (examples.h), relative to the job's folder */
    struct text adapter;  /* path of the GGUF to start from; absent: none */
    int epochs, batch;    /* of examples */
    int rank;             /* of the adapter, unless there is one to start from */
    int threads;          /* 0: one for each core */
    int checkpoint_s;     /* between two of them; 0: one after every step */
    double rate;
    int64_t seed;
};

/* What is left out is 5 epochs in batches of 4 with a rate of 0.001, rank 8, seed 0, all
 * cores, and a checkpoint each 30 seconds. */
bool train_spec_read(struct text json, struct train_spec *spec, struct arena *arena,
                     struct error *err);
void train_spec_write(const struct train_spec *spec, struct buf *json);

/* How many steps that is. */
static inline int64_t train_steps(int64_t n_examples, int epochs, int batch)
{
    return (n_examples * epochs + batch - 1) / batch;
}

#endif
