/* store.h - what must survive: one SQLite database in the data folder.
 *
 * Rooms that keep something (files, later cached contents, batches, interactions, tuned
 * models) have their statements themselves; here is how to run them, and the table of
 * migrations that all of them share. A commit is on the disk when it returns (WAL,
 * synchronous=FULL). One process at a time has a folder: a lock file refuses the second.
 *
 * Any thread but the loop's may call, for all of this may wait for the disk. There is one
 * connection: store_begin waits for whoever is between begin and end on another thread.
 * Statements run between store_begin and store_end only, so that what is read together
 * belongs together. Times are nanoseconds since 1970. */
#ifndef POLLUX_STORE_STORE_H
#define POLLUX_STORE_STORE_H

#include "base/arena.h"
#include "base/error.h"
#include <stdint.h>

struct store;

/* Opens or makes FOLDER/pollux.db; the folder must be there. NULL when another server has
 * it, or when it was written by a newer Pollux: the message says so. */
struct store *store_open(const char *folder, struct error *err);
void store_close(struct store *store); /* NULL is fine */
const char *store_folder(const struct store *store);

/* A transaction. With `good` store_end commits, otherwise it takes back; it returns
 * whether all is on the disk now. Both only on one thread, never nested. */
bool store_begin(struct store *store, struct error *err);
bool store_end(struct store *store, bool good, struct error *err);

/* Values for the question marks of a statement, in their order. An absent text is NULL.
 */
struct store_value {
    enum { STORE_NULL, STORE_IS_TEXT, STORE_IS_BYTES, STORE_IS_INT } kind;
    struct text text;
    int64_t number;
};
#define STORE_TEXT(t) ((struct store_value){.kind = STORE_IS_TEXT, .text = (t)})
#define STORE_BYTES(t) ((struct store_value){.kind = STORE_IS_BYTES, .text = (t)})
#define STORE_INT(n) ((struct store_value){.kind = STORE_IS_INT, .number = (n)})
#define STORE_VALUES(...)                                                                \
    (const struct store_value[]){__VA_ARGS__},                                           \
        sizeof((const struct store_value[]){__VA_ARGS__}) / sizeof(struct store_value)
#define STORE_NO_VALUES NULL, 0

/* Runs a statement that has no answer. `sql` is a literal: its compiled form is kept by
 * its address. *n_changed, when it is not NULL, gets the number of rows. */
bool store_run(struct store *store, const char *sql, const struct store_value *values,
               size_t n, int *n_changed, struct error *err);

/* Runs a question: store_next gives one row after the other, false at the end or with an
 * error (err->code is ERROR_OK at the end). One question at a time for each `sql`. */
struct rows;
struct rows *store_ask(struct store *store, const char *sql,
                       const struct store_value *values, size_t n, struct error *err);
bool store_next(struct rows *rows, struct error *err);
void store_done(struct rows *rows); /* NULL is fine */

/* The row's columns, from 0. Text is copied to the arena; NULL is an absent text or 0. */
int64_t store_int(struct rows *rows, int column);
struct text store_text(struct rows *rows, int column, struct arena *arena);

/* The first column of the only row, as a number; `otherwise` when there is no row. */
bool store_number(struct store *store, const char *sql, const struct store_value *values,
                  size_t n, int64_t otherwise, int64_t *number, struct error *err);

#endif
