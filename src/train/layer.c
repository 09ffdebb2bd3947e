#include "train/layer.h"

struct building {
    struct tape *tape;
    const struct base *base;
    const struct base_layer *layer;
    const struct lora *pairs; /* of this layer; NULL: none */
    struct rope rope;
    const struct layer_inputs *inputs;
};

static struct value *linear(struct building *b, enum which_linear which, struct value *x)
{
    const struct base_linear *of = &b->layer->linears[which];
    struct linear linear = {of->w, of->back, of->bias,
                            b->pairs ? b->pairs + which : NULL};
    return tape_linear(b->tape, &linear, x);
}

static struct value *norm(struct building *b, struct value *x, struct ggml_tensor *weight)
{
    return weight ? tape_norm(b->tape, x, weight, b->base->shape.eps) : x;
}

/* A linear layer's result in heads (head, n, T), normed and turned by position. */
static struct value *heads(struct building *b, enum which_linear which, struct value *x,
                           int n, struct ggml_tensor *head_norm)
{
    struct value *y =
        tape_reshape(b->tape, linear(b, which, x), b->base->shape.head, n, x->is->ne[1]);
    return which == LINEAR_V ? y : tape_rope(b->tape, norm(b, y, head_norm), &b->rope);
}

static struct value *attention(struct building *b, struct value *x)
{
    const struct base_shape *s = &b->base->shape;
    const struct base_layer *layer = b->layer;
    struct attention attention = {
        .q = heads(b, LINEAR_Q, x, s->n_head, layer->q_norm),
        .k = heads(b, LINEAR_K, x, s->n_kv, layer->k_norm),
        .v = heads(b, LINEAR_V, x, s->n_kv, NULL),
        .mask = layer->windowed ? b->inputs->window : b->inputs->mask,
        .scale = s->attention_scale,
    };
    struct value *y = tape_attend(b->tape, &attention);
    y = tape_reshape(b->tape, y, (int64_t)s->n_head * s->head, x->is->ne[1], 1);
    return linear(b, LINEAR_O, y);
}

static struct value *feed_forward(struct building *b, struct value *x)
{
    struct value *gate = linear(b, LINEAR_GATE, x), *up = linear(b, LINEAR_UP, x);
    return linear(b, LINEAR_DOWN, tape_gate(b->tape, b->base->shape.act, gate, up));
}

struct value *layer_build(struct tape *tape, const struct base *base,
                          const struct adapter *adapter, int layer,
                          const struct layer_inputs *inputs, struct value *x)
{
    const struct base_shape *s = &base->shape;
    const struct base_layer *of = &base->layers[layer];
    struct building b = {
        .tape = tape,
        .base = base,
        .layer = of,
        .pairs = adapter ? &adapter->pairs[(size_t)layer * LAYER_LINEARS] : NULL,
        .inputs = inputs,
        .rope = {.positions = inputs->positions,
                 .factors = base->rope_factors,
                 .n_dims = s->n_rot,
                 .mode = s->rope_mode,
                 .n_ctx = s->n_ctx,
                 .base = of->windowed ? s->window_rope_base : s->rope_base,
                 .scale = of->windowed ? 1 : s->rope_scale},
    };
    struct value *y = attention(&b, norm(&b, x, of->attn_norm));
    x = tape_add(tape, norm(&b, y, of->attn_post_norm), x);
    y = feed_forward(&b, norm(&b, x, of->ffn_norm));
    return tape_add(tape, norm(&b, y, of->ffn_post_norm), x);
}

struct value *layer_head(struct tape *tape, const struct base *base, struct value *x)
{
    struct linear head = {base->head.w, base->head.back, NULL, NULL};
    return tape_linear(tape, &head,
                       tape_norm(tape, x, base->output_norm, base->shape.eps));
}

double layer_kept(const struct base *base, int n_tokens)
{
    const struct base_shape *s = &base->shape;
    double q = (double)s->n_head * s->head, kv = (double)s->n_kv * s->head;
    double row = 8.0 * s->n_embd + 5 * q + 4 * kv + 4.0 * s->n_ff;
    double seen = 2.0 * s->n_head * n_tokens;
    return (row + seen) * n_tokens * (double)sizeof(float) * s->n_layer;
}
