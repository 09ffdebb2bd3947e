/* attend.h - attention: softmax(q k' * scale + mask) v, for one head of keys and values.
 *
 * libllama goes through the keys once for each row of queries, and computes one row in
 * another way than a few, few in another way than many. With two thousand tokens before
 * them, twelve new ones took 0.4 s here, of 0.5 s in all. Here a block of rows goes
 * through the keys together: the heads of queries that share a head of keys (grouped
 * queries), and their tokens.
 *
 *   keys     ... | part p: ATTEND_PART keys | ...
 *   a block of rows x a part -> attend_part() -> sums: the largest score, the sum of
 *     exp(score - largest), the sum of that times v
 *   sums of part 0, 1, ... -> attend_add(), in this order -> attend_put() -> the output
 *
 * So the parts of a row may be computed by several threads, and a row's bits depend on
 * its own keys alone and where they lie: not on other rows, nor on the number of threads,
 * nor on how long the buffer of keys is, nor on the family of CPUs. Sums in pieces:
 * Rabe and Staats, "Self-attention does not need O(n^2) memory" (arXiv 2112.05682).
 *
 * After attend_usable() any thread may call any function. */
#ifndef POLLUX_KERNEL_ATTEND_H
#define POLLUX_KERNEL_ATTEND_H

#include <stdbool.h>
#include <stddef.h>

enum {
    ATTEND_LANES = 16, /* widths of keys and values are multiples of it */
    ATTEND_ROWS = 32,  /* in a block at most; it works in the second-level cache */
    ATTEND_PART = 256, /* keys */
};

/* What a head of keys and values is asked. Row r is token r / n_heads of head r %
 * n_heads; strides are bytes. */
struct attend {
    int n_tokens, n_heads; /* of queries */
    int n_keys;
    int k_width, v_width;
    float scale;
    const char *q; /* floats */
    size_t q_token, q_head;
    const char *k, *v; /* half floats */
    size_t k_key, v_key;
    const char *mask; /* half floats, n_keys a token; -inf: not seen. NULL: all are */
    size_t mask_token;
    char *out; /* floats */
    size_t out_token, out_head;
};

/* Whether this CPU has what it needs (as panel_usable()). The first call is not
 * thread-safe. */
bool attend_usable(void);

/* Bytes that attend_part() needs to work in, and of the sums of a block; multiples of
 * 64, as their addresses have to be. */
size_t attend_room_size(int k_width);
size_t attend_sums_size(int v_width);

/* The sums of n_rows rows from `row` on over the keys of a part. False: none of the rows
 * sees any of them, and sums are as they were. */
bool attend_part(const struct attend *a, int row, int n_rows, int part, void *room,
                 void *sums);

/* Sums over no keys. */
void attend_clear(void *sums, int v_width);

/* Adds the sums of the following part. */
void attend_add(void *sums, const void *more, int n_rows, int v_width);

/* Writes out what a block's sums come to; zeros for rows that see no keys. */
void attend_put(const struct attend *a, int row, int n_rows, const void *sums);

#endif
