/* avx512.c - piece.h with AVX-512 VNNI: a register holds four weights of each of the
 * 16 rows, one instruction multiplies and adds all of them. */
#include "kernel/piece.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define WIDE __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c")))
#define WIDE_INLINE static inline __attribute__((always_inline)) WIDE

static bool usable(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vnni");
}

/* ---- activations ---- */

WIDE static void quantize(const struct panel_kind *kind, const float *values,
                          int64_t n_cols, void *acts)
{
    int64_t n = n_cols / PANEL_BLOCK;
    struct panel_act *act = acts;
    uint8_t *bytes = (uint8_t *)(act + n);
    bool halves = kind->scaling == PANEL_HALVES;
    for (int64_t b = 0; b < n; b++, values += PANEL_BLOCK, bytes += PANEL_BLOCK) {
        __m512 lo = _mm512_loadu_ps(values), hi = _mm512_loadu_ps(values + 16);
        float most =
            _mm512_reduce_max_ps(_mm512_max_ps(_mm512_abs_ps(lo), _mm512_abs_ps(hi)));
        __m512 inverse = _mm512_set1_ps(most > 0 ? 127 / most : 0);
        __m512i lo_int = _mm512_cvtps_epi32(_mm512_mul_ps(lo, inverse)),
                hi_int = _mm512_cvtps_epi32(_mm512_mul_ps(hi, inverse));
        _mm_storeu_si128((__m128i *)bytes, _mm512_cvtsepi32_epi8(lo_int));
        _mm_storeu_si128((__m128i *)(bytes + 16), _mm512_cvtsepi32_epi8(hi_int));
        int first = _mm512_reduce_add_epi32(lo_int),
            second = _mm512_reduce_add_epi32(hi_int);
        act[b].scale = most / 127;
        act[b].sum = act[b].scale * (float)(first + second);
        act[b].start[0] = -kind->offset * (halves ? first : first + second);
        act[b].start[1] = -kind->offset * second;
    }
}

/* ---- from a panel to a piece ---- */

enum { OR_AND = 0xf8 }; /* a | (b & c), for _mm512_ternarylogic_epi32() */

WIDE_INLINE const uint8_t *open_numbers(const uint8_t *from, int bits, uint8_t q[8][64])
{
    const __m512i low = _mm512_set1_epi8(15);
    if (bits == 8) {
#pragma GCC unroll 8
        for (int g = 0; g < 8; g++)
            _mm512_store_si512(q[g], _mm512_loadu_si512(from + g * 64));
        return from + 512;
    }
#pragma GCC unroll 4
    for (int g = 0; g < 4; g++) {
        __m512i both = _mm512_loadu_si512(from + g * 64);
        __m512i a = _mm512_and_si512(both, low),
                b = _mm512_and_si512(_mm512_srli_epi16(both, 4), low);
        if (bits == 5) {
            const __m512i bit = _mm512_set1_epi8(16);
            __m512i more = _mm512_loadu_si512(from + 256);
            a = _mm512_ternarylogic_epi32(a, _mm512_slli_epi16(more, 4 - g), bit, OR_AND);
            b = _mm512_ternarylogic_epi32(b, _mm512_srli_epi16(more, g), bit, OR_AND);
        }
        if (bits == 6) {
            const __m512i pair = _mm512_set1_epi8(48);
            __m512i more_a = _mm512_loadu_si512(from + 256),
                    more_b = _mm512_loadu_si512(from + 320);
            if (g < 2) {
                more_a = _mm512_slli_epi16(more_a, 4 - 2 * g);
                more_b = _mm512_slli_epi16(more_b, 4 - 2 * g);
            } else {
                more_a = _mm512_srli_epi16(more_a, 2 * g - 4);
                more_b = _mm512_srli_epi16(more_b, 2 * g - 4);
            }
            a = _mm512_ternarylogic_epi32(a, more_a, pair, OR_AND);
            b = _mm512_ternarylogic_epi32(b, more_b, pair, OR_AND);
        }
        _mm512_store_si512(q[g], a);
        _mm512_store_si512(q[g + 4], b);
    }
    return from + bits * 64;
}

WIDE_INLINE __m512 half_floats(const uint8_t *from)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)from));
}

WIDE_INLINE const uint8_t *open_plain(const uint8_t *from, int bits, bool affine,
                                      int n_blocks, struct panel_piece *piece)
{
    for (int b = 0; b < n_blocks; b++) {
        from = open_numbers(from, bits, piece->q[b]);
        _mm512_store_ps(piece->scale[b][0], half_floats(from));
        from += 2 * PANEL_ROWS;
        if (affine) {
            _mm512_store_ps(piece->min[b], half_floats(from));
            from += 2 * PANEL_ROWS;
        }
    }
    return from;
}

/* 16 small integers times the factors of their rows. */
WIDE_INLINE void open_scales(__m512i small, __m512 factor, float *to)
{
    _mm512_store_ps(to, _mm512_mul_ps(_mm512_cvtepi32_ps(small), factor));
}

WIDE_INLINE const uint8_t *open_halves(const uint8_t *from, struct panel_piece *piece)
{
    for (int b = 0; b < PANEL_PIECE; b++)
        from = open_numbers(from, 6, piece->q[b]);
    __m512 factor = half_floats(from + 256);
    for (int i = 0; i < 16; i++) {
        __m128i scale = _mm_loadu_si128((const __m128i *)(from + i * PANEL_ROWS));
        open_scales(_mm512_cvtepi8_epi32(scale), factor, piece->scale[i / 2][i % 2]);
    }
    return from + 288;
}

WIDE_INLINE const uint8_t *open_sixes(const uint8_t *from, int bits,
                                      struct panel_piece *piece)
{
    for (int b = 0; b < PANEL_PIECE; b++)
        from = open_numbers(from, bits, piece->q[b]);
    const __m512i low = _mm512_set1_epi8(15), pair = _mm512_set1_epi8(48);
    __m512i upper = _mm512_loadu_si512(from + 128);
    _Alignas(64) uint8_t scales[8][PANEL_ROWS], minima[8][PANEL_ROWS];
#pragma GCC unroll 2
    for (int half = 0; half < 2; half++) {
        __m512i both = _mm512_loadu_si512(from + half * 64),
                scale_up = half ? upper : _mm512_slli_epi16(upper, 4),
                min_up = half ? _mm512_srli_epi16(upper, 2) : _mm512_slli_epi16(upper, 2),
                scale = _mm512_and_si512(both, low),
                min = _mm512_and_si512(_mm512_srli_epi16(both, 4), low);
        _mm512_store_si512(scales[half * 4],
                           _mm512_ternarylogic_epi32(scale, scale_up, pair, OR_AND));
        _mm512_store_si512(minima[half * 4],
                           _mm512_ternarylogic_epi32(min, min_up, pair, OR_AND));
    }
    __m512 factor = half_floats(from + 192),
           min_factor = _mm512_sub_ps(_mm512_setzero_ps(), half_floats(from + 224));
    for (int b = 0; b < PANEL_PIECE; b++) {
        __m128i scale = _mm_load_si128((const __m128i *)scales[b]),
                min = _mm_load_si128((const __m128i *)minima[b]);
        open_scales(_mm512_cvtepu8_epi32(scale), factor, piece->scale[b][0]);
        open_scales(_mm512_cvtepu8_epi32(min), min_factor, piece->min[b]);
    }
    return from + 256;
}

/* What the compiler must see as a constant is one here. */
WIDE static const uint8_t *open_piece(const struct panel_kind *kind, const uint8_t *from,
                                      int n_blocks, struct panel_piece *piece)
{
    bool affine = kind->scaling == PANEL_AFFINE;
    if (kind->super)
        return kind->bits == 4   ? open_sixes(from, 4, piece)
               : kind->bits == 5 ? open_sixes(from, 5, piece)
                                 : open_halves(from, piece);
    if (kind->bits == 8)
        return open_plain(from, 8, false, n_blocks, piece);
    if (kind->bits == 5)
        return affine ? open_plain(from, 5, true, n_blocks, piece)
                      : open_plain(from, 5, false, n_blocks, piece);
    return affine ? open_plain(from, 4, true, n_blocks, piece)
                  : open_plain(from, 4, false, n_blocks, piece);
}

/* ---- a piece with activation rows ---- */

/* Adds registers [from, to) of a block, which share a scale, to the sums of N rows. */
WIDE_INLINE void add_part(const uint8_t q[8][64], int from, int to, const float *scales,
                          const struct panel_rows *rows, int N, bool starts, __m512 *sum)
{
    __m512i dot[8];
#pragma GCC unroll 8
    for (int t = 0; t < N; t++)
        dot[t] = starts ? _mm512_set1_epi32(panel_act_of(rows, t)->start[from > 0])
                        : _mm512_setzero_si512();
#pragma GCC unroll 8
    for (int g = from; g < to; g++) {
        __m512i weights = _mm512_load_si512(q[g]);
#pragma GCC unroll 8
        for (int t = 0; t < N; t++)
            dot[t] = _mm512_dpbusd_epi32(dot[t], weights,
                                         _mm512_set1_epi32(panel_four(rows, t, g)));
    }
    __m512 scale = _mm512_load_ps(scales);
#pragma GCC unroll 8
    for (int t = 0; t < N; t++)
        sum[t] = _mm512_fmadd_ps(
            _mm512_cvtepi32_ps(dot[t]),
            _mm512_mul_ps(scale, _mm512_set1_ps(panel_act_of(rows, t)->scale)), sum[t]);
}

/* N rows, whose sums are in acc. */
WIDE_INLINE void tile(const struct panel_piece *piece, int n_blocks,
                      struct panel_rows rows, int N, enum panel_scaling scaling,
                      float (*acc)[PANEL_ROWS])
{
    __m512 sum[8];
#pragma GCC unroll 8
    for (int t = 0; t < N; t++)
        sum[t] = _mm512_load_ps(acc[t]);
    for (int b = 0; b < n_blocks; b++, rows.acts++, rows.bytes += PANEL_BLOCK) {
        bool halves = scaling == PANEL_HALVES, affine = scaling == PANEL_AFFINE;
        add_part(piece->q[b], 0, halves ? 4 : 8, piece->scale[b][0], &rows, N, !affine,
                 sum);
        if (halves)
            add_part(piece->q[b], 4, 8, piece->scale[b][1], &rows, N, true, sum);
        __m512 min = affine ? _mm512_load_ps(piece->min[b]) : _mm512_setzero_ps();
#pragma GCC unroll 8
        for (int t = 0; affine && t < N; t++)
            sum[t] =
                _mm512_fmadd_ps(min, _mm512_set1_ps(panel_act_of(&rows, t)->sum), sum[t]);
    }
#pragma GCC unroll 8
    for (int t = 0; t < N; t++)
        _mm512_store_ps(acc[t], sum[t]);
}

WIDE_INLINE void tiles(const struct panel_piece *piece, int n_blocks,
                       struct panel_rows rows, int n, enum panel_scaling scaling,
                       float (*acc)[PANEL_ROWS])
{
#define TILE(N) tile(piece, n_blocks, panel_rows_from(&rows, t), N, scaling, acc + t)
    int t = 0;
    for (; t + 8 <= n; t += 8)
        TILE(8);
    switch (n - t) {
    case 7:
        TILE(7);
        break;
    case 6:
        TILE(6);
        break;
    case 5:
        TILE(5);
        break;
    case 4:
        TILE(4);
        break;
    case 3:
        TILE(3);
        break;
    case 2:
        TILE(2);
        break;
    case 1:
        TILE(1);
        break;
    default:
        break;
    }
#undef TILE
}

WIDE static void multiply(const struct panel_kind *kind, const struct panel_piece *piece,
                          int n_blocks, const struct panel_rows *rows, int n,
                          float (*acc)[PANEL_ROWS])
{
    switch (kind->scaling) {
    case PANEL_SIGNED:
        tiles(piece, n_blocks, *rows, n, PANEL_SIGNED, acc);
        break;
    case PANEL_AFFINE:
        tiles(piece, n_blocks, *rows, n, PANEL_AFFINE, acc);
        break;
    case PANEL_HALVES:
        tiles(piece, n_blocks, *rows, n, PANEL_HALVES, acc);
        break;
    }
}

const struct panel_cpu panel_avx512 = {usable, quantize, open_piece, multiply};

#endif
