/* piece.h - what the files of kernel/ share: the kinds, a piece of a panel laid open, and
 * what each family of CPUs has to bring.
 *
 * The formula, for row r, block b of 32 and activation row t:
 *
 *   out[t][r] += act.scale[t][b] * scale[r][b] * sum over k of (q[r][k] - offset) *
 *                act[t][k]
 *
 * CPUs multiply unsigned by signed bytes, so q stays unsigned: the integer sum starts at
 * -offset * sum of act[t] (act.start), which is exact. PANEL_AFFINE starts at 0 and adds
 * min[r][b] * act.scale[t][b] * sum of act[t] (act.sum). */
#ifndef POLLUX_KERNEL_PIECE_H
#define POLLUX_KERNEL_PIECE_H

#include "kernel/panel.h"
#include <string.h>

/* How a kind's weights w come from its unsigned numbers q. */
enum panel_scaling {
    PANEL_SIGNED, /* w = scale * (q - offset), a scale for 32 */
    PANEL_AFFINE, /* w = scale * q + min, both for 32 */
    PANEL_HALVES, /* w = scale * (q - offset), a scale for 16 */
};

/* What lies where, in a row of the GGUF and in a panel. */
struct panel_kind {
    int type; /* enum ggml_type */
    int bits; /* of q: 4, 5, 6 or 8 */
    enum panel_scaling scaling;
    int offset;
    bool super;        /* scales are small integers, times floats for 256 weights */
    int source_blocks; /* blocks of PANEL_BLOCK weights in a block of the GGUF */
    int source_size;   /* bytes of that block */
    /* The numbers of block i of a block of the GGUF. */
    void (*numbers)(const uint8_t *source, int i, uint8_t q[PANEL_BLOCK]);
};

/* Register g of a block holds weights 4g to 4g+3 of row 0, of row 1, ... */
struct panel_piece {
    uint8_t q[PANEL_PIECE][8][64];
    float scale[PANEL_PIECE][2][PANEL_ROWS];
    float min[PANEL_PIECE][PANEL_ROWS];
} __attribute__((aligned(64)));

/* A quantised activation row: n_cols / 32 of these, then n_cols signed bytes, of which
 * none is -128. */
struct panel_act {
    float scale;
    float sum;        /* scale * the sum of the 32 */
    int32_t start[2]; /* -offset * the sum of the 32, or of each 16 of PANEL_HALVES */
};

/* Bytes of a panel's n blocks, the first of a super block. */
size_t panel_blocks_size(const struct panel_kind *kind, int64_t n_blocks);

/* Activation rows, `stride` bytes apart, from the block at hand on. */
struct panel_rows {
    const struct panel_act *acts;
    const uint8_t *bytes;
    size_t stride;
};

static inline const struct panel_act *panel_act_of(const struct panel_rows *rows, int t)
{
    return (const void *)((const uint8_t *)rows->acts + (size_t)t * rows->stride);
}

/* The same without the first t. */
static inline struct panel_rows panel_rows_from(const struct panel_rows *rows, int t)
{
    return (struct panel_rows){panel_act_of(rows, t),
                               rows->bytes + (size_t)t * rows->stride, rows->stride};
}

/* Four activations from register g on, as one number. */
static inline int32_t panel_four(const struct panel_rows *rows, int t, int g)
{
    int32_t four;
    memcpy(&four, rows->bytes + (size_t)t * rows->stride + g * 4, 4);
    return four;
}

/* A family of CPUs. */
struct panel_cpu {
    bool (*usable)(void);
    /* panel_quantize() */
    void (*quantize)(const struct panel_kind *kind, const float *values, int64_t n_cols,
                     void *acts);
    /* Lays n_blocks of a panel open; returns the end of what it read. */
    const uint8_t *(*open)(const struct panel_kind *kind, const uint8_t *from,
                           int n_blocks, struct panel_piece *piece);
    /* Adds the products of a piece with n rows to acc. */
    void (*multiply)(const struct panel_kind *kind, const struct panel_piece *piece,
                     int n_blocks, const struct panel_rows *rows, int n,
                     float (*acc)[PANEL_ROWS]);
};

extern const struct panel_cpu panel_avx512, panel_avx2;

/* Which of them computes from now on (tests). Otherwise panel_usable() chooses the best.
 */
void panel_use(const struct panel_cpu *cpu);

#endif
