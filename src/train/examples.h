/* examples.h - what a job is to learn: lines of JSON, written and read.
 *
 * Each line is {"textInput": "...", "output": "..."}; empty lines are skipped. Errors
 * name the example by its place, from 0, as the API does. Any thread. */
#ifndef POLLUX_TRAIN_EXAMPLES_H
#define POLLUX_TRAIN_EXAMPLES_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

struct said_example {
    struct text input, output;
};

/* Appends its line. */
void examples_write(const struct said_example *example, struct buf *lines);

struct examples {
    struct said_example *at;
    int n;
};

/* Lives in the arena. INVALID_ARGUMENT: no examples, too many, or one is malformed or has
 * an empty half. */
bool examples_read(struct text lines, struct arena *arena, struct examples *examples,
                   struct error *err);

/* A whole file, at most 256 MB. */
bool examples_file(const char *path, struct arena *arena, struct text *bytes,
                   struct error *err);

#endif
