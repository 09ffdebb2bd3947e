/* interact_inside.h - a run and its readers, for the files that move it along.
 *
 * Private to interact_run.c (its life, its turn, its end), interact_reader.c (who waits
 * for it), interact_prepare.c (from a body to a prompt), interact_cached.c (what a cache
 * brings to it) and interact_recover.c (what an earlier server left). The loop's thread,
 * but for what interact_prepare.c says of itself. */
#ifndef POLLUX_API_INTERACT_INSIDE_H
#define POLLUX_API_INTERACT_INSIDE_H

#include "api/cached.h"
#include "api/interact_log.h"
#include "api/interact_request.h"
#include "api/interact_run.h"
#include "api/prepare.h"
#include "chat/rounds.h"

enum wish { WANTS_END, WANTS_STREAM, WANTS_DELETION };

/* It lives in its call's arena; `run` is NULL when it has been answered. */
struct reader {
    struct irun *run;
    struct call *call;
    enum wish wish;
    bool owner; /* its call made the run */
    bool begun; /* its stream */
    bool include_input;
    int64_t after; /* the last event that it was given */
    struct reader *next, **at;
};

struct irun {
    struct work work; /* first: a worker's message is the run */
    struct arena *arena;
    struct api *api;
    struct text body, version;
    bool sse;

    bool at_work, running, writing; /* a worker has it; its turn is not over; I1 */
    bool good;                      /* so far; else err says why not */
    bool known, listed;             /* what is asked for; its id: no worker has them */
    bool stored;                    /* its row is on the disk */
    bool acknowledged;              /* somebody may know of it */
    bool resumed;                   /* an earlier server began it */
    bool concluded, told;           /* nothing more is said of it; and they know */
    bool deleted, left;             /* no row is wanted; the next server shall find it */
    struct error err;

    struct interact_request request;
    struct interaction row;
    struct chat chat;
    struct prepare prepare;  /* its prompt */
    struct cached cached;    /* where one is asked for */
    struct cached_wait wait; /* for its rows */
    struct rounds *turn;     /* NULL: must not be cancelled any more */
    struct ilog *log;
    struct ilog_usage usage;
    int64_t n_public, n_stored; /* events */

    struct reader *readers;
    struct timer *deadline, *flush;
    int deadline_s, write_ms;
    int64_t since_us, first_us, queued_us, prefill_us, decode_us;

    struct irun *next, **at; /* in api->iruns */
};

struct irun *irun_open(struct api *api);
void irun_release(struct irun *run); /* frees it when nobody has it any more: I3 */

/* From its beginning on. */
bool irun_is_kept(const struct irun *run);

/* The row as it is now, in the arena; `error`: why it failed. */
struct interaction irun_row_now(const struct irun *run, const struct error *error,
                                struct arena *arena);

/* From here on its turn says nothing. `end`: for the log. */
void irun_silence(struct irun *run, const char *end);
void irun_fail(struct irun *run, const struct error *err);
void irun_write_now(struct irun *run); /* to the disk, what is to be written */

/* The chat that its cached_content is. Waits for the disk; its worker's. */
bool irun_read_cache(struct irun *run, struct chat *kept);
/* Has the rows made that the cache lacks; then the turn is started. */
void irun_make_rows(struct irun *run);

/* That the server stopped in the middle of it; `why` ends the sentence. */
struct error irun_interrupted(const char *why);

/* Everything is there. */
void irun_start_turn(struct irun *run);
/* Its client is answered, and the run goes on. */
void irun_acknowledge(struct irun *run);

/* Readers. A detached one gets no more. */
struct reader *irun_attach(struct irun *run, struct call *call, enum wish wish);
void irun_detach(struct reader *reader);
void irun_answer_error(struct reader *reader, const struct error *err);
void irun_answer_row(struct reader *reader);
void irun_pump(struct reader *reader); /* what is public and was not given yet */
void irun_publish(struct irun *run);   /* what was said until now */
/* How it ended, by what the reader wants. `trouble`: it could not be kept, or is left. */
void irun_tell(struct reader *reader, const struct error *trouble);

/* Begins to read the body, aside. */
void irun_decode(struct irun *run);

#endif
