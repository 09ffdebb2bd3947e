/* tune_data.h - the examples of `pollux tune`: a table or lines, made lines for a job. */
#ifndef POLLUX_CLI_TUNE_DATA_H
#define POLLUX_CLI_TUNE_DATA_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

/* Appends lines {"textInput":...,"output":...}. A name that ends in .csv is a table, with
 * or without a header (textInput or text_input or input, and output); .json is a list of
 * objects; all else is lines of JSON, taken as they are. *n says how many examples. */
bool tune_data(const char *name, struct text bytes, struct arena *arena,
               struct buf *lines, int *n, struct error *err);

#endif
