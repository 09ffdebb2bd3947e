#include "kernel/attend_block.h"
#include <math.h>
#include <string.h>

static const struct attend_cpu *cpu;

void attend_use(const struct attend_cpu *wanted)
{
    cpu = wanted;
}

bool attend_usable(void)
{
#if defined(__x86_64__)
    static const struct attend_cpu *const best_first[] = {&attend_avx512, &attend_avx2};
    for (int i = 0; i < 2 && !cpu; i++)
        if (best_first[i]->usable())
            cpu = best_first[i];
#endif
    return cpu;
}

static size_t whole_lines(size_t size)
{
    return (size + 63) & ~(size_t)63;
}

static size_t keys_size(int k_width)
{
    return sizeof(float) * ATTEND_LANES * (size_t)k_width;
}

size_t attend_room_size(int k_width)
{
    return whole_lines(sizeof(struct attend_room)) + keys_size(k_width) +
           sizeof(float) * ATTEND_ROWS * (size_t)k_width;
}

size_t attend_sums_size(int v_width)
{
    return sizeof(struct attend_sums) + sizeof(float) * ATTEND_ROWS * (size_t)v_width;
}

bool attend_part(const struct attend *a, int row, int n_rows, int part, void *room,
                 void *sums)
{
    struct attend_piece piece = {a, row, n_rows, part * ATTEND_PART, 0, room, sums};
    int left = a->n_keys - piece.first;
    piece.n = left < ATTEND_PART ? left : ATTEND_PART;
    char *rest = (char *)room + whole_lines(sizeof(struct attend_room));
    piece.room->keys = (float *)(void *)rest;
    piece.room->queries = (float *)(void *)(rest + keys_size(a->k_width));
    return cpu->part(&piece);
}

void attend_clear(void *sums, int v_width)
{
    struct attend_sums *s = sums;
    memset(s, 0, attend_sums_size(v_width));
    for (int i = 0; i < ATTEND_ROWS; i++)
        s->most[i] = -INFINITY;
}

void attend_add(void *sums, const void *more, int n_rows, int v_width)
{
    struct attend_sums *s = sums;
    const struct attend_sums *m = more;
    for (int i = 0; i < n_rows; i++) {
        if (m->most[i] == -INFINITY)
            continue;
        float most = fmaxf(s->most[i], m->most[i]), by = expf(s->most[i] - most),
              more_by = expf(m->most[i] - most);
        s->most[i] = most;
        s->sum[i] = fmaf(s->sum[i], by, m->sum[i] * more_by);
        size_t at = (size_t)i * (size_t)v_width;
        cpu->add(s->values + at, by, m->values + at, more_by, v_width);
    }
}

void attend_put(const struct attend *a, int row, int n_rows, const void *sums)
{
    const struct attend_sums *s = sums;
    for (int i = 0; i < n_rows; i++) {
        int token = (row + i) / a->n_heads, head = (row + i) % a->n_heads;
        float *out = (float *)(void *)(a->out + (size_t)token * a->out_token +
                                       (size_t)head * a->out_head);
        const float *values = s->values + (size_t)i * (size_t)a->v_width;
        float by = s->sum[i] > 0 ? 1 / s->sum[i] : 0;
        for (int d = 0; d < a->v_width; d++)
            out[d] = values[d] * by;
    }
}
