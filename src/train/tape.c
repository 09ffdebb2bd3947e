/* Every kind of step is a row: how its gradients follow from that of what it made. What a
 * step needs of the way forward it has put into `saved`. */
#include "train/tape.h"
#include "base/arena.h"
#include <assert.h>

enum { INPUTS = 3, SAVED = 3 };

struct step {
    void (*back)(struct tape *tape, const struct step *step, struct ggml_tensor *dy);
    struct value *out, *in[INPUTS];
    struct ggml_tensor *saved[SAVED];
    struct linear linear;
    struct rope rope;
    float number; /* eps, or attention's scale */
    enum wide_gate act;
};

enum { STEPS = 64 };

struct tape {
    struct arena *arena;
    struct ggml_context *ctx;
    struct ggml_cgraph *graph;
    struct ggml_cgraph *back; /* while going backwards */
    struct step steps[STEPS];
    int n_steps;
};

struct tape *tape_open(struct ggml_context *ctx, int n_nodes)
{
    struct arena *arena = arena_open();
    struct tape *tape = arena_new(arena, struct tape);
    tape->arena = arena;
    tape->ctx = ctx;
    tape->graph = ggml_new_graph_custom(ctx, (size_t)n_nodes, false);
    return tape;
}

void tape_close(struct tape *tape)
{
    if (tape)
        arena_close(tape->arena);
}

struct ggml_cgraph *tape_graph(struct tape *tape)
{
    return tape->graph;
}

struct value *tape_input(struct tape *tape, struct ggml_tensor *is, bool wanted)
{
    struct value *value = arena_new(tape->arena, struct value);
    *value = (struct value){.is = is, .wanted = wanted};
    return value;
}

/* Records a step whose result is `is`; it is wanted when an input is. */
static struct step *record(struct tape *tape, struct step step, struct ggml_tensor *is)
{
    bool wanted = false;
    for (int i = 0; i < INPUTS; i++)
        wanted = wanted || (step.in[i] && step.in[i]->wanted);
    assert(tape->n_steps < STEPS);
    struct step *new = &tape->steps[tape->n_steps++];
    *new = step;
    new->out = tape_input(tape, is, wanted);
    ggml_build_forward_expand(tape->graph, is);
    return new;
}

static void add_grad(struct tape *tape, struct value *value, struct ggml_tensor *grad)
{
    value->grad = value->grad ? ggml_add(tape->ctx, value->grad, grad) : grad;
}

/* ---- our own operations in ggml's graph ---- */

static float *floats(const struct ggml_tensor *tensor)
{
    return tensor->data;
}

/* dst is (n, T); src: dst before, p (n, rank), h (rank, T). */
static void run_add_product(struct ggml_tensor *dst, int ith, int nth, void *arg)
{
    const struct lora *lora = arg;
    const struct ggml_tensor *p = dst->src[1], *h = dst->src[2];
    wide_add_product((struct wide_part){ith, nth}, floats(dst), floats(p), floats(h),
                     dst->ne[1], dst->ne[0], p->ne[1], lora->scale);
}

/* dst is (n, rank), a gradient; src: itself, x (n, T), d (rank, T). */
static void run_add_outer(struct ggml_tensor *dst, int ith, int nth, void *arg)
{
    const struct lora *lora = arg;
    const struct ggml_tensor *x = dst->src[1], *d = dst->src[2];
    wide_add_outer((struct wide_part){ith, nth}, floats(dst), floats(x), floats(d),
                   x->ne[1], x->ne[0], d->ne[0], lora->scale);
}

static const enum wide_gate acts[] = {WIDE_SILU, WIDE_GELU};

static void run_gate(struct ggml_tensor *dst, int ith, int nth, void *arg)
{
    wide_gate((struct wide_part){ith, nth}, *(const enum wide_gate *)arg,
              floats(dst->src[0]), floats(dst->src[1]), ggml_nelements(dst), floats(dst));
}

/* dst is (n_ff, T, 2): the gradients of gate and up. */
static void run_gate_back(struct ggml_tensor *dst, int ith, int nth, void *arg)
{
    int64_t n = ggml_nelements(dst->src[0]);
    wide_gate_back((struct wide_part){ith, nth}, *(const enum wide_gate *)arg,
                   floats(dst->src[0]), floats(dst->src[1]), floats(dst->src[2]), n,
                   floats(dst), floats(dst) + n);
}

static void run_transpose(struct ggml_tensor *dst, int ith, int nth, void *arg)
{
    (void)arg;
    const struct ggml_tensor *from = dst->src[0];
    wide_transpose((struct wide_part){ith, nth}, floats(from), floats(dst), from->ne[1],
                   from->ne[0], from->ne[2]);
}

static struct ggml_tensor *run(struct tape *tape, struct ggml_tensor *into,
                               struct ggml_tensor *one, struct ggml_tensor *other,
                               ggml_custom_op_t op, const void *arg)
{
    struct ggml_tensor *args[] = {one, other};
    return ggml_custom_inplace(tape->ctx, into, args, 2, op, GGML_N_TASKS_MAX,
                               (void *)(uintptr_t)arg);
}

/* (n, m, blocks) to (m, n, blocks) */
static struct ggml_tensor *transposed(struct tape *tape, struct ggml_tensor *x)
{
    assert(ggml_is_contiguous(x));
    return ggml_custom_4d(tape->ctx, GGML_TYPE_F32, x->ne[1], x->ne[0], x->ne[2], 1, &x,
                          1, run_transpose, GGML_N_TASKS_MAX, NULL);
}

/* ---- linear layers ---- */

static void linear_back(struct tape *tape, const struct step *step,
                        struct ggml_tensor *dy)
{
    const struct linear *linear = &step->linear;
    const struct lora *lora = linear->lora;
    struct value *x = step->in[0];
    struct ggml_tensor *dx =
        x->wanted ? ggml_mul_mat(tape->ctx, linear->back, dy) : NULL; /* (n_in, T) */
    if (lora) {
        struct ggml_tensor *h = step->saved[0];                        /* (rank, T) */
        struct ggml_tensor *dh = ggml_mul_mat(tape->ctx, lora->b, dy); /* (rank, T) */
        ggml_build_forward_expand(
            tape->back, run(tape, lora->grad_a, x->is, dh, run_add_outer, lora));
        ggml_build_forward_expand(tape->back,
                                  run(tape, lora->grad_b, dy, h, run_add_outer, lora));
        if (dx)
            dx = run(tape, dx, lora->a, dh, run_add_product, lora);
    }
    if (dx)
        add_grad(tape, x, dx);
}

struct value *tape_linear(struct tape *tape, const struct linear *linear, struct value *x)
{
    const struct lora *lora = linear->lora;
    struct step step = {.back = linear_back, .in = {x}, .linear = *linear};
    struct ggml_tensor *y = ggml_mul_mat(tape->ctx, linear->w, x->is); /* (n_out, T) */
    if (lora) {
        step.saved[0] = ggml_mul_mat(tape->ctx, lora->a, x->is); /* (rank, T) */
        y = run(tape, y, lora->b, step.saved[0], run_add_product, lora);
    }
    if (linear->bias)
        y = ggml_add(tape->ctx, y, linear->bias);
    struct step *new = record(tape, step, y);
    new->out->wanted = new->out->wanted || lora;
    return new->out;
}

/* ---- norms, sums, shapes, positions ---- */

static void norm_back(struct tape *tape, const struct step *step, struct ggml_tensor *dy)
{
    struct ggml_tensor *d = ggml_mul(tape->ctx, dy, step->saved[0]);
    add_grad(tape, step->in[0],
             ggml_rms_norm_back(tape->ctx, d, step->in[0]->is, step->number));
}

struct value *tape_norm(struct tape *tape, struct value *x, struct ggml_tensor *weight,
                        float eps)
{
    struct ggml_tensor *y =
        ggml_mul(tape->ctx, ggml_rms_norm(tape->ctx, x->is, eps), weight);
    return record(tape,
                  (struct step){
                      .back = norm_back, .in = {x}, .saved = {weight}, .number = eps},
                  y)
        ->out;
}

static void add_back(struct tape *tape, const struct step *step, struct ggml_tensor *dy)
{
    for (int i = 0; i < 2; i++)
        if (step->in[i]->wanted)
            add_grad(tape, step->in[i], dy);
}

struct value *tape_add(struct tape *tape, struct value *a, struct value *b)
{
    struct ggml_tensor *y = ggml_add(tape->ctx, a->is, b->is);
    return record(tape, (struct step){.back = add_back, .in = {a, b}}, y)->out;
}

static void reshape_back(struct tape *tape, const struct step *step,
                         struct ggml_tensor *dy)
{
    add_grad(tape, step->in[0], ggml_reshape(tape->ctx, dy, step->in[0]->is));
}

struct value *tape_reshape(struct tape *tape, struct value *x, int64_t ne0, int64_t ne1,
                           int64_t ne2)
{
    struct ggml_tensor *y = ggml_reshape_3d(tape->ctx, x->is, ne0, ne1, ne2);
    return record(tape, (struct step){.back = reshape_back, .in = {x}}, y)->out;
}

static void rope_back(struct tape *tape, const struct step *step, struct ggml_tensor *dy)
{
    const struct rope *r = &step->rope;
    add_grad(tape, step->in[0],
             ggml_rope_ext_back(tape->ctx, dy, r->positions, r->factors, r->n_dims,
                                r->mode, r->n_ctx, r->base, r->scale, 0, 1, 32, 1));
}

struct value *tape_rope(struct tape *tape, struct value *x, const struct rope *r)
{
    struct ggml_tensor *y =
        ggml_rope_ext(tape->ctx, x->is, r->positions, r->factors, r->n_dims, r->mode,
                      r->n_ctx, r->base, r->scale, 0, 1, 32, 1);
    return record(tape, (struct step){.back = rope_back, .in = {x}, .rope = *r}, y)->out;
}

/* ---- attention ----
 *
 * Heads that share a key and a value head lie side by side, so their rows are taken
 * together: (head, n_head, T) becomes (head, T * group, n_kv). Products are then as many
 * as there are key heads, and the sum over a group comes of itself. */

/* (head, n, T) to (head, T, n) and back */
static struct ggml_tensor *swapped(struct tape *tape, struct ggml_tensor *x)
{
    return ggml_cont(tape->ctx, ggml_permute(tape->ctx, x, 0, 2, 1, 3));
}

static struct ggml_tensor *grouped(struct tape *tape, struct ggml_tensor *x, int64_t n_kv)
{
    return ggml_reshape_3d(tape->ctx, x, x->ne[0], x->ne[1] * x->ne[2] / n_kv, n_kv);
}

/* Any (n, T * group, n_kv) back to (head, n_head, T). */
static struct ggml_tensor *ungrouped(struct tape *tape, struct ggml_tensor *x,
                                     const struct ggml_tensor *like)
{
    return swapped(tape,
                   ggml_reshape_3d(tape->ctx, x, like->ne[0], like->ne[2], like->ne[1]));
}

static void attend_back(struct tape *tape, const struct step *step,
                        struct ggml_tensor *dy)
{
    struct value *q = step->in[0], *k = step->in[1], *v = step->in[2];
    int64_t n_kv = k->is->ne[1];
    struct ggml_tensor *p = step->saved[0]; /* (T, T, n_head): seen, seeing */
    struct ggml_tensor *qs = grouped(tape, swapped(tape, q->is), n_kv);
    struct ggml_tensor *ks = swapped(tape, k->is), *vs = swapped(tape, v->is);
    struct ggml_tensor *ds = grouped(tape, swapped(tape, dy), n_kv);
    struct ggml_tensor *ps = grouped(tape, p, n_kv);
    struct ggml_tensor *dp = ggml_mul_mat(tape->ctx, vs, ds); /* (T, T * group, n_kv) */
    /* It may be put in dp's place, but must not be in p's, whose numbers it still reads:
     * ps is a view, and ggml's allocator gives away no views. */
    struct ggml_tensor *dscore =
        ggml_soft_max_ext_back(tape->ctx, dp, ps, step->number, 0);
    struct ggml_tensor *dq =
        ggml_mul_mat(tape->ctx, transposed(tape, ks), dscore); /* (head, T*group, n_kv) */
    struct ggml_tensor *dk = ggml_mul_mat(tape->ctx, transposed(tape, qs),
                                          transposed(tape, dscore)); /* (head, T, n_kv) */
    struct ggml_tensor *dv =
        ggml_mul_mat(tape->ctx, transposed(tape, ds), transposed(tape, ps));
    add_grad(tape, q, ungrouped(tape, dq, q->is));
    add_grad(tape, k, ungrouped(tape, dk, k->is));
    add_grad(tape, v, ungrouped(tape, dv, v->is));
}

struct value *tape_attend(struct tape *tape, const struct attention *a)
{
    struct ggml_tensor *q = a->q->is, *k = a->k->is, *v = a->v->is;
    int64_t n_kv = k->ne[1], n_head = q->ne[1], n_tokens = q->ne[2];
    struct ggml_tensor *qs = grouped(tape, swapped(tape, q), n_kv);
    struct ggml_tensor *score =
        ggml_mul_mat(tape->ctx, swapped(tape, k), qs); /* (T, T * group, n_kv) */
    score = ggml_reshape_3d(tape->ctx, score, n_tokens, n_tokens, n_head);
    struct ggml_tensor *p = ggml_soft_max_ext(tape->ctx, score, a->mask, a->scale, 0);
    struct ggml_tensor *y =
        ggml_mul_mat(tape->ctx, transposed(tape, swapped(tape, v)),
                     grouped(tape, p, n_kv)); /* (head, T * group, n_kv) */
    struct step step = {
        .back = attend_back,
        .in = {a->q, a->k, a->v},
        .saved = {p},
        .number = a->scale,
    };
    return record(tape, step, ungrouped(tape, y, q))->out; /* (head, n_head, T) */
}

/* ---- the gate ---- */

static void gate_back(struct tape *tape, const struct step *step, struct ggml_tensor *dy)
{
    struct value *gate = step->in[0], *up = step->in[1];
    int64_t n_ff = dy->ne[0], n_tokens = dy->ne[1];
    struct ggml_tensor *args[] = {gate->is, up->is, dy};
    struct ggml_tensor *both = ggml_custom_4d(tape->ctx, GGML_TYPE_F32, n_ff, n_tokens, 2,
                                              1, args, 3, run_gate_back, GGML_N_TASKS_MAX,
                                              (void *)(uintptr_t)&acts[step->act]);
    add_grad(tape, gate, ggml_view_2d(tape->ctx, both, n_ff, n_tokens, both->nb[1], 0));
    add_grad(tape, up,
             ggml_view_2d(tape->ctx, both, n_ff, n_tokens, both->nb[1], both->nb[2]));
}

struct value *tape_gate(struct tape *tape, enum wide_gate act, struct value *gate,
                        struct value *up)
{
    struct ggml_tensor *args[] = {gate->is, up->is};
    struct ggml_tensor *y = ggml_custom_4d(
        tape->ctx, GGML_TYPE_F32, gate->is->ne[0], gate->is->ne[1], 1, 1, args, 2,
        run_gate, GGML_N_TASKS_MAX, (void *)(uintptr_t)&acts[act]);
    return record(tape, (struct step){.back = gate_back, .in = {gate, up}, .act = act}, y)
        ->out;
}

/* ---- backwards ---- */

static void keep(struct ggml_tensor *tensor)
{
    if (!tensor || tensor->op == GGML_OP_NONE)
        return;
    for (; tensor; tensor = tensor->view_src)
        ggml_set_output(tensor);
}

void tape_keep(struct tape *tape)
{
    for (int i = 0; i < tape->n_steps; i++) {
        const struct step *step = &tape->steps[i];
        for (int k = 0; k < INPUTS; k++)
            if (step->in[k] && step->back != add_back && step->back != reshape_back &&
                step->back != rope_back)
                keep(step->in[k]->is);
        for (int k = 0; k < SAVED; k++)
            keep(step->saved[k]);
    }
}

static void settle(struct ggml_tensor *tensor)
{
    for (; tensor; tensor = tensor->view_src) {
        tensor->op = GGML_OP_NONE;
        memset(tensor->src, 0, sizeof(tensor->src));
    }
}

void tape_settle(struct tape *tape)
{
    for (int i = 0; i < tape->n_steps; i++) {
        settle(tape->steps[i].out->is);
        for (int k = 0; k < SAVED; k++)
            settle(tape->steps[i].saved[k]);
    }
}

void tape_backward(struct tape *tape, struct ggml_cgraph *graph, struct value *y,
                   struct ggml_tensor *dy)
{
    tape->back = graph;
    add_grad(tape, y, dy);
    for (int i = tape->n_steps - 1; i >= 0; i--) {
        const struct step *step = &tape->steps[i];
        if (step->out->wanted && step->out->grad)
            step->back(tape, step, step->out->grad);
    }
    tape->back = NULL;
}
