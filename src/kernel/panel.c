#include "kernel/piece.h"
#include <string.h>

/* A panel is, for a plain kind, one of these for each block of 32 weights a row:
 *
 *   numbers     4 registers of 64 bytes: register g of the piece in the low nibbles of
 *               register g, g + 4 in the high ones. (8 bits: 8 registers, as they are)
 *   more bits   5 bits: a register, bit g of a byte for register g of the piece.
 *               6 bits: two registers, bits 2g and 2g + 1 for registers g and g + 4
 *   scales      16 half floats, one for each row
 *   minima      16 half floats, when it is PANEL_AFFINE
 *
 * and for a super kind, for each 256 weights a row:
 *
 *   8 times     numbers, more bits
 *   scales      PANEL_HALVES: 16 x 16 signed bytes
 *               PANEL_AFFINE: 8 x 16 bytes with the low four bits of the scale in the low
 *               nibble, those of the minimum in the high one; then 4 x 16 bytes with the
 *               two upper bits of scale i, minimum i, scale i + 4, minimum i + 4
 *   factors     16 half floats for the scales; 16 for the minima, which count negative
 *
 * So a panel has the size of its rows in the GGUF. */

enum { SUPER_BLOCKS = 8 };

/* ---- numbers of the GGUF's blocks, eight bytes at a time ---- */

enum { WORDS = PANEL_BLOCK / 8 };

static uint64_t word(const uint8_t *bytes, int i)
{
    uint64_t word;
    memcpy(&word, bytes + i * 8, 8);
    return word;
}

static void put(uint8_t *bytes, int i, uint64_t word)
{
    memcpy(bytes + i * 8, &word, 8);
}

/* The same value in each of the eight bytes. */
static uint64_t each(uint8_t byte)
{
    return byte * 0x0101010101010101u;
}

/* The low nibbles of 16 bytes, then the high ones. */
static void numbers_of_nibbles(const uint8_t *nibbles, uint8_t *q)
{
    for (int i = 0; i < WORDS; i++)
        put(q, i, word(nibbles, i % 2) >> i / 2 * 4 & each(15));
}

static void numbers_with_fifth(const uint8_t *fifth, const uint8_t *nibbles, uint8_t *q)
{
    numbers_of_nibbles(nibbles, q);
    for (int i = 0; i < WORDS; i++) {
        /* Byte k is 0 or 1 << k: above 0 the sum carries into its highest bit. */
        uint64_t bits = each(fifth[i]) & 0x8040201008040201;
        put(q, i, word(q, i) | ((bits + each(127)) >> 3 & each(16)));
    }
}

static void numbers_q4_0(const uint8_t *source, int i, uint8_t *q)
{
    (void)i;
    numbers_of_nibbles(source + 2, q);
}

static void numbers_q4_1(const uint8_t *source, int i, uint8_t *q)
{
    (void)i;
    numbers_of_nibbles(source + 4, q);
}

static void numbers_q5_0(const uint8_t *source, int i, uint8_t *q)
{
    (void)i;
    numbers_with_fifth(source + 2, source + 6, q);
}

static void numbers_q5_1(const uint8_t *source, int i, uint8_t *q)
{
    (void)i;
    numbers_with_fifth(source + 4, source + 8, q);
}

/* From -128..127 to 0..255. */
static void numbers_q8_0(const uint8_t *source, int i, uint8_t *q)
{
    (void)i;
    for (int k = 0; k < WORDS; k++)
        put(q, k, word(source + 2, k) ^ each(128));
}

/* Pairs of blocks share 32 bytes: the even one has the low nibbles. */
static void numbers_q4_k(const uint8_t *source, int i, uint8_t *q)
{
    const uint8_t *nibbles = source + 16 + i / 2 * 32;
    for (int k = 0; k < WORDS; k++)
        put(q, k, word(nibbles, k) >> i % 2 * 4 & each(15));
}

static void numbers_q5_k(const uint8_t *source, int i, uint8_t *q)
{
    const uint8_t *fifth = source + 16, *nibbles = source + 48 + i / 2 * 32;
    for (int k = 0; k < WORDS; k++)
        put(q, k,
            (word(nibbles, k) >> i % 2 * 4 & each(15)) | (word(fifth, k) >> i & each(1))
                                                             << 4);
}

/* Four blocks share 64 bytes of nibbles and 32 of upper pairs of bits. */
static void numbers_q6_k(const uint8_t *source, int i, uint8_t *q)
{
    const uint8_t *nibbles = source + i / 4 * 64 + i % 2 * 32,
                  *upper = source + 128 + i / 4 * 32;
    for (int k = 0; k < WORDS; k++)
        put(q, k,
            (word(nibbles, k) >> i % 4 / 2 * 4 & each(15)) |
                (word(upper, k) >> i % 4 * 2 & each(3)) << 4);
}

/* The types' numbers are those of enum ggml_type, which the GGUF format fixes. */
static const struct panel_kind kinds[] = {
    {2, 4, PANEL_SIGNED, 8, false, 1, 18, numbers_q4_0},
    {3, 4, PANEL_AFFINE, 0, false, 1, 20, numbers_q4_1},
    {6, 5, PANEL_SIGNED, 16, false, 1, 22, numbers_q5_0},
    {7, 5, PANEL_AFFINE, 0, false, 1, 24, numbers_q5_1},
    {8, 8, PANEL_SIGNED, 128, false, 1, 34, numbers_q8_0},
    {12, 4, PANEL_AFFINE, 0, true, 8, 144, numbers_q4_k},
    {13, 5, PANEL_AFFINE, 0, true, 8, 176, numbers_q5_k},
    {14, 6, PANEL_HALVES, 32, true, 8, 210, numbers_q6_k},
};

const struct panel_kind *panel_kind_for(int type, int64_t n_rows, int64_t n_cols)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (kinds[i].type == type)
            return n_rows % PANEL_ROWS == 0 &&
                           n_cols % (PANEL_BLOCK * kinds[i].source_blocks) == 0
                       ? &kinds[i]
                       : NULL;
    return NULL;
}

/* ---- sizes ---- */

size_t panel_source_size(const struct panel_kind *kind, int64_t n_rows, int64_t n_cols)
{
    return (size_t)(n_rows * n_cols / PANEL_BLOCK / kind->source_blocks) *
           (size_t)kind->source_size;
}

static size_t numbers_size(const struct panel_kind *kind)
{
    return (size_t)kind->bits * 64;
}

size_t panel_blocks_size(const struct panel_kind *kind, int64_t n_blocks)
{
    size_t affine = kind->scaling == PANEL_AFFINE ? 2 : 1;
    if (!kind->super)
        return (size_t)n_blocks * (numbers_size(kind) + affine * 2 * PANEL_ROWS);
    size_t scales = kind->scaling == PANEL_HALVES ? 16 : 12;
    return (size_t)n_blocks / SUPER_BLOCKS *
           (SUPER_BLOCKS * numbers_size(kind) + (scales + affine * 2) * PANEL_ROWS);
}

size_t panel_size(const struct panel_kind *kind, int64_t n_rows, int64_t n_cols)
{
    return (size_t)(n_rows / PANEL_ROWS) * panel_blocks_size(kind, n_cols / PANEL_BLOCK);
}

/* ---- packing ---- */

/* Turns one block of each row into the registers of a piece. */
static void interleave(const struct panel_kind *kind, const uint8_t *const *sources,
                       int i, uint8_t q[8][64])
{
    for (int row = 0; row < PANEL_ROWS; row++) {
        uint8_t numbers[PANEL_BLOCK];
        kind->numbers(sources[row], i, numbers);
        for (int g = 0; g < 8; g++)
            memcpy(q[g] + row * 4, numbers + g * 4, 4);
    }
}

static uint8_t *pack_numbers(const struct panel_kind *kind, uint8_t q[8][64], uint8_t *to)
{
    if (kind->bits == 8) {
        memcpy(to, q, numbers_size(kind));
        return to + numbers_size(kind);
    }
    for (int g = 0; g < 4; g++)
        for (int k = 0; k < 64; k++)
            to[g * 64 + k] = (uint8_t)((q[g][k] & 15) | q[g + 4][k] << 4);
    uint8_t *more = to + 256;
    memset(more, 0, numbers_size(kind) - 256);
    if (kind->bits == 5)
        for (int g = 0; g < 8; g++)
            for (int k = 0; k < 64; k++)
                more[k] |= (uint8_t)((q[g][k] >> 4 & 1) << g);
    if (kind->bits == 6)
        for (int g = 0; g < 8; g++)
            for (int k = 0; k < 64; k++)
                more[g / 4 * 64 + k] |= (uint8_t)((q[g][k] >> 4 & 3) << g % 4 * 2);
    return to + numbers_size(kind);
}

/* The 6-bit scale and minimum i of a block of Q4_K or Q5_K, from its 12 bytes. */
static void six_bits(const uint8_t *packed, int i, uint8_t *scale, uint8_t *min)
{
    if (i < 4) {
        *scale = packed[i] & 63;
        *min = packed[i + 4] & 63;
    } else {
        *scale = (uint8_t)((packed[i + 4] & 15) | packed[i - 4] >> 6 << 4);
        *min = (uint8_t)(packed[i + 4] >> 4 | packed[i] >> 6 << 4);
    }
}

/* The scales of one super block: 16 bytes for 16 weights each. */
static uint8_t *pack_halves(const uint8_t *const *sources, uint8_t *to)
{
    for (int row = 0; row < PANEL_ROWS; row++) {
        for (int i = 0; i < 16; i++)
            to[i * PANEL_ROWS + row] = sources[row][192 + i];
        memcpy(to + 256 + row * 2, sources[row] + 208, 2);
    }
    return to + 288;
}

static uint8_t *pack_sixes(const uint8_t *const *sources, uint8_t *to)
{
    for (int row = 0; row < PANEL_ROWS; row++) {
        uint8_t scale[8], min[8];
        for (int i = 0; i < 8; i++) {
            six_bits(sources[row] + 4, i, &scale[i], &min[i]);
            to[i * PANEL_ROWS + row] = (uint8_t)((scale[i] & 15) | min[i] << 4);
        }
        for (int i = 0; i < 4; i++)
            to[128 + i * PANEL_ROWS + row] =
                (uint8_t)(scale[i] >> 4 | min[i] >> 4 << 2 | scale[i + 4] >> 4 << 4 |
                          min[i + 4] >> 4 << 6);
        memcpy(to + 192 + row * 2, sources[row], 2);
        memcpy(to + 224 + row * 2, sources[row] + 2, 2);
    }
    return to + 256;
}

static uint8_t *pack_scales(const struct panel_kind *kind, const uint8_t *const *sources,
                            uint8_t *to)
{
    int n = kind->scaling == PANEL_AFFINE ? 2 : 1;
    for (int row = 0; row < PANEL_ROWS; row++)
        for (int i = 0; i < n; i++)
            memcpy(to + (i * PANEL_ROWS + row) * 2, sources[row] + i * 2, 2);
    return to + (size_t)n * PANEL_ROWS * 2;
}

void panel_pack(const struct panel_kind *kind, const void *rows, int64_t n_cols,
                void *panel)
{
    size_t row_size = panel_source_size(kind, 1, n_cols);
    int64_t n = n_cols / PANEL_BLOCK / kind->source_blocks;
    uint8_t *to = panel;
    for (int64_t at = 0; at < n; at++) {
        const uint8_t *sources[PANEL_ROWS];
        for (int row = 0; row < PANEL_ROWS; row++)
            sources[row] = (const uint8_t *)rows + (size_t)row * row_size +
                           (size_t)at * (size_t)kind->source_size;
        for (int i = 0; i < kind->source_blocks; i++) {
            uint8_t q[8][64];
            interleave(kind, sources, i, q);
            to = pack_numbers(kind, q, to);
        }
        to = !kind->super                    ? pack_scales(kind, sources, to)
             : kind->scaling == PANEL_HALVES ? pack_halves(sources, to)
                                             : pack_sixes(sources, to);
    }
}
