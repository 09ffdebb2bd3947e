/* The reference is ggml itself: its quantiser makes the rows, its dequantiser says what
 * they mean. Sums are then done in double. */
#include "kernel/piece.h"
#include <ggml.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const int types[] = {GGML_TYPE_Q4_0, GGML_TYPE_Q4_1, GGML_TYPE_Q5_0,
                            GGML_TYPE_Q5_1, GGML_TYPE_Q8_0, GGML_TYPE_Q4_K,
                            GGML_TYPE_Q5_K, GGML_TYPE_Q6_K};
enum { N_TYPES = sizeof(types) / sizeof(*types), MOST = 70 };

struct matrix {
    const struct panel_kind *kind;
    int n_rows, n_cols;
    float *weights; /* what the quantised rows mean */
    void *panels;
    float *values; /* MOST rows */
    void *acts;
};

static float random_float(void)
{
    return (float)rand() / (float)RAND_MAX * 2 - 1; // NOLINT: any numbers will do
}

static void *room(size_t size)
{
    void *at = aligned_alloc(64, (size + 63) & ~(size_t)63);
    assert_non_null(at);
    return at;
}

static struct matrix matrix(int type, int n_rows, int n_cols)
{
    struct matrix m = {
        .kind = panel_kind_for(type, n_rows, n_cols), .n_rows = n_rows, .n_cols = n_cols};
    size_t n = (size_t)n_rows * (size_t)n_cols;
    assert_non_null(m.kind);
    size_t size = panel_source_size(m.kind, n_rows, n_cols),
           one = panel_source_size(m.kind, PANEL_ROWS, n_cols);
    assert_int_equal(size, (size_t)n_rows * ggml_row_size((enum ggml_type)type, n_cols));
    assert_int_equal(panel_size(m.kind, n_rows, n_cols), size);
    m.weights = room(n * sizeof(float));
    /* Rows and blocks of different sizes and means: each has its own scale and minimum.
     */
    for (size_t i = 0; i < n; i++)
        m.weights[i] = random_float() * (float)(1 + i / 32 % 7) + (float)(i / 256 % 3);
    char *source = room(size);
    ggml_quantize_chunk((enum ggml_type)type, m.weights, source, 0, n_rows, n_cols, NULL);
    ggml_get_type_traits((enum ggml_type)type)->to_float(source, m.weights, (int64_t)n);
    m.panels = room(size);
    for (int p = 0; p < n_rows / PANEL_ROWS; p++)
        panel_pack(m.kind, source + (size_t)p * one, n_cols,
                   (char *)m.panels + (size_t)p * panel_size(m.kind, PANEL_ROWS, n_cols));
    free(source);
    m.values = room((size_t)MOST * (size_t)n_cols * sizeof(float));
    m.acts = room(MOST * panel_acts_size(n_cols));
    for (int i = 0; i < MOST * n_cols; i++)
        m.values[i] = random_float() * (float)(i / 32 % 5); /* some blocks are 0 */
    for (int t = 0; t < MOST; t++)
        panel_quantize(m.kind, m.values + (size_t)t * (size_t)n_cols, n_cols,
                       (char *)m.acts + (size_t)t * panel_acts_size(n_cols));
    return m;
}

static void matrix_free(struct matrix *m)
{
    free(m->weights);
    free(m->panels);
    free(m->values);
    free(m->acts);
}

static void all_panels(const struct matrix *m, int n, float *out)
{
    panel_product(m->kind, m->panels, m->n_rows / PANEL_ROWS, m->n_cols, m->acts, n, out,
                  (size_t)m->n_rows);
}

static double act_of(const struct matrix *m, int t, int k)
{
    const struct panel_act *act =
        (void *)((char *)m->acts + (size_t)t * panel_acts_size(m->n_cols));
    const int8_t *bytes = (const int8_t *)(act + m->n_cols / PANEL_BLOCK);
    return (double)act[k / PANEL_BLOCK].scale * bytes[k];
}

/* Beside the rounding of the activations there is only that of float sums. */
static void assert_close(const struct matrix *m, int n, const float *out)
{
    for (int t = 0; t < n; t++)
        for (int r = 0; r < m->n_rows; r++) {
            double sum = 0, size = 0;
            for (int k = 0; k < m->n_cols; k++) {
                double product = (double)m->weights[r * m->n_cols + k] * act_of(m, t, k);
                sum += product;
                size += fabs(product);
            }
            double wrong = fabs((double)out[t * m->n_rows + r] - sum);
            if (wrong > size * 1e-5)
                fail_msg("row %d, activations %d: %g, should be %g", r, t,
                         (double)out[t * m->n_rows + r], sum);
        }
}

/* To the nearest of 255 steps between minus and plus the largest of 32. */
static void test_activations_are_rounded(void **state)
{
    (void)state;
    struct matrix m = matrix(GGML_TYPE_Q8_0, 16, 768);
    for (int t = 0; t < MOST; t++)
        for (int k = 0; k < m.n_cols; k++) {
            const float *values = m.values + (size_t)t * (size_t)m.n_cols;
            float most = 0;
            for (int i = k / 32 * 32; i < k / 32 * 32 + 32; i++)
                most = fmaxf(most, fabsf(values[i]));
            assert_true(fabs(act_of(&m, t, k) - (double)values[k]) <=
                        (double)most / 253.9);
        }
    matrix_free(&m);
}

static void test_products_are_right(void **state)
{
    (void)state;
    static const int shapes[][2] = {{16, 256}, {48, 768}, {32, 1536}};
    for (int i = 0; i < N_TYPES; i++)
        for (size_t s = 0; s < 3; s++) {
            struct matrix m = matrix(types[i], shapes[s][0], shapes[s][1]);
            float *out = room((size_t)MOST * (size_t)m.n_rows * sizeof(float));
            all_panels(&m, MOST, out);
            assert_close(&m, MOST, out);
            free(out);
            matrix_free(&m);
        }
}

/* 32, 224 and 896 are no multiples of a piece. */
static void test_short_pieces(void **state)
{
    (void)state;
    static const int widths[] = {32, 224, 896};
    for (int i = 0; i < 5; i++)
        for (size_t w = 0; w < 3; w++) {
            struct matrix m = matrix(types[i], 32, widths[w]);
            float out[MOST * 32];
            all_panels(&m, MOST, out);
            assert_close(&m, MOST, out);
            matrix_free(&m);
        }
}

/* Same row, same bits: beside any number of others, in any run of panels; nothing else is
 * written to. */
static void test_a_row_does_not_depend_on_others(void **state)
{
    (void)state;
    static const int counts[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 17, 64, 65};
    for (int i = 0; i < N_TYPES; i++) {
        struct matrix m = matrix(types[i], 64, 512);
        float whole[MOST * 64], part[MOST * 64 + 16];
        all_panels(&m, MOST, whole);
        for (size_t c = 0; c < sizeof(counts) / sizeof(*counts); c++) {
            int n = counts[c];
            for (int k = 0; k < MOST * 64 + 16; k++)
                part[k] = -7;
            panel_product(m.kind, m.panels, 1, m.n_cols, m.acts, n, part, 64);
            panel_product(m.kind,
                          (char *)m.panels + panel_size(m.kind, PANEL_ROWS, m.n_cols), 2,
                          m.n_cols, m.acts, n, part + PANEL_ROWS, 64);
            for (int k = 0; k < MOST * 64 + 16; k++) {
                bool written = k / 64 < n && k % 64 < 48;
                float want = written ? whole[k] : -7;
                assert_memory_equal(&part[k], &want, sizeof(want));
            }
        }
        matrix_free(&m);
    }
}

/* Extremes: the largest numbers of each type, with activations of one sign. */
static void test_sums_do_not_overflow(void **state)
{
    (void)state;
    enum { COLS = 4096 };
    for (int i = 0; i < N_TYPES; i++) {
        struct matrix m = matrix(types[i], 16, COLS);
        char *source = room(panel_source_size(m.kind, 16, COLS));
        for (int k = 0; k < 16 * COLS; k++)
            m.weights[k] = k % 64 == 0 ? -1 : 1;
        ggml_quantize_chunk((enum ggml_type)types[i], m.weights, source, 0, 16, COLS,
                            NULL);
        ggml_get_type_traits((enum ggml_type)types[i])
            ->to_float(source, m.weights, 16 * COLS);
        panel_pack(m.kind, source, COLS, m.panels);
        for (int k = 0; k < COLS; k++)
            m.values[k] = 1e4f;
        panel_quantize(m.kind, m.values, COLS, m.acts);
        float out[16];
        all_panels(&m, 1, out);
        assert_close(&m, 1, out);
        free(source);
        matrix_free(&m);
    }
}

static void test_what_is_not_packed(void **state)
{
    (void)state;
    assert_null(panel_kind_for(GGML_TYPE_F32, 16, 256));
    assert_null(panel_kind_for(GGML_TYPE_IQ4_NL, 16, 256));
    assert_null(panel_kind_for(GGML_TYPE_Q8_0, 24, 256));
    assert_null(panel_kind_for(GGML_TYPE_Q8_0, 16, 48));
    assert_null(panel_kind_for(GGML_TYPE_Q4_K, 16, 896));
    assert_non_null(panel_kind_for(GGML_TYPE_Q8_0, 16, 896));
}

int main(void)
{
    const struct CMUnitTest anywhere[] = {cmocka_unit_test(test_what_is_not_packed)};
    const struct CMUnitTest products[] = {
        cmocka_unit_test(test_activations_are_rounded),
        cmocka_unit_test(test_products_are_right),
        cmocka_unit_test(test_short_pieces),
        cmocka_unit_test(test_a_row_does_not_depend_on_others),
        cmocka_unit_test(test_sums_do_not_overflow),
    };
    int failed = cmocka_run_group_tests(anywhere, NULL, NULL);
#if defined(__x86_64__)
    const struct panel_cpu *const cpus[] = {&panel_avx512, &panel_avx2};
    for (int i = 0; i < 2; i++)
        if (cpus[i]->usable()) {
            panel_use(cpus[i]);
            failed += cmocka_run_group_tests(products, NULL, NULL);
        }
#endif
    return failed;
}
