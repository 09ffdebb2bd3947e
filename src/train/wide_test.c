/* Every loop against the plain one, for sizes that fill no register, by one part and by
 * three: the same bits. */
#include "base/arena.h"
#include "train/random.h"
#include "train/wide.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { ROWS = 7, N = 37, RANK = 11 };

static struct random dice = {1};

static float *some(int64_t n)
{
    float *x = mem_alloc(sizeof(float) * (size_t)n);
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)(4 * random_unit(&dice) - 2);
    return x;
}

static float *copy(const float *from, int64_t n)
{
    float *x = mem_alloc(sizeof(float) * (size_t)n);
    memcpy(x, from, sizeof(float) * (size_t)n);
    return x;
}

static void near(const float *a, const double *b, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (fabs((double)a[i] - b[i]) > 2e-6 * (1 + fabs(b[i])))
            fail_msg("%lld: %.9g instead of %.9g", (long long)i, (double)a[i], b[i]);
}

static void products_are_added(void **state)
{
    (void)state;
    float *y = some((size_t)ROWS * N), *p = some((size_t)RANK * N),
          *h = some((size_t)ROWS * RANK);
    float *one = copy(y, (size_t)ROWS * N), *three = copy(y, (size_t)ROWS * N);
    double wanted[ROWS * N];
    for (int t = 0; t < ROWS; t++)
        for (int i = 0; i < N; i++) {
            double sum = 0;
            for (int j = 0; j < RANK; j++)
                sum += (double)p[j * N + i] * (double)h[t * RANK + j];
            wanted[t * N + i] = (double)y[t * N + i] + 0.5 * sum;
        }
    wide_add_product((struct wide_part){0, 1}, one, p, h, ROWS, N, RANK, 0.5f);
    for (int i = 0; i < 3; i++)
        wide_add_product((struct wide_part){i, 3}, three, p, h, ROWS, N, RANK, 0.5f);
    near(one, wanted, (int64_t)(size_t)ROWS * N);
    assert_memory_equal(one, three, sizeof(float) * (size_t)ROWS * N);
    free(y), free(p), free(h), free(one), free(three);
}

static void outer_products_are_added(void **state)
{
    (void)state;
    float *g = some((size_t)RANK * N), *x = some((size_t)ROWS * N),
          *d = some((size_t)ROWS * RANK);
    float *one = copy(g, (size_t)RANK * N), *three = copy(g, (size_t)RANK * N);
    double wanted[(size_t)RANK * N];
    for (int j = 0; j < RANK; j++)
        for (int i = 0; i < N; i++) {
            double sum = 0;
            for (int t = 0; t < ROWS; t++)
                sum += (double)d[t * RANK + j] * (double)x[t * N + i];
            wanted[j * N + i] = (double)g[j * N + i] + 0.5 * sum;
        }
    wide_add_outer((struct wide_part){0, 1}, one, x, d, ROWS, N, RANK, 0.5f);
    for (int i = 0; i < 3; i++)
        wide_add_outer((struct wide_part){i, 3}, three, x, d, ROWS, N, RANK, 0.5f);
    near(one, wanted, (int64_t)(size_t)RANK * N);
    assert_memory_equal(one, three, sizeof(float) * (size_t)RANK * N);
    free(g), free(x), free(d), free(one), free(three);
}

static double act_of(enum wide_gate act, double x)
{
    double u = 0.79788456080286535588 * (x + 0.044715 * x * x * x);
    return act == WIDE_SILU ? x / (1 + exp(-x)) : 0.5 * x * (1 + tanh(u));
}

static void gates_and_their_slopes(void **state)
{
    (void)state;
    const enum wide_gate acts[] = {WIDE_SILU, WIDE_GELU};
    for (int k = 0; k < 2; k++) {
        float *gate = some(N), *up = some(N), *dy = some(N), y[N], dgate[N], dup[N];
        double wanted[N], wanted_gate[N], wanted_up[N];
        gate[0] = -100;
        gate[1] = 100;
        gate[2] = 0;
        for (int i = 0; i < N; i++) {
            double x = (double)gate[i], h = 1e-5, at = act_of(acts[k], x);
            double slope = (act_of(acts[k], x + h) - act_of(acts[k], x - h)) / (2 * h);
            wanted[i] = at * (double)up[i];
            wanted_gate[i] = slope * (double)up[i] * (double)dy[i];
            wanted_up[i] = at * (double)dy[i];
        }
        for (int i = 0; i < 3; i++) {
            struct wide_part part = {i, 3};
            wide_gate(part, acts[k], gate, up, N, y);
            wide_gate_back(part, acts[k], gate, up, dy, N, dgate, dup);
        }
        near(y, wanted, N);
        near(dgate, wanted_gate, N);
        near(dup, wanted_up, N);
        free(gate), free(up), free(dy);
    }
}

static void the_loss_and_its_gradient(void **state)
{
    (void)state;
    float *logits = some(N);
    double sum = 0, wanted[N];
    logits[5] = 60; /* most of it: the others nearly vanish */
    logits[6] = -60;
    for (int i = 0; i < N; i++)
        sum += exp((double)logits[i] - 60);
    for (int i = 0; i < N; i++)
        wanted[i] = 0.25 * (exp((double)logits[i] - 60) / sum - (i == 9));
    double loss = log(sum) - ((double)logits[9] - 60);
    double found = wide_cross_entropy(logits, N, 9, 0.25f);
    assert_true(fabs(loss - found) < 1e-5);
    near(logits, wanted, N);
    free(logits);
}

static void matrices_are_transposed(void **state)
{
    (void)state;
    enum { BLOCKS = 2 };
    float *in = some((int64_t)BLOCKS * (size_t)ROWS * N), out[BLOCKS * (size_t)ROWS * N];
    for (int i = 0; i < 3; i++)
        wide_transpose((struct wide_part){i, 3}, in, out, ROWS, N, BLOCKS);
    for (int b = 0; b < BLOCKS; b++)
        for (int t = 0; t < ROWS; t++)
            for (int i = 0; i < N; i++)
                assert_true(out[b * (size_t)ROWS * N + (size_t)i * ROWS + t] ==
                            in[b * (size_t)ROWS * N + (size_t)t * N + i]);
    free(in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_are_added),
        cmocka_unit_test(outer_products_are_added),
        cmocka_unit_test(gates_and_their_slopes),
        cmocka_unit_test(the_loss_and_its_gradient),
        cmocka_unit_test(matrices_are_transposed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
