/* sample.h - one row of logits to one token.
 *
 * In order: a grammar's mask, penalties for tokens the answer has used (presence once,
 * frequency per use), the top_k likeliest, of those the fewest whose probabilities reach
 * top_p, of those one by temperature. Temperature 0 takes the likeliest. Logprobs are of
 * the model's own distribution: before penalties, cuts and temperature.
 *
 * Randomness is a hash of (seed, candidate, number of the token), so a draw does not
 * depend on anything that ran before. A sampler belongs to one thread. */
#ifndef POLLUX_ENGINE_SAMPLE_H
#define POLLUX_ENGINE_SAMPLE_H

#include "engine/engine.h"

enum { SAMPLE_TOP_MAX = 20 };

struct sampled {
    int32_t token; /* -1: the logits are not numbers (a broken model) */
    float logprob;
    int n_top;
    struct {
        int32_t token;
        float logprob;
    } top[SAMPLE_TOP_MAX];
};

/* What a draw works in; as large as the vocabulary, so all samplers of a thread have the
 * same one, and it is there before a request is. */
struct sampler_room;

struct sampler_room *sampler_room_open(int n_vocab);
void sampler_room_close(struct sampler_room *room);

struct sampler;

/* The room is not owned. */
struct sampler *sampler_open(const struct sampling *sampling, int candidate,
                             struct sampler_room *room);
void sampler_close(struct sampler *sampler);

/* logits: n_vocab floats, changed in place. mask: bit i of word i / 32 says whether token
 * i may be taken; NULL: all may. */
struct sampled sampler_next(struct sampler *sampler, float *logits, const uint32_t *mask);

/* The token was given, not drawn: it counts for penalties, and its logprobs are told. */
struct sampled sampler_given(struct sampler *sampler, const float *logits, int32_t token);

#endif
