/* csv.h - tables as spreadsheets write them (RFC 4180): commas, quotes, line ends in
 * quotes; a byte order mark is skipped. */
#ifndef POLLUX_CLI_CSV_H
#define POLLUX_CLI_CSV_H

#include "base/arena.h"
#include "base/error.h"

struct csv_row {
    struct text *fields;
    int n;
    int line; /* on which it begins, from 1 */
};

struct csv {
    struct csv_row *rows; /* empty lines are none */
    int n;
};

/* All of it lives in the arena. False: a quote that does not end, or text behind one. */
bool csv_read(struct text text, struct arena *arena, struct csv *csv, struct error *err);

#endif
