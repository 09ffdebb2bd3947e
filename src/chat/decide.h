/* decide.h - asks a model whether to call a function, before it answers.
 *
 * The question is a prompt of its own (wording.h); its answer's first token alone is
 * sampled, and what counts is how likely Yes is against No. The loop's thread. */
#ifndef POLLUX_CHAT_DECIDE_H
#define POLLUX_CHAT_DECIDE_H

#include "chat/runner.h"

struct decision; /* under way */

struct decide_request {
    const struct prompt *question;
    struct text model; /* the name that the caller asked for */
    bool exact;        /* the same question, the same answer, whatever else runs */
};

/* `on` is called exactly once, later, unless NULL was returned: with the probability of
 * Yes, or with an error (CANCELLED after decide_cancel).
 * Memory is in the arena, which must live until then. NULL: the queue is full. */
struct decision *decide_start(struct runner *runner, const struct decide_request *request,
                              struct arena *arena,
                              void (*on)(double yes, const struct error *error,
                                         void *arg),
                              void *arg, struct error *err);
void decide_cancel(struct decision *decision);

#endif
