/* embed_model.h - what the embedder's thread (embed.c) needs of a model.
 *
 * A step takes the tokens of some texts and gives a vector for each. Everything runs on
 * the embedder's thread. */
#ifndef POLLUX_ENGINE_EMBED_MODEL_H
#define POLLUX_ENGINE_EMBED_MODEL_H

#include "base/error.h"
#include "base/text.h"
#include "engine/embed_task.h"
#include <stdatomic.h>
#include <stdint.h>

struct embed_model;

/* The tokens of one text, as tokenize() gave them. */
struct embed_piece {
    const int32_t *tokens;
    int n_tokens; /* at least one, at most n_ctx */
};

enum embed_result { EMBED_DONE, EMBED_STOPPED, EMBED_FAILED };

struct embed_model_ops {
    /* Tokens with the model's own marks. Returns the count; writes at most `room`. */
    int (*tokenize)(struct embed_model *, struct text, int32_t *tokens, int room);
    /* n_pieces * n_dims numbers, of any length. With `stop`, gives up when it is true. */
    enum embed_result (*run)(struct embed_model *, const struct embed_piece *pieces,
                             int n_pieces, int n_threads, const atomic_bool *stop,
                             float *vectors);
    void (*close)(struct embed_model *);
};

/* The first member of an implementation. */
struct embed_model {
    const struct embed_model_ops *ops;
    const struct embed_family *family;
    int n_dims;
    int n_ctx;    /* tokens of a text */
    int n_batch;  /* tokens of a step, unless one text alone has more */
    int n_pieces; /* texts of a step */
    int64_t bytes;
};

/* `name` is what the owner calls it. FAILED_PRECONDITION when the file holds no model
 * that can do this. */
struct embed_model *embed_llm_open(const char *path, const char *name, int n_threads,
                                   struct error *err);

/* Vectors that count words, by the "embeddings" of a script's file (docs/script.md). */
struct embed_model *embed_script_open(const char *path, struct error *err);

#endif
