/* decide.h - asks a model whether to call a function, before it answers.
 *
 * Each question is a prompt of its own (wording.h); its answer's first token alone is
 * sampled, and what counts is how likely Yes is against No. They are asked one after the
 * other, until one is answered with Yes. The loop's thread. */
#ifndef POLLUX_CHAT_DECIDE_H
#define POLLUX_CHAT_DECIDE_H

#include "chat/runner.h"

struct decision; /* under way */

struct decide_request {
    const struct prompt *questions;
    int n_questions;
    struct text model; /* the name that the caller asked for */
    bool exact;        /* the same question, the same answer, whatever else runs */
};

/* `on` is called exactly once, later, unless NULL was returned: with the answer, or with
 * an error (CANCELLED after decide_cancel). Memory is in the arena, which must live until
 * then. NULL: the queue is full. */
struct decision *decide_start(struct runner *runner, const struct decide_request *request,
                              struct arena *arena,
                              void (*on)(bool yes, const struct error *error, void *arg),
                              void *arg, struct error *err);
void decide_cancel(struct decision *decision);

#endif
