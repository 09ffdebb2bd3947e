/* One pack goes like this (T tokens, L layers):
 *
 *   x[0]     = embeddings                       (n_embd, T)
 *   x[i + 1] = layer i of x[i]                  a graph each; kept or not, see net.h
 *   rows of x[L] that have targets -> logits -> loss and dx[L], 64 rows at a time
 *   dx[i]    = layer i backwards, from x[i] and dx[i + 1]; gradients of its LoRA pairs
 *
 * x, dx, masks and positions lie in one buffer that grows when a pack is larger than all
 * before. Each graph gets its memory from ggml's allocator, which lets tensors that are
 * not needed at the same time share it. */
#include "train/net.h"
#include "train/layer.h"
#include <ggml-alloc.h>
#include <ggml-backend.h>
#include <ggml-cpu.h>
#include <math.h>
#include <stdlib.h>

enum { HEAD_ROWS = 64 };

/* A layer's graph, there and, when it is kept, its tape until it went back. */
struct pass {
    struct ggml_context *ctx;
    struct tape *tape;
    struct value *x, *y;
};

struct net {
    struct arena *arena;
    const struct base *base;
    const struct adapter *adapter;
    size_t keep_most;
    ggml_backend_t cpu;
    ggml_gallocr_t there, back, head, *kept; /* one of `kept` for each layer */
    struct pass *passes;                     /* one for each layer */
    struct ggml_context *inputs_ctx;         /* of the pack: */
    ggml_backend_buffer_t inputs_buffer;
    struct layer_inputs inputs;
    struct ggml_tensor **x, *dx[2]; /* (n_embd, T); x: n_layer + 1 of them */
    bool keeps;                     /* this pack */
};

static struct ggml_context *context(size_t n_tensors, size_t n_graphs)
{
    struct ggml_init_params params = {
        .mem_size = ggml_tensor_overhead() * n_tensors +
                    ggml_graph_overhead_custom(LAYER_NODES, false) * n_graphs,
        .no_alloc = true};
    return ggml_init(params);
}

static ggml_gallocr_t allocator(void)
{
    return ggml_gallocr_new(ggml_backend_cpu_buffer_type());
}

struct net *net_open(const struct base *base, const struct adapter *adapter,
                     const struct net_options *options, struct error *err)
{
    struct arena *arena = arena_open();
    struct net *net = arena_new(arena, struct net);
    size_t n_layer = (size_t)base->shape.n_layer;
    net->arena = arena;
    net->base = base;
    net->adapter = adapter;
    net->keep_most = options->keep_most ? options->keep_most : NET_KEEP;
    net->kept = arena_array(arena, ggml_gallocr_t, n_layer);
    net->passes = arena_array(arena, struct pass, n_layer);
    net->x = arena_array(arena, struct ggml_tensor *, n_layer + 1);
    net->cpu = ggml_backend_cpu_init();
    net->there = allocator();
    net->back = allocator();
    net->head = allocator();
    for (size_t i = 0; i < n_layer; i++)
        net->kept[i] = allocator();
    if (net->cpu) {
        ggml_backend_cpu_set_n_threads(net->cpu, options->n_threads);
        return net;
    }
    error_set(err, ERROR_INTERNAL, "ggml has no CPU backend");
    net_close(net);
    return NULL;
}

static void drop_pass(struct pass *pass)
{
    tape_close(pass->tape);
    if (pass->ctx)
        ggml_free(pass->ctx);
    *pass = (struct pass){0};
}

void net_close(struct net *net)
{
    if (!net)
        return;
    for (int i = 0; i < net->base->shape.n_layer; i++) {
        drop_pass(&net->passes[i]);
        ggml_gallocr_free(net->kept[i]);
    }
    ggml_gallocr_free(net->there);
    ggml_gallocr_free(net->back);
    ggml_gallocr_free(net->head);
    if (net->inputs_ctx)
        ggml_free(net->inputs_ctx);
    if (net->inputs_buffer)
        ggml_backend_buffer_free(net->inputs_buffer);
    if (net->cpu)
        ggml_backend_free(net->cpu);
    arena_close(net->arena);
}

int net_kept_tokens(const struct net *net)
{
    int n = 16;
    while (n < 4096 && layer_kept(net->base, n + 16) <= (double)net->keep_most)
        n += 16;
    return n;
}

static bool compute(struct net *net, ggml_gallocr_t memory, struct ggml_cgraph *graph,
                    struct error *err)
{
    if (!ggml_gallocr_alloc_graph(memory, graph))
        return error_set(err, ERROR_RESOURCE_EXHAUSTED,
                         "no memory for %d nodes of a layer; shorter examples need less",
                         ggml_graph_n_nodes(graph));
    if (ggml_backend_graph_compute(net->cpu, graph) == GGML_STATUS_SUCCESS)
        return true;
    return error_set(err, ERROR_RESOURCE_EXHAUSTED, "a layer could not be computed");
}

/* ---- what a pack brings ---- */

static bool place_inputs(struct net *net, struct error *err)
{
    ggml_backend_buffer_type_t type = ggml_backend_cpu_buffer_type();
    size_t size = ggml_backend_alloc_ctx_tensors_from_buft_size(net->inputs_ctx, type);
    if (!net->inputs_buffer || ggml_backend_buffer_get_size(net->inputs_buffer) < size) {
        if (net->inputs_buffer)
            ggml_backend_buffer_free(net->inputs_buffer);
        net->inputs_buffer = ggml_backend_buft_alloc_buffer(type, size);
        if (!net->inputs_buffer)
            return error_set(err, ERROR_RESOURCE_EXHAUSTED,
                             "no memory for the inputs of the layers");
    }
    struct ggml_tallocr place = ggml_tallocr_new(net->inputs_buffer);
    for (struct ggml_tensor *t = ggml_get_first_tensor(net->inputs_ctx); t;
         t = ggml_get_next_tensor(net->inputs_ctx, t))
        ggml_tallocr_alloc(&place, t);
    return true;
}

static bool open_inputs(struct net *net, const struct pack *pack, struct error *err)
{
    const struct base_shape *s = &net->base->shape;
    if (net->inputs_ctx)
        ggml_free(net->inputs_ctx);
    struct ggml_context *ctx = net->inputs_ctx = context((size_t)s->n_layer + 8, 0);
    for (int i = 0; i <= s->n_layer; i++)
        net->x[i] = ggml_new_tensor_2d(ctx, GGML_TYPE_F32, s->n_embd, pack->n);
    for (int i = 0; i < 2; i++)
        net->dx[i] = ggml_new_tensor_2d(ctx, GGML_TYPE_F32, s->n_embd, pack->n);
    struct layer_inputs *in = &net->inputs;
    in->positions = ggml_new_tensor_1d(ctx, GGML_TYPE_I32, pack->n);
    in->mask = ggml_new_tensor_2d(ctx, GGML_TYPE_F32, pack->n, pack->n);
    in->window =
        s->window ? ggml_new_tensor_2d(ctx, GGML_TYPE_F32, pack->n, pack->n) : NULL;
    if (!place_inputs(net, err))
        return false;
    memcpy(in->positions->data, pack->positions, ggml_nbytes(in->positions));
    pack_mask(pack, 0, in->mask->data);
    if (in->window)
        pack_mask(pack, s->window, in->window->data);
    for (int i = 0; i < pack->n; i++)
        base_embed(net->base, pack->tokens[i],
                   (float *)net->x[0]->data + (size_t)i * (size_t)s->n_embd);
    return true;
}

/* ---- layers ---- */

static void begin_pass(struct net *net, int layer, struct pass *pass)
{
    pass->ctx = context((size_t)LAYER_NODES * 2, 2);
    pass->tape = tape_open(pass->ctx, LAYER_NODES);
    pass->x = tape_input(pass->tape, net->x[layer], layer > 0);
    pass->y =
        layer_build(pass->tape, net->base, net->adapter, layer, &net->inputs, pass->x);
}

static bool layer_there(struct net *net, int layer, struct error *err)
{
    struct pass *pass = &net->passes[layer];
    begin_pass(net, layer, pass);
    struct ggml_cgraph *graph = tape_graph(pass->tape);
    ggml_build_forward_expand(graph, ggml_cpy(pass->ctx, pass->y->is, net->x[layer + 1]));
    if (net->keeps)
        tape_keep(pass->tape);
    bool good = compute(net, net->keeps ? net->kept[layer] : net->there, graph, err);
    if (good && net->keeps)
        tape_settle(pass->tape);
    else
        drop_pass(pass);
    return good;
}

/* From dx[from] to dx[!from]. The first layer's input is not learned. */
static bool layer_back(struct net *net, int layer, int from, struct error *err)
{
    struct pass *pass = &net->passes[layer];
    if (!net->keeps)
        begin_pass(net, layer, pass);
    struct ggml_cgraph *graph = net->keeps
                                    ? ggml_new_graph_custom(pass->ctx, LAYER_NODES, false)
                                    : tape_graph(pass->tape);
    tape_backward(pass->tape, graph, pass->y, net->dx[from]);
    if (layer > 0)
        ggml_build_forward_expand(graph,
                                  ggml_cpy(pass->ctx, pass->x->grad, net->dx[!from]));
    bool good = compute(net, net->back, graph, err);
    drop_pass(pass);
    return good;
}

static bool layers_there(struct net *net, const struct pack *pack, bool learn,
                         struct error *err)
{
    net->keeps = learn && layer_kept(net->base, pack->n) <= (double)net->keep_most;
    if (!open_inputs(net, pack, err))
        return false;
    for (int i = 0; i < net->base->shape.n_layer; i++)
        if (!layer_there(net, i, err))
            return false;
    return true;
}

/* ---- the head ---- */

/* Some targets, and what came of them. */
struct loss {
    const struct target *targets;
    double nats[HEAD_ROWS];
};

/* Logits (n_vocab, R) become their gradient. */
static void run_loss(struct ggml_tensor *dst, int ith, int nth, void *arg)
{
    struct loss *loss = arg;
    for (int64_t r = ith; r < dst->ne[1]; r += nth)
        loss->nats[r] =
            wide_cross_entropy((float *)dst->data + r * dst->ne[0], dst->ne[0],
                               loss->targets[r].token, loss->targets[r].weight);
}

/* A row of x[L] for each target, and the way back of its gradient. */
static float *row_of(struct ggml_tensor *x, int row)
{
    return (float *)x->data + (size_t)row * (size_t)x->ne[0];
}

struct head {
    struct ggml_context *ctx;
    struct tape *tape;
    ggml_backend_buffer_t rows_buffer;
    struct value *x, *logits;
};

static bool begin_head(struct net *net, const struct target *targets, int n,
                       struct head *head, struct error *err)
{
    int n_embd = net->base->shape.n_embd;
    struct ggml_tensor *last = net->x[net->base->shape.n_layer];
    head->ctx = context(64, 1);
    struct ggml_tensor *rows = ggml_new_tensor_2d(head->ctx, GGML_TYPE_F32, n_embd, n);
    head->rows_buffer =
        ggml_backend_buft_alloc_buffer(ggml_backend_cpu_buffer_type(), ggml_nbytes(rows));
    if (!head->rows_buffer)
        return error_set(err, ERROR_RESOURCE_EXHAUSTED, "no memory for the last layer");
    ggml_backend_tensor_alloc(head->rows_buffer, rows,
                              ggml_backend_buffer_get_base(head->rows_buffer));
    for (int i = 0; i < n; i++)
        memcpy(row_of(rows, i), row_of(last, targets[i].row),
               sizeof(float) * (size_t)n_embd);
    head->tape = tape_open(head->ctx, LAYER_NODES);
    head->x = tape_input(head->tape, rows, true);
    head->logits = layer_head(head->tape, net->base, head->x);
    return true;
}

static void end_head(struct head *head)
{
    tape_close(head->tape);
    if (head->rows_buffer)
        ggml_backend_buffer_free(head->rows_buffer);
    ggml_free(head->ctx);
}

/* Adds to dx what n targets give, and to *nats. */
static bool head_learn(struct net *net, const struct target *targets, int n,
                       struct ggml_tensor *dx, double *nats, struct error *err)
{
    struct head head = {0};
    struct loss loss = {.targets = targets};
    if (!begin_head(net, targets, n, &head, err)) {
        end_head(&head);
        return false;
    }
    struct ggml_cgraph *graph = tape_graph(head.tape);
    struct ggml_tensor *d = ggml_custom_inplace(head.ctx, head.logits->is, NULL, 0,
                                                run_loss, GGML_N_TASKS_MAX, &loss);
    tape_backward(head.tape, graph, head.logits, d);
    ggml_set_output(head.x->grad);
    ggml_build_forward_expand(graph, head.x->grad);
    bool good = compute(net, net->head, graph, err);
    for (int i = 0; good && i < n; i++) {
        const float *from = row_of(head.x->grad, i);
        float *to = row_of(dx, targets[i].row);
        for (int64_t k = 0; k < dx->ne[0]; k++)
            to[k] += from[k];
        *nats += loss.nats[i];
    }
    end_head(&head);
    return good;
}

static bool head_logits(struct net *net, const struct target *targets, int n,
                        float *logits, struct error *err)
{
    struct head head = {0};
    bool good = begin_head(net, targets, n, &head, err);
    if (good) {
        ggml_set_output(head.logits->is);
        good = compute(net, net->head, tape_graph(head.tape), err);
    }
    if (good)
        memcpy(logits, head.logits->is->data, ggml_nbytes(head.logits->is));
    end_head(&head);
    return good;
}

/* ---- a pack ---- */

static int some(const struct pack *pack, int from)
{
    return pack->n_targets - from < HEAD_ROWS ? pack->n_targets - from : HEAD_ROWS;
}

static bool learn(struct net *net, const struct pack *pack, double *loss,
                  struct error *err)
{
    int at = 0; /* which of the two dx is full */
    if (!layers_there(net, pack, true, err))
        return false;
    memset(net->dx[at]->data, 0, ggml_nbytes(net->dx[at]));
    for (int i = 0; i < pack->n_targets; i += HEAD_ROWS)
        if (!head_learn(net, pack->targets + i, some(pack, i), net->dx[at], loss, err))
            return false;
    for (int i = net->base->shape.n_layer - 1; i >= 0; i--, at = !at)
        if (!layer_back(net, i, at, err))
            return false;
    return true;
}

bool net_learn(struct net *net, const struct pack *pack, double *loss, struct error *err)
{
    *loss = 0;
    bool good = learn(net, pack, loss, err);
    for (int i = 0; i < net->base->shape.n_layer; i++)
        drop_pass(&net->passes[i]);
    return good;
}

bool net_logits(struct net *net, const struct pack *pack, float *logits,
                struct error *err)
{
    if (!layers_there(net, pack, false, err))
        return false;
    for (int i = 0; i < pack->n_targets; i += HEAD_ROWS)
        if (!head_logits(net, pack->targets + i, some(pack, i),
                         logits + (size_t)i * (size_t)net->base->shape.n_vocab, err))
            return false;
    return true;
}
