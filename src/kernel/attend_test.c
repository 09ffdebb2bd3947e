/* Attention against the formula, computed in doubles; and that a row's bits are its own.
 */
#include "kernel/attend_block.h"
#include <ggml.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A head with memory of its own: rows of queries lie apart by more than their width. */
struct scene {
    struct attend a;
    float *q, *out;
    uint16_t *k, *v, *mask;
};

static float number(float most)
{
    return most *
           ((float)rand() / (float)RAND_MAX * 2 - 1); // NOLINT: any numbers will do
}

static void *halves(int n_rows, int width, float most)
{
    size_t n = (size_t)n_rows * (size_t)width;
    uint16_t *at = malloc(n * sizeof(*at));
    for (size_t i = 0; i < n; i++)
        at[i] = ggml_fp32_to_fp16(number(most));
    return at;
}

/* The last token sees all keys, each before it one less. */
static struct scene scene(int n_tokens, int n_heads, int n_keys, int width, int v_width)
{
    struct scene s = {.a = {.n_tokens = n_tokens,
                            .n_heads = n_heads,
                            .n_keys = n_keys,
                            .k_width = width,
                            .v_width = v_width,
                            .scale = 1 / sqrtf((float)width)}};
    size_t n_rows = (size_t)n_tokens * (size_t)n_heads, pad = 16;
    s.q = malloc(n_rows * ((size_t)width + pad) * sizeof(float));
    for (size_t i = 0; i < n_rows * ((size_t)width + pad); i++)
        s.q[i] = number(4);
    s.k = halves(n_keys, width, 4);
    s.v = halves(n_keys, v_width, 2);
    s.mask = calloc((size_t)n_tokens * (size_t)n_keys, sizeof(*s.mask));
    for (int t = 0; t < n_tokens; t++)
        for (int i = 0; i < n_keys; i++)
            if (i > n_keys - n_tokens + t)
                s.mask[t * n_keys + i] = ggml_fp32_to_fp16(-INFINITY);
    s.out = calloc(n_rows * (size_t)v_width, sizeof(float));
    s.a.q = (const char *)s.q;
    s.a.q_token = ((size_t)width + pad) * sizeof(float);
    s.a.q_head = s.a.q_token * (size_t)n_tokens;
    s.a.k = (const char *)s.k;
    s.a.k_key = (size_t)width * 2;
    s.a.v = (const char *)s.v;
    s.a.v_key = (size_t)v_width * 2;
    s.a.mask = (const char *)s.mask;
    s.a.mask_token = (size_t)n_keys * 2;
    s.a.out = (char *)s.out;
    s.a.out_head = (size_t)v_width * sizeof(float);
    s.a.out_token = s.a.out_head * (size_t)n_heads;
    return s;
}

static void scene_free(struct scene *s)
{
    free(s->q);
    free(s->k);
    free(s->v);
    free(s->mask);
    free(s->out);
}

/* Rows from `row` on, one part after the other. */
static void attend_rows(const struct attend *a, int row, int n_rows)
{
    void *room = aligned_alloc(64, attend_room_size(a->k_width)),
         *sums = aligned_alloc(64, attend_sums_size(a->v_width)),
         *more = aligned_alloc(64, attend_sums_size(a->v_width));
    attend_clear(sums, a->v_width);
    for (int p = 0; p * ATTEND_PART < a->n_keys; p++)
        if (attend_part(a, row, n_rows, p, room, more))
            attend_add(sums, more, n_rows, a->v_width);
    attend_put(a, row, n_rows, sums);
    free(room);
    free(sums);
    free(more);
}

static void attend_all(const struct attend *a, int at_once)
{
    int n = a->n_tokens * a->n_heads;
    for (int row = 0; row < n; row += at_once)
        attend_rows(a, row, n - row < at_once ? n - row : at_once);
}

static double score_of(const struct scene *s, int token, int head, int key)
{
    const struct attend *a = &s->a;
    const float *q =
        (const float *)(const void *)attend_query(a, token * a->n_heads + head);
    double score = 0;
    for (int d = 0; d < a->k_width; d++)
        score += (double)q[d] * (double)ggml_fp16_to_fp32(s->k[key * a->k_width + d]);
    return score * (double)a->scale +
           (a->mask ? (double)ggml_fp16_to_fp32(s->mask[token * a->n_keys + key]) : 0);
}

static void check_row(const struct scene *s, int token, int head)
{
    const struct attend *a = &s->a;
    double *weights = malloc(sizeof(double) * (size_t)a->n_keys), most = -INFINITY,
           sum = 0;
    for (int i = 0; i < a->n_keys; i++) {
        weights[i] = score_of(s, token, head, i);
        most = fmax(most, weights[i]);
    }
    for (int i = 0; i < a->n_keys; i++)
        sum += weights[i] = most > -INFINITY ? exp(weights[i] - most) : 0;
    for (int d = 0; d < a->v_width; d++) {
        double want = 0;
        for (int i = 0; i < a->n_keys; i++)
            want += weights[i] * (double)ggml_fp16_to_fp32(s->v[i * a->v_width + d]);
        want = sum > 0 ? want / sum : 0;
        float got = s->out[(token * a->n_heads + head) * a->v_width + d];
        if (!(fabs(want - (double)got) < 2e-5))
            fail_msg("token %d, head %d, number %d: %g, not %g", token, head, d,
                     (double)got, want);
    }
    free(weights);
}

static void check(const struct scene *s)
{
    for (int t = 0; t < s->a.n_tokens; t++)
        for (int h = 0; h < s->a.n_heads; h++)
            check_row(s, t, h);
}

static void test_it_is_the_formula(void **state)
{
    (void)state;
    static const int scenes[][5] = {
        {1, 7, 300, 64, 64},  {12, 7, 520, 64, 64},   {5, 3, 1, 128, 128},
        {33, 1, 77, 16, 48},  {9, 6, 1024, 128, 128}, {70, 2, 256, 32, 16},
        {2, 4, 257, 256, 80}, {3, 40, 31, 192, 128},
    };
    for (size_t i = 0; i < sizeof(scenes) / sizeof(*scenes); i++) {
        const int *n = scenes[i];
        struct scene s = scene(n[0], n[1], n[2] < n[0] ? n[0] : n[2], n[3], n[4]);
        attend_all(&s.a, ATTEND_ROWS);
        check(&s);
        s.a.mask = NULL;
        attend_all(&s.a, ATTEND_ROWS);
        check(&s);
        scene_free(&s);
    }
}

/* Of a sliding window, of rows that see nothing, of a mask that only weighs. */
static void test_masks(void **state)
{
    (void)state;
    struct scene s = scene(20, 2, 700, 64, 32);
    for (int t = 0; t < 20; t++)
        for (int i = 0; i < 700; i++)
            s.mask[t * 700 + i] = ggml_fp32_to_fp16(
                t == 7 || i > 600 + t || (t != 9 && i < 300 + t) ? -INFINITY
                : t == 9                                         ? (float)-i / 100
                                                                 : 0);
    attend_all(&s.a, ATTEND_ROWS);
    check(&s);
    for (int d = 0; d < 64; d++)
        assert_true(s.out[7 * 64 + d] == 0); /* NOLINT: exactly */
    scene_free(&s);
}

/* Scores so far apart that all but one weigh nothing. */
static void test_large_scores(void **state)
{
    (void)state;
    struct scene s = scene(3, 2, 600, 64, 64);
    for (int i = 0; i < 600 * 64; i++)
        s.k[i] = ggml_fp32_to_fp16(number(900));
    attend_all(&s.a, ATTEND_ROWS);
    check(&s);
    scene_free(&s);
}

/* Same row, same bits: beside any others, with more keys behind those that it sees, and
 * whatever lies there. */
static void test_a_row_does_not_depend_on_others(void **state)
{
    (void)state;
    struct scene s = scene(11, 7, 530, 64, 64);
    size_t size = sizeof(float) * 11 * 7 * 64;
    attend_all(&s.a, ATTEND_ROWS);
    float *first = malloc(size);
    memcpy(first, s.out, size);
    for (int at_once = 1; at_once < ATTEND_ROWS; at_once++) {
        memset(s.out, 0, size);
        attend_all(&s.a, at_once);
        assert_memory_equal(s.out, first, size);
    }
    struct scene longer = scene(11, 7, 2000, 64, 64);
    memcpy(longer.q, s.q, sizeof(float) * 80 * 11 * 7);
    memcpy(longer.k, s.k, sizeof(uint16_t) * 64 * 530);
    memcpy(longer.v, s.v, sizeof(uint16_t) * 64 * 530);
    for (int t = 0; t < 11; t++)
        for (int i = 0; i < 2000; i++)
            longer.mask[t * 2000 + i] =
                i < 530 ? s.mask[t * 530 + i] : ggml_fp32_to_fp16(-INFINITY);
    attend_all(&longer.a, ATTEND_ROWS);
    assert_memory_equal(longer.out, first, size);
    free(first);
    scene_free(&s);
    scene_free(&longer);
}

static uint64_t bits; /* of the other family */

static void test_families_agree(void **state)
{
    (void)state;
    srand(5);
    struct scene s = scene(13, 5, 611, 128, 96);
    attend_all(&s.a, ATTEND_ROWS);
    uint64_t hash = 14695981039346656037U;
    for (size_t i = 0; i < sizeof(float) * 13 * 5 * 96; i++)
        hash = (hash ^ ((unsigned char *)s.out)[i]) * 1099511628211U;
    assert_true(bits == 0 || bits == hash);
    bits = hash;
    scene_free(&s);
}

int main(void)
{
    int failed = 0;
#if defined(__x86_64__)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_is_the_formula),
        cmocka_unit_test(test_masks),
        cmocka_unit_test(test_large_scores),
        cmocka_unit_test(test_a_row_does_not_depend_on_others),
        cmocka_unit_test(test_families_agree),
    };
    const struct attend_cpu *const cpus[] = {&attend_avx512, &attend_avx2};
    for (int i = 0; i < 2; i++)
        if (cpus[i]->usable()) {
            attend_use(cpus[i]);
            failed += cmocka_run_group_tests(tests, NULL, NULL);
        }
#endif
    return failed;
}
