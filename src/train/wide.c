/* Written with GCC's vector types: sixteen floats, which the compiler makes one register
 * of where there is one, and two or four where there is not. What does not fill sixteen
 * goes through load_some() and store_some(), so that there is one loop and not two. */
#include "train/wide.h"
#include <math.h>
#include <stddef.h>
#include <string.h>

enum { W = 16 };
typedef float wide __attribute__((vector_size(64)));
typedef int32_t wide_int __attribute__((vector_size(64)));

static inline wide load(const float *from)
{
    wide v;
    memcpy(&v, from, sizeof(v));
    return v;
}

static inline void store(float *to, wide v)
{
    memcpy(to, &v, sizeof(v));
}

static inline wide load_some(const float *from, int64_t n)
{
    wide v = {0};
    if (n >= W)
        return load(from);
    memcpy(&v, from, sizeof(float) * (size_t)n);
    return v;
}

static inline void store_some(float *to, wide v, int64_t n)
{
    if (n >= W)
        store(to, v);
    else
        memcpy(to, &v, sizeof(float) * (size_t)n);
}

static inline wide all(float x)
{
    return (wide){0} + x;
}

static inline wide choose(wide_int which, wide yes, wide no)
{
    return (wide)((which & (wide_int)yes) | (~which & (wide_int)no));
}

static inline int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Which of n things a part has: [begin, end), each part's `unit` things or a multiple. */
static void share(struct wide_part part, int64_t n, int64_t unit, int64_t *begin,
                  int64_t *end)
{
    int64_t units = (n + unit - 1) / unit;
    *begin = least(n, units * part.ith / part.nth * unit);
    *end = least(n, units * (part.ith + 1) / part.nth * unit);
}

/* ---- LoRA's products ---- */

enum { ROWS = 4, RANKS = 8 };

void wide_add_product(struct wide_part part, float *y, const float *p, const float *h,
                      int64_t n_rows, int64_t n, int64_t rank, float scale)
{
    int64_t begin, end;
    share(part, n_rows, ROWS, &begin, &end);
    for (int64_t t = begin; t < end; t += ROWS) {
        int64_t some = least(ROWS, end - t);
        for (int64_t i = 0; i < n; i += W) {
            wide sum[ROWS] = {{0}};
            for (int64_t j = 0; j < rank; j++) {
                wide from = load_some(p + j * n + i, n - i);
                for (int64_t r = 0; r < some; r++)
                    sum[r] += from * h[(t + r) * rank + j];
            }
            for (int64_t r = 0; r < some; r++) {
                float *to = y + (t + r) * n + i;
                store_some(to, load_some(to, n - i) + sum[r] * scale, n - i);
            }
        }
    }
}

static void add_outer_tile(float *g, const float *x, const float *d, int64_t n_rows,
                           int64_t n, int64_t width, int64_t rank, int64_t n_ranks,
                           float scale)
{
    wide sum[RANKS] = {{0}};
    for (int64_t t = 0; t < n_rows; t++) {
        wide from = load_some(x + t * n, width);
        for (int64_t j = 0; j < n_ranks; j++)
            sum[j] += from * d[t * rank + j];
    }
    for (int64_t j = 0; j < n_ranks; j++) {
        float *to = g + j * n;
        store_some(to, load_some(to, width) + sum[j] * scale, width);
    }
}

void wide_add_outer(struct wide_part part, float *g, const float *x, const float *d,
                    int64_t n_rows, int64_t n, int64_t rank, float scale)
{
    int64_t begin, end;
    share(part, n, W, &begin, &end);
    for (int64_t i = begin; i < end; i += W)
        for (int64_t j = 0; j < rank; j += RANKS)
            if (rank - j >= RANKS && n - i >= W) /* constants: sums stay in registers */
                add_outer_tile(g + j * n + i, x + i, d + j, n_rows, n, W, rank, RANKS,
                               scale);
            else
                add_outer_tile(g + j * n + i, x + i, d + j, n_rows, n, least(W, n - i),
                               rank, least(RANKS, rank - j), scale);
}

/* ---- the gate of the feed-forward part ---- */

/* e^x to about two units in the last place: 2^(x / ln 2) by its whole part and a
 * polynomial in the rest. */
static inline wide exp_of(wide x)
{
    const float round = 12582912.0f; /* 1.5 * 2^23: adding it leaves no fraction */
    x = choose(x > 88.0f, all(88.0f), x);
    x = choose(x < -87.0f, all(-87.0f), x);
    wide shifted = x * 1.44269504f + round;
    wide_int whole = (wide_int)shifted - (wide_int)all(round);
    wide n = shifted - round;
    wide r = x - n * 0.693359375f + n * 2.12194440e-4f;
    wide poly = all(1.9875691500e-4f);
    poly = poly * r + 1.3981999507e-3f;
    poly = poly * r + 8.3334519073e-3f;
    poly = poly * r + 4.1665795894e-2f;
    poly = poly * r + 1.6666665459e-1f;
    poly = poly * r + 5.0000001201e-1f;
    poly = poly * r * r + r + 1.0f;
    return poly * (wide)((whole + 127) << 23);
}

/* The activation and its derivative. */
struct slope {
    wide at, d;
};

static inline struct slope silu(wide x)
{
    wide s = 1.0f / (1.0f + exp_of(-x));
    return (struct slope){x * s, s * (1.0f + x * (1.0f - s))};
}

/* x/2 (1 + tanh u), u = c (x + a x^3): as the models were trained, and as libllama. */
static inline struct slope gelu(wide x)
{
    const float c = 0.79788456f, a = 0.044715f;
    wide u = c * x * (1.0f + a * x * x);
    wide t = 1.0f - 2.0f / (1.0f + exp_of(2.0f * u));
    wide slope = c * (1.0f + 3.0f * a * x * x);
    return (struct slope){0.5f * x * (1.0f + t),
                          0.5f * (1.0f + t) + 0.5f * x * (1.0f - t * t) * slope};
}

static inline struct slope act_of(enum wide_gate act, wide x)
{
    return act == WIDE_SILU ? silu(x) : gelu(x);
}

void wide_gate(struct wide_part part, enum wide_gate act, const float *gate,
               const float *up, int64_t n, float *y)
{
    int64_t begin, end;
    share(part, n, W, &begin, &end);
    for (int64_t i = begin; i < end; i += W) {
        int64_t some = end - i;
        wide at = act_of(act, load_some(gate + i, some)).at;
        store_some(y + i, at * load_some(up + i, some), some);
    }
}

void wide_gate_back(struct wide_part part, enum wide_gate act, const float *gate,
                    const float *up, const float *dy, int64_t n, float *dgate, float *dup)
{
    int64_t begin, end;
    share(part, n, W, &begin, &end);
    for (int64_t i = begin; i < end; i += W) {
        int64_t some = end - i;
        struct slope slope = act_of(act, load_some(gate + i, some));
        wide d = load_some(dy + i, some), u = load_some(up + i, some);
        store_some(dup + i, d * slope.at, some);
        store_some(dgate + i, d * u * slope.d, some);
    }
}

/* ---- the loss ---- */

static float largest(const float *x, int64_t n)
{
    float most = x[0];
    for (int64_t i = 1; i < n; i++)
        most = x[i] > most ? x[i] : most;
    return most;
}

double wide_cross_entropy(float *logits, int64_t n, int32_t target, float weight)
{
    float most = largest(logits, n), right = logits[target];
    double sum = 0;
    int64_t at = 0;
    do {
        wide e = exp_of(load_some(logits + at, n - at) - most);
        float some = 0;
        store_some(logits + at, e, n - at);
        for (int64_t k = 0; k < least(W, n - at); k++)
            some += e[k];
        sum += (double)some;
        at += W;
    } while (at < n);
    float share_of = (float)((double)weight / sum);
    for (int64_t i = 0; i < n; i += W)
        store_some(logits + i, load_some(logits + i, n - i) * share_of, n - i);
    logits[target] -= weight;
    return log(sum) - (double)(right - most);
}

/* ---- transposing ---- */

enum { TILE = 16 };

static void transpose_tile(const float *in, float *out, int64_t n_rows, int64_t n,
                           int64_t some_rows, int64_t some)
{
    float tile[TILE][TILE];
    for (int64_t t = 0; t < some_rows; t++)
        memcpy(tile[t], in + t * n, sizeof(float) * (size_t)some);
    for (int64_t i = 0; i < some; i++)
        for (int64_t t = 0; t < some_rows; t++)
            out[i * n_rows + t] = tile[t][i];
}

void wide_transpose(struct wide_part part, const float *in, float *out, int64_t n_rows,
                    int64_t n, int64_t n_blocks)
{
    int64_t strips = (n_rows + TILE - 1) / TILE;
    int64_t begin, end;
    share(part, strips * n_blocks, 1, &begin, &end);
    for (int64_t s = begin; s < end; s++) {
        int64_t block = s / strips * n_rows * n, t = s % strips * TILE;
        for (int64_t i = 0; i < n; i += TILE)
            transpose_tile(in + block + t * n + i, out + block + i * n_rows + t, n_rows,
                           n, least(TILE, n_rows - t), least(TILE, n - i));
    }
}
