/* avx2.c - piece.h with AVX2: a register holds four weights of each of eight rows.
 *
 * There is no instruction that multiplies bytes and adds four of them to 32 bits; the one
 * there is adds two, to 16 bits. So sums stay in 16 bits for as many registers as cannot
 * overflow (pairs_for()): 2 * 15 * 127 for each register of 4-bit numbers, eight times.
 * Bytes would overflow at once: they are multiplied as two nibbles. */
#include "kernel/piece.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,fma,f16c")))
#define AVX2_INLINE static inline __attribute__((always_inline)) AVX2

enum {
    HALVES = 2, /* registers for the 16 rows of a panel */
    HALF_ROWS = 8,
    MOST_ROWS = 4, /* of a tile: their sums fit the 16 registers */
};

/* Not every clang's __builtin_cpu_supports() knows it. */
static bool has_half_floats(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}

static bool usable(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           has_half_floats();
}

AVX2_INLINE __m256i load(const void *from)
{
    return _mm256_loadu_si256(from);
}

/* ---- activations ---- */

/* 32 numbers of -127 to 127 as bytes. */
AVX2_INLINE __m256i bytes_of(const __m256i ints[4])
{
    __m256i bytes = _mm256_packs_epi16(_mm256_packs_epi32(ints[0], ints[1]),
                                       _mm256_packs_epi32(ints[2], ints[3]));
    return _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

AVX2_INLINE int sum_of(__m256i a, __m256i b)
{
    __m256i eight = _mm256_add_epi32(a, b);
    __m128i four =
        _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
    four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(four, _mm_shuffle_epi32(four, 0xb1)));
}

AVX2_INLINE float most_of(const __m256 values[4])
{
    const __m256 sign = _mm256_set1_ps(-0.0F);
    __m256 most = _mm256_setzero_ps();
    for (int i = 0; i < 4; i++)
        most = _mm256_max_ps(most, _mm256_andnot_ps(sign, values[i]));
    __m128 four =
        _mm_max_ps(_mm256_castps256_ps128(most), _mm256_extractf128_ps(most, 1));
    four = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(four, _mm_shuffle_ps(four, four, 1)));
}

AVX2 static void quantize(const struct panel_kind *kind, const float *values,
                          int64_t n_cols, void *acts)
{
    int64_t n = n_cols / PANEL_BLOCK;
    struct panel_act *act = acts;
    uint8_t *bytes = (uint8_t *)(act + n);
    bool halves = kind->scaling == PANEL_HALVES;
    for (int64_t b = 0; b < n; b++, values += PANEL_BLOCK, bytes += PANEL_BLOCK) {
        __m256 floats[4];
        __m256i ints[4];
        for (int i = 0; i < 4; i++)
            floats[i] = _mm256_loadu_ps(values + (ptrdiff_t)i * 8);
        float most = most_of(floats);
        __m256 inverse = _mm256_set1_ps(most > 0 ? 127 / most : 0);
        for (int i = 0; i < 4; i++)
            ints[i] = _mm256_cvtps_epi32(_mm256_mul_ps(floats[i], inverse));
        _mm256_storeu_si256((__m256i *)bytes, bytes_of(ints));
        int first = sum_of(ints[0], ints[1]), second = sum_of(ints[2], ints[3]);
        act[b].scale = most / 127;
        act[b].sum = act[b].scale * (float)(first + second);
        act[b].start[0] = -kind->offset * (halves ? first : first + second);
        act[b].start[1] = -kind->offset * second;
    }
}

/* ---- from a panel to a piece ---- */

AVX2_INLINE void put(void *to, __m256i bytes)
{
    _mm256_store_si256(to, bytes);
}

/* `a` with those bits of `more` that are in `mask`. */
AVX2_INLINE __m256i with_bits(__m256i a, __m256i more, __m256i mask)
{
    return _mm256_or_si256(a, _mm256_and_si256(more, mask));
}

/* Of the bits that register g and register g + 4 get from `from`: 5 or 6 bits in all. */
AVX2_INLINE void add_upper(const uint8_t *from, int bits, int g, __m256i *a, __m256i *b)
{
    if (bits == 5) {
        const __m256i bit = _mm256_set1_epi8(16);
        __m256i more = load(from);
        *a = with_bits(*a, _mm256_slli_epi16(more, 4 - g), bit);
        *b = with_bits(*b, _mm256_srli_epi16(more, g), bit);
    }
    if (bits == 6) {
        const __m256i pair = _mm256_set1_epi8(48);
        __m256i more_a = load(from), more_b = load(from + 64);
        int up = g < 2 ? 4 - 2 * g : 0, down = g < 2 ? 0 : 2 * g - 4;
        *a = with_bits(*a, _mm256_srli_epi16(_mm256_slli_epi16(more_a, up), down), pair);
        *b = with_bits(*b, _mm256_srli_epi16(_mm256_slli_epi16(more_b, up), down), pair);
    }
}

AVX2_INLINE const uint8_t *open_numbers(const uint8_t *from, int bits, uint8_t q[8][64])
{
    const __m256i low = _mm256_set1_epi8(15);
    if (bits == 8) {
        memcpy(q, from, 512);
        return from + 512;
    }
#pragma GCC unroll 4
    for (int g = 0; g < 4; g++)
#pragma GCC unroll 2
        for (int at = 0; at < 64; at += 32) {
            __m256i both = load(from + g * 64 + at), a = _mm256_and_si256(both, low),
                    b = _mm256_and_si256(_mm256_srli_epi16(both, 4), low);
            add_upper(from + 256 + at, bits, g, &a, &b);
            put(q[g] + at, a);
            put(q[g + 4] + at, b);
        }
    return from + bits * 64;
}

AVX2_INLINE __m256 half_floats(const uint8_t *from)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)from));
}

AVX2_INLINE const uint8_t *open_floats(const uint8_t *from, float to[PANEL_ROWS])
{
    for (int h = 0; h < HALVES; h++)
        _mm256_store_ps(to + (ptrdiff_t)h * HALF_ROWS,
                        half_floats(from + (ptrdiff_t)h * 16));
    return from + 2 * PANEL_ROWS;
}

AVX2_INLINE const uint8_t *open_plain(const uint8_t *from, int bits, bool affine,
                                      int n_blocks, struct panel_piece *piece)
{
    for (int b = 0; b < n_blocks; b++) {
        from = open_numbers(from, bits, piece->q[b]);
        from = open_floats(from, piece->scale[b][0]);
        if (affine)
            from = open_floats(from, piece->min[b]);
    }
    return from;
}

/* 16 small integers times the factors of their rows. */
AVX2_INLINE void open_scales(const uint8_t *small, bool has_sign, const float *factors,
                             float *to)
{
    for (int at = 0; at < PANEL_ROWS; at += HALF_ROWS) {
        __m128i bytes = _mm_loadl_epi64((const __m128i *)(small + at));
        __m256i ints =
            has_sign ? _mm256_cvtepi8_epi32(bytes) : _mm256_cvtepu8_epi32(bytes);
        _mm256_store_ps(to + at, _mm256_mul_ps(_mm256_cvtepi32_ps(ints),
                                               _mm256_load_ps(factors + at)));
    }
}

AVX2_INLINE const uint8_t *open_halves(const uint8_t *from, struct panel_piece *piece)
{
    _Alignas(32) float factors[PANEL_ROWS];
    for (int b = 0; b < PANEL_PIECE; b++)
        from = open_numbers(from, 6, piece->q[b]);
    open_floats(from + 256, factors);
    for (int i = 0; i < 16; i++)
        open_scales(from + (ptrdiff_t)i * PANEL_ROWS, true, factors,
                    piece->scale[i / 2][i % 2]);
    return from + 288;
}

/* Scales i and i + 4 of 16 rows, or their minima: the low four bits are one nibble of
 * `low`, the upper two lie in `upper` from bit `at` and `at` + 4 on. */
AVX2_INLINE void open_sixes_of(const uint8_t *low, int nibble, __m128i upper, int at,
                               uint8_t *to)
{
    const __m128i four = _mm_set1_epi8(15), pair = _mm_set1_epi8(48);
    for (int i = 0; i < 2; i++) {
        __m128i both = _mm_loadu_si128((const __m128i *)(low + (ptrdiff_t)i * 64)),
                six = _mm_and_si128(_mm_srli_epi16(both, nibble), four),
                up = i == 0 ? _mm_slli_epi16(upper, 4 - at) : _mm_srli_epi16(upper, at);
        _mm_store_si128((__m128i *)(to + (ptrdiff_t)i * 64),
                        _mm_or_si128(six, _mm_and_si128(up, pair)));
    }
}

AVX2_INLINE const uint8_t *open_sixes(const uint8_t *from, int bits,
                                      struct panel_piece *piece)
{
    _Alignas(32) uint8_t scales[8][PANEL_ROWS], minima[8][PANEL_ROWS];
    _Alignas(32) float factors[PANEL_ROWS], min_factors[PANEL_ROWS];
    for (int b = 0; b < PANEL_PIECE; b++)
        from = open_numbers(from, bits, piece->q[b]);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        const uint8_t *low = from + (ptrdiff_t)i * PANEL_ROWS;
        __m128i upper = _mm_loadu_si128((const __m128i *)(low + 128));
        open_sixes_of(low, 0, upper, 0, scales[i]);
        open_sixes_of(low, 4, upper, 2, minima[i]);
    }
    open_floats(from + 192, factors);
    open_floats(from + 224, min_factors);
    for (int i = 0; i < PANEL_ROWS; i++)
        min_factors[i] = -min_factors[i];
    for (int b = 0; b < PANEL_PIECE; b++) {
        open_scales(scales[b], false, factors, piece->scale[b][0]);
        open_scales(minima[b], false, min_factors, piece->min[b]);
    }
    return from + 256;
}

/* What the compiler must see as a constant is one here. */
AVX2 static const uint8_t *open_piece(const struct panel_kind *kind, const uint8_t *from,
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

/* Registers whose products can be added up in 16 bits: 2 * (2^bits - 1) * 127 each. */
AVX2_INLINE int run_of(int bits)
{
    return bits == 6 ? 2 : bits == 5 ? 4 : 8;
}

/* The numbers to multiply by; of bytes, the low nibbles, then the high ones. */
AVX2_INLINE __m256i factor_of(const uint8_t *q, int bits, int pass)
{
    __m256i numbers = _mm256_load_si256((const __m256i *)q);
    if (bits < 8)
        return numbers;
    return _mm256_and_si256(pass == 0 ? numbers : _mm256_srli_epi16(numbers, 4),
                            _mm256_set1_epi8(15));
}

/* Adds the products of a run of registers with N rows to dot. */
AVX2_INLINE void add_run(const uint8_t q[8][64], int from, int bits, int pass, int run,
                         const struct panel_rows *rows, int N, __m256i dot[][HALVES])
{
    __m256i pairs[MOST_ROWS][HALVES];
#pragma GCC unroll 8
    for (int g = from; g < from + run; g++) {
        __m256i lower = factor_of(q[g], bits, pass),
                upper = factor_of(q[g] + 32, bits, pass);
#pragma GCC unroll 4
        for (int t = 0; t < N; t++) {
            __m256i four = _mm256_set1_epi32(panel_four(rows, t, g)),
                    a = _mm256_maddubs_epi16(lower, four),
                    b = _mm256_maddubs_epi16(upper, four);
            pairs[t][0] = g == from ? a : _mm256_add_epi16(pairs[t][0], a);
            pairs[t][1] = g == from ? b : _mm256_add_epi16(pairs[t][1], b);
        }
    }
    const __m256i weight = _mm256_set1_epi16(pass == 0 ? 1 : 16);
#pragma GCC unroll 4
    for (int t = 0; t < N; t++)
#pragma GCC unroll 2
        for (int h = 0; h < HALVES; h++)
            dot[t][h] =
                _mm256_add_epi32(dot[t][h], _mm256_madd_epi16(pairs[t][h], weight));
}

/* Adds registers [from, to) of a block, which share a scale, to the sums of N rows. */
AVX2_INLINE void add_part(const uint8_t q[8][64], int from, int to, int bits,
                          const float *scales, const struct panel_rows *rows, int N,
                          bool starts, __m256 sum[][HALVES])
{
    __m256i dot[MOST_ROWS][HALVES];
#pragma GCC unroll 4
    for (int t = 0; t < N; t++)
        dot[t][0] = dot[t][1] =
            starts ? _mm256_set1_epi32(panel_act_of(rows, t)->start[from > 0])
                   : _mm256_setzero_si256();
    int run = run_of(bits);
#pragma GCC unroll 4
    for (int g = from; g < to; g += run)
        add_run(q, g, bits, 0, run, rows, N, dot);
    if (bits == 8)
        add_run(q, from, bits, 1, run, rows, N, dot);
#pragma GCC unroll 2
    for (int h = 0; h < HALVES; h++) {
        __m256 scale = _mm256_load_ps(scales + (ptrdiff_t)h * HALF_ROWS);
#pragma GCC unroll 4
        for (int t = 0; t < N; t++)
            sum[t][h] = _mm256_fmadd_ps(
                _mm256_cvtepi32_ps(dot[t][h]),
                _mm256_mul_ps(scale, _mm256_set1_ps(panel_act_of(rows, t)->scale)),
                sum[t][h]);
    }
}

AVX2_INLINE void add_minima(const float *minima, const struct panel_rows *rows, int N,
                            __m256 sum[][HALVES])
{
#pragma GCC unroll 2
    for (int h = 0; h < HALVES; h++) {
        __m256 min = _mm256_load_ps(minima + (ptrdiff_t)h * HALF_ROWS);
#pragma GCC unroll 4
        for (int t = 0; t < N; t++)
            sum[t][h] = _mm256_fmadd_ps(min, _mm256_set1_ps(panel_act_of(rows, t)->sum),
                                        sum[t][h]);
    }
}

/* N rows, whose sums are in acc. */
AVX2_INLINE void tile(const struct panel_piece *piece, int n_blocks,
                      struct panel_rows rows, int N, int bits, enum panel_scaling scaling,
                      float (*acc)[PANEL_ROWS])
{
    __m256 sum[MOST_ROWS][HALVES];
    bool halves = scaling == PANEL_HALVES, affine = scaling == PANEL_AFFINE;
#pragma GCC unroll 4
    for (int t = 0; t < N; t++) {
        sum[t][0] = _mm256_load_ps(acc[t]);
        sum[t][1] = _mm256_load_ps(acc[t] + HALF_ROWS);
    }
    for (int b = 0; b < n_blocks; b++, rows.acts++, rows.bytes += PANEL_BLOCK) {
        add_part(piece->q[b], 0, halves ? 4 : 8, bits, piece->scale[b][0], &rows, N,
                 !affine, sum);
        if (halves)
            add_part(piece->q[b], 4, 8, bits, piece->scale[b][1], &rows, N, true, sum);
        if (affine)
            add_minima(piece->min[b], &rows, N, sum);
    }
#pragma GCC unroll 4
    for (int t = 0; t < N; t++) {
        _mm256_store_ps(acc[t], sum[t][0]);
        _mm256_store_ps(acc[t] + HALF_ROWS, sum[t][1]);
    }
}

AVX2_INLINE void tiles(const struct panel_piece *piece, int n_blocks,
                       struct panel_rows rows, int n, int bits,
                       enum panel_scaling scaling, float (*acc)[PANEL_ROWS])
{
#define TILE(N)                                                                          \
    tile(piece, n_blocks, panel_rows_from(&rows, t), N, bits, scaling, acc + t)
    int t = 0;
    for (; t + MOST_ROWS <= n; t += MOST_ROWS)
        TILE(MOST_ROWS);
    if (n - t == 3)
        TILE(3);
    else if (n - t == 2)
        TILE(2);
    else if (n - t == 1)
        TILE(1);
#undef TILE
}

AVX2 static void multiply(const struct panel_kind *kind, const struct panel_piece *piece,
                          int n_blocks, const struct panel_rows *rows, int n,
                          float (*acc)[PANEL_ROWS])
{
    bool affine = kind->scaling == PANEL_AFFINE;
    if (kind->bits == 8)
        tiles(piece, n_blocks, *rows, n, 8, PANEL_SIGNED, acc);
    else if (kind->bits == 6)
        tiles(piece, n_blocks, *rows, n, 6, PANEL_HALVES, acc);
    else if (kind->bits == 5 && affine)
        tiles(piece, n_blocks, *rows, n, 5, PANEL_AFFINE, acc);
    else if (kind->bits == 5)
        tiles(piece, n_blocks, *rows, n, 5, PANEL_SIGNED, acc);
    else if (affine)
        tiles(piece, n_blocks, *rows, n, 4, PANEL_AFFINE, acc);
    else
        tiles(piece, n_blocks, *rows, n, 4, PANEL_SIGNED, acc);
}

const struct panel_cpu panel_avx2 = {usable, quantize, open_piece, multiply};

#endif
