/* attend_block.h - what the files of attend.h share. */
#ifndef POLLUX_KERNEL_ATTEND_BLOCK_H
#define POLLUX_KERNEL_ATTEND_BLOCK_H

#include "kernel/attend.h"
#include <stdint.h>

enum { ATTEND_GROUPS = ATTEND_PART / ATTEND_LANES };

/* Of a block of rows; v_width floats of each row follow. */
struct attend_sums {
    float most[ATTEND_ROWS]; /* the largest score; -INFINITY: of no keys */
    float sum[ATTEND_ROWS];
    float values[];
};

/* Where a block works. Scores become weights in their place. */
struct attend_room {
    float scores[ATTEND_ROWS][ATTEND_PART];
    float *keys;    /* of a group, [k_width][ATTEND_LANES] */
    float *queries; /* [ATTEND_ROWS][k_width], times the scale */
};

/* A part of the keys for a block of rows. */
struct attend_piece {
    const struct attend *a;
    int row, n_rows;
    int first, n; /* keys */
    struct attend_room *room;
    struct attend_sums *sums;
};

/* A family of CPUs. */
struct attend_cpu {
    bool (*usable)(void);
    bool (*part)(const struct attend_piece *piece); /* attend_part() */
    void (*add)(float *sums, float by, const float *more, float more_by, int n);
};

extern const struct attend_cpu attend_avx512, attend_avx2;

/* Which of them computes from now on (tests). */
void attend_use(const struct attend_cpu *cpu);

static inline const char *attend_query(const struct attend *a, int row)
{
    return a->q + (size_t)(row / a->n_heads) * a->q_token +
           (size_t)(row % a->n_heads) * a->q_head;
}

#endif
