/* safe.h - files that are whole or not there.
 *
 * What is written goes to PATH.new; safe_commit() flushes it to the disk and renames it,
 * so that after a crash PATH is the old file or the new one. */
#ifndef POLLUX_TRAIN_SAFE_H
#define POLLUX_TRAIN_SAFE_H

#include "base/error.h"
#include <stdio.h>

struct safe_file {
    FILE *stream;
    char path[4096], made[4096 + 8];
};

/* All return false with err (RESOURCE_EXHAUSTED when the disk is full) and then have
 * closed and removed what was begun. */
bool safe_open(struct safe_file *file, const char *path, struct error *err);
bool safe_commit(struct safe_file *file, struct error *err);
bool safe_fail(struct safe_file *file, struct error *err); /* by errno; always false */

#endif
