/* base.h - the model that is tuned: its weights as they are, and transposed copies.
 *
 * A GGUF of one of the families in base.c is read: its shape, and its matrices as they
 * lie there, quantised or not, in whatever layout this CPU multiplies fastest (kernel/'s
 * panels among them). For the way back every matrix is transposed once (tape.h), as Q8_0
 * when it is quantised and in its own type when it is not; that takes 1.06 bytes a
 * weight. The embedding is read from the mapped file, a row when its token comes up.
 *
 * The weights never change; one thread computes with them at a time. */
#ifndef POLLUX_TRAIN_BASE_H
#define POLLUX_TRAIN_BASE_H

#include "base/arena.h"
#include "base/error.h"
#include "train/tape.h"

enum { LAYER_LINEARS = 7 };

/* The linear layers of a layer, in the order of their LoRA pairs. */
enum which_linear {
    LINEAR_Q,
    LINEAR_K,
    LINEAR_V,
    LINEAR_O,
    LINEAR_GATE,
    LINEAR_UP,
    LINEAR_DOWN
};

struct base_linear {
    char name[64]; /* of the weight in the GGUF: "blk.0.attn_q.weight" */
    int64_t n_in, n_out;
    struct ggml_tensor *w, *back, *bias;
};

struct base_layer {
    struct base_linear linears[LAYER_LINEARS];
    struct ggml_tensor *attn_norm, *ffn_norm;           /* F32 (n_embd) */
    struct ggml_tensor *q_norm, *k_norm;                /* F32 (head) or NULL */
    struct ggml_tensor *attn_post_norm, *ffn_post_norm; /* F32 (n_embd) or NULL */
    bool windowed; /* sees the last `window` tokens only */
};

struct base_shape {
    const char *arch; /* "qwen2" */
    int n_layer, n_embd, n_head, n_kv, n_ff, n_vocab, head, n_rot, n_ctx;
    int rope_mode;      /* GGML_ROPE_TYPE_... */
    int window;         /* tokens; 0: none */
    enum wide_gate act; /* of the feed-forward part */
    float eps, rope_base, rope_scale, window_rope_base;
    float attention_scale, embedding_scale;
};

struct base {
    struct base_shape shape;
    struct base_layer *layers;
    struct ggml_tensor *output_norm;  /* F32 (n_embd) */
    struct ggml_tensor *rope_factors; /* F32 (n_rot / 2) or NULL */
    struct base_linear head;          /* n_embd to n_vocab; often the embedding itself */
};

/* n_threads are used while loading. FAILED_PRECONDITION: not a model that can be tuned
 * here, and why; NOT_FOUND: no such file. */
struct base *base_open(const char *path, int n_threads, struct error *err);
void base_close(struct base *base); /* NULL is fine */

/* The embedding of a token, scaled as the family does: n_embd floats. */
void base_embed(const struct base *base, int32_t token, float *out);

#endif
