/* panel.h - products of quantised weight matrices with a few or many activation rows.
 *
 * libllama multiplies most quantised types row by row: two activation rows cost nearly
 * twice what one does, though the weights come from memory once. Here a matrix is kept in
 * *panels* of PANEL_ROWS rows, interleaved so that one AVX-512 register, or two of AVX2,
 * hold four neighbouring weights of each of them: one VNNI instruction advances 16
 * outputs by four weights each (avx512.c); on older CPUs it takes a few more (avx2.c).
 * Panels are as large as the GGUF's rows, so one activation row takes as long as the
 * memory does, and eight take little more.
 *
 *   at load     rows of a GGUF -> panel_pack() -> panels
 *   a product   float activations -> panel_quantize() -> bytes with a scale for 32 each
 *               panels, a piece of 256 weights by 16 rows at a time -> bytes and float
 *               scales in the first-level cache -> against all activation rows
 *
 * Weights are exactly the GGUF's; activations are rounded to 8 bits as libllama does,
 * with a scale for every 32 (libllama: 32 or 256). A row's result does not depend on how
 * many rows there are, nor on which thread computes it. The layouts of the GGUF's types
 * are those of ggml-common.h; a panel's is in panel.c.
 *
 * After panel_usable() any thread may call any function. */
#ifndef POLLUX_KERNEL_PANEL_H
#define POLLUX_KERNEL_PANEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PANEL_ROWS = 16,  /* output rows of a panel */
    PANEL_BLOCK = 32, /* weights of a row, and activations, that share scales */
    PANEL_PIECE = 8,  /* blocks that are unpacked at a time */
};

struct panel_kind;

/* Whether this CPU has what the products need: AVX-512 with VNNI, or AVX2 with FMA and
 * F16C. To be called before any product; the first call is not thread-safe. */
bool panel_usable(void);

/* How matrices of this type (enum ggml_type) and shape are packed; NULL: they are not. */
const struct panel_kind *panel_kind_for(int type, int64_t n_rows, int64_t n_cols);

/* Bytes of n_rows rows of n_cols weights: in the GGUF, and in panels. */
size_t panel_source_size(const struct panel_kind *kind, int64_t n_rows, int64_t n_cols);
size_t panel_size(const struct panel_kind *kind, int64_t n_rows, int64_t n_cols);

/* Packs one panel: PANEL_ROWS rows as they lie in the GGUF, one behind the other. */
void panel_pack(const struct panel_kind *kind, const void *rows, int64_t n_cols,
                void *panel);

/* Bytes of one activation row of n_cols values when quantised: a multiple of 64. */
size_t panel_acts_size(int64_t n_cols);
void panel_quantize(const struct panel_kind *kind, const float *values, int64_t n_cols,
                    void *acts);

/* Panels that lie one behind the other with n quantised activation rows,
 * panel_acts_size() apart: 16 results a panel, those of row i from out + i * stride on.
 */
void panel_product(const struct panel_kind *kind, const void *panels, int n_panels,
                   int64_t n_cols, const void *acts, int n, float *out, size_t stride);

#endif
