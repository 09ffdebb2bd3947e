/* file.h - all of a file at once.
 *
 * For what is read at start: it waits for the disk. */
#ifndef POLLUX_BASE_FILE_H
#define POLLUX_BASE_FILE_H

#include "base/buf.h"
#include "base/error.h"

/* Appends it to `out`. False and err, "PATH: why" (NOT_FOUND, or INVALID_ARGUMENT for one
 * of more than `most` bytes); then what `out` has is as it was. */
bool file_read(const char *path, size_t most, struct buf *out, struct error *err);

#endif
