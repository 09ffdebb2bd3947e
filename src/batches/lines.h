/* lines.h - the lines of a batch's input, one after the other.
 *
 * An input may be far larger than memory: one line is held at a time. Lines are counted
 * from 0; white space alone is no line. Nothing here knows what is in them. */
#ifndef POLLUX_BATCHES_LINES_H
#define POLLUX_BATCHES_LINES_H

#include "base/arena.h"
#include "base/error.h"
#include <stdint.h>

struct lines;

struct line_found {
    int64_t number;
    struct text bytes; /* without its end; in the reader until the next call */
    bool too_long;     /* then only its beginning is there */
};

/* Reads `fd` from its start, without its position; the fd is closed with the reader. A
 * line may have `most` bytes. Waits for the disk; one thread at a time. */
struct lines *lines_open(int fd, size_t most);
void lines_close(struct lines *lines); /* NULL is fine */

/* Lines that are not wanted: lines_next passes over them. */
void lines_skip(struct lines *lines, int64_t number);

/* False at the end (err->code is ERROR_OK) or with an error. */
bool lines_next(struct lines *lines, struct line_found *found, struct error *err);

#endif
