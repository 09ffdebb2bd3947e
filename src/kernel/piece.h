/* piece.h - what panel.c and product.c share: the kinds, and a piece of a panel laid
 * open. */
#ifndef POLLUX_KERNEL_PIECE_H
#define POLLUX_KERNEL_PIECE_H

#include "kernel/panel.h"

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

/* A quantised activation row: n_cols / 32 of these, then n_cols bytes. */
struct panel_act {
    float scale;
    float sum;        /* scale * the sum of the 32 */
    int32_t start[2]; /* -offset * the sum of the 32, or of each 16 of PANEL_HALVES */
};

/* Bytes of a panel's n blocks, the first of a super block. */
size_t panel_blocks_size(const struct panel_kind *kind, int64_t n_blocks);

#endif
