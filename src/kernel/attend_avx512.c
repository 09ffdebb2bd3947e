/* attend_avx512.c - attend_lanes.h with AVX-512: a register holds all lanes. */
#if defined(__x86_64__)
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#define LANES __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,f16c")))
#define LANES_INLINE static inline __attribute__((always_inline)) LANES

typedef __m512 lanes;
enum { LANES_ROWS = 8 };

LANES_INLINE lanes lanes_load(const float *at)
{
    return _mm512_loadu_ps(at);
}

LANES_INLINE void lanes_store(float *at, lanes a)
{
    _mm512_store_ps(at, a);
}

LANES_INLINE lanes lanes_half(const void *at)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256(at));
}

LANES_INLINE lanes lanes_set(float a)
{
    return _mm512_set1_ps(a);
}

LANES_INLINE lanes lanes_add(lanes a, lanes b)
{
    return _mm512_add_ps(a, b);
}

LANES_INLINE lanes lanes_mul(lanes a, lanes b)
{
    return _mm512_mul_ps(a, b);
}

LANES_INLINE lanes lanes_max(lanes a, lanes b)
{
    return _mm512_max_ps(a, b);
}

LANES_INLINE lanes lanes_fma(lanes a, lanes b, lanes c)
{
    return _mm512_fmadd_ps(a, b, c);
}

LANES_INLINE lanes lanes_round(lanes a)
{
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

LANES_INLINE lanes lanes_power(lanes a, lanes n)
{
    return _mm512_castsi512_ps(_mm512_add_epi32(
        _mm512_castps_si512(a), _mm512_slli_epi32(_mm512_cvtps_epi32(n), 23)));
}

LANES_INLINE lanes lanes_above(lanes a, lanes b, lanes c)
{
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(b, c, _CMP_NLE_UQ), a);
}

LANES_INLINE __m256 lanes_low(lanes a)
{
    return _mm512_castps512_ps256(a);
}

LANES_INLINE __m256 lanes_high(lanes a)
{
    return _mm512_extractf32x8_ps(a, 1);
}

LANES_INLINE void lanes_turn(const char *const keys[16], size_t at, float *out)
{
    __m512 a[16], b[16];
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++)
        a[i] = lanes_half(keys[i] + at);
#pragma GCC unroll 8
    for (int i = 0; i < 16; i += 2) { /* pairs of keys */
        b[i] = _mm512_unpacklo_ps(a[i], a[i + 1]);
        b[i + 1] = _mm512_unpackhi_ps(a[i], a[i + 1]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 16; i += 4) { /* fours: a[i + j] has numbers j, j+4, j+8, j+12 */
#pragma GCC unroll 2
        for (int j = 0; j < 2; j++) {
            __m512d lo = _mm512_castps_pd(b[i + j]), hi = _mm512_castps_pd(b[i + j + 2]);
            a[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(lo, hi));
            a[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(lo, hi));
        }
    }
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) {
        __m512 lo_even = _mm512_shuffle_f32x4(a[j], a[j + 4], 0x88),
               lo_odd = _mm512_shuffle_f32x4(a[j], a[j + 4], 0xdd),
               hi_even = _mm512_shuffle_f32x4(a[j + 8], a[j + 12], 0x88),
               hi_odd = _mm512_shuffle_f32x4(a[j + 8], a[j + 12], 0xdd);
        lanes_store(out + (j + 0) * 16, _mm512_shuffle_f32x4(lo_even, hi_even, 0x88));
        lanes_store(out + (j + 8) * 16, _mm512_shuffle_f32x4(lo_even, hi_even, 0xdd));
        lanes_store(out + (j + 4) * 16, _mm512_shuffle_f32x4(lo_odd, hi_odd, 0x88));
        lanes_store(out + (j + 12) * 16, _mm512_shuffle_f32x4(lo_odd, hi_odd, 0xdd));
    }
}

#include "kernel/attend_lanes.h"

static bool usable(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}

const struct attend_cpu attend_avx512 = {usable, part, add};
#endif
