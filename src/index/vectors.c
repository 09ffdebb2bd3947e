/* vectors.c - the scan. Compiled for this CPU (Makefile), so that the loop of product()
 * has the widest registers there are. */
#include "index/vectors.h"
#include <stdlib.h>

enum { LANES = 16 };

/* Sums side by side, or the compiler may not reorder the additions. */
static float product(const float *a, const float *b, int n)
{
    float sums[LANES] = {0}, sum = 0;
    int i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; k++)
            sums[k] += a[i + k] * b[i + k];
    for (; i < n; i++)
        sum += a[i] * b[i];
    for (int k = 0; k < LANES; k++)
        sum += sums[k];
    return sum;
}

/* ---- what is held ---- */

static int place_of(const struct vectors *v, int64_t first)
{
    int low = 0, high = v->n;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (v->at[middle].first < first)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct held *vectors_add(struct vectors *v, int64_t document, int64_t first, int n,
                         int n_dims, const float *at, struct text store)
{
    if (v->n == v->room) {
        v->room = v->room ? v->room * 2 : 64;
        v->at = mem_grow(v->at, sizeof(*v->at) * (size_t)v->room);
    }
    int place = place_of(v, first);
    struct held *held = &v->at[place];
    memmove(held + 1, held, sizeof(*held) * (size_t)(v->n - place));
    size_t size = sizeof(float) * (size_t)n * (size_t)n_dims;
    *held = (struct held){.number = document,
                          .first = first,
                          .n = n,
                          .n_dims = n_dims,
                          .at = mem_alloc(size + 1),
                          .arena = arena_open()};
    if (size)
        memcpy(held->at, at, size);
    held->store = arena_text(held->arena, store);
    v->n++;
    v->n_passages += n;
    return held;
}

static void free_held(struct held *held)
{
    free(held->at);
    arena_close(held->arena);
}

void vectors_remove(struct vectors *v, int64_t document)
{
    for (int i = 0; i < v->n; i++) {
        if (v->at[i].number != document)
            continue;
        v->n_passages -= v->at[i].n;
        free_held(&v->at[i]);
        v->n--;
        memmove(&v->at[i], &v->at[i + 1], sizeof(*v->at) * (size_t)(v->n - i));
        return;
    }
}

void vectors_free(struct vectors *v)
{
    for (int i = 0; i < v->n; i++)
        free_held(&v->at[i]);
    free(v->at);
    *v = (struct vectors){0};
}

int vectors_find(const struct vectors *v, int64_t passage)
{
    int place = place_of(v, passage + 1) - 1;
    if (place < 0 || passage >= v->at[place].first + v->at[place].n)
        return -1;
    return place;
}

/* ---- the nearest ---- */

static bool is_worse(const struct hit *a, const struct hit *b)
{
    return a->score < b->score || (a->score == b->score && a->passage > b->passage);
}

/* A heap with the worst on top: most passages are compared with that one alone. */
static void sink(struct hit *heap, int n, int at)
{
    for (;;) {
        int child = 2 * at + 1;
        if (child >= n)
            return;
        if (child + 1 < n && is_worse(&heap[child + 1], &heap[child]))
            child++;
        if (!is_worse(&heap[child], &heap[at]))
            return;
        struct hit swap = heap[at];
        heap[at] = heap[child];
        heap[child] = swap;
        at = child;
    }
}

static void take(struct hit *heap, int *n, int most, struct hit hit)
{
    if (*n < most) {
        heap[(*n)++] = hit;
        if (*n == most)
            for (int i = most / 2 - 1; i >= 0; i--)
                sink(heap, most, i);
    } else if (is_worse(&heap[0], &hit)) {
        heap[0] = hit;
        sink(heap, most, 0);
    }
}

static int best_first(const void *a, const void *b)
{
    return is_worse(a, b) ? 1 : -1; /* no two are equal: passages differ */
}

int vectors_nearest(const struct vectors *v, const float *to, int n_dims,
                    const bool *allowed, struct hit *hits, int most)
{
    int n = 0;
    for (int i = 0; most > 0 && i < v->n; i++) {
        const struct held *held = &v->at[i];
        if (!allowed[i] || held->n_dims != n_dims)
            continue;
        for (int k = 0; k < held->n; k++) {
            const float *at = held->at + (size_t)k * (size_t)n_dims;
            take(hits, &n, most, (struct hit){held->first + k, product(at, to, n_dims)});
        }
    }
    qsort(hits, (size_t)n, sizeof *hits, best_first);
    return n;
}
