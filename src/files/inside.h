/* inside.h - what files.c and upload.c share. Private to this room. */
#ifndef POLLUX_FILES_INSIDE_H
#define POLLUX_FILES_INSIDE_H

#include "files/upload.h"
#include <pthread.h>

struct files {
    struct store *store;
    struct blobs *blobs;
    struct files_options options;
    pthread_mutex_t lock;   /* of what follows */
    int64_t used;           /* bytes of files and of parts */
    struct upload *uploads; /* those in memory: held, or kept open for their next piece */
    int n_idle;
};

/* Takes room for n bytes, or gives it back (n < 0). */
bool files_claim(struct files *files, int64_t n, struct error *err);

/* Inside a transaction, with blobs locked. files_insert refuses an id that is taken.
 * files_drop removes a file's row; blob *last reference goes with it: see blob_drop. */
bool files_insert(struct files *files, const struct file *file, struct error *err);
bool files_check_free(struct files *files, struct text id, struct error *err);
bool files_read(struct files *files, struct text id, struct arena *arena,
                struct file *file, struct error *err);

/* upload.c: of the sweep, and of closing. */
int uploads_sweep(struct files *files);
void uploads_close(struct files *files);

#endif
