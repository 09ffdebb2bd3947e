/* words.h - examples to tokens, by the base's own template, as in serving.
 *
 * Only the vocabulary of the base is loaded. One thread. */
#ifndef POLLUX_TRAIN_WORDS_H
#define POLLUX_TRAIN_WORDS_H

#include "train/examples.h"
#include "train/pack.h"

struct words;
struct prompter; /* chat/prompt.h */
struct engine;   /* engine/engine.h */

struct words *words_open(const char *path, struct error *err);
void words_close(struct words *words); /* NULL is fine */

/* A turn of the user's with `input`, rendered as a request is, and the answer `output`
 * with the token that ends it. The tokens live in the arena. */
bool words_example(const struct words *words, const struct said_example *said,
                   struct arena *arena, struct example *example, struct error *err);

/* How many tokens that will be, as a server's own prompter and engine make them. False:
 * the template refuses it. Any thread. */
bool words_count(const struct prompter *prompter, struct engine *engine,
                 const struct said_example *said, int *n, struct error *err);

#endif
