/* interact_log.h - what an interaction said: its steps, and the events that tell of them.
 *
 * One writer, a turn's parts; any number of readers, each from whatever event it wants.
 * The steps are what the events add up to, so an interaction whose server died is read
 * back from its log (ilog_replay). An event is one line of JSON that carries its number;
 * numbers grow, and leap where a server died, for its clients may have seen events that
 * the disk has not.
 *
 * The loop's thread, or whoever else owns it. It knows nothing of HTTP, disks or chats.
 */
#ifndef POLLUX_API_INTERACT_LOG_H
#define POLLUX_API_INTERACT_LOG_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "chat/chat.h"
#include "interactions/interactions.h"
#include "json/write.h"

struct ilog;

struct ilog_options {
    struct text id, model;
    int64_t created; /* ns since 1970 */
    uint64_t prompt; /* its fingerprint (print.h); ids of calls are made of it */
    bool events;     /* somebody may want them */
    bool thoughts;   /* are shown, not only signed */
};

enum { ILOG_LEAP = 1000000 };

struct ilog_usage {
    int n_prompt, n_cached, n_output, n_thought; /* tokens; thoughts are output, too */
    int n_tools;                                 /* tokens of what tools gave the model */
    const int *n_media; /* of the prompt, by enum wire_modality; NULL: it is all text */
};

/* It dies with the arena; the options' texts must live as long. */
struct ilog *ilog_open(struct arena *arena, const struct ilog_options *options);
void ilog_set_prompt(struct ilog *log, uint64_t prompt); /* before the first call */

void ilog_begin(struct ilog *log);
void ilog_status(struct ilog *log); /* it is in progress, again */
/* A tool's call is a step, its result another, and each picture that it gave one more. */
void ilog_part(struct ilog *log, const struct part *part);

/* The last event. With an error it is that one; status says how it ended. */
void ilog_end(struct ilog *log, enum status status, int64_t updated,
              const struct ilog_usage *usage, const struct error *error);

/* Takes up where another server's log ends. Lines that it did not write are skipped. */
void ilog_replay(struct ilog *log, const struct log_piece *pieces, int n);

/* Its parts begin anew, and say what the log tells already before they go on. They may
 * stray from it; and be over before all of it was said. */
void ilog_again(struct ilog *log);
bool ilog_strayed(const struct ilog *log);
bool ilog_caught_up(const struct ilog *log);

bool ilog_has_steps(const struct ilog *log); /* something was begun */
bool ilog_has_calls(const struct ilog *log); /* of functions of the client's */

/* The number of the last event; 0: there is none. */
int64_t ilog_last(const struct ilog *log);

/* The events behind the one with the number `after`, up to `upto`, as a piece that
 * points into the log and is valid until more is added. A piece that leaps is none that
 * could be stored: a log that was replayed is stored from where it leaps on. */
struct log_piece ilog_since(const struct ilog *log, int64_t after, int64_t upto);

/* An array of what it said so far. */
void ilog_steps(const struct ilog *log, struct buf *out);

/* {"usage":...,"errors":...} */
void ilog_outcome(const struct ilog_usage *usage, const struct error *error,
                  struct buf *out);

/* Events for an interaction that was never streamed: the same that its stream would have
 * had, each step in one delta. */
void ilog_made_up(const struct interaction *row, struct text model, struct arena *arena,
                  struct buf *lines);

/* Lines as Server-Sent Events; what ends a stream of them. */
void ilog_sse(struct text lines, struct buf *out);
void ilog_sse_error(const struct error *error, struct buf *out);
#define ILOG_SSE_END TEXT("event: done\ndata: [DONE]\n\n")

/* An error on this API: {"code":"invalid_request","message":...} */
void ilog_put_error(struct json_writer *w, const struct error *error);

#endif
