#include "train/pack.h"
#include "base/arena.h"
#include <math.h>
#include <stdlib.h>

/* The row that holds `token` behind row `before`; -1: none does. Packs are small. */
static int row_of(const struct pack *pack, int before, int32_t token)
{
    for (int i = before + 1; i < pack->n; i++)
        if (pack->before[i] == before && pack->tokens[i] == token)
            return i;
    return -1;
}

int pack_cost(const struct pack *pack, const struct example *example)
{
    int row = -1;
    for (int i = 0; i < example->n - 1; i++) {
        row = row_of(pack, row, example->tokens[i]);
        if (row < 0)
            return example->n - 1 - i;
    }
    return 0;
}

static int add_row(struct pack *pack, int before, int position, int32_t token)
{
    if (pack->n == pack->room) {
        pack->room = pack->room ? 2 * pack->room : 256;
        size_t size = sizeof(int32_t) * (size_t)pack->room;
        pack->tokens = mem_grow(pack->tokens, size);
        pack->positions = mem_grow(pack->positions, size);
        pack->before = mem_grow(pack->before, size);
    }
    pack->tokens[pack->n] = token;
    pack->positions[pack->n] = position;
    pack->before[pack->n] = before;
    return pack->n++;
}

static void add_target(struct pack *pack, struct target target)
{
    if (pack->n_targets == pack->target_room) {
        pack->target_room = pack->target_room ? 2 * pack->target_room : 64;
        pack->targets =
            mem_grow(pack->targets, sizeof(struct target) * (size_t)pack->target_room);
    }
    pack->targets[pack->n_targets++] = target;
}

int pack_add(struct pack *pack, const struct example *example, float weight)
{
    int row = -1, n_before = pack->n;
    bool known = true;
    for (int i = 0; i < example->n - 1; i++) {
        int next = known ? row_of(pack, row, example->tokens[i]) : -1;
        known = next >= 0;
        row = known ? next : add_row(pack, row, i, example->tokens[i]);
        if (i >= example->n_prompt - 1)
            add_target(pack, (struct target){row, example->tokens[i + 1], weight});
    }
    return pack->n - n_before;
}

void pack_pad(struct pack *pack, int multiple)
{
    while (pack->n % multiple != 0)
        add_row(pack, -1, 0, 0);
}

void pack_mask(const struct pack *pack, int window, float *mask)
{
    for (int i = 0; i < pack->n; i++) {
        float *row = mask + (int64_t)i * pack->n;
        for (int j = 0; j < pack->n; j++)
            row[j] = -INFINITY;
        for (int j = i; j >= 0; j = pack->before[j])
            if (window <= 0 || pack->positions[i] - pack->positions[j] < window)
                row[j] = 0;
    }
}

void pack_clear(struct pack *pack)
{
    pack->n = pack->n_targets = 0;
}

void pack_free(struct pack *pack)
{
    free(pack->tokens);
    free(pack->positions);
    free(pack->before);
    free(pack->targets);
    *pack = (struct pack){0};
}
