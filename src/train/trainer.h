/* trainer.h - the loop: examples in an order that the seed decides, AdamW, checkpoints.
 *
 * A step takes batchSize examples, the next in the order; every epoch is shuffled anew,
 * and a step may reach into the next one. What a step does follows from the settings, the
 * examples, the step's number and the numbers learned so far; these last are what a
 * checkpoint holds, so training goes on from one as if it had never stopped.
 *
 *   rate      rises over the first tenth of the steps (at most 100) and falls along a
 *             cosine to a tenth of learningRate
 *   loss      mean cross entropy of the step's output tokens, in nats, before the step
 *   gradient  of that mean, clipped to length 1
 *   AdamW     0.9, 0.999, 1e-8, decay 0.01
 *
 * One thread. */
#ifndef POLLUX_TRAIN_TRAINER_H
#define POLLUX_TRAIN_TRAINER_H

#include "train/net.h"

struct train_settings {
    int epochs, batch;
    double rate;
    uint64_t seed;
};

struct trainer;

/* Nothing is copied: net, adapter and examples must outlive it. */
struct trainer *trainer_open(struct net *net, struct adapter *adapter,
                             const struct example *examples, int n,
                             const struct train_settings *settings);
void trainer_close(struct trainer *trainer); /* NULL is fine */

int trainer_total(const struct trainer *trainer); /* steps */
int trainer_done(const struct trainer *trainer);  /* of them */

struct train_step {
    int step, epoch; /* from 1; the epoch of the step's first example */
    double loss;
    int n_tokens; /* of its examples, what they have in common counted each time */
    int n_rows;   /* that were computed */
};

/* INVALID_ARGUMENT: the loss is no number any more. */
bool trainer_step(struct trainer *trainer, struct train_step *step, struct error *err);

/* `job` is a number that tells this job from others. trainer_load(): false without err
 * (code 0) when there is no file. */
bool trainer_save(const struct trainer *trainer, uint64_t job, const char *path,
                  struct error *err);
bool trainer_load(struct trainer *trainer, uint64_t job, const char *path,
                  struct error *err);

#endif
