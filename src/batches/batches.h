/* batches.h - batches of requests: what survives of them.
 *
 * A batch is an input of many lines, each a request, and an answer to each line that is
 * done. Of the wire this room knows names and states; what is in a line or an answer it
 * does not look at. Who runs the requests is api/batch_run.c.
 *
 * The input is a blob that the batch holds a reference of, so that it stays when its
 * file goes. Answers are rows until the batch ends. Then a batch that came as a file gets
 * its answers as a file, in the order of its lines; one that came inline keeps its rows,
 * unless they are more than BATCH_INLINE_MOST bytes.
 *
 *   PENDING -> RUNNING -> ending: all lines have answers, or somebody ended it
 *           -> ended: SUCCEEDED, FAILED, CANCELLED, EXPIRED
 *
 * B1  A line has at most one answer, whatever happens in between; n_good + n_bad is how
 *     many there are.
 * B2  What was told to be recorded, cancelled or deleted is on the disk.
 * B3  From the moment that `ending` is set no line is handed out; `ended` is set together
 *     with `output_file`, and the file is there before. Only batches_finish sets it.
 *
 * Everything here may wait for the disk: any thread but the loop's; it locks for itself.
 * Times are nanoseconds since 1970. */
#ifndef POLLUX_BATCHES_BATCHES_H
#define POLLUX_BATCHES_BATCHES_H

#include "batches/lines.h"
#include "files/files.h"
#include "store/hooks.h"

struct batches;

enum {
    BATCH_NAME_MOST = 512, /* characters of displayName */
    BATCH_INLINE_MOST = 16 << 20,
    BATCHES_OPEN_MOST = 1000, /* that have not ended */
};

enum batch_kind { BATCH_GENERATE = 1, BATCH_EMBED = 2 };

/* The wire's numbers. */
enum batch_state {
    BATCH_PENDING = 1,
    BATCH_RUNNING = 2,
    BATCH_SUCCEEDED = 3,
    BATCH_FAILED = 4,
    BATCH_CANCELLED = 5,
    BATCH_EXPIRED = 6,
};

struct batch {
    struct text id; /* "abc123", without "batches/" */
    enum batch_kind kind;
    struct text model, display_name;
    int64_t priority;       /* the higher goes first */
    struct text input;      /* hash; absent: it has ended */
    struct text input_file; /* the id of the file it came as; absent: inline */
    int64_t n_lines, n_good, n_bad;
    int64_t bytes; /* of its answers */
    int64_t created, updated, ended;
    int state, ending;       /* enum batch_state; ending 0: goes on */
    struct text output_file; /* id; absent: none, or not yet */
    struct text error;       /* why it FAILED */
    struct text webhook;     /* JSON: who is told of its end; absent: nobody */
};

struct batches_options {
    int64_t life;     /* a batch that has not ended by then EXPIREs */
    int64_t memory;   /* for so long an ended one is remembered */
    size_t line_most; /* bytes of one request */
};

/* Neither the store nor the files are owned. Also sweeps. */
struct batches *batches_open(struct store *store, struct files *files,
                             const struct batches_options *options, struct error *err);
void batches_close(struct batches *batches); /* NULL is fine */

/* ---- making ---- */

struct batch_wish {
    enum batch_kind kind;
    struct text model, display_name;
    int64_t priority;
    struct text webhook;
};

/* Of a file of ours, as files_find takes it. Counts its lines. */
bool batches_make_of_file(struct batches *batches, const struct batch_wish *wish,
                          struct text uri, struct arena *arena, struct batch *batch,
                          struct error *err);

/* Of lines, all of which are there and none of which is blank. */
bool batches_make_of_lines(struct batches *batches, const struct batch_wish *wish,
                           struct text lines, struct arena *arena, struct batch *batch,
                           struct error *err);

/* ---- asking ---- */

bool batches_get(struct batches *batches, struct text id, struct arena *arena,
                 struct batch *batch, struct error *err);

/* Newest first; as files_list. */
bool batches_list(struct batches *batches, int page_size, struct text token,
                  struct arena *arena, struct batch **list, int *n, struct text *next,
                  struct error *err);

/* The token of the page after this batch. */
struct text batches_token(const struct batch *last, struct arena *arena);

struct batch_answer {
    int64_t line;
    bool good; /* only told when it is recorded */
    struct text json;
};

/* Up to `most` answers to the lines from `from` on, in order. -1 and err: failed. */
int batches_answers(struct batches *batches, struct text id, int64_t from, int most,
                    struct arena *arena, struct batch_answer *answers, struct error *err);

/* ---- changing ---- */

struct batch_change {
    bool renames, orders; /* what of the following counts */
    struct text display_name;
    int64_t priority;
};

/* Gives what it is then. */
bool batches_change(struct batches *batches, struct text id, enum batch_kind kind,
                    const struct batch_change *change, struct arena *arena,
                    struct batch *batch, struct error *err);

/* ---- ending ---- */

/* No line is begun any more. One that is ending already stays as it is, which is no
 * error. `why` for FAILED. */
bool batches_end(struct batches *batches, struct text id, enum batch_state how,
                 struct text why, struct error *err);

/* Also of one that runs: it is then over without an end. Its output file stays. */
bool batches_delete(struct batches *batches, struct text id, struct error *err);

/* ---- running ---- */

/* The batch of that kind that is to go on, which becomes RUNNING, and those lines of it
 * that have no answer. *lines is NULL when there is none. */
bool batches_next(struct batches *batches, enum batch_kind kind, struct arena *arena,
                  struct batch *batch, struct lines **lines, struct error *err);

/* Keeps answers, all or none. *over: the batch is ending, or gone, which is no error. */
bool batches_record(struct batches *batches, struct text id,
                    const struct batch_answer *answers, int n, bool *over,
                    struct error *err);

/* What is to be told of an end, kept in the same commit; how many. In the arena. */
typedef int batch_news(const struct batch *batch, struct arena *arena,
                       const struct hook **hooks);

/* Gives an end to one that is ending, and is none of the `held` ones, whose answers are
 * still under way. *found: there was one. An error means: try again later. */
bool batches_finish(struct batches *batches, const struct text *held, int n_held,
                    batch_news *news, struct arena *arena, struct batch *batch,
                    bool *found, struct error *err);

/* Ends what is too old and forgets what ended long ago. */
void batches_sweep(struct batches *batches);

#endif
