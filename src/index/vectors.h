/* vectors.h - the vectors of all passages, in memory, and an exact search among them.
 *
 * Why exact: 10,000 passages of 384 floats are 15 MB, which two cores read and multiply
 * in a few milliseconds; a graph would save time only far beyond, and lose recall and
 * simple deletion. Documents lie one after the other in the order of their passages'
 * numbers, which never come again; a document's vectors lie side by side.
 *
 * It owns what it is given copies of. Not locked: index.c does that. */
#ifndef POLLUX_INDEX_VECTORS_H
#define POLLUX_INDEX_VECTORS_H

#include "base/arena.h"
#include <stdint.h>

struct held {              /* a document */
    int64_t number;        /* of the document */
    int64_t first;         /* of its passages' numbers, which follow one another */
    int n, n_dims;         /* passages; numbers of a vector */
    float *at;             /* n * n_dims, each vector of length 1 */
    struct arena *arena;   /* what follows lies in */
    struct text store;     /* "abc" */
    struct text metadata;  /* JSON, see metadata.h */
    struct metadata *meta; /* the same, decoded; NULL: none */
};

struct vectors {
    struct held *at;
    int n, room;
    int64_t n_passages;
};

/* A copy of everything. Its passages' numbers are higher than any that are there, or the
 * document takes its place among them. */
struct held *vectors_add(struct vectors *vectors, int64_t document, int64_t first, int n,
                         int n_dims, const float *at, struct text store);
void vectors_remove(struct vectors *vectors, int64_t document);
void vectors_free(struct vectors *vectors);

/* The document that has the passage; -1: none. */
int vectors_find(const struct vectors *vectors, int64_t passage);

struct hit {
    int64_t passage;
    float score; /* cosine */
};

/* The `most` passages of documents with allowed[i] that are nearest to a vector of length
 * 1, best first; equal ones by their number. Returns how many. */
int vectors_nearest(const struct vectors *vectors, const float *to, int n_dims,
                    const bool *allowed, struct hit *hits, int most);

#endif
