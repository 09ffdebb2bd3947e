/* scene.h - for tests: a tiny model of each family, with weights from a seed, as a GGUF
 * that libllama loads as well. */
#ifndef POLLUX_TRAIN_SCENE_H
#define POLLUX_TRAIN_SCENE_H

#include "train/net.h"
#include "train/random.h"
#include <gguf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    TINY_LAYERS = 3,
    TINY_EMBD = 64,
    TINY_HEADS = 4,
    TINY_KV = 2,
    TINY_HEAD = 16,
    TINY_FF = 96,
    TINY_VOCAB = 80,
    TINY_WINDOW = 4,
};

struct tiny {
    const char *arch;
    enum ggml_type type; /* of its matrices */
    bool biases, head_norms, post_norms, tied, factors, odd;
    char path[64];
};

struct tiny_writing {
    struct gguf_context *gguf;
    struct ggml_context *ctx;
    struct random random;
    const struct tiny *tiny;
};

static inline void tiny_tensor(struct tiny_writing *w, const char *name, int64_t ne0,
                               int64_t ne1, double around, double reach)
{
    int64_t n = ne0 * ne1;
    enum ggml_type type = ne1 > 1 ? w->tiny->type : GGML_TYPE_F32;
    float *values = mem_alloc(sizeof(float) * (size_t)n);
    for (int64_t i = 0; i < n; i++)
        values[i] = (float)(around + reach * (2 * random_unit(&w->random) - 1));
    struct ggml_tensor *t = ne1 > 1 ? ggml_new_tensor_2d(w->ctx, type, ne0, ne1)
                                    : ggml_new_tensor_1d(w->ctx, type, ne0);
    ggml_quantize_chunk(type, values, t->data, 0, ne1, ne0, NULL);
    ggml_set_name(t, name);
    gguf_add_tensor(w->gguf, t);
    free(values);
}

static inline void tiny_layer(struct tiny_writing *w, int i)
{
    const struct tiny *t = w->tiny;
    const int64_t q = (int64_t)TINY_HEADS * TINY_HEAD, kv = (int64_t)TINY_KV * TINY_HEAD;
    const struct {
        const char *name;
        int64_t ne0, ne1;
        double around, reach;
        bool is;
    } all[] = {
        {"attn_norm.weight", TINY_EMBD, 1, 1, 0.3, true},
        {"ffn_norm.weight", TINY_EMBD, 1, 1, 0.3, true},
        {"attn_q.weight", TINY_EMBD, q, 0, 0.3, true},
        {"attn_k.weight", TINY_EMBD, kv, 0, 0.3, true},
        {"attn_v.weight", TINY_EMBD, kv, 0, 0.3, true},
        {"attn_output.weight", q, TINY_EMBD, 0, 0.3, true},
        {"ffn_gate.weight", TINY_EMBD, TINY_FF, 0, 0.3, true},
        {"ffn_up.weight", TINY_EMBD, TINY_FF, 0, 0.3, true},
        {"ffn_down.weight", TINY_FF, TINY_EMBD, 0, 0.3, true},
        {"attn_q.bias", q, 1, 0, 0.5, t->biases},
        {"attn_k.bias", kv, 1, 0, 0.5, t->biases},
        {"attn_v.bias", kv, 1, 0, 0.5, t->biases},
        {"attn_q_norm.weight", TINY_HEAD, 1, 1, 0.3, t->head_norms},
        {"attn_k_norm.weight", TINY_HEAD, 1, 1, 0.3, t->head_norms},
        {"post_attention_norm.weight", TINY_EMBD, 1, 1, 0.3, t->post_norms},
        {"post_ffw_norm.weight", TINY_EMBD, 1, 1, 0.3, t->post_norms},
        {"attn_sinks.weight", TINY_HEADS, 1, 1, 0.3, t->odd},
    };
    for (size_t k = 0; k < sizeof(all) / sizeof(all[0]); k++) {
        char name[64];
        snprintf(name, sizeof(name), "blk.%d.%s", i, all[k].name);
        if (all[k].is)
            tiny_tensor(w, name, all[k].ne0, all[k].ne1, all[k].around, all[k].reach);
    }
}

static inline void tiny_header(struct gguf_context *gguf, const struct tiny *t)
{
    static const struct {
        const char *name;
        uint32_t value;
    } numbers[] = {
        {"block_count", TINY_LAYERS},         {"context_length", 512},
        {"embedding_length", TINY_EMBD},      {"feed_forward_length", TINY_FF},
        {"attention.head_count", TINY_HEADS}, {"attention.head_count_kv", TINY_KV},
        {"attention.key_length", TINY_HEAD},  {"attention.value_length", TINY_HEAD},
        {"rope.dimension_count", TINY_HEAD},  {"vocab_size", TINY_VOCAB},
    };
    char key[80];
    gguf_set_val_str(gguf, "general.architecture", t->arch);
    gguf_set_val_str(gguf, "tokenizer.ggml.model", "none");
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        snprintf(key, sizeof(key), "%s.%s", t->arch, numbers[i].name);
        gguf_set_val_u32(gguf, key, numbers[i].value);
    }
    snprintf(key, sizeof(key), "%s.attention.layer_norm_rms_epsilon", t->arch);
    gguf_set_val_f32(gguf, key, 1e-5f);
    snprintf(key, sizeof(key), "%s.rope.freq_base", t->arch);
    gguf_set_val_f32(gguf, key, 500000);
    if (t->post_norms) {
        snprintf(key, sizeof(key), "%s.attention.sliding_window", t->arch);
        gguf_set_val_u32(gguf, key, TINY_WINDOW);
    }
}

static inline void tiny_make(struct tiny *t)
{
    struct ggml_init_params params = {.mem_size = 4 << 20};
    struct tiny_writing w = {gguf_init_empty(), ggml_init(params), random_of(7, 0), t};
    tiny_header(w.gguf, t);
    tiny_tensor(&w, "token_embd.weight", TINY_EMBD, TINY_VOCAB, 0, 0.5);
    tiny_tensor(&w, "output_norm.weight", TINY_EMBD, 1, 1, 0.3);
    if (!t->tied)
        tiny_tensor(&w, "output.weight", TINY_EMBD, TINY_VOCAB, 0, 0.3);
    if (t->factors)
        tiny_tensor(&w, "rope_freqs.weight", TINY_HEAD / 2, 1, 2, 1);
    for (int i = 0; i < TINY_LAYERS; i++)
        tiny_layer(&w, i);
    snprintf(t->path, sizeof(t->path), "/tmp/pollux-tiny-%s-%d-%d.gguf", t->arch,
             (int)t->type, (int)getpid());
    assert_true(gguf_write_to_file(w.gguf, t->path, false));
    gguf_free(w.gguf);
    ggml_free(w.ctx);
}

/* clang-format off */
static struct tiny tinies[] = {
    {"llama",  GGML_TYPE_F32, false, false, false, false, true,  false, ""},
    {"qwen2",  GGML_TYPE_F32, true,  false, false, true,  false, false, ""},
    {"qwen3",  GGML_TYPE_F32, false, true,  false, false, false, false, ""},
    {"gemma3", GGML_TYPE_F32, false, true,  true,  true,  false, false, ""},
};
/* clang-format on */
enum { N_TINIES = sizeof(tinies) / sizeof(tinies[0]) };

/* An example of n random tokens of which the last n_learned are to be learned; `seed`
 * decides them, and those of equal seeds begin alike. */
static inline struct example random_example(uint64_t seed, int n, int n_learned,
                                            int n_vocab)
{
    struct random random = random_of(seed, 1);
    struct example e = {mem_alloc(sizeof(int32_t) * (size_t)n), n, n - n_learned};
    for (int i = 0; i < n; i++)
        e.tokens[i] = (int32_t)(random_next(&random) % (uint64_t)n_vocab);
    return e;
}

/* LoRA's B is zero at first, and then A has no gradient. */
static inline void randomize(struct adapter *adapter, double reach)
{
    struct random random = random_of(99, 0);
    for (int i = 0; i < adapter->n_pairs; i++) {
        float *b = adapter->pairs[i].b->data;
        for (int64_t k = 0; k < ggml_nelements(adapter->pairs[i].b); k++)
            b[k] = (float)(reach * (2 * random_unit(&random) - 1));
    }
}

#endif
