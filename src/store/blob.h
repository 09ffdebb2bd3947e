/* blob.h - bytes on disk, named by their hash.
 *
 * FOLDER/parts/ID is what is still arriving: a part, known by the name that its owner
 * gives it. FOLDER/blobs/ab/abcdef... is what is complete: it never changes, its name is
 * the sha256 of its bytes, and it is there as long as the database's row of it counts
 * references. So bytes that came twice lie there once.
 *
 * Order is what makes it safe: the bytes are on the disk before the name is, the name
 * before the row; a row's end is on the disk before the name goes. Whatever a crash
 * leaves between two steps is a name without a row, and blobs_sweep removes those.
 *
 * Everything here may wait for the disk: any thread but the loop's. One part belongs to
 * one thread at a time; the rest locks for itself. */
#ifndef POLLUX_STORE_BLOB_H
#define POLLUX_STORE_BLOB_H

#include "store/store.h"

struct blobs;
struct part;

enum { BLOB_HASH = 32 }; /* bytes */

struct blobs *blobs_open(struct store *store, struct error *err); /* in its folder */
void blobs_close(struct blobs *blobs);

/* Removes parts whose name `keep` does not want, and blobs without a row. Only while
 * nothing else happens: at the start. */
bool blobs_sweep(struct blobs *blobs, bool (*keep)(const char *name, void *arg),
                 void *arg, struct error *err);

/* Opens the part of that name, made empty when it is not there, cut to `len` bytes when
 * it is longer. A shorter one is an error: bytes that were acknowledged are gone. What it
 * holds is read for its hash. */
struct part *part_open(struct blobs *blobs, const char *name, int64_t len,
                       struct error *err);
int64_t part_len(const struct part *part);
bool part_add(struct part *part, struct text bytes, struct error *err);
bool part_sync(struct part *part, struct error *err); /* what was added is on the disk */
void part_close(struct part *part);                   /* and leaves it there */
void part_remove(struct blobs *blobs, const char *name);

/* Between these two, references are counted: other threads' deletions wait. They go round
 * the transaction. */
void blobs_lock(struct blobs *blobs);
void blobs_unlock(struct blobs *blobs);

/* Inside a transaction: names the part (synced before) by its hash, and counts one
 * reference. The part itself stays until part_remove, after the commit. */
bool blob_keep(struct part *part, unsigned char hash[BLOB_HASH], struct error *err);

/* Inside a transaction: one reference more to what is there. */
bool blob_hold(struct blobs *blobs, struct text hash, struct error *err);

/* Inside a transaction: one reference fewer; *last says that it was the last one. Then
 * blob_remove, after the commit and before blobs_unlock. */
bool blob_drop(struct blobs *blobs, struct text hash, bool *last, struct error *err);
void blob_remove(struct blobs *blobs, struct text hash);

/* For reading; the caller's to close. -1 when it is not there. It can be read to its end
 * even when it is removed meanwhile. */
int blob_open(const struct blobs *blobs, struct text hash);

#endif
