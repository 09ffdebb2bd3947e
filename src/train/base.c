#include "train/base.h"
#include "kernel/plug.h"
#include "train/matrix.h"
#include <fcntl.h>
#include <gguf.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- what families there are ---- */

struct family {
    const char *arch;
    int rope_mode;
    enum wide_gate act;
    bool biases;     /* may add one to q, k and v */
    bool head_norms; /* norms of q and k in each head */
    bool post_norms; /* norms of what attention and feed-forward give */
    bool scales;     /* embeddings, by the root of n_embd */
    int windows;     /* every so many layers one sees all, the others a window; 0: all */
};

/* clang-format off */
static const struct family families[] = {
    /* arch     rope                    act        biases head   post   scales windows */
    {"llama",  GGML_ROPE_TYPE_NORMAL, WIDE_SILU, true,  false, false, false, 0},
    {"qwen2",  GGML_ROPE_TYPE_NEOX,   WIDE_SILU, true,  false, false, false, 0},
    {"qwen3",  GGML_ROPE_TYPE_NEOX,   WIDE_SILU, false, true,  false, false, 0},
    {"gemma3", GGML_ROPE_TYPE_NEOX,   WIDE_GELU, false, true,  true,  true,  6},
};

static const char *const linear_names[LAYER_LINEARS] = {
    "attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down",
};
/* clang-format on */

struct reader {
    struct base base; /* first: what callers see */
    struct arena *arena;
    struct matrices *matrices;
    const struct family *family;
    struct gguf_context *gguf;
    struct ggml_context *meta;
    const uint8_t *file; /* mapped */
    size_t file_size;
    const struct ggml_tensor *embedding;
    const uint8_t *embedding_rows;
    int n_threads;
    int64_t n_used; /* tensors of the file that were asked for */
    struct error *err;
};

/* ---- values of the file's header ---- */

static int64_t key_of(const struct reader *r, const char *name)
{
    char key[128];
    snprintf(key, sizeof(key), "%s.%s", r->family->arch, name);
    return gguf_find_key(r->gguf, key);
}

static double number(const struct reader *r, const char *name, double otherwise)
{
    int64_t key = key_of(r, name);
    if (key < 0)
        return otherwise;
    switch (gguf_get_kv_type(r->gguf, key)) {
    case GGUF_TYPE_UINT32:
        return gguf_get_val_u32(r->gguf, key);
    case GGUF_TYPE_INT32:
        return gguf_get_val_i32(r->gguf, key);
    case GGUF_TYPE_UINT64:
        return (double)gguf_get_val_u64(r->gguf, key);
    case GGUF_TYPE_FLOAT32:
        return (double)gguf_get_val_f32(r->gguf, key);
    case GGUF_TYPE_FLOAT64:
        return gguf_get_val_f64(r->gguf, key);
    default:
        return NAN; /* a list, say: layers that differ */
    }
}

static const char *string(const struct reader *r, const char *name)
{
    int64_t key = key_of(r, name);
    return key >= 0 && gguf_get_kv_type(r->gguf, key) == GGUF_TYPE_STRING
               ? gguf_get_val_str(r->gguf, key)
               : "";
}

static bool refuse(struct reader *r, const char *why)
{
    return error_set(r->err, ERROR_FAILED_PRECONDITION,
                     "this base model cannot be tuned here: %s", why);
}

static bool find_family(struct reader *r)
{
    int64_t key = gguf_find_key(r->gguf, "general.architecture");
    const char *arch = key >= 0 && gguf_get_kv_type(r->gguf, key) == GGUF_TYPE_STRING
                           ? gguf_get_val_str(r->gguf, key)
                           : "(none)";
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
        if (strcmp(families[i].arch, arch) == 0)
            r->family = &families[i];
    if (r->family)
        return true;
    return error_set(r->err, ERROR_FAILED_PRECONDITION,
                     "this base model cannot be tuned here: its architecture is %.40s; "
                     "llama, qwen2, qwen3 and gemma3 can be",
                     arch);
}

enum { SIZE_MOST = 1 << 24 };

/* What would be computed wrongly is refused: a sound-looking adapter of a misread model
 * would be the worst outcome. */
static bool check_header(struct reader *r)
{
    const struct base_shape *s = &r->base.shape;
    const char *scaling = string(r, "rope.scaling.type");
    const int sizes[] = {s->n_layer, s->n_embd, s->n_head, s->n_kv,
                         s->n_ff,    s->head,   s->n_rot,  s->n_ctx};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        if (sizes[i] <= 0 || sizes[i] > SIZE_MOST)
            return refuse(r, "its header lacks a size, or its layers differ in size");
    if (s->n_head % s->n_kv != 0 || s->n_rot > s->head || s->n_rot % 2 != 0)
        return refuse(r, "its heads do not fit each other");
    if (number(r, "attention.value_length", s->head) != s->head)
        return refuse(r, "its key heads and value heads differ in size");
    if (number(r, "expert_count", 0) != 0)
        return refuse(r, "it is a mixture of experts");
    if (*scaling && strcmp(scaling, "linear") != 0 && strcmp(scaling, "none") != 0)
        return refuse(r, "its rope scaling is neither none nor linear");
    if (number(r, "final_logit_softcapping", 0) != 0 ||
        number(r, "attn_logit_softcapping", 0) != 0)
        return refuse(r, "it caps its logits");
    if (isnan(number(r, "attention.sliding_window_pattern", 0)) ||
        number(r, "logit_scale", 1) != 1 || number(r, "attention.scale", 0) != 0)
        return refuse(r, "its header has settings that are not known here");
    return true;
}

static int size_of(const struct reader *r, const char *name, double otherwise)
{
    double size = number(r, name, otherwise);
    return size >= 0 && size <= SIZE_MOST ? (int)size : 0;
}

static bool read_shape(struct reader *r)
{
    struct base_shape *s = &r->base.shape;
    const struct family *family = r->family;
    s->arch = family->arch;
    s->rope_mode = family->rope_mode;
    s->act = family->act;
    s->n_layer = size_of(r, "block_count", 0);
    s->n_embd = size_of(r, "embedding_length", 0);
    s->n_ff = size_of(r, "feed_forward_length", 0);
    s->n_head = size_of(r, "attention.head_count", 0);
    s->n_kv = size_of(r, "attention.head_count_kv", s->n_head);
    s->n_ctx = size_of(r, "context_length", 0);
    s->head =
        size_of(r, "attention.key_length", s->n_head > 0 ? s->n_embd / s->n_head : 0);
    s->n_rot = size_of(r, "rope.dimension_count", s->head);
    s->eps = (float)number(r, "attention.layer_norm_rms_epsilon", 1e-6);
    s->rope_base = (float)number(r, "rope.freq_base", 10000);
    double factor = number(r, "rope.scaling.factor", number(r, "rope.scale_linear", 0));
    bool scales = strcmp(string(r, "rope.scaling.type"), "none") != 0;
    s->rope_scale = factor != 0 && scales ? (float)(1 / factor) : 1;
    s->window = family->windows ? size_of(r, "attention.sliding_window", 0) : 0;
    s->window_rope_base = (float)number(r, "rope.freq_base_swa", 10000);
    s->embedding_scale = family->scales ? sqrtf((float)s->n_embd) : 1;
    if (!check_header(r))
        return false;
    int row = s->n_embd / s->n_head;
    s->attention_scale = 1 / sqrtf((float)s->head);
    /* As libllama: the largest Gemma 3, known by its layers, scales otherwise. */
    if (strcmp(s->arch, "gemma3") == 0 && s->n_layer == 62)
        s->attention_scale = 1 / sqrtf((float)row);
    return true;
}

/* ---- tensors ---- */

struct shape2 {
    int64_t ne0, ne1; /* ne1 of 1: a vector */
};

static const struct ggml_tensor *find(struct reader *r, const char *name)
{
    return ggml_get_tensor(r->meta, name);
}

/* The tensor and its bytes; NULL and err when it is not there or not as it should be. */
static const struct ggml_tensor *take(struct reader *r, const char *name,
                                      struct shape2 shape, const uint8_t **bytes)
{
    const struct ggml_tensor *tensor = find(r, name);
    int64_t index = gguf_find_tensor(r->gguf, name);
    if (!tensor || index < 0) {
        error_set(r->err, ERROR_FAILED_PRECONDITION,
                  "this base model cannot be tuned here: it has no tensor %s", name);
        return NULL;
    }
    size_t at = gguf_get_data_offset(r->gguf) + gguf_get_tensor_offset(r->gguf, index);
    size_t size = ggml_nbytes(tensor);
    if (tensor->ne[0] != shape.ne0 || tensor->ne[1] != shape.ne1 ||
        ggml_nelements(tensor) != shape.ne0 * shape.ne1 || at > r->file_size ||
        size > r->file_size - at) {
        error_set(r->err, ERROR_FAILED_PRECONDITION,
                  "this base model cannot be tuned here: %s has another shape than its "
                  "header says, or the file is cut short",
                  name);
        return NULL;
    }
    r->n_used++;
    *bytes = r->file + at;
    return tensor;
}

static struct ggml_tensor *vector(struct reader *r, const char *name, int64_t n)
{
    const uint8_t *bytes;
    const struct ggml_tensor *from = take(r, name, (struct shape2){n, 1}, &bytes);
    return from ? matrices_vector(r->matrices, from, bytes) : NULL;
}

/* A vector of a layer that the model may lack when `may`; false and err: it must not. */
static bool layer_vector(struct reader *r, int layer, const char *suffix, int64_t n,
                         bool may, struct ggml_tensor **into)
{
    char name[64];
    snprintf(name, sizeof(name), "blk.%d.%s", layer, suffix);
    if (may && !find(r, name))
        return true;
    *into = vector(r, name, n);
    return *into != NULL;
}

static bool linear(struct reader *r, struct base_linear *into, int64_t n_in,
                   int64_t n_out)
{
    const uint8_t *bytes;
    const struct ggml_tensor *from =
        take(r, into->name, (struct shape2){n_in, n_out}, &bytes);
    into->n_in = n_in;
    into->n_out = n_out;
    return from && matrices_add(r->matrices, from, bytes, &into->w, &into->back, r->err);
}

static bool read_layer(struct reader *r, int i)
{
    const struct base_shape *s = &r->base.shape;
    struct base_layer *layer = &r->base.layers[i];
    int64_t q = (int64_t)s->n_head * s->head, kv = (int64_t)s->n_kv * s->head;
    const struct shape2 shapes[LAYER_LINEARS] = {
        {s->n_embd, q},       {s->n_embd, kv},      {s->n_embd, kv},     {q, s->n_embd},
        {s->n_embd, s->n_ff}, {s->n_embd, s->n_ff}, {s->n_ff, s->n_embd}};
    layer->windowed = s->window > 0 && i % r->family->windows < r->family->windows - 1;
    for (int k = 0; k < LAYER_LINEARS; k++) {
        struct base_linear *into = &layer->linears[k];
        char bias[32];
        snprintf(into->name, sizeof(into->name), "blk.%d.%s.weight", i, linear_names[k]);
        snprintf(bias, sizeof(bias), "%s.bias", linear_names[k]);
        if (!linear(r, into, shapes[k].ne0, shapes[k].ne1))
            return false;
        if (r->family->biases && k <= LINEAR_V &&
            !layer_vector(r, i, bias, shapes[k].ne1, true, &into->bias))
            return false;
    }
    bool heads = r->family->head_norms, post = r->family->post_norms;
    return layer_vector(r, i, "attn_norm.weight", s->n_embd, false, &layer->attn_norm) &&
           layer_vector(r, i, "ffn_norm.weight", s->n_embd, false, &layer->ffn_norm) &&
           (!heads ||
            (layer_vector(r, i, "attn_q_norm.weight", s->head, false, &layer->q_norm) &&
             layer_vector(r, i, "attn_k_norm.weight", s->head, false, &layer->k_norm))) &&
           (!post || (layer_vector(r, i, "post_attention_norm.weight", s->n_embd, false,
                                   &layer->attn_post_norm) &&
                      layer_vector(r, i, "post_ffw_norm.weight", s->n_embd, false,
                                   &layer->ffn_post_norm)));
}

static bool read_ends(struct reader *r)
{
    struct base_shape *s = &r->base.shape;
    const struct ggml_tensor *embedding = find(r, "token_embd.weight");
    s->n_vocab = embedding && embedding->ne[1] <= SIZE_MOST ? (int)embedding->ne[1] : 0;
    r->embedding = take(r, "token_embd.weight", (struct shape2){s->n_embd, s->n_vocab},
                        &r->embedding_rows);
    if (!r->embedding)
        return false;
    if (r->embedding->type != GGML_TYPE_F32 &&
        !ggml_get_type_traits(r->embedding->type)->to_float)
        return refuse(r, "its embedding has a type that cannot be read");
    bool tied = !find(r, "output.weight");
    snprintf(r->base.head.name, sizeof(r->base.head.name), "%s",
             tied ? "token_embd.weight" : "output.weight");
    if (!linear(r, &r->base.head, s->n_embd, s->n_vocab))
        return false;
    r->n_used -= tied; /* counted twice */
    if (find(r, "rope_freqs.weight")) {
        r->base.rope_factors = vector(r, "rope_freqs.weight", s->n_rot / 2);
        if (!r->base.rope_factors)
            return false;
    }
    r->base.output_norm = vector(r, "output_norm.weight", s->n_embd);
    return r->base.output_norm;
}

/* A tensor that nobody asked for does something that we do not. */
static bool nothing_left(struct reader *r)
{
    int64_t n = gguf_get_n_tensors(r->gguf);
    if (r->n_used == n)
        return true;
    return error_set(r->err, ERROR_FAILED_PRECONDITION,
                     "this base model cannot be tuned here: %lld of its %lld tensors are "
                     "not those of its family",
                     (long long)(n - r->n_used), (long long)n);
}

/* ---- the file ---- */

static bool map_file(struct reader *r, const char *path)
{
    struct stat about;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) {
        if (fd >= 0)
            close(fd);
        return error_set(r->err, ERROR_NOT_FOUND, "cannot read the base model %s", path);
    }
    r->file_size = (size_t)about.st_size;
    void *file = mmap(NULL, r->file_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (file == MAP_FAILED)
        return error_set(r->err, ERROR_RESOURCE_EXHAUSTED, "cannot map %s: %m", path);
    r->file = file;
    struct gguf_init_params params = {.no_alloc = true, .ctx = &r->meta};
    r->gguf = gguf_init_from_file(path, params);
    return r->gguf || error_set(r->err, ERROR_FAILED_PRECONDITION,
                                "%s is not a GGUF file, or is cut short", path);
}

static bool read_all(struct reader *r, const char *path)
{
    if (!map_file(r, path) || !find_family(r) || !read_shape(r))
        return false;
    r->base.layers =
        arena_array(r->arena, struct base_layer, (size_t)r->base.shape.n_layer);
    r->matrices = matrices_open(r->n_threads);
    for (int i = 0; i < r->base.shape.n_layer; i++)
        if (!read_layer(r, i))
            return false;
    if (!read_ends(r) || !nothing_left(r) || !matrices_fill(r->matrices, r->err))
        return false;
    /* What is needed of the file from here on are a few rows of the embedding. */
    madvise((void *)(uintptr_t)r->file, r->file_size, MADV_DONTNEED);
    return true;
}

struct base *base_open(const char *path, int n_threads, struct error *err)
{
    struct arena *arena = arena_open();
    struct reader *r = arena_new(arena, struct reader);
    r->arena = arena;
    r->n_threads = n_threads;
    r->err = err;
    plug_panels();
    if (read_all(r, path))
        return &r->base;
    base_close(&r->base);
    return NULL;
}

void base_close(struct base *base)
{
    struct reader *r = (struct reader *)base;
    if (!r)
        return;
    matrices_close(r->matrices);
    if (r->gguf)
        gguf_free(r->gguf);
    if (r->meta)
        ggml_free(r->meta);
    if (r->file)
        munmap((void *)(uintptr_t)r->file, r->file_size);
    arena_close(r->arena);
}

void base_embed(const struct base *base, int32_t token, float *out)
{
    const struct reader *r = (const struct reader *)base;
    int64_t n = base->shape.n_embd;
    const uint8_t *row =
        r->embedding_rows + (size_t)token * ggml_row_size(r->embedding->type, n);
    if (r->embedding->type == GGML_TYPE_F32)
        memcpy(out, row, sizeof(float) * (size_t)n);
    else
        ggml_get_type_traits(r->embedding->type)->to_float(row, out, n);
    if (base->shape.embedding_scale != 1)
        for (int64_t i = 0; i < n; i++)
            out[i] *= base->shape.embedding_scale;
}
