/* interactions.h - interactions that are kept: what was asked, what came of it, and the
 * log of events by which a broken stream is resumed.
 *
 * Of the wire this room knows ids and statuses; requests, steps and events are texts to
 * it. A row says what an interaction is; while one is in progress its log grows, in
 * pieces, and its steps are known when it is over.
 *
 * A chain is an interaction with all that it goes on from. Each keeps its own input and
 * steps only.
 *
 * Reading an expired one finds nothing, at once; a sweep removes it later. Everything
 * here may wait for the disk: any thread but the loop's. Times are nanoseconds since
 * 1970. */
#ifndef POLLUX_INTERACTIONS_INTERACTIONS_H
#define POLLUX_INTERACTIONS_INTERACTIONS_H

#include "interactions/status.h"
#include "store/hooks.h"

struct interactions;

enum { INTERACTION_ID_MOST = 64, CHAIN_MOST = 10000 /* links */ };

struct interaction {
    struct text id;       /* "v1_...": letters, digits, - and _ */
    struct text previous; /* the one that it goes on from; absent: none */
    enum status status;
    bool background;
    int64_t created, updated;
    struct text request; /* JSON object: what was asked, the input aside */
    struct text input;   /* JSON array of steps */
    struct text steps;   /* likewise: what came of it; "[]" while it is in progress */
    struct text outcome; /* JSON object of usage and errors */
    const struct hook *hooks; /* written with its end; not read */
    int n_hooks;
};

/* A piece of a log: its events have the numbers from `first` on, one line each. */
struct log_piece {
    int64_t first;
    int n; /* events; 0: there is no piece */
    struct text lines;
};

/* `keep_s`: for how long each is kept; 0: until it is deleted. */
struct interactions *interactions_open(struct store *store, int64_t keep_s);
void interactions_close(struct interactions *interactions); /* NULL is fine */

/* A new id, into the arena. */
struct text interactions_new_id(struct arena *arena);

/* Keeps a new one, with the beginning of its log. */
bool interactions_add(struct interactions *interactions, const struct interaction *row,
                      const struct log_piece *log, struct error *err);

/* Adds to the log of one in progress and, unless `row` is NULL, writes how it ended:
 * status, updated, request, steps, outcome. */
bool interactions_write(struct interactions *interactions, struct text id,
                        const struct log_piece *log, const struct interaction *row,
                        struct error *err);

bool interactions_get(struct interactions *interactions, struct text id,
                      struct arena *arena, struct interaction *row, struct error *err);

/* The interaction and all before it, the oldest first: inputs and steps. NOT_FOUND when
 * one of them is not there (any more), FAILED_PRECONDITION when it is in progress. */
bool interactions_chain(struct interactions *interactions, struct text id,
                        struct arena *arena, struct interaction **rows, int *n,
                        struct error *err);

/* The pieces of its log that have events behind the one with the number `after`. */
bool interactions_log(struct interactions *interactions, struct text id, int64_t after,
                      struct arena *arena, struct log_piece **pieces, int *n,
                      struct error *err);

bool interactions_delete(struct interactions *interactions, struct text id,
                         struct error *err);

/* Those in progress: whoever was at it is gone, when this is asked at the start. */
bool interactions_cut_off(struct interactions *interactions, struct arena *arena,
                          struct interaction **rows, int *n, struct error *err);

/* Removes what has expired. Returns how many. */
int interactions_sweep(struct interactions *interactions);

#endif
