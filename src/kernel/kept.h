/* kept.h - the panels of a model on the disk, for the next time that it is loaded.
 *
 * To pack a model takes memory of its size, new from the kernel, and seconds of it where
 * memory is slow to come (a virtual machine's host clears each page). So what was packed
 * is written to a file, and whoever loads the same model later maps that: nothing is
 * computed, the pages are those of the page cache, and processes share them.
 *
 *   kept_open   -> kept_map: a file of this size is mapped; each matrix's first and last
 *                  panels are packed and compared (plug.cc), so a file of another
 *                  layout is found out; kept_doubt() then says so
 *   or             kept_made: the buffer that had to be packed
 *   kept_write  -> a thread: an unnamed file, piece by piece to the disk, then its name
 *
 * A file has its name when all of it is on the disk, so that one that is found is whole.
 * What goes wrong on the way (no room, a file system without unnamed files) only means
 * that the next start packs again. A model has one buffer of panels; if libllama ever
 * makes a second one, that is packed as if there were no file.
 *
 * Not thread-safe: one thread loads a model. The files are this user's alone. */
#ifndef POLLUX_KERNEL_KEPT_H
#define POLLUX_KERNEL_KEPT_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Files ending so that nobody has used for KEPT_DAYS go when another is written. */
#define KEPT_END ".panels"

enum { KEPT_DAYS = 30 };

struct kept;

/* `path` ends with KEPT_END and should name all that the bytes depend on; its folder is
 * there. */
struct kept *kept_open(const char *path);

/* The file's bytes, which may be written to without changing the file; NULL: there is
 * none of this size. To be unmapped by whoever asked. */
void *kept_map(struct kept *kept, size_t size);

/* The file is not what is wanted, and has been mended where it was mapped: it is deleted,
 * and kept_write() makes it anew. */
void kept_doubt(struct kept *kept);

/* What is to be written: it lies there, and does not change, until kept_close(). */
void kept_made(struct kept *kept, const void *base, size_t size);

/* Whether the file served, and nothing had to be packed. */
bool kept_served(const struct kept *kept);

/* The load is over. Writes aside, where there is something to write and twice the room
 * for it. */
void kept_write(struct kept *kept);

/* Gives up what is not written yet. NULL is fine. */
void kept_close(struct kept *kept);

#ifdef __cplusplus
}
#endif

#endif
