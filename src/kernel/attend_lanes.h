/* attend_lanes.h - attend_part() for a family of CPUs, which has defined before:
 *
 *   LANES           the attribute of functions that may use its instructions
 *   LANES_INLINE    static inline, always, with it
 *   LANES_ROWS      rows whose sums its registers hold at a time: 4 or 8
 *   lanes           ATTEND_LANES floats, and
 *     lanes_load, lanes_store (aligned), lanes_half (ATTEND_LANES half floats),
 * lanes_set, lanes_add, lanes_mul, lanes_max, lanes_fma (a * b + c), lanes_most,
 * lanes_sum, lanes_power (a * 2^n, n whole numbers as floats), lanes_round, lanes_above
 * (a where b > c, else 0) lanes_turn      a square of half floats, ATTEND_LANES keys wide
 * and high, into rows of floats that hold one number of each key
 *
 * Every operation is one that both families round alike, in the same order. */
#include "kernel/attend_block.h"
#include <math.h>

LANES_INLINE float lanes_most(lanes a)
{
    __m256 eight = _mm256_max_ps(lanes_low(a), lanes_high(a));
    __m128 four =
        _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

/* Halves, quarters, pairs. */
LANES_INLINE float lanes_sum(lanes a)
{
    __m256 eight = _mm256_add_ps(lanes_low(a), lanes_high(a));
    __m128 four =
        _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

/* For x <= 0; 0 below -87. Cephes' expf(). A NaN stays one: above() lets nothing else
 * than what is known to be below fall to 0 */
LANES_INLINE lanes lanes_exp(lanes x)
{
    lanes n = lanes_round(lanes_mul(x, lanes_set(1.44269504088896341F)));
    lanes r = lanes_fma(n, lanes_set(-0.693359375F), x);
    r = lanes_fma(n, lanes_set(2.12194440e-4F), r);
    static const float terms[] = {1.3981999507e-3F,
                                  8.3334519073e-3F,
                                  4.1665795894e-2F,
                                  1.6666665459e-1F,
                                  5.0000001201e-1F,
                                  1,
                                  1};
    lanes y = lanes_set(1.9875691500e-4F);
#pragma GCC unroll 7
    for (int i = 0; i < 7; i++)
        y = lanes_fma(y, r, lanes_set(terms[i]));
    return lanes_above(lanes_power(y, n), x, lanes_set(-87));
}

/* The masks of the rows in place of their scores; returns a bit for each group of keys of
 * which any row sees any. */
LANES_INLINE unsigned mask_scores(const struct attend_piece *p)
{
    unsigned seen = 0;
    for (int i = 0; i < p->n_rows; i++) {
        const struct attend *a = p->a;
        float *scores = p->room->scores[i];
        const char *mask =
            a->mask + (a->mask ? (size_t)((p->row + i) / a->n_heads) * a->mask_token +
                                     sizeof(uint16_t) * (size_t)p->first
                               : 0);
        for (int g = 0; g * ATTEND_LANES < p->n; g++) {
            float *group = scores + g * ATTEND_LANES;
            int left = p->n - g * ATTEND_LANES;
            lanes m = lanes_set(0);
            if (a->mask && left >= ATTEND_LANES) {
                m = lanes_half(mask + sizeof(uint16_t) * (size_t)(g * ATTEND_LANES));
            } else if (left < ATTEND_LANES) {
                uint16_t some[ATTEND_LANES] = {0};
                for (int j = 0; j < ATTEND_LANES; j++)
                    if (j >= left)
                        some[j] = 0xfc00; /* -inf */
                    else if (a->mask)
                        memcpy(&some[j],
                               mask + sizeof(uint16_t) * (size_t)(g * ATTEND_LANES + j),
                               sizeof(uint16_t));
                m = lanes_half(some);
            }
            lanes_store(group, m);
            if (lanes_most(m) > -INFINITY)
                seen |= 1U << g;
        }
    }
    return seen;
}

LANES_INLINE void take_queries(const struct attend_piece *p)
{
    int width = p->a->k_width;
    lanes scale = lanes_set(p->a->scale);
    for (int i = 0; i < p->n_rows; i++) {
        const float *from = (const float *)(const void *)attend_query(p->a, p->row + i);
        for (int d = 0; d < width; d += ATTEND_LANES)
            lanes_store(p->room->queries + (size_t)i * (size_t)width + d,
                        lanes_mul(lanes_load(from + d), scale));
    }
}

/* Group g of the keys, number by number. Behind the last key comes the last again: its
 * mask is -inf. */
LANES_INLINE void turn_keys(const struct attend_piece *p, int g)
{
    const char *keys[ATTEND_LANES];
    for (int j = 0; j < ATTEND_LANES; j++) {
        int key = g * ATTEND_LANES + j;
        keys[j] =
            p->a->k + (size_t)(p->first + (key < p->n ? key : p->n - 1)) * p->a->k_key;
    }
    for (int d = 0; d < p->a->k_width; d += ATTEND_LANES)
        lanes_turn(keys, sizeof(uint16_t) * (size_t)d, p->room->keys + d * ATTEND_LANES);
}

/* Adds the products of n rows from i on with the keys of group g to their scores. */
LANES_INLINE void score_some(const struct attend_piece *p, int g, int i, const int n)
{
    int width = p->a->k_width;
    const float *queries = p->room->queries + (size_t)i * (size_t)width;
    lanes acc[8];
#pragma GCC unroll 8
    for (int r = 0; r < n; r++)
        acc[r] = lanes_set(0);
    for (int d = 0; d < width; d++) {
        lanes key = lanes_load(p->room->keys + d * ATTEND_LANES);
#pragma GCC unroll 8
        for (int r = 0; r < n; r++)
            acc[r] = lanes_fma(lanes_set(queries[r * width + d]), key, acc[r]);
    }
#pragma GCC unroll 8
    for (int r = 0; r < n; r++) {
        float *scores = p->room->scores[i + r] + g * ATTEND_LANES;
        lanes_store(scores, lanes_add(acc[r], lanes_load(scores)));
    }
}

/* Scores of row i to weights. */
LANES_INLINE void weigh(const struct attend_piece *p, int i, unsigned seen)
{
    float *scores = p->room->scores[i];
    lanes most = lanes_set(-INFINITY), sum = lanes_set(0);
    for (int g = 0; g < ATTEND_GROUPS; g++)
        if (seen >> g & 1)
            most = lanes_max(most, lanes_load(scores + g * ATTEND_LANES));
    float largest = lanes_most(most);
    lanes less = lanes_set(largest > -INFINITY ? -largest : 0);
    for (int g = 0; g < ATTEND_GROUPS; g++)
        if (seen >> g & 1) {
            lanes w = lanes_exp(lanes_add(lanes_load(scores + g * ATTEND_LANES), less));
            lanes_store(scores + g * ATTEND_LANES, w);
            sum = lanes_add(sum, w);
        }
    p->sums->most[i] = largest;
    p->sums->sum[i] = lanes_sum(sum);
}

/* The values of n rows from i on: numbers d to d + ATTEND_LANES - 1. */
LANES_INLINE void value_some(const struct attend_piece *p, unsigned seen, int d, int i,
                             const int n)
{
    const struct attend *a = p->a;
    lanes acc[8];
#pragma GCC unroll 8
    for (int r = 0; r < n; r++)
        acc[r] = lanes_set(0);
    for (int g = 0; g < ATTEND_GROUPS; g++) {
        if (!(seen >> g & 1))
            continue;
        int end = p->n < (g + 1) * ATTEND_LANES ? p->n : (g + 1) * ATTEND_LANES;
        const char *values =
            a->v + (size_t)p->first * a->v_key + sizeof(uint16_t) * (size_t)d;
        for (int key = g * ATTEND_LANES; key < end; key++) {
            lanes value = lanes_half(values + (size_t)key * a->v_key);
#pragma GCC unroll 8
            for (int r = 0; r < n; r++)
                acc[r] = lanes_fma(lanes_set(p->room->scores[i + r][key]), value, acc[r]);
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < n; r++)
        lanes_store(p->sums->values + (size_t)(i + r) * (size_t)a->v_width + d, acc[r]);
}

/* some(n) with a number of rows that the compiler knows: their sums stay in registers. */
#define WITH_ROWS(n_rows, some)                                                          \
    switch ((n_rows) < LANES_ROWS ? (n_rows) : LANES_ROWS) {                             \
    case 1:                                                                              \
        some(1);                                                                         \
        break;                                                                           \
    case 2:                                                                              \
        some(2);                                                                         \
        break;                                                                           \
    case 3:                                                                              \
        some(3);                                                                         \
        break;                                                                           \
    case 4:                                                                              \
        some(4);                                                                         \
        break;                                                                           \
    case 5:                                                                              \
        some(5);                                                                         \
        break;                                                                           \
    case 6:                                                                              \
        some(6);                                                                         \
        break;                                                                           \
    case 7:                                                                              \
        some(7);                                                                         \
        break;                                                                           \
    case 8:                                                                              \
        some(8);                                                                         \
        break;                                                                           \
    }

LANES static void score(const struct attend_piece *p, int g)
{
#define SCORE(n) score_some(p, g, i, n)
    for (int i = 0; i < p->n_rows; i += LANES_ROWS)
        WITH_ROWS(p->n_rows - i, SCORE)
}

LANES static void value(const struct attend_piece *p, unsigned seen, int d)
{
#define VALUE(n) value_some(p, seen, d, i, n)
    for (int i = 0; i < p->n_rows; i += LANES_ROWS)
        WITH_ROWS(p->n_rows - i, VALUE)
}

LANES static bool part(const struct attend_piece *p)
{
    unsigned seen = mask_scores(p);
    if (!seen)
        return false;
    take_queries(p);
    for (int g = 0; g < ATTEND_GROUPS; g++)
        if (seen >> g & 1) {
            turn_keys(p, g);
            score(p, g);
        }
    for (int i = 0; i < p->n_rows; i++)
        weigh(p, i, seen);
    for (int d = 0; d < p->a->v_width; d += ATTEND_LANES)
        value(p, seen, d);
    return true;
}

LANES static void add(float *sums, float by, const float *more, float more_by, int n)
{
    for (int d = 0; d < n; d += ATTEND_LANES)
        lanes_store(sums + d,
                    lanes_fma(lanes_load(sums + d), lanes_set(by),
                              lanes_mul(lanes_load(more + d), lanes_set(more_by))));
}
