#include "kernel/piece.h"

static const struct panel_cpu *cpu;

void panel_use(const struct panel_cpu *wanted)
{
    cpu = wanted;
}

size_t panel_acts_size(int64_t n_cols)
{
    size_t n_blocks = (size_t)n_cols / PANEL_BLOCK;
    return (n_blocks * (sizeof(struct panel_act) + PANEL_BLOCK) + 63) & ~(size_t)63;
}

bool panel_usable(void)
{
#if defined(__x86_64__)
    static const struct panel_cpu *const best_first[] = {&panel_avx512, &panel_avx2};
    for (int i = 0; i < 2 && !cpu; i++)
        if (best_first[i]->usable())
            cpu = best_first[i];
#endif
    return cpu;
}

void panel_quantize(const struct panel_kind *kind, const float *values, int64_t n_cols,
                    void *acts)
{
    cpu->quantize(kind, values, n_cols, acts);
}

enum { AHEAD = 8192 }; /* bytes: three pieces or more */

/* The memory's latency is as long as a piece takes with few rows, and the CPU's own
 * prefetch starts anew at each page. */
static void fetch(const uint8_t *from, size_t size, const uint8_t *end)
{
    for (size_t at = 0; at < size && from + at < end; at += 64)
        __builtin_prefetch(from + at, 0, 2);
}

enum { ROWS_AT_ONCE = 64 }; /* their sums lie in the first-level cache */

void panel_product(const struct panel_kind *kind, const void *panels, int n_panels,
                   int64_t n_cols, const void *acts, int n, float *out, size_t out_stride)
{
    size_t stride = panel_acts_size(n_cols), size = panel_size(kind, PANEL_ROWS, n_cols);
    int64_t n_blocks = n_cols / PANEL_BLOCK;
    const uint8_t *end = (const uint8_t *)panels + (size_t)n_panels * size;
    fetch(panels, AHEAD, end);
    for (int p = 0; p < n_panels; p++)
        for (int t = 0; t < n; t += ROWS_AT_ONCE) {
            int some = n - t < ROWS_AT_ONCE ? n - t : ROWS_AT_ONCE;
            const uint8_t *from = (const uint8_t *)panels + (size_t)p * size;
            const struct panel_act *first =
                (const void *)((const uint8_t *)acts + (size_t)t * stride);
            const uint8_t *bytes = (const uint8_t *)(first + n_blocks);
            _Alignas(64) float acc[ROWS_AT_ONCE][PANEL_ROWS];
            struct panel_piece piece;
            memset(acc, 0, (size_t)some * sizeof(*acc));
            for (int64_t b = 0; b < n_blocks; b += PANEL_PIECE) {
                int few = (int)(n_blocks - b < PANEL_PIECE ? n_blocks - b : PANEL_PIECE);
                struct panel_rows rows = {first + b, bytes + b * PANEL_BLOCK, stride};
                if (t == 0)
                    fetch(from + AHEAD, panel_blocks_size(kind, few), end);
                from = cpu->open(kind, from, few, &piece);
                cpu->multiply(kind, &piece, few, &rows, some, acc);
            }
            for (int i = 0; i < some; i++)
                memcpy(out + (size_t)(t + i) * out_stride + (size_t)p * PANEL_ROWS,
                       acc[i], sizeof(acc[i]));
        }
}
