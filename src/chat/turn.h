/* turn.h - runs one turn of the model: prompt, job, parts, end.
 *
 * The runner turns the engine's events into part events for one reader, a dialect's
 * encoder. Everything happens on the loop's thread. */
#ifndef POLLUX_CHAT_TURN_H
#define POLLUX_CHAT_TURN_H

#include "base/loop.h"
#include "chat/chat.h"
#include "chat/prompt.h"

struct turn;
struct runner;

enum turn_event_kind {
    TURN_PART, /* a delta of text or thought, or a whole call */
    TURN_END,  /* of one candidate */
};

struct turn_event {
    enum turn_event_kind kind;
    int candidate;
    const struct part *part;        /* TURN_PART */
    const struct token_step *steps; /* logprobs of tokens sampled since the last event */
    int n_steps;
    int n_prompt, n_cached; /* tokens; n_prompt is known from the first event on */
    int n_output;           /* of this candidate, so far */
    int n_thought;          /* of them, in thoughts */
    enum finish finish;     /* TURN_END */
    int64_t queued_us, prefill_us, decode_us; /* TURN_END: in the engine */
    bool bad_call;                            /* TURN_END: a call was malformed */
    const struct error *error; /* TURN_END with FINISH_ERROR; with SAFETY and BLOCKED its
                                * `message` is the reason's name, NULL: SAFETY */
    bool last;                 /* no candidate is left: the turn is over */
};

/* One per engine: receives its events on the loop and hands them to their turns. */
struct runner *runner_open(struct loop *loop, struct engine *engine, struct error *err);
void runner_close(struct runner *runner); /* all turns must be over */
struct engine *runner_engine(struct runner *runner);
struct prompter *runner_prompter(struct runner *runner);

/* Starts a turn of `chat` with its rendered prompt. `on` is called with `last` exactly
 * once, unless NULL was returned; the turn's memory is in the arena, which must live
 * until then. NULL: the prompt does not fit (INVALID_ARGUMENT with both numbers) or the
 * queue is full. */
struct turn *turn_start(struct runner *runner, const struct chat *chat,
                        const struct prompt *prompt, struct arena *arena,
                        void (*on)(const struct turn_event *event, void *arg), void *arg,
                        struct error *err);

/* The reader is gone: no more events but the last, soon. */
void turn_cancel(struct turn *turn);

#endif
