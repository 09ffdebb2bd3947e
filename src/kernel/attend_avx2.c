/* attend_avx2.c - attend_lanes.h with AVX2 and FMA: two registers hold the lanes. */
#if defined(__x86_64__)
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#define LANES __attribute__((target("avx2,fma,f16c")))
#define LANES_INLINE static inline __attribute__((always_inline)) LANES

typedef struct {
    __m256 a, b;
} lanes;
enum { LANES_ROWS = 4 };

LANES_INLINE lanes lanes_load(const float *at)
{
    return (lanes){_mm256_loadu_ps(at), _mm256_loadu_ps(at + 8)};
}

LANES_INLINE void lanes_store(float *at, lanes x)
{
    _mm256_store_ps(at, x.a);
    _mm256_store_ps(at + 8, x.b);
}

LANES_INLINE lanes lanes_half(const void *at)
{
    const __m128i *halves = at;
    return (lanes){_mm256_cvtph_ps(_mm_loadu_si128(halves)),
                   _mm256_cvtph_ps(_mm_loadu_si128(halves + 1))};
}

LANES_INLINE lanes lanes_set(float x)
{
    return (lanes){_mm256_set1_ps(x), _mm256_set1_ps(x)};
}

LANES_INLINE lanes lanes_add(lanes x, lanes y)
{
    return (lanes){_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)};
}

LANES_INLINE lanes lanes_mul(lanes x, lanes y)
{
    return (lanes){_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)};
}

LANES_INLINE lanes lanes_max(lanes x, lanes y)
{
    return (lanes){_mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b)};
}

LANES_INLINE lanes lanes_fma(lanes x, lanes y, lanes z)
{
    return (lanes){_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)};
}

LANES_INLINE lanes lanes_round(lanes x)
{
    enum { NEAREST = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC };
    return (lanes){_mm256_round_ps(x.a, NEAREST), _mm256_round_ps(x.b, NEAREST)};
}

LANES_INLINE __m256 power(__m256 a, __m256 n)
{
    return _mm256_castsi256_ps(_mm256_add_epi32(
        _mm256_castps_si256(a), _mm256_slli_epi32(_mm256_cvtps_epi32(n), 23)));
}

LANES_INLINE lanes lanes_power(lanes x, lanes n)
{
    return (lanes){power(x.a, n.a), power(x.b, n.b)};
}

LANES_INLINE lanes lanes_above(lanes x, lanes y, lanes z)
{
    return (lanes){_mm256_and_ps(x.a, _mm256_cmp_ps(y.a, z.a, _CMP_NLE_UQ)),
                   _mm256_and_ps(x.b, _mm256_cmp_ps(y.b, z.b, _CMP_NLE_UQ))};
}

LANES_INLINE __m256 lanes_low(lanes x)
{
    return x.a;
}

LANES_INLINE __m256 lanes_high(lanes x)
{
    return x.b;
}

/* Eight keys by eight numbers; rows of the result are ATTEND_LANES apart. */
LANES_INLINE void turn(const char *const keys[8], size_t at, float *out)
{
    __m256 a[8], b[8];
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++)
        a[i] = _mm256_cvtph_ps(
            _mm_loadu_si128((const __m128i *)(const void *)(keys[i] + at)));
#pragma GCC unroll 4
    for (int i = 0; i < 8; i += 2) { /* pairs of keys */
        b[i] = _mm256_unpacklo_ps(a[i], a[i + 1]);
        b[i + 1] = _mm256_unpackhi_ps(a[i], a[i + 1]);
    }
#pragma GCC unroll 2
    for (int i = 0; i < 8; i += 4) { /* fours: a[i + j] has numbers j and j + 4 */
#pragma GCC unroll 2
        for (int j = 0; j < 2; j++) {
            __m256d lo = _mm256_castps_pd(b[i + j]), hi = _mm256_castps_pd(b[i + j + 2]);
            a[i + 2 * j] = _mm256_castpd_ps(_mm256_unpacklo_pd(lo, hi));
            a[i + 2 * j + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(lo, hi));
        }
    }
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) {
        _mm256_store_ps(out + j * 16, _mm256_permute2f128_ps(a[j], a[j + 4], 0x20));
        _mm256_store_ps(out + (j + 4) * 16, _mm256_permute2f128_ps(a[j], a[j + 4], 0x31));
    }
}

LANES_INLINE void lanes_turn(const char *const keys[16], size_t at, float *out)
{
    for (int i = 0; i < 16; i += 8)
        for (int d = 0; d < 16; d += 8)
            turn(keys + i, at + sizeof(uint16_t) * (size_t)d, out + d * 16 + i);
}

#include "kernel/attend_lanes.h"
#include "kernel/piece.h"

static bool usable(void)
{
    return panel_avx2.usable(); /* the same: AVX2, FMA, half floats */
}

const struct attend_cpu attend_avx2 = {usable, part, add};
#endif
