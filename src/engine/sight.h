/* sight.h - pictures for a model that sees: the only door to libmtmd.
 *
 * A model that sees has a second one, its projector, which makes of a picture what the
 * model takes in the place of tokens: a run of vectors. Here a picture that is part of a
 * prompt is a *view*. In the prompt's text stands its marker, made of the picture's hash;
 * in its tokens the marker becomes the view's: ordinary tokens that frame pictures in
 * this model, and for each vector a negative number made of the picture's hash. So
 * prompts, the prefix cache and counts stay arrays of tokens, and the same picture is the
 * same tokens. Vectors are made when their rows are wanted (sight_vectors).
 *
 * In most models rows stand one behind the other. In those with M-RoPE all rows of a
 * picture stand at one time, in lines and columns, and what comes behind it goes on as
 * many positions later as its longer side has rows: fewer than its rows are.
 *
 * A model that hears takes sounds in the same way: what is said of pictures here goes for
 * them, but that their rows always stand one behind the other.
 *
 * The views that were released last are kept for a while: a conversation shows its
 * pictures again with each turn.
 *
 * Views may be opened, used and released by any thread; vectors are the engine's. */
#ifndef POLLUX_ENGINE_SIGHT_H
#define POLLUX_ENGINE_SIGHT_H

#include "engine/engine.h"
#include "engine/llm.h"

struct llama_model;

struct sight_options {
    const char *path; /* of the projector: GGUF */
    struct llama_model *model;
    int n_threads;
    int n_batch; /* rows that can be decoded at once */
};

struct sight *sight_open(const struct sight_options *options, struct error *err);
void sight_close(struct sight *sight); /* no view may be left; NULL is fine */

/* What it can take; at least one of them. */
bool sight_sees(const struct sight *sight);
bool sight_hears(const struct sight *sight);

/* See engine_view(). */
struct view *sight_view(struct sight *sight, const struct picture *picture,
                        struct error *err);
void sight_release(struct sight *sight, struct view *view);

/* The first marker of a view in the text: where it begins and ends; its tokens, as many
 * as there is room for, and how many they are. False: there is none. */
bool sight_find(struct sight *sight, struct text text, size_t *from, size_t *to,
                int32_t *tokens, int room, int *n);

/* Another hold on the view that has a run beginning with this token; NULL: none has. */
struct view *sight_hold(struct sight *sight, int32_t token);

/* The number of rows of the run of `view` that begins with this token, and of positions
 * that they take; 0: none does. */
int view_run(const struct view *view, int32_t token, int *n_pos);

/* The run's vectors, to stand at `pos`; good until the next call. False: it failed. */
bool sight_vectors(struct sight *sight, struct view *view, int32_t token, int pos,
                   struct llm_vectors *vectors);

#endif
