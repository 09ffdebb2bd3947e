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

/* index.c. Inside a transaction, but for names. */
struct text index_make_id(struct text display_name, struct arena *arena);
bool index_check_name(struct text name, struct error *err);
bool index_no_store(struct text id, struct error *err); /* always false */
bool index_find_store(struct index *index, struct text id, struct arena *arena,
                      struct index_store *found, struct error *err);

/* Says that the store has changed; INDEX_LOCAL is made when it is not there. */
bool index_touch_store(struct index *index, struct text id, int64_t now,
                       struct error *err);

/* documents.c. Inside a transaction, with what `change` and the blobs' lock are for. */

/* At most so many behind a place, into room for them. */
bool index_read_documents(struct index *index, struct text store, int64_t created,
                          struct text id, int most, struct arena *arena,
                          struct index_document *list, int *n, struct error *err);

/* *last: nobody else holds its bytes. */
bool index_drop_document(struct index *index, const struct index_document *document,
                         bool *last, struct error *err);
/* After that has been committed. */
void index_forget(struct index *index, const struct index_document *document, bool last);

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
