/* inside.h - what caches.c and rows.c share. Private to this room. */
#ifndef POLLUX_CACHES_INSIDE_H
#define POLLUX_CACHES_INSIDE_H

#include "caches/caches.h"
#include <pthread.h>

enum { LOADED_MOST = 64 };

/* Rows in memory. */
struct loaded {
    unsigned char hash[BLOB_HASH];
    struct saved_rows *rows; /* NULL: being read */
    bool reading;
    int64_t used;
};

struct caches {
    struct store *store;
    struct blobs *blobs;
    struct caches_options options;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t read;
    struct loaded loaded[LOADED_MOST];
    int n_loaded;
};

/* What a cache's rows are on the disk. */
struct kept_rows {
    unsigned char hash[BLOB_HASH];
    bool last; /* dropped, and nobody else's: to be removed after the commit */
};

/* Of whoever can use rows that are computed with the adapter. */
struct text rows_key_of(const struct caches *caches, const struct cache_adapter *adapter,
                        struct arena *arena);

/* Parts of these rows, complete and on the disk, but without a name. */
struct row_parts {
    struct part *parts[CACHE_FORMS];
    char names[CACHE_FORMS][64];
    int n;
};
bool rows_write(struct caches *caches, struct text id, struct saved_rows *const *rows,
                int n, struct row_parts *parts, struct error *err);
void rows_written(struct caches *caches, struct row_parts *parts); /* or given up */

/* Inside a transaction, with blobs locked. `key`: whose they are. */
bool rows_insert(struct caches *caches, struct text id, struct text key,
                 struct saved_rows *const *rows, int n, struct row_parts *parts,
                 struct error *err);

/* Likewise; adds to kept[0..*n) those that were dropped. */
bool rows_drop(struct caches *caches, struct text id, struct kept_rows *kept, int *n,
               struct error *err);
void rows_remove(struct caches *caches, const struct kept_rows *kept, int n);

/* Has rows on the disk obey their limit; those of `id` stay. */
void rows_limit(struct caches *caches, struct text id);

/* From memory go those that nobody has used since. */
void rows_forget(struct caches *caches, int64_t before);

#endif
