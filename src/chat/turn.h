/* turn.h - runs one turn of the model: prompt, job, parts, end.
 *
 * A turn makes of the engine's events part events for one reader, a dialect's encoder.
 * What the chat asks to be blocked, and what the runner's guard lists, does not reach the
 * reader. Everything happens on the loop's thread. */
#ifndef POLLUX_CHAT_TURN_H
#define POLLUX_CHAT_TURN_H

#include "chat/chat.h"
#include "chat/runner.h"

struct turn;

enum turn_event_kind {
    TURN_PART, /* a delta of text or thought, a whole call, or a piece of one */
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
    int n_tools;                              /* of rounds.h: tokens of what tools gave */
    bool too_many_calls; /* TURN_END, of rounds.h: it would not stop calling tools */
    const struct error *error; /* TURN_END with FINISH_ERROR; with SAFETY and BLOCKED its
                                * `message` is the reason's name, NULL: SAFETY */
    const struct verdict *prompt_verdict; /* rates nothing: was not judged */
    const struct verdict *verdict;        /* TURN_END: of the candidate, likewise */
    bool last;                            /* no candidate is left: the turn is over */
};

/* Starts a turn of `chat` with its rendered prompt. `on` is called with `last` exactly
 * once, and not before this has returned, unless NULL was returned; the turn's memory is
 * in the arena, which must live until then, as must the chat and the prompt. NULL: the
 * prompt does not fit (INVALID_ARGUMENT with both numbers) or the queue is full. */
struct turn *turn_start(struct runner *runner, const struct chat *chat,
                        const struct prompt *prompt, struct arena *arena,
                        void (*on)(const struct turn_event *event, void *arg), void *arg,
                        struct error *err);

/* A copy of an event's steps that outlives it. */
const struct token_step *turn_copy_steps(const struct turn_event *event,
                                         struct arena *arena);

/* The reader is gone: no more events but the last, soon. */
void turn_cancel(struct turn *turn);

#endif
