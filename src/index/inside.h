/* inside.h - what the files of this room share. Private to it. */
#ifndef POLLUX_INDEX_INSIDE_H
#define POLLUX_INDEX_INSIDE_H

#include "index/index.h"
#include "index/vectors.h"
#include <pthread.h>
#include <stdatomic.h>

/* Locks, in the order in which they are taken: `change` round whatever commits passages
 * or takes them away and then tells `vectors`, so that both always agree in the end; the
 * blobs'; `reading` for the vectors; the store's own. */
struct index {
    struct store *store;
    struct files *files;
    struct blobs *blobs;
    struct index_options options;
    pthread_mutex_t change;
    pthread_rwlock_t reading;
    struct vectors vectors;

    pthread_t indexer;
    bool has_indexer;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t news;
    bool woken, idle;
    atomic_bool closing;
};

#define DOCUMENT_COLUMNS                                                                 \
    "number, store, id, display_name, mime_type, uri, hash, metadata, size, created, "   \
    "updated, n_passages, state, error"

void index_read_document(struct rows *rows, struct arena *arena,
                         struct index_document *document);

/* ingest.c */
bool index_start(struct index *index, struct error *err);
void index_wake(struct index *index);
void index_stop(struct index *index);

/* Puts a document that was committed among the vectors. Under `change` and `reading`. */
void index_hold(struct index *index, const struct index_document *document, int64_t first,
                int n, int n_dims, const float *vectors);

/* Inside a transaction: takes the passages of a document away. */
bool index_drop_passages(struct index *index, int64_t document, struct error *err);

#endif
