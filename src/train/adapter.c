#include "train/adapter.h"
#include "train/random.h"
#include "train/safe.h"
#include "train/spec.h"
#include <ggml-backend.h>
#include <gguf.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct whole {
    struct adapter adapter; /* first: what callers see */
    struct arena *arena;
    struct ggml_context *ctx;
    ggml_backend_buffer_t buffer, grad_buffer;
};

enum { LINE = 16 }; /* floats: tensors begin at whole cache lines */

static size_t room_for(int64_t n_floats)
{
    return ((size_t)n_floats + LINE - 1) / LINE * LINE;
}

static const struct base_linear *linear_of(const struct base *base, int pair)
{
    return &base->layers[pair / LAYER_LINEARS].linears[pair % LAYER_LINEARS];
}

static size_t count(const struct base *base, int n_pairs, int rank)
{
    size_t n = 0;
    for (int i = 0; i < n_pairs; i++)
        n += room_for(linear_of(base, i)->n_in * rank) +
             room_for(linear_of(base, i)->n_out * rank);
    return n;
}

static float *floats(size_t n)
{
    float *at = aligned_alloc(LINE * sizeof(float), n * sizeof(float));
    if (!at) { /* as base/arena.h has it; what it needs was estimated before */
        fprintf(stderr, "pollux: out of memory for an adapter\n");
        abort();
    }
    memset(at, 0, n * sizeof(float));
    return at;
}

static struct ggml_tensor *tensor(struct whole *w, ggml_backend_buffer_t buffer,
                                  int64_t n, float *at)
{
    struct ggml_tensor *t = ggml_new_tensor_2d(w->ctx, GGML_TYPE_F32, n, w->adapter.rank);
    ggml_backend_tensor_alloc(buffer, t, at);
    return t;
}

static void make_pair(struct whole *w, struct lora *pair,
                      const struct base_linear *linear, size_t *at)
{
    struct adapter *a = &w->adapter;
    size_t b = *at + room_for(linear->n_in * a->rank);
    pair->scale = a->alpha / (float)a->rank;
    pair->a = tensor(w, w->buffer, linear->n_in, a->values + *at);
    pair->grad_a = tensor(w, w->grad_buffer, linear->n_in, a->grads + *at);
    pair->b = tensor(w, w->buffer, linear->n_out, a->values + b);
    pair->grad_b = tensor(w, w->grad_buffer, linear->n_out, a->grads + b);
    *at = b + room_for(linear->n_out * a->rank);
}

struct adapter *adapter_new(const struct base *base, int rank, float alpha, uint64_t seed)
{
    struct arena *arena = arena_open();
    struct whole *w = arena_new(arena, struct whole);
    struct adapter *a = &w->adapter;
    w->arena = arena;
    a->rank = rank;
    a->alpha = alpha;
    a->n_pairs = base->shape.n_layer * LAYER_LINEARS;
    a->n = count(base, a->n_pairs, rank);
    a->pairs = arena_array(arena, struct lora, (size_t)a->n_pairs);
    a->values = floats(a->n);
    a->grads = floats(a->n);
    struct ggml_init_params params = {
        .mem_size = ggml_tensor_overhead() * 4 * (size_t)a->n_pairs, .no_alloc = true};
    w->ctx = ggml_init(params);
    w->buffer = ggml_backend_cpu_buffer_from_ptr(a->values, a->n * sizeof(float));
    w->grad_buffer = ggml_backend_cpu_buffer_from_ptr(a->grads, a->n * sizeof(float));
    size_t at = 0;
    for (int i = 0; i < a->n_pairs; i++) {
        const struct base_linear *linear = linear_of(base, i);
        struct random random = random_of(seed, (uint64_t)i);
        float reach = 1 / sqrtf((float)linear->n_in);
        make_pair(w, &a->pairs[i], linear, &at);
        float *values = a->pairs[i].a->data;
        for (int64_t k = 0; k < linear->n_in * rank; k++)
            values[k] = reach * (float)(2 * random_unit(&random) - 1);
    }
    return a;
}

void adapter_close(struct adapter *adapter)
{
    struct whole *w = (struct whole *)adapter;
    if (!w)
        return;
    ggml_backend_buffer_free(w->buffer);
    ggml_backend_buffer_free(w->grad_buffer);
    ggml_free(w->ctx);
    free(adapter->values);
    free(adapter->grads);
    arena_close(w->arena);
}

/* B lies in a file row by row of its outputs: (rank, n_out). */
static void turn_b(const float *from, float *to, int64_t n_from, int64_t n_rows)
{
    for (int64_t j = 0; j < n_rows; j++)
        for (int64_t i = 0; i < n_from; i++)
            to[i * n_rows + j] = from[j * n_from + i];
}

/* ---- reading ---- */

struct file {
    struct gguf_context *gguf;
    struct ggml_context *ctx; /* with the tensors' data */
    const char *path;
    struct error *err;
};

static bool refuse(const struct file *file, const char *why)
{
    return error_set(file->err, ERROR_INVALID_ARGUMENT, "the adapter %s %s", file->path,
                     why);
}

static bool is_key(const struct file *file, const char *key, const char *value)
{
    int64_t at = gguf_find_key(file->gguf, key);
    return at >= 0 && gguf_get_kv_type(file->gguf, at) == GGUF_TYPE_STRING &&
           strcmp(gguf_get_val_str(file->gguf, at), value) == 0;
}

static struct ggml_tensor *half(const struct file *file, const struct base_linear *linear,
                                const char *suffix)
{
    char name[80];
    snprintf(name, sizeof(name), "%s.lora_%s", linear->name, suffix);
    return ggml_get_tensor(file->ctx, name);
}

/* The rank of its pairs, which must be of this base; 0 (refuse()'s false) and err: not
 * so. */
static int rank_of(const struct file *file, const struct base *base, int n_pairs)
{
    int64_t rank = 0, n_found = 0;
    for (int i = 0; i < n_pairs; i++) {
        const struct base_linear *linear = linear_of(base, i);
        const struct ggml_tensor *a = half(file, linear, "a"),
                                 *b = half(file, linear, "b");
        if (!a && !b)
            continue;
        n_found += 2;
        if (!a || !b || a->ne[0] != linear->n_in || b->ne[1] != linear->n_out ||
            a->ne[1] != b->ne[0] || (rank && rank != a->ne[1]))
            return refuse(file, "has pairs of other shapes than this base model wants");
        rank = a->ne[1];
    }
    if (n_found == 0 || n_found != gguf_get_n_tensors(file->gguf))
        return refuse(file, "changes tensors that this base model does not have, or that "
                            "are not trained here");
    if (rank < 1 || rank > TRAIN_RANK_MOST)
        return refuse(file, "has a rank that is not possible here");
    return (int)rank;
}

static bool to_floats(const struct ggml_tensor *from, float *to)
{
    const struct ggml_type_traits *traits = ggml_get_type_traits(from->type);
    if (from->type == GGML_TYPE_F32)
        memcpy(to, from->data, ggml_nbytes(from));
    else if (traits->to_float)
        traits->to_float(from->data, to, ggml_nelements(from));
    else
        return false;
    return true;
}

static bool read_pairs(const struct file *file, const struct base *base,
                       struct adapter *adapter)
{
    for (int i = 0; i < adapter->n_pairs; i++) {
        const struct base_linear *linear = linear_of(base, i);
        const struct ggml_tensor *a = half(file, linear, "a"),
                                 *b = half(file, linear, "b");
        if (!a)
            continue;
        float *turned = mem_alloc(sizeof(float) * (size_t)ggml_nelements(b));
        bool good = to_floats(a, adapter->pairs[i].a->data) && to_floats(b, turned);
        if (good)
            turn_b(turned, adapter->pairs[i].b->data, adapter->rank, linear->n_out);
        free(turned);
        if (!good)
            return refuse(file, "has numbers of a type that cannot be read");
    }
    return true;
}

static struct adapter *load(const struct file *file, const struct base *base,
                            uint64_t seed)
{
    int64_t key = gguf_find_key(file->gguf, "adapter.lora.alpha");
    if (!is_key(file, "general.type", "adapter") ||
        !is_key(file, "adapter.type", "lora") || key < 0 ||
        gguf_get_kv_type(file->gguf, key) != GGUF_TYPE_FLOAT32) {
        refuse(file, "is not a LoRA adapter");
        return NULL;
    }
    if (!is_key(file, "general.architecture", base->shape.arch)) {
        refuse(file, "belongs to another architecture than the base model");
        return NULL;
    }
    int rank = rank_of(file, base, base->shape.n_layer * LAYER_LINEARS);
    if (rank == 0)
        return NULL;
    float alpha = gguf_get_val_f32(file->gguf, key);
    struct adapter *adapter = /* libllama takes no alpha to mean a scale of 1 */
        adapter_new(base, rank, alpha != 0 ? alpha : (float)rank, seed);
    if (read_pairs(file, base, adapter))
        return adapter;
    adapter_close(adapter);
    return NULL;
}

struct adapter *adapter_load(const struct base *base, const char *path, uint64_t seed,
                             struct error *err)
{
    struct file file = {.path = path, .err = err};
    struct gguf_init_params params = {.no_alloc = false, .ctx = &file.ctx};
    file.gguf = gguf_init_from_file(path, params);
    if (!file.gguf) {
        refuse(&file, "cannot be read, or is not a GGUF file");
        return NULL;
    }
    struct adapter *adapter = load(&file, base, seed);
    gguf_free(file.gguf);
    ggml_free(file.ctx);
    return adapter;
}

/* ---- writing ---- */

static void add_half(struct gguf_context *gguf, struct ggml_context *ctx,
                     const struct base_linear *linear, const char *suffix, int64_t ne0,
                     int64_t ne1, float *data)
{
    struct ggml_tensor *t = ggml_new_tensor_2d(ctx, GGML_TYPE_F32, ne0, ne1);
    ggml_format_name(t, "%s.lora_%s", linear->name, suffix);
    t->data = data;
    gguf_add_tensor(gguf, t);
}

bool adapter_save(const struct adapter *adapter, const struct base *base,
                  const char *path, struct error *err)
{
    struct gguf_context *gguf = gguf_init_empty();
    struct ggml_init_params params = {.mem_size = ggml_tensor_overhead() * 2 *
                                                  (size_t)adapter->n_pairs,
                                      .no_alloc = true};
    struct ggml_context *ctx = ggml_init(params);
    float *turned = mem_alloc(sizeof(float) * adapter->n), *to = turned;
    gguf_set_val_str(gguf, "general.architecture", base->shape.arch);
    gguf_set_val_str(gguf, "general.type", "adapter");
    gguf_set_val_str(gguf, "adapter.type", "lora");
    gguf_set_val_f32(gguf, "adapter.lora.alpha", adapter->alpha);
    for (int i = 0; i < adapter->n_pairs; i++) {
        const struct base_linear *linear = linear_of(base, i);
        const struct lora *pair = &adapter->pairs[i];
        add_half(gguf, ctx, linear, "a", linear->n_in, adapter->rank, pair->a->data);
        turn_b(pair->b->data, to, linear->n_out, adapter->rank);
        add_half(gguf, ctx, linear, "b", adapter->rank, linear->n_out, to);
        to += linear->n_out * adapter->rank;
    }
    struct safe_file file;
    bool good =
        safe_open(&file, path, err) &&
        (gguf_write_to_file_ptr(gguf, file.stream, false) || safe_fail(&file, err)) &&
        safe_commit(&file, err);
    free(turned);
    ggml_free(ctx);
    gguf_free(gguf);
    return good;
}
