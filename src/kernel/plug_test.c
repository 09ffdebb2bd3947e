/* Products through ggml's own CPU backend: with the weights in our buffer, and in its.
 * Attention: in one operation, which is ours, and in steps, which are its. */
#include "kernel/kept.h"
#include "kernel/panel.h"
#include "kernel/plug.h"
#include <ggml-alloc.h>
#include <ggml-backend.h>
#include <ggml-cpu.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static ggml_backend_buffer_type_t panels; /* NULL: this CPU or libllama has none */

static void find_panels(void)
{
    ggml_backend_dev_t cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    ggml_backend_reg_t reg = ggml_backend_dev_backend_reg(cpu);
    ggml_backend_dev_get_extra_bufts_t list =
        (ggml_backend_dev_get_extra_bufts_t)ggml_backend_reg_get_proc_address(
            reg, "ggml_backend_dev_get_extra_bufts");
    for (ggml_backend_buffer_type_t *type = list(cpu); *type; type++)
        if (strcmp(ggml_backend_buft_name(*type), "CPU_PANELS") == 0)
            panels = *type;
}

struct product {
    enum ggml_type type;
    int64_t n_cols, n_rows, n, n_batches;
};

/* The results of weights x values; those of our buffer when `type` is ours. */
static float *compute(const struct product *p, ggml_backend_buffer_type_t type,
                      const void *weights, const float *values, int n_threads)
{
    struct ggml_init_params params = {.mem_size = 1 << 20, .no_alloc = true};
    struct ggml_context *stored = ggml_init(params), *ctx = ggml_init(params);
    struct ggml_tensor *w = ggml_new_tensor_2d(stored, p->type, p->n_cols, p->n_rows),
                       *x = ggml_new_tensor_3d(ctx, GGML_TYPE_F32, p->n_cols, p->n,
                                               p->n_batches);
    ggml_backend_buffer_t buffer = ggml_backend_alloc_ctx_tensors_from_buft(stored, type);
    ggml_backend_tensor_set(w, weights, 0, ggml_nbytes(w));
    struct ggml_tensor *y = ggml_mul_mat(ctx, w, x);
    struct ggml_cgraph *graph = ggml_new_graph(ctx);
    ggml_build_forward_expand(graph, y);
    ggml_backend_t cpu = ggml_backend_cpu_init();
    ggml_backend_cpu_set_n_threads(cpu, n_threads);
    assert_true(ggml_backend_supports_op(cpu, y));
    ggml_backend_buffer_t rest = ggml_backend_alloc_ctx_tensors(ctx, cpu);
    ggml_backend_tensor_set(x, values, 0, ggml_nbytes(x));
    assert_int_equal(ggml_backend_graph_compute(cpu, graph), GGML_STATUS_SUCCESS);
    float *result = malloc(ggml_nbytes(y));
    ggml_backend_tensor_get(y, result, 0, ggml_nbytes(y));
    ggml_backend_buffer_free(rest);
    ggml_backend_buffer_free(buffer);
    ggml_backend_free(cpu);
    ggml_free(ctx);
    ggml_free(stored);
    return result;
}

static float *random_floats(size_t n)
{
    float *at = malloc(n * sizeof(float));
    for (size_t i = 0; i < n; i++)
        at[i] = (float)rand() / (float)RAND_MAX - 0.5F; // NOLINT: any numbers will do
    return at;
}

static void check(const struct product *p)
{
    size_t n_weights = (size_t)(p->n_cols * p->n_rows);
    float *weights = random_floats(n_weights),
          *values = random_floats((size_t)(p->n_cols * p->n * p->n_batches));
    void *rows = malloc(ggml_row_size(p->type, p->n_cols) * (size_t)p->n_rows);
    ggml_quantize_chunk(p->type, weights, rows, 0, p->n_rows, p->n_cols, NULL);
    float *theirs = compute(p, ggml_backend_cpu_buffer_type(), rows, values, 2),
          *first = 0;
    size_t n_results = (size_t)(p->n_rows * p->n * p->n_batches);
    for (int n_threads = 1; n_threads <= 5; n_threads++) {
        float *ours = compute(p, panels, rows, values, n_threads);
        for (size_t i = 0; i < n_results; i++)
            if (fabsf(ours[i] - theirs[i]) > 0.02F * sqrtf((float)p->n_cols))
                fail_msg("result %zu: %g, ggml's is %g", i, (double)ours[i],
                         (double)theirs[i]);
        if (first) {
            assert_memory_equal(ours, first, n_results * sizeof(float));
            free(ours);
        } else {
            first = ours;
        }
    }
    free(first);
    free(theirs);
    free(rows);
    free(values);
    free(weights);
}

/* Fewer panels than threads, many, and as many that runs end unevenly; one row, more rows
 * than fit a tile, batches. */
static void test_products(void **state)
{
    (void)state;
    static const struct product products[] = {
        {GGML_TYPE_Q5_0, 896, 16, 1, 1},   {GGML_TYPE_Q8_0, 224, 48, 3, 1},
        {GGML_TYPE_Q4_K, 256, 4000, 7, 1}, {GGML_TYPE_Q6_K, 1536, 1616, 2, 1},
        {GGML_TYPE_Q4_1, 576, 192, 65, 1}, {GGML_TYPE_Q5_K, 512, 320, 3, 4},
    };
    for (size_t i = 0; i < sizeof(products) / sizeof(*products); i++)
        check(&products[i]);
}

/* ---- attention ---- */

struct attention {
    int64_t width, v_width, n_tokens, n_heads, n_kv_heads, n_keys, n_streams;
    float cap; /* of scores: not ours, but ggml's must still be right */
};

struct inputs {
    struct ggml_tensor *q, *k, *v, *mask;
};

static struct inputs inputs_of(struct ggml_context *ctx, const struct attention *a)
{
    struct inputs in = {
        ggml_new_tensor_4d(ctx, GGML_TYPE_F32, a->width, a->n_heads, a->n_tokens,
                           a->n_streams),
        ggml_new_tensor_4d(ctx, GGML_TYPE_F16, a->width, a->n_kv_heads, a->n_keys,
                           a->n_streams),
        ggml_new_tensor_4d(ctx, GGML_TYPE_F16, a->v_width, a->n_kv_heads, a->n_keys,
                           a->n_streams),
        ggml_new_tensor_4d(ctx, GGML_TYPE_F16, a->n_keys, a->n_tokens, 1, a->n_streams),
    };
    return in;
}

static void fill(struct ggml_tensor *t, bool causal)
{
    size_t n = (size_t)ggml_nelements(t);
    float *values = random_floats(n);
    ggml_fp16_t *halves = malloc(n * sizeof(*halves));
    for (size_t i = 0; i < n; i++) {
        int64_t key = (int64_t)i % t->ne[0], token = (int64_t)i / t->ne[0] % t->ne[1];
        values[i] = !causal                                  ? values[i] * 4
                    : key > t->ne[0] - 40 - t->ne[1] + token ? -INFINITY
                                                             : 0;
        halves[i] = ggml_fp32_to_fp16(values[i]);
    }
    ggml_backend_tensor_set(t, t->type == GGML_TYPE_F16 ? (void *)halves : values, 0,
                            ggml_nbytes(t));
    free(halves);
    free(values);
}

/* In one operation, and by products and a softmax that are ggml's. */
static struct ggml_tensor *at_once(struct ggml_context *ctx, const struct attention *a,
                                   struct inputs in)
{
    return ggml_flash_attn_ext(ctx, ggml_permute(ctx, in.q, 0, 2, 1, 3),
                               ggml_permute(ctx, in.k, 0, 2, 1, 3),
                               ggml_permute(ctx, in.v, 0, 2, 1, 3), in.mask,
                               1 / sqrtf((float)a->width), 0, a->cap);
}

static struct ggml_tensor *in_steps(struct ggml_context *ctx, const struct attention *a,
                                    struct inputs in)
{
    float scale = 1 / sqrtf((float)a->width);
    struct ggml_tensor *scores = ggml_mul_mat(ctx, ggml_permute(ctx, in.k, 0, 2, 1, 3),
                                              ggml_permute(ctx, in.q, 0, 2, 1, 3));
    if (a->cap > 0) {
        scores = ggml_tanh(ctx, ggml_scale(ctx, scores, scale / a->cap));
        scores = ggml_scale(ctx, scores, a->cap / scale);
    }
    struct ggml_tensor *weights = ggml_soft_max_ext(ctx, scores, in.mask, scale, 0);
    struct ggml_tensor *sums =
        ggml_mul_mat(ctx, ggml_cont(ctx, ggml_permute(ctx, in.v, 1, 2, 0, 3)), weights);
    return ggml_cont(ctx, ggml_permute(ctx, sums, 0, 2, 1, 3));
}

static float *result_of(ggml_backend_t cpu, struct ggml_context *ctx,
                        struct ggml_tensor *out)
{
    struct ggml_cgraph *graph = ggml_new_graph(ctx);
    ggml_build_forward_expand(graph, out);
    assert_int_equal(ggml_backend_graph_compute(cpu, graph), GGML_STATUS_SUCCESS);
    float *result = malloc(ggml_nbytes(out));
    ggml_backend_tensor_get(out, result, 0, ggml_nbytes(out));
    return result;
}

static void check_attention(const struct attention *a)
{
    struct ggml_init_params params = {.mem_size = 1 << 21, .no_alloc = true};
    struct ggml_context *ctx = ggml_init(params);
    struct inputs in = inputs_of(ctx, a);
    struct ggml_tensor *steps = in_steps(ctx, a, in), *once = at_once(ctx, a, in);
    ggml_backend_t cpu = ggml_backend_cpu_init();
    ggml_backend_buffer_t buffer = ggml_backend_alloc_ctx_tensors(ctx, cpu);
    fill(in.q, false);
    fill(in.k, false);
    fill(in.v, false);
    fill(in.mask, true);
    float *want = result_of(cpu, ctx, steps), *first = NULL;
    for (int n_threads = 1; n_threads <= 5; n_threads++) {
        ggml_backend_cpu_set_n_threads(cpu, n_threads);
        float *got = result_of(cpu, ctx, once);
        for (int64_t i = 0; i < ggml_nelements(once); i++)
            if (!(fabsf(got[i] - want[i]) < 4e-3F))
                fail_msg("number %d: %g, not %g", (int)i, (double)got[i],
                         (double)want[i]);
        if (first)
            assert_memory_equal(got, first, ggml_nbytes(once));
        if (first || a->cap > 0) /* ggml's depends on the number of threads */
            free(got);
        else
            first = got;
    }
    free(first);
    free(want);
    ggml_backend_buffer_free(buffer);
    ggml_backend_free(cpu);
    ggml_free(ctx);
}

/* Few rows whose keys are parted among threads, many; several sequences; capped scores.
 */
static void test_attention(void **state)
{
    (void)state;
    static const struct attention attentions[] = {
        {64, 64, 1, 14, 2, 1024, 1, 0}, {64, 64, 12, 14, 2, 600, 1, 0},
        {64, 64, 90, 14, 2, 256, 1, 0}, {128, 128, 1, 12, 2, 512, 5, 0},
        {32, 96, 7, 3, 3, 300, 2, 0},   {64, 64, 3, 9, 3, 512, 1, 30},
    };
    for (size_t i = 0; i < sizeof(attentions) / sizeof(*attentions); i++)
        check_attention(&attentions[i]);
}

/* ggml must not give us what we cannot compute. */
static void test_what_is_refused(void **state)
{
    (void)state;
    struct ggml_init_params params = {.mem_size = 1 << 20, .no_alloc = true};
    struct ggml_context *ctx = ggml_init(params);
    ggml_backend_t cpu = ggml_backend_cpu_init();
    ggml_backend_buffer_t none = ggml_backend_buft_alloc_buffer(panels, 0);
    struct ggml_tensor *odd = ggml_new_tensor_2d(ctx, GGML_TYPE_Q8_0, 256, 24),
                       *wide = ggml_new_tensor_2d(ctx, GGML_TYPE_F32, 256, 32),
                       *good = ggml_new_tensor_2d(ctx, GGML_TYPE_Q8_0, 256, 32),
                       *x = ggml_new_tensor_2d(ctx, GGML_TYPE_F32, 256, 1),
                       *ids = ggml_new_tensor_1d(ctx, GGML_TYPE_I32, 1);
    odd->buffer = wide->buffer = good->buffer = none;
    assert_true(ggml_backend_supports_op(cpu, ggml_mul_mat(ctx, good, x)));
    assert_false(ggml_backend_supports_op(cpu, ggml_mul_mat(ctx, odd, x)));
    assert_false(ggml_backend_supports_op(cpu, ggml_mul_mat(ctx, wide, x)));
    assert_false(ggml_backend_supports_op(cpu, ggml_get_rows(ctx, good, ids)));
    ggml_backend_buffer_free(none);
    ggml_backend_free(cpu);
    ggml_free(ctx);
}

static void check_clearing(size_t size, bool locked)
{
    static const unsigned char values[] = {7, 0, 255, 0};
    ggml_backend_buffer_t buffer =
        ggml_backend_buft_alloc_buffer(ggml_backend_cpu_buffer_type(), size);
    unsigned char *bytes = ggml_backend_buffer_get_base(buffer);
    if (locked)
        assert_int_equal(mlock(bytes, size), 0);
    for (size_t v = 0; v < sizeof(values); v++) {
        ggml_backend_buffer_clear(buffer, values[v]);
        for (size_t k = 0; k < size; k++)
            if (bytes[k] != values[v])
                fail_msg("byte %zu of %zu is %d after clearing to %d", k, size, bytes[k],
                         values[v]);
    }
    if (locked)
        munlock(bytes, size);
    ggml_backend_buffer_free(buffer);
}

/* Less than a page, pages and pieces of them; every byte of them. Locked pages cannot be
 * given back, and are cleared all the same. */
static void test_cleared_is_cleared(void **state)
{
    (void)state;
    static const size_t sizes[] = {64, 4000, 4096, 12352, 5000000};
    plug_clearing();
    plug_clearing();
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
        check_clearing(sizes[i], false);
    check_clearing(20000, true);
}

/* A load of the one matrix, and a product with it; whether the file served. */
static bool product_is_the_same(const char *path, const void *rows, const float *values,
                                float **first)
{
    static const struct product p = {GGML_TYPE_Q6_K, 512, 320, 3, 1};
    struct kept *kept = kept_open(path);
    plug_keep(kept);
    float *now = compute(&p, panels, rows, values, 2);
    plug_keep(NULL);
    bool served = kept_served(kept);
    if (*first)
        assert_memory_equal(now, *first, sizeof(float) * (size_t)(p.n_rows * p.n));
    free(*first);
    *first = now;
    kept_close(kept);
    return served;
}

static void write_panels(const char *path, const void *bytes, size_t size)
{
    struct kept *kept = kept_open(path);
    kept_made(kept, bytes, size);
    kept_write(kept);
    for (int i = 0; i < 6000 && access(path, F_OK) != 0; i++)
        usleep(10000);
    kept_close(kept);
}

/* The same results from a file, and from one that is another layout's, or was hit at the
 * first panel of a matrix or its last: that one is mended and deleted. */
static void test_panels_from_a_file(void **state)
{
    (void)state;
    enum { N_COLS = 512, N_ROWS = 320, N = 3 };
    char folder[] = "/tmp/plug-test-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/m" KEPT_END, folder);
    float *weights = random_floats((size_t)N_COLS * N_ROWS),
          *values = random_floats((size_t)N_COLS * N), *first = NULL;
    void *rows = malloc(ggml_row_size(GGML_TYPE_Q6_K, N_COLS) * N_ROWS);
    ggml_quantize_chunk(GGML_TYPE_Q6_K, weights, rows, 0, N_ROWS, N_COLS, NULL);
    const struct panel_kind *kind = panel_kind_for(GGML_TYPE_Q6_K, N_ROWS, N_COLS);
    size_t from = panel_source_size(kind, PANEL_ROWS, N_COLS),
           to = panel_size(kind, PANEL_ROWS, N_COLS),
           size = panel_size(kind, N_ROWS, N_COLS);
    char *bytes = malloc(size);
    for (size_t i = 0; i < N_ROWS / PANEL_ROWS; i++)
        panel_pack(kind, (char *)rows + i * from, N_COLS, bytes + i * to);
    assert_false(product_is_the_same(path, rows, values, &first));
    write_panels(path, bytes, size);
    assert_true(product_is_the_same(path, rows, values, &first));
    const size_t hit[] = {5, size - 5};
    for (int i = 0; i < 2; i++) {
        size_t at = hit[i];
        unlink(path);
        bytes[at] ^= 1;
        write_panels(path, bytes, size);
        bytes[at] ^= 1;
        assert_false(product_is_the_same(path, rows, values, &first));
        assert_int_not_equal(access(path, F_OK), 0);
    }
    assert_int_equal(rmdir(folder), 0);
    free(bytes);
    free(first);
    free(rows);
    free(values);
    free(weights);
}

static void test_plugging_twice_is_once(void **state)
{
    (void)state;
    assert_int_equal(plug_panels(), panels != NULL);
}

int main(void)
{
    const struct CMUnitTest always[] = {cmocka_unit_test(test_plugging_twice_is_once),
                                        cmocka_unit_test(test_cleared_is_cleared)};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_products),
        cmocka_unit_test(test_attention),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_panels_from_a_file),
    };
    plug_panels();
    find_panels();
    int failed = cmocka_run_group_tests(always, NULL, NULL);
    if (panels)
        failed += cmocka_run_group_tests(tests, NULL, NULL);
    return failed;
}
