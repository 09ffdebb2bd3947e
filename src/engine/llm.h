/* llm.h - one model and its KV rows, as the scheduler needs them: the only door to
 * libllama, but for embed_llm.c's, which makes vectors.
 *
 * A sequence of KV rows is a *slot*, numbered from 0; each has a stream of its own in the
 * KV buffer, so a slot's rows do not depend on its neighbours'. Tokenising and what asks
 * about a token are thread-safe, but for llm_piece(); all else belongs to the engine's
 * thread. */
#ifndef POLLUX_ENGINE_LLM_H
#define POLLUX_ENGINE_LLM_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include <stdatomic.h>
#include <stdint.h>

struct llm;

struct llm_options {
    const char *path;
    const char *projector; /* NULL: the model does not see */
    int n_threads;         /* 0: one per core */
    bool plain_kernels;    /* never kernel/'s */
    const char *packed;    /* a folder, where kernel/'s weights lie for the next time
                              (kernel/kept.h); NULL: each time they are packed anew */
    int n_ctx; /* tokens a slot holds; 0: the model's own, at most LLM_CTX_DEFAULT */
    int n_slots;
    bool only_vocab; /* nothing can be decoded: for tests of what needs words alone */
    void (*progress)(float done, void *arg);
    void *progress_arg;
};

enum { LLM_CTX_DEFAULT = 8192, LLM_BATCH_MAX = 512, LLM_SHOWN = 16 };

struct llm_info {
    struct text template, bos, eos;
    struct text *specials; /* texts of the control tokens, sorted */
    int32_t *special_ids;  /* and the tokens */
    int n_specials;
    bool parts; /* control tokens part a text into pieces that are tokenised each by
                   itself */
    int n_ctx, n_vocab;
    const char *kernels;  /* whose products: "panels" (kernel/panel.h) or "libllama" */
    bool packed;          /* panels that lay in the folder `packed` served */
    struct text rows_key; /* of what decides the bits of KV rows (rows_key.h) */
    bool add_bos;
    bool can_truncate; /* rows can be taken off the end (not so in recurrent models) */
};

/* Makes libllama ready, once for the process; whoever loads a model calls it first. Any
 * thread. */
void llm_begin(void);

struct llm *llm_open(const struct llm_options *options, struct error *err);
void llm_close(struct llm *llm);
const struct llm_info *llm_info(const struct llm *llm);

int llm_tokenize(const struct llm *llm, struct text text, bool special, int32_t *tokens,
                 int room);

/* The token's bytes; the view is good until the next call. Control tokens have none. */
struct text llm_piece(struct llm *llm, int32_t token);

/* From now on this control token has its name as text. The first LLM_SHOWN of them. */
void llm_show(struct llm *llm, struct text name);
bool llm_is_end(const struct llm *llm, int32_t token); /* of a turn or of the text */
int32_t llm_usual_end(const struct llm *llm);          /* the one that ends a turn */

/* Adds the token's bytes to `bytes`, or its name and returns true when it is a control
 * token, which no text spells. Tokens that are not in use have no bytes. */
bool llm_token_bytes(const struct llm *llm, int32_t token, struct buf *bytes);
bool llm_is_mark(const struct llm *llm, int32_t token); /* user-defined, not control */

/* One row of a batch: `token` at position `pos` of `slot`. Rows of a batch come in order
 * of slots, and of positions in each. */
struct llm_row {
    int32_t token;
    int pos;
    int slot;
    bool want_logits;
};

enum llm_result { LLM_OK, LLM_STOPPED, LLM_FAILED };

/* A LoRA adapter over the model's weights. `id` is never given twice, so that rows can be
 * known by it; 0 means none. The engine's thread, for libllama looks at all that are
 * loaded when it makes a graph. NULL: it is not one, or not for this model. */
struct llm_adapter {
    void *handle; /* libllama's */
    uint64_t id;
};
struct llm_adapter *llm_adapter_open(struct llm *llm, const char *path);
void llm_adapter_close(struct llm *llm, struct llm_adapter *adapter);

/* From now on steps are computed with it; NULL: without any. A change costs a new graph
 * and new buffers for it (some ms). */
void llm_adapt(struct llm *llm, struct llm_adapter *adapter);

/* Adds the rows to the KV buffer. With `stop`, gives up soon after it becomes true; then,
 * and on failure, rows of this batch may or may not be there: truncate. */
enum llm_result llm_decode(struct llm *llm, const struct llm_row *rows, int n,
                           const atomic_bool *stop);

/* Where a row of a picture stands in a model whose positions are more than an order
 * (M-RoPE): all its rows at one time, each in its line and column. */
struct llm_place {
    int32_t time, line, column, other;
};

/* Rows that are no tokens but vectors (sight.h). */
struct llm_vectors {
    const float *at; /* llm_width() floats each */
    int n;
    const struct llm_place *places; /* of each; NULL: one behind the other, from `pos` */
    int pos;
    bool causal; /* each sees only those before it */
};

/* The same for vectors, at most LLM_BATCH_MAX, all at once; only the last wants logits,
 * and only with `last`. */
enum llm_result llm_decode_vectors(struct llm *llm, const struct llm_vectors *vectors,
                                   int slot, bool last, const atomic_bool *stop);
int llm_width(const struct llm *llm);           /* floats of a vector */
struct sight *llm_sight(const struct llm *llm); /* NULL: it does not see */

/* n_vocab floats for the row of the last batch; may be written to. */
float *llm_logits(struct llm *llm, int row);

/* Keeps the slot's rows before position `pos`. False: this model cannot; the slot is now
 * empty. */
bool llm_truncate(struct llm *llm, int slot, int pos);

/* Makes slot `to` hold the rows before `pos` of slot `from`, bit for bit. False: it holds
 * none. */
bool llm_copy(struct llm *llm, int from, int to, int pos);

/* The slot's rows as bytes: how many they are, and themselves, of which 0 is a failure.
 */
size_t llm_state_size(struct llm *llm, int slot);
size_t llm_state(struct llm *llm, int slot, char *to, size_t size);

/* Makes the slot hold the rows before `pos` of such bytes, which must come from a model
 * with the same rows_key. False: it holds none. */
bool llm_restore(struct llm *llm, int slot, struct text state, int pos);

#endif
