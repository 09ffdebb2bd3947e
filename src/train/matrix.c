/* A transposed copy is made in strips of 32 rows of the original: they are unpacked to
 * floats, and 32 of them, one below the other, are one block of a row of the copy. */
#include "train/matrix.h"
#include "base/arena.h"
#include "train/memory.h"
#include <ggml-alloc.h>
#include <ggml-backend.h>
#include <ggml-cpu.h>
#include <pthread.h>
#include <stdlib.h>

enum { KINDS_MOST = 8, STRIP = 32, THREADS_MOST = 64 };

#define SPARE 0.5e9 /* bytes: for the adapter, its optimiser and what layers compute */

struct piece {
    struct ggml_tensor *is;
    const struct ggml_tensor *from;
    const uint8_t *bytes;
    bool transposed, vector;
    struct piece *next;
};

/* A kind of buffer, and what lies in it. */
struct place {
    ggml_backend_buffer_type_t type;
    struct ggml_context *ctx;
    ggml_backend_buffer_t buffer;
};

struct matrices {
    struct arena *arena;
    int n_threads;
    struct place places[KINDS_MOST]; /* the last one takes anything */
    int n_places;
    struct piece *first, **last;
};

static void add_place(struct matrices *m, ggml_backend_buffer_type_t type)
{
    struct ggml_init_params params = {.mem_size = ggml_tensor_overhead() * (1 << 14),
                                      .no_alloc = true};
    m->places[m->n_places++] = (struct place){.type = type, .ctx = ggml_init(params)};
}

struct matrices *matrices_open(int n_threads)
{
    struct arena *arena = arena_open();
    struct matrices *m = arena_new(arena, struct matrices);
    m->arena = arena;
    m->n_threads = n_threads < 1              ? 1
                   : n_threads > THREADS_MOST ? THREADS_MOST
                                              : n_threads;
    m->last = &m->first;
    ggml_backend_reg_t cpu = ggml_backend_cpu_reg();
    ggml_backend_dev_get_extra_bufts_t extras =
        (ggml_backend_dev_get_extra_bufts_t)ggml_backend_reg_get_proc_address(
            cpu, "ggml_backend_dev_get_extra_bufts");
    ggml_backend_buffer_type_t *types =
        extras ? extras(ggml_backend_reg_dev_get(cpu, 0)) : NULL;
    for (; types && *types && m->n_places < KINDS_MOST - 1; types++)
        add_place(m, *types);
    add_place(m, ggml_backend_cpu_buffer_type());
    return m;
}

void matrices_close(struct matrices *m)
{
    if (!m)
        return;
    for (int i = 0; i < m->n_places; i++) {
        if (m->places[i].buffer)
            ggml_backend_buffer_free(m->places[i].buffer);
        ggml_free(m->places[i].ctx);
    }
    arena_close(m->arena);
}

/* ---- adding ---- */

/* Whether products of such a matrix are computed from this kind of buffer: a product is
 * shown to the CPU's backend, as libllama does. */
static bool takes(const struct place *place, enum ggml_type type, int64_t n_in,
                  int64_t n_out)
{
    struct ggml_init_params params = {.mem_size = ggml_tensor_overhead() * 4,
                                      .no_alloc = true};
    struct ggml_context *ctx = ggml_init(params);
    struct ggml_tensor *w = ggml_new_tensor_2d(ctx, type, n_in, n_out);
    struct ggml_tensor *x = ggml_new_tensor_2d(ctx, GGML_TYPE_F32, n_in, 512);
    struct ggml_tensor *y = ggml_mul_mat(ctx, w, x);
    w->buffer = ggml_backend_buft_alloc_buffer(place->type, 0);
    bool good = ggml_backend_dev_supports_op(
        ggml_backend_reg_dev_get(ggml_backend_cpu_reg(), 0), y);
    ggml_backend_buffer_free(w->buffer);
    ggml_free(ctx);
    return good;
}

static struct piece *add(struct matrices *m, const struct ggml_tensor *from,
                         const uint8_t *bytes, enum ggml_type type, int64_t n_in,
                         int64_t n_out)
{
    int i = 0;
    while (i < m->n_places - 1 &&
           (n_out == 1 || !takes(&m->places[i], type, n_in, n_out)))
        i++;
    struct piece *piece = arena_new(m->arena, struct piece);
    piece->is = ggml_new_tensor_2d(m->places[i].ctx, type, n_in, n_out);
    piece->from = from;
    piece->bytes = bytes;
    *m->last = piece;
    m->last = &piece->next;
    return piece;
}

static bool readable(enum ggml_type type)
{
    return type == GGML_TYPE_F32 || ggml_get_type_traits(type)->to_float;
}

static enum ggml_type type_of_back(const struct ggml_tensor *from)
{
    if (!ggml_is_quantized(from->type))
        return from->type;
    return from->ne[1] % STRIP == 0 ? GGML_TYPE_Q8_0 : GGML_TYPE_F16;
}

bool matrices_add(struct matrices *m, const struct ggml_tensor *from,
                  const uint8_t *bytes, struct ggml_tensor **is,
                  struct ggml_tensor **back, struct error *err)
{
    if (!readable(from->type))
        return error_set(err, ERROR_FAILED_PRECONDITION,
                         "weights of type %s cannot be tuned here",
                         ggml_type_name(from->type));
    *is = add(m, from, bytes, from->type, from->ne[0], from->ne[1])->is;
    struct piece *other =
        add(m, from, bytes, type_of_back(from), from->ne[1], from->ne[0]);
    other->transposed = true;
    *back = other->is;
    return true;
}

struct ggml_tensor *matrices_vector(struct matrices *m, const struct ggml_tensor *from,
                                    const uint8_t *bytes)
{
    if (!readable(from->type))
        return NULL;
    struct piece *piece = add(m, from, bytes, GGML_TYPE_F32, from->ne[0], 1);
    piece->vector = true;
    return piece->is;
}

/* ---- filling ---- */

static void to_floats(enum ggml_type type, const void *from, float *to, int64_t n)
{
    if (type == GGML_TYPE_F32)
        memcpy(to, from, sizeof(float) * (size_t)n);
    else
        ggml_get_type_traits(type)->to_float(from, to, n);
}

struct turning {
    const struct piece *piece;
    uint8_t *to;
    int ith, nth;
};

/* Rows [o, o + n) of the original, as columns of the copy. */
static void turn_strip(const struct turning *t, int64_t o, int64_t n, float *floats)
{
    const struct ggml_tensor *from = t->piece->from, *is = t->piece->is;
    int64_t n_in = from->ne[0];
    size_t from_row = ggml_row_size(from->type, n_in),
           to_row = ggml_row_size(is->type, is->ne[0]), at = ggml_row_size(is->type, o);
    float column[STRIP];
    for (int64_t k = 0; k < n; k++)
        to_floats(from->type, t->piece->bytes + (size_t)(o + k) * from_row,
                  floats + k * n_in, n_in);
    for (int64_t i = 0; i < n_in; i++) {
        for (int64_t k = 0; k < n; k++)
            column[k] = floats[k * n_in + i];
        ggml_quantize_chunk(is->type, column, t->to + (size_t)i * to_row + at, 0, 1, n,
                            NULL);
    }
}

static void *turn_part(void *arg)
{
    const struct turning *t = arg;
    int64_t n_out = t->piece->from->ne[1], n_strips = (n_out + STRIP - 1) / STRIP;
    float *floats = mem_alloc(sizeof(float) * STRIP * (size_t)t->piece->from->ne[0]);
    for (int64_t s = n_strips * t->ith / t->nth; s < n_strips * (t->ith + 1) / t->nth;
         s++) {
        int64_t o = s * STRIP;
        turn_strip(t, o, n_out - o < STRIP ? n_out - o : STRIP, floats);
    }
    free(floats);
    return NULL;
}

static void turn(const struct matrices *m, const struct piece *piece, uint8_t *to)
{
    int n = m->n_threads;
    struct turning parts[THREADS_MOST] = {{piece, to, 0, n}};
    pthread_t threads[THREADS_MOST];
    for (int i = 1; i < n; i++)
        parts[i] = (struct turning){piece, to, i, n};
    int n_started = 1;
    while (n_started < n &&
           pthread_create(&threads[n_started], NULL, turn_part, &parts[n_started]) == 0)
        n_started++;
    turn_part(&parts[0]);
    for (int i = n_started; i < n; i++)
        turn_part(&parts[i]);
    for (int i = 1; i < n_started; i++)
        pthread_join(threads[i], NULL);
}

static void fill(const struct matrices *m, const struct piece *piece)
{
    size_t size = ggml_nbytes(piece->is);
    if (!piece->transposed && !piece->vector) {
        ggml_backend_tensor_set(piece->is, piece->bytes, 0, size);
        return;
    }
    uint8_t *made = mem_alloc(size);
    if (piece->vector)
        to_floats(piece->from->type, piece->bytes, (float *)(void *)made,
                  piece->from->ne[0]);
    else
        turn(m, piece, made);
    ggml_backend_tensor_set(piece->is, made, 0, size);
    free(made);
}

/* To be told is better than to be killed in the middle of it. */
static bool fits(const struct matrices *m, struct error *err)
{
    double needed = 0, largest = 0, free_now = memory_available();
    for (int i = 0; i < m->n_places; i++)
        needed += (double)ggml_backend_alloc_ctx_tensors_from_buft_size(
            m->places[i].ctx, m->places[i].type);
    for (const struct piece *piece = m->first; piece; piece = piece->next)
        if (piece->transposed && (double)ggml_nbytes(piece->is) > largest)
            largest = (double)ggml_nbytes(piece->is);
    needed += largest + SPARE;
    return needed <= free_now ||
           error_set(err, ERROR_RESOURCE_EXHAUSTED,
                     "training this base model takes about %.1f GB of memory and %.1f GB "
                     "are free; take a smaller base model, or end what else runs",
                     needed / 1e9, free_now / 1e9);
}

bool matrices_fill(struct matrices *m, struct error *err)
{
    if (!fits(m, err))
        return false;
    for (int i = 0; i < m->n_places; i++) {
        struct place *place = &m->places[i];
        if (!ggml_get_first_tensor(place->ctx))
            continue;
        place->buffer = ggml_backend_alloc_ctx_tensors_from_buft(place->ctx, place->type);
        if (!place->buffer)
            return error_set(err, ERROR_RESOURCE_EXHAUSTED,
                             "no memory for the base model's weights");
    }
    for (const struct piece *piece = m->first; piece; piece = piece->next)
        fill(m, piece);
    return true;
}
