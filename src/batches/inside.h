/* inside.h - what batches.c and ending.c share. Private to this room. */
#ifndef POLLUX_BATCHES_INSIDE_H
#define POLLUX_BATCHES_INSIDE_H

#include "batches/batches.h"

struct batches {
    struct store *store;
    struct files *files;
    struct blobs *blobs;
    struct batches_options options;
};

#define BATCH_COLUMNS                                                                    \
    "id, kind, model, display_name, priority, input, input_file, n_lines, n_good, "      \
    "n_bad, bytes, created, updated, ended, state, ending, output_file, error, webhook"

/* A row of BATCH_COLUMNS. */
void batch_read_row(struct rows *rows, struct arena *arena, struct batch *batch);

/* Inside a transaction. */
bool batch_read(struct batches *batches, struct text id, struct arena *arena,
                struct batch *batch, struct error *err);

/* Rows of answers whose batch is gone or has its answers as a file: some at a time, until
 * there are none. */
void batch_drop_answers(struct batches *batches, struct text id);

#endif
