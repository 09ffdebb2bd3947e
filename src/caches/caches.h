/* caches.h - cached contents: what chats begin with, and the model's state after it.
 *
 * A cache is a row: its contents (a body whose form is the caller's business), the model
 * it is for, when it expires. Beside it lie rows (engine/rows.h), one for each form that
 * its prompts can have, in blobs. The contents are the truth. Rows only spare work: they
 * may be missing, be of another engine or adapter, or be damaged on the disk; then they
 * are not given out, and whoever wanted them has them made again from the contents.
 *
 * Rows that somebody uses are in memory once, however many use them, and stay there for a
 * minute or two. On the disk they have a limit; those of the caches that were not used
 * for the longest time go first.
 *
 * Everything here may wait for the disk: any thread but the loop's; it locks for itself.
 * Times are nanoseconds since 1970. */
#ifndef POLLUX_CACHES_CACHES_H
#define POLLUX_CACHES_CACHES_H

#include "engine/rows.h"
#include "store/blob.h"

struct caches;

enum { CACHE_FORMS = 2, CACHE_DISPLAY_NAME_MOST = 128 /* characters */ };

struct cache_entry {
    struct text id; /* without "cachedContents/" */
    struct text model, display_name;
    struct text body; /* absent where a list tells of it */
    int n_tokens;
    int64_t created, updated, expires;
};

struct caches_options {
    struct text key;      /* of the engine whose rows these are; must outlive the room */
    int64_t disk_limit;   /* bytes of all rows on the disk */
    int64_t memory_limit; /* and in memory; a single cache may have more */
};

/* Neither the store nor the blobs are owned. Removes what has expired. */
struct caches *caches_open(struct store *store, struct blobs *blobs,
                           const struct caches_options *options, struct error *err);
void caches_close(struct caches *caches);

/* What the engine computes rows with; of the model as it is: NULL for it all. */
struct cache_adapter {
    struct text name; /* that no other adapter has or had; absent: it is none */
    struct adapter *loaded;
};

/* Keeps a cache with its rows (n may be 0), both or neither. Fills id, created and
 * updated. */
bool caches_create(struct caches *caches, struct cache_entry *entry,
                   const struct cache_adapter *adapter, struct saved_rows *const *rows,
                   int n, struct arena *arena, struct error *err);

/* One that has expired is not found. */
bool caches_get(struct caches *caches, struct text id, struct arena *arena,
                struct cache_entry *entry, struct error *err);

/* Newest first; as files_list(). */
bool caches_list(struct caches *caches, int page_size, struct text token,
                 struct arena *arena, struct cache_entry **list, int *n,
                 struct text *next, struct error *err);

/* Says when it expires, and gives what it is then. */
bool caches_set_expiry(struct caches *caches, struct text id, int64_t expires,
                       struct arena *arena, struct cache_entry *entry, struct error *err);

bool caches_delete(struct caches *caches, struct text id, struct error *err);

/* The rows of a cache that is about to be used, each held for the caller; those that
 * `engine` has already (NULL: it has none) are left out. False: some are missing, and
 * should be made again and saved. */
struct engine;
bool caches_rows(struct caches *caches, struct text id, struct engine *engine,
                 const struct cache_adapter *adapter,
                 struct saved_rows *rows[CACHE_FORMS], int *n);

/* Replaces the rows, and the count of tokens, of a cache that is still there. */
bool caches_save(struct caches *caches, struct text id,
                 const struct cache_adapter *adapter, int n_tokens,
                 struct saved_rows *const *rows, int n, struct error *err);

/* Removes what has expired, and from memory what nobody uses. Returns how many caches. */
int caches_sweep(struct caches *caches);

#endif
